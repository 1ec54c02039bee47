/* Mending a damaged log by what the others hold of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_MEND_H
#define NODE_CORE_MEND_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/disk/scan.h"

/* What one member has told in this round. */
struct teller {
	uint64_t id;
	bool whole; /* Its log is not damaged, */
	bool done;  /* and it has told all that it has. */
	raft_index snapshot_index, last;
	struct scan log;
};

/* The slot at index if its entry is there, whole; else NULL. */
const struct slot *mend_slot(struct scan *s, raft_index index);
bool mend_whole(struct scan *s); /* All of them are; nothing is said of the tail. */
/*
 * Entries lost in the middle: whoever has the same entry behind them has the same entries in their place. *mended is
 * raised by each. CS_ERR_NOMEM.
 */
int mend_middle(struct scan *s, struct teller *t, uint64_t *mended);
/*
 * The last write is lost, all before it is whole; the tellers have told of their logs. others_needed: so many others
 * that every majority without this node has one of them. 1: the log ends as it has to; 0: more has to be heard first;
 * CS_ERR_NOMEM.
 */
int mend_tail(struct scan *s, struct teller *tellers, unsigned n, unsigned others_needed, uint64_t *mended);

#endif
