/* LMDB's file made by hand, page by page: what its own calls would never write, too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/page_maker.h"

#include "ledger/errors.h"

uint8_t *maker_page(struct maker *m, uint64_t number)
{
	return m->bytes + number * m->page_size;
}

void maker_put(uint8_t *at, uint64_t value, unsigned size)
{
	memcpy(at, &value, size); /* Little-endian machines: as LMDB's file. */
}

void maker_tree(uint8_t ret[TREE_SIZE], const struct pages_tree *t)
{
	memset(ret, 0, TREE_SIZE);
	maker_put(ret + 4, t->flags, 2);
	maker_put(ret + 6, t->depth, 2);
	maker_put(ret + 8, t->branch_pages, 8);
	maker_put(ret + 16, t->leaf_pages, 8);
	maker_put(ret + 24, t->overflow_pages, 8);
	maker_put(ret + 32, t->entries, 8);
	maker_put(ret + 40, t->root, 8);
}

void maker_meta(struct maker *m, unsigned n, uint64_t txn_id, uint64_t last, const struct pages_tree *free,
                const struct pages_tree *main)
{
	uint8_t *p = maker_page(m, n);

	maker_put(p, n, 8);
	maker_put(p + 10, P_META, 2);
	maker_put(p + PAGE_HEAD, META_MAGIC, 4);
	maker_put(p + PAGE_HEAD + 4, META_VERSION, 4);
	maker_tree(p + META_TREES, free);
	maker_put(p + META_TREES, m->page_size, 4);
	maker_tree(p + META_TREES + TREE_SIZE, main);
	maker_put(p + META_LAST, last, 8);
	maker_put(p + META_TXN, txn_id, 8);
}

void maker_begin(struct maker *m, uint64_t number, unsigned kind)
{
	uint8_t *p = maker_page(m, number);

	memset(p, 0, m->page_size);
	maker_put(p, number, 8);
	maker_put(p + 10, kind, 2);
	maker_put(p + 12, PAGE_HEAD, 2);
	maker_put(p + 14, m->page_size, 2);
}

static uint8_t *node_begin(struct maker *m, uint64_t number, const void *key, size_t key_len, size_t stored)
{
	uint8_t *p = maker_page(m, number);
	size_t lower = get16(p + 12), at = get16(p + 14) - ((NODE_HEAD + key_len + stored + 1) & ~(size_t)1);

	maker_put(p + lower, at, 2);
	maker_put(p + 12, lower + 2, 2);
	maker_put(p + 14, at, 2);
	maker_put(p + at + 6, key_len, 2);
	memcpy(p + at + NODE_HEAD, key, key_len);
	return p + at;
}

void maker_node(struct maker *m, uint64_t number, const void *key, size_t key_len, const void *data, size_t len,
                unsigned flags)
{
	uint8_t *n = node_begin(m, number, key, key_len, len);

	maker_put(n, len, 4);
	maker_put(n + 4, flags, 2);
	memcpy(n + NODE_HEAD + key_len, data, len);
}

void maker_child(struct maker *m, uint64_t number, const void *key, size_t key_len, uint64_t child)
{
	maker_put(node_begin(m, number, key, key_len, 0), child, 6);
}

void maker_big(struct maker *m, uint64_t number, const void *key, size_t key_len, uint64_t at, uint8_t fill, size_t len)
{
	uint8_t *n = node_begin(m, number, key, key_len, 8), *p = maker_page(m, at);

	maker_put(n, len, 4);
	maker_put(n + 4, F_BIGDATA, 2);
	maker_put(n + NODE_HEAD + key_len, at, 8);
	memset(p, 0, PAGE_HEAD);
	maker_put(p, at, 8);
	maker_put(p + 10, P_OVERFLOW, 2);
	maker_put(p + 12, (PAGE_HEAD - 1 + len) / m->page_size + 1, 4);
	memset(p + PAGE_HEAD, fill, len);
}

size_t maker_at(struct maker *m, uint64_t number, unsigned i)
{
	return get16(maker_page(m, number) + PAGE_HEAD + (size_t)2 * i);
}

int maker_source(void *ctx, uint64_t offset, void *buf, size_t len)
{
	struct maker *m = ctx;
	uint64_t number = offset / m->page_size;

	if (offset > sizeof m->bytes || len > sizeof m->bytes - offset)
		return CS_ERR_NOT_FOUND;
	if (m->bad_err && number == m->bad_page)
		return m->bad_err;
	memcpy(buf, m->bytes + offset, len);
	if (m->turning_page && number == m->turning_page && m->turning_reads++ > 0)
		((uint8_t *)buf)[m->turning_at] ^= m->turning_bits;
	return CS_OK;
}

/* --- a sound file --- */

const struct pages_tree maker_free_tree = {.flags = MDB_INTEGER,
                                           .depth = 1,
                                           .leaf_pages = 1,
                                           .entries = 1,
                                           .root = FREE_LIST},
                        maker_main_tree = {.depth = 1, .leaf_pages = 1, .entries = 2, .root = MAIN};

static void make_leaves(struct maker *m)
{
	static char long_value[700];
	uint8_t tree[TREE_SIZE];
	const struct pages_tree a = {.depth = 2,
	                             .branch_pages = 1,
	                             .leaf_pages = 3,
	                             .overflow_pages = 3,
	                             .entries = 6,
	                             .root = BRANCH},
	                        b = {.root = PAGES_NONE};

	maker_begin(m, MAIN, P_LEAF);
	maker_tree(tree, &a);
	maker_node(m, MAIN, "a", 1, tree, sizeof tree, F_SUBDATA);
	maker_tree(tree, &b);
	maker_node(m, MAIN, "b", 1, tree, sizeof tree, F_SUBDATA);
	maker_begin(m, BRANCH, P_BRANCH);
	maker_child(m, BRANCH, "", 0, LEFT);
	maker_child(m, BRANCH, "m", 1, MIDDLE);
	maker_child(m, BRANCH, "t", 1, RIGHT);
	maker_begin(m, LEFT, P_LEAF);
	maker_node(m, LEFT, "c", 1, long_value, m->page_size > 1000 ? sizeof long_value : 1, 0);
	maker_big(m, LEFT, "f", 1, BIG, 'F', m->page_size + 88);
	maker_begin(m, MIDDLE, P_LEAF);
	maker_node(m, MIDDLE, "m", 1, "1", 1, 0);
	maker_node(m, MIDDLE, "q", 1, "", 0, 0);
	maker_begin(m, RIGHT, P_LEAF);
	maker_big(m, RIGHT, "t", 1, BIG_OTHER, 'T', 300);
	maker_node(m, RIGHT, "tt", 2, "2", 1, 0);
}

void maker_free_list(struct maker *m, uint64_t txn_id, const void *list, size_t len)
{
	maker_begin(m, FREE_LIST, P_LEAF);
	maker_node(m, FREE_LIST, &txn_id, sizeof txn_id, list, len, 0);
}

void maker_sound(struct maker *m, uint32_t page_size)
{
	static const uint64_t list[] = {2, FREE_B, FREE_A};

	memset(m, 0, sizeof *m);
	m->page_size = page_size;
	make_leaves(m);
	maker_free_list(m, 4, list, sizeof list);
	for (unsigned n = 0; n < 2; n++)
		maker_meta(m, n, 4 + n, LAST, &maker_free_tree, &maker_main_tree);
}
