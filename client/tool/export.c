/* countersign export: the ledger's leaves as a folder in the form of C2SP tlog-tiles, under a cosigned checkpoint. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/tool/exportfile.h"
#include "client/tool/exportfolder.h"
#include "client/tool/progress.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "ledger/verify_show.h"

#define PAGE   256 /* A bundle's. */
#define TRIES  20  /* For the designated line, so far apart: */
#define NAP_MS 50

static const struct usage usage = {
        .command = "export",
        .arguments = "",
        .about = "Writes the ledger's entries and the tree over them into a folder, in the form that tools for "
                 "transparency\n"
                 "logs read (C2SP tlog-tiles), under the newest checkpoint that a quorum has cosigned. Private fields "
                 "are\n"
                 "not in it. A folder that is there already is carried on; the checkpoint in it must be one that the\n"
                 "ledger has grown from. It may be interrupted at any moment, and carries on from there.\n",
        .exits = "  0  written\n  2  no quorum has cosigned: nothing was written\n" TOOL_EXIT_TEXT,
};

struct options {
	const char *dir;
	uint64_t from, to_size, wait_ms;
	bool json;
};

/* What is exported: the cosigned checkpoint, of which the folder gets the lines chosen. */
struct target {
	struct checkpoint checkpoint;
	uint32_t log_key;
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t note_len;
};

/*
 * Strangers' tools know one key an origin, so of several log lines the one designated is kept: that of the trust
 * policy, else that of the folder's checkpoint so far, else the first. Cosignatures follow, 16 lines in all
 * (signed-note asks readers for no more).
 */
static bool note_choose(const char *text, const uint32_t designated[2], struct target *ret)
{
	const char *line, *end;
	unsigned chosen = 0, best = 0;
	struct note n;

	if (note_parse(&n, text, strlen(text)) || checkpoint_parse(&ret->checkpoint, n.text, n.text_len))
		return false;
	for (unsigned i = 0; i < n.n_signatures; i++) {
		const struct note_signature *s = &n.signatures[i];

		if (s->name_len != strlen(ret->checkpoint.origin) ||
		    memcmp(s->name, ret->checkpoint.origin, s->name_len))
			continue;
		unsigned worth = s->id == designated[0] ? 3 : s->id == designated[1] ? 2 : 1;
		if (worth <= best)
			continue;
		best = worth;
		chosen = i;
		ret->log_key = s->id;
	}
	if (best == 0)
		return false;
	memcpy(ret->note, text, n.text_len + 1);
	ret->note_len = n.text_len + 1;
	line = text + n.text_len + 1;
	for (unsigned i = 0; i < n.n_signatures; i++, line = end) {
		const struct note_signature *s = &n.signatures[i];
		bool log = s->name_len == strlen(ret->checkpoint.origin) &&
		           !memcmp(s->name, ret->checkpoint.origin, s->name_len);

		end = strchr(line, '\n') + 1;
		if (log && i != chosen)
			continue;
		memcpy(ret->note + ret->note_len, line, (size_t)(end - line));
		ret->note_len += (size_t)(end - line);
	}
	return true;
}

static char *note_of_bundle(const char *bundle)
{
	json_t *doc = json_loads(bundle, 0, NULL);
	const char *proof = json_string_value(json_object_get(doc, "proof")),
	           *blank = proof ? strstr(proof, "\n\n") : NULL;
	char *note = blank ? strdup(blank + 2) : NULL;

	json_decref(doc);
	return note;
}

/* One bundle's checkpoint, if the trust policy's quorum has cosigned it: *ret_quorum. */
static int target_ask(cs_client *client, uint64_t index, unsigned wait_ms, const uint32_t designated[2],
                      struct target *ret, bool *ret_quorum)
{
	char *bundle = NULL;
	int err = cs_prove_fields(client, index, wait_ms, 0, &bundle, ret_quorum);

