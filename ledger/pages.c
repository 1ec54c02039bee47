/* LMDB's file page by page: meta pages, a walk in the order of the keys, databases by their names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/pages_internal.h"

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
	unsigned newest = has[0] && (!has[1] || found[0].txn_id >= found[1].txn_id) ? 0 : 1; /* As LMDB chooses. */
	if (txn_id && found[newest].txn_id != txn_id)
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
	if (n->data_len > VALUE_MAX || number < PAGES_META || number > p->last_page ||
	    count > p->last_page - number + 1)
		what = "a value's pages are not in the file";
	if (!what)
		what = pages_seen(p, number, count);
	if (!what && !value_room(p, count * p->page_size))
		return CS_ERR_NOMEM;
	for (uint64_t i = 0; i < count && !what && !err; i++)
		err = p->source.read(p->source.ctx, (number + i) * p->page_size, p->value + i * p->page_size,
		                     p->page_size);
	p->pages_read += what ? 0 : count;
	if (err)
		what = pages_read_text(err);
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
		pages_node(w, page, i, true, &node); /* It was checked a moment ago. */
		w->entries++;
		if (w->from_len && pages_compare(w, node.key, node.key_len, w->from, w->from_len) < 0)
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
	const char *what = pages_load(w, number, depth, leaf, low, high);
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
		pages_node(w, page, i, false, &node); /* These, too. */
		if (i + 1 < n) {
			pages_node(w, page, i + 1, false, &next);
			to = (struct bound){next.key, next.key_len};
		}
		if (i > 0)
			begin = (struct bound){node.key, node.key_len};
		if (w->from_len && to.key && pages_compare(w, to.key, to.len, w->from, w->from_len) <= 0)
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
	if (f->bad)
		return 0;
	tree_read(r->value, f->ret);
	/* Ours are plain: a flag is another order of keys, or several values of one. */
	f->bad = f->ret->flags != 0;
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
