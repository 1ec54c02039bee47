/* countersign verify: checks a proof offline, with the trust policy and nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/bundleview.h"
#include "client/tool/files.h"
#include "client/tool/json.h"
#include "client/tool/result.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/verifyhistory.h"
#include "client/tool/verifyidentity.h"
#include "client/tool/verifyview.h"
#include "client/tool/verifywhole.h"

static const struct usage usage = {
        .command = "verify",
        .arguments = "FILE",
        .about =
                "Checks a bundle of `countersign prove`, a .tlog-proof (with --entry), a checkpoint, one person's "
                "history\n"
                "(`countersign history --bundle`: that it is complete), or a whole ledger:\n"
                "a folder of `countersign export`, or a node's folder or a copy of its ledger (data.mdb), which may "
                "be\n"
                "in use. What counts are the keys of a trust policy that you got another way than the data. No server\n"
                "is asked, and no key in the data is believed. Without a quorum of cosignatures it is the leader's\n"
                "claim only: exit code 2.\n",
        .exits = "  0  verified\n  1  refuted: something in it is false\n  2  could not tell, an unreadable file "
                 "included\n"
                 "  4  the command line cannot be understood\n",
        .n_min = 1,
        .n_max = 1,
};

static bool is_bundle(const char *bytes, size_t size)
{
	return size && bytes[0] == '{';
}

static json_t *to_json(const struct verify_result *r, const char *bytes, size_t size)
{
	char bad[BUNDLEVIEW_NAME_SIZE];
	static const char *const marks[] = {"held", "bad", "unchecked"};
	json_t *lines = json_array(), *fields, *o;

	for (unsigned i = 0; i < r->n_lines; i++)
		json_array_append_new(
		        lines, json_pack("{s:s, s:s}", "mark", marks[r->lines[i].mark], "text", r->lines[i].text));
	o = json_pack("{s:s, s:i, s:s, s:o}", "outcome", verifyview_outcome(r), "status", (int)r->outcome, "reason",
	              r->reason, "checks", lines);
	if (r->has_checkpoint)
		json_object_set_new(o, "checkpoint",
		                    json_pack("{s:s, s:I, s:o, s:i, s:i}", "origin", r->origin, "size",
		                              (json_int_t)r->size, "root", json_bytes(r->root, sizeof r->root),
		                              "log_signatures", (int)r->n_log_signatures, "cosignatures",
		                              (int)r->n_cosignatures));
	if (is_bundle(bytes, size) && r->outcome != VERIFY_REFUTED && bundleview_read(bytes, size, &fields, bad))
		json_object_set_new(o, "fields", fields);
	if (r->has_bad_index)
		json_object_set_new(o, "bad_index", json_integer((json_int_t)r->bad_index));
	if (*r->expected) {
		json_object_set_new(o, "expected", json_string(r->expected));
		json_object_set_new(o, "found", json_string(r->found));
	}
	return o;
}

/* What people read in a bundle must be what was verified. Another release may have worded it otherwise: not refuted. */
static void check_texts(const char *bytes, size_t size, struct verify_result *r)
{
	char bad[BUNDLEVIEW_NAME_SIZE];
	json_t *fields = NULL;

	if (r->outcome == VERIFY_REFUTED)
		return;
	if (!bundleview_read(bytes, size, &fields, bad)) {
		r->outcome = VERIFY_UNDECIDED;
		snprintf(r->reason, sizeof r->reason, "out of memory, or fields of a kind that is not known here");
	} else if (*bad) {
		r->outcome = VERIFY_UNDECIDED;
		snprintf(r->reason, sizeof r->reason,
		         "the text beside field %s is not its value: believe the value, and ask who changed the text",
		         bad);
	}
	json_decref(fields);
}

/* The three kinds of file begin unlike each other. */
static int verify_bytes(const struct verify_policy *policy, const char *bytes, size_t size, const char *entry_path,
                        struct verify_result *r)
{
	char *entry = NULL;
	size_t entry_size, head = strlen(FORMAT_PROOF_HEAD);
	int err;

