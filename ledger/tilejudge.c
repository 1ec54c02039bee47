/* A tile against what lies below and above it: which of them is damaged, and what it must be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/tilejudge.h"

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/tiles.h"

/* Where a tile and what is below it differ in so few places, each of them may be right in each place. */
#define MIXED_MAX 8

unsigned tile_width(uint64_t size, unsigned level, uint64_t n)
{
	uint64_t hashes = size >> (TILE_HEIGHT * level), first = n * TREE_TILE_WIDTH;

	if (hashes <= first)
		return 0;
	return hashes - first < TREE_TILE_WIDTH ? (unsigned)(hashes - first) : TREE_TILE_WIDTH;
}

void tile_root(const struct hash *hashes, struct hash *ret)
{
	struct hash row[TREE_TILE_WIDTH / 2];
	const struct hash *below = hashes;

	for (unsigned n = TREE_TILE_WIDTH; n > 1; n /= 2, below = row)
		hash_nodes(row, below, n / 2);
	*ret = row[0];
}

/* The stored tiles, with another one in the place of one of them. */
struct replaced {
	const struct tilejudge *j;
	unsigned level, width;
	uint64_t n;
	const struct hash *hashes;
};

static int replaced_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct replaced *r = ctx;

	if (level != r->level)
		return r->j->tiles->read(r->j->tiles->ctx, level, n, width, out);
	assert(n == r->n && width == r->width); /* A root is made of each level's last tile. */
	memcpy(out, r->hashes, width * sizeof *out);
	return CS_OK;
}

bool tile_fits(const struct tilejudge *j, unsigned level, uint64_t n, unsigned width, const struct hash *hashes)
{
	struct replaced r = {.j = j, .level = level, .width = width, .n = n, .hashes = hashes};
	struct tree_tiles tiles = {.read = replaced_read, .ctx = &r};
	struct hash above[TREE_TILE_WIDTH], root;
	unsigned at = (unsigned)(n % TREE_TILE_WIDTH);

	if (width < TREE_TILE_WIDTH)
		return tiles_root(&tiles, j->size, &root) == 0 && hash_equal(&root, &j->root);
	assert(level + 1 < TREE_TILE_LEVELS); /* A full tile of the last level has 2^64 leaves below it. */
	tile_root(hashes, &root);
	return j->tiles->read(j->tiles->ctx, level + 1, n / TREE_TILE_WIDTH, at + 1, above) == 0 &&
	       hash_equal(&root, &above[at]);
}

static int below_one(const struct tilejudge *j, unsigned level, uint64_t i, struct hash *ret)
{
	struct hash tile[TREE_TILE_WIDTH];

	if (level == 0)
		return j->leaf(j->ctx, i, ret);
	int err = j->tiles->read(j->tiles->ctx, level - 1, i, TREE_TILE_WIDTH, tile);
	if (!err)
		tile_root(tile, ret);
	return err;
}

/* What the hashes are by what is below; returns how many of them can be told, and says which. */
static unsigned below(const struct tilejudge *j, unsigned level, uint64_t n, unsigned width, struct hash *ret,
                      bool known[TREE_TILE_WIDTH])
{
	unsigned told = 0;

	for (unsigned i = 0; i < width; i++) {
		known[i] = below_one(j, level, n * TREE_TILE_WIDTH + i, &ret[i]) == 0;
		told += known[i];
	}
	return told;
}

/* Each place from the one or from the other, in all ways. hashes: the stored ones; the right ones if there are any. */
static bool mixed(const struct tilejudge *j, unsigned level, uint64_t n, unsigned width, struct hash *hashes,
                  const struct hash *from_below, const bool *known)
{
	unsigned places[MIXED_MAX], m = 0;
	struct hash stored[TREE_TILE_WIDTH];

	for (unsigned i = 0; i < width; i++) {
		if (!known[i] || hash_equal(&hashes[i], &from_below[i]))
			continue;
		if (m == MIXED_MAX)
			return false;
		places[m++] = i;
	}
	memcpy(stored, hashes, width * sizeof *hashes);
	for (unsigned ways = 1; ways < 1u << m; ways++) {
		for (unsigned k = 0; k < m; k++)
			hashes[places[k]] = ways >> k & 1 ? from_below[places[k]] : stored[places[k]];
		if (tile_fits(j, level, n, width, hashes))
			return true;
	}
	return false;
}

enum tile_verdict tile_judge(const struct tilejudge *j, unsigned level, uint64_t n, struct hash *hashes,
                             unsigned *ret_width)
{
	unsigned width = *ret_width = tile_width(j->size, level, n);
	struct hash from_below[TREE_TILE_WIDTH];
	bool known[TREE_TILE_WIDTH];

	if (width == 0)
		return TILE_GOOD;
	bool there = j->tiles->read(j->tiles->ctx, level, n, width, hashes) == 0;
	if (there && tile_fits(j, level, n, width, hashes))
		return TILE_GOOD;
	unsigned told = below(j, level, n, width, from_below, known);
	if (told == width && there && memcmp(hashes, from_below, width * sizeof *hashes) == 0)
		return TILE_BESIDE;
	if (told == width && tile_fits(j, level, n, width, from_below)) {
		memcpy(hashes, from_below, width * sizeof *hashes);
		return TILE_WRONG;
	}
	return there && mixed(j, level, n, width, hashes, from_below, known) ? TILE_WRONG : TILE_UNKNOWN;
}
