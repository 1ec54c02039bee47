/* The state's digest at the same Raft indexes on every node: who differs from the others stops. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_DIGEST_H
#define NODE_CORE_DIGEST_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/core/frame.h"
#include "node/core/members.h"

struct core;

/*
 * At each Raft index that is a multiple of this, and a batch, every node writes its state back and tells the others its
 * digest. A state that was fetched is so held against what all others have computed by themselves. Rare enough to cost
 * nothing under load, where the state is written back more often anyway.
 */
#ifndef DIGEST_INTERVAL /* The simulation's runs are short: it compares more often. */
#define DIGEST_INTERVAL 4096
#endif

struct digests {
	raft_index due;     /* Applied just now: its state is to be taken before anything else is applied. */
	raft_index awaited; /* The writer is to store it. */
	raft_index index;   /* Ours: of the state at this index. */
	struct hash ours;
	struct digest_heard {
		uint64_t id;
		raft_index index;
		struct hash digest;
	} heard[MEMBERS_MAX];
	uint64_t differs_ns; /* Since when the leader's is another than ours; 0: it is not, or we know of none. */
};

void digest_applied(struct core *c, raft_index index); /* A batch. */
void digest_take(struct core *c);                      /* Before the next one, and at the end of the step. */
void digest_stored(struct core *c);                    /* The writer has stored more. */
void digest_told(struct core *c, uint64_t from, const struct frame_chunk *ch);
void digest_beat(struct core *c);

#endif
