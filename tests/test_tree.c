/* The tree against RFC 6962's recursive definitions, and across the boundaries of tiles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/path.h"
#include "ledger/proof.h"
#include "ledger/tree.h"
#include "tests/memory_tiles.h"
#include "tests/naive_tree.h"

#define NAIVE_SIZE_MAX 600                    /* The recursive definitions cost O(size) hashes a proof. */
#define LEAVES_MAX     (65536 + 2 * 256 + 40) /* Beyond the second level's first tile. */
#define BATCH_MAX      256                    /* Leaves the node appends at once, at most. */

static struct hash leaves[LEAVES_MAX];

static void assert_hash(const struct hash *a, const struct hash *b)
{
	assert_memory_equal(a, b, HASH_SIZE);
}

static void assert_proof(const struct proof *a, const struct proof *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->hashes, b->hashes, a->n * sizeof(a->hashes[0]));
}

static int make_leaves(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < LEAVES_MAX; i++) {
		uint8_t entry[4];

		put_u32be(entry, i);
		hash_leaf(&leaves[i], entry, sizeof(entry));
	}
	return 0;
}

static struct tree *new_tree(const struct tree_tiles *tiles)
{
	struct tree *t = NULL;

	assert_int_equal(tree_new(tiles, &t), 0);
	return t;
}

static void append_to(struct tree *t, uint64_t size)
{
	while (tree_size(t) < size)
		assert_int_equal(tree_append(t, &leaves[tree_size(t)]), 0);
}

/* The tree's proof and the tiles', equal to each other and good. */
static void check_inclusion(struct tree *t, const struct memory_tiles *m, uint64_t index, uint64_t size,
                            struct proof *ret)
{
	struct proof from_tiles = {.n = 0};
	struct hash root;

	assert_int_equal(tree_inclusion(t, index, size, ret->hashes, &ret->n), 0);
	assert_int_equal(tree_root_at(t, size, &root), 0);
	assert_int_equal(proof_inclusion_check(index, size, &leaves[index], ret->hashes, ret->n, &root), 0);
	assert_int_equal(tiles_inclusion(&m->tiles, index, size, from_tiles.hashes, &from_tiles.n), 0);
	assert_proof(ret, &from_tiles);
}

static void check_consistency(struct tree *t, const struct memory_tiles *m, uint64_t old_size, uint64_t new_size,
                              struct proof *ret)
{
	struct proof from_tiles = {.n = 0};
	struct hash old_root, new_root, root;

	assert_int_equal(tree_consistency(t, old_size, new_size, ret->hashes, &ret->n), 0);
	assert_int_equal(tree_root_at(t, old_size, &old_root), 0);
	assert_int_equal(tree_root_at(t, new_size, &new_root), 0);
	assert_int_equal(proof_consistency_check(old_size, new_size, &old_root, &new_root, ret->hashes, ret->n), 0);
	assert_int_equal(tiles_consistency(&m->tiles, old_size, new_size, from_tiles.hashes, &from_tiles.n), 0);
	assert_proof(ret, &from_tiles);
	assert_int_equal(tiles_root(&m->tiles, old_size, &root), 0);
	assert_hash(&root, &old_root);
}

