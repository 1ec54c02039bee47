/* countersign cluster status: each node's own view, side by side. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/keeping.h"
#include "client/tool/nodes.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "cluster status",
        .arguments = "[DIR]",
        .about = "Asks each node of a cluster for its own view, and sums it up in words: ok, degraded, refusing or\n"
                 "down. DIR is a folder made by `countersign init`, and stands for --cluster DIR/cluster.yaml\n"
                 "--key DIR/admin.key, if that is there. LAG is by how many entries a node is behind the one that has "
                 "most.\n"
                 "To auditors and administrators also: which nodes have not yet carried out an erasure.\n",
        .exits = "  0  there is a leader\n" TOOL_EXIT_TEXT,
        .n_min = 0,
        .n_max = 1,
};

/* What is being erased; NULL: the leader is of an older version, or says it only to auditors and administrators. */
static json_t *erasures(cs_client *client)
{
	char *text = NULL;
	json_t *all = NULL;

	if (cs_keeping(client, &text) == 0)
		all = json_loads(text, 0, NULL);
	free(text);
	return all;
}

static int show(cs_client *client, const struct cluster_file *file, bool json)
{
	struct nodes nodes = {0};
	json_t *o, *kept;
	int code;

	nodes_ask_all(client, file, &nodes);
	code = nodes_leader(&nodes) ? EXIT_DONE : EXIT_UNREACHABLE;
	kept = code ? NULL : erasures(client);
	if (json) {
		o = nodes_json(&nodes, file->origin);
		if (kept)
			json_object_set(o, "erasures", json_object_get(kept, "erasures"));
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		printf("%s\n\n", file->origin);
		nodes_print(&nodes);
		if (kept && json_array_size(json_object_get(kept, "erasures"))) {
			putchar('\n');
			keeping_print_erasures(kept);
		}
	}
	json_decref(kept);
	nodes_close(&nodes);
	return code ? tool_fail(code, usage.command, "no node leads") : code;
}

int clusterstatus_run(int argc, char **argv)
{
	struct tool_access who = {.timeout_ms = 2000};
	struct nodes_paths paths;
	char text[256] = "";
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&who),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct cluster_file file;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = nodes_choose(usage.command, n ? argv[0] : NULL, &who, &paths);
	if (!code)
		code = tool_open(usage.command, &who, 0, &client);
	if (code)
		return code;
	if (cluster_file_read(who.cluster, &file, text))
		code = tool_fail(EXIT_USAGE, usage.command, "%s", text);
	else
		code = show(client, &file, json);
	cs_close(client);
	return code;
}
