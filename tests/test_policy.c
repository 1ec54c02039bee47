/* Policies: what compiles, what is refused and where, globs, unreachable rules. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/decide/decide.h"
#include "node/decide/policy_form.h"

static uint8_t buf[POLICY_COMPILED_SIZE_MAX];
static struct policy policy;

static int compile(const char *yaml, size_t *ret_len, struct policy_error *ret)
{
	memset(ret, 0, sizeof(*ret));
	return policy_compile(yaml, strlen(yaml), buf, sizeof(buf), ret_len, ret);
}

#define HEAD "version: 1\nthresholds:\n  step_up: 0\n  deny: 5000\n"

static void default_compiles(void **state)
{
	struct policy_error e;
	size_t len = 0, again = 0;
	uint8_t copy[POLICY_COMPILED_SIZE_MAX];

	(void)state;
	if (compile(policy_default_yaml(), &len, &e) != 0)
		fail_msg("line %u column %u: %s", e.line, e.column, e.text);
	assert_int_equal(policy_load(&policy, buf, len), 0);
	assert_int_equal(policy.bias, -2000);
	assert_int_equal(policy.deny, 5000);
	assert_int_equal(policy.weights[SIGNAL_NEW_DEVICE], 2400);
	assert_int_equal(policy.n_rules, 3);
	assert_int_equal(policy.version, POLICY_VERSION_2);
	memcpy(copy, buf, len);
	assert_int_equal(policy_encode(&policy, buf, sizeof(buf), &again), 0);
	assert_int_equal(again, len);
	assert_memory_equal(buf, copy, len); /* Writing what was read gives the same bytes. */
}

/* What a cluster without the feature `decisions` stores and hashes: the same bytes as ever. */
static void version_1_stays(void **state)
{
	static const uint8_t known[] = {0x1a, 0xec, 0xce, 0x9d, 0x77, 0xef, 0x9a, 0x7f, 0x84, 0x73, 0x1a,
	                                0x72, 0x5c, 0x91, 0x11, 0x9c, 0x4e, 0xf1, 0x95, 0x25, 0x59, 0x2a,
	                                0x94, 0x3c, 0x06, 0x4f, 0xce, 0x83, 0xca, 0x5e, 0x8b, 0x74};
	char *yaml = strdup(policy_default_yaml()), *version;
	struct policy_error e;
	size_t len = 0;

	(void)state;
	assert_non_null(yaml);
	version = strstr(yaml, "version: 2\n");
	assert_non_null(version);
	version[strlen("version: ")] = '1';
	assert_int_equal(compile(yaml, &len, &e), 0);
	assert_int_equal(policy_version(buf, len), POLICY_VERSION_1);
	assert_int_equal(policy_load(&policy, buf, len), 0);
	assert_int_equal(policy.version, POLICY_VERSION_1);
	assert_memory_equal(policy.hash.b, known, sizeof(known));
	free(yaml);
	assert_int_equal(policy_version(buf, 1), 0);
	buf[1] = 3;
	assert_int_equal(policy_version(buf, len), 0);
}

/* The examples of node/POLICY.md are what they say they are, and its table has each signal. */
static void documented_compiles(void **state)
{
	const char *srcdir = getenv("srcdir");
	static char page[65536];
	char path[4096], row[80];
	struct policy_error e;
	size_t len = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/node/POLICY.md", srcdir != NULL ? srcdir : ".");
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = 0;
	fclose(f);
	for (unsigned id = 1; id <= SIGNAL_MAX; id++) {
		if (signal_key(id) == NULL)
			continue; /* No signal has this number. */
		snprintf(row, sizeof(row), "| %u | `%s` | ", id, signal_key(id));
		if (strstr(page, row) == NULL)
			fail_msg("no row %s", row);
	}
	unsigned examples = 0;
	for (char *start = page, *end; (start = strstr(start, "```yaml\nversion:")) != NULL;
	     start = end + 1, examples++) {
		start += strlen("```yaml\n");
		end = strstr(start, "```");
		assert_non_null(end);
		*end = 0;
		if (strstr(start, "\nthresholds:") == NULL)
			continue; /* A file of cases. */
		if (compile(start, &len, &e) != 0)
			fail_msg("line %u column %u: %s", e.line, e.column, e.text);
	}
	assert_true(examples >= 2);
}

