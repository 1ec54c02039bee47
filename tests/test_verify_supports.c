/* Tests of the verifier's supporting entries: those that the entry of a bundle rests on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/verify_fixture.h"

#define SIZE      FIXTURE_ENTRIES
#define ALL_KINDS (~UINT64_C(0))

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

static enum verify_outcome json_outcome(json_t *doc)
{
	char *json = json_dumps(doc, 0);

	assert_non_null(json);
	verify_bundle(fixture.policy, json, strlen(json), &result);
	free(json);
	return result.outcome;
}

static json_t *doc_of(uint64_t index, uint64_t size, unsigned cosigners, uint64_t kinds)
{
	char *json = fixture_proven(&fixture, index, size, cosigners, kinds);
	json_t *doc = json_loads(json, 0, NULL);

	assert_non_null(doc);
	free(json);
	return doc;
}

/* {"index", "entry", "fields", "proof"} of the entry. */
static json_t *support(uint64_t index, uint64_t size, unsigned cosigners)
{
	json_t *doc = doc_of(index, size, cosigners, ALL_KINDS);

	json_object_del(doc, "format");
	return doc;
}

/* Entries that another rests on: each is held against the tree as that is, and none may be false. */
static void test_bundle_supports(void **state)
{
	json_t *doc = doc_of(5, SIZE, 3, ALL_KINDS), *list = json_array(), *first = support(2, SIZE, 3);

	(void)state;
	json_object_set_new(doc, "supports", list);
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED); /* The first format has none. */
	json_object_set_new(doc, "format", json_string(FORMAT_BUNDLE_2));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_array_append_new(list, first);
	json_array_append_new(list, support(7, SIZE - 2, 3)); /* Under an older tree. */
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "supporting entry 2"));
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "supporting entry 7"));
	assert_true(result.proven);
	json_array_append_new(list, support(8, SIZE, 0)); /* Which nobody cosigned. */
	assert_int_equal(json_outcome(doc), VERIFY_UNDECIDED);
	json_array_remove(list, 2);
	for (unsigned i = 0; i + 2 < FORMAT_BUNDLE_SUPPORTS; i++)
		json_array_append_new(list, support(i, SIZE, 3));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_array_append_new(list, support(9, SIZE, 3));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED); /* One too many. */
	while (json_array_size(list) > 1)
		json_array_remove(list, 1);

	json_object_set_new(first, "note", json_string(""));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_del(first, "note");
	json_t *entry = json_incref(json_object_get(first, "entry"));
	json_object_set_new(first, "entry", json_string("A"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	fixture_outcome(&result, VERIFY_REFUTED, "bundle: a supporting entry is malformed");
	json_object_set_new(first, "entry", entry);
	json_object_set_new(first, "index", json_integer(3));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_set_new(first, "index", json_integer(2));
	json_t *other = support(3, SIZE, 3);
	json_object_set(first, "proof", json_object_get(other, "proof"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_true(fixture_says(&result, VERIFY_MARK_BAD, "supporting entry 2"));
	json_object_set(first, "proof", json_object_get(doc, "proof"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(other);
	other = support(2, SIZE, 3);
	json_object_set(first, "proof", json_object_get(other, "proof"));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_t *field = json_array_get(json_object_get(first, "fields"), 0);
	json_object_set_new(field, "value", json_string("oWE="));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_true(fixture_says(&result, VERIFY_MARK_BAD, "does not open its commitment"));
	json_object_set_new(doc, "supports", json_object());
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(other);
	json_decref(doc);
}

/* A supporting entry of another ledger, or of another tree of the same size: both signed by a whole quorum. */
static void test_supports_elsewhere(void **state)
{
	const struct fixture_signers all = {.logs = 1, .cosigners = 3};
	struct checkpoint c = {.origin = "other.example/log", .size = SIZE};
	struct verify_policy *both = fixture_policy_of(
	        &fixture, "log L1\nlog LO\nwitness n1 W1\nwitness n2 W2\ngroup g 2 n1 n2\nquorum g\n");
	char note[LIMIT_NOTE_SIZE_MAX];
	static char proof[FORMAT_PROOF_SIZE_MAX];
	json_t *doc = doc_of(5, SIZE, 3, 0), *first = support(2, SIZE, 3);

	(void)state;
	json_object_set_new(doc, "format", json_string(FORMAT_BUNDLE_2));
	json_object_set_new(doc, "supports", json_array());
	json_array_append_new(json_object_get(doc, "supports"), first);
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	fixture_root(&fixture, SIZE, &c.root);
	fixture_sign(&fixture, &c, all, note);
	fixture_proof(&fixture, 2, SIZE, note, proof);
	json_object_set_new(first, "proof", json_string(proof));
	char *json = json_dumps(doc, 0);
	verify_bundle(both, json, strlen(json), &result);
	fixture_outcome(&result, VERIFY_REFUTED, "supporting entry 2: it is of another ledger");
	free(json);

	struct hash kept = fixture.entry[9].hash;
	fixture.entry[9].hash.b[0] ^= 1;
	fixture_checkpoint(&fixture, SIZE, all, note);
	fixture_proof(&fixture, 2, SIZE, note, proof);
	fixture.entry[9].hash = kept;
	json_object_set_new(first, "proof", json_string(proof));
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_REFUTED, "supporting entry 2: its tree is another of the same size");
	json_decref(doc);
	verify_policy_free(both);
}

/* Its proof is more than is read: nothing of it is false, and nothing is said to hold. */
static void test_supports_too_much(void **state)
{
	static char proof[FORMAT_PROOF_SIZE_MAX + 2];
	char note[LIMIT_NOTE_SIZE_MAX];
	json_t *doc = doc_of(5, SIZE, 3, 0), *list = json_array(), *first = support(2, SIZE, 3);

	(void)state;
	json_object_set_new(doc, "format", json_string(FORMAT_BUNDLE_2));
	json_object_set_new(doc, "supports", list);
	json_array_append_new(list, first);
	memset(proof, 'x', sizeof proof - 1);
	json_object_set_new(first, "proof", json_string(proof));
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_UNDECIDED, "a supporting entry could not be checked");
	assert_false(result.proven);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "supporting entry 2: proof: larger than"));
	assert_false(fixture_says(&result, VERIFY_MARK_HELD, "supporting entry 2"));

	memset(proof, 0, sizeof proof);
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);
	fixture_proof(&fixture, 2, SIZE, note, proof);
	for (unsigned i = 0; i < VERIFY_SIGNATURES_MAX; i++)
		strcat(proof, "\xE2\x80\x94 k AAAAAAA=\n");
	json_object_set_new(first, "proof", json_string(proof));
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_UNDECIDED, "a supporting entry could not be checked");
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "supporting entry 2: checkpoint: more than 64"));
	assert_false(fixture_says(&result, VERIFY_MARK_HELD, "supporting entry 2"));

	/* One that is false is found behind it. */
	json_array_append_new(list, support(3, SIZE, 3));
	json_object_set_new(json_array_get(list, 1), "index", json_integer(4));
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_REFUTED, "supporting entry 4: bundle: its index is not the entry's");
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_bundle_supports),
	        cmocka_unit_test(test_supports_elsewhere),
	        cmocka_unit_test(test_supports_too_much),
	};

	return cmocka_run_group_tests_name("supporting entries", tests, setup, teardown);
}
