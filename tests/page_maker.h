/* LMDB's file made by hand, page by page: what its own calls would never write, too. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PAGE_MAKER_H
#define TESTS_PAGE_MAKER_H

#include "ledger/pages_internal.h"

#define MAKER_PAGES 160

struct maker {
	uint8_t bytes[MAKER_PAGES * 4096];
	uint32_t page_size; /* 512 to 4096. */
	/* A page that cannot be read, and the error of that; page 0: none. */
	uint64_t bad_page;
	int bad_err;
	/* From its second reading on this page has another byte; page 0: none. */
	uint64_t turning_page;
	size_t turning_at;
	uint8_t turning_bits;
	unsigned turning_reads;
};

uint8_t *maker_page(struct maker *m, uint64_t number);
void maker_put(uint8_t *at, uint64_t value, unsigned size);
void maker_tree(uint8_t ret[TREE_SIZE], const struct pages_tree *t);
void maker_meta(struct maker *m, unsigned n, uint64_t txn_id, uint64_t last, const struct pages_tree *free,
                const struct pages_tree *main);
/* An empty page of that kind; nodes are added in the order of their keys. */
void maker_begin(struct maker *m, uint64_t number, unsigned kind);
void maker_node(struct maker *m, uint64_t number, const void *key, size_t key_len, const void *data, size_t len,
                unsigned flags);
void maker_child(struct maker *m, uint64_t number, const void *key, size_t key_len, uint64_t child);
/* A value with pages of its own: those, and the node that leads there. */
void maker_big(struct maker *m, uint64_t number, const void *key, size_t key_len, uint64_t at, uint8_t fill,
               size_t len);
/* Where the i-th node of a page lies in it. */
size_t maker_at(struct maker *m, uint64_t number, unsigned i);
int maker_source(void *ctx, uint64_t offset, void *buf, size_t len); /* struct pages_source's; ctx: the maker. */

/*
 * A sound file: two databases, "a" with a branch, three leaves and two values that have pages of their own, "b" empty;
 * a free list. Its meta pages are of the transactions 4 and 5.
 */
enum { MAIN = 2, BRANCH, LEFT, MIDDLE, RIGHT, BIG, BIG_REST, BIG_OTHER, FREE_LIST, FREE_A, FREE_B, LAST = FREE_B };
extern const struct pages_tree maker_free_tree, maker_main_tree;
void maker_sound(struct maker *m, uint32_t page_size);
void maker_free_list(struct maker *m, uint64_t txn_id, const void *list, size_t len);

#endif
