/* countersign hold, countersign retention: what is kept, and for how long. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/keeping.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/entryview.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

int keeping_get(const char *command, cs_client *client, json_t **ret)
{
	char *text = NULL;
	int err = cs_keeping(client, &text);

	if (err)
		return tool_failed_call(command, "what the ledger keeps", err);
	*ret = json_loads(text, 0, NULL);
	free(text);
	return *ret ? 0 : tool_fail(EXIT_REFUTED, command, "the answer cannot be read");
}

void keeping_print_erasures(const json_t *all)
{
	const json_t *o, *node;
	size_t i, k;

	json_array_foreach(json_object_get(all, "erasures"), i, o)
	{
		printf("erasure of entry %lld (%s): not yet on node", json_integer_value(json_object_get(o, "entry")),
		       json_string_value(json_object_get(o, "target")));
		json_array_foreach(json_object_get(o, "missing"), k, node)
		        printf("%s %lld", k ? "," : "", json_integer_value(node));
		putchar('\n');
	}
}

/* --- orders --- */

struct words {
	struct tool_access access;
	const char *subject, *reason;
	bool json;
};

static int finish(const char *command, cs_client *client, const struct words *w, int err, cs_result *result,
                  const char *done)
{
	int code = 0;

	if (err)
		code = tool_failed_call(command, "nothing was changed", err);
	else if (w->json)
		code = result_dump(command, result_json(result), true);
	else
		result_print_done(result, done);
	cs_result_free(result);
	cs_close(client);
	return code;
}

static int need_reason(const char *command, const struct words *w)
{
	return w->reason && *w->reason ? 0 : tool_fail(EXIT_USAGE, command, "option --reason TEXT is missing");
}

static const struct usage set_usage = {
        .command = "hold set",
        .arguments = "",
        .about =
                "Sets a legal hold on a person or agent: nothing in which it is named is erased, by whatever order or\n"
                "age, until the hold is lifted. It takes one administrator.\n",
        .exits = "  0  set\n" TOOL_EXIT_TEXT,
};

static int set_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"subject", OPTION_TEXT, &w.subject, "TYPE:ID", "on whom", 0, 0},
	        {"reason", OPTION_TEXT, &w.reason, "TEXT", "why", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	cs_client *client;
	unsigned n;
	int code = options_parse(&set_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!w.subject || !tool_split_typed(w.subject, type, id))
		return tool_fail(EXIT_USAGE, set_usage.command,
		                 "option --subject TYPE:ID is missing, or is not of that form");
	code = need_reason(set_usage.command, &w);
	if (!code)
		code = tool_open(set_usage.command, &w.access, 0, &client);
	if (code)
		return code;
	int err = cs_hold_set(client, type, id, w.reason, &result);
	return finish(set_usage.command, client, &w, err, result, "held");
}

static const struct usage lift_usage = {
        .command = "hold lift",
        .arguments = "INDEX",
        .about = "Lifts the hold that the entry INDEX set (countersign hold list). Two persons sign, as for an "
                 "erasure.\n"
                 "What retention has passed over meanwhile is erased from then on.\n",
        .exits = "  0  lifted\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int lift_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"reason", OPTION_TEXT, &w.reason, "TEXT", "why", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	uint64_t index = 0;
	cs_client *client;
	unsigned n;
	int code = options_parse(&lift_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!tool_parse_index(argv[0], &index))
		return tool_fail(EXIT_USAGE, lift_usage.command, "\"%s\" is not the index of an entry", argv[0]);
	code = need_reason(lift_usage.command, &w);
	if (!code)
		code = tool_open(lift_usage.command, &w.access, 0, &client);
	if (code)
		return code;
	int err = cs_hold_lift(client, index, w.reason, &result);
	return finish(lift_usage.command, client, &w, err, result, "lifted");
}

/* --- lists --- */

static void print_holds(const json_t *all)
{
	static const char *const heads[] = {"ENTRY", "SINCE", "SUBJECT"};
	char time[TEXT_TIME_SIZE], safe[1024];
	const json_t *o;
	struct table t;
	size_t i;

	table_init(&t, 3, heads, 1u << 0);
	json_array_foreach(json_object_get(all, "holds"), i, o)
	{
		const char *subject = json_string_value(json_object_get(o, "subject"));
		text_time((uint64_t)json_integer_value(json_object_get(o, "time_ms")), time);
		text_safe(subject, strlen(subject), safe, sizeof safe);
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(o, "entry")));
		table_cell(&t, TINT_NONE, "%s", time);
		table_cell(&t, TINT_NONE, "%s", safe);
	}
	table_print(&t, stdout);
	table_close(&t);
}

