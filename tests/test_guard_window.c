/* Guards 5, 7 and 12: what may be proposed, how much of it, and from where. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/script_io.h"

static struct script s;

static void guard_5_refuses_lengths_that_the_disk_would_lose(void **state)
{
	(void)state;
	script_init(&s, 3, 0);
	script_elect_first(&s);
	assert_int_equal(script_propose_size(&s, 0, 13), CS_ERR_INVALID);
	assert_int_equal(script_propose_size(&s, 0, 0), CS_ERR_INVALID);
	assert_int_equal(script_propose_size(&s, 0, 4104), CS_ERR_TOO_LARGE);
	assert_int_equal(script_propose_size(&s, 0, 4096), 0);
	assert_int_equal(script_acted(&s, 0, 5), 3);
	script_close(&s);

	script_init(&s, 3, GUARD_BIT(5));
	script_elect_first(&s);
	assert_int_equal(script_propose_size(&s, 0, 13), 0); /* What becomes of it: test_guard_uv. */
	script_close(&s);
}

static void guard_5_refuses_them_from_a_leader_too(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		script_init(&s, 3, k == 0 ? 0 : GUARD_BIT(5));
		assert_int_equal(script_boot(&s, 0), 0);
		script_append_odd(&s, 0, 2, 2, 1, 1);
		script_run(&s, 10);
		assert_int_equal(script_disk_term(&s, 0, 2), k == 0 ? 0 : 2);
		script_close(&s);
	}
}

/* A proposal every 5 ms, as fast as the followers' disks; nobody waits for an answer. */
static unsigned open_loop(uint32_t off)
{
	unsigned acked;

	script_init(&s, 3, off);
	s.net_ms = 5;
	s.s[1].disk_ms = s.s[2].disk_ms = 5;
	script_elect_first(&s);
	for (unsigned t = 0; t < 3000; t++) {
		if (t % 5 == 0)
			(void)script_propose(&s, 0, "A");
		script_step(&s);
	}
	acked = s.s[0].acked;
	assert_int_equal(raft_state(&s.s[0].raft), RAFT_LEADER);
	if (off == 0)
		assert_true(script_acted(&s, 0, 7) > 0);
	script_close(&s);
	return acked;
}

static void guard_7_commits_under_an_open_loop(void **state)
{
	(void)state;
	assert_true(open_loop(0) > 100);
	assert_int_equal(open_loop(GUARD_BIT(7)), 0);
}

static void guard_7_withholds_appends_while_the_writer_is_behind(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		raft_term term;
		script_init(&s, 3, k == 0 ? 0 : GUARD_BIT(7));
		script_elect_first(&s);
		term = s.s[0].raft.current_term;
		s.s[1].backlogged = true;
		for (unsigned t = 0; t < 5000; t++) {
			if (t % 50 == 0)
				assert_int_equal(script_propose(&s, 0, "A"), 0);
			script_step(&s);
		}
		assert_int_equal(raft_last_index(&s.s[1].raft), k == 0 ? 2 : 102);
		assert_int_equal(s.s[0].acked, 100);              /* The majority does not wait for it, */
		assert_int_equal(s.s[0].raft.current_term, term); /* nor does it stand for election. */
		s.s[1].backlogged = false;
		script_run(&s, 500);
		assert_int_equal(s.s[1].applied_last, 102);
		script_close(&s);
	}
}

static void guard_7_bounds_the_log_while_a_snapshot_waits(void **state)
{
	unsigned refused = 0;

	(void)state;
	script_init(&s, 1, 0);
	s.s[0].options.snapshot_bytes_max = 4096;
	script_elect_first(&s);
	s.s[0].ledger_behind = true;
	for (unsigned k = 0; k < 100; k++) {
		refused += script_propose_size(&s, 0, 256) == CS_ERR_OVERLOADED;
		script_run(&s, 5);
	}
	assert_true(refused > 50);
	assert_true(raft_last_index(&s.s[0].raft) < 2 + 2 * 4096 / 256 + 2);
	s.s[0].ledger_behind = false;
	guard_poke(s.s[0].guard);
	script_run(&s, 5);
	assert_int_equal(script_propose_size(&s, 0, 256), 0);
	script_close(&s);
}

/* A client that proposes the next batch when the last one has failed: from inside the callback, or when told. */
struct client {
	struct raft_apply req;
	bool from_callback;
	int answer;
	unsigned proposed;
};

