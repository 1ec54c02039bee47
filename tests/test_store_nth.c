/* Tests of the store while LMDB's, the kernel's or the allocator's n-th call fails: an error, and nothing half-done. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "tests/store_nth.h"

static const struct store_options plain = {.map_size = MAP_SIZE};

static void nothing(void)
{
}

static int make_once(void)
{
	const struct store_options o = {.create = true};
	int err = store_open(store_kit_folder, &o, &nth_store);

	return err ? err : store_real_commit(nth_store, 1);
}

/* Whatever there is can be made whole by opening it again. */
static void make_after(void)
{
	char text[STORE_REAL_TEXT];
	struct store_head head;

	nth_store = store_kit_writer_open();
	store_head(nth_store, &head);
	assert_true(head.size <= 1);
	assert_int_equal(store_real_commit(nth_store, 2), 0);
	nth_close();
	if (store_real_scrub(text) > 0)
		fail_msg("after %s failed: %s", faults_hit() ? faults_hit() : "nothing", text);
}

static int open_once(void)
{
	return store_open(store_kit_folder, &plain, &nth_store);
}

static int open_reader_once(void)
{
	const struct store_options o = {.read_only = true};

	return store_open(store_kit_folder, &o, &nth_store);
}

static int append_once(void)
{
	const struct store_erasure erased = {NTH_BASE, 509, UINT64_C(1) << FIELD_ACTION};
	struct store_head head;
	int err = store_begin(nth_store);

	store_head(nth_store, &head);
	if (err)
		return err;
	err = store_real_append(nth_store, NTH_MORE);
	if (!err)
		err = store_append_erased(nth_store, &erased, 1);
	if (!err)
		err = store_applied(nth_store, head.applied_index + 1, 1);
	if (!err)
		err = store_put_checkpoint(nth_store, 300, nth_note, nth_note_len);
	if (!err)
		err = store_put_meta(nth_store, "another", "x", 1);
	if (!err)
		err = store_put_meta(nth_store, "of the node", NULL, 0);
	int commit_err = store_commit(nth_store);
	if (commit_err) { /* The first error is the one that counts, and the tree is what the head says. */
		assert_true(!err || err == commit_err);
		struct store_head again;
		store_head(nth_store, &again);
		assert_memory_equal(&again, &head, sizeof head);
	}
	return err ? err : commit_err;
}

static int state_once(void)
{
	static const struct store_record all[] = {{"H00000000", "anew", 9, 4}, {"S00000009", "another", 9, 7}};
	struct store_head head;
	int err = store_real_state(nth_store);

	store_head(nth_store, &head);
	if (!err)
		err = store_replace_state(nth_store, all, 2, head.applied_index, 1);
	return err ? err : store_sync(nth_store);
}

static int erase_once(void)
{
	const struct store_erasure list[] = {
	        {3, 509, STORE_ERASED_ALL}, {4, 509, UINT64_C(1) << FIELD_TEXT}, {5, 509, UINT64_MAX - 1}};
	uint64_t changed;

	return store_erase(nth_store, list, 3, &changed);
}

static int rewrite_once(void)
{
	struct store_rewrite *r;
	struct store_view *held;
	int err = store_view_open(nth_store, &held);

	if (err)
		return err;
	err = store_rewrite_begin(nth_store, &r);
	if (err) {
		store_view_close(held);
		return err;
	}
	while ((err = store_rewrite_some(r)) == 0)
		;
	if (err < 0) {
		store_rewrite_abandon(r);
	} else {
		err = store_real_commit(nth_store, NTH_MORE);
		bool dead = err == CS_ERR_IO && store_begin(nth_store) == CS_ERR_IO;
		store_abort(nth_store);
		int end = store_rewrite_finish(nth_store, r);
		assert_true(!dead || end == CS_ERR_IO); /* Nothing is written behind that. */
		err = err ? err : end;
	}
	int again = store_view_renew(held);
	store_view_close(held);
	return err ? err : again;
}

#define EVERY (NTH_LMDB | NTH_FULL | NTH_MISSING | NTH_MEMORY | NTH_FILES)

