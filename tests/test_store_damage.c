/* Tests of the store: what it refuses to open, damage, a full map, a full disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_kit.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ledger/errors.h"

static void test_open_refusals(void **state)
{
	const struct store_options no_create = {0}, read_only = {.read_only = true}, create = {.create = true};
	struct store *s, *second = NULL;

	(void)state;
	assert_int_equal(store_open(store_kit_folder, &no_create, &second), CS_ERR_NOT_FOUND);
	assert_int_equal(store_open(store_kit_folder, &read_only, &second), CS_ERR_NOT_FOUND);
	assert_int_equal(store_open("/nonexistent/store_kit_folder", &create, &second), CS_ERR_NOT_FOUND);
	s = store_kit_writer_open();
	assert_int_equal(store_open(store_kit_folder, &create, &second), CS_ERR_EXISTS);
	assert_null(second);
	store_close(s);
}

/* Opens the file as LMDB alone sees it, changes one record, and expects the store to notice. */
static void damage(const char *db, const void *key, size_t key_len, size_t at, bool delete_it)
{
	MDB_val k = {key_len, (void *)(uintptr_t)key}, v;
	uint8_t bytes[8192 + 1];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, store_kit_folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, db, 0, &dbi), 0);
	assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
	if (delete_it) {
		assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
	} else {
		assert_true(v.mv_size < sizeof bytes && at < v.mv_size);
		memcpy(bytes, v.mv_data, v.mv_size);
		bytes[at] ^= 1;
		v.mv_data = bytes;
		assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void test_damage(void **state)
{
	static const uint8_t last[8] = {0, 0, 0, 0, 0, 0, 1, 43}, middle[8] = {0, 0, 0, 0, 0, 0, 0, 5},
	                     tile0[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1}, tile1[9] = {1};
	const struct store_options o = {.map_size = MAP_SIZE};
	struct store *s = store_kit_writer_open();

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 300, 1, 1), 0);
	store_close(s);
	const struct {
		const char *db;
		const void *key;
		size_t key_len, at;
	} cases[] = {
	        {"meta", "head", 4, 7},  {"meta", "head", 4, 30}, {"meta", "head", 4, 60}, {"meta", "format", 6, 3},
	        {"entries", last, 8, 5}, {"tiles", tile0, 9, 40}, {"tiles", tile1, 9, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		damage(cases[i].db, cases[i].key, cases[i].key_len, cases[i].at, false);
		assert_int_equal(store_open(store_kit_folder, &o, &s), CS_ERR_DAMAGED);
		damage(cases[i].db, cases[i].key, cases[i].key_len, cases[i].at, false); /* Back again. */
		assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
		store_close(s);
	}
	damage("bodies", last, 8, 0, true); /* A body may be erased. */
	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	struct store_view *v;
	const void *got;
	size_t len;
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_view_body(v, 299, &got, &len), CS_ERR_ERASED);
	store_view_close(v);
	store_close(s);
	damage("entries", middle, 8, 0, true); /* An entry may not. */
	assert_int_equal(store_open(store_kit_folder, &o, &s), CS_ERR_DAMAGED);
}

/* A store of another build is named and left alone; only what is no version at all is damage. */
static void test_other_format(void **state)
{
	char format[STORE_FORMAT_SIZE] = "";
	const struct store_options o = {.map_size = MAP_SIZE, .create = true, .ret_format = format};
	struct store *s = store_kit_writer_open();

	(void)state;
	store_close(s);
	damage("meta", "format", 6, strlen(STORE_FORMAT) - 1, false); /* '1' ^ 1 is '0'. */
	assert_int_equal(store_open(store_kit_folder, &o, &s), CS_ERR_VERSION);
	assert_string_equal(format, "countersign/store/v0");
	damage("meta", "format", 6, strlen(STORE_FORMAT) - 1, false);
	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	store_close(s);
}