static void print_retention(const json_t *all)
{
	static const char *const heads[] = {"KIND", "KEPT", "ERASED BELOW"};
	char keep[40];
	const json_t *o;
	struct table t;
	size_t i;

	table_init(&t, 3, heads, 1u << 2);
	json_array_foreach(json_object_get(all, "retention"), i, o)
	{
		long long s = json_integer_value(json_object_get(o, "keep_ms")) / 1000;
		snprintf(keep, sizeof keep, s % 86400 == 0 ? "%lldd" : "%llds", s % 86400 == 0 ? s / 86400 : s);
		table_cell(&t, TINT_NONE, "%s", json_string_value(json_object_get(o, "kind")));
		table_cell(&t, TINT_NONE, "%s", keep);
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(o, "swept")));
	}
	table_print(&t, stdout);
	table_close(&t);
}

static int list(const struct usage *usage, int argc, char **argv, const char *what, void (*print)(const json_t *all))
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	json_t *all = NULL;
	cs_client *client;
	unsigned n;
	int code = options_parse(usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open_newest(usage->command, &w.access, &client);
	if (code)
		return code;
	code = keeping_get(usage->command, client, &all);
	if (!code && w.json)
		code = result_dump(usage->command, json_incref(json_object_get(all, what)), true);
	else if (!code)
		print(all);
	json_decref(all);
	cs_close(client);
	return code;
}

static int holds_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "hold list",
	        .arguments = "",
	        .about = "Lists the holds in force. Needs the role audit or administer.\n",
	        .exits = "  0  listed, perhaps none\n" TOOL_EXIT_TEXT,
	};

	return list(&usage, argc, argv, "holds", print_holds);
}

int hold_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"set", "erase nothing of a person until it is lifted", set_run},
	        {"lift", "end a hold", lift_run},
	        {"list", "the holds in force", holds_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("hold", commands, argc, argv);
}

/* --- retention --- */

static const struct usage retention_usage = {
        .command = "retention set",
        .arguments = "KIND TIME",
        .about = "Entries of this kind (decision, imported, approval, …) keep their private fields so long: 90d, 12h, "
                 "30m,\n"
                 "45s, or `forever`. Older ones are erased by orders that the leader gives, at most once an hour and "
                 "up\n"
                 "to 100,000 entries at a time. Two persons sign, as for an erasure.\n",
        .exits = "  0  set\n" TOOL_EXIT_TEXT,
        .n_min = 2,
        .n_max = 2,
};

static bool parse_keep(const char *text, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = {{'d', 86400000}, {'h', 3600000}, {'m', 60000}, {'s', 1000}};
	char number[12];
	size_t len = strlen(text);

	*ret_ms = 0;
	if (!strcmp(text, "forever"))
		return true;
	if (len < 2 || len > sizeof number)
		return false;
	memcpy(number, text, len - 1);
	number[len - 1] = 0;
	if (!tool_parse_index(number, ret_ms) || *ret_ms == 0)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].unit == text[len - 1])
			return !__builtin_mul_overflow(*ret_ms, units[i].ms, ret_ms);
	return false;
}

static int retention_set_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"reason", OPTION_TEXT, &w.reason, "TEXT", "why", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_result *result = NULL;
	uint64_t keep_ms = 0;
	cs_client *client;
	unsigned n;
	int code = options_parse(&retention_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	unsigned kind = entryview_kind(argv[0]);
	if (!kind)
		return tool_fail(EXIT_USAGE, retention_usage.command, "\"%s\" is none of: %s", argv[0],
		                 entryview_kinds());
	if (!parse_keep(argv[1], &keep_ms))
		return tool_fail(EXIT_USAGE, retention_usage.command,
		                 "\"%s\" is no time: a number with d, h, m or s behind it, or `forever`", argv[1]);
	code = need_reason(retention_usage.command, &w);
	if (!code)
		code = tool_open_newest(retention_usage.command, &w.access, &client);
	if (code)
		return code;
	int err = cs_retention_set(client, kind, keep_ms, w.reason, &result);
	return finish(retention_usage.command, client, &w, err, result, "set");
}

static int retention_list_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "retention list",
	        .arguments = "",
	        .about = "Lists the kinds of entries whose private fields are not kept for ever, and below which entry "
	                 "they\n"
	                 "have been erased. Needs the role audit or administer.\n",
	        .exits = "  0  listed, perhaps none\n" TOOL_EXIT_TEXT,
	};

	return list(&usage, argc, argv, "retention", print_retention);
}

int retention_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"set", "how long entries of a kind keep their private fields", retention_set_run},
	        {"list", "what is not kept for ever", retention_list_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("retention", commands, argc, argv);
}
