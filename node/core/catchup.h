/* Catch-up: a member behind its leader's log fetches entries and state out of band, before Raft installs a snapshot. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_CATCHUP_H
#define NODE_CORE_CATCHUP_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/core/frame.h"

struct core;
struct taking;

struct taking *catchup_new(void); /* NULL: out of memory. */

/*
 * The member's side. Asked by the guard whenever an InstallSnapshot waits: true once ledger and state are durable here
 * up to its last index (consensus.md: Snapshots and catch-up); starts fetching from the leader otherwise.
 */
bool catchup_ready(struct core *c, raft_index last_index);
/* Raft installs the snapshot: swaps in the fetched state. False if what was fetched does not reach its index. */
bool catchup_swap(struct core *c, raft_index index, uint64_t size, const struct hash *root);
void catchup_stored(struct core *c); /* The writer has stored more. */
void catchup_beat(struct core *c);   /* Asks again when nothing came for a while. */

/* Frames, both sides. */
void catchup_fetch(struct core *c, uint64_t from, const struct frame_fetch *f);
void catchup_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch);
void catchup_close(struct core *c); /* Frees; nothing may be out on the worker threads. */

#endif
