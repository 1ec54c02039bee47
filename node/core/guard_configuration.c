/* Guard 10: which configuration is committed, after a restart and when an uncommitted one is overwritten. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/guard_internal.h"
#include "node/disk/configuration.h"

static int copy(const struct raft_configuration *from, struct raft_configuration *ret)
{
	int rv = 0;

	for (unsigned i = 0; i < from->n && rv == 0; i++)
		rv = raft_configuration_add(ret, from->servers[i].id, from->servers[i].address, from->servers[i].role);
	return rv;
}

/* Puts a copy of from, or else what buf encodes, in the place of to. There is no going on without. */
static void replace(struct guard *g, struct raft_configuration *to, const struct raft_configuration *from,
                    const struct raft_buffer *buf)
{
	struct raft_configuration c;
	int rv;

	raft_configuration_init(&c);
	rv = buf != NULL ? configuration_decode(buf->base, buf->len, &c) : copy(from, &c);
	if (rv != 0)
		guard_fatal(g, "a configuration could not be copied or decoded", rv);
	raft_configuration_close(to);
	*to = c;
}

/* The last configuration in the log below this index; 0: none. */
static raft_index last_change(const struct guard *g, raft_index below)
{
	for (raft_index i = below - 1; i >= guard_first_index(g); i--) {
		const struct raft_entry *e = guard_entry(g, i);
		if (e != NULL && e->type == RAFT_CHANGE)
			return i;
	}
	return 0;
}

void guard_configuration_loaded(struct guard *g, const struct raft_snapshot *snapshot)
{
	replace(g, &g->committed, &snapshot->configuration, NULL);
	g->committed_index = snapshot->configuration_index;
}

void guard_configuration_restart(struct guard *g)
{
	struct raft *r = g->raft;
	raft_index last = r->configuration_index;
	raft_index before;

	if (last <= r->commit_index || r->configuration_uncommitted_index != 0)
		return;
	guard_acted(g, 10);
	before = last_change(g, last);
	if (before != 0) {
		replace(g, &g->committed, NULL, &guard_entry(g, before)->buf);
		g->committed_index = before;
	}
	if (g->committed_index == 0)
		guard_fatal(g, "the configuration before an uncommitted one is not in the log", 0);
	r->configuration_uncommitted_index = last;
	r->configuration_index = g->committed_index;
}

void guard_configuration_track(struct guard *g)
{
	const struct raft *r = g->raft;

	if (r->configuration_uncommitted_index != 0 || r->configuration_index == g->committed_index ||
	    r->configuration.n == 0)
		return;
	replace(g, &g->committed, &r->configuration, NULL);
	g->committed_index = r->configuration_index;
}

/*
 * libraft would go back to the entry at configuration_index, which a snapshot may have taken from the log, and which
 * need not be the newest one left: the leader may have committed a later one without our knowing.
 */
void guard_configuration_roll_back(struct guard *g, raft_index conflict)
{
	struct raft *r = g->raft;
	raft_index left;

	if (r->configuration_uncommitted_index < conflict)
		return;
	guard_acted(g, 10);
	left = last_change(g, conflict);
	if (left != 0) {
		replace(g, &r->configuration, NULL, &guard_entry(g, left)->buf);
		r->configuration_uncommitted_index = left > r->commit_index ? left : 0;
		if (r->configuration_uncommitted_index == 0)
			r->configuration_index = left;
		return;
	}
	if (g->committed_index == 0 || g->committed_index != r->configuration_index)
		guard_fatal(g, "no configuration to go back to", 0);
	replace(g, &r->configuration, &g->committed, NULL);
	r->configuration_uncommitted_index = 0;
}
