/* countersign erase: what is private, gone for good, while every proof still verifies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/fieldview.h"
#include "client/tool/keeping.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/entry.h"
#include "node/decide/command_erase.h"

#define WAIT_STEP_MS 10000 /* Of one question; the whole wait is as long as it takes. */
#define WAIT_S_MAX   86400

static const struct usage usage = {
        .command = "erase",
        .arguments = "",
        .about = "Erases private fields for good: with --subject all of one person's (or agent's), with --index those "
                 "of\n"
                 "one entry, or the fields --field of it. Value and salt go from every node's store, log and state; "
                 "the\n"
                 "entry keeps their commitments, so that every proof made before and after still verifies. A hold on\n"
                 "whom it is about beats it (countersign hold). Keys and credentials of the person are removed first; "
                 "the\n"
                 "record in the table of people stays until `people remove`.\n"
                 "Two persons sign: --key, an administrator, and with --sign-with another or an approver; as many\n"
                 "administrators as governance asks for. Neither may be the one whom it is about. --reason stays in "
                 "the\n"
                 "ledger: do not name the person in it.\n"
                 "Each node writes an entry once nothing of it is left there: --wait waits for all of them, and\n"
                 "`countersign cluster status` shows who has not. What was handed out before (bundles, exports with\n"
                 "disclosed fields, log files to import) is not in the cluster's hands.\n",
        .exits = "  0  ordered; with --wait: erased on every node\n"
                 "  1  with --wait: some node has not erased yet\n" TOOL_EXIT_TEXT,
};

/* "address,context" into bits; 0: a name is unknown (printed). */
static uint64_t parse_fields(const char *text)
{
	uint64_t fields = 0;

	while (*text) {
		size_t len = strcspn(text, ",");
		unsigned kind = 1;
		for (; kind <= ERASE_FIELD_KIND_MAX; kind++) {
			const char *name = fieldview_name(kind);
			size_t same = strlen(name) == len;
			for (size_t i = 0; same && i < len; i++)
				same = name[i] == text[i] || (name[i] == '_' && (text[i] == '-' || text[i] == ' '));
			if (same && strcmp(name, "unknown") != 0)
				break;
		}
		if (kind > ERASE_FIELD_KIND_MAX) {
			tool_fail(EXIT_USAGE, usage.command, "option --field: \"%.*s\" is no private field", (int)len,
			          text);
			return 0;
		}
		fields |= ERASE_FIELD(kind);
		text += len + (text[len] == ',');
	}
	if (!fields)
		tool_fail(EXIT_USAGE, usage.command, "option --field: no field is named");
	return fields;
}

/* Nodes that the erasure of this index waits for, as text; *ret_n: how many. */
static int missing(cs_client *client, uint64_t index, char *ret, size_t cap, size_t *ret_n)
{
	json_t *all, *o, *node;
	size_t i, k, at = 0;
	int code = keeping_get(usage.command, client, &all);

	ret[0] = 0;
	*ret_n = 0;
	if (code)
		return code;
	json_array_foreach(json_object_get(all, "erasures"), i, o)
	{
		if ((uint64_t)json_integer_value(json_object_get(o, "entry")) != index)
			continue;
		*ret_n = json_array_size(json_object_get(o, "missing"));
		json_array_foreach(json_object_get(o, "missing"), k, node) at +=
		        at < cap ? (size_t)snprintf(ret + at, cap - at, "%s%lld", k ? ", " : "",
		                                    json_integer_value(node))
		                 : 0;
	}
	json_decref(all);
	return 0;
}

/* Wakes by new entries: each node's word is one. */
static int await(cs_client *client, uint64_t index, uint64_t wait_s)
{
	uint64_t next = index + 1, until_ms = text_now_ms() + wait_s * 1000;
	char nodes[256];
	size_t n;

	for (;;) {
		int code = missing(client, index, nodes, sizeof nodes, &n);
		uint64_t now_ms = text_now_ms();
		cs_page *page = NULL;
		if (code || !n)
			return code;
		if (now_ms >= until_ms)
			return tool_fail(1, usage.command, "not erased yet on node %s", nodes);
		uint64_t left_ms = until_ms - now_ms;
		int err =
		        cs_entries(client, next, 256, left_ms < WAIT_STEP_MS ? (unsigned)left_ms : WAIT_STEP_MS, &page);
		if (err)
			return tool_failed_call(usage.command, "waiting", err);
		next += page->n;
		cs_page_free(page);
	}
}

struct words {
	struct tool_access access;
	const char *subject, *index_text, *fields, *reason;
	uint64_t index, wait_s, mask;
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];
	bool json;
};

static int check_words(struct words *w)
{
	if (!w->subject == !w->index_text)
		return tool_fail(EXIT_USAGE, usage.command, "give --subject TYPE:ID or --index N");
	if (w->subject && !tool_split_typed(w->subject, w->type, w->id))
		return tool_fail(EXIT_USAGE, usage.command, "option --subject: \"%s\" is not TYPE:ID", w->subject);
	if (w->index_text && !tool_parse_index(w->index_text, &w->index))
		return tool_fail(EXIT_USAGE, usage.command, "option --index: \"%s\" is not the index of an entry",
		                 w->index_text);
	if (w->fields && w->subject)
		return tool_fail(EXIT_USAGE, usage.command, "option --field goes with --index");
	if (!w->reason || !*w->reason)
		return tool_fail(EXIT_USAGE, usage.command, "option --reason TEXT is missing");
	w->mask = w->fields ? parse_fields(w->fields) : ERASE_FIELDS_ALL;
	return w->mask ? 0 : EXIT_USAGE;
}

static int erase(cs_client *client, const struct words *w)
{
	cs_result *result = NULL;
	int code = 0;
	int err = w->subject ? cs_erase_subject(client, w->type, w->id, w->reason, &result)
	                     : cs_erase_entry(client, w->index, w->mask, w->reason, &result);

	if (err)
		return tool_failed_call(usage.command, "nothing was erased", err);
	if (w->json)
		code = result_dump(usage.command, result_json(result), true);
	else
		result_print_done(result, "ordered");
	if (!code && w->wait_s)
		code = await(client, result->index, w->wait_s);
	if (!code && w->wait_s && !w->json)
		printf("erased on every node\n");
	cs_result_free(result);
	return code;
}

int erase_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&w.access),
	        {"subject", OPTION_TEXT, &w.subject, "TYPE:ID", "all that is private about this one", 0, 0},
	        {"index", OPTION_TEXT, &w.index_text, "N", "private fields of this entry", 0, 0},
	        {"field", OPTION_TEXT, &w.fields, "FIELD,…", "only these of it: subject, address, context, text, …", 0,
	         0},
	        {"reason", OPTION_TEXT, &w.reason, "TEXT", "why; it stays in the ledger", 0, 0},
	        {"wait", OPTION_NUMBER, &w.wait_s, "S", "wait so long for every node to have erased", 1, WAIT_S_MAX},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = check_words(&w);
	if (!code)
		code = tool_open(usage.command, &w.access, 0, &client);
	if (code)
		return code;
	code = erase(client, &w);
	cs_close(client);
	return code;
}
