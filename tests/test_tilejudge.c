/* Which of the stored tiles is damaged, told by what is below it and above it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/tilejudge.h"
#include "tests/memory_tiles.h"

#define SIZE     600 /* Two full tiles of leaves and a partial one; one tile above them. */
#define PARTIAL  (SIZE % TREE_TILE_WIDTH)
#define EDGE     (SIZE / TREE_TILE_WIDTH)
#define NO_TILE  UINT64_MAX
#define TWO_BITS 3 /* What is flipped in a byte. */

static struct {
	struct hash leaves[SIZE];
	bool gone[SIZE]; /* Entries that cannot be had. */
	struct memory_tiles m;
	struct tree_tiles tiles;
	unsigned gone_level; /* A tile that cannot be read. */
	uint64_t gone_n;
	struct tilejudge judge;
} g;

static int leaf(void *ctx, uint64_t index, struct hash *ret)
{
	(void)ctx;
	assert_true(index < SIZE);
	if (g.gone[index])
		return CS_ERR_DAMAGED;
	*ret = g.leaves[index];
	return 0;
}

static int read_tile(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	if (level == g.gone_level && n == g.gone_n)
		return CS_ERR_IO;
	return g.m.tiles.read(ctx, level, n, width, out);
}

/* Everything as it was written. */
static int setup(void **state)
{
	struct tree *t;

	(void)state;
	memset(&g, 0, sizeof g);
	memory_tiles_init(&g.m, SIZE);
	assert_int_equal(tree_new(&g.m.tiles, &t), 0);
	for (uint32_t i = 0; i < SIZE; i++) {
		uint8_t entry[4];

		put_u32be(entry, i);
		hash_leaf(&g.leaves[i], entry, sizeof entry);
		assert_int_equal(tree_append(t, &g.leaves[i]), 0);
	}
	memory_tiles_sync(&g.m, t);
	tree_root(t, &g.judge.root);
	tree_free(t);
	g.tiles = (struct tree_tiles){.read = read_tile, .ctx = &g.m};
	g.judge.tiles = &g.tiles;
	g.judge.leaf = leaf;
	g.judge.size = SIZE;
	g.gone_n = NO_TILE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memory_tiles_free(&g.m);
	return 0;
}

static struct hash *stored(unsigned level, uint64_t i)
{
	return &g.m.hashes[level][i];
}

static void hurt(struct hash *h)
{
	h->b[7] ^= TWO_BITS;
}

/* What is said of a tile of leaves; WRONG and GOOD come with the right hashes. */
static enum tile_verdict judge(uint64_t n)
{
	struct hash hashes[TREE_TILE_WIDTH];
	unsigned width;
	enum tile_verdict v = tile_judge(&g.judge, 0, n, hashes, &width);

	assert_int_equal(width, n < EDGE ? TREE_TILE_WIDTH : PARTIAL);
	if (v == TILE_WRONG || v == TILE_GOOD)
		for (unsigned i = 0; i < width; i++) {
			struct hash h;
			uint8_t entry[4];

			put_u32be(entry, (uint32_t)(n * TREE_TILE_WIDTH + i));
			hash_leaf(&h, entry, sizeof entry);
			assert_memory_equal(&hashes[i], &h, sizeof h);
		}
	return v;
}

static void test_good(void **state)
{
	struct hash hashes[TREE_TILE_WIDTH];
	unsigned width = 9;

	(void)state;
	for (unsigned n = 0; n <= EDGE; n++)
		assert_int_equal(judge(n), TILE_GOOD);
	assert_int_equal(tile_judge(&g.judge, 1, 0, hashes, &width), TILE_GOOD);
	assert_int_equal(width, EDGE);
	assert_int_equal(tile_judge(&g.judge, 0, EDGE + 1, hashes, &width), TILE_GOOD);
	assert_int_equal(width, 0); /* There is none. */
	assert_int_equal(tile_judge(&g.judge, 2, 0, hashes, &width), TILE_GOOD);
	assert_int_equal(width, 0);
}

/* A tile of leaves that is damaged, or gone, follows from the entries; the last one also has to fit the root. */
static void test_wrong(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= EDGE; n++) {
		hurt(stored(0, n * TREE_TILE_WIDTH + 3));
		assert_int_equal(judge(n), TILE_WRONG);
		hurt(stored(0, n * TREE_TILE_WIDTH + 3));
		g.gone_n = n;
		assert_int_equal(judge(n), TILE_WRONG);
		g.gone[n * TREE_TILE_WIDTH] = true;
		assert_int_equal(judge(n), TILE_UNKNOWN);
		g.gone_n = NO_TILE;
		assert_int_equal(judge(n), TILE_GOOD);
	}
}

/* The tile above is damaged, or gone: this one is what its entries are. */
static void test_beside(void **state)
{
	struct hash hashes[TREE_TILE_WIDTH];
	unsigned width;

	(void)state;
	hurt(stored(1, 1));
	assert_int_equal(judge(0), TILE_GOOD);
	assert_int_equal(judge(1), TILE_BESIDE);
	assert_int_equal(judge(EDGE), TILE_BESIDE); /* The root does not come out. */
	assert_int_equal(tile_judge(&g.judge, 1, 0, hashes, &width), TILE_WRONG);
	assert_memory_not_equal(hashes, stored(1, 0), width * sizeof *hashes);
	hurt(stored(1, 1));
	assert_memory_equal(hashes, stored(1, 0), width * sizeof *hashes);
	g.gone_level = 1;
	g.gone_n = 0;
	assert_int_equal(judge(1), TILE_BESIDE);
	assert_int_equal(judge(EDGE), TILE_BESIDE);
}

/* A tile above leaves, when one below it cannot be read: what can be told is enough, or is not. */
static void test_above(void **state)
{
	struct hash hashes[TREE_TILE_WIDTH];
	unsigned width;

	(void)state;
	g.gone_level = 0;
	g.gone_n = 1;
	hurt(stored(1, 0));
	assert_int_equal(tile_judge(&g.judge, 1, 0, hashes, &width), TILE_WRONG);
	hurt(stored(1, 1));
	assert_int_equal(tile_judge(&g.judge, 1, 0, hashes, &width), TILE_UNKNOWN);
}

/* Damaged here in some places, and in others the entries are: each place is right in one of the two. */
static void test_mixed(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= EDGE; n++) {
		unsigned at = n * TREE_TILE_WIDTH;

		hurt(stored(0, at + 1));
		hurt(stored(0, at + 2));
		hurt(&g.leaves[at + 5]);
		assert_int_equal(judge(n), TILE_WRONG);
		g.gone[at + 6] = true; /* Right in the tile. */
		assert_int_equal(judge(n), TILE_WRONG);
		hurt(&g.leaves[at + 1]); /* Wrong in both. */
		assert_int_equal(judge(n), TILE_UNKNOWN);
		hurt(&g.leaves[at + 1]);
		hurt(&g.leaves[at + 5]);
		hurt(stored(0, at + 1));
		hurt(stored(0, at + 2));
	}
	for (unsigned i = 0; i < 9; i++) /* Too many to try. */
		hurt(stored(0, 10 + i));
	hurt(&g.leaves[30]);
	assert_int_equal(judge(0), TILE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_good, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(test_beside, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(test_above, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(test_mixed, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
