/* SHA-256 by the processor's SHA extensions where it has them, by libsodium elsewhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/hash.h"

#include <stdbool.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/sha256ni.h"

#define BLOCK_SIZE  64
#define LENGTH_SIZE 8 /* FIPS 180-4 5.1.1: the message's length in bits ends the padding. */

static bool extensions;

/* Before main, hence before any thread; CPUID can cost tens of microseconds under a hypervisor. */
__attribute__((constructor)) static void choose(void)
{
	extensions = sha256ni_available();
}

int hash_use_extensions(int on)
{
	extensions = (on != 0) & sha256ni_available();
	return extensions;
}

void hasher_init(struct hasher *h)
{
	crypto_hash_sha256_init(&h->state);
}

/* count is in bits, as libsodium has it. */
static size_t buffered(const crypto_hash_sha256_state *s)
{
	return (s->count >> 3) % BLOCK_SIZE;
}

static void update_ni(crypto_hash_sha256_state *s, const uint8_t *p, size_t len)
{
	size_t have = buffered(s), fill = BLOCK_SIZE - have;

	s->count += (uint64_t)len << 3;
	if (have > 0 && len >= fill) {
		memcpy(s->buf + have, p, fill);
		sha256ni_compress(s->state, s->buf, 1);
		p += fill;
		len -= fill;
		have = 0;
	}
	if (len >= BLOCK_SIZE) {
		sha256ni_compress(s->state, p, len / BLOCK_SIZE);
		p += len - len % BLOCK_SIZE;
		len %= BLOCK_SIZE;
	}
	if (len > 0)
		memcpy(s->buf + have, p, len);
}

static void state_bytes(struct hash *ret, const uint32_t state[8])
{
	for (unsigned i = 0; i < 8; i++)
		put_u32be(ret->b + 4 * i, state[i]);
}

static void final_ni(crypto_hash_sha256_state *s, struct hash *ret)
{
	size_t have = buffered(s);

	s->buf[have++] = 0x80;
	if (have > BLOCK_SIZE - LENGTH_SIZE) {
		memset(s->buf + have, 0, BLOCK_SIZE - have);
		sha256ni_compress(s->state, s->buf, 1);
		have = 0;
	}
	memset(s->buf + have, 0, BLOCK_SIZE - LENGTH_SIZE - have);
	put_u64be(s->buf + BLOCK_SIZE - LENGTH_SIZE, s->count);
	sha256ni_compress(s->state, s->buf, 1);
	state_bytes(ret, s->state);
}

void hasher_update(struct hasher *h, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	if (extensions)
		update_ni(&h->state, bytes, len);
	else
		crypto_hash_sha256_update(&h->state, bytes, len);
}

void hasher_final(struct hasher *h, struct hash *ret)
{
	if (extensions)
		final_ni(&h->state, ret);
	else
		crypto_hash_sha256_final(&h->state, ret->b);
}

void hash_bytes(struct hash *ret, const void *bytes, size_t len)
{
	struct hasher h;

	hasher_init(&h);
	hasher_update(&h, bytes, len);
	hasher_final(&h, ret);
}

void hash_leaf(struct hash *ret, const void *entry, size_t len)
{
	struct hasher h;

	hasher_init(&h);
	hasher_update(&h, &(const uint8_t){0x00}, 1);
	hasher_update(&h, entry, len);
	hasher_final(&h, ret);
}

void hash_node(struct hash *ret, const struct hash *left, const struct hash *right)
{
	uint8_t node[1 + 2 * HASH_SIZE];

	if (extensions) {
		sha256ni_node(ret, left, right);
		return;
	}
	node[0] = 0x01;
	memcpy(node + 1, left->b, HASH_SIZE);
	memcpy(node + 1 + HASH_SIZE, right->b, HASH_SIZE);
	crypto_hash_sha256(ret->b, node, sizeof(node));
}

void hash_nodes(struct hash *ret, const struct hash *in, unsigned n)
{
	unsigned i = 0;

	for (; extensions && i + 2 <= n; i += 2)
		sha256ni_node2(ret + i, in + 2 * (size_t)i);
	for (; i < n; i++)
		hash_node(ret + i, in + 2 * (size_t)i, in + 2 * (size_t)i + 1);
}

void hash_empty(struct hash *ret)
{
	hash_bytes(ret, NULL, 0);
}

int hash_equal(const struct hash *a, const struct hash *b)
{
	return sodium_memcmp(a->b, b->b, HASH_SIZE) == 0;
}
