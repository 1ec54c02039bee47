/* Guards 6 and 10: what a snapshot may hold, when it may be written or installed, which configuration stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/script_io.h"

static struct script s;

static void propose_all(unsigned n, size_t size)
{
	for (unsigned k = 0; k < n; k++) {
		unsigned before = s.s[0].acked;
		assert_int_equal(script_propose_size(&s, 0, size), 0);
		while (s.s[0].acked == before)
			script_step(&s);
	}
}

/* The first index that a restart could still take from the log, when the ledger is durable up to 3 only. */
static raft_index log_starts(uint32_t off)
{
	raft_index start;

	script_init(&s, 1, off);
	s.s[0].options.snapshot_entries_max = 5;
	script_elect_first(&s);
	s.s[0].ledger_behind = true;
	s.s[0].ledger_durable = 3;
	propose_all(30, 8);
	script_run(&s, 20);
	start = s.s[0].disk.start;
	if (off == 0) {
		assert_int_equal(s.s[0].disk.snapshot_index, 0);
		s.s[0].ledger_durable = 4; /* Not yet far enough: the snapshot is of 5. */
		guard_poke(s.s[0].guard);
		script_run(&s, 5);
		assert_int_equal(s.s[0].disk.snapshot_index, 0);
		s.s[0].ledger_behind = false;
		guard_poke(s.s[0].guard);
		script_run(&s, 5);
		assert_true(s.s[0].disk.snapshot_index != 0);
	}
	script_close(&s);
	return start;
}

static void guard_6_keeps_the_log_until_the_ledger_is_durable(void **state)
{
	(void)state;
	assert_int_equal(log_starts(0), 1);
	assert_true(log_starts(GUARD_BIT(6)) > 3 + 1); /* Entry 4 is neither here nor there. */
}

/* Entry 2 is committed and a snapshot due, while the configuration in entry 3 is not. */
static unsigned servers_in_snapshot(uint32_t off)
{
	unsigned n;

	script_init(&s, 3, off);
	s.s[0].options.snapshot_entries_max = 1;
	assert_int_equal(script_boot(&s, 0), 0);
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 1);
	script_run(&s, 5);
	script_append_configuration(&s, 0, 2, 2, 2, 2, 1, 4);
	script_run(&s, 5);
	script_append(&s, 0, 2, 2, 2, 2, 2, 2, 0);
	script_run(&s, 5);
	assert_int_equal(s.s[0].raft.commit_index, 2);
	n = s.s[0].disk.snapshot_conf.n;
	if (off == 0) { /* Once it is committed there is one. */
		script_append(&s, 0, 2, 2, 3, 2, 3, 2, 0);
		script_run(&s, 5);
		assert_int_equal(s.s[0].disk.snapshot_index, 3);
		assert_int_equal(s.s[0].disk.snapshot_conf.n, 4);
	}
	script_close(&s);
	return n;
}

static void guard_6_takes_no_snapshot_of_an_uncommitted_configuration(void **state)
{
	(void)state;
	assert_int_equal(servers_in_snapshot(0), 0);
	assert_int_equal(servers_in_snapshot(GUARD_BIT(6)), 4);
}

static raft_index snapshot_by_bytes(uint32_t off)
{
	raft_index index;

	script_init(&s, 1, off);
	s.s[0].options.snapshot_bytes_max = 4096;
	script_elect_first(&s);
	propose_all(40, 256);
	script_run(&s, 5);
	index = s.s[0].disk.snapshot_index;
	script_close(&s);
	return index;
}

static void guard_6_counts_bytes(void **state)
{
	(void)state;
	assert_in_range(snapshot_by_bytes(0), 17, 45);
	assert_int_equal(snapshot_by_bytes(GUARD_BIT(6)), 0);
}

static void trailing_nothing(void)
{
	script_init(&s, 1, 0);
	s.s[0].options.snapshot_entries_max = 5;
	script_elect_first(&s);
	raft_set_snapshot_trailing(&s.s[0].raft, 0);
	propose_all(10, 8);
}

