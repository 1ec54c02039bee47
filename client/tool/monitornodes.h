/* The nodes that a monitor follows: a thread asks each, again and again, and hands over what it shows. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_MONITORNODES_H
#define CLIENT_TOOL_MONITORNODES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"
#include "ledger/hash.h"
#include "ledger/limits.h"

#define MONITORNODES_MAX 16 /* Seven members, and those that came and went while the monitor ran. */

/* What a node last showed. Copied out under the lock. */
struct monitorview {
	uint64_t id;
	uint64_t rounds; /* So often it has answered, or failed to. */
	int err;         /* Of the last round: 0, or the library's code and its words. */
	char error[256];
	size_t note_len; /* The checkpoint that it would have cosigned; 0: none yet. */
	char note[LIMIT_NOTE_SIZE_MAX + 1];
	uint64_t kept;   /* Size of the newest note with our cosignature that it hands out. */
	bool diverged;   /* It said so of what we have cosigned. */
	bool has_status; /* The rest is of its status: nothing of that is signed. */
	uint64_t size, leader, term;
	struct hash root;
	char role[16], health[64];
};

struct monitornodes {
	cs_client *client;
	unsigned interval_ms; /* A question waits so long for something new; and pause after a failure. */
	pthread_mutex_t lock; /* Guards all that follows. */
	pthread_cond_t changed, handled;
	bool stop;
	uint64_t after; /* A checkpoint of interest is larger than this. */
	uint64_t cosigned_size;
	char cosigned[LIMIT_NOTE_SIZE_MAX + 1]; /* With our cosignature; handed to each node that has not kept it. */
	unsigned n;
	struct monitornode {
		struct monitornodes *all;
		pthread_t thread;
		bool gone;             /* No member any more: its thread ends. */
		uint64_t seen;         /* Round that the monitor has looked at. */
		uint64_t refused_size; /* It did not take our note of this size: not given again. */
		struct monitorview view;
	} list[MONITORNODES_MAX];
};

int monitornodes_open(struct monitornodes *n, cs_client *client, unsigned interval_ms);
/* Begins to ask a node; nothing if it is asked already, or there are too many. */
void monitornodes_add(struct monitornodes *n, uint64_t id);
void monitornodes_gone(struct monitornodes *n, uint64_t id);
/*
 * Waits until a node has answered since it was looked at, or until the time (of the clock that never steps), then
 * copies what all that are members show: *ret_n. The nodes are asked on once monitornodes_done is called.
 */
void monitornodes_wait(struct monitornodes *n, uint64_t until_ms, struct monitorview ret[MONITORNODES_MAX],
                       unsigned *ret_n);
void monitornodes_done(struct monitornodes *n, uint64_t after);
/* From now on this is what nodes are given to keep. */
void monitornodes_cosigned(struct monitornodes *n, uint64_t size, const char *note);
void monitornodes_wake(struct monitornodes *n); /* It is to end: so does a wait. Not from a signal's handler. */
bool monitornodes_stopped(struct monitornodes *n);
/* cs_stop must have been called: no question is under way then. */
void monitornodes_close(struct monitornodes *n);

#endif
