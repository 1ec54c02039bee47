/* Voters: one at a time comes or goes, every node has the same; leaders and commits have a majority of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/voters.h"

#include <assert.h>
#include <stdlib.h>

#include "node/decide/decide.h"
#include "tests/sim/checks_internal.h"
#include "tests/sim/cluster.h"
#include "tests/sim/swarm.h"

static uint8_t *masks; /* Voters of the committed configuration at an index, a bit each; 0: not seen. */
static struct roster newest;

void voters_begin(void)
{
	masks = calloc(CHECKS_INDEXES_MAX, 1);
	assert(masks);
}

static unsigned mask_of(const struct raft *r)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < r->configuration.n; i++)
		if (r->configuration.servers[i].role == RAFT_VOTER)
			mask |= 1u << r->configuration.servers[i].id;
	return mask;
}

static bool majority(unsigned of, unsigned mask)
{
	return 2 * __builtin_popcount(of & mask) > __builtin_popcount(mask);
}

/*
 * Raft 4.1: any two majorities of configurations that follow each other overlap. A follower takes several in one
 * message; who makes one must know that the last is committed.
 */
static void check_configuration(unsigned node, const struct raft *r, unsigned mask)
{
	uint8_t *known = &masks[r->configuration_index];

	if (!mask || !r->configuration_index)
		return;
	if (r->configuration_uncommitted_index) {
		if (r->state == RAFT_LEADER && *known &&
		    checks_term_of(r, r->configuration_uncommitted_index) == r->current_term &&
		    __builtin_popcount(*known ^ mask) > 1)
			os_fail(node, "the voters %#x at index %llu follow %#x: more than one at a time", mask,
			        r->configuration_uncommitted_index, *known);
	} else if (!*known) {
		*known = (uint8_t)mask;
		os_trace(node, "voters", known, 1);
	} else if (*known != mask) {
		os_fail(node, "the voters at index %llu are %#x, and elsewhere %#x", r->configuration_index, mask,
		        *known);
	}
}

static void check_elected(unsigned node, const struct raft *r, unsigned mask)
{
	unsigned of = promises_votes(node, r->current_term);

	if (!majority(of, mask))
		os_fail(node, "it leads term %llu by the votes of %#x, of the voters %#x", r->current_term, of, mask);
}

/* The configuration may have changed in this very slice, behind what was committed in it, or before. */
static void check_counted(unsigned node, const struct view *v, unsigned mask)
{
	const struct raft *r = v->raft;
	unsigned of = promises_up_to(r->current_term, r->commit_index);

	if (!majority(of, mask) && !majority(of, v->seen_voters))
		os_fail(node, "it commits index %llu, which only %#x of the voters %#x have acknowledged",
		        r->commit_index, of, mask);
}

void voters_look(unsigned node, struct view *v)
{
	const struct raft *r = v->raft;
	unsigned mask = mask_of(r);

	check_configuration(node, r, mask);
	if (r->state == RAFT_LEADER && v->led_term != r->current_term)
		check_elected(node, r, mask);
	if (r->state == RAFT_LEADER && v->led_term == r->current_term && r->commit_index > v->seen_commit)
		check_counted(node, v, mask);
	v->seen_voters = mask;
	if (v->core && state_roster(v->core->state)->n &&
	    (!newest.n || state_roster(v->core->state)->version > newest.version))
		newest = *state_roster(v->core->state);
}

const struct roster *voters_roster(void)
{
	return &newest;
}

bool voters_member(unsigned node)
{
	return roster_find(&newest, node) != NULL;
}

bool voters_removed(unsigned node)
{
	return roster_find_removed(&newest, node) != NULL;
}

bool voters_hold_all_of(unsigned node)
{
	for (unsigned i = 0; i < newest.n; i++)
		if (newest.nodes[i].role == ROSTER_VOTER && !swarm_weak((unsigned)newest.nodes[i].id) &&
		    !promises_kept_by(node, (unsigned)newest.nodes[i].id))
			return false;
	return voters_member(node);
}

bool voters_can_tell(unsigned node)
{
	const struct core *c = views[node].core;
	unsigned others = 0, present = 0;

	for (unsigned i = 0; c && i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		if (m->role != ROSTER_VOTER || m->id == node)
			continue;
		others++;
		present += voters_member((unsigned)m->id) && views[m->id].core;
	}
	return !c || present > others / 2;
}

bool voters_settled(void)
{
	unsigned leader = checks_leader();
	const struct raft *r = leader ? views[leader].raft : NULL;

	if (!r || r->configuration_uncommitted_index || r->configuration.n != newest.n)
		return false;
	for (unsigned i = 0; i < r->configuration.n; i++) {
		const struct roster_node *n = roster_find(&newest, r->configuration.servers[i].id);
		if (!n || (n->role == ROSTER_VOTER) != (r->configuration.servers[i].role == RAFT_VOTER))
			return false;
	}
	return true;
}
