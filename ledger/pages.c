/* LMDB's file page by page: meta pages, the checks of one page, a walk in the order of the keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/pages.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

/* LMDB 0.9, mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node, in the machine's own byte order. */
#define META_MAGIC    0xBEEFC0DEu
#define META_VERSION  1
#define PAGE_HEAD     16
#define NODE_HEAD     8
#define TREE_SIZE     48
#define P_BRANCH      0x01u
#define P_LEAF        0x02u
#define P_OVERFLOW    0x04u
#define P_META        0x08u
#define F_BIGDATA     0x01u
#define F_SUBDATA     0x02u
#define MDB_INTEGER   0x08u
#define VALUE_MAX     (UINT64_C(64) << 20)
#define LAST_MAX      (UINT64_C(1) << 31) /* 8 TiB of 4 KiB: eight times the largest map of the settings. */
#define META_SIZE     (PAGE_HEAD + 24 + 2 * TREE_SIZE + 16)
#define META_TREES    (PAGE_HEAD + 24)
#define META_LAST     (META_TREES + 2 * TREE_SIZE)
#define META_TXN      (META_LAST + 8)

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static void tree_read(const uint8_t *b, struct pages_tree *ret)
{
	*ret = (struct pages_tree){.flags = get16(b + 4),
	                           .depth = get16(b + 6),
	                           .branch_pages = get64(b + 8),
	                           .leaf_pages = get64(b + 16),
	                           .overflow_pages = get64(b + 24),
	                           .entries = get64(b + 32),
	                           .root = get64(b + 40)};
}

/* --- meta pages --- */

/* One meta page; false: it is none. */
static bool meta_read(struct pages *p, unsigned n, const uint8_t *b)
{
	uint32_t size = get32(b + META_TREES);

	if (get64(b) != n || !(get16(b + 10) & P_META) || get32(b + PAGE_HEAD) != META_MAGIC ||
	    get32(b + PAGE_HEAD + 4) != META_VERSION || size < 512 || size > PAGES_SIZE_MAX || size & (size - 1) ||
	    get64(b + META_LAST) < PAGES_META - 1 || get64(b + META_LAST) > LAST_MAX)
		return false;
	p->page_size = size;
	p->meta = n;
	tree_read(b + META_TREES, &p->free);
	tree_read(b + META_TREES + TREE_SIZE, &p->main);
	p->last_page = get64(b + META_LAST);
	p->txn_id = get64(b + META_TXN);
	return true;
}

/* The second meta page lies where the first one's page ends; if the first is damaged, where it ends most often. */
int pages_open(struct pages *p, const struct pages_source *s, uint64_t txn_id)
{
	struct pages found[2];
	uint8_t b[META_SIZE];
	bool has[2] = {false, false};

	memset(p, 0, sizeof *p);
	memset(found, 0, sizeof found);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t offset = i == 0 ? 0 : has[0] ? found[0].page_size : 4096;
		int err = s->read(s->ctx, offset, b, sizeof b);
		if (err && err != CS_ERR_NOT_FOUND)
			return err;
		has[i] = !err && meta_read(&found[i], i, b);
	}
	if (!has[0] && !has[1])
		return CS_ERR_DAMAGED;
	unsigned newest = has[0] && (!has[1] || found[0].txn_id > found[1].txn_id) ? 0 : 1;
	if (txn_id && (!has[newest] || found[newest].txn_id != txn_id))
		newest = 1 - newest;
	if (txn_id && (!has[newest] || found[newest].txn_id != txn_id))
		return CS_ERR_NOT_FOUND;
	*p = found[newest];
	p->both = has[0] && has[1];
	p->source = *s;
	return CS_OK;
}

void pages_close(struct pages *p)
{
	for (unsigned i = 0; i < PAGES_DEPTH_MAX; i++)
		free(p->level[i]);
	free(p->value);
	memset(p, 0, sizeof *p);
}

/* --- one page --- */

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