/* The tree of Certificate Transparency's first test suite (merkle_tree_test.cc), all nine roots. */
static void test_known_roots(void **state)
{
	static const char *const entries[8] = {
	        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
	static const char *const roots[9] = {
	        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	struct tree *t = new_tree(&(struct tree_tiles){0});

	(void)state;
	for (unsigned size = 0; size <= 8; size++) {
		char hex[2 * HASH_SIZE + 1];
		struct hash root, leaf;
		uint8_t entry[16];
		size_t len;

		tree_root(t, &root);
		sodium_bin2hex(hex, sizeof(hex), root.b, HASH_SIZE);
		assert_string_equal(hex, roots[size]);
		if (size == 8)
			break;
		sodium_hex2bin(entry, sizeof(entry), entries[size], strlen(entries[size]), NULL, &len, NULL);
		hash_leaf(&leaf, entry, len);
		assert_int_equal(tree_append(t, &leaf), 0);
	}
	tree_free(t);
}

static void check_size(struct tree *t, const struct memory_tiles *m, unsigned size, unsigned samples)
{
	struct proof expected, found;
	struct hash root, again;

	naive_root(leaves, size, &root);
	assert_int_equal(tree_root_at(t, size, &again), 0);
	assert_hash(&root, &again);
	for (unsigned s = 0; s < (size < samples ? size : samples); s++) {
		unsigned i = size <= samples ? s : randombytes_uniform(size);

		expected.n = 0;
		naive_path(leaves, i, size, &expected);
		check_inclusion(t, m, i, size, &found);
		assert_proof(&expected, &found);
		expected.n = 0;
		naive_subproof(leaves, i + 1, size, 1, &expected);
		check_consistency(t, m, i + 1, size, &found);
		assert_proof(&expected, &found);
	}
}

/* Roots and proofs as the tree grows, and of all the smaller sizes in the grown tree. */
static void test_against_definition(void **state)
{
	struct memory_tiles m;
	struct tree *t;
	struct hash root, expected;

	(void)state;
	memory_tiles_init(&m, NAIVE_SIZE_MAX);
	t = new_tree(&m.tiles);
	for (unsigned size = 0; size <= NAIVE_SIZE_MAX; size++) {
		append_to(t, size);
		memory_tiles_sync(&m, t);
		naive_root(leaves, size, &expected);
		tree_root(t, &root);
		assert_hash(&root, &expected);
		check_size(t, &m, size, size <= 70 ? 70 : 4);
	}
	for (unsigned size = 0; size <= NAIVE_SIZE_MAX; size++)
		check_size(t, &m, size, 4);
	tree_free(t);
	memory_tiles_free(&m);
}

/* Proofs of a batch that has just been appended, at every size within it, need no read: no store is asked. */
static void test_batches_in_memory(void **state)
{
	static const unsigned starts[] = {0,   1,   100,  255,         256,         257,
	                                  511, 512, 1000, 65536 - 256, 65536 - 255, 65536 - 1};
	struct memory_tiles m;
	struct tree *t;

	(void)state;
	memory_tiles_init(&m, LEAVES_MAX);
	t = new_tree(&m.tiles);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		append_to(t, starts[i]);
		append_to(t, starts[i] + BATCH_MAX);
		for (unsigned index = starts[i]; index < starts[i] + BATCH_MAX; index += 1 + randombytes_uniform(5))
			for (unsigned size = index + 1; size <= starts[i] + BATCH_MAX;
			     size += 1 + randombytes_uniform(40)) {
				struct proof p;
				struct hash root;

				assert_int_equal(tree_inclusion(t, index, size, p.hashes, &p.n), 0);
				assert_int_equal(tree_root_at(t, size, &root), 0);
				assert_int_equal(
				        proof_inclusion_check(index, size, &leaves[index], p.hashes, p.n, &root), 0);
				assert_int_equal(tree_consistency(t, index + 1, size, p.hashes, &p.n), 0);
			}
		assert_int_equal(m.reads, 0);
		assert_int_equal(tree_load(t, 0), 0);
		memset(m.full, 0, sizeof(m.full));
	}
	tree_free(t);
	memory_tiles_free(&m);
}

/* Sizes around full tiles of both levels; old leaves come out of the store. */
static void test_tile_boundaries(void **state)
{
	static const unsigned sizes[] = {255, 256, 257, 511, 512, 513, 65535, 65536, 65537, 65536 + 256, LEAVES_MAX};
	struct memory_tiles m;
	struct proof p;
	struct tree *t;

	(void)state;
	memory_tiles_init(&m, LEAVES_MAX);
	t = new_tree(&m.tiles);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		append_to(t, sizes[i]);
		memory_tiles_sync(&m, t);
		for (unsigned k = 0; k < 60; k++) {
			check_inclusion(t, &m, randombytes_uniform(sizes[i]), sizes[i], &p);
			check_consistency(t, &m, 1 + randombytes_uniform(sizes[i]), sizes[i], &p);
		}
		check_inclusion(t, &m, 0, sizes[i], &p);
		check_inclusion(t, &m, sizes[i] - 1, sizes[i], &p);
		check_consistency(t, &m, 255, sizes[i], &p);
		check_consistency(t, &m, sizes[i] / 256 * 256 + (sizes[i] < 256), sizes[i], &p);
	}
	assert_true(m.reads > 0);
	tree_free(t);
	memory_tiles_free(&m);
}

