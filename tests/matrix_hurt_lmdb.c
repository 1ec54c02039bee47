/* Faults at rest of the ledger's LMDB file: its data pages, found by what they hold, and its two meta pages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "tests/matrix.h"

#define DATA   "data/ledger/data.mdb"
#define PAGE   4096
#define SECTOR 512
/* LMDB 0.9's format: a page's head of 16 bytes, then in a meta page magic, version, address, map size, two databases.
 */
#define PAGE_HEAD   16
#define META_ROOT   (PAGE_HEAD + 24 + 48 + 40) /* mm_dbs[MAIN_DBI].md_root */
#define META_TXN_ID (PAGE_HEAD + 24 + 96 + 8)  /* mm_txnid */

/* --- places --- */

static int open_data(const struct arena *a, const char *copy, unsigned node)
{
	char path[400];

	arena_path(a, copy, node, DATA, path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		matrix_fail(a, "%s: %s", path, strerror(errno));
	return fd;
}

/* Where LMDB has mapped the file. */
static const uint8_t *mapped_at(const struct arena *a)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[1024];
	void *begin = NULL;

	while (f && fgets(line, sizeof line, f))
		if (strstr(line, "/" DATA) && sscanf(line, "%p-", &begin) == 1)
			break;
	if (f)
		fclose(f);
	if (!begin)
		matrix_fail(a, "no mapping of %s", DATA);
	return begin;
}

static void check(const struct arena *a, int rc, const char *what)
{
	if (rc)
		matrix_fail(a, "%s: %s", what, mdb_strerror(rc));
}

/* Offset in the file of a record's value. key NULL: the last record. */
static off_t place_of(const struct arena *a, unsigned node, const char *db, const void *key, size_t len,
                      size_t *ret_len)
{
	MDB_val k = {.mv_size = len, .mv_data = (void *)(uintptr_t)key}, v;
	MDB_cursor *cursor;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	char path[400];

	arena_path(a, "base", node, "data/ledger", path);
	check(a, mdb_env_create(&env), "LMDB");
	check(a, mdb_env_set_maxdbs(env, 8), "LMDB");
	check(a, mdb_env_open(env, path, MDB_RDONLY | MDB_NOLOCK, 0), path);
	check(a, mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "reading");
	check(a, mdb_dbi_open(txn, db, 0, &dbi), db);
	check(a, mdb_cursor_open(txn, dbi, &cursor), db);
	check(a, mdb_cursor_get(cursor, &k, &v, key ? MDB_SET : MDB_LAST), db);
	off_t at = (const uint8_t *)v.mv_data - mapped_at(a);
	*ret_len = v.mv_size;
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return at;
}

/* The middle of an early entry, of each node another one. */
static off_t entry_place(const struct arena *a, unsigned node, const char *db)
{
	uint8_t key[8];
	size_t len;

	put_u64be(key, 2 + 3 * (uint64_t)node);
	off_t at = place_of(a, node, db, key, sizeof key, &len);
	return at + (off_t)(len / 2);
}

/* The newer of the two meta pages, or the other one. */
static off_t meta_place(const struct arena *a, unsigned node, bool newer)
{
	uint64_t ids[2];
	int fd = open_data(a, "base", node);

	if (pread(fd, &ids[0], 8, META_TXN_ID) != 8 || pread(fd, &ids[1], 8, PAGE + META_TXN_ID) != 8)
		matrix_fail(a, "no meta pages");
	close(fd);
	return (ids[1] > ids[0]) == newer ? PAGE : 0;
}

/* --- what is done there --- */

static void flip(const struct arena *a, unsigned node, off_t at)
{
	int fd = open_data(a, "c", node);
	uint8_t b;

	if (pread(fd, &b, 1, at) != 1)
		matrix_fail(a, "nothing to flip at %lld", (long long)at);
	b ^= 1;
	if (pwrite(fd, &b, 1, at) != 1)
		matrix_fail(a, "cannot flip");
	close(fd);
}

