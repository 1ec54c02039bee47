/* Tests of entries: leaves and bodies by hand that are wrong in one place, and the texts of all numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

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
	        cmocka_unit_test(test_decoders_refuse),
	        cmocka_unit_test(test_all_texts),
	};

	return cmocka_run_group_tests_name("forms of entries", tests, NULL, NULL);
}
