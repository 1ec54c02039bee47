/* Tests of the verifier's results and little encodings: text that is safe to show, UTF-8, decimals, base64, lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/verify_internal.h"

/* A slice of a literal, its NUL left out. */
#define B(literal)                                                                                                     \
	{                                                                                                              \
		(const uint8_t *)(literal), sizeof(literal) - 1                                                        \
	}
#define S(literal) ((struct verify_slice)B(literal))

/* Each as it is said, and as it is shown. */
static void test_shown(void **state)
{
	static const struct {
		const char *said, *shown;
		bool controls;
	} rows[] = {
	        {"", "", false},
	        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ~", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 ~", false},
	        {"a\x1b[2J\x7f", "a?[2J?", true},
	        {"a\x7f", "a?", true},
	        {"a\nb", "a?b", true},
	        {"\xc2\x80\xc2\x9f", "????", true},
	        {"\xc2\xa0\xc3\x80", "\xc2\xa0\xc3\x80", false},
	        {"\xe2\x80\x8e", "???", true},
	        {"\xe2\x80\x8f", "???", true},
	        {"\xe2\x80\x90\xe2\x80\xa9\xe2\x80\xaf", "\xe2\x80\x90\xe2\x80\xa9\xe2\x80\xaf", false},
	        {"\xe2\x80\xaa", "???", true},
	        {"\xe2\x80\xae", "???", true},
	        {"\xe2\x81\xa5\xe2\x81\xaa\xe2\x82\xa6", "\xe2\x81\xa5\xe2\x81\xaa\xe2\x82\xa6", false},
	        {"\xe2\x81\xa6", "???", true},
	        {"\xe2\x81\xa9", "???", true},
	        {"\xe3\x80\x8e", "\xe3\x80\x8e", false},
	        {"a\xff"
	         "b",
	         "a?b", true},
	        {"a\xc3", "a?", true}, /* Cut inside a character. */
	        {"a\xe2\x82", "a??", true},
	};
	static struct verify_result r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verify_slice s = {(const uint8_t *)rows[i].said, strlen(rows[i].said)};

		verify_result_init(&r);
		assert_int_equal(r.outcome, VERIFY_UNDECIDED);
		verify_say(&r, VERIFY_MARK_HELD, "%s", rows[i].said);
		assert_string_equal(r.lines[0].text, rows[i].shown);
		assert_false(verify_undecided(&r, "%s", rows[i].said));
		assert_string_equal(r.reason, rows[i].shown);
		assert_false(verify_refute(&r, "%s", rows[i].said));
		assert_int_equal(r.outcome, VERIFY_REFUTED);
		assert_int_equal(r.n_lines, 3);
		assert_int_equal(r.lines[2].mark, VERIFY_MARK_BAD);
		assert_int_equal(verify_controls(s), rows[i].controls);
	}
}

/* A text longer than its room ends with whole characters. */
static void test_cut(void **state)
{
	char many[2 * VERIFY_TEXT_SIZE_MAX + 1] = "x";
	static struct verify_result r;

	(void)state;
	verify_result_init(&r);
	for (size_t i = 1; i + 3 <= sizeof many; i += 2)
		memcpy(many + i, "\xc3\xa9", 3);
	verify_say(&r, VERIFY_MARK_HELD, "%s", many);
	assert_int_equal(strlen(r.lines[0].text), VERIFY_TEXT_SIZE_MAX - 1);
	verify_say(&r, VERIFY_MARK_HELD, "x%s", many);
	assert_int_equal(strlen(r.lines[1].text), VERIFY_TEXT_SIZE_MAX - 1);
	for (unsigned i = 0; i < 2; i++)
		assert_true(
		        verify_utf8((struct verify_slice){(const uint8_t *)r.lines[i].text, strlen(r.lines[i].text)}));
	assert_true(strchr(r.lines[0].text, '?') || strchr(r.lines[1].text, '?'));
}

