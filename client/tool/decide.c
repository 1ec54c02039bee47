/* countersign decide: asks whether an action may go ahead. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/tool/request.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "decide",
        .arguments = "",
        .about = "Asks for a decision, checks its proof and prints it. Only exit code 0 permits; whatever fails is to "
                 "be\n"
                 "read as deny. After a timeout the outcome is unknown: ask again with the --id that was printed.\n",
        .exits = "  0  allow\n  1  deny\n  2  step_up: answer the challenge (countersign answer)\n  3  "
                 "defer\n" TOOL_EXIT_TEXT,
};

static int report(const cs_result *r, bool json, const char *save)
{
	json_t *o = NULL;
	int code = 0;

	if (json || save) {
		o = result_json(r);
		if (save)
			code = result_save(usage.command, save, o);
	}
	if (json && !code)
		code = result_dump(usage.command, json_incref(o), true);
	else if (!json)
		result_print(r);
	json_decref(o);
	return code ? code : result_exit(r->verdict);
}

static int ask(cs_client *client, struct cs_request *request, bool json, const char *save)
{
	char id[TOOL_REQUEST_ID_TEXT_SIZE];
	static const uint8_t none[16];
	cs_result *result = NULL;
	int err, code;

	if (!memcmp(request->id, none, sizeof none))
		cs_request_id(request->id);
	err = cs_decide(client, request, &result);
	if (err) {
		if (json)
			result_dump_error(err);
		tool_format_request_id(request->id, id);
		code = tool_failed_call(usage.command, "no decision, which means deny", err);
		if (code == EXIT_UNREACHABLE)
			tool_fail(code, usage.command, "ask again with --id %s", id);
		return code;
	}
	code = report(result, json, save);
	cs_result_free(result);
	return code;
}

int decide_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct request_words words = {0};
	const char *save = NULL;
	bool json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        REQUEST_OPTIONS(&words),
	        {"json", OPTION_FLAG, &json, NULL, "as JSON, with the whole proof", 0, 0},
	        {"save", OPTION_TEXT, &save, "FILE", "write that JSON to a new file, for `answer --challenge`", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct request_owned request;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code == OPTIONS_GO_ON)
		code = request_parse(usage.command, &words, &request);
	else
		return code;
	if (!code)
		code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = ask(client, &request.request, json, save);
	cs_close(client);
	return code;
}
