/* Conditions of rules: what they change of a decision, how they fail, that no compiled form is more than it is. */
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
#include "node/decide/cel/cel_text.h"
#include "node/decide/evaluate.h"
#include "tests/decide_kit.h"

static struct policy policy;
static uint8_t buf[POLICY_COMPILED_SIZE_MAX];
static size_t buf_len;

#define HEAD "version: 2\nbias: -2000\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"

static void compile(const char *yaml)
{
	struct policy_error e = {0};

	if (policy_compile(yaml, strlen(yaml), buf, sizeof(buf), &buf_len, &e) != 0)
		fail_msg("%u:%u: %s", e.line, e.column, e.text);
	assert_int_equal(policy_load(&policy, buf, buf_len), 0);
}

/* Of a request for "deploy" by ada in "prod", a new device, at 22:30 UTC. */
static void judge(struct evaluation *e, const char *yaml)
{
	struct request q;

	compile(yaml);
	kit_request(&q, "ada", "deploy", "laptop", "192.0.2.7");
	memset(e, 0, sizeof(*e));
	e->signals = (struct signal_list){.n = 1, .s = {{SIGNAL_NEW_DEVICE, 1}}};
	e->now_ms = UINT64_C(1707172215250);
	evaluate_given(e, &policy, &q, 0, false);
}

static void assert_verdict(const char *yaml, unsigned verdict, unsigned n_rules)
{
	struct evaluation e;

	judge(&e, yaml);
	if (e.verdict != verdict || e.n_rules != n_rules || e.n_faults != 0)
		fail_msg("%s\n  verdict %s, %u rules: %s", yaml, verdict_text(e.verdict), e.n_rules, e.fault);
}

static void conditions_decide(void **state)
{
	(void)state;
	assert_verdict(HEAD "- {id: a, verdict: allow, when: \"action == 'deploy'\"}\n", VERDICT_ALLOW, 1);
	assert_verdict(HEAD "- {id: a, verdict: allow, when: \"action == 'read'\"}\n", VERDICT_DENY, 0);
	assert_verdict(HEAD "- {id: a, verdict: allow}\n- {id: b, verdict: deny, when: 'signals.new_device > 0'}\n",
	               VERDICT_DENY, 2);
	assert_verdict(HEAD "- {id: a, verdict: allow}\n- {id: b, verdict: deny, when: 'signals.new_device > 1'}\n",
	               VERDICT_ALLOW, 1);
	/* Both must hold, match first: the condition is not asked where it does not fit. */
	assert_verdict(HEAD "- {id: a, verdict: allow}\n"
	                    "- {id: b, match: {action: read}, when: 'context.none == 1', verdict: deny}\n",
	               VERDICT_ALLOW, 1);
	/* The risk of signals alone: -2000 + 2400, whatever rules add. */
	assert_verdict(HEAD "- {id: a, weight: 4000}\n- {id: b, verdict: allow, when: risk == 400}\n", VERDICT_ALLOW,
	               2);
	assert_verdict(HEAD "- {id: a, verdict: allow}\n- {id: b, verdict: step_up, when: now.getHours() >= 22}\n",
	               VERDICT_STEP_UP, 2);
}

static void failures_deny(void **state)
{
	static const struct {
		const char *when, *why;
	} cases[] = {{"context.none == 1", "the condition of rule b failed: no such key"},
	             {"context.device", "the condition of rule b failed: the condition gave no bool"},
	             {"1 / int(context.device.size() - 6) > 0", "the condition of rule b failed: division by zero"},
	             {"context.device + 1 > 0", "the condition of rule b failed: no such overload"}};
	struct evaluation e;
	char yaml[512];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(yaml, sizeof(yaml), HEAD "- {id: a, verdict: allow}\n- {id: b, weight: -500, when: \"%s\"}\n",
		         cases[i].when);
		judge(&e, yaml);
		assert_int_equal(e.verdict, VERDICT_DENY);
		assert_int_equal(e.n_faults, 1);
		assert_string_equal(e.fault, cases[i].why);
		assert_int_equal(e.n_rules, 1); /* It did not hold, so it adds nothing. */
		assert_string_equal(e.notes[e.n_notes - 1].admin, cases[i].why);
	}
}

