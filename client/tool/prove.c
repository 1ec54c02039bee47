/* countersign prove: writes an entry's proof, cosigned by a quorum, to files for offline verification. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/disclose.h"
#include "client/tool/files.h"
#include "client/tool/proveevidence.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "prove",
        .arguments = "INDEX",
        .about = "Writes one file with the entry, the fields that are open to you and its inclusion proof, under the\n"
                 "newest checkpoint that a quorum has cosigned. `countersign verify` checks it without any server.\n"
                 "Whoever gets the file sees those fields; --disclose gives no others than it names, which stay "
                 "commitments.\n"
                 "The ledger gets an entry that says who was shown which fields. --tlog-proof and --entry write the "
                 "same without fields, in "
                 "the\n"
                 "public form that other tools read. With --evidence the bundle of an answer that met its challenge "
                 "also has what\n"
                 "the person's own proof can be checked against: the challenge, and the credential's enrolment.\n",
        .exits = "  0  written, cosigned by a quorum\n  2  written, but it is the leader's claim only\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

/* Where each form of the proof goes; NULL: nowhere. */
struct outputs {
	const char *bundle, *tlog_proof, *entry;
	bool some; /* Only these fields. */
	uint64_t fields;
};

static int write_new(const char *path, const void *bytes, size_t size)
{
	int err = files_write(path, bytes, size, 0644);

	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s: %s", path, strerror(err)) : 0;
}

/* The two files that strangers' tools take: the proof as it stands in the bundle, and the bytes that it is about. */
static int write_parts(const char *bundle, const struct outputs *out)
{
	json_t *doc = json_loads(bundle, 0, NULL);
	const char *proof = json_string_value(json_object_get(doc, "proof"));
	const char *base64 = json_string_value(json_object_get(doc, "entry"));
	size_t base64_len = base64 ? strlen(base64) : 0, len = 0;
	uint8_t *entry = malloc(base64_len + 1);
	int code = 0;

	if (!proof || !base64 || !entry ||
	    sodium_base642bin(entry, base64_len + 1, base64, base64_len, NULL, &len, NULL,
	                      sodium_base64_VARIANT_ORIGINAL))
		code = tool_fail(EXIT_LOCAL, usage.command, "the bundle cannot be taken apart");
	if (!code && out->tlog_proof)
		code = write_new(out->tlog_proof, proof, strlen(proof));
	if (!code && out->entry)
		code = write_new(out->entry, entry, len);
	free(entry);
	json_decref(doc);
	return code;
}

static int write_all(const char *bundle, const struct outputs *out)
{
	int code = 0;

	if (out->bundle)
		code = write_new(out->bundle, bundle, strlen(bundle));
	else if (!out->tlog_proof && !out->entry)
		puts(bundle);
	return !code && (out->tlog_proof || out->entry) ? write_parts(bundle, out) : code;
}

static int prove(cs_client *client, uint64_t index, uint64_t wait_ms, bool evidence, const struct outputs *out)
{
	char *bundle = NULL, what[40];
	bool quorum = false;
	int err = out->some ? cs_prove_fields(client, index, (unsigned)wait_ms, out->fields, &bundle, &quorum)
	                    : cs_prove(client, index, (unsigned)wait_ms, &bundle, &quorum);

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	if (err)
		return tool_failed_call(usage.command, what, err);
	int code = evidence ? proveevidence(usage.command, client, (unsigned)wait_ms, &bundle, &quorum) : 0;
	if (!code)
		code = write_all(bundle, out);
	free(bundle);
	if (code)
		return code;
	const char *path = out->bundle ? out->bundle : out->tlog_proof ? out->tlog_proof : out->entry;
	fprintf(stderr, "%s: %s%s%s\n", what,
	        quorum ? "cosigned by a quorum" : "the leader's claim only, no quorum cosigned it yet",
	        path ? ", written to " : "", path ? path : "");
	return quorum ? 0 : 2;
}

int prove_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = 10000};
	struct outputs out = {0};
	const char *disclose = NULL;
	uint64_t wait_ms = 2000, index;
	bool evidence = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"out", OPTION_TEXT, &out.bundle, "FILE", "where to (a new file; default: standard output)", 0, 0},
	        {"tlog-proof", OPTION_TEXT, &out.tlog_proof, "FILE",
	         "the proof alone, as c2sp.org/tlog-proof has it (a new file)", 0, 0},
	        {"entry", OPTION_TEXT, &out.entry, "FILE", "the entry's bytes, which that proof is about (a new file)",
	         0, 0},
	        {"evidence", OPTION_FLAG, &evidence, NULL,
	         "of an answer: with the challenge and the credential's enrolment, so that the person's proof can be "
	         "checked",
	         0, 0},
	        {"disclose", OPTION_TEXT, &disclose, "FIELD,…",
	         "open these private fields and no others: subject,action; none", 0, 0},
	        {"wait", OPTION_NUMBER, &wait_ms, "MS", "longest wait for cosignatures (default: 2000)", 0, 60000},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!tool_parse_index(argv[0], &index))
		return tool_fail(EXIT_USAGE, usage.command, "\"%s\" is not the index of an entry", argv[0]);
	/* The two public forms have no fields: none are asked for. */
	out.some = disclose != NULL || (!out.bundle && (out.tlog_proof || out.entry));
	if (disclose && (code = disclose_parse(usage.command, disclose, &out.fields)) > 0)
		return code;
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = prove(client, index, wait_ms, evidence, &out);
	cs_close(client);
	return code;
}
