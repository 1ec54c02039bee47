/* Tests of the store: damaged records put right by what else is stored, or by bytes that fit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_kit.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"

#define SIZE 300

static const struct store_options plain = {.map_size = MAP_SIZE};

/* As LMDB alone sees the file: bits of one byte of a record turned. */
static void damage(const char *db, const void *key, size_t key_len, size_t at, uint8_t bits)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v;
	uint8_t bytes[8192];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, store_kit_folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, db, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
	assert_true(v.mv_size <= sizeof bytes && at < v.mv_size);
	memcpy(bytes, v.mv_data, v.mv_size);
	bytes[at] ^= bits;
	v.mv_data = bytes;
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void damage_entry(uint64_t index, size_t at, uint8_t bits)
{
	uint8_t key[8];

	put_u64be(key, index);
	damage("entries", key, sizeof key, at, bits);
}

static void damage_tile(unsigned level, uint64_t n, size_t at)
{
	uint8_t key[9] = {(uint8_t)level};

	put_u64be(key + 1, n);
	damage("tiles", key, sizeof key, at, 4);
}

static void fill(void)
{
	static const struct store_record records[] = {{"H00000000", "the head of the state", 9, 21},
	                                              {"S00000001", "a subject of it", 9, 15}};
	struct store *s = store_kit_writer_open();

	assert_int_equal(store_kit_batch_commit(s, SIZE, 7, 2), 0);
	assert_int_equal(store_write_state(s, records, 2, 7, 2), 0);
	store_close(s);
}

static struct store *open_plain(void)
{
	struct store *s;

	assert_int_equal(store_open(store_kit_folder, &plain, &s), 0);
	return s;
}

/* Everything is as it was made. */
static void check_whole(struct store *s)
{
	struct store_view *v;

	assert_int_equal(store_view_open(s, &v), 0);
	store_kit_view_check(v);
	store_kit_entries_check(v, 0, SIZE);
	store_view_close(v);
	assert_int_equal(store_check_state(s), 0);
}

static void test_entries(void **state)
{
	uint8_t leaf[LEAF_SIZE_MAX];
	struct store_mend m = {.what = MEND_ENTRY, .index = 5};

	(void)state;
	fill();
	damage_entry(5, 20, 8);
	damage_entry(6, 11, 3);
	struct store *s = open_plain();
	assert_int_equal(store_mend(s, &m), 0); /* One bit. */
	m.index = 6;
	assert_int_equal(store_mend(s, &m), CS_ERR_DAMAGED); /* Two. */
	m.bytes = leaf;
	m.len = store_kit_leaf_make(7, leaf);
	assert_int_equal(store_mend(s, &m), CS_ERR_REFUTED); /* Another's. */
	m.len = store_kit_leaf_make(6, leaf);
	assert_int_equal(store_mend(s, &m), 0);
	m.index = SIZE;
	assert_int_equal(store_mend(s, &m), CS_ERR_REFUTED);
	check_whole(s);
	store_close(s);
}

/* A full tile and the one above it, each from what is below; and one that is damaged where an entry is, too. */
static void test_tiles(void **state)
{
	struct store_mend m = {.what = MEND_TILE};
	struct store_mend e = {.what = MEND_ENTRY, .index = 9};

	(void)state;
	fill();
	damage_tile(0, 0, 40);
	damage_entry(9, 30, 1);
	struct store *s = open_plain();
	assert_int_equal(store_mend(s, &e), 0); /* Its own hash is right. */
	assert_int_equal(store_mend(s, &m), 0);
	m.level = 1; /* The edge: from memory. */
	assert_int_equal(store_mend(s, &m), 0);
	check_whole(s);
	store_close(s);
}

/* Refused by who only opens it; mended by who asks for that. */
static void opened(unsigned want)
{
	unsigned mended = 0;
	const struct store_options o = {.map_size = MAP_SIZE, .ret_mended = &mended};
	struct store *s;

	assert_int_equal(store_open(store_kit_folder, &plain, &s), CS_ERR_DAMAGED);
	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	assert_int_equal(mended, want);
	if (mended & STORE_DAMAGED_LAST) {
		const struct store_mend m = {.what = MEND_ENTRY, .index = SIZE - 1};
		assert_int_equal(store_mend(s, &m), 0);
	}
	check_whole(s);
	store_close(s);
	s = open_plain();
	check_whole(s);
	store_close(s);
}

static void test_opening(void **state)
{
	(void)state;
	fill();
	damage("meta", "head", 4, 7, 1);
	opened(STORE_MENDED_META);
	damage("meta", "head", 4, 60, 16);
	opened(STORE_MENDED_META);
	damage("meta", "format", 6, 3, 1);
	opened(STORE_MENDED_META);
	damage_tile(0, 1, 64);
	opened(STORE_MENDED_TILES);
	damage_tile(1, 0, 3);
	opened(STORE_MENDED_TILES);
	damage_entry(SIZE - 1, 12, 2);
	opened(STORE_DAMAGED_LAST);
	damage_tile(0, 1, 32 * 43 + 5); /* The last entry's hash, and its bytes: its hash is in the head. */
	damage_entry(SIZE - 1, 12, 2);
	opened(STORE_MENDED_TILES | STORE_DAMAGED_LAST);
}

static void test_state(void **state)
{
	(void)state;
	fill();
	damage("state", "S00000001", 9, 4, 32);
	struct store *s = open_plain();
	assert_int_equal(store_check_state(s), CS_ERR_DAMAGED);
	assert_int_equal(store_mend_state(s), 0);
	check_whole(s);
	store_close(s);
	damage("state", "S00000001", 9, 4, 33);
	s = open_plain();
	assert_int_equal(store_mend_state(s), CS_ERR_DAMAGED);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_entries),
	        STORE_TEST(test_tiles),
	        STORE_TEST(test_opening),
	        STORE_TEST(test_state),
	};

	return cmocka_run_group_tests_name("store_mend", tests, NULL, NULL);
}