static void everything_is_read(void **state)
{
	static const char yaml[] =
	        "version: 1\nname: all of it\nbias: -10\nthresholds: {step_up: -5, deny: 7}\n"
	        "valid_for: 90s\nchallenge: {level: possession, methods: [ed25519], expires: 2m}\n"
	        "rates: {subject: 5, client: 6}\nweights: {odd_hour: -77, mfa: 2500}\n"
	        "sensitive: \"x*\"\n"
	        "rules:\n- id: r1\n  match:\n    subject: [a, b*]\n    subject_type: user\n    actor: bot\n"
	        "    actor_type: agent\n    action: go\n    resource: '*'\n    resource_type: t\n"
	        "    context:\n      env: [prod, \"5\"]\n      level: [5, -6]\n      mfa: true\n"
	        "  weight: 12\n  verdict: step_up\n  challenge: {expires: 30s}\n"
	        "  obligations: [{type: custom, id: mask}, {type: notification}]\n"
	        "  reason_user: why\n  reason_admin: because\n";
	struct policy_error e;
	size_t len = 0;

	(void)state;
	if (compile(yaml, &len, &e) != 0)
		fail_msg("line %u column %u: %s", e.line, e.column, e.text);
	assert_int_equal(policy_load(&policy, buf, len), 0);
	assert_int_equal(policy.bias, -10);
	assert_int_equal(policy.step_up, -5);
	assert_int_equal(policy.valid_for_ms, 90000);
	assert_int_equal(policy.challenge.expiry_ms, 120000);
	assert_int_equal(policy.subject_rate, 5);
	assert_int_equal(policy.weights[SIGNAL_ODD_HOUR], -77);
	assert_int_equal(policy.weights[SIGNAL_MFA], 2500);
	assert_int_equal(policy.weights[SIGNAL_NEW_DEVICE], 2400);
	const struct rule *r = &policy.rules[0];
	assert_int_equal(r->conditions.n, 10);
	assert_int_equal(r->verdict, VERDICT_STEP_UP);
	assert_int_equal(r->challenge.expiry_ms, 30000);
	assert_int_equal(r->obligations.n, 2);
	assert_int_equal(policy.conditions[7].target, MATCH_CONTEXT);
	assert_int_equal(policy.values[policy.conditions[7].values.first + 1].type, VALUE_STR); /* "5" in quotes. */
	assert_int_equal(policy.values[policy.conditions[8].values.first + 1].integer, -6);
	assert_int_equal(policy.values[policy.conditions[9].values.first].type, VALUE_BOOL);
}

