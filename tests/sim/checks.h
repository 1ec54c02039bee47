/* What must hold at every step, whatever fails: Raft's promises, one history, no vote twice, no second root. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CHECKS_H
#define TESTS_SIM_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"

struct core;

void checks_begin(void);
/* A frame that a node sends: votes. */
void checks_frame_sent(unsigned from, unsigned to, const uint8_t *bytes, size_t len);
/* The ledger's root at a size, wherever it was seen. */
void checks_root(unsigned node, uint64_t size, const struct hash *root, const char *where);
/* A node's process has ended. */
void checks_ended(unsigned node);
/* What it has ever promised counts no more: its disk has forgotten it. */
void checks_gone_back(unsigned node);
/* Its writer is further behind than the bound that was drawn. */
bool checks_behind(const struct core *c);
/* For the liveness phase. */
uint64_t checks_committed(void);                /* The highest Raft index that any node has counted as committed. */
uint64_t checks_committed_term(uint64_t index); /* 0: nobody has said so far. */
uint64_t checks_node_applied(unsigned node);    /* 0: it does not run. */
uint64_t checks_node_size(unsigned node);
uint64_t checks_size(void);               /* The largest that any node has or had when it ended. */
uint64_t checks_node_last(unsigned node); /* The last index of its log. */
unsigned checks_leader(void);             /* A node that leads, of the highest term; 0: none. */
/* For whoever reads the trace: where each node stands. */
void checks_print(void);
/* How often each guard acted, in all lives of all nodes of this seed. */
extern uint64_t checks_guards[14];
extern uint32_t checks_guards_off; /* GUARD_BIT set. */
/* Swarm: what guard_new is given in the place of the core's own bounds; 0: those. */
extern uint64_t checks_snapshot_bytes_max;
extern uint64_t checks_message_bytes_max;
extern uint64_t checks_backlog_bytes_max; /* Of the writer's, from which on a follower takes no more entries. */
extern unsigned checks_segment_size;      /* Of the log. */

#endif
