/* countersign wait: follows a decision that waits to its end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define WAIT_S_DEFAULT 3600

static const struct usage usage = {
        .command = "wait",
        .arguments = "[INDEX]",
        .about = "Waits for the end of a defer: of the decision at INDEX, or of the one with the request id --id that "
                 "this\n"
                 "key asked. It wakes by the ledger's new entries and goes on after a change of leader. Then ask again "
                 "with\n"
                 "`decide --id` for the proved answer; what this prints is a node's word.\n",
        .exits = "  0  allow\n  1  deny\n  2  step_up: ask again for the challenge\n  3  it waits "
                 "still\n" TOOL_EXIT_TEXT,
        .n_max = 1,
};

static int report(const struct cs_end *e, bool json)
{
	char time[TEXT_TIME_SIZE];

	text_time(e->time_ms, time);
	if (!json)
		printf("%s%s%s: entry %" PRIu64 ", %s, %s\n", text_on(stdout, text_verdict_tint(e->verdict)),
		       cs_verdict_text(e->verdict), text_off(stdout), e->index, e->kind, time);
	else if (result_dump(usage.command,
	                     json_pack("{s:s, s:b, s:I, s:s, s:I, s:s}", "verdict", cs_verdict_text(e->verdict),
	                               "permitted", e->verdict == CS_ALLOW, "index", (json_int_t)e->index, "kind",
	                               e->kind, "time_ms", (json_int_t)e->time_ms, "time", time),
	                     true))
		return EXIT_LOCAL;
	return result_exit(e->verdict);
}

static int by_id(cs_client *client, const char *text, uint64_t *ret)
{
	struct cs_check_result r;
	uint8_t id[16];

	if (!tool_parse_request_id(text, id))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not a request id of 32 hex digits", text);
	int err = cs_check(client, id, &r);
	if (err)
		return tool_failed_call(usage.command, "the request", err);
	*ret = r.index;
	return 0;
}

int wait_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	const char *id = NULL;
	uint64_t index = 0, wait_s = WAIT_S_DEFAULT;
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"id", OPTION_TEXT, &id, "HEX", "the request's id, in place of INDEX", 0, 0},
	        {"wait", OPTION_NUMBER, &wait_s, "S", "seconds to wait at most (default: an hour)", 0, 2592000},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct cs_end end;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if ((n == 1) == (id != NULL) || (n && !tool_parse_index(argv[0], &index)))
		return tool_fail(EXIT_USAGE, usage.command, "give INDEX, the index of an entry, or --id HEX");
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	if (id)
		code = by_id(client, id, &index);
	if (!code) {
		int err = cs_wait(client, index, (unsigned)(wait_s * 1000), &end);
		if (!err)
			code = report(&end, json);
		else if (err == CS_E_TIMEOUT)
			code = tool_fail(3, usage.command, "%s", cs_last_error());
		else
			code = tool_failed_call(usage.command, "waiting", err);
	}
	cs_close(client);
	return code;
}
