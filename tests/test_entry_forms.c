/* Tests of entries: leaves, bodies and values by hand, wrong in one place each, and the texts of all numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "ledger/errors.h"

/* Leaves and bodies by hand, each wrong in one place. */
static void test_decoders_refuse(void **state)
{
#define HASH                                                                                                           \
	"\xc4\x20"                                                                                                     \
	"0123456789abcdef0123456789abcdef"
#define SALT                                                                                                           \
	"\xc4\x10"                                                                                                     \
	"0123456789abcdef"
#define ROW(literal, err)                                                                                              \
	{                                                                                                              \
		literal, sizeof(literal) - 1, err                                                                      \
	}
	static const struct row {
		const char *bytes;
		size_t len;
		int err;
	} leaves[] =
	        {
	                ROW("\x97\x01\x05\x02\x00" HASH "\x90\x90", 0),
	                ROW("\x97", CS_ERR_MALFORMED),
	                ROW("\x97\xc0\x05\x02\x00" HASH "\x90\x90", CS_ERR_MALFORMED),
	                ROW("\x97\x02\x05\x02\x00" HASH "\x90\x90", CS_ERR_MALFORMED),
	                ROW("\x97\x01\x05\x00\x00" HASH "\x90\x90", CS_ERR_MALFORMED),
	                ROW("\x97\x01\x05\xcd\x01\x00\x00" HASH "\x90\x90", CS_ERR_TOO_LARGE),
	                ROW("\x97\x01\x05\x02\x00" HASH "\xc0\x90", CS_ERR_MALFORMED),
	                ROW("\x97\x01\x05\x02\x00" HASH "\x90\xdc\x00\x21" HASH, CS_ERR_TOO_LARGE),
	                ROW("\x97\x01\x05\x02\x00" HASH "\x90\x92\xc0\xc0", CS_ERR_MALFORMED),
	                ROW("\x97\x01\x05\x02\x00" HASH "\x90\x91\x92\x00" HASH, CS_ERR_MALFORMED),
	        },
	  bodies[] = {
	          ROW("\x90", 0),
	          ROW("\x91\x93\x02" SALT "\xc4\x01\x05", 0),
	          ROW("", CS_ERR_MALFORMED),
	          ROW("\x90\x90", CS_ERR_MALFORMED),
	          ROW("\x92\xc0\xc0", CS_ERR_MALFORMED),
	          ROW("\x91\x93\x00" SALT "\xc4\x01\x05", CS_ERR_MALFORMED),
	          ROW("\x91\x93\x02" SALT "\xc4\x00", CS_ERR_MALFORMED), /* A value that is none. */
	          ROW("\x91\x93\x02" SALT "\xc4\x02\x05\x05", CS_ERR_MALFORMED),
	          ROW("\x92\x93\x02" SALT "\xc4\x01\x05\x93\x02" SALT "\xc4\x01\x05", CS_ERR_MALFORMED),
	  };
#undef ROW
#undef SALT
#undef HASH
	static uint8_t large[LIMIT_ENTRY_SIZE_MAX + 1];
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n;

	(void)state;
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (entry_decode(&e, leaves[i].bytes, leaves[i].len) != leaves[i].err)
			fail_msg("leaf %zu", i);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		if (body_decode(fields, &n, bodies[i].bytes, bodies[i].len) != bodies[i].err)
			fail_msg("body %zu", i);
	assert_int_equal(entry_decode(&e, large, sizeof(large)), CS_ERR_TOO_LARGE);
	assert_int_equal(body_decode(fields, &n, large, sizeof(large)), CS_ERR_TOO_LARGE);
}

static struct entry_builder builder; /* Large. */
static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
static size_t body_len;

/* An entry whose one field is what the writer has. */
static int build(const struct writer *w)
{
	static const uint8_t seed[SEED_SIZE] = {7};
	static const struct hash prev;
	size_t leaf_len;

	entry_builder_init(&builder, 1, ENTRY_TICK, 0, &prev, seed);
	writer_array(&builder.public_, 0);
	entry_builder_written(&builder, FIELD_ACTION, w);
	return entry_builder_finish(&builder, leaf, &leaf_len, body, &body_len);
}

