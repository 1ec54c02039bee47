/* countersign member list: who the members are, and how far the leader knows each to be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/tool/memberfile.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "member list",
        .arguments = "",
        .about = "Shows the members as the ledger names them. STATE is \"whole\" if the leader hears the node and it\n"
                 "follows the log; BEHIND counts entries of the log. A change that is under way is named below.\n",
        .exits = "  0  shown\n" TOOL_EXIT_TEXT,
};

static void print(const struct memberview *v)
{
	static const char *const heads[] = {"NODE", "ROLE", "IN RAFT", "STATE", "BEHIND", "ADDRESS", "LINK"};
	struct table t;

	table_init(&t, 7, heads, 1u << 0 | 1u << 4);
	for (unsigned i = 0; i < v->n; i++) {
		const struct memberview_node *n = &v->nodes[i];
		table_cell(&t, TINT_NONE, "%" PRIu64, n->id);
		table_cell(&t, n->role == ROSTER_VOTER ? TINT_NONE : TINT_DIM, "%s", roster_role_text(n->role));
		table_cell(&t, n->role == n->in_raft ? TINT_NONE : TINT_YELLOW, "%s",
		           n->in_raft == ROSTER_REMOVED ? "not yet" : roster_role_text(n->in_raft));
		if (v->leads)
			table_cell(&t, n->whole ? TINT_GREEN : TINT_RED, "%s",
			           n->whole     ? "whole"
			           : n->link_up ? "catching up"
			                        : "not connected");
		else
			table_cell(&t, TINT_DIM, "-");
		table_cell(&t, TINT_NONE, v->leads ? "%" PRIu64 : "-", n->behind);
		table_cell(&t, TINT_NONE, "%s", n->url);
		table_cell(&t, TINT_NONE, "%s", n->link);
	}
	table_print(&t, stdout);
	table_close(&t);
	printf("\n%u voters: the cluster works while %u of them do\n", v->voters, v->voters / 2 + 1);
	if (*v->pending)
		printf("under way: %s\n", v->pending);
	if (!v->leads)
		printf("as node %" PRIu64 " knows it: no leader answered\n", v->node);
}

int memberlist_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct memberview v;
	cs_client *client;
	char *text = NULL;
	unsigned n;
	int err, code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = tool_open_newest(usage.command, &access, &client);
	if (code)
		return code;
	err = memberview_ask(client, &v);
	if (!err && json)
		err = cs_members(client, v.node, &text);
	if (err)
		code = tool_failed_call(usage.command, "the members", err);
	else if (json)
		puts(text);
	else
		print(&v);
	free(text);
	cs_close(client);
	return code;
}
