/* LMDB's file as a whole: every page in one place only; and a file as a source of pages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"

#define NAMES_MAX   32 /* Databases that are looked into. */
#define MDB_INTEGER 8  /* MDB_INTEGERKEY */

/* --- the whole structure --- */

struct checking {
	struct pages *p;
	struct pages_check *c;
	const char *name;
	unsigned n;
	struct {
		char name[64];
		struct pages_tree tree;
	} trees[NAMES_MAX];
};

static int told(struct checking *k, uint64_t page, const char *what)
{
	k->c->n_bad++;
	return k->c->bad(k->c->ctx, k->name, page, what);
}

static int tree_bad(void *ctx, uint64_t page, const char *what)
{
	return told(ctx, page, what);
}

static int free_one(struct checking *k, uint64_t list, uint64_t page)
{
	struct pages *p = k->p;

	if (page < PAGES_META || page > p->last_page)
		return told(k, list, "a free page is not in the file");
	if (p->seen[page / 8] >> page % 8 & 1)
		return told(k, page, "it is free twice, or free and in use");
	p->seen[page / 8] |= (uint8_t)(1u << page % 8);
	return 0;
}

/* The free list: a transaction's number, and how many pages it freed, and those. */
static int free_record(void *ctx, const struct pages_record *r)
{
	struct checking *k = ctx;
	uint64_t n = 0, page, before = UINT64_MAX;
	int err = 0;

	if (r->value_len >= sizeof n)
		memcpy(&n, r->value, sizeof n);
	memcpy(&page, r->key, sizeof page);
	if (r->is_tree)
		return told(k, r->page, "a list of free pages names a database");
	if (page > k->p->txn_id)
		return told(k, r->page, "a list of free pages is of a later transaction");
	if (r->value_len < sizeof n || r->value_len % sizeof n || n > r->value_len / sizeof n - 1)
		return told(k, r->page, "a list of free pages has another length");
	for (uint64_t i = 1; i <= n && !err; i++) {
		memcpy(&page, r->value + i * sizeof page, sizeof page);
		err = page >= before ? told(k, r->page, "a list of free pages is not in order")
		                     : free_one(k, r->page, page);
		before = page;
	}
	return err;
}

static int main_record(void *ctx, const struct pages_record *r)
{
	struct checking *k = ctx;

	if (!r->is_tree)
		return told(k, r->page, "a record names no database");
	if (k->n == NAMES_MAX || r->key_len >= sizeof k->trees[0].name || memchr(r->key, 0, r->key_len))
		return told(k, r->page, "a database has no name that can be");
	memcpy(k->trees[k->n].name, r->key, r->key_len);
	k->trees[k->n].name[r->key_len] = 0;
	k->n++;
	return 0;
}

static int tree_record(void *ctx, const struct pages_record *r)
{
	struct checking *k = ctx;

	if (r->is_tree)
		return told(k, r->page, "a record names a database");
	return k->c->record ? k->c->record(k->c->ctx, k->name, r) : 0;
}

static int check_trees(struct checking *k)
{
	struct pages_visitor v = {.record = tree_record, .bad = tree_bad, .ctx = k};
	int err = 0;

	for (unsigned i = 0; i < k->n && !err; i++) {
		k->name = k->trees[i].name;
		err = pages_tree(k->p, k->name, &k->trees[i].tree);
		if (err == CS_ERR_DAMAGED || err == CS_ERR_NOT_FOUND)
			err = told(k, k->p->main.root, "what names it is damaged");
		else if (!err)
			err = pages_walk(k->p, &k->trees[i].tree, NULL, 0, &v);
	}
	return err;
}

static int count_leaked(struct checking *k)
{
	uint64_t first = 0;

	for (uint64_t i = PAGES_META; i <= k->p->last_page; i++)
		if (!(k->p->seen[i / 8] >> i % 8 & 1)) {
			first = first ? first : i;
			k->c->leaked++;
		}
	k->name = "free list";
	return first ? told(k, first, "it is neither in use nor free") : 0;
}

/* Both meta pages, for LMDB opens no file with one; and what the meta page says of its own two trees. */
static int flags_check(struct checking *k)
{
	struct pages *p = k->p;
	int err = p->both ? 0 : told(k, 1 - p->meta, "it is no meta page");

	if (!err && p->free.flags != MDB_INTEGER)
		err = told(k, p->meta, "the free list has other flags");
	p->free.flags = MDB_INTEGER;
	k->name = "main";
	if (!err && p->main.flags != 0)
		err = told(k, p->meta, "it has other flags");
	p->main.flags = 0;
	k->name = "free list";
	return err;
}

int pages_check(struct pages *p, struct pages_check *c)
{
	struct checking *k = calloc(1, sizeof *k);
	struct pages_visitor v = {.record = free_record, .bad = tree_bad, .ctx = k};
	uint8_t *before = p->seen;
	int err;

	c->leaked = c->n_bad = 0;
	p->seen = k ? calloc(1, p->last_page / 8 + 1) : NULL;
	if (!k || !p->seen) {
		free(k);
		free(p->seen);
		p->seen = before;
		return CS_ERR_NOMEM;
	}
	k->p = p;
	k->c = c;
	k->name = "free list";
	err = flags_check(k);
	if (!err)
		err = pages_walk(p, &p->free, NULL, 0, &v);
	k->name = "main";
	v.record = main_record;
	if (!err)
		err = pages_walk(p, &p->main, NULL, 0, &v);
	if (!err && !c->roots_only)
		err = check_trees(k);
	if (!err && !c->roots_only && !c->n_bad)
		err = count_leaked(k);
	free(p->seen);
	p->seen = before;
	free(k);
	return err;
}

/* --- a file --- */

int pages_file_open(const char *path, bool direct, struct pages_file *ret)
{
	*ret = (struct pages_file){.fd = open(path, O_RDONLY | O_CLOEXEC), .direct_fd = -1};
	if (ret->fd < 0)
		return errno == ENOENT ? CS_ERR_NOT_FOUND : CS_ERR_IO;
	if (direct) /* Where the file system has none, the cache it is. */
		ret->direct_fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	if (ret->direct_fd >= 0 && !(ret->aligned = aligned_alloc(4096, PAGES_SIZE_MAX))) {
		pages_file_close(ret);
		return CS_ERR_NOMEM;
	}
	return CS_OK;
}

void pages_file_close(struct pages_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->direct_fd >= 0)
		close(f->direct_fd);
	free(f->aligned);
	*f = (struct pages_file){.fd = -1, .direct_fd = -1};
}

static int read_whole(int fd, uint64_t offset, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CS_ERR_IO;
		if (n == 0)
			return CS_ERR_NOT_FOUND;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return CS_OK;
}

/* Meta pages are written and not waited for (MDB_NOMETASYNC): they are read from the cache, as LMDB does. */
int pages_file_read(void *ctx, uint64_t offset, void *buf, size_t len)
{
	struct pages_file *f = ctx;

	if (offset > INT64_MAX - len)
		return CS_ERR_NOT_FOUND;
	if (f->direct_fd < 0 || len > PAGES_SIZE_MAX || len % 4096 || offset % 4096 || offset == 0)
		return read_whole(f->fd, offset, buf, len);
	int err = read_whole(f->direct_fd, offset, f->aligned, len);
	if (err == CS_ERR_NOT_FOUND) /* The last blocks of a file may be written and not yet be there. */
		return read_whole(f->fd, offset, buf, len);
	memcpy(buf, f->aligned, len);
	return err;
}