/* On a state: the entry's private reasons say why. */
static void failures_are_logged(void **state)
{
	static struct kit kit;
	struct field f;

	(void)state;
	kit_new(&kit, NULL, HEAD "- {id: a, verdict: allow}\n- {id: b, verdict: step_up, when: context.none}\n");
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "laptop", "192.0.2.7"), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_DENY);
	assert_true(kit_field(&kit, FIELD_REASONS, &f));
	assert_non_null(memmem(f.value, f.value_len, "rule b failed: no such key", 26));
	kit_free(&kit);
}

static void errors_have_places(void **state)
{
	static const struct {
		const char *rule, *text;
		unsigned line, column;
	} cases[] = {
	        {"- {id: a, verdict: allow, when: 1 + true}\n", "\"+\" cannot be applied", 5, 35},
	        {"- {id: a, verdict: allow, when: 'action == ''x'' && nope'}\n", "unknown name \"nope\"", 5, 53},
	        {"- {id: a, verdict: allow, when: \"action == \\\"x\\\" && nope\"}\n", "unknown name \"nope\"", 5, 53},
	        {"- id: a\n  verdict: allow\n  when: |\n    true &&\n    nope\n", "unknown name \"nope\"", 9, 5},
	        {"- id: a\n  verdict: allow\n  when: >-\n    true &&\n\n    true && nope\n", "unknown name", 10, 13},
	        {"- id: a\n  verdict: allow\n  when: true &&\n    nope\n", "unknown name", 8, 5},
	        {"- id: a\n  verdict: allow\n  when: action\n", "expected bool for the condition, found string", 7, 9},
	        {"- id: a\n  verdict: allow\n  when: ''\n", "missing", 7, 3},
	};
	struct policy_error e;
	char yaml[512];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(yaml, sizeof(yaml), HEAD "%s", cases[i].rule);
		assert_int_equal(policy_compile(yaml, strlen(yaml), buf, sizeof(buf), &buf_len, &e), CS_ERR_INVALID);
		if (strstr(e.text, cases[i].text) == NULL || e.line != cases[i].line || e.column != cases[i].column)
			fail_msg("%s\n  %u:%u: %s", cases[i].rule, e.line, e.column, e.text);
	}
	/* Of version 1 there is none. */
	static const char one[] = "version: 1\nthresholds: {step_up: 0, deny: 1}\nrules: [{id: a, when: 'true'}]\n";
	assert_int_equal(policy_compile(one, strlen(one), buf, sizeof(buf), &buf_len, &e), CS_ERR_INVALID);
	assert_non_null(strstr(e.text, "needs version: 2"));
}

/* A rule with a condition is no reason why another can never decide. */
static void reach(void **state)
{
	struct policy_error e;
	static const char hidden[] = HEAD "- {id: a, verdict: deny}\n- {id: b, verdict: allow, when: 'imported'}\n";

	(void)state;
	assert_verdict(HEAD "- {id: a, verdict: deny, when: 'imported'}\n- {id: b, verdict: allow}\n", VERDICT_ALLOW,
	               1);
	assert_int_equal(policy_compile(hidden, strlen(hidden), buf, sizeof(buf), &buf_len, &e), CS_ERR_INVALID);
	assert_non_null(strstr(e.text, "unreachable"));
}

/* --- compiled forms --- */

static const char every[] =
        "[1, 2u, 'a', b'b', null, true, now, duration('1s')].map(x, type(x)).filter(t, t in [int, uint]).size() == 2 "
        "&& "
        "{'a': [context], 'b': [signals]}.all(k, k.startsWith('a') || has(request.actor)) ? "
        "(-risk + 3 * 2 - 1 / 1 % 2 <= 5 || subject.id.matches('^[a-z]+$') && groups.exists_one(g, g == 'x')) : "
        "!imported && string(now.getHours('+01:00')) != '7' && [[1]].exists(l, l.map(y, y > 0, y)[0] == 1)";

