/* Repair: a node whose log is damaged gets the lost entries from the others, by index and term, before Raft starts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_REPAIR_H
#define NODE_CORE_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "node/core/frame.h"

struct core;

/* Kinds of FETCH and CHUNK, beside those of catch-up. */
#define REPAIR_KIND_LOG  4 /* From an index on: the giver's log. */
#define REPAIR_KIND_LOST 5 /* No answer: the asker has lost for good what it acknowledged up to the term `from`. */

/*
 * A chunk of kind LOG: flags u32 | zero u32 | snapshot's index u64 | its term u64 | last index u64 | index to ask for
 * next u64 (0: that was all) | entries as the log's own records (node/disk/record.h), rising, lost ones left out.
 */
#define REPAIR_HEAD_SIZE 40
#define REPAIR_FLAG_LOST 1u /* The giver's own log is damaged, or it has lost entries for good. */

/*
 * Runs the loop, links open, until the log that disk_scan shows is whole and stored so: by entries of others, or cut
 * where it is damaged; then the node is no voter until it has caught up (disk_lost_term). Waits for others as long as
 * it takes. CS_ERR_DAMAGED: there are no others; or an error of the disk.
 */
int repair_run(struct core *c);
/* While it runs: every frame, and every link that comes up. */
void repair_frame(struct core *c, uint64_t from, const struct frame *f);
void repair_link(struct core *c, uint64_t peer);
/* Any member, repairing or not: what another asks for its repair. */
void repair_give(struct core *c, uint64_t to, const struct frame_fetch *f);
/* This node is no voter until it has caught up: whoever leads in a term up to that one is told to step down. */
void repair_tell_lost(struct core *c, uint64_t peer);
void repair_told_lost(struct core *c, uint64_t from, const struct frame_fetch *f);

#endif
