/* countersign answer: answers a challenge, with a device key or by another method. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/entry_view.h"
#include "client/tool/entryview.h"
#include "client/tool/files.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "node/wire/keyfile.h"

#define TEXT_SIZE_MAX 65536
#define BEHIND_MS     1000 /* A node that lags is given so long to have the entry. */

static const struct usage usage = {
        .command = "answer",
        .arguments = "",
        .about =
                "Answers the challenge of a step_up decision; the request is then decided anew. Whoever asked alone "
                "may\n"
                "bring the answer: --key is the same as for `decide`. The challenge comes from a file of `decide\n"
                "--save`, or by index from the ledger (for keys with the audit role).\n\n"
                "By --method: ed25519 (the default) signs with a device's key file; totp sends --code; webauthn sends\n"
                "--assertion FILE, PublicKeyCredential.toJSON() as a browser made it; oidc sends the ID token in\n"
                "--token FILE. --show-challenge prints what webauthn takes as challenge, and oidc as nonce.\n",
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

struct words {
	struct tool_access access;
	const char *device_key, *challenge, *method, *credential, *code, *assertion, *token;
	uint64_t index;
	bool json, show;
};

/* What is in a file, for the methods that take one; its last line's end is not part of it. */
static int read_text(const char *path, char **ret)
{
	size_t size;
	int rv = files_read(path, TEXT_SIZE_MAX, ret, &size);

	if (rv)
		return tool_fail(EXIT_USAGE, usage.command, "%s: %s", path, strerror(rv));
	while (size > 0 && strchr("\r\n ", (*ret)[size - 1]))
		(*ret)[--size] = 0;
	return 0;
}

static int sign(cs_client *client, const char *origin, const struct words *w, const struct result_challenge *c,
                cs_result **ret, int *ret_code)
{
	char credential[65];
	uint8_t signature[64];
	int err = cs_answer_sign(w->device_key, origin, c->index, c->digest, c->nonce, c->expiry_ms, credential,
	                         signature);

	if (err) {
		*ret_code = tool_fail(EXIT_LOCAL, usage.command, "%s: %s (%s)", w->device_key, cs_strerror(err),
		                      cs_last_error());
		return 0;
	}
	return cs_answer(client, c->index, credential, signature, ret);
}

/* 0 with *ret, or with *ret_code set; else the call's error. */
static int send_answer(cs_client *client, const char *origin, const struct words *w, const struct result_challenge *c,
                       cs_result **ret, int *ret_code)
{
	char *text = NULL;
	int err = 0;

	if (!strcmp(w->method, "ed25519"))
		return sign(client, origin, w, c, ret, ret_code);
	if (!strcmp(w->method, "totp"))
		return cs_answer_totp(client, c->index, w->credential, w->code, ret);
	*ret_code = read_text(w->assertion ? w->assertion : w->token, &text);
	if (!*ret_code && w->assertion)
		err = cs_answer_webauthn(client, c->index, w->credential, text, ret);
	else if (!*ret_code)
		err = cs_answer_oidc(client, c->index, w->credential, text, ret);
	free(text);
	return err;
}

static int answer(cs_client *client, const char *origin, const struct words *w, const struct result_challenge *c)
{
	cs_result *result = NULL;
	int code = 0, err;

	if (c->expiry_ms < text_now_ms())
		fprintf(stderr, "countersign answer: by this machine's clock the challenge has expired\n");
	err = send_answer(client, origin, w, c, &result, &code);
	if (code)
		return code;
	if (err) {
		if (w->json)
			result_dump_error(err);
		return tool_failed_call(usage.command, "no decision, which means deny", err);
	}
	code = result_exit(result->verdict);
	if (!w->json)
		result_print(result);
	else if (result_dump(usage.command, result_json(result), true))
		code = EXIT_LOCAL;
	cs_result_free(result);
	return code;
}

static int show(const char *origin, const struct result_challenge *c)
{
	char text[44];
	int err = cs_answer_challenge(origin, c->index, c->digest, c->nonce, c->expiry_ms, text);

	if (err)
		return tool_fail(EXIT_USAGE, usage.command, "%s", cs_last_error());
	puts(text);
	return 0;
}

/* Each method has what it needs, and nothing that another would. */
static int check_words(const struct words *w)
{
	static const struct {
		const char *method, *option;
	} needs[] = {{"ed25519", "device-key FILE"},
	             {"totp", "code DIGITS"},
	             {"webauthn", "assertion FILE"},
	             {"oidc", "token FILE"}};
	const char *const given[] = {w->device_key, w->code, w->assertion, w->token};
	bool known = false;

	for (unsigned i = 0; i < 4; i++) {
		bool is = !strcmp(w->method, needs[i].method);
		known |= is;
		if (is != (given[i] != NULL) && !(w->show && !given[i]))
			return tool_fail(EXIT_USAGE, usage.command,
			                 is ? "option --%s is missing" : "option --%s does not fit this --method",
			                 needs[i].option);
	}
	if (!known)
		return tool_fail(EXIT_USAGE, usage.command, "--method: ed25519, totp, webauthn or oidc");
	if (strcmp(w->method, "ed25519") && !w->credential && !w->show)
		return tool_fail(EXIT_USAGE, usage.command, "option --credential NAME is missing");
	return 0;
}

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
	return w->show ? show(cluster.origin, c) : answer(client, cluster.origin, w, c);
}

int answer_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT, .method = "ed25519", .index = INDEX_UNSET};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"device-key", OPTION_TEXT, &w.device_key, "FILE",
	         "the device's key file; its name is the credential's", 0, 0},
	        {"method", OPTION_TEXT, &w.method, "NAME", "ed25519 (the default), totp, webauthn, oidc", 0, 0},
	        {"credential", OPTION_TEXT, &w.credential, "NAME", "which one; of ed25519 the key file says it", 0, 0},
	        {"code", OPTION_TEXT, &w.code, "DIGITS", "totp: the code", 0, 0},
	        {"assertion", OPTION_TEXT, &w.assertion, "FILE", "webauthn: what the browser made", 0, 0},
	        {"token", OPTION_TEXT, &w.token, "FILE", "oidc: the ID token", 0, 0},
	        {"show-challenge", OPTION_FLAG, &w.show, NULL, "print what is to be proven, and end", 0, 0},
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
	code = check_words(&w);
	if (code)
		return code;
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
