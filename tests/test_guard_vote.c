/* Guards 3 and 4, fast failover, stepping down and handing over: who leads, and who may stand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/script_io.h"

static struct script s;

static void request_vote(unsigned i, raft_id from, raft_term term, bool pre_vote, bool disrupt)
{
	struct raft_message m = {.type = RAFT_IO_REQUEST_VOTE, .server_id = from, .server_address = "x"};

	m.request_vote = (struct raft_request_vote){.term = term,
	                                            .candidate_id = from,
	                                            .last_log_index = 100,
	                                            .last_log_term = term,
	                                            .disrupt_leader = disrupt,
	                                            .pre_vote = pre_vote};
	script_recv(&s, i, &m);
}

static void timeout_now(unsigned i, raft_id from, raft_term term, raft_index last, raft_term last_term)
{
	struct raft_message m = {.type = RAFT_IO_TIMEOUT_NOW, .server_id = from, .server_address = "x"};

	m.timeout_now = (struct raft_timeout_now){.term = term, .last_log_index = last, .last_log_term = last_term};
	script_recv(&s, i, &m);
}

static unsigned leader_other_than(unsigned i)
{
	for (unsigned j = 0; j < s.n; j++)
		if (j != i && s.s[j].alive && raft_state(&s.s[j].raft) == RAFT_LEADER && guard_leads(s.s[j].guard))
			return j;
	return s.n;
}

/* With a transfer to 2 pending, 3 asks for a vote, then 2 in the same term. */
static raft_id vote_twice(uint32_t off)
{
	struct raft_transfer transfer;
	raft_term term;
	raft_id vote;

	script_init(&s, 3, off);
	script_elect_first(&s);
	script_isolate(&s, 0, true);
	assert_int_equal(raft_transfer(&s.s[0].raft, &transfer, 2, NULL), 0);
	term = s.s[0].raft.current_term + 1;
	request_vote(0, 3, term, false, true);
	assert_int_equal(s.s[0].disk.vote, 3);
	request_vote(0, 2, term, false, true);
	assert_int_equal(s.s[0].disk.term, term);
	vote = s.s[0].disk.vote;
	script_close(&s);
	return vote;
}

static void guard_3_votes_once_in_a_term(void **state)
{
	(void)state;
	assert_int_equal(vote_twice(0), 3);
	assert_int_equal(vote_twice(GUARD_BIT(3)), 2);
}

/* Server 0 alone has the log, server 1 the higher term, server 2 is down: both are needed. */
static bool elects_across_terms(uint32_t off)
{
	bool elected;

	script_init(&s, 3, off);
	script_preset(&s, 0, 2, "A");
	s.s[0].disk.term = 2;
	s.s[1].disk.term = 5;
	s.s[0].timeout_ms = SCRIPT_ELECTION_MS;
	s.s[1].timeout_ms = 2 * SCRIPT_ELECTION_MS;
	assert_int_equal(script_boot(&s, 0), 0);
	assert_int_equal(script_boot(&s, 1), 0);
	script_run(&s, 20 * SCRIPT_ELECTION_MS);
	elected = raft_state(&s.s[0].raft) == RAFT_LEADER;
	assert_int_not_equal(raft_state(&s.s[1].raft), RAFT_LEADER);
	script_close(&s);
	return elected;
}

static void guard_3_tells_its_term_before_the_vote(void **state)
{
	(void)state;
	assert_true(elects_across_terms(0));
	assert_false(elects_across_terms(GUARD_BIT(3)));
}

/* The leader's own disk hangs; its heartbeats go on. */
static unsigned acked_elsewhere(uint32_t off)
{
	unsigned next;
	unsigned acked = 0;

	script_init(&s, 3, off);
	script_elect_first(&s);
	s.s[0].disk_stuck = true;
	assert_int_equal(script_propose(&s, 0, "A"), 0);
	script_run(&s, 8 * SCRIPT_ELECTION_MS);
	next = leader_other_than(0);
	if (next < s.n) {
		assert_int_equal(script_propose(&s, next, "B"), 0);
		script_run(&s, 500);
		acked = s.s[next].acked;
	}
	assert_int_equal(s.s[0].acked, 0);
	script_close(&s);
	return acked;
}

