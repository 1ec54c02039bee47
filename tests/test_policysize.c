/* How large a policy may be: of each version, set in a cluster, as the genesis of one, and in the state's records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/decide/policy.h"
#include "tests/decide_kit.h"

static char yaml[POLICY_SOURCE_SIZE_MAX + 1];
static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];

/* A policy of so many rules with a long reason each, and comments up to size bytes. */
static void make(unsigned version, unsigned rules, size_t size)
{
	char reason[201];
	size_t n = (size_t)snprintf(yaml, sizeof yaml,
	                            "version: %u\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
	                            "- {id: all, verdict: risk}\n",
	                            version);

	memset(reason, 'r', sizeof reason - 1);
	reason[200] = 0;
	for (unsigned i = 0; i < rules; i++)
		n += (size_t)snprintf(yaml + n, sizeof yaml - n, "- {id: r%u, weight: 1, reason_admin: %s}\n", i,
		                      reason);
	assert_true(n < size && size < sizeof yaml);
	yaml[n++] = '#';
	memset(yaml + n, 'c', size - n);
	yaml[size] = 0;
}

static int compile(struct policy_error *e)
{
	size_t len = 0;

	return policy_compile(yaml, strlen(yaml), compiled, sizeof compiled, &len, e);
}

static void bounds(void **state)
{
	struct policy_error e;

	(void)state;
	make(1, 3, POLICY_SIZE_MAX_1);
	assert_int_equal(compile(&e), 0);
	make(1, 3, POLICY_SIZE_MAX_1 + 1);
	assert_int_equal(compile(&e), CS_ERR_TOO_LARGE);
	assert_non_null(strstr(e.text, "24577 bytes of text"));
	make(2, 3, POLICY_SOURCE_SIZE_MAX);
	assert_int_equal(compile(&e), 0);
	/* 80 rules are about 17 KiB in both forms: alone each fits, together they do not. */
	make(2, 80, POLICY_SOURCE_SIZE_MAX - 1);
	assert_int_equal(compile(&e), CS_ERR_TOO_LARGE);
	assert_non_null(strstr(e.text, "57344 in all"));
	make(2, 80, 36000);
	assert_int_equal(compile(&e), 0);
}

/* The largest there is, as genesis and set, with what else an entry holds; and loaded again from the state's records.
 */
static void in_a_ledger(void **state)
{
	struct kit k;
	struct policy_error e;
	size_t len = 0;

	(void)state;
	make(2, 76, 40000);
	assert_int_equal(policy_compile(yaml, strlen(yaml), compiled, sizeof compiled, &len, &e), 0);
	assert_true(strlen(yaml) + len > POLICY_BOTH_SIZE_MAX - 1024);
	kit_new(&k, NULL, yaml);
	k.now_ms += 1000;
	make(2, 77, 39900);
	assert_int_equal(kit_policy(&k, yaml), DECIDE_ENTRY);
	assert_int_equal(kit_ask_for(&k, "ada", "read", NULL, NULL), DECIDE_ENTRY);
	struct state *again = kit_reload(k.s, NULL);
	struct hash a, b;
	state_policy_hash(k.s, &a);
	state_policy_hash(again, &b);
	assert_true(hash_equal(&a, &b));
	state_free(again);
	kit_free(&k);
}

/* What builds before version 2 would refuse is refused, in whatever order it comes: they and this one stay alike. */
static void of_version_1(void **state)
{
	uint8_t first[POLICY_SIZE_MAX_1 + 1] = {0x9c, 0x01};
	uint8_t second[POLICY_SIZE_MAX_1 + 1] = {0xdc, 0x00, 0x10, 0x02};

	(void)state;
	assert_int_equal(policy_sizes(POLICY_SIZE_MAX_1, first, POLICY_SIZE_MAX_1), 0);
	assert_int_equal(policy_sizes(POLICY_SIZE_MAX_1 + 1, first, 100), CS_ERR_TOO_LARGE);
	assert_int_equal(policy_sizes(100, first, sizeof first), CS_ERR_TOO_LARGE);
	assert_int_equal(policy_sizes(POLICY_SIZE_MAX_1 + 1, second, sizeof second), 0);
	assert_int_equal(policy_sizes(POLICY_SIZE_MAX_1 + 1, "", 0), CS_ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bounds), cmocka_unit_test(in_a_ledger),
	                                   cmocka_unit_test(of_version_1)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
