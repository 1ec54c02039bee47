/* Rewriting the store: what is in it into a fresh file, which then takes the old one's place in one step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/store_internal.h"

#define CHUNK_BYTES  (4u << 20) /* Of one transaction, and of one sync: others find the disk free in between. */
#define KEY_SIZE_MAX 511        /* LMDB's bound, as compiled in Debian. */

/*
 * By whole records and not by pages: LMDB's own compacting copy takes overflow pages as they are, with what is behind
 * the value's end.
 */
struct store_rewrite {
	struct store *store;
	char dir[PATH_MAX]; /* The fresh folder, beside the store's. */
	MDB_env *env, *from;
	MDB_dbi db[DB_COUNT];
	int folder_fd;
	uint64_t erasures, size; /* Of the store, when this began. */
	unsigned at;             /* Which of `copied` is being copied. */
	struct {
		uint8_t key[KEY_SIZE_MAX];
		size_t len; /* 0: nothing yet. */
	} last[DB_COUNT];
};

/* What only grows, while the writer goes on; the rest is copied at the end. */
static const enum store_db copied[] = {DB_ENTRIES, DB_BODIES, DB_TILES, DB_CHECKPOINTS, DB_ERASED};
#define N_COPIED (sizeof copied / sizeof *copied)

static bool fresh_dir(char ret[PATH_MAX], const char *dir)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	return (size_t)snprintf(ret, PATH_MAX, "%.*s.new", (int)len, dir) < PATH_MAX - 16;
}

/* With all that is in it: a damaged file that was put aside (node/salvage.c) holds what was erased, too. */
static void remove_folder(const char *dir)
{
	DIR *d = opendir(dir);

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." are no files. */
	closedir(d);
	rmdir(dir);
}

void store_rewrite_sweep(const char *dir)
{
	char fresh[PATH_MAX];

	if (fresh_dir(fresh, dir))
		remove_folder(fresh);
}

void store_rewrite_abandon(struct store_rewrite *r)
{
	if (!r)
		return;
	if (r->env)
		mdb_env_close(r->env);
	if (r->folder_fd >= 0)
		close(r->folder_fd);
	remove_folder(r->dir);
	free(r);
}

static int begin(struct store_rewrite *r)
{
	struct stat st;
	MDB_envinfo info;
	MDB_txn *txn;
	int rc;

	store_rewrite_sweep(r->store->dir);
	if (stat(r->store->dir, &st) || mkdir(r->dir, st.st_mode & 0777))
		return store_error(errno);
	r->folder_fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->folder_fd < 0 || flock(r->folder_fd, LOCK_EX | LOCK_NB))
		return CS_ERR_IO;
	rc = mdb_env_info(r->from, &info);
	if (!rc)
		rc = store_env_open(&r->env, r->dir, info.me_mapsize, MDB_NOSYNC);
	if (!rc)
		rc = mdb_txn_begin(r->env, NULL, 0, &txn);
	if (rc)
		return store_error(rc);
	rc = store_dbs_make(txn, r->db);
	if (rc) {
		mdb_txn_abort(txn);
		return store_error(rc);
	}
	return store_error(mdb_txn_commit(txn));
}

int store_rewrite_begin(struct store *s, struct store_rewrite **ret)
{
	struct store_rewrite *r = calloc(1, sizeof *r);
	struct store_head head;
	int err;

	if (!r)
		return CS_ERR_NOMEM;
	r->store = s;
	r->folder_fd = -1;
	store_head(s, &head);
	r->size = head.size;
	pthread_mutex_lock(&s->lock);
	r->from = s->file->env; /* It stays: nobody else swaps. */
	r->erasures = s->erasures;
	pthread_mutex_unlock(&s->lock);
	err = s->read_only ? CS_ERR_INVALID : fresh_dir(r->dir, s->dir) ? begin(r) : CS_ERR_TOO_LARGE;
	if (err) {
		store_rewrite_abandon(r);
		return err;
	}
	*ret = r;
	return CS_OK;
}

