/* The store's one writer: transactions of entries with their tiles, state records, sync. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/store.h"

#include <assert.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/limits.h"
#include "ledger/store_internal.h"

#define STATE_KEY_SIZE_MAX 511 /* LMDB's bound, as compiled in Debian. */

int store_meta_put(struct store *s, MDB_txn *txn, const char *name, const void *value, size_t len)
{
	MDB_val key = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};
	MDB_val data = {.mv_size = len, .mv_data = (void *)(uintptr_t)value};

	return mdb_put(txn, s->db[DB_META], &key, &data, 0);
}

int store_head_put(struct store *s, MDB_txn *txn, const struct store_head *h)
{
	uint8_t buf[META_HEAD_SIZE];

	store_head_encode(h, buf);
	return store_meta_put(s, txn, META_HEAD, buf, sizeof buf);
}

int store_state_put(struct store *s, MDB_txn *txn, uint64_t index, uint64_t term, const struct multiset *sum)
{
	uint8_t buf[META_SUM_SIZE];

	put_u64be(buf, index);
	put_u64be(buf + 8, term);
	multiset_write(sum, buf + META_STATE_SIZE);
	int rc = store_meta_put(s, txn, META_STATE, buf, META_STATE_SIZE);
	return rc ? rc : store_meta_put(s, txn, META_SUM, buf, sizeof buf);
}

/* --- the tree over the stored tiles --- */

static void edge_note(struct store *s)
{
	const struct hash *hashes;

	for (unsigned level = 0; level < TREE_TILE_LEVELS; level++)
		tree_partial(s->tree, level, &s->edge[level].n, &s->edge[level].width, &hashes);
}

int store_tree_load(struct store *s, MDB_txn *txn, uint64_t size)
{
	s->tree_txn = txn;
	int err = tree_load(s->tree, size);
	s->tree_txn = NULL;
	if (err == CS_ERR_NOT_FOUND)
		err = CS_ERR_DAMAGED; /* A tile that the head says is there. */
	if (!err)
		edge_note(s);
	return err;
}

/* --- the transaction of entries --- */

/*
 * An error inside the open transaction. A write that the kernel refused may have left pages marked clean that never
 * reached the disk (fsync's errors are told once), so nothing is tried again: the caller ends the process.
 */
static int txn_fail(struct store *s, int err)
{
	if (err && !s->txn_err)
		s->txn_err = err;
	if (err == CS_ERR_IO)
		s->dead = true;
	return err;
}

int store_begin(struct store *s)
{
	if (s->read_only || s->txn)
		return CS_ERR_INVALID;
	if (s->dead)
		return CS_ERR_IO;
	int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);
	if (rc) {
		s->txn = NULL;
		return store_error(rc);
	}
	s->txn_err = CS_OK;
	s->next = s->head; /* Only this thread changes head: no lock to read it here. */
	return CS_OK;
}

static int append_one(struct store *s, const struct store_entry *e)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, s->next.size);
	MDB_val leaf = {.mv_size = e->leaf_len, .mv_data = (void *)(uintptr_t)e->leaf};
	MDB_val body = {.mv_size = e->body_len, .mv_data = e->body_len ? (void *)(uintptr_t)e->body : ""};

	if (e->leaf_len == 0)
		return CS_ERR_INVALID;
	if (e->leaf_len > LIMIT_ENTRY_SIZE_MAX || e->body_len > LIMIT_BODY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	int rc = mdb_put(s->txn, s->db[DB_ENTRIES], &key, &leaf, MDB_APPEND);
	if (!rc)
		rc = mdb_put(s->txn, s->db[DB_BODIES], &key, &body, MDB_APPEND);
	if (rc)
		return store_error(rc);
	int err = tree_append(s->tree, &e->leaf_hash);
	if (err)
		return err;
	s->next.size++;
	s->next.last_leaf = e->leaf_hash;
	return CS_OK;
}

int store_append(struct store *s, uint64_t first, const struct store_entry *e, unsigned n)
{
	if (!s->txn)
		return CS_ERR_INVALID;
	if (s->txn_err)
		return s->txn_err;
	if (first != s->next.size)
		return CS_ERR_INVALID;
	for (unsigned i = 0; i < n; i++) {
		int err = append_one(s, &e[i]);
		if (err)
			return txn_fail(s, err);
	}
	return CS_OK;
}

