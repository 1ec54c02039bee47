/* countersign policy eval: the value of a CEL expression, as a policy's conditions would see it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/tool/files.h"
#include "client/tool/policycommands.h"
#include "client/tool/policylint.h"
#include "client/tool/policymoment.h"
#include "client/tool/policyrequest.h"
#include "client/tool/request.h"
#include "client/tool/tool.h"
#include "node/decide/cel/cel_text.h"

#define VALUE_SIZE 131072 /* More than an evaluation has room for. */

static const struct usage usage = {
        .command = "policy eval",
        .arguments = "EXPRESSION",
        .about = "Prints the value of a CEL expression in CEL's own syntax, or \"error: ...\". It sees what a "
                 "condition (`when`) of\n"
                 "a policy sees: subject, actor, action, resource, context, signals, risk, groups, imported, now and "
                 "request. The\n"
                 "request is that of a YAML or JSON file (as in a file of cases), or empty but for --context.\n",
        .exits = "  0  a value\n  1  it cannot be evaluated\n  2  it does not compile\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

struct asked {
	const char *request_path, *at;
	struct option_list context, groups, signals;
	uint64_t risk;
	bool imported, unchecked;
};

/* What the variables are made of; texts point into argv and into the file's document. */
struct given {
	struct policyrequest file;
	struct request_owned owned;
	struct signal_list signals;
	struct text groups[OPTION_LIST_MAX];
	struct cel_request variables;
	char *source;
	struct fy_document *document;
	struct policy *scratch;
};

static void given_free(struct given *g)
{
	if (!g)
		return;
	fy_document_destroy(g->document);
	free(g->source);
	free(g->scratch);
	free(g);
}

static int read_file(const char *path, struct given *g)
{
	struct policy_error where = {0};
	struct compile c = {.error = &where};
	size_t size;
	int err = files_read(path, POLICY_SOURCE_SIZE_MAX, &g->source, &size);

	if (err)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, strerror(err));
	c.p = g->scratch = calloc(1, sizeof *g->scratch);
	if (!c.p)
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	if (!yaml_document(g->source, size, &g->document, &where) &&
	    !policyrequest_read(&c, fy_document_root(g->document), fy_document_root(g->document), &g->file))
		return 0;
	return policylint_fail(usage.command, path, g->source, size, &where);
}

static int compare_names(const void *a, const void *b)
{
	const struct named_value *x = a, *y = b;

	return strcmp(x->name.s, y->name.s);
}

/* --context in place of the file's. */
static int take_context(const struct option_list *list, struct given *g)
{
	struct request *q = &g->file.q;
	int code = list->n ? request_parse_context(usage.command, list, &g->owned) : 0;

	for (unsigned i = 0; !code && i < list->n; i++) {
		const struct cs_attribute *a = &g->owned.attributes[i];
		struct named_value *v = &q->context[i];
		*v = (struct named_value){.name = {a->name, strlen(a->name)}};
		v->type = a->type == CS_STRING ? VALUE_STR : a->type == CS_BOOLEAN ? VALUE_BOOL : VALUE_INT;
		v->integer = a->integer;
		if (a->type == CS_STRING)
			v->str = (struct text){a->string, strlen(a->string)};
	}
	if (list->n && !code) {
		q->n_context = list->n;
		qsort(q->context, list->n, sizeof *q->context, compare_names);
	}
	return code;
}

static int take_signal(const char *word, struct signal_list *ret)
{
	const char *equals = strchr(word, '=');
	char *end = NULL;
	long value = equals ? strtol(equals + 1, &end, 10) : 0;

	if (!equals || end == equals + 1 || *end || value < INT32_MIN || value > INT32_MAX)
		return tool_fail(EXIT_USAGE, usage.command, "option --signal: \"%s\" is not NAME=NUMBER", word);
	for (unsigned id = 1; id <= SIGNAL_MAX; id++)
		if (signal_key(id) && strlen(signal_key(id)) == (size_t)(equals - word) &&
		    !memcmp(signal_key(id), word, (size_t)(equals - word))) {
			ret->s[ret->n++] = (struct signal_value){.id = id, .value = (int32_t)value};
			return 0;
		}
	return tool_fail(EXIT_USAGE, usage.command, "option --signal: there is no signal \"%.*s\"",
	                 (int)(equals - word), word);
}

static int take_all(const struct asked *a, struct given *g)
{
	uint64_t now_ms = (uint64_t)time(NULL) * 1000;
	int code = a->request_path ? read_file(a->request_path, g) : 0;

	if (!code)
		code = take_context(&a->context, g);
	for (unsigned i = 0; !code && i < a->signals.n; i++)
		code = take_signal(a->signals.items[i], &g->signals);
	if (!code && a->at && !policymoment_time((struct text){a->at, strlen(a->at)}, &now_ms))
		code = tool_fail(EXIT_USAGE, usage.command, "option --at: \"%s\" is no time: 2026-01-05T09:00:00Z",
		                 a->at);
	for (unsigned i = 0; i < a->groups.n; i++)
		g->groups[i] = (struct text){a->groups.items[i], strlen(a->groups.items[i])};
	g->variables = (struct cel_request){.request = &g->file.q,
	                                    .signals = &g->signals,
	                                    .risk = (int32_t)a->risk,
	                                    .now_ms = now_ms,
	                                    .imported = a->imported,
	                                    .groups = g->groups,
	                                    .n_groups = a->groups.n};
	return code;
}

int policyeval_run(int argc, char **argv)
{
	static char text[VALUE_SIZE];
	struct asked a = {0};
	const struct option options[] = {
	        {"request", OPTION_TEXT, &a.request_path, "FILE", "the request: subject, action, resource, ...", 0, 0},
	        {"context", OPTION_LIST, &a.context, "NAME=VALUE",
	         "a text; NAME:=VALUE a whole number, true or false; in place of the file's", 0, 0},
	        {"signal", OPTION_LIST, &a.signals, "NAME=NUMBER", "a signal; the others are 0", 0, 0},
	        {"group", OPTION_LIST, &a.groups, "NAME", "a group of the subject", 0, 0},
	        {"risk", OPTION_NUMBER, &a.risk, "N", "of bias and signals, in milli-logits", 0, POLICY_RISK_MAX},
	        {"at", OPTION_TEXT, &a.at, "TIME", "what now is (default: this moment)", 0, 0},
	        {"imported", OPTION_FLAG, &a.imported, NULL, "the request comes from an import", 0, 0},
	        {"unchecked", OPTION_FLAG, &a.unchecked, NULL, "types are only checked as it is evaluated", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0}};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	struct given *g = calloc(1, sizeof *g);
	if (!g)
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	code = take_all(&a, g);
	if (!code) {
		enum cel_outcome o = cel_eval_text(argv[0], NULL, 0, &g->variables, a.unchecked ? CEL_UNCHECKED : 0,
		                                   text, sizeof text);
		printf("%s%s\n", o == CEL_OUTCOME_VALUE ? "" : "error: ", text);
		code = (int)o;
	}
	given_free(g);
	return code;
}
