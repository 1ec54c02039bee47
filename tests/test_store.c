/* Tests of the store: appending, crashes, readers of other processes, damage, a full map, a full disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "ledger/proof.h"

#define LEAF_SIZE_MAX 400
#define MAP_SIZE      (UINT64_C(1) << 30)
#define BATCH_MAX     600

/* --- entries that follow from their index --- */

static size_t leaf_make(uint64_t index, uint8_t *leaf)
{
	size_t len = 40 + (size_t)(index * 7 % (LEAF_SIZE_MAX - 40));
	uint64_t x = index * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		leaf[i] = (uint8_t)x;
	}
	return len;
}

/* Every third body is empty; the others are the leaf's first bytes. */
static size_t body_len(uint64_t index)
{
	return index % 3 == 0 ? 0 : 1 + (size_t)(index % 39);
}

static int batch_append(struct store *s, uint64_t first, unsigned n)
{
	static uint8_t leaves[BATCH_MAX][LEAF_SIZE_MAX];
	static struct store_entry entries[BATCH_MAX];

	assert_true(n <= BATCH_MAX);
	for (unsigned i = 0; i < n; i++) {
		size_t len = leaf_make(first + i, leaves[i]);

		entries[i] = (struct store_entry){.leaf = leaves[i],
		                                  .leaf_len = (uint32_t)len,
		                                  .body = leaves[i],
		                                  .body_len = (uint32_t)body_len(first + i)};
		hash_leaf(&entries[i].leaf_hash, leaves[i], len);
	}
	return store_append(s, first, entries, n);
}

static int batch_commit(struct store *s, unsigned n, uint64_t index, uint64_t term)
{
	struct store_head head;

	store_head(s, &head);
	int err = store_begin(s);
	if (err)
		return err;
	err = batch_append(s, head.size, n);
	if (!err)
		err = store_applied(s, index, term);
	int commit_err = store_commit(s);
	return err ? err : commit_err;
}

/* RFC 6962 2.1, as it is written there. */
static void root_naive(uint64_t from, uint64_t n, struct hash *ret)
{
	uint8_t leaf[LEAF_SIZE_MAX];
	struct hash left, right;
	uint64_t k = 1;

	if (n == 0) {
		hash_empty(ret);
		return;
	}
	if (n == 1) {
		hash_leaf(ret, leaf, leaf_make(from, leaf));
		return;
	}
	while (k * 2 < n)
		k *= 2;
	root_naive(from, k, &left);
	root_naive(from + k, n - k, &right);
	hash_node(ret, &left, &right);
}

static void entries_check(const struct store_view *v, uint64_t from, uint64_t to)
{
	uint8_t want[LEAF_SIZE_MAX];
	const void *got;
	size_t len;

	for (uint64_t i = from; i < to; i++) {
		size_t want_len = leaf_make(i, want);

		assert_int_equal(store_view_entry(v, i, &got, &len), 0);
		assert_int_equal(len, want_len);
		assert_memory_equal(got, want, len);
		assert_int_equal(store_view_body(v, i, &got, &len), 0);
		assert_int_equal(len, body_len(i));
		assert_memory_equal(got, want, len);
	}
	assert_int_equal(store_view_entry(v, to, &got, &len), CS_ERR_NOT_FOUND);
	assert_int_equal(store_view_body(v, to, &got, &len), CS_ERR_NOT_FOUND);
}

/* The root that the tiles of a view give is the one that its head claims. */
static void view_check(const struct store_view *v)
{
	struct store_head head;
	struct tree_tiles tiles;
	struct hash root;

	store_view_head(v, &head);
	store_view_tiles(v, &tiles);
	assert_int_equal(tiles_root(&tiles, head.size, &root), 0);
	assert_true(hash_equal(&root, &head.root));
}

/* --- folders and processes --- */

static char folder[256];

static int folder_make(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof folder, "%s/store.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

static void file_path(char *buf, size_t size, const char *name)
{
	assert_true((size_t)snprintf(buf, size, "%s/%s", folder, name) < size);
}

static int folder_remove(void **state)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "copy/data.mdb", "copy/lock.mdb"};
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		file_path(path, sizeof path, names[i]);
		unlink(path);
	}
	file_path(path, sizeof path, "copy");
	rmdir(path);
	return rmdir(folder);
}