/* Records of one database behind the last one copied, until *bytes reaches the bound; 1: that was all of it. */
static int copy_db(struct store_rewrite *r, MDB_txn *from, MDB_txn *to, enum store_db db, unsigned flags, size_t *bytes)
{
	MDB_val key = {.mv_size = r->last[db].len, .mv_data = r->last[db].key}, value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(from, r->store->db[db], &cursor);

	if (rc)
		return store_error(rc);
	rc = mdb_cursor_get(cursor, &key, &value, r->last[db].len ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && key.mv_size == r->last[db].len && memcmp(key.mv_data, r->last[db].key, key.mv_size) == 0)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	while (!rc && *bytes < CHUNK_BYTES) {
		rc = mdb_put(to, r->db[db], &key, &value, flags);
		if (rc)
			break;
		*bytes += key.mv_size + value.mv_size;
		memcpy(r->last[db].key, key.mv_data, key.mv_size);
		r->last[db].len = key.mv_size;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 1 : store_error(rc);
}

/* One transaction's worth of `copied` (or of one database alone). 1: all of it. */
static int copy_chunk(struct store_rewrite *r, const enum store_db *list, unsigned n, unsigned *at, unsigned flags)
{
	MDB_txn *from, *to;
	size_t bytes = 0;
	int done = 1, rc = mdb_txn_begin(r->from, NULL, MDB_RDONLY, &from);

	if (rc)
		return store_error(rc);
	rc = mdb_txn_begin(r->env, NULL, 0, &to);
	if (rc) {
		mdb_txn_abort(from);
		return store_error(rc);
	}
	while (*at < n && done == 1) {
		done = copy_db(r, from, to, list[*at], flags, &bytes);
		*at += done == 1;
	}
	mdb_txn_abort(from);
	if (done < 0) {
		mdb_txn_abort(to);
		return done;
	}
	rc = mdb_txn_commit(to);
	if (!rc)
		rc = mdb_env_sync(r->env, 1);
	return rc ? store_error(rc) : *at == n;
}

int store_rewrite_some(struct store_rewrite *r)
{
	return copy_chunk(r, copied, N_COPIED, &r->at, MDB_APPEND);
}

/* --- the end, on the writer's thread --- */

static int copy_rest(struct store_rewrite *r, const enum store_db *list, unsigned n)
{
	unsigned at = 0;
	int rv;

	do
		rv = copy_chunk(r, list, n, &at, 0);
	while (rv == 0);
	return rv < 0 ? rv : 0;
}

/* Tiles that have come since this began, or were the partial ones of their levels then: all above level 0's. */
static int copy_edge(struct store_rewrite *r)
{
	static const enum store_db tiles[] = {DB_TILES};
	uint64_t n = r->size / TREE_TILE_WIDTH;

	if (n > 0)
		store_tile_key(r->last[DB_TILES].key, 0, n - 1);
	r->last[DB_TILES].len = n > 0 ? TILE_KEY_SIZE : 0;
	return copy_rest(r, tiles, 1);
}

/* As many records in each database, and the head that this store has. */
static int check_copy(struct store_rewrite *r)
{
	struct store *s = r->store;
	struct store_head head;
	MDB_txn *from, *to = NULL;
	int rc = mdb_txn_begin(r->from, NULL, MDB_RDONLY, &from), err = 0;

	if (rc)
		return store_error(rc);
	rc = mdb_txn_begin(r->env, NULL, MDB_RDONLY, &to);
	for (unsigned i = 0; i < DB_COUNT && !rc && !err; i++) {
		MDB_stat a, b;
		rc = mdb_stat(from, s->db[i], &a);
		rc = rc ? rc : mdb_stat(to, r->db[i], &b);
		if (!rc && (a.ms_entries != b.ms_entries || s->db[i] != r->db[i]))
			err = CS_ERR_DAMAGED;
	}
	if (!rc && !err)
		err = store_read_head(s, to, &head);
	if (!rc && !err && (head.size != s->head.size || !hash_equal(&head.root, &s->head.root)))
		err = CS_ERR_DAMAGED;
	mdb_txn_abort(from);
	if (to)
		mdb_txn_abort(to);
	return rc ? store_error(rc) : err;
}

/* From the last checkpoint that was copied on, that one too. */
static void step_back(struct store_rewrite *r)
{
	uint64_t size;

	if (r->last[DB_CHECKPOINTS].len != INDEX_KEY_SIZE)
		return;
	size = get_u64be(r->last[DB_CHECKPOINTS].key);
	if (size == 0)
		r->last[DB_CHECKPOINTS].len = 0;
	else
		put_u64be(r->last[DB_CHECKPOINTS].key, size - 1);
}

static int finish_copy(struct store_rewrite *r)
{
	static const enum store_db grown[] = {DB_ENTRIES, DB_BODIES, DB_ERASED},
	                           others[] = {DB_CHECKPOINTS, DB_STATE, DB_META};
	int err = copy_rest(r, grown, 3), rc;

	if (!err)
		err = copy_edge(r);
	/* The newest may have been written anew: those above the one before it. */
	step_back(r);
	if (!err)
		err = copy_rest(r, others, 3);
	if (!err)
		err = check_copy(r);
	if (err)
		return err;
	rc = mdb_env_set_flags(r->env, MDB_NOSYNC, 0);
	if (!rc)
		rc = mdb_env_set_flags(r->env, MDB_NOMETASYNC, 1);
	if (!rc)
		rc = mdb_env_sync(r->env, 1);
	return store_error(rc);
}

static int sync_parent(const char *dir)
{
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof path, "%s/..", dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return CS_ERR_IO;
	err = fsync(fd) ? CS_ERR_IO : 0;
	close(fd);
	return err;
}

/* In one step, so that a crash leaves either of them; both files of an environment, for they belong together. */
static int swap(struct store_rewrite *r)
{
	struct store *s = r->store;
	struct store_file *file = calloc(1, sizeof *file);
	int err;

	if (!file)
		return CS_ERR_NOMEM;
	if (fsync(r->folder_fd) || renameat2(AT_FDCWD, r->dir, AT_FDCWD, s->dir, RENAME_EXCHANGE)) {
		free(file);
		return errno == EINVAL || errno == ENOSYS ? CS_ERR_INVALID : CS_ERR_IO;
	}
	err = sync_parent(s->dir);
	file->env = r->env;
	r->env = NULL;
	store_swap_file(s, file);
	close(s->folder_fd);
	s->folder_fd = r->folder_fd;
	r->folder_fd = -1;
	s->dead = err != 0; /* Which file a crash would leave is not known. */
	return err;
}

int store_rewrite_finish(struct store *s, struct store_rewrite *r)
{
	int err = s->txn ? CS_ERR_INVALID : s->dead ? CS_ERR_IO : 0;

	if (!err && r->erasures != s->erasures)
		err = CS_ERR_CONFLICT;
	if (!err)
		err = finish_copy(r);
	if (!err)
		err = swap(r);
	store_rewrite_abandon(r); /* After the swap the folder is the old one's. */
	if (!err && sync_parent(s->dir))
		err = CS_ERR_IO;
	return err;
}