static void errors_have_places(void **state)
{
	static const struct {
		const char *yaml;
		unsigned line, column;
		const char *text;
	} cases[] = {
	        {HEAD "rules:\n- id: a\n  verdict: maybe\n", 7, 12, "unknown verdict"},
	        {HEAD "rules:\n- id: a\n  verdict: defer\n", 7, 12, "needs version 2"},
	        {HEAD "rules:\n- id: a\n  verdict: risk\n  when: 'true'\n", 8, 3, "needs version: 2"},
	        {HEAD "rules:\n- id: a\n  verdict: risk\n  colour: red\n", 8, 3, "unknown key \"colour\""},
	        {HEAD "rules:\n- id: a\n  match: {acton: x}\n  verdict: risk\n", 7, 11, "unknown key \"acton\""},
	        {HEAD "rules:\n- verdict: risk\n", 6, 3, "\"id\" is missing"},
	        {HEAD "rules:\n- id: a\n  verdict: risk\n- id: a\n  verdict: deny\n", 8, 7, "another rule"},
	        {HEAD "rules:\n- id: a\n  weight: 5.5\n", 7, 11, "whole number"},
	        {HEAD "rules:\n- id: a\n  weight: 100001\n", 7, 11, "must be from"},
	        {HEAD "rules:\n- id: a\n  weight: 010\n", 7, 11, "whole number"},
	        {HEAD "rules:\n- id: a\n", 6, 3, "does nothing"},
	        {HEAD "rules: []\n", 5, 1, "denies everything"},
	        {HEAD "rules:\n- id: a\n  match: {action: []}\n  verdict: risk\n", 7, 11, "empty list"},
	        {HEAD "weights: {new_devise: 1}\nrules:\n- id: a\n  verdict: risk\n", 5, 11, "new_devise"},
	        {HEAD "weights: {new_device: 2501}\nrules:\n- id: a\n  verdict: risk\n", 5, 23,
	         "must be from -2500 to 2500"},
	        {HEAD "valid_for: 5\nrules:\n- id: a\n  verdict: risk\n", 5, 12, "time with its unit"},
	        {HEAD "valid_for: 11m\nrules:\n- id: a\n  verdict: risk\n", 5, 12, "time with its unit"},
	        {HEAD "challenge: {level: attested}\nrules:\n- id: a\n  verdict: risk\n", 5, 1, "never be answered"},
	        {HEAD "challenge: {methods: [totp]}\nrules:\n- id: a\n  verdict: risk\n", 5, 23, "unknown method"},
	        {"version: 3\n", 1, 10, "must be from 1 to 2"},
	        {"version: 1\nrules:\n- id: a\n  verdict: risk\n", 1, 1, "\"thresholds\" is missing"},
	        {"version: 1\nthresholds: {step_up: 1}\nrules:\n- {id: a, verdict: risk}\n", 2, 1,
	         "\"deny\" is missing"},
	        {"version: 1\nthresholds: {step_up: 1, deny: 1}\nrules:\n- {id: a, verdict: risk}\n", 2, 1, "below"},
	        {HEAD "bias: &x 1\nrules:\n- id: a\n  weight: *x\n", 8, 12, "aliases"},
	        {HEAD "bias: !!int 1\nrules:\n- id: a\n  weight: 1\n", 5, 13, "tags"},
	        {HEAD "name: \"a\\0b\"\nrules:\n- id: a\n  weight: 1\n", 5, 8, "NUL"},
	        {"just text", 1, 1, "mapping"},
	        {HEAD "%d\xc3\xa4\n", 5, 0, "directives"}, /* libfyaml never returned from "%" and bad UTF-8. */
	        {HEAD "%d\xe4\n", 1, 0, "not UTF-8"},
	        {HEAD "? a\n: b\n", 5, 0, "stands alone"}, /* libfyaml crashed on some of these. */
	        {HEAD "name: what? yes\nrules:\n- id: a\n", 7, 3, "does nothing"},
	        {HEAD "name: a\x1b\n", 5, 0, "control"},
	        {HEAD "rules: {a: b}\n", 5, 1, "list"},
	        {HEAD "rules:\n- id: a\n  verdict: risk\n  obligations: [{type: dance}]\n", 8, 24,
	         "unknown obligation"},
	        {HEAD "rules:\n- id: a\n  verdict: risk\n  match: {context: {x: {y: z}}}\n", 8, 21, "a text is wanted"},
	};
	struct policy_error e;
	size_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(compile(cases[i].yaml, &len, &e), CS_ERR_INVALID);
		if (strstr(e.text, cases[i].text) == NULL || e.line != cases[i].line || e.column != cases[i].column)
			fail_msg("case %u: %u:%u: %s", i, e.line, e.column, e.text);
	}
}

static void bad_yaml_is_refused(void **state)
{
	static const char *const cases[] = {"",
	                                    ":",
	                                    "a: [",
	                                    "\t",
	                                    "a: b\n a: c",
	                                    "version: 1\nversion: 1\n",
	                                    "[[[[[[[[[[[[[[[[",
	                                    "--- a\n--- b\n",
	                                    "\xff\xfe",
	                                    "- {a: b}\n: c\n"};
	static char deep[20000];
	struct policy_error e;
	size_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_not_equal(compile(cases[i], &len, &e), 0);
		assert_true(e.text[0] != 0);
	}
	memset(deep, '[', sizeof(deep) - 1);
	assert_int_not_equal(compile(deep, &len, &e), 0);
	memset(deep, '{', sizeof(deep) - 1);
	assert_int_not_equal(compile(deep, &len, &e), 0);
	static char large[POLICY_SOURCE_SIZE_MAX + 2];
	memset(large, '#', sizeof(large) - 1);
	assert_int_equal(compile(large, &len, &e), CS_ERR_TOO_LARGE);
}

