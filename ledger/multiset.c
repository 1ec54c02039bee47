/* A digest of a set of records that follows each change of one of them, in whatever order they come. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/multiset.h"

#include <sodium.h>
#include <stdbool.h>

#define WORDS (MULTISET_SIZE / 8)

/* What BLAKE2b is keyed with: no other hash of the project can be taken for one of these. */
static const uint8_t domain[] = "countersign/state-sum/v1";

static void read_words(uint64_t ret[WORDS], const uint8_t *bytes)
{
	for (unsigned i = 0; i < WORDS; i++) {
		ret[i] = 0;
		for (unsigned k = 8; k-- > 0;)
			ret[i] = ret[i] << 8 | bytes[8 * i + k];
	}
}

/* BLAKE2b-256, stretched by ChaCha20 to the width of the sum. */
static void hash_record(uint64_t ret[WORDS], uint8_t kind, const void *value, size_t len)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	crypto_generichash_state state;
	uint8_t seed[crypto_stream_chacha20_KEYBYTES], wide[MULTISET_SIZE];

	crypto_generichash_init(&state, domain, sizeof domain - 1, sizeof seed);
	crypto_generichash_update(&state, &kind, 1);
	crypto_generichash_update(&state, value, len);
	crypto_generichash_final(&state, seed, sizeof seed);
	crypto_stream_chacha20(wide, sizeof wide, nonce, seed);
	read_words(ret, wide);
}

void multiset_add(struct multiset *m, uint8_t kind, const void *value, size_t len)
{
	uint64_t h[WORDS];
	bool carry = false;

	hash_record(h, kind, value, len);
	for (unsigned i = 0; i < WORDS; i++) {
		bool a = __builtin_add_overflow(m->w[i], h[i], &m->w[i]);
		bool b = __builtin_add_overflow(m->w[i], (uint64_t)carry, &m->w[i]);
		carry = a || b;
	}
}

void multiset_remove(struct multiset *m, uint8_t kind, const void *value, size_t len)
{
	uint64_t h[WORDS];
	bool borrow = false;

	hash_record(h, kind, value, len);
	for (unsigned i = 0; i < WORDS; i++) {
		bool a = __builtin_sub_overflow(m->w[i], h[i], &m->w[i]);
		bool b = __builtin_sub_overflow(m->w[i], (uint64_t)borrow, &m->w[i]);
		borrow = a || b;
	}
}

void multiset_digest(const struct multiset *m, struct hash *ret)
{
	uint8_t bytes[MULTISET_SIZE];

	multiset_write(m, bytes);
	hash_bytes(ret, bytes, sizeof bytes);
}

void multiset_write(const struct multiset *m, uint8_t ret[MULTISET_SIZE])
{
	for (unsigned i = 0; i < MULTISET_SIZE; i++)
		ret[i] = (uint8_t)(m->w[i / 8] >> 8 * (i % 8));
}

void multiset_read(struct multiset *ret, const uint8_t bytes[MULTISET_SIZE])
{
	read_words(ret->w, bytes);
}
