/* What each byte of a store's file is to LMDB 0.9. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/flip_regions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "ledger/errors.h"

#define HEAD       16 /* Of a page. */
#define NODE       8
#define TREE       48 /* MDB_db */
#define META_TREES (HEAD + 24)
#define META_TXN   (META_TREES + 2 * TREE + 8)
#define META_END   (META_TXN + 8)
#define BIG        1u
#define SUB        2u

const char *region_name(unsigned r)
{
	switch (r) {
#define REGION_NAME(name, text)                                                                                        \
	case name:                                                                                                     \
		return text;
		REGION_LIST(REGION_NAME)
#undef REGION_NAME
	default:
		return "";
	}
}

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n); /* Little-endian machines: as LMDB's file. */
	return v;
}

void image_read(struct image *i, const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	assert_true(f && stat(path, &st) == 0);
	i->len = (size_t)st.st_size;
	i->bytes = malloc(i->len);
	i->region = calloc(1, i->len);
	assert_true(i->bytes && i->region && fread(i->bytes, 1, i->len, f) == i->len);
	fclose(f);
	i->page_size = (uint32_t)get(i->bytes + META_TREES, 4);
	uint64_t a = get(i->bytes + META_TXN, 8), b = get(i->bytes + i->page_size + META_TXN, 8);
	i->txn_id = a > b ? a : b;
}

void image_free(struct image *i)
{
	free(i->bytes);
	free(i->region);
}

int image_source(void *ctx, uint64_t offset, void *buf, size_t len)
{
	const struct image *i = ctx;

	if (offset > i->len || len > i->len - offset)
		return CS_ERR_NOT_FOUND;
	memcpy(buf, i->bytes + offset, len);
	return CS_OK;
}

static void mark(struct image *i, size_t at, size_t n, enum region r)
{
	memset(i->region + at, (int)r, n);
}

static void mark_value(struct image *i, const uint8_t *node, const char *db)
{
	size_t key = get(node + 6, 2), len = get(node, 2) | get(node + 2, 2) << 16;
	const uint8_t *data = node + NODE + key;

	if (get(node + 4, 2) & BIG) {
		size_t at = get(data, 8) * i->page_size, pages = (HEAD - 1 + len) / i->page_size + 1;
		mark(i, at, HEAD + len, REGION_READ);
		mark(i, at + 8, 2, REGION_PAD);
		mark(i, at + HEAD + len, pages * i->page_size - HEAD - len, REGION_TAIL);
	}
	if (get(node + 4, 2) & SUB)
		mark(i, (size_t)(data - i->bytes), 4, REGION_PAD); /* md_pad */
	if (strcmp(db, "free") == 0)
		mark(i, (size_t)(node + NODE - i->bytes), key, REGION_FREE_TXN);
	if (strcmp(db, "state") == 0)
		mark(i, (size_t)(node + NODE + 1 - i->bytes), key - 1, REGION_STATE_PLACE);
}

static void mark_tree(struct image *i, uint64_t page, const char *db);

static void mark_node(struct image *i, const uint8_t *node, unsigned n, bool leaf, const char *db)
{
	size_t key = get(node + 6, 2), len = get(node, 2) | get(node + 2, 2) << 16;
	size_t stored = !leaf ? 0 : get(node + 4, 2) & BIG ? 8 : len;
	char name[32];

	if ((key + stored) % 2)
		mark(i, (size_t)(node + NODE + key + stored - i->bytes), 1, REGION_PAD);
	if (!leaf && n == 0)
		mark(i, (size_t)(node + NODE - i->bytes), key, REGION_PAD);
	if (leaf)
		mark_value(i, node, db);
	else
		mark_tree(i, len | get(node + 4, 2) << 32, db);
	if (leaf && get(node + 4, 2) & SUB) {
		snprintf(name, sizeof name, "%.*s", (int)key, (const char *)node + NODE);
		mark_tree(i, get(node + NODE + key + 40, 8), name);
	}
}

static void mark_tree(struct image *i, uint64_t page, const char *db)
{
	size_t at = page * i->page_size;
	const uint8_t *p = i->bytes + at;

	if (page == UINT64_MAX)
		return;
	bool leaf = get(p + 10, 2) == 2;
	unsigned n = (unsigned)(get(p + 12, 2) - HEAD) / 2;
	mark(i, at, i->page_size, REGION_READ);
	mark(i, at + 8, 2, REGION_PAD);
	mark(i, at + get(p + 12, 2), get(p + 14, 2) - get(p + 12, 2), REGION_GAP);
	for (unsigned k = 0; k < n; k++)
		mark_node(i, p + get(p + HEAD + 2 * k, 2), k, leaf, db);
}

static void mark_meta(struct image *i, unsigned page, bool newest)
{
	size_t at = (size_t)page * i->page_size;

	mark(i, at, i->page_size, REGION_META_REST);
	mark(i, at, META_END, newest ? REGION_READ : REGION_META_OLD);
	mark(i, at + 8, 2, REGION_PAD);
	mark(i, at + 10, 2, REGION_META_REST); /* Other flags than the one that is needed. */
	mark(i, at + 12, 4, REGION_PAD);
	mark(i, at + HEAD + 8, 16, REGION_META_MAP);
	mark(i, at + META_TREES + TREE, 4, REGION_PAD);
}

void image_regions(struct image *i)
{
	unsigned newest = get(i->bytes + META_TXN, 8) == i->txn_id ? 0 : 1;
	const uint8_t *meta = i->bytes + (size_t)newest * i->page_size;

	mark(i, 0, i->len, REGION_FREE);
	mark_tree(i, get(meta + META_TREES + 40, 8), "free");
	mark_tree(i, get(meta + META_TREES + TREE + 40, 8), "main");
	mark_meta(i, newest, true);
	mark_meta(i, 1 - newest, false);
}
