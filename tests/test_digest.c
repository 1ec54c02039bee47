/* The state's digest: a matter of what the state is, not of when it was written back or of restarts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/multiset.h"
#include "tests/decide_kit.h"

#define RECORDS_MAX 4096
#define COMMANDS    600

/* What a store holds of one node's state, and its sum, kept up as the store keeps it. */
struct table {
	struct multiset sum;
	unsigned n;
	struct {
		uint8_t key[16], *value;
		size_t key_len, len;
	} record[RECORDS_MAX];
};

static int put(void *ctx, const void *key, size_t key_len, const void *value, size_t len)
{
	struct table *t = ctx;
	unsigned i = 0;

	while (i < t->n && (t->record[i].key_len != key_len || memcmp(t->record[i].key, key, key_len) != 0))
		i++;
	assert_true(i < RECORDS_MAX && key_len <= sizeof t->record[i].key);
	if (i == t->n)
		t->n++;
	else if (t->record[i].len)
		multiset_remove(&t->sum, t->record[i].key[0], t->record[i].value, t->record[i].len);
	memcpy(t->record[i].key, key, key_len);
	t->record[i].key_len = key_len;
	free(t->record[i].value);
	t->record[i].value = malloc(len + 1);
	if (len)
		memcpy(t->record[i].value, value, len);
	t->record[i].len = len;
	if (len)
		multiset_add(&t->sum, t->record[i].key[0], value, len);
	return 0;
}

static struct state *load(const struct table *t, const struct state_limits *l)
{
	struct state *s;

	assert_int_equal(state_new(l, &s), 0);
	for (unsigned i = 0; i < t->n; i++)
		if (t->record[i].len)
			assert_int_equal(state_load(s, t->record[i].key, t->record[i].key_len, t->record[i].value,
			                            t->record[i].len),
			                 0);
	assert_int_equal(state_loaded(s), 0);
	return s;
}

static void table_free(struct table *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free(t->record[i].value);
	free(t);
}

static const struct state_limits limits = {
        .subjects_max = 24, .principals_max = 16, .challenges_max = 32, .requests_max = 150};

/* One node writes back after each command and never restarts; the other now and then, and starts anew in between. */
static void test_same_everywhere(void **state)
{
	struct table *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
	struct decide_out *out = malloc(sizeof *out);
	unsigned compared = 0;
	struct state *other;
	struct kit k;

	(void)state;
	kit_new(&k, &limits, NULL);
	assert_int_equal(state_take_dirty(k.s, put, a), 0);
	for (unsigned i = 0; i < a->n; i++)
		put(b, a->record[i].key, a->record[i].key_len, a->record[i].value, a->record[i].len);
	other = load(b, &limits);
	for (unsigned i = 0; i < COMMANDS; i++) {
		char subject[16];
		k.now_ms += i % 50 == 0 ? 400000 : 1700; /* Challenges outlive their time in bunches. */
		snprintf(subject, sizeof subject, "u%u", i * 7 % 61);
		kit_ask_for(&k, subject, i % 3 ? "read" : "delete", NULL, NULL);
		decide(other, k.now_ms, k.command, k.command_len, out);
		assert_int_equal(out->outcome, k.out->outcome);
		assert_int_equal(state_take_dirty(k.s, put, a), 0);
		if (i % 5)
			continue;
		assert_int_equal(state_take_dirty(other, put, b), 0);
		assert_memory_equal(&a->sum, &b->sum, sizeof a->sum);
		compared++;
		if (i % 35)
			continue;
		state_free(other);
		other = load(b, &limits);
	}
	assert_true(compared > 100);
	state_free(other);
	kit_free(&k);
	table_free(a);
	table_free(b);
	free(out);
}

/*
 * A take that goes on for long, one record after every few commands, gives the state of the moment it began at: the
 * same as another node takes at once there. Subjects are evicted meanwhile, challenges are made and cleared away.
 */
static void test_taken_while_commands_go_on(void **state)
{
	struct table *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
	struct decide_out *out = malloc(sizeof *out);
	unsigned compared = 0, between = 0;
	struct state *other;
	bool taking = false;
	struct kit k;

	(void)state;
	kit_new(&k, &limits, NULL);
	assert_int_equal(state_take_dirty(k.s, put, a), 0);
	for (unsigned i = 0; i < a->n; i++)
		put(b, a->record[i].key, a->record[i].key_len, a->record[i].value, a->record[i].len);
	other = load(b, &limits);
	for (unsigned i = 0; i < 3 * COMMANDS; i++) {
		char subject[16];
		if (!taking) {
			state_take_begin(k.s, put, a);
			assert_int_equal(state_take_dirty(other, put, b), 0);
			taking = true;
		}
		k.now_ms += 60000; /* Eleven challenges are open at a time. */
		snprintf(subject, sizeof subject, "u%u", i * 7 % 61);
		kit_ask_for(&k, subject, i % 3 ? "read" : "delete", NULL, NULL);
		decide(other, k.now_ms, k.command, k.command_len, out);
		assert_int_equal(k.out->outcome, DECIDE_ENTRY);
		between++;
		if (i % 3 || state_take_some(k.s, 1) == 0)
			continue;
		assert_memory_equal(&a->sum, &b->sum, sizeof a->sum);
		taking = false;
		compared++;
	}
	assert_true(compared > 10 && between > 20 * compared);
	state_free(other);
	kit_free(&k);
	table_free(a);
	table_free(b);
	free(out);
}

static void test_sum(void **state)
{
	struct multiset m = {0}, n = {0}, zero = {0};
	uint8_t bytes[MULTISET_SIZE];
	struct hash x, y;

	(void)state;
	multiset_add(&m, 'a', "one", 3);
	multiset_add(&m, 'b', "two", 3);
	multiset_add(&n, 'b', "two", 3);
	multiset_add(&n, 'a', "one", 3);
	assert_memory_equal(&m, &n, sizeof m); /* In any order. */
	multiset_add(&n, 'a', "one", 3);
	assert_memory_not_equal(&m, &n, sizeof m); /* Twice is not once, as it would be with XOR of three. */
	multiset_remove(&n, 'a', "one", 3);
	assert_memory_equal(&m, &n, sizeof m);
	multiset_write(&m, bytes);
	multiset_read(&n, bytes);
	assert_memory_equal(&m, &n, sizeof m);
	multiset_digest(&m, &x);
	multiset_remove(&m, 'a', "one", 3);
	multiset_add(&m, 'b', "one", 3); /* The kind counts. */
	multiset_digest(&m, &y);
	assert_false(hash_equal(&x, &y));
	multiset_remove(&m, 'b', "one", 3);
	multiset_remove(&m, 'b', "two", 3);
	assert_memory_equal(&m, &zero, sizeof m);
	multiset_remove(&m, 'b', "two", 3); /* Below nothing and back: modulo 2^2048. */
	multiset_add(&m, 'b', "two", 3);
	assert_memory_equal(&m, &zero, sizeof m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sum),
	        cmocka_unit_test(test_same_everywhere),
	        cmocka_unit_test(test_taken_while_commands_go_on),
	};

	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
