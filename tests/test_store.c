/* Tests of the store: appending, views, checkpoints, the state. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/store_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "ledger/proof.h"
#include "ledger/store_internal.h"

static void test_append_reopen(void **state)
{
	/* Across the edges of tiles: 255, 256, 257 and many at once. */
	static const unsigned batches[] = {1, 254, 1, 1, 0, 255, 300, 1, 600, 7};
	struct store *s = store_kit_writer_open();
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
		assert_int_equal(store_kit_batch_commit(s, batches[i], 10 + i, 2), 0);
		size += batches[i];
		store_kit_root_naive(0, size, &root);
		store_head(s, &head);
		assert_int_equal(head.size, size);
		assert_int_equal(head.applied_index, 10 + i);
		assert_int_equal(head.applied_term, 2);
		assert_true(hash_equal(&head.root, &root));
		store_close(s);
		s = store_kit_writer_open();
		store_head(s, &again);
		assert_memory_equal(&head, &again, sizeof head);
	}
	assert_int_equal(store_view_open(s, &v), 0);
	store_kit_entries_check(v, 0, size);
	store_kit_view_check(v);
	store_view_close(v);
	assert_int_equal(store_sync(s), 0);
	store_close(s);
	store_close(NULL);
}

static void test_many_in_one(void **state)
{
	struct store *s = store_kit_writer_open();
	struct store_head head;
	struct store_view *v;
	struct tree_tiles tiles;
	struct hash proof[LIMIT_PROOF_HASHES_MAX], leaf;
	uint8_t bytes[LEAF_SIZE_MAX];
	unsigned n;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (unsigned i = 0; i < 120; i++) /* Over 65536: a tile of level 1 becomes full. */
		assert_int_equal(store_kit_batch_append(s, i * 550, 550), 0);
	assert_int_equal(store_applied(s, 3, 1), 0);
	assert_int_equal(store_commit(s), 0);
	store_head(s, &head);
	assert_int_equal(head.size, 66000);
	assert_int_equal(store_view_open(s, &v), 0);
	store_kit_view_check(v);
	store_view_tiles(v, &tiles);
	for (uint64_t i = 0; i < head.size; i += 997) {
		assert_int_equal(tiles_inclusion(&tiles, i, head.size, proof, &n), 0);
		hash_leaf(&leaf, bytes, store_kit_leaf_make(i, bytes));
		assert_int_equal(proof_inclusion_check(i, head.size, &leaf, proof, n, &head.root), 0);
	}
	store_view_close(v);
	store_close(s);
	s = store_kit_writer_open();
	assert_int_equal(store_kit_batch_commit(s, 3, 4, 1), 0);
	store_close(s);
	store_close(store_kit_writer_open());
}

static void test_abort(void **state)
{
	struct store *s = store_kit_writer_open();
	struct store_head head, after;
	struct hash root;

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 300, 1, 1), 0);
	store_head(s, &head);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_begin(s), CS_ERR_INVALID);
	assert_int_equal(store_kit_batch_append(s, 300, 400), 0);
	assert_int_equal(store_kit_batch_append(s, 300, 1), CS_ERR_INVALID); /* Not the size any more. */
	store_abort(s);
	store_head(s, &after);
	assert_memory_equal(&head, &after, sizeof head);
	/* An entry that is too long spoils its transaction, and only that. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_kit_batch_append(s, 300, 5), 0);
	const struct store_entry big = {.leaf = "", .leaf_len = LIMIT_ENTRY_SIZE_MAX + 1, .body = ""};
	assert_int_equal(store_append(s, 305, &big, 1), CS_ERR_TOO_LARGE);
	assert_int_equal(store_commit(s), CS_ERR_TOO_LARGE);
	assert_int_equal(store_commit(s), CS_ERR_INVALID);
	assert_int_equal(store_kit_batch_commit(s, 215, 2, 1), 0);
	store_kit_root_naive(0, 515, &root);
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
	struct store *s = store_kit_writer_open();
	struct store_view *v, *second;
	struct store_head head;
	const void *got;
	size_t len;

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 10, 1, 1), 0);
	assert_int_equal(store_view_open(s, &v), 0);
	assert_int_equal(store_kit_batch_commit(s, 290, 2, 1), 0);
	store_view_head(v, &head);
	assert_int_equal(head.size, 10);
	store_kit_entries_check(v, 0, 10);
	store_kit_view_check(v);
	store_view_release(v);
	assert_int_equal(store_view_entry(v, 0, &got, &len), CS_ERR_INVALID);
	assert_int_equal(store_view_renew(v), 0);
	store_view_head(v, &head);
	assert_int_equal(head.size, 300);
	store_kit_entries_check(v, 0, 300);
	store_kit_view_check(v);
	/* A thread may hold several. */
	assert_int_equal(store_view_open(s, &second), 0);
	store_kit_view_check(second);
	store_kit_view_check(v);
	store_view_close(second);
	store_view_close(v);
	store_view_close(NULL);
	store_close(s);
}

