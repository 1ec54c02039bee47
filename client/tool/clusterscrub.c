/* countersign cluster scrub: has nodes read their whole ledgers now, and tells what they found. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/nodes.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

#define EXIT_DAMAGED 1
#define POLL_MS      100

static const struct usage usage = {
        .command = "cluster scrub",
        .arguments = "[DIR]",
        .about =
                "Has the nodes read their whole ledgers now, at the pace of their settings (scrub_mib_per_s), and "
                "waits\n"
                "for the end: every entry, its private fields, tiles, checkpoints and the state are held against what\n"
                "they must be; what is damaged is repaired from what else is stored, or from the other nodes. DIR is "
                "a\n"
                "folder made by `countersign init`, and stands for --cluster DIR/cluster.yaml --key DIR/admin.key.\n"
                "The key needs the role administer.\n",
        .exits = "  0  nothing is damaged, or all of it is repaired\n"
                 "  1  something is damaged and not repaired yet\n" TOOL_EXIT_TEXT,
        .n_min = 0,
        .n_max = 1,
};

/* One node's pass, and how it stood when it was asked for. */
struct pass {
	uint64_t id;
	json_t *state; /* The newest; owned. NULL: it did not answer. */
	json_int_t asked, found, repaired;
	int err;
	bool ended;
};

static json_int_t number(const json_t *state, const char *name)
{
	return json_integer_value(json_object_get(state, name));
}

static void ask(cs_client *client, struct pass *p, bool begin)
{
	char *text = NULL;

	p->err = cs_scrub(client, p->id, begin, &text);
	json_decref(p->state);
	p->state = p->err ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (!p->err && !p->state)
		p->err = CS_E_MALFORMED;
}

static void begin(cs_client *client, struct pass *p)
{
	ask(client, p, true);
	p->ended = p->err != 0;
	p->asked = number(p->state, "asked");
	p->found = number(p->state, "found");
	p->repaired = number(p->state, "repaired");
}

static void show_progress(const struct pass *passes, unsigned n)
{
	json_int_t done = 0, whole = 0;

	for (unsigned i = 0; i < n; i++) {
		done += number(passes[i].state, "done_bytes");
		whole += number(passes[i].state, "whole_bytes");
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%lld of %lld MiB ", (long long)done >> 20, (long long)whole >> 20);
}

/* Until every pass has ended, or its node no longer answers. */
static void await(cs_client *client, struct pass *passes, unsigned n)
{
	const struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};

	for (bool more = true; more;) {
		more = false;
		for (unsigned i = 0; i < n; i++) {
			struct pass *p = &passes[i];
			if (p->ended)
				continue;
			ask(client, p, false);
			p->ended = p->err || number(p->state, "passes") >= p->asked;
			more |= !p->ended;
		}
		show_progress(passes, n);
		if (more)
			nanosleep(&nap, NULL);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

static void print_one(const struct pass *p)
{
	const json_t *text;
	size_t i;
	char line[256];

	printf("node %" PRIu64 "  ", p->id);
	if (p->err) {
		printf("%s\n", cs_strerror(p->err));
		return;
	}
	printf("%.1f MiB in %.1f s: %lld damaged, %lld repaired, %lld refused to readers\n",
	       (double)number(p->state, "done_bytes") / (1 << 20), (double)number(p->state, "took_ms") / 1000,
	       (long long)(number(p->state, "found") - p->found),
	       (long long)(number(p->state, "repaired") - p->repaired), (long long)number(p->state, "refused"));
	json_array_foreach(json_object_get(p->state, "damaged"), i, text)
	{
		const char *s = json_string_value(text);
		text_safe(s ? s : "", s ? strlen(s) : 0, line, sizeof line);
		printf("        %s\n", line);
	}
}

static void print_json(const struct pass *passes, unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *o = json_pack("{s:I}", "node", (json_int_t)passes[i].id);
		if (passes[i].err)
			json_object_set_new(o, "error", json_string(cs_strerror(passes[i].err)));
		else
			json_object_set(o, "scrub", passes[i].state);
		json_array_append_new(list, o);
	}
	json_dumpf(list, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(list);
}

static int run(cs_client *client, const struct cluster_file *file, uint64_t only, bool json)
{
	struct pass passes[CLUSTER_NODES_MAX] = {0};
	unsigned n = 0;
	int code = 0;

	for (unsigned i = 0; i < file->n_nodes; i++)
		if (!only || file->nodes[i].id == only)
			passes[n++].id = file->nodes[i].id;
	if (n == 0)
		return tool_fail(EXIT_USAGE, usage.command, "option --node: there is no node %" PRIu64, only);
	for (unsigned i = 0; i < n; i++)
		begin(client, &passes[i]);
	await(client, passes, n);
	if (json)
		print_json(passes, n);
	for (unsigned i = 0; i < n; i++) {
		if (!json)
			print_one(&passes[i]);
		if (passes[i].err)
			code = EXIT_UNREACHABLE;
		else if (!code && number(passes[i].state, "refused") > 0)
			code = EXIT_DAMAGED;
		json_decref(passes[i].state);
	}
	return code;
}

int clusterscrub_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = 5000};
	struct nodes_paths paths;
	char text[256] = "";
	uint64_t node = 0;
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"node", OPTION_NUMBER, &node, "N", "this node only", 1, UINT32_MAX},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct cluster_file file;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = nodes_choose(usage.command, n ? argv[0] : NULL, &access, &paths);
	if (!code)
		code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	if (cluster_file_read(access.cluster, &file, text))
		code = tool_fail(EXIT_USAGE, usage.command, "%s", text);
	else
		code = run(client, &file, node, json);
	cs_close(client);
	return code;
}
