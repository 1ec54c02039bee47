/* Roots and proofs by RFC 6962's recursive definitions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/naive_tree.h"

static unsigned split(unsigned n)
{
	unsigned k = 1;

	while (2 * k < n)
		k *= 2;
	return k;
}

void naive_root(const struct hash *d, unsigned n, struct hash *ret)
{
	struct hash left, right;

	if (n == 0) {
		hash_empty(ret);
	} else if (n == 1) {
		*ret = d[0];
	} else {
		naive_root(d, split(n), &left);
		naive_root(d + split(n), n - split(n), &right);
		hash_node(ret, &left, &right);
	}
}

void naive_path(const struct hash *d, unsigned m, unsigned n, struct proof *p)
{
	unsigned k = split(n);

	if (n == 1)
		return;
	if (m < k) {
		naive_path(d, m, k, p);
		naive_root(d + k, n - k, &p->hashes[p->n++]);
	} else {
		naive_path(d + k, m - k, n - k, p);
		naive_root(d, k, &p->hashes[p->n++]);
	}
}

void naive_subproof(const struct hash *d, unsigned m, unsigned n, int known, struct proof *p)
{
	unsigned k = split(n);

	if (m == n) {
		if (!known)
			naive_root(d, n, &p->hashes[p->n++]);
	} else if (m <= k) {
		naive_subproof(d, m, k, known, p);
		naive_root(d + k, n - k, &p->hashes[p->n++]);
	} else {
		naive_subproof(d + k, m - k, n - k, 0, p);
		naive_root(d, k, &p->hashes[p->n++]);
	}
}
