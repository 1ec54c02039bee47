/* The sum of the state's records: its carries, against arithmetic byte by byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/multiset.h"

static const char record[] = "a record";

/* a + b modulo 2^2048, or a - b: as one does it on paper. */
static void by_hand(struct multiset *ret, const struct multiset *a, const struct multiset *b, bool minus)
{
	uint8_t x[MULTISET_SIZE], y[MULTISET_SIZE];
	int carry = 0;

	multiset_write(a, x);
	multiset_write(b, y);
	for (unsigned i = 0; i < MULTISET_SIZE; i++) {
		int v = minus ? x[i] - y[i] - carry : x[i] + y[i] + carry;
		carry = v < 0 || v > 255;
		x[i] = (uint8_t)v;
	}
	multiset_read(ret, x);
}

static void both_ways(const struct multiset *from)
{
	struct multiset one = {0}, want, m = *from;

	multiset_add(&one, 'S', record, sizeof record);
	by_hand(&want, from, &one, false);
	multiset_add(&m, 'S', record, sizeof record);
	assert_memory_equal(&m, &want, sizeof m);
	multiset_remove(&m, 'S', record, sizeof record);
	assert_memory_equal(&m, from, sizeof m);
	by_hand(&want, from, &one, true);
	multiset_remove(&m, 'S', record, sizeof record);
	assert_memory_equal(&m, &want, sizeof m);
	multiset_add(&m, 'S', record, sizeof record);
	assert_memory_equal(&m, from, sizeof m);
}

/* A carry into a word that is then full goes on to the next; a borrow from one that is then empty likewise. */
static void test_carries(void **state)
{
	struct multiset one = {0}, m;

	(void)state;
	multiset_add(&one, 'S', record, sizeof record);
	memset(&m, 0, sizeof m);
	both_ways(&m);
	memset(&m, 0xff, sizeof m);
	both_ways(&m);
	for (unsigned i = 0; i < sizeof m.w / sizeof *m.w; i++)
		m.w[i] = i == 0 ? UINT64_MAX : ~one.w[i]; /* Each sum is all ones, but for the first. */
	both_ways(&m);
	m = one;
	m.w[0] = 0; /* Each difference is zero. */
	both_ways(&m);
	for (unsigned i = 0; i < 64; i++) {
		randombytes_buf(&m, sizeof m);
		both_ways(&m);
	}
}

/* A set: the order does not count, the kind and every byte do. */
static void test_set(void **state)
{
	struct multiset a = {0}, b = {0}, zero = {0};
	struct hash x, y;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		unsigned k = 49 - i;
		multiset_add(&a, 'S', &i, sizeof i);
		multiset_add(&b, 'S', &k, sizeof k);
	}
	multiset_digest(&a, &x);
	multiset_digest(&b, &y);
	assert_true(hash_equal(&x, &y));
	unsigned last = 49;
	multiset_remove(&b, 'S', &last, sizeof last);
	multiset_add(&b, 'T', &last, sizeof last);
	assert_memory_not_equal(&a, &b, sizeof a);
	multiset_remove(&b, 'T', &last, sizeof last);
	for (unsigned i = 0; i < 49; i++)
		multiset_remove(&b, 'S', &i, sizeof i);
	assert_memory_equal(&b, &zero, sizeof b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_carries), cmocka_unit_test(test_set)};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("multiset", tests, NULL, NULL);
}
