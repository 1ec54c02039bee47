/* Tests of the verifier's stores: records that are missing, malformed or too long, and calls that fail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/verify_whole.h"
#include "tests/verify_faults.h"
#include "tests/whole_kit.h"

#define SIZE (8 * VERIFY_TILE_WIDTH + 5) /* The view is renewed once; three entries are behind the checkpoint. */
#define HELD (SIZE + 3)

static struct fixture fixture;
static struct whole_ledger ledger;
static char folder[64];
static struct verify_result result;
static struct verify_whole_options options;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	whole_make(&ledger, HELD, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	whole_free(&ledger);
	fixture_free(&fixture);
	return 0;
}

/* --- a store, written by hand as FORMAT.md has it --- */

static MDB_env *env;
static MDB_txn *txn;

static void open_to_write(void)
{
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 8 << 20), 0);
	assert_int_equal(mdb_env_open(env, folder, MDB_NOSYNC, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
}

static void written(void)
{
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

/* NULL: takes the record out. */
static void put(const char *database, const void *key, size_t key_len, const void *value, size_t len)
{
	MDB_val k = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key};
	MDB_val v = {.mv_size = len, .mv_data = (void *)(uintptr_t)value};
	MDB_dbi dbi;

	assert_int_equal(mdb_dbi_open(txn, database, MDB_CREATE, &dbi), 0);
	assert_int_equal(value ? mdb_put(txn, dbi, &k, &v, 0) : mdb_del(txn, dbi, &k, NULL), 0);
}

static void put_at(const char *database, uint64_t at, const void *value, size_t len)
{
	uint8_t key[8];

	put_u64be(key, at);
	put(database, key, sizeof key, value, len);
}

static void put_tile(unsigned level, uint64_t n, const void *value, size_t len)
{
	uint8_t key[9] = {(uint8_t)level};

	put_u64be(key + 1, n);
	put("tiles", key, sizeof key, value, len);
}

static void put_note(uint64_t size, struct fixture_signers by)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = whole_note(&ledger, &fixture, size, by, note);

	put_at("checkpoints", size, note, len);
}

static void put_entries(void)
{
	uint8_t hashes[VERIFY_TILE_WIDTH * VERIFY_HASH_SIZE];

	for (uint64_t i = 0; i < HELD; i++) {
		put_at("entries", i, ledger.leaves[i].bytes, ledger.leaves[i].len);
		put_at("bodies", i, ledger.leaves[i].body, ledger.leaves[i].body_len);
	}
	for (uint64_t n = 0; n * VERIFY_TILE_WIDTH < HELD; n++) {
		uint64_t left = HELD - n * VERIFY_TILE_WIDTH;
		unsigned width = left < VERIFY_TILE_WIDTH ? (unsigned)left : VERIFY_TILE_WIDTH;

		whole_tile(&ledger, 0, n, width, hashes);
		put_tile(0, n, hashes, (size_t)width * VERIFY_HASH_SIZE);
	}
	whole_tile(&ledger, 1, 0, 8, hashes);
	put_tile(1, 0, hashes, (size_t)8 * VERIFY_HASH_SIZE);
}

static const struct fixture_signers quorum = {.logs = 1, .cosigners = 3};

static int begin(void **state)
{
	uint8_t head[96] = {0};

	(void)state;
	memset(&options, 0, sizeof options);
	snprintf(folder, sizeof folder, "/tmp/countersign-vstore-XXXXXX");
	assert_non_null(mkdtemp(folder));
	open_to_write();
	put("meta", "format", 6, "countersign/store/v1", 20);
	put_u64be(head, HELD);
	put("meta", "head", 4, head, sizeof head);
	put_entries();
	put_note(SIZE, quorum);
	written();
	return 0;
}

static int end(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/data.mdb", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/lock.mdb", folder);
	unlink(path);
	return rmdir(folder);
}

static void expect(enum verify_outcome outcome, const char *reason)
{
	verify_store(fixture.policy, folder, &options, &result);
	fixture_outcome(&result, outcome, reason);
}

/* --- tests --- */

static void test_good(void **state)
{
	(void)state;
	expect(VERIFY_VERIFIED, "size 2053");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "3 entries that the checkpoint does not cover"));
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "private fields: not looked at (--bodies)"));
	options.bodies = true;
	expect(VERIFY_VERIFIED, "size 2053");
	assert_true(fixture_says(&result, VERIFY_MARK_HELD,
	                         "private fields of 684 entries: each opens its commitment; 1369 entries have none"));
	assert_false(fixture_says(&result, VERIFY_MARK_UNCHECKED, "erased"));
	/* A tile above, an edge that is just so wide, and a full one at the checkpoint's end. */
	open_to_write();
	put_note(8 * VERIFY_TILE_WIDTH, quorum);
	put_at("checkpoints", SIZE, NULL, 0);
	written();
	expect(VERIFY_VERIFIED, "size 2048");
	open_to_write();
	put("meta", "head", 4, NULL, 0);
	written();
	expect(VERIFY_VERIFIED, "size 2048");
	assert_false(fixture_says(&result, VERIFY_MARK_UNCHECKED, "does not cover"));
	open_to_write();
	put("meta", "head", 4, "short", 5);
	written();
	expect(VERIFY_VERIFIED, "size 2048");
	assert_false(fixture_says(&result, VERIFY_MARK_UNCHECKED, "does not cover"));
}

