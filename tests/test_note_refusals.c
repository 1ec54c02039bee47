/* Tests of signed notes of odd forms: other types of keys, names with one id, texts and rooms that are too small. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/note_name.h"

#define TEXT "text\n"

static struct note_key log_key, witness;
static uint8_t log_sk[64], witness_sk[64];

static int setup(void **state)
{
	uint8_t pub[32];

	(void)state;
	if (sodium_init() < 0)
		return -1;
	crypto_sign_seed_keypair(pub, log_sk, (const uint8_t[32]){1});
	assert_int_equal(note_key_init(&log_key, "log.example", NOTE_KEY_ED25519, pub), 0);
	crypto_sign_seed_keypair(pub, witness_sk, (const uint8_t[32]){2});
	return note_key_init(&witness, "witness.example", NOTE_KEY_COSIGNATURE, pub);
}

/* A note of TEXT by both, the witness's lines at these two times. */
static size_t note_make(char buf[1024], uint64_t first_s, uint64_t second_s)
{
	size_t len = strlen(TEXT "\n");

	memcpy(buf, TEXT "\n", len);
	assert_int_equal(note_sign(&log_key, log_sk, TEXT, strlen(TEXT), buf, 1024, &len), 0);
	assert_int_equal(note_cosign(&witness, witness_sk, first_s, TEXT, strlen(TEXT), buf, 1024, &len), 0);
	assert_int_equal(note_cosign(&witness, witness_sk, second_s, TEXT, strlen(TEXT), buf, 1024, &len), 0);
	return len;
}

static void test_lines(void **state)
{
	char buf[1024];
	struct note_key k;
	struct note n;
	uint64_t time_s = 0;

	(void)state;
	assert_int_equal(note_parse(&n, buf, note_make(buf, 1700000009, 1700000001)), 0);
	assert_int_equal(note_verify(&n, &witness, &time_s), 0);
	assert_int_equal(time_s, 1700000009); /* The latest, wherever it stands. */
	assert_int_equal(note_verify(&n, &witness, NULL), 0);
	/* The same id under another name of the same length, and of another one. */
	k = log_key;
	k.name[0] = 'L';
	assert_int_equal(note_verify(&n, &k, NULL), CS_ERR_NOT_FOUND);
	strcpy(k.name, "log.example.org");
	assert_int_equal(note_verify(&n, &k, NULL), CS_ERR_NOT_FOUND);
	/* A key of a type that is not known, and lines that are as long as another type's. */
	k = log_key;
	k.type = 0x07;
	assert_int_equal(note_verify(&n, &k, NULL), CS_ERR_REFUTED);
	n.signatures[0].len = 72;
	assert_int_equal(note_verify(&n, &log_key, NULL), CS_ERR_REFUTED);
	n.signatures[1].len = 64;
	assert_int_equal(note_verify(&n, &witness, NULL), CS_ERR_REFUTED);
	n.signatures[1].len = 72;
	n.signatures[1].bytes[8] ^= 1;
	assert_int_equal(note_verify(&n, &witness, NULL), CS_ERR_REFUTED);
}

/* Of a type that we do not know a signature may be long: only its length is kept. */
static void test_long_signature(void **state)
{
	uint8_t payload[4 + 200] = {1, 2, 3, 4};
	char note[512], base64[400];
	struct note n;

	(void)state;
	assert_int_equal(base64_encode(payload, sizeof payload, base64, sizeof base64), 0);
	snprintf(note, sizeof note, TEXT "\n\xE2\x80\x94 pq.example %s\n", base64);
	assert_int_equal(note_parse(&n, note, strlen(note)), 0);
	assert_int_equal(n.signatures[0].id, 0x01020304);
	assert_int_equal(n.signatures[0].len, 200);
}

