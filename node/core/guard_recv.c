/* What reaches libraft from the network: withheld, stripped, clamped or held as the guards demand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <string.h>

#include "node/core/guard_internal.h"

static void entries_free(struct raft_append_entries *ae)
{
	void *batch = NULL;

	for (unsigned i = 0; i < ae->n_entries; i++) {
		if (ae->entries[i].batch != batch) {
			batch = ae->entries[i].batch;
			raft_free(batch);
		}
	}
	raft_free(ae->entries);
	ae->entries = NULL;
	ae->n_entries = 0;
}

void guard_message_free(struct raft_message *message)
{
	if (message->type == RAFT_IO_APPEND_ENTRIES) {
		entries_free(&message->append_entries);
	} else if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
		raft_configuration_close(&message->install_snapshot.conf);
		raft_free(message->install_snapshot.data.base);
	}
}

/* term and last: what a successful answer to this message acknowledges (guard 1); last 0: nothing. */
void guard_deliver(struct guard *g, struct raft_message *message, raft_term term, raft_index last)
{
	struct raft *r = g->raft;
	bool leads = message->type == RAFT_IO_APPEND_ENTRIES || message->type == RAFT_IO_INSTALL_SNAPSHOT;

	if (leads && r->state == RAFT_LEADER && term == r->current_term)
		guard_fatal(g, "two leaders in one term", 0);
	g->delivering = message->type;
	g->delivering_term = term;
	g->delivering_last = last;
	g->recv(g->io, message);
	g->delivering = 0;
	if (leads && r->state == RAFT_FOLLOWER && term == r->current_term)
		guard_vote_heard(g);
}

/* Guard 5, from the other side: raft_uv would write such entries, and lose them at the next start. */
static bool entries_fit(const struct guard *g, const struct raft_append_entries *ae)
{
	for (unsigned i = 0; i < ae->n_entries; i++) {
		const struct raft_entry *e = &ae->entries[i];
		if (e->buf.len == 0 || e->buf.len % 8 != 0 || e->type < RAFT_COMMAND || e->type > RAFT_CHANGE)
			return false;
		if (g->options.entry_bytes_max != 0 && e->buf.len > g->options.entry_bytes_max)
			return false;
	}
	return true;
}

/* Leaves the heartbeat in it; the leader sees that the entries did not arrive, and sends them again. */
static void strip(struct guard *g, struct raft_append_entries *ae, unsigned k)
{
	guard_acted(g, k);
	entries_free(ae);
	if (ae->leader_commit > ae->prev_log_index)
		ae->leader_commit = ae->prev_log_index;
}

static bool entries_withheld(struct guard *g, const struct raft_append_entries *ae, unsigned *ret_guard)
{
	size_t bytes = 0;

	if (ae->n_entries == 0)
		return false;
	*ret_guard = 6;
	if (g->install_waits && g->install.install_snapshot.term == ae->term)
		return true;
	*ret_guard = 7;
	for (unsigned i = 0; i < ae->n_entries; i++)
		bytes += ae->entries[i].buf.len;
	return guard_on(g, 7) && g->hooks.backlogged != NULL && g->hooks.backlogged(g->hooks.ctx, bytes);
}

/*
 * What follows an entry that the snapshot has swallowed. libraft takes a previous index of 0 for a match, finds no term
 * for the first entry, and appends it behind the snapshot; any other such index it refuses, and a leader whose own
 * snapshot is older goes back to the first entry and begins again, for ever. What the snapshot holds is committed, so
 * this leader has it, too: the message goes on behind it.
 */
static void begin_behind_snapshot(struct guard *g, struct raft_append_entries *ae)
{
	raft_index snapshot = g->raft->log.snapshot.last_index, held;

	if (ae->prev_log_index >= snapshot || (ae->prev_log_index == 0 && ae->n_entries == 0) ||
	    (ae->prev_log_index == 0 ? guard_first_index(g) == 1 : guard_term_of(g, ae->prev_log_index) != 0))
		return;
	held = snapshot - ae->prev_log_index;
	ae->prev_log_index = snapshot;
	ae->prev_log_term = g->raft->log.snapshot.last_term;
	if (ae->n_entries <= held) {
		entries_free(ae);
		return;
	}
	ae->n_entries -= (unsigned)held;
	memmove(ae->entries, ae->entries + held, ae->n_entries * sizeof *ae->entries);
}

