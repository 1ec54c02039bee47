/* Tests of reading a store while an n-th call fails: no wrong byte is given out, and nothing is called damaged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "tests/store_nth.h"

static void nothing(void)
{
}

/* --- reading --- */

static int count(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	(void)key, (void)key_len, (void)value, (void)value_len;
	++*(unsigned *)ctx;
	return 0;
}

static int count_erased(void *ctx, const struct store_erasure *e)
{
	assert_int_equal(e->by, 400);
	++*(unsigned *)ctx;
	return 0;
}

static void before_reading(void)
{
	const struct store_erasure e[] = {{7, 400, STORE_ERASED_ALL}, {9, 400, UINT64_C(1) << FIELD_TEXT}};
	uint64_t changed;

	nth_open();
	assert_int_equal(store_erase(nth_store, e, 2, &changed), 0);
}

static int entries_read(struct store_view *v)
{
	struct store_erasure e[2];
	const void *leaf, *body;
	size_t leaf_len, body_len;
	unsigned n = 0;
	int err = 0;

	for (uint64_t i = 6; i < 10 && !err; i++) {
		err = store_view_entry(v, i, &leaf, &leaf_len);
		if (!err)
			err = store_view_body(v, i, &body, &body_len);
		/* "Erased" is what a body is said to be that LMDB does not find. */
		if (err == CS_ERR_ERASED && i == 7) {
			body = NULL;
			body_len = 0;
			err = 0;
		}
		if (!err)
			err = store_view_check(v, i, leaf, leaf_len, body, body_len);
		if (!err)
			err = store_view_erased(v, i, e, 2, &n);
		if (!err && faults_lmdb != MDB_NOTFOUND)
			assert_int_equal(n, i % 2);
	}
	n = 0;
	if (!err)
		err = store_view_each_erased(v, 0, count_erased, &n);
	if (!err && faults_lmdb != MDB_NOTFOUND)
		assert_int_equal(n, 2);
	return err;
}

static int state_read(struct store_view *v)
{
	struct hash digest, own;
	uint64_t index, term;
	unsigned n = 0;
	int err = store_view_state_index(v, &index, &term);

	if (!err)
		err = store_view_each_state(v, count, &n);
	if (!err)
		err = store_view_state_after(v, "H00000000", 9, count, &n);
	if (!err && faults_lmdb != MDB_NOTFOUND)
		assert_int_equal(n, 3);
	if (!err)
		err = store_view_check_state(v);
	if (!err)
		err = store_view_state_digest(v, &digest);
	store_state_digest(nth_store, &own);
	if (!err)
		assert_true(hash_equal(&digest, &own));
	if (!err)
		err = store_each_state(nth_store, count, &n);
	return err ? err : store_check_state(nth_store);
}

static int records_read(struct store_view *v)
{
	struct store_head head;
	struct tree_tiles tiles;
	uint64_t size = 0;
	const void *got;
	size_t len = 0;
	struct hash root;
	int err = store_view_checkpoint(v, 1, &size, &got, &len);

	if (!err)
		err = store_view_checkpoint_last(v, &size, &got, &len);
	if (!err) {
		assert_int_equal(size, 300);
		assert_int_equal(len, nth_note_len);
		assert_memory_equal(got, nth_note, len);
		err = store_view_meta(v, "of the node", &got, &len);
	}
	if (!err)
		assert_memory_equal(got, "at 510", len);
	store_view_tiles_checked(v, &tiles);
	store_view_head(v, &head);
	if (!err)
		err = tiles_root(&tiles, head.size, &root);
	if (!err)
		assert_true(hash_equal(&root, &head.root));
	return err;
}

static int walk_read(struct store_view *v, bool down)
{
	const void *leaf, *body;
	size_t leaf_len, body_len;
	struct store_walk *w;
	uint64_t index;
	int err = store_walk_open(v, 8, down, &w);

	if (err)
		return err;
	for (unsigned i = 0; i < 4 && !err; i++) {
		err = store_walk_next(w, &index, &leaf, &leaf_len);
		if (!err)
			assert_int_equal(index, down ? 8 - i : 8 + i);
		if (!err)
			err = store_walk_body(w, &body, &body_len);
		if (err == CS_ERR_ERASED && index == 7)
			err = 0;
		else if (!err)
			err = store_view_check(v, index, leaf, leaf_len, body, body_len);
	}
	store_walk_close(w);
	return err;
}

static int read_once(void)
{
	struct store_view *v;
	int err = store_view_open(nth_store, &v);

	if (err)
		return err;
	store_view_release(v);
	err = store_view_renew(v);
	if (!err)
		err = entries_read(v);
	if (!err)
		err = state_read(v);
	if (!err)
		err = records_read(v);
	if (!err)
		err = walk_read(v, false);
	if (!err)
		err = walk_read(v, true);
	store_view_close(v);
	uint64_t left, size;
	store_room(nth_store, &left, &size); /* Zeros, where LMDB does not say. */
	assert_true(size == MAP_SIZE || (faults_hit() && size == 0 && left == 0));
	return err == CS_ERR_ERASED && faults_lmdb == MDB_NOTFOUND ? CS_ERR_NOT_FOUND : err;
}

