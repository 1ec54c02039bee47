/* Is a stored tile what it must be? By what lies below it and above it; and if not, what it must be. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TILEJUDGE_H
#define LEDGER_TILEJUDGE_H

#include <stdbool.h>

#include "ledger/tree.h"

/* A tree as it is stored, some of it perhaps damaged. */
struct tilejudge {
	const struct tree_tiles *tiles;
	/* The leaf hash of an entry as it is stored; an error: it cannot be had. */
	int (*leaf)(void *ctx, uint64_t index, struct hash *ret);
	void *ctx;
	uint64_t size;
	struct hash root; /* Of the whole: trusted. */
};

enum tile_verdict {
	TILE_GOOD,   /* As the tile above it, or the root, says. */
	TILE_WRONG,  /* It is damaged; what it must be follows from what is below it, and fits what is above. */
	TILE_BESIDE, /* It is what is below it: what is damaged is above it, or beside it at the tree's edge. */
	TILE_UNKNOWN /* It is damaged, or it and another are; what it must be cannot be told from here. */
};

/*
 * hashes: TREE_TILE_WIDTH of them. GOOD, WRONG: as they must be; BESIDE: as they are stored; UNKNOWN: nothing.
 * *ret_width: how many there are in a tree of that size, 0: no such tile. Cost: 255 hashes if it is good, else it reads
 * all below.
 */
enum tile_verdict tile_judge(const struct tilejudge *j, unsigned level, uint64_t n, struct hash *hashes,
                             unsigned *ret_width);
/* Whether these are the hashes of that tile, by what is above it. width as above. */
bool tile_fits(const struct tilejudge *j, unsigned level, uint64_t n, unsigned width, const struct hash *hashes);
unsigned tile_width(uint64_t size, unsigned level, uint64_t n);
/* Root of a full tile's hashes. */
void tile_root(const struct hash *hashes, struct hash *ret);

#endif
