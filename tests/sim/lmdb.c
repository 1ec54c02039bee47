/* The double of LMDB: the functions that ledger/store*.c use, over maps that keep their versions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/lmdb_map.h"
#include "tests/sim/os.h"
#include "tests/sim/store_env.h"

#define DBS_MAX   8
#define MAIN_DBI  0
#define PAGE_SIZE 4096

/* One version of all databases. */
struct version {
	uint64_t number;
	unsigned n;
	char *names[DBS_MAX]; /* Database 1 and up; [0] is the main one, whose records are the names. */
	struct map_node *roots[DBS_MAX];
	uint64_t entries[DBS_MAX];
};

/* The file: it outlives the process. */
struct env {
	struct version now, synced;
	bool made;
};

struct MDB_env {
	MDB_env *next;
	struct drive *disk;
	struct env *file;
	struct process *process;
	size_t map_size;
	MDB_txn *writer;
};

struct MDB_txn {
	MDB_env *env;
	bool read_only, live;
	struct version v;
};

struct MDB_cursor {
	MDB_txn *txn;
	MDB_dbi dbi;
	const struct map_node *at;
};

bool env_applied_apart;

static MDB_env *open_envs;

/* --- from outside --- */

/* As with etcd 3.5: what says how far the ledger has come is newer than the ledger. */
static void keep_meta(struct version *to, const struct version *from)
{
	for (unsigned i = 1; i < from->n; i++)
		if (i < to->n && strcmp(from->names[i], "meta") == 0)
			to->roots[i] = from->roots[i];
}

void env_power_cut(struct drive *d)
{
	struct env *e = d->env;
	struct version old;

	if (!e || e->now.number == e->synced.number || os_chance(500000))
		return;
	old = e->now;
	e->now = e->synced;
	if (env_applied_apart)
		keep_meta(&e->now, &old);
	os_note(d->node, "the last commit of the store is undone");
}

/* Versions are never changed, so that a copy of what points to them is enough. */
struct env *env_copy(const struct drive *d)
{
	struct env *copy = d->env ? malloc(sizeof *copy) : NULL;

	assert(!d->env || copy);
	if (copy)
		*copy = *d->env;
	return copy;
}

void env_put_back(struct drive *d, const struct env *copy)
{
	d->env = NULL;
	if (!copy)
		return;
	d->env = malloc(sizeof *d->env);
	assert(d->env);
	*d->env = *copy;
}

/* ledger/FORMAT.md: size, applied Raft index, … */
uint64_t env_applied(const struct env *e)
{
	const struct map_node *head = NULL;

	for (unsigned i = 1; e && i < e->synced.n; i++)
		if (strcmp(e->synced.names[i], "meta") == 0)
			head = map_find(e->synced.roots[i], "head", 4);
	return head && head->value_len >= 16 ? get_u64be(head->value + 8) : 0;
}