static struct store *writer_open(void)
{
	const struct store_options o = {.map_size = MAP_SIZE, .create = true};
	struct store *s = NULL;

	assert_int_equal(store_open(folder, &o, &s), 0);
	return s;
}

static int child_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* In children cmocka's asserts would run the parent's bookkeeping: they say what failed and leave. */
#define CHILD_CHECK(x)                                                                                                 \
	do {                                                                                                           \
		if (!(x)) {                                                                                            \
			fprintf(stderr, "child, line %d: %s\n", __LINE__, #x);                                         \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

/* --- tests --- */

static void test_append_reopen(void **state)
{
	/* Across the edges of tiles: 255, 256, 257 and many at once. */
	static const unsigned batches[] = {1, 254, 1, 1, 0, 255, 300, 1, 600, 7};
	struct store *s = writer_open();
	struct store_head head, again;
	struct store_view *v;
	struct hash root;
	uint64_t size = 0;

	(void)state;
	store_head(s, &head);
	hash_empty(&root);
	assert_int_equal(head.size, 0);
	assert_true(hash_equal(&head.root, &root));
	for (unsigned i = 0; i < sizeof batches / sizeof batches[0]; i++) {
		assert_int_equal(batch_commit(s, batches[i], 10 + i, 2), 0);
		size += batches[i];
		root_naive(0, size, &root);
		store_head(s, &head);
		assert_int_equal(head.size, size);
		assert_int_equal(head.applied_index, 10 + i);
		assert_int_equal(head.applied_term, 2);
		assert_true(hash_equal(&head.root, &root));
		store_close(s);
		s = writer_open();
		store_head(s, &again);
		assert_memory_equal(&head, &again, sizeof head);
	}
	assert_int_equal(store_view_open(s, &v), 0);
	entries_check(v, 0, size);
	view_check(v);
	store_view_close(v);
	assert_int_equal(store_sync(s), 0);
	store_close(s);
	store_close(NULL);
}

static void test_many_in_one(void **state)
{
	struct store *s = writer_open();
	struct store_head head;
	struct store_view *v;
	struct tree_tiles tiles;
	struct hash proof[LIMIT_PROOF_HASHES_MAX], leaf;
	uint8_t bytes[LEAF_SIZE_MAX];
	unsigned n;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (unsigned i = 0; i < 120; i++) /* Over 65536: a tile of level 1 becomes full. */
		assert_int_equal(batch_append(s, i * 550, 550), 0);
	assert_int_equal(store_applied(s, 3, 1), 0);
	assert_int_equal(store_commit(s), 0);
	store_head(s, &head);
	assert_int_equal(head.size, 66000);
	assert_int_equal(store_view_open(s, &v), 0);
	view_check(v);
	store_view_tiles(v, &tiles);
	for (uint64_t i = 0; i < head.size; i += 997) {
		assert_int_equal(tiles_inclusion(&tiles, i, head.size, proof, &n), 0);
		hash_leaf(&leaf, bytes, leaf_make(i, bytes));
		assert_int_equal(proof_inclusion_check(i, head.size, &leaf, proof, n, &head.root), 0);
	}
	store_view_close(v);
	store_close(s);
	s = writer_open();
	assert_int_equal(batch_commit(s, 3, 4, 1), 0);
	store_close(s);
	store_close(writer_open());
}

static void test_abort(void **state)
{
	struct store *s = writer_open();
	struct store_head head, after;
	struct hash root;

	(void)state;
	assert_int_equal(batch_commit(s, 300, 1, 1), 0);
	store_head(s, &head);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_begin(s), CS_ERR_INVALID);
	assert_int_equal(batch_append(s, 300, 400), 0);
	assert_int_equal(batch_append(s, 300, 1), CS_ERR_INVALID); /* Not the size any more. */
	store_abort(s);
	store_head(s, &after);
	assert_memory_equal(&head, &after, sizeof head);
	/* An entry that is too long spoils its transaction, and only that. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(batch_append(s, 300, 5), 0);
	const struct store_entry big = {.leaf = "", .leaf_len = LIMIT_ENTRY_SIZE_MAX + 1, .body = ""};
	assert_int_equal(store_append(s, 305, &big, 1), CS_ERR_TOO_LARGE);
	assert_int_equal(store_commit(s), CS_ERR_TOO_LARGE);
	assert_int_equal(store_commit(s), CS_ERR_INVALID);
	assert_int_equal(batch_commit(s, 215, 2, 1), 0);
	root_naive(0, 515, &root);
	store_head(s, &after);
	assert_true(hash_equal(&after.root, &root));
	/* Raft's index never goes back. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_applied(s, 1, 1), CS_ERR_INVALID);
	store_abort(s);
	store_close(s);
}

static void test_views(void **state)
{
	struct store *s = writer_open();
	struct store_view *v, *second;
	struct store_head head;
	const void *got;
	size_t len;

	(void)state;
	assert_int_equal(batch_commit(s, 10, 1, 1), 0);
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(batch_commit(s, 290, 2, 1), 0);
	store_view_head(v, &head);
	assert_int_equal(head.size, 10);
	entries_check(v, 0, 10);
	view_check(v);
	store_view_release(v);
	assert_int_equal(store_view_entry(v, 0, &got, &len), CS_ERR_INVALID);
	assert_int_equal(store_view_renew(v), 0);
	store_view_head(v, &head);
	assert_int_equal(head.size, 300);
	entries_check(v, 0, 300);
	view_check(v);
	/* A thread may hold several. */
	assert_int_equal(store_view_open(s, &second), 0);
	view_check(second);
	view_check(v);
	store_view_close(second);
	store_view_close(v);
	store_view_close(NULL);
	store_close(s);
}

/* What is given out is held against the tree: in a full tile, and in the one that still grows. */
static void test_check(void **state)
{
	static const uint64_t indexes[] = {0, 3, 255, 256, 299};
	struct store *s = writer_open();
	uint8_t leaf[LEAF_SIZE_MAX];
	struct store_view *v;

	(void)state;
	assert_int_equal(batch_commit(s, 300, 1, 1), 0);
	assert_int_equal(store_view_open(s, &v), 0);
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
		size_t len = leaf_make(indexes[i], leaf);
		assert_int_equal(store_view_check(v, indexes[i], leaf, len, NULL, 0), 0);
		assert_int_equal(store_view_check(v, indexes[i] ^ 1, leaf, len, NULL, 0), CS_ERR_DAMAGED);
		/* A body that the entry, which is none here, does not commit to. */
		assert_int_equal(store_view_check(v, indexes[i], leaf, len, "body", 4), CS_ERR_DAMAGED);
		leaf[len / 2] ^= 1;
		assert_int_equal(store_view_check(v, indexes[i], leaf, len, NULL, 0), CS_ERR_DAMAGED);
	}
	store_view_close(v);
	store_close(s);
}

static void test_checkpoints_meta(void **state)
{
	struct store *s = writer_open();
	struct store_view *v;
	const void *got;
	size_t len;
	uint64_t size;

	(void)state;
	assert_int_equal(store_put_meta(s, "origin", "x", 1), CS_ERR_INVALID); /* No transaction. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(batch_append(s, 0, 500), 0);
	assert_int_equal(store_put_checkpoint(s, 3, "three", 5), 0);
	assert_int_equal(store_put_checkpoint(s, 300, "three hundred", 13), 0);
	assert_int_equal(store_put_checkpoint(s, 300, "cosigned", 8), 0);
	assert_int_equal(store_put_checkpoint(s, 501, "beyond", 6), CS_ERR_INVALID);
	assert_int_equal(store_put_meta(s, "origin", "example", 7), 0);
	assert_int_equal(store_put_meta(s, "gone", "x", 1), 0);
	assert_int_equal(store_put_meta(s, "gone", NULL, 0), 0);
	assert_int_equal(store_put_meta(s, "never there", NULL, 0), 0);
	assert_int_equal(store_put_meta(s, "head", "x", 1), CS_ERR_INVALID);
	assert_int_equal(store_commit(s), 0);

	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_view_checkpoint(v, 0, &size, &got, &len), 0);
	assert_int_equal(size, 3);
	assert_int_equal(store_view_checkpoint(v, 4, &size, &got, &len), 0);
	assert_int_equal(size, 300);
	assert_int_equal(len, 8);
	assert_memory_equal(got, "cosigned", 8);
	assert_int_equal(store_view_checkpoint(v, 301, &size, &got, &len), CS_ERR_NOT_FOUND);
	assert_int_equal(store_view_checkpoint_last(v, &size, &got, &len), 0);
	assert_int_equal(size, 300);
	assert_int_equal(store_view_meta(v, "origin", &got, &len), 0);
	assert_int_equal(len, 7);
	assert_int_equal(store_view_meta(v, "gone", &got, &len), CS_ERR_NOT_FOUND);
	store_view_close(v);
	store_close(s);
}

struct seen {
	unsigned n;
	char text[64];
};

static int state_seen(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct seen *seen = ctx;
	size_t at = strlen(seen->text);

	seen->n++;
	snprintf(seen->text + at, sizeof seen->text - at, "%.*s=%.*s;", (int)key_len, (const char *)key, (int)value_len,
	         (const char *)value);
	return seen->n == 3 ? 42 : 0;
}

static void test_state(void **state)
{
	const struct store_record first[] = {{"b", "2", 1, 1}, {"a", "1", 1, 1}};
	const struct store_record second[] = {{"b", NULL, 1, 0}, {"c", "3", 1, 1}, {"zz", NULL, 2, 0}};
	const struct store_record third[] = {{"d", "4", 1, 1}, {"e", "5", 1, 1}};
	const struct store_record no_key[] = {{"", "4", 0, 1}};
	struct store *s = writer_open();
	struct store_view *v;
	uint64_t index, term;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(store_write_state(s, first, 2, 1, 1), CS_ERR_INVALID); /* Ahead of the ledger. */
	assert_int_equal(batch_commit(s, 5, 7, 1), 0);
	assert_int_equal(store_write_state(s, first, 2, 6, 1), 0);
	assert_int_equal(store_write_state(s, first, 2, 5, 1), CS_ERR_INVALID); /* Backwards. */
	assert_int_equal(store_write_state(s, no_key, 1, 7, 1), CS_ERR_INVALID);
	assert_int_equal(store_state_index(s), 6);
	assert_int_equal(store_write_state(s, second, 3, 7, 1), 0);
	store_close(s);
	s = writer_open();
	assert_int_equal(store_state_index(s), 7);
	assert_int_equal(store_each_state(s, state_seen, &seen), 0);
	assert_string_equal(seen.text, "a=1;c=3;");
	/* A view sees the state as it was, with the index that it belongs to. */
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_write_state(s, third, 2, 7, 1), 0);
	seen = (struct seen){0};
	assert_int_equal(store_each_state(s, state_seen, &seen), 42);
	assert_int_equal(seen.n, 3);
	seen = (struct seen){0};
	assert_int_equal(store_view_each_state(v, state_seen, &seen), 0);
	assert_string_equal(seen.text, "a=1;c=3;");
	assert_int_equal(store_view_state_index(v, &index, &term), 0);
	assert_int_equal(index, 7);
	assert_int_equal(term, 1);
	store_view_close(v);
	store_close(s);
}