static void recv_append(struct guard *g, struct raft_message *message)
{
	struct raft_append_entries *ae = &message->append_entries;
	raft_index conflict;
	raft_index last;
	unsigned k;

	if (guard_on(g, 5) && !entries_fit(g, ae)) {
		guard_acted(g, 5);
		guard_message_free(message);
		return;
	}
	begin_behind_snapshot(g, ae);
	if (entries_withheld(g, ae, &k))
		strip(g, ae, k);
	last = ae->prev_log_index + ae->n_entries;
	/* libraft commits up to min(leader_commit, last stored): behind prev + n that can be a stale tail. */
	if (guard_on(g, 13) && ae->leader_commit > last) {
		guard_acted(g, 13);
		ae->leader_commit = last;
	}
	conflict = guard_conflict(g, ae);
	if (conflict != 0) {
		if (guard_on(g, 11) && (g->appends != NULL || (g->put != NULL && !g->put_waits))) {
			guard_acted(g, 11);
			guard_message_free(message);
			return;
		}
		if (guard_on(g, 10) && conflict > g->raft->commit_index)
			guard_configuration_roll_back(g, conflict);
	}
	guard_deliver(g, message, ae->term, last);
}

/* Guard 2: libraft would commit by counting, whatever the term of its last stored entry. */
static bool must_hold(const struct guard *g, raft_term term)
{
	const struct raft *r = g->raft;

	return r->state == RAFT_LEADER && term == r->current_term &&
	       guard_term_of(g, r->last_stored) != r->current_term;
}

static void hold(struct guard *g, const struct raft_message *message)
{
	raft_index last = message->append_entries_result.last_log_index;
	unsigned i = 0;

	guard_acted(g, 2);
	if (g->held_term != g->raft->current_term)
		g->held_count = 0;
	g->held_term = g->raft->current_term;
	while (i < g->held_count && g->held[i].id != message->server_id)
		i++;
	if (i == GUARD_PEERS_MAX)
		return;
	if (i == g->held_count)
		g->held[g->held_count++] = (struct guard_held){.id = message->server_id};
	if (last > g->held[i].last_log_index)
		g->held[i].last_log_index = last;
}

bool guard_held_redeliver(struct guard *g)
{
	unsigned n = g->held_count;

	if (n == 0)
		return false;
	if (g->raft->state != RAFT_LEADER || g->raft->current_term != g->held_term) {
		g->held_count = 0;
		return false;
	}
	if (must_hold(g, g->held_term))
		return false;
	g->held_count = 0;
	for (unsigned i = 0; i < n; i++) {
		struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES_RESULT, .server_id = g->held[i].id};
		m.server_address = "";
		m.append_entries_result.term = g->held_term;
		m.append_entries_result.last_log_index = g->held[i].last_log_index;
		guard_deliver(g, &m, g->held_term, 0);
	}
	return true;
}

static void recv_result(struct guard *g, struct raft_message *message)
{
	const struct raft_append_entries_result *result = &message->append_entries_result;

	if (guard_on(g, 2) && guard_on(g, GUARD_HOLD) && result->rejected == 0 && must_hold(g, result->term)) {
		hold(g, message);
		return;
	}
	guard_deliver(g, message, result->term, 0);
}

void guard_recv(struct guard *g, struct raft_message *message)
{
	if (!g->started || g->closing) {
		guard_message_free(message);
		return;
	}
	if (message->server_address == NULL)
		message->server_address = "";
	guard_enter(g);
	switch (message->type) {
	case RAFT_IO_APPEND_ENTRIES:
		recv_append(g, message);
		break;
	case RAFT_IO_APPEND_ENTRIES_RESULT:
		recv_result(g, message);
		break;
	case RAFT_IO_INSTALL_SNAPSHOT:
		guard_install_recv(g, message);
		break;
	case RAFT_IO_REQUEST_VOTE:
	case RAFT_IO_TIMEOUT_NOW:
		if (!guard_vote_drop(g, message))
			guard_deliver(g, message, 0, 0);
		break;
	default:
		guard_deliver(g, message, 0, 0);
		break;
	}
	guard_leave(g);
}
