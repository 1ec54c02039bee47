/* What libraft sends: results capped (guards 1, 4), appends cut (guard 13), callbacks postponed (guard 12). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>

#include "node/core/guard_internal.h"

/* Messages of one outermost call: a few to each peer. Grown at need, never shrunk. */
#define SENT_SIZE_FIRST 64

static void sent_push(struct guard *g, struct raft_io_send *req, int status)
{
	if (g->sent_count == g->sent_size) {
		size_t size = g->sent_size == 0 ? SENT_SIZE_FIRST : 2 * g->sent_size;
		struct guard_sent *sent = realloc(g->sent, size * sizeof *sent);
		if (sent == NULL)
			guard_fatal(g, "send", RAFT_NOMEM);
		g->sent = sent;
		g->sent_size = size;
	}
	g->sent[g->sent_count++] = (struct guard_sent){.req = req, .status = status};
}

/* Calls back what was sent; true if there was any. */
bool guard_sent_fire(struct guard *g)
{
	if (g->sent_count == 0)
		return false;
	g->depth++;
	for (size_t i = 0; i < g->sent_count; i++) {
		struct guard_sent s = g->sent[i];
		if (s.req->cb != NULL)
			s.req->cb(s.req, g->closing ? RAFT_CANCELED : s.status);
	}
	g->sent_count = 0;
	g->depth--;
	return true;
}

unsigned guard_server_index(const struct guard *g, raft_id id)
{
	const struct raft_configuration *c = &g->raft->configuration;
	unsigned i = 0;

	while (i < c->n && c->servers[i].id != id)
		i++;
	return i;
}

static bool net_send(struct guard *g, const struct raft_message *message)
{
	return g->hooks.net_send(g->hooks.ctx, message);
}

/* The progress of a server that is sent entries without waiting for each answer; NULL: another state. */
static struct raft_progress *pipeline(const struct guard *g, raft_id id)
{
	unsigned i = guard_server_index(g, id);
	struct raft_progress *p;

	if (g->raft->state != RAFT_LEADER || i == g->raft->configuration.n)
		return NULL;
	p = &g->raft->leader_state.progress[i];
	return p->state == GUARD_PIPELINE ? p : NULL;
}

/* The record of this server's last cut message of this term: an existing one, or an unused or outdated one. */
static struct guard_cut *cut_of(struct guard *g, raft_id id)
{
	struct guard_cut *spare = NULL;

	for (unsigned i = 0; i < GUARD_PEERS_MAX; i++) {
		struct guard_cut *c = &g->cuts[i];
		if (c->id == id && c->term == g->raft->current_term)
			return c;
		if (spare == NULL && c->term != g->raft->current_term)
			spare = c;
	}
	if (spare == NULL)
		guard_fatal(g, "more servers than GUARD_PEERS_MAX", 0);
	*spare = (struct guard_cut){.id = id, .term = g->raft->current_term};
	return spare;
}

/* How many of these entries fit in a message: one at least. */
static unsigned fit(const struct guard *g, const struct raft_append_entries *ae)
{
	unsigned k = 0, n = ae->n_entries;
	size_t bytes = 0;

	if (g->options.message_bytes_max == 0)
		return ae->n_entries;
	if (g->options.message_entries_max != 0 && n > g->options.message_entries_max)
		n = g->options.message_entries_max;
	while (k < n) {
		bytes += ae->entries[k].buf.len;
		if (k > 0 && bytes > g->options.message_bytes_max)
			break;
		k++;
	}
	return k;
}

/*
 * Sends the first entries that fit and leaves the rest for when they are acknowledged: libraft has already advanced the
 * next index over all of them when a server is in PIPELINE, so it is set back once libraft has returned. Until then,
 * and until the answer, only heartbeats follow.
 */