/* The sum follows the records, wherever they lie; a view has its own, and an opening finds it again. */
static void test_state_digest(void **state)
{
	const struct store_record both[] = {{"a1", "1", 2, 1}, {"a2", "2", 2, 1}};
	const struct store_record moved[] = {{"a1", NULL, 2, 0}, {"a3", "1", 2, 1}, {"a2", "2", 2, 1}};
	const struct store_record less[] = {{"a2", NULL, 2, 0}};
	struct hash empty, first, second, seen;
	struct store *s = writer_open();
	struct store_view *v;

	(void)state;
	store_state_digest(s, &empty);
	assert_int_equal(batch_commit(s, 5, 7, 1), 0);
	assert_int_equal(store_write_state(s, both, 2, 5, 1), 0);
	store_state_digest(s, &first);
	assert_false(hash_equal(&empty, &first));
	assert_int_equal(store_write_state(s, moved, 3, 6, 1), 0);
	store_state_digest(s, &second);
	assert_true(hash_equal(&first, &second));
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_write_state(s, less, 1, 7, 1), 0);
	store_state_digest(s, &second);
	assert_false(hash_equal(&first, &second));
	assert_int_equal(store_view_state_digest(v, &seen), 0);
	assert_true(hash_equal(&first, &seen));
	store_view_close(v);
	store_close(s);
	s = writer_open();
	store_state_digest(s, &seen);
	assert_true(hash_equal(&second, &seen));
	assert_int_equal(store_check_state(s), 0);
	/* All at once: what is not among them is gone. */
	assert_int_equal(store_replace_state(s, less, 1, 6, 1), CS_ERR_INVALID); /* Backwards. */
	assert_int_equal(store_replace_state(s, both, 2, 7, 1), 0);
	store_state_digest(s, &seen);
	assert_true(hash_equal(&first, &seen));
	assert_int_equal(store_check_state(s), 0);
	store_close(s);
}