/* A tree that ran ahead and cannot be taken back: nothing more is written. */
static int abort_once(void)
{
	int err = store_begin(nth_store);

	if (err)
		return err;
	err = store_real_append(nth_store, NTH_MORE);
	store_abort(nth_store);
	return err ? err : store_real_state(nth_store);
}

static void test_writing(void **state)
{
	static const struct nth_scenario all[] = {
	        {"making a store", EVERY | NTH_EMPTY, nothing, make_once, make_after, NULL, 0},
	        {"opening it", EVERY, nothing, open_once, NULL, NULL, 0},
	        {"opening it to read", EVERY, nothing, open_reader_once, NULL, NULL, 0},
	        {"appending", EVERY, NULL, append_once, NULL, NULL, 0},
	        {"the state", EVERY, NULL, state_once, NULL, NULL, 0},
	        {"erasing", EVERY, NULL, erase_once, NULL, NULL, 0},
	        {"aborting", NTH_LMDB | NTH_FULL, NULL, abort_once, NULL, NULL, 0},
	        {"a rewrite", EVERY | NTH_BESIDE, NULL, rewrite_once, NULL, NULL, 0},
	        {"a rewrite's transactions", NTH_LMDB | NTH_BESIDE, NULL, rewrite_once, NULL, "mdb_txn_begin", 0},
	        {"a rewrite's commits", NTH_LMDB | NTH_BESIDE, NULL, rewrite_once, NULL, "mdb_txn_commit", 0},
	        {"a rewrite's syncs", NTH_LMDB | NTH_BESIDE, NULL, rewrite_once, NULL, "mdb_env_sync", 0},
	        {"a rewrite's flags", NTH_LMDB | NTH_BESIDE, NULL, rewrite_once, NULL, "mdb_env_set_flags", 0},
	        {"a rewrite's counting", NTH_LMDB | NTH_BESIDE, NULL, rewrite_once, NULL, "mdb_stat", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		nth_run(&all[i]);
}

/* --- one failure, and what becomes of it --- */

/* Where nobody can be entered as a reader, there is no writer either, unless there is a lock.mdb. */
static void test_read_only(void **state)
{
	static const int codes[] = {EACCES, EPERM, EROFS};
	const struct store_options reader = {.read_only = true};
	char path[512];

	(void)state;
	store_kit_file_path(path, sizeof path, "lock.mdb");
	for (unsigned i = 0; i < 2 * sizeof codes / sizeof *codes; i++) {
		unlink(path);
		if (i % 2)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		faults_lmdb = codes[i / 2];
		faults_only = "mdb_env_open";
		faults_arm(FAULTS_LMDB, 1);
		assert_int_equal(store_open(store_kit_folder, &reader, &nth_store), i % 2 ? CS_ERR_IO : 0);
		assert_true(faults_disarm());
		faults_only = NULL;
		if (i % 2 == 0)
			nth_close();
	}
	faults_lmdb = EIO;
}

/* A file system that cannot exchange two folders; a file whose databases have other handles. The store goes on. */
static void test_rewrites(void **state)
{
	static const int codes[] = {EINVAL, ENOSYS, EIO};
	struct store_rewrite *r;

	(void)state;
	nth_open();
	for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) {
		assert_int_equal(store_rewrite_begin(nth_store, &r), 0);
		while (store_rewrite_some(r) == 0)
			;
		faults_errno = codes[i];
		faults_only = "renameat2";
		faults_arm(FAULTS_IO, 1);
		assert_int_equal(store_rewrite_finish(nth_store, r), codes[i] == EIO ? CS_ERR_IO : CS_ERR_INVALID);
		assert_true(faults_disarm());
		faults_only = NULL;
	}
	faults_errno = EIO;
	faults_other_handles = true;
	assert_int_equal(store_rewrite_begin(nth_store, &r), 0);
	assert_false(faults_other_handles);
	while (store_rewrite_some(r) == 0)
		;
	assert_int_equal(store_rewrite_finish(nth_store, r), CS_ERR_DAMAGED);
	assert_int_equal(store_real_commit(nth_store, 1), 0);
	nth_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_writing), cmocka_unit_test(test_read_only),
	                                   cmocka_unit_test(test_rewrites)};

	return cmocka_run_group_tests_name("store_nth", tests, nth_setup, nth_teardown);
}
