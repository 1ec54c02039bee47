/* Faults: what may go wrong in a call, counted by kind; and the schedule of what goes wrong with whole nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct drive;
struct inode;
struct node;
struct process;

/* X(name, text). */
#define FAULT_LIST(X)                                                                                                  \
	X(FAULT_LOSS, "frames lost")                                                                                   \
	X(FAULT_DUPLICATE, "frames doubled")                                                                           \
	X(FAULT_DELAY, "frames much delayed")                                                                          \
	X(FAULT_PARTITION, "partitions")                                                                               \
	X(FAULT_ONE_WAY, "partitions one way")                                                                         \
	X(FAULT_CUT, "links cut")                                                                                      \
	X(FAULT_READ, "reads failed")                                                                                  \
	X(FAULT_WRITE, "writes failed")                                                                                \
	X(FAULT_SYNC, "syncs failed")                                                                                  \
	X(FAULT_MISDIRECT, "writes misdirected")                                                                       \
	X(FAULT_FLIP, "bits flipped")                                                                                  \
	X(FAULT_FULL, "disk full")                                                                                     \
	X(FAULT_SLOW, "slow disks")                                                                                    \
	X(FAULT_STALE, "logs rolled back")                                                                             \
	X(FAULT_ROLLBACK, "nodes rolled back whole")                                                                   \
	X(FAULT_KILL, "processes killed")                                                                              \
	X(FAULT_POWER, "power cuts")                                                                                   \
	X(FAULT_POWER_ALL, "power cuts of all")                                                                        \
	X(FAULT_STOP, "orderly stops")                                                                                 \
	X(FAULT_PAUSE, "pauses")                                                                                       \
	X(FAULT_STORE, "store commits failed")                                                                         \
	X(FAULT_CLOCK, "clocks that stood, ran wrong or jumped")                                                       \
	X(FAULT_MEMBER, "orders about members")                                                                        \
	X(FAULT_CLIENT, "requests or replies lost")

enum fault {
#define FAULT_ENUM(name, text) name,
	FAULT_LIST(FAULT_ENUM)
#undef FAULT_ENUM
	        FAULT_COUNT
};

extern uint64_t faults_counts[FAULT_COUNT];
const char *faults_text(enum fault f);
void faults_count(enum fault f);

/* --- of single calls --- */
struct drive *faults_drive(unsigned node);
bool faults_read(struct drive *d);
int faults_write(struct drive *d); /* 0 or an errno value. */
bool faults_sync(struct drive *d);
bool faults_commit(struct drive *d);
int faults_full(struct drive *d); /* ENOSPC. */
void faults_sleep(struct drive *d);
void faults_sleep_store(struct drive *d);
bool faults_misdirect(struct drive *d, const struct inode *inode, uint64_t *at, size_t len);

/* --- of nodes --- */
/* Sets all up for this seed and starts the schedule. */
void faults_begin(uint64_t until);
/* This node dies, and comes back within so long. */
void faults_crash(unsigned node, uint64_t down_max);
/* A node whose disk gets damaged: a minority, so that an intact copy of each acknowledged record stays on a majority.
 */
struct node *faults_weak(void);
/* Everything is well from now on; nodes that are down come up, those that are damaged beyond use stay out. */
void faults_end(void);

#endif
