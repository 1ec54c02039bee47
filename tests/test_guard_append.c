/* Guards 1, 2, 11 and 13: what is acknowledged, what is committed, what is appended, what is sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/script_io.h"

static struct script s;

static bool first_is_leader(struct script *c)
{
	return raft_state(&c->s[0].raft) == RAFT_LEADER;
}

/* True if a majority of the disks holds what the first server counts as committed. */
static bool commit_is_held(void)
{
	const struct raft *r = &s.s[0].raft;
	raft_term term = guard_term_of(s.s[0].guard, r->commit_index);
	unsigned held = 0;

	for (unsigned i = 0; i < s.n; i++)
		held += script_disk_term(&s, i, r->commit_index) == term;
	return held > s.n / 2;
}

/*
 * The third server has a longer tail of an old term; it confirms a heartbeat with the length of that, the new leader
 * takes it for its own entries, and commits what only it holds.
 */
static bool false_ack(uint32_t off)
{
	bool held = true;

	script_init(&s, 3, off);
	for (unsigned k = 0; k < 3; k++)
		script_preset(&s, 2, 1, "OLD");
	script_boot_all(&s);
	assert_true(script_until(&s, first_is_leader, 5000));
	s.s[0].cut[1] = s.s[1].cut[0] = true;
	assert_int_equal(script_propose(&s, 0, "NEW"), 0);
	for (unsigned t = 0; t < 3000; t++) {
		script_step(&s);
		held &= commit_is_held();
	}
	if (off == 0) {
		assert_int_equal(s.s[0].acked, 1);
		assert_true(script_acted(&s, 2, 1) > 0);
	}
	script_close(&s);
	return !held;
}

static void guard_1_acknowledges_only_what_matched(void **state)
{
	(void)state;
	assert_false(false_ack(0));
	assert_true(false_ack(GUARD_BIT(1)));
}

/* An entry of a later term than the committed one in the snapshot: libraft calls it redundant and confirms it. */
static void install_over_later_term(uint32_t off)
{
	script_init(&s, 3, off);
	script_preset(&s, 0, 3, "STALE");
	s.s[0].disk.term = 4;
	assert_int_equal(script_boot(&s, 0), 0);
	script_install(&s, 0, 2, 4, 2, 2);
	script_run(&s, 10);
}

static void guard_1_installs_over_a_stale_entry_of_a_later_term(void **state)
{
	const struct raft_append_entries_result *result =
	        &s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result;

	(void)state;
	install_over_later_term(0);
	assert_int_equal(s.s[0].restores, 1);
	assert_int_equal(script_disk_term(&s, 0, 2), 2);
	assert_int_equal(guard_term_of(s.s[0].guard, 2), 2);
	assert_int_equal(result->last_log_index, 2);
	script_close(&s);

	install_over_later_term(GUARD_BIT(1));
	assert_int_equal(s.s[0].restores, 0);
	assert_int_equal(script_disk_term(&s, 0, 2), 3); /* Still the stale one, */
	assert_int_equal(result->rejected, 0);           /* and confirmed. */
	assert_int_equal(result->last_log_index, 2);
	script_close(&s);
}

/* A leader of term 2 with an entry of term 1 (Raft thesis, figure 3.7). */
static bool commits_old_term(uint32_t off)
{
	const struct raft *r = &s.s[0].raft;
	bool bad = false;

	script_init(&s, 3, off);
	script_preset(&s, 0, 1, "OLD");
	script_boot_all(&s);
	for (unsigned t = 0; t < 3000; t++) {
		script_step(&s);
		if (r->commit_index > 1)
			bad |= guard_term_of(s.s[0].guard, r->commit_index) != r->current_term;
	}
	assert_true(r->commit_index >= 2);
	if (off == 0) {
		assert_true(guard_leads(s.s[0].guard));
		assert_int_equal(r->commit_index, 3); /* One no-op, not more. */
	}
	script_close(&s);
	return bad;
}

static void guard_2_commits_nothing_of_an_old_term_by_counting(void **state)
{
	(void)state;
	assert_false(commits_old_term(0));
	assert_true(commits_old_term(GUARD_BIT(2)));
}

/* Results that arrive before the no-op is stored are held, and lost with the term. */
static void guard_2_holds_results_until_the_no_op_is_stored(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_preset(&s, 0, 1, "OLD");
	script_boot_all(&s);
	s.s[0].disk_stuck = true;
	assert_true(script_until(&s, first_is_leader, 5000));
	script_run(&s, 200);
	assert_int_equal(s.s[0].raft.commit_index, 1);
	assert_int_equal(s.s[0].raft.leader_state.progress[1].match_index, 0);
	s.s[0].disk_stuck = false;
	script_run(&s, 300);
	assert_int_equal(s.s[0].raft.commit_index, 3);
	script_close(&s);
}

