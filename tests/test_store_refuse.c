/* Tests of what the store's writer refuses, and of rewrites of a store that is not what it should be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "tests/store_real.h"

#define SIZE 300

static const struct store_options plain = {.map_size = MAP_SIZE}, reader = {.read_only = true};
static uint8_t large[LIMIT_BODY_SIZE_MAX + 1];

static struct store *filled(void)
{
	struct store *s = store_kit_writer_open();

	assert_int_equal(store_real_commit(s, SIZE), 0);
	assert_int_equal(store_real_state(s), 0);
	return s;
}

/* --- a transaction's calls --- */

static void test_no_transaction(void **state)
{
	const struct store_erasure e = {0, 1, 2};

	(void)state;
	struct store *s = filled();
	/* Neither with what an earlier one came to. */
	assert_int_equal(store_begin(s), 0);
	const struct store_entry big = {.leaf = large, .leaf_len = sizeof large, .body = ""};
	assert_int_equal(store_append(s, SIZE, &big, 1), CS_ERR_TOO_LARGE);
	store_abort(s);
	assert_int_equal(store_append(s, SIZE, &big, 1), CS_ERR_INVALID);
	assert_int_equal(store_append_erased(s, &e, 1), CS_ERR_INVALID);
	assert_int_equal(store_applied(s, 9, 9), CS_ERR_INVALID);
	assert_int_equal(store_put_checkpoint(s, 1, "x", 1), CS_ERR_INVALID);
	assert_int_equal(store_commit(s), CS_ERR_INVALID);
	store_abort(s);
	store_close(s);
}

/* What nobody has committed is not there, however it ends. */
static void test_closed_in_between(void **state)
{
	struct store_head before, after;

	(void)state;
	struct store *s = filled();
	store_head(s, &before);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_real_append(s, 5), 0);
	store_close(s);
	assert_int_equal(store_open(store_kit_folder, &plain, &s), 0);
	store_head(s, &after);
	assert_memory_equal(&before, &after, sizeof after);
	store_close(s);
}

/* A tile of the edge that is damaged meanwhile: the tree is not taken back to a root that was never the ledger's. */
static void test_taken_back(void **state)
{
	static const struct hash wrong[SIZE % TREE_TILE_WIDTH];
	MDB_txn *txn;

	(void)state;
	struct store *s = filled();
	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(store_tile_put(s, txn, 0, 1, SIZE % TREE_TILE_WIDTH, wrong), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	const struct store_mend refused = {.what = MEND_ENTRY, .index = 5, .bytes = "another", .len = 7};
	assert_int_equal(store_mend(s, &refused), CS_ERR_REFUTED); /* It takes back nothing. */
	assert_int_equal(store_begin(s), 0);
	store_abort(s);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_real_append(s, 5), 0);
	store_abort(s);
	assert_int_equal(store_begin(s), CS_ERR_IO);
	store_close(s);
}

