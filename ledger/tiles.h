/* Nodes of the tree out of stored tiles. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TILES_H
#define LEDGER_TILES_H

#include <stdbool.h>

#include "ledger/tree.h"

#define TILE_HEIGHT 8 /* 2^8 = TREE_TILE_WIDTH. */

/* A node's place in the tiles. */
struct tile_place {
	unsigned level;  /* Of the tile. */
	uint64_t n;      /* Its number. */
	unsigned height; /* Of the node above the tile's hashes, 0..7. */
	unsigned pos;    /* Of the node among those of its height in the tile. */
};

struct tile_place tile_place_of(unsigned height, uint64_t i);

/* Reads the tiles of the tree of a size, and keeps the last one: the nodes of a path come tile by tile. */
struct tile_reader {
	const struct tree_tiles *tiles;
	uint64_t size;
	bool held;
	unsigned level;
	uint64_t n;
	struct hash hashes[TREE_TILE_WIDTH];
};

void tile_reader_init(struct tile_reader *r, const struct tree_tiles *tiles, uint64_t size);
/* Hash of the node at a place, which must be complete at the reader's size. Errors of tiles->read. */
int tile_reader_node(struct tile_reader *r, const struct tile_place *place, struct hash *ret);

#endif
