/* countersign people, countersign group: the table of people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/people.h"

#include <stdio.h>
#include <string.h>

#include "client/tool/result.h"
#include "client/tool/tool.h"

/* disable, enable and remove: one action for all that are named, in one order. */
struct action {
	struct usage usage;
	enum cs_people_action action;
	const char *done;
};

static int send(cs_client *client, const struct action *a, char *const *argv, unsigned n, bool json)
{
	static char types[CS_PEOPLE_MAX][TOOL_TYPE_SIZE], ids[CS_PEOPLE_MAX][TOOL_ID_SIZE];
	struct cs_person list[CS_PEOPLE_MAX] = {{.action = 0}};
	cs_result *result = NULL;
	int code = 0, err;

	for (unsigned i = 0; i < n; i++) {
		if (!tool_split_typed(argv[i], types[i], ids[i]))
			return tool_fail(EXIT_USAGE, a->usage.command, "\"%s\" is not TYPE:ID", argv[i]);
		list[i] = (struct cs_person){.action = a->action, .type = types[i], .id = ids[i]};
	}
	err = cs_people_change(client, list, n, &result);
	if (err)
		return tool_failed_call(a->usage.command, n == 1 ? argv[0] : "the order", err);
	if (json)
		code = result_dump(a->usage.command, result_json(result), true);
	else
		for (unsigned i = 0; i < n; i++) {
			char what[TOOL_TYPE_SIZE + TOOL_ID_SIZE + 16];
			snprintf(what, sizeof what, "%s %s", argv[i], a->done);
			result_print_done(result, what);
		}
	cs_result_free(result);
	return code;
}

static int run(const struct action *a, int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&a->usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open(a->usage.command, &access, 0, &client);
	if (code)
		return code;
	code = send(client, a, argv, n, json);
	cs_close(client);
	return code;
}

#define ACTION_EXITS "  0  done\n" TOOL_EXIT_TEXT

static int disable_run(int argc, char **argv)
{
	static const struct action a = {
	        .usage =
	                {.command = "people disable",
	                 .arguments = "TYPE:ID...",
	                 .about =
	                         "From the order's entry on, every request of theirs is denied, and every one in which "
	                         "they act,\nor a service or agent that they answer for.\n",
	                 .exits = ACTION_EXITS,
	                 .n_min = 1,
	                 .n_max = CS_PEOPLE_MAX},
	        .action = CS_PEOPLE_DISABLE,
	        .done = "is disabled"};

	return run(&a, argc, argv);
}

static int enable_run(int argc, char **argv)
{
	static const struct action a = {.usage = {.command = "people enable",
	                                          .arguments = "TYPE:ID...",
	                                          .about = "Ends what `people disable` began.\n",
	                                          .exits = ACTION_EXITS,
	                                          .n_min = 1,
	                                          .n_max = CS_PEOPLE_MAX},
	                                .action = CS_PEOPLE_ENABLE,
	                                .done = "is enabled"};

	return run(&a, argc, argv);
}

static int people_remove_run(int argc, char **argv)
{
	static const struct action a = {
	        .usage =
	                {.command = "people remove",
	                 .arguments = "TYPE:ID...",
	                 .about =
	                         "Takes people out of the table: nothing is known of them from then on, neither groups "
	                         "nor that\nthey are disabled. Who owns services or agents stays until they have "
	                         "another "
	                         "owner.\n",
	                 .exits = ACTION_EXITS,
	                 .n_min = 1,
	                 .n_max = CS_PEOPLE_MAX},
	        .action = CS_PEOPLE_REMOVE,
	        .done = "is no longer in the table"};

	return run(&a, argc, argv);
}

int people_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"import", "make the table what a CSV or JSON file says", peopleimport_run},
	        {"list", "who is in the table", peoplelist_run},
	        {"show", "all that the table says of one", peopleshow_run},
	        {"disable", "deny all that somebody asks or does", disable_run},
	        {"enable", "end that", enable_run},
	        {"remove", "take somebody out of the table", people_remove_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("people", commands, argc, argv);
}

int group_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"list", "the groups, and how many are in each", grouplist_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("group", commands, argc, argv);
}