/* What is given out is held against the tree: in a full tile, and in the one that still grows. */
static void test_check(void **state)
{
	static const uint64_t indexes[] = {0, 3, 255, 256, 299};
	struct store *s = store_kit_writer_open();
	uint8_t leaf[LEAF_SIZE_MAX];
	struct store_view *v;

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 300, 1, 1), 0);
	assert_int_equal(store_view_open(s, &v), 0);
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
		size_t len = store_kit_leaf_make(indexes[i], leaf);
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
	struct store *s = store_kit_writer_open();
	struct store_view *v;
	const void *got;
	size_t len;
	uint64_t size;

	(void)state;
	assert_int_equal(store_put_meta(s, "origin", "x", 1), CS_ERR_INVALID); /* No transaction. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_kit_batch_append(s, 0, 500), 0);
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
	struct store *s = store_kit_writer_open();
	struct store_view *v;
	uint64_t index, term;
	struct seen seen = {0};

	(void)state;
	assert_int_equal(store_write_state(s, first, 2, 1, 1), CS_ERR_INVALID); /* Ahead of the ledger. */
	assert_int_equal(store_kit_batch_commit(s, 5, 7, 1), 0);
	assert_int_equal(store_write_state(s, first, 2, 6, 1), 0);
	assert_int_equal(store_write_state(s, first, 2, 5, 1), CS_ERR_INVALID); /* Backwards. */
	assert_int_equal(store_write_state(s, no_key, 1, 7, 1), CS_ERR_INVALID);
	assert_int_equal(store_state_index(s), 6);
	assert_int_equal(store_write_state(s, second, 3, 7, 1), 0);
	store_close(s);
	s = store_kit_writer_open();
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
	struct store *s = store_kit_writer_open();
	struct store_view *v;

	(void)state;
	store_state_digest(s, &empty);
	assert_int_equal(store_kit_batch_commit(s, 5, 7, 1), 0);
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
	s = store_kit_writer_open();
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

static bool walk_erased(uint64_t index)
{
	return index % 7 == 3 || (index > 300 && index < 310);
}

/* As an erasure leaves it: no record. */
static void erase_bodies(struct store *s, uint64_t size)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_txn *txn;

	assert_int_equal(mdb_txn_begin(s->env, NULL, 0, &txn), 0);
	for (uint64_t i = 0; i < size; i++) {
		MDB_val key = store_index_key(buf, i);
		if (walk_erased(i))
			assert_int_equal(mdb_del(txn, s->db[DB_BODIES], &key, NULL), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
}

/* Every entry from there on, each with its body if that is looked at (each so many), and then the end. */
static void walk_check(const struct store_view *v, uint64_t from, uint64_t size, bool down, unsigned step)
{
	const void *leaf, *body, *same_leaf, *same_body;
	size_t len, body_len, same_len;
	uint64_t index, expected = from;
	struct store_walk *w;

	assert_int_equal(store_walk_open(v, from, down, &w), 0);
	for (; expected < size; expected += down ? UINT64_MAX : 1) {
		assert_int_equal(store_walk_next(w, &index, &leaf, &len), 0);
		assert_int_equal(index, expected);
		assert_int_equal(store_view_entry(v, index, &same_leaf, &same_len), 0);
		assert_ptr_equal(leaf, same_leaf);
		assert_int_equal(len, same_len);
		if (index % step != 0)
			continue;
		int err = store_walk_body(w, &body, &body_len);
		assert_int_equal(err, walk_erased(index) ? CS_ERR_ERASED : 0);
		if (err != 0)
			continue;
		assert_int_equal(store_view_body(v, index, &same_body, &same_len), 0);
		assert_ptr_equal(body, same_body);
		assert_int_equal(body_len, same_len);
	}
	assert_int_equal(store_walk_next(w, &index, &leaf, &len), CS_ERR_NOT_FOUND);
	store_walk_close(w);
}

static void test_walk(void **state)
{
	struct store *s = store_kit_writer_open();
	struct store_view *v;

	(void)state;
	assert_int_equal(store_kit_batch_commit(s, 600, 1, 1), 0);
	erase_bodies(s, 600);
	assert_int_equal(store_view_open(s, &v), 0);
	for (unsigned step = 1; step < 6; step++) {
		walk_check(v, 0, 600, false, step);
		walk_check(v, 305, 600, false, step);
		walk_check(v, 599, 600, true, step);
		walk_check(v, 306, 600, true, step);
		walk_check(v, 0, 600, true, step);
		walk_check(v, 600, 600, false, step);
	}
	store_view_close(v);
	store_close(s);
	store_walk_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        STORE_TEST(test_append_reopen), STORE_TEST(test_many_in_one),  STORE_TEST(test_abort),
	        STORE_TEST(test_views),         STORE_TEST(test_check),        STORE_TEST(test_checkpoints_meta),
	        STORE_TEST(test_state),         STORE_TEST(test_state_digest), STORE_TEST(test_walk),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
