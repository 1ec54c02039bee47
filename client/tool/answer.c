/* countersign answer: answers a challenge with a device key. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/entry_view.h"
#include "client/tool/entryview.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

#define BEHIND_MS 1000 /* A node that lags is given so long to have the entry. */

static const struct usage usage = {
        .command = "answer",
        .arguments = "",
        .about = "Signs the challenge of a step_up decision with a device's key and sends the answer; the request is "
                 "then\n"
                 "decided anew. Whoever asked alone may bring the answer: --key is the same as for `decide`. The "
                 "challenge\n"
                 "comes from a file of `decide --save`, or by index from the ledger (for keys with the audit role).\n",
        .exits = "  0  allow\n  1  deny\n  2  step_up: this was not enough\n  3  defer\n" TOOL_EXIT_TEXT,
};

/* Digest (public) and challenge (private) of an opened entry. */
static int challenge_of(const struct entryview *v, struct result_challenge *ret)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_CHALLENGE);
	struct entry_view public_;
	const uint8_t *skipped;
	size_t len;
	struct reader r;
	int err = entry_view_read(&public_, &v->entry);

	if (!err && (v->entry.kind != ENTRY_DECISION || !f))
		err = CS_E_NOT_FOUND;
	if (err)
		return err;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	reader_bin_exact(&r, ret->nonce, sizeof ret->nonce);
	reader_uint(&r, UINT64_MAX, &ret->expiry_ms);
	reader_skip(&r, &skipped, &len);
	reader_skip(&r, &skipped, &len);
	memcpy(ret->digest, public_.digest.b, sizeof ret->digest);
	ret->index = v->entry.index;
	return reader_end(&r);
}

static int read_challenge(cs_client *client, uint64_t index, struct result_challenge *ret)
{
	struct entryview v;
	cs_page *page = NULL;
	char what[40];
	int err = cs_entries(client, index, 1, BEHIND_MS, &page), code = 0;

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	if (err)
		return tool_failed_call(usage.command, what, err);
	err = page->n ? entryview_open(&v, &page->entries[0]) : CS_E_NOT_FOUND;
	if (!err && v.entry.index != index)
		err = CS_E_REFUTED;
	if (!err && !v.opened)
		code = tool_fail(
		        EXIT_REFUSED, usage.command,
		        "%s: its challenge is not open to this key; use the file of `decide --save` (--challenge)",
		        what);
	else if (!err)
		err = challenge_of(&v, ret);
	cs_page_free(page);
	if (err)
		code = tool_fail(tool_exit_of(err), usage.command, "%s: %s", what,
		                 err == CS_E_NOT_FOUND ? "is no decision with a challenge" : cs_strerror(err));
	return code;
}

static int answer(cs_client *client, const char *origin, const char *device_key, const struct result_challenge *c,
                  bool json)
{
	char credential[65];
	uint8_t signature[64];
	cs_result *result = NULL;
	int code, err = cs_answer_sign(device_key, origin, c->index, c->digest, c->nonce, c->expiry_ms, credential,
	                               signature);

	if (err)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: %s (%s)", device_key, cs_strerror(err),
		                 cs_last_error());
	if (c->expiry_ms < text_now_ms())
		fprintf(stderr, "countersign answer: by this machine's clock the challenge has expired\n");
	err = cs_answer(client, c->index, credential, signature, &result);
	if (err) {
		if (json)
			result_dump_error(err);
		return tool_failed_call(usage.command, "no decision, which means deny", err);
	}
	code = result_exit(result->verdict);
	if (!json)
		result_print(result);
	else if (result_dump(usage.command, result_json(result), true))
		code = EXIT_LOCAL;
	cs_result_free(result);
	return code;
}

struct words {
	struct tool_access access;
	const char *device_key, *challenge;
	uint64_t index;
	bool json;
};

#define INDEX_UNSET UINT64_MAX

static int run(cs_client *client, const struct words *w, struct result_challenge *c)
{
	const char *path = w->access.cluster ? w->access.cluster : getenv("COUNTERSIGN_CLUSTER");
	struct cluster_file cluster;
	char text[256] = "";

	if (cluster_file_read(path, &cluster, text))
		return tool_fail(EXIT_USAGE, usage.command, "%s", text);
	if (!w->challenge) {
		int code = read_challenge(client, w->index, c);

		if (code)
			return code;
	}
	return answer(client, cluster.origin, w->device_key, c, w->json);
}

int answer_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .index = INDEX_UNSET};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"device-key", OPTION_TEXT, &w.device_key, "FILE",
	         "the device's key file; its name is the credential's", 0, 0},
	        {"challenge", OPTION_TEXT, &w.challenge, "FILE", "what `decide --save` wrote", 0, 0},
	        {"index", OPTION_NUMBER, &w.index, "N", "or the decision's index, read from the ledger", 0, INT64_MAX},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON, with the whole proof", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct result_challenge c;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!w.device_key)
		return tool_fail(EXIT_USAGE, usage.command, "option --device-key FILE is missing");
	if ((w.challenge != NULL) == (w.index != INDEX_UNSET))
		return tool_fail(EXIT_USAGE, usage.command, "give --challenge FILE or --index N, one of them");
	code = w.challenge ? result_load_challenge(usage.command, w.challenge, &c) : 0;
	if (!code)
		code = tool_open(usage.command, &w.access, 0, &client);
	if (code)
		return code;
	code = run(client, &w, &c);
	cs_close(client);
	return code;
}
