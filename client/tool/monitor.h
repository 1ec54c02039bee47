/* What the files of `countersign monitor` share: one run, and what is held of each node in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_MONITOR_H
#define CLIENT_TOOL_MONITOR_H

#include "client/tool/auditwalk.h"
#include "client/tool/monitoralarm.h"
#include "client/tool/monitorfolder.h"
#include "client/tool/monitornodes.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

#define MONITOR_COMMAND "monitor"
/* Exit codes of its own; the others are those of tool.h. */
enum monitor_exit { MONITOR_WELL = 0, MONITOR_ALARM = 1, MONITOR_UNDECIDED = 2 };

/* A tree that a node has shown, to be held against ours. */
struct monitorclaim {
	uint64_t size; /* 0: none, or it was looked at. */
	struct hash root;
	bool quorum;     /* The trust policy's has signed it. */
	size_t note_len; /* 0: the node's word alone. */
	char note[LIMIT_NOTE_SIZE_MAX + 1];
	bool differs; /* Our fold has another root there. */
	struct hash ours;
};

/* What the monitor keeps of a node. */
struct monitorpeer {
	uint64_t id, round;
	bool answers;
	int err;                           /* The library's, of its last round. */
	struct monitorclaim signed_, told; /* Its checkpoint; its status. Beyond what is checked yet. */
	struct monitorclaim last;          /* Below it, the last one that was looked at: size and root. */
	uint64_t largest;                  /* Entries that it has ever shown. */
	uint64_t shows, note_size;         /* That it shows now; that its checkpoint does. */
	uint64_t failing_ms, behind_ms;    /* Since then; 0: it is not. */
	bool missing, back;                /* For so long that it was said. */
	uint64_t unknown_ms;               /* Its checkpoints are signed by nobody whom the policy knows. */
	struct hash root;                  /* With told_size: its status as it came. */
	uint64_t told_size, kept, leader, term;
	char role[16], health[64], error[256];
};

struct monitor {
	/* What was asked for. */
	const struct tool_access *access;
	const char *dir, *trust; /* trust: the policy's path, or NULL: the cluster file's, followed. */
	uint64_t interval_ms, silence_ms, patience_ms;
	bool once;
	/* What it works with. */
	struct cluster_file file;
	struct monitorfolder folder;
	struct monitoralarms alarms;
	struct monitorrun run;
	struct verify_policy *policy;
	struct auditsource source;
	struct monitornodes nodes;
	/* Where it stands. */
	struct auditstate state, before; /* before: to go back to when entries did not hold. */
	struct verify_result result;
	struct monitorpeer peers[MONITORNODES_MAX];
	unsigned n_peers;
	uint64_t began_ms, fresh_ms; /* Of the clock that never steps: when a checkpoint, or a majority, was news. */
	uint64_t followed_ms, members_ms, status_ms;
	uint64_t removed[MONITORNODES_MAX]; /* Members that the entries of this piece remove. */
	unsigned n_removed;
	uint64_t n_unknown; /* Entries of kinds that this build does not know. */
	bool follow;        /* Somebody signs whom the policy does not know. */
	bool silent, grave;
	int code; /* Of trouble of this machine's; ends the run. */
};

/* --- monitorcheck.c: what nodes show is held against what was checked, entries are read and folded --- */

void monitor_alarm(struct monitor *m, enum monitoralarm_kind kind, uint64_t node, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* Takes what the nodes show. */
void monitorcheck_views(struct monitor *m, const struct monitorview *views, unsigned n);
/* Reads entries up to the largest checkpoint that a quorum has signed, and cosigns that. */
void monitorcheck_advance(struct monitor *m);

/* --- monitorwalk.c: entries are read and folded --- */

/* Up to this claim of a peer's, in pieces that are each kept; false: not all of them came, or they do not hold. */
bool monitorwalk_to(struct monitor *m, const struct monitorpeer *whose, const struct monitorclaim *claim);

/* --- monitorhealth.c: what time makes an alarm: nodes that fall behind or go back, silence --- */

void monitorhealth_look(struct monitor *m);
/* The policy after a change of members, and who they are. */
int monitorhealth_open(struct monitor *m);
void monitorhealth_follow(struct monitor *m);
void monitorhealth_forget(struct monitor *m, uint64_t id); /* An entry of the ledger removes it. */

/* --- monitorstatus.c --- */

void monitorstatus_write(struct monitor *m);
int monitorstatus_show(const char *dir, bool json);
int monitorstatus_acknowledge(const char *dir, const char *which);

#endif
