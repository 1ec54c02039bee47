/* RFC 6962's tree as it is defined: recursive, slow, and plain to see. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NAIVE_TREE_H
#define TESTS_NAIVE_TREE_H

#include "ledger/hash.h"
#include "ledger/limits.h"

struct proof {
	struct hash hashes[LIMIT_PROOF_HASHES_MAX];
	unsigned n;
};

/* MTH(D[n]) of leaf hashes d (2.1). */
void naive_root(const struct hash *d, unsigned n, struct hash *ret);
/* Appends PATH(m, D[n]) to p (2.1.1). */
void naive_path(const struct hash *d, unsigned m, unsigned n, struct proof *p);
/* Appends SUBPROOF(m, D[n], known) to p (2.1.2); PROOF(m, D[n]) where known is 1. */
void naive_subproof(const struct hash *d, unsigned m, unsigned n, int known, struct proof *p);

#endif
