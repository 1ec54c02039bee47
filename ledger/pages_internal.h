/* What the reader of LMDB's file shares among its files. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_PAGES_INTERNAL_H
#define LEDGER_PAGES_INTERNAL_H

#include <string.h>

#include "ledger/pages.h"

/* LMDB 0.9, mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node, in the machine's own byte order. */
#define META_MAGIC   0xBEEFC0DEu
#define META_VERSION 1
#define PAGE_HEAD    16
#define NODE_HEAD    8
#define TREE_SIZE    48
#define P_BRANCH     0x01u
#define P_LEAF       0x02u
#define P_OVERFLOW   0x04u
#define P_META       0x08u
#define F_BIGDATA    0x01u
#define F_SUBDATA    0x02u
#define MDB_INTEGER  0x08u
#define VALUE_MAX    (UINT64_C(64) << 20)
#define LAST_MAX     (UINT64_C(1) << 31) /* 8 TiB of 4 KiB: eight times the largest map of the settings. */
#define META_SIZE    (PAGE_HEAD + 24 + 2 * TREE_SIZE + 16)
#define META_TREES   (PAGE_HEAD + 24)
#define META_LAST    (META_TREES + 2 * TREE_SIZE)
#define META_TXN     (META_LAST + 8)

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

struct node {
	const uint8_t *key, *data;
	size_t key_len, data_len; /* data_len: of the value, even if that has pages of its own. */
	unsigned flags;
	uint64_t child; /* Of a branch. */
	size_t size;    /* In the page, as LMDB rounds it. */
};

/* A walk: what it is told, and how far it has come. */
struct walk {
	struct pages *p;
	const struct pages_tree *tree;
	const struct pages_visitor *v;
	const uint8_t *from;
	size_t from_len;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries;
};

struct bound {
	const uint8_t *key; /* NULL: none. */
	size_t len;
};

int pages_compare(const struct walk *w, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
/* The i-th node of a page; false: it reaches out of it, or is none that can be. */
bool pages_node(const struct walk *w, const uint8_t *page, unsigned i, bool leaf, struct node *ret);
/* Notes that these pages were met; what is wrong if they were before. NULL where nobody keeps count. */
const char *pages_seen(struct pages *p, uint64_t from, uint64_t n);
const char *pages_read_text(int err);
/* The page at a depth of the walk into its buffer; what is wrong with it, or NULL. */
const char *pages_load(struct walk *w, uint64_t number, unsigned depth, bool leaf, struct bound low, struct bound high);

#endif
