/* Tests of erasing in the store: fields gone, no byte of them left in a file, crashes and readers meanwhile. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_kit.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "ledger/errors.h"

#define MARKER  "Zmarker-of-one-person"
#define OTHER   "Zmarker-of-another"
#define ENTRIES 700 /* More than two tiles; some hundred pages. */

/* --- a ledger of real entries: every tenth is of the one who is erased --- */

static bool is_erased(uint64_t index)
{
	return index % 10 == 3;
}

static void make(uint64_t index, const struct hash *prev, uint8_t *leaf, size_t *leaf_len, uint8_t *body,
                 size_t *body_len)
{
	static struct entry_builder b;
	uint8_t seed[SEED_SIZE] = {(uint8_t)index, (uint8_t)(index >> 8)}, value[600];
	struct writer w;

	entry_builder_init(&b, index, ENTRY_DECISION, 1000 + index, prev, seed);
	writer_array(&b.public_, 0);
	writer_init(&w, value, sizeof value);
	writer_array(&w, 2);
	writer_cstr(&w, "user");
	writer_cstr(&w, is_erased(index) ? MARKER : OTHER);
	entry_builder_field(&b, FIELD_SUBJECT, value, w.len);
	writer_init(&w, value, sizeof value);
	writer_cstr(&w, is_erased(index) ? "does " MARKER : "does " OTHER);
	entry_builder_field(&b, FIELD_ACTION, value, w.len);
	/* Of all sizes, so that pages are filled in all ways; some need pages of their own. */
	char text[500];
	size_t n = (size_t)(index * 37 % 440);
	memset(text, 'x', n);
	memcpy(text + n, is_erased(index) ? MARKER : OTHER, strlen(OTHER));
	writer_init(&w, value, sizeof value);
	writer_str(&w, text, n + strlen(OTHER));
	entry_builder_field(&b, FIELD_TEXT, value, w.len);
	assert_int_equal(entry_builder_finish(&b, leaf, leaf_len, body, body_len), 0);
}

static int append(struct store *s, unsigned n)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	struct store_head head;
	struct hash prev;
	int err;

	store_head(s, &head);
	prev = head.last_leaf;
	err = store_begin(s);
	for (unsigned i = 0; i < n && !err; i++) {
		size_t leaf_len, body_len;
		struct store_entry e = {.leaf = leaf, .body = body};
		make(head.size + i, &prev, leaf, &leaf_len, body, &body_len);
		e.leaf_len = (uint32_t)leaf_len;
		e.body_len = (uint32_t)body_len;
		hash_leaf(&e.leaf_hash, leaf, leaf_len);
		prev = e.leaf_hash;
		err = store_append(s, head.size + i, &e, 1);
	}
	if (!err)
		err = store_applied(s, head.applied_index + 1, 1);
	if (!err)
		err = store_put_checkpoint(s, head.size + n, "a note", 6);
	if (!err)
		err = store_put_meta(s, "of the node", "its own", 7);
	return err ? err : store_commit(s);
}

static void fill(struct store *s)
{
	struct store_record r[] = {{"hone", MARKER, 4, sizeof MARKER}, {"stwo", "value", 4, 5}};

	while (true) {
		struct store_head head;
		store_head(s, &head);
		if (head.size >= ENTRIES)
			break;
		assert_int_equal(append(s, 25), 0);
		/* The state held it too, and has been written over. */
		assert_int_equal(store_write_state(s, r, 2, head.applied_index + 1, 1), 0);
	}
	r[0].value = "nothing";
	r[0].value_len = 7;
	assert_int_equal(append(s, 5), 0);
	struct store_head head;
	store_head(s, &head);
	assert_int_equal(store_write_state(s, r, 1, head.applied_index, 1), 0);
}

static void erase_all(struct store *s)
{
	struct store_erasure list[ENTRIES];
	uint64_t changed;
	unsigned n = 0;

	for (uint64_t i = 0; i < ENTRIES + 5; i++)
		if (is_erased(i))
			list[n++] = (struct store_erasure){i, 900, STORE_ERASED_ALL};
	assert_int_equal(store_erase(s, list, n, &changed), 0);
	assert_int_equal(changed, n);
	assert_int_equal(store_erase(s, list, n, &changed), 0); /* Again is harmless. */
	assert_int_equal(changed, 0);
}

