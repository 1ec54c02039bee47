/* countersign policy test: plays a file of cases under a policy, and reports. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policytest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/policyjudge.h"
#include "client/tool/policylint.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "policy test",
        .arguments = "CASES",
        .about =
                "Plays the cases of a YAML file under a policy, here, without asking the cluster, and says where what "
                "is\n"
                "decided is not what the case expects. The policy is that of --policy, or the one that the file names, "
                "or\n"
                "the built-in one. node/POLICY.md explains the form of CASES.\n",
        .exits = "  0  all cases came out as expected\n  1  some did not\n  2  some could not be "
                 "played\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

int policytest_load(const char *command, const char *path, struct policytest *ret)
{
	struct policytest t = {.path = path};
	struct policy_error where;
	size_t size;
	int err = files_read(path, POLICYCASES_SIZE_MAX, &t.yaml, &size);

	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err));
	err = policycases_parse(t.yaml, size, &t.cases, &where);
	if (err) {
		int code = policylint_fail(command, path, t.yaml, size, &where);
		free(t.yaml);
		return code;
	}
	*ret = t;
	return 0;
}

void policytest_close(struct policytest *t)
{
	policycases_close(&t->cases);
	free(t->yaml);
}

/* The path in the file is meant from the file's own folder. */
static bool policy_path(const struct policytest *t, char ret[FILES_PATH_SIZE])
{
	const struct text p = t->cases.policy;
	const char *slash = strrchr(t->path, '/');
	int dir = slash && p.s[0] != '/' ? (int)(slash + 1 - t->path) : 0;

	return (size_t)snprintf(ret, FILES_PATH_SIZE, "%.*s%.*s", dir, t->path, (int)p.len, p.s) < FILES_PATH_SIZE;
}

/* --- the report --- */

static void print_found(const struct policyjudge *j)
{
	printf("    decided: %s, risk %" PRId32 " (%.1f %%)", verdict_text(j->found.verdict), j->found.risk,
	       100 * text_probability(j->found.risk));
	for (unsigned i = 0; i < j->found.n_rules; i++)
		printf("%s%.*s", i ? ", " : "; rules ", (int)j->found.rules[i].len, j->found.rules[i].s);
	for (unsigned i = 0; i < j->found.n_signals; i++)
		printf("%s%s %+" PRId64, i ? ", " : "; signals ", signal_key(j->found.signals[i].id),
		       j->found.signals[i].weight);
	putchar('\n');
	for (unsigned i = 0; i < j->found.n_reasons; i++) {
		char reason[POLICY_TEXT_SIZE_MAX + 8];
		const struct text t = j->found.reasons[i].admin;
		text_safe(t.s, t.len, reason, sizeof reason);
		if (t.len)
			printf("    reason: %s\n", reason);
	}
}

static const char *outcome_words(const struct policyjudge *j)
{
	return *j->trouble ? "could not be played" : j->n_wrong ? "not as expected" : "ok";
}

static void print_case(const struct policytest *t, const struct policycase *k, const struct policyjudge *j)
{
	bool ok = !*j->trouble && !j->n_wrong;
	char name[256];

	text_safe(k->name.s, k->name.len, name, sizeof name);
	printf("%s%s%s  %s\n", text_on(stdout, ok ? TINT_GREEN : TINT_RED), ok ? "ok    " : "FAILED", text_off(stdout),
	       name);
	if (ok)
		return;
	if (*j->trouble) {
		printf("    %s:%u: %s\n", t->path, j->trouble_line, j->trouble);
		return;
	}
	for (unsigned i = 0; i < j->n_wrong; i++)
		printf("    %s:%u: %s: expected %s, decided %s\n", t->path, k->lines[j->wrong[i].what],
		       policycase_expect_keys[j->wrong[i].what], j->wrong[i].expected, j->wrong[i].found);
	print_found(j);
}

/* Test Anything Protocol, version 13, with what is wrong as comments. */
static void print_tap(const struct policytest *t, unsigned n, const struct policycase *k, const struct policyjudge *j)
{
	char name[256];

	text_safe(k->name.s, k->name.len, name, sizeof name);
	for (char *c = name; *c; c++)
		if (*c == '#')
			*c = ' '; /* Would begin a directive. */
	printf("%s %u - %s\n", *j->trouble || j->n_wrong ? "not ok" : "ok", n + 1, name);
	if (*j->trouble)
		printf("# %s:%u: %s\n", t->path, j->trouble_line, j->trouble);
	for (unsigned i = 0; i < j->n_wrong; i++)
		printf("# %s:%u: %s: expected %s, decided %s\n", t->path, k->lines[j->wrong[i].what],
		       policycase_expect_keys[j->wrong[i].what], j->wrong[i].expected, j->wrong[i].found);
}

