/* Entries: golden bytes, commitments, refusals, disclosure of some fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/entry.h"
#include "ledger/errors.h"

static struct entry_builder builder; /* Large. */
static uint8_t leaf[LIMIT_ENTRY_SIZE_MAX], body[LIMIT_BODY_SIZE_MAX];
static size_t leaf_len, body_len;
static const uint8_t seed[SEED_SIZE] = {7};

static const uint8_t subject[] = {0x92, 0xa4, 'u', 's', 'e', 'r', 0xa3, 'a', 'd', 'a'};
static const uint8_t action[] = {0xa4, 'r', 'e', 'a', 'd'};

/* A decision with a subject and an action, at index 300. */
static int build(void)
{
	struct hash prev;

	memset(prev.b, 0xaa, HASH_SIZE);
	entry_builder_init(&builder, 300, ENTRY_DECISION, 1700000000000, &prev, seed);
	writer_array(&builder.public_, 2);
	writer_uint(&builder.public_, 1);
	writer_nil(&builder.public_);
	entry_builder_field(&builder, FIELD_SUBJECT, subject, sizeof(subject));
	entry_builder_field(&builder, FIELD_ACTION, action, sizeof(action));
	return entry_builder_finish(&builder, leaf, &leaf_len, body, &body_len);
}

/* FORMAT.md by hand: salts from libsodium's ChaCha20, commitments by its SHA-256, bytes written out. */
static void test_golden(void **state)
{
	static const uint8_t kinds[2] = {2, 4};
	uint8_t expected[300], nonce[12] = {0, 0, 0, 0, 0, 0, 1, 44}, stream[128], salts[2][16];
	struct hash commitments[2];
	uint8_t *p = expected;

	(void)state;
	assert_int_equal(build(), 0);
	crypto_stream_chacha20_ietf(stream, sizeof(stream), nonce, seed);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t input[21 + 1 + 16 + 16] = "countersign/field/v1";
		const uint8_t *value = i == 0 ? subject : action;
		size_t value_len = i == 0 ? sizeof(subject) : sizeof(action);

		input[21] = kinds[i];
		memcpy(salts[i], stream + 16 * kinds[i], 16);
		memcpy(input + 22, salts[i], 16);
		memcpy(input + 38, value, value_len);
		crypto_hash_sha256(commitments[i].b, input, 38 + value_len);
	}
	memcpy(p, "\x97\x01\xcd\x01\x2c\x02\xcf\x00\x00\x01\x8b\xcf\xe5\x68\x00\xc4\x20", 17);
	memset(p + 17, 0xaa, 32);
	memcpy(p + 49, "\x92\x01\xc0\x92", 4);
	p += 53;
	for (unsigned i = 0; i < 2; i++, p += 36) {
		memcpy(p, (const uint8_t[]){0x92, kinds[i], 0xc4, 0x20}, 4);
		memcpy(p + 4, commitments[i].b, 32);
	}
	assert_int_equal(leaf_len, p - expected);
	assert_memory_equal(leaf, expected, leaf_len);

	p = expected;
	*p++ = 0x92;
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *value = i == 0 ? subject : action;
		size_t value_len = i == 0 ? sizeof(subject) : sizeof(action);

		memcpy(p, (const uint8_t[]){0x93, kinds[i], 0xc4, 16}, 4);
		memcpy(p + 4, salts[i], 16);
		memcpy(p + 20, (const uint8_t[]){0xc4, (uint8_t)value_len}, 2);
		memcpy(p + 22, value, value_len);
		p += 22 + value_len;
	}
	assert_int_equal(body_len, p - expected);
	assert_memory_equal(body, expected, body_len);
}

/* The example of FORMAT.md, whose numbers were made apart from this code. */
static void test_example(void **state)
{
	char hex[2 * HASH_SIZE + 1];
	struct hash h;

	(void)state;
	assert_int_equal(build(), 0);
	hash_leaf(&h, leaf, leaf_len);
	sodium_bin2hex(hex, sizeof(hex), h.b, HASH_SIZE);
	assert_string_equal(hex, "a8a92dafa181773126a1c0e13c46c5a779f206ac0acba371d84291a72fdd10b7");
}

