/* Tests of the verifier's hashing: with the processor's extensions, without them, and where they compute wrongly. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/sha256ni.h"
#include "ledger/verify_internal.h"

/*
 * The verifier chooses before main, by what these two tell it; they are linked in place of the processor's. So that all
 * ways are gone on every machine, the block function is computed here, and its answers are those asked for in:
 */
#define ENVIRONMENT "COUNTERSIGN_TEST_EXTENSIONS" /* unset: as they should be; "none"; "wrong". */

bool __wrap_sha256ni_available(void);
bool __wrap_sha256ni_available(void)
{
	const char *how = getenv(ENVIRONMENT);

	return !how || strcmp(how, "none") != 0;
}

static uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static void constants(uint32_t k[64])
{
	unsigned n = 0;

	for (uint64_t p = 2; n < 64; p++) {
		bool prime = true;
		/* The largest r with r^3 <= p * 2^96, bit by bit, of which the lowest 32 bits are the fraction. */
		unsigned __int128 r = 0;

		for (uint64_t d = 2; d * d <= p; d++)
			prime = prime && p % d != 0;
		if (!prime)
			continue;
		for (int bit = 35; bit >= 0; bit--) {
			unsigned __int128 next = r | (unsigned __int128)1 << bit;
			/* next < 2^36, so its cube is below 2^108. */
			if (next * next * next <= (unsigned __int128)p << 96)
				r = next;
		}
		k[n++] = (uint32_t)r;
	}
}

static void block(uint32_t state[8], const uint8_t *p)
{
	static uint32_t k[64];
	uint32_t w[64], s[8];

	if (k[0] == 0)
		constants(k);
	memcpy(s, state, sizeof s);
	for (unsigned t = 0; t < 64; t++)
		if (t < 16) {
			w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 | (uint32_t)p[4 * t + 2] << 8 |
			       p[4 * t + 3];
		} else {
			uint32_t a = w[t - 15], b = w[t - 2];

			w[t] = w[t - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[t - 7] +
			       (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
		}
	for (unsigned t = 0; t < 64; t++) {
		uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
		               ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[t] + w[t];
		uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
		               ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof s[0]);
		s[4] += one;
		s[0] = one + two;
	}
	for (unsigned i = 0; i < 8; i++)
		state[i] += s[i];
}

static unsigned long blocks;

void __wrap_sha256ni_compress(uint32_t state[8], const uint8_t *bytes, size_t n);
void __wrap_sha256ni_compress(uint32_t state[8], const uint8_t *bytes, size_t n)
{
	const char *how = getenv(ENVIRONMENT);

	for (size_t i = 0; i < n; i++)
		block(state, bytes + 64 * i);
	blocks += n;
	if (how && strcmp(how, "wrong") == 0)
		state[3] ^= 1;
}

static void sodium(const void *head, size_t head_len, const void *bytes, size_t len, uint8_t ret[VERIFY_HASH_SIZE])
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, head, head_len);
	crypto_hash_sha256_update(&state, bytes, len);
	crypto_hash_sha256_final(&state, ret);
}

/* Whatever the processor has, each hash is libsodium's. */
static void test_hashes(void **state)
{
	static uint8_t bytes[3000], found[VERIFY_HASH_SIZE], expected[VERIFY_HASH_SIZE];
	static const uint8_t salt[SALT_SIZE] = {5};
	uint8_t head[sizeof FORMAT_FIELD_DOMAIN + 1 + SALT_SIZE] = FORMAT_FIELD_DOMAIN;
	const char *how = getenv(ENVIRONMENT);

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	head[sizeof FORMAT_FIELD_DOMAIN] = 9;
	memcpy(head + sizeof FORMAT_FIELD_DOMAIN + 1, salt, SALT_SIZE);
	blocks = 0;
	for (size_t len = 0; len <= sizeof bytes; len += len < 300 ? 1 : 37) {
		struct verify_slice s = {bytes, len};

		verify_leaf_hash(s, found);
		sodium("\0", 1, bytes, len, expected);
		assert_memory_equal(found, expected, sizeof found);
		verify_commitment(9, salt, s, found);
		sodium(head, sizeof head, bytes, len, expected);
		assert_memory_equal(found, expected, sizeof found);
	}
	verify_node_hash(bytes, bytes + 64, found);
	memcpy(head, "\1", 1);
	memcpy(bytes + 100, bytes, 32);
	memcpy(bytes + 132, bytes + 64, 32);
	sodium("\1", 1, bytes + 100, 64, expected);
	assert_memory_equal(found, expected, sizeof found);
	verify_empty_root(found);
	sodium("", 0, "", 0, expected);
	assert_memory_equal(found, expected, sizeof found);
	assert_int_equal(blocks > 0, how == NULL); /* By which of the two. */
}

/* This program again, on such a processor. */
static void again(const char *how)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		setenv(ENVIRONMENT, how, 1);
		execl("/proc/self/exe", "test_verify_hash", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_without(void **state)
{
	(void)state;
	if (!getenv(ENVIRONMENT))
		again("none");
}

/* A processor, or an emulation of one, whose extensions compute something else is found out. */
static void test_wrong(void **state)
{
	(void)state;
	if (!getenv(ENVIRONMENT))
		again("wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_hashes),
	        cmocka_unit_test(test_without),
	        cmocka_unit_test(test_wrong),
	};

	return sodium_init() < 0 || cmocka_run_group_tests_name("hashes", tests, NULL, NULL);
}
