/* Leading: the no-op of each term and the window of proposals (guards 2, 5, 7, 12). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stddef.h>

#include "node/core/guard_internal.h"

static void noop_done(struct raft_barrier *req, int status)
{
	struct guard *g = (struct guard *)((char *)req - offsetof(struct guard, noop));

	if (status == 0)
		g->noop_applied = g->noop_term;
}

/* Once in each term that we lead: a lone voter leads the same term again after a restart, and a state can be missed. */
bool guard_noop(struct guard *g)
{
	struct raft *r = g->raft;

	if (!guard_on(g, 2) || r->state != RAFT_LEADER || g->noop_term == r->current_term)
		return false;
	if (raft_barrier(r, &g->noop, noop_done) != 0)
		return false; /* Out of memory: again at the next step. */
	guard_acted(g, 2);
	g->noop_term = r->current_term;
	return true;
}

bool guard_leads(const struct guard *g)
{
	const struct raft *r = g->raft;

	if (!g->started || g->closing || r->state != RAFT_LEADER)
		return false;
	return g->noop_applied == r->current_term || !guard_on(g, 2);
}

raft_index guard_match(const struct guard *g, raft_id id)
{
	unsigned i = guard_server_index(g, id);
	const struct raft *r = g->raft;

	if (r->state != RAFT_LEADER || i == r->configuration.n || r->leader_state.progress[i].state != GUARD_PIPELINE)
		return 0;
	return r->leader_state.progress[i].match_index;
}

/* A heartbeat behind what the server is known to have: it matches, and claims no more than that (guard 13). */
static void tell_commit(struct guard *g, const struct raft_server *s, raft_index prev)
{
	const struct raft *r = g->raft;
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES,
	                         .server_id = s->id,
	                         .server_address = s->address,
	                         .append_entries = {.term = r->current_term,
	                                            .prev_log_index = prev,
	                                            .prev_log_term = guard_term_of(g, prev),
	                                            .leader_commit = r->commit_index < prev ? r->commit_index : prev}};

	if (m.append_entries.prev_log_term != 0)
		g->hooks.net_send(g->hooks.ctx, &m);
}

void guard_tell_commit(struct guard *g)
{
	const struct raft_configuration *c = &g->raft->configuration;

	if (!guard_leads(g))
		return;
	for (unsigned i = 0; i < c->n; i++) {
		raft_index prev = c->servers[i].id == g->raft->id ? 0 : guard_match(g, c->servers[i].id);
		if (prev != 0)
			tell_commit(g, &c->servers[i], prev);
	}
}

static int length_check(struct guard *g, size_t len)
{
	int err = 0;

	if (len == 0 || len % 8 != 0) /* raft_uv 0.15 writes it, and finds nothing after it at the next start. */
		err = CS_ERR_INVALID;
	else if (g->options.entry_bytes_max != 0 && len > g->options.entry_bytes_max)
		err = CS_ERR_TOO_LARGE;
	if (err != 0)
		guard_acted(g, 5);
	return err;
}

/*
 * libraft 0.15 looks for a quorum at its last stored index only, so an open loop never has one (guard 7). And its log
 * stays in memory until a snapshot cuts it; if none is on its way the next entry will start one.
 */
static int window_check(struct guard *g)
{
	unsigned window = g->options.window == 0 ? 1 : g->options.window;
	uint64_t bytes_max = 2 * g->options.snapshot_bytes_max;

	if (g->window_used < window && (bytes_max == 0 || g->bytes < bytes_max || g->put == NULL))
		return 0;
	guard_acted(g, 7);
	return CS_ERR_OVERLOADED;
}

static int translate(int status)
{
	switch (status) {
	case 0:
		return 0;
	case RAFT_NOTLEADER:
		return CS_ERR_NOT_LEADER;
	case RAFT_NOMEM:
		return CS_ERR_NOMEM;
	default:
		return CS_ERR_IO;
	}
}

static void proposal_done(struct raft_apply *req, int status, void *result)
{
	struct guard_proposal *p = (struct guard_proposal *)((char *)req - offsetof(struct guard_proposal, req));
	struct guard *g = p->guard;

	p->busy = false;
	g->window_used--;
	if (p->cb != NULL)
		p->cb(p->user, status, result);
}

static int propose(struct guard *g, struct raft_apply *req, struct raft_buffer *buf, raft_apply_cb cb)
{
	struct guard_proposal *p = g->window;
	int rv;

	while (p->busy)
		p++;
	assert(p < g->window + GUARD_WINDOW_MAX);
	*p = (struct guard_proposal){.user = req, .cb = cb, .guard = g, .busy = true};
	g->window_used++;
	rv = raft_apply(g->raft, &p->req, buf, 1, proposal_done);
	if (rv != 0) {
		p->busy = false;
		g->window_used--;
		return translate(rv);
	}
	req->type = RAFT_COMMAND;
	req->index = p->req.index;
	return 0;
}

int guard_propose(struct guard *g, struct raft_apply *req, struct raft_buffer *buf, raft_apply_cb cb)
{
	int err = 0;

	if (g->depth > 0 && guard_on(g, 12)) {
		guard_acted(g, 12);
		return CS_ERR_INVALID;
	}
	if (!g->started || g->closing || g->raft->state != RAFT_LEADER || g->heir != 0)
		return CS_ERR_NOT_LEADER;
	if (guard_on(g, 5))
		err = length_check(g, buf->len);
	if (err == 0 && guard_on(g, 7))
		err = window_check(g);
	if (err != 0)
		return err;
	guard_enter(g);
	if (guard_on(g, 7))
		err = propose(g, req, buf, cb);
	else
		err = translate(raft_apply(g->raft, req, buf, 1, cb));
	guard_leave(g);
	return err;
}

int guard_barrier(struct guard *g, struct raft_barrier *req, raft_barrier_cb cb)
{
	int err;

	if (g->depth > 0 && guard_on(g, 12)) {
		guard_acted(g, 12);
		return CS_ERR_INVALID;
	}
	if (!g->started || g->closing)
		return CS_ERR_NOT_LEADER;
	guard_enter(g);
	err = translate(raft_barrier(g->raft, req, cb));
	guard_leave(g);
	return err;
}