/* Everything is there that should be, and proves what it did. */
static void check(struct store *s, bool erased)
{
	struct store_head head;
	struct store_view *v;
	uint64_t size;
	const void *leaf, *body, *note;
	size_t leaf_len, body_len, len;

	store_head(s, &head);
	assert_true(head.size >= ENTRIES);
	assert_int_equal(store_view_open(s, &v), 0);
	for (uint64_t i = 0; i < head.size; i++) {
		struct store_erasure e[2];
		unsigned n;
		int err = store_view_body(v, i, &body, &body_len);
		assert_int_equal(store_view_entry(v, i, &leaf, &leaf_len), 0);
		assert_int_equal(store_view_erased(v, i, e, 2, &n), 0);
		if (erased && is_erased(i) && i < ENTRIES + 5) {
			assert_int_equal(err, CS_ERR_ERASED);
			assert_int_equal(n, 1);
			assert_int_equal(e[0].by, 900);
			body = NULL;
		} else {
			assert_int_equal(err, 0);
		}
		assert_int_equal(store_view_check(v, i, leaf, leaf_len, body, body ? body_len : 0), 0);
	}
	assert_int_equal(store_view_checkpoint_last(v, &size, &note, &len), 0);
	assert_int_equal(size, head.size);
	assert_int_equal(store_view_meta(v, "of the node", &note, &len), 0);
	assert_int_equal(store_check_state(s), 0);
	store_view_close(v);
}

static bool file_has(const char *path, const char *text)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	bool has;
	char *bytes;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	size_t n = fread(bytes, 1, (size_t)st.st_size, f);
	has = memmem(bytes, n, text, strlen(text)) != NULL;
	free(bytes);
	fclose(f);
	return has;
}

static bool in_files(const char *text)
{
	char path[512];
	bool has;

	store_kit_file_path(path, sizeof path, "data.mdb");
	has = file_has(path, text);
	snprintf(path, sizeof path, "%s.new", store_kit_folder);
	assert_int_not_equal(access(path, F_OK), 0); /* Nothing beside it. */
	return has;
}

static int rewrite(struct store *s, unsigned appends)
{
	struct store_rewrite *r;
	int rv = store_rewrite_begin(s, &r);

	assert_int_equal(rv, 0);
	do {
		rv = store_rewrite_some(r);
		if (appends > 0) { /* The writer goes on meanwhile. */
			appends--;
			assert_int_equal(append(s, 300), 0);
		}
	} while (rv == 0);
	assert_int_equal(rv, 1);
	return store_rewrite_finish(s, r);
}

/* --- tests --- */

static void test_nowhere(void **state)
{
	struct store *s = store_kit_writer_open();

	(void)state;
	fill(s);
	assert_true(in_files(MARKER));
	erase_all(s);
	check(s, true);
	assert_true(in_files(MARKER)); /* In free pages, and in the rest of pages: what the rewrite is for. */
	assert_int_equal(rewrite(s, 0), 0);
	assert_false(in_files(MARKER));
	assert_true(in_files(OTHER));
	check(s, true);
	assert_false(store_lingers(s));
	assert_int_equal(append(s, 7), 0);
	store_close(s);
	s = store_kit_writer_open();
	check(s, true);
	/* Once more, in a store that was opened and not made: its databases have the same handles. */
	assert_int_equal(rewrite(s, 2), 0);
	check(s, true);
	store_close(s);
	s = store_kit_writer_open();
	check(s, true);
	store_close(s);
}