/* By number alone, large entries behind a snapshot would fill the memory. */
static void keep_behind(uint32_t off, unsigned least, unsigned most)
{
	script_init(&s, 1, off);
	s.s[0].options.snapshot_entries_max = 20;
	s.s[0].options.trailing_bytes_max = 4096;
	script_elect_first(&s);
	raft_set_snapshot_trailing(&s.s[0].raft, 100);
	propose_all(200, 1024);
	raft_index first = s.s[0].raft.log.offset + 1, snapshot = s.s[0].raft.log.snapshot.last_index;
	assert_true(snapshot > 100);
	assert_in_range(snapshot + 1 - first, least, most);
	assert_int_equal(s.s[0].disk.start, first); /* On the disk as in memory. */
	assert_int_equal(s.s[0].raft.snapshot.trailing, 100);
	script_close(&s);
}

static void guard_6_keeps_few_bytes_behind_a_snapshot(void **state)
{
	(void)state;
	keep_behind(0, 4, 4);
	keep_behind(GUARD_BIT(6), 100, 100);
	/* One at least, however large. */
	script_init(&s, 1, 0);
	s.s[0].options.snapshot_entries_max = 5;
	s.s[0].options.trailing_bytes_max = 8;
	script_elect_first(&s);
	propose_all(20, 1024);
	assert_int_equal(s.s[0].raft.log.snapshot.last_index, s.s[0].raft.log.offset + 1);
	script_close(&s);
}

/* One that is on its way when the cut is ordered keeps what it was begun with: the cut is for the next one. */
static void a_cut_outlives_the_snapshot_before_it(void **state)
{
	(void)state;
	script_init(&s, 1, 0);
	s.s[0].options.snapshot_entries_max = 5;
	script_elect_first(&s);
	raft_set_snapshot_trailing(&s.s[0].raft, 100);
	s.s[0].ledger_behind = true;
	s.s[0].ledger_durable = 3;
	propose_all(10, 8);
	raft_index last = guard_stored(s.s[0].guard);
	guard_cut(s.s[0].guard, last);
	s.s[0].ledger_behind = false;
	guard_poke(s.s[0].guard);
	script_run(&s, 5);
	assert_true(s.s[0].disk.snapshot_index != 0);
	assert_false(guard_is_cut(s.s[0].guard, last));
	propose_all(3, 8);
	script_run(&s, 20);
	assert_true(guard_is_cut(s.s[0].guard, last));
	script_close(&s);
}

static void guard_6_refuses_a_snapshot_that_would_wipe_the_log(void **state)
{
	char said[256];

	(void)state;
	assert_int_equal(script_fork(trailing_nothing, said, sizeof said), SCRIPT_FATAL);
	assert_non_null(strstr(said, "trailing"));
}

static bool third_has_all(struct script *c)
{
	return c->s[2].raft.last_applied == raft_last_index(&c->s[0].raft);
}

/* The third server missed 20 entries that the others have already cut from their logs. */
static void miss_a_snapshot(uint32_t off)
{
	script_init(&s, 3, off);
	for (unsigned i = 0; i < 3; i++)
		s.s[i].options.snapshot_entries_max = 5;
	script_elect_first(&s);
	script_isolate(&s, 2, true);
	propose_all(20, 8);
	assert_true(s.s[0].disk.start > raft_last_index(&s.s[2].raft) + 1);
	script_isolate(&s, 2, false);
}

/* A cap that knows only AppendEntries would keep the leader in its snapshot state for ever. */
static void guard_1_lets_an_install_through(void **state)
{
	(void)state;
	miss_a_snapshot(0);
	assert_true(script_until(&s, third_has_all, 3000));
	assert_int_equal(s.s[2].restores, 1);
	propose_all(10, 8);
	assert_true(script_until(&s, third_has_all, 300));
	assert_int_equal(s.s[0].raft.leader_state.progress[2].state, 1); /* Pipeline. */
	script_close(&s);
}