static void guard_3_steps_down_when_its_own_write_waits(void **state)
{
	(void)state;
	assert_int_equal(acked_elsewhere(0), 1);
	assert_int_equal(acked_elsewhere(GUARD_BIT(3)), 0);
}

static void step_down_when_asked(void **state)
{
	raft_term term;

	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	term = s.s[0].raft.current_term;
	guard_step_down(s.s[0].guard);
	assert_int_equal(raft_state(&s.s[0].raft), RAFT_FOLLOWER);
	assert_int_equal(s.s[0].disk.term, term + 1);
	guard_step_down(s.s[0].guard); /* Nothing more to give up. */
	assert_int_equal(s.s[0].disk.term, term + 1);
	script_close(&s);
}

static void hand_over_without_transfer(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	assert_int_equal(guard_hand_over(s.s[0].guard, 1), CS_ERR_INVALID);
	assert_int_equal(guard_hand_over(s.s[0].guard, 7), CS_ERR_INVALID);
	assert_int_equal(guard_hand_over(s.s[1].guard, 3), CS_ERR_NOT_LEADER);
	assert_int_equal(script_propose(&s, 0, "A"), 0); /* The heir does not match yet. */
	assert_int_equal(guard_hand_over(s.s[0].guard, 3), 0);
	assert_int_equal(s.s[0].sent[RAFT_IO_TIMEOUT_NOW], 0);
	assert_int_equal(script_propose(&s, 0, "B"), CS_ERR_NOT_LEADER);
	script_run(&s, 200);
	assert_int_equal(leader_other_than(0), 2);
	assert_int_equal(s.s[0].sent[RAFT_IO_TIMEOUT_NOW], 1);
	assert_string_equal(s.s[2].applied[3], "A");
	script_close(&s);
}

static void hand_over_gives_up_after_an_election_timeout(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	script_isolate(&s, 2, true);
	assert_int_equal(script_propose(&s, 0, "A"), 0);
	assert_int_equal(guard_hand_over(s.s[0].guard, 3), 0);
	script_run(&s, SCRIPT_ELECTION_MS - 100);
	assert_int_equal(script_propose(&s, 0, "B"), CS_ERR_NOT_LEADER);
	script_run(&s, 300);
	assert_int_equal(script_propose(&s, 0, "B"), 0);
	assert_int_equal(s.s[0].sent[RAFT_IO_TIMEOUT_NOW], 0);
	script_close(&s);
}

/* Entries accepted but not stored; the leader is gone. */
static raft_index claims(uint32_t off)
{
	raft_index claimed;

	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].disk_stuck = true;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 2);
	script_run(&s, 5 * SCRIPT_ELECTION_MS);
	claimed = s.s[0].last[RAFT_IO_REQUEST_VOTE].request_vote.last_log_index;
	if (off == 0) {
		assert_true(script_acted(&s, 0, 4) > 0);
		s.s[0].disk_stuck = false; /* Once they are stored it stands. */
		script_run(&s, 3 * SCRIPT_ELECTION_MS);
		assert_int_equal(s.s[0].last[RAFT_IO_REQUEST_VOTE].request_vote.last_log_index, 3);
		assert_int_equal(script_disk_term(&s, 0, 3), 2);
	}
	script_close(&s);
	return claimed;
}

static void guard_4_does_not_stand_with_unstored_entries(void **state)
{
	(void)state;
	assert_int_equal(claims(0), 0);
	assert_int_equal(claims(GUARD_BIT(4)), 3); /* On disk: 1. */
}

static int state_after_timeout_now(uint32_t off)
{
	int state;

	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].disk_stuck = true;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 2);
	timeout_now(0, 2, 2, 3, 2);
	state = raft_state(&s.s[0].raft);
	script_close(&s);
	return state;
}

static void guard_4_drops_timeout_now_with_unstored_entries(void **state)
{
	(void)state;
	assert_int_equal(state_after_timeout_now(0), RAFT_FOLLOWER);
	assert_int_equal(state_after_timeout_now(GUARD_BIT(4)), RAFT_CANDIDATE);
}

