/* Reads libraft's log in memory: raft.h makes the struct public, but exports none of its functions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/guard_internal.h"

static size_t log_count(const struct raft_log *l)
{
	return l->front <= l->back ? l->back - l->front : l->size - l->front + l->back;
}

raft_index guard_first_index(const struct guard *g)
{
	return g->raft->log.offset + 1;
}

const struct raft_entry *guard_entry(const struct guard *g, raft_index index)
{
	const struct raft_log *l = &g->raft->log;

	if (index <= l->offset || index > l->offset + log_count(l))
		return NULL;
	return &l->entries[(l->front + (size_t)(index - 1 - l->offset)) % l->size];
}

raft_term guard_stored_term(const struct guard *g)
{
	return g->stored_term;
}

raft_term guard_term_of(const struct guard *g, raft_index index)
{
	const struct raft_log *l = &g->raft->log;
	const struct raft_entry *e;

	if (index != 0 && index == l->snapshot.last_index)
		return l->snapshot.last_term;
	e = guard_entry(g, index);
	return e != NULL ? e->term : 0;
}

raft_index guard_conflict(const struct guard *g, const struct raft_append_entries *ae)
{
	raft_index prev = ae->prev_log_index;

	if (ae->term < g->raft->current_term || (prev != 0 && guard_term_of(g, prev) != ae->prev_log_term))
		return 0;
	for (unsigned i = 0; i < ae->n_entries; i++) {
		raft_term local = guard_term_of(g, prev + 1 + i);
		if (local == 0)
			return 0;
		if (local != ae->entries[i].term)
			return prev + 1 + i;
	}
	return 0;
}

const struct raft_entry *guard_log_entry(const struct guard *g, raft_index index)
{
	return guard_entry(g, index);
}

raft_index guard_stored(const struct guard *g)
{
	return g->stored;
}

static uint64_t bytes_since_snapshot(const struct guard *g)
{
	const struct raft_log *l = &g->raft->log;
	raft_index last = l->offset + log_count(l);
	raft_index i = l->snapshot.last_index > l->offset ? l->snapshot.last_index + 1 : l->offset + 1;
	uint64_t bytes = 0;

	for (; i <= last; i++)
		bytes += guard_entry(g, i)->buf.len;
	return bytes;
}

static unsigned trailing_bytes(struct guard *g, raft_index index, unsigned n)
{
	uint64_t bytes = 0;
	unsigned kept = 0;

	if (!guard_on(g, 6) || g->options.trailing_bytes_max == 0)
		return n;
	while (kept < n) {
		const struct raft_entry *e = guard_entry(g, index - kept);
		bytes += e != NULL ? e->buf.len : 0;
		if (e == NULL || (kept > 0 && bytes > g->options.trailing_bytes_max))
			break;
		kept++;
	}
	/* Where the log ends earlier there is nothing to cut. */
	if (kept == n || guard_entry(g, index - kept) == NULL)
		return n;
	guard_acted(g, 6);
	return kept;
}

unsigned guard_trailing(struct guard *g, raft_index index, unsigned n)
{
	unsigned kept = trailing_bytes(g, index, n);

	if (g->cut != 0 && index > g->cut && kept > index - g->cut)
		kept = (unsigned)(index - g->cut);
	return kept;
}

void guard_cut(struct guard *g, raft_index index)
{
	g->cut = index;
}

bool guard_is_cut(const struct guard *g, raft_index index)
{
	return g->raft->log.offset >= index;
}

void guard_threshold(struct guard *g)
{
	bool over;

	if (!guard_on(g, 6))
		return;
	if (g->bytes_stale) {
		g->bytes = bytes_since_snapshot(g);
		g->bytes_stale = false;
	}
	over = g->options.snapshot_bytes_max != 0 && g->bytes > g->options.snapshot_bytes_max;
	if (over && g->raft->snapshot.threshold > 1)
		guard_acted(g, 6);
	over |= g->cut != 0 && g->raft->last_applied >= g->cut; /* With the next entry that is applied. */
	g->raft->snapshot.threshold = over ? 1 : g->threshold;
}
