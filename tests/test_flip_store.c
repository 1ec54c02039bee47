/* Every byte of a store flipped before the verifier: refuted, not to be told, or it has read just what was stored. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "ledger/verify_whole.h"
#include "tests/flip_regions.h"
#include "tests/store_kit.h"
#include "tests/verify_fixture.h"

#define PATIENCE_S 10 /* A damaged page may lead LMDB round in circles. */

static struct fixture fixture;
static struct image image;
static int fd;

/* What a child has come to; it may end at any byte. */
static struct shared {
	size_t next;
	unsigned long refuted, undecided, harmless, wrong;
	size_t wrong_at;
} * shared;

static int setup(void **state)
{
	const struct store_options o = {.map_size = 1 << 20, .create = true};
	struct store_entry e[FIXTURE_ENTRIES];
	char note[LIMIT_NOTE_SIZE_MAX], path[512];
	struct store *s;

	(void)state;
	fixture_init(&fixture);
	assert_int_equal(store_kit_folder_make(NULL), 0);
	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++)
		e[i] = (struct store_entry){.leaf = fixture.entry[i].leaf,
		                            .body = fixture.entry[i].body,
		                            .leaf_len = (uint32_t)fixture.entry[i].leaf_len,
		                            .body_len = (uint32_t)fixture.entry[i].body_len,
		                            .leaf_hash = fixture.entry[i].hash};
	size_t len = fixture_checkpoint(&fixture, FIXTURE_ENTRIES, (struct fixture_signers){.logs = 1, .cosigners = 3},
	                                note);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_append(s, 0, e, FIXTURE_ENTRIES), 0);
	assert_int_equal(store_applied(s, 1, 1), 0);
	assert_int_equal(store_put_checkpoint(s, FIXTURE_ENTRIES, note, len), 0);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
	store_kit_file_path(path, sizeof path, "data.mdb");
	image_read(&image, path);
	image_regions(&image);
	fd = open(path, O_RDWR | O_CLOEXEC);
	/* cppcheck-suppress invalidFunctionArg; memory without a file */
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fd >= 0 && shared != MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(fd);
	image_free(&image);
	fixture_free(&fixture);
	return store_kit_folder_remove(NULL);
}

/* --- what LMDB reads now --- */

/* As the verifier asks: by the key. Private fields may be gone, which it calls erased, but not others. */
static bool same_records(MDB_txn *txn, const char *db, bool bodies)
{
	MDB_dbi dbi;

	if (mdb_dbi_open(txn, db, 0, &dbi))
		return false;
	for (unsigned n = 0; n < FIXTURE_ENTRIES; n++) {
		const struct fixture_entry *e = &fixture.entry[n];
		uint8_t buf[8] = {[7] = (uint8_t)n};
		MDB_val key = {.mv_size = sizeof buf, .mv_data = buf}, value;
		size_t len = bodies ? e->body_len : e->leaf_len;
		int rc = mdb_get(txn, dbi, &key, &value);
		if (rc == MDB_NOTFOUND && bodies)
			continue;
		if (rc || ((value.mv_size != len || memcmp(value.mv_data, bodies ? e->body : e->leaf, len) != 0) &&
		           !(bodies && value.mv_size == 0)))
			return false;
	}
	return true;
}

/* Every entry and its private fields, byte for byte: so what was verified is what was stored. */
static bool same_ledger(void)
{
	MDB_env *env;
	MDB_txn *txn;
	bool same = false;

	if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 8) ||
	    mdb_env_open(env, store_kit_folder, MDB_RDONLY | MDB_NOLOCK, 0600))
		return false;
	if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0) {
		same = same_records(txn, "entries", false) && same_records(txn, "bodies", true);
		mdb_txn_abort(txn);
	}
	mdb_env_close(env);
	return same;
}

/* --- flips --- */

static void write_byte(size_t at, uint8_t b)
{
	if (pwrite(fd, &b, 1, (off_t)at) != 1)
		_exit(3);
}

static bool wanted(size_t at, bool all)
{
	return all || image.region[at] == REGION_READ || image.region[at] == REGION_META_OLD ||
	       image.region[at] == REGION_PAD || image.region[at] == REGION_META_MAP;
}

static void flip_one(size_t at)
{
	static const struct verify_whole_options options = {.bodies = true};
	struct verify_result result;

	write_byte(at, image.bytes[at] ^ (uint8_t)(1u << at % 8));
	alarm(PATIENCE_S);
	verify_store(fixture.policy, store_kit_folder, &options, &result);
	shared->refuted += result.outcome == VERIFY_REFUTED;
	shared->undecided += result.outcome == VERIFY_UNDECIDED;
	if (result.outcome == VERIFY_VERIFIED) {
		bool same = result.size == FIXTURE_ENTRIES && same_ledger();
		shared->harmless += same;
		shared->wrong += !same;
		shared->wrong_at = same ? shared->wrong_at : at;
	}
	write_byte(at, image.bytes[at]);
}

__attribute__((noreturn)) static void child(bool all)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO); /* LMDB's assertions. */
	signal(SIGSEGV, SIG_DFL);  /* cmocka has handlers of its own. */
	signal(SIGBUS, SIG_DFL);
	signal(SIGABRT, SIG_DFL);
	while (shared->next < image.len) {
		size_t at = shared->next;
		if (wanted(at, all))
			flip_one(at);
		shared->next = at + 1;
	}
	_exit(0);
}

static void test_store_bytes(void **state)
{
	const char *mode = getenv("CS_FLIP_BITS");
	unsigned long crashed = 0;
	int status = 1;

	(void)state;
	memset(shared, 0, sizeof *shared);
	while (shared->next < image.len) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child(mode && strcmp(mode, "all") == 0);
		status = store_kit_child_wait(pid);
		if (WIFEXITED(status))
			break;
		/* As `countersign verify` does: a file that leads LMDB astray cannot be told. */
		assert_true(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGABRT ||
		            WTERMSIG(status) == SIGALRM);
		write_byte(shared->next, image.bytes[shared->next]);
		shared->next++;
		crashed++;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	print_message("store: %lu refuted, %lu could not tell, %lu led LMDB astray, %lu harmless: the same was read, "
	              "or private fields are gone\n",
	              shared->refuted, shared->undecided, crashed, shared->harmless);
	if (shared->wrong)
		fail_msg("%lu flips verified although something else was read, the last at byte %zu", shared->wrong,
		         shared->wrong_at);
	assert_true(shared->refuted > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_store_bytes),
	};

	return cmocka_run_group_tests_name("flip_store", tests, setup, teardown);
}
