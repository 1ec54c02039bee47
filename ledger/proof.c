/* Checks of inclusion and consistency proofs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/proof.h"

#include <assert.h>
#include <stdbool.h>

#include "ledger/errors.h"
#include "ledger/limits.h"

/*
 * One level up; past all levels at which the node is a left child without a sibling. There it is the last one, and not
 * the root: it is not 0, and the levels end.
 */
static void climb(uint64_t *node, uint64_t *last, bool from_right)
{
	if (from_right)
		while ((*node & 1) == 0) {
			assert(*node != 0);
			*node >>= 1;
			*last >>= 1;
		}
	*node >>= 1;
	*last >>= 1;
}

int proof_inclusion_check(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *proof, unsigned n,
                          const struct hash *root)
{
	uint64_t node = index, last = size - 1;
	struct hash r = *leaf;

	if (index >= size || n > LIMIT_PROOF_HASHES_MAX)
		return CS_ERR_REFUTED;
	for (unsigned i = 0; i < n; i++) {
		bool from_right = (node & 1) != 0 || node == last;

		if (last == 0)
			return CS_ERR_REFUTED;
		if (from_right)
			hash_node(&r, &proof[i], &r);
		else
			hash_node(&r, &r, &proof[i]);
		climb(&node, &last, from_right);
	}
	return last == 0 && hash_equal(&r, root) ? 0 : CS_ERR_REFUTED;
}

/* RFC 9162 2.1.4.2 from step 3 on: folds the path behind its first hash into the roots of both sizes. */
static int consistency_fold(uint64_t node, uint64_t last, const struct hash *first, const struct hash *path, unsigned n,
                            const struct hash *old_root, const struct hash *new_root)
{
	struct hash old_r = *first, new_r = *first;

	for (unsigned i = 0; i < n; i++) {
		bool from_right = (node & 1) != 0 || node == last;

		if (last == 0)
			return CS_ERR_REFUTED;
		if (from_right) {
			hash_node(&old_r, &path[i], &old_r);
			hash_node(&new_r, &path[i], &new_r);
		} else {
			hash_node(&new_r, &new_r, &path[i]);
		}
		climb(&node, &last, from_right);
	}
	return last == 0 && hash_equal(&old_r, old_root) && hash_equal(&new_r, new_root) ? 0 : CS_ERR_REFUTED;
}

int proof_consistency_check(uint64_t old_size, uint64_t new_size, const struct hash *old_root,
                            const struct hash *new_root, const struct hash *proof, unsigned n)
{
	uint64_t node = old_size - 1, last = new_size - 1;
	unsigned height = 0;
	bool whole; /* The old tree is one complete subtree, whose root the verifier has. */

	if (old_size == 0 || old_size > new_size || n > LIMIT_PROOF_HASHES_MAX)
		return CS_ERR_REFUTED;
	if (old_size == new_size)
		return n == 0 && hash_equal(old_root, new_root) ? 0 : CS_ERR_REFUTED;
	for (; (node & 1) != 0; node >>= 1, last >>= 1)
		height++;
	whole = old_size >> height == 1;
	if (whole)
		return consistency_fold(node, last, old_root, proof, n, old_root, new_root);
	if (n == 0)
		return CS_ERR_REFUTED;
	return consistency_fold(node, last, &proof[0], proof + 1, n - 1, old_root, new_root);
}
