/* What the files of the checks share: each node as they see it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CHECKS_INTERNAL_H
#define TESTS_SIM_CHECKS_INTERNAL_H

#include "node/core/core_internal.h"
#include "node/core/guard_internal.h"
#include "tests/sim/checks.h"
#include "tests/sim/os.h"

#define CHECKS_TERMS_MAX   (1u << 16)
#define CHECKS_INDEXES_MAX (1u << 20)

/* A node in its present life. */
struct view {
	struct raft *raft;
	struct guard *guard;
	struct core *core;
	raft_index seen_commit;
	raft_term led_term; /* The term that it leads, and what its log ended with; 0: it does not lead. */
	raft_index led_last;
	raft_term led_last_term;
	uint64_t seen_size, seen_bytes;
	raft_index seen_last;
	unsigned seen_voters; /* A bit each. */
	bool was_pending;     /* A local snapshot. */
	bool was_backlogged;  /* Its writer was too far behind, while it followed. */
};

extern struct view views[OS_PROCESSES_MAX];

const struct raft_entry *checks_entry(const struct raft *r, raft_index index); /* NULL: not in the log. */
raft_index checks_last(const struct raft *r);
raft_term checks_term_of(const struct raft *r, raft_index index); /* 0: neither in the log nor the snapshot's. */

/* promises.c: after each slice of a running node. */
void promises_begin(void);
void promises_look(unsigned node, const struct view *v);
/* Nodes, a bit each: who has voted for this one in the term; who has acknowledged so far to a leader of this term. */
bool promises_kept_by(unsigned node, unsigned other);
unsigned promises_votes(unsigned node, raft_term term);
unsigned promises_up_to(raft_term term, raft_index index);

#endif
