/* The verifier's walk over a whole ledger: entries, chain, every tile, an older checkpoint, the root. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_whole.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/verify_internal.h"

/* tlog-tiles, "Parameters": N in groups of three digits, all but the last behind an x. */
void verify_tile_path(int level, uint64_t n, unsigned width, char ret[VERIFY_TILE_PATH_SIZE])
{
	char groups[VERIFY_TILE_PATH_SIZE], kind[16] = "entries", tail[16] = "";
	size_t at = sizeof groups;

	if (level != VERIFY_TILE_ENTRIES)
		snprintf(kind, sizeof kind, "%d", level);
	if (width < VERIFY_TILE_WIDTH)
		snprintf(tail, sizeof tail, ".p/%u", width);
	groups[--at] = '\0';
	for (bool last = true; last || n > 0; last = false, n /= 1000) {
		const char digits[] = {'/', 'x', (char)('0' + n / 100 % 10), (char)('0' + n / 10 % 10),
		                       (char)('0' + n % 10)};

		at -= 3;
		memcpy(groups + at, digits + 2, 3);
		if (!last)
			groups[--at] = 'x';
		groups[--at] = '/';
	}
	snprintf(ret, VERIFY_TILE_PATH_SIZE, "tile/%s%s%s", kind, groups + at, tail);
}

bool verify_bundle_split(const uint8_t *bytes, size_t len, unsigned n, struct verify_bundled *ret)
{
	for (unsigned i = 0; i < n; i++) {
		if (len < 2)
			return false;
		size_t entry = (size_t)bytes[0] << 8 | bytes[1];
		if (entry > len - 2)
			return false;
		ret[i] = (struct verify_bundled){bytes + 2, entry};
		bytes += 2 + entry;
		len -= 2 + entry;
	}
	return len == 0;
}

static bool stop(struct verify_whole *w)
{
	w->audit.stopped = true;
	return false;
}

bool verify_whole_missing(struct verify_whole *w, const char *what)
{
	verify_undecided(w->result, "%s is missing, or cannot be read", what);
	return stop(w);
}

/* The first leaf under hash i of a tile. */
static uint64_t first_leaf(unsigned level, uint64_t n, unsigned i)
{
	return (n * VERIFY_TILE_WIDTH + i) << (VERIFY_TILE_HEIGHT * level);
}

static bool tile_fetch(struct verify_whole *w, unsigned level, uint64_t n, unsigned width, uint8_t *ret)
{
	char path[VERIFY_TILE_PATH_SIZE];

	enum verify_got got = w->tile(w->ctx, level, n, width, ret);
	if (got == VERIFY_GOT) {
		w->tiles++;
		return true;
	}
	verify_tile_path((int)level, n, width, path);
	if (got == VERIFY_GOT_NOT)
		return verify_whole_missing(w, path);
	w->result->has_bad_index = true;
	w->result->bad_index = first_leaf(level, n, 0);
	verify_refute(w->result, "%s: not %u hashes", path, width);
	return stop(w);
}

/* A tile above level 0 has its last hash: it is held against the stored one. */
static bool tile_check(struct verify_whole *w, unsigned level)
{
	uint64_t n = w->level[level].n;
	unsigned width = w->level[level].width;
	char path[VERIFY_TILE_PATH_SIZE];

	if (!tile_fetch(w, level, n, width, w->stored))
		return false;
	for (unsigned i = 0; i < width; i++) {
		if (memcmp(w->stored + (size_t)i * VERIFY_HASH_SIZE, w->level[level].hashes[i], VERIFY_HASH_SIZE) == 0)
			continue;
		verify_tile_path((int)level, n, width, path);
		verify_bad_hash(w->result, w->level[level].hashes[i], w->stored + (size_t)i * VERIFY_HASH_SIZE);
		w->result->has_bad_index = true;
		w->result->bad_index = first_leaf(level, n, i);
		verify_refute(w->result, "%s: hash %u is not that of the entries from %" PRIu64 " on", path, i,
		              first_leaf(level, n, i));
		return stop(w);
	}
	w->level[level].n++;
	w->level[level].width = 0;
	return true;
}

_Static_assert(VERIFY_TILE_LEVELS *VERIFY_TILE_HEIGHT == 64, "every height of a tree of a u64 of leaves has its level");

static void subtree(void *ctx, unsigned height, const uint8_t *hash)
{
	struct verify_whole *w = ctx;
	unsigned level = height / VERIFY_TILE_HEIGHT;

	if (level == 0 || w->audit.stopped)
		return;
	memcpy(w->level[level].hashes[w->level[level].width++], hash, VERIFY_HASH_SIZE);
	if (w->level[level].width == VERIFY_TILE_WIDTH)
		tile_check(w, level);
}

