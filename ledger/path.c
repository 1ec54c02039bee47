/* Proofs and roots from complete subtrees: the audit path walked upwards from a node. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/path.h"

#include <assert.h>

#include "ledger/limits.h"

void path_edge_init(struct path_edge *e, uint64_t size)
{
	assert(size <= TREE_SIZE_MAX);
	e->size = size;
	e->height = 0;
}

static uint64_t low_bits(uint64_t v, unsigned n)
{
	return v & (((uint64_t)1 << n) - 1);
}

/* Computes the folds up to height. */
static int edge_raise(const struct path_nodes *nodes, struct path_edge *e, unsigned height)
{
	assert(height <= EDGE_HEIGHT_MAX);
	for (; e->height < height; e->height++) {
		unsigned h = e->height;
		struct hash subtree;
		int err;

		if ((e->size >> h & 1) == 0) {
			if (low_bits(e->size, h) != 0)
				e->fold[h + 1] = e->fold[h];
			continue;
		}
		err = nodes->get(nodes->ctx, h, (e->size >> h) - 1, &subtree);
		if (err != 0)
			return err;
		if (low_bits(e->size, h) == 0)
			e->fold[h + 1] = subtree;
		else
			hash_node(&e->fold[h + 1], &subtree, &e->fold[h]);
	}
	return 0;
}

int path_root(const struct path_nodes *nodes, struct path_edge *e, struct hash *ret)
{
	unsigned height = 0;
	int err;

	if (e->size == 0) {
		hash_empty(ret);
		return 0;
	}
	while (e->size >> height != 0)
		height++;
	err = edge_raise(nodes, e, height);
	if (err == 0)
		*ret = e->fold[height];
	return err;
}

/* The last node at a height: complete, or the fold of what there is. */
static int last_node(const struct path_nodes *nodes, struct path_edge *e, unsigned height, struct hash *ret)
{
	int err;

	if (low_bits(e->size, height) == 0)
		return nodes->get(nodes->ctx, height, (e->size >> height) - 1, ret);
	err = edge_raise(nodes, e, height);
	if (err == 0)
		*ret = e->fold[height];
	return err;
}

/* Adds the siblings met on the way from node i at a height up to the root. */
static int climb(const struct path_nodes *nodes, struct path_edge *e, unsigned height, uint64_t i, struct hash *proof,
                 unsigned *n)
{
	for (; (e->size - 1) >> height != 0; height++, i >>= 1) {
		uint64_t last = (e->size - 1) >> height;
		int err;

		if (i == last && (i & 1) == 0)
			continue; /* An only child: its parent is the same node. */
		assert(*n < LIMIT_PROOF_HASHES_MAX);
		if ((i ^ 1) == last)
			err = last_node(nodes, e, height, &proof[*n]);
		else
			err = nodes->get(nodes->ctx, height, i ^ 1, &proof[*n]);
		if (err != 0)
			return err;
		++*n;
	}
	return 0;
}

int path_inclusion(const struct path_nodes *nodes, struct path_edge *e, uint64_t index, struct hash *proof,
                   unsigned *ret_n)
{
	unsigned n = 0;
	int err;

	assert(index < e->size);
	err = climb(nodes, e, 0, index, proof, &n);
	if (err == 0)
		*ret_n = n;
	return err;
}

int path_consistency(const struct path_nodes *nodes, struct path_edge *e, uint64_t old_size, struct hash *proof,
                     unsigned *ret_n)
{
	unsigned n = 0, height = 0;
	int err = 0;

	assert(old_size > 0 && old_size <= e->size);
	if (old_size == e->size) {
		*ret_n = 0;
		return 0;
	}
	/* Start from the old tree's last complete subtree; where it is all of the old tree, the verifier has it. */
	while ((old_size >> height & 1) == 0)
		height++;
	if (old_size >> height != 1) {
		err = nodes->get(nodes->ctx, height, (old_size >> height) - 1, &proof[0]);
		n = 1;
	}
	if (err == 0)
		err = climb(nodes, e, height, (old_size >> height) - 1, proof, &n);
	if (err == 0)
		*ret_n = n;
	return err;
}