static void test_format(void **state)
{
	static const char reason[] = "not a store of the format countersign/store/v1";

	(void)state;
	open_to_write();
	put("meta", "format", 6, "countersign/store/v2", 20);
	written();
	expect(VERIFY_UNDECIDED, reason);
	open_to_write();
	put("meta", "format", 6, "countersign/store/v11", 21);
	written();
	expect(VERIFY_UNDECIDED, reason);
	open_to_write();
	put("meta", "format", 6, NULL, 0);
	written();
	expect(VERIFY_UNDECIDED, reason);
}

/* Which of the checkpoints: the newest; or, where that is asked for, the newest that the policy knows a quorum of. */
static void test_checkpoints(void **state)
{
	static char large[LIMIT_NOTE_SIZE_MAX + 1];
	struct verify_policy *kept = fixture.policy;

	(void)state;
	memset(large, 'x', sizeof large);
	open_to_write();
	put_note(300, quorum);
	put_note(700, (struct fixture_signers){.cosigners = 3, .stranger = true}); /* A log's key is new. */
	put_note(SIZE, (struct fixture_signers){.logs = 1});
	written();
	expect(VERIFY_UNDECIDED, "the leader's claim only: no quorum of cosignatures for size 2053");
	options.trusted = true;
	expect(VERIFY_UNDECIDED, "no log key of the trust policy has signed");
	assert_int_equal(result.size, 700);
	open_to_write();
	put_at("checkpoints", 700, NULL, 0);
	put_at("checkpoints", SIZE + 1, large, sizeof large);
	written();
	expect(VERIFY_VERIFIED, "size 300");
	/* Where it knows none, the newest, and that cannot be read. */
	fixture.policy = fixture_policy_of(&fixture, "log LO\nwitness out WO\nquorum out\n");
	expect(VERIFY_UNDECIDED, "no checkpoint is in the store");
	open_to_write();
	put_at("checkpoints", SIZE + 1, NULL, 0);
	written();
	expect(VERIFY_UNDECIDED, "no log key of the trust policy has signed");
	assert_int_equal(result.size, SIZE);
	verify_policy_free(fixture.policy);
	fixture.policy = kept;
	open_to_write();
	put_at("checkpoints", SIZE, "no note", 7);
	written();
	options.trusted = false;
	expect(VERIFY_REFUTED, "checkpoint: not a signed note");
	open_to_write();
	put_at("checkpoints", 300, NULL, 0);
	put_at("checkpoints", SIZE, NULL, 0);
	written();
	expect(VERIFY_UNDECIDED, "no checkpoint is in the store");
	options.trusted = true;
	expect(VERIFY_UNDECIDED, "no checkpoint is in the store");
}

static void test_entries_and_tiles(void **state)
{
	uint8_t hashes[(VERIFY_TILE_WIDTH + 1) * VERIFY_HASH_SIZE];
	const struct whole_leaf *l = &ledger.leaves[1000];

	(void)state;
	open_to_write();
	put_at("entries", 1000, NULL, 0);
	written();
	expect(VERIFY_REFUTED, "entry 1000: it is missing: the checkpoint covers it");
	assert_int_equal(result.bad_index, 1000);
	open_to_write();
	put_at("entries", 1000, l->bytes, l->len - 1);
	written();
	expect(VERIFY_REFUTED, "entry 1000: its hash is not the one in its tile");
	open_to_write();
	put_at("entries", 1000, l->bytes, l->len);
	whole_tile(&ledger, 0, 8, 8, hashes);
	put_tile(0, 8, hashes, 4 * VERIFY_HASH_SIZE);
	written();
	expect(VERIFY_REFUTED, "tile/0/008.p/5: not 5 hashes");
	open_to_write();
	put_tile(0, 8, hashes, 6 * VERIFY_HASH_SIZE - 1);
	written();
	expect(VERIFY_REFUTED, "tile/0/008.p/5: not 5 hashes");
	open_to_write();
	put_tile(0, 8, hashes, sizeof hashes);
	written();
	expect(VERIFY_REFUTED, "tile/0/008.p/5: not 5 hashes");
	open_to_write();
	put_tile(0, 8, NULL, 0);
	written();
	expect(VERIFY_UNDECIDED, "tile/0/008.p/5 is missing, or cannot be read");
}

