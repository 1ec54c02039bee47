/* ReadIndex: rounds of probes, and the barrier where they fail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/read_index.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define SERVERS_MAX 32 /* Bits of echoed: more than a configuration ever has (FRAME_SERVERS_MAX). */

/* The configuration in force is the newest in the log, committed or not. */
static raft_index configuration_of(const struct raft *r)
{
	return r->configuration_uncommitted_index ? r->configuration_uncommitted_index : r->configuration_index;
}

static void start(struct read_index *x, uint64_t now_ns)
{
	const struct raft *r = x->raft;

	assert(r->configuration.n <= SERVERS_MAX && guard_stored_term(x->guard) == r->current_term);
	x->out = true;
	x->tickets = x->asked;
	x->began_ns = now_ns;
	x->term = r->current_term;
	x->index = r->commit_index;
	x->configuration = configuration_of(r);
	x->number++;
	x->echoed = 0;
	for (unsigned i = 0; i < r->configuration.n; i++) {
		const struct raft_server *s = &r->configuration.servers[i];
		if (s->role != RAFT_VOTER)
			continue;
		if (s->id == r->id)
			x->echoed |= UINT32_C(1) << i;
		else
			x->probe(x->ctx, s->id, x->term, x->number);
	}
}

static bool majority(const struct read_index *x)
{
	const struct raft_configuration *c = &x->raft->configuration;
	unsigned voters = 0, echoes = 0;

	for (unsigned i = 0; i < c->n; i++) {
		voters += c->servers[i].role == RAFT_VOTER;
		echoes += x->echoed >> i & 1;
	}
	return echoes > voters / 2;
}

static void pass(struct read_index *x, uint64_t tickets, uint64_t began_ns)
{
	x->passed = tickets;
	x->confirmed_ns = began_ns;
	x->out = false;
}

void read_index_step(struct read_index *x, uint64_t now_ns)
{
	const struct raft *r = x->raft;

	if (x->barrier_out)
		return;
	for (;;) {
		if (!guard_leads(x->guard)) {
			x->out = false;
			return;
		}
		if (!x->out && x->asked == x->passed)
			return;
		if (!x->out || x->term != r->current_term || x->configuration != configuration_of(r))
			start(x, now_ns);
		if (!majority(x) || raft_last_applied((struct raft *)r) < x->index)
			return;
		pass(x, x->tickets, x->began_ns);
	}
}

uint64_t read_index_ask(struct read_index *x, uint64_t now_ns)
{
	uint64_t ticket = ++x->asked;

	read_index_step(x, now_ns);
	return ticket;
}

void read_index_echo(struct read_index *x, raft_id from, raft_term term, uint64_t number, uint64_t now_ns)
{
	const struct raft_configuration *c = &x->raft->configuration;

	if (!x->out || term != x->term || number != x->number || x->configuration != configuration_of(x->raft))
		return;
	for (unsigned i = 0; i < c->n; i++)
		if (c->servers[i].id == from && c->servers[i].role == RAFT_VOTER)
			x->echoed |= UINT32_C(1) << i;
	read_index_step(x, now_ns);
}

/* Inside libraft: the step that follows begins the next round. */
static void barrier_done(struct raft_barrier *req, int status)
{
	struct read_index *x = (struct read_index *)((char *)req - offsetof(struct read_index, barrier));

	x->barrier_out = false;
	x->out = false;
	if (status == 0)
		pass(x, x->tickets, x->began_ns);
}

void read_index_beat(struct read_index *x, uint64_t now_ns, uint64_t patience_ns)
{
	if (!x->out || x->barrier_out || now_ns - x->began_ns < patience_ns || !guard_leads(x->guard))
		return;
	x->tickets = x->asked;
	x->began_ns = now_ns;
	x->barrier_out = true;
	if (guard_barrier(x->guard, &x->barrier, barrier_done))
		x->barrier_out = x->out = false; /* No memory: a new round, with an index noted after all have asked. */
}

void read_index_init(struct read_index *x, struct guard *g, const struct raft *r,
                     void (*probe)(void *ctx, raft_id to, raft_term term, uint64_t number), void *ctx)
{
	*x = (struct read_index){.guard = g, .raft = r, .probe = probe, .ctx = ctx};
}
