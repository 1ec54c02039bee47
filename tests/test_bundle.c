/* Tests of what writes bundles, proofs and histories, and renders fields: refusals, cuts, and lack of memory. */
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

#include "ledger/errors.h"
#include "tests/verify_faults.h"
#include "tests/verify_fixture.h"

#define SIZE FIXTURE_ENTRIES

static struct fixture fixture;

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

static void test_field_text(void **state)
{
	static const struct {
		unsigned kind;
		const char *value;
		size_t len, cap;
		const char *text;
	} cases[] = {
	        {FIELD_SUBJECT,
	         "\x92\xa4user\xa3"
	         "bob",
	         10, 100, "user bob"},
	        {FIELD_ACTION, "\xa4read", 5, 100, "read"},
	        {FIELD_CONTEXT,
	         "\x92\x92\xa1"
	         "a\x05\x92\xa1"
	         "b\xa1"
	         "c",
	         10, 100, "a=5, b=c"},
	        {FIELD_LOCATION,
	         "\x92\xc0\xa2"
	         "DE",
	         5, 100, "-, DE"},
	        {FIELD_SIGNALS, "\x91\x93\x01\xe0\xc3", 5, 100, "[1, -32, true]"},
	        {FIELD_BLIND, "\xc4\x02\xab\x01", 4, 100, "ab01"},
	        {FIELD_TEXT, "\xa9\x1b[2J\xe2\x80\xae\xc2\x9b", 10, 100, "\\u{1b}[2J\\u{202e}\\u{9b}"},
	        {FIELD_TEXT,
	         "\xa8"
	         "abcdefgh",
	         9, 8, "abcd\xE2\x80\xA6"},
	        {FIELD_TEXT, "\xa6\xc3\xa9\xc3\xa9\xc3\xa9", 7, 9, "\xc3\xa9\xc3\xa9\xE2\x80\xA6"},
	        {FIELD_CONTEXT, "\x90", 1, 100, ""},
	};
	char buf[100];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(bundle_field_text(cases[i].kind, cases[i].value, cases[i].len, buf, cases[i].cap), 0);
		assert_string_equal(buf, cases[i].text);
	}
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\xc1", 1, buf, sizeof buf), CS_ERR_MALFORMED);
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\x92\x01", 2, buf, sizeof buf), CS_ERR_MALFORMED);
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\x01", 1, buf, 7), CS_ERR_INVALID);
}

/* Values in every form that is none, in each of the places where a text is made of them. */
static void test_field_text_malformed(void **state)
{
	static const struct {
		const char *value;
		size_t len;
	} rows[] = {
	        {"", 0},
	        {"\xc1", 1},
	        {"\xa1\xff", 2},
	        {"\xa2x", 2},
	        {"\xc4\x02x", 3},
	        {"\xcd\x00\x01", 3},
	        {"\xd0\x01", 2},
	        {"\x92\x01", 2},
	        {"\x01\x01", 2},
	        {"\x91\x92\x01", 3},
	        {"\x92\x92\x01", 3},
	        {"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", 10}, /* Deeper than may be. */
	};
	static uint8_t many[3 + LIMIT_MSGPACK_NODES_MAX + 2];
	static const unsigned kinds[] = {FIELD_SUBJECT, FIELD_ACTOR, FIELD_RESOURCE, FIELD_CONTEXT, FIELD_TEXT};
	char buf[64];

	(void)state;
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			strcpy(buf, "before");
			assert_int_equal(bundle_field_text(kinds[k], rows[i].value, rows[i].len, buf, sizeof buf),
			                 CS_ERR_MALFORMED);
			assert_string_equal(buf, "");
		}
	/* One value more than may be, of each kind that is one byte, and the most. */
	for (unsigned more = 0; more < 2; more++)
		for (unsigned i = 0; i < 5; i++) {
			static const uint8_t last[] = {0xc3, 0x05, 0xff, 0xa0, 0xc0};
			size_t n = LIMIT_MSGPACK_NODES_MAX - 1 + more;

			memcpy(many, (const uint8_t[]){0xdc, (uint8_t)(n >> 8), (uint8_t)n}, 3);
			memset(many + 3, 0xc0, n);
			many[2 + n] = last[i];
			assert_int_equal(bundle_field_text(FIELD_TEXT, many, 3 + n, buf, sizeof buf),
			                 more ? CS_ERR_MALFORMED : 0);
		}
	memcpy(many + 3 + LIMIT_MSGPACK_NODES_MAX - 1, "\xc4\x00", 2);
	assert_int_equal(bundle_field_text(FIELD_TEXT, many, 3 + LIMIT_MSGPACK_NODES_MAX + 1, buf, sizeof buf),
	                 CS_ERR_MALFORMED);
	/* An array of more elements than values may be. */
	memcpy(many, "\xdc\x10\x01", 3);
	assert_int_equal(bundle_field_text(FIELD_TEXT, many, sizeof many, buf, sizeof buf), CS_ERR_MALFORMED);
}

