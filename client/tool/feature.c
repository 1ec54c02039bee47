/* countersign feature: what the members' builds can, and switching it on for all of them at one entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

static const struct usage list_usage = {
        .command = "feature list",
        .arguments = "",
        .about =
                "Shows the features that the leader's build has, from which entry on each is switched on, and which\n"
                "build each member runs. A member without a build is not heard, or its build is older than features.\n",
        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
};

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static bool has(const json_t *member, const char *feature)
{
	const json_t *list = json_object_get(member, "features"), *one;
	size_t i;

	json_array_foreach(list, i, one) if (!strcmp(json_string_value(one), feature)) return true;
	return false;
}

/* "3 of 3" */
static void count(const json_t *members, const char *feature, char ret[32])
{
	const json_t *m;
	unsigned n = 0;
	size_t i;

	json_array_foreach(members, i, m) n += has(m, feature);
	snprintf(ret, 32, "%u of %zu", n, json_array_size(members));
}

static void print(const json_t *j)
{
	static const char *const heads[] = {"FEATURE", "SINCE ENTRY", "HAVE IT", "WHAT"};
	static const char *const builds[] = {"NODE", "BUILD"};
	const json_t *members = json_object_get(j, "members"), *o;
	char have[32];
	struct table t;
	size_t i;

	table_init(&t, 4, heads, 1u << 1);
	json_array_foreach(json_object_get(j, "features"), i, o)
	{
		const json_t *since = json_object_get(o, "since");
		count(members, text_of(o, "name"), have);
		table_cell(&t, TINT_NONE, "%s", text_of(o, "name"));
		if (json_is_integer(since))
			table_cell(&t, TINT_GREEN, "%lld", json_integer_value(since));
		else
			table_cell(&t, TINT_DIM, "off");
		table_cell(&t, TINT_NONE, "%s", have);
		table_cell(&t, TINT_NONE, "%s", text_of(o, "about"));
	}
	table_print(&t, stdout);
	table_close(&t);
	printf("\n");
	table_init(&t, 2, builds, 1u << 0);
	json_array_foreach(members, i, o)
	{
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(o, "id")));
		table_cell(&t, *text_of(o, "build") ? TINT_NONE : TINT_YELLOW, "%s",
		           *text_of(o, "build") ? text_of(o, "build") : "not known");
	}
	table_print(&t, stdout);
	table_close(&t);
	if (!json_is_true(json_object_get(j, "leads")))
		printf("\nas node %lld knows it: no leader answered\n", json_integer_value(json_object_get(j, "node")));
}

/* The leader, who decides what may be switched on; any node if none can be found. */
static int ask(cs_client *client, char **ret)
{
	char *status;
	json_t *j;
	json_int_t leader = 0;
	int err = cs_status(client, 0, &status);

	if (err == 0 && (j = json_loads(status, 0, NULL))) {
		leader = json_integer_value(json_object_get(j, "leader_id"));
		json_decref(j);
	}
	if (err == 0)
		free(status);
	if (leader > 0 && cs_features(client, (uint64_t)leader, ret) == 0)
		return 0;
	return cs_features(client, 0, ret);
}

static int list_run(int argc, char **argv)
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
	int err, code = options_parse(&list_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open_newest(list_usage.command, &access, &client);
	if (code)
		return code;
	err = ask(client, &text);
	if (err) {
		code = tool_failed_call(list_usage.command, "the features", err);
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

static const struct usage enable_usage = {
        .command = "feature enable",
        .arguments = "NAME",
        .about = "Switches a feature on, for ever, signed with the administrator's key (--key). Every member must be\n"
                 "heard to run a build that has it. From then on no older build can be started in this cluster: it\n"
                 "stops and says so.\n",
        .exits = "  0  it is on\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int enable_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	cs_client *client;
	unsigned n;
	int err, code = options_parse(&enable_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open(enable_usage.command, &access, 0, &client);
	if (code)
		return code;
	err = cs_feature_enable(client, argv[0], &result);
	if (err)
		code = tool_failed_call(enable_usage.command, argv[0], err);
	else if (json)
		code = result_dump(enable_usage.command, result_json(result), true);
	else
		result_print_done(result, argv[0]);
	if (!err)
		cs_result_free(result);
	cs_close(client);
	return code;
}

int feature_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"list", "which features there are, which are on, and who runs which build", list_run},
	        {"enable", "switch one on, when every member's build has it", enable_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("feature", commands, argc, argv);
}
