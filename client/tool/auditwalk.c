/* Reading on: entries, each checked and folded, up to a checkpoint. What audits and monitors share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/auditwalk.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE_ENTRIES 256 /* As many as one page of the library holds. */
#define EMPTY_MAX    2   /* Pages without an entry, one after the other, until whoever answers is said to lag. */

enum auditwalk_end auditwalk_alarm(struct auditwalk *w, uint64_t index, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(w->reason, sizeof w->reason, format, args);
	va_end(args);
	w->has_bad = index != UINT64_MAX;
	w->bad = index;
	return AUDITWALK_ALARM;
}

void auditwalk_hex(const uint8_t hash[VERIFY_HASH_SIZE], char ret[80])
{
	sodium_bin2hex(ret, 80, hash, VERIFY_HASH_SIZE);
}

static enum auditwalk_end take(struct auditwalk *w, struct verify_audit *audit, const struct cs_entry *e)
{
	uint64_t index = audit->fold.size;
	struct entryview view;
	int err;

	if (!verify_audit_entry(audit, e->leaf, e->leaf_size, NULL)) {
		snprintf(w->expected, sizeof w->expected, "%s", w->result->expected);
		snprintf(w->found, sizeof w->found, "%s", w->result->found);
		return auditwalk_alarm(w, index, "%.400s", w->result->reason);
	}
	if (!index && memcmp(audit->fold.last_leaf, w->genesis->b, HASH_SIZE) != 0)
		return auditwalk_alarm(w, 0, "ANOTHER LEDGER: entry 0 is not the genesis that the cluster file names");
	err = entryview_open(&view, e);
	if (err)
		return auditwalk_alarm(w, index, "entry %" PRIu64 ": %s", index,
		                       err == CS_E_REFUTED ? "a private field does not open its commitment"
		                                           : "its public fields are not those of its kind");
	return w->taken(w, &view, &audit->fold) ? AUDITWALK_DONE : AUDITWALK_ALARM;
}

static enum auditwalk_end read_entries(struct auditwalk *w, struct verify_audit *audit, uint64_t target, int *ret_err)
{
	enum auditwalk_end end = AUDITWALK_DONE;
	unsigned empty = 0;

	while (audit->fold.size < target && end == AUDITWALK_DONE) {
		uint64_t left = target - audit->fold.size;
		cs_page *page = NULL;

		*ret_err =
		        cs_entries_of(w->source->client, w->node, audit->fold.size,
		                      left < PAGE_ENTRIES ? (unsigned)left : PAGE_ENTRIES, w->source->wait_ms, &page);
		if (*ret_err)
			return *ret_err == CS_E_REFUTED ? auditwalk_alarm(w, UINT64_MAX, "%.400s", cs_last_error())
			                                : AUDITWALK_FAILED;
		empty = page->n ? 0 : empty + 1;
		for (size_t i = 0; i < page->n && audit->fold.size < target && end == AUDITWALK_DONE; i++)
			end = take(w, audit, &page->entries[i]);
		cs_page_free(page);
		if (empty == EMPTY_MAX)
			return AUDITWALK_LAGS;
	}
	return end;
}

/*
 * The entries that came are chained, but lead to another root: the first that differs from the one that the cosigned
 * checkpoint covers. Behind it all differ, since each has the hash of the one before.
 */
static uint64_t first_wrong(const struct auditwalk *w, uint64_t target)
{
	uint64_t low = w->state->fold.size, high = target - 1;

	while (low < high) {
		uint64_t at = low + (high - low) / 2;
		cs_page *page = NULL;
		struct auditproof p = {0};
		struct hash leaf;
		char text[256];
		int err;
		bool known = !cs_entries_of(w->source->client, w->node, at, 1, 0, &page) && page->n;

		if (known)
			hash_leaf(&leaf, page->entries[0].leaf, page->entries[0].leaf_size);
		cs_page_free(page);
		known = known && auditproof_ask(w->source, at, &p, text, &err) == AUDITPROOF_GOT;
		auditproof_close(&p);
		if (!known)
			break;
		if (hash_equal(&leaf, &p.leaf))
			low = at + 1;
		else
			high = at;
	}
	return high;
}

static enum auditwalk_end hold_root(struct auditwalk *w, const struct verify_fold *fold, const struct hash *wanted)
{
	struct hash root;

	verify_fold_root(fold, root.b);
	if (hash_equal(&root, wanted))
		return AUDITWALK_DONE;
	auditwalk_hex(wanted->b, w->expected);
	auditwalk_hex(root.b, w->found);
	return auditwalk_alarm(w, first_wrong(w, fold->size),
	                       "the entries that %s gives do not lead to the root that was signed for %" PRIu64
	                       " entries",
	                       w->node ? "the node" : "the cluster", fold->size);
}

enum auditwalk_end auditwalk_run(struct auditwalk *w, const struct auditwalk_target *target, int *ret_err)
{
	struct verify_audit audit;

	/* The verifier begins at 0; this goes on from what was checked before. */
	verify_audit_begin(&audit, w->source->policy, target->note, target->note_len, w->result);
	audit.fold = w->state->fold;
	enum auditwalk_end end = read_entries(w, &audit, target->size, ret_err);
	if (end == AUDITWALK_DONE)
		end = hold_root(w, &audit.fold, &target->root);
	if (end == AUDITWALK_DONE)
		w->state->fold = audit.fold;
	return end;
}
