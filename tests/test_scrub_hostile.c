/* Tests of the scrubber on records that no store has written: each is named, with what is wrong with it. */
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

static struct scrub scrub;
static char found[16384]; /* A line for each. */
static unsigned n_entries;
static struct hash root_at_260, root;

static void on_found(void *ctx, const struct scrub_find *f)
{
	size_t len = strlen(found);
	char text[STORE_REAL_TEXT];

	(void)ctx;
	scrub_find_text(f, text, sizeof text);
	snprintf(found + len, sizeof found - len, "%s\n", text);
}

static const char *no_signatures(void *ctx, const struct note *n)
{
	(void)ctx;
	return n->n_signatures == 1 ? "nobody has signed it" : NULL;
}

static void on_entry(void *ctx, uint64_t index, const void *leaf, size_t len)
{
	(void)ctx, (void)index, (void)leaf;
	assert_true(len > 0);
	n_entries++;
}

/* All that is found; the result of beginning or of the whole. */
static int scrubbed(const char *origin, bool signatures)
{
	struct pages_file file;
	char path[512];

	store_kit_file_path(path, sizeof path, "data.mdb");
	assert_int_equal(pages_file_open(path, false, &file), 0);
	const struct pages_source source = {.read = pages_file_read, .ctx = &file};
	memset(&scrub, 0, sizeof scrub);
	found[0] = 0;
	n_entries = 0;
	scrub.found = on_found;
	scrub.entry = on_entry;
	scrub.origin = origin;
	scrub.signatures = signatures ? no_signatures : NULL;
	int err = scrub_begin(&scrub, &source, 0, NULL);
	if (!err)
		err = scrub_all(&scrub);
	scrub_end(&scrub);
	pages_file_close(&file);
	return err;
}

static void expect(const char *text)
{
	assert_int_equal(scrubbed(NULL, false), 0);
	if (!strstr(found, text))
		fail_msg("\"%s\" is not among what is found: %s", text, found);
}

static void expect_nothing(void)
{
	assert_int_equal(scrubbed(NULL, false), 0);
	assert_string_equal(found, "");
}

static int make(void **state)
{
	struct store_head head;

	assert_int_equal(store_kit_folder_make(state), 0);
	struct store *s = store_kit_writer_open();
	assert_int_equal(store_real_commit(s, 260), 0);
	store_head(s, &head);
	root_at_260 = head.root;
	assert_int_equal(store_real_commit(s, SIZE - 260), 0);
	assert_int_equal(store_real_state(s), 0);
	store_head(s, &head);
	root = head.root;
	store_close(s);
	return 0;
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

/* --- what is told --- */

static void test_texts(void **state)
{
	static const struct {
		struct scrub_find f;
		const char *text;
	} cases[] = {{{SCRUB_ENTRY, 0, 5, "entries", "why"}, "entry 5 (entries): why"},
	             {{SCRUB_BODY, 0, 5, "bodies", "why"}, "private fields of entry 5 (bodies): why"},
	             {{SCRUB_TILE, 1, 5, "tiles", "why"}, "tile 1/5 (tiles): why"},
	             {{SCRUB_CHECKPOINT, 0, 5, "checkpoints", "why"}, "checkpoint 5 (checkpoints): why"},
	             {{SCRUB_STATE, 0, 0, "state", "why"}, "state (state): why"},
	             {{SCRUB_META, 0, 0, "meta", "why"}, "meta (meta): why"},
	             {{SCRUB_PAGE, 0, 5, "main", "why"}, "page 5 (main): why"},
	             {{SCRUB_NOTHING, 0, 5, "x", "why"}, "nothing 5 (x): why"}};
	char text[80];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		scrub_find_text(&cases[i].f, text, sizeof text);
		assert_string_equal(text, cases[i].text);
	}
	expect_nothing();
	assert_int_equal(n_entries, SIZE);
}

/* --- entries and their private fields --- */