static void guard_6_withholds_an_install_until_it_is_durable(void **state)
{
	raft_term term;
	raft_index last;

	(void)state;
	miss_a_snapshot(0);
	term = s.s[0].raft.current_term;
	last = raft_last_index(&s.s[2].raft);
	s.s[2].catching_up = true;
	for (unsigned k = 0; k < 50; k++) {
		assert_int_equal(script_propose(&s, 0, "A"), 0);
		script_run(&s, 100);
		assert_int_equal(raft_last_index(&s.s[2].raft), last);
		assert_true(s.s[0].raft.leader_state.progress[2].match_index <= last);
	}
	assert_int_equal(s.s[2].restores, 0);
	assert_int_equal(s.s[0].raft.current_term, term);
	assert_true(s.s[0].sent[RAFT_IO_INSTALL_SNAPSHOT] <= 2); /* It is not asked for again and again. */
	assert_int_equal(s.s[0].acked, 70);
	s.s[2].catching_up = false;
	guard_poke(s.s[2].guard);
	assert_true(script_until(&s, third_has_all, 3000));
	assert_in_range(s.s[2].restores, 1, 2); /* The log has moved on meanwhile: perhaps a second one. */
	script_close(&s);

	miss_a_snapshot(GUARD_BIT(6));
	s.s[2].catching_up = true;
	script_run(&s, 1000);
	assert_int_equal(s.s[2].restores, 1); /* Nothing of the ledger is here. */
	script_close(&s);
}

/* An append still in flight when the snapshot comes. */
static void guard_11_withholds_an_install_while_an_append_is_in_flight(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].disk_stuck = true;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 2);
	script_install(&s, 0, 2, 2, 10, 2);
	assert_int_equal(raft_last_index(&s.s[0].raft), 3);
	s.s[0].disk_stuck = false;
	script_run(&s, 5);
	assert_int_equal(s.s[0].raft.last_stored, 10);
	assert_int_equal(s.s[0].last[RAFT_IO_APPEND_ENTRIES_RESULT].append_entries_result.last_log_index, 10);
	script_close(&s);
}

/* One server has restarted with a configuration of four that was never committed; the leader's log has none. */
static unsigned servers_after_overwrite(uint32_t off)
{
	unsigned n;

	script_init(&s, 3, off);
	script_preset_configuration(&s, 1, 1, 4);
	script_preset(&s, 0, 2, "B");
	for (unsigned i = 0; i < 3; i++)
		s.s[i].disk.term = 2;
	s.s[1].timeout_ms = 4000;
	script_elect_first(&s);
	assert_int_equal(s.s[0].raft.configuration.n, 3);
	n = s.s[1].raft.configuration.n;
	script_close(&s);
	return n;
}

static void guard_10_undoes_an_uncommitted_configuration_after_a_restart(void **state)
{
	(void)state;
	assert_int_equal(servers_after_overwrite(0), 3);
	assert_int_equal(servers_after_overwrite(GUARD_BIT(10)), 4);
}

/* The configuration before it is in the snapshot only. */
static void overwrite_after_snapshot(uint32_t off, bool restart)
{
	script_init(&s, 3, off);
	script_preset_snapshot(&s, 0, 5, 1);
	assert_int_equal(script_boot(&s, 0), 0);
	script_append_configuration(&s, 0, 2, 2, 5, 1, 5, 4);
	script_run(&s, 5);
	assert_int_equal(s.s[0].raft.configuration.n, 4);
	if (restart) {
		script_crash(&s, 0);
		assert_int_equal(script_boot(&s, 0), 0);
	}
	script_append(&s, 0, 3, 3, 5, 1, 5, 3, 1);
	script_run(&s, 5);
	assert_int_equal(script_disk_term(&s, 0, 6), 3);
}

