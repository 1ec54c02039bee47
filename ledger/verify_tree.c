/* The verifier's own tree arithmetic: inclusion, consistency, and the audit of a whole ledger. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* RFC 9162 2.1.3.2 step by step; sn == 0 exactly when the hashes run out is the exact length. */
bool verify_tree_inclusion(uint64_t index, uint64_t size, const uint8_t *leaf_hash, const uint8_t *proof, size_t n,
                           const uint8_t *root)
{
	uint64_t fn = index, sn = size - 1;
	uint8_t r[VERIFY_HASH_SIZE];

	if (index >= size)
		return false;
	memcpy(r, leaf_hash, sizeof r);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = proof + i * VERIFY_HASH_SIZE;

		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn) {
			verify_node_hash(p, r, r);
			while (!(fn & 1)) { /* It is not 0: it is odd, or sn, which is not. */
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			verify_node_hash(r, p, r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(r, root, sizeof r) == 0;
}

/* RFC 9162 2.1.4.2 step by step. */
bool verify_tree_consistency(uint64_t old_size, uint64_t new_size, const uint8_t *old_root, const uint8_t *new_root,
                             const uint8_t *proof, size_t n)
{
	uint64_t fn = old_size - 1, sn = new_size - 1;
	uint8_t fr[VERIFY_HASH_SIZE], sr[VERIFY_HASH_SIZE];
	bool power_of_two = (old_size & (old_size - 1)) == 0;
	size_t i = 0;

	if (old_size == 0 || old_size > new_size)
		return false;
	if (old_size == new_size)
		return n == 0 && memcmp(old_root, new_root, VERIFY_HASH_SIZE) == 0;
	if (n == 0)
		return false;
	memcpy(fr, power_of_two ? old_root : proof, sizeof fr);
	memcpy(sr, fr, sizeof sr);
	for (; fn & 1; fn >>= 1)
		sn >>= 1;
	for (i = power_of_two ? 0 : 1; i < n; i++) {
		const uint8_t *c = proof + i * VERIFY_HASH_SIZE;

		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn) {
			verify_node_hash(c, fr, fr);
			verify_node_hash(c, sr, sr);
			while (!(fn & 1)) { /* It is not 0: it is odd, or sn, which is not. */
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			verify_node_hash(sr, c, sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, old_root, sizeof fr) == 0 && memcmp(sr, new_root, sizeof sr) == 0;
}

/* --- the audit --- */

void verify_audit_begin(struct verify_audit *a, const struct verify_policy *p, const void *checkpoint, size_t len,
                        struct verify_result *result)
{
	memset(a, 0, sizeof *a);
	a->result = result;
	verify_result_init(result);
	a->stopped = !verify_note(p, (struct verify_slice){checkpoint, len}, result);
}

bool verify_audit_bad(struct verify_audit *a, const char *why)
{
	a->stopped = true;
	a->result->has_bad_index = true;
	a->result->bad_index = a->fold.size;
	return verify_refute(a->result, "entry %" PRIu64 ": %s", a->fold.size, why);
}

static bool audit_leaf(struct verify_audit *a, const struct verify_leaf *leaf)
{
	if (leaf->index != a->fold.size) {
		verify_bad_number(a->result, a->fold.size, leaf->index);
		return verify_audit_bad(a, "it says that it has another index");
	}
	if (memcmp(leaf->prev, a->fold.last_leaf, sizeof a->fold.last_leaf) != 0) {
		verify_bad_hash(a->result, a->fold.last_leaf, leaf->prev);
		return verify_audit_bad(a, "it is not chained to the entry before it");
	}
	if (leaf->time_ms < a->fold.time_ms) {
		verify_bad_number(a->result, a->fold.time_ms, leaf->time_ms);
		return verify_audit_bad(a, "its time goes back");
	}
	return true;
}

static void frontier_add(struct verify_audit *a, const uint8_t *leaf_hash)
{
	struct verify_fold *f = &a->fold;
	uint8_t h[VERIFY_HASH_SIZE];
	unsigned level = 0;

	memcpy(h, leaf_hash, sizeof h);
	for (; f->size >> level & 1; level++) {
		if (level % VERIFY_TILE_HEIGHT == 0 && a->subtree)
			a->subtree(a->subtree_ctx, level, h);
		verify_node_hash(f->frontier[level], h, h);
	}
	if (level % VERIFY_TILE_HEIGHT == 0 && a->subtree)
		a->subtree(a->subtree_ctx, level, h);
	memcpy(f->frontier[level], h, sizeof h);
	memcpy(f->last_leaf, leaf_hash, sizeof f->last_leaf);
	f->size++;
}

bool verify_audit_entry(struct verify_audit *a, const void *entry, size_t len, const uint8_t *tile_hash)
{
	struct verify_slice bytes = {entry, len};
	struct verify_leaf leaf;
	uint8_t hash[VERIFY_HASH_SIZE];
	const char *why;

	if (a->stopped)
		return false;
	if (a->fold.size >= a->result->size)
		return verify_audit_bad(a, "the checkpoint does not cover it");
	verify_leaf_hash(bytes, hash);
	if (tile_hash && memcmp(hash, tile_hash, sizeof hash) != 0) {
		verify_bad_hash(a->result, tile_hash, hash);
		return verify_audit_bad(a, "its hash is not the one in its tile");
	}
	if (!verify_leaf_parse(bytes, &leaf, &why))
		return verify_audit_bad(a, why);
	if (!audit_leaf(a, &leaf))
		return false;
	frontier_add(a, hash);
	a->fold.time_ms = leaf.time_ms;
	return true;
}

void verify_audit_hash(struct verify_audit *a, const uint8_t *leaf_hash)
{
	assert(a->skipped == a->fold.size); /* What was looked at comes last: its chain has no holes. */
	frontier_add(a, leaf_hash);
	a->skipped = a->fold.size;
}

void verify_fold_root(const struct verify_fold *f, uint8_t ret[VERIFY_HASH_SIZE])
{
	bool any = false;

	verify_empty_root(ret);
	for (unsigned level = 0; level < 64; level++) {
		if (!(f->size >> level & 1))
			continue;
		if (any)
			verify_node_hash(f->frontier[level], ret, ret);
		else
			memcpy(ret, f->frontier[level], VERIFY_HASH_SIZE);
		any = true;
	}
}

void verify_audit_end(struct verify_audit *a)
{
	struct verify_result *r = a->result;
	uint8_t root[VERIFY_HASH_SIZE];

	if (a->stopped)
		return;
	if (a->fold.size != r->size) {
		verify_bad_number(r, r->size, a->fold.size);
		verify_audit_bad(a, "it is missing: the checkpoint covers more entries than there are");
		return;
	}
	verify_fold_root(&a->fold, root);
	if (memcmp(root, r->root, sizeof root) != 0) {
		verify_bad_hash(r, r->root, root);
		verify_refute(r, "the root over all %" PRIu64 " entries is not the checkpoint's", a->fold.size);
		return;
	}
	if (a->skipped > 0)
		verify_say(r, VERIFY_MARK_UNCHECKED, "entries 0 to %" PRIu64 ": their hashes only, not what they say",
		           a->skipped - 1);
	if (a->skipped < a->fold.size || a->fold.size == 0)
		verify_say(r, VERIFY_MARK_HELD,
		           "%s%" PRIu64 " entries%s: canonical, chained, times in order, and their root",
		           a->skipped ? "the last " : "all ", a->fold.size - a->skipped, a->skipped ? " of them" : "");
	verify_conclude(r);
}
