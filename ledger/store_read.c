/* The store's readers: consistent views for any thread or process, tiles for proofs, state records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/store_internal.h"

int store_error(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return CS_OK;
	case MDB_NOTFOUND:
	case ENOENT:
		return CS_ERR_NOT_FOUND;
	case MDB_MAP_FULL:
		return CS_ERR_DISK_FULL;
	case MDB_READERS_FULL:
		return CS_ERR_OVERLOADED;
	case MDB_TXN_FULL:
	case MDB_BAD_VALSIZE:
		return CS_ERR_TOO_LARGE;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_KEYEXIST: /* MDB_APPEND met a key at or beyond the size: the file is not what its head says. */
		return CS_ERR_DAMAGED;
	case ENOMEM:
		return CS_ERR_NOMEM;
	default:
		return CS_ERR_IO;
	}
}

MDB_val store_index_key(uint8_t buf[INDEX_KEY_SIZE], uint64_t index)
{
	put_u64be(buf, index);
	return (MDB_val){.mv_size = INDEX_KEY_SIZE, .mv_data = buf};
}

MDB_val store_tile_key(uint8_t buf[TILE_KEY_SIZE], unsigned level, uint64_t n)
{
	buf[0] = (uint8_t)level;
	put_u64be(buf + 1, n);
	return (MDB_val){.mv_size = TILE_KEY_SIZE, .mv_data = buf};
}

int store_read_head(const struct store *s, MDB_txn *txn, struct store_head *ret)
{
	MDB_val key = {.mv_size = strlen(META_HEAD), .mv_data = META_HEAD};
	MDB_val value;
	int rc = mdb_get(txn, s->db[DB_META], &key, &value);

	if (rc == MDB_NOTFOUND)
		return CS_ERR_DAMAGED;
	if (rc)
		return store_error(rc);
	if (value.mv_size != META_HEAD_SIZE)
		return CS_ERR_DAMAGED;
	store_head_decode(value.mv_data, ret);
	return CS_OK;
}

int store_read_tile(const struct store *s, MDB_txn *txn, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	uint8_t buf[TILE_KEY_SIZE];
	MDB_val key = store_tile_key(buf, level, n);
	MDB_val value;

	if (level >= TREE_TILE_LEVELS || width == 0 || width > TREE_TILE_WIDTH)
		return CS_ERR_INVALID;
	int rc = mdb_get(txn, s->db[DB_TILES], &key, &value);
	if (rc)
		return store_error(rc);
	if (value.mv_size % HASH_SIZE != 0 || value.mv_size < (size_t)width * HASH_SIZE ||
	    value.mv_size > (size_t)TREE_TILE_WIDTH * HASH_SIZE)
		return CS_ERR_DAMAGED;
	memcpy(out, value.mv_data, (size_t)width * HASH_SIZE);
	return CS_OK;
}

void store_view_head(const struct store_view *v, struct store_head *ret)
{
	*ret = v->head;
}

static int view_get(const struct store_view *v, enum store_db db, MDB_val key, const void **ret, size_t *ret_len)
{
	MDB_val value;

	if (!v->live)
		return CS_ERR_INVALID;
	int rc = mdb_get(v->txn, v->store->db[db], &key, &value);
	if (rc)
		return store_error(rc);
	*ret = value.mv_data;
	*ret_len = value.mv_size;
	return CS_OK;
}

int store_view_entry(const struct store_view *v, uint64_t index, const void **ret_leaf, size_t *ret_len)
{
	uint8_t buf[INDEX_KEY_SIZE];
	int err = view_get(v, DB_ENTRIES, store_index_key(buf, index), ret_leaf, ret_len);

	/* Leaves are never deleted: a hole below the size is damage, not absence. */
	return err == CS_ERR_NOT_FOUND && index < v->head.size ? CS_ERR_DAMAGED : err;
}

int store_view_body(const struct store_view *v, uint64_t index, const void **ret_body, size_t *ret_len)
{
	uint8_t buf[INDEX_KEY_SIZE];
	int err = view_get(v, DB_BODIES, store_index_key(buf, index), ret_body, ret_len);

	/* Each entry came with a body, if only an empty one; what is gone now was erased. */
	return err == CS_ERR_NOT_FOUND && index < v->head.size ? CS_ERR_ERASED : err;
}

