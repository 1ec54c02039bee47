/* ReadIndex: who is counted, what begins a round again, and that a leader which was replaced passes none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/read_index.h"
#include "tests/script_io.h"

#define PROBES_MAX  64
#define PATIENCE_NS UINT64_C(50)

static struct script s;
static struct read_index x; /* Server 0's. */

/* The probes of the newest number. */
static struct {
	unsigned n;
	raft_id to[PROBES_MAX];
	raft_term term;
	uint64_t number;
} sent;

static void probe(void *ctx, raft_id to, raft_term term, uint64_t number)
{
	(void)ctx;
	if (number != sent.number)
		sent.n = 0;
	assert_true(sent.n < PROBES_MAX);
	sent.to[sent.n++] = to;
	sent.term = term;
	sent.number = number;
}

static void stepped(struct script_server *v)
{
	if (v->id == 1)
		read_index_step(&x, s.now);
}

/* n servers, server 0 leads, and each of its steps is the reads' too. */
static void begin(unsigned n)
{
	memset(&sent, 0, sizeof sent);
	script_init(&s, n, 0);
	script_elect_first(&s);
	read_index_init(&x, s.s[0].guard, &s.s[0].raft, probe, NULL);
	s.s[0].on_stepped = stepped;
}

static void echo(raft_id from)
{
	read_index_echo(&x, from, sent.term, sent.number, s.now);
}

/* What a real voter does: node/core/reads.c, probed. */
static void ask_voter(unsigned i)
{
	if (guard_stored_term(s.s[i].guard) == sent.term)
		echo(s.s[i].id);
}

static void a_majority_passes_once_for_all_that_had_asked(void **state)
{
	(void)state;
	begin(5);
	assert_int_equal(read_index_ask(&x, 7), 1);
	assert_int_equal(sent.n, 4);
	assert_int_equal(sent.term, s.s[0].raft.current_term);
	/* These two come too late for the round that is out: they share the next. */
	assert_int_equal(read_index_ask(&x, 8), 2);
	assert_int_equal(read_index_ask(&x, 8), 3);
	assert_int_equal(sent.number, 1);
	echo(2);
	echo(2); /* Once is enough, and counts once. */
	echo(1); /* Nor does the leader count twice. */
	echo(9);
	assert_int_equal(x.passed, 0);
	echo(5);
	assert_int_equal(x.passed, 1);
	assert_int_equal(x.confirmed_ns, 7);
	assert_int_equal(sent.number, 2);
	echo(3);
	echo(4);
	assert_int_equal(x.passed, 3);
	assert_false(x.out);
	script_close(&s);
}

static void echoes_of_other_rounds_and_terms_count_for_nothing(void **state)
{
	raft_term term;

	(void)state;
	begin(3);
	read_index_ask(&x, 0);
	term = sent.term;
	read_index_echo(&x, 2, term, 0, 0);
	read_index_echo(&x, 2, term, 2, 0);
	read_index_echo(&x, 2, term - 1, 1, 0);
	read_index_echo(&x, 2, term + 1, 1, 0);
	assert_int_equal(x.passed, 0);
	read_index_echo(&x, 2, term, 1, 0);
	assert_int_equal(x.passed, 1);
	/* The other's echo of the same round is late, and nothing to the next. */
	read_index_ask(&x, 0);
	read_index_echo(&x, 3, term, 1, 0);
	assert_int_equal(x.passed, 1);
	script_close(&s);
}

static void a_lone_voter_needs_nobody(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(read_index_ask(&x, 0), 1);
	assert_int_equal(x.passed, 1);
	assert_int_equal(sent.n, 0);
	script_close(&s);
}

static bool any_other_leads(struct script *script)
{
	for (unsigned i = 1; i < script->n; i++)
		if (guard_leads(script->s[i].guard))
			return true;
	return false;
}

/* The old leader still believes; the others have gone on without it. */
static void a_replaced_leader_passes_nothing(void **state)
{
	(void)state;
	begin(3);
	s.s[0].raft.election_timeout = 60000;           /* It would step down by itself, sooner or later. */
	s.s[1].timeout_ms = 3 * SCRIPT_ELECTION_MS / 2; /* Before server 2. */
	script_isolate(&s, 0, true);
	assert_true(script_until(&s, any_other_leads, 20 * SCRIPT_ELECTION_MS));
	assert_true(guard_leads(s.s[0].guard)); /* Which proves nothing. */
	assert_int_equal(read_index_ask(&x, s.now), 1);
	assert_int_equal(sent.n, 2);
	ask_voter(1);
	ask_voter(2);
	assert_int_equal(x.passed, 0);
	/* Nor does a barrier: nobody hears it. */
	read_index_beat(&x, s.now + PATIENCE_NS, PATIENCE_NS);
	assert_true(x.barrier_out);
	script_run(&s, 5000);
	assert_int_equal(x.passed, 0);
	/* Found out: the barrier is lost, and nothing is out any more. */
	script_isolate(&s, 0, false);
	script_run(&s, 1000);
	assert_false(guard_leads(s.s[0].guard));
	assert_false(x.barrier_out);
	assert_false(x.out);
	assert_int_equal(x.passed, 0);
	script_close(&s);
}