static int compare(const struct walk *w, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	if (w->tree->flags & MDB_INTEGER) {
		uint64_t x = get64(a), y = get64(b);
		return x < y ? -1 : x > y;
	}
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

static bool node_read(const struct walk *w, const uint8_t *page, unsigned i, bool leaf, struct node *ret)
{
	const uint32_t size = w->p->page_size;
	uint32_t at = get16(page + PAGE_HEAD + 2 * i);

	if (at % 2 || at < get16(page + 14) || at > size - NODE_HEAD)
		return false;
	const uint8_t *n = page + at;
	size_t left = size - at - NODE_HEAD, stored;
	*ret = (struct node){.flags = get16(n + 4), .key_len = get16(n + 6), .key = n + NODE_HEAD};
	if (ret->key_len > left || ret->key_len > PAGES_KEY_MAX ||
	    (w->tree->flags & MDB_INTEGER && leaf && ret->key_len != 8))
		return false;
	ret->data = ret->key + ret->key_len;
	ret->data_len = get16(n) | (size_t)get16(n + 2) << 16;
	ret->child = ret->data_len | (uint64_t)ret->flags << 32;
	if (leaf && ret->flags & ~(F_BIGDATA | F_SUBDATA))
		return false;
	stored = !leaf ? 0 : ret->flags & F_BIGDATA ? 8 : ret->data_len;
	if (stored > left - ret->key_len)
		return false;
	ret->size = (NODE_HEAD + ret->key_len + stored + 1) & ~(size_t)1;
	return true;
}

/* The page's nodes fill it from `upper` to its end, and their keys rise, within the bounds that the page above gives. */
static const char *nodes_check(const struct walk *w, const uint8_t *page, bool leaf, struct bound low, struct bound high)
{
	unsigned n = (unsigned)(get16(page + 12) - PAGE_HEAD) / 2;
	struct node node, before = {0};
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!node_read(w, page, i, leaf, &node))
			return "a record reaches out of its page";
		sum += node.size;
		if (!leaf && i == 0) /* LMDB looks at no branch's first key. */
			continue;
		if (w->tree->flags & MDB_INTEGER && node.key_len != 8)
			return "a key has another length";
		if (node.key_len == 0)
			return "a key is empty";
		if ((i > (leaf ? 0u : 1u)) && compare(w, before.key, before.key_len, node.key, node.key_len) >= 0)
			return "its keys are not in order";
		if ((low.key && compare(w, node.key, node.key_len, low.key, low.len) < 0) ||
		    (high.key && compare(w, node.key, node.key_len, high.key, high.len) >= 0))
			return "a key does not belong there";
		before = node;
	}
	return sum == w->p->page_size - get16(page + 14) ? NULL : "its records do not fill it";
}

static const char *head_check(const struct walk *w, const uint8_t *page, uint64_t number, bool leaf)
{
	unsigned lower = get16(page + 12), upper = get16(page + 14);

	if (get64(page) != number)
		return "another page's number is in it";
	if (get16(page + 10) != (leaf ? P_LEAF : P_BRANCH))
		return "it is of another kind";
	if (lower < PAGE_HEAD || lower % 2 || lower > upper || upper > w->p->page_size)
		return "its head is wrong";
	if (lower == PAGE_HEAD || (!leaf && lower == PAGE_HEAD + 2))
		return "it is empty";
	return NULL;
}

static const char *seen_mark(struct pages *p, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; p->seen && i < from + n; i++) {
		if (p->seen[i / 8] >> i % 8 & 1)
			return "it is in use twice, or free and in use";
		p->seen[i / 8] |= (uint8_t)(1u << i % 8);
	}
	return NULL;
}

static const char *read_text(int err)
{
	return err == CS_ERR_NOT_FOUND ? "the file ends before it" : "it cannot be read";
}

/* The page at a depth of the walk into its buffer; what is wrong with it, or NULL. */
static const char *page_load(struct walk *w, uint64_t number, unsigned depth, bool leaf, struct bound low,
                             struct bound high)
{
	struct pages *p = w->p;
	const char *what;

	if (number < PAGES_META || number > p->last_page)
		return "there is no such page";
	what = seen_mark(p, number, 1);
	if (what)
		return what;
	int err = p->source.read(p->source.ctx, number * p->page_size, p->level[depth], p->page_size);
	p->pages_read++;
	if (err)
		return read_text(err);
	what = head_check(w, p->level[depth], number, leaf);
	return what ? what : nodes_check(w, p->level[depth], leaf, low, high);
}

/* --- the walk --- */

static bool value_room(struct pages *p, size_t len)
{
	uint8_t *more = len > p->value_cap ? realloc(p->value, len) : p->value;

	if (len > p->value_cap && more) {
		p->value = more;
		p->value_cap = len;
	}
	return more != NULL;
}

#define PASSED_OVER INT_MAX

/* A value that has pages of its own. 0: it is in r; PASSED_OVER: it was bad, and that was told. */
static int value_load(struct walk *w, const struct node *n, struct pages_record *r)
{
	struct pages *p = w->p;
	uint64_t number = get64(n->data), count = (PAGE_HEAD - 1 + (uint64_t)n->data_len) / p->page_size + 1;
	const char *what = NULL;
	int err = 0;

	r->page = number;
	if (n->data_len > VALUE_MAX || number < PAGES_META || number > p->last_page || count > p->last_page - number + 1)
		what = "a value's pages are not in the file";
	if (!what)
		what = seen_mark(p, number, count);
	if (!what && !value_room(p, count * p->page_size))
		return CS_ERR_NOMEM;
	for (uint64_t i = 0; i < count && !what && !err; i++)
		err = p->source.read(p->source.ctx, (number + i) * p->page_size, p->value + i * p->page_size, p->page_size);
	p->pages_read += what ? 0 : count;
	if (err)
		what = read_text(err);
	if (!what && (get64(p->value) != number || get16(p->value + 10) != P_OVERFLOW || get32(p->value + 12) != count))
		what = "the head of a value's pages is wrong";
	if (what) {
		err = w->v->bad(w->v->ctx, number, what);
		return err ? err : PASSED_OVER;
	}
	w->overflow_pages += count;
	r->value = p->value + PAGE_HEAD;
	return 0;
}

