/* Tests of the verifier's tree arithmetic and of its audit: that it agrees with the makers, and finds who lies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/proof.h"
#include "ledger/tree.h"
#include "ledger/verify_internal.h"
#include "tests/verify_fixture.h"

#define SIZE FIXTURE_ENTRIES

static struct fixture fixture;
static struct verify_result result;

static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

static enum verify_outcome audit(const char *note, uint64_t n, bool with_tiles)
{
	struct verify_audit a;

	verify_audit_begin(&a, fixture.policy, note, strlen(note), &result);
	for (uint64_t i = 0; i < n; i++) {
		const struct fixture_entry *e = &fixture.entry[i];

		if (!verify_audit_entry(&a, e->leaf, e->leaf_len, with_tiles ? e->hash.b : NULL))
			break;
	}
	verify_audit_end(&a);
	return result.outcome;
}

static void test_audit(void **state)
{
	const struct fixture_signers by = {.logs = 1, .cosigners = 3};
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	for (uint64_t size = 0; size <= SIZE; size++) {
		fixture_checkpoint(&fixture, size, by, note);
		assert_int_equal(audit(note, size, true), VERIFY_VERIFIED);
		if (size == 0)
			continue;
		assert_int_equal(audit(note, size - 1, false), VERIFY_REFUTED); /* One is missing. */
		assert_int_equal(result.bad_index, size - 1);
		if (size == SIZE)
			continue;
		assert_int_equal(audit(note, size + 1, false), VERIFY_REFUTED); /* One too many. */
		assert_int_equal(result.bad_index, size);
	}
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1}, note);
	assert_int_equal(audit(note, SIZE, true), VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "the leader's claim only"));
}

static void test_audit_flips(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX];

	(void)state;
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	for (uint64_t i = 0; i < SIZE; i++) {
		struct fixture_entry *e = &fixture.entry[i];

		for (size_t bit = 0; bit < e->leaf_len * 8; bit += i == 5 ? 1 : 37) {
			e->leaf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(audit(note, SIZE, true), VERIFY_REFUTED);
			assert_true(result.has_bad_index);
			assert_int_equal(result.bad_index, i);
			/* Without tiles the chain names it or the one after it; the last one is seen in the root only.
			 */
			assert_int_equal(audit(note, SIZE, false), VERIFY_REFUTED);
			assert_true(!result.has_bad_index || result.bad_index == i || result.bad_index == i + 1);
			e->leaf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	assert_int_equal(audit(note, SIZE, true), VERIFY_VERIFIED);
}

/* A quorum that signs a ledger that is not one: entry 7 changed before it was hashed and signed. */
static void audit_signed(size_t at, uint8_t flip, const char *why)
{
	struct fixture_entry *e = &fixture.entry[7];
	struct hash kept = e->hash;
	char note[LIMIT_NOTE_SIZE_MAX];

	e->leaf[at] ^= flip;
	hash_leaf(&e->hash, e->leaf, e->leaf_len);
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	assert_int_equal(audit(note, SIZE, true), VERIFY_REFUTED);
	assert_int_equal(result.bad_index, 7);
	if (!strstr(result.reason, why))
		fail_msg("%s, not %s", result.reason, why);
	e->leaf[at] ^= flip;
	e->hash = kept;
}

static void test_audit_of_liars(void **state)
{
	(void)state;
	/* 97 01 07 02 cf time8 c4 20 prev32: version, index, kind, time, chain. */
	audit_signed(2, 0x01, "another index");
	audit_signed(11, 0x08, "time goes back"); /* 1700000000119 is 018bcfe56877: two seconds less. */
	audit_signed(20, 0x01, "not chained");
	audit_signed(1, 0x02, "format version");
	audit_signed(0, 0x01, "not a canonical leaf");
}

static void test_tree_agrees(void **state)
{
	struct hash leaves[40], proof[LIMIT_PROOF_HASHES_MAX + 1], root, old_root;
	const struct tree_tiles none = {0};
	struct tree *t;
	unsigned n;

	(void)state;
	assert_int_equal(tree_new(&none, &t), 0);
	for (uint8_t i = 0; i < 40; i++) {
		hash_leaf(&leaves[i], &i, 1);
		assert_int_equal(tree_append(t, &leaves[i]), 0);
	}
	memset(proof, 0, sizeof proof);
	for (uint64_t size = 1; size <= 40; size++) {
		assert_int_equal(tree_root_at(t, size, &root), 0);
		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(tree_inclusion(t, i, size, proof, &n), 0);
			assert_true(verify_tree_inclusion(i, size, leaves[i].b, proof[0].b, n, root.b));
			assert_false(verify_tree_inclusion(i, size, leaves[i].b, proof[0].b, n + 1, root.b));
			assert_false(n > 0 && verify_tree_inclusion(i, size, leaves[i].b, proof[0].b, n - 1, root.b));
			for (uint64_t j = 0; j < 42; j++) /* Another index, another size. */
				for (uint64_t s = size - (size > 1); s <= size + 1; s++)
					assert_int_equal(
					        verify_tree_inclusion(j, s, leaves[i].b, proof[0].b, n, root.b),
					        proof_inclusion_check(j, s, &leaves[i], proof, n, &root) == 0);
		}
		for (uint64_t old = 1; old <= size; old++) {
			assert_int_equal(tree_root_at(t, old, &old_root), 0);
			assert_int_equal(tree_consistency(t, old, size, proof, &n), 0);
			assert_true(verify_tree_consistency(old, size, old_root.b, root.b, proof[0].b, n));
			assert_false(verify_tree_consistency(old, size, old_root.b, root.b, proof[0].b, n + 1));
			for (uint64_t o = 0; o <= 41; o++)
				assert_int_equal(verify_tree_consistency(o, size, old_root.b, root.b, proof[0].b, n),
				                 proof_consistency_check(o, size, &old_root, &root, proof, n) == 0);
		}
	}
	assert_false(verify_tree_inclusion(0, 0, leaves[0].b, NULL, 0, leaves[0].b));
	assert_false(verify_tree_inclusion(UINT64_MAX, UINT64_MAX, leaves[0].b, proof[0].b, 1, root.b));
	assert_false(verify_tree_consistency(UINT64_MAX, 1, root.b, root.b, proof[0].b, 1));
	tree_free(t);
}

