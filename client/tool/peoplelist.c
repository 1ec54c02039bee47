/* countersign people list, people show, group list: the table of people as the leader has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/people.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define CELL_SIZE 400

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void typed_text(const json_t *o, char ret[CELL_SIZE])
{
	char text[CELL_SIZE];

	if (!json_is_object(o)) {
		snprintf(ret, CELL_SIZE, "-");
		return;
	}
	snprintf(text, sizeof text, "%s:%s", text_of(o, "type"), text_of(o, "id"));
	text_safe(text, strlen(text), ret, CELL_SIZE);
}

static void groups_text(const json_t *list, char ret[CELL_SIZE])
{
	char text[1200]; /* 16 groups of 64 bytes. */
	const json_t *one;
	size_t at = 0, i;

	text[0] = 0;
	json_array_foreach(list, i, one)
	{
		if (at < sizeof text)
			at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? ", " : "",
			                       json_string_value(one));
	}
	text_safe(text, strlen(text), ret, CELL_SIZE);
}

/* The table, opened with the access's options; 0 or the exit code. */
static int fetch(const char *command, const struct tool_access *access, json_t **ret)
{
	cs_client *client;
	char *text;
	int err, code = tool_open_newest(command, access, &client);

	if (code)
		return code;
	err = cs_people(client, &text);
	if (err) {
		code = tool_failed_call(command, "the table of people", err);
	} else {
		*ret = json_loads(text, 0, NULL);
		free(text);
	}
	cs_close(client);
	return code;
}

static bool in_group(const json_t *o, const char *group)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(o, "groups"), i,
	                   one) if (!strcmp(json_string_value(one), group)) return true;
	return false;
}

struct filter {
	const char *group, *kind;
	bool disabled;
};

static bool passes(const json_t *o, const struct filter *f)
{
	return (!f->group || in_group(o, f->group)) && (!f->kind || !strcmp(text_of(o, "kind"), f->kind)) &&
	       (!f->disabled || !json_is_true(json_object_get(o, "enabled")));
}

static json_t *filtered(const json_t *table, const struct filter *f)
{
	json_t *list = json_array(), *o;
	size_t i;

	json_array_foreach(json_object_get(table, "people"), i, o) if (passes(o, f)) json_array_append(list, o);
	return list;
}

static void print_list(const json_t *list)
{
	static const char *const heads[] = {"WHO", "KIND", "STATE", "NAME", "GROUPS", "OWNER"};
	char who[CELL_SIZE], name[CELL_SIZE], groups[CELL_SIZE], owner[CELL_SIZE];
	const json_t *o;
	struct table t;
	size_t i;

	table_init(&t, 6, heads, 0);
	json_array_foreach(list, i, o)
	{
		bool enabled = json_is_true(json_object_get(o, "enabled"));
		typed_text(o, who);
		text_safe(text_of(o, "name"), strlen(text_of(o, "name")), name, sizeof name);
		groups_text(json_object_get(o, "groups"), groups);
		typed_text(json_object_get(o, "owner"), owner);
		table_cell(&t, TINT_NONE, "%s", who);
		table_cell(&t, TINT_NONE, "%s", text_of(o, "kind"));
		table_cell(&t, enabled ? TINT_GREEN : TINT_RED, "%s", enabled ? "enabled" : "disabled");
		table_cell(&t, TINT_NONE, "%s", name);
		table_cell(&t, TINT_NONE, "%s", groups);
		table_cell(&t, TINT_NONE, "%s", owner);
	}
	table_print(&t, stdout);
	table_close(&t);
	printf("\n%zu in all\n", json_array_size(list));
}

int peoplelist_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "people list",
	        .arguments = "",
	        .about = "Shows the table of people as the leader has it: users, service accounts and agents. With "
	                 "--json\n"
	                 "as `people import` reads it. The key needs the role audit or administer.\n",
	        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
	};
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct filter f = {0};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"group", OPTION_TEXT, &f.group, "NAME", "only who is in this group", 0, 0},
	        {"kind", OPTION_TEXT, &f.kind, "KIND", "only users, services or agents: user, service, agent", 0, 0},
	        {"disabled", OPTION_FLAG, &f.disabled, NULL, "only who is disabled", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	json_t *table, *list;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = fetch(usage.command, &access, &table);
	if (code)
		return code;
	list = filtered(table, &f);
	if (json)
		code = result_dump(usage.command, json_pack("{s:O}", "people", list), true);
	else
		print_list(list);
	json_decref(list);
	json_decref(table);
	return code;
}

/* --- one --- */

static bool is(const json_t *o, const char *type, const char *id)
{
	return !strcmp(text_of(o, "type"), type) && !strcmp(text_of(o, "id"), id);
}