static json_t *found_json(const struct policyresult *f)
{
	json_t *rules = json_array(), *signals = json_object();

	for (unsigned i = 0; i < f->n_rules; i++)
		json_array_append_new(rules, json_stringn(f->rules[i].s, f->rules[i].len));
	for (unsigned i = 0; i < f->n_signals; i++)
		json_object_set_new(signals, signal_key(f->signals[i].id),
		                    json_pack("{s:I, s:I}", "value", (json_int_t)f->signals[i].value, "weight",
		                              (json_int_t)f->signals[i].weight));
	return json_pack("{s:s, s:i, s:o, s:o}", "verdict", verdict_text(f->verdict), "risk", (int)f->risk, "rules",
	                 rules, "signals", signals);
}

static json_t *case_json(const struct policycase *k, const struct policyjudge *j)
{
	json_t *wrong = json_array(), *o;

	for (unsigned i = 0; i < j->n_wrong; i++)
		json_array_append_new(wrong, json_pack("{s:s, s:i, s:s, s:s}", "what",
		                                       policycase_expect_keys[j->wrong[i].what], "line",
		                                       (int)k->lines[j->wrong[i].what], "expected",
		                                       j->wrong[i].expected, "decided", j->wrong[i].found));
	o = json_pack("{s:o, s:i, s:s, s:o}", "name", json_stringn(k->name.s, k->name.len), "line", (int)k->line,
	              "outcome", outcome_words(j), "wrong", wrong);
	if (*j->trouble) {
		json_object_set_new(o, "trouble", json_string(j->trouble));
		json_object_set_new(o, "trouble_line", json_integer(j->trouble_line));
	} else {
		json_object_set_new(o, "decided", found_json(&j->found));
	}
	return o;
}

/* --- running --- */

static void report(const struct policytest *t, unsigned n, const struct policyjudge *j, enum policytest_form form,
                   json_t *list)
{
	const struct policycase *k = &t->cases.cases[n];

	if (form == POLICYTEST_JSON)
		json_array_append_new(list, case_json(k, j));
	else if (form == POLICYTEST_TAP)
		print_tap(t, n, k, j);
	else if (form == POLICYTEST_TEXT)
		print_case(t, k, j);
}

static int summary(const char *command, const struct policytest *t, const struct policytest_count *c,
                   enum policytest_form form, const char *policy_name, json_t *list)
{
	if (form == POLICYTEST_TEXT)
		printf("%u of %u cases as expected under %s%s", c->passed, t->cases.n_cases, policy_name,
		       c->failed || c->troubled ? "" : "\n");
	if (form == POLICYTEST_TEXT && (c->failed || c->troubled))
		printf(": %u not, %u could not be played\n", c->failed, c->troubled);
	if (form == POLICYTEST_JSON)
		return result_dump(command,
		                   json_pack("{s:s, s:s, s:i, s:i, s:i, s:o}", "file", t->path, "policy", policy_name,
		                             "passed", (int)c->passed, "failed", (int)c->failed, "troubled",
		                             (int)c->troubled, "cases", list),
		                   true);
	return 0;
}

int policytest_play(const char *command, const struct policytest *t, const struct policyfile *p,
                    const char *policy_name, enum policytest_form form)
{
	struct policyjudge *j = malloc(sizeof *j);
	struct policytest_count count = {0};
	json_t *list = form == POLICYTEST_JSON ? json_array() : NULL;
	int code = j ? 0 : tool_fail(EXIT_LOCAL, command, "out of memory");

	if (form == POLICYTEST_TAP)
		printf("TAP version 13\n1..%u\n", t->cases.n_cases);
	for (unsigned i = 0; i < t->cases.n_cases && !code; i++) {
		code = policyjudge_case(command, &t->cases, i, p, j);
		if (code)
			break;
		report(t, i, j, form, list);
		count.troubled += *j->trouble != 0;
		count.failed += !*j->trouble && j->n_wrong;
		count.passed += !*j->trouble && !j->n_wrong;
		policyjudge_close(j);
	}
	free(j);
	if (!code)
		code = summary(command, t, &count, form, policy_name, list);
	else
		json_decref(list);
	return code ? code : count.troubled ? 2 : count.failed ? 1 : 0;
}

int policytest_run(int argc, char **argv)
{
	const char *policy = NULL;
	bool json = false, tap = false;
	const struct option options[] = {
	        {"policy", OPTION_TEXT, &policy, "FILE", "the policy (default: the one that CASES names)", 0, 0},
	        {"tap", OPTION_FLAG, &tap, NULL, "in the Test Anything Protocol", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	char path[FILES_PATH_SIZE];
	struct policytest t;
	struct policyfile p;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (json && tap)
		return tool_fail(EXIT_USAGE, usage.command, "give --json or --tap");
	code = policytest_load(usage.command, argv[0], &t);
	if (code)
		return code;
	if (!policy && t.cases.policy.len) {
		if (!policy_path(&t, path))
			code = tool_fail(EXIT_USAGE, usage.command, "%s: the policy's path is too long", t.path);
		policy = path;
	}
	if (!code)
		code = policyfile_load(usage.command, policy, &p);
	if (!code) {
		code = policytest_play(usage.command, &t, &p, policy ? policy : "the built-in policy",
		                       json  ? POLICYTEST_JSON
		                       : tap ? POLICYTEST_TAP
		                             : POLICYTEST_TEXT);
		policyfile_close(&p);
	}
	policytest_close(&t);
	return code;
}
