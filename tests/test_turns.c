/* Jobs that wait: turns between principals, shares of the places, deadlines; and the time to come again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/pace.h"
#include "node/turns.h"

#define PLACES 64

static struct turns *turns;
static struct job jobs[4 * PLACES];
static unsigned n_jobs;

static int setup(void **state)
{
	(void)state;
	n_jobs = 0;
	memset(jobs, 0, sizeof jobs);
	return turns_new(PLACES, &turns);
}

static int teardown(void **state)
{
	(void)state;
	while (turns_pop(turns))
		;
	turns_free(turns);
	return 0;
}

static int push_until(uint64_t principal, uint64_t deadline_ns)
{
	struct job *j = &jobs[n_jobs++];

	assert_true(n_jobs <= sizeof jobs / sizeof *jobs);
	j->principal = principal;
	j->deadline_ns = deadline_ns;
	return turns_push(turns, j);
}

static int push(uint64_t principal)
{
	return push_until(principal, UINT64_MAX);
}

static unsigned push_all(uint64_t principal)
{
	unsigned n = 0;

	while (push(principal) == 0)
		n++;
	return n;
}

static void first_come_first_served_within_a_principal(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(7), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_ptr_equal(turns_pop(turns), &jobs[i]);
	assert_null(turns_pop(turns));
}

/* However many one has, the other's next is served after at most one of them. */
static void a_turn_for_each(void **state)
{
	(void)state;
	unsigned greedy = push_all(1);

	assert_int_equal(push(2), 0);
	assert_int_equal(push(2), 0);
	assert_int_equal(push(3), 0);
	const uint64_t order[] = {1, 2, 3, 1, 2, 1, 1};
	for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
		assert_int_equal(turns_pop(turns)->principal, order[i]);
	/* One that comes again goes behind whoever waits. */
	assert_int_equal(push(2), 0);
	assert_int_equal(turns_pop(turns)->principal, 1);
	assert_int_equal(turns_pop(turns)->principal, 2);
	assert_int_equal(turns_count(turns), greedy - 5);
}

static void one_gets_half_and_n_get_their_part(void **state)
{
	(void)state;
	assert_int_equal(push_all(1), PLACES / 2);
	assert_int_equal(push_all(2), PLACES / 4); /* It came when half was left. */
	assert_int_equal(push_all(3), PLACES / 8);
	assert_true(push(4) == 0);
	/* All three ask for more whenever one is served, the greediest first: each comes to a quarter. */
	struct job *spare[4 * PLACES];
	unsigned n_spare = 0;
	for (unsigned i = 0; i < 20 * PLACES; i++) {
		spare[n_spare++] = turns_pop(turns);
		for (uint64_t p = 1; p <= 3; p++)
			while (n_spare &&
			       (spare[n_spare - 1]->principal = p, turns_push(turns, spare[n_spare - 1]) == 0))
				n_spare--;
	}
	for (uint64_t p = 1; p <= 3; p++)
		assert_in_range(turns_count_of(turns, p), PLACES / 4 - 1, PLACES / 4 + 1);
}

/* Even with a principal for each place nobody gets in whose place is not there. */
static void places_are_bounded(void **state)
{
	(void)state;
	for (uint64_t p = 0; p < PLACES; p++)
		assert_int_equal(push(p * 1024), 0); /* All in one bucket. */
	assert_int_equal(turns_count(turns), PLACES);
	assert_int_equal(push(1), CS_ERR_OVERLOADED);
	for (uint64_t p = 0; p < PLACES; p++)
		assert_int_equal(turns_pop(turns)->principal, p * 1024);
	assert_int_equal(push(1), 0);
}

static void deadlines_take_out(void **state)
{
	struct job *j;
	unsigned n = 0;

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(push_until(i % 4, i), 0);
	for (j = turns_expired(turns, 16); j; j = j->next, n++)
		assert_true(j->deadline_ns <= 16);
	assert_int_equal(n, 17);
	assert_int_equal(turns_count(turns), 3);
	assert_int_equal(turns_count_of(turns, 0), 0);
	assert_int_equal(push(0), 0);
	assert_int_equal(turns_pop(turns)->deadline_ns, 17);
	assert_int_equal(turns_pop(turns)->deadline_ns, 18);
	assert_int_equal(turns_pop(turns)->deadline_ns, 19);
	assert_int_equal(turns_pop(turns)->principal, 0);
	assert_null(turns_pop(turns));
	assert_null(turns_expired(turns, UINT64_MAX - 1));
	assert_int_equal(push(5), 0);
	assert_int_equal(turns_pop(turns)->principal, 5);
}

static void ahead_counts_turns(void **state)
{
	(void)state;
	assert_int_equal(turns_ahead(turns, 1), 0);
	for (unsigned i = 0; i < 20; i++)
		push(1);
	assert_int_equal(turns_ahead(turns, 1), 20);
	assert_int_equal(turns_ahead(turns, 2), 1); /* Not twenty. */
	push(2);
	assert_int_equal(turns_ahead(turns, 2), 4);
}

static void no_places_is_invalid(void **state)
{
	struct turns *t = NULL;

	(void)state;
	assert_int_equal(turns_new(0, &t), CS_ERR_INVALID);
	assert_int_equal(turns_new(UINT32_MAX, &t), CS_ERR_INVALID);
	assert_null(t);
	turns_free(NULL);
}

static void retry_follows_the_load(void **state)
{
	struct pace p = {0};

	(void)state;
	assert_int_equal(pace_retry_ms(&p, 4096, 0, 0), PACE_RETRY_MS_MIN); /* Nothing is known yet. */
	pace_served(&p, 10 * NS_PER_MS, 100);                               /* 100 us each. */
	assert_int_equal(pace_retry_ms(&p, 1000, 0, 0), 100);
	assert_int_equal(pace_retry_ms(&p, 4000, 0, 0), 400);
	assert_int_equal(pace_retry_ms(&p, 4000, 600 * NS_PER_MS, 0), 1000); /* And what is served now is late. */
	assert_int_equal(pace_retry_ms(&p, 1000, 0, 50), 150);
	assert_int_equal(pace_retry_ms(&p, 1000, 0, 51), 100); /* Spread over half as much again. */
	for (unsigned i = 0; i < 100; i++)
		pace_served(&p, NS_PER_MS, 1); /* Ten times slower by now. */
	assert_true(pace_retry_ms(&p, 1000, 0, 0) > 900 && pace_retry_ms(&p, 1000, 0, 0) <= 1000);
	pace_served(&p, UINT64_C(1000) * NS_PER_S, 1);
	assert_int_equal(pace_retry_ms(&p, 1u << 20, 0, UINT32_MAX), PACE_RETRY_MS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(first_come_first_served_within_a_principal, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_turn_for_each, setup, teardown),
	        cmocka_unit_test_setup_teardown(one_gets_half_and_n_get_their_part, setup, teardown),
	        cmocka_unit_test_setup_teardown(places_are_bounded, setup, teardown),
	        cmocka_unit_test_setup_teardown(deadlines_take_out, setup, teardown),
	        cmocka_unit_test_setup_teardown(ahead_counts_turns, setup, teardown),
	        cmocka_unit_test(no_places_is_invalid),
	        cmocka_unit_test(retry_follows_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
