/* Flips every bit of a bundle, its entry, its fields, its proof and its checkpoint: none may verify. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/verify_fixture.h"

#define INDEX     5
#define SIZE      FIXTURE_ENTRIES
#define DISCLOSED (1u << FIELD_SUBJECT | 1u << FIELD_ADDRESS | 1u << FIELD_TEXT)

static struct fixture fixture;
static char note[LIMIT_NOTE_SIZE_MAX], proof[FORMAT_PROOF_SIZE_MAX];
static size_t note_len, proof_len;
static struct verify_result result;

/* One log signature and exactly the cosignatures that the quorum needs: each line counts. */
static int setup(void **state)
{
	(void)state;
	fixture_init(&fixture);
	note_len = fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 5}, note);
	proof_len = fixture_proof(&fixture, INDEX, SIZE, note, proof);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

static enum verify_outcome bundle_outcome(const char *json, size_t len)
{
	verify_bundle(fixture.policy, json, len, &result);
	return result.outcome;
}

/* What a bundle says without the renderings for people, or NULL if it is no JSON. */
static json_t *without_texts(const char *json, size_t len)
{
	json_t *doc = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL), *field;
	size_t i;

	json_array_foreach(json_object_get(doc, "fields"), i, field) json_object_del(field, "text");
	return doc;
}

/* True if the position lies inside the string that is the value of a "text" member. */
static bool inside_text(const char *json, size_t at)
{
	static const char head[] = "\"text\":\"";

	for (const char *s = strstr(json, head); s; s = strstr(s + 1, head)) {
		const char *start = s + strlen(head), *end = strchr(start, '"');

		if (json + at >= start && json + at < end)
			return true;
	}
	return false;
}

/*
 * A flipped bundle verifies exactly if it says the same without its texts, which no verifier looks at; and that
 * happens nowhere but inside a text.
 */
static void test_bundle_json(void **state)
{
	size_t len, harmless = 0, refuted = 0, undecided = 0, in_texts = 0;
	char *json = fixture_bundle(&fixture, INDEX, DISCLOSED, proof, &len);
	json_t *original = without_texts(json, len);
	char *flipped = malloc(len + 1);

	(void)state;
	assert_non_null(flipped);
	assert_non_null(original);
	assert_int_equal(bundle_outcome(json, len), VERIFY_VERIFIED);
	memcpy(flipped, json, len + 1);
	for (size_t bit = 0; bit < len * 8; bit++) {
		flipped[bit / 8] = (char)(flipped[bit / 8] ^ 1 << bit % 8);
		json_t *doc = without_texts(flipped, len);
		bool same = doc && json_equal(doc, original);
		enum verify_outcome outcome = bundle_outcome(flipped, len);

		if ((outcome == VERIFY_VERIFIED) != same)
			fail_msg("bit %zu of byte %zu ('%c'): %s", bit % 8, bit / 8, json[bit / 8], result.reason);
		if (same && !inside_text(json, bit / 8))
			fail_msg("bit %zu of byte %zu ('%c') is harmless", bit % 8, bit / 8, json[bit / 8]);
		in_texts += inside_text(json, bit / 8);
		harmless += same;
		refuted += outcome == VERIFY_REFUTED;
		undecided += outcome == VERIFY_UNDECIDED;
		json_decref(doc);
		flipped[bit / 8] = json[bit / 8];
	}
	print_message("bundle: %zu bits: %zu refuted, %zu could not tell, %zu harmless (of %zu in texts)\n", len * 8,
	              refuted, undecided, harmless, in_texts);
	assert_true(harmless > 0 && harmless < in_texts);
	json_decref(original);
	free(flipped);
	free(json);
}

/* Puts bytes in base64 in the place of a string of the bundle, and verifies that. */
static enum verify_outcome outcome_with(json_t *object, const char *name, const uint8_t *bytes, size_t len, json_t *doc)
{
	char base64[4096];

	assert_int_equal(base64_encode(bytes, len, base64, sizeof base64), 0);
	assert_int_equal(json_object_set_new(object, name, json_string(base64)), 0);
	char *json = json_dumps(doc, JSON_INDENT(2));
	assert_non_null(json);
	enum verify_outcome outcome = bundle_outcome(json, strlen(json));
	free(json);
	return outcome;
}