/* RFC 3629 4: each row's first and last, and what lies beside them. */
static void test_utf8(void **state)
{
	static const struct {
		struct verify_slice bytes;
		bool good;
	} rows[] = {
	        {B(""), true},
	        {B("\x01\x7f"), true},
	        {B("\x00"), false},
	        {B("\xc2\x80\xdf\xbf"), true},
	        {B("\x80"), false},
	        {B("\xc1\xbf"), false},
	        {B("\xc2\x7f"), false},
	        {B("\xc2\xc0"), false},
	        {B("\xc2"), false},
	        {B("\xe0\xa0\x80\xe0\xbf\xbf"), true},
	        {B("\xe0\x9f\xbf"), false},
	        {B("\xe1\x80\x80\xec\xbf\xbf"), true},
	        {B("\xe1\x80\x7f"), false},
	        {B("\xe1\x80\xc0"), false},
	        {B("\xe1\x80"), false},
	        {B("\xed\x9f\xbf\xee\x80\x80"), true},
	        {B("\xed\xa0\x80"), false},
	        {B("\xf0\x90\x80\x80\xf3\xbf\xbf\xbf\xf4\x8f\xbf\xbf"), true},
	        {B("\xf0\x8f\xbf\xbf"), false},
	        {B("\xf4\x90\x80\x80"), false},
	        {B("\xf1\x80\x80\x7f"), false},
	        {B("\xf1\x80\x80\xc0"), false},
	        {B("\xf5\x80\x80\x80"), false},
	        {B("\xff"), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (verify_utf8(rows[i].bytes) != rows[i].good)
			fail_msg("row %zu", i);
}

static void test_decimal(void **state)
{
	static const struct {
		struct verify_slice text;
		bool good;
		uint64_t n;
	} rows[] = {
	        {B("0"), true, 0},
	        {B("10"), true, 10},
	        {B("18446744073709551615"), true, UINT64_MAX},
	        {B("18446744073709551616"), false, 0},
	        {B("18446744073709551620"), false, 0},
	        {B("99999999999999999999"), false, 0},
	        {B(""), false, 0},
	        {B("01"), false, 0},
	        {B("-1"), false, 0},
	        {B("1:"), false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t n = 77;

		if (verify_decimal(rows[i].text, &n) != rows[i].good || n != (rows[i].good ? rows[i].n : 77))
			fail_msg("row %zu", i);
	}
}

static void test_slices(void **state)
{
	struct verify_slice rest = S("one\n\ntwo"), line;

	(void)state;
	assert_true(verify_slice_is(S("one"), "one"));
	assert_false(verify_slice_is(S("one"), "two"));
	assert_false(verify_slice_is(S("one"), "once"));
	assert_true(verify_slice_begins(S("once"), "on"));
	assert_false(verify_slice_begins(S("once"), "oo"));
	assert_false(verify_slice_begins(S("o"), "on"));
	assert_true(verify_line_take(&rest, &line));
	assert_true(verify_slice_is(line, "one"));
	assert_true(verify_line_take(&rest, &line));
	assert_int_equal(line.len, 0);
	assert_false(verify_line_take(&rest, &line));
	rest.len = 0;
	assert_false(verify_line_take(&rest, &line));
}

/* libsodium 1.0.18 takes bytes above 7F for '+' and '/'. */
static void test_base64(void **state)
{
	uint8_t out[3];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const uint8_t text[4] = {(uint8_t)c, 'A', 'A', 'A'};
		bool want = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", (int)c);

		assert_int_equal(verify_base64_exact((struct verify_slice){text, 4}, out, 3), want);
	}
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AB==", 4}, out, 1));
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA=", 3}, out, 1));
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA", 2}, out, 1));
	assert_false(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA\n==", 5}, out, 1));
	assert_true(verify_base64_exact((struct verify_slice){(const uint8_t *)"AA==", 4}, out, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_shown),   cmocka_unit_test(test_cut),    cmocka_unit_test(test_utf8),
	        cmocka_unit_test(test_decimal), cmocka_unit_test(test_slices), cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