/* A tree loaded at any size goes on as the one that grew there. */
static void test_load(void **state)
{
	static const unsigned sizes[] = {0,   1,   2,    200,   254,   255,   256,   257,
	                                 511, 512, 1000, 65279, 65535, 65536, 65537, 65536 + 255};
	struct memory_tiles m;
	struct tree *grown, *loaded;
	struct proof p, q;
	unsigned index;
	struct hash a, b;

	(void)state;
	memory_tiles_init(&m, LEAVES_MAX);
	grown = new_tree(&m.tiles);
	append_to(grown, LEAVES_MAX);
	memory_tiles_sync(&m, grown);
	loaded = new_tree(&(struct tree_tiles){.read = m.tiles.read, .ctx = &m});
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(tree_load(loaded, sizes[i]), 0);
		assert_int_equal(tree_size(loaded), sizes[i]);
		for (unsigned size = sizes[i]; size <= sizes[i] + 300 && size <= LEAVES_MAX; size += 7) {
			append_to(loaded, size);
			tree_root(loaded, &a);
			assert_int_equal(tree_root_at(grown, size, &b), 0);
			assert_hash(&a, &b);
			if (size == 0)
				continue;
			index = randombytes_uniform(size);
			assert_int_equal(tree_inclusion(loaded, index, size, p.hashes, &p.n), 0);
			assert_int_equal(tree_inclusion(grown, index, size, q.hashes, &q.n), 0);
			assert_proof(&p, &q);
		}
	}
	tree_free(loaded);
	tree_free(grown);
	memory_tiles_free(&m);
}

static int refuse_tile(void *ctx, unsigned level, uint64_t n, const struct hash *hashes)
{
	(void)level, (void)n, (void)hashes;
	return *(int *)ctx;
}

