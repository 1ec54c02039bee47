/* Elections: who is voted for, who may stand, and when a leader gives up (guards 3 and 4). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/guard_internal.h"

/* A vote of this term that has been given stays: libraft forgets it for the target of a leadership transfer. */
static bool second_vote(const struct guard *g, const struct raft_message *m)
{
	const struct raft_request_vote *v = &m->request_vote;
	const struct raft *r = g->raft;

	return m->type == RAFT_IO_REQUEST_VOTE && !v->pre_vote && v->term == r->current_term && r->voted_for != 0 &&
	       r->voted_for != v->candidate_id;
}

/* Guard 9: what this node acknowledged and lost, it must not help to elect over. */
void guard_found(struct guard *g)
{
	raft_index known = g->match < g->stored ? g->match : g->stored;

	if (g->lost_term == 0 || g->match_term != g->raft->current_term || guard_term_of(g, known) <= g->lost_term)
		return;
	g->lost_term = 0;
	if (g->hooks.found != NULL)
		g->hooks.found(g->hooks.ctx);
}

bool guard_vote_drop(struct guard *g, const struct raft_message *message)
{
	bool installing = g->put != NULL && g->put_install;

	if (guard_on(g, 3) && second_vote(g, message)) {
		guard_acted(g, 3);
		return true;
	}
	if (guard_on(g, 9) && g->lost_term != 0) {
		guard_acted(g, 9);
		return true;
	}
	/* To stand now would be to claim a log that the disk does not hold; to vote, to judge by it. */
	if (guard_on(g, 4) && (installing || (message->type == RAFT_IO_TIMEOUT_NOW && guard_in_flight(g)))) {
		guard_acted(g, 4);
		return true;
	}
	return false;
}

static void follower_tick(struct guard *g)
{
	struct raft *r = g->raft;
	raft_time now = guard_now(g);

	if (guard_on(g, 4) && guard_in_flight(g)) {
		if (now - g->heard >= r->follower_state.randomized_election_timeout)
			guard_acted(g, 4);
		r->election_timer_start = now;
	}
	if (guard_on(g, 9) && g->lost_term != 0)
		r->election_timer_start = now;
	/*
	 * libraft refuses votes until its *own* randomized timer fires. The minimum election timeout is enough (Raft
	 * thesis, 4.2.3), and the first to stand need not wait for the others.
	 */
	if (r->follower_state.current_leader.id != 0 && now - g->heard >= r->election_timeout)
		r->follower_state.current_leader.id = 0;
}

static unsigned draw(const struct guard *g, unsigned min, unsigned max)
{
	return (unsigned)g->disk->random(g->disk, (int)min, (int)max);
}

/*
 * libraft draws a follower's timeout once in its life as one. Two that drew alike would split every vote; and one that
 * was shortened by guard_lost_sight is for that once.
 */
void guard_vote_heard(struct guard *g)
{
	struct raft *r = g->raft;

	g->heard = guard_now(g);
	if (g->drawn_term == r->current_term)
		return;
	g->drawn_term = r->current_term;
	r->follower_state.randomized_election_timeout = draw(g, r->election_timeout, 2 * r->election_timeout);
}

void guard_lost_sight(struct guard *g, raft_id id)
{
	struct raft *r = g->raft;
	unsigned moment_ms = r->election_timeout / 10; /* For the others to lose sight of it too: they vote then. */

	if (!g->started || g->closing || r->state != RAFT_FOLLOWER || r->follower_state.current_leader.id != id)
		return;
	r->follower_state.current_leader.id = 0;
	r->election_timer_start = guard_now(g);
	r->follower_state.randomized_election_timeout = draw(g, moment_ms, r->election_timeout);
	g->drawn_term = 0;
}

/*
 * A candidate knows within a round trip whether it has won; only the next try is what its timeout is for, after a split
 * vote. Half of libraft's is enough for that, still random, and never below half an election timeout.
 */
static void candidate_tick(struct guard *g)
{
	struct raft *r = g->raft;

	if (r->candidate_state.randomized_election_timeout > r->election_timeout)
		r->candidate_state.randomized_election_timeout /= 2;
}

void guard_vote_tick(struct guard *g)
{
	struct raft *r = g->raft;

	if (r->state == RAFT_FOLLOWER)
		follower_tick(g);
	if (r->state == RAFT_CANDIDATE)
		candidate_tick(g);
	/* A leader that cannot write can commit nothing itself, yet keeps others from leading. */
	if (r->state == RAFT_LEADER && guard_on(g, 3) && g->appends != NULL &&
	    guard_now(g) - g->appends->since > r->election_timeout) {
		guard_acted(g, 3);
		g->want_step_down = true;
	}
}

/* libraft has no call for it; but it yields to a higher term, and this one nobody else can have begun. */
bool guard_step_down_settle(struct guard *g)
{
	struct raft *r = g->raft;
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES_RESULT, .server_id = r->id, .server_address = ""};

	if (!g->want_step_down)
		return false;
	g->want_step_down = false;
	if (r->state != RAFT_LEADER)
		return false;
	m.append_entries_result.term = r->current_term + 1;
	m.append_entries_result.rejected = 1;
	guard_deliver(g, &m, 0, 0);
	return true;
}

void guard_step_down(struct guard *g)
{
	if (!g->started || g->closing)
		return;
	g->want_step_down = true;
	if (g->depth > 0)
		return;
	guard_enter(g);
	guard_leave(g);
}

int guard_hand_over(struct guard *g, raft_id id)
{
	const struct raft *r = g->raft;
	unsigned i = guard_server_index(g, id);

	if (g->closing || r->state != RAFT_LEADER)
		return CS_ERR_NOT_LEADER;
	if (id == r->id || i == r->configuration.n || r->configuration.servers[i].role != RAFT_VOTER)
		return CS_ERR_INVALID;
	g->heir = id;
	g->heir_term = r->current_term;
	g->heir_since = guard_now(g);
	g->heir_told = false;
	guard_poke(g);
	return 0;
}

/* raft_transfer would bring the double vote with it (guard 3), so the guard sends TimeoutNow itself. */
bool guard_hand_over_settle(struct guard *g)
{
	struct raft *r = g->raft;
	struct raft_message m = {.type = RAFT_IO_TIMEOUT_NOW, .server_id = g->heir};
	raft_index last = g->next - 1;
	unsigned i;

	if (g->heir == 0)
		return false;
	i = guard_server_index(g, g->heir);
	if (r->state != RAFT_LEADER || r->current_term != g->heir_term || i == r->configuration.n ||
	    guard_now(g) - g->heir_since >= r->election_timeout) {
		g->heir = 0;
		return false;
	}
	if (g->heir_told || r->leader_state.progress[i].match_index < last)
		return false;
	m.server_address = r->configuration.servers[i].address;
	m.timeout_now.term = r->current_term;
	m.timeout_now.last_log_index = last;
	m.timeout_now.last_log_term = guard_term_of(g, last);
	g->heir_told = g->hooks.net_send(g->hooks.ctx, &m);
	return false;
}