/* The leader changes while its entries are being written: the new one is told that it has them here. */
static raft_index told_to_the_wrong_leader(uint32_t off, unsigned sent)
{
	const struct raft_message *m = &s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT];
	raft_index told;

	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].disk_stuck = true;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 2);
	script_append(&s, 0, 3, 3, 1, 1, 1, 3, 0);
	assert_int_equal(s.s[0].sent[RAFT_IO_APPEND_ENTRIES_RESULT], 1);
	s.s[0].disk_stuck = false;
	script_run(&s, 10);
	assert_int_equal(s.s[0].sent[RAFT_IO_APPEND_ENTRIES_RESULT], sent);
	assert_int_equal(m->server_id, 3);
	assert_int_equal(m->append_entries_result.rejected, 0);
	assert_int_equal(m->append_entries_result.term, 3);
	told = m->append_entries_result.last_log_index;
	script_close(&s);
	return told;
}

static void guard_4_drops_results_of_an_earlier_term(void **state)
{
	(void)state;
	assert_int_equal(told_to_the_wrong_leader(0, 1), 1);
	assert_int_equal(told_to_the_wrong_leader(GUARD_BIT(1), 1), 1); /* It stands alone. */
	/* Without it the result is sent: capped by guard 1, else a false one. */
	assert_int_equal(told_to_the_wrong_leader(GUARD_BIT(4), 2), 1);
	assert_int_equal(told_to_the_wrong_leader(GUARD_BIT(4) | GUARD_BIT(1), 2), 3);
}

static void guard_4_does_not_vote_during_an_install(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		script_init(&s, 3, k == 0 ? 0 : GUARD_BIT(4));
		assert_int_equal(script_boot(&s, 0), 0);
		s.s[0].disk_stuck = true;
		script_install(&s, 0, 2, 2, 10, 2);
		request_vote(0, 3, 3, false, true);
		assert_int_equal(s.s[0].disk.vote, k == 0 ? 0 : 3);
		s.s[0].disk_stuck = false; /* libraft 0.15 leaks when an install is canceled. */
		script_run(&s, 5);
		script_close(&s);
	}
}

/* Votes are free after the minimum election timeout, not only after the voter's own, longer one. */
static void fast_failover(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	s.s[0].timeout_ms = 2 * SCRIPT_ELECTION_MS;
	assert_int_equal(script_boot(&s, 0), 0);
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 0);
	script_run(&s, SCRIPT_ELECTION_MS - 100);
	request_vote(0, 3, 3, true, false);
	assert_false(s.s[0].last[RAFT_IO_REQUEST_VOTE_RESULT].request_vote_result.vote_granted);
	script_run(&s, 300);
	request_vote(0, 3, 3, true, false);
	assert_true(s.s[0].last[RAFT_IO_REQUEST_VOTE_RESULT].request_vote_result.vote_granted);
	assert_int_equal(s.s[0].sent[RAFT_IO_REQUEST_VOTE], 0);
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 0); /* The leader is back. */
	assert_int_equal(s.s[0].raft.follower_state.current_leader.id, 2);
	script_close(&s);
}

/* Milliseconds from the leader's end until another leads. */
static unsigned failover_ms(bool seen)
{
	raft_time from;

	script_init(&s, 3, 0);
	script_elect_first(&s);
	s.s[2].timeout_ms = 1500;
	script_run(&s, 200);
	script_crash(&s, 0);
	from = s.now;
	/* At once, and drawn from less than an election timeout: what is drawn is bounded. */
	s.s[1].timeout_ms = 300;
	for (unsigned i = 1; i < 3 && seen; i++)
		guard_lost_sight(s.s[i].guard, 1);
	while (leader_other_than(0) == s.n && s.now - from < 20 * SCRIPT_ELECTION_MS)
		script_step(&s);
	script_close(&s);
	return (unsigned)(s.now - from);
}

static void who_sees_the_leader_die_stands_at_once(void **state)
{
	(void)state;
	assert_true(failover_ms(true) < SCRIPT_ELECTION_MS / 2);
	assert_true(failover_ms(false) >= SCRIPT_ELECTION_MS - SCRIPT_HEARTBEAT_MS);
}