/* A term that is in memory only would be forgotten, and the vote in it given again. */
static void the_stored_term_is_the_disks(void **state)
{
	raft_term term;

	(void)state;
	begin(3);
	term = s.s[1].disk.term;
	assert_int_equal(guard_stored_term(s.s[1].guard), term);
	guard_step_down(s.s[0].guard);
	assert_int_equal(guard_stored_term(s.s[0].guard), term + 1);
	assert_int_equal(s.s[0].disk.term, term + 1);
	script_crash(&s, 1);
	assert_int_equal(script_boot(&s, 1), 0);
	assert_int_equal(guard_stored_term(s.s[1].guard), s.s[1].disk.term);
	script_close(&s);
}

/* What the leader before has committed may lie above the new one's commit index until an entry of its own is committed.
 */
static void no_round_before_an_entry_of_the_own_term_is_committed(void **state)
{
	(void)state;
	memset(&sent, 0, sizeof sent);
	script_init(&s, 3, 0);
	script_boot_all(&s);
	read_index_init(&x, s.s[0].guard, &s.s[0].raft, probe, NULL);
	s.s[0].on_stepped = stepped;
	s.s[1].disk_stuck = s.s[2].disk_stuck = true;
	while (raft_state(&s.s[0].raft) != RAFT_LEADER)
		script_step(&s);
	read_index_ask(&x, s.now);
	script_run(&s, 200);
	assert_false(guard_leads(s.s[0].guard));
	assert_int_equal(sent.n, 0);
	s.s[1].disk_stuck = false;
	script_run(&s, 500);
	assert_true(guard_leads(s.s[0].guard));
	assert_int_equal(sent.n, 2); /* By itself, in the step that committed it. */
	assert_true(x.index >= 2);
	ask_voter(1);
	assert_int_equal(x.passed, 1);
	script_close(&s);
}

static void a_change_of_configuration_begins_the_round_again(void **state)
{
	struct raft_change change;
	uint64_t first;

	(void)state;
	begin(4);
	assert_int_equal(raft_assign(&s.s[0].raft, &change, 4, RAFT_SPARE, NULL), 0);
	guard_poke(s.s[0].guard);
	script_run(&s, 1000);
	/* Three voters of four members. */
	read_index_ask(&x, s.now);
	first = sent.number;
	assert_int_equal(sent.n, 2);
	echo(4);
	assert_int_equal(x.passed, 0); /* No voter. */
	echo(2);
	assert_int_equal(x.passed, 1);

	read_index_ask(&x, s.now);
	first = sent.number;
	assert_int_equal(raft_assign(&s.s[0].raft, &change, 3, RAFT_SPARE, NULL), 0);
	read_index_echo(&x, 3, sent.term, first, s.now); /* The configuration that it would count in is gone. */
	assert_int_equal(x.passed, 1);
	guard_poke(s.s[0].guard);
	assert_true(sent.number > first);
	assert_int_equal(sent.n, 1);
	read_index_echo(&x, 2, sent.term, first, s.now);
	assert_int_equal(x.passed, 1);
	echo(2);
	assert_int_equal(x.passed, 2);
	script_run(&s, 1000);
	script_close(&s);
}

static void without_echoes_one_barrier_serves_all(void **state)
{
	raft_index before;

	(void)state;
	begin(3);
	before = raft_last_index(&s.s[0].raft);
	read_index_ask(&x, 1000);
	read_index_ask(&x, 1001);
	read_index_beat(&x, 1000 + PATIENCE_NS - 1, PATIENCE_NS);
	assert_false(x.barrier_out);
	read_index_beat(&x, 1000 + PATIENCE_NS, PATIENCE_NS);
	assert_true(x.barrier_out);
	read_index_ask(&x, 1100); /* Behind it. */
	read_index_beat(&x, 1300, PATIENCE_NS);
	assert_int_equal(raft_last_index(&s.s[0].raft), before + 1);
	assert_int_equal(x.passed, 0);
	script_run(&s, 500);
	assert_int_equal(x.passed, 2);
	assert_int_equal(x.confirmed_ns, 1000 + PATIENCE_NS);
	assert_true(x.out); /* For the third. */
	echo(3);
	assert_int_equal(x.passed, 3);
	script_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_majority_passes_once_for_all_that_had_asked),
	        cmocka_unit_test(echoes_of_other_rounds_and_terms_count_for_nothing),
	        cmocka_unit_test(a_lone_voter_needs_nobody),
	        cmocka_unit_test(a_replaced_leader_passes_nothing),
	        cmocka_unit_test(the_stored_term_is_the_disks),
	        cmocka_unit_test(no_round_before_an_entry_of_the_own_term_is_committed),
	        cmocka_unit_test(a_change_of_configuration_begins_the_round_again),
	        cmocka_unit_test(without_echoes_one_barrier_serves_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
