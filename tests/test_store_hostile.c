/* Tests of opening what no store has written: other formats, missing databases, records about it that are none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "tests/store_real.h"

#define SIZE 300

static const struct store_options plain = {.map_size = MAP_SIZE}, reader = {.read_only = true};

static struct store *filled(void)
{
	struct store *s = store_kit_writer_open();

	assert_int_equal(store_real_commit(s, SIZE), 0);
	assert_int_equal(store_real_state(s), 0);
	return s;
}

static void refused(const struct store_options *o, int err)
{
	struct store *s = NULL;

	assert_int_equal(store_open(store_kit_folder, o, &s), err);
	assert_null(s);
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

static struct store_view *view_of(struct store *s)
{
	struct store_view *v;

	assert_int_equal(store_view_open(s, &v), 0);
	return v;
}

/* --- LMDB's words and ours --- */

static void test_errors(void **state)
{
	static const struct {
		int rc, err;
	} cases[] = {{MDB_SUCCESS, CS_OK},
	             {MDB_NOTFOUND, CS_ERR_NOT_FOUND},
	             {ENOENT, CS_ERR_NOT_FOUND},
	             {MDB_MAP_FULL, CS_ERR_DISK_FULL},
	             {MDB_READERS_FULL, CS_ERR_OVERLOADED},
	             {MDB_TXN_FULL, CS_ERR_TOO_LARGE},
	             {MDB_BAD_VALSIZE, CS_ERR_TOO_LARGE},
	             {MDB_PAGE_NOTFOUND, CS_ERR_DAMAGED},
	             {MDB_CORRUPTED, CS_ERR_DAMAGED},
	             {MDB_VERSION_MISMATCH, CS_ERR_DAMAGED},
	             {MDB_INVALID, CS_ERR_DAMAGED},
	             {MDB_INCOMPATIBLE, CS_ERR_DAMAGED},
	             {MDB_KEYEXIST, CS_ERR_DAMAGED},
	             {ENOMEM, CS_ERR_NOMEM},
	             {EIO, CS_ERR_IO},
	             {MDB_PANIC, CS_ERR_IO},
	             {MDB_BAD_TXN, CS_ERR_IO}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(store_error(cases[i].rc), cases[i].err);
}

/* --- opening --- */

/* Only our name with another number is another build's. */
static void test_formats(void **state)
{
	static const char *const damaged[] = {"",
	                                      "countersign/store/v",
	                                      "countersign/store/v/",
	                                      "countersign/store/v1x",
	                                      "Countersign/store/v1",
	                                      "somebody's/store/v1..",
	                                      "countersign/store/v1234567890123"};
	char format[STORE_FORMAT_SIZE];
	const struct store_options o = {.map_size = MAP_SIZE, .ret_format = format};

	(void)state;
	store_close(filled());
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		store_real_put("meta", "format", 6, damaged[i], strlen(damaged[i]));
		format[0] = 0;
		refused(&o, CS_ERR_DAMAGED);
		assert_string_equal(format, "");
	}
	store_real_put("meta", "format", 6, "countersign/store/v23", 21);
	refused(&o, CS_ERR_VERSION);
	assert_string_equal(format, "countersign/store/v23");
	refused(&plain, CS_ERR_VERSION); /* Whoever does not ask is not told. */
	refused(&reader, CS_ERR_VERSION);
	store_real_put("meta", "format", 6, NULL, 0);
	refused(&plain, CS_ERR_DAMAGED);
}

/* A file without our databases, or without one of them. */
static void test_databases(void **state)
{
	static const char *const names[] = {"entries", "bodies", "tiles", "checkpoints", "state"};
	MDB_dbi dbi;
	MDB_env *env;
	MDB_txn *txn;
	char path[512];

	(void)state;
	store_kit_file_path(path, sizeof path, "data.mdb");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); /* No byte is in it yet: as if it were not there. */
	refused(&plain, CS_ERR_NOT_FOUND);
	for (size_t i = 0; i <= sizeof names / sizeof *names; i++) {
		unlink(path);
		store_close(filled());
		assert_int_equal(mdb_env_create(&env), 0);
		assert_int_equal(mdb_env_set_maxdbs(env, DB_COUNT), 0);
		assert_int_equal(mdb_env_open(env, store_kit_folder, 0, 0600), 0);
		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, i < sizeof names / sizeof *names ? names[i] : "meta", 0, &dbi), 0);
		assert_int_equal(mdb_drop(txn, dbi, 1), 0);
		assert_int_equal(mdb_txn_commit(txn), 0);
		mdb_env_close(env);
		refused(&plain, i < sizeof names / sizeof *names ? CS_ERR_DAMAGED : CS_ERR_NOT_FOUND);
	}
	/* Without "meta" it is nobody's, and there are others: not to be made ours. */
	const struct store_options create = {.map_size = MAP_SIZE, .create = true},
	                           create_reader = {.create = true, .read_only = true};
	refused(&create, CS_ERR_DAMAGED);
	refused(&create_reader, CS_ERR_NOT_FOUND);
}

