/* Refetching: a node whose stored state is lost, its log whole, gets the state from another first. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_REFETCH_H
#define NODE_CORE_REFETCH_H

#include <stdint.h>

#include "node/core/frame.h"

struct core;

/*
 * Runs the loop, links open, until the state of some member is here and stored: of a Raft index that neither the log's
 * snapshot nor the state that was lost is beyond, with the entries up to it. What this node has acknowledged is in its
 * log and stays there; the log goes on from that index. Waits for the others as long as it takes. CS_ERR_DAMAGED: there
 * are no others; or an error of the disk. The store has no other writer yet.
 */
int refetch_run(struct core *c);
/* While it runs: every frame. */
void refetch_frame(struct core *c, uint64_t from, const struct frame *f);

#endif
