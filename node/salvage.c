/* Salvage: is the store's structure sound; and if not, a new file from what of the old one can be read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/pages.h"
#include "ledger/store_internal.h"
#include "node/log.h"
#include "node/settings.h"

#define PATH_SIZE   (SETTINGS_PATH_SIZE_MAX + 64)
#define SUSPECT     "ledger/suspect"
#define MAP_DEFAULT (UINT64_C(64) << 30) /* As a new store's. */
#define TXN_RECORDS 20000                /* Of the new file: bounds what is dirty at once. */
#define DATABASES   16
#define FILE_MODE   0660

/* The first byte that no msgpack begins with: neither a leaf nor private fields, whatever they say. */
static const uint8_t lost_record[] = {0xc1};

static bool path_of(char ret[PATH_SIZE], const char *data_path, const char *name)
{
	int n = snprintf(ret, PATH_SIZE, "%s/%s", data_path, name);

	return n > 0 && n < PATH_SIZE;
}

void salvage_suspect(const char *data_path)
{
	char path[PATH_SIZE];
	int fd = path_of(path, data_path, SUSPECT) ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		close(fd);
}

void salvage_trust(const char *data_path)
{
	char path[PATH_SIZE];

	if (path_of(path, data_path, SUSPECT))
		unlink(path);
}

/* --- looking --- */

struct looking {
	unsigned bad;
	const char *data_path;
	bool body_lost;
};

static int no_record(void *ctx, const struct pages_record *r)
{
	(void)ctx, (void)r;
	return 0;
}

static int count_bad(void *ctx, uint64_t page, const char *what)
{
	struct looking *l = ctx;

	if (l->bad++ < 8)
		log_error("ledger/data.mdb: page %" PRIu64 " is damaged: %s", page, what);
	return 0;
}

static int count_named(void *ctx, const char *name, uint64_t page, const char *what)
{
	struct looking *l = ctx;

	if (l->bad++ < 8)
		log_error("ledger/data.mdb: page %" PRIu64 " (%s) is damaged: %s", page, name, what);
	return 0;
}

/* The state whole, it is read at every start; of what only grows, the pages down to its end, which are written next. */
static int look_quickly(struct pages *p, struct looking *l)
{
	static const char *const names[] = {"entries", "bodies", "tiles", "checkpoints", "state", "meta"};
	static const uint8_t last[TILE_KEY_SIZE] = {255, 255, 255, 255, 255, 255, 255, 255, 255};
	struct pages_visitor v = {.record = no_record, .bad = count_bad, .ctx = l};
	struct pages_check c = {.bad = count_named, .ctx = l, .roots_only = true};
	int err = pages_check(p, &c);

	for (size_t i = 0; i < sizeof names / sizeof *names && !err; i++) {
		struct pages_tree t;
		bool whole = strcmp(names[i], "state") == 0 || strcmp(names[i], "meta") == 0;
		int rv = pages_tree(p, names[i], &t);
		if (rv == 0)
			err = pages_walk(p, &t, last, whole ? 0 : sizeof last, &v);
		else if (rv == CS_ERR_DAMAGED)
			l->bad++;
		else if (rv != CS_ERR_NOT_FOUND) /* None: not ours, or of another build. That is the store's to say. */
			err = rv;
	}
	return err;
}

static int look(struct pages *p, bool whole, struct looking *l)
{
	struct pages_check c = {.bad = count_named, .ctx = l};

	l->bad += !p->both;
	if (!p->both)
		log_error("ledger/data.mdb: one of its two meta pages is damaged");
	return whole ? pages_check(p, &c) : look_quickly(p, l);
}

/* --- the new file --- */

struct building {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi[DATABASES];
	char names[DATABASES][32];
	unsigned n;
	unsigned records; /* In the open transaction. */
	uint64_t kept, lost;
	struct looking *looking;
	struct store_head head;
	bool has_head, has_copy, body_lost, entry_lost;
};

static int dbi_of(struct building *b, const char *name, MDB_dbi *ret)
{
	unsigned i = 0;
	int rc = 0;

	while (i < b->n && strcmp(b->names[i], name) != 0)
		i++;
	if (i == DATABASES || strlen(name) >= sizeof b->names[0])
		return MDB_DBS_FULL;
	if (i == b->n) {
		rc = mdb_dbi_open(b->txn, name, MDB_CREATE, &b->dbi[i]);
		snprintf(b->names[i], sizeof b->names[i], "%s", name);
		b->n += rc == 0;
	}
	*ret = b->dbi[i];
	return rc;
}

