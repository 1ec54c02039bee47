/* Files of policy cases: what is read, what is refused and where, how cases are judged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/tool/policycases.h"
#include "client/tool/policyjudge.h"
#include "client/tool/policymoment.h"

#define HEAD    "version: 1\ncases:\n"
#define REQUEST "    request: {subject: \"user:ada\", action: deploy, resource: \"model:m\"}\n"

static void parse(const char *yaml, struct policycases *ret)
{
	struct policy_error e;
	int err = policycases_parse(yaml, strlen(yaml), ret, &e);

	if (err)
		fail_msg("line %u, column %u: %s", e.line, e.column, e.text);
}

static void refused(const char *yaml, unsigned line, unsigned column, const char *text)
{
	struct policycases f;
	struct policy_error e;

	assert_int_not_equal(policycases_parse(yaml, strlen(yaml), &f, &e), 0);
	if (!strstr(e.text, text) || e.line != line || e.column != column)
		fail_msg("\"%s\" at %u:%u, not \"%s\" at %u:%u", e.text, e.line, e.column, text, line, column);
}

static void whole_file(void **state)
{
	struct policycases f;

	(void)state;
	parse("version: 1\npolicy: p.yaml\nstart: 2026-01-05T09:00:00Z\ncases:\n"
	      "  - name: one\n"
	      "    request: {subject: \"user:a:b\", action: x, resource: \"t:i\", context: {n: 3, b: true, s: \"3\"}}\n"
	      "    at: +1h\n"
	      "    history:\n"
	      "      - {request: {subject: \"user:a\", action: x, resource: \"t:i\"}, times: 3, every: 1d, answer: "
	      "good}\n"
	      "      - {import: {subject: \"user:a\", action: x, resource: \"t:i\"}, at: 2025-12-01T00:00:00.250Z}\n"
	      "    expect: {verdict: deny, risk: [-5, 7], rules: [a, b], signals: {mfa: 0}}\n"
	      "  - name: two\n" REQUEST "    signals: {new_device: 1}\n    met: possession\n    expect: {risk: 4}\n",
	      &f);
	assert_int_equal(f.n_cases, 2);
	assert_int_equal(f.n_events, 2);
	const struct policycase *k = f.cases;
	assert_int_equal(k->line, 5);
	assert_int_equal(k->lines[EXPECT_VERDICT], 11);
	assert_int_equal(k->lines[EXPECT_CHALLENGE], 0);
	assert_int_equal(k->verdict, VERDICT_DENY);
	assert_int_equal(k->risk_min, -5);
	assert_int_equal(k->risk_max, 7);
	assert_int_equal(k->texts[EXPECT_RULES].n, 2);
	assert_int_equal(k->request.q.subject_id.len, 3);
	/* Sorted by name: b, n, s. */
	assert_int_equal(k->request.q.n_context, 3);
	assert_int_equal(k->request.q.context[0].type, VALUE_BOOL);
	assert_int_equal(k->request.q.context[1].integer, 3);
	assert_int_equal(k->request.q.context[2].type, VALUE_STR);
	const struct policycase_event *e = f.events;
	assert_int_equal(e[0].at_ms, f.start_ms + 60000);
	assert_int_equal(e[0].times, 3);
	assert_int_equal(e[0].answer, CASE_GOOD);
	assert_true(e[1].import);
	assert_int_equal(e[1].at_ms % 1000, 250);
	/* An hour after the last of the three, whatever the import's own time. */
	assert_int_equal(k->at_ms, f.start_ms + 60000 + 2 * 86400000 + 3600000);
	assert_true(f.cases[1].given);
	assert_int_equal(f.cases[1].met, 1);
	assert_int_equal(f.cases[1].risk_min, 4);
	policycases_close(&f);
}