	if (is_bundle(bytes, size)) {
		verify_bundle(policy, bytes, size, r);
		if (r->outcome != VERIFY_REFUTED)
			verifyidentity(bytes, size, r);
		check_texts(bytes, size, r);
	} else if (size > head && !memcmp(bytes, FORMAT_PROOF_HEAD, head)) {
		if (!entry_path)
			return tool_fail(EXIT_USAGE, usage.command,
			                 "a .tlog-proof needs --entry FILE, the entry that it is about");
		err = files_read(entry_path, LIMIT_ENTRY_SIZE_MAX, &entry, &entry_size);
		if (err)
			return tool_fail(VERIFY_UNDECIDED, usage.command, "%s: %s", entry_path, strerror(err));
		verify_tlog_proof(policy, bytes, size, entry, entry_size, VERIFY_ENTRY_COUNTERSIGN, r);
		free(entry);
	} else {
		verify_checkpoint(policy, bytes, size, r);
	}
	return 0;
}

static int verify(const char *path, const char *entry_path, const struct verify_policy *policy,
                  const struct verifywhole *whole, bool json)
{
	struct verify_result *r = malloc(sizeof *r);
	char *bytes = NULL;
	size_t size = 0;
	bool is_whole = verifywhole_is(path), is_history = !is_whole && verifyhistory_is(path);
	int code = 0, err = is_whole || is_history ? 0 : files_read(path, FORMAT_BUNDLE_SIZE_MAX, &bytes, &size);

	if (!err && r && is_history)
		err = verifyhistory_run(path, policy, r);
	if (err || !r) {
		free(r);
		free(bytes);
		return tool_fail(VERIFY_UNDECIDED, usage.command, "%s: %s", path, strerror(err ? err : ENOMEM));
	}
	if (is_whole)
		code = verifywhole_run(usage.command, path, policy, whole, r);
	else if (verifywhole_asked(whole))
		code = tool_fail(EXIT_USAGE, usage.command,
		                 "%s is no whole ledger: --old, --from and --bodies are for one", path);
	else if (!is_history)
		code = verify_bytes(policy, bytes, size, entry_path, r);
	if (!code) {
		if (!json) {
			if (is_bundle(bytes, size) && r->outcome != VERIFY_REFUTED) {
				bundleview_print(bytes, size);
				putchar('\n');
			}
			verifyview_print(r);
		} else {
			code = result_dump(usage.command, to_json(r, bytes, size), true);
		}
		code = code ? VERIFY_UNDECIDED : (int)r->outcome;
	}
	free(bytes);
	free(r);
	return code;
}

int verify_run(int argc, char **argv)
{
	const char *trust = NULL, *entry = NULL;
	struct verifywhole whole = {0};
	bool json = false;
	const struct option options[] = {
	        {"trust", OPTION_TEXT, &trust, "POLICY", "the trust policy (tlog-policy): whose signatures count", 0,
	         0},
	        {"entry", OPTION_TEXT, &entry, "FILE", "the entry's bytes, for a .tlog-proof", 0, 0},
	        {"old", OPTION_TEXT, &whole.old_path, "FILE",
	         "of a whole ledger: an older checkpoint, or a bundle with one, from which it must have grown", 0, 0},
	        {"from", OPTION_NUMBER, &whole.from, "N",
	         "of an export folder: entries before this one may be missing; only their hashes are looked at", 0,
	         INT64_MAX},
	        {"bodies", OPTION_FLAG, &whole.bodies, NULL,
	         "of a node's ledger: also the private fields, against what their entries commit to", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct verify_policy *policy = NULL;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!trust)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --trust POLICY is missing: no key that came with the data counts");
	code = verifyview_policy(usage.command, trust, &policy);
	if (!code)
		code = verify(argv[0], entry, policy, &whole, json);
	verify_policy_free(policy);
	return code;
}
