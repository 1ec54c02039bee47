/* The load generator's arithmetic: quantiles against a sorted list, schedules against their rate. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/clock.h"
#include "bench/histogram.h"
#include "bench/schedule.h"
#include "bench/stalls.h"

#define N 100000

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct histogram *empty(void)
{
	struct histogram *h = calloc(1, sizeof *h);

	assert_non_null(h);
	return h;
}

static void test_empty_and_one(void **state)
{
	struct histogram *h = empty();

	(void)state;
	assert_int_equal(histogram_quantile(h, 0.5), 0);
	assert_true(histogram_mean(h) == 0);
	histogram_add(h, 123456789);
	for (double q = 0; q <= 1; q += 0.25)
		assert_int_equal(histogram_quantile(h, q), 123456789);
	assert_int_equal(h->min, 123456789);
	assert_int_equal(h->max, 123456789);
	free(h);
}

/* Small values have a counter each: no rounding at all. */
static void test_exact_below_2048(void **state)
{
	struct histogram *h = empty();

	(void)state;
	for (uint64_t v = 1; v <= 2000; v++)
		histogram_add(h, v);
	for (uint64_t v = 1; v <= 2000; v++)
		assert_int_equal(histogram_quantile(h, (double)v / 2000), v);
	free(h);
}

/* Over all magnitudes, a quantile is never below the true one, and at most a thousandth above. */
static void test_three_digits(void **state)
{
	static const double quantiles[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
	uint64_t *values = malloc(N * sizeof *values), seed = 1;
	struct histogram *h = empty();

	(void)state;
	assert_non_null(values);
	for (size_t i = 0; i < N; i++) {
		values[i] = schedule_random(&seed) >> (24 + schedule_random(&seed) % 40);
		histogram_add(h, values[i]);
	}
	qsort(values, N, sizeof *values, by_value);
	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
		uint64_t truth = values[(size_t)ceil(quantiles[i] * N) - 1], got = histogram_quantile(h, quantiles[i]);

		assert_in_range(got, truth, truth + truth / 1000);
	}
	free(h);
	free(values);
}

static void test_beyond_the_last_counter(void **state)
{
	struct histogram *h = empty();

	(void)state;
	histogram_add(h, 7);
	histogram_add(h, UINT64_MAX);
	assert_int_equal(histogram_quantile(h, 0.5), 7);
	assert_int_equal(histogram_quantile(h, 1), UINT64_MAX);
	assert_int_equal(h->max, UINT64_MAX);
	free(h);
}

static void test_merge_is_as_adding_all(void **state)
{
	struct histogram *a = empty(), *b = empty(), *all = empty();
	uint64_t seed = 2;

	(void)state;
	histogram_merge(a, b);
	assert_int_equal(a->count, 0);
	for (size_t i = 0; i < N; i++) {
		uint64_t v = schedule_random(&seed) % 10000000;

		histogram_add(i % 3 ? a : b, v);
		histogram_add(all, v);
	}
	histogram_merge(a, b);
	assert_int_equal(a->count, all->count);
	assert_int_equal(a->min, all->min);
	assert_int_equal(a->max, all->max);
	assert_memory_equal(a->counters, all->counters, sizeof a->counters);
	free(a);
	free(b);
	free(all);
}

static void test_fixed_schedule(void **state)
{
	uint64_t at[1000];

	(void)state;
	schedule_make(ARRIVALS_FIXED, 4000, 1, 1000, at);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(at[i], i * 250000);
}

/* Mean and standard deviation of exponential gaps are both 1/rate; 100,000 of them lie within a few per cent. */
static void test_poisson_schedule(void **state)
{
	uint64_t *at = malloc(N * sizeof *at), *again = malloc(N * sizeof *again), before = 0;
	double sum = 0, squares = 0, mean, deviation;

	(void)state;
	assert_non_null(at);
	assert_non_null(again);
	schedule_make(ARRIVALS_POISSON, 10000, 3, N, at);
	for (size_t i = 0; i < N; i++) {
		assert_true(at[i] >= before);
		sum += (double)(at[i] - before);
		squares += (double)(at[i] - before) * (double)(at[i] - before);
		before = at[i];
	}
	mean = sum / N;
	deviation = sqrt(squares / N - mean * mean);
	assert_true(fabs(mean - 100000) < 2000);
	assert_true(fabs(deviation - 100000) < 4000);
	schedule_make(ARRIVALS_POISSON, 10000, 3, N, again);
	assert_memory_equal(at, again, N * sizeof *at);
	schedule_make(ARRIVALS_POISSON, 10000, 4, N, again);
	assert_memory_not_equal(at, again, N * sizeof *at);
	free(at);
	free(again);
}

/* A stall counts as ours if no probe met one while the answer was awaited. */
static void stalls_are_told_from_the_machine_s(void **state)
{
	struct stalls_moment moments[40] = {0};
	struct stalls s = {.begin_ns = 1000, .n = 40, .moments = moments};
	struct stalls_sum sum;

	(void)state;
	stalls_answer(&s, 1000, 1000 + STALLS_LONG_NS - 1); /* Not long. */
	for (unsigned i = 0; i < 3; i++) { /* Each ends in the moment 10 * (i + 1), and took 30, 40, 50 ms. */
		uint64_t done = s.begin_ns + 10 * (i + 1) * STALLS_MOMENT_NS;
		stalls_answer(&s, done - (30 + 10 * i) * 1000000, done);
	}
	moments[11].disk = STALLS_PROBE_NS; /* Right after the first one. */
	moments[25].wake = STALLS_PROBE_NS; /* Far from any. */
	moments[29].wake = STALLS_PROBE_NS - 1;
	stalls_sum(&s, &sum);
	assert_int_equal(sum.moments, 3);
	assert_int_equal(sum.ours, 2);
	assert_int_equal(sum.n_worst, 3);
	assert_int_equal(sum.worst[0], 30);
	assert_int_equal(sum.seen[0].wake, STALLS_PROBE_NS - 1);
	assert_int_equal(sum.worst[2], 10);
	assert_int_equal(sum.seen[2].disk, STALLS_PROBE_NS);
	stalls_answer(&s, 0, s.begin_ns + 3 * STALLS_MOMENT_NS); /* An early one; and after the end. */
	stalls_answer(&s, 0, s.begin_ns + 400 * STALLS_MOMENT_NS);
	for (size_t i = 0; i < 40; i++)
		moments[i].answer = STALLS_LONG_NS + i;
	stalls_sum(&s, &sum);
	assert_int_equal(sum.n_worst, STALLS_SHOWN);
	for (unsigned i = 0; i < STALLS_SHOWN; i++)
		assert_int_equal(sum.worst[i], 39 - i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(stalls_are_told_from_the_machine_s),
	        cmocka_unit_test(test_empty_and_one),
	        cmocka_unit_test(test_exact_below_2048),
	        cmocka_unit_test(test_three_digits),
	        cmocka_unit_test(test_beyond_the_last_counter),
	        cmocka_unit_test(test_merge_is_as_adding_all),
	        cmocka_unit_test(test_fixed_schedule),
	        cmocka_unit_test(test_poisson_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