static void refusals(void **state)
{
	(void)state;
	refused("version: 1\n", 1, 1, "\"cases\" is missing");
	refused("cases: []\nversion: 1\n", 1, 1, "no case is in it");
	refused("version: 2\ncases: []\n", 1, 10, "must be from 1 to 1");
	refused(HEAD "  - name: x\n    requst: {}\n", 4, 5, "is \"request\" meant?");
	refused(HEAD "  - name: x\n" REQUEST "    colour: red\n", 5, 5,
	        "unknown key \"colour\": here are name, request");
	refused(HEAD "  - name: x\n" REQUEST "    expect: {}\n", 5, 5, "nothing is expected");
	refused(HEAD "  - name: x\n" REQUEST, 3, 5, "\"expect\" is missing");
	refused(HEAD "  - name: x\n" REQUEST "    expect: {verdict: maybe}\n", 5, 23, "unknown verdict");
	refused(HEAD "  - name: x\n" REQUEST "    expect: {risk: [1]}\n", 5, 14, "[from, to]");
	refused(HEAD "  - name: x\n" REQUEST "    expect: {risk: [5, 1]}\n", 5, 14, "[from, to]");
	refused(HEAD "  - name: x\n" REQUEST "    expect: {risk: [1, 2, 3]}\n", 5, 27, "[from, to]");
	refused(HEAD "  - name: x\n" REQUEST "    signals: {shoe_size: 4}\n", 5, 15, "unknown signal \"shoe_size\"");
	refused(HEAD "  - name: x\n" REQUEST "    signals: {mfa: 1, mfa: 1}\n", 5, 23, "duplicate key");
	refused(HEAD "  - name: x\n" REQUEST "    signals: {mfa: yes}\n", 5, 20, "a whole number");
	refused(HEAD "  - name: x\n" REQUEST "    signals: {mfa: 1}\n    history: []\n    expect: {risk: 1}\n", 3, 5,
	        "need no history");
	refused(HEAD "  - name: x\n" REQUEST "    met: possession\n    expect: {risk: 1}\n", 3, 5, "\"met\" goes with");
	refused(HEAD "  - name: x\n" REQUEST "    met: magic\n", 5, 10, "unknown level");
	refused(HEAD "  - name: x\n    request: {subject: ada, action: x, resource: \"t:i\"}\n", 4, 24, "TYPE:ID");
	refused(HEAD "  - name: x\n    request: {subject: \"user:a\", action: x}\n", 4, 5, "\"resource\" is missing");
	refused(HEAD "  - name: x\n    request: {subject: \"u:a\", action: x, resource: \"t:i\", context: {a: [1]}}\n",
	        4, 69, "an attribute is");
	refused(HEAD
	        "  - name: x\n    request: {subject: \"u:a\", action: x, resource: \"t:i\", context: {a: 1, a: 2}}\n",
	        4, 75, "duplicate key");
	refused(HEAD "  - name: x\n" REQUEST "    history:\n      - {at: +1h}\n", 6, 10, "one of \"request\" and");
	refused(HEAD "  - name: x\n" REQUEST
	             "    history:\n      - {import: {subject: \"u:a\", action: x, resource: \"t:i\"}, answer: good}\n",
	        6, 10, "not answered");
	refused(HEAD "  - name: x\n" REQUEST
	             "    history:\n      - {request: {subject: \"u:a\", action: x, resource: \"t:i\"}, every: 1d}\n",
	        6, 10, "needs \"times\"");
	refused(HEAD "  - name: x\n" REQUEST "    at: 2020-01-01T00:00:00Z\n    expect: {risk: 1}\n", 5, 9,
	        "before what came before");
	refused(HEAD "  - name: x\n" REQUEST "    at: noon\n    expect: {risk: 1}\n", 5, 9, "a time is wanted");
	refused(HEAD "  - name: &a x\n" REQUEST "    expect: {reasons: [*a]}\n", 5, 25, "aliases");
	refused(HEAD "  - {name: x\n", 4, 1, "");
}

static void moments(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
		bool ok, span;
	} rows[] = {
	        {"1970-01-01T00:00:00Z", 0, true, false},
	        {"2026-01-05T09:00:00.5Z", UINT64_C(1767603600500), true, false},
	        {"2024-02-29T23:59:59.999Z", UINT64_C(1709251199999), true, false},
	        {"2026-02-29T00:00:00Z", 0, false, false},
	        {"2026-01-05T09:00:00", 0, false, false},
	        {"2026-01-05T24:00:00Z", 0, false, false},
	        {"2026-01-05T09:00:00.Z", 0, false, false},
	        {"2026-01-05T09:00:00Z ", 0, false, false},
	        {"1969-12-31T23:59:59Z", 0, false, false},
	        {"90s", 90000, true, true},
	        {"3d", 259200000, true, true},
	        {"7ms", 7, true, true},
	        {"5", 0, false, true},
	        {"m", 0, false, true},
	        {"1.5h", 0, false, true},
	        {"99999999999999999999d", 0, false, true},
	        {"9999999999h", 0, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct text t = {rows[i].text, strlen(rows[i].text)};
		uint64_t ms = 0;
		bool ok = rows[i].span ? policymoment_span(t, &ms) : policymoment_time(t, &ms);
		if (ok != rows[i].ok || ms != rows[i].ms)
			fail_msg("%s: %d, %llu", rows[i].text, ok, (unsigned long long)ms);
	}
}

/* The first case of the file, under the built-in policy. */
static void play(const char *yaml, struct policyjudge *j, struct policycases *f)
{
	struct policyfile p;

	parse(yaml, f);
	assert_int_equal(policyfile_load("test", NULL, &p), 0);
	assert_int_equal(policyjudge_case("test", f, 0, &p, j), 0);
	policyfile_close(&p);
}