int store_applied(struct store *s, uint64_t index, uint64_t term)
{
	if (!s->txn || index < s->next.applied_index || term < s->next.applied_term)
		return CS_ERR_INVALID;
	s->next.applied_index = index;
	s->next.applied_term = term;
	return s->txn_err;
}

int store_put_checkpoint(struct store *s, uint64_t size, const void *note, size_t len)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, size);
	MDB_val value = {.mv_size = len, .mv_data = (void *)(uintptr_t)note};

	if (!s->txn || size > s->next.size || len == 0)
		return CS_ERR_INVALID;
	if (len > LIMIT_NOTE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (s->txn_err)
		return s->txn_err;
	return txn_fail(s, store_error(mdb_put(s->txn, s->db[DB_CHECKPOINTS], &key, &value, 0)));
}

int store_put_meta(struct store *s, const char *name, const void *value, size_t len)
{
	MDB_val key = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};

	if (!s->txn || key.mv_size == 0 || key.mv_size > STATE_KEY_SIZE_MAX || strcmp(name, META_FORMAT) == 0 ||
	    strcmp(name, META_HEAD) == 0 || strcmp(name, META_STATE) == 0 || strcmp(name, META_SUM) == 0 ||
	    strcmp(name, META_COPY) == 0)
		return CS_ERR_INVALID;
	if (s->txn_err)
		return s->txn_err;
	int rc = len > 0 ? store_meta_put(s, s->txn, name, value, len) : mdb_del(s->txn, s->db[DB_META], &key, NULL);
	if (rc && rc != MDB_NOTFOUND)
		return txn_fail(s, store_error(rc));
	return txn_fail(s, store_copy_others(s, s->txn, NULL, &s->others));
}

static int edge_write(struct store *s)
{
	for (unsigned level = 0; level < TREE_TILE_LEVELS; level++) {
		const struct hash *hashes;
		uint64_t n;
		unsigned width;

		tree_partial(s->tree, level, &n, &width, &hashes);
		if (width == 0 || (n == s->edge[level].n && width == s->edge[level].width))
			continue;
		int rc = store_tile_put(s, s->txn, level, n, width, hashes);
		if (rc)
			return store_error(rc);
	}
	return CS_OK;
}

/* The tree ran ahead of what is stored: takes it back to the head. The tiles may have been damaged meanwhile. */
static void tree_take_back(struct store *s)
{
	struct hash root;
	MDB_txn *txn;

	if (s->next.size == s->head.size && !s->txn_err)
		return;
	if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn)) {
		s->dead = true;
		return;
	}
	int err = store_tree_load(s, txn, s->head.size);
	tree_root(s->tree, &root);
	s->dead = s->dead || err || !hash_equal(&root, &s->head.root);
	mdb_txn_abort(txn);
}

void store_abort(struct store *s)
{
	if (!s->txn)
		return;
	mdb_txn_abort(s->txn);
	s->txn = NULL;
	tree_take_back(s);
}

int store_give_up(struct store *s, int err)
{
	if (err == CS_ERR_IO)
		s->dead = true;
	store_abort(s);
	return err;
}

int store_commit(struct store *s)
{
	int err = s->txn ? s->txn_err : CS_ERR_INVALID;

	if (!err && s->next.size != s->head.size) {
		assert(tree_size(s->tree) == s->next.size);
		tree_root(s->tree, &s->next.root);
		err = edge_write(s);
	}
	if (!err)
		err = store_error(store_head_put(s, s->txn, &s->next));
	if (!err)
		err = store_error(store_copy_put(s, s->txn, &s->next, s->state_index, s->state_term, &s->sum));
	if (err)
		return store_give_up(s, txn_fail(s, err));
	int rc = mdb_txn_commit(s->txn);
	s->txn = NULL;
	if (rc == MDB_MAP_FULL) { /* Met while the free list was made, before anything was written. */
		s->txn_err = CS_ERR_DISK_FULL;
		tree_take_back(s);
		return CS_ERR_DISK_FULL;
	}
	if (rc) {
		s->dead = true;
		return CS_ERR_IO;
	}
	edge_note(s);
	pthread_mutex_lock(&s->lock);
	s->head = s->next;
	pthread_mutex_unlock(&s->lock);
	return CS_OK;
}

