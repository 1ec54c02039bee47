/* An audit's report as text for a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/audit.h"
#include "client/tool/text.h"

#define CHANGES_SHOWN 12 /* Of each sort; the page and the JSON have more. */

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int64_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_checks(const json_t *report)
{
	const json_t *lines = json_object_get(report, "checks");
	size_t i;
	json_t *line;

	json_array_foreach(lines, i, line)
	{
		const char *mark = word(line, "mark");

		printf("%s%-12s%s %s\n",
		       text_on(stdout, !strcmp(mark, "bad")    ? TINT_RED
		                       : !strcmp(mark, "held") ? TINT_NONE
		                                               : TINT_YELLOW),
		       mark, text_off(stdout), word(line, "text"));
	}
}

static void print_verdicts(const char *what, const json_t *o)
{
	printf("%-12s %" PRId64 " allow, %" PRId64 " step_up, %" PRId64 " defer, %" PRId64 " deny\n", what,
	       num(o, "allow"), num(o, "step_up"), num(o, "defer"), num(o, "deny"));
}

static void print_steps(const json_t *o)
{
	size_t i;
	json_t *m;

	if (num(o, "challenges"))
		printf("%-12s %" PRId64 " challenges, %" PRId64 " answered, %" PRId64 " not\n", "step-ups",
		       num(o, "challenges"), num(o, "answered"), num(o, "unanswered"));
	json_array_foreach(json_object_get(o, "methods"), i, m)
	        printf("%-12s %s: %" PRId64 " met, %" PRId64 " failed, %" PRId64 " late\n", "", word(m, "method"),
	               num(m, "met"), num(m, "failed"), num(m, "late"));
}

static void print_most(const json_t *facts)
{
	const json_t *subjects = json_object_get(json_object_get(facts, "subjects"), "riskiest");
	char text[TEXT_TIME_SIZE];
	size_t i;
	json_t *o;

	json_array_foreach(subjects, i, o)
	        printf("%-12s %s: risk up to %" PRId64 ", %" PRId64 " decisions, %" PRId64 " denied\n",
	               i ? "" : "riskiest", word(o, "subject"), num(o, "risk_max"), num(o, "decisions"),
	               num(json_object_get(o, "verdicts"), "deny"));
	json_array_foreach(json_object_get(facts, "slowest"), i, o) if (i < 3)
	        printf("%-12s %.1f s from challenge %" PRId64 " to answer %" PRId64 " (%s)\n", i ? "" : "slowest",
	               (double)num(o, "ms") / 1000, num(o, "challenge"), num(o, "answer"), word(o, "outcome"));
	json_array_foreach(json_object_get(facts, "gaps"), i, o)
	{
		text_time((uint64_t)num(o, "from_ms"), text);
		if (i < 3)
			printf("%-12s %.1f s without an entry from %s on, before entry %" PRId64 "\n", i ? "" : "gaps",
			       (double)num(o, "ms") / 1000, text, num(o, "before_entry"));
	}
}

static void print_changes(const json_t *facts)
{
	size_t i, k;
	json_t *sort, *e;

	json_array_foreach(json_object_get(facts, "changes"), i, sort)
	{
		bool loud = !strcmp(word(sort, "sort"), "break_glass") || !strcmp(word(sort, "sort"), "unknown");

		if (num(sort, "count"))
			printf("%s%s: %" PRId64 "%s\n", text_on(stdout, loud ? TINT_RED : TINT_BOLD),
			       word(sort, "title"), num(sort, "count"), text_off(stdout));
		json_array_foreach(json_object_get(sort, "entries"), k, e) if (k < CHANGES_SHOWN)
		        printf("  %-10" PRId64 " %s\n", num(e, "index"), word(e, "text"));
		if (num(sort, "count") > CHANGES_SHOWN)
			printf("  … and %" PRId64 " more\n", num(sort, "count") - CHANGES_SHOWN);
	}
}

static void print_private(const json_t *o)
{
	const char *name;
	json_t *n;

	printf("%-12s %" PRId64 " of %" PRId64 " opened, each held against its commitment\n", "fields",
	       num(o, "opened"), num(o, "fields"));
	if (!num(o, "not_read"))
		return;
	printf("%-12s %s%" PRId64 " fields (erased, or not open to this key):%s", "not read",
	       text_on(stdout, TINT_YELLOW), num(o, "not_read"), text_off(stdout));
	json_object_foreach(json_object_get(o, "by_field"), name, n)
	        printf(" %s %" JSON_INTEGER_FORMAT, name, json_integer_value(n));
	putchar('\n');
}

void auditreport_print(const json_t *report)
{
	static const enum text_tint tints[] = {TINT_GREEN, TINT_RED, TINT_YELLOW};
	const json_t *facts = json_object_get(report, "facts"), *state = json_object_get(report, "state");
	int64_t status = num(report, "status");

	printf("%-12s %s\n%-12s %s\n", "ledger", word(report, "origin"), "trusted", word(report, "trust"));
	print_checks(report);
	if (num(facts, "entries")) {
		printf("%-12s %" PRId64 ", from %" PRId64 " on\n", "entries read", num(facts, "entries"),
		       num(facts, "from"));
		print_verdicts("decisions", json_object_get(facts, "verdicts"));
		print_steps(json_object_get(facts, "step_ups"));
		print_most(facts);
		print_changes(facts);
		print_private(json_object_get(facts, "private"));
	}
	printf("%-12s %s\n", "governance", word(report, "governance"));
	if (!strcmp(word(report, "governance"), "single"))
		printf("%-12s %sONE administrator alone changes policy, people and members%s\n", "",
		       text_on(stdout, TINT_YELLOW), text_off(stdout));
	if (status != AUDIT_ALARM)
		printf("%-12s %s, %" PRId64 " entries\n", "root", word(state, "root"), num(state, "size"));
	if (*word(report, "expected"))
		printf("%-12s %s\n%-12s %s\n", "expected", word(report, "expected"), "found", word(report, "found"));
	printf("%s%s%s: %s\n", text_on(stdout, tints[status]),
	       status == AUDIT_ALARM ? "ALARM" : word(report, "outcome"), text_off(stdout), word(report, "reason"));
}