#define CRASH_BATCH 7

/* Commits for ever, and tells each size that is committed. */
static void crash_child(int out)
{
	const struct store_options o = {.map_size = MAP_SIZE, .create = true};
	struct store_head head;
	struct store *s;

	CHILD_CHECK(store_open(folder, &o, &s) == 0);
	for (;;) {
		store_head(s, &head);
		CHILD_CHECK(batch_commit(s, CRASH_BATCH, head.applied_index + 1, 1) == 0);
		if (head.applied_index % 5 == 4)
			CHILD_CHECK(store_write_state(s, &(struct store_record){"k", "v", 1, 1}, 1,
			                              head.applied_index + 1, 1) == 0);
		store_head(s, &head);
		CHILD_CHECK(write(out, &head.size, sizeof head.size) == (ssize_t)sizeof head.size);
	}
}

static void test_kill(void **state)
{
	uint64_t told = 0, size;
	struct store_head head;
	struct store_view *v;
	struct hash root;
	int fds[2];

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		assert_int_equal(pipe(fds), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			crash_child(fds[1]);
		}
		close(fds[1]);
		/* A number of commits that differs from round to round, then kill while it works on the next. */
		for (unsigned i = 0; i < 3 + round * 5 % 17; i++)
			assert_int_equal(read(fds[0], &told, sizeof told), sizeof told);
		for (volatile unsigned spin = 0; spin < round * 20000; spin++)
			;
		kill(pid, SIGKILL);
		while (read(fds[0], &size, sizeof size) == (ssize_t)sizeof size)
			told = size;
		close(fds[0]);
		assert_true(WIFSIGNALED(child_wait(pid)));

		struct store *s = writer_open();
		store_head(s, &head);
		assert_true(head.size >= told);
		assert_int_equal(head.size, head.applied_index * CRASH_BATCH);
		assert_true(store_state_index(s) <= head.applied_index);
		root_naive(0, head.size, &root);
		assert_true(hash_equal(&head.root, &root));
		assert_int_equal(store_view_open(s, &v), 0);
		entries_check(v, 0, head.size);
		view_check(v);
		store_view_close(v);
		store_close(s);
	}
}

