/* Tests of the ledger's small parts: names of tiles, sums of records with carries, a tree without memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "ledger/multiset.h"
#include "ledger/tilepath.h"
#include "ledger/tree.h"
#include "tests/verify_faults.h"

static void test_tilepath(void **state)
{
	static const struct {
		unsigned level;
		uint64_t n;
		unsigned width;
		const char *path;
	} rows[] = {
	        {0, 0, 256, "tile/0/000"},
	        {0, 1234067, 256, "tile/0/x001/x234/067"},
	        {7, 999, 255, "tile/7/999.p/255"},
	        {2, 1000, 1, "tile/2/x001/000.p/1"},
	        {TILEPATH_ENTRIES, UINT64_MAX, 256, "tile/entries/x018/x446/x744/x073/x709/x551/615"},
	};
	char path[TILEPATH_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		tilepath(rows[i].level, rows[i].n, rows[i].width, path);
		assert_string_equal(path, rows[i].path);
	}
}

#define WORDS (MULTISET_SIZE / 8)

/* A record joins what it fills up to 2^2048, and leaves one that lacks 1 of it: each word hands on to the next. */
static void test_carries(void **state)
{
	struct multiset record = {0}, sum, zero = {0}, all_ones;

	(void)state;
	memset(&all_ones, 0xff, sizeof all_ones);
	multiset_add(&record, 3, "value", 5);
	assert_true(record.w[0] != 0);
	for (unsigned i = 0; i < WORDS; i++)
		sum.w[i] = ~record.w[i];
	sum.w[0]++;
	multiset_add(&sum, 3, "value", 5);
	assert_memory_equal(&sum, &zero, sizeof sum);
	sum = record;
	sum.w[0]--;
	multiset_remove(&sum, 3, "value", 5);
	assert_memory_equal(&sum, &all_ones, sizeof sum);
	multiset_add(&sum, 3, "value", 5);
	multiset_remove(&sum, 3, "value", 5);
	assert_memory_equal(&sum, &all_ones, sizeof sum);
}

static void test_no_memory(void **state)
{
	const struct tree_tiles none = {0};
	struct tree *t = NULL;

	(void)state;
	verify_faults_arm("malloc", 1, ENOMEM);
	assert_int_equal(tree_new(&none, &t), CS_ERR_NOMEM);
	assert_true(verify_faults_disarm());
	assert_null(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_tilepath),
	        cmocka_unit_test(test_carries),
	        cmocka_unit_test(test_no_memory),
	};

	return sodium_init() < 0 || cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