static struct client client;

static void client_done(struct raft_apply *req, int status, void *result);

static void client_propose(void)
{
	struct raft_buffer buf = {.base = raft_calloc(1, 8), .len = 8};

	if (++client.proposed > 100)
		abort(); /* Endless. */
	client.answer = guard_propose(s.s[0].guard, &client.req, &buf, client_done);
	if (client.answer != 0)
		raft_free(buf.base);
}

static void client_done(struct raft_apply *req, int status, void *result)
{
	(void)req;
	(void)result;
	if (client.from_callback && status == RAFT_LEADERSHIPLOST)
		client_propose();
}

static void lose_leadership(uint32_t off)
{
	client = (struct client){.from_callback = true};
	script_init(&s, 3, off);
	script_elect_first(&s);
	script_isolate(&s, 0, true);
	client_propose();
	assert_int_equal(client.answer, 0);
	script_run(&s, 3 * SCRIPT_ELECTION_MS);
}

static void lose_leadership_unguarded(void)
{
	lose_leadership(GUARD_BIT(12));
	_exit(0);
}

static void guard_12_refuses_inside_a_callback(void **state)
{
	(void)state;
	lose_leadership(0);
	assert_int_equal(client.proposed, 2);
	assert_int_equal(client.answer, CS_ERR_INVALID);
	assert_int_equal(script_acted(&s, 0, 12), 1);
	assert_int_not_equal(raft_state(&s.s[0].raft), RAFT_LEADER);
	script_close(&s);
	assert_int_equal(script_fork(lose_leadership_unguarded, NULL, 0), -1);
}

static void close_while_leading(void **state)
{
	(void)state;
	client = (struct client){.from_callback = true};
	script_init(&s, 3, 0);
	script_elect_first(&s);
	script_isolate(&s, 0, true);
	client_propose();
	script_close(&s);
	assert_int_equal(client.proposed, 2);
	assert_int_equal(client.answer, CS_ERR_INVALID);
}

static void propose_when_stepped(struct script_server *v)
{
	(void)v;
	if (guard_leads(s.s[0].guard) && client.proposed < 10)
		client_propose();
}

/* The place for it: called after each step, again if that entered libraft, never inside itself. */
static void stepped_may_propose(void **state)
{
	(void)state;
	client = (struct client){.from_callback = false};
	script_init(&s, 1, 0);
	assert_int_equal(script_boot(&s, 0), 0);
	s.s[0].on_stepped = propose_when_stepped;
	script_run(&s, 500);
	assert_int_equal(client.proposed, 10);
	assert_true(s.s[0].applies >= 5);
	script_close(&s);
}

/* A commit with nothing behind it: told at once, followers apply it long before the next heartbeat would say so. */
static void commit_is_told(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		script_init(&s, 3, 0);
		script_elect_first(&s);
		script_run(&s, 500);
		raft_index last = s.s[0].raft.commit_index;
		assert_int_equal(s.s[1].raft.commit_index, last);
		assert_int_equal(script_propose(&s, 0, "A"), 0);
		while (s.s[0].raft.commit_index == last)
			script_step(&s);
		assert_int_equal(s.s[1].raft.commit_index, last);
		if (k == 1)
			guard_tell_commit(s.s[0].guard);
		guard_tell_commit(s.s[1].guard); /* Who does not lead tells nothing. */
		script_run(&s, s.net_ms + 1);
		assert_int_equal(s.s[1].raft.commit_index, k == 1 ? last + 1 : last);
		script_run(&s, 500);
		assert_int_equal(s.s[1].raft.commit_index, last + 1);
		assert_int_equal(raft_state(&s.s[0].raft), RAFT_LEADER);
		script_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(guard_5_refuses_lengths_that_the_disk_would_lose),
	        cmocka_unit_test(guard_5_refuses_them_from_a_leader_too),
	        cmocka_unit_test(guard_7_commits_under_an_open_loop),
	        cmocka_unit_test(guard_7_withholds_appends_while_the_writer_is_behind),
	        cmocka_unit_test(guard_7_bounds_the_log_while_a_snapshot_waits),
	        cmocka_unit_test(guard_12_refuses_inside_a_callback),
	        cmocka_unit_test(close_while_leading),
	        cmocka_unit_test(stepped_may_propose),
	        cmocka_unit_test(commit_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
