/* Tests of mending: what does not fit is refused, what cannot be told is said so, and older builds' records count. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "tests/store_real.h"

#define SIZE 300

static const struct store_options plain = {.map_size = MAP_SIZE};
static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX + 1], body[LIMIT_BODY_SIZE_MAX + 1];
static size_t leaf_len, body_len;

static void fill(void)
{
	struct store *s = store_kit_writer_open();

	assert_int_equal(store_real_commit(s, SIZE), 0);
	assert_int_equal(store_real_state(s), 0);
	store_close(s);
}

static struct store *open_plain(void)
{
	struct store *s = NULL;

	assert_int_equal(store_open(store_kit_folder, &plain, &s), 0);
	return s;
}

/* Opened by who wants it mended: what was, or the error. */
static int open_mend(struct store **ret)
{
	unsigned mended = 0;
	const struct store_options o = {.map_size = MAP_SIZE, .ret_mended = &mended};
	int err = store_open(store_kit_folder, &o, ret);

	return err ? err : (int)mended;
}

static void opens(int want)
{
	struct store *s = NULL;

	assert_int_equal(open_mend(&s), want);
	store_close(s);
}

static void put_index(const char *db, uint64_t index, const void *value, size_t len)
{
	uint8_t key[INDEX_KEY_SIZE];

	put_u64be(key, index);
	store_real_put(db, key, sizeof key, value, len);
}

static void put_tile(unsigned level, uint64_t n, const void *value, size_t len)
{
	uint8_t key[TILE_KEY_SIZE];

	store_tile_key(key, level, n);
	store_real_put("tiles", key, sizeof key, value, len);
}

static void get_tile(unsigned level, uint64_t n, struct hash tile[TREE_TILE_WIDTH])
{
	uint8_t key[TILE_KEY_SIZE];

	store_tile_key(key, level, n);
	store_real_get("tiles", key, sizeof key, tile, TREE_TILE_WIDTH * sizeof *tile);
}

static void get_entry(uint64_t index)
{
	uint8_t key[INDEX_KEY_SIZE];

	put_u64be(key, index);
	leaf_len = store_real_get("entries", key, sizeof key, leaf, sizeof leaf);
	body_len = store_real_get("bodies", key, sizeof key, body, sizeof body);
}

static int mend(struct store *s, enum store_mend_what what, uint64_t index, const void *bytes, size_t len)
{
	const struct store_mend m = {.what = what, .index = index, .bytes = bytes, .len = len};

	return store_mend(s, &m);
}

/* --- entries --- */

static void test_entries(void **state)
{
	struct hash tile[TREE_TILE_WIDTH];

	(void)state;
	fill();
	get_entry(5);
	get_tile(0, 0, tile);
	put_index("entries", 5, leaf, leaf_len - 1);
	put_index("entries", 6, NULL, 0);
	put_index("entries", SIZE, "beyond", 6); /* So that there are as many as there should be. */
	put_index("entries", 7, body, 5000);
	struct store *s = open_plain();
	assert_int_equal(mend(s, 0, 5, leaf, leaf_len), CS_ERR_INVALID);
	assert_int_equal(mend(s, MEND_ENTRY, SIZE, leaf, leaf_len), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_ENTRY, 5, leaf, 0), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_ENTRY, 5, leaf, sizeof leaf), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_ENTRY, 5, NULL, 0), CS_ERR_DAMAGED);
	assert_int_equal(mend(s, MEND_ENTRY, 6, NULL, 0), CS_ERR_DAMAGED); /* It is not there. */
	assert_int_equal(mend(s, MEND_ENTRY, 7, NULL, 0), CS_ERR_DAMAGED); /* Too long to try. */
	assert_int_equal(mend(s, MEND_ENTRY, 5, leaf, leaf_len), 0);
	assert_int_equal(mend(s, MEND_ENTRY, 5, NULL, 0), 0); /* Nothing is wrong with it now. */
	store_close(s);
	/* Without its hash nobody can tell. */
	put_tile(0, 0, NULL, 0);
	s = open_plain();
	assert_int_equal(mend(s, MEND_ENTRY, 5, leaf, leaf_len), CS_ERR_DAMAGED);
	assert_int_equal(mend(s, MEND_BODY, 5, body, body_len), CS_ERR_DAMAGED);
	store_close(s);
	put_tile(0, 0, tile, 33);
	s = open_plain();
	assert_int_equal(mend(s, MEND_ENTRY, 5, leaf, leaf_len), CS_ERR_DAMAGED);
	assert_int_equal(mend(s, MEND_BODY, 5, body, body_len), CS_ERR_DAMAGED);
	store_close(s);
}

