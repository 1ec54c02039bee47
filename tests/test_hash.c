/* SHA-256: published examples, both implementations against each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/hash.h"

#define LENGTHS 301

static uint8_t message[1000000];

static void assert_hex(const struct hash *h, const char *hex)
{
	char found[2 * HASH_SIZE + 1];

	sodium_bin2hex(found, sizeof(found), h->b, HASH_SIZE);
	assert_string_equal(found, hex);
}

/* Runs f with the portable implementation, then with the processor's, if it has one. */
static void with_both(void (*f)(void))
{
	hash_use_extensions(0);
	f();
	if (hash_use_extensions(1))
		f();
	else
		print_message("this processor has no SHA extensions: only libsodium's code was tested\n");
}

/* FIPS 180-4's examples, as NIST publishes them for SHA-256. */
static void check_published(void)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	struct hash h;

	hash_empty(&h);
	assert_hex(&h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hash_bytes(&h, "abc", 3);
	assert_hex(&h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_bytes(&h, two_blocks, strlen(two_blocks));
	assert_hex(&h, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(message, 'a', sizeof(message));
	hash_bytes(&h, message, sizeof(message));
	assert_hex(&h, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void check_lengths(void)
{
	randombytes_buf(message, LENGTHS);
	for (size_t len = 0; len < LENGTHS; len++) {
		struct hash expected, found;

		crypto_hash_sha256(expected.b, message, len);
		hash_bytes(&found, message, len);
		assert_memory_equal(&expected, &found, HASH_SIZE);
	}
}

static void check_pieces(void)
{
	randombytes_buf(message, LENGTHS);
	for (unsigned round = 0; round < 2000; round++) {
		size_t len = randombytes_uniform(LENGTHS), done = 0;
		struct hash expected, found;
		struct hasher h;

		crypto_hash_sha256(expected.b, message, len);
		hasher_init(&h);
		while (done < len) {
			size_t piece = randombytes_uniform((uint32_t)(len - done + 1));

			hasher_update(&h, message + done, piece);
			done += piece;
		}
		hasher_final(&h, &found);
		assert_memory_equal(&expected, &found, HASH_SIZE);
	}
}

static void check_prefixes(void)
{
	struct hash in[2 * 7], expected[7], found;
	uint8_t node[1 + 2 * HASH_SIZE] = {0x01}, leaf[LENGTHS] = {0x00};

	randombytes_buf(in, sizeof(in));
	for (unsigned i = 0; i < 7; i++) {
		memcpy(node + 1, &in[2 * i], 2 * HASH_SIZE);
		crypto_hash_sha256(expected[i].b, node, sizeof(node));
		hash_node(&found, &in[2 * i], &in[2 * i + 1]);
		assert_memory_equal(&found, &expected[i], HASH_SIZE);
	}
	/* In place, as proofs do it. */
	hash_nodes(in, in, 7);
	assert_memory_equal(in, expected, sizeof(expected));
	found = in[1];
	hash_node(&found, &in[0], &found);
	hash_node(&in[0], &in[0], &in[1]);
	assert_memory_equal(&found, &in[0], HASH_SIZE);

	randombytes_buf(leaf + 1, sizeof(leaf) - 1);
	crypto_hash_sha256(expected[0].b, leaf, sizeof(leaf));
	hash_leaf(&found, leaf + 1, sizeof(leaf) - 1);
	assert_true(hash_equal(&found, &expected[0]));
	found.b[31] ^= 1;
	assert_false(hash_equal(&found, &expected[0]));
}

static void test_published(void **state)
{
	(void)state;
	with_both(check_published);
}

static void test_all_lengths(void **state)
{
	(void)state;
	with_both(check_lengths);
}

static void test_pieces(void **state)
{
	(void)state;
	with_both(check_pieces);
}

static void test_prefixes(void **state)
{
	(void)state;
	with_both(check_prefixes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_published),
	        cmocka_unit_test(test_all_lengths),
	        cmocka_unit_test(test_pieces),
	        cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