static void on_found(void *ctx, const struct scrub_find *f)
{
	(void)f;
	++*(unsigned *)ctx;
}

/* The kernel gives nothing: that is told as damage of the page, which is not there for whoever wants to read it. */
static int scrub_once(void)
{
	struct scrub *s = calloc(1, sizeof *s);
	struct pages_file file;
	char path[512];
	unsigned n = 0;

	if (!s)
		return CS_ERR_NOMEM;
	store_kit_file_path(path, sizeof path, "data.mdb");
	int err = pages_file_open(path, true, &file);
	if (err) {
		free(s);
		return err;
	}
	const struct pages_source source = {.read = pages_file_read, .ctx = &file};
	s->found = on_found;
	s->ctx = &n;
	err = scrub_begin(s, &source, 0, NULL);
	if (!err)
		err = scrub_structure(s);
	if (!err)
		err = scrub_all(s);
	scrub_end(s);
	free(s);
	pages_file_close(&file);
	assert_true(n == 0 || faults_hit());
	return err ? err : n ? CS_ERR_IO : 0;
}

/* The same in steps, of records that need pages of their own. What could not be read is not said to be damaged. */
static void before_steps(void)
{
	static char large[6000], origin[LIMIT_ORIGIN_SIZE_MAX], note[LIMIT_NOTE_SIZE_MAX];
	struct store_record r = {.key = "S00000003", .key_len = 9, .value = large, .value_len = sizeof large};
	struct store_head head;

	memset(large, 'x', sizeof large);
	memset(origin, 'o', sizeof origin - 1);
	nth_open();
	store_head(nth_store, &head);
	assert_int_equal(store_begin(nth_store), 0);
	assert_int_equal(store_put_meta(nth_store, "a large one", large, sizeof large), 0);
	for (char name[] = "of the node: a"; name[13] < 'z'; name[13]++)
		assert_int_equal(store_put_meta(nth_store, name, large, 400), 0);
	size_t len = store_real_note(origin, head.size, &head.root, note);
	const char *line = memmem(note, len, "\n\n", 2);
	size_t line_len = len - (size_t)(line + 2 - note);
	for (unsigned i = 1; i < 10; i++, len += line_len)
		memcpy(note + len, line + 2, line_len);
	assert_int_equal(store_put_checkpoint(nth_store, head.size, note, len), 0);
	assert_int_equal(store_commit(nth_store), 0);
	assert_int_equal(store_write_state(nth_store, &r, 1, head.applied_index, 1), 0);
	nth_close();
}

static int (*step)(struct scrub *s);

static int step_once(void)
{
	static struct scrub s;
	struct pages_file file;
	char path[512];
	unsigned n = 0;

	store_kit_file_path(path, sizeof path, "data.mdb");
	assert_int_equal(pages_file_open(path, false, &file), 0);
	const struct pages_source source = {.read = pages_file_read, .ctx = &file};
	s.found = on_found;
	s.ctx = &n;
	int err = scrub_begin(&s, &source, 0, NULL);
	if (!err)
		err = step(&s);
	scrub_end(&s);
	pages_file_close(&file);
	assert_int_equal(n, 0);
	return err;
}

static int step_tile(struct scrub *s)
{
	return scrub_tile(s, 0, 0);
}

static int step_tile_above(struct scrub *s)
{
	return scrub_tile(s, 1, 0);
}

static int step_notes(struct scrub *s)
{
	uint64_t next;

	return scrub_checkpoints(s, 0, 9, &next);
}

static int step_large_note(struct scrub *s)
{
	uint64_t next;

	return scrub_checkpoints(s, 301, 9, &next);
}

static void test_steps(void **state)
{
	static int (*const steps[])(struct scrub * s) = {step_tile,  step_tile_above, step_notes,     step_large_note,
	                                                 scrub_meta, scrub_state,     scrub_structure};
	static const struct nth_scenario one = {
	        "a step of the scrubber", NTH_MEMORY, before_steps, step_once, nothing, NULL, 0};

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		step = steps[i];
		nth_run(&one);
	}
}

static void test_reading(void **state)
{
	static const struct nth_scenario all[] = {
	        {"reading", NTH_LMDB | NTH_MISSING | NTH_MEMORY, before_reading, read_once, nothing, NULL, 0},
	        {"reading in order", NTH_LMDB, before_reading, read_once, nothing, "mdb_cursor_get", 0},
	        {"reading what room there is", NTH_LMDB, before_reading, read_once, nothing, "mdb_env_info", 0},
	        {"reading what room there is", NTH_LMDB, before_reading, read_once, nothing, "mdb_env_stat", 0},
	        {"scrubbing", NTH_MEMORY | NTH_FILES, nothing, scrub_once, nothing, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		nth_run(&all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_steps)};

	return cmocka_run_group_tests_name("store_nth_read", tests, nth_setup, nth_teardown);
}