/* The bytes themselves, each bit of them put back into a well-formed bundle: all must be refuted. */
static void flip_member(json_t *object, const char *name, json_t *doc)
{
	uint8_t bytes[2048];
	const char *text = json_string_value(json_object_get(object, name));
	size_t len;

	assert_int_equal(base64_decode(text, strlen(text), bytes, sizeof bytes, &len), 0);
	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (outcome_with(object, name, bytes, len, doc) != VERIFY_REFUTED)
			fail_msg("%s: bit %zu of byte %zu: %s", name, bit % 8, bit / 8, result.reason);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(outcome_with(object, name, bytes, len, doc), VERIFY_VERIFIED);
}

static void test_entry_and_fields(void **state)
{
	size_t len, i;
	char *json = fixture_bundle(&fixture, INDEX, DISCLOSED, proof, &len);
	json_t *doc = json_loadb(json, len, 0, NULL), *field;

	(void)state;
	flip_member(doc, "entry", doc);
	assert_int_equal(json_array_size(json_object_get(doc, "fields")), 3);
	json_array_foreach(json_object_get(doc, "fields"), i, field)
	{
		flip_member(field, "salt", doc);
		flip_member(field, "value", doc);
	}
	json_decref(doc);
	free(json);
}

/*
 * In a signature line, name and key id say whose it is: flipped, it is an unknown key's, and then a signature is
 * missing and not false. The key id takes the first 32 bits of base64: five characters and 2 bits of a sixth.
 */
static bool names_a_key(const char *text, size_t at)
{
	size_t line = at;

	while (line > 0 && text[line - 1] != '\n')
		line--;
	if (strncmp(text + line, "\xE2\x80\x94 ", 4) != 0 || at < line + 4)
		return false;
	return text + at < strchr(text + line + 4, ' ') + 1 + 6;
}

static void flip_text(const char *text, size_t len, const char *what,
                      enum verify_outcome (*outcome_of)(const char *text, size_t len))
{
	char flipped[FORMAT_PROOF_SIZE_MAX];
	size_t undecided = 0;

	assert_int_equal(outcome_of(text, len), VERIFY_VERIFIED);
	memcpy(flipped, text, len + 1);
	for (size_t bit = 0; bit < len * 8; bit++) {
		flipped[bit / 8] = (char)(flipped[bit / 8] ^ 1 << bit % 8);
		enum verify_outcome outcome = outcome_of(flipped, len);

		if (outcome == VERIFY_VERIFIED || (outcome == VERIFY_UNDECIDED && !names_a_key(text, bit / 8)))
			fail_msg("%s: bit %zu of byte %zu: %d %s", what, bit % 8, bit / 8, outcome, result.reason);
		undecided += outcome == VERIFY_UNDECIDED;
		flipped[bit / 8] = text[bit / 8];
	}
	print_message("%s: %zu bits: %zu refuted, %zu could not tell (name or id of a key)\n", what, len * 8,
	              len * 8 - undecided, undecided);
}

static enum verify_outcome proof_outcome(const char *text, size_t len)
{
	const struct fixture_entry *e = &fixture.entry[INDEX];

	verify_tlog_proof(fixture.policy, text, len, e->leaf, e->leaf_len, VERIFY_ENTRY_COUNTERSIGN, &result);
	return result.outcome;
}

static enum verify_outcome checkpoint_outcome(const char *text, size_t len)
{
	verify_checkpoint(fixture.policy, text, len, &result);
	return result.outcome;
}

static void test_proof(void **state)
{
	(void)state;
	flip_text(proof, proof_len, "proof", proof_outcome);
}

static void test_checkpoint(void **state)
{
	(void)state;
	flip_text(note, note_len, "checkpoint", checkpoint_outcome);
}

/* A line of a key that nobody knows, and one cosignature more than the quorum needs: only there a flip is harmless. */
static void test_harmless_lines(void **state)
{
	const struct fixture_signers by = {.logs = 1, .cosigners = 7, .stranger = true};
	char more[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&fixture, SIZE, by, more), harmless = 0;

	(void)state;
	/* The lines: log 0, the stranger, three cosigners. */
	const char *stranger = strstr(strstr(more, "\n\n") + 2, "\n") + 1, *stranger_end = strchr(stranger, '\n');
	assert_int_equal(checkpoint_outcome(more, len), VERIFY_VERIFIED);
	for (size_t bit = 0; bit < len * 8; bit++) {
		const char *at = more + bit / 8;
		char before = *at;
		/* Of a surplus cosignature only what names its key may change: then it is ignored, else it is bad. */
		bool may =
		        (at >= stranger + 4 && at < stranger_end) || (at > stranger_end && names_a_key(more, bit / 8));

		more[bit / 8] = (char)(before ^ 1 << bit % 8);
		enum verify_outcome outcome = checkpoint_outcome(more, len);
		if (outcome == VERIFY_VERIFIED && !may)
			fail_msg("bit %zu of byte %zu: verified", bit % 8, bit / 8);
		harmless += outcome == VERIFY_VERIFIED;
		more[bit / 8] = before;
	}
	assert_true(harmless > 0);
}

