/* The state's digest at the same places on every node: who differs from the others stops; some become entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_DIGEST_H
#define NODE_CORE_DIGEST_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/core/batch.h"
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

/*
 * So too where a batch brings the ledger to a multiple of the setting state_digest_entries, or beyond it: the leader
 * puts that digest into the ledger, for replay to resume from, and every other node holds its own against it.
 */

struct digests {
	raft_index due;     /* Applied just now: its state is to be taken before anything else is applied. */
	raft_index awaited; /* The writer is to store it. */
	raft_index index;   /* Ours: of the state at this index. */
	uint64_t due_size, awaited_size, size; /* Entries in that state, if it may become an entry; else 0. */
	struct hash ours;
	struct { /* The newest in the ledger, until ours of so many entries is known. */
		uint64_t size, index;
		struct hash digest;
	} entry;
	bool bad; /* It is another than ours. */
	struct digest_heard {
		uint64_t id;
		raft_index index;
		struct hash digest;
	} heard[MEMBERS_MAX];
	uint64_t differs_ns; /* Since when the leader's is another than ours; 0: it is not, or we know of none. */
};

/* A batch, which found the ledger with so many entries. */
void digest_applied(struct core *c, raft_index index, uint64_t size_before);
bool digest_due(struct core *c);                         /* Leader: there is one to become an entry. */
void digest_add(struct core *c, struct batch_writer *w); /* Into a batch. */
struct decide_out;
void digest_entry(struct core *c, const struct decide_out *out); /* One is an entry now. */
void digest_take(struct core *c);                                /* Before the next one, and at the end of the step. */
void digest_stored(struct core *c);                              /* The writer has stored more. */
void digest_told(struct core *c, uint64_t from, const struct frame_chunk *ch);
void digest_beat(struct core *c);

#endif
