/* Chaos on real processes: nodes, network, load, faults, check and report of the program tests/chaos. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CHAOS_H
#define TESTS_CHAOS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/countersign.h"
#include "ledger/hash.h"
#include "tests/cluster.h"
#include "tests/proxy.h"

#define CHAOS_NODES_MAX  5
#define CHAOS_CLIENTS    3     /* Processes, each with a key of its own. */
#define CHAOS_THREADS    4     /* In each client process. */
#define CHAOS_WAIT_MS    60000 /* For what takes a second: a build with sanitizers on a busy machine takes its time. */
#define CHAOS_CODES      32    /* Above the number of any cs_code. */
#define CHAOS_FAULTS_MAX 24

/* --- what a client process writes down, one record before and one after each call --- */

enum event_type { EVENT_ASK = 1, EVENT_DECIDED, EVENT_CHECKED };
struct event {
	uint8_t id[16];
	uint64_t asked_ns, answered_ns; /* CLOCK_MONOTONIC. */
	uint64_t index, size;           /* Of its entry; of the view that a check read. */
	uint64_t stale_ms;              /* Of a local check. */
	int32_t code;
	uint8_t type, verdict, tries, unused;
};

/* --- the run --- */

struct chaos_node {
	pid_t pid; /* 0: it does not run. */
	bool paused;
	bool may_fail;    /* Its disk is full: an exit status of its own is no surprise. */
	int expected;     /* The signal that was sent to end it. */
	int status;       /* How it ended last: its exit status, or minus the signal. */
	int64_t log_from; /* Where its log began when it was last started. */
};

struct chaos {
	struct cluster cluster;
	unsigned n; /* Nodes, numbered from 0 here and from 1 outside. */
	uint64_t seed, random;
	uint64_t begin_ns;
	bool namespaces; /* A network namespace for each node; else proxies between them. */
	bool mounts;     /* A private mount namespace: small file systems, a /dev/shm of one's own. */
	bool small;      /* The last node's data is on a small file system. */
	char faketime[256];
	unsigned pause_ms; /* Of each client thread between two calls. */
	char self[4096];
	struct chaos_node nodes[CHAOS_NODES_MAX];
	struct proxy *links[CHAOS_NODES_MAX][CHAOS_NODES_MAX]; /* From one node to another. */
	struct proxy *doors[CHAOS_NODES_MAX];                  /* From clients into a node's namespace. */
	pid_t clients[CHAOS_CLIENTS];
	unsigned n_client_starts;
	cs_client *client, *at[CHAOS_NODES_MAX]; /* at[i] knows node i only, until it has learnt of the others. */
	uint64_t at_ns[CHAOS_NODES_MAX];         /* When it was opened. */
	pid_t order;                             /* A change of members that an administrator has under way; 0: none. */
	bool members_touched;                    /* They may be others than those of the beginning. */
	unsigned guest, n_guests;                /* The node that has joined or is to join, by its id; 0: none. */
	pid_t guest_pid;
	bool cut[CHAOS_NODES_MAX][CHAOS_NODES_MAX];
	unsigned faults[CHAOS_FAULTS_MAX]; /* By kind, done. */
	unsigned halted_rightly, stopped_in_words, healed_by_itself;
	bool silent;
	char violation[512]; /* The first promise that was broken. */
};