#define READ_TARGET 4000

static void read_child(int out)
{
	const struct store_options o = {.read_only = true};
	struct store_head head, before = {0};
	struct tree_tiles tiles;
	struct store_view *v;
	struct store *s;
	struct hash root, leaf;
	const void *got;
	size_t len;

	CHILD_CHECK(store_open(folder, &o, &s) == 0);
	CHILD_CHECK(store_begin(s) == CS_ERR_INVALID);
	CHILD_CHECK(store_view_open(s, &v) == 0);
	CHILD_CHECK(write(out, "x", 1) == 1);
	for (;;) {
		store_view_head(v, &head);
		CHILD_CHECK(head.size >= before.size);
		store_view_tiles(v, &tiles);
		CHILD_CHECK(tiles_root(&tiles, head.size, &root) == 0 && hash_equal(&root, &head.root));
		for (uint64_t i = before.size; i < head.size; i++)
			CHILD_CHECK(store_view_entry(v, i, &got, &len) == 0);
		if (head.size > 0) {
			CHILD_CHECK(store_view_entry(v, head.size - 1, &got, &len) == 0);
			hash_leaf(&leaf, got, len);
			CHILD_CHECK(hash_equal(&leaf, &head.last_leaf));
		}
		if (head.size == READ_TARGET)
			break;
		before = head;
		sched_yield();
		CHILD_CHECK(store_view_renew(v) == 0);
	}
	store_view_close(v);
	store_close(s);
	_exit(0);
}