int store_view_erased(const struct store_view *v, uint64_t index, struct store_erasure *ret, unsigned max,
                      unsigned *ret_n)
{
	uint8_t buf[INDEX_KEY_SIZE];
	const void *value = NULL;
	size_t len = 0;
	int err = v->store->has_erased ? view_get(v, DB_ERASED, store_index_key(buf, index), &value, &len)
	                               : CS_ERR_NOT_FOUND;

	*ret_n = 0;
	if (err)
		return err == CS_ERR_NOT_FOUND ? CS_OK : err;
	return store_erasures_read(index, value, len, ret, max, ret_n);
}

int store_view_each_erased(const struct store_view *v, uint64_t first,
                           int (*f)(void *ctx, const struct store_erasure *e), void *ctx)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, first), value;
	MDB_cursor *cursor;
	int err = 0;

	if (!v->live)
		return CS_ERR_INVALID;
	if (!v->store->has_erased)
		return CS_OK;
	int rc = mdb_cursor_open(v->txn, v->store->db[DB_ERASED], &cursor);
	if (rc)
		return store_error(rc);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); !rc && !err;
	     rc = err ? 0 : mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		struct store_erasure e[STORE_ERASURES_MAX];
		unsigned n = 0;
		err = key.mv_size != INDEX_KEY_SIZE ? CS_ERR_DAMAGED
		                                    : store_erasures_read(get_u64be(key.mv_data), value.mv_data,
		                                                          value.mv_size, e, STORE_ERASURES_MAX, &n);
		for (unsigned i = 0; i < n && !err; i++)
			err = f(ctx, &e[i]);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? store_error(rc) : err;
}

static int check_body(const void *leaf, size_t leaf_len, const void *body, size_t body_len)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n;
	int err = entry_decode(&e, leaf, leaf_len);

	if (!err)
		err = body_decode(fields, &n, body, body_len);
	return err ? err : body_check(&e, fields, n);
}

int store_view_check(const struct store_view *v, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                     size_t body_len)
{
	struct hash tile[TREE_TILE_WIDTH], found;
	unsigned at = (unsigned)(index % TREE_TILE_WIDTH);
	int err =
	        v->live ? store_read_tile(v->store, v->txn, 0, index / TREE_TILE_WIDTH, at + 1, tile) : CS_ERR_INVALID;

	if (err)
		return err == CS_ERR_NOT_FOUND ? CS_ERR_DAMAGED : err;
	hash_leaf(&found, leaf, leaf_len);
	if (!hash_equal(&found, &tile[at]))
		return CS_ERR_DAMAGED;
	/* An empty body: the entry keeps nothing private. */
	return body && body_len && check_body(leaf, leaf_len, body, body_len) ? CS_ERR_DAMAGED : CS_OK;
}

int store_view_meta(const struct store_view *v, const char *name, const void **ret, size_t *ret_len)
{
	MDB_val key = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};

	return view_get(v, DB_META, key, ret, ret_len);
}

static int view_checkpoint(const struct store_view *v, MDB_cursor_op op, uint64_t size_min, uint64_t *ret_size,
                           const void **ret_note, size_t *ret_len)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, size_min);
	MDB_val value;
	MDB_cursor *cursor;

	if (!v->live)
		return CS_ERR_INVALID;
	int rc = mdb_cursor_open(v->txn, v->store->db[DB_CHECKPOINTS], &cursor);
	if (rc)
		return store_error(rc);
	rc = mdb_cursor_get(cursor, &key, &value, op);
	mdb_cursor_close(cursor);
	if (rc)
		return store_error(rc);
	if (key.mv_size != INDEX_KEY_SIZE)
		return CS_ERR_DAMAGED;
	*ret_size = get_u64be(key.mv_data);
	*ret_note = value.mv_data;
	*ret_len = value.mv_size;
	return CS_OK;
}

int store_view_checkpoint(const struct store_view *v, uint64_t size_min, uint64_t *ret_size, const void **ret_note,
                          size_t *ret_len)
{
	return view_checkpoint(v, MDB_SET_RANGE, size_min, ret_size, ret_note, ret_len);
}

int store_view_checkpoint_last(const struct store_view *v, uint64_t *ret_size, const void **ret_note, size_t *ret_len)
{
	return view_checkpoint(v, MDB_LAST, 0, ret_size, ret_note, ret_len);
}

