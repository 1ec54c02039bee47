/* The floor of the processor: what signatures and hashes cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/clock.h"
#include "bench/floor.h"
#include "ledger/hash.h"

#define ROUNDS    200
#define PER_ROUND 16 /* Single hashes are shorter than the clock's own cost. */
#define NOTE_SIZE 200
#define LEAF_SIZE 300
#define NODE_SIZE 65

static uint8_t pub[crypto_sign_PUBLICKEYBYTES], secret[crypto_sign_SECRETKEYBYTES], signature[crypto_sign_BYTES];
static uint8_t bytes[LEAF_SIZE];
static struct hash hash;
static int bad; /* Read at the end, so that nothing is optimised away and nothing was refused. */

static void sign(void)
{
	bad |= crypto_sign_detached(signature, NULL, bytes, NOTE_SIZE, secret);
}

static void verify(void)
{
	bad |= crypto_sign_verify_detached(signature, bytes, NOTE_SIZE, pub);
}

static void hash_large(void)
{
	hash_bytes(&hash, bytes, LEAF_SIZE);
}

static void hash_small(void)
{
	hash_bytes(&hash, bytes, NODE_SIZE);
}

static uint64_t median(void (*f)(void))
{
	struct histogram *h = calloc(1, sizeof *h);
	uint64_t ret = 0;

	if (!h) {
		bad = 1;
		return 0;
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t begin = clock_ns();

		for (unsigned k = 0; k < PER_ROUND; k++)
			f();
		histogram_add(h, (clock_ns() - begin) / PER_ROUND);
	}
	ret = histogram_quantile(h, 0.5);
	free(h);
	return ret;
}

int floor_crypto(struct floor_crypto *ret)
{
	bad = sodium_init() < 0;
	crypto_sign_keypair(pub, secret);
	randombytes_buf(bytes, sizeof bytes);
	ret->sign = median(sign);
	ret->verify = median(verify);
	ret->sha256_300 = median(hash_large);
	ret->sha256_65 = median(hash_small);
	sodium_memzero(secret, sizeof secret);
	if (bad)
		fprintf(stderr, "countersign-bench: the cryptography's own check failed\n");
	return bad ? -1 : 0;
}
