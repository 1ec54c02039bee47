/* Proofs and roots of an RFC 6962 tree, computed from the hashes of its complete subtrees. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_PATH_H
#define LEDGER_PATH_H

#include <stdint.h>

#include "ledger/hash.h"

#define TREE_SIZE_MAX   ((uint64_t)1 << 62) /* Leaves; a proof then has at most LIMIT_PROOF_HASHES_MAX hashes. */
#define EDGE_HEIGHT_MAX 63                  /* No tree of TREE_SIZE_MAX leaves is higher. */

/* get: the root of leaves [i << height, (i + 1) << height), a complete subtree of the tree. 0 or an error of its own.
 */
struct path_nodes {
	int (*get)(void *ctx, unsigned height, uint64_t i, struct hash *ret);
	void *ctx;
};

/*
 * The right edge of the tree of the first `size` leaves. fold[h] is the root of its last size mod 2^h leaves, once
 * h <= height and if there are any. Folds are computed when first needed and kept, so that the proofs of a batch
 * share them.
 */
struct path_edge {
	uint64_t size;
	unsigned height;
	struct hash fold[EDGE_HEIGHT_MAX + 1];
};

void path_edge_init(struct path_edge *e, uint64_t size);
/* Root of the tree. */
int path_root(const struct path_nodes *nodes, struct path_edge *e, struct hash *ret);
/* RFC 9162 2.1.3.1; index < e->size. */
int path_inclusion(const struct path_nodes *nodes, struct path_edge *e, uint64_t index, struct hash *proof,
                   unsigned *ret_n);
/* RFC 9162 2.1.4.1; 0 < old_size <= e->size. */
int path_consistency(const struct path_nodes *nodes, struct path_edge *e, uint64_t old_size, struct hash *proof,
                     unsigned *ret_n);

#endif