/* --- private fields --- */

static void test_bodies(void **state)
{
	const struct store_mend part = {.what = MEND_BODY, .index = 5, .bytes = "\x90", .len = 1, .partial = true};
	struct store_mend less = part;
	uint64_t changed;

	(void)state;
	fill();
	get_entry(5);
	struct store *s = open_plain();
	assert_int_equal(mend(s, MEND_BODY, SIZE, body, body_len), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_BODY, 5, body, sizeof body), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_BODY, 5, "malformed", 9), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_BODY, 6, body, body_len), CS_ERR_REFUTED); /* Another's. */
	assert_int_equal(mend(s, MEND_BODY, 5, "\x90", 1), CS_ERR_REFUTED);      /* Not all of them. */
	assert_int_equal(mend(s, MEND_BODY, 5, "", 0), CS_ERR_REFUTED);
	assert_int_equal(store_mend(s, &part), 0);
	less.bytes = "";
	less.len = 0;
	assert_int_equal(store_mend(s, &less), 0);
	assert_int_equal(mend(s, MEND_BODY, 5, body, body_len), 0);
	/* What was erased does not come back; what is left of it may be all. */
	const struct store_erasure one = {5, 400, UINT64_C(1) << FIELD_TEXT},
	                           none = {7, 400, UINT64_C(1) << FIELD_BLIND};
	assert_int_equal(store_erase(s, &one, 1, &changed), 0);
	assert_int_equal(store_erase(s, &none, 1, &changed), 0);
	assert_int_equal(mend(s, MEND_BODY, 5, body, body_len), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_BODY, 5, "\x90", 1), 0);
	store_close(s);
	put_index("erased", 6, "malformed", 9);
	put_index("entries", 8, leaf, leaf_len);
	s = open_plain();
	assert_int_equal(mend(s, MEND_BODY, 6, "\x90", 1), CS_ERR_DAMAGED);
	assert_int_equal(mend(s, MEND_BODY, 8, "\x90", 1), CS_ERR_DAMAGED); /* The entry comes first. */
	store_close(s);
	put_index("entries", 8, NULL, 0);
	put_index("entries", SIZE, "beyond", 6);
	s = open_plain();
	assert_int_equal(mend(s, MEND_BODY, 8, "\x90", 1), CS_ERR_DAMAGED);
	store_close(s);
}

/* An entry that is none, whatever its hash; and one with a field of a kind that no version has yet. */
static void test_strange_bodies(void **state)
{
	static struct entry_builder b;
	static const uint8_t seed[SEED_SIZE] = {1}, value[] = {5}, salt[SALT_SIZE] = {9};
	struct store_entry e = {.leaf = "no entry", .leaf_len = 8, .body = ""};
	struct store_head head;
	uint64_t changed;
	struct writer w;
	size_t len;

	(void)state;
	fill();
	struct store *s = open_plain();
	assert_int_equal(store_begin(s), 0);
	hash_leaf(&e.leaf_hash, e.leaf, e.leaf_len);
	assert_int_equal(store_append(s, SIZE, &e, 1), 0);
	entry_builder_init(&b, SIZE + 1, ENTRY_DECISION, 1, &e.leaf_hash, seed);
	writer_array(&b.public_, 0);
	b.fields[0].kind = 200;
	field_commit(&b.fields[0].commitment, 200, salt, value, sizeof value);
	b.n_fields = 1;
	assert_int_equal(entry_builder_finish(&b, leaf, &leaf_len, body, &body_len), 0);
	writer_init(&w, body, sizeof body);
	writer_array(&w, 1);
	writer_array(&w, 3);
	writer_uint(&w, 200);
	writer_bin(&w, salt, sizeof salt);
	writer_bin(&w, value, sizeof value);
	assert_int_equal(writer_end(&w, &len), 0);
	e = (struct store_entry){.leaf = leaf, .body = "", .leaf_len = (uint32_t)leaf_len};
	hash_leaf(&e.leaf_hash, leaf, leaf_len);
	assert_int_equal(store_append(s, SIZE + 1, &e, 1), 0);
	assert_int_equal(store_commit(s), 0);
	store_head(s, &head);
	assert_int_equal(mend(s, MEND_BODY, SIZE, "\x90", 1), CS_ERR_REFUTED);
	assert_int_equal(mend(s, MEND_BODY, SIZE + 1, body, len), 0);
	const struct store_erasure some = {SIZE + 1, 400, 2}, all = {SIZE + 1, 401, STORE_ERASED_ALL};
	assert_int_equal(store_erase(s, &some, 1, &changed), 0);
	assert_int_equal(mend(s, MEND_BODY, SIZE + 1, body, len), 0);
	assert_int_equal(store_erase(s, &all, 1, &changed), 0);
	assert_int_equal(mend(s, MEND_BODY, SIZE + 1, body, len), CS_ERR_REFUTED);
	store_close(s);
}