static void test_other_process(void **state)
{
	struct store *s = writer_open();
	char byte;
	int fds[2];

	(void)state;
	store_close(s); /* LMDB: an environment must not cross a fork. */
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		read_child(fds[1]);
	s = writer_open();
	assert_int_equal(read(fds[0], &byte, 1), 1);
	for (unsigned i = 0; i < READ_TARGET / 40; i++)
		assert_int_equal(batch_commit(s, 40, i + 1, 1), 0);
	int status = child_wait(pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	store_close(s);
	close(fds[0]);
	close(fds[1]);
}

static void file_copy(const char *from, const char *to, mode_t mode)
{
	static char buf[1 << 16];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof buf)) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

static void copy_child(const char *copy)
{
	const struct store_options o = {.read_only = true};
	struct store_head head;
	struct store_view *v;
	struct store *s;
	const void *got;
	size_t len;

	/* Root may write anywhere: be nobody, so that the folder really is read-only. */
	if (geteuid() == 0)
		CHILD_CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	CHILD_CHECK(store_open(copy, &o, &s) == 0);
	CHILD_CHECK(store_view_open(s, &v) == 0);
	store_view_head(v, &head);
	CHILD_CHECK(head.size == 300 && store_view_entry(v, 299, &got, &len) == 0);
	store_view_close(v);
	store_close(s);
	_exit(0);
}

