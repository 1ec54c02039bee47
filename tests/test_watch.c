/* Tests of what countersign watch takes for an alert, filters by, and counts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "client/tool/alert.h"
#include "client/tool/tool.h"
#include "client/tool/watchcount.h"
#include "client/tool/watchfilter.h"
#include "ledger/bytes.h"
#include "node/decide/decide.h"

/* The tool's own says it on stderr. */
int tool_fail(int code, const char *command, const char *format, ...)
{
	(void)command;
	(void)format;
	return code;
}

bool tool_parse_index(const char *text, uint64_t *ret)
{
	return sscanf(text, "%lu", ret) == 1;
}

struct made {
	struct entryview v;
	uint8_t public_[256], rules[64], subject[128];
};

/* An entry as entryview_open gives it. refers: what stands behind the six of a decision; 0: nothing. */
static const struct entryview *make(struct made *m, unsigned kind, uint64_t index, int verdict, int32_t risk,
                                    uint64_t refers, unsigned outcome)
{
	struct writer w;
	size_t len;

	memset(m, 0, sizeof(*m));
	writer_init(&w, m->public_, sizeof(m->public_));
	writer_array(&w, refers ? 8 : 6);
	writer_uint(&w, (uint64_t)verdict);
	for (unsigned i = 1; i < 6; i++)
		writer_nil(&w);
	if (refers) {
		writer_uint(&w, refers);
		writer_uint(&w, outcome);
	}
	assert_int_equal(writer_end(&w, &len), 0);
	m->v.entry = (struct entry){
	        .index = index, .kind = kind, .time_ms = 1000000, .public_ = m->public_, .public_len = len};
	m->v.verdict = verdict;
	m->v.risk = risk;
	writer_init(&w, m->rules, sizeof(m->rules));
	writer_array(&w, 2);
	writer_str(&w, "by-risk", 7);
	writer_str(&w, "deploy", 6);
	assert_int_equal(writer_end(&w, &m->v.rules_len), 0);
	m->v.rules = m->rules;
	writer_init(&w, m->subject, sizeof(m->subject));
	writer_array(&w, 2);
	writer_str(&w, "user", 4);
	writer_str(&w, "ada", 3);
	assert_int_equal(writer_end(&w, &len), 0);
	m->v.fields[0] = (struct field){.kind = FIELD_SUBJECT, .value = m->subject, .value_len = len};
	m->v.n_fields = 1;
	m->v.opened = true;
	return &m->v;
}

static void alert_is(const struct entryview *v, const char *text, bool loud)
{
	struct alert a = {0};

	assert_int_equal(alert_of(v, ALERT_RISK_DEFAULT, &a), text != NULL);
	if (text == NULL)
		return;
	assert_string_equal(a.text, text);
	assert_int_equal(a.loud, loud);
}

static void test_alerts(void **state)
{
	struct made m;

	(void)state;
	alert_is(make(&m, ENTRY_DECISION, 1, CS_ALLOW, 5000, 0, 0), NULL, false);
	alert_is(make(&m, ENTRY_DECISION, 1, CS_DENY, ALERT_RISK_DEFAULT - 1, 0, 0), NULL, false);
	alert_is(make(&m, ENTRY_DECISION, 1, CS_DENY, ALERT_RISK_DEFAULT, 0, 0), "deny at high risk", true);
	alert_is(make(&m, ENTRY_IMPORTED, 1, CS_DENY, 9000, 0, 0), NULL, false);
	alert_is(make(&m, ENTRY_ANSWER, 2, CS_ALLOW, 0, 1, ANSWER_MET), NULL, false);
	alert_is(make(&m, ENTRY_ANSWER, 2, CS_DENY, 0, 1, ANSWER_FAILED), "failed answer", true);
	alert_is(make(&m, ENTRY_ANSWER, 2, CS_DENY, 0, 1, ANSWER_LATE), "late answer", true);
	alert_is(make(&m, ENTRY_ENROLLED, 2, 0, 0, 0, 0), "principal enrolled", false);
	alert_is(make(&m, ENTRY_MEMBER, 2, 0, 0, 0, 0), "membership changed", false);
	alert_is(make(&m, ENTRY_TICK, 2, 0, 0, 0, 0), NULL, false);
	alert_is(make(&m, 250, 2, 0, 0, 0, 0), "a kind that this build does not know", false);
}

static bool passes(struct watchfilter f, const struct entryview *v)
{
	assert_int_equal(watchfilter_parse("watch", &f), 0);
	return watchfilter_passes(&f, v, false);
}

#define LIST(...)                                                                                                      \
	{                                                                                                              \
		.n = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), .items = { __VA_ARGS__ }                  \
	}

