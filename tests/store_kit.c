/* What tests of the store share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ledger/errors.h"

/* --- entries that follow from their index --- */

size_t store_kit_leaf_make(uint64_t index, uint8_t *leaf)
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

int store_kit_batch_append(struct store *s, uint64_t first, unsigned n)
{
	static uint8_t leaves[BATCH_MAX][LEAF_SIZE_MAX];
	static struct store_entry entries[BATCH_MAX];

	assert_true(n <= BATCH_MAX);
	for (unsigned i = 0; i < n; i++) {
		size_t len = store_kit_leaf_make(first + i, leaves[i]);

		entries[i] = (struct store_entry){.leaf = leaves[i],
		                                  .leaf_len = (uint32_t)len,
		                                  .body = leaves[i],
		                                  .body_len = (uint32_t)body_len(first + i)};
		hash_leaf(&entries[i].leaf_hash, leaves[i], len);
	}
	return store_append(s, first, entries, n);
}

int store_kit_batch_commit(struct store *s, unsigned n, uint64_t index, uint64_t term)
{
	struct store_head head;

	store_head(s, &head);
	int err = store_begin(s);
	if (err)
		return err;
	err = store_kit_batch_append(s, head.size, n);
	if (!err)
		err = store_applied(s, index, term);
	int commit_err = store_commit(s);
	return err ? err : commit_err;
}

/* RFC 6962 2.1, as it is written there. */
void store_kit_root_naive(uint64_t from, uint64_t n, struct hash *ret)
{
	uint8_t leaf[LEAF_SIZE_MAX];
	struct hash left, right;
	uint64_t k = 1;

	if (n == 0) {
		hash_empty(ret);
		return;
	}
	if (n == 1) {
		hash_leaf(ret, leaf, store_kit_leaf_make(from, leaf));
		return;
	}
	while (k * 2 < n)
		k *= 2;
	store_kit_root_naive(from, k, &left);
	store_kit_root_naive(from + k, n - k, &right);
	hash_node(ret, &left, &right);
}

void store_kit_entries_check(const struct store_view *v, uint64_t from, uint64_t to)
{
	uint8_t want[LEAF_SIZE_MAX];
	const void *got;
	size_t len;

	for (uint64_t i = from; i < to; i++) {
		size_t want_len = store_kit_leaf_make(i, want);

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
void store_kit_view_check(const struct store_view *v)
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

char store_kit_folder[256];

int store_kit_folder_make(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(store_kit_folder, sizeof store_kit_folder, "%s/store.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(store_kit_folder) ? 0 : -1;
}

void store_kit_file_path(char *buf, size_t size, const char *name)
{
	assert_true((size_t)snprintf(buf, size, "%s/%s", store_kit_folder, name) < size);
}

int store_kit_folder_remove(void **state)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "copy/data.mdb", "copy/lock.mdb"};
	char path[512];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		store_kit_file_path(path, sizeof path, names[i]);
		unlink(path);
	}
	store_kit_file_path(path, sizeof path, "copy");
	rmdir(path);
	return rmdir(store_kit_folder);
}

struct store *store_kit_writer_open(void)
{
	const struct store_options o = {.map_size = MAP_SIZE, .create = true};
	struct store *s = NULL;

	assert_int_equal(store_open(store_kit_folder, &o, &s), 0);
	return s;
}

int store_kit_child_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