static void test_read_only_copy(void **state)
{
	struct store *s = writer_open();
	char data[512], copy[512], copy_data[512];

	(void)state;
	assert_int_equal(batch_commit(s, 300, 1, 1), 0);
	store_close(s);
	file_path(data, sizeof data, "data.mdb");
	file_path(copy, sizeof copy, "copy");
	file_path(copy_data, sizeof copy_data, "copy/data.mdb");
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(mkdir(copy, 0755), 0);
	file_copy(data, copy_data, 0444);
	assert_int_equal(chmod(copy_data, 0444), 0);
	assert_int_equal(chmod(copy, 0555), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		copy_child(copy);
	int status = child_wait(pid);
	assert_int_equal(chmod(copy, 0755), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_open_refusals(void **state)
{
	const struct store_options no_create = {0}, read_only = {.read_only = true}, create = {.create = true};
	struct store *s, *second = NULL;

	(void)state;
	assert_int_equal(store_open(folder, &no_create, &second), CS_ERR_NOT_FOUND);
	assert_int_equal(store_open(folder, &read_only, &second), CS_ERR_NOT_FOUND);
	assert_int_equal(store_open("/nonexistent/folder", &create, &second), CS_ERR_NOT_FOUND);
	s = writer_open();
	assert_int_equal(store_open(folder, &create, &second), CS_ERR_EXISTS);
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
	assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
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
	struct store *s = writer_open();

	(void)state;
	assert_int_equal(batch_commit(s, 300, 1, 1), 0);
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
		assert_int_equal(store_open(folder, &o, &s), CS_ERR_DAMAGED);
		damage(cases[i].db, cases[i].key, cases[i].key_len, cases[i].at, false); /* Back again. */
		assert_int_equal(store_open(folder, &o, &s), 0);
		store_close(s);
	}
	damage("bodies", last, 8, 0, true); /* A body may be erased. */
	assert_int_equal(store_open(folder, &o, &s), 0);
	struct store_view *v;
	const void *got;
	size_t len;
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_view_body(v, 299, &got, &len), CS_ERR_ERASED);
	store_view_close(v);
	store_close(s);
	damage("entries", middle, 8, 0, true); /* An entry may not. */
	assert_int_equal(store_open(folder, &o, &s), CS_ERR_DAMAGED);
}

/* A store of another build is named and left alone; only what is no version at all is damage. */
static void test_other_format(void **state)
{
	char format[STORE_FORMAT_SIZE] = "";
	const struct store_options o = {.map_size = MAP_SIZE, .create = true, .ret_format = format};
	struct store *s = writer_open();

	(void)state;
	store_close(s);
	damage("meta", "format", 6, strlen(STORE_FORMAT) - 1, false); /* '1' ^ 1 is '0'. */
	assert_int_equal(store_open(folder, &o, &s), CS_ERR_VERSION);
	assert_string_equal(format, "countersign/store/v0");
	damage("meta", "format", 6, strlen(STORE_FORMAT) - 1, false);
	assert_int_equal(store_open(folder, &o, &s), 0);
	store_close(s);
}

static void test_tile_missing(void **state)
{
	static const uint8_t tile0[9] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
	const struct store_options o = {.map_size = MAP_SIZE};
	struct store *s = writer_open();

	(void)state;
	assert_int_equal(batch_commit(s, 300, 1, 1), 0);
	store_close(s);
	damage("tiles", tile0, 9, 0, true);
	assert_int_equal(store_open(folder, &o, &s), CS_ERR_DAMAGED);
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
	assert_int_equal(mdb_env_open(env, folder, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "somebody else's", MDB_CREATE, &dbi), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	assert_int_equal(store_open(folder, &o, &s), CS_ERR_DAMAGED);
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
	assert_int_equal(store_open(folder, &o, &s), 0);
	store_room(s, &left, &size);
	assert_int_equal(size, 1 << 20);
	assert_true(left > size / 5 * 4 && left < size);
	do {
		store_head(s, &head);
		err = batch_commit(s, 50, ++index, 1);
	} while (!err);
	assert_int_equal(err, CS_ERR_DISK_FULL);
	store_room(s, &left, &size);
	assert_true(left <= size / 5);
	store_head(s, &after);
	assert_memory_equal(&head, &after, sizeof head);
	assert_int_equal(batch_commit(s, 500, index, 1), CS_ERR_DISK_FULL);
	/* What is there can still be read, and the tree was taken back with the transaction. */
	assert_int_equal(store_view_open(s, &v), 0);
	entries_check(v, 0, head.size);
	view_check(v);
	store_view_close(v);
	store_close(s);
	/* With a larger map it goes on. */
	s = writer_open();
	assert_int_equal(batch_commit(s, 500, index, 1), 0);
	root_naive(0, head.size + 500, &root);
	store_head(s, &after);
	assert_true(hash_equal(&after.root, &root));
	store_close(s);
}

/* A disk that takes no more: the file may not grow. */
static void disk_child(void)
{
	struct rlimit limit;
	struct store *s = writer_open();
	struct store_head head;
	struct stat st;
	char path[512];

	CHILD_CHECK(batch_commit(s, 300, 1, 1) == 0);
	file_path(path, sizeof path, "data.mdb");
	CHILD_CHECK(stat(path, &st) == 0);
	signal(SIGXFSZ, SIG_IGN);
	limit.rlim_cur = limit.rlim_max = (rlim_t)st.st_size;
	CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_CHECK(batch_commit(s, 600, 2, 1) == CS_ERR_IO);
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
	int status = child_wait(pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	struct store *s = writer_open();
	store_head(s, &head);
	assert_int_equal(head.size, 300);
	assert_int_equal(batch_commit(s, 600, 2, 1), 0);
	store_close(s);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_append_reopen), STORE_TEST(test_many_in_one),    STORE_TEST(test_abort),
	        STORE_TEST(test_views),         STORE_TEST(test_check),          STORE_TEST(test_checkpoints_meta),
	        STORE_TEST(test_state),         STORE_TEST(test_state_digest),   STORE_TEST(test_kill),
	        STORE_TEST(test_other_process), STORE_TEST(test_read_only_copy), STORE_TEST(test_open_refusals),
	        STORE_TEST(test_damage),        STORE_TEST(test_tile_missing),   STORE_TEST(test_other_format),
	        STORE_TEST(test_not_ours),      STORE_TEST(test_map_full),       STORE_TEST(test_disk_error),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
