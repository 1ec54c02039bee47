/* CEL, the language: each rule of its definition (cel-spec, doc/langdef.md) by an expression and what it gives. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/decide/cel/cel_text.h"

struct expression {
	const char *source, *gives; /* "!…": a fault of evaluation; "?…": refused, with these words in the text. */
};

static struct signal_list signals = {.n = 2, .s = {{SIGNAL_NEW_DEVICE, 1}, {SIGNAL_ODD_HOUR, 2}}};

/* A request on Monday, 2024-02-05 22:30:15.250 UTC. */
static void request(struct cel_request *ret, struct request *q)
{
	static const struct text groups[] = {{"staff", 5}, {"oncall", 6}};

	*q = (struct request){.subject_type = {"user", 4},
	                      .subject_id = {"ada", 3},
	                      .action = {"deploy", 6},
	                      .resource_type = {"repo", 4},
	                      .resource_id = {"main", 4},
	                      .n_context = 3};
	q->context[0] = (struct named_value){.name = {"amount", 6}, .type = VALUE_INT, .integer = 1500};
	q->context[1] = (struct named_value){.name = {"env", 3}, .type = VALUE_STR, .str = {"prod", 4}};
	q->context[2] = (struct named_value){.name = {"mfa", 3}, .type = VALUE_BOOL, .integer = 1};
	*ret = (struct cel_request){.request = q,
	                            .signals = &signals,
	                            .risk = -250,
	                            .now_ms = UINT64_C(1707172215250),
	                            .groups = groups,
	                            .n_groups = 2};
}

static void expect(const struct expression *list, size_t n, unsigned flags)
{
	static const char marks[] = {[CEL_OUTCOME_VALUE] = 0, [CEL_OUTCOME_FAULT] = '!', [CEL_OUTCOME_REFUSED] = '?'};
	static struct cel_request variables;
	struct request q;
	char text[4096];

	for (size_t i = 0; i < n; i++) {
		request(&variables, &q);
		enum cel_outcome o = cel_eval_text(list[i].source, NULL, 0, &variables, flags, text, sizeof(text));
		char mark = list[i].gives[0] == '!' || list[i].gives[0] == '?' ? list[i].gives[0] : 0;
		const char *wanted = list[i].gives + (mark != 0);
		bool fine = o == CEL_OUTCOME_REFUSED ? strstr(text, wanted) != NULL : strcmp(text, wanted) == 0;
		if (marks[o] != mark || !fine)
			fail_msg("%s\n  gives   %c%s\n  and not %s", list[i].source, marks[o] ? marks[o] : ' ', text,
			         list[i].gives);
	}
}

#define EXPECT(...)                                                                                                    \
	do {                                                                                                           \
		static const struct expression list[] = {__VA_ARGS__};                                                 \
		(void)state;                                                                                           \
		expect(list, sizeof(list) / sizeof(list[0]), 0);                                                       \
	} while (0)

static void literals(void **state)
{
	EXPECT({"null", "null"}, {"true", "true"}, {"42", "42"}, {"0x1F", "31"}, {"-0x10", "-16"}, {"7u", "7u"},
	       {"0xffU", "255u"}, {"9223372036854775807", "9223372036854775807"},
	       {"-9223372036854775808", "-9223372036854775808"}, {"18446744073709551615u", "18446744073709551615u"},
	       {"9223372036854775808", "?column 1: the number does not fit"},
	       {"18446744073709551616u", "?the number does not fit"}, {"1.5", "?doubles are left out"},
	       {".5", "?doubles are left out"}, {"1e3", "?doubles are left out"},
	       {"double(1)", "?doubles are left out"}, {"12ab", "?a number ends with a letter"}, {"[]", "[]"},
	       {"[1, 2,]", "[1, 2]"}, {"{}", "{}"}, {"{'a': 1, 2: true,}", "{\"a\": 1, 2: true}"},
	       {"{null: 1}", "?int, uint, bool or string as a key"}, {"{dyn(null): 1}", "!unsupported key type"},
	       {"{1: 1, dyn(1u): 2}", "!repeated key"}, {"Msg{a: 1}", "?messages are left out"},
	       {"[1 2]", "?expected \"]\", found \"2\""});
}