static void conflicting_appends(uint32_t off)
{
	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].disk_stuck = true;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 2);
	script_append(&s, 0, 3, 3, 1, 1, 1, 3, 1);
	script_append(&s, 0, 2, 4, 1, 1, 1, 2, 2);
	s.s[0].disk_stuck = false;
	script_run(&s, 10);
}

/* In a process of its own: libraft's reference counts are broken by then, and closing it would crash. */
static void count_wrong(void)
{
	conflicting_appends(GUARD_BIT(11));
	_exit(s.s[0].raft.last_stored == 5 && raft_last_index(&s.s[0].raft) == 3 ? SCRIPT_FATAL : 0);
}

static void guard_11_drops_a_truncation_while_an_append_is_in_flight(void **state)
{
	(void)state;
	conflicting_appends(0);
	assert_int_equal(s.s[0].raft.last_stored, 3);
	assert_int_equal(raft_last_index(&s.s[0].raft), 3);
	assert_int_equal(script_acted(&s, 0, 11), 1);
	script_append(&s, 0, 3, 5, 1, 1, 1, 5, 1); /* Now it may. */
	script_run(&s, 10);
	assert_int_equal(raft_last_index(&s.s[0].raft), 2);
	assert_int_equal(script_disk_term(&s, 0, 2), 5);
	script_close(&s);

	assert_int_equal(script_fork(count_wrong, NULL, 0), SCRIPT_FATAL);
}

static void lose_count(void)
{
	conflicting_appends(0);
	s.s[0].raft.last_stored++;
	script_append(&s, 0, 2, 4, 3, 2, 1, 4, 1);
	script_run(&s, 10);
}

static void guard_11_ends_the_process_when_the_counts_differ(void **state)
{
	char said[256];

	(void)state;
	assert_int_equal(script_fork(lose_count, said, sizeof said), SCRIPT_FATAL);
	assert_non_null(strstr(said, "last stored"));
}

static bool third_has_all(struct script *c)
{
	return c->s[2].raft.last_applied == raft_last_index(&c->s[0].raft);
}

/* A follower that missed 100 entries of 256 bytes comes back while more are proposed. */
static void lagging(uint32_t off, unsigned entries_max)
{
	script_init(&s, 3, off);
	for (unsigned i = 0; i < 3; i++) {
		s.s[i].options.message_bytes_max = entries_max ? 1 << 20 : 1024;
		s.s[i].options.message_entries_max = entries_max;
	}
	script_elect_first(&s);
	script_isolate(&s, 2, true);
	for (unsigned k = 0; k < 100; k++) {
		unsigned before = s.s[0].acked;
		assert_int_equal(script_propose_size(&s, 0, 256), 0);
		while (s.s[0].acked == before)
			script_step(&s);
	}
	script_isolate(&s, 2, false);
	for (unsigned k = 0; k < 500; k++) {
		script_propose_size(&s, 0, 256);
		script_step(&s);
	}
	assert_true(script_until(&s, third_has_all, 3000));
	for (raft_index i = 2; i <= raft_last_index(&s.s[0].raft); i++)
		assert_int_equal(script_disk_term(&s, 2, i), script_disk_term(&s, 0, i));
}

static void guard_13_bounds_a_message_to_a_lagging_follower(void **state)
{
	(void)state;
	lagging(0, 0);
	assert_true(s.s[0].append_bytes_max <= 1024);
	assert_true(script_acted(&s, 0, 13) >= 20);
	script_close(&s);
	lagging(GUARD_BIT(13), 0);
	assert_true(s.s[0].append_bytes_max >= 20 * 1024);
	script_close(&s);
}

/* A frame carries so many entries and not one more: a message above it would never arrive, however often it is sent. */
static void guard_13_bounds_the_number_of_entries(void **state)
{
	(void)state;
	lagging(0, 7);
	assert_int_equal(s.s[0].append_entries_max, 7);
	script_close(&s);
	lagging(GUARD_BIT(13), 7);
	assert_true(s.s[0].append_entries_max > 7);
	script_close(&s);
}

/* A part of a split frame with the leader's whole commit index, to a follower with a stale tail. */
static raft_index commits_behind_what_matched(uint32_t off)
{
	raft_index commit;

	script_init(&s, 3, off);
	for (unsigned k = 0; k < 4; k++)
		script_preset(&s, 0, 1, "STALE");
	assert_int_equal(script_boot(&s, 0), 0);
	script_append(&s, 0, 2, 2, 2, 1, 5, 2, 0);
	commit = s.s[0].raft.commit_index;
	script_close(&s);
	return commit;
}