static void test_room(void **state)
{
	static char large[LIMIT_NOTE_SIZE_MAX + 1];
	char good[1024], buf[1024];
	size_t len = 0;

	(void)state;
	assert_int_equal(note_sign(&log_key, log_sk, TEXT, strlen(TEXT), good, sizeof good, &len), 0);
	for (size_t cap = 0; cap <= len + 1; cap++) {
		size_t at = 0;

		buf[cap] = '!';
		assert_int_equal(note_sign(&log_key, log_sk, TEXT, strlen(TEXT), buf, cap, &at),
		                 cap > len ? 0 : CS_ERR_TOO_LARGE);
		assert_int_equal(at, cap > len ? len : 0);
		assert_int_equal(buf[cap], '!');
	}
	len = 11; /* Behind the room's end. */
	assert_int_equal(note_sign(&log_key, log_sk, TEXT, strlen(TEXT), buf, 10, &len), CS_ERR_INVALID);
	memset(large, 'x', sizeof large);
	len = 0;
	assert_int_equal(note_cosign(&witness, witness_sk, 1, large, LIMIT_NOTE_SIZE_MAX, buf, sizeof buf, &len), 0);
	assert_int_equal(note_cosign(&witness, witness_sk, 1, large, sizeof large, buf, sizeof buf, &len),
	                 CS_ERR_TOO_LARGE);
}

static void test_vkeys(void **state)
{
	char vkey[320], name[LIMIT_KEY_NAME_SIZE_MAX + 2];
	struct note_key k;

	(void)state;
	assert_int_equal(note_key_format(&log_key, vkey, sizeof vkey), 0);
	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), 0);
	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey) - 1), CS_ERR_MALFORMED);
	vkey[3] = '\0'; /* What stands behind it would not be part of the name. */
	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey) + 1 + strlen(vkey + 4)), CS_ERR_MALFORMED);
	/* 32 bytes for 33, and signs that are no base64. */
	snprintf(vkey, sizeof vkey, "n+00000000+%.43s=", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), CS_ERR_MALFORMED);
	snprintf(vkey, sizeof vkey, "n+00000000+%.43s*", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), CS_ERR_MALFORMED);
	for (unsigned more = 0; more < 2; more++) {
		memset(name, 'n', sizeof name);
		name[LIMIT_KEY_NAME_SIZE_MAX + more] = '\0';
		assert_int_equal(note_key_init(&k, name, NOTE_KEY_ED25519, log_key.pub), more ? CS_ERR_INVALID : 0);
		if (!more)
			assert_int_equal(note_key_format(&k, vkey, sizeof vkey), 0);
		else
			memmove(vkey + 1, vkey, strlen(vkey) + 1); /* One letter more. */
		assert_int_equal(note_key_parse(&k, vkey, strlen(vkey)), more ? CS_ERR_MALFORMED : 0);
	}
	assert_false(note_name_valid("a\xe2\x80\x83"
	                             "b",
	                             5));
	assert_true(note_name_valid("a\xe2\x80\x8d"
	                            "b",
	                            5)); /* A joiner is no space. */
}

/* An origin as long as may be and one letter more, and roots of 31 and of 33 bytes. */
static void test_checkpoints(void **state)
{
#define ROOT "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	struct checkpoint c = {.size = 5}, parsed;
	char text[512];
	size_t len;

	(void)state;
	memset(c.origin, 'o', sizeof c.origin); /* It does not even end. */
	assert_int_equal(checkpoint_format(&c, text, sizeof text, &len), CS_ERR_INVALID);
	c.origin[LIMIT_ORIGIN_SIZE_MAX] = '\0';
	assert_int_equal(checkpoint_format(&c, text, sizeof text, &len), 0);
	assert_int_equal(checkpoint_parse(&parsed, text, len), 0);
	assert_string_equal(parsed.origin, c.origin);
	memmove(text + 1, text, len);
	assert_int_equal(checkpoint_parse(&parsed, text, len + 1), CS_ERR_MALFORMED);
	assert_int_equal(checkpoint_parse(&parsed, "o\n5\n" ROOT "\n", 4 + 44 + 1), 0);
	assert_int_equal(checkpoint_parse(&parsed, "o\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n", 4 + 44 + 1),
	                 CS_ERR_MALFORMED);
	assert_int_equal(checkpoint_parse(&parsed, "o\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 4 + 44 + 1),
	                 CS_ERR_MALFORMED);
#undef ROOT
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_lines), cmocka_unit_test(test_long_signature), cmocka_unit_test(test_room),
	        cmocka_unit_test(test_vkeys), cmocka_unit_test(test_checkpoints),
	};

	return cmocka_run_group_tests_name("odd notes", tests, setup, NULL);
}