static void test_arguments(void **state)
{
	static const char *const own[] = {"format", "head", "state", "sum", "copy", ""};
	char name[513];

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	struct store *s = filled();
	assert_int_equal(store_begin(s), 0);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		assert_int_equal(store_put_meta(s, own[i], "x", 1), CS_ERR_INVALID);
	assert_int_equal(store_put_meta(s, name, "x", 1), CS_ERR_INVALID);
	assert_int_equal(store_put_meta(s, name + 1, "x", 1), 0); /* LMDB's longest. */
	assert_int_equal(store_put_checkpoint(s, 1, "", 0), CS_ERR_INVALID);
	assert_int_equal(store_put_checkpoint(s, SIZE + 1, "x", 1), CS_ERR_INVALID);
	assert_int_equal(store_put_checkpoint(s, 1, large, LIMIT_NOTE_SIZE_MAX + 1), CS_ERR_TOO_LARGE);
	assert_int_equal(store_applied(s, 0, 9), CS_ERR_INVALID);
	assert_int_equal(store_applied(s, 9, 0), CS_ERR_INVALID);
	/* None of that has spoilt the transaction; a bad entry does, and each call then says so. */
	assert_int_equal(store_commit(s), 0);
	static const struct {
		uint32_t leaf_len, body_len;
		int err;
	} bad[] = {{0, 0, CS_ERR_INVALID},
	           {LIMIT_ENTRY_SIZE_MAX + 1, 0, CS_ERR_TOO_LARGE},
	           {1, LIMIT_BODY_SIZE_MAX + 1, CS_ERR_TOO_LARGE}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct store_entry e = {
		        .leaf = large, .body = large, .leaf_len = bad[i].leaf_len, .body_len = bad[i].body_len};
		const struct store_erasure x = {SIZE, 1, 2};
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_append(s, SIZE, &e, 1), bad[i].err);
		assert_int_equal(store_append(s, SIZE, &e, 0), bad[i].err);
		assert_int_equal(store_append_erased(s, &x, 1), bad[i].err);
		assert_int_equal(store_applied(s, 9, 9), bad[i].err);
		assert_int_equal(store_put_checkpoint(s, 1, "x", 1), bad[i].err);
		assert_int_equal(store_put_meta(s, "of the node", "x", 1), bad[i].err);
		assert_int_equal(store_commit(s), bad[i].err);
	}
	assert_int_equal(store_real_commit(s, 5), 0);
	store_close(s);
	assert_int_equal(store_real_scrub(NULL), 0); /* Nothing of all that is in it. */
}

static void test_reader(void **state)
{
	struct store_rewrite *r;
	uint64_t changed;
	struct store *s;

	(void)state;
	store_close(filled());
	assert_int_equal(store_open(store_kit_folder, &reader, &s), 0);
	assert_int_equal(store_begin(s), CS_ERR_INVALID);
	assert_int_equal(store_write_state(s, NULL, 0, 0, 0), CS_ERR_INVALID);
	assert_int_equal(store_erase(s, NULL, 0, &changed), CS_ERR_INVALID);
	assert_int_equal(store_sync(s), CS_ERR_INVALID);
	assert_int_equal(store_rewrite_begin(s, &r), CS_ERR_INVALID);
	store_close(s);
}

static void test_state_records(void **state)
{
	const struct store_record no_key[] = {{"", "x", 0, 1}}, long_key[] = {{large, "x", 512, 1}};
	struct hash before, after;

	(void)state;
	struct store *s = filled();
	store_state_digest(s, &before);
	assert_int_equal(store_write_state(s, no_key, 1, 1, 1), CS_ERR_INVALID);
	assert_int_equal(store_write_state(s, long_key, 1, 1, 1), CS_ERR_INVALID);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_write_state(s, NULL, 0, 1, 1), CS_ERR_INVALID);
	store_abort(s);
	store_state_digest(s, &after);
	assert_memory_equal(&before, &after, sizeof after);
	assert_int_equal(store_check_state(s), 0);
	store_close(s);
}

/* A map that is smaller than what is in it: all of it is read, and nothing can be written. */
static void test_no_room(void **state)
{
	const struct store_options o = {.map_size = 1 << 16};
	uint64_t left, size;
	struct store *s;

	(void)state;
	store_close(filled());
	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	store_room(s, &left, &size);
	assert_int_equal(left, 0);
	assert_true(size > o.map_size);
	while (store_real_commit(s, 100) == 0)
		;
	assert_int_equal(store_real_commit(s, 100), CS_ERR_DISK_FULL);
	int err = store_real_state(s);
	assert_true(err == 0 || err == CS_ERR_DISK_FULL);
	store_close(s);
	assert_int_equal(store_real_scrub(NULL), 0);
}

/* --- erasing --- */