static int view_tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct store_view *v = ctx;

	return v->live ? store_read_tile(v->store, v->txn, level, n, width, out) : CS_ERR_INVALID;
}

void store_view_tiles(const struct store_view *v, struct tree_tiles *ret)
{
	*ret = (struct tree_tiles){.read = view_tile_read, .ctx = (void *)(uintptr_t)v};
}

uint64_t store_view_snapshot(const struct store_view *v)
{
	return v->live ? mdb_txn_id(v->txn) : 0;
}

static int each_state(const struct store *s, MDB_txn *txn, const void *after, size_t after_len,
                      int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                      void *ctx)
{
	MDB_cursor *cursor;
	MDB_val key = {.mv_size = after_len, .mv_data = (void *)(uintptr_t)after}, value;
	int result = CS_OK;
	int rc = mdb_cursor_open(txn, s->db[DB_STATE], &cursor);

	if (rc)
		return store_error(rc);
	rc = mdb_cursor_get(cursor, &key, &value, after_len ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && after_len && key.mv_size == after_len && memcmp(key.mv_data, after, after_len) == 0)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	while (!rc && !result) {
		result = f(ctx, key.mv_data, key.mv_size, value.mv_data, value.mv_size);
		if (!result)
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? store_error(rc) : result;
}

int store_each_state(struct store *s,
                     int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                     void *ctx)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return store_error(rc);
	int err = each_state(s, txn, NULL, 0, f, ctx);
	mdb_txn_abort(txn);
	return err;
}

int store_view_each_state(const struct store_view *v,
                          int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                          void *ctx)
{
	return store_view_state_after(v, NULL, 0, f, ctx);
}

int store_view_state_after(const struct store_view *v, const void *after, size_t after_len,
                           int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                           void *ctx)
{
	return v->live ? each_state(v->store, v->txn, after, after_len, f, ctx) : CS_ERR_INVALID;
}

static int sum_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	if (key_len == 0)
		return CS_ERR_DAMAGED;
	multiset_add(ctx, *(const uint8_t *)key, value, value_len);
	return CS_OK;
}

int store_sum_records(const struct store *s, MDB_txn *txn, struct multiset *ret)
{
	*ret = (struct multiset){0};
	return each_state(s, txn, NULL, 0, sum_record, ret);
}

int store_read_sum(const struct store *s, MDB_txn *txn, struct multiset *ret)
{
	MDB_val sum_key = {.mv_size = strlen(META_SUM), .mv_data = META_SUM}, sum;
	MDB_val state_key = {.mv_size = strlen(META_STATE), .mv_data = META_STATE}, state;
	int rc = mdb_get(txn, s->db[DB_META], &sum_key, &sum);

	if (!rc)
		rc = mdb_get(txn, s->db[DB_META], &state_key, &state);
	if (rc)
		return store_error(rc);
	if (sum.mv_size != META_SUM_SIZE || state.mv_size != META_STATE_SIZE)
		return CS_ERR_DAMAGED;
	if (memcmp(sum.mv_data, state.mv_data, META_STATE_SIZE) != 0)
		return CS_ERR_NOT_FOUND;
	multiset_read(ret, (const uint8_t *)sum.mv_data + META_STATE_SIZE);
	return CS_OK;
}

int store_view_sums(const struct store_view *v, struct multiset *ret_found, struct multiset *ret_stored)
{
	int err = v->live ? store_sum_records(v->store, v->txn, ret_found) : CS_ERR_INVALID;

	return err ? err : store_read_sum(v->store, v->txn, ret_stored);
}

int store_view_state_digest(const struct store_view *v, struct hash *ret)
{
	struct multiset sum;
	int err = v->live ? store_read_sum(v->store, v->txn, &sum) : CS_ERR_INVALID;

	if (!err)
		multiset_digest(&sum, ret);
	return err;
}

int store_view_state_index(const struct store_view *v, uint64_t *ret_index, uint64_t *ret_term)
{
	const void *value;
	size_t len;
	int err = store_view_meta(v, META_STATE, &value, &len);

	if (err)
		return err;
	if (len != META_STATE_SIZE)
		return CS_ERR_DAMAGED;
	*ret_index = get_u64be(value);
	*ret_term = get_u64be((const uint8_t *)value + 8);
	return CS_OK;
}