static int leaf_walk(struct walk *w, const uint8_t *page, uint64_t number)
{
	unsigned n = (unsigned)(get16(page + 12) - PAGE_HEAD) / 2;
	struct node node;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		struct pages_record r = {.page = number};
		if (!node_read(w, page, i, true, &node))
			continue; /* It was checked a moment ago. */
		w->entries++;
		if (w->from_len && compare(w, node.key, node.key_len, w->from, w->from_len) < 0)
			continue;
		r.key = node.key;
		r.key_len = node.key_len;
		r.value = node.data;
		r.value_len = node.data_len;
		r.is_tree = node.flags & F_SUBDATA;
		err = node.flags & F_BIGDATA ? value_load(w, &node, &r) : 0;
		if (!err)
			err = w->v->record(w->v->ctx, &r);
		else if (err == PASSED_OVER)
			err = 0;
	}
	return err;
}

static int page_walk(struct walk *w, uint64_t number, unsigned depth, struct bound low, struct bound high)
{
	struct pages *p = w->p;
	bool leaf = depth + 1 == w->tree->depth;
	int err = 0;

	if (!p->level[depth] && !(p->level[depth] = aligned_alloc(4096, PAGES_SIZE_MAX)))
		return CS_ERR_NOMEM;
	const char *what = page_load(w, number, depth, leaf, low, high);
	if (what)
		return w->v->bad(w->v->ctx, number, what);
	const uint8_t *page = p->level[depth];
	if (leaf) {
		w->leaf_pages++;
		return leaf_walk(w, page, number);
	}
	w->branch_pages++;
	unsigned n = (unsigned)(get16(page + 12) - PAGE_HEAD) / 2;
	for (unsigned i = 0; i < n && !err; i++) {
		struct node node, next = {0};
		struct bound to = high, begin = low;
		if (!node_read(w, page, i, false, &node) || (i + 1 < n && !node_read(w, page, i + 1, false, &next)))
			continue;
		if (i + 1 < n)
			to = (struct bound){next.key, next.key_len};
		if (i > 0)
			begin = (struct bound){node.key, node.key_len};
		if (w->from_len && to.key && compare(w, to.key, to.len, w->from, w->from_len) <= 0)
			continue;
		err = page_walk(w, node.child, depth + 1, begin, to);
	}
	return err;
}

static int counts_check(const struct walk *w)
{
	const struct pages_tree *t = w->tree;

	if (w->from_len || (t->branch_pages == w->branch_pages && t->leaf_pages == w->leaf_pages &&
	                    t->overflow_pages == w->overflow_pages && t->entries == w->entries))
		return 0;
	return w->v->bad(w->v->ctx, t->root, "it has not as many pages or records as is said of it");
}

int pages_walk(struct pages *p, const struct pages_tree *t, const void *from, size_t from_len,
               const struct pages_visitor *v)
{
	static const struct bound none;
	struct walk w = {.p = p, .tree = t, .v = v, .from = from, .from_len = from_len};
	int err = 0;

	if (t->root == PAGES_NONE && t->depth == 0)
		return counts_check(&w);
	if (t->depth == 0 || t->depth > PAGES_DEPTH_MAX)
		return v->bad(v->ctx, t->root, "its depth is wrong");
	err = page_walk(&w, t->root, 0, none, none);
	return err ? err : counts_check(&w);
}

/* --- by name --- */

struct finding {
	const char *name;
	struct pages_tree *ret;
	bool found, bad;
};

static int name_record(void *ctx, const struct pages_record *r)
{
	struct finding *f = ctx;

	if (r->key_len != strlen(f->name) || memcmp(r->key, f->name, r->key_len) != 0)
		return 0;
	f->found = true;
	f->bad = !r->is_tree || r->value_len != TREE_SIZE;
	if (!f->bad)
		tree_read(r->value, f->ret);
	f->bad |= f->ret->flags != 0; /* Ours are plain: another flag is another order of keys, or several values of one. */
	return 0;
}

static int name_bad(void *ctx, uint64_t page, const char *what)
{
	struct finding *f = ctx;

	(void)page, (void)what;
	f->bad = true;
	return 0;
}

int pages_tree(struct pages *p, const char *name, struct pages_tree *ret)
{
	struct finding f = {.name = name, .ret = ret};
	struct pages_visitor v = {.record = name_record, .bad = name_bad, .ctx = &f};
	uint8_t *seen = p->seen;

	p->seen = NULL; /* Looked at again and again. */
	int err = pages_walk(p, &p->main, NULL, 0, &v);
	p->seen = seen;
	if (err)
		return err;
	return f.bad ? CS_ERR_DAMAGED : f.found ? CS_OK : CS_ERR_NOT_FOUND;
}