/* One stream broke off, and nothing else: the others hear their leader, and keep it. */
static void who_only_lost_the_stream_changes_nothing(void **state)
{
	raft_term term;

	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	script_run(&s, 200);
	term = s.s[0].raft.current_term;
	guard_lost_sight(s.s[1].guard, 3); /* No leader. */
	assert_int_equal(s.s[1].raft.follower_state.current_leader.id, 1);
	/* The leader's messages do not come, and it stands. */
	s.s[0].cut[1] = true;
	s.s[1].timeout_ms = 100;
	guard_lost_sight(s.s[1].guard, 1);
	script_run(&s, 300);
	assert_int_equal(raft_state(&s.s[1].raft), RAFT_CANDIDATE);
	s.s[0].cut[1] = false;
	script_run(&s, 300);
	assert_int_equal(raft_state(&s.s[1].raft), RAFT_FOLLOWER);
	assert_int_equal(raft_state(&s.s[0].raft), RAFT_LEADER);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(s.s[i].disk.term, term);
	/* The next time it waits as long as ever. */
	assert_true(s.s[1].raft.follower_state.randomized_election_timeout >= SCRIPT_ELECTION_MS);
	script_close(&s);
}

/* Each leader's followers draw anew, and a candidate tries again in half of what libraft draws. */
static void timeouts_are_drawn_again(void **state)
{
	unsigned votes;

	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	assert_int_equal(s.s[1].raft.follower_state.randomized_election_timeout, 2 * SCRIPT_ELECTION_MS);
	s.s[1].timeout_ms = 1200;
	script_run(&s, 500);
	assert_int_equal(s.s[1].raft.follower_state.randomized_election_timeout, 2 * SCRIPT_ELECTION_MS);
	script_append(&s, 1, 3, s.s[1].raft.current_term + 1, 1, 1, 1, 1, 0);
	assert_int_equal(s.s[1].raft.follower_state.randomized_election_timeout, 1200);
	s.s[1].timeout_ms = 1600;
	script_isolate(&s, 1, true);
	while (raft_state(&s.s[1].raft) != RAFT_CANDIDATE)
		script_step(&s);
	votes = s.s[1].sent[RAFT_IO_REQUEST_VOTE];
	script_run(&s, 780);
	assert_int_equal(s.s[1].sent[RAFT_IO_REQUEST_VOTE], votes);
	script_run(&s, 40);
	assert_true(s.s[1].sent[RAFT_IO_REQUEST_VOTE] > votes);
	script_close(&s);
}

static void second_leader(void)
{
	script_init(&s, 3, 0);
	script_elect_first(&s);
	script_append(&s, 0, 2, s.s[0].raft.current_term, 1, 1, 1, 1, 0);
}

static void two_leaders_in_a_term_end_the_process(void **state)
{
	(void)state;
	assert_int_equal(script_fork(second_leader, NULL, 0), SCRIPT_FATAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(guard_3_votes_once_in_a_term),
	        cmocka_unit_test(guard_3_tells_its_term_before_the_vote),
	        cmocka_unit_test(guard_3_steps_down_when_its_own_write_waits),
	        cmocka_unit_test(step_down_when_asked),
	        cmocka_unit_test(hand_over_without_transfer),
	        cmocka_unit_test(hand_over_gives_up_after_an_election_timeout),
	        cmocka_unit_test(guard_4_does_not_stand_with_unstored_entries),
	        cmocka_unit_test(guard_4_drops_timeout_now_with_unstored_entries),
	        cmocka_unit_test(guard_4_drops_results_of_an_earlier_term),
	        cmocka_unit_test(guard_4_does_not_vote_during_an_install),
	        cmocka_unit_test(fast_failover),
	        cmocka_unit_test(who_sees_the_leader_die_stands_at_once),
	        cmocka_unit_test(who_only_lost_the_stream_changes_nothing),
	        cmocka_unit_test(timeouts_are_drawn_again),
	        cmocka_unit_test(two_leaders_in_a_term_end_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
