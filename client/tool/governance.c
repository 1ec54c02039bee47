/* countersign governance: how many administrators an order takes, and changing that. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define THRESHOLDS_MAX 8

static const struct usage show_usage = {
        .command = "governance show",
        .arguments = "",
        .about = "Shows who administers, and how many of them must sign an order of each class. Making or ending\n"
                 "administrators and approvers, and changing governance, takes as many as the largest of all.\n",
        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
};

static void print(const json_t *j)
{
	static const char *const heads[] = {"ORDERS", "SIGNATURES"};
	json_t *thresholds = json_object_get(j, "thresholds"), *k, *one;
	json_int_t most = 1, n = json_integer_value(json_object_get(j, "administrators"));
	const char *class;
	struct table t;
	size_t i;

	table_init(&t, 2, heads, 1u << 1);
	json_object_foreach(thresholds, class, k)
	{
		table_cell(&t, TINT_NONE, "%s", class);
		table_cell(&t, TINT_NONE, "%lld of %lld", json_integer_value(k), n);
		most = json_integer_value(k) > most ? json_integer_value(k) : most;
	}
	table_print(&t, stdout);
	table_close(&t);
	printf("\nadministrators:");
	json_array_foreach(json_object_get(j, "names"), i, one) printf("%s %s", i ? "," : "", json_string_value(one));
	printf("\nversion %lld\n", json_integer_value(json_object_get(j, "version")));
	if (most == 1)
		fprintf(stderr,
		        "warning: governance is \"single\": one administrator's key alone can change every rule\n");
}

static int show_governance_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	char *text;
	unsigned n;
	int err, code = options_parse(&show_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open_newest(show_usage.command, &access, &client);
	if (code)
		return code;
	err = cs_governance(client, &text);
	if (err) {
		code = tool_failed_call(show_usage.command, "governance", err);
	} else {
		json_t *j = json_loads(text, 0, NULL);
		if (json)
			puts(text);
		else
			print(j);
		json_decref(j);
		free(text);
	}
	cs_close(client);
	return code;
}

static const struct usage set_usage = {
        .command = "governance set",
        .arguments = "CLASS=K...",
        .about =
                "Sets how many administrators must sign: orders of a class (policy, enrolment, people, members,\n"
                "features, governance), or all=K. What is not named stays. It takes as many signatures as the largest\n"
                "threshold of before and after, and voids every order that was signed before.\n",
        .exits = "  0  in force\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = THRESHOLDS_MAX,
};

/* "policy=2" */
static bool parse(char *text, struct cs_threshold *ret)
{
	char *equals = strchr(text, '=');
	uint64_t k;

	if (!equals || equals == text || !tool_parse_index(equals + 1, &k) || k > 255)
		return false;
	*equals = 0;
	*ret = (struct cs_threshold){text, (unsigned)k};
	return true;
}

static int set_governance_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct cs_threshold thresholds[THRESHOLDS_MAX];
	bool json = false;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	cs_client *client;
	unsigned n;
	int err, code = options_parse(&set_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	for (unsigned i = 0; i < n; i++)
		if (!parse(argv[i], &thresholds[i]))
			return tool_fail(EXIT_USAGE, set_usage.command, "\"%s\" is not CLASS=K", argv[i]);
	code = tool_open(set_usage.command, &access, 0, &client);
	if (code)
		return code;
	err = cs_governance_set(client, thresholds, n, &result);
	if (err)
		code = tool_failed_call(set_usage.command, "the thresholds", err);
	else if (json)
		code = result_dump(set_usage.command, result_json(result), true);
	else
		result_print_done(result, "governance");
	cs_result_free(result);
	cs_close(client);
	return code;
}

int governance_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"show", "who administers, and how many of them an order takes", show_governance_run},
	        {"set", "change how many it takes", set_governance_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("governance", commands, argc, argv);
}