/* Rules that can never decide, because another one matches all they do and is stronger. */
static void unreachable(void **state)
{
	static const struct {
		const char *rules;
		bool fine;
	} cases[] = {
	        {"- {id: a, verdict: deny}\n- {id: b, verdict: allow, match: {action: x}}\n", false},
	        {"- {id: b, verdict: allow, match: {action: x}}\n- {id: a, verdict: deny}\n", false},
	        {"- {id: a, verdict: risk}\n- {id: b, verdict: allow, match: {action: x}}\n", false},
	        {"- {id: a, verdict: risk}\n- {id: b, verdict: step_up, match: {action: x}}\n", true},
	        {"- {id: a, verdict: deny, match: {action: 'x*'}}\n- {id: b, verdict: risk, match: {action: 'xy*'}}\n",
	         false},
	        {"- {id: a, verdict: deny, match: {action: 'x*'}}\n- {id: b, verdict: risk, match: {action: '*x'}}\n",
	         true},
	        {"- {id: a, verdict: deny, match: {action: [x, y]}}\n- {id: b, verdict: risk, match: {action: [y, "
	         "x]}}\n",
	         false},
	        {"- {id: a, verdict: deny, match: {action: [x, y]}}\n- {id: b, verdict: risk, match: {action: [y, "
	         "z]}}\n",
	         true},
	        {"- {id: a, verdict: deny, match: {actor: '*'}}\n- {id: b, verdict: risk}\n", true},
	        {"- {id: a, verdict: deny, match: {resource: '*'}}\n- {id: b, verdict: risk}\n", false},
	        {"- {id: a, verdict: deny, match: {context: {e: p}}}\n- {id: b, verdict: allow, match: {context: {e: "
	         "p, f: 1}}}\n",
	         false},
	        {"- {id: a, verdict: deny, match: {context: {e: 1}}}\n- {id: b, verdict: allow, match: {context: {e: "
	         "'1'}}}\n",
	         true},
	};
	struct policy_error e;
	char yaml[512];
	size_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(yaml, sizeof(yaml), HEAD "rules:\n%s", cases[i].rules);
		int err = compile(yaml, &len, &e);
		if ((err == 0) != cases[i].fine || (err != 0 && strstr(e.text, "unreachable") == NULL))
			fail_msg("case %u: %d %s", i, err, e.text);
	}
}

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void globs(void **state)
{
	(void)state;
	assert_true(glob_match(text("*"), text("")));
	assert_true(glob_match(text("**"), text("abc")));
	assert_true(glob_match(text("a*c"), text("abbc")));
	assert_true(glob_match(text("*b*d"), text("abcbcd")));
	assert_true(glob_match(text("abc"), text("abc")));
	assert_false(glob_match(text("abc"), text("abcd")));
	assert_false(glob_match(text("a*c"), text("abcd")));
	assert_false(glob_match(text(""), text("a")));
	assert_false(glob_match(text("*x"), text("xy")));
	assert_true(glob_match(text("s3:*Object"), text("s3:GetObject")));
}

/* No compiled form that was damaged is taken as another. */
static void damaged_forms(void **state)
{
	struct policy_error e;
	size_t len = 0, good = 0;
	uint8_t copy[POLICY_COMPILED_SIZE_MAX];

	(void)state;
	assert_int_equal(compile(policy_default_yaml(), &len, &e), 0);
	memcpy(copy, buf, len);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_not_equal(policy_load(&policy, copy, cut), 0);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			copy[i] ^= (uint8_t)(1 << bit);
			if (policy_load(&policy, copy, len) ==
			    0) { /* A letter or a number changed: it is whole still. */
				size_t again = 0;
				assert_int_equal(policy_encode(&policy, buf, sizeof(buf), &again), 0);
				assert_int_equal(again, len);
				assert_memory_equal(buf, copy, len);
				good++;
			}
			copy[i] ^= (uint8_t)(1 << bit);
		}
	assert_true(good > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(default_compiles),    cmocka_unit_test(version_1_stays),
	        cmocka_unit_test(documented_compiles), cmocka_unit_test(everything_is_read),
	        cmocka_unit_test(errors_have_places),  cmocka_unit_test(bad_yaml_is_refused),
	        cmocka_unit_test(unreachable),         cmocka_unit_test(globs),
	        cmocka_unit_test(damaged_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
