/* The verifier's check of .tlog-proof files (c2sp.org/tlog-proof@v1): inclusion of one entry under a checkpoint. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

struct proof {
	uint64_t index;
	uint8_t hashes[LIMIT_PROOF_HASHES_MAX * VERIFY_HASH_SIZE];
	unsigned n;
	bool has_extra;
	struct verify_slice checkpoint;
};

static bool index_line(struct verify_slice line, uint64_t *ret)
{
	static const char head[] = "index ";

	if (!verify_slice_begins(line, head))
		return false;
	return verify_decimal((struct verify_slice){line.p + strlen(head), line.len - strlen(head)}, ret);
}

/* The extra line is "extra " and base64; nothing in it is authenticated, so nothing in it is used. */
static bool extra_line(struct verify_slice line)
{
	static const char head[] = "extra ";
	uint8_t unused[FORMAT_PROOF_SIZE_MAX];
	size_t len;

	return verify_base64((struct verify_slice){line.p + strlen(head), line.len - strlen(head)}, unused,
	                     sizeof unused, &len);
}

static bool proof_read(struct verify_slice rest, struct proof *ret)
{
	struct verify_slice line;

	if (!verify_line_take(&rest, &line) || !verify_slice_is(line, FORMAT_PROOF_HEAD) ||
	    !verify_line_take(&rest, &line))
		return false;
	ret->has_extra = verify_slice_begins(line, "extra ");
	if (ret->has_extra && (!extra_line(line) || !verify_line_take(&rest, &line)))
		return false;
	if (!index_line(line, &ret->index))
		return false;
	for (ret->n = 0;; ret->n++) {
		if (!verify_line_take(&rest, &line))
			return false;
		if (line.len == 0)
			break;
		if (ret->n == LIMIT_PROOF_HASHES_MAX ||
		    !verify_base64_exact(line, ret->hashes + ret->n * VERIFY_HASH_SIZE, VERIFY_HASH_SIZE))
			return false;
	}
	ret->checkpoint = rest;
	return true;
}

static bool proof_bad(struct verify_result *r, uint64_t index, const char *why)
{
	r->has_bad_index = true;
	r->bad_index = index;
	return verify_refute(r, "entry %" PRIu64 ": %s", index, why);
}

/* RFC 9162 2.1.3.1: hashes that a proof of this index in this size has. */
static unsigned proof_length(uint64_t index, uint64_t size)
{
	uint64_t differ = index ^ (size - 1);
	unsigned inner = differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;

	return inner + (inner < 64 ? (unsigned)__builtin_popcountll(index >> inner) : 0);
}

static bool inclusion_check(const struct proof *proof, const uint8_t *leaf_hash, struct verify_result *r)
{
	if (proof->index >= r->size) {
		verify_bad_number(r, r->size, proof->index);
		return proof_bad(r, proof->index, "it lies beyond the checkpoint's size");
	}
	if (proof->n != proof_length(proof->index, r->size)) {
		verify_bad_number(r, proof_length(proof->index, r->size), proof->n);
		return proof_bad(r, proof->index, "the proof has not the number of hashes that it must have");
	}
	if (!verify_tree_inclusion(proof->index, r->size, leaf_hash, proof->hashes, proof->n, r->root))
		return proof_bad(r, proof->index, "the proof does not lead from it to the checkpoint's root");
	verify_say(r, VERIFY_MARK_HELD, "inclusion: entry %" PRIu64 " is in the tree of size %" PRIu64 ", %u hashes",
	           proof->index, r->size, proof->n);
	return true;
}

bool verify_proof(const struct verify_policy *p, struct verify_slice bytes, const uint8_t *leaf_hash,
                  const uint64_t *index, struct verify_result *r)
{
	struct proof proof;

	if (bytes.len > FORMAT_PROOF_SIZE_MAX)
		return verify_undecided(r, "proof: larger than this verifier takes");
	if (!proof_read(bytes, &proof))
		return verify_refute(r, "proof: not a " FORMAT_PROOF_HEAD);
	if (proof.has_extra)
		verify_say(r, VERIFY_MARK_UNCHECKED, "the proof's extra line is not authenticated: ignored");
	if (index && proof.index != *index) {
		verify_bad_number(r, *index, proof.index);
		return proof_bad(r, *index, "the proof is of another index");
	}
	return verify_note(p, proof.checkpoint, r) && inclusion_check(&proof, leaf_hash, r);
}

bool verify_entry_leaf(struct verify_slice entry, struct verify_leaf *ret, struct verify_result *r)
{
	const char *why;

	if (!verify_leaf_parse(entry, ret, &why))
		return verify_refute(r, "entry: %s", why);
	verify_say(r, VERIFY_MARK_HELD, "entry %" PRIu64 ": a canonical leaf of %zu bytes, %s, with %u commitments",
	           ret->index, entry.len, verify_entry_kind_name(ret->kind), ret->n_fields);
	return true;
}

void verify_tlog_proof(const struct verify_policy *p, const void *proof, size_t proof_len, const void *entry,
                       size_t entry_len, enum verify_entry how, struct verify_result *ret)
{
	struct verify_slice bytes = {entry, entry_len};
	uint8_t leaf_hash[VERIFY_HASH_SIZE];
	struct verify_leaf leaf;
	const uint64_t *index = NULL;

	verify_result_init(ret);
	if (how == VERIFY_ENTRY_COUNTERSIGN) {
		if (!verify_entry_leaf(bytes, &leaf, ret))
			return;
		index = &leaf.index;
	} else {
		verify_say(ret, VERIFY_MARK_UNCHECKED, "the entry's %zu bytes are proven, but not looked at",
		           entry_len);
	}
	verify_leaf_hash(bytes, leaf_hash);
	if (verify_proof(p, (struct verify_slice){proof, proof_len}, leaf_hash, index, ret))
		verify_conclude(ret);
}