static void print_one(const json_t *o, const json_t *all)
{
	char cell[CELL_SIZE];
	const json_t *other;
	size_t i;

	typed_text(o, cell);
	printf("%-10s %s\n", "who", cell);
	printf("%-10s %s, %s\n", "kind", text_of(o, "kind"),
	       json_is_true(json_object_get(o, "enabled")) ? "enabled" : "disabled");
	text_safe(text_of(o, "name"), strlen(text_of(o, "name")), cell, sizeof cell);
	printf("%-10s %s\n", "name", cell);
	groups_text(json_object_get(o, "groups"), cell);
	printf("%-10s %s\n", "groups", *cell ? cell : "-");
	typed_text(json_object_get(o, "owner"), cell);
	printf("%-10s %s\n", "owner", cell);
	typed_text(json_object_get(o, "manager"), cell);
	printf("%-10s %s\n", "manager", cell);
	json_array_foreach(json_object_get(o, "acts_for"), i, other)
	{
		typed_text(other, cell);
		printf("%-10s %s\n", "acts for", cell);
	}
	json_array_foreach(all, i, other)
	{
		const json_t *owner = json_object_get(other, "owner");
		if (!json_is_object(owner) || !is(owner, text_of(o, "type"), text_of(o, "id")))
			continue;
		typed_text(other, cell);
		printf("%-10s %s\n", "owns", cell);
	}
	printf("%-10s %lld\n", "set by", json_integer_value(json_object_get(o, "entry")));
}

int peopleshow_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "people show",
	        .arguments = "TYPE:ID",
	        .about = "Shows all that the table of people says of one, whom it acts for, what it owns, and the "
	                 "entry of "
	                 "the\nledger that set it last.\n",
	        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
	        .n_min = 1,
	        .n_max = 1,
	};
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	json_t *table, *o, *found = NULL;
	size_t i;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!tool_split_typed(argv[0], type, id))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not TYPE:ID", argv[0]);
	code = fetch(usage.command, &access, &table);
	if (code)
		return code;
	json_array_foreach(json_object_get(table, "people"), i, o) if (is(o, type, id)) found = o;
	if (!found)
		code = tool_fail(EXIT_REFUSED, usage.command, "%s is not in the table", argv[0]);
	else if (json)
		code = result_dump(usage.command, json_incref(found), true);
	else
		print_one(found, json_object_get(table, "people"));
	json_decref(table);
	return code;
}

/* --- groups --- */

static json_t *count_groups(const json_t *table)
{
	json_t *groups = json_object(), *counts;
	const json_t *o, *one;
	size_t i, k;

	json_array_foreach(json_object_get(table, "people"), i, o)
	{
		json_array_foreach(json_object_get(o, "groups"), k, one)
		{
			const char *kind = text_of(o, "kind");
			counts = json_object_get(groups, json_string_value(one));
			if (!counts) {
				counts = json_pack("{s:i, s:i, s:i}", "user", 0, "service", 0, "agent", 0);
				json_object_set_new(groups, json_string_value(one), counts);
			}
			json_object_set_new(counts, kind,
			                    json_integer(json_integer_value(json_object_get(counts, kind)) + 1));
		}
	}
	return groups;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int print_groups(const json_t *groups)
{
	static const char *const heads[] = {"GROUP", "USERS", "SERVICES", "AGENTS"};
	const char **names = malloc((json_object_size(groups) + 1) * sizeof *names), *key;
	char safe[CELL_SIZE];
	json_t *counts;
	struct table t;
	size_t n = 0;

	if (!names)
		return tool_fail(EXIT_LOCAL, "group list", "out of memory");
	json_object_foreach((json_t *)groups, key, counts) names[n++] = key;
	qsort(names, n, sizeof *names, by_name);
	table_init(&t, 4, heads, 1u << 1 | 1u << 2 | 1u << 3);
	for (size_t i = 0; i < n; i++) {
		counts = json_object_get(groups, names[i]);
		text_safe(names[i], strlen(names[i]), safe, sizeof safe);
		table_cell(&t, TINT_NONE, "%s", safe);
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(counts, "user")));
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(counts, "service")));
		table_cell(&t, TINT_NONE, "%lld", json_integer_value(json_object_get(counts, "agent")));
	}
	table_print(&t, stdout);
	table_close(&t);
	free(names);
	return 0;
}

int grouplist_run(int argc, char **argv)
{
	static const struct usage usage = {
	        .command = "group list",
	        .arguments = "",
	        .about = "Shows the groups that people of the table are in, and how many of each kind.\n",
	        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
	};
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	json_t *table, *groups;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = fetch(usage.command, &access, &table);
	if (code)
		return code;
	groups = count_groups(table);
	code = json ? result_dump(usage.command, json_incref(groups), true) : print_groups(groups);
	json_decref(groups);
	json_decref(table);
	return code;
}
