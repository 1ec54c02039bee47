/* The verifier's own hashing: RFC 6962 leaves and nodes, commitments of fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <sodium.h>
#include <string.h>

#include "ledger/sha256ni.h"

/*
 * Of the code that writes, the verifier takes one thing: the block function of FIPS 180-4 on the processor's SHA
 * extensions, without which a whole ledger takes five times as long. What goes through it is laid out here, and it is
 * used only if it agrees with libsodium in this process.
 */
#define BLOCK_SIZE          64
#define COMMITMENT_SIZE_MAX 1024 /* What is committed to at once; a longer value goes to libsodium. */

static bool extensions;

/* The message is head, then bytes; FIPS 180-4 5.1.1 pads it, 5.3.3 begins it. */
static void sha256_blocks(uint8_t head, struct verify_slice bytes, uint8_t ret[VERIFY_HASH_SIZE])
{
	uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	uint8_t edge[2 * BLOCK_SIZE] = {head};
	uint64_t bits = (uint64_t)(bytes.len + 1) * 8;
	size_t n = 1, edge_size;

	if (bytes.len >= BLOCK_SIZE - 1) {
		memcpy(edge + 1, bytes.p, BLOCK_SIZE - 1);
		sha256ni_compress(state, edge, 1);
		bytes.p += BLOCK_SIZE - 1;
		bytes.len -= BLOCK_SIZE - 1;
		sha256ni_compress(state, bytes.p, bytes.len / BLOCK_SIZE);
		bytes.p += bytes.len - bytes.len % BLOCK_SIZE;
		bytes.len %= BLOCK_SIZE;
		n = 0;
	}
	if (bytes.len > 0)
		memcpy(edge + n, bytes.p, bytes.len);
	n += bytes.len;
	edge[n++] = 0x80;
	edge_size = n + 8 <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
	memset(edge + n, 0, edge_size - n);
	for (unsigned i = 0; i < 8; i++)
		edge[edge_size - 8 + i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256ni_compress(state, edge, edge_size / BLOCK_SIZE);
	for (unsigned i = 0; i < VERIFY_HASH_SIZE; i++)
		ret[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void sha256_sodium(uint8_t head, struct verify_slice bytes, uint8_t ret[VERIFY_HASH_SIZE])
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &head, 1);
	crypto_hash_sha256_update(&state, bytes.p, bytes.len);
	crypto_hash_sha256_final(&state, ret);
}

/* Before main, hence before any thread: every length up to three blocks, so every way through the padding. */
__attribute__((constructor)) static void choose(void)
{
	uint8_t bytes[3 * BLOCK_SIZE], one[VERIFY_HASH_SIZE], other[VERIFY_HASH_SIZE];
	bool same = sha256ni_available();

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37 + 11);
	for (size_t len = 0; same && len <= sizeof bytes; len++) {
		sha256_blocks((uint8_t)len, (struct verify_slice){bytes, len}, one);
		sha256_sodium((uint8_t)len, (struct verify_slice){bytes, len}, other);
		same = memcmp(one, other, sizeof one) == 0;
	}
	extensions = same;
}

static void hash(uint8_t head, struct verify_slice bytes, uint8_t ret[VERIFY_HASH_SIZE])
{
	if (extensions)
		sha256_blocks(head, bytes, ret);
	else
		sha256_sodium(head, bytes, ret);
}

/* RFC 6962 2.1. */
void verify_leaf_hash(struct verify_slice entry, uint8_t ret[VERIFY_HASH_SIZE])
{
	hash(0x00, entry, ret);
}

void verify_node_hash(const uint8_t *left, const uint8_t *right, uint8_t ret[VERIFY_HASH_SIZE])
{
	uint8_t both[2 * VERIFY_HASH_SIZE];

	memcpy(both, left, VERIFY_HASH_SIZE);
	memcpy(both + VERIFY_HASH_SIZE, right, VERIFY_HASH_SIZE);
	hash(0x01, (struct verify_slice){both, sizeof both}, ret);
}

void verify_empty_root(uint8_t ret[VERIFY_HASH_SIZE])
{
	crypto_hash_sha256(ret, (const uint8_t *)"", 0);
}

void verify_commitment(unsigned kind, const uint8_t salt[SALT_SIZE], struct verify_slice value,
                       uint8_t ret[VERIFY_HASH_SIZE])
{
	crypto_hash_sha256_state state;
	uint8_t message[COMMITMENT_SIZE_MAX], *p = message;

	if (extensions && value.len <= sizeof message - sizeof FORMAT_FIELD_DOMAIN - 1 - SALT_SIZE) {
		memcpy(p, FORMAT_FIELD_DOMAIN, sizeof FORMAT_FIELD_DOMAIN);
		p += sizeof FORMAT_FIELD_DOMAIN;
		*p++ = (uint8_t)kind;
		memcpy(p, salt, SALT_SIZE);
		p += SALT_SIZE;
		if (value.len > 0)
			memcpy(p, value.p, value.len);
		p += value.len;
		hash(message[0], (struct verify_slice){message + 1, (size_t)(p - message) - 1}, ret);
		return;
	}
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const uint8_t *)FORMAT_FIELD_DOMAIN, sizeof FORMAT_FIELD_DOMAIN);
	crypto_hash_sha256_update(&state, (const uint8_t[]){(uint8_t)kind}, 1);
	crypto_hash_sha256_update(&state, salt, SALT_SIZE);
	crypto_hash_sha256_update(&state, value.p, value.len);
	crypto_hash_sha256_final(&state, ret);
}
