/* A ledger in memory as large as wanted, its tiles and its checkpoints: for the verifier of whole ledgers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/whole_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/naive_tree.h"

#define WIDTH VERIFY_TILE_WIDTH

static void leaf_make(struct whole_leaf *ret, uint64_t index, const struct hash *prev)
{
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static struct entry_builder b;
	static const uint8_t seed[SEED_SIZE] = {3};

	entry_builder_init(&b, index, index == 0 ? ENTRY_GENESIS : ENTRY_TICK, 1700000000000 + index, prev, seed);
	writer_array(&b.public_, 1);
	writer_uint(&b.public_, index);
	if (index % 3 == 2)
		entry_builder_field(&b, FIELD_ADDRESS,
		                    "\xa9"
		                    "192.0.2.7",
		                    10);
	assert_int_equal(entry_builder_finish(&b, leaf, &ret->len, body, &ret->body_len), 0);
	assert_true(ret->len <= WHOLE_LEAF_SIZE_MAX && ret->body_len <= WHOLE_LEAF_SIZE_MAX);
	memcpy(ret->bytes, leaf, ret->len);
	memcpy(ret->body, body, ret->body_len);
	if (index % 3 != 2)
		ret->body_len = 0;
}

void whole_make(struct whole_ledger *l, uint64_t size, uint64_t first)
{
	static const struct hash zero;

	*l = (struct whole_ledger){.size = size, .first = first};
	l->hashes = calloc(size + 1, sizeof *l->hashes);
	l->leaves = calloc(size - first + 1, sizeof *l->leaves);
	assert_true(l->hashes && l->leaves);
	for (uint64_t i = 0; i < first; i++)
		hash_leaf(&l->hashes[i], &i, sizeof i);
	for (uint64_t i = first; i < size; i++) {
		struct whole_leaf *leaf = &l->leaves[i - first];

		leaf_make(leaf, i, i == 0 ? &zero : &l->hashes[i - 1]);
		hash_leaf(&l->hashes[i], leaf->bytes, leaf->len);
	}
	const struct hash *below = l->hashes;
	for (unsigned level = 0; level < 2; level++) {
		size /= WIDTH;
		l->above[level] = calloc(size + 1, sizeof *below);
		assert_non_null(l->above[level]);
		for (uint64_t i = 0; i < size; i++)
			naive_root(below + i * WIDTH, WIDTH, &l->above[level][i]);
		below = l->above[level];
	}
}

void whole_free(struct whole_ledger *l)
{
	free(l->hashes);
	free(l->leaves);
	free(l->above[0]);
	free(l->above[1]);
}

void whole_tile(const struct whole_ledger *l, unsigned level, uint64_t n, unsigned width, uint8_t *ret)
{
	assert_true(level < 3);
	memcpy(ret, (level == 0 ? l->hashes : l->above[level - 1]) + n * WIDTH, (size_t)width * HASH_SIZE);
}

size_t whole_note(const struct whole_ledger *l, const struct fixture *f, uint64_t size, struct fixture_signers by,
                  char note[LIMIT_NOTE_SIZE_MAX])
{
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = size};

	naive_root(l->hashes, (unsigned)size, &c.root);
	return fixture_sign(f, &c, by, note);
}
