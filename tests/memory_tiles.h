/* Tiles in memory, as a store would keep them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MEMORY_TILES_H
#define TESTS_MEMORY_TILES_H

#include "ledger/tree.h"

struct memory_tiles {
	struct hash *hashes[TREE_TILE_LEVELS]; /* All of a level, tile after tile; fits size_max leaves. */
	uint64_t n[TREE_TILE_LEVELS];          /* Hashes stored of a level. */
	uint64_t full[TREE_TILE_LEVELS];       /* Full tiles told of. */
	unsigned reads;
	struct tree_tiles tiles; /* To be handed to a tree. */
};

void memory_tiles_init(struct memory_tiles *m, uint64_t size_max);
void memory_tiles_free(struct memory_tiles *m);
/* Stores the partial tiles of a tree; full ones come by themselves. */
void memory_tiles_sync(struct memory_tiles *m, const struct tree *t);

#endif
