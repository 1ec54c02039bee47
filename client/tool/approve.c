/* countersign approve: an approver's word about a request that waits, signed over what was shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/waiting.h"

static const struct usage usage = {
        .command = "approve",
        .arguments = "INDEX",
        .about = "Approves the request that waits since the entry INDEX (countersign pending lists them), or refuses "
                 "it\n"
                 "with --reject. --key is the approver's own; the signature covers the request that is printed, the\n"
                 "reason, and an expiry in five minutes. Nobody speaks about their own request, and each person once.\n"
                 "Enough approvals have the request decided anew: they grant nothing by themselves. One refusal ends "
                 "it.\n"
                 "--break-glass with a --reason, by two persons whom the policy names, releases at once what waits or "
                 "is\n"
                 "denied; the ledger tells it loudly.\n",
        .exits = "  0  said\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

struct words {
	struct tool_access access;
	const char *reason;
	bool reject, glass, json;
};

static bool digest_of(const json_t *o, uint8_t ret[32])
{
	const char *hex = json_string_value(json_object_get(o, "digest"));
	size_t len = 0;

	return hex && sodium_hex2bin(ret, 32, hex, strlen(hex), NULL, &len, NULL) == 0 && len == 32;
}

static int say(cs_client *client, const struct words *w, uint64_t index, const json_t *waiting)
{
	enum cs_say what = w->glass ? CS_BREAK_GLASS : w->reject ? CS_REJECT : CS_APPROVE;
	cs_result *result = NULL;
	uint8_t digest[32];
	int err, code = 0;

	if (!digest_of(waiting, digest))
		return tool_fail(EXIT_REFUTED, usage.command, "the node's list has no digest for entry %" PRIu64,
		                 index);
	if (!w->json)
		waiting_print(waiting);
	err = cs_approve(client, index, what, digest, w->reason, &result);
	if (err)
		return tool_failed_call(usage.command, "not said", err);
	if (w->json)
		code = result_dump(usage.command, result_json(result), true);
	else
		result_print(result);
	cs_result_free(result);
	return code;
}

static int run(cs_client *client, const struct words *w, uint64_t index)
{
	json_t *list = NULL;
	int code = waiting_list(usage.command, client, &list);

	if (code)
		return code;
	const json_t *waiting = waiting_find(list, index);
	code = waiting ? say(client, w, index, waiting)
	               : tool_fail(EXIT_REFUSED, usage.command,
	                           "nothing that you may speak about waits at entry %" PRIu64, index);
	json_decref(list);
	return code;
}

int approve_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"reject", OPTION_FLAG, &w.reject, NULL, "refuse it: that ends it", 0, 0},
	        {"break-glass", OPTION_FLAG, &w.glass, NULL, "release it in an emergency, with a second person", 0, 0},
	        {"reason", OPTION_TEXT, &w.reason, "TEXT", "why; break-glass needs one", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	uint64_t index = 0;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!tool_parse_index(argv[0], &index))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not the index of an entry", argv[0]);
	if (w.reject && w.glass)
		return tool_fail(EXIT_USAGE, usage.command, "--reject and --break-glass do not go together");
	if (w.glass && !w.reason)
		return tool_fail(EXIT_USAGE, usage.command, "--break-glass needs --reason TEXT");
	code = tool_open(usage.command, &w.access, 0, &client);
	if (code)
		return code;
	code = run(client, &w, index);
	cs_close(client);
	return code;
}