static void test_entries(void **state)
{
	(void)state;
	put_index("entries", 7, "another", 7);
	expect("entry 7 (entries): its hash is not the one in the tree");
	assert_int_equal(n_entries, SIZE - 1);
	put_index("entries", 7, NULL, 0);
	expect("entry 7 (entries): it is missing");
	store_real_put("entries", "\0\0\0\0\0\0\1\53x", 9, "of no index", 11);
	expect("(entries): a record is of no entry");
	store_real_put("entries", "\0\0\0\0\0\0\1\53x", 9, NULL, 0);
	put_index("entries", SIZE + 2, "beyond", 6);
	expect("(entries): a record is of no entry");
}

static void test_bodies(void **state)
{
	static uint8_t large[LIMIT_BODY_SIZE_MAX + 1];
	uint8_t body[4096], key[INDEX_KEY_SIZE];

	(void)state;
	put_u64be(key, 8);
	size_t len = store_real_get("bodies", key, sizeof key, body, sizeof body);
	put_index("bodies", 7, body, len);
	expect("private fields of entry 7 (bodies): one does not open its commitment");
	put_index("bodies", 7, "malformed", 9);
	expect("private fields of entry 7 (bodies): they are malformed");
	put_index("bodies", 7, large, sizeof large);
	expect("private fields of entry 7 (bodies): they are malformed");
	put_index("bodies", 7, "", 0);
	expect_nothing();
	/* With an entry that is damaged, or gone, nobody can tell of them. */
	put_index("entries", 8, "another", 7);
	put_index("entries", 9, NULL, 0);
	assert_int_equal(scrubbed(NULL, false), 0);
	assert_null(strstr(found, "bodies"));
	store_real_put("bodies", "\0\0\0\0\0\0\1\53x", 9, "of no index", 11);
	expect("(bodies): a record is of no entry");
	store_real_put("bodies", "\0\0\0\0\0\0\1\53x", 9, NULL, 0);
	put_index("bodies", SIZE + 2, "beyond", 6);
	expect("(bodies): a record is of no entry");
}

/* --- tiles --- */

static void test_tiles(void **state)
{
	static struct hash none[TREE_TILE_WIDTH + 1];
	static const size_t lengths[] = {33, 32, sizeof none};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		put_tile(0, 0, none, lengths[i]);
		expect("tile 0/0 (tiles): its hashes are not those of what is below it");
	}
	put_tile(0, 0, NULL, 0);
	expect("tile 0/0 (tiles): its hashes are not those of what is below it");
	store_real_put("tiles", "\0\0\0\0\0\0\0\0\0x", 10, none, 32);
	expect("tile 0/0 (tiles): its hashes are not those of what is below it");
	/* Nor is what is below: nobody knows. */
	put_index("entries", 7, NULL, 0);
	expect("tile 0/0 (tiles): it is neither what is below it nor what is above it");
	expect("entry 7 (entries): it is missing");
	assert_int_equal(n_entries, SIZE - 256);
}

/* --- checkpoints --- */

static void test_checkpoints(void **state)
{
	static char large[LIMIT_NOTE_SIZE_MAX + 1];
	char note[LIMIT_NOTE_SIZE_MAX];
	uint8_t tile[32 * 256], key[TILE_KEY_SIZE];

	(void)state;
	size_t len = store_real_note(STORE_REAL_ORIGIN, 260, &root_at_260, note);
	put_index("checkpoints", 260, note, len);
	expect_nothing();
	assert_int_equal(scrubbed(STORE_REAL_ORIGIN, false), 0);
	assert_string_equal(found, "");
	assert_int_equal(scrubbed("another", false), 0);
	assert_non_null(strstr(found, "checkpoint 260 (checkpoints): it is of another origin"));
	assert_int_equal(scrubbed(STORE_REAL_ORIGIN, true), 0);
	assert_non_null(strstr(found, "checkpoint 260 (checkpoints): nobody has signed it"));
	put_index("checkpoints", 261, note, len);
	expect("checkpoint 261 (checkpoints): it is of another size");
	len = store_real_note(STORE_REAL_ORIGIN, SIZE + 1, &root, note);
	put_index("checkpoints", SIZE + 1, note, len);
	expect("checkpoint 301 (checkpoints): it is of another size");
	len = store_real_note(STORE_REAL_ORIGIN, 262, &root, note);
	put_index("checkpoints", 262, note, len);
	expect("checkpoint 262 (checkpoints): it has not the tree's root");
	put_index("checkpoints", 263, "no note", 7);
	expect("checkpoint 263 (checkpoints): it is malformed");
	put_index("checkpoints", 263, "text\n\n\xe2\x80\x94 name AAAAAAAA\n", 24);
	expect("checkpoint 263 (checkpoints): it is malformed");
	put_index("checkpoints", 264, large, sizeof large);
	expect("checkpoint 264 (checkpoints): it is malformed");
	put_index("checkpoints", UINT64_MAX, "x", 1);
	expect("checkpoint 18446744073709551615 (checkpoints): it is malformed");
	for (uint64_t i = 0; i < 70; i++) /* More than one step takes. */
		put_index("checkpoints", i, "x", 1);
	expect("checkpoint 18446744073709551615 (checkpoints): it is malformed");
	/* A tile is gone, with what it could be made of. */
	store_tile_key(key, 0, 1);
	store_real_get("tiles", key, sizeof key, tile, sizeof tile);
	put_tile(0, 1, NULL, 0);
	expect("checkpoint 260 (checkpoints): it has not the tree's root");
}