static void test_fields(void **state)
{
	const struct store_erasure first = {3, 900, UINT64_C(1) << FIELD_ACTION},
	                           second = {3, 910, UINT64_C(1) << FIELD_TEXT | UINT64_C(1) << FIELD_BLIND};
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct store *s = store_kit_writer_open();
	const void *leaf, *body;
	size_t leaf_len, body_len;
	struct store_erasure e[4];
	struct store_view *v;
	uint64_t changed;
	unsigned n;

	(void)state;
	fill(s);
	assert_int_equal(store_erase(s, &second, 1, &changed), 0);
	assert_int_equal(store_erase(s, &first, 1, &changed), 0);
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_view_entry(v, 3, &leaf, &leaf_len), 0);
	assert_int_equal(store_view_body(v, 3, &body, &body_len), 0);
	assert_int_equal(store_view_check(v, 3, leaf, leaf_len, body, body_len), 0);
	assert_int_equal(body_decode(fields, &n, body, body_len), 0);
	assert_int_equal(n, 1);
	assert_int_equal(fields[0].kind, FIELD_SUBJECT);
	assert_int_equal(store_view_erased(v, 3, e, 4, &n), 0);
	assert_int_equal(n, 2);
	assert_memory_equal(&e[0], &first, sizeof first); /* In the order of the erasures. */
	assert_memory_equal(&e[1], &second, sizeof second);
	assert_int_equal(store_view_erased(v, 4, e, 4, &n), 0);
	assert_int_equal(n, 0);
	/* The last field of a body takes the body with it; none that is beyond the ledger. */
	assert_int_equal(store_erase(s, &(struct store_erasure){3, 920, 1u << FIELD_SUBJECT}, 1, &changed), 0);
	assert_int_equal(store_view_renew(v), 0);
	assert_int_equal(store_view_body(v, 3, &body, &body_len), CS_ERR_ERASED);
	assert_int_equal(store_erase(s, &(struct store_erasure){9999999, 920, 2}, 1, &changed), CS_ERR_INVALID);
	store_view_close(v);
	store_close(s);
}

/* What catch-up brings: a body that others have erased comes empty, with the word of it. */
static void test_appended(void **state)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	struct store *s = store_kit_writer_open();
	struct store_entry e = {.leaf = leaf, .body = ""};
	const struct store_erasure by = {0, 900, STORE_ERASED_ALL}, wrong = {5, 900, STORE_ERASED_ALL};
	struct hash prev = {0};
	const void *got;
	struct store_view *v;
	size_t leaf_len, len;

	(void)state;
	make(0, &prev, leaf, &leaf_len, body, &len);
	e.leaf_len = (uint32_t)leaf_len;
	hash_leaf(&e.leaf_hash, leaf, leaf_len);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_append(s, 0, &e, 1), 0);
	assert_int_equal(store_append_erased(s, &by, 1), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_view_body(v, 0, &got, &len), CS_ERR_ERASED);
	store_view_close(v);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_append_erased(s, &wrong, 1), CS_ERR_INVALID);
	store_abort(s);
	store_close(s);
}

static void test_views(void **state)
{
	struct store *s = store_kit_writer_open();
	struct store_view *held, *released;
	const void *body;
	size_t len;

	(void)state;
	fill(s);
	assert_int_equal(store_view_open(s, &held), 0);
	assert_int_equal(store_view_open(s, &released), 0);
	store_view_release(released);
	erase_all(s);
	assert_int_equal(rewrite(s, 1), 0);
	assert_true(store_lingers(s)); /* One looks into the old file, as it was when it was opened. */
	assert_int_equal(store_view_body(held, 3, &body, &len), 0);
	assert_int_equal(store_view_renew(released), 0);
	assert_int_equal(store_view_body(released, 3, &body, &len), CS_ERR_ERASED);
	assert_int_equal(store_view_renew(held), 0);
	assert_int_equal(store_view_body(held, 3, &body, &len), CS_ERR_ERASED);
	assert_false(store_lingers(s));
	assert_int_equal(rewrite(s, 0), 0); /* Both hold the second file now. */
	assert_true(store_lingers(s));
	store_view_close(held);
	assert_true(store_lingers(s));
	store_view_release(released);
	assert_false(store_lingers(s));
	assert_int_equal(rewrite(s, 0), 0); /* It has no file now. */
	store_view_close(released);
	assert_int_equal(append(s, 10), 0);
	store_close(s);
}

/* What is erased while a rewrite copies may be in the copy already. */
static void test_conflict(void **state)
{
	struct store *s = store_kit_writer_open();
	struct store_rewrite *r;
	struct store_erasure e = {4, 901, STORE_ERASED_ALL};
	uint64_t changed;

	(void)state;
	fill(s);
	assert_int_equal(store_rewrite_begin(s, &r), 0);
	while (store_rewrite_some(r) == 0)
		;
	assert_int_equal(store_erase(s, &e, 1, &changed), 0);
	assert_int_equal(store_rewrite_finish(s, r), CS_ERR_CONFLICT);
	assert_true(in_files(MARKER));
	assert_int_equal(rewrite(s, 0), 0);
	store_close(s);
}

