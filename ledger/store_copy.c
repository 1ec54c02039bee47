/* The copy of what meta says: 88 bytes about the ledger are not protected by its tree, and by nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/store_internal.h"

#define COPY_DOMAIN "countersign/store/copy/v1"
#define COPY_HASHED (META_COPY_SIZE - HASH_SIZE)

void store_head_encode(const struct store_head *h, uint8_t ret[META_HEAD_SIZE])
{
	put_u64be(ret, h->size);
	put_u64be(ret + 8, h->applied_index);
	put_u64be(ret + 16, h->applied_term);
	memcpy(ret + 24, h->root.b, HASH_SIZE);
	memcpy(ret + 24 + HASH_SIZE, h->last_leaf.b, HASH_SIZE);
}

void store_head_decode(const uint8_t bytes[META_HEAD_SIZE], struct store_head *ret)
{
	ret->size = get_u64be(bytes);
	ret->applied_index = get_u64be(bytes + 8);
	ret->applied_term = get_u64be(bytes + 16);
	memcpy(ret->root.b, bytes + 24, HASH_SIZE);
	memcpy(ret->last_leaf.b, bytes + 24 + HASH_SIZE, HASH_SIZE);
}

static void copy_hash(const uint8_t bytes[META_COPY_SIZE], struct hash *ret)
{
	struct hasher h;

	hasher_init(&h);
	hasher_update(&h, COPY_DOMAIN, sizeof COPY_DOMAIN); /* With its NUL. */
	hasher_update(&h, bytes, COPY_HASHED);
	hasher_final(&h, ret);
}

int store_copy_decode(const uint8_t bytes[META_COPY_SIZE], struct store_copy *ret)
{
	struct hash hash;

	copy_hash(bytes, &hash);
	if (memcmp(hash.b, bytes + COPY_HASHED, HASH_SIZE) != 0)
		return CS_ERR_DAMAGED;
	store_head_decode(bytes, &ret->head);
	memcpy(ret->state, bytes + META_HEAD_SIZE, META_STATE_SIZE);
	memcpy(ret->sum.b, bytes + META_HEAD_SIZE + META_STATE_SIZE, HASH_SIZE);
	memcpy(ret->others.b, bytes + META_HEAD_SIZE + META_STATE_SIZE + HASH_SIZE, HASH_SIZE);
	return CS_OK;
}

static bool is(const void *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

static void feed(struct hasher *h, const void *bytes, size_t len)
{
	uint8_t head[4];

	put_u32be(head, (uint32_t)len);
	hasher_update(h, head, sizeof head);
	hasher_update(h, bytes, len);
}

void store_copy_other(struct hasher *h, const void *key, size_t key_len, const void *value, size_t value_len)
{
	if (is(key, key_len, META_HEAD) || is(key, key_len, META_STATE) || is(key, key_len, META_SUM) ||
	    is(key, key_len, META_COPY))
		return;
	feed(h, key, key_len);
	feed(h, value, value_len);
}

/* What is written is what this process knows, not what it reads: a commit must not take damage for what was meant. */
int store_copy_put(struct store *s, MDB_txn *txn, const struct store_head *h, uint64_t index, uint64_t term,
                   const struct multiset *sum)
{
	uint8_t bytes[META_COPY_SIZE], record[META_SUM_SIZE], *p = bytes;
	struct hash hash;

	store_head_encode(h, p);
	p += META_HEAD_SIZE;
	put_u64be(p, index);
	put_u64be(p + 8, term);
	memcpy(record, p, META_STATE_SIZE);
	p += META_STATE_SIZE;
	multiset_write(sum, record + META_STATE_SIZE);
	hash_bytes(&hash, record, sizeof record);
	memcpy(p, hash.b, HASH_SIZE);
	memcpy(p + HASH_SIZE, s->others.b, HASH_SIZE);
	copy_hash(bytes, &hash);
	memcpy(bytes + COPY_HASHED, hash.b, HASH_SIZE);
	return store_meta_put(s, txn, META_COPY, bytes, sizeof bytes);
}

int store_copy_read(const struct store *s, MDB_txn *txn, struct store_copy *ret)
{
	MDB_val key = {.mv_size = strlen(META_COPY), .mv_data = META_COPY}, value;
	int rc = mdb_get(txn, s->db[DB_META], &key, &value);

	if (rc)
		return store_error(rc);
	return value.mv_size == META_COPY_SIZE ? store_copy_decode(value.mv_data, ret) : CS_ERR_DAMAGED;
}

int store_copy_others(const struct store *s, MDB_txn *txn, const char *format, struct hash *ret)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct hasher others;
	int rc = mdb_cursor_open(txn, s->db[DB_META], &cursor);

	if (rc)
		return store_error(rc);
	hasher_init(&others);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (!rc) {
		if (format && is(key.mv_data, key.mv_size, META_FORMAT))
			store_copy_other(&others, key.mv_data, key.mv_size, format, strlen(format));
		else
			store_copy_other(&others, key.mv_data, key.mv_size, value.mv_data, value.mv_size);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	hasher_final(&others, ret);
	return rc == MDB_NOTFOUND ? CS_OK : store_error(rc);
}