/* Bytes that were put into a writer as they are: no value, or none that is whole. */
static void test_written_refused(void **state)
{
	static const struct {
		uint8_t len, bytes[10];
	} bad[] = {
	        {1, {0x80}},             /* An empty map. */
	        {3, {0x81, 0xc0, 0xc0}}, /* Of one pair. */
	        {3, {0xde, 0, 0}},       /* map 16 */
	        {1, {0xc1}},             /* Never used. */
	        {3, {0xc7, 0, 0}},       /* ext 8 */
	        {3, {0xd4, 0, 0}},       /* fixext 1 */
	        {5, {0xca, 0, 0, 0, 0}}, /* A float. */
	        {5, {0xdd, 0, 0, 0, 0}}, /* array 32 */
	        {1, {0xcc}},             /* From here on: numbers that end early, */
	        {8, {0xcf, 1, 2, 3, 4, 5, 6, 7}},
	        {2, {0xd1, 0xff}},
	        {2, {0xa2, 'a'}}, /* texts, */
	        {1, {0xd9}},
	        {3, {0xd9, 2, 'a'}},
	        {2, {0xda, 0}},
	        {4, {0xda, 0, 2, 'a'}},
	        {4, {0xdb, 0, 0, 0}},
	        {6, {0xdb, 0, 0, 0, 2, 'a'}},
	        {1, {0xc4}}, /* bytes, */
	        {3, {0xc4, 2, 'a'}},
	        {2, {0xc5, 0}},
	        {4, {0xc5, 0, 2, 'a'}},
	        {4, {0xc6, 0, 0, 0}},
	        {6, {0xc6, 0xff, 0xff, 0xff, 0xff, 'a'}},
	        {2, {0xdc, 0}}, /* arrays. */
	        {3, {0xdc, 0, 1}},
	        {2, {0x91, 0xcc}},
	        {6, {0x92, 0xc6, 0xff, 0xff, 0xff, 0xff}}, /* Another value would be 4 GiB further on. */
	};
	uint8_t bytes[16];
	struct writer w;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		writer_init(&w, bytes, sizeof(bytes));
		writer_raw(&w, bad[i].bytes, bad[i].len);
		if (build(&w) != CS_ERR_MALFORMED)
			fail_msg("value %zu", i);
	}
}

/* As many values as a reader takes, and one more. */
static void test_written_values(void **state)
{
	static uint8_t bytes[LIMIT_MSGPACK_NODES_MAX + 8];
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct writer w;
	unsigned n;

	(void)state;
	for (unsigned elements = LIMIT_MSGPACK_NODES_MAX - 1; elements <= LIMIT_MSGPACK_NODES_MAX; elements++) {
		writer_init(&w, bytes, sizeof(bytes));
		writer_array(&w, elements); /* It is a value too. */
		for (unsigned i = 0; i < elements; i++)
			writer_bool(&w, i & 1);
		if (elements == LIMIT_MSGPACK_NODES_MAX) {
			assert_int_equal(build(&w), CS_ERR_TOO_LARGE);
			continue;
		}
		assert_int_equal(build(&w), 0);
		assert_int_equal(body_decode(fields, &n, body, body_len), 0);
		assert_int_equal(n, 1);
		assert_int_equal(fields[0].value_len, w.len);
		assert_memory_equal(fields[0].value, bytes, w.len);
	}
}

/* The longest forms of texts and bytes are whole values, and too large for a body. */
static void test_written_long(void **state)
{
	static char text[UINT16_MAX + 1];
	static uint8_t bytes[sizeof(text) + 5];
	struct writer w;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (unsigned form = 0; form < 2; form++) {
		writer_init(&w, bytes, sizeof(bytes));
		if (form == 0)
			writer_str(&w, text, sizeof(text));
		else
			writer_bin(&w, text, sizeof(text));
		assert_int_equal(w.len, sizeof(bytes));
		assert_int_equal(build(&w), CS_ERR_TOO_LARGE);
		w.len--; /* A byte of it is missing. */
		assert_int_equal(build(&w), CS_ERR_MALFORMED);
	}
}

/* A written field of a kind that may not follow: the entry is not made, and what comes after it is of no account. */
static void test_written_order(void **state)
{
	static const unsigned kinds[][2] = {{FIELD_ACTION, FIELD_ACTION},
	                                    {FIELD_ACTION, FIELD_SUBJECT},
	                                    {0, FIELD_ACTION},
	                                    {FIELD_SUBJECT, FIELD_SALTED_MAX + 1}};
	static const uint8_t seed[SEED_SIZE] = {7};
	static const struct hash prev;
	uint8_t bytes[8];
	struct writer w;
	size_t leaf_len;

	(void)state;
	writer_init(&w, bytes, sizeof(bytes));
	writer_cstr(&w, "read");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		entry_builder_init(&builder, 1, ENTRY_TICK, 0, &prev, seed);
		writer_array(&builder.public_, 0);
		for (unsigned k = 0; k < 2; k++)
			entry_builder_written(&builder, kinds[i][k], &w);
		assert_int_equal(entry_builder_finish(&builder, leaf, &leaf_len, body, &body_len), CS_ERR_INVALID);
	}
}

/* Every number has a text of its own, or none. */
static void test_all_texts(void **state)
{
#define ENTRY_TEXT(name, number, text)    assert_string_equal(entry_kind_text(number), text);
#define FIELD_TEXT_OF(name, number, text) assert_string_equal(field_kind_text(number), text);
#define ERROR_TEXT(name, number, text)    assert_string_equal(err_text(number), text);
	(void)state;
	ENTRY_KIND_LIST(ENTRY_TEXT)
	FIELD_KIND_LIST(FIELD_TEXT_OF)
	CS_ERR_LIST(ERROR_TEXT)
#undef ENTRY_TEXT
#undef FIELD_TEXT_OF
#undef ERROR_TEXT
	assert_string_equal(err_text(1), "unknown error");
	assert_string_equal(err_text(-9999), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_decoders_refuse), cmocka_unit_test(test_written_refused),
	        cmocka_unit_test(test_written_values),  cmocka_unit_test(test_written_long),
	        cmocka_unit_test(test_written_order),   cmocka_unit_test(test_all_texts),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("forms of entries", tests, NULL, NULL);
}