static void strings(void **state)
{
	EXPECT({"'a\"b'", "\"a\\\"b\""},
	       {"\"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\'\\`\"", "\"\\x07\\x08\\x0c\\n\\r\\t\\x0b\\\\?'`\""},
	       {"'\\x41\\101\\u0041\\U00000041'", "\"AAAA\""}, {"'\\377'", "\"\xc3\xbf\""}, {"b'\\377'", "b\"\\xff\""},
	       {"b'\xc3\xbf'", "b\"\\xc3\\xbf\""}, {"r'\\n'", "\"\\\\n\""}, {"br'\\n'", "b\"\\\\n\""},
	       {"'''a'b\nc'''", "\"a'b\\nc\""}, {"'\\ud800'", "?no Unicode code point"},
	       {"'\\U00110000'", "?no Unicode code point"}, {"'\\s'", "?unknown escape"}, {"'\\400'", "?octal escape"},
	       {"b'\\u0041'", "?not for bytes"}, {"'a\nb'", "?not closed"}, {"'a", "?not closed"},
	       {"size('\xc3\xa4\xf0\x9f\x98\x80')", "2"}, {"size(b'\xc3\xa4')", "2"}, {"'a' + 'bc'", "\"abc\""},
	       {"b'a' + b'b'", "b\"ab\""}, {"'abc'.contains('bc')", "true"}, {"'abc'.startsWith('ab')", "true"},
	       {"'abc'.endsWith('c')", "true"}, {"'abc'.contains('')", "true"}, {"'ab'.startsWith('abc')", "false"},
	       {"'aBc\xc3\x84'.lowerAscii()", "\"abc\xc3\x84\""}, {"'aBc'.upperAscii()", "\"ABC\""},
	       {"contains('a', 'b')", "?called in another way"},
	       {"'a'.contains(1)", "?cannot be applied to (string, int)"},
	       {"'a' < 'b' && 'B' < 'a' && '' < 'a'", "true"}, {"b'a' < b'b'", "true"},
	       {"size('ab') == 'ab'.size()", "true"});
}

static void arithmetic(void **state)
{
	EXPECT({"1 + 2 * 3 - 4 / 2", "5"}, {"(1 + 2) * 3", "9"}, {"7 / -2", "-3"}, {"7 % -2", "1"}, {"-7 % 2", "-1"},
	       {"--5", "5"}, {"-(5)", "-5"}, {"9223372036854775807 + 1", "!overflow"},
	       {"-9223372036854775808 - 1", "!overflow"}, {"-9223372036854775808 / -1", "!overflow"},
	       {"-9223372036854775808 % -1", "!overflow"}, {"-(-9223372036854775808)", "!overflow"},
	       {"5000000000 * 5000000000", "!overflow"}, {"0u - 1u", "!overflow"},
	       {"18446744073709551615u + 1u", "!overflow"}, {"1 / 0", "!division by zero"},
	       {"1 % 0", "!modulus by zero"}, {"1u / 0u", "!division by zero"},
	       {"1 + 1u", "?cannot be applied to (int, uint)"}, {"dyn(1) + dyn(1u)", "!no such overload"},
	       {"-1u", "?cannot be applied to (uint)"}, {"-dyn('a')", "!no such overload"},
	       {"[1] + [2] + []", "[1, 2]"}, {"[1] + ['a']", "?cannot be applied to (list(int), list(string))"});
}