static void wrong_in_all(void **state)
{
	struct policyjudge *j = malloc(sizeof *j);
	struct policycases f;

	(void)state;
	assert_non_null(j);
	play(HEAD "  - name: x\n" REQUEST
	          "    expect: {verdict: allow, risk: [0, 1], rules: [by-risk, other], rules_include: [other],\n"
	          "      reasons: [We do not know you, nonsense], challenge: attested, expires: 1m,\n"
	          "      obligations: [a], signals: {new_subject: 2, sensitive_action: 1, mfa: 0}}\n",
	     j, &f);
	assert_string_equal(j->trouble, "");
	assert_int_equal(j->n_wrong, EXPECT_N);
	assert_int_equal(j->wrong[0].what, EXPECT_VERDICT);
	assert_string_equal(j->wrong[0].found, "step_up");
	assert_string_equal(j->wrong[1].expected, "0 to 1");
	assert_string_equal(j->wrong[1].found, "1100");
	assert_string_equal(j->wrong[2].expected, "by-risk, other");
	assert_string_equal(j->wrong[2].found, "by-risk");
	assert_string_equal(j->wrong[4].expected, "\"nonsense\"");
	assert_string_equal(j->wrong[5].found, "possession");
	assert_string_equal(j->wrong[6].found, "300000ms");
	assert_string_equal(j->wrong[7].found, "none");
	assert_string_equal(j->wrong[8].expected, "new_subject 2");
	assert_string_equal(j->wrong[8].found, "new_subject 1");
	policyjudge_close(j);
	policycases_close(&f);
	free(j);
}

static void answers(void **state)
{
	static const struct {
		const char *how;
		unsigned verdict;
		const char *reason;
	} rows[] = {{"good", VERDICT_ALLOW, "the evidence meets"},
	            {"wrong", VERDICT_DENY, "does not verify"},
	            {"late", VERDICT_DENY, "after the challenge's expiry"},
	            {"none", VERDICT_STEP_UP, "new_subject"}};
	struct policyjudge *j = malloc(sizeof *j);

	(void)state;
	assert_non_null(j);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policycases f;
		char yaml[512];
		snprintf(yaml, sizeof yaml,
		         HEAD "  - name: x\n" REQUEST "    answer: %s\n    expect: {reasons: \"%s\"}\n", rows[i].how,
		         rows[i].reason);
		play(yaml, j, &f);
		assert_string_equal(j->trouble, "");
		assert_int_equal(j->found.verdict, rows[i].verdict);
		assert_int_equal(j->n_wrong, 0);
		policyjudge_close(j);
		policycases_close(&f);
	}
	free(j);
}

/* A chain of actors, and the place that a leader would have found: both come out in the entry. */
static void chain_and_place(void **state)
{
	struct policyjudge *j = malloc(sizeof *j);
	struct policycases f;

	(void)state;
	assert_non_null(j);
	play(HEAD "  - name: x\n"
	          "    request:\n"
	          "      subject: user:ada\n"
	          "      actor: [\"agent:a\", \"agent:b\"]\n"
	          "      action: x\n"
	          "      resource: t:i\n"
	          "      context: {ip: 198.51.100.7}\n"
	          "      place: {country: DE, network: 64496, position: \"52.52, -13.4\"}\n"
	          "    expect: {verdict: deny}\n",
	     j, &f);
	assert_string_equal(j->trouble, "");
	assert_int_equal(j->n_wrong, 0);
	const struct decide_out *o = policylab_out(j->lab);
	struct policyrequest r;
	unsigned n;
	assert_int_equal(body_decode(j->fields, &n, o->body, o->body_len), 0);
	assert_int_equal(policyrequest_of_fields(&r, j->fields, n), 0);
	assert_int_equal(r.q.n_via, 1);
	assert_memory_equal(r.q.actor_id.s, "a", 1);
	assert_memory_equal(r.q.via[0].id.s, "b", 1);
	assert_int_equal(r.q.n_context, 1);
	assert_true(r.place.looked);
	assert_memory_equal(r.place.country, "DE", 2);
	assert_int_equal(r.place.network, 64496);
	assert_int_equal(r.place.latitude, 525200);
	assert_int_equal(r.place.longitude, -134000);
	policyjudge_close(j);
	policycases_close(&f);
	free(j);
	refused(HEAD "  - name: x\n    request: {subject: \"u:a\", action: x, resource: \"t:i\", actor: []}\n", 4, 59,
	        "an empty list of actors");
	refused(HEAD
	        "  - name: x\n    request: {subject: \"u:a\", action: x, resource: \"t:i\", place: {country: de}}\n",
	        4, 76, "two capital letters");
	refused(HEAD "  - name: x\n    request: {subject: \"u:a\", action: x, resource: \"t:i\", place: {position: "
	             "\"99,0\"}}\n",
	        4, 78, "in degrees");
}