static void zero_sector(const struct arena *a, unsigned node, off_t at)
{
	static const uint8_t zeros[SECTOR];
	int fd = open_data(a, "c", node);

	if (pwrite(fd, zeros, SECTOR, at - at % SECTOR) != SECTOR)
		matrix_fail(a, "cannot zero");
	close(fd);
}

static void cut(const struct arena *a, unsigned node, off_t size)
{
	int fd = open_data(a, "c", node);
	struct stat st;

	if (fstat(fd, &st) || ftruncate(fd, size ? size : st.st_size / 2))
		matrix_fail(a, "cannot cut");
	close(fd);
}

/* Whole pages, of one copy of the file into the live one. */
static void copy_page(const struct arena *a, unsigned node, const char *copy, off_t from, off_t to)
{
	uint8_t page[PAGE];
	int in = open_data(a, copy, node), out = open_data(a, "c", node);

	if (pread(in, page, PAGE, from - from % PAGE) != PAGE || pwrite(out, page, PAGE, to - to % PAGE) != PAGE)
		matrix_fail(a, "cannot copy a page");
	close(in);
	close(out);
}

void page_flip(const struct arena *a, unsigned node)
{
	flip(a, node, entry_place(a, node, "entries"));
}

void page_flip_body(const struct arena *a, unsigned node)
{
	flip(a, node, entry_place(a, node, "bodies"));
}

void page_flip_last(const struct arena *a, unsigned node)
{
	size_t len;

	flip(a, node, place_of(a, node, "entries", NULL, 0, &len) + node);
}

void page_flip_state(const struct arena *a, unsigned node)
{
	size_t len;

	flip(a, node, place_of(a, node, "state", NULL, 0, &len));
}

/* The hash of an early entry, in the tile that holds it. */
void page_flip_tile(const struct arena *a, unsigned node)
{
	static const uint8_t key[9];
	size_t len;

	flip(a, node, place_of(a, node, "tiles", key, sizeof key, &len) + 32 * (off_t)(2 + 3 * node));
}

/* The head of the page that holds an early entry: its flags, where its free room begins, where its first record is. */
void page_flip_head(const struct arena *a, unsigned node)
{
	static const off_t fields[] = {10, 13, 16};
	off_t at = entry_place(a, node, "entries");

	flip(a, node, at - at % PAGE + fields[node - 1]);
}

void page_zero(const struct arena *a, unsigned node)
{
	zero_sector(a, node, entry_place(a, node, "entries"));
}

void page_cut(const struct arena *a, unsigned node)
{
	cut(a, node, 0);
}

void page_misdirect(const struct arena *a, unsigned node)
{
	copy_page(a, node, "base", entry_place(a, node, "bodies"), entry_place(a, node, "entries"));
}

void page_stale(const struct arena *a, unsigned node)
{
	cluster_shell("cp -a '%s/old/node-%u/" DATA "' '%s/c/node-%u/" DATA "'", a->cluster.dir, node, a->cluster.dir,
	              node);
}

void meta_flip(const struct arena *a, unsigned node)
{
	static const off_t fields[] = {PAGE_HEAD, META_ROOT, PAGE_HEAD + 4};

	flip(a, node, meta_place(a, node, true) + fields[node - 1]);
}

void meta_flip_number(const struct arena *a, unsigned node)
{
	flip(a, node, meta_place(a, node, true) + META_TXN_ID);
}

void meta_zero(const struct arena *a, unsigned node)
{
	zero_sector(a, node, meta_place(a, node, true));
}

void meta_cut(const struct arena *a, unsigned node)
{
	cut(a, node, PAGE + 100 * (off_t)node);
}

void meta_misdirect(const struct arena *a, unsigned node)
{
	copy_page(a, node, "base", entry_place(a, node, "entries"), meta_place(a, node, true));
}

/* The newer page's write never came: the one before it counts. */
void meta_stale(const struct arena *a, unsigned node)
{
	copy_page(a, node, "base", meta_place(a, node, false), meta_place(a, node, true));
}

void meta_stale_both(const struct arena *a, unsigned node)
{
	copy_page(a, node, "old", 0, 0);
	copy_page(a, node, "old", PAGE, PAGE);
}
