/* Nodes, proofs and roots out of stored tiles, with no tree in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/tiles.h"

#include <assert.h>

#include "ledger/errors.h"
#include "ledger/path.h"

_Static_assert(1 << TILE_HEIGHT == TREE_TILE_WIDTH, "a tile is a complete subtree");

struct tile_place tile_place_of(unsigned height, uint64_t i)
{
	unsigned level = height / TILE_HEIGHT, in_tile = height % TILE_HEIGHT;
	unsigned width_log2 = TILE_HEIGHT - in_tile;

	return (struct tile_place){
	        .level = level,
	        .n = i >> width_log2,
	        .height = in_tile,
	        .pos = (unsigned)(i & ((1u << width_log2) - 1)),
	};
}

void tile_reader_init(struct tile_reader *r, const struct tree_tiles *tiles, uint64_t size)
{
	r->tiles = tiles;
	r->size = size;
	r->held = false;
}

static int hold(struct tile_reader *r, unsigned level, uint64_t n)
{
	uint64_t width = (r->size >> (TILE_HEIGHT * level)) - n * TREE_TILE_WIDTH;
	int err;

	if (r->held && r->level == level && r->n == n)
		return 0;
	if (r->tiles->read == NULL)
		return CS_ERR_NOT_FOUND;
	if (width > TREE_TILE_WIDTH)
		width = TREE_TILE_WIDTH;
	r->held = false;
	err = r->tiles->read(r->tiles->ctx, level, n, (unsigned)width, r->hashes);
	if (err != 0)
		return err;
	r->held = true;
	r->level = level;
	r->n = n;
	return 0;
}

int tile_reader_node(struct tile_reader *r, const struct tile_place *place, struct hash *ret)
{
	struct hash row[TREE_TILE_WIDTH / 2];
	unsigned n = 1u << place->height;
	const struct hash *below;
	int err = hold(r, place->level, place->n);

	if (err != 0)
		return err;
	below = r->hashes + (size_t)place->pos * n;
	for (; n > 1; n /= 2, below = row)
		hash_nodes(row, below, n / 2);
	*ret = *below;
	return 0;
}

/* path_nodes' get over a tile_reader. */
static int node_get(void *ctx, unsigned height, uint64_t i, struct hash *ret)
{
	struct tile_place place = tile_place_of(height, i);

	return tile_reader_node(ctx, &place, ret);
}

int tiles_inclusion(const struct tree_tiles *tiles, uint64_t index, uint64_t size, struct hash *proof, unsigned *ret_n)
{
	struct tile_reader reader;
	struct path_edge edge;

	if (size > TREE_SIZE_MAX || index >= size)
		return CS_ERR_INVALID;
	tile_reader_init(&reader, tiles, size);
	path_edge_init(&edge, size);
	return path_inclusion(&(struct path_nodes){node_get, &reader}, &edge, index, proof, ret_n);
}

int tiles_consistency(const struct tree_tiles *tiles, uint64_t old_size, uint64_t new_size, struct hash *proof,
                      unsigned *ret_n)
{
	struct tile_reader reader;
	struct path_edge edge;

	if (new_size > TREE_SIZE_MAX || old_size == 0 || old_size > new_size)
		return CS_ERR_INVALID;
	tile_reader_init(&reader, tiles, new_size);
	path_edge_init(&edge, new_size);
	return path_consistency(&(struct path_nodes){node_get, &reader}, &edge, old_size, proof, ret_n);
}

int tiles_root(const struct tree_tiles *tiles, uint64_t size, struct hash *ret)
{
	struct tile_reader reader;
	struct path_edge edge;

	if (size > TREE_SIZE_MAX)
		return CS_ERR_INVALID;
	tile_reader_init(&reader, tiles, size);
	path_edge_init(&edge, size);
	return path_root(&(struct path_nodes){node_get, &reader}, &edge, ret);
}