/* Not bits but whole parts: cut, added, of another size, without a quorum. */
static void test_parts(void **state)
{
	char other_note[LIMIT_NOTE_SIZE_MAX], text[FORMAT_PROOF_SIZE_MAX];
	size_t len;

	(void)state;
	for (size_t cut = 0; cut < proof_len; cut++)
		assert_int_not_equal(proof_outcome(proof, cut), VERIFY_VERIFIED);
	for (size_t cut = 0; cut < note_len; cut++)
		assert_int_not_equal(checkpoint_outcome(note, cut), VERIFY_VERIFIED);

	/* One hash less, one hash twice. */
	char *first = strchr(strstr(proof, "index "), '\n') + 1, *second = strchr(first, '\n') + 1;
	size_t head = (size_t)(first - proof), line = (size_t)(second - first);
	memcpy(text, proof, head);
	memcpy(text + head, second, proof_len - head - line);
	assert_int_equal(proof_outcome(text, proof_len - line), VERIFY_REFUTED);
	assert_true(result.has_bad_index);
	assert_int_equal(result.bad_index, INDEX);
	assert_string_equal(result.expected, "4");
	assert_string_equal(result.found, "3");
	memcpy(text, proof, head + line);
	memcpy(text + head + line, first, proof_len - head);
	assert_int_equal(proof_outcome(text, proof_len + line), VERIFY_REFUTED);

	/* The checkpoint of another size, well signed: its root is not what the hashes lead to. */
	for (uint64_t size = 1; size < SIZE; size++) {
		fixture_checkpoint(&fixture, size, (struct fixture_signers){.logs = 2, .cosigners = 7}, other_note);
		memcpy(text, proof, (size_t)(strstr(proof, "\n\n") - proof) + 2);
		strcpy(strstr(text, "\n\n") + 2, other_note);
		assert_int_equal(proof_outcome(text, strlen(text)), VERIFY_REFUTED);
	}

	/* One cosignature is no quorum of three. */
	fixture_checkpoint(&fixture, SIZE, (struct fixture_signers){.logs = 1, .cosigners = 2, .witness = true},
	                   other_note);
	len = fixture_proof(&fixture, INDEX, SIZE, other_note, text);
	assert_int_equal(proof_outcome(text, len), VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "the leader's claim only"));
	char *json = fixture_bundle(&fixture, INDEX, DISCLOSED, text, &len);
	assert_int_equal(bundle_outcome(json, len), VERIFY_UNDECIDED);
	assert_non_null(strstr(result.reason, "the leader's claim only"));
	free(json);
}

/* The proof of one entry says nothing of another. */
static void test_other_entry(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++) {
		const struct fixture_entry *e = &fixture.entry[i];

		verify_tlog_proof(fixture.policy, proof, proof_len, e->leaf, e->leaf_len, VERIFY_ENTRY_COUNTERSIGN,
		                  &result);
		assert_int_equal(result.outcome, i == INDEX ? VERIFY_VERIFIED : VERIFY_REFUTED);
		verify_tlog_proof(fixture.policy, proof, proof_len, e->leaf, e->leaf_len, VERIFY_ENTRY_OPAQUE, &result);
		assert_int_equal(result.outcome, i == INDEX ? VERIFY_VERIFIED : VERIFY_REFUTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_bundle_json),    cmocka_unit_test(test_entry_and_fields),
	        cmocka_unit_test(test_proof),          cmocka_unit_test(test_checkpoint),
	        cmocka_unit_test(test_harmless_lines), cmocka_unit_test(test_parts),
	        cmocka_unit_test(test_other_entry),
	};

	return cmocka_run_group_tests_name("flip", tests, setup, teardown);
}