static void test_round_trip(void **state)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n;

	(void)state;
	assert_int_equal(build(), 0);
	assert_int_equal(entry_decode(&e, leaf, leaf_len), 0);
	assert_int_equal(e.index, 300);
	assert_int_equal(e.kind, ENTRY_DECISION);
	assert_int_equal(e.time_ms, 1700000000000);
	assert_memory_equal(e.public_, "\x92\x01\xc0", e.public_len);
	assert_int_equal(e.n_fields, 2);
	assert_int_equal(body_decode(fields, &n, body, body_len), 0);
	assert_int_equal(n, 2);
	assert_int_equal(body_check(&e, fields, n), 0);
	assert_ptr_equal(body_find(fields, n, FIELD_ACTION), &fields[1]);
	assert_null(body_find(fields, n, FIELD_DEVICE));
	assert_memory_equal(fields[0].value, subject, sizeof(subject));
	/* One field alone, as it is disclosed. */
	assert_int_equal(body_check(&e, &fields[1], 1), 0);
	/* Under another kind's commitment, or one that the entry does not have. */
	fields[1].kind = FIELD_SUBJECT;
	assert_int_equal(body_check(&e, &fields[1], 1), CS_ERR_REFUTED);
	fields[1].kind = FIELD_DEVICE;
	assert_int_equal(body_check(&e, &fields[1], 1), CS_ERR_REFUTED);
}