/* Who is disabled, or acts for whom it may not, is denied: in a case with a history, and with given signals. */
static void people(void **state)
{
	static const char table[] =
	        "version: 1\n"
	        "people:\n"
	        "  - {who: \"user:ada\", groups: [ops, dev]}\n"
	        "  - {who: \"user:bob\", enabled: false}\n"
	        "  - {who: \"agent:a\", owner: \"user:ada\", acts_for: [\"user:ada\", \"group:none\"]}\n"
	        "cases:\n"
	        "  - name: x\n"
	        "    request: {subject: \"user:%s\", actor: \"agent:a\", action: x, resource: \"t:i\"}\n"
	        "%s"
	        "    expect: {reasons: \"%s\"}\n";
	static const struct {
		const char *who, *more, *reason;
		unsigned verdict;
	} rows[] = {
	        {"ada", "", "new_subject", VERDICT_STEP_UP},
	        {"ada", "    signals: {known_device: 1}\n", "known_device", VERDICT_ALLOW},
	        {"bob", "", "disabled", VERDICT_DENY},
	        {"bob", "    signals: {known_device: 1}\n", "disabled", VERDICT_DENY},
	        {"eve", "    signals: {known_device: 1}\n", "may not act", VERDICT_DENY},
	};
	struct policyjudge *j = malloc(sizeof *j);

	(void)state;
	assert_non_null(j);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct policycases f;
		char yaml[1024];
		snprintf(yaml, sizeof yaml, table, rows[i].who, rows[i].more, rows[i].reason);
		play(yaml, j, &f);
		assert_string_equal(j->trouble, "");
		if (j->n_wrong)
			fail_msg("%zu: %s, not %s", i, j->wrong[0].found, j->wrong[0].expected);
		assert_int_equal(j->found.verdict, rows[i].verdict);
		policyjudge_close(j);
		policycases_close(&f);
	}
	free(j);
	refused("version: 1\npeople:\n  - {who: \"agent:a\"}\ncases: []\n", 3, 6, "owner");
	refused("version: 1\npeople:\n  - {who: ada}\ncases: []\n", 3, 11, "TYPE:ID");
	refused("version: 1\npeople:\n  - {who: \"user:a\", enabled: no}\ncases: []\n", 3, 30, "true or false");
}

/* The example of node/POLICY.md is one. */
static void documented(void **state)
{
	const char *srcdir = getenv("srcdir");
	static char page[131072];
	char path[4096];
	struct policycases f;

	(void)state;
	snprintf(path, sizeof path, "%s/node/POLICY.md", srcdir ? srcdir : "..");
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	page[fread(page, 1, sizeof page - 1, file)] = 0;
	fclose(file);
	char *start = strstr(page, "```yaml\nversion: 1\npolicy: policy.yaml");
	assert_non_null(start);
	start += strlen("```yaml\n");
	char *end = strstr(start, "```");
	assert_non_null(end);
	*end = 0;
	parse(start, &f);
	assert_int_equal(f.n_cases, 2);
	policycases_close(&f);
}

/* The same case twice gives the same, down to the entry's bytes. */
static void repeatable(void **state)
{
	static const char yaml[] =
	        HEAD "  - name: x\n" REQUEST "    history:\n"
	             "      - {request: {subject: \"user:ada\", action: deploy, resource: \"model:m\", "
	             "context: {device: d}}, times: 40, every: 7h, answer: good}\n"
	             "    expect: {verdict: step_up, signals: {no_device: 1}}\n";
	struct policyjudge *j = malloc(2 * sizeof *j);
	struct policycases f[2];

	(void)state;
	assert_non_null(j);
	for (unsigned i = 0; i < 2; i++) {
		play(yaml, &j[i], &f[i]);
		assert_string_equal(j[i].trouble, "");
		assert_int_equal(j[i].n_wrong, 0);
	}
	const struct decide_out *a = policylab_out(j[0].lab), *b = policylab_out(j[1].lab);
	assert_true(hash_equal(&a->leaf_hash, &b->leaf_hash));
	for (unsigned i = 0; i < 2; i++) {
		policyjudge_close(&j[i]);
		policycases_close(&f[i]);
	}
	free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(whole_file),      cmocka_unit_test(refusals), cmocka_unit_test(moments),
	        cmocka_unit_test(wrong_in_all),    cmocka_unit_test(answers),  cmocka_unit_test(repeatable),
	        cmocka_unit_test(chain_and_place), cmocka_unit_test(people),   cmocka_unit_test(documented),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