static void test_errors(void **state)
{
	int full_err = CS_ERR_DISK_FULL;
	struct tree *t = new_tree(&(struct tree_tiles){.full = refuse_tile, .ctx = &full_err});
	struct memory_tiles m;
	struct hash root, empty;
	struct proof p = {.n = 77};

	(void)state;
	append_to(t, 255);
	assert_int_equal(tree_inclusion(t, 255, 255, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tree_inclusion(t, 0, 256, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tree_inclusion(t, 0, 0, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tree_consistency(t, 0, 255, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tree_consistency(t, 4, 3, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tree_consistency(t, 4, 256, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tree_root_at(t, 256, &root), CS_ERR_INVALID);
	assert_int_equal(p.n, 77);
	assert_int_equal(tree_append(t, &leaves[255]), CS_ERR_DISK_FULL);

	memory_tiles_init(&m, 1000); /* Nothing stored. */
	assert_int_equal(tree_load(t, 5), CS_ERR_NOT_FOUND);
	assert_int_equal(tree_size(t), 0);
	tree_root(t, &root);
	hash_empty(&empty);
	assert_hash(&root, &empty);
	assert_int_equal(tree_load(t, UINT64_MAX), CS_ERR_INVALID);
	assert_int_equal(tiles_inclusion(&m.tiles, 0, 5, p.hashes, &p.n), CS_ERR_NOT_FOUND);
	assert_int_equal(tiles_inclusion(&m.tiles, 5, 5, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tiles_consistency(&m.tiles, 0, 5, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tiles_root(&m.tiles, UINT64_MAX, &root), CS_ERR_INVALID);
	assert_int_equal(p.n, 77);
	memory_tiles_free(&m);
	tree_free(t);
	tree_free(NULL);
}

/* Without a store: what is at the right edge can be had, and nothing else. */
static void test_no_store(void **state)
{
	struct tree *t = new_tree(&(struct tree_tiles){0});
	struct hash root, expected;
	struct proof p;

	(void)state;
	assert_int_equal(tree_load(t, 5), CS_ERR_NOT_FOUND);
	append_to(t, 600);
	naive_root(leaves, 600, &expected);
	tree_root(t, &root);
	assert_hash(&root, &expected);
	assert_int_equal(tree_inclusion(t, 599, 600, p.hashes, &p.n), 0);
	assert_int_equal(proof_inclusion_check(599, 600, &leaves[599], p.hashes, p.n, &root), 0);
	assert_int_equal(tree_inclusion(t, 0, 600, p.hashes, &p.n), CS_ERR_NOT_FOUND);
	tree_free(t);
}

/* A store whose n-th read fails, once. */
struct failing {
	struct memory_tiles m;
	unsigned left;
};

static int read_failing(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	struct failing *f = ctx;

	return f->left-- == 1 ? CS_ERR_IO : f->m.tiles.read(&f->m, level, n, width, out);
}

static int root_of(const struct tree_tiles *tiles, uint64_t a, uint64_t size, struct proof *p)
{
	(void)a;
	return tiles_root(tiles, size, &p->hashes[0]);
}

static int inclusion_of(const struct tree_tiles *tiles, uint64_t a, uint64_t size, struct proof *p)
{
	return tiles_inclusion(tiles, a - 1, size, p->hashes, &p->n);
}

static int consistency_of(const struct tree_tiles *tiles, uint64_t a, uint64_t size, struct proof *p)
{
	return tiles_consistency(tiles, a, size, p->hashes, &p->n);
}

/* Whichever read fails, its error comes back, and the outputs are as they were. */
static void test_failing_reads(void **state)
{
	static int (*const all[])(const struct tree_tiles *, uint64_t, uint64_t,
	                          struct proof *) = {root_of, inclusion_of, consistency_of};
	static const uint64_t places[][2] = {{1, 65536},   {65536, 65536 + 300}, {300, 65536 + 300},
	                                     {300, 65700}, {65700, 65536 + 300}, {512, 600},
	                                     {600, 601},   {1, 65536 + 256}};
	struct failing f = {.left = 0};
	const struct tree_tiles tiles = {.read = read_failing, .ctx = &f};
	struct tree *t;

	(void)state;
	memory_tiles_init(&f.m, LEAVES_MAX);
	t = new_tree(&f.m.tiles);
	append_to(t, 65536 + 300);
	memory_tiles_sync(&f.m, t);
	tree_free(t);
	for (unsigned k = 0; k < 3; k++)
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			struct proof p = {.n = 77};
			unsigned n = 1;

			for (f.left = n; all[k](&tiles, places[i][0], places[i][1], &p) != 0; f.left = ++n) {
				assert_int_equal(f.left, 0);
				assert_int_equal(p.n, 77);
			}
			assert_true(n > 1 && f.left > 0);
		}
	memory_tiles_free(&f.m);
}

/* Sizes beyond what a tree can have. */
static void test_too_large(void **state)
{
	const struct tree_tiles none = {0};
	struct proof p;

	(void)state;
	assert_int_equal(tiles_inclusion(&none, 0, TREE_SIZE_MAX + 1, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tiles_consistency(&none, 1, TREE_SIZE_MAX + 1, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tiles_consistency(&none, 2, 1, p.hashes, &p.n), CS_ERR_INVALID);
	assert_int_equal(tiles_root(&none, TREE_SIZE_MAX, p.hashes), CS_ERR_NOT_FOUND);
}

/* Proofs of trees far beyond what fits: every hash the same, so a store can be made up. */
static int read_same(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct hash *roots = ctx; /* Of complete subtrees, by height. */

	(void)n;
	for (unsigned i = 0; i < width; i++)
		out[i] = roots[8 * level];
	return 0;
}

static void test_huge(void **state)
{
	struct hash roots[64], root, old_root;
	const struct tree_tiles tiles = {.read = read_same, .ctx = roots};

	(void)state;
	roots[0] = leaves[0];
	for (unsigned h = 1; h < 64; h++)
		hash_node(&roots[h], &roots[h - 1], &roots[h - 1]);
	for (unsigned round = 0; round < 300; round++) {
		uint64_t size, index, old_size;
		struct proof p;

		randombytes_buf(&size, sizeof(size));
		size = (size >> (2 + randombytes_uniform(40))) + 1;
		randombytes_buf(&index, sizeof(index));
		index %= size;
		old_size = index + 1;
		assert_int_equal(tiles_root(&tiles, size, &root), 0);
		assert_int_equal(tiles_root(&tiles, old_size, &old_root), 0);
		assert_int_equal(tiles_inclusion(&tiles, index, size, p.hashes, &p.n), 0);
		assert_int_equal(proof_inclusion_check(index, size, &leaves[0], p.hashes, p.n, &root), 0);
		assert_int_equal(tiles_consistency(&tiles, old_size, size, p.hashes, &p.n), 0);
		assert_int_equal(proof_consistency_check(old_size, size, &old_root, &root, p.hashes, p.n), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_known_roots),
	        cmocka_unit_test(test_against_definition),
	        cmocka_unit_test(test_batches_in_memory),
	        cmocka_unit_test(test_tile_boundaries),
	        cmocka_unit_test(test_load),
	        cmocka_unit_test(test_errors),
	        cmocka_unit_test(test_no_store),
	        cmocka_unit_test(test_failing_reads),
	        cmocka_unit_test(test_too_large),
	        cmocka_unit_test(test_huge),
	};

	return cmocka_run_group_tests(tests, make_leaves, NULL);
}
