/* Tests that the verifier and the makers of entries read the same: damaged leaves, and values in every form. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/verify_internal.h"
#include "tests/verify_fixture.h"

#define SIZE FIXTURE_ENTRIES

static struct fixture fixture;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

/* Random damage to leaves: what one decoder takes, the other takes. */
static void test_leaf_agrees(void **state)
{
	uint64_t x = 88172645463325252u;
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 60000; round++) {
		const struct fixture_entry *e = &fixture.entry[round % SIZE];
		uint8_t bytes[512];
		size_t len = e->leaf_len;
		struct verify_leaf leaf;
		struct entry entry;
		const char *why;

		memcpy(bytes, e->leaf, len);
		for (unsigned i = 0; i <= round % 3; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* Mostly near the start, where the heads are; sometimes a byte of the format itself. */
			bytes[x % (x >> 60 ? 70 : len)] = (uint8_t)(x >> 40 & 1 ? 0xc0 + (x >> 20) % 0x20 : x >> 24);
		}
		bool ours = entry_decode(&entry, bytes, len) == 0;
		bool theirs = verify_leaf_parse((struct verify_slice){bytes, len}, &leaf, &why);
		/* The one rule that the verifier has more: the first entry follows no other. */
		if (ours != theirs && !(ours && strstr(why, "one before it")))
			fail_msg("round %u: %d and %d", round, ours, theirs);
		if (ours && theirs) {
			assert_int_equal(entry.index, leaf.index);
			assert_int_equal(entry.n_fields, leaf.n_fields);
			taken++;
		}
	}
	assert_true(taken > 1000 && taken < 59000);
	for (unsigned kind = 1; kind <= FIELD_KIND_MAX; kind++) {
		const char *name = field_kind_text(kind);

		assert_int_equal(verify_field_kind_of(name), strcmp(name, "unknown") == 0 ? 0 : kind);
	}
}

/* Canonical values, each with a longer encoding that must be refused. */
static void test_values(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool canonical;
	} cases[] = {
	        {"\x05", 1, true},
	        {"\xcc\x80", 2, true},
	        {"\xcc\x7f", 2, false},
	        {"\xcd\x01\x00", 3, true},
	        {"\xcd\x00\xff", 3, false},
	        {"\xce\x00\x01\x00\x00", 5, true},
	        {"\xce\x00\x00\xff\xff", 5, false},
	        {"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9, true},
	        {"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", 9, false},
	        {"\xe0", 1, true},
	        {"\xd0\xdf", 2, true},
	        {"\xd0\xe0", 2, false},
	        {"\xd0\x05", 2, false},
	        {"\xd1\xff\x7f", 3, true},
	        {"\xd1\xff\x80", 3, false},
	        {"\xd2\xff\xff\x7f\xff", 5, true},
	        {"\xd2\xff\xff\x80\x00", 5, false},
	        {"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9, true},
	        {"\xd3\xff\xff\xff\xff\x80\x00\x00\x00", 9, false},
	        {"\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 9, false},
	        {"\xc0", 1, true},
	        {"\xc1", 1, false},
	        {"\xc2", 1, true},
	        {"\xca\x00\x00\x00\x00", 5, false},
	        {"\x80", 1, false},
	        {"\xd4\x00\x00", 3, false},
	        {"\xa1x", 2, true},
	        {"\xd9\x01x", 3, false},
	        {"\xa1\xff", 2, false},
	        {"\xa1\x00", 2, false},
	        {"\xc4\x00", 2, true},
	        {"\xc5\x00\x01x", 4, false},
	        {"\x91\x01", 2, true},
	        {"\x92\x01", 2, false},
	        {"\x91\x01\x02", 3, false},
	        {"\xdc\x00\x01\x01", 4, false},
	        {"", 0, false},
	        {"\xcd\x01", 2, false},
	        {"\xa2x", 2, false},
	        {"\xc4\x02x", 3, false},
	        {"\xd9", 1, false},
	        {"\x91\x91\x91\x91\x91\x91\x91\x91\x01", 9, true},
	        {"\x91\x91\x91\x91\x91\x91\x91\x91\x90", 9, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint8_t *bytes = (const uint8_t *)cases[i].bytes, *at;
		struct reader r;
		size_t len;

		if (verify_value_canonical((struct verify_slice){bytes, cases[i].len}) != cases[i].canonical)
			fail_msg("case %zu", i);
		reader_init(&r, bytes, cases[i].len);
		reader_skip(&r, &at, &len);
		assert_int_equal(reader_end(&r) == 0, cases[i].canonical);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_leaf_agrees),
	        cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests_name("agreement", tests, setup, teardown);
}
