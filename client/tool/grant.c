/* countersign grants, countersign grant revoke: what evidence bought, and its end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

static const struct usage list_usage = {
        .command = "grants",
        .arguments = "",
        .about = "Lists the grants that stand: what was proven or approved in the entry, until when it counts for "
                 "other\n"
                 "requests, and under which rule of the policy. The leader answers, once a majority of the nodes has\n"
                 "confirmed that it leads. Needs the role audit or administer.\n",
        .exits = "  0  listed, perhaps none\n" TOOL_EXIT_TEXT,
};

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void print(const json_t *list)
{
	static const char *const heads[] = {"ENTRY", "LEVEL", "UNTIL", "RULE", "BOUND TO", "ASKED BY"};
	const json_t *o;
	char time[TEXT_TIME_SIZE];
	struct table t;
	size_t i;

	table_init(&t, 6, heads, 1u << 0);
	json_array_foreach(list, i, o)
	{
		bool session = json_is_true(json_object_get(o, "session_bound"));
		bool device = json_is_true(json_object_get(o, "device_bound"));
		bool approved = json_is_true(json_object_get(o, "approved"));
		text_time((uint64_t)json_integer_value(json_object_get(o, "expiry_ms")), time);
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(o, "index")));
		table_cell(&t, TINT_NONE, "%s%s",
		           *text_of(o, "level") ? text_of(o, "level")
		           : approved           ? "approved"
		                                : "-",
		           *text_of(o, "level") && approved ? ", approved" : "");
		table_cell(&t, TINT_NONE, "%s", time);
		table_cell(&t, *text_of(o, "rule") ? TINT_NONE : TINT_YELLOW, "%s",
		           *text_of(o, "rule") ? text_of(o, "rule") : "(no more in the policy: counts for nothing)");
		table_cell(&t, TINT_NONE, "%s",
		           session && device ? "session, device"
		           : session         ? "session"
		           : device          ? "device"
		                             : "nothing");
		table_cell(&t, TINT_NONE, "%s", text_of(o, "client"));
	}
	table_print(&t, stdout);
	table_close(&t);
}

static int list(cs_client *client, const char *type, const char *id, bool json)
{
	char *text = NULL;
	int code = 0, err = cs_grants(client, type, id, &text);

	if (err)
		return tool_failed_call(list_usage.command, "the grants", err);
	json_t *j = json_loads(text, 0, NULL);
	free(text);
	if (!j)
		return tool_fail(EXIT_REFUTED, list_usage.command, "the list cannot be read");
	if (json)
		code = result_dump(list_usage.command, json_incref(j), true);
	else
		print(j);
	json_decref(j);
	return code;
}

int grants_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	const char *subject = NULL;
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"subject", OPTION_TEXT, &subject, "TYPE:ID", "only this subject's", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&list_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (subject && !tool_split_typed(subject, type, id))
		return tool_fail(EXIT_USAGE, list_usage.command, "option --subject: \"%s\" is not TYPE:ID", subject);
	code = tool_open_newest(list_usage.command, &access, &client);
	if (code)
		return code;
	code = list(client, subject ? type : NULL, subject ? id : NULL, json);
	cs_close(client);
	return code;
}

static const struct usage revoke_usage = {
        .command = "grant revoke",
        .arguments = "[INDEX]",
        .about = "Ends the grant of the entry INDEX, or with --subject all of a subject, at once. --key is the\n"
                 "administrator's. The reason goes into the ledger.\n",
        .exits = "  0  ended\n" TOOL_EXIT_TEXT,
        .n_max = 1,
};

static int revoke_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	const char *subject = NULL, *reason = NULL;
	bool json = false;
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"subject", OPTION_TEXT, &subject, "TYPE:ID", "all of this subject's, in place of INDEX", 0, 0},
	        {"reason", OPTION_TEXT, &reason, "TEXT", "why", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	uint64_t index = 0;
	cs_client *client;
	unsigned n;
	int err, code = options_parse(&revoke_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if ((n == 1) == (subject != NULL) || (n && !tool_parse_index(argv[0], &index)))
		return tool_fail(EXIT_USAGE, revoke_usage.command, "give INDEX, the index of an entry, or --subject");
	if (subject && !tool_split_typed(subject, type, id))
		return tool_fail(EXIT_USAGE, revoke_usage.command, "option --subject: \"%s\" is not TYPE:ID", subject);
	if (!reason)
		return tool_fail(EXIT_USAGE, revoke_usage.command, "option --reason TEXT is missing");
	code = tool_open(revoke_usage.command, &access, 0, &client);
	if (code)
		return code;
	err = cs_grant_revoke(client, index, subject ? type : NULL, subject ? id : NULL, reason, &result);
	if (err)
		code = tool_failed_call(revoke_usage.command, "nothing was ended", err);
	else if (json)
		code = result_dump(revoke_usage.command, result_json(result), true);
	else
		result_print_done(result, "ended");
	cs_result_free(result);
	cs_close(client);
	return code;
}

int grant_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"revoke", "end a grant, or all of a subject", revoke_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("grant", commands, argc, argv);
}
