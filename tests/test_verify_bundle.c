/* Tests of the verifier's bundles: members, disclosed fields, supporting entries, and what memory it takes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/verify_faults.h"
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

static void test_bundle(void **state)
{
	char *json = fixture_proven(&fixture, 5, SIZE, 3, 1u << FIELD_RESOURCE);

	(void)state;
	verify_bundle(fixture.policy, json, strlen(json), &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "field resource: opens its commitment"));
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "field subject (2): not disclosed"));
	assert_true(fixture_says(&result, VERIFY_MARK_HELD, "inclusion: entry 5 is in the tree of size 13"));
	assert_non_null(strstr(json, "\"text\":\"host db-1\""));
	free(json);
	json = fixture_proven(&fixture, 5, SIZE, 3, 0);
	verify_bundle(fixture.policy, json, strlen(json), &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	free(json);
}

static void test_bundle_members(void **state)
{
	char *json = fixture_proven(&fixture, 5, SIZE, 3, ALL_KINDS);
	char twice[8192];
	json_t *doc = json_loads(json, 0, NULL);
	json_t *fields = json_object_get(doc, "fields"), *first = json_array_get(fields, 0);

	(void)state;
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	/* A member twice: the second could hide the first. */
	assert_true(strlen(json) + 64 < sizeof twice);
	snprintf(twice, sizeof twice, "{\"index\":4,%s", json + 1);
	verify_bundle(fixture.policy, twice, strlen(twice), &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);
	snprintf(twice, sizeof twice, "%s x", json);
	verify_bundle(fixture.policy, twice, strlen(twice), &result);
	assert_int_equal(result.outcome, VERIFY_REFUTED);

	json_object_set_new(doc, "evidence", json_string("believe me"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_del(doc, "evidence");
	json_object_set_new(first, "note", json_string(""));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_del(first, "note");
	json_object_del(first, "text"); /* May be missing. */
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_array_insert(fields, 1, first); /* A field twice. */
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_array_remove(fields, 1);
	json_array_append(fields, first); /* Out of order. */
	json_array_remove(fields, 0);
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_array_clear(fields);
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_object_set_new(doc, "index", json_integer(6));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_string_equal(result.found, "5");
	json_object_set_new(doc, "index", json_real(5.0));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_object_set_new(doc, "index", json_integer(5));
	json_object_set_new(doc, "format", json_string("countersign/bundle/v2"));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(doc);
	free(json);
}

/* A value that opens its commitment but is not canonical has two readings: refused. */
static void test_value_not_canonical(void **state)
{
	static const uint8_t long_form[] = {0xcc, 0x05}; /* 5, in two bytes. */
	static const uint8_t salt[SALT_SIZE] = {1};
	struct fixture_entry *e = &fixture.entry[5], kept = *e;
	struct hash commitment, hashes = e->hash;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry entry;
	uint8_t leaf[1024];
	char base64[64];
	unsigned n;

	(void)state;
	/* The text field's commitment is the leaf's last 32 bytes. */
	assert_int_equal(entry_decode(&entry, e->leaf, e->leaf_len), 0);
	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	assert_int_equal(entry.fields[entry.n_fields - 1].kind, FIELD_TEXT);
	field_commit(&commitment, FIELD_TEXT, salt, long_form, sizeof long_form);
	memcpy(leaf, e->leaf, e->leaf_len);
	memcpy(leaf + e->leaf_len - HASH_SIZE, commitment.b, HASH_SIZE);
	hash_leaf(&e->hash, leaf, e->leaf_len);
	char *json = fixture_proven(&fixture, 5, SIZE, 3,
	                            1u << FIELD_TEXT); /* The proof is of the new leaf, the rest still of the old. */
	json_t *doc = json_loads(json, 0, NULL);
	json_t *field = json_array_get(json_object_get(doc, "fields"), 0);
	char leaf64[2048];
	assert_int_equal(base64_encode(leaf, kept.leaf_len, leaf64, sizeof leaf64), 0);
	json_object_set_new(doc, "entry", json_string(leaf64));
	assert_int_equal(base64_encode(salt, sizeof salt, base64, sizeof base64), 0);
	json_object_set_new(field, "salt", json_string(base64));
	assert_int_equal(base64_encode(long_form, sizeof long_form, base64, sizeof base64), 0);
	json_object_set_new(field, "value", json_string(base64));
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	assert_non_null(strstr(result.reason, "not canonical"));
	json_array_clear(json_object_get(doc, "fields"));
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_decref(doc);
	free(json);
	e->hash = hashes;
}

static json_t *doc_of(uint64_t index, uint64_t size, unsigned cosigners, uint64_t kinds)
{
	char *json = fixture_proven(&fixture, index, size, cosigners, kinds);
	json_t *doc = json_loads(json, 0, NULL);

	assert_non_null(doc);
	free(json);
	return doc;
}

/* Puts a value (taken over; NULL: nothing) in the place of a member, and back what was there. */
static void with_member(json_t *doc, json_t *of, const char *name, json_t *value, const char *reason)
{
	json_t *kept = json_incref(json_object_get(of, name));

	if (value)
		json_object_set_new(of, name, value);
	else
		json_object_del(of, name);
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_REFUTED, reason);
	if (kept)
		json_object_set_new(of, name, kept);
	else
		json_object_del(of, name);
}

