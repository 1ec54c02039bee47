/* countersign check: does an earlier answer still stand? */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "client/tool/request.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "check",
        .arguments = "[REQUEST-ID]",
        .about =
                "Asks whether the answer to one of your own earlier requests is an allow that is still good. The "
                "leader\n"
                "answers, once a majority of the nodes has confirmed that it leads: all that was acknowledged before "
                "counts.\n"
                "With --stale-ms any node answers from its own view, if that is not older. Either way this is one "
                "node's\n"
                "word, without a proof: what must be provable is asked anew with `decide`.\n"
                "With --subject, --action and --resource in place of the id: is there a grant that covers this request "
                "(its\n"
                "context: session and device)? That permits nothing yet; ask with `decide`.\n",
        .exits = "  0  it stands\n  1  it does not stand, or is not known\n" TOOL_EXIT_TEXT,
        .n_max = 1,
};

/* Is there a grant for it? */
static int check_grant(cs_client *client, const struct cs_request *request, uint64_t stale_ms, bool json)
{
	struct cs_check_result r;
	char time[TEXT_TIME_SIZE];
	int err = cs_check_grant(client, request, (unsigned)stale_ms, &r);

	if (err && json)
		result_dump_error(err);
	if (err == CS_E_NOT_FOUND)
		return tool_fail(1, usage.command, "no grant covers this request");
	if (err)
		return tool_failed_call(usage.command, "not known, which means no", err);
	text_time(r.time_ms, time);
	if (!json)
		printf("covered by the grant of entry %" PRIu64 ", %s\n", r.index, time);
	else if (result_dump(usage.command,
	                     json_pack("{s:b, s:I, s:I, s:s, s:I, s:I}", "covered", 1, "index", (json_int_t)r.index,
	                               "time_ms", (json_int_t)r.time_ms, "time", time, "size", (json_int_t)r.size,
	                               "stale_ms", (json_int_t)r.stale_ms),
	                     true))
		return EXIT_LOCAL;
	return 0;
}

static int report(const struct cs_check_result *r, bool json)
{
	char time[TEXT_TIME_SIZE];
	int code = r->stands ? 0 : 1;

	text_time(r->time_ms, time);
	if (!json) {
		printf("%s%s%s: %s, entry %" PRIu64 ", %s (", text_on(stdout, r->stands ? TINT_GREEN : TINT_RED),
		       r->stands ? "stands" : "does not stand", text_off(stdout), cs_verdict_text(r->verdict), r->index,
		       time);
		if (r->stale_ms)
			printf("this view is at most %" PRIu64 " ms old, ", r->stale_ms);
		printf("of %" PRIu64 " entries)\n", r->size);
		return code;
	}
	if (result_dump(usage.command,
	                json_pack("{s:b, s:s, s:I, s:I, s:s, s:I, s:I}", "stands", (int)r->stands, "verdict",
	                          cs_verdict_text(r->verdict), "index", (json_int_t)r->index, "time_ms",
	                          (json_int_t)r->time_ms, "time", time, "size", (json_int_t)r->size, "stale_ms",
	                          (json_int_t)r->stale_ms),
	                true))
		return EXIT_LOCAL;
	return code;
}

static int check_answer(cs_client *client, const uint8_t id[16], uint64_t stale_ms, bool json)
{
	struct cs_check_result result;
	int code, err;

	err = stale_ms ? cs_check_local(client, id, (unsigned)stale_ms, &result) : cs_check(client, id, &result);
	if (!err)
		code = report(&result, json);
	else if (err == CS_E_NOT_FOUND)
		code = tool_fail(1, usage.command, "no answer to this request of yours is known: it does not stand");
	else
		code = tool_failed_call(usage.command, "not known, which means no", err);
	if (err && json)
		result_dump_error(err);
	return code;
}

int check_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct request_words words = {0};
	struct request_owned request;
	uint64_t stale_ms = 0;
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        GRANT_OPTIONS(&words),
	        {"stale-ms", OPTION_NUMBER, &stale_ms, "MS", "any node may answer, from a view at most so old", 1,
	         UINT32_MAX},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	uint8_t id[16];
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if ((n == 1) == (words.subject != NULL))
		return tool_fail(EXIT_USAGE, usage.command, "give REQUEST-ID, or --subject, --action and --resource");
	code = n == 0 ? request_parse(usage.command, &words, &request) : 0;
	if (code)
		return code;
	if (n == 1 && !tool_parse_request_id(argv[0], id))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not a request id of 32 hex digits", argv[0]);
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = n == 1 ? check_answer(client, id, stale_ms, json)
	              : check_grant(client, &request.request, stale_ms, json);
	cs_close(client);
	return code;
}
