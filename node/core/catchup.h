/* Catch-up: a member behind its leader's log fetches entries and state out of band, before Raft installs a snapshot. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_CATCHUP_H
#define NODE_CORE_CATCHUP_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/core/frame.h"
#include "node/core/snapshot.h"

/*
 * Kinds of FETCH and CHUNK. BEGIN answers [state's Raft index u64 | term u64 | bytes of state u64 | its digest 32], the
 * last if it was asked with a count of 1 and is known; STATE answers records, (key length u32 | value length u32 | key
 * | value)…, in the order of their keys, from the byte offset where the answer before ended; ENTRIES answers (leaf
 * length u32 | body length u32 | leaf | body)… from an index; of what was erased, catchup_bytes.h. 4 and 5 are repair's
 * (repair.h). DIGEST is told unasked (digest.h), ERASED too (erase.h).
 */
enum { CATCHUP_BEGIN = 1, CATCHUP_STATE = 2, CATCHUP_ENTRIES = 3, CATCHUP_DIGEST = 6, CATCHUP_ERASED = 7 };

#define CATCHUP_BEGIN_SIZE_1 24
#define CATCHUP_BEGIN_SIZE   (CATCHUP_BEGIN_SIZE_1 + HASH_SIZE)
#define CATCHUP_CHUNK_SIZE   (256u << 10) /* One at a time for each member: a heartbeat waits behind one at most. */

struct core;
struct taking;

struct taking *catchup_new(void); /* NULL: out of memory. */

/*
 * The member's side. Asked by the guard whenever an InstallSnapshot waits: true once ledger and state are durable here
 * up to its last index (consensus.md: Snapshots and catch-up); starts fetching from the leader otherwise.
 */
bool catchup_ready(struct core *c, raft_index last_index, const struct snapshot *s);
/* The writer has stored more: once that is all that was fetched, ledger and state go on from there. */
void catchup_stored(struct core *c);
/* Before anything of a higher index than the fetched state's is applied or written back: Raft has overtaken it. */
void catchup_before(struct core *c, raft_index index);
/* What the state in memory has come to: by Raft, or ahead of it. */
raft_index catchup_reached(const struct core *c);
void catchup_beat(struct core *c); /* Asks again when nothing came for a while. */

/* Frames, both sides. */
void catchup_fetch(struct core *c, uint64_t from, const struct frame_fetch *f);
void catchup_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch);
/* catchup_give.c: lets go of views that nobody reads from; the end. */
void catchup_give_beat(struct core *c);
void catchup_give_close(struct core *c);
void catchup_close(struct core *c); /* Frees; nothing may be out on the worker threads. */

#endif
