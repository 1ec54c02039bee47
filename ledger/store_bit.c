/* Hashes as codes that correct one bit: what a record would have to be is known, and it is nearly that. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/store_internal.h"

#define OTHER_SIZE_MAX 64 /* Of the node's own records in meta: short, or not tried. */

struct search {
	struct store *store;
	struct multiset found; /* Of the records as they are. */
	uint64_t tries;
	bool hit;
	size_t key_len, value_len;
	uint8_t key[512];
	uint8_t *value; /* The record as it was, when hit. */
};

static int search_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct search *q = ctx;
	const uint8_t kind = *(const uint8_t *)key;
	struct multiset others = q->found;

	q->tries += 8 * (uint64_t)value_len;
	if (q->tries > STORE_STATE_TRIES)
		return CS_ERR_DAMAGED;
	uint8_t *copy = malloc(value_len + 1);
	if (!copy)
		return CS_ERR_NOMEM;
	memcpy(copy, value, value_len);
	multiset_remove(&others, kind, value, value_len);
	for (size_t bit = 0; bit < 8 * value_len && !q->hit; bit++) {
		struct multiset sum = others;
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		multiset_add(&sum, kind, copy, value_len);
		q->hit = memcmp(&sum, &q->store->sum, sizeof sum) == 0;
		if (!q->hit)
			copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (!q->hit) {
		free(copy);
		return CS_OK;
	}
	q->value = copy;
	q->value_len = value_len;
	q->key_len = key_len;
	memcpy(q->key, key, key_len);
	return CS_ERR_EXISTS; /* Ends the walk. */
}

/* The sum, which is in memory, is that of the record as it was: only the record is written. */
static int turn_back(struct store *s, const struct search *q)
{
	MDB_val key = {.mv_size = q->key_len, .mv_data = (void *)(uintptr_t)q->key};
	MDB_val value = {.mv_size = q->value_len, .mv_data = q->value};
	int err = store_begin(s);

	if (err)
		return err;
	err = store_error(mdb_put(s->txn, s->db[DB_STATE], &key, &value, 0));
	return err ? store_give_up(s, err) : store_commit(s);
}

int store_mend_state(struct store *s)
{
	struct search *q = calloc(1, sizeof *q);
	MDB_txn *txn;
	int err = q ? CS_OK : CS_ERR_NOMEM, rc;

	if (!err && (rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn)) != 0)
		err = store_error(rc);
	if (err) {
		free(q);
		return err;
	}
	q->store = s;
	err = store_sum_records(s, txn, &q->found);
	mdb_txn_abort(txn);
	if (!err)
		err = store_each_state(s, search_record, q);
	if (err == CS_ERR_EXISTS)
		err = turn_back(s, q);
	else if (!err)
		err = CS_ERR_DAMAGED;
	free(q->value);
	free(q);
	return err;
}

/* --- records of the node's own --- */

/* The value of one record with a bit turned, and all others as they are: is that what was stored? */
static int others_try(struct store *s, MDB_txn *txn, MDB_val key, MDB_val value, const struct hash *want)
{
	uint8_t *copy = malloc(value.mv_size + 1), *name = malloc(key.mv_size + 1);
	MDB_val k = {.mv_size = key.mv_size, .mv_data = name}, v = {.mv_size = value.mv_size, .mv_data = copy};
	int err = copy && name ? CS_ERR_DAMAGED : CS_ERR_NOMEM;
	struct hash hash;

	if (err == CS_ERR_DAMAGED) {
		memcpy(copy, value.mv_data, value.mv_size);
		memcpy(name, key.mv_data, key.mv_size);
	}
	for (size_t bit = 0; bit < 8 * value.mv_size && err == CS_ERR_DAMAGED; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int failed = store_error(mdb_put(txn, s->db[DB_META], &k, &v, 0));
		failed = failed ? failed : store_copy_others(s, txn, NULL, &hash);
		if (failed) /* With a bit that may be turned: not the same as that no bit fits. */
			err = failed == CS_ERR_DAMAGED ? CS_ERR_IO : failed;
		else if (hash_equal(&hash, want))
			err = CS_OK;
		else
			copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (err == CS_ERR_DAMAGED && mdb_put(txn, s->db[DB_META], &k, &v, 0))
		err = CS_ERR_IO;
	free(name);
	free(copy);
	return err;
}

int store_mend_others(struct store *s, MDB_txn *txn, const struct hash *want)
{
	static const char *const own[] = {META_HEAD, META_STATE, META_SUM, META_COPY};
	MDB_cursor *cursor;
	MDB_val key, value;
	struct hash hash;
	int err = store_copy_others(s, txn, NULL, &hash), rc;

	if (err || hash_equal(&hash, want))
		return err;
	rc = mdb_cursor_open(txn, s->db[DB_META], &cursor);
	if (rc)
		return store_error(rc);
	err = CS_ERR_DAMAGED;
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); !rc && err == CS_ERR_DAMAGED;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		bool mine = value.mv_size > OTHER_SIZE_MAX;
		for (size_t i = 0; i < sizeof own / sizeof *own; i++)
			mine |= key.mv_size == strlen(own[i]) && memcmp(key.mv_data, own[i], key.mv_size) == 0;
		if (!mine)
			err = others_try(s, txn, key, value, want);
	}
	mdb_cursor_close(cursor);
	return err;
}

/* --- entries and private fields --- */

int store_bit_put(struct store *s, enum store_db db, uint64_t index,
                  bool (*hits)(const void *ctx, const uint8_t *bytes, size_t len), const void *ctx)
{
	uint8_t buf[INDEX_KEY_SIZE], copy[STORE_BIT_SIZE_MAX];
	MDB_val key = store_index_key(buf, index), value;
	int rc = mdb_get(s->txn, s->db[db], &key, &value);

	if (rc || value.mv_size > sizeof copy)
		return rc && rc != MDB_NOTFOUND ? store_error(rc) : CS_ERR_DAMAGED;
	memcpy(copy, value.mv_data, value.mv_size);
	value.mv_data = copy;
	if (hits(ctx, copy, value.mv_size)) /* It was mended before. */
		return CS_OK;
	for (size_t bit = 0; bit < 8 * value.mv_size; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (hits(ctx, copy, value.mv_size))
			return store_error(mdb_put(s->txn, s->db[db], &key, &value, 0));
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	return CS_ERR_DAMAGED;
}
