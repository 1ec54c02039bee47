/* Mending a damaged log by what the others hold of it: Raft's Log Matching, and sets that no majority escapes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/mend.h"

#include <string.h>

#include "ledger/errors.h"

const struct slot *mend_slot(struct scan *s, raft_index index)
{
	const struct slot *slot = scan_slot(s, index);

	return slot && slot->state == SLOT_WHOLE ? slot : NULL;
}

static int copy_slot(struct scan *to, raft_index index, const struct slot *from)
{
	struct slot slot = *from;
	int err;

	slot.base = raft_malloc(from->len);
	if (!slot.base)
		return CS_ERR_NOMEM;
	memcpy(slot.base, from->base, from->len);
	err = scan_put(to, index, &slot);
	if (err)
		raft_free(slot.base);
	return err;
}

/* The last index of low..high at which both have the same entry; 0: none. Up to there the two logs are equal. */
static raft_index common(struct scan *a, struct scan *b, raft_index low, raft_index high)
{
	for (raft_index i = high; i >= low && i > 0; i--)
		if (mend_slot(a, i) && mend_slot(b, i) && mend_slot(a, i)->term == mend_slot(b, i)->term)
			return i;
	return 0;
}

int mend_middle(struct scan *s, struct teller *t, uint64_t *mended)
{
	raft_index last_bad = 0, anchor;
	int err = 0;

	for (raft_index i = s->first; i < s->first + s->n; i++)
		if (!mend_slot(s, i))
			last_bad = i;
	if (!last_bad)
		return 0;
	anchor = common(s, &t->log, last_bad + 1, scan_last(s));
	for (raft_index i = s->first; i < anchor && !err; i++) {
		if (mend_slot(s, i) || !mend_slot(&t->log, i))
			continue;
		err = copy_slot(s, i, mend_slot(&t->log, i));
		++*mended;
	}
	return err;
}

/* Takes the teller's entries up to `end` behind the last one that both have: 1; 0: they do not join; or an error. */
static int adopt(struct scan *s, struct teller *t, raft_index end, uint64_t *mended)
{
	raft_index joint = s->n ? common(s, &t->log, s->first, scan_last(s)) : s->first - 1;
	int err = 0;

	if (s->n && !joint)
		return 0;
	for (raft_index i = joint + 1; i <= end; i++)
		if (!mend_slot(&t->log, i))
			return 0;
	scan_cut_back(s, joint + 1);
	for (raft_index i = joint + 1; i <= end && !err; i++) {
		err = copy_slot(s, i, mend_slot(&t->log, i));
		++*mended;
	}
	return err ? err : 1;
}

/*
 * Nothing is known of the lost write. An entry that this node helped to commit is on enough others: of so many that
 * none of those sets escapes them, the one whose log is the most up to date has it (Raft, 5.4.1).
 */
static int unknown_tail(struct scan *s, struct teller *tellers, unsigned n, unsigned others_needed, uint64_t *mended)
{
	struct teller *best = NULL;
	raft_term term = 0;
	unsigned answers = 0;

	for (unsigned i = 0; i < n; i++) {
		struct teller *t = &tellers[i];
		const struct slot *at = mend_slot(&t->log, t->last);
		raft_term its = at ? at->term : 0;
		if (!t->done || !t->whole)
			continue;
		answers++;
		if (!best || its > term || (its == term && t->last > best->last)) {
			best = t;
			term = its;
		}
	}
	if (answers < others_needed)
		return 0;
	return best->last <= scan_last(s) ? 1 : adopt(s, best, best->last, mended);
}

/*
 * The last write is lost. If the entry that it ended with is known, whoever has that one has all. If so many others do
 * not have it that no majority can have stored it, it was never committed, and need not come back; but what the write
 * had before it may have been: of that, no more is known than of a write that left no trace.
 */
static int known_tail(struct scan *s, struct teller *tellers, unsigned n, unsigned others_needed, uint64_t *mended)
{
	unsigned without = 0;

	for (unsigned i = 0; i < n; i++) {
		struct teller *t = &tellers[i];
		const struct slot *at = mend_slot(&t->log, s->tail_index);
		int rv = at && at->term == s->tail_term ? adopt(s, t, s->tail_index, mended) : 0;
		if (rv)
			return rv;
		if (t->done && t->whole && t->snapshot_index < s->tail_index && (!at || at->term != s->tail_term))
			without++;
	}
	return without >= others_needed ? unknown_tail(s, tellers, n, others_needed, mended) : 0;
}

int mend_tail(struct scan *s, struct teller *tellers, unsigned n, unsigned others_needed, uint64_t *mended)
{
	return s->tail_index > scan_last(s) ? known_tail(s, tellers, n, others_needed, mended)
	                                    : unknown_tail(s, tellers, n, others_needed, mended);
}

bool mend_whole(struct scan *s)
{
	for (raft_index i = s->first; i < s->first + s->n; i++)
		if (!mend_slot(s, i))
			return false;
	return true;
}