static void test_members_malformed(void **state)
{
	static const char none[] = "bundle: not a countersign/bundle/v1";
	json_t *doc = doc_of(5, SIZE, 3, ALL_KINDS);

	(void)state;
	with_member(doc, doc, "format", NULL, none);
	with_member(doc, doc, "format", json_integer(1), none);
	with_member(doc, doc, "format", json_string("countersign/bundle/v3"), none);
	with_member(doc, doc, "index", NULL, none);
	with_member(doc, doc, "index", json_string("5"), none);
	with_member(doc, doc, "index", json_integer(-1), none);
	with_member(doc, doc, "entry", NULL, none);
	with_member(doc, doc, "entry", json_null(), none);
	with_member(doc, doc, "entry", json_string("A"), none);
	with_member(doc, doc, "entry", json_string("AAAA"), "entry: it is not a canonical leaf");
	with_member(doc, doc, "fields", NULL, none);
	with_member(doc, doc, "fields", json_object(), none);
	with_member(doc, doc, "proof", NULL, none);
	with_member(doc, doc, "proof", json_true(), none);
	with_member(doc, doc, "proof", json_string(""), "proof: not a c2sp.org/tlog-proof@v1");
	with_member(doc, doc, "index", json_integer(6), "its index is not the entry's");
	assert_string_equal(result.expected, "6");
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	json_decref(doc);
	doc = json_array();
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	json_decref(doc);
}

static void test_fields_malformed(void **state)
{
	static const char malformed[] = "bundle: a disclosed field is malformed";
	json_t *doc = doc_of(5, SIZE, 3, 1u << FIELD_RESOURCE | 1u << FIELD_ADDRESS),
	       *fields = json_object_get(doc, "fields");
	json_t *first = json_array_get(fields, 0);

	(void)state;
	with_member(doc, first, "kind", NULL, malformed);
	with_member(doc, first, "kind", json_integer(5), malformed);
	with_member(doc, first, "kind", json_string("shoe size"), "of no known kind");
	with_member(doc, first, "kind", json_string("device"), "field device of entry 5: the entry has no commitment");
	with_member(doc, first, "kind", json_string("subject"), "field subject of entry 5: it does not open");
	with_member(doc, first, "salt", NULL, malformed);
	with_member(doc, first, "salt", json_integer(5), malformed);
	with_member(doc, first, "salt", json_string("AAAA"), malformed);
	with_member(doc, first, "value", NULL, malformed);
	with_member(doc, first, "value", json_integer(5), malformed);
	with_member(doc, first, "value", json_string("A"), malformed);
	with_member(doc, first, "value", json_string(""), "its value is not canonical");
	with_member(doc, first, "text", json_integer(5), malformed);
	json_array_insert(fields, 0, json_true());
	assert_int_equal(json_outcome(doc), VERIFY_REFUTED);
	fixture_outcome(&result, VERIFY_REFUTED, malformed);
	json_array_remove(fields, 0);
	assert_int_equal(json_outcome(doc), VERIFY_VERIFIED);
	assert_true(fixture_says(&result, VERIFY_MARK_UNCHECKED, "field text (18): not disclosed"));
	json_decref(doc);
}