/* Between the last of one step and the first of the next, too. */
static void test_checkpoint_keys(void **state)
{
	(void)state;
	store_real_put("checkpoints", "odd", 3, "x", 1);
	expect("(checkpoints): a record is of no size");
	store_real_put("checkpoints", "odd", 3, NULL, 0);
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = store_real_note(STORE_REAL_ORIGIN, 260, &root_at_260, note);
	put_index("checkpoints", 260, note, len);
	store_real_put("checkpoints", "\0\0\0\0\0\0\1\4x", 9, "x", 1);
	expect("(checkpoints): a record is of no size");
	store_real_put("checkpoints", "\0\0\0\0\0\0\1\4x", 9, NULL, 0);
	store_real_put("checkpoints", "\0", 1, "x", 1);
	expect("(checkpoints): a record is of no size");
}

/* --- the state --- */

static void test_state(void **state)
{
	uint8_t sum[META_SUM_SIZE];

	(void)state;
	store_real_put("state", "S00000001", 9, "another", 7);
	expect("state (state): its records have not the sum that was stored with them");
	store_real_get("meta", "sum", 3, sum, sizeof sum);
	sum[7] ^= 1; /* Of a version that kept none: nothing can be said. */
	store_real_put("meta", "sum", 3, sum, sizeof sum);
	assert_int_equal(scrubbed(NULL, false), 0);
	assert_null(strstr(found, "state (state)"));
	store_real_put("meta", "state", 5, NULL, 0);
	expect("meta (meta): the state's index or sum is missing");
	store_real_put("meta", "state", 5, sum, META_STATE_SIZE);
	store_real_put("meta", "sum", 3, "short", 5);
	expect("meta (meta): the state's index or sum is missing");
}

/* --- the records about all that --- */

static void test_copy(void **state)
{
	static const struct {
		size_t at;
		const char *text;
	} cases[] = {{7, "meta (meta): the copy of the head is another"},
	             {15, "meta (meta): the copy of the head is another"},
	             {23, "meta (meta): the copy of the head is another"},
	             {24, "meta (meta): the copy of the head is another"},
	             {24 + HASH_SIZE, "meta (meta): the copy of the head is another"},
	             {META_HEAD_SIZE, "meta (meta): the copy of the state's index is another"},
	             {META_HEAD_SIZE + META_STATE_SIZE, "meta (meta): the sum of the state is not what was stored"},
	             {META_HEAD_SIZE + META_STATE_SIZE + HASH_SIZE,
	              "meta (meta): the format, or a record of the node's own, is not what was stored"}};
	uint8_t copy[META_COPY_SIZE], head[META_HEAD_SIZE];

	(void)state;
	assert_int_equal(store_real_get("meta", "copy", 4, copy, sizeof copy), sizeof copy);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		copy[cases[i].at] ^= 1;
		store_real_copy_put(copy);
		expect(cases[i].text);
		copy[cases[i].at] ^= 1;
		store_real_copy_put(copy);
		expect_nothing();
	}
	store_real_damage("meta", "copy", 4, 3, 1);
	expect("meta (meta): the copy is missing or damaged");
	store_real_put("meta", "copy", 4, NULL, 0);
	expect("meta (meta): the copy is missing or damaged");
	store_real_get("meta", "head", 4, head, sizeof head);
	store_real_put("meta", "head", 4, head, sizeof head - 1);
	assert_int_equal(scrubbed(NULL, false), CS_ERR_DAMAGED);
	store_real_put("meta", "head", 4, NULL, 0);
	assert_int_equal(scrubbed(NULL, false), CS_ERR_DAMAGED);
}