static void test_filters(void **state)
{
	struct made m;
	const struct entryview *v = make(&m, ENTRY_DECISION, 1, CS_STEP_UP, -5, 0, 0);

	(void)state;
	assert_true(passes((struct watchfilter){0}, v));
	assert_true(passes((struct watchfilter){.verdicts = LIST("deny", "step_up")}, v));
	assert_false(passes((struct watchfilter){.verdicts = LIST("deny", "allow")}, v));
	assert_true(passes((struct watchfilter){.min_risk_text = "-5"}, v));
	assert_false(passes((struct watchfilter){.min_risk_text = "-4"}, v));
	assert_true(passes((struct watchfilter){.subjects = LIST("user:bob", "user:a*")}, v));
	assert_false(passes((struct watchfilter){.subjects = LIST("user:a")}, v));
	assert_false(passes((struct watchfilter){.actions = LIST("*")}, v)); /* It has none that is open. */
	assert_true(passes((struct watchfilter){.rules = LIST("deploy")}, v));
	assert_false(passes((struct watchfilter){.rules = LIST("deplo", "deploys")}, v));
	assert_true(passes((struct watchfilter){.kinds = LIST("policy-set", "decision")}, v));
	assert_true(passes((struct watchfilter){.kinds = LIST("2")}, v));
	assert_false(passes((struct watchfilter){.kinds = LIST("imported")}, v));
	assert_false(passes((struct watchfilter){.alerts = true}, v));
	assert_false(passes((struct watchfilter){.kinds = LIST("decision"), .rules = LIST("x")}, v));

	struct watchfilter bad = {.verdicts = LIST("maybe")};
	assert_int_equal(watchfilter_parse("watch", &bad), EXIT_USAGE);
	bad = (struct watchfilter){.kinds = LIST("256")};
	assert_int_equal(watchfilter_parse("watch", &bad), EXIT_USAGE);
	bad = (struct watchfilter){.min_risk_text = "1x"};
	assert_int_equal(watchfilter_parse("watch", &bad), EXIT_USAGE);
}

static struct watchcount counts;

static void counts_are(uint64_t clock_ms, uint64_t now_ms, const char *expected)
{
	char text[WATCHCOUNT_TEXT_SIZE];

	watchcount_text(&counts, clock_ms, now_ms, text);
	assert_string_equal(text, expected);
}

static void test_counts(void **state)
{
	struct made m;

	(void)state;
	watchcount_init(&counts, 500000);
	counts_are(500000, 1000000, "0.0/s  allow 0  step_up 0  defer 0  deny 0  waiting 0  challenges 0  alerts 0");
	watchcount_add(&counts, make(&m, ENTRY_DECISION, 1, CS_STEP_UP, 0, 0, 0), false, 500000);
	watchcount_add(&counts, make(&m, ENTRY_DECISION, 2, CS_STEP_UP, 0, 0, 0), false, 501000);
	watchcount_add(&counts, make(&m, ENTRY_DECISION, 3, CS_DEFER, 0, 0, 0), false, 501000);
	counts_are(501000, 1000000, "1.5/s  allow 0  step_up 2  defer 1  deny 0  waiting 1  challenges 2  alerts 0");
	watchcount_add(&counts, make(&m, ENTRY_ANSWER, 4, CS_DENY, 0, 1, ANSWER_FAILED), true, 501000);
	counts_are(501000, 1000000, "2.0/s  allow 0  step_up 2  defer 1  deny 1  waiting 1  challenges 1  alerts 1");
	/* Entries of ten seconds count; a challenge whose expiry is not known is open ten minutes. */
	counts_are(510500, 1000000, "0.3/s  allow 0  step_up 2  defer 1  deny 1  waiting 1  challenges 1  alerts 1");
	counts_are(511500, 1600000, "0.0/s  allow 0  step_up 2  defer 1  deny 1  waiting 1  challenges 1  alerts 1");
	counts_are(511500, 1600001, "0.0/s  allow 0  step_up 2  defer 1  deny 1  waiting 1  challenges 0  alerts 1");
}

static void test_open_requests_are_bounded(void **state)
{
	struct made m;
	char text[WATCHCOUNT_TEXT_SIZE];

	(void)state;
	watchcount_init(&counts, 0);
	for (uint64_t i = 1; i <= WATCHCOUNT_OPEN_MAX + 5; i++)
		watchcount_add(&counts, make(&m, ENTRY_DECISION, i, CS_STEP_UP, 0, 0, 0), false, 0);
	assert_int_equal(counts.challenges.n, WATCHCOUNT_OPEN_MAX);
	assert_int_equal(counts.challenges.rows[0].index, 6);
	watchcount_text(&counts, 0, 0, text);
	assert_non_null(strstr(text, "+"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_alerts),
	        cmocka_unit_test(test_filters),
	        cmocka_unit_test(test_counts),
	        cmocka_unit_test(test_open_requests_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