static void overwrite_unguarded(void)
{
	overwrite_after_snapshot(GUARD_BIT(10), false);
	_exit(0);
}

static void guard_10_goes_back_to_the_snapshots_configuration(void **state)
{
	(void)state;
	overwrite_after_snapshot(0, false);
	assert_int_equal(s.s[0].raft.configuration.n, 3);
	assert_int_equal(s.s[0].raft.configuration_uncommitted_index, 0);
	script_close(&s);
	overwrite_after_snapshot(0, true);
	assert_int_equal(s.s[0].raft.configuration.n, 3);
	script_close(&s);
	assert_int_equal(script_fork(overwrite_unguarded, NULL, 0), -1); /* Entry 1, which is not there. */
	overwrite_after_snapshot(GUARD_BIT(10), true);
	assert_int_equal(s.s[0].raft.configuration.n, 4);
	script_close(&s);
}

/* Two in the log: the first is committed by now, though not known here; the second is overwritten. */
static unsigned servers_after_second(uint32_t off)
{
	unsigned n;

	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	script_append_configuration(&s, 0, 2, 2, 1, 1, 1, 4);
	script_run(&s, 5);
	script_append_configuration(&s, 0, 2, 2, 2, 2, 1, 5);
	script_run(&s, 5);
	assert_int_equal(s.s[0].raft.configuration.n, 5);
	script_append(&s, 0, 3, 3, 2, 2, 2, 3, 1);
	script_run(&s, 5);
	assert_int_equal(s.s[0].raft.commit_index, 2);
	assert_int_equal(s.s[0].raft.configuration_uncommitted_index, 0);
	n = s.s[0].raft.configuration.n;
	script_close(&s);
	return n;
}

static void guard_10_goes_back_to_the_newest_configuration_left(void **state)
{
	(void)state;
	assert_int_equal(servers_after_second(0), 4);
	assert_int_equal(servers_after_second(GUARD_BIT(10)), 3);
}

static raft_index uncommitted_after_install(uint32_t off)
{
	raft_index index;

	script_init(&s, 3, off);
	assert_int_equal(script_boot(&s, 0), 0);
	script_append_configuration(&s, 0, 2, 2, 1, 1, 1, 4);
	script_run(&s, 5);
	script_install(&s, 0, 3, 3, 10, 3);
	script_run(&s, 5);
	assert_int_equal(s.s[0].raft.last_applied, 10);
	index = s.s[0].raft.configuration_uncommitted_index;
	script_close(&s);
	return index;
}

static void guard_10_forgets_the_uncommitted_one_after_an_install(void **state)
{
	(void)state;
	assert_int_equal(uncommitted_after_install(0), 0);
	assert_int_equal(uncommitted_after_install(GUARD_BIT(10)), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(guard_6_keeps_the_log_until_the_ledger_is_durable),
	        cmocka_unit_test(guard_6_takes_no_snapshot_of_an_uncommitted_configuration),
	        cmocka_unit_test(guard_6_counts_bytes),
	        cmocka_unit_test(guard_6_keeps_few_bytes_behind_a_snapshot),
	        cmocka_unit_test(a_cut_outlives_the_snapshot_before_it),
	        cmocka_unit_test(guard_6_refuses_a_snapshot_that_would_wipe_the_log),
	        cmocka_unit_test(guard_1_lets_an_install_through),
	        cmocka_unit_test(guard_6_withholds_an_install_until_it_is_durable),
	        cmocka_unit_test(guard_11_withholds_an_install_while_an_append_is_in_flight),
	        cmocka_unit_test(guard_10_undoes_an_uncommitted_configuration_after_a_restart),
	        cmocka_unit_test(guard_10_goes_back_to_the_snapshots_configuration),
	        cmocka_unit_test(guard_10_goes_back_to_the_newest_configuration_left),
	        cmocka_unit_test(guard_10_forgets_the_uncommitted_one_after_an_install),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
