/* Tests of reading records that no store has written: each is refused by its right name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "tests/store_real.h"

#define SIZE 300

static const struct store_options plain = {.map_size = MAP_SIZE};

static struct store *filled(void)
{
	struct store *s = store_kit_writer_open();

	assert_int_equal(store_real_commit(s, SIZE), 0);
	assert_int_equal(store_real_state(s), 0);
	return s;
}

/* Under a store that is open, behind its back; value NULL: the record goes. */
static void put(struct store *s, enum store_db db, const void *key, size_t key_len, const void *value, size_t len)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {len, (void *)(uintptr_t)value};
	MDB_txn *txn;

	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(value ? mdb_put(txn, s->db[db], &k, &v, 0) : mdb_del(txn, s->db[db], &k, NULL), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static void put_index(struct store *s, enum store_db db, uint64_t index, const void *value, size_t len)
{
	uint8_t key[INDEX_KEY_SIZE];

	put_u64be(key, index);
	put(s, db, key, sizeof key, value, len);
}

static struct store_view *view_of(struct store *s)
{
	struct store_view *v;

	assert_int_equal(store_view_open(s, &v), 0);
	return v;
}

/* --- records by index --- */

static void test_entries(void **state)
{
	const void *got;
	size_t len;
	uint64_t index;
	struct store_walk *w;

	(void)state;
	struct store *s = filled();
	put(s, DB_ENTRIES, "\0\0\0\0\0\0\0\5x", 9, "no index", 8);
	put_index(s, DB_ENTRIES, 9, NULL, 0);
	struct store_view *v = view_of(s);
	assert_int_equal(store_view_entry(v, 9, &got, &len), CS_ERR_DAMAGED);
	assert_int_equal(store_walk_open(v, 5, false, &w), 0);
	assert_int_equal(store_walk_next(w, &index, &got, &len), 0);
	assert_int_equal(store_walk_next(w, &index, &got, &len), CS_ERR_DAMAGED); /* One has another key. */
	store_walk_close(w);
	assert_int_equal(store_walk_open(v, 8, false, &w), 0);
	assert_int_equal(store_walk_next(w, &index, &got, &len), 0);
	assert_int_equal(store_walk_next(w, &index, &got, &len), CS_ERR_DAMAGED); /* One is missing. */
	store_walk_close(w);
	assert_int_equal(store_walk_open(v, 9, false, &w), 0);
	assert_int_equal(store_walk_next(w, &index, &got, &len), CS_ERR_DAMAGED);
	store_walk_close(w);
	store_view_release(v);
	store_view_release(v);
	assert_int_equal(store_walk_open(v, 9, false, &w), CS_ERR_INVALID);
	assert_int_equal(store_view_check(v, 0, "", 0, NULL, 0), CS_ERR_INVALID);
	assert_int_equal(store_view_snapshot(v), 0);
	assert_int_equal(store_view_renew(v), 0);
	assert_true(store_view_snapshot(v) > 0);
	store_view_release(v);
	store_view_close(v);
	/* The next append meets what is beyond the size. */
	put_index(s, DB_ENTRIES, SIZE + 5, "beyond", 6);
	assert_int_equal(store_real_commit(s, 2), CS_ERR_DAMAGED);
	store_close(s);
}

static void test_bodies(void **state)
{
	const void *leaf, *body;
	size_t leaf_len, body_len;
	uint64_t index;
	struct store_walk *w;

	(void)state;
	struct store *s = filled();
	put(s, DB_BODIES, "\0\0\0\0\0\0\0\5x", 9, "no index", 8);
	struct store_view *v = view_of(s);
	assert_int_equal(store_walk_open(v, 5, false, &w), 0);
	assert_int_equal(store_walk_next(w, &index, &leaf, &leaf_len), 0);
	assert_int_equal(store_walk_body(w, &body, &body_len), 0);
	assert_int_equal(store_view_check(v, 5, leaf, leaf_len, "\x91\x01", 2), CS_ERR_DAMAGED);
	assert_int_equal(store_view_check(v, 5, leaf, leaf_len, body, body_len), 0);
	assert_int_equal(store_view_check(v, 5, leaf, leaf_len, body, 0), 0);
	assert_int_equal(store_walk_next(w, &index, &leaf, &leaf_len), 0);
	assert_int_equal(store_walk_body(w, &body, &body_len), CS_ERR_DAMAGED);
	store_walk_close(w);
	store_view_close(v);
	store_close(s);
}

static int stop(void *ctx, const struct store_erasure *e)
{
	(void)e;
	return ++*(int *)ctx == 2 ? 33 : 0;
}

static void test_erased(void **state)
{
	uint8_t list[16 * (STORE_ERASURES_MAX + 1)] = {0};
	struct store_erasure e[STORE_ERASURES_MAX];
	int met = 0;
	unsigned n;

	(void)state;
	struct store *s = filled();
	put_index(s, DB_ERASED, 3, list, 32);
	put_index(s, DB_ERASED, 5, list, 16);
	struct store_view *v = view_of(s);
	assert_int_equal(store_view_erased(v, 3, e, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_view_each_erased(v, 0, stop, &met), 33);
	assert_int_equal(met, 2);
	met = 1;
	assert_int_equal(store_view_each_erased(v, 0, stop, &met), 33); /* With more to come of the same. */
	static const size_t lengths[] = {0, 15, sizeof list};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		put_index(s, DB_ERASED, 3, list, lengths[i]);
		assert_int_equal(store_view_renew(v), 0);
		assert_int_equal(store_view_erased(v, 3, e, 1, &n), CS_ERR_DAMAGED);
		assert_int_equal(store_view_each_erased(v, 0, stop, &met), CS_ERR_DAMAGED);
	}
	put(s, DB_ERASED, "short", 5, list, 16);
	assert_int_equal(store_view_renew(v), 0);
	met = 5;
	assert_int_equal(store_view_each_erased(v, 4, stop, &met), CS_ERR_DAMAGED);
	store_view_release(v);
	assert_int_equal(store_view_each_erased(v, 0, stop, &met), CS_ERR_INVALID);
	assert_int_equal(store_view_erased(v, 3, e, 1, &n), CS_ERR_INVALID);
	store_view_close(v);
	store_close(s);
}

/* --- tiles, checkpoints, the state --- */

static void test_tiles(void **state)
{
	static struct hash hashes[TREE_TILE_WIDTH + 1], out[TREE_TILE_WIDTH + 1];
	struct tree_tiles tiles, checked;
	uint8_t key[TILE_KEY_SIZE];

	(void)state;
	struct store *s = filled();
	struct store_view *v = view_of(s);
	store_view_tiles(v, &tiles);
	store_view_tiles_checked(v, &checked);
	assert_int_equal(tiles.read(tiles.ctx, TREE_TILE_LEVELS, 0, 1, out), CS_ERR_INVALID);
	assert_int_equal(tiles.read(tiles.ctx, 0, 0, 0, out), CS_ERR_INVALID);
	assert_int_equal(tiles.read(tiles.ctx, 0, 0, TREE_TILE_WIDTH + 1, out), CS_ERR_INVALID);
	assert_int_equal(tiles.read(tiles.ctx, 0, 7, 1, out), CS_ERR_NOT_FOUND);
	assert_int_equal(checked.read(checked.ctx, 0, 7, 1, out), CS_ERR_NOT_FOUND);
	assert_int_equal(checked.read(checked.ctx, 0, 0, TREE_TILE_WIDTH, out), 0);
	/* One that the tree has not. */
	store_tile_key(key, 0, 7);
	put(s, DB_TILES, key, sizeof key, hashes, HASH_SIZE);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(tiles.read(tiles.ctx, 0, 7, 1, out), 0);
	assert_int_equal(checked.read(checked.ctx, 0, 7, 1, out), CS_ERR_DAMAGED);
	/* Of half a hash, of too few, of too many. */
	static const size_t lengths[] = {HASH_SIZE * 5 + 1, HASH_SIZE, sizeof hashes};
	store_tile_key(key, 1, 0);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		store_tile_key(key, 0, 1);
		put(s, DB_TILES, key, sizeof key, hashes, lengths[i]);
		assert_int_equal(store_view_renew(v), 0);
		assert_int_equal(tiles.read(tiles.ctx, 0, 1, 2, out), CS_ERR_DAMAGED);
	}
	/* The one above a whole one. */
	store_tile_key(key, 1, 0);
	put(s, DB_TILES, key, sizeof key, hashes, HASH_SIZE + 1);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(checked.read(checked.ctx, 0, 0, 1, out), CS_ERR_DAMAGED);
	put(s, DB_TILES, key, sizeof key, NULL, 0);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(checked.read(checked.ctx, 0, 0, 1, out), CS_ERR_DAMAGED);
	assert_int_equal(store_view_check(v, 4000, "", 0, NULL, 0), CS_ERR_DAMAGED);
	store_view_release(v);
	assert_int_equal(tiles.read(tiles.ctx, 0, 0, 1, out), CS_ERR_INVALID);
	store_view_close(v);
	store_close(s);
}

