/* Entries of the ledger one after the other: their chain unbroken, and where it ends proven. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policywalk.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/text.h"
#include "ledger/note.h"

#define BEHIND_MS     1000 /* A node that lags is given so long to have an entry. */
#define PROVE_WAIT_MS 5000 /* For the cosignatures of a quorum. */
#define PAGE_ENTRIES  256  /* As many as one page of the library holds. */
#define QUIET_MS      1000 /* What is done sooner shows no progress. */
#define SHOW_MS       250

int policywalk_open(struct policywalk *ret, const char *command, cs_client *client)
{
	struct policywalk w = {.client = client, .command = command, .begun_ms = text_clock_ms()};
	cs_page *page = NULL;
	int err = cs_leaves(client, 0, 1, 0, &page);

	if (err)
		return tool_failed_call(command, "reading", err);
	w.size = page->size;
	cs_page_free(page);
	*ret = w;
	return 0;
}

static void show_progress(struct policywalk *w)
{
	uint64_t now_ms = text_clock_ms();

	if (now_ms < w->begun_ms + QUIET_MS || now_ms < w->shown_ms + SHOW_MS || !isatty(STDERR_FILENO))
		return;
	w->shown_ms = now_ms;
	fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " entries (%.0f %%)", w->seen, w->total,
	        w->total ? 100.0 * (double)w->seen / (double)w->total : 100.0);
	fflush(stderr);
}

void policywalk_end(struct policywalk *w)
{
	if (w->shown_ms)
		fputs("\r\033[K", stderr);
	w->shown_ms = 0;
}

static int take(struct policywalk *w, const struct cs_entry *raw, uint64_t index, bool first, policywalk_fn f,
                void *ctx)
{
	struct entryview v;
	int err = entryview_open(&v, raw);

	if (!err && (v.entry.index != index || (!first && !hash_equal(&v.entry.prev, &w->last))))
		err = CS_E_REFUTED;
	if (err) {
		policywalk_end(w);
		return tool_fail(EXIT_REFUTED, w->command, "ALARM: entry %" PRIu64 " does not continue the chain: %s",
		                 index, cs_strerror(err));
	}
	if (first)
		w->before = v.entry.prev;
	w->last = v.leaf_hash;
	w->seen++;
	return f(ctx, &v, raw);
}

static int page_at(struct policywalk *w, uint64_t first, uint64_t count, cs_page **ret)
{
	cs_page *page = NULL;
	unsigned n = count < PAGE_ENTRIES ? (unsigned)count : PAGE_ENTRIES;
	int err = w->leaves ? cs_leaves(w->client, first, n, BEHIND_MS, &page)
	                    : cs_entries(w->client, first, n, BEHIND_MS, &page);

	if (err)
		return tool_failed_call(w->command, "reading", err);
	w->size = page->size > w->size ? page->size : w->size;
	if (!page->n) {
		cs_page_free(page);
		return tool_fail(EXIT_UNREACHABLE, w->command,
		                 "entries from %" PRIu64 " on: the node that answers lags", first);
	}
	*ret = page;
	return 0;
}

int policywalk_range(struct policywalk *w, uint64_t from, uint64_t to, policywalk_fn f, void *ctx)
{
	uint64_t at = from;
	int code = 0;

	while (at < to && !code) {
		cs_page *page = NULL;
		code = page_at(w, at, to - at, &page);
		if (code)
			break;
		for (size_t i = 0; i < page->n && at < to && !code; i++, at++)
			code = take(w, &page->entries[i], at, at == from, f, ctx);
		cs_page_free(page);
		show_progress(w);
	}
	return code;
}

/* The entry in a bundle, whose proof the library has checked. */
static bool bundle_leaf(const char *json, uint64_t index, struct hash *ret)
{
	json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	const char *s = json_string_value(json_object_get(root, "entry"));
	size_t cap = s ? strlen(s) / 4 * 3 + 3 : 0, len = 0;
	uint8_t *leaf = s ? malloc(cap) : NULL;
	struct entry e;
	bool ok = leaf && !base64_decode(s, strlen(s), leaf, cap, &len) && !entry_decode(&e, leaf, len) &&
	          e.index == index;

	if (ok)
		hash_leaf(ret, leaf, len);
	free(leaf);
	json_decref(root);
	return ok;
}

int policywalk_proven(struct policywalk *w, uint64_t index, struct hash *ret, bool *ret_quorum)
{
	char what[48], *bundle = NULL;
	int err = cs_prove_fields(w->client, index, PROVE_WAIT_MS, 0, &bundle, ret_quorum);
	bool ok;

	snprintf(what, sizeof what, "proving entry %" PRIu64, index);
	if (err) {
		policywalk_end(w);
		return tool_failed_call(w->command, what, err);
	}
	ok = bundle_leaf(bundle, index, ret);
	free(bundle);
	return ok ? 0 : tool_fail(EXIT_REFUTED, w->command, "ALARM: %s: the proof is not about this entry", what);
}

int policywalk_prove(struct policywalk *w, uint64_t index, const struct hash *leaf, bool *ret_quorum)
{
	struct hash proven;
	int code = policywalk_proven(w, index, &proven, ret_quorum);

	if (code || hash_equal(&proven, leaf))
		return code;
	return tool_fail(EXIT_REFUTED, w->command,
	                 "ALARM: entry %" PRIu64 " as it was read is not the one that is proven", index);
}