/* Draws from the seed: 0 to n - 1. What is drawn never depends on what the cluster does. */
unsigned chaos_draw(struct chaos *c, unsigned n);
void chaos_nap_ms(unsigned ms);
/* A line with the time since the begin. */
void chaos_say(const struct chaos *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* It is not the cluster's fault that this goes no further: says where and why (errno), and aborts. */
_Noreturn void chaos_stop(const char *where);
/* Notes that a promise is broken; the first one counts, and ends the run. */
void chaos_broken(struct chaos *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool chaos_good(const struct chaos *c)
{
	return !c->violation[0];
}

/* --- chaos_net.c --- */

/* Before any thread is started: namespaces where root allows, unless proxies alone are wanted. */
void net_sandbox(struct chaos *c, bool proxies_only);
void net_open(struct chaos *c); /* Nodes are made and do not run yet: changes their settings. */
void net_close(struct chaos *c);
/* Bytes from one node to another vanish; or pass again. */
void net_cut(struct chaos *c, unsigned from, unsigned to, bool cut);
void net_heal(struct chaos *c);
/* The namespace that a node is to be started in, as a file descriptor; -1: this one. */
int net_namespace(const struct chaos *c, unsigned node);

/* --- chaos_nodes.c --- */

void nodes_start(struct chaos *c, unsigned node);
void nodes_signal(struct chaos *c, unsigned node, int number);
/* Ends it with SIGTERM or SIGKILL and waits; in a minute at most. */
void nodes_end(struct chaos *c, unsigned node, int number);
/* Whoever ended meanwhile and had no reason to has broken a promise. */
void nodes_look(struct chaos *c);
/* Waits until it has ended by itself; false: it runs on. */
bool nodes_await_end(struct chaos *c, unsigned node, unsigned ms);
bool nodes_said(const struct chaos *c, unsigned node, const char *text); /* In its log, since it was last started. */
bool nodes_last_words(const struct chaos *c, unsigned node, char *ret, size_t size);
/* A number or a text of its status; -1 or false: it does not answer. */
long long nodes_number(struct chaos *c, unsigned node, const char *member);
/*
 * A client that knows this node and no other: a client learns of the others, but not in its first second
 * (client/follow.c).
 */
cs_client *nodes_client(struct chaos *c, unsigned node);
bool nodes_text(struct chaos *c, unsigned node, const char *member, char *ret, size_t size);
int nodes_leader(struct chaos *c); /* -1: none is known. */
/* Starts who does not run, and waits until all of them have what is decided from now on. */
void nodes_recover(struct chaos *c);
/* The load has ended: waits until all have the same entries and have cosigned them; returns the size. */
uint64_t nodes_converge(struct chaos *c);

/* --- chaos_load.c --- */

int load_main(int argc, char **argv); /* A client process. */
void load_enrol(struct chaos *c);
void load_start(struct chaos *c, unsigned i, unsigned pause_ms);
void load_end(struct chaos *c, unsigned i, int number);

/* --- chaos_faults.c, chaos_folder.c --- */

struct fault {
	const struct fault_kind *kind;
	unsigned node;
	unsigned drawn; /* What the kind makes of it. */
	unsigned hold_ms;
};
struct fault_kind {
	const char *name;
	unsigned weight;
	enum { ON_NODE, ON_NETWORK, ON_CLIENT, ON_DISK, ON_FOLDER, ON_MEMBERS, ALONE } where;
	bool (*possible)(const struct chaos *c);
	void (*begin)(struct chaos *c, const struct fault *f);
	void (*end)(struct chaos *c, const struct fault *f);
};
extern const struct fault_kind fault_kinds[];
extern const unsigned n_fault_kinds;

void faults_round(struct chaos *c, unsigned wanted); /* wanted: a bit for each kind. */
bool folder_mount(struct chaos *c, unsigned node);   /* Its data on a small file system; before anything runs. */
void folder_unmount(struct chaos *c, unsigned node);
bool folder_is_small(const struct chaos *c);
void folder_full_begin(struct chaos *c, const struct fault *f);
void folder_full_end(struct chaos *c, const struct fault *f);
void folder_flip(struct chaos *c, const struct fault *f);
void folder_delete(struct chaos *c, const struct fault *f);
void folder_damaged(struct chaos *c, const struct fault *f); /* The end of both. */
void folder_stale(struct chaos *c, const struct fault *f);

/* --- chaos_members.c --- */

/* Orders are given in the background, so that other faults come in the middle of them. */
void members_role_begin(struct chaos *c, const struct fault *f); /* A voter becomes a spare, */
void members_role_end(struct chaos *c, const struct fault *f);   /* and again a voter. */
void members_guest_begin(struct chaos *c, const struct fault *f);
void members_guest_end(struct chaos *c, const struct fault *f);
/* No fault is under way: until the first nodes are all voters, and nobody else is a member. */
void members_restore(struct chaos *c);
void members_close(struct chaos *c);

/* --- chaos_check.c, chaos_judge.c --- */

struct row {
	uint8_t id[16];
	uint64_t index;
};

struct stored {
	uint64_t size;
	struct hash *leaves, *bodies;
	struct row *rows; /* Of decisions, by id. */
	size_t n_rows;
};

struct history {
	struct event *events;
	size_t n;
};
struct verdict {
	uint64_t size, decided, unknown, refused, checked, checked_local, entries_of_unknown;
	uint64_t outage_ms, proofs;
	unsigned lies; /* Planted into what was read, and found. */
	uint64_t errors[CHAOS_CODES];
};
/* Reads what clients wrote down and what each node has stored. */
void check_history(struct chaos *c, uint64_t size, struct verdict *ret);
void judge(struct chaos *c, struct history *all, const struct stored *s, struct verdict *ret); /* Sorts the events. */
/* Plants lies into copies of what was read: each must be found. */
unsigned judge_bites(struct chaos *c, const struct history *all, const struct stored *s);

#endif
