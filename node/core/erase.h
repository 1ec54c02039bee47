/* Erasing on this node: the log, the store, and the word that both are done; on the leader also what has grown old. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_ERASE_H
#define NODE_CORE_ERASE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/core/batch.h"
#include "node/core/frame.h"
#include "node/job.h"

/*
 * What an erasure asks of each node (node/decide/erasure.h), one step after the other, and again from the first after a
 * crash:
 *   behind   until the log has all that the state has: entries from before the erasure may still be on their way to it;
 *   wiping   the log goes on in a new segment (disk_wipe);
 *   cutting  it forgets all before (guard_cut); the old segments are gone from the folder;
 *   storing  a thread of its own takes the fields out of the bodies and rewrites the store (store_rewrite);
 *   leaving  until no view of this process looks into the old file any more;
 * and then the leader is told, who orders it to be written into the ledger.
 */
struct core;
struct eraser;

struct eraser *eraser_new(struct core *c); /* NULL: out of memory. */
void erase_beat(struct core *c);
void erase_step(struct core *c); /* The thread may have come to its end. */
void erase_stop(struct core *c); /* Waits for the thread; the writer must be there yet. */
void erase_free(struct core *c);

/* A member has erased: chunk's from is the erasure's index, its bytes [changed u64 | held u64]. */
#define ERASE_TOLD_SIZE 16
void erase_told(struct core *c, uint64_t from, const struct frame_chunk *ch);

/* Leader: commands that are due, into a batch. */
bool erase_due(struct core *c);
void erase_add(struct core *c, struct batch_writer *w);
/* Leader: what only the entry itself tells about an order to erase it: whose it is, and whether a hold keeps it. */
int erase_allowed(struct core *c, uint64_t principal, const void *payload, size_t len, char ret_text[160]);

/* WIRE_KEEPING, on the leader: what is being erased, held, kept how long. */
void keeping_receive(struct core *c, struct job *j);

#endif