/* Errors are passed over where the rest decides, in any order (Logical Operators). */
static void logic(void **state)
{
	EXPECT({"false && 1/0 > 0", "false"}, {"1/0 > 0 && false", "false"}, {"true || 1/0 > 0", "true"},
	       {"1/0 > 0 || true", "true"}, {"1/0 > 0 && true", "!division by zero"},
	       {"true && 1/0 > 0", "!division by zero"}, {"1/0 > 0 || false", "!division by zero"},
	       {"dyn(1) && false", "false"}, {"dyn(1) && true", "!no such overload"},
	       {"1/0 > 0 && dyn('x') && false", "false"}, {"1 && true", "?expected bool for &&, found int"},
	       {"!true || !!true", "true"}, {"!1", "?cannot be applied to (int)"}, {"true ? 1 : 1/0", "1"},
	       {"false ? 1/0 : 2", "2"}, {"1/0 > 0 ? 1 : 2", "!division by zero"},
	       {"dyn(1) ? 1 : 2", "!no such overload"}, {"1 ? 2 : 3", "?expected bool"},
	       {"true ? 1 : 'a'", "?cannot be applied to (bool, int, string)"}, {"false ? 1 : true ? 2 : 3", "2"},
	       {"true || false && false", "true"}, {"1 + 1 == 2 && 2 < 3", "true"});
}

