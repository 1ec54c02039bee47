/* Tiles that are held against those above them before anything is made of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "ledger/store_internal.h"
#include "ledger/tilejudge.h"

/*
 * Up to the tree's edge, whose tiles give the head's root. Each costs 255 hashes: for what is asked for seldom, or what
 * a node would stop for. Whoever has the root that an inclusion proof must lead to checks that instead.
 */
static int chain_check(const struct tree_tiles *tiles, const struct store_head *h, unsigned level, uint64_t n)
{
	const struct tilejudge j = {.tiles = tiles, .size = h->size, .root = h->root};
	struct hash hashes[TREE_TILE_WIDTH];
	unsigned width = TREE_TILE_WIDTH;

	/* On the last level none is full: a size has 64 bits. */
	for (; width == TREE_TILE_WIDTH; level++, n /= TREE_TILE_WIDTH) {
		width = tile_width(h->size, level, n);
		int err = width ? tiles->read(tiles->ctx, level, n, width, hashes) : CS_ERR_NOT_FOUND;
		if (err)
			return err == CS_ERR_NOT_FOUND ? CS_ERR_DAMAGED : err;
		if (!tile_fits(&j, level, n, width, hashes))
			return CS_ERR_DAMAGED;
	}
	return CS_OK;
}

int store_view_check_state(const struct store_view *v)
{
	struct multiset found, stored;
	int err = store_view_sums(v, &found, &stored);

	return !err && memcmp(&found, &stored, sizeof found) != 0 ? CS_ERR_DAMAGED : err;
}

static int checked_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct store_view *v = ctx;
	struct tree_tiles plain;
	struct store_head head;

	store_view_tiles(v, &plain);
	store_view_head(v, &head);
	int err = plain.read(plain.ctx, level, n, width, out);
	return err ? err : chain_check(&plain, &head, level, n);
}

void store_view_tiles_checked(const struct store_view *v, struct tree_tiles *ret)
{
	*ret = (struct tree_tiles){.read = checked_read, .ctx = (void *)(uintptr_t)v};
}