static void put_erased(struct store *s, enum store_db db, uint64_t index, const void *value, size_t len)
{
	uint8_t key[INDEX_KEY_SIZE];
	MDB_val k = {sizeof key, key}, v = {len, (void *)(uintptr_t)value};
	MDB_txn *txn;

	put_u64be(key, index);
	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_put(txn, s->db[db], &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static int erase(struct store *s, uint64_t index, uint64_t by, uint64_t fields)
{
	const struct store_erasure e = {index, by, fields};
	uint64_t changed;

	return store_erase(s, &e, 1, &changed);
}

static void test_erasing(void **state)
{
	/* One field of the kind 200, which is no version's yet: only an erasure of all takes it. */
	static const uint8_t unknown[] = "\x91\x93\xcc\xc8\xc4\x10"
	                                 "0123456789abcdef"
	                                 "\xc4\x01\x05";
	struct store_erasure e[STORE_ERASURES_MAX];
	const void *body;
	size_t len;
	unsigned n;

	(void)state;
	struct store *s = filled();
	assert_int_equal(erase(s, 3, 400, 0), CS_ERR_INVALID);
	put_erased(s, DB_BODIES, 3, "malformed", 9);
	assert_int_equal(erase(s, 3, 400, 2), CS_ERR_DAMAGED);
	put_erased(s, DB_ERASED, 4, "no list", 7);
	assert_int_equal(erase(s, 4, 400, 2), CS_ERR_DAMAGED);
	put_erased(s, DB_BODIES, 5, unknown, sizeof unknown - 1);
	assert_int_equal(erase(s, 5, 400, STORE_ERASED_ALL - 1), 0);
	struct store_view *v;
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_view_body(v, 5, &body, &len), 0);
	assert_int_equal(len, sizeof unknown - 1);
	assert_int_equal(erase(s, 5, 401, STORE_ERASED_ALL), 0);
	put_erased(s, DB_BODIES, 6, "", 0); /* Keeps nothing private: an erasure of one field finds nothing. */
	assert_int_equal(erase(s, 6, 400, 2), 0);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_body(v, 5, &body, &len), CS_ERR_ERASED);
	assert_int_equal(store_view_body(v, 6, &body, &len), 0);
	assert_int_equal(store_view_body(v, 4, &body, &len), 0); /* Nothing was done of what failed. */
	const struct store_erasure old = {3, 400, 2};
	assert_int_equal(store_begin(s), 0); /* What comes with new entries is of those. */
	assert_int_equal(store_append_erased(s, &old, 1), CS_ERR_INVALID);
	assert_int_equal(store_commit(s), CS_ERR_INVALID);
	/* In any order, each once; more than there is room for go into the last. */
	for (unsigned i = 0; i < STORE_ERASURES_MAX + 3; i++)
		assert_int_equal(erase(s, 7, 1000 + i * 7 % (STORE_ERASURES_MAX + 3), 2), 0);
	assert_int_equal(erase(s, 7, 1003, 4), 0);
	assert_int_equal(erase(s, 7, 5000, 8), 0);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_erased(v, 7, e, STORE_ERASURES_MAX, &n), 0);
	assert_int_equal(n, STORE_ERASURES_MAX);
	assert_true(e[n - 1].fields & 8);
	for (unsigned i = 1; i < n; i++)
		assert_true(e[i - 1].by < e[i].by);
	store_view_close(v);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(erase(s, 7, 1, 2), CS_ERR_INVALID);
	store_abort(s);
	store_close(s);
}

/* --- rewrites --- */

static int rewrite(struct store *s, void (*meanwhile)(struct store *s))
{
	struct store_rewrite *r;
	int rv;

	assert_int_equal(store_rewrite_begin(s, &r), 0);
	while ((rv = store_rewrite_some(r)) == 0)
		;
	assert_int_equal(rv, 1);
	if (meanwhile)
		meanwhile(s);
	return store_rewrite_finish(s, r);
}

static void checkpoint(struct store *s, uint64_t size)
{
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_put_checkpoint(s, size, "x", 1), 0);
	assert_int_equal(store_commit(s), 0);
}

static void low_checkpoint(struct store *s)
{
	checkpoint(s, 7);
}

static void left_open(struct store *s)
{
	assert_int_equal(store_begin(s), 0);
}