static void other_process(int in, int out)
{
	const struct store_options o = {.read_only = true};
	const void *body;
	struct store_view *v;
	struct store *s;
	size_t len;
	char c = 0;

	CHILD_CHECK(store_open(store_kit_folder, &o, &s) == 0);
	CHILD_CHECK(store_view_open(s, &v) == 0);
	CHILD_CHECK(write(out, &c, 1) == 1 && read(in, &c, 1) == 1);
	/* The file that it opened is whole still, and stays as it was. */
	for (uint64_t i = 0; i < ENTRIES; i++)
		CHILD_CHECK(store_view_body(v, i, &body, &len) == 0);
	CHILD_CHECK(store_view_renew(v) == 0 && store_view_entry(v, 3, &body, &len) == 0);
	store_view_close(v);
	store_close(s);
	CHILD_CHECK(store_open(store_kit_folder, &o, &s) == 0);
	CHILD_CHECK(store_view_open(s, &v) == 0);
	CHILD_CHECK(store_view_body(v, 3, &body, &len) == CS_ERR_ERASED);
	store_view_close(v);
	store_close(s);
	_exit(0);
}

static void test_other_process(void **state)
{
	struct store *s = store_kit_writer_open();
	int in[2], out[2];
	char c;

	(void)state;
	fill(s);
	store_close(s); /* LMDB's environments do not survive a fork. */
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		other_process(in[0], out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	s = store_kit_writer_open();
	erase_all(s);
	assert_int_equal(rewrite(s, 1), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(append(s, 50), 0); /* Would use freed pages again, if the reader's were its. */
	assert_int_equal(write(in[1], &c, 1), 1);
	assert_int_equal(store_kit_child_wait(pid), 0);
	check(s, true);
	store_close(s);
}

/* Works for ever: erases, rewrites, appends; tells each round. */
static void crash_child(int out)
{
	const struct store_options o = {.map_size = MAP_SIZE};
	struct store *s;
	char c = 0;

	CHILD_CHECK(store_open(store_kit_folder, &o, &s) == 0);
	for (uint64_t i = 4;; i++) {
		struct store_erasure e = {i, 901, 1u << FIELD_TEXT};
		struct store_rewrite *r;
		uint64_t changed;
		CHILD_CHECK(store_erase(s, &e, 1, &changed) == 0);
		CHILD_CHECK(store_rewrite_begin(s, &r) == 0);
		CHILD_CHECK(write(out, &c, 1) == 1);
		while (store_rewrite_some(r) == 0)
			;
		CHILD_CHECK(append(s, 3) == 0);
		CHILD_CHECK(write(out, &c, 1) == 1);
		CHILD_CHECK(store_rewrite_finish(s, r) == 0);
		CHILD_CHECK(write(out, &c, 1) == 1);
	}
}

static void test_kill(void **state)
{
	struct store *s = store_kit_writer_open();
	struct store_head head;
	uint64_t least = 0;
	int fds[2];
	char c;

	(void)state;
	fill(s);
	store_close(s);
	for (unsigned round = 0; round < 24; round++) {
		unsigned told = 0;
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			crash_child(fds[1]);
		}
		close(fds[1]);
		for (unsigned i = 0; i < 2 + round % 7; i++, told++)
			assert_int_equal(read(fds[0], &c, 1), 1);
		for (volatile unsigned spin = 0; spin < round * 30011 % 400000; spin++)
			;
		kill(pid, SIGKILL);
		while (read(fds[0], &c, 1) == 1)
			told++;
		close(fds[0]);
		assert_true(WIFSIGNALED(store_kit_child_wait(pid)));
		s = store_kit_writer_open();
		store_head(s, &head);
		/* One transaction may be undone (MDB_NOMETASYNC is of the machine's crash, not of the process'). */
		assert_true(head.size >= least + told / 3 * 3);
		least = head.size;
		in_files(MARKER); /* And nothing beside it. */
		check(s, false);
		store_close(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {STORE_TEST(test_nowhere),  STORE_TEST(test_fields),
	                                   STORE_TEST(test_appended), STORE_TEST(test_views),
	                                   STORE_TEST(test_conflict), STORE_TEST(test_other_process),
	                                   STORE_TEST(test_kill)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