/* Of the first ones only the hashes are at hand: the root holds them, and what is not looked at is said. */
static void test_audit_hashes(void **state)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	struct verify_audit a;

	(void)state;
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	for (uint64_t skip = 0; skip <= SIZE; skip++) {
		verify_audit_begin(&a, fixture.policy, note, strlen(note), &result);
		for (uint64_t i = 0; i < SIZE; i++) {
			const struct fixture_entry *e = &fixture.entry[i];

			if (i < skip)
				verify_audit_hash(&a, e->hash.b);
			else
				assert_true(verify_audit_entry(&a, e->leaf, e->leaf_len, NULL));
		}
		verify_audit_end(&a);
		fixture_outcome(&result, VERIFY_VERIFIED, "size 13");
		assert_int_equal(fixture_says(&result, VERIFY_MARK_UNCHECKED, "their hashes only"), skip > 0);
		assert_int_equal(fixture_says(&result, VERIFY_MARK_HELD, "all 13 entries: canonical"), skip == 0);
		assert_int_equal(fixture_says(&result, VERIFY_MARK_HELD, "of them: canonical"),
		                 skip > 0 && skip < SIZE);
	}
	/* One of the hashes is another. */
	verify_audit_begin(&a, fixture.policy, note, strlen(note), &result);
	for (uint64_t i = 0; i < SIZE; i++)
		verify_audit_hash(&a, fixture.entry[i == 3 ? 4 : i].hash.b);
	verify_audit_end(&a);
	fixture_outcome(&result, VERIFY_REFUTED, "the root over all 13 entries is not the checkpoint's");
	assert_false(result.has_bad_index);
}

/* After what ends it nothing is looked at any more. */
static void test_audit_stopped(void **state)
{
	const struct fixture_entry *e = &fixture.entry[0];
	char note[LIMIT_NOTE_SIZE_MAX];
	struct verify_audit a;

	(void)state;
	verify_audit_begin(&a, fixture.policy, "x", 1, &result);
	assert_true(a.stopped);
	assert_false(verify_audit_entry(&a, e->leaf, e->leaf_len, NULL));
	verify_audit_end(&a);
	fixture_outcome(&result, VERIFY_REFUTED, "checkpoint: not a signed note");
	assert_int_equal(result.n_lines, 1);

	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	verify_audit_begin(&a, fixture.policy, note, strlen(note), &result);
	assert_false(verify_audit_entry(&a, e->leaf, e->leaf_len, fixture.entry[1].hash.b));
	fixture_outcome(&result, VERIFY_REFUTED, "entry 0: its hash is not the one in its tile");
	assert_false(verify_audit_entry(&a, e->leaf, e->leaf_len, NULL));
	verify_audit_end(&a);
	fixture_outcome(&result, VERIFY_REFUTED, "entry 0: its hash is not the one in its tile");
}

/* Any of the roots and hashes is another one. */
static void test_consistency_refused(void **state)
{
	struct hash proof[LIMIT_PROOF_HASHES_MAX], one, two;
	const struct tree_tiles none = {0};
	struct tree *t;
	unsigned n;

	(void)state;
	assert_int_equal(tree_new(&none, &t), 0);
	for (unsigned i = 0; i < SIZE; i++)
		assert_int_equal(tree_append(t, &fixture.entry[i].hash), 0);
	for (uint64_t old = 1; old < SIZE; old++) {
		assert_int_equal(tree_root_at(t, old, &one), 0);
		assert_int_equal(tree_root_at(t, SIZE, &two), 0);
		assert_int_equal(tree_consistency(t, old, SIZE, proof, &n), 0);
		assert_true(verify_tree_consistency(old, SIZE, one.b, two.b, proof[0].b, n));
		assert_false(verify_tree_consistency(old, SIZE, one.b, two.b, proof[0].b, 0));
		assert_false(verify_tree_consistency(old, SIZE, one.b, one.b, proof[0].b, n));
		assert_false(verify_tree_consistency(old, SIZE, two.b, two.b, proof[0].b, n));
		for (unsigned i = 0; i < n; i++) {
			proof[i].b[5] ^= 1;
			assert_false(verify_tree_consistency(old, SIZE, one.b, two.b, proof[0].b, n));
			proof[i].b[5] ^= 1;
		}
	}
	assert_true(verify_tree_consistency(SIZE, SIZE, two.b, two.b, NULL, 0));
	assert_false(verify_tree_consistency(SIZE, SIZE, two.b, two.b, proof[0].b, 1));
	assert_false(verify_tree_consistency(SIZE, SIZE, one.b, two.b, NULL, 0));
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_audit),
	        cmocka_unit_test(test_audit_flips),
	        cmocka_unit_test(test_audit_of_liars),
	        cmocka_unit_test(test_audit_hashes),
	        cmocka_unit_test(test_audit_stopped),
	        cmocka_unit_test(test_tree_agrees),
	        cmocka_unit_test(test_consistency_refused),
	};

	return cmocka_run_group_tests_name("trees and audits", tests, setup, teardown);
}