/* What is written is read and written again as the same bytes. */
static void forms_are_canonical(void **state)
{
	static struct cel_program p, again;
	static uint8_t first[8192], second[8192];
	struct cel_work *w = cel_work_new();
	struct cel_error e;
	size_t n, m;
	uint16_t root;
	uint32_t cost;

	(void)state;
	assert_non_null(w);
	if (cel_compile(w, cel_request_env(), (struct text){every, strlen(every)}, CEL_WANTS_BOOL, &p, &root, &cost,
	                &e))
		fail_msg("at %u: %s", e.offset, e.text);
	assert_int_equal(cel_write(&p, root, first, sizeof(first), &n), 0);
	assert_int_equal(cel_write(&p, root, second, n - 1, &m), CS_ERR_TOO_LARGE);
	assert_int_equal(cel_read(&again, first, n, &root), 0);
	assert_int_equal(cel_write(&again, root, second, sizeof(second), &m), 0);
	assert_int_equal(n, m);
	assert_memory_equal(first, second, n);
	for (size_t cut = 0; cut < n; cut++) {
		again.n = 0;
		assert_int_not_equal(cel_read(&again, first, cut, &root), 0);
		assert_int_equal(again.n, 0);
	}
	cel_work_free(w);
}

/* Whatever a flipped bit makes of it: refused, or another condition that ends within its steps. */
static void flipped_forms_are_safe(void **state)
{
	static struct cel_program p, other;
	static struct cel_run run;
	static uint8_t bytes[8192], again[8192];
	struct signal_list signals = {0};
	struct request q;
	struct cel_request variables = {.signals = &signals, .request = &q};
	struct cel_work *w = cel_work_new();
	struct cel_error e;
	size_t n, m;
	unsigned taken = 0;
	uint16_t root;
	uint32_t cost;

	(void)state;
	assert_non_null(w);
	kit_request(&q, "ada", "deploy", "laptop", "192.0.2.7");
	assert_int_equal(
	        cel_compile(w, cel_request_env(), (struct text){every, strlen(every)}, 0, &p, &root, &cost, &e), 0);
	assert_int_equal(cel_write(&p, root, bytes, sizeof(bytes), &n), 0);
	for (size_t i = 0; i < 8 * n; i++) {
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
		other.n = 0;
		if (cel_read(&other, bytes, n, &root) == 0) {
			cel_run_init(&run, &other, cel_request_variable, &variables);
			(void)cel_evaluate(&run, root);
			assert_int_equal(cel_write(&other, root, again, sizeof(again), &m), 0);
			assert_int_equal(n, m);
			assert_memory_equal(bytes, again, n);
			taken++;
		}
		bytes[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(taken > 0);
	cel_work_free(w);
}

/* --- what node/POLICY.md says --- */

static char *page(void)
{
	static char text[262144];
	const char *srcdir = getenv("srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/node/POLICY.md", srcdir != NULL ? srcdir : ".");
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	return text;
}

/* Lines "EXPRESSION // VALUE" in blocks of CEL give what they say. */
static void documented_expressions(void **state)
{
	static struct cel_request variables;
	struct signal_list signals = {.n = 1, .s = {{SIGNAL_NEW_DEVICE, 1}}};
	static const struct text groups[] = {{"oncall", 6}};
	struct request q;
	unsigned n = 0;
	char value[512], *save = NULL;
	bool inside = false;

	(void)state;
	kit_request(&q, "ada", "deploy", "laptop", "192.0.2.7");
	for (char *line = strtok_r(page(), "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *says = strstr(line, "  // ");
		if (strncmp(line, "```", 3) == 0) {
			inside = strcmp(line, "```cel") == 0;
			continue;
		}
		if (!inside || says == NULL)
			continue;
		*says = 0;
		variables = (struct cel_request){.request = &q,
		                                 .signals = &signals,
		                                 .risk = 400,
		                                 .now_ms = UINT64_C(1707172215250),
		                                 .groups = groups,
		                                 .n_groups = 1};
		cel_eval_text(line, NULL, 0, &variables, 0, value, sizeof(value));
		if (strcmp(value, says + 5) != 0)
			fail_msg("%s\n  gives %s, not %s", line, value, says + 5);
		n++;
	}
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(conditions_decide),
	        cmocka_unit_test(failures_deny),
	        cmocka_unit_test(failures_are_logged),
	        cmocka_unit_test(errors_have_places),
	        cmocka_unit_test(reach),
	        cmocka_unit_test(forms_are_canonical),
	        cmocka_unit_test(flipped_forms_are_safe),
	        cmocka_unit_test(documented_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