/* A handle lasts from the commit of the transaction that opened it on. */
static int put(struct building *b, const char *name, const void *key, size_t key_len, const void *value, size_t len)
{
	MDB_val k = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key};
	MDB_val v = {.mv_size = len, .mv_data = (void *)(uintptr_t)value};
	MDB_dbi dbi;
	int rc = dbi_of(b, name, &dbi);

	if (!rc)
		rc = mdb_put(b->txn, dbi, &k, &v, 0);
	if (!rc && ++b->records >= TXN_RECORDS) {
		rc = mdb_txn_commit(b->txn);
		b->txn = NULL;
		b->records = 0;
		if (!rc)
			rc = mdb_txn_begin(b->env, NULL, 0, &b->txn);
	}
	return rc;
}

static void note_meta(struct building *b, const struct pages_record *r)
{
	struct store_copy c;

	if (r->key_len == strlen(META_COPY) && memcmp(r->key, META_COPY, r->key_len) == 0 &&
	    r->value_len == META_COPY_SIZE && store_copy_decode(r->value, &c) == 0) {
		b->head = c.head;
		b->has_copy = true;
	}
	if (r->key_len == strlen(META_HEAD) && memcmp(r->key, META_HEAD, r->key_len) == 0 &&
	    r->value_len == META_HEAD_SIZE && !b->has_copy) {
		store_head_decode(r->value, &b->head);
		b->has_head = true;
	}
}

static int keep_record(void *ctx, const char *name, const struct pages_record *r)
{
	struct building *b = ctx;

	if (r->is_tree)
		return 0;
	if (strcmp(name, "meta") == 0)
		note_meta(b, r);
	b->kept++;
	int rc = put(b, name, r->key, r->key_len, r->value, r->value_len);
	return rc ? store_error(rc) : 0;
}

static int keep_bad(void *ctx, const char *name, uint64_t page, const char *what)
{
	struct building *b = ctx;

	b->entry_lost |= strcmp(name, "entries") == 0;
	b->body_lost |= strcmp(name, "bodies") == 0;
	return count_named(b->looking, name, page, what);
}

/* What is not there of 0 to size. */
static int fill(struct building *b, const char *name)
{
	MDB_dbi dbi;
	int rc = dbi_of(b, name, &dbi);

	for (uint64_t i = 0; i < b->head.size && !rc; i++) {
		uint8_t buf[INDEX_KEY_SIZE];
		MDB_val key = store_index_key(buf, i), value;
		rc = mdb_get(b->txn, dbi, &key, &value);
		if (rc != MDB_NOTFOUND)
			continue;
		b->lost++;
		rc = put(b, name, buf, sizeof buf, lost_record, sizeof lost_record);
	}
	return rc ? store_error(rc) : 0;
}

static int build_begin(struct building *b, const char *dir, uint64_t map_size)
{
	int rc = mdb_env_create(&b->env);

	if (!rc)
		rc = mdb_env_set_maxdbs(b->env, DATABASES);
	if (!rc)
		rc = mdb_env_set_mapsize(b->env, map_size ? map_size : MAP_DEFAULT);
	if (!rc)
		rc = mdb_env_open(b->env, dir, MDB_NOMETASYNC, FILE_MODE);
	if (!rc)
		rc = mdb_txn_begin(b->env, NULL, 0, &b->txn);
	return rc ? store_error(rc) : 0;
}

static int build_end(struct building *b)
{
	int rc = mdb_txn_commit(b->txn);

	b->txn = NULL;
	if (!rc)
		rc = mdb_env_sync(b->env, 1);
	return rc ? store_error(rc) : 0;
}

static int build(struct building *b, struct pages *p, const char *dir, uint64_t map_size)
{
	struct pages_check c = {.record = keep_record, .bad = keep_bad, .ctx = b};
	int err = build_begin(b, dir, map_size);

	if (!err)
		err = pages_check(p, &c);
	if (!err && !b->has_head && !b->has_copy)
		err = CS_ERR_DAMAGED;
	if (!err)
		err = fill(b, "entries");
	/* Private fields that are not there were erased, unless some were lost. */
	if (!err && b->body_lost)
		err = fill(b, "bodies");
	if (!err)
		err = build_end(b);
	if (b->txn)
		mdb_txn_abort(b->txn);
	if (b->env)
		mdb_env_close(b->env);
	return err;
}

/* --- its place --- */