static void test_checkpoints(void **state)
{
	const void *got;
	uint64_t size;
	size_t len;

	(void)state;
	struct store *s = filled();
	put(s, DB_CHECKPOINTS, "of no size", 10, "note", 4);
	struct store_view *v = view_of(s);
	assert_int_equal(store_view_checkpoint(v, 0, &size, &got, &len), CS_ERR_DAMAGED);
	assert_int_equal(store_view_checkpoint_last(v, &size, &got, &len), CS_ERR_DAMAGED);
	store_view_release(v);
	assert_int_equal(store_view_checkpoint(v, 0, &size, &got, &len), CS_ERR_INVALID);
	store_view_close(v);
	store_close(s);
}

static int take(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	(void)value, (void)value_len;
	snprintf(ctx, 16, "%.*s", (int)key_len, (const char *)key);
	return 1;
}

static void test_state(void **state)
{
	char text[16];

	(void)state;
	struct store *s = filled();
	struct store_view *v = view_of(s);
	assert_int_equal(store_view_state_after(v, "H00000000", 9, take, text), 1);
	assert_string_equal(text, "S00000001");
	assert_int_equal(store_view_state_after(v, "H00000001", 9, take, text), 1);
	assert_string_equal(text, "S00000001");
	assert_int_equal(store_view_state_after(v, "H", 1, take, text), 1);
	assert_string_equal(text, "H00000000");
	assert_int_equal(store_view_state_after(v, "Z", 1, take, text), 0);
	assert_int_equal(store_view_check_state(v), 0);
	put(s, DB_STATE, "S00000001", 9, "somebody", 8);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_check_state(v), CS_ERR_DAMAGED);
	assert_int_equal(store_check_state(s), CS_ERR_DAMAGED);
	store_view_close(v);
	store_close(s);
}