static void other_head(struct store *s)
{
	uint8_t head[META_HEAD_SIZE];
	MDB_val k = {4, "head"}, v = {sizeof head, head};
	struct store_head h;
	MDB_txn *txn;

	store_head(s, &h);
	h.root.b[0] ^= 1;
	store_head_encode(&h, head);
	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_put(txn, s->db[DB_META], &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static void other_size(struct store *s)
{
	uint8_t head[META_HEAD_SIZE];
	MDB_val k = {4, "head"}, v = {sizeof head, head};
	struct store_head h;
	MDB_txn *txn;

	store_head(s, &h);
	h.size++;
	store_head_encode(&h, head);
	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_put(txn, s->db[DB_META], &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

/* The store goes on in the file that it had, and the next rewrite has no trouble with what this one left. */
static void test_rewrite_refused(void **state)
{
	(void)state;
	struct store *s = filled();
	checkpoint(s, 0); /* The first that there can be. */
	assert_int_equal(rewrite(s, NULL), 0);
	checkpoint(s, 250);
	assert_int_equal(rewrite(s, low_checkpoint), CS_ERR_DAMAGED); /* What it took is not all. */
	assert_int_equal(rewrite(s, left_open), CS_ERR_INVALID);
	store_abort(s);
	assert_int_equal(rewrite(s, NULL), 0);
	assert_int_equal(rewrite(s, other_head), CS_ERR_DAMAGED);
	assert_int_equal(rewrite(s, other_size), CS_ERR_DAMAGED);
	assert_int_equal(store_real_commit(s, 5), 0);
	assert_int_equal(rewrite(s, NULL), 0);
	put_erased(s, DB_CHECKPOINTS, 260, "x", 1);
	store_rewrite_abandon(NULL);
	store_close(s);
}

/* Something in its place that cannot be taken away. */
static void test_rewrite_in_the_way(void **state)
{
	struct store_rewrite *r = NULL;
	char fresh[300], inner[320];

	(void)state;
	struct store *s = filled();
	snprintf(fresh, sizeof fresh, "%s.new", store_kit_folder);
	snprintf(inner, sizeof inner, "%s/inner", fresh);
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(store_rewrite_begin(s, &r), CS_ERR_IO);
	assert_null(r);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rewrite(s, NULL), 0);
	store_close(s);
}

static void append_large(struct store *s)
{
	struct store_head head;
	struct store_entry e = {
	        .leaf = large, .body = large, .leaf_len = LIMIT_ENTRY_SIZE_MAX, .body_len = LIMIT_BODY_SIZE_MAX};

	store_head(s, &head);
	assert_int_equal(store_begin(s), 0);
	for (unsigned i = 0; i < 40; i++) {
		large[0] = (uint8_t)i;
		hash_leaf(&e.leaf_hash, large, e.leaf_len);
		assert_int_equal(store_append(s, head.size + i, &e, 1), 0);
	}
	assert_int_equal(store_commit(s), 0);
}

/* More than one transaction's worth, and again meanwhile. */
static void test_rewrite_chunks(void **state)
{
	struct store_head before, after;
	struct store_view *v;

	(void)state;
	struct store *s = store_kit_writer_open();
	append_large(s);
	assert_int_equal(rewrite(s, append_large), 0);
	store_head(s, &before);
	assert_int_equal(before.size, 80);
	store_close(s);
	assert_int_equal(store_open(store_kit_folder, &plain, &s), 0);
	store_head(s, &after);
	assert_memory_equal(&before, &after, sizeof after);
	assert_int_equal(store_view_open(s, &v), 0);
	store_kit_view_check(v);
	store_view_close(v);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_no_transaction),  STORE_TEST(test_closed_in_between),
	        STORE_TEST(test_taken_back),      STORE_TEST(test_arguments),
	        STORE_TEST(test_reader),          STORE_TEST(test_state_records),
	        STORE_TEST(test_no_room),         STORE_TEST(test_erasing),
	        STORE_TEST(test_rewrite_refused), STORE_TEST(test_rewrite_in_the_way),
	        STORE_TEST(test_rewrite_chunks),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("store_refuse", tests, NULL, NULL);
}
