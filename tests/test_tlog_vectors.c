/* A log published by others, recomputed at each of its sizes: entries, tiles, roots, signatures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/note.h"
#include "ledger/tree.h"
#include "tests/vectors.h"

#define LOG_SIZE 15 /* Entries of the published log. */

static const char log_vkey[] = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

static uint8_t *read_log(const char *prefix, unsigned n, size_t *ret_len)
{
	char name[64], path[4096];

	snprintf(name, sizeof(name), "tlog/log/%s%u", prefix, n);
	vectors_path(path, sizeof(path), name);
	return vectors_read(path, ret_len);
}

/* The leaf hashes of an entry bundle (tlog-tiles: u16 length and entry, again and again). */
static void hash_bundle(const uint8_t *bundle, size_t len, unsigned n, struct hash *ret)
{
	const uint8_t *end = bundle + len;

	for (unsigned i = 0; i < n; i++) {
		size_t entry_len;

		assert_true(end - bundle >= 2);
		entry_len = get_u16be(bundle);
		bundle += 2;
		assert_true((size_t)(end - bundle) >= entry_len);
		hash_leaf(&ret[i], bundle, entry_len);
		bundle += entry_len;
	}
	assert_ptr_equal(bundle, end);
}

/* Signature, and root against the one recomputed from entries, tile, and a tree that grows. */
static void check_log_size(unsigned size, struct tree *t)
{
	struct note_key k;
	struct hash leaves[LOG_SIZE], root;
	uint8_t *bytes;
	struct checkpoint c;
	struct note n;
	size_t len;

	assert_int_equal(note_key_parse(&k, log_vkey, strlen(log_vkey)), 0);
	if (size > 0) {
		bytes = read_log("tile/entries/000.p/", size, &len);
		hash_bundle(bytes, len, size, leaves);
		free(bytes);
		bytes = read_log("tile/0/000.p/", size, &len);
		assert_int_equal(len, size * HASH_SIZE);
		assert_memory_equal(bytes, leaves, len);
		free(bytes);
		assert_int_equal(tree_append(t, &leaves[size - 1]), 0);
	}
	bytes = read_log("checkpoint.", size, &len);
	assert_int_equal(note_parse(&n, (const char *)bytes, len), 0);
	assert_int_equal(note_verify(&n, &k, NULL), 0);
	assert_int_equal(checkpoint_parse(&c, n.text, n.text_len), 0);
	assert_string_equal(c.origin, "example.com/log/testdata");
	assert_int_equal(c.size, size);
	tree_root(t, &root);
	assert_memory_equal(&root, &c.root, HASH_SIZE);
	free(bytes);
}

static void test_published_log(void **state)
{
	struct tree *t;
	char path[4096];

	(void)state;
	vectors_path(path, sizeof(path), "tlog/log");
	assert_int_equal(tree_new(&(struct tree_tiles){0}, &t), 0);
	for (unsigned size = 0; size <= LOG_SIZE; size++)
		check_log_size(size, t);
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_published_log)};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