/* Its checkpoint has more lines than are looked at: its origin and size were read, and nothing was proven. */
static void test_not_proven(void **state)
{
	json_t *doc = doc_of(5, SIZE, 0, 0);
	static char proof[FORMAT_PROOF_SIZE_MAX];

	(void)state;
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_UNDECIDED, "the leader's claim only");
	assert_true(result.has_checkpoint && result.proven);
	snprintf(proof, sizeof proof, "%s", json_string_value(json_object_get(doc, "proof")));
	for (unsigned i = 0; i < VERIFY_SIGNATURES_MAX; i++)
		strcat(proof, "\xE2\x80\x94 k AAAAAAA=\n");
	json_object_set_new(doc, "proof", json_string(proof));
	json_outcome(doc);
	fixture_outcome(&result, VERIFY_UNDECIDED, "checkpoint: more than 64 signature lines");
	assert_true(result.has_checkpoint && !result.proven);
	json_decref(doc);
}

static void test_no_json(void **state)
{
	char *large = malloc(FORMAT_BUNDLE_SIZE_MAX + 1);

	(void)state;
	assert_non_null(large);
	memset(large, ' ', FORMAT_BUNDLE_SIZE_MAX + 1);
	verify_bundle(fixture.policy, large, FORMAT_BUNDLE_SIZE_MAX + 1, &result);
	fixture_outcome(&result, VERIFY_UNDECIDED, "bundle: larger than this verifier takes");
	verify_bundle(fixture.policy, large, FORMAT_BUNDLE_SIZE_MAX, &result);
	fixture_outcome(&result, VERIFY_REFUTED, "bundle: not JSON");
	verify_bundle(fixture.policy, "{\n\"a\" 1}", 8, &result);
	fixture_outcome(&result, VERIFY_REFUTED, "bundle: not JSON (line 2, column 5), or a member twice");
	free(large);
}

static bool short_of_memory;

static void *json_memory(size_t size)
{
	return short_of_memory ? NULL : malloc(size);
}

/* Without memory nothing is refuted, and nothing verified. */
static void test_memory(void **state)
{
	json_t *doc = doc_of(5, SIZE, 3, ALL_KINDS), *list = json_array();
	json_malloc_t kept_malloc;
	json_free_t kept_free;

	(void)state;
	json_object_set_new(doc, "format", json_string(FORMAT_BUNDLE_2));
	json_object_set_new(doc, "supports", list);
	json_t *first = doc_of(2, SIZE, 3, 0);
	json_object_del(first, "format");
	json_array_append_new(list, first);
	char *json = json_dumps(doc, 0);
	for (unsigned n = 1; n <= 3; n++) { /* The bundle's room, a supporting one's, and what is found of it. */
		verify_faults_arm("calloc", n, ENOMEM);
		verify_bundle(fixture.policy, json, strlen(json), &result);
		assert_true(verify_faults_disarm());
		fixture_outcome(&result, VERIFY_UNDECIDED, "out of memory");
	}
	json_get_alloc_funcs(&kept_malloc, &kept_free);
	json_set_alloc_funcs(json_memory, free);
	short_of_memory = true;
	verify_bundle(fixture.policy, json, strlen(json), &result);
	short_of_memory = false;
	json_set_alloc_funcs(kept_malloc, kept_free);
	fixture_outcome(&result, VERIFY_UNDECIDED, "out of memory");
	verify_bundle(fixture.policy, json, strlen(json), &result);
	assert_int_equal(result.outcome, VERIFY_VERIFIED);
	free(json);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_bundle),
	        cmocka_unit_test(test_bundle_members),
	        cmocka_unit_test(test_members_malformed),
	        cmocka_unit_test(test_fields_malformed),
	        cmocka_unit_test(test_value_not_canonical),
	        cmocka_unit_test(test_not_proven),
	        cmocka_unit_test(test_no_json),
	        cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("bundles", tests, setup, teardown);
}
