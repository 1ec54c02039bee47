/* LMDB's file, read page by page without LMDB: no number in it is believed before it is checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_PAGES_H
#define LEDGER_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * LMDB (0.9: lmdb.h's MDB_DATA_VERSION 1) has no checksums and follows what its pages say: a damaged one leads it out
 * of the map, or into an assertion. This reads the same file in a way that ends in words instead: of a copy, of the
 * file of a process that has ended, or under a writer at work, as long as a read transaction of the same number is
 * held.
 */
#define PAGES_SIZE_MAX  32768 /* LMDB's MAX_PAGESIZE. */
#define PAGES_DEPTH_MAX 32    /* LMDB's CURSOR_STACK. */
#define PAGES_NONE      UINT64_MAX
#define PAGES_META      2 /* Pages 0 and 1 are the meta pages. */
#define PAGES_KEY_MAX   511

struct pages_source {
	/* All len bytes at offset: 0. CS_ERR_NOT_FOUND: the file ends before; CS_ERR_IO. Pages at a time, aligned. */
	int (*read)(void *ctx, uint64_t offset, void *buf, size_t len);
	void *ctx;
};

/* A database, as the meta page or the main database names it. */
struct pages_tree {
	uint64_t root; /* PAGES_NONE: it is empty. */
	unsigned depth, flags;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries;
};

struct pages_record {
	const uint8_t *key, *value; /* Good until the callback returns. */
	size_t key_len, value_len;
	uint64_t page; /* That it lies in, or, if its value has pages of its own, the first of those. */
	bool is_tree;  /* In the main database: the value is a struct of LMDB's that names another one. */
};

struct pages {
	struct pages_source source;
	uint32_t page_size;
	uint64_t txn_id, last_page;
	unsigned meta; /* The meta page that was taken. */
	bool both;     /* Both are sound: LMDB opens no file otherwise. */
	struct pages_tree free, main;
	/*
	 * NULL, or a bit for each page up to last_page: set as pages are met; one that is met again is damage. The
	 * caller's.
	 */
	uint8_t *seen;
	uint64_t pages_read; /* For whoever paces the reading. */
	uint8_t *level[PAGES_DEPTH_MAX], *value;
	size_t value_cap;
};

/* What a walk tells. Each: 0 to go on; anything else ends the walk, and is its result. */
struct pages_visitor {
	int (*record)(void *ctx, const struct pages_record *r);
	/* A page is not what it must be, or cannot be read: what is below it is passed over. */
	int (*bad)(void *ctx, uint64_t page, const char *what);
	void *ctx;
};

/*
 * The newest meta page that is sound, or that of the transaction txn_id (not 0). CS_ERR_DAMAGED: there is none;
 * CS_ERR_NOT_FOUND: none of that transaction (any more); CS_ERR_NOMEM, CS_ERR_IO. *p is zeroed first.
 */
int pages_open(struct pages *p, const struct pages_source *s, uint64_t txn_id);
void pages_close(struct pages *p); /* A zeroed one is fine; seen stays the caller's. */
/* The records of a tree whose keys are not below from (len 0: all), in the order of their keys. CS_ERR_NOMEM. */
int pages_walk(struct pages *p, const struct pages_tree *t, const void *from, size_t from_len,
               const struct pages_visitor *v);
/* A database by its name. CS_ERR_NOT_FOUND, CS_ERR_DAMAGED (a page on the way, or what the name leads to). */
int pages_tree(struct pages *p, const char *name, struct pages_tree *ret);
/*
 * The whole structure: each page of the free list, of the main database and of all that it names is sound, and in one
 * place only; numbers of pages and records are what is said of them. With names, records of those databases come too
 * (name, record). CS_ERR_NOMEM; else what the visitor gave, or 0: bad says what is wrong. *ret_bad: how often it did.
 */
struct pages_check {
	int (*record)(void *ctx, const char *name, const struct pages_record *r); /* NULL: not wanted. */
	int (*bad)(void *ctx, const char *name, uint64_t page, const char *what);
	void *ctx;
	uint64_t leaked; /* Out: pages that are neither used nor free: lost room, and harmless. */
	uint64_t n_bad;  /* Out. */
	bool roots_only; /* Only the free list and the main database: what every transaction needs. */
};
int pages_check(struct pages *p, struct pages_check *c);

/* A file as a source: ctx is a struct pages_file. direct: past the kernel's cache where that can be (O_DIRECT). */
struct pages_file {
	int fd, direct_fd; /* -1: none. */
	uint8_t *aligned;  /* PAGES_SIZE_MAX bytes for O_DIRECT. */
};
int pages_file_open(const char *path, bool direct, struct pages_file *ret); /* CS_ERR_NOT_FOUND, _IO, _NOMEM. */
void pages_file_close(struct pages_file *f);
int pages_file_read(void *ctx, uint64_t offset, void *buf, size_t len);

#endif