/* Signs that steer a terminal, or turn a text around, are escaped; those beside them are not. */
static void test_field_text_steers(void **state)
{
	static const struct {
		const char *said, *shown;
	} rows[] = {
	        {"\x1f ", "\\u{1f} "},
	        {"~\x7f", "~\\u{7f}"},
	        {"\xc2\x80\xc2\x9f\xc2\xa0", "\\u{80}\\u{9f}\xc2\xa0"},
	        {"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", "\xe2\x80\x8d\\u{200e}\\u{200f}\xe2\x80\x90"},
	        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf", "\xe2\x80\xa7\\u{2028}\\u{202e}\xe2\x80\xaf"},
	        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", "\xe2\x81\xa5\\u{2066}\\u{2069}\xe2\x81\xaa"},
	        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	};
	uint8_t value[64], hash[2 + 40];
	char buf[100];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		value[0] = (uint8_t)(0xa0 + strlen(rows[i].said));
		memcpy(value + 1, rows[i].said, strlen(rows[i].said));
		assert_int_equal(bundle_field_text(FIELD_TEXT, value, 1 + strlen(rows[i].said), buf, sizeof buf), 0);
		assert_string_equal(buf, rows[i].shown);
	}
	memset(hash, 0xab, sizeof hash);
	memcpy(hash, "\xc4\x28", 2);
	assert_int_equal(bundle_field_text(FIELD_BLIND, hash, sizeof hash, buf, sizeof buf), 0);
	assert_string_equal(buf + 64, "\xE2\x80\xA6 (40 bytes)");
	assert_int_equal(bundle_field_text(FIELD_TEXT, "\xc2", 1, buf, sizeof buf), 0);
	assert_string_equal(buf, "false");
}

static void test_bundle_refusals(void **state)
{
	const struct fixture_entry *e = &fixture.entry[5];
	struct field fields[LIMIT_FIELD_COUNT_MAX], swap;
	char *json = NULL, text[32];
	size_t len;
	unsigned n;

	(void)state;
	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	swap = fields[0];
	fields[0] = fields[1];
	fields[1] = swap;
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, n, "", 0, &json, &len), CS_ERR_INVALID);
	fields[0].salt[0] ^= 1; /* Opens nothing. */
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, 1, "", 0, &json, &len), CS_ERR_INVALID);
	assert_int_equal(bundle_write(e->leaf, e->leaf_len - 1, fields, 0, "", 0, &json, &len), CS_ERR_MALFORMED);
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, fields, 0, "\xff", 1, &json, &len), CS_ERR_MALFORMED);
	assert_int_equal(bundle_proof_text(1, &e->hash, 1, "", 0, text, sizeof text, &len), CS_ERR_TOO_LARGE);
	assert_null(json);
}

/* What would be no bundle, or one that nobody can read. */
static void test_bounds(void **state)
{
	static struct entry_builder b;
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static const struct hash zero;
	static const uint8_t seed[SEED_SIZE];
	struct hash hashes[LIMIT_PROOF_HASHES_MAX + 1] = {0};
	const struct fixture_entry *e = &fixture.entry[5];
	struct field field = {.kind = 250, .value = (const uint8_t *)"\x05", .value_len = 1};
	char *json = NULL, *large = malloc(FORMAT_BUNDLE_SIZE_MAX), text[4096];
	size_t len, leaf_len, body_len;

	(void)state;
	assert_non_null(large);
	/* A kind that has no name; an index that no JSON integer of ours can be. */
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, &field, 1, "", 0, &json, &len), CS_ERR_INVALID);
	for (uint64_t more = 0; more < 2; more++) {
		entry_builder_init(&b, (uint64_t)INT64_MAX + more, ENTRY_TICK, 1, &zero, seed);
		writer_array(&b.public_, 0);
		assert_int_equal(entry_builder_finish(&b, leaf, &leaf_len, body, &body_len), 0);
		assert_int_equal(bundle_write(leaf, leaf_len, NULL, 0, "", 0, &json, &len),
		                 more ? CS_ERR_TOO_LARGE : 0);
		if (!more)
			free(json);
		assert_int_equal(bundle_history_entry(leaf, leaf_len, NULL, 0, NULL, 0, &json),
		                 more ? CS_ERR_TOO_LARGE : 0);
		if (!more)
			free(json);
		assert_int_equal(bundle_history_head("subject", (uint64_t)INT64_MAX + more, "", 0, &json),
		                 more ? CS_ERR_TOO_LARGE : 0);
		if (!more)
			free(json);
	}
	assert_int_equal(bundle_history_head("subject", 1, "\xff", 1, &json), CS_ERR_MALFORMED);
	assert_int_equal(bundle_history_entry("x", 1, NULL, 0, NULL, 0, &json), CS_ERR_MALFORMED);
	memset(large, 'x', FORMAT_BUNDLE_SIZE_MAX);
	json = NULL;
	assert_int_equal(bundle_write(e->leaf, e->leaf_len, NULL, 0, large, FORMAT_BUNDLE_SIZE_MAX, &json, &len),
	                 CS_ERR_TOO_LARGE);
	assert_null(json);
	free(large);
	/* A proof's text cut at every length is refused, and never written past its room. */
	assert_int_equal(bundle_proof_text(1, hashes, LIMIT_PROOF_HASHES_MAX + 1, "", 0, text, sizeof text, &len),
	                 CS_ERR_INVALID);
	assert_int_equal(bundle_proof_text(1, hashes, 2, "note\n", 5, text, 0, &len), CS_ERR_INVALID);
	assert_int_equal(bundle_proof_text(1, hashes, 2, "note\n", 5, text, sizeof text, &len), 0);
	for (size_t cap = 1; cap <= len + 1; cap++) {
		text[cap] = '!';
		assert_int_equal(bundle_proof_text(1, hashes, 2, "note\n", 5, text, cap, &leaf_len),
		                 cap > len ? 0 : CS_ERR_TOO_LARGE);
		assert_int_equal(text[cap], '!');
	}
	assert_int_equal(leaf_len, len);
}