/* The older checkpoint's own signatures first; its root is compared when the walk has come to its size. */
static bool old_begin(struct verify_whole *w, const struct verify_policy *p, struct verify_result *old)
{
	const struct verify_whole_options *o = w->options;
	struct verify_result *r = w->result;

	verify_checkpoint(p, o->old, o->old_len, old);
	if (old->outcome == VERIFY_REFUTED)
		return verify_refute(r, "the older checkpoint: %.200s", old->reason);
	if (!old->has_checkpoint)
		return verify_undecided(r, "the older checkpoint: %.200s", old->reason);
	if (strcmp(old->origin, r->origin) != 0)
		return verify_undecided(r, "the older checkpoint is of another ledger");
	if (old->size > r->size) {
		verify_bad_number(r, old->size, r->size);
		return verify_undecided(r, "the older checkpoint is of a larger size: this ledger is not newer");
	}
	w->has_old = true;
	/* What retired keys have signed counts by the consistency that the walk shows. */
	w->old_undecided = old->outcome != VERIFY_VERIFIED && !old->retired_reached;
	w->old_size = old->size;
	memcpy(w->old_root, old->root, sizeof w->old_root);
	verify_say(r, w->old_undecided ? VERIFY_MARK_UNCHECKED : VERIFY_MARK_HELD,
	           "the older checkpoint, of size %" PRIu64 ": %.200s", old->size,
	           old->retired_reached ? "under keys that were retired since" : old->reason);
	return true;
}

/* RFC 9162 2.1.4 by its definition: the tree's first old_size leaves have the older root. */
static bool old_check(struct verify_whole *w)
{
	uint8_t root[VERIFY_HASH_SIZE];

	if (!w->has_old || w->audit.fold.size != w->old_size)
		return true;
	verify_fold_root(&w->audit.fold, root);
	if (memcmp(root, w->old_root, sizeof root) != 0) {
		verify_bad_hash(w->result, w->old_root, root);
		verify_refute(w->result,
		              "it has not grown from the older checkpoint: the root at size %" PRIu64 " is another",
		              w->old_size);
		return stop(w);
	}
	verify_say(w->result, VERIFY_MARK_HELD, "consistency: grown from the older checkpoint of size %" PRIu64,
	           w->old_size);
	return true;
}

bool verify_whole_begin(struct verify_whole *w, const struct verify_policy *p, const void *checkpoint, size_t len,
                        struct verify_result *result)
{
	w->result = result;
	verify_audit_begin(&w->audit, p, checkpoint, len, result);
	w->audit.subtree = subtree;
	w->audit.subtree_ctx = w;
	if (w->audit.stopped || !w->options->old)
		return !w->audit.stopped;
	struct verify_result *old = malloc(sizeof *old);
	bool good = old ? old_begin(w, p, old) : verify_undecided(result, "out of memory");
	free(old);
	return good ? old_check(w) : stop(w);
}

static void progress(const struct verify_whole *w)
{
	if (w->options->progress)
		w->options->progress(w->options->progress_ctx, w->audit.fold.size, w->result->size);
}

bool verify_whole_entries(struct verify_whole *w, const struct verify_bundled *entries, unsigned n)
{
	uint64_t tile = w->audit.fold.size / VERIFY_TILE_WIDTH;

	if (!tile_fetch(w, 0, tile, n, w->level[0].hashes[0]))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!verify_audit_entry(&w->audit, entries[i].p, entries[i].len, w->level[0].hashes[i]) ||
		    w->audit.stopped || !old_check(w))
			return false;
	for (unsigned i = 0; i < n && w->options->entry; i++)
		w->options->entry(w->options->entry_ctx, entries[i].p, entries[i].len);
	progress(w);
	return true;
}

bool verify_whole_skip(struct verify_whole *w, unsigned n)
{
	uint64_t tile = w->audit.fold.size / VERIFY_TILE_WIDTH;

	if (!tile_fetch(w, 0, tile, n, w->level[0].hashes[0]))
		return false;
	for (unsigned i = 0; i < n; i++) {
		verify_audit_hash(&w->audit, w->level[0].hashes[i]);
		if (w->audit.stopped || !old_check(w))
			return false;
	}
	progress(w);
	return true;
}

void verify_whole_end(struct verify_whole *w)
{
	for (unsigned level = 1; level < VERIFY_TILE_LEVELS; level++)
		if (w->level[level].width > 0 && !tile_check(w, level))
			return;
	verify_say(w->result, VERIFY_MARK_HELD, "all %" PRIu64 " tiles: the hashes of these entries", w->tiles);
	verify_audit_end(&w->audit);
	if (w->result->outcome == VERIFY_VERIFIED && w->old_undecided)
		verify_undecided(w->result, "grown from the older checkpoint, which is its signer's claim only");
}