static void test_bodies(void **state)
{
	const struct whole_leaf *l = &ledger.leaves[1001];
	uint8_t body[WHOLE_LEAF_SIZE_MAX];

	(void)state;
	options.bodies = true;
	open_to_write();
	put_at("bodies", 1001, NULL, 0);   /* Erased, all of it; */
	put_at("bodies", 1004, "\x90", 1); /* what there was of it; */
	put_at("bodies", 1000, NULL, 0);   /* one that had none anyway. */
	written();
	expect(VERIFY_VERIFIED, "size 2053");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "private fields of 3 entries: not there, erased"));
	memcpy(body, l->body, l->body_len);
	body[l->body_len - 1] ^= 1;
	open_to_write();
	put_at("bodies", 1001, body, l->body_len);
	written();
	expect(VERIFY_REFUTED, "entry 1001: a field of its body does not open its commitment");
	assert_int_equal(result.bad_index, 1001);
	open_to_write();
	put_at("bodies", 1001, "x", 1);
	written();
	expect(VERIFY_REFUTED, "entry 1001: its body is not canonical");
}

/* What LMDB, or the machine, cannot give is no refutation. */
static void test_faults(void **state)
{
	static const struct {
		const char *function;
		unsigned n;
		int error;
		const char *reason;
	} rows[] = {
	        {"calloc", 1, ENOMEM, "out of memory"},
	        {"mdb_env_create", 1, ENOMEM, "the store cannot be opened: Cannot allocate memory"},
	        {"mdb_env_set_maxdbs", 1, EINVAL, "the store cannot be opened: Invalid argument"},
	        {"mdb_env_open", 1, EIO, "the store cannot be opened: Input/output error"},
	        {"mdb_txn_begin", 1, MDB_READERS_FULL, "the store cannot be opened: MDB_READERS_FULL"},
	        {"mdb_dbi_open", 1, MDB_NOTFOUND, "the store cannot be opened: MDB_NOTFOUND"},
	        {"mdb_dbi_open", 2, MDB_NOTFOUND, "the store cannot be opened: MDB_NOTFOUND"},
	        {"mdb_dbi_open", 3, MDB_NOTFOUND, "the store cannot be opened: MDB_NOTFOUND"},
	        {"mdb_dbi_open", 4, MDB_NOTFOUND, "the store cannot be opened: MDB_NOTFOUND"},
	        {"mdb_dbi_open", 5, MDB_NOTFOUND, "the store cannot be opened: MDB_NOTFOUND"},
	        {"mdb_txn_commit", 1, ENOMEM, "the store cannot be opened: Cannot allocate memory"},
	        {"mdb_txn_begin", 2, MDB_READERS_FULL, "the store cannot be opened: MDB_READERS_FULL"},
	        {"mdb_get", 1, MDB_CORRUPTED, "not a store of the format"},
	        {"mdb_cursor_open", 1, ENOMEM, "no checkpoint is in the store"},
	        {"mdb_get", 3, MDB_CORRUPTED, "entry 0 is missing, or cannot be read"},
	        {"mdb_get", 3 + 256, MDB_CORRUPTED, "tile/0/000 is missing, or cannot be read"},
	        {"mdb_get", 3 + 257, MDB_CORRUPTED, "entry 0 is missing, or cannot be read"}, /* Its body. */
	        {"mdb_txn_renew", 1, MDB_READERS_FULL, "the store can no longer be read"},
	};

	(void)state;
	options.bodies = true;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		verify_faults_arm(rows[i].function, rows[i].n, rows[i].error);
		expect(VERIFY_UNDECIDED, rows[i].reason);
		assert_true(verify_faults_disarm());
	}
	options.trusted = true;
	verify_faults_arm("malloc", 1, ENOMEM);
	expect(VERIFY_VERIFIED, "size 2053"); /* The newest then, which it would have been. */
	assert_true(verify_faults_disarm());
	assert_int_equal(rmdir(folder), -1);
}

/* A copy where no lock file can be made is read without one. */
static void test_read_only(void **state)
{
	static const int errors[] = {EACCES, EPERM, EROFS};

	(void)state;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		verify_faults_arm("mdb_env_open", 1, errors[i]);
		expect(VERIFY_VERIFIED, "size 2053");
		assert_true(verify_faults_disarm());
	}
	verify_faults_arm("mdb_env_open", 0, EACCES);
	expect(VERIFY_UNDECIDED, "the store cannot be opened: Permission denied");
	assert_true(verify_faults_disarm());
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        IN_STORE(test_good),        IN_STORE(test_format),
	        IN_STORE(test_checkpoints), IN_STORE(test_entries_and_tiles),
	        IN_STORE(test_bodies),      IN_STORE(test_faults),
	        IN_STORE(test_read_only),
	};

	return cmocka_run_group_tests_name("stores", tests, setup, teardown);
}
