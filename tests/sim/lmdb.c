/* The double of LMDB: transactions and records, over maps that keep their versions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/lmdb_internal.h"
#include "tests/sim/os.h"

struct MDB_cursor {
	MDB_txn *txn;
	MDB_dbi dbi;
	const struct map_node *at;
};

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

size_t mdb_txn_id(MDB_txn *t)
{
	return t->v.number;
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
		*ret = LMDB_MAIN_DBI;
		return 0;
	}
	for (unsigned i = 1; i < t->v.n; i++)
		if (strcmp(t->v.names[i], name) == 0) {
			*ret = i;
			return 0;
		}
	if (!(flags & MDB_CREATE))
		return MDB_NOTFOUND;
	assert(t->v.n < LMDB_DBS_MAX);
	t->v.names[t->v.n] = strdup(name);
	t->v.roots[t->v.n] = NULL;
	t->v.entries[LMDB_MAIN_DBI]++;
	*ret = t->v.n++;
	return 0;
}

int mdb_stat(MDB_txn *t, MDB_dbi dbi, MDB_stat *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->ms_psize = LMDB_PAGE_SIZE;
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
