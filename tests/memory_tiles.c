/* A tile store in memory, which counts what it is asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/memory_tiles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"

static int read_tile(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	struct memory_tiles *m = ctx;

	m->reads++;
	assert_in_range(width, 1, TREE_TILE_WIDTH);
	if (n * TREE_TILE_WIDTH + width > m->n[level])
		return CS_ERR_NOT_FOUND;
	memcpy(out, m->hashes[level] + n * TREE_TILE_WIDTH, width * sizeof(*out));
	return 0;
}

static void put(struct memory_tiles *m, unsigned level, uint64_t n, unsigned width, const struct hash *hashes)
{
	memcpy(m->hashes[level] + n * TREE_TILE_WIDTH, hashes, width * sizeof(*hashes));
	m->n[level] = n * TREE_TILE_WIDTH + width;
}

static int full_tile(void *ctx, unsigned level, uint64_t n, const struct hash *hashes)
{
	struct memory_tiles *m = ctx;

	assert_int_equal(n, m->full[level]); /* Once each, in order. */
	m->full[level]++;
	put(m, level, n, TREE_TILE_WIDTH, hashes);
	return 0;
}

void memory_tiles_init(struct memory_tiles *m, uint64_t size_max)
{
	memset(m, 0, sizeof(*m));
	for (unsigned l = 0; l < TREE_TILE_LEVELS; l++) {
		m->hashes[l] = calloc((size_max >> 8 * l) + TREE_TILE_WIDTH, sizeof(struct hash));
		assert_non_null(m->hashes[l]);
	}
	m->tiles = (struct tree_tiles){.read = read_tile, .full = full_tile, .ctx = m};
}

void memory_tiles_free(struct memory_tiles *m)
{
	for (unsigned l = 0; l < TREE_TILE_LEVELS; l++)
		free(m->hashes[l]);
}

void memory_tiles_sync(struct memory_tiles *m, const struct tree *t)
{
	for (unsigned l = 0; l < TREE_TILE_LEVELS; l++) {
		const struct hash *hashes;
		unsigned width;
		uint64_t n;

		tree_partial(t, l, &n, &width, &hashes);
		put(m, l, n, width, hashes);
	}
}
