/* Guards 8 and 9: no disk error is survived, and no log is shorter than what was applied through it. */
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

/* libraft goes on after a failed write and gives the next entry its index and term: two histories. */
static void write_fails(uint32_t off)
{
	script_init(&s, 3, off);
	script_elect_first(&s);
	s.s[0].disk_fails = RAFT_IOERR;
	assert_int_equal(script_propose(&s, 0, "A"), 0);
	script_run(&s, 50);
	assert_int_equal(raft_state(&s.s[0].raft), RAFT_LEADER);
	assert_int_equal(script_propose(&s, 0, "B"), 0);
	script_run(&s, 500);
}

static void write_fails_guarded(void)
{
	write_fails(0);
}

static void guard_8_ends_the_process_when_a_write_fails(void **state)
{
	char said[256];

	(void)state;
	assert_int_equal(script_fork(write_fails_guarded, said, sizeof said), SCRIPT_FATAL);
	assert_non_null(strstr(said, "entries could not be stored"));
	write_fails(GUARD_BIT(8) | GUARD_BIT(11));
	assert_int_equal(s.s[0].acked, 1);
	assert_string_equal(s.s[0].applied[3], "B");
	assert_string_equal(s.s[1].applied[3], "A");
	script_close(&s);
}

static void follower_write_fails(void)
{
	script_init(&s, 3, 0);
	script_boot(&s, 0);
	s.s[0].disk_fails = RAFT_IOERR;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 1);
	script_run(&s, 5);
}

static void submit_fails(void)
{
	script_init(&s, 3, 0);
	script_elect_first(&s);
	s.s[0].submit_fails = RAFT_NOSPACE;
	script_propose(&s, 0, "A");
}

static void term_fails(void)
{
	script_init(&s, 3, 0);
	script_boot(&s, 0);
	s.s[0].submit_fails = RAFT_IOERR;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 0);
}

static void vote_fails(void)
{
	struct raft_message m = {.type = RAFT_IO_REQUEST_VOTE, .server_id = 2, .server_address = "x"};

	script_init(&s, 3, 0);
	script_boot(&s, 0);
	m.request_vote =
	        (struct raft_request_vote){.term = 1, .candidate_id = 2, .last_log_index = 9, .last_log_term = 1};
	s.s[0].submit_fails = RAFT_IOERR;
	script_recv(&s, 0, &m);
}

static void truncate_fails(void)
{
	script_init(&s, 3, 0);
	script_preset(&s, 0, 1, "OLD");
	s.s[0].disk.term = 2;
	script_boot(&s, 0);
	s.s[0].submit_fails = RAFT_IOERR;
	script_append(&s, 0, 2, 2, 1, 1, 1, 2, 1);
}

static void install_fails(void)
{
	script_init(&s, 3, 0);
	s.s[0].disk.term = 2;
	script_boot(&s, 0);
	s.s[0].submit_fails = RAFT_IOERR;
	script_install(&s, 0, 2, 2, 10, 2);
}

/* Entries that contradict committed ones: libraft makes itself unavailable. */
static void unavailable(void)
{
	script_init(&s, 3, 0);
	script_preset(&s, 0, 1, "OLD");
	script_boot(&s, 0);
	script_append(&s, 0, 2, 2, 2, 1, 2, 2, 0);
	script_append(&s, 0, 2, 2, 1, 1, 2, 2, 1);
}

static void guard_8_ends_the_process_at_any_failure(void **state)
{
	static const struct {
		void (*fn)(void);
		const char *says;
	} cases[] = {
	        {follower_write_fails, "entries could not be stored"},
	        {submit_fails, "entries could not be stored"},
	        {term_fails, "the term could not be stored"},
	        {vote_fails, "the vote could not be stored"},
	        {truncate_fails, "the log could not be truncated"},
	        {install_fails, "a snapshot could not be stored"},
	        {unavailable, "unavailable"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char said[512];
		assert_int_equal(script_fork(cases[i].fn, said, sizeof said), SCRIPT_FATAL);
		assert_non_null(strstr(said, cases[i].says));
	}
}

static void guard_9_refuses_a_log_that_was_shortened(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		script_init(&s, 1, k == 0 ? 0 : GUARD_BIT(9));
		script_preset(&s, 0, 1, "A");
		script_preset(&s, 0, 1, "B");
		s.s[0].options.applied_index = 10;
		if (k == 0) {
			assert_int_equal(script_boot(&s, 0), RAFT_CORRUPT);
			assert_non_null(strstr(raft_errmsg(&s.s[0].raft), "ends at 3, but 10 has been applied"));
		} else {
			assert_int_equal(script_boot(&s, 0), 0);            /* As if nothing had been there. */
			assert_int_equal(raft_last_index(&s.s[0].raft), 4); /* With its no-op. */
		}
		script_close(&s);
	}
}

static void guard_9_takes_a_log_that_reaches_it(void **state)
{
	(void)state;
	script_init(&s, 1, 0);
	script_preset_snapshot(&s, 0, 10, 1);
	s.s[0].options.applied_index = 10;
	assert_int_equal(script_boot(&s, 0), 0);
	script_close(&s);
}

/* At close libraft would cut its log at the second canceled append, behind the end of it. */
static void close_with_appends_in_flight(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	s.s[0].options.window = 8;
	script_elect_first(&s);
	s.s[0].disk_stuck = true;
	for (unsigned k = 0; k < 8; k++)
		assert_int_equal(script_propose(&s, 0, "A"), 0);
	assert_int_equal(script_propose(&s, 0, "A"), CS_ERR_OVERLOADED);
	script_close(&s);
	assert_int_equal(s.s[0].lost, 8);
}

/* A cluster of three, one of them crashing again and again, goes on and ends up equal. */
static void restarts(void **state)
{
	unsigned proposed = 0;

	(void)state;
	script_init(&s, 3, 0);
	for (unsigned i = 0; i < 3; i++) {
		s.s[i].options.snapshot_entries_max = 10;
		s.s[i].timeout_ms = SCRIPT_ELECTION_MS + 150 * i;
	}
	script_boot_all(&s);
	for (unsigned k = 0; k < 30; k++) {
		unsigned victim = k % 3;
		script_run(&s, 700 + 37 * k);
		script_crash(&s, victim);
		for (unsigned t = 0; t < 2500; t++) {
			for (unsigned i = 0; i < 3 && t % 20 == 0; i++)
				if (s.s[i].alive && guard_leads(s.s[i].guard))
					proposed += script_propose(&s, i, "A") == 0;
			script_step(&s);
		}
		assert_int_equal(script_boot(&s, victim), 0);
	}
	script_run(&s, 10 * SCRIPT_ELECTION_MS);
	assert_true(proposed > 100);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(raft_last_index(&s.s[i].raft), raft_last_index(&s.s[0].raft));
		for (raft_index x = s.s[i].disk.start; x <= raft_last_index(&s.s[0].raft); x++)
			if (x >= s.s[0].disk.start)
				assert_int_equal(script_disk_term(&s, i, x), script_disk_term(&s, 0, x));
	}
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(guard_8_ends_the_process_when_a_write_fails),
	        cmocka_unit_test(guard_8_ends_the_process_at_any_failure),
	        cmocka_unit_test(guard_9_refuses_a_log_that_was_shortened),
	        cmocka_unit_test(guard_9_takes_a_log_that_reaches_it),
	        cmocka_unit_test(close_with_appends_in_flight),
	        cmocka_unit_test(restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