/* A version that knew of no erasures has written it: what it has not, a reader does without, and a writer makes. */
static void test_no_erased(void **state)
{
	char text[STORE_REAL_TEXT];
	struct store_erasure e;
	unsigned n = 1;
	MDB_txn *txn;

	(void)state;
	struct store *s = filled();
	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_drop(txn, s->db[DB_ERASED], 1), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	store_close(s);
	if (store_real_scrub(text) > 0)
		fail_msg("an older store: %s", text);
	assert_int_equal(store_open(store_kit_folder, &reader, &s), 0);
	struct store_view *v = view_of(s);
	assert_int_equal(store_view_erased(v, 3, &e, 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(store_view_each_erased(v, 0, NULL, NULL), 0);
	store_view_close(v);
	store_close(s);
	s = store_kit_writer_open();
	assert_int_equal(store_erase(s, &(struct store_erasure){3, 9, 2}, 1, &(uint64_t){0}), 0);
	store_close(s);
}

/* A name so long that the files in it have none. */
static void test_long_name(void **state)
{
	const struct store_options create = {.create = true};
	char dir[PATH_MAX];
	struct store_rewrite *r;
	struct store *s = NULL;

	(void)state;
	size_t len = (size_t)snprintf(dir, sizeof dir, "%s", store_kit_folder);
	while (len < PATH_MAX - 8) {
		memcpy(dir + len, "/.", 3);
		len += 2;
	}
	assert_int_equal(store_open(dir, &plain, &s), CS_ERR_IO);
	assert_int_equal(store_open(dir, &create, &s), CS_ERR_IO);
	/* One where the files have names, and what a rewrite puts beside has none. */
	dir[dir[PATH_MAX - 19] == '/' ? PATH_MAX - 19 : PATH_MAX - 18] = 0;
	assert_int_equal(store_open(dir, &create, &s), 0);
	assert_int_equal(store_rewrite_begin(s, &r), CS_ERR_TOO_LARGE);
	store_close(s);
	store_rewrite_sweep("/");
	snprintf(dir, sizeof dir, "%s//", store_kit_folder);
	assert_int_equal(store_open(dir, &plain, &s), 0);
	assert_int_equal(store_rewrite_begin(s, &r), 0);
	store_rewrite_abandon(r);
	store_close(s);
}

/* --- the records about the ledger --- */

static void test_meta(void **state)
{
	uint8_t head[META_HEAD_SIZE] = {0}, sum[META_SUM_SIZE] = {0};
	uint64_t index, term;
	struct hash digest;

	(void)state;
	struct store *s = filled();
	struct store_view *v = view_of(s);
	store_view_release(v);
	assert_int_equal(store_view_state_index(v, &index, &term), CS_ERR_INVALID);
	assert_int_equal(store_view_state_digest(v, &digest), CS_ERR_INVALID);
	assert_int_equal(store_view_check_state(v), CS_ERR_INVALID);
	assert_int_equal(store_view_each_state(v, NULL, NULL), CS_ERR_INVALID);
	put(s, DB_META, "head", 4, head, sizeof head - 1);
	assert_int_equal(store_view_renew(v), CS_ERR_DAMAGED);
	put(s, DB_META, "head", 4, NULL, 0);
	assert_int_equal(store_view_renew(v), CS_ERR_DAMAGED);
	store_view_close(v);
	assert_int_equal(store_begin(s), 0); /* What it knows, it writes. */
	assert_int_equal(store_commit(s), 0);
	v = view_of(s);
	put(s, DB_META, "state", 5, "short", 5);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_state_index(v, &index, &term), CS_ERR_DAMAGED);
	assert_int_equal(store_view_state_digest(v, &digest), CS_ERR_DAMAGED);
	put(s, DB_META, "state", 5, NULL, 0);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_state_index(v, &index, &term), CS_ERR_NOT_FOUND);
	assert_int_equal(store_view_state_digest(v, &digest), CS_ERR_NOT_FOUND);
	assert_int_equal(store_real_state(s), 0);
	put(s, DB_META, "sum", 3, sum, sizeof sum - 1);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_check_state(v), CS_ERR_DAMAGED);
	store_view_close(v);
	store_close(s);
	refused(&plain, CS_ERR_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {STORE_TEST(test_errors),    STORE_TEST(test_formats),
	                                   STORE_TEST(test_databases), STORE_TEST(test_no_erased),
	                                   STORE_TEST(test_long_name), STORE_TEST(test_meta)};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("store_hostile", tests, NULL, NULL);
}