void mdb_process_ended(struct process *p)
{
	for (MDB_env **at = &open_envs; *at;)
		if ((*at)->process == p)
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

/* --- environment --- */

int mdb_env_create(MDB_env **ret)
{
	*ret = calloc(1, sizeof **ret);
	assert(*ret);
	(*ret)->process = os_process();
	return 0;
}

int mdb_env_set_maxdbs(MDB_env *e, MDB_dbi n)
{
	(void)e;
	assert(n < DBS_MAX);
	return 0;
}

int mdb_env_set_maxreaders(MDB_env *e, unsigned n)
{
	(void)e, (void)n;
	return 0;
}

int mdb_env_set_mapsize(MDB_env *e, size_t size)
{
	e->map_size = size;
	return 0;
}

int mdb_env_open(MDB_env *e, const char *path, unsigned flags, mdb_mode_t mode)
{
	struct inode *folder, *i;

	(void)mode;
	assert(strncmp(path, "/sim/", 5) == 0 && path[6] == '/');
	e->disk = faults_drive((unsigned)(path[5] - '0'));
	folder = drive_find(e->disk, NULL, path + 7);
	if (!folder)
		return ENOENT;
	if (!drive_find(e->disk, folder, "data.mdb") && flags & MDB_RDONLY)
		return ENOENT;
	if (!drive_find(e->disk, folder, "data.mdb")) {
		/* LMDB's own file and name are taken for durable at once: they are made once in a node's life. */
		i = inode_new(false);
		inode_resize(i, PAGE_SIZE);
		inode_synced(i);
		inode_link(folder, "data.mdb", i);
		inode_synced(folder);
		inode_synced(e->disk->root);
		e->disk->env = NULL;
	}
	if (!e->disk->env) {
		e->disk->env = calloc(1, sizeof *e->disk->env);
		assert(e->disk->env);
		e->disk->env->now.n = e->disk->env->synced.n = 1;
	}
	e->file = e->disk->env;
	e->next = open_envs;
	open_envs = e;
	return 0;
}

void mdb_env_close(MDB_env *e)
{
	for (MDB_env **at = &open_envs; *at; at = &(*at)->next)
		if (*at == e) {
			*at = e->next;
			break;
		}
	free(e);
}

int mdb_reader_check(MDB_env *e, int *ret)
{
	(void)e;
	*ret = 0;
	return 0;
}

int mdb_env_info(MDB_env *e, MDB_envinfo *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->me_mapsize = e->map_size;
	ret->me_last_pgno = 1;
	return 0;
}

int mdb_env_stat(MDB_env *e, MDB_stat *ret)
{
	(void)e;
	memset(ret, 0, sizeof *ret);
	ret->ms_psize = PAGE_SIZE;
	return 0;
}

int mdb_env_sync(MDB_env *e, int force)
{
	(void)force;
	if (faults_sync(e->disk))
		return EIO;
	faults_sleep_store(e->disk);
	e->file->synced = e->file->now;
	return 0;
}

/* --- transactions --- */

int mdb_txn_begin(MDB_env *e, MDB_txn *parent, unsigned flags, MDB_txn **ret)
{
	MDB_txn *t = calloc(1, sizeof *t);

	assert(t && !parent);
	t->env = e;
	t->read_only = (flags & MDB_RDONLY) != 0;
	t->live = true;
	t->v = e->file->now;
	if (!t->read_only) {
		assert(!e->writer); /* One writer thread: it never waits for itself. */
		e->writer = t;
		t->v.number++;
	}
	*ret = t;
	return 0;
}

int mdb_txn_renew(MDB_txn *t)
{
	assert(t->read_only && !t->live);
	t->live = true;
	t->v = t->env->file->now;
	return 0;
}

void mdb_txn_reset(MDB_txn *t)
{
	assert(t->read_only && t->live);
	t->live = false;
}

static void txn_free(MDB_txn *t)
{
	if (t->env->writer == t)
		t->env->writer = NULL;
	free(t);
}

void mdb_txn_abort(MDB_txn *t)
{
	txn_free(t);
}

/*
 * MDB_NOMETASYNC: the pages are synced, and with them the meta page of the commit before; this one's meta page is
 * written and not synced.
 */
int mdb_txn_commit(MDB_txn *t)
{
	MDB_env *e = t->env;

	if (t->read_only) {
		txn_free(t);
		return 0;
	}
	if (faults_commit(e->disk)) {
		if (os_chance(500000)) /* The meta page was written, and its write or sync reported as failed. */
			e->file->now = t->v;
		txn_free(t);
		return EIO;
	}
	if (e->disk->faults.full) {
		faults_full(e->disk);
		txn_free(t);
		return ENOSPC;
	}
	faults_sleep_store(e->disk);
	e->file->synced = e->file->now;
	e->file->now = t->v;
	txn_free(t);
	return 0;
}

/* --- databases --- */

int mdb_dbi_open(MDB_txn *t, const char *name, unsigned flags, MDB_dbi *ret)
{
	if (!name) {
		*ret = MAIN_DBI;
		return 0;
	}
	for (unsigned i = 1; i < t->v.n; i++)
		if (strcmp(t->v.names[i], name) == 0) {
			*ret = i;
			return 0;
		}
	if (!(flags & MDB_CREATE))
		return MDB_NOTFOUND;
	assert(t->v.n < DBS_MAX);
	t->v.names[t->v.n] = strdup(name);
	t->v.roots[t->v.n] = NULL;
	t->v.entries[MAIN_DBI]++;
	*ret = t->v.n++;
	return 0;
}

int mdb_stat(MDB_txn *t, MDB_dbi dbi, MDB_stat *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->ms_psize = PAGE_SIZE;
	ret->ms_entries = t->v.entries[dbi];
	return 0;
}

static void value_of(const struct map_node *n, MDB_val *ret)
{
	*ret = (MDB_val){.mv_size = n->value_len, .mv_data = n->value};
}

int mdb_get(MDB_txn *t, MDB_dbi dbi, MDB_val *key, MDB_val *ret)
{
	const struct map_node *n = map_find(t->v.roots[dbi], key->mv_data, key->mv_size);

	if (!n)
		return MDB_NOTFOUND;
	value_of(n, ret);
	return 0;
}

int mdb_put(MDB_txn *t, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags)
{
	const struct map_node *last = flags & MDB_APPEND ? map_last(t->v.roots[dbi]) : NULL;

	assert(!t->read_only);
	if (last && map_from(t->v.roots[dbi], key->mv_data, key->mv_size, false))
		return MDB_KEYEXIST;
	if (map_put(&t->v.roots[dbi], t->v.number, key->mv_data, key->mv_size, value->mv_data, value->mv_size))
		t->v.entries[dbi]++;
	return 0;
}

int mdb_del(MDB_txn *t, MDB_dbi dbi, MDB_val *key, MDB_val *value)
{
	(void)value;
	assert(!t->read_only);
	if (!map_remove(&t->v.roots[dbi], t->v.number, key->mv_data, key->mv_size))
		return MDB_NOTFOUND;
	t->v.entries[dbi]--;
	return 0;
}

int mdb_drop(MDB_txn *t, MDB_dbi dbi, int del)
{
	assert(!t->read_only && !del);
	t->v.roots[dbi] = NULL;
	t->v.entries[dbi] = 0;
	return 0;
}

int mdb_cursor_open(MDB_txn *t, MDB_dbi dbi, MDB_cursor **ret)
{
	*ret = calloc(1, sizeof **ret);
	assert(*ret);
	(*ret)->txn = t;
	(*ret)->dbi = dbi;
	return 0;
}

void mdb_cursor_close(MDB_cursor *c)
{
	free(c);
}

int mdb_cursor_get(MDB_cursor *c, MDB_val *key, MDB_val *ret, MDB_cursor_op op)
{
	const struct map_node *root = c->txn->v.roots[c->dbi];

	switch (op) {
	case MDB_FIRST:
		c->at = map_from(root, NULL, 0, false);
		break;
	case MDB_LAST:
		c->at = map_last(root);
		break;
	case MDB_SET_RANGE:
		c->at = map_from(root, key->mv_data, key->mv_size, false);
		break;
	case MDB_NEXT:
		c->at = c->at ? map_from(root, c->at->key, c->at->key_len, true) : NULL;
		break;
	default:
		return EINVAL; /* The store uses no other. */
	}
	if (!c->at)
		return MDB_NOTFOUND;
	*key = (MDB_val){.mv_size = c->at->key_len, .mv_data = c->at->key};
	value_of(c->at, ret);
	return 0;
}
