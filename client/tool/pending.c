/* countersign pending: what waits for approvers or a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/waiting.h"

static const struct usage usage = {
        .command = "pending",
        .arguments = "",
        .about = "Lists what waits: of an approver (role approve) what they may speak about, of an auditor all, of a "
                 "client\n"
                 "its own. Also what is denied and may still be released by break-glass. The leader answers, once a\n"
                 "majority of the nodes has confirmed that it leads.\n",
        .exits = "  0  listed, perhaps nothing\n" TOOL_EXIT_TEXT,
};

int waiting_list(const char *command, cs_client *client, json_t **ret)
{
	char *text = NULL;
	int err = cs_pending(client, &text);

	if (err)
		return tool_failed_call(command, "what waits", err);
	*ret = json_loads(text, 0, NULL);
	free(text);
	return *ret ? 0 : tool_fail(EXIT_REFUTED, command, "the list cannot be read");
}

const json_t *waiting_find(const json_t *list, uint64_t index)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) if ((uint64_t)json_integer_value(json_object_get(o, "index")) == index) return o;
	return NULL;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static void print_safe(const char *s)
{
	char safe[600];

	text_safe(s, strlen(s), safe, sizeof safe);
	printf("%s", safe);
}

static void print_typed(const char *label, const json_t *o)
{
	if (!o)
		return;
	printf("%-10s ", label);
	print_safe(text_of(o, "type"));
	printf(":");
	print_safe(text_of(o, "id"));
	printf("\n");
}

static void print_context(const json_t *context)
{
	const char *label = "context", *name;
	json_t *value;

	json_object_foreach((json_t *)context, name, value)
	{
		char *text =
		        json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);
		printf("%-10s ", label);
		print_safe(name);
		printf(" = ");
		print_safe(text ? text : "");
		printf("\n");
		free(text);
		label = "";
	}
}

static void print_needs(const json_t *o)
{
	const json_t *need, *one;
	size_t i, k;

	json_array_foreach(json_object_get(o, "needs"), i, need)
	{
		printf("%-10s %lld of %lld approvals, from", "waits for",
		       json_integer_value(json_object_get(need, "have")),
		       json_integer_value(json_object_get(need, "needed")));
		json_array_foreach(json_object_get(need, "from"), k, one)
		{
			printf("%s ", k ? "," : "");
			print_safe(json_string_value(one));
		}
		printf("\n");
	}
	json_array_foreach(json_object_get(o, "said"), i, one)
	{
		printf("%-10s ", "said");
		print_safe(text_of(one, "approver"));
		printf(": %s, entry %lld\n", text_of(one, "said"), json_integer_value(json_object_get(one, "index")));
	}
}

void waiting_print(const json_t *o)
{
	const json_t *q = json_object_get(o, "request"), *time = json_object_get(o, "not_before_ms");
	char when[TEXT_TIME_SIZE];

	printf("%-10s %lld, %s\n", "entry", json_integer_value(json_object_get(o, "index")), text_of(o, "verdict"));
	print_typed("subject", json_object_get(q, "subject"));
	print_typed("actor", json_object_get(q, "actor"));
	printf("%-10s ", "action");
	print_safe(text_of(q, "action"));
	printf("\n");
	print_typed("resource", json_object_get(q, "resource"));
	print_context(json_object_get(q, "context"));
	printf("%-10s ", "asked by");
	print_safe(text_of(o, "client"));
	printf("\n");
	print_needs(o);
	if (json_is_integer(time)) {
		text_time((uint64_t)json_integer_value(time), when);
		printf("%-10s %s\n", "waits till", when);
	}
	text_time((uint64_t)json_integer_value(json_object_get(o, "expiry_ms")), when);
	printf("%-10s %s\n", "ends", when);
	printf("%-10s %s\n", "digest", text_of(o, "digest"));
}

static void print_all(const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		if (i)
			printf("\n");
		waiting_print(o);
	}
	if (!json_array_size(list))
		printf("nothing waits\n");
}

int pending_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	json_t *list = NULL;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open_newest(usage.command, &access, &client);
	if (code)
		return code;
	code = waiting_list(usage.command, client, &list);
	if (!code && json)
		code = result_dump(usage.command, json_incref(list), true);
	else if (!code)
		print_all(list);
	json_decref(list);
	cs_close(client);
	return code;
}
