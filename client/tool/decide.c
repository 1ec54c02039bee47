/* countersign decide: asks whether an action may go ahead. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/request.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "decide",
        .arguments = "",
        .about = "Asks for a decision, checks its proof and prints it. Only exit code 0 permits; whatever fails is to "
                 "be\n"
                 "read as deny. After a timeout the outcome is unknown: ask again with the --id that was printed.\n"
                 "The proof in the answer is the leader's claim. With --wait cosigned the command goes on until a "
                 "quorum of\n"
                 "the trust policy has cosigned a checkpoint that covers the entry, a few milliseconds; if that does "
                 "not\n"
                 "come in time it fails, whatever the verdict.\n",
        .exits = "  0  allow\n  1  deny\n  2  step_up: answer the challenge (countersign answer)\n  3  "
                 "defer: it waits (countersign wait)\n" TOOL_EXIT_TEXT,
};

/* How the verdict is to be shown, and for what it is held back. */
struct form {
	const char *save, *wait;
	bool json;
	uint64_t timeout_ms;
};

/* 0: a quorum of the client's own trust policy vouches for the entry. */
static int await_cosigned(cs_client *client, const cs_result *r, uint64_t timeout_ms)
{
	char *bundle = NULL;
	bool quorum = false;
	int err = cs_prove(client, r->index, (unsigned)timeout_ms, &bundle, &quorum);

	free(bundle);
	if (err)
		return tool_failed_call(usage.command, "decided, but not proven by a quorum", err);
	if (!quorum)
		return tool_fail(EXIT_UNREACHABLE, usage.command,
		                 "entry %" PRIu64 ": no quorum cosigned it in time: it is the leader's claim only",
		                 r->index);
	return 0;
}

static int report(const cs_result *r, const struct form *f, bool cosigned)
{
	bool json = f->json;
	const char *save = f->save;
	json_t *o = NULL;
	int code = 0;

	if (json || save) {
		o = result_json(r);
		if (cosigned)
			json_object_set_new(o, "cosigned", json_true());
		if (save)
			code = result_save(usage.command, save, o);
	}
	if (json && !code)
		code = result_dump(usage.command, json_incref(o), true);
	else if (!json)
		result_print(r);
	if (cosigned && !json)
		printf("%-10s by a quorum of the trust policy\n", "cosigned");
	json_decref(o);
	return code ? code : result_exit(r->verdict);
}

static void hint_again(const struct cs_request *request)
{
	char id[TOOL_REQUEST_ID_TEXT_SIZE];

	tool_format_request_id(request->id, id);
	tool_fail(EXIT_UNREACHABLE, usage.command, "ask again with --id %s", id);
}

static int ask(cs_client *client, struct cs_request *request, const struct form *f)
{
	static const uint8_t none[16];
	cs_result *result = NULL;
	int err, code;

	if (!memcmp(request->id, none, sizeof none))
		cs_request_id(request->id);
	err = cs_decide(client, request, &result);
	if (err) {
		if (f->json)
			result_dump_error(err);
		code = tool_failed_call(usage.command, "no decision, which means deny", err);
		if (code == EXIT_UNREACHABLE)
			hint_again(request);
		return code;
	}
	code = f->wait ? await_cosigned(client, result, f->timeout_ms) : 0;
	if (!code)
		code = report(result, f, f->wait != NULL);
	else if (code == EXIT_UNREACHABLE)
		hint_again(request);
	cs_result_free(result);
	return code;
}

static int read_request(const struct request_words *w, const char *file, struct request_owned *ret)
{
	int code;

	if (!file)
		return request_parse(usage.command, w, ret);
	code = request_read_json(usage.command, file, ret);
	if (!code && (w->subject || w->actor || w->action || w->resource || w->context.n || w->via.n))
		code = tool_fail(EXIT_USAGE, usage.command,
		                 "--request FILE says all of the request: only --id goes with it");
	if (!code && w->id && !tool_parse_request_id(w->id, ret->request.id))
		code = tool_fail(EXIT_USAGE, usage.command, "option --id: \"%s\" is not 32 hex digits", w->id);
	return code;
}

int decide_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct request_words words = {0};
	const char *file = NULL;
	struct form form = {0};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        REQUEST_OPTIONS(&words),
	        {"request", OPTION_TEXT, &file, "FILE", "an AuthZEN request in JSON instead of these options", 0, 0},
	        {"json", OPTION_FLAG, &form.json, NULL, "as JSON, with the whole proof", 0, 0},
	        {"save", OPTION_TEXT, &form.save, "FILE", "write that JSON to a new file, for `answer --challenge`", 0,
	         0},
	        {"wait", OPTION_TEXT, &form.wait, "WHAT", "`cosigned`: until a quorum has cosigned the entry", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct request_owned request;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (form.wait && strcmp(form.wait, "cosigned") != 0)
		return tool_fail(EXIT_USAGE, usage.command, "--wait: \"%s\" is not cosigned", form.wait);
	form.timeout_ms = access.timeout_ms;
	code = read_request(&words, file, &request);
	if (!code)
		code = tool_open(usage.command, &access, 0, &client);
	if (!code) {
		code = ask(client, &request.request, &form);
		cs_close(client);
	}
	request_close(&request);
	return code;
}