/* --- tiles --- */

static void test_tiles(void **state)
{
	struct hash right[TREE_TILE_WIDTH], wrong[TREE_TILE_WIDTH], above[TREE_TILE_WIDTH];
	struct store_mend m = {.what = MEND_TILE};
	char text[STORE_REAL_TEXT];

	(void)state;
	fill();
	get_tile(0, 0, right);
	get_tile(1, 0, above);
	memcpy(wrong, right, sizeof wrong);
	wrong[9].b[3] ^= 1;
	struct store *s = open_plain();
	assert_int_equal(store_mend(s, &m), 0); /* Nothing is wrong with it. */
	m.level = TREE_TILE_LEVELS;
	assert_int_equal(store_mend(s, &m), CS_ERR_INVALID);
	m.level = 2; /* There is none so high. */
	assert_int_equal(store_mend(s, &m), 0);
	store_close(s);
	/* What is below it is damaged, too: then it is what it is given, if that fits. */
	get_entry(9);
	put_tile(0, 0, wrong, sizeof wrong);
	put_index("entries", 9, "another", 7);
	s = open_plain();
	m = (struct store_mend){.what = MEND_TILE};
	assert_int_equal(store_mend(s, &m), CS_ERR_DAMAGED);
	m.bytes = right;
	m.len = sizeof right - 1;
	assert_int_equal(store_mend(s, &m), CS_ERR_REFUTED);
	m.len = sizeof right;
	m.bytes = wrong;
	assert_int_equal(store_mend(s, &m), CS_ERR_REFUTED);
	m.bytes = right;
	assert_int_equal(store_mend(s, &m), 0);
	assert_int_equal(mend(s, MEND_ENTRY, 9, leaf, leaf_len), 0);
	store_close(s);
	if (store_real_scrub(text) > 0)
		fail_msg("mended: %s", text);
	/* The one above it is damaged, under a store that is open: this one is right. */
	s = open_plain();
	above[0].b[3] ^= 1;
	MDB_txn *txn;
	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(store_tile_put(s, txn, 1, 0, 1, above), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	assert_int_equal(store_mend(s, &m), CS_ERR_DAMAGED);
	unsigned mended = 0;
	assert_int_equal(store_mend_tiles(s, 0, &mended), 0); /* All of them, from below. */
	assert_int_equal(mended, STORE_MENDED_TILES);
	store_close(s);
	if (store_real_scrub(text) > 0)
		fail_msg("mended: %s", text);
}

static void test_tiles_in_vain(void **state)
{
	struct hash tile[TREE_TILE_WIDTH];
	unsigned mended = 0;

	(void)state;
	struct store *s = store_kit_writer_open();
	assert_int_equal(store_mend_tiles(s, 0, &mended), 0); /* It has none. */
	store_close(s);
	fill();
	get_tile(0, 0, tile);
	tile[9].b[3] ^= 1;
	put_tile(0, 0, tile, sizeof tile);
	put_index("entries", 9, "another", 7);
	s = open_plain();
	assert_int_equal(store_mend_tiles(s, 0, &mended), CS_ERR_DAMAGED);
	assert_int_equal(mended, 0);
	assert_int_equal(store_mend_tiles(s, 256, &mended), 0);
	store_close(s);
	/* The edge, over an entry that is another: what follows from it has not the root. */
	put_index("entries", 280, "another", 7);
	put_tile(0, 1, tile, (SIZE - 256) * sizeof *tile);
	opens(CS_ERR_DAMAGED);
}

/* Three levels of the edge at once: each from the one below; if that is gone, it cannot be told. */
static void test_edges(void **state)
{
	struct hash tile[TREE_TILE_WIDTH], below[TREE_TILE_WIDTH];
	static const struct hash none[TREE_TILE_WIDTH];
	struct store *s = store_kit_writer_open();

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (unsigned i = 0; i < 120; i++)
		assert_int_equal(store_kit_batch_append(s, i * 550, 550), 0);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
	for (unsigned i = 0; i < 2; i++) {
		get_tile(0, 257, tile);
		put_tile(0, 257, none, (66000 - 257 * 256) * sizeof *none);
		put_tile(1, 1, none, sizeof *none);
		put_tile(2, 0, none, sizeof *none);
		get_tile(0, 256, below);
		if (i == 1)
			put_tile(0, 256, NULL, 0);
		opens(i == 1 ? CS_ERR_DAMAGED : STORE_MENDED_TILES);
	}
	put_tile(0, 256, below, sizeof below);
	opens(STORE_MENDED_TILES);
	s = open_plain();
	store_close(s);
}

/* --- the records about it, when it is opened --- */

static void test_copy(void **state)
{
	uint8_t copy[META_COPY_SIZE], old[META_COPY_SIZE];
	const struct store_options reader = {.read_only = true, .ret_mended = &(unsigned){0}};
	struct store_head head;
	struct store *s = NULL;

	(void)state;
	fill();
	store_real_get("meta", "copy", 4, old, sizeof old);
	s = open_plain();
	assert_int_equal(store_real_commit(s, 5), 0);
	store_close(s);
	store_real_get("meta", "copy", 4, copy, sizeof copy);
	/* A build without the copy has written since: what it wrote counts. */
	store_real_put("meta", "copy", 4, old, sizeof old);
	opens(0);
	s = open_plain();
	store_head(s, &head);
	assert_int_equal(head.size, SIZE + 5);
	store_close(s);
	memcpy(old, copy, sizeof old);
	old[24] ^= 1;
	store_real_copy_put(old);
	opens(0);
	store_real_put("meta", "copy", 4, copy, sizeof copy - 1);
	opens(0);
	/* The format and more: it is not ours to say what it was. */
	store_real_put("meta", "copy", 4, copy, sizeof copy);
	store_real_damage("meta", "format", 6, 3, 1);
	store_real_damage("meta", "of the node", 11, 0, 1);
	opens(CS_ERR_DAMAGED);
	store_real_damage("meta", "of the node", 11, 0, 1);
	assert_int_equal(store_open(store_kit_folder, &reader, &s), CS_ERR_DAMAGED); /* Who only reads mends nothing. */
	opens(STORE_MENDED_META);
	/* Without a copy nobody knows what the last entry was, if it and the head are damaged. */
	store_real_put("meta", "copy", 4, NULL, 0);
	store_real_damage("meta", "head", 4, 60, 1);
	opens(CS_ERR_DAMAGED);
}

static void test_state_records(void **state)
{
	uint8_t old[META_STATE_SIZE];
	struct store *s;

	(void)state;
	fill();
	store_real_get("meta", "state", 5, old, sizeof old);
	store_real_put("meta", "state", 5, old, sizeof old - 1);
	opens(STORE_MENDED_META);
	/* The sum and what it is of: which of them is right? */
	store_real_damage("meta", "sum", 3, 100, 1);
	store_real_damage("state", "S00000001", 9, 2, 1);
	assert_int_equal(open_mend(&s), 0);
	assert_int_equal(store_check_state(s), CS_ERR_DAMAGED);
	store_close(s);
}

/* More than can be tried in a time that anybody waits for. */
static void test_large_state(void **state)
{
	uint8_t *large = calloc(1, STORE_STATE_TRIES / 8 + 1);
	const struct store_record r = {
	        .key = "S", .key_len = 1, .value = large, .value_len = (uint32_t)(STORE_STATE_TRIES / 8 + 1)};

	(void)state;
	assert_non_null(large);
	fill();
	struct store *s = open_plain();
	assert_int_equal(store_write_state(s, &r, 1, 1, 1), 0);
	store_close(s);
	store_real_damage("state", "S00000001", 9, 2, 1); /* Behind the large one. */
	s = open_plain();
	assert_int_equal(store_mend_state(s), CS_ERR_DAMAGED);
	store_close(s);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_entries), STORE_TEST(test_bodies),        STORE_TEST(test_strange_bodies),
	        STORE_TEST(test_tiles),   STORE_TEST(test_tiles_in_vain), STORE_TEST(test_edges),
	        STORE_TEST(test_copy),    STORE_TEST(test_state_records), STORE_TEST(test_large_state),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("store_mend_refuse", tests, NULL, NULL);
}