/* Under a head that the caller knows. */
static void test_head(void **state)
{
	static const uint8_t head_bytes[META_HEAD_SIZE];
	struct pages_file file;
	struct store_head head;
	char path[512];

	(void)state;
	struct store *s = store_kit_writer_open();
	store_head(s, &head);
	store_close(s);
	store_real_damage("meta", "head", 4, 15, 1);
	store_kit_file_path(path, sizeof path, "data.mdb");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pages_file_open(path, false, &file), 0);
		const struct pages_source source = {.read = pages_file_read, .ctx = &file};
		found[0] = 0;
		assert_int_equal(scrub_begin(&scrub, &source, 0, &head), 0);
		assert_int_equal(scrub_meta(&scrub), 0);
		assert_non_null(strstr(found, i ? "the head is missing" : "the head is not that of the ledger"));
		scrub_end(&scrub);
		assert_int_equal(scrub_begin(&scrub, &source, 99999, &head), CS_ERR_NOT_FOUND);
		scrub_end(&scrub);
		pages_file_close(&file);
		if (i == 0) { /* Another as long stands where it stood. */
			store_real_put("meta", "head", 4, NULL, 0);
			store_real_put("meta", "heap", 4, head_bytes, sizeof head_bytes);
		}
	}
}

/* --- pages --- */

/* The flags of the node that has this value in its page. */
static void damage_node(const char *value, size_t key_len, uint8_t bits)
{
	static uint8_t bytes[1 << 20];
	char path[512];

	store_kit_file_path(path, sizeof path, "data.mdb");
	FILE *f = fopen(path, "r+e");
	assert_non_null(f);
	size_t len = fread(bytes, 1, sizeof bytes, f);
	for (uint8_t *at = bytes; (at = memmem(at, len - (size_t)(at - bytes), value, strlen(value))); at++) {
		at[-(ptrdiff_t)key_len - 4] ^= bits;
		assert_int_equal(fseek(f, at - bytes - (long)key_len - 4, SEEK_SET), 0);
		assert_int_equal(fwrite(at - key_len - 4, 1, 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
}

static void test_pages(void **state)
{
	(void)state;
	damage_node("a subject", 9, 2);
	expect("(state): a record names a database");
	damage_node("a subject", 9, 2 | 8); /* Back again, and another. */
	expect("(state): a record reaches out of its page");
	assert_null(strstr(found, "state (state)")); /* The sum of what can be read says nothing. */
}

static void test_databases(void **state)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi, other;

	(void)state;
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, DB_COUNT + 1), 0);
	assert_int_equal(mdb_env_open(env, store_kit_folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "erased", 0, &dbi), 0);
	assert_int_equal(mdb_drop(txn, dbi, 1), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	expect_nothing(); /* Of a version that had none. */
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "erasee", MDB_CREATE, &dbi), 0); /* One bit of its name. */
	assert_int_equal(mdb_txn_commit(txn), 0);
	expect("(erased): the database is not to be found");
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "state", 0, &dbi), 0);
	assert_int_equal(mdb_drop(txn, dbi, 1), 0);
	assert_int_equal(mdb_dbi_open(txn, "state", MDB_CREATE | MDB_REVERSEKEY, &other), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	expect("(state): the database is not to be found");
	mdb_env_close(env);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, store_kit_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_texts),       TEST(test_entries),         TEST(test_bodies),    TEST(test_tiles),
	        TEST(test_checkpoints), TEST(test_checkpoint_keys), TEST(test_state),     TEST(test_copy),
	        TEST(test_head),        TEST(test_pages),           TEST(test_databases),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("scrub_hostile", tests, NULL, NULL);
}