	if (err)
		return tool_failed_call(usage.command, "checkpoint", err);
	char *note = note_of_bundle(bundle);
	bool good = note && note_choose(note, designated, ret);
	free(bundle);
	free(note);
	return good ? 0 : tool_fail(EXIT_REFUTED, usage.command, "the checkpoint has no log key's signature");
}

/* Over `held` entries or, where the policy asks for a witness who has not come by yet, `size` at least. */
static int target_cosigned(cs_client *client, const struct options *o, uint64_t held, uint64_t size,
                           const uint32_t designated[2], struct target *ret)
{
	bool quorum = false;
	int code = target_ask(client, held - 1, (unsigned)o->wait_ms, designated, ret, &quorum);

	if (!code && !quorum && size < held)
		code = target_ask(client, size - 1, 0, designated, ret, &quorum);
	if (!code && !quorum)
		code = tool_fail(2, usage.command, "no quorum has cosigned %" PRIu64 " entries: nothing was written",
		                 size);
	return code;
}

/* A checkpoint over all that the ledger holds now, and at least `size` entries, cosigned by a quorum. */
static int target_find(cs_client *client, const struct options *o, uint64_t size, const uint32_t designated[2],
                       struct target *ret)
{
	const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	cs_page *page;
	int err = cs_leaves(client, size - 1, 1, (unsigned)o->wait_ms, &page);

	if (err)
		return tool_failed_call(usage.command, "entries", err);
	uint64_t held = page->size;
	cs_page_free(page);
	if (held < size)
		return tool_fail(EXIT_UNREACHABLE, usage.command, "the ledger has %" PRIu64 " entries, not %" PRIu64,
		                 held, size);
	int code = target_cosigned(client, o, held, size, designated, ret);
	/* The designated node's line may come a moment after the quorum's. */
	for (unsigned i = 0; !code && designated[0] && ret->log_key != designated[0] && i < TRIES; i++) {
		nanosleep(&nap, NULL);
		code = target_cosigned(client, o, held, size, designated, ret);
	}
	if (!code && designated[0] && ret->log_key != designated[0])
		fprintf(stderr,
		        "countersign export: warning: the designated log key %08x has not signed (is its node down?): "
		        "the line "
		        "is of key %08x\n",
		        (unsigned)designated[0], (unsigned)ret->log_key);
	return code;
}

/* The id of the log key that the trust policy designates; 0: it cannot be told. */
static uint32_t designated_of(cs_client *client)
{
	char reason[256], vkey[VERIFY_VKEY_SIZE], *text = NULL;
	struct verify_policy *policy;
	struct note_key key;
	uint32_t id = 0;

	if (cs_follow(client, &text) || !text)
		return 0;
	if (verify_policy_parse(text, strlen(text), &policy, reason, sizeof reason) == 0) {
		if (verify_policy_designated(policy, NULL, vkey) && note_key_parse(&key, vkey, strlen(vkey)) == 0)
			id = key.id;
		verify_policy_free(policy);
	}
	free(text);
	return id;
}

static int folder_failed(const struct exportfolder *f, int err)
{
	int code = err == CS_ERR_REFUTED ? EXIT_REFUTED : EXIT_LOCAL;

	return tool_fail(code, usage.command, "%s", exportfolder_why(f));
}

static int page_take(cs_client *client, struct exportfolder *f, uint64_t size)
{
	uint64_t first = exportfolder_size(f), want = PAGE - first % PAGE;
	cs_page *page;
	int err = cs_leaves(client, first, (unsigned)(want < size - first ? want : size - first), 0, &page), code = 0;

	if (err)
		return tool_failed_call(usage.command, "entries", err);
	if (page->n == 0)
		code = tool_fail(EXIT_UNREACHABLE, usage.command, "the node has not entry %" PRIu64 " yet", first);
	for (size_t i = 0; i < page->n && i < size - first && !code; i++) {
		err = exportfolder_append(f, page->entries[i].leaf, page->entries[i].leaf_size);
		if (err)
			code = folder_failed(f, err);
	}
	cs_page_free(page);
	return code;
}