static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? CS_ERR_IO : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* At every moment one of the two is there under the right name. */
static int take_place(const char *data_path)
{
	char ledger[PATH_SIZE], old[PATH_SIZE], new[PATH_SIZE], aside[PATH_SIZE], dir[PATH_SIZE], lock[PATH_SIZE];
	int err;

	if (!path_of(ledger, data_path, "ledger") || !path_of(old, data_path, "ledger/data.mdb") ||
	    !path_of(new, data_path, "ledger/rebuilt/data.mdb") ||
	    !path_of(aside, data_path, "ledger/data.mdb.damaged") || !path_of(dir, data_path, "ledger/rebuilt") ||
	    !path_of(lock, data_path, "ledger/rebuilt/lock.mdb"))
		return CS_ERR_INVALID;
	if ((unlink(aside) && errno != ENOENT) || link(old, aside) || rename(new, old))
		return CS_ERR_IO;
	err = sync_folder(ledger);
	unlink(lock);
	rmdir(dir);
	return err;
}

static int rebuild(const char *data_path, struct pages *p, struct looking *l, uint64_t map_size)
{
	struct building b = {.looking = l};
	char dir[PATH_SIZE], file[PATH_SIZE], lock[PATH_SIZE];
	int err;

	if (!path_of(dir, data_path, "ledger/rebuilt") || !path_of(file, data_path, "ledger/rebuilt/data.mdb") ||
	    !path_of(lock, data_path, "ledger/rebuilt/lock.mdb"))
		return CS_ERR_INVALID;
	unlink(file);
	unlink(lock);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return CS_ERR_IO;
	err = build(&b, p, dir, map_size);
	if (!err)
		err = take_place(data_path);
	if (err)
		log_error("ledger/data.mdb cannot be built anew: %s", err_text(err));
	else
		log_warning("ledger/data.mdb was built anew from what of it can be read: records=%" PRIu64
		            " lost=%" PRIu64 "; the damaged file is data.mdb.damaged",
		            b.kept, b.lost);
	return err;
}

/* Nothing is left of it that could be built upon: kept as evidence. */
static int put_aside(const char *data_path)
{
	char ledger[PATH_SIZE], old[PATH_SIZE], aside[PATH_SIZE];

	if (!path_of(ledger, data_path, "ledger") || !path_of(old, data_path, "ledger/data.mdb") ||
	    !path_of(aside, data_path, "ledger/data.mdb.damaged"))
		return CS_ERR_INVALID;
	log_error("ledger/data.mdb cannot be read: it is put aside as data.mdb.damaged, and the ledger is fetched from "
	          "another member");
	return rename(old, aside) ? CS_ERR_IO : sync_folder(ledger);
}

/* From the newest commit, or else from the one before it, whose pages are all still there. */
static int rebuild_from_either(const char *data_path, const struct pages_source *source, struct pages *p,
                               struct looking *l, uint64_t map_size, struct salvaged *ret)
{
	uint64_t txn_id = p->txn_id;
	int err = rebuild(data_path, p, l, map_size);

	ret->behind = !p->both;
	if (err != CS_ERR_DAMAGED || txn_id == 0)
		return err;
	ret->behind = true;
	pages_close(p);
	if (pages_open(p, source, txn_id - 1))
		return CS_ERR_DAMAGED;
	log_warning("ledger/data.mdb: trying the commit before the last one");
	return rebuild(data_path, p, l, map_size);
}

int salvage_store(const char *data_path, uint64_t map_size, struct salvaged *ret)
{
	struct pages_file f;
	const struct pages_source source = {.read = pages_file_read, .ctx = &f};
	struct looking l = {.data_path = data_path};
	struct pages p = {0};
	char path[PATH_SIZE], suspect[PATH_SIZE];
	struct stat st;

	if (!path_of(path, data_path, "ledger/data.mdb") || !path_of(suspect, data_path, SUSPECT))
		return CS_ERR_INVALID;
	if (stat(path, &st) || st.st_size == 0)
		return 0; /* There is none yet. */
	int err = pages_file_open(path, false, &f);
	if (err)
		return err;
	err = pages_open(&p, &source, 0);
	if (!err)
		err = look(&p, access(suspect, F_OK) == 0, &l);
	if (!err && l.bad) {
		salvage_suspect(data_path);
		err = rebuild_from_either(data_path, &source, &p, &l, map_size, ret);
	}
	pages_close(&p);
	pages_file_close(&f);
	if (err != CS_ERR_DAMAGED)
		return err;
	ret->lost = true;
	return put_aside(data_path);
}
