/* Tests of how the tool writes for people: nothing that others wrote may drive the reader's terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"

static void safe_is(const char *s, size_t len, size_t cap, const char *expected)
{
	char *buf = malloc(cap); /* Its own piece of memory, so that a sanitizer sees one byte too many. */

	assert_non_null(buf);
	text_safe(s, len, buf, cap);
	assert_string_equal(buf, expected);
	free(buf);
}

#define SAFE_IS(s, cap, expected) safe_is(s, sizeof(s) - 1, cap, expected)

static void test_harmless_text_stays(void **state)
{
	(void)state;
	SAFE_IS("", 4, "");
	SAFE_IS("aws-cli/2.9 (Linux)", 64, "aws-cli/2.9 (Linux)");
	SAFE_IS("Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91", 64, "Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91");
}

static void test_controls_are_escaped(void **state)
{
	(void)state;
	SAFE_IS("\033]0;owned\a", 64, "\\x1b]0;owned\\x07");
	SAFE_IS("a\rb\nc\td\x7f", 64,
	        "a\\x0d"
	        "b\\x0a"
	        "c\\x09"
	        "d\\x7f");
	SAFE_IS("a\0b", 64,
	        "a\\x00"
	        "b");
	SAFE_IS("\xc2\x9b"
	        "31m",
	        64, "\\xc2\\x9b31m"); /* CSI in one character (ECMA-48, C1). */
	SAFE_IS("\xe2\x80\xae"
	        "gpj.exe",
	        64, "\\xe2\\x80\\xaegpj.exe"); /* U+202E turns the reading order around. */
}

/* RFC 3629: overlong forms, surrogates, above U+10FFFF, cut short, and bytes that begin nothing. */
static void test_bad_utf8_is_escaped(void **state)
{
	(void)state;
	SAFE_IS("\xc0\xaf", 64, "\\xc0\\xaf");
	SAFE_IS("\xe0\x80\xaf", 64, "\\xe0\\x80\\xaf");
	SAFE_IS("\xed\xa0\x80", 64, "\\xed\\xa0\\x80");
	SAFE_IS("\xf4\x90\x80\x80", 64, "\\xf4\\x90\\x80\\x80");
	SAFE_IS("a\xe2\x82", 64, "a\\xe2\\x82");
	SAFE_IS("\xff\x80", 64, "\\xff\\x80");
}

static void test_long_text_is_cut(void **state)
{
	(void)state;
	SAFE_IS("abcdefg", 8, "abcdefg");
	SAFE_IS("abcdefgh", 8, "abcd...");
	SAFE_IS("abc\xe2\x82\xac"
	        "defgh",
	        8, "abc...");
	SAFE_IS("abc\033\033", 8, "abc...");
	SAFE_IS("abcd", 4, "...");
}

static void test_times(void **state)
{
	char text[TEXT_TIME_SIZE];

	(void)state;
	text_time(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	text_time(UINT64_C(1688990294007), text);
	assert_string_equal(text, "2023-07-10T11:58:14.007Z");
	text_time(UINT64_C(253402300799999), text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	text_time(UINT64_MAX, text);
	assert_string_equal(text, "(no time)");
}

static void test_probability(void **state)
{
	(void)state;
	assert_true(text_probability(0) == 0.5);
	assert_true(text_probability(1100) > 0.7502 && text_probability(1100) < 0.7503);
	assert_true(text_probability(INT32_MAX) <= 1 && text_probability(INT32_MIN) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_harmless_text_stays),
	        cmocka_unit_test(test_controls_are_escaped),
	        cmocka_unit_test(test_bad_utf8_is_escaped),
	        cmocka_unit_test(test_long_text_is_cut),
	        cmocka_unit_test(test_times),
	        cmocka_unit_test(test_probability),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
