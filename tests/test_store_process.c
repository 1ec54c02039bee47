/* Tests of the store: kill -9, readers of other processes, read-only copies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_kit.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ledger/errors.h"

#define CRASH_BATCH 7

/* Commits for ever, and tells each size that is committed. */
static void crash_child(int out)
{
	const struct store_options o = {.map_size = MAP_SIZE, .create = true};
	struct store_head head;
	struct store *s;

	CHILD_CHECK(store_open(store_kit_folder, &o, &s) == 0);
	for (;;) {
		store_head(s, &head);
		CHILD_CHECK(store_kit_batch_commit(s, CRASH_BATCH, head.applied_index + 1, 1) == 0);
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
		assert_true(WIFSIGNALED(store_kit_child_wait(pid)));

		struct store *s = store_kit_writer_open();
		store_head(s, &head);
		assert_true(head.size >= told);
		assert_int_equal(head.size, head.applied_index * CRASH_BATCH);
		assert_true(store_state_index(s) <= head.applied_index);
		store_kit_root_naive(0, head.size, &root);
		assert_true(hash_equal(&head.root, &root));
		assert_int_equal(store_view_open(s, &v), 0);
		store_kit_entries_check(v, 0, head.size);
		store_kit_view_check(v);
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

	CHILD_CHECK(store_open(store_kit_folder, &o, &s) == 0);
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
	struct store *s = store_kit_writer_open();
	char byte;
	int fds[2];

	(void)state;
	store_close(s); /* LMDB: an environment must not cross a fork. */
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		read_child(fds[1]);
	s = store_kit_writer_open();
	assert_int_equal(read(fds[0], &byte, 1), 1);
	for (unsigned i = 0; i < READ_TARGET / 40; i++)
		assert_int_equal(store_kit_batch_commit(s, 40, i + 1, 1), 0);
	int status = store_kit_child_wait(pid);
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
	struct store *s = store_kit_writer_open();
	char data[512], copy[512], copy_data[512];

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 300, 1, 1), 0);
	store_close(s);
	store_kit_file_path(data, sizeof data, "data.mdb");
	store_kit_file_path(copy, sizeof copy, "copy");
	store_kit_file_path(copy_data, sizeof copy_data, "copy/data.mdb");
	assert_int_equal(chmod(store_kit_folder, 0755), 0);
	assert_int_equal(mkdir(copy, 0755), 0);
	file_copy(data, copy_data, 0444);
	assert_int_equal(chmod(copy_data, 0444), 0);
	assert_int_equal(chmod(copy, 0555), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		copy_child(copy);
	int status = store_kit_child_wait(pid);
	assert_int_equal(chmod(copy, 0755), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_kill),
	        STORE_TEST(test_other_process),
	        STORE_TEST(test_read_only_copy),
	};

	return cmocka_run_group_tests_name("store_process", tests, NULL, NULL);
}
