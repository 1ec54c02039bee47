/* A monitor's alarms: kept in a file of its folder until somebody has acknowledged them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_MONITORALARM_H
#define CLIENT_TOOL_MONITORALARM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/tool/files.h"

/*
 * Kinds. Of a grave one no honest cluster is capable: the monitor cosigns nothing more, and ends. Of the others it goes
 * on: one node that lies, or that is silent, must not be able to blind it. X(name, word, grave)
 */
#define MONITORALARM_LIST(X)                                                                                           \
	X(MONITORALARM_FORK, "fork", true)               /* Two histories, both under a quorum's signatures. */        \
	X(MONITORALARM_ROLLBACK, "rollback", true)       /* All nodes show less than a quorum had cosigned. */         \
	X(MONITORALARM_ENTRIES, "entries", true)         /* No node's entries lead to what a quorum has signed. */     \
	X(MONITORALARM_RECORD, "own-record", true)       /* This key has cosigned more than this folder knows of. */   \
	X(MONITORALARM_DIFFERS, "node-differs", false)   /* One node shows another history than the others. */         \
	X(MONITORALARM_BACK, "node-went-back", false)    /* One node shows less than it has shown. */                  \
	X(MONITORALARM_DIVERGED, "node-diverged", false) /* One node says that its own ledger is another. */           \
	X(MONITORALARM_SIGNATURE, "bad-signature", false)                                                              \
	X(MONITORALARM_SILENCE, "silence", false) /* No new checkpoint, and no majority that vouches for none. */
enum monitoralarm_kind {
#define MONITORALARM_ENUM(name, word, grave) name,
	MONITORALARM_LIST(MONITORALARM_ENUM)
#undef MONITORALARM_ENUM
	        MONITORALARM_KINDS
};

struct monitoralarm {
	unsigned id; /* From 1. */
	enum monitoralarm_kind kind;
	uint64_t node; /* 0: not of one node. */
	uint64_t size; /* Entries that the monitor had checked. */
	uint64_t at_ms;
	char text[512]; /* Free of control characters once it is raised. */
	bool acknowledged;
};

#define MONITORALARM_FILE "alarms"
#define MONITORALARM_MAX  4096 /* In one folder; what comes beyond is said, and not kept. */

struct monitoralarms {
	const char *dir;
	unsigned n, n_open;
	struct monitoralarm *list;
	uint64_t file_size; /* As it was read or written last. */
};

/* Reads what the folder has; 0 or the exit code after a message. Close in each case. */
int monitoralarms_open(const char *command, const char *dir, struct monitoralarms *ret);
void monitoralarms_close(struct monitoralarms *a);
/* Reads again what another process has added: acknowledgements. */
void monitoralarms_refresh(struct monitoralarms *a);
/*
 * Takes a new alarm in, synced, and gives it its id; NULL: one of this kind and node stands already, that nobody has
 * acknowledged. A file that cannot be written is said on stderr: the alarm stands in memory all the same.
 */
const struct monitoralarm *monitoralarms_raise(struct monitoralarms *a, const struct monitoralarm *alarm);
/* One of this kind and node stands. */
bool monitoralarms_stands(const struct monitoralarms *a, enum monitoralarm_kind kind, uint64_t node);
const struct monitoralarm *monitoralarms_grave(const struct monitoralarms *a); /* One that stands, or NULL. */
/* id 0: all. 0 or the exit code after a message; *ret_n: how many. */
int monitoralarms_acknowledge(const char *command, struct monitoralarms *a, unsigned id, unsigned *ret_n);

const char *monitoralarm_word(enum monitoralarm_kind kind);
bool monitoralarm_is_grave(enum monitoralarm_kind kind);
json_t *monitoralarm_json(const struct monitoralarm *a);
/* One line on stderr, as loud as a log can be; under journald with its priority. */
void monitoralarm_say(const struct monitoralarm *a);
/* The same for what is no alarm. */
void monitor_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- monitorrun.c: the program that is told of alarms --- */

#define MONITORRUN_MAX 8 /* At once; an alarm that finds so many at work is not told to it, and that is said. */

struct monitorrun {
	const char *program; /* NULL: none. A path, run without a shell. */
	const char *dir, *origin;
	struct {
		int pid; /* 0: a free place. */
		uint64_t until_ms;
	} children[MONITORRUN_MAX];
};
/* Arguments: the kind and the text; the rest in COUNTERSIGN_ALARM_… */
void monitorrun_tell(struct monitorrun *r, const struct monitoralarm *a);
/* Looks after those at work; one that takes too long is killed. True: some still are. */
bool monitorrun_reap(struct monitorrun *r);
void monitorrun_finish(struct monitorrun *r); /* Waits for those at work, within their time. */

#endif