/* Any bit of salt or value changed: malformed, or the commitment is not opened. */
static void test_every_bit_of_body(void **state)
{
	struct entry e;

	(void)state;
	assert_int_equal(build(), 0);
	assert_int_equal(entry_decode(&e, leaf, leaf_len), 0);
	for (size_t bit = 0; bit < body_len * 8; bit++) {
		struct field fields[LIMIT_FIELD_COUNT_MAX];
		unsigned n;

		body[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (body_decode(fields, &n, body, body_len) == 0)
			assert_int_equal(body_check(&e, fields, n), CS_ERR_REFUTED);
		body[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Any bit of a leaf changed: refused, or it decodes to something that is written in exactly these bytes. */
static void test_every_bit_of_leaf(void **state)
{
	static const unsigned cuts[] = {0, 1, 2, 17, 49, 60};
	struct entry e;

	(void)state;
	assert_int_equal(build(), 0);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		assert_int_equal(entry_decode(&e, leaf, cuts[i]), CS_ERR_MALFORMED);
	assert_int_equal(entry_decode(&e, leaf, leaf_len + 1), CS_ERR_MALFORMED);
	for (size_t bit = 0; bit < leaf_len * 8; bit++) {
		uint8_t again[400];
		struct writer w;

		leaf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (entry_decode(&e, leaf, leaf_len) == 0) {
			writer_init(&w, again, sizeof(again));
			writer_array(&w, 7);
			writer_uint(&w, ENTRY_VERSION);
			writer_uint(&w, e.index);
			writer_uint(&w, e.kind);
			writer_uint(&w, e.time_ms);
			writer_bin(&w, e.prev.b, HASH_SIZE);
			writer_raw(&w, e.public_, e.public_len);
			writer_array(&w, e.n_fields);
			for (unsigned f = 0; f < e.n_fields; f++) {
				writer_array(&w, 2);
				writer_uint(&w, e.fields[f].kind);
				writer_bin(&w, e.fields[f].commitment.b, HASH_SIZE);
			}
			assert_int_equal(w.len, leaf_len);
			assert_memory_equal(again, leaf, leaf_len);
		}
		leaf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* Fields twice, backwards, or of kind 0. */
static void test_field_order(void **state)
{
	static const uint8_t pairs[][3] = {{2, 2, 0}, {4, 2, 0}, {0, 4, 0}, {2, 4, 1}};
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n;

	(void)state;
	assert_int_equal(build(), 0);
	assert_int_equal(leaf[54], 2); /* Kinds of the two commitments, and of the two fields of the body. */
	assert_int_equal(leaf[90], 4);
	assert_int_equal(body[2], 2);
	assert_int_equal(body[34], 4);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int expected = pairs[i][2] ? 0 : CS_ERR_MALFORMED;

		leaf[54] = body[2] = pairs[i][0];
		leaf[90] = body[34] = pairs[i][1];
		assert_int_equal(entry_decode(&e, leaf, leaf_len), expected);
		assert_int_equal(body_decode(fields, &n, body, body_len), expected);
	}
}

static void start(unsigned kind)
{
	struct hash prev = {{0}};

	entry_builder_init(&builder, 0, kind, 0, &prev, seed);
	writer_array(&builder.public_, 0);
}

static int finish(void)
{
	leaf_len = body_len = 77;
	return entry_builder_finish(&builder, leaf, &leaf_len, body, &body_len);
}

static void test_builder_refuses(void **state)
{
	static const uint8_t two_values[] = {0xc0, 0xc0}, long_form[] = {0xcc, 0x01};
	static uint8_t big[LIMIT_BODY_SIZE_MAX - 10];

	(void)state;
	start(ENTRY_TICK);
	assert_int_equal(finish(), 0);
	assert_memory_equal(body, "\x90", body_len);

	start(0);
	assert_int_equal(finish(), CS_ERR_INVALID);
	start(ENTRY_KIND_MAX + 1);
	assert_int_equal(finish(), CS_ERR_INVALID);
	assert_int_equal(leaf_len, 77);
	start(ENTRY_TICK);
	entry_builder_field(&builder, FIELD_ACTION, action, sizeof(action));
	entry_builder_field(&builder, FIELD_ACTION, action, sizeof(action));
	assert_int_equal(finish(), CS_ERR_INVALID);
	start(ENTRY_TICK);
	entry_builder_field(&builder, FIELD_KIND_MAX + 1, action, sizeof(action));
	entry_builder_field(&builder, FIELD_ACTION, action, sizeof(action)); /* Of no account any more. */
	assert_int_equal(finish(), CS_ERR_INVALID);
	start(ENTRY_TICK);
	entry_builder_field(&builder, FIELD_ACTION, two_values, sizeof(two_values));
	assert_int_equal(finish(), CS_ERR_MALFORMED);
	start(ENTRY_TICK);
	entry_builder_field(&builder, FIELD_ACTION, long_form, sizeof(long_form));
	assert_int_equal(finish(), CS_ERR_MALFORMED);
	start(ENTRY_TICK);
	writer_array(&builder.public_, 0); /* Two arrays. */
	assert_int_equal(finish(), CS_ERR_MALFORMED);
	start(ENTRY_TICK);
	builder.public_.len = 0;
	writer_nil(&builder.public_); /* No array. */
	assert_int_equal(finish(), CS_ERR_MALFORMED);
	start(ENTRY_TICK);
	for (unsigned kind = 1; kind <= FIELD_SALTED_MAX + 1; kind++)
		entry_builder_field(&builder, kind, action, sizeof(action));
	assert_int_equal(finish(), CS_ERR_INVALID); /* A kind that has no salt. */
	start(ENTRY_TICK);
	memcpy(big, "\xc5\xff\xf2", 3);
	assert_int_equal(sizeof(big) - 3, 0xfff2);
	entry_builder_field(&builder, FIELD_TEXT, big, sizeof(big));
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
}

/* Public fields, fields and a body that are each too much for the room that there is. */
static void test_builder_room(void **state)
{
	static const uint8_t deep[] = {0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0xc0};
	static uint8_t big[40003] = {0xc5, 40000 >> 8, 40000 & 0xff};
	size_t len;

	(void)state;
	start(ENTRY_TICK);
	builder.public_.len = 0;
	writer_raw(&builder.public_, deep, sizeof(deep)); /* Deeper than a leaf may be. */
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
	start(ENTRY_TICK);
	writer_bin(&builder.public_, big, sizeof(big));
	writer_bin(&builder.public_, big, sizeof(big));
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
	start(ENTRY_TICK);
	entry_builder_field(&builder, FIELD_SUBJECT, big, sizeof(big));
	entry_builder_field(&builder, FIELD_ACTION, big, sizeof(big));
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
	start(ENTRY_TICK);
	entry_builder_field(&builder, FIELD_ACTION, action, sizeof(action));
	builder.body.len = LIMIT_BODY_SIZE_MAX; /* Full: its head has no room. */
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
	/* The largest leaf that there is room for, and one byte more. */
	start(ENTRY_TICK);
	assert_int_equal(finish(), 0);
	len = LIMIT_ENTRY_SIZE_MAX - leaf_len - 3;
	for (unsigned more = 0; more < 2; more++) {
		start(ENTRY_TICK);
		builder.public_.len = 0;
		writer_array(&builder.public_, 1);
		writer_raw(&builder.public_,
		           (const uint8_t[]){0xc5, (uint8_t)((len + more) >> 8), (uint8_t)(len + more)}, 3);
		memset(builder.public_.base + builder.public_.len, 0, len + more);
		builder.public_.len += len + more;
		assert_int_equal(finish(), more ? CS_ERR_TOO_LARGE : 0);
	}
	assert_int_equal(leaf_len, 77);
}

/* Every form that a writer has, and what it can leave undone. */
static void test_written(void **state)
{
	static const size_t lengths[] = {0, 1, 31, 32, 255, 256, 4000};
	static uint8_t bytes[20000];
	static const char zeros[4000] = "";
	static char letters[4000];
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields = 0;
	struct writer w;

	(void)state;
	memset(letters, 'x', sizeof(letters));
	writer_init(&w, bytes, sizeof(bytes));
	writer_array(&w, 2 * 7 + 20);
	for (size_t i = 0; i < 7; i++) {
		writer_str(&w, letters, lengths[i]);
		writer_bin(&w, zeros, lengths[i]);
	}
	for (unsigned shift = 0; shift < 8; shift++) {
		writer_uint(&w, UINT64_C(0x7f) << (8 * shift));
		writer_int(&w, -(INT64_C(0x55) << (7 * shift)));
	}
	writer_nil(&w);
	writer_bool(&w, true);
	writer_array(&w, 0);
	writer_array(&w, 300);
	for (unsigned i = 0; i < 300; i++)
		writer_int(&w, (int64_t)i - 150);
	start(ENTRY_TICK);
	entry_builder_written(&builder, FIELD_ACTION, &w);
	assert_int_equal(finish(), 0);
	assert_int_equal(body_decode(fields, &n_fields, body, body_len), 0); /* A reader takes it, too. */
	assert_int_equal(n_fields, 1);
	/* One value fewer than was said, and one more than one. */
	for (int more = -1; more <= 1; more += 2) {
		writer_init(&w, bytes, sizeof(bytes));
		writer_array(&w, 2);
		for (int i = 0; i < 2 + more; i++)
			writer_uint(&w, 300);
		start(ENTRY_TICK);
		entry_builder_written(&builder, FIELD_ACTION, &w);
		assert_int_equal(finish(), CS_ERR_MALFORMED);
	}
	/* Nothing, too deep, and what failed while it was written. */
	writer_init(&w, bytes, sizeof(bytes));
	start(ENTRY_TICK);
	entry_builder_written(&builder, FIELD_ACTION, &w);
	assert_int_equal(finish(), CS_ERR_MALFORMED);
	for (unsigned i = 0; i <= LIMIT_MSGPACK_DEPTH_MAX; i++)
		writer_array(&w, 1);
	writer_nil(&w);
	start(ENTRY_TICK);
	entry_builder_written(&builder, FIELD_ACTION, &w);
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
	writer_init(&w, bytes, 2);
	writer_uint(&w, 1000);
	start(ENTRY_TICK);
	entry_builder_written(&builder, FIELD_ACTION, &w);
	assert_int_equal(finish(), CS_ERR_TOO_LARGE);
}

static void test_texts(void **state)
{
	(void)state;
	assert_string_equal(entry_kind_text(ENTRY_DECISION), "decision");
	assert_string_equal(entry_kind_text(0), "unknown");
	assert_string_equal(field_kind_text(FIELD_SUBJECT_CHAIN), "subject chain");
	assert_string_equal(field_kind_text(255), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_golden),
	        cmocka_unit_test(test_example),
	        cmocka_unit_test(test_round_trip),
	        cmocka_unit_test(test_every_bit_of_body),
	        cmocka_unit_test(test_every_bit_of_leaf),
	        cmocka_unit_test(test_builder_refuses),
	        cmocka_unit_test(test_builder_room),
	        cmocka_unit_test(test_written),
	        cmocka_unit_test(test_texts),
	        cmocka_unit_test(test_field_order),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
