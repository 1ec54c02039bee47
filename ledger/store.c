/* The store's opening: folder, environment, databases, and the self-check of what is found there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/store.h"

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

#define MAP_SIZE_DEFAULT (UINT64_C(64) << 30) /* Address space only: the file stays sparse. */
#define READERS_MAX      510                  /* Four times LMDB's default: readers of other processes count too. */
#define FILE_MODE        0660 /* Bodies are private: never for others; the umask decides on the group. */

static const char *const db_names[DB_COUNT] = {
#define DB_NAME(name, text) [name] = text,
        STORE_DB_LIST(DB_NAME)
#undef DB_NAME
};

/* --- opening --- */

/* The kernel drops the lock with the process, so a crash never leaves one behind. */
static int folder_lock(struct store *s, const char *dir)
{
	s->folder_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->folder_fd < 0)
		return store_error(errno);
	if (flock(s->folder_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? CS_ERR_EXISTS : CS_ERR_IO;
	return CS_OK;
}

static int file_in(const char *dir, const char *name, struct stat *ret)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);

	if ((size_t)n >= sizeof path)
		return ENAMETOOLONG;
	return stat(path, ret) ? errno : 0;
}

int store_env_open(MDB_env **ret, const char *dir, uint64_t map_size, unsigned flags)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc)
		return rc;
	rc = mdb_env_set_maxdbs(env, DB_COUNT);
	if (!rc)
		rc = mdb_env_set_maxreaders(env, READERS_MAX);
	if (!rc && map_size)
		rc = mdb_env_set_mapsize(env, map_size);
	if (!rc)
		rc = mdb_env_open(env, dir, flags | MDB_NOTLS, FILE_MODE);
	if (rc)
		mdb_env_close(env);
	else
		*ret = env;
	return rc;
}

static int env_open(struct store *s, const char *dir, uint64_t map_size, unsigned flags)
{
	int rc = store_env_open(&s->env, dir, map_size, flags);

	if (!rc)
		s->file->env = s->env;
	return rc;
}

/*
 * Readers must enter themselves in lock.mdb, or the writer reuses pages under them. Only where there is no lock.mdb
 * and none can be made (a copy in a folder that is read-only) can there be no writer either.
 */
static int env_open_reader(struct store *s, const char *dir)
{
	struct stat st;
	int rc = env_open(s, dir, 0, MDB_RDONLY);

	if ((rc == EACCES || rc == EPERM || rc == EROFS) && file_in(dir, "lock.mdb", &st) == ENOENT)
		rc = env_open(s, dir, 0, MDB_RDONLY | MDB_NOLOCK);
	return rc;
}

static int env_open_writer(struct store *s, const char *dir, const struct store_options *o)
{
	struct stat st;
	int rc = file_in(dir, "data.mdb", &st);
	bool present = !rc && st.st_size > 0;
	uint64_t map_size = o->map_size;

	if (rc && rc != ENOENT) /* A disk that does not answer is not one without a store. */
		return rc;
	if (!present && !o->create)
		return ENOENT;
	if (!present && map_size == 0)
		map_size = MAP_SIZE_DEFAULT; /* A store that exists remembers its own. */
	return env_open(s, dir, map_size, MDB_NOMETASYNC);
}

/* "meta" first, as dbs_open does: in all files of a store a database has the same handle. */
int store_dbs_make(MDB_txn *txn, MDB_dbi db[DB_COUNT])
{
	int rc = mdb_dbi_open(txn, db_names[DB_META], MDB_CREATE, &db[DB_META]);

	for (unsigned i = 0; i < DB_COUNT && !rc; i++)
		rc = mdb_dbi_open(txn, db_names[i], MDB_CREATE, &db[i]);
	return rc;
}

/* A file with databases of somebody else is left alone. */
static int dbs_create(struct store *s, MDB_txn *txn)
{
	MDB_dbi main_db;
	MDB_stat st;
	struct store_head empty = {0};
	int rc = mdb_dbi_open(txn, NULL, 0, &main_db);

	if (!rc)
		rc = mdb_stat(txn, main_db, &st);
	if (rc)
		return store_error(rc);
	if (st.ms_entries != 0)
		return CS_ERR_DAMAGED;
	rc = store_dbs_make(txn, s->db);
	s->has_erased = true;
	hash_empty(&empty.root);
	if (!rc)
		rc = store_meta_put(s, txn, META_FORMAT, STORE_FORMAT, strlen(STORE_FORMAT));
	if (!rc)
		rc = store_head_put(s, txn, &empty);
	if (!rc)
		rc = store_state_put(s, txn, 0, 0, &s->sum);
	if (rc)
		return store_error(rc);
	int err = store_copy_others(s, txn, NULL, &s->others);
	return err ? err : store_error(store_copy_put(s, txn, &empty, 0, 0, &s->sum));
}

/* Ours with another number is another build's: whole, and not to be touched. */
static int format_check(const MDB_val *found, char *ret_format)
{
	const size_t stem = strlen(STORE_FORMAT) - 1;

	if (found->mv_size == strlen(STORE_FORMAT) && memcmp(found->mv_data, STORE_FORMAT, found->mv_size) == 0)
		return CS_OK;
	if (found->mv_size <= stem || found->mv_size >= STORE_FORMAT_SIZE ||
	    memcmp(found->mv_data, STORE_FORMAT, stem) != 0)
		return CS_ERR_DAMAGED;
	for (size_t i = stem; i < found->mv_size; i++)
		if (((const char *)found->mv_data)[i] < '0' || ((const char *)found->mv_data)[i] > '9')
			return CS_ERR_DAMAGED;
	if (ret_format) {
		memcpy(ret_format, found->mv_data, found->mv_size);
		ret_format[found->mv_size] = 0;
	}
	return CS_ERR_VERSION;
}