static void equality(void **state)
{
	EXPECT({"1 == 1 && 1 != 2", "true"}, {"1 == 1u", "?cannot be applied to (int, uint)"}, {"dyn(1) == 1u", "true"},
	       {"dyn(-1) == 18446744073709551615u", "false"}, {"dyn(1) == '1'", "false"}, {"dyn(null) == 1", "false"},
	       {"null == null", "true"}, {"[1, 2] == [1, 2]", "true"}, {"[1, 2] == [2, 1]", "false"},
	       {"{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "true"}, {"{'a': 1} == {'a': 2}", "false"},
	       {"[[1], [dyn(2u)]] == [[1], [dyn(2)]]", "true"}, {"type(1) == int", "true"},
	       {"type(type(1)) == type(string)", "true"}, {"type(1) == string", "false"}, {"1 < 1u", "?cannot be"},
	       {"dyn(1) < 2u && dyn(2u) > 1 && dyn(-1) < 0u", "true"}, {"false < true", "true"},
	       {"dyn(1) < 'a'", "!no such overload"}, {"[1] < [2]", "?cannot be applied"},
	       {"dyn([1]) < dyn([2])", "!no such overload"});
}

static void lists_and_maps(void **state)
{
	EXPECT({"[7, 8][1]", "8"}, {"[7, 8][dyn(1u)]", "8"}, {"[7][1]", "!index out of bounds"},
	       {"[7][-1]", "!index out of bounds"}, {"[7]['a']", "?cannot be applied to (list(int), string)"},
	       {"dyn([7])['a']", "!no such overload"}, {"{'a': 1}['a']", "1"}, {"{'a': 1}.a", "1"},
	       {"{'a': 1}.b", "!no such key"}, {"{'a-b': 1}.`a-b`", "1"}, {"{1: 'x'}[dyn(1u)]", "\"x\""},
	       {"{true: 'x'}[true]", "\"x\""}, {"dyn({'a': 1})[null]", "!unsupported key type"},
	       {"has({'a': null}.a)", "true"}, {"has({'a': 1}.b)", "false"}, {"has(dyn(1).b)", "!no such overload"},
	       {"has(1)", "?has() wants a field"}, {"1 in [1, 2]", "true"}, {"dyn(1u) in [1, 2]", "true"},
	       {"'c' in ['a', 'b']", "false"}, {"'a' in {'a': 1}", "true"}, {"1 in 2", "?cannot be applied"},
	       {"'a' in [1]", "?cannot be applied to (string, list(int))"}, {"size([1, 2])", "2"},
	       {"{1: 2}.size()", "1"}, {"1.a", "?expected a map before \".a\", found int"},
	       {"[1, 'a', null]", "[1, \"a\", null]"});
}

static void macros(void **state)
{
	EXPECT({"[1, 2].all(x, x > 0)", "true"}, {"[1, 0].all(x, 1/x > 0)", "!division by zero"},
	       {"[0, 2].all(x, 1/x > 5)", "false"}, {"[].all(x, x)", "true"}, {"[0, 1].exists(x, 1/x == 1)", "true"},
	       {"[0, 2].exists(x, 1/x == 1)", "!division by zero"}, {"[].exists(x, true)", "false"},
	       {"[1, 2, 2].exists_one(x, x == 1)", "true"}, {"[1, 1].exists_one(x, x == 1)", "false"},
	       {"[0, 1].exists_one(x, 1/x == 1)", "!division by zero"}, {"[1, 2].map(x, x * x)", "[1, 4]"},
	       {"[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"}, {"[1, 2, 3].filter(x, x % 2 == 1)", "[1, 3]"},
	       {"{'a': 1, 'b': 2}.map(k, k + '!')", "[\"a!\", \"b!\"]"}, {"{'a': 1}.exists(k, k == 'a')", "true"},
	       {"[[1], [2, 3]].map(l, l.map(x, x + size(l)))", "[[2], [4, 5]]"},
	       {"[1].exists(x, [2].exists(x, x == 2))", "true"}, {"[1].exists(risk, risk == 1)", "true"},
	       {"[1].exists(risk, .risk == -250)", "true"}, {"[1].all(x, x)", "?expected bool for what the macro asks"},
	       {"1.all(x, true)", "?expected a list or a map"}, {"[1].all(1, true)", "?is a name for each element"},
	       {"[1].all(a.b, true)", "?is a name for each element"}, {"[1].all(x, y)", "?unknown name \"y\""});
}

static void conversions(void **state)
{
	EXPECT({"int('-42')", "-42"}, {"int('9223372036854775808')", "!type conversion error"},
	       {"int('-9223372036854775808')", "-9223372036854775808"}, {"int('')", "!type conversion error"},
	       {"int(18446744073709551615u)", "!range error"}, {"uint(-1)", "!range error"}, {"uint('7')", "7u"},
	       {"uint('-7')", "!type conversion error"}, {"string(-7)", "\"-7\""}, {"string(7u)", "\"7\""},
	       {"string(true)", "\"true\""}, {"string(b'\\xff')", "!invalid UTF-8"},
	       {"bytes('\xc3\xa4')", "b\"\\xc3\\xa4\""}, {"bool('true') && !bool('0')", "true"},
	       {"bool('maybe')", "!type conversion error"}, {"int(true)", "?cannot be"}, {"type(dyn(1u))", "uint"},
	       {"[type(null), type([]), type({}), type('')]", "[null_type, list, map, string]"},
	       {"type(now)", "google.protobuf.Timestamp"}, {"type(now) == google.protobuf.Timestamp", "true"},
	       {"string(duration('90m'))", "\"5400s\""}, {"int(timestamp('1970-01-01T00:01:00Z'))", "60"});
}

static void times(void **state)
{
	EXPECT({"timestamp('2024-02-29T23:59:59.5+01:00')", "timestamp(\"2024-02-29T22:59:59.5Z\")"},
	       {"timestamp('2023-02-29T00:00:00Z')", "!type conversion error"},
	       {"timestamp('2024-01-01T24:00:00Z')", "!type conversion error"},
	       {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", "!overflow"},
	       {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "!overflow"},
	       {"timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z')", "!overflow"},
	       {"timestamp(0) + duration('1h30m')", "timestamp(\"1970-01-01T01:30:00Z\")"},
	       {"duration('1h') + timestamp(0) == timestamp(3600)", "true"},
	       {"timestamp(90) - timestamp(0)", "duration(\"90s\")"}, {"duration('-1.5s')", "duration(\"-1.5s\")"},
	       {"duration('1h1m1s1ms1us1ns')", "duration(\"3661.001001001s\")"}, {"duration('0')", "duration(\"0s\")"},
	       {"duration('1d')", "!type conversion error"}, {"duration('')", "!type conversion error"},
	       {"duration('9223372037s')", "!type conversion error"}, {"duration('1s') < duration('1m')", "true"},
	       {"duration('90m').getHours()", "1"}, {"duration('1.234s').getMilliseconds()", "234"},
	       {"now.getFullYear()", "2024"}, {"now.getMonth()", "1"}, {"now.getDate()", "5"},
	       {"now.getDayOfMonth()", "4"}, {"now.getDayOfWeek()", "1"}, {"now.getDayOfYear()", "35"},
	       {"now.getHours()", "22"}, {"now.getMinutes()", "30"}, {"now.getSeconds()", "15"},
	       {"now.getMilliseconds()", "250"}, {"now.getHours('+02:00')", "0"}, {"now.getDayOfWeek('+02:00')", "2"},
	       {"now.getHours('-07:30')", "15"}, {"now.getHours('UTC')", "22"},
	       {"now.getHours('Europe/Paris')", "!unknown time zone"},
	       {"timestamp('0001-01-01T00:00:00Z').getDayOfWeek()", "1"},
	       {"timestamp('1969-12-31T23:59:59Z').getDayOfYear()", "364"},
	       {"duration('1s') + 1", "?cannot be applied"});
}

static void regular_expressions(void **state)
{
	EXPECT({"'foobar'.matches('o+b')", "true"}, {"matches('foobar', '^oo')", "false"},
	       {"'abc'.matches('^abc$')", "true"}, {"'abc'.matches('^a.c$')", "true"},
	       {"'a\\nc'.matches('a.c')", "false"}, {"'a\\nc'.matches('(?s)a.c')", "true"},
	       {"'x\\ny'.matches('(?m)^y$')", "true"}, {"'ABC'.matches('(?i)abc')", "true"},
	       {"'ABc'.matches('^((?i)ab)c$')", "true"}, {"'ABC'.matches('^((?i)ab)c$')", "false"},
	       {"'aaa'.matches('^a{3}$')", "true"}, {"'aaaa'.matches('^a{2,3}$')", "false"},
	       {"'ababab'.matches('^(?:ab){2,}$')", "true"}, {"'a{x'.matches('a{x')", "true"},
	       {"'cat'.matches('^(dog|cat|bird)$')", "true"}, {"''.matches('^(|a)$')", "true"},
	       {"'b'.matches('^(a*)*b$')", "true"}, {"'x-9'.matches('^[a-z]-\\\\d$')", "true"},
	       {"']'.matches('^[]]$')", "true"}, {"'b'.matches('^[^a]$')", "true"},
	       {"'_'.matches('^[[:word:]]$')", "true"}, {"'a b'.matches('a\\\\sb')", "true"},
	       {"'a b'.matches('\\\\bb')", "true"}, {"'ab'.matches('a\\\\Bb')", "true"},
	       {"'\xc3\xa4'.matches('^.$')", "true"}, {"'\xc3\xa4'.matches('^\\\\x{e4}$')", "true"},
	       {"'a.b'.matches('^\\\\Qa.b\\\\E$')", "true"}, {"'axb'.matches('^a\\\\.b$')", "false"},
	       {"'a'.matches('(')", "?a group is not closed"}, {"'a'.matches('a)')", "?\")\" without"},
	       {"'a'.matches('*')", "?nothing stands before"}, {"'a'.matches('a**')", "?a repetition of a repetition"},
	       {"'a'.matches('[z-a]')", "?goes backwards"}, {"'a'.matches('\\\\pL')", "?left out"},
	       {"'a'.matches('a{1001}')", "?at most 1000"}, {"'a'.matches('((a{99}){99}){99}')", "?too large"},
	       {"'a'.matches(dyn('('))", "!invalid regular expression"}, {"'ab'.matches('(?P<x>a)b')", "true"},
	       {"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", "false"});
}

static void names(void **state)
{
	EXPECT({"subject.id + '/' + subject.type", "\"ada/user\""}, {"resource.id", "\"main\""},
	       {"action", "\"deploy\""}, {"context.amount > 1000 && context.mfa", "true"},
	       {"context.amount + 1", "1501"}, {"has(context.env)", "true"}, {"has(context.none)", "false"},
	       {"context.none == 1", "!no such key"}, {"context.env + 1", "!no such overload"},
	       {"context.exists(k, k == 'env')", "true"}, {"signals.new_device", "1"}, {"signals.odd_hour", "2"},
	       {"signals.velocity", "0"}, {"signals.no_such", "?signals has no field"}, {"risk", "-250"},
	       {"imported", "false"}, {"'oncall' in groups", "true"}, {"groups.size()", "2"},
	       {"has(actor.id)", "false"}, {"actor.id", "!no such key"}, {"has(request.actor)", "false"},
	       {"request.time == now", "true"}, {"request.subject.id", "\"ada\""}, {"request.context.env", "\"prod\""},
	       {"request.nonsense", "?request has no field"}, {"subject.name", "?subject has no field \"name\""},
	       {"nobody", "?column 1: unknown name"}, {"nothing()", "?unknown function"}, {"package", "?reserved word"},
	       {"a.in", "?expected a field's name"}, {"true // and nothing else", "true"},
	       {"1 +\n  // more\n 'a'", "?line 1 column 3: \"+\" cannot be applied to (int, string)"},
	       {"1 ==\n\n  tru", "?line 3 column 3: unknown name"}, {"a = b", "?\"==\" compares"},
	       {"#", "?unexpected character"}, {"", "?expected an expression, found the end"},
	       {"1 1", "?expected an operator or the end"});
}

/* Everything has a bound, and says which. */
static void bounds(void **state)
{
	static char deep[600], long_[8000], wide[6000];
	char text[256];
	const struct expression list[] = {
	        {deep, "?nested too deeply"},
	        {long_, "?longer than"},
	        {wide, "?too long"},
	        {"[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, "
	         "[1,2,3,4,5,6,7,8,9,10].all(d, a + b + c + d > 0))))",
	         "?it could take"},
	        {"[1].all(a, [1].all(b, [1].all(c, [1].all(d, [1].all(e, [1].all(f, [1].all(g, [1].all(h, [1].all(i, "
	         "true)))))))))",
	         "?macros within macros"},
	};

	(void)state;
	memset(deep, '(', sizeof(deep) - 1);
	memset(long_, ' ', sizeof(long_) - 1);
	for (size_t i = 0; i + 2 < 4000; i += 2)
		memcpy(wide + i, i == 0 ? " 1" : "+1", 2);
	expect(list, sizeof(list) / sizeof(list[0]), 0);
	/* What the estimate would refuse stops by itself. */
	static const char doubling[] = "['0123456789abcdef'].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)"
	                               ".map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)[0]";
	assert_int_equal(cel_eval_text(doubling, NULL, 0, NULL, CEL_UNCHECKED, text, sizeof(text)), CEL_OUTCOME_FAULT);
	assert_string_equal(text, cel_fault_text(CEL_FAULT_ROOM));
	/* Steps that are used up are an error that && and || do not pass over. */
	static const char endless[] =
	        "[0,1,2,3,4,5,6,7,8,9].exists(a, [0,1,2,3,4,5,6,7,8,9].exists(b, [0,1,2,3,4,5,6,7,8,9].exists(c, "
	        "[0,1,2,3,4,5,6,7,8,9].exists(d, [0,1,2,3,4,5,6,7,8,9].exists(e, a + b + c + d + e > 99))))) || true";
	assert_int_equal(cel_eval_text(endless, NULL, 0, NULL, CEL_UNCHECKED, text, sizeof(text)), CEL_OUTCOME_FAULT);
	assert_string_equal(text, cel_fault_text(CEL_FAULT_COST));
}

static void unchecked(void **state)
{
	static const struct expression list[] = {{"1 == '1'", "false"},
	                                         {"nobody || true", "true"},
	                                         {"nothing(1) || true", "true"},
	                                         {"nobody", "!no such variable"},
	                                         {"1 + 'a'", "!no such overload"}};
	static const struct cel_binding bindings[] = {{"x", "40 + 2"}, {"a.b", "[x]"}};
	char text[64];

	(void)state;
	expect(list, sizeof(list) / sizeof(list[0]), CEL_UNCHECKED);
	assert_int_equal(cel_eval_text("a.b[0] == x", bindings, 2, NULL, 0, text, sizeof(text)), CEL_OUTCOME_VALUE);
	assert_string_equal(text, "true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(literals),   cmocka_unit_test(strings),
	        cmocka_unit_test(arithmetic), cmocka_unit_test(logic),
	        cmocka_unit_test(equality),   cmocka_unit_test(lists_and_maps),
	        cmocka_unit_test(macros),     cmocka_unit_test(conversions),
	        cmocka_unit_test(times),      cmocka_unit_test(regular_expressions),
	        cmocka_unit_test(names),      cmocka_unit_test(bounds),
	        cmocka_unit_test(unchecked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