static void test_tile_missing(void **state)
{
	static const uint8_t tile0[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
	const struct store_options o = {.map_size = MAP_SIZE};
	struct store *s = store_kit_writer_open();

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 300, 1, 1), 0);
	store_close(s);
	damage("tiles", tile0, 9, 0, true);
	assert_int_equal(store_open(store_kit_folder, &o, &s), CS_ERR_DAMAGED);
}

static void test_not_ours(void **state)
{
	const struct store_options o = {.create = true};
	struct store *s = NULL;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	(void)state;
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, store_kit_folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "somebody else's", MDB_CREATE, &dbi), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	assert_int_equal(store_open(store_kit_folder, &o, &s), CS_ERR_DAMAGED);
	assert_null(s);
}

static void test_map_full(void **state)
{
	const struct store_options o = {.map_size = 1 << 20, .create = true};
	struct store_head head, after;
	struct store_view *v;
	struct store *s;
	struct hash root;
	uint64_t index = 0, left, size;
	int err;

	(void)state;
	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	store_room(s, &left, &size);
	assert_int_equal(size, 1 << 20);
	assert_true(left > size / 5 * 4 && left < size);
	do {
		store_head(s, &head);
		err = store_kit_batch_commit(s, 50, ++index, 1);
	} while (!err);
	assert_int_equal(err, CS_ERR_DISK_FULL);
	store_room(s, &left, &size);
	assert_true(left <= size / 5);
	store_head(s, &after);
	assert_memory_equal(&head, &after, sizeof head);
	assert_int_equal(store_kit_batch_commit(s, 500, index, 1), CS_ERR_DISK_FULL);
	/* What is there can still be read, and the tree was taken back with the transaction. */
	assert_int_equal(store_view_open(s, &v), 0);
	store_kit_entries_check(v, 0, head.size);
	store_kit_view_check(v);
	store_view_close(v);
	store_close(s);
	/* With a larger map it goes on. */
	s = store_kit_writer_open();
	assert_int_equal(store_kit_batch_commit(s, 500, index, 1), 0);
	store_kit_root_naive(0, head.size + 500, &root);
	store_head(s, &after);
	assert_true(hash_equal(&after.root, &root));
	store_close(s);
}

/* A disk that takes no more: the file may not grow. */
static void disk_child(void)
{
	struct rlimit limit;
	struct store *s = store_kit_writer_open();
	struct store_head head;
	struct stat st;
	char path[512];

	CHILD_CHECK(store_kit_batch_commit(s, 300, 1, 1) == 0);
	store_kit_file_path(path, sizeof path, "data.mdb");
	CHILD_CHECK(stat(path, &st) == 0);
	signal(SIGXFSZ, SIG_IGN);
	limit.rlim_cur = limit.rlim_max = (rlim_t)st.st_size;
	CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_CHECK(store_kit_batch_commit(s, 600, 2, 1) == CS_ERR_IO);
	store_head(s, &head);
	CHILD_CHECK(head.size == 300);
	/* Nothing is tried again, even where it would now succeed. */
	CHILD_CHECK(store_begin(s) == CS_ERR_IO);
	CHILD_CHECK(store_write_state(s, NULL, 0, 1, 1) == CS_ERR_IO);
	CHILD_CHECK(store_sync(s) == CS_ERR_IO);
	store_close(s);
	_exit(0);
}

static void test_disk_error(void **state)
{
	struct store_head head;

	(void)state;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		disk_child();
	int status = store_kit_child_wait(pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	struct store *s = store_kit_writer_open();
	store_head(s, &head);
	assert_int_equal(head.size, 300);
	assert_int_equal(store_kit_batch_commit(s, 600, 2, 1), 0);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_open_refusals), STORE_TEST(test_damage),   STORE_TEST(test_other_format),
	        STORE_TEST(test_tile_missing),  STORE_TEST(test_not_ours), STORE_TEST(test_map_full),
	        STORE_TEST(test_disk_error),
	};

	return cmocka_run_group_tests_name("store_damage", tests, NULL, NULL);
}
