/* Whatever is done with a store, while the n-th call of LMDB, of the kernel or for memory fails. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_nth.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"

#define N_MAX  5000
#define N_EACH 60 /* So many one after another; then, in long loops, one now and then. */

struct image nth_base;
struct store *nth_store;
char nth_note[LIMIT_NOTE_SIZE_MAX];
size_t nth_note_len;
static const struct store_options plain = {.map_size = MAP_SIZE};
static struct hash root[2]; /* Of NTH_BASE entries, and with the others. */
static int given;           /* The error that a scenario came to. */

/* --- the folder's file --- */

static void file_write(const struct image *i)
{
	char path[512];

	store_rewrite_sweep(store_kit_folder);
	store_kit_file_path(path, sizeof path, "lock.mdb");
	unlink(path);
	store_kit_file_path(path, sizeof path, "data.mdb");
	unlink(path);
	if (!i)
		return;
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(i->bytes, 1, i->len, f), i->len);
	assert_int_equal(fclose(f), 0);
}

void nth_open(void)
{
	assert_int_equal(store_open(store_kit_folder, &plain, &nth_store), 0);
}

void nth_close(void)
{
	store_close(nth_store);
	nth_store = NULL;
}

/* The file, whatever went wrong, is a store of the one size or the other, without a fault in it, and takes writes. */
void nth_check_file(void)
{
	char text[STORE_REAL_TEXT];
	struct store_head head;

	if (store_real_scrub(text) > 0)
		fail_msg("after %s failed: %s", faults_hit() ? faults_hit() : "nothing", text);
	nth_open();
	store_head(nth_store, &head);
	assert_true(head.size == NTH_BASE || head.size == NTH_BASE + NTH_MORE);
	assert_true(hash_equal(&head.root, &root[head.size != NTH_BASE]));
	assert_int_equal(store_check_state(nth_store), 0);
	assert_int_equal(store_real_commit(nth_store, 1), 0);
	nth_close();
}

/* --- each call fails once --- */

/* A call that writes has failed for good: no write is tried again through this handle. */
static void check_dead(void)
{
	static const char *const writes[] = {"mdb_put", "mdb_del", "mdb_txn_commit", "mdb_drop"};
	bool wrote = false;
	uint64_t changed;

	for (size_t i = 0; i < sizeof writes / sizeof *writes && faults_hit(); i++)
		wrote |= strcmp(faults_hit(), writes[i]) == 0;
	if (!nth_store || !wrote || given != CS_ERR_IO)
		return;
	assert_int_equal(store_begin(nth_store), CS_ERR_IO);
	assert_int_equal(store_real_state(nth_store), CS_ERR_IO);
	assert_int_equal(store_sync(nth_store), CS_ERR_IO);
	assert_int_equal(store_erase(nth_store, NULL, 0, &changed), CS_ERR_IO);
}

static unsigned run(const struct nth_scenario *c, unsigned kinds, int expected)
{
	unsigned n = c->from, runs = 0;
	bool hit;

	do {
		assert_true(n < N_MAX);
		runs++;
		file_write(c->what & NTH_EMPTY ? NULL : &nth_base);
		if (c->before)
			c->before();
		else
			nth_open();
		n += runs <= N_EACH ? 1 : 17;
		faults_only = c->only;
		faults_arm(kinds, n);
		given = c->once();
		hit = faults_disarm();
		faults_only = NULL;
		if (!hit && given)
			fail_msg("%s: %s without a fault", c->name, err_text(given));
		/* What is damaged by the error's account may be so: a reader cannot tell. */
		if (given && given != expected && given != CS_ERR_DAMAGED && given != CS_ERR_IO)
			fail_msg("%s: %s after %s failed", c->name, err_text(given), faults_hit());
		if (!(c->what & NTH_BESIDE))
			check_dead();
		nth_close();
		if (faults_lmdb == MDB_NOTFOUND && kinds == FAULTS_LMDB)
			continue; /* What LMDB does not find, as the file says, is not found: the file is to blame. */
		if (c->after)
			c->after();
		else
			nth_check_file();
		nth_close();
	} while (hit);
	return runs - 1;
}

void nth_run(const struct nth_scenario *c)
{
	static const struct {
		unsigned what, kinds;
		int lmdb, expected;
		const char *name;
	} all[] = {{NTH_LMDB, FAULTS_LMDB, EIO, CS_ERR_IO, "of LMDB"},
	           {NTH_FULL, FAULTS_LMDB, MDB_MAP_FULL, CS_ERR_DISK_FULL, "of LMDB, with a full map"},
	           {NTH_MISSING, FAULTS_LMDB, MDB_NOTFOUND, CS_ERR_NOT_FOUND, "of LMDB, which finds nothing"},
	           {NTH_CORRUPT, FAULTS_LMDB, MDB_CORRUPTED, CS_ERR_DAMAGED, "of LMDB, which finds damage"},
	           {NTH_MEMORY, FAULTS_ALLOC, EIO, CS_ERR_NOMEM, "for memory"},
	           {NTH_FILES, FAULTS_IO, EIO, CS_ERR_IO, "of files"}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (c->what & all[i].what) {
			faults_lmdb = all[i].lmdb;
			unsigned n = run(c, all[i].kinds, all[i].expected);
			print_message("%s: %u calls %s failed, one at a time\n", c->name, n, all[i].name);
		}
}

/* --- the group --- */

int nth_setup(void **state)
{
	char path[512];
	struct store_head head;

	(void)state;
	if (store_kit_folder_make(NULL))
		return -1;
	nth_store = store_kit_writer_open();
	assert_int_equal(store_real_commit(nth_store, 300), 0);
	assert_int_equal(store_real_state(nth_store), 0);
	store_head(nth_store, &head);
	nth_note_len = store_real_note(STORE_REAL_ORIGIN, 300, &head.root, nth_note);
	assert_int_equal(store_begin(nth_store), 0);
	assert_int_equal(store_put_checkpoint(nth_store, 300, nth_note, nth_note_len), 0);
	assert_int_equal(store_commit(nth_store), 0);
	assert_int_equal(store_real_commit(nth_store, NTH_BASE - 300), 0);
	assert_int_equal(store_real_state(nth_store), 0);
	store_head(nth_store, &head);
	root[0] = head.root;
	nth_close();
	store_kit_file_path(path, sizeof path, "data.mdb");
	image_read(&nth_base, path);
	nth_open();
	assert_int_equal(store_real_commit(nth_store, NTH_MORE), 0);
	store_head(nth_store, &head);
	root[1] = head.root;
	nth_close();
	return 0;
}

int nth_teardown(void **state)
{
	(void)state;
	image_free(&nth_base);
	return store_kit_folder_remove(NULL);
}