static void guard_13_commits_no_further_than_what_matched(void **state)
{
	(void)state;
	assert_int_equal(commits_behind_what_matched(0), 2);
	assert_int_equal(commits_behind_what_matched(GUARD_BIT(13)), 5);
}

/* The leader is forgotten while an append from it is in flight. */
static unsigned results_to_nobody(uint32_t off)
{
	unsigned sent;

	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].disk_stuck = true;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 1);
	script_run(&s, 2 * SCRIPT_ELECTION_MS);
	s.s[0].disk_stuck = false;
	script_run(&s, 10);
	sent = s.s[0].sent[RAFT_IO_APPEND_ENTRIES_RESULT];
	if (sent > 0)
		assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].server_id, 0);
	script_close(&s);
	return sent;
}

static void guard_13_drops_results_to_nobody(void **state)
{
	(void)state;
	assert_int_equal(results_to_nobody(0), 0);
	assert_int_equal(results_to_nobody(GUARD_BIT(13)), 1);
}

/* libraft took entries 1 and 2 for new ones, behind a snapshot of 9; fuzzing of frames found the crash that followed.
 */
static void append_from_before_the_snapshot(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_preset_snapshot(&s, 0, 9, 1);
	assert_int_equal(script_boot(&s, 0), 0);
	script_append(&s, 0, 2, 1, 0, 0, 2, 1, 2);
	script_run(&s, 10);
	assert_int_equal(raft_last_index(&s.s[0].raft), 9);
	assert_int_equal(script_disk_term(&s, 0, 10), 0);
	assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result.last_log_index, 9);
	script_append(&s, 0, 2, 1, 0, 0, 11, 1, 12); /* What lies behind it is taken, */
	script_run(&s, 10);
	assert_int_equal(raft_last_index(&s.s[0].raft), 12);
	assert_int_equal(s.s[0].applied_last, 11);
	assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result.last_log_index, 12);
	script_append(&s, 0, 2, 1, 12, 1, 14, 1, 2); /* and what follows. */
	script_run(&s, 10);
	assert_int_equal(s.s[0].applied_last, 14);
	script_close(&s);
}

/* libraft refused them: a leader with an older snapshot went back to its first entry, and again, for ever. */
static void append_from_within_the_snapshot(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_preset_snapshot(&s, 0, 9, 1);
	assert_int_equal(script_boot(&s, 0), 0);
	script_append(&s, 0, 2, 1, 4, 1, 4, 1, 0);
	script_run(&s, 10);
	assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result.rejected, 0);
	assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result.last_log_index, 9);
	script_append(&s, 0, 2, 1, 4, 1, 11, 1, 7);
	script_run(&s, 10);
	assert_int_equal(raft_last_index(&s.s[0].raft), 11);
	assert_int_equal(s.s[0].applied_last, 11);
	assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result.last_log_index, 11);
	script_close(&s);
}

/* Messages that cannot be sent are reported by the callback, and the leader goes on. */
static void guard_13_reports_drops_by_the_callback(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	s.s[0].unreachable[2] = true;
	for (unsigned k = 0; k < 20; k++) {
		assert_int_equal(script_propose(&s, 0, "A"), 0);
		script_run(&s, 20);
	}
	assert_int_equal(s.s[0].acked, 20);
	assert_int_equal(s.s[0].raft.leader_state.progress[2].state, 0); /* Probing. */
	s.s[0].unreachable[2] = false;
	assert_true(script_until(&s, third_has_all, 1000));
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(guard_1_acknowledges_only_what_matched),
	        cmocka_unit_test(append_from_before_the_snapshot),
	        cmocka_unit_test(append_from_within_the_snapshot),
	        cmocka_unit_test(guard_1_installs_over_a_stale_entry_of_a_later_term),
	        cmocka_unit_test(guard_2_commits_nothing_of_an_old_term_by_counting),
	        cmocka_unit_test(guard_2_holds_results_until_the_no_op_is_stored),
	        cmocka_unit_test(guard_11_drops_a_truncation_while_an_append_is_in_flight),
	        cmocka_unit_test(guard_11_ends_the_process_when_the_counts_differ),
	        cmocka_unit_test(guard_13_bounds_a_message_to_a_lagging_follower),
	        cmocka_unit_test(guard_13_bounds_the_number_of_entries),
	        cmocka_unit_test(guard_13_commits_no_further_than_what_matched),
	        cmocka_unit_test(guard_13_drops_results_to_nobody),
	        cmocka_unit_test(guard_13_reports_drops_by_the_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