/* What opens its commitment, but is no canonical value, is not given out: it would be refused everywhere. */
static void test_not_canonical(void **state)
{
	struct field field = {.kind = FIELD_TEXT, .value = (const uint8_t *)"\xcc\x05", .value_len = 2};
	const struct fixture_entry *e = &fixture.entry[5];
	struct hash commitment, hash = {0};
	uint8_t leaf[1024];
	char *json = NULL;
	size_t len;

	(void)state;
	field_commit(&commitment, FIELD_TEXT, field.salt, field.value, field.value_len);
	memcpy(leaf, e->leaf, e->leaf_len);
	memcpy(leaf + e->leaf_len - HASH_SIZE, commitment.b, HASH_SIZE); /* The text's is the last. */
	assert_int_equal(bundle_write(leaf, e->leaf_len, &field, 1, "", 0, &json, &len), CS_ERR_MALFORMED);
	assert_int_equal(bundle_history_entry(leaf, e->leaf_len, &field, 1, &hash, 1, &json), CS_ERR_MALFORMED);
	assert_null(json);
}

/* --- the n-th allocation of jansson's, or of ours, fails --- */

static unsigned long left;

static void *json_memory(size_t size)
{
	return left > 0 && --left == 0 ? NULL : malloc(size);
}

/* Of an entry with more fields than an array of jansson's begins with. */
static int write_bundle(char **ret)
{
	static struct entry_builder b;
	static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
	static const uint8_t seed[SEED_SIZE];
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	size_t len, leaf_len, body_len;
	unsigned n;

	entry_builder_init(&b, 7, ENTRY_DECISION, 1, &fixture.entry[6].hash, seed);
	writer_array(&b.public_, 0);
	for (unsigned kind = FIELD_SUBJECT; kind <= FIELD_SOURCE; kind++)
		entry_builder_field(&b, kind, "\xa1x", 2);
	assert_int_equal(entry_builder_finish(&b, leaf, &leaf_len, body, &body_len), 0);
	assert_int_equal(body_decode(fields, &n, body, body_len), 0);
	return bundle_write(leaf, leaf_len, fields, n, "proof", 5, ret, &len);
}

static int write_entry(char **ret)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct fixture_entry *e = &fixture.entry[5];
	const struct hash hashes[3] = {e->hash, e->hash, e->hash};
	unsigned n;

	assert_int_equal(body_decode(fields, &n, e->body, e->body_len), 0);
	return bundle_history_entry(e->leaf, e->leaf_len, fields, n, hashes, 3, ret);
}

static int write_head(char **ret)
{
	return bundle_history_head("subject", 3, "note\n", 5, ret);
}

static void test_memory(void **state)
{
	static int (*const writers[])(char **ret) = {write_bundle, write_entry, write_head};
	json_malloc_t kept_malloc;
	json_free_t kept_free;

	(void)state;
	json_get_alloc_funcs(&kept_malloc, &kept_free);
	json_set_alloc_funcs(json_memory, free);
	for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
		char *good = NULL, *json = NULL;
		unsigned failed = 0;

		assert_int_equal(writers[i](&good), 0);
		for (unsigned n = 1;; n++) {
			left = n;
			int err = writers[i](&json);
			bool reached = left == 0;
			left = 0;
			if (err == 0) {
				assert_string_equal(json, good);
				free(json);
			}
			if (!reached)
				break;
			if (err != 0) { /* A few are of no account: a buffer that need not have grown. */
				assert_int_equal(err, CS_ERR_NOMEM);
				failed++;
			}
		}
		assert_true(failed > 5);
		for (unsigned n = 1; writers[i] != write_head; n++) { /* What base64 is made in. */
			verify_faults_arm("malloc", n, ENOMEM);
			int err = writers[i](&json);
			if (!verify_faults_disarm()) {
				assert_int_equal(err, 0);
				free(json);
				break;
			}
			if (err == 0)
				free(json);
			else
				assert_int_equal(err, CS_ERR_NOMEM);
		}
		free(good);
	}
	json_set_alloc_funcs(kept_malloc, kept_free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_field_text),
	        cmocka_unit_test(test_field_text_malformed),
	        cmocka_unit_test(test_field_text_steers),
	        cmocka_unit_test(test_bundle_refusals),
	        cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_not_canonical),
	        cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("what is written", tests, setup, teardown);
}