static bool send_append(struct guard *g, struct raft_message *m)
{
	struct raft_append_entries *ae = &m->append_entries;
	struct raft_progress *p = pipeline(g, m->server_id);
	raft_index prev = ae->prev_log_index;
	raft_index full = prev + ae->n_entries;
	struct guard_cut *c;
	unsigned k;

	if (!guard_on(g, 13) || ae->n_entries == 0)
		return net_send(g, m);
	c = cut_of(g, m->server_id);
	if (p != NULL && c->next != 0) { /* A second message in one call goes on after entries that were not sent. */
		c->next = full + 1;
		return true;
	}
	k = fit(g, ae);
	if (p != NULL && p->match_index < c->end && prev >= c->end)
		k = 0;
	if (k == ae->n_entries)
		return net_send(g, m);
	guard_acted(g, 13);
	c->end = prev + k;
	c->next = p != NULL ? full + 1 : 0;
	ae->n_entries = k;
	if (k == 0)
		ae->entries = NULL;
	if (ae->leader_commit > c->end)
		ae->leader_commit = c->end;
	return net_send(g, m);
}

void guard_cuts_settle(struct guard *g)
{
	for (unsigned i = 0; i < GUARD_PEERS_MAX; i++) {
		struct guard_cut *c = &g->cuts[i];
		struct raft_progress *p;
		if (c->next == 0)
			continue;
		p = c->term == g->raft->current_term ? pipeline(g, c->id) : NULL;
		if (p != NULL && p->next_index == c->next)
			p->next_index = c->end + 1;
		c->next = 0;
	}
}

/* Guard 1: what a successful result may claim. */
static raft_index match_cap(const struct guard *g)
{
	if (g->match_term != g->raft->current_term)
		return 0;
	return g->match < g->stored ? g->match : g->stored;
}

static bool send_result(struct guard *g, struct raft_message *m)
{
	struct raft_append_entries_result *result = &m->append_entries_result;
	const struct raft *r = g->raft;

	if (m->server_id == 0 && guard_on(g, 13)) { /* No leader is known any more: libraft sends all the same. */
		guard_acted(g, 13);
		return true;
	}
	/* An answer to what an earlier leader sent would go to the current one, in the current term. */
	if (g->completing && guard_on(g, 4) && (r->current_term != g->completing_term || r->state != RAFT_FOLLOWER)) {
		guard_acted(g, 4);
		return true;
	}
	/* While libraft installs it answers heartbeats so; a rejection would make the leader send the snapshot again.
	 */
	if (g->install_waits && g->install.install_snapshot.term == r->current_term && result->rejected != 0 &&
	    g->delivering == RAFT_IO_APPEND_ENTRIES && g->delivering_term == r->current_term) {
		result->rejected = 0;
		result->last_log_index = 0;
		return net_send(g, m);
	}
	if (result->rejected == 0) {
		if (g->delivering != 0 && g->delivering_term == r->current_term)
			guard_note_match(g, g->delivering_last);
		if (guard_on(g, 1) && result->last_log_index > match_cap(g)) {
			guard_acted(g, 1);
			result->last_log_index = match_cap(g);
		}
	}
	return net_send(g, m);
}

/*
 * libraft answers a pre-vote in the candidate's own next term, so that one with a *higher* term cannot ignore it. But a
 * candidate whose term is too low then never learns it, and where it alone has the log and the other's vote is needed,
 * nobody is ever elected.
 */
static void tell_term(struct guard *g, struct raft_message *m)
{
	struct raft_request_vote_result *result = &m->request_vote_result;

	if (result->pre_vote != raft_tribool_true || result->vote_granted || result->term >= g->raft->current_term ||
	    !guard_on(g, 3))
		return;
	guard_acted(g, 3);
	result->term = g->raft->current_term;
}

int guard_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message, raft_io_send_cb cb)
{
	struct guard *g = io->impl;
	struct raft_message m = *message;
	bool sent;
	int status;

	req->cb = cb;
	if (m.type == RAFT_IO_REQUEST_VOTE_RESULT)
		tell_term(g, &m);
	if (m.type == RAFT_IO_APPEND_ENTRIES)
		sent = send_append(g, &m);
	else if (m.type == RAFT_IO_APPEND_ENTRIES_RESULT)
		sent = send_result(g, &m);
	else
		sent = net_send(g, &m);
	status = sent ? 0 : RAFT_NOCONNECTION;
	if (guard_on(g, 12))
		sent_push(g, req, status);
	else if (cb != NULL)
		cb(req, status);
	return 0;
}