static int grow(cs_client *client, struct exportfolder *f, uint64_t size)
{
	struct progress progress = {.what = "exported", .unit = "entries"};
	int code = 0;

	while (!code && exportfolder_size(f) < size) {
		bool taken;
		int err = exportfolder_resume(f, size, &taken);

		code = err ? folder_failed(f, err) : taken ? 0 : page_take(client, f, size);
		progress_show(&progress, exportfolder_size(f), size);
	}
	progress_end(&progress);
	return code;
}

static void report(const struct options *o, const struct target *t, uint64_t old)
{
	if (o->json) {
		json_t *j = json_pack("{s:s, s:I, s:I}", "origin", t->checkpoint.origin, "size",
		                      (json_int_t)t->checkpoint.size, "old_size", (json_int_t)old);

		json_dumpf(j, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(j);
		return;
	}
	if (old == t->checkpoint.size)
		printf("%s: up to date, %" PRIu64 " entries, cosigned by a quorum\n", o->dir, old);
	else
		printf("%s: entries %" PRIu64 " to %" PRIu64 " added, cosigned by a quorum\n", o->dir, old,
		       t->checkpoint.size - 1);
}

static int export_folder(cs_client *client, const struct options *o, struct exportfolder *f)
{
	struct target *t = calloc(1, sizeof *t);
	uint32_t designated[2] = {designated_of(client), 0};
	uint64_t old = exportfolder_old(f, &designated[1]), least = old > o->to_size ? old : o->to_size;
	int code = t ? target_find(client, o, least ? least : 1, designated, t)
	             : tool_fail(EXIT_LOCAL, usage.command, "out of memory");

	if (!code && *exportfolder_origin(f) && strcmp(exportfolder_origin(f), t->checkpoint.origin) != 0)
		code = tool_fail(EXIT_LOCAL, usage.command, "%s holds another ledger: %s", o->dir,
		                 exportfolder_origin(f));
	if (!code)
		code = grow(client, f, t->checkpoint.size);
	if (!code) {
		int err = exportfolder_finish(f, &t->checkpoint, t->note, t->note_len);

		code = err ? folder_failed(f, err) : 0;
	}
	if (!code && old > 0 && designated[1] != t->log_key)
		fprintf(stderr,
		        "countersign export: the log line is of key %08x now, of %08x before: tell those whose tools "
		        "go by it\n",
		        (unsigned)t->log_key, (unsigned)designated[1]);
	if (!code)
		report(o, t, old);
	free(t);
	return code;
}

int export_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = 10000};
	struct options o = {.wait_ms = 10000};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&access),
	        {"to", OPTION_TEXT, &o.dir, "DIR", "the folder (made if there is none)", 0, 0},
	        {"from", OPTION_NUMBER, &o.from, "N",
	         "leave out the bundles of entries before this one; tiles are written from 0", 0, INT64_MAX},
	        {"to-size", OPTION_NUMBER, &o.to_size, "N", "wait until the ledger has so many entries", 1, INT64_MAX},
	        {"wait", OPTION_NUMBER, &o.wait_ms, "MS", "longest wait for entries and cosignatures (default: 10000)",
	         0, 60000},
	        {"json", OPTION_FLAG, &o.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct exportfolder *f = NULL;
	cs_client *client = NULL;
	char why[512];
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!o.dir)
		return tool_fail(EXIT_USAGE, usage.command, "option --to DIR is missing");
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	if (exportfolder_open(o.dir, EXPORTFILE_CHECKPOINT, o.from, &f, why, sizeof why))
		code = tool_fail(EXIT_LOCAL, usage.command, "%s", why);
	else
		code = export_folder(client, &o, f);
	exportfolder_close(f);
	cs_close(client);
	return code;
}
