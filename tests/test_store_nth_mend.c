/* Tests of mending a store while an n-th call fails: damage gets no worse, and is mended the next time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "tests/store_nth.h"

#define LAST (NTH_BASE - 1)

/* --- mending when it is opened --- */

static void damage_index(const char *db, uint64_t index, size_t at, uint8_t bits)
{
	uint8_t key[INDEX_KEY_SIZE];

	put_u64be(key, index);
	store_real_damage(db, key, sizeof key, at, bits);
}

static void damage_tile(unsigned level, uint64_t n, size_t at)
{
	uint8_t key[TILE_KEY_SIZE];

	store_tile_key(key, level, n);
	store_real_damage("tiles", key, sizeof key, at, 4);
}

static void damage_head(void)
{
	store_real_damage("meta", "head", 4, 7, 1);
}

static void damage_format(void)
{
	store_real_damage("meta", "format", 6, 3, 1);
}

static void damage_state_index(void)
{
	store_real_damage("meta", "state", 5, 7, 1);
}

static void damage_sum(void)
{
	store_real_damage("meta", "sum", 3, 100, 1);
}

static void damage_own(void)
{
	store_real_damage("meta", "of the node", 11, 3, 1);
}

static void damage_edge(void)
{
	damage_tile(0, 1, 64);
	damage_tile(1, 0, 3);
}

static void damage_last(void)
{
	damage_tile(0, 1, 32 * (LAST % 256) + 5);
	damage_index("entries", LAST, 12, 2);
}

/* Two bits: it stays as it is. */
static void damage_own_more(void)
{
	store_real_damage("meta", "of the node", 11, 3, 3);
}

static void damage_last_only(void)
{
	damage_index("entries", LAST, 12, 2);
}

static int mend_open_once(void)
{
	unsigned mended = 0;
	const struct store_options o = {.map_size = MAP_SIZE, .ret_mended = &mended};
	const struct store_mend last = {.what = MEND_ENTRY, .index = LAST};
	int err = store_open(store_kit_folder, &o, &nth_store);

	if (!err && mended & STORE_DAMAGED_LAST)
		err = store_mend(nth_store, &last);
	return err;
}

static void mend_open_after(void)
{
	assert_int_equal(mend_open_once(), 0);
	nth_close();
	nth_check_file();
}

static void after_own_more(void)
{
	assert_int_equal(mend_open_once(), 0);
	assert_int_equal(store_real_commit(nth_store, NTH_MORE), 0); /* Which writes it anew. */
	nth_close();
	nth_check_file();
}

static void test_mending_opening(void **state)
{
	static const struct nth_scenario all[] = {
	        {"opening with a damaged head", NTH_LMDB | NTH_MEMORY, damage_head, mend_open_once, mend_open_after,
	         NULL, 0},
	        {"with a damaged format", NTH_LMDB | NTH_MEMORY, damage_format, mend_open_once, mend_open_after, NULL,
	         0},
	        {"with a damaged index of the state", NTH_LMDB | NTH_MEMORY, damage_state_index, mend_open_once,
	         mend_open_after, NULL, 0},
	        {"with a damaged sum", NTH_LMDB | NTH_MEMORY, damage_sum, mend_open_once, mend_open_after, NULL, 0},
	        {"with a damaged record of the node's", NTH_LMDB | NTH_MEMORY, damage_own, mend_open_once,
	         mend_open_after, NULL, 0},
	        {"with its bits turned in vain", NTH_LMDB, damage_own_more, mend_open_once, after_own_more, "mdb_put",
	         155},
	        {"with a damaged record of the node's", NTH_CORRUPT, damage_own, mend_open_once, mend_open_after, NULL,
	         0},
	        {"with a damaged last entry alone", NTH_LMDB, damage_last_only, mend_open_once, mend_open_after, NULL,
	         0},
	        {"with a damaged edge", NTH_LMDB | NTH_MEMORY, damage_edge, mend_open_once, mend_open_after, NULL, 0},
	        {"with a damaged last entry", NTH_LMDB | NTH_MEMORY, damage_last, mend_open_once, mend_open_after, NULL,
	         0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		nth_run(&all[i]);
}

/* --- mending one record --- */

static void damage_many(void)
{
	damage_index("entries", 5, 20, 8);
	damage_index("bodies", 6, 30, 1);
	damage_tile(0, 0, 40);
	damage_index("checkpoints", 300, 100, 1);
	nth_open();
}

static int mend_many_once(void)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	const struct store_mend all[] = {
	        {.what = MEND_ENTRY, .index = 5},
	        {.what = MEND_BODY, .index = 6},
	        {.what = MEND_ENTRY, .index = 0, .bytes = leaf, .len = 0},
	        {.what = MEND_BODY, .index = 0, .bytes = body, .len = 0},
	        {.what = MEND_TILE, .level = 1},
	        {.what = MEND_CHECKPOINT, .index = 300, .bytes = nth_note, .len = nth_note_len},
	        {.what = MEND_CHECKPOINT, .index = 200},
	        {.what = MEND_META},
	        {.what = MEND_TILE}, /* Which reads all that is below it: the last. */
	};
	int err = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && !err; i++) {
		const struct hash none = {0};
		struct store_mend m = all[i];
		size_t leaf_len, body_len;
		store_real_make(0, &none, leaf, &leaf_len, body, &body_len);
		if (m.bytes == leaf || m.bytes == body)
			m.len = m.bytes == leaf ? leaf_len : body_len;
		err = store_mend(nth_store, &m);
	}
	return err;
}

static void mend_many_after(void)
{
	nth_open();
	assert_int_equal(mend_many_once(), 0);
	nth_close();
	nth_check_file();
}

static void damage_full_tile(void)
{
	damage_tile(0, 0, 40);
	nth_open();
}

static int mend_tiles_once(void)
{
	unsigned mended = 0;

	return store_mend_tiles(nth_store, 0, &mended);
}

static void mend_tiles_after(void)
{
	nth_open();
	assert_int_equal(mend_tiles_once(), 0);
	nth_close();
	nth_check_file();
}

static void damage_state(void)
{
	store_real_damage("state", "S00000001", 9, 4, 32);
	nth_open();
}

static int mend_state_once(void)
{
	return store_mend_state(nth_store);
}

static void mend_state_after(void)
{
	nth_open();
	if (store_check_state(nth_store))
		assert_int_equal(mend_state_once(), 0);
	nth_close();
	nth_check_file();
}

static void test_mending(void **state)
{
	static const struct nth_scenario all[] = {
	        {"mending records", NTH_LMDB | NTH_MEMORY, damage_many, mend_many_once, mend_many_after, NULL, 0},
	        {"mending tiles", NTH_LMDB | NTH_MEMORY, damage_full_tile, mend_tiles_once, mend_tiles_after, NULL, 0},
	        {"mending the state", NTH_LMDB | NTH_MEMORY, damage_state, mend_state_once, mend_state_after, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		nth_run(&all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_mending_opening), cmocka_unit_test(test_mending)};

	return cmocka_run_group_tests_name("store_nth_mend", tests, nth_setup, nth_teardown);
}