/* --- state records --- */

/* One record's change, in the sum: what the store holds goes out, what takes its place comes in. */
static int sum_change(const struct store *s, MDB_txn *txn, MDB_val key, const struct store_record *r,
                      struct multiset *sum)
{
	const uint8_t kind = *(const uint8_t *)r->key;
	MDB_val old;
	int rc = mdb_get(txn, s->db[DB_STATE], &key, &old);

	if (rc && rc != MDB_NOTFOUND)
		return rc;
	if (!rc)
		multiset_remove(sum, kind, old.mv_data, old.mv_size);
	if (r->value_len > 0)
		multiset_add(sum, kind, r->value, r->value_len);
	return 0;
}

static int state_records_put(struct store *s, MDB_txn *txn, const struct store_record *r, size_t n,
                             struct multiset *sum)
{
	for (size_t i = 0; i < n; i++) {
		MDB_val key = {.mv_size = r[i].key_len, .mv_data = (void *)(uintptr_t)r[i].key};
		MDB_val value = {.mv_size = r[i].value_len, .mv_data = (void *)(uintptr_t)r[i].value};
		int rc;

		if (r[i].key_len == 0 || r[i].key_len > STATE_KEY_SIZE_MAX)
			return CS_ERR_INVALID;
		rc = sum_change(s, txn, key, &r[i], sum);
		if (rc)
			return store_error(rc);
		if (r[i].value_len > 0)
			rc = mdb_put(txn, s->db[DB_STATE], &key, &value, 0);
		else
			rc = mdb_del(txn, s->db[DB_STATE], &key, NULL);
		if (rc && !(rc == MDB_NOTFOUND && r[i].value_len == 0))
			return store_error(rc);
	}
	return CS_OK;
}

static int write_state(struct store *s, const struct store_record *r, size_t n, uint64_t index, uint64_t term,
                       bool whole)
{
	struct multiset sum = {0};
	MDB_txn *txn;

	/* State ahead of the ledger would make a restart skip entries that were never stored. */
	if (s->read_only || s->txn || index > s->head.applied_index || index < s->state_index)
		return CS_ERR_INVALID;
	if (s->dead)
		return CS_ERR_IO;
	int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return store_error(rc);
	if (whole)
		rc = mdb_drop(txn, s->db[DB_STATE], 0);
	else
		sum = s->sum;
	int err = rc ? store_error(rc) : state_records_put(s, txn, r, n, &sum);
	if (!err)
		err = store_error(store_state_put(s, txn, index, term, &sum));
	if (!err)
		err = store_error(store_copy_put(s, txn, &s->head, index, term, &sum));
	if (err) {
		mdb_txn_abort(txn);
		s->dead = err == CS_ERR_IO;
		return err;
	}
	rc = mdb_txn_commit(txn);
	if (rc == MDB_MAP_FULL)
		return CS_ERR_DISK_FULL;
	if (rc) {
		s->dead = true;
		return CS_ERR_IO;
	}
	s->sum = sum;
	s->state_term = term;
	pthread_mutex_lock(&s->lock);
	s->state_index = index;
	pthread_mutex_unlock(&s->lock);
	return CS_OK;
}

int store_write_state(struct store *s, const struct store_record *r, size_t n, uint64_t index, uint64_t term)
{
	return write_state(s, r, n, index, term, false);
}

int store_replace_state(struct store *s, const struct store_record *r, size_t n, uint64_t index, uint64_t term)
{
	return write_state(s, r, n, index, term, true);
}

void store_state_digest(const struct store *s, struct hash *ret)
{
	multiset_digest(&s->sum, ret);
}

int store_check_state(struct store *s)
{
	struct multiset found;
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return store_error(rc);
	int err = store_sum_records(s, txn, &found);
	mdb_txn_abort(txn);
	if (!err && memcmp(&found, &s->sum, sizeof found) != 0)
		err = CS_ERR_DAMAGED;
	return err;
}

int store_sync(struct store *s)
{
	if (s->read_only)
		return CS_ERR_INVALID;
	if (s->dead)
		return CS_ERR_IO;
	if (mdb_env_sync(s->env, 1)) {
		s->dead = true;
		return CS_ERR_IO;
	}
	return CS_OK;
}
