/* A store as a node makes it: private fields that open their commitments, a state, records of the node's own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_real.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"

void store_real_make(uint64_t index, const struct hash *prev, uint8_t *leaf, size_t *leaf_len, uint8_t *body,
                     size_t *body_len)
{
	static struct entry_builder b;
	uint8_t seed[SEED_SIZE] = {(uint8_t)index, (uint8_t)(index >> 8)}, value[64];
	static const unsigned kinds[STORE_REAL_FIELDS] = {FIELD_SUBJECT, FIELD_ACTION, FIELD_TEXT};
	struct writer w;

	entry_builder_init(&b, index, ENTRY_DECISION, 1000 + index, prev, seed);
	writer_array(&b.public_, 0);
	for (unsigned i = 0; i < STORE_REAL_FIELDS && (index < 16 || index % 16 == 0); i++) {
		writer_init(&w, value, sizeof value);
		writer_cstr(&w, &"some private text"[index % 7]);
		entry_builder_field(&b, kinds[i], value, w.len);
	}
	assert_int_equal(entry_builder_finish(&b, leaf, leaf_len, body, body_len), 0);
}

int store_real_append(struct store *s, unsigned n)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	struct store_head head;
	int err = 0;

	store_head(s, &head);
	struct hash prev = head.last_leaf;
	for (unsigned i = 0; i < n && !err; i++) {
		struct store_entry e = {.leaf = leaf, .body = body};
		size_t leaf_len, body_len;
		store_real_make(head.size + i, &prev, leaf, &leaf_len, body, &body_len);
		e.leaf_len = (uint32_t)leaf_len;
		e.body_len = (uint32_t)body_len;
		hash_leaf(&e.leaf_hash, leaf, leaf_len);
		prev = e.leaf_hash;
		err = store_append(s, head.size + i, &e, 1);
	}
	return err;
}

int store_real_commit(struct store *s, unsigned n)
{
	struct store_head head;
	char word[16];
	int err = store_begin(s);

	if (err)
		return err;
	store_head(s, &head);
	snprintf(word, sizeof word, "at %u", (unsigned)head.size + n);
	err = store_real_append(s, n);
	if (!err)
		err = store_applied(s, head.applied_index + 1, 1);
	if (!err)
		err = store_put_meta(s, "of the node", word, strlen(word));
	if (!err)
		return store_commit(s);
	store_abort(s);
	return err;
}

int store_real_state(struct store *s)
{
	struct store_head head;
	char value[32];

	store_head(s, &head);
	snprintf(value, sizeof value, "of %u entries", (unsigned)head.size);
	const struct store_record records[] = {
	        {"H00000000", value, 9, (uint32_t)strlen(value)},
	        {"S00000001", "a subject", 9, 9},
	        {"S00000002", head.size % 2 ? "another" : NULL, 9, head.size % 2 ? 7 : 0}};
	return store_write_state(s, records, 3, head.applied_index, 1);
}

size_t store_real_note(const char *origin, uint64_t size, const struct hash *root, char *note)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = {7};
	uint8_t pub[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
	struct checkpoint c = {.size = size, .root = *root};
	struct note_key key;
	size_t text_len, len;

	snprintf(c.origin, sizeof c.origin, "%s", origin);
	crypto_sign_seed_keypair(pub, sk, seed);
	assert_int_equal(note_key_init(&key, origin, NOTE_KEY_ED25519, pub), 0);
	assert_int_equal(checkpoint_format(&c, note, LIMIT_NOTE_SIZE_MAX, &text_len), 0);
	len = text_len;
	note[len++] = '\n';
	assert_int_equal(note_sign(&key, sk, note, text_len, note, LIMIT_NOTE_SIZE_MAX, &len), 0);
	return len;
}

/* --- the scrubber --- */

struct finds {
	unsigned n;
	char *text;
};

static void on_found(void *ctx, const struct scrub_find *f)
{
	struct finds *g = ctx;

	if (g->n++ == 0 && g->text)
		scrub_find_text(f, g->text, STORE_REAL_TEXT);
}

unsigned store_real_scrub(char text[STORE_REAL_TEXT])
{
	struct scrub *s = calloc(1, sizeof *s);
	struct finds g = {.text = text};
	struct pages_file file;
	char path[512];

	assert_non_null(s);
	store_kit_file_path(path, sizeof path, "data.mdb");
	assert_int_equal(pages_file_open(path, false, &file), 0);
	const struct pages_source source = {.read = pages_file_read, .ctx = &file};
	s->found = on_found;
	s->ctx = &g;
	int err = scrub_begin(s, &source, 0, NULL);
	if (!err)
		err = scrub_all(s);
	scrub_end(s);
	free(s);
	pages_file_close(&file);
	if (text && g.n == 0)
		snprintf(text, STORE_REAL_TEXT, "%s", err ? err_text(err) : "nothing");
	return g.n + (err != 0);
}

/* --- LMDB alone --- */

static MDB_env *open_env(MDB_txn **ret, const char *db, MDB_dbi *ret_db)
{
	MDB_env *env;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, DB_COUNT + 2), 0);
	assert_int_equal(mdb_env_open(env, store_kit_folder, MDB_NOSYNC, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, ret), 0);
	assert_int_equal(mdb_dbi_open(*ret, db, MDB_CREATE, ret_db), 0);
	return env;
}

size_t store_real_get(const char *db, const void *key, size_t key_len, void *buf, size_t cap)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_env *env = open_env(&txn, db, &dbi);

	assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
	memcpy(buf, v.mv_data, v.mv_size < cap ? v.mv_size : cap);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return v.mv_size;
}

void store_real_put(const char *db, const void *key, size_t key_len, const void *value, size_t len)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {len, (void *)(uintptr_t)value};
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_env *env = open_env(&txn, db, &dbi);

	assert_int_equal(value ? mdb_put(txn, dbi, &k, &v, 0) : mdb_del(txn, dbi, &k, NULL), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

void store_real_damage(const char *db, const void *key, size_t key_len, size_t at, uint8_t bits)
{
	uint8_t bytes[TREE_TILE_WIDTH * HASH_SIZE];
	size_t len = store_real_get(db, key, key_len, bytes, sizeof bytes);

	assert_true(len <= sizeof bytes && at < len);
	bytes[at] ^= bits;
	store_real_put(db, key, key_len, bytes, len);
}

void store_real_copy_put(uint8_t copy[META_COPY_SIZE])
{
	static const char domain[] = "countersign/store/copy/v1"; /* FORMAT.md */
	struct hasher h;
	struct hash hash;

	hasher_init(&h);
	hasher_update(&h, domain, sizeof domain);
	hasher_update(&h, copy, META_COPY_SIZE - HASH_SIZE);
	hasher_final(&h, &hash);
	memcpy(copy + META_COPY_SIZE - HASH_SIZE, hash.b, HASH_SIZE);
	store_real_put("meta", "copy", 4, copy, META_COPY_SIZE);
}
