/* Erasing in the store: fields out of bodies, and the note of which entry erased them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/store_internal.h"

#define NOTE_SIZE 16 /* The entry that erased, the fields: u64be each. */

int store_erasures_read(uint64_t index, const void *value, size_t len, struct store_erasure *ret, unsigned max,
                        unsigned *ret_n)
{
	const uint8_t *p = value;

	*ret_n = 0;
	if (len == 0 || len % NOTE_SIZE != 0 || len / NOTE_SIZE > STORE_ERASURES_MAX)
		return CS_ERR_DAMAGED;
	for (size_t i = 0; i < len / NOTE_SIZE && *ret_n < max; i++, p += NOTE_SIZE)
		ret[(*ret_n)++] = (struct store_erasure){index, get_u64be(p), get_u64be(p + 8)};
	return CS_OK;
}

/* Into the list of this entry's erasures; each erasure once, with all that it took. */
static int note(struct store *s, MDB_txn *txn, const struct store_erasure *e)
{
	struct store_erasure all[STORE_ERASURES_MAX + 1];
	uint8_t key_buf[INDEX_KEY_SIZE], value[STORE_ERASURES_MAX * NOTE_SIZE];
	MDB_val key = store_index_key(key_buf, e->index), data;
	unsigned n = 0, at = 0;
	int rc = mdb_get(txn, s->db[DB_ERASED], &key, &data);

	if (rc && rc != MDB_NOTFOUND)
		return store_error(rc);
	if (!rc && store_erasures_read(e->index, data.mv_data, data.mv_size, all, STORE_ERASURES_MAX, &n))
		return CS_ERR_DAMAGED;
	while (at < n && all[at].by < e->by)
		at++;
	if (at == STORE_ERASURES_MAX)
		at--;
	if (at < n && (all[at].by == e->by || n == STORE_ERASURES_MAX)) {
		all[at].fields |= e->fields;
	} else {
		memmove(&all[at + 1], &all[at], (n - at) * sizeof *all);
		all[at] = *e;
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		put_u64be(value + (size_t)i * NOTE_SIZE, all[i].by);
		put_u64be(value + (size_t)i * NOTE_SIZE + 8, all[i].fields);
	}
	data = (MDB_val){.mv_size = (size_t)n * NOTE_SIZE, .mv_data = value};
	return store_error(mdb_put(txn, s->db[DB_ERASED], &key, &data, 0));
}

/* The body without these fields; 0 in *ret_len: nothing is left of it. False: it has none of them. */
static bool body_without(const MDB_val *body, uint64_t erased, uint8_t *buf, size_t *ret_len, int *ret_err)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n = 0, left = 0;
	struct writer w;

	*ret_len = 0;
	*ret_err = 0;
	if (erased == STORE_ERASED_ALL || body->mv_size == 0)
		return body->mv_size > 0;
	*ret_err = body_decode(fields, &n, body->mv_data, body->mv_size);
	for (unsigned i = 0; i < n; i++)
		if (fields[i].kind > 63 || !(erased & UINT64_C(1) << fields[i].kind))
			fields[left++] = fields[i];
	if (*ret_err || left == n)
		return false;
	if (left == 0)
		return true;
	writer_init(&w, buf, LIMIT_BODY_SIZE_MAX);
	writer_array(&w, left);
	for (unsigned i = 0; i < left; i++) {
		writer_array(&w, 3);
		writer_uint(&w, fields[i].kind);
		writer_bin(&w, fields[i].salt, SALT_SIZE);
		writer_bin(&w, fields[i].value, fields[i].value_len);
	}
	*ret_err = writer_end(&w, ret_len);
	return true;
}

static int erase_one(struct store *s, MDB_txn *txn, const struct store_erasure *e, uint8_t *buf, uint64_t *changed)
{
	uint8_t key_buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(key_buf, e->index), body;
	MDB_val rest = {.mv_data = buf};
	int rc = mdb_get(txn, s->db[DB_BODIES], &key, &body), err;

	if (rc == MDB_NOTFOUND)
		return note(s, txn, e);
	if (rc)
		return store_error(rc);
	bool less = body_without(&body, e->fields, buf, &rest.mv_size, &err);
	if (err)
		return CS_ERR_DAMAGED;
	*changed += less;
	if (rest.mv_size > 0)
		rc = mdb_put(txn, s->db[DB_BODIES], &key, &rest, 0);
	else if (less || (body.mv_size == 0 && e->fields == STORE_ERASED_ALL)) /* Or erased where it came from. */
		rc = mdb_del(txn, s->db[DB_BODIES], &key, NULL);
	return rc ? store_error(rc) : note(s, txn, e);
}

int store_erase(struct store *s, const struct store_erasure *e, size_t n, uint64_t *ret_changed)
{
	uint8_t *buf = malloc(LIMIT_BODY_SIZE_MAX);
	MDB_txn *txn = NULL;
	int rc, err = 0;

	*ret_changed = 0;
	if (s->read_only || s->txn || !buf) {
		free(buf);
		return buf ? CS_ERR_INVALID : CS_ERR_NOMEM;
	}
	err = s->dead ? CS_ERR_IO : store_error(mdb_txn_begin(s->env, NULL, 0, &txn));
	for (size_t i = 0; i < n && !err; i++)
		err = e[i].index < s->head.size && e[i].fields ? erase_one(s, txn, &e[i], buf, ret_changed)
		                                               : CS_ERR_INVALID;
	sodium_memzero(buf, LIMIT_BODY_SIZE_MAX);
	free(buf);
	if (err) {
		if (txn)
			mdb_txn_abort(txn);
		s->dead = s->dead || err == CS_ERR_IO;
		return err;
	}
	rc = mdb_txn_commit(txn);
	if (rc == MDB_MAP_FULL)
		return CS_ERR_DISK_FULL;
	s->dead = rc != 0;
	pthread_mutex_lock(&s->lock);
	s->erasures++;
	pthread_mutex_unlock(&s->lock);
	return rc ? CS_ERR_IO : CS_OK;
}

int store_append_erased(struct store *s, const struct store_erasure *e, size_t n)
{
	uint64_t changed = 0;

	if (!s->txn)
		return CS_ERR_INVALID;
	if (s->txn_err)
		return s->txn_err;
	uint8_t *buf = malloc(LIMIT_BODY_SIZE_MAX);
	int err = buf ? 0 : CS_ERR_NOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = e[i].index >= s->head.size && e[i].index < s->next.size
		              ? erase_one(s, s->txn, &e[i], buf, &changed)
		              : CS_ERR_INVALID;
	if (buf)
		sodium_memzero(buf, LIMIT_BODY_SIZE_MAX);
	free(buf);
	s->txn_err = err;
	s->dead = err == CS_ERR_IO;
	return err;
}