static int dbs_open(struct store *s, MDB_txn *txn, const struct store_options *o)
{
	MDB_val key = {.mv_size = strlen(META_FORMAT), .mv_data = META_FORMAT};
	MDB_val value;
	int rc = mdb_dbi_open(txn, db_names[DB_META], 0, &s->db[DB_META]), err;

	if (rc == MDB_NOTFOUND)
		return o->create && !s->read_only ? dbs_create(s, txn) : CS_ERR_NOT_FOUND;
	if (!rc)
		rc = mdb_get(txn, s->db[DB_META], &key, &value);
	if (rc)
		return rc == MDB_NOTFOUND ? CS_ERR_DAMAGED : store_error(rc);
	err = store_open_format(s, txn, o,
	                        format_check(&value, o->ret_format)); /* First: it may have other databases. */
	for (unsigned i = 0; i < DB_ERASED && !rc && !err; i++)
		rc = mdb_dbi_open(txn, db_names[i], 0, &s->db[i]);
	if (rc)
		return rc == MDB_NOTFOUND ? CS_ERR_DAMAGED : store_error(rc);
	if (!err)
		rc = mdb_dbi_open(txn, db_names[DB_ERASED], s->read_only ? 0 : MDB_CREATE, &s->db[DB_ERASED]);
	s->has_erased = !err && !rc;
	return rc && rc != MDB_NOTFOUND ? store_error(rc) : err;
}

/* --- the tree over the stored tiles --- */

static int tree_tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct store *s = ctx;

	return store_read_tile(s, s->tree_txn, level, n, width, out);
}

static int tree_tile_full(void *ctx, unsigned level, uint64_t n, const struct hash *hashes)
{
	struct store *s = ctx;

	return store_error(store_tile_put(s, s->txn, level, n, TREE_TILE_WIDTH, hashes));
}

static int store_start(struct store *s, const char *dir, const struct store_options *o)
{
	const struct tree_tiles tiles = {.read = tree_tile_read, .full = tree_tile_full, .ctx = s};
	MDB_txn *txn;
	int err = CS_OK;
	int stale;

	if (!s->read_only)
		err = folder_lock(s, dir);
	if (err)
		return err;
	if (!s->read_only)
		store_rewrite_sweep(dir);
	int rc = s->read_only ? env_open_reader(s, dir) : env_open_writer(s, dir, o);
	if (!rc)
		rc = mdb_reader_check(s->env, &stale);
	if (!rc)
		rc = mdb_txn_begin(s->env, NULL, s->read_only ? MDB_RDONLY : 0, &txn);
	if (rc)
		return store_error(rc);
	err = dbs_open(s, txn, o);
	if (!err)
		err = tree_new(&tiles, &s->tree);
	if (!err)
		err = store_open_head(s, txn, o);
	if (err) {
		mdb_txn_abort(txn);
		return err;
	}
	return store_error(mdb_txn_commit(txn)); /* Also what makes the handles of the databases last. */
}

int store_open(const char *dir, const struct store_options *o, struct store **ret)
{
	struct store *s = calloc(1, sizeof *s);

	if (!s)
		return CS_ERR_NOMEM;
	s->folder_fd = -1;
	s->read_only = o->read_only;
	pthread_mutex_init(&s->lock, NULL);
	s->file = calloc(1, sizeof *s->file);
	s->dir = strdup(dir);
	int err = s->file && s->dir ? store_start(s, dir, o) : CS_ERR_NOMEM;
	if (err) {
		store_close(s);
		return err;
	}
	*ret = s;
	return CS_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->txn)
		mdb_txn_abort(s->txn);
	tree_free(s->tree);
	if (s->env)
		mdb_env_close(s->env);
	free(s->file);
	free(s->dir);
	if (s->folder_fd >= 0)
		close(s->folder_fd);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- what any thread may ask --- */

void store_head(const struct store *s, struct store_head *ret)
{
	struct store *m = (struct store *)(uintptr_t)s; /* The lock is not part of what const promises. */

	pthread_mutex_lock(&m->lock);
	*ret = m->head;
	pthread_mutex_unlock(&m->lock);
}

uint64_t store_state_index(const struct store *s)
{
	struct store *m = (struct store *)(uintptr_t)s;

	pthread_mutex_lock(&m->lock);
	uint64_t index = m->state_index;
	pthread_mutex_unlock(&m->lock);
	return index;
}

void store_room(const struct store *s, uint64_t *ret_free, uint64_t *ret_size)
{
	struct store *m = (struct store *)(uintptr_t)s;
	MDB_envinfo info;
	MDB_stat st;

	*ret_free = *ret_size = 0;
	pthread_mutex_lock(&m->lock); /* The file stays while it is held. */
	int rc = mdb_env_info(s->file->env, &info);
	rc = rc ? rc : mdb_env_stat(s->file->env, &st);
	pthread_mutex_unlock(&m->lock);
	if (rc)
		return;
	uint64_t used = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
	*ret_size = info.me_mapsize;
	*ret_free = used < info.me_mapsize ? info.me_mapsize - used : 0;
}