/* LMDB refuses an empty key; a page may have one all the same. */
static void test_empty_key(void **state)
{
	static uint8_t bytes[1 << 20];
	char path[512];

	(void)state;
	store_close(filled());
	store_kit_file_path(path, sizeof path, "data.mdb");
	FILE *f = fopen(path, "r+e");
	assert_non_null(f);
	size_t len = fread(bytes, 1, sizeof bytes, f);
	uint8_t *at = bytes;
	while ((at = memmem(at, len - (size_t)(at - bytes), "S00000001", 9)) != NULL) {
		assert_int_equal(fseek(f, at - bytes - 2, SEEK_SET), 0);
		assert_int_equal(fwrite("\0\0", 1, 2, f), 2);
		at++;
	}
	assert_int_equal(fclose(f), 0);
	struct store *s = NULL;
	assert_int_equal(store_open(store_kit_folder, &plain, &s), 0);
	assert_int_equal(store_check_state(s), CS_ERR_DAMAGED);
	assert_int_equal(store_mend_state(s), CS_ERR_DAMAGED);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {STORE_TEST(test_entries),     STORE_TEST(test_bodies),
	                                   STORE_TEST(test_erased),      STORE_TEST(test_tiles),
	                                   STORE_TEST(test_checkpoints), STORE_TEST(test_state),
	                                   STORE_TEST(test_empty_key)};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("store_records", tests, NULL, NULL);
}
