/* The writer's tree: right-edge tiles with their inner nodes in memory, older ones from where they are kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/tree.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/path.h"
#include "ledger/tiles.h"

#define TILE_NODES (2 * TREE_TILE_WIDTH - 1) /* A tile's hashes and all nodes above them. */

/* Nodes of a tile, row by row: its 256 hashes, the 128 nodes above them, and so on to its root. */
struct tile {
	struct hash nodes[TILE_NODES];
};

/*
 * The right end of a tile level. Tile n, the right-edge one, has width hashes (0..255); it lies in tiles[n & 1], and
 * the full one before it, if it is held, in the other. first: number of the oldest tile held, n or n - 1.
 */
struct level {
	struct tile tiles[2];
	uint64_t n, first;
	unsigned width;
};

struct tree {
	struct tree_tiles tiles;
	uint64_t size;
	struct path_nodes nodes;
	struct path_edge head; /* Of the whole tree. */
	struct path_edge past; /* Of the smaller size that was asked for last. */
	struct tile_reader old;
	struct level levels[TREE_TILE_LEVELS];
};

/* Where a row of a tile's nodes begins. */
static struct hash *row(struct tile *tile, unsigned height)
{
	return tile->nodes + (2 * TREE_TILE_WIDTH - (2 * TREE_TILE_WIDTH >> height));
}

/* path_nodes' get over the tree. */
static int node_get(void *ctx, unsigned height, uint64_t i, struct hash *ret)
{
	struct tree *t = ctx;
	struct tile_place place = tile_place_of(height, i);
	struct level *level = &t->levels[place.level];

	if (place.n < level->first)
		return tile_reader_node(&t->old, &place, ret);
	*ret = row(&level->tiles[place.n & 1], place.height)[place.pos];
	return 0;
}

static void make_empty(struct tree *t)
{
	for (unsigned l = 0; l < TREE_TILE_LEVELS; l++)
		t->levels[l].n = t->levels[l].first = t->levels[l].width = 0;
	t->size = 0;
	path_edge_init(&t->head, 0);
	path_edge_init(&t->past, 0);
	tile_reader_init(&t->old, &t->tiles, 0);
}

int tree_new(const struct tree_tiles *tiles, struct tree **ret)
{
	struct tree *t = malloc(sizeof(*t));

	if (t == NULL)
		return CS_ERR_NOMEM;
	t->tiles = *tiles;
	t->nodes = (struct path_nodes){.get = node_get, .ctx = t};
	make_empty(t);
	*ret = t;
	return 0;
}

void tree_free(struct tree *t)
{
	free(t);
}

/* Puts the hash behind the level's others, with the nodes that it completes. */
static void level_put(struct level *level, const struct hash *hash)
{
	struct tile *tile = &level->tiles[level->n & 1];
	unsigned pos = level->width++;

	row(tile, 0)[pos] = *hash;
	for (unsigned h = 0; (pos & 1) != 0; h++, pos >>= 1)
		hash_node(&row(tile, h + 1)[pos >> 1], &row(tile, h)[pos - 1], &row(tile, h)[pos]);
}

/* Turns to the next tile; the one that became full is held on to as the one before it. */
static void level_turn(struct level *level)
{
	level->n++;
	level->width = 0;
	if (level->n - level->first > 1)
		level->first = level->n - 1;
}

int tree_append(struct tree *t, const struct hash *leaf)
{
	struct hash hash = *leaf;

	assert(t->size < TREE_SIZE_MAX);
	for (unsigned l = 0;; l++) { /* Up to the level whose tile does not become full. */
		assert(l < TREE_TILE_LEVELS);
		struct level *level = &t->levels[l];
		struct tile *tile = &level->tiles[level->n & 1];
		int err = 0;

		level_put(level, &hash);
		if (level->width < TREE_TILE_WIDTH)
			break;
		if (t->tiles.full != NULL)
			err = t->tiles.full(t->tiles.ctx, l, level->n, row(tile, 0));
		if (err != 0)
			return err;
		hash = *row(tile, TILE_HEIGHT);
		level_turn(level);
	}
	t->size++;
	path_edge_init(&t->head, t->size);
	t->old.size = t->size;
	return 0;
}

static int level_load(struct tree *t, unsigned l, uint64_t size)
{
	struct level *level = &t->levels[l];
	uint64_t hashes = size >> (TILE_HEIGHT * l);
	unsigned width = (unsigned)(hashes % TREE_TILE_WIDTH);
	struct hash read[TREE_TILE_WIDTH];
	int err = 0;

	level->n = level->first = hashes / TREE_TILE_WIDTH;
	if (width == 0)
		return 0;
	if (t->tiles.read == NULL)
		return CS_ERR_NOT_FOUND;
	err = t->tiles.read(t->tiles.ctx, l, level->n, width, read);
	for (unsigned i = 0; err == 0 && i < width; i++)
		level_put(level, &read[i]);
	return err;
}

int tree_load(struct tree *t, uint64_t size)
{
	int err = size <= TREE_SIZE_MAX ? 0 : CS_ERR_INVALID;

	make_empty(t);
	for (unsigned l = 0; err == 0 && l < TREE_TILE_LEVELS; l++)
		err = level_load(t, l, size);
	if (err != 0) {
		make_empty(t);
		return err;
	}
	t->size = size;
	path_edge_init(&t->head, size);
	tile_reader_init(&t->old, &t->tiles, size);
	return 0;
}

uint64_t tree_size(const struct tree *t)
{
	return t->size;
}

/* The right edge of the tree's first `size` leaves. */
static struct path_edge *edge_of(struct tree *t, uint64_t size)
{
	if (size == t->size)
		return &t->head;
	if (size != t->past.size)
		path_edge_init(&t->past, size);
	return &t->past;
}

void tree_root(struct tree *t, struct hash *ret)
{
	int err = path_root(&t->nodes, &t->head, ret);

	assert(err == 0); /* Every node of the right edge is in a right-edge tile, and those are in memory. */
	(void)err;
}

int tree_root_at(struct tree *t, uint64_t size, struct hash *ret)
{
	if (size > t->size)
		return CS_ERR_INVALID;
	return path_root(&t->nodes, edge_of(t, size), ret);
}

void tree_partial(const struct tree *t, unsigned level, uint64_t *ret_n, unsigned *ret_width, const struct hash **ret)
{
	const struct level *l = &t->levels[level];

	assert(level < TREE_TILE_LEVELS);
	*ret_n = l->n;
	*ret_width = l->width;
	*ret = l->tiles[l->n & 1].nodes;
}

int tree_inclusion(struct tree *t, uint64_t index, uint64_t size, struct hash *proof, unsigned *ret_n)
{
	if (size > t->size || index >= size)
		return CS_ERR_INVALID;
	return path_inclusion(&t->nodes, edge_of(t, size), index, proof, ret_n);
}

int tree_consistency(struct tree *t, uint64_t old_size, uint64_t new_size, struct hash *proof, unsigned *ret_n)
{
	if (new_size > t->size || old_size == 0 || old_size > new_size)
		return CS_ERR_INVALID;
	return path_consistency(&t->nodes, edge_of(t, new_size), old_size, proof, ret_n);
}
