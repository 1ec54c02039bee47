/* countersign policy diff: what differs between two policies in what they mean. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/policycommands.h"
#include "client/tool/policydelta.h"
#include "client/tool/policysource.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

static const struct usage usage = {
        .command = "policy diff",
        .arguments = "A B",
        .about = "Says what differs from policy A to policy B in what they mean: thresholds, weights, rules by their "
                 "ids;\n"
                 "not comments, order or form. " POLICYSOURCE_TEXT,
        .exits = "  0  they mean the same\n  1  they differ\n" TOOL_EXIT_TEXT,
        .n_min = 2,
        .n_max = 2,
};

static void print_delta(const struct policydelta *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		const struct policychange *c = &d->changes[i];
		char from[400], to[400];

		if (c->from)
			text_safe(c->from, strlen(c->from), from, sizeof from);
		if (c->to)
			text_safe(c->to, strlen(c->to), to, sizeof to);
		if (c->from && c->to)
			printf("%s~ %s%s: %s -> %s\n", text_on(stdout, TINT_YELLOW), c->path, text_off(stdout), from,
			       to);
		else if (c->to)
			printf("%s+ %s%s: %s\n", text_on(stdout, TINT_GREEN), c->path, text_off(stdout), to);
		else
			printf("%s- %s%s: %s\n", text_on(stdout, TINT_RED), c->path, text_off(stdout), from);
	}
	if (d->dropped)
		printf("and %u more\n", d->dropped);
}

static json_t *hash_json(const struct policyfile *p)
{
	char hex[2 * HASH_SIZE + 1];
	struct hash h;

	hash_bytes(&h, p->compiled, p->compiled_len);
	sodium_bin2hex(hex, sizeof hex, h.b, sizeof h.b);
	return json_string(hex);
}

static int dump_delta(char **names, const struct policyfile *a, const struct policyfile *b, const struct policydelta *d,
                      bool same)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < d->n; i++) {
		const struct policychange *c = &d->changes[i];
		json_t *o = json_pack("{s:s, s:s}", "what", c->path, "change",
		                      c->from && c->to ? "changed"
		                      : c->to          ? "added"
		                                       : "removed");
		if (c->from)
			json_object_set_new(o, "from", json_string(c->from));
		if (c->to)
			json_object_set_new(o, "to", json_string(c->to));
		json_array_append_new(list, o);
	}
	return result_dump(usage.command,
	                   json_pack("{s:b, s:{s:s, s:o}, s:{s:s, s:o}, s:o, s:i}", "same", same, "a", "policy",
	                             names[0], "hash", hash_json(a), "b", "policy", names[1], "hash", hash_json(b),
	                             "changes", list, "dropped", (int)d->dropped),
	                   true);
}

static int diff(char **names, const struct policyfile *a, const struct policyfile *b, bool json)
{
	bool form = a->compiled_len == b->compiled_len && !memcmp(a->compiled, b->compiled, a->compiled_len);
	struct policydelta d = {0};
	int code = 0, err = form ? 0 : policydelta_find(a, b, &d);
	bool same = !d.n;

	if (err) {
		code = tool_fail(EXIT_LOCAL, usage.command, "%s and %s: %s", names[0], names[1], err_text(err));
	} else if (json) {
		code = dump_delta(names, a, b, &d, same);
	} else {
		print_delta(&d);
		if (same)
			printf("the same: what they mean does not differ%s\n",
			       form ? "" : " (their hashes do: by the order of rules, lists or conditions)");
	}
	policydelta_close(&d);
	return code ? code : !same;
}

int policydiff_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct policyfile p[2] = {{0}};
	cs_client *client = NULL;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = 0;
	for (unsigned i = 0; i < 2 && !code; i++)
		code = policysource_load(usage.command, argv[i], &access, &client, &p[i]);
	if (!code)
		code = diff(argv, &p[0], &p[1], json);
	for (unsigned i = 0; i < 2; i++)
		policyfile_close(&p[i]);
	cs_close(client);
	return code;
}
