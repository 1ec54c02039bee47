/* The handshake Noise_IK_25519_ChaChaPoly_BLAKE2b, step by step as the specification's tokens name them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/wire/noise.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"

#define BLOCK_SIZE 128 /* Noise 12.8: BLAKE2b, BLOCKLEN (for HMAC). */

static const char protocol_name[] = "Noise_IK_25519_ChaChaPoly_BLAKE2b";

struct slice {
	const void *base;
	size_t len;
};

static void hash_slices(uint8_t ret[NOISE_HASH_SIZE], const struct slice *in, size_t n)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, NOISE_HASH_SIZE);
	for (size_t i = 0; i < n; i++)
		crypto_generichash_update(&st, in[i].base, in[i].len);
	crypto_generichash_final(&st, ret, NOISE_HASH_SIZE);
	sodium_memzero(&st, sizeof st);
}

/* RFC 2104. The key is a chaining key or an HKDF output, so never above the block size. */
static void hmac(uint8_t ret[NOISE_HASH_SIZE], const uint8_t key[NOISE_HASH_SIZE], const struct slice a,
                 const struct slice b)
{
	uint8_t pad[BLOCK_SIZE], inner[NOISE_HASH_SIZE];

	memset(pad, 0x36, sizeof pad);
	for (size_t i = 0; i < NOISE_HASH_SIZE; i++)
		pad[i] ^= key[i];
	hash_slices(inner, (const struct slice[]){{pad, sizeof pad}, a, b}, 3);
	for (size_t i = 0; i < sizeof pad; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash_slices(ret, (const struct slice[]){{pad, sizeof pad}, {inner, sizeof inner}}, 2);
	sodium_memzero(pad, sizeof pad);
	sodium_memzero(inner, sizeof inner);
}

/* HKDF with two outputs (Noise 4.3). ret_first may alias ck. */
static void hkdf(uint8_t ret_first[NOISE_HASH_SIZE], uint8_t ret_second[NOISE_HASH_SIZE],
                 const uint8_t ck[NOISE_HASH_SIZE], const void *ikm, size_t len)
{
	static const uint8_t one[1] = {1}, two[1] = {2};
	const struct slice none = {"", 0};
	uint8_t temp[NOISE_HASH_SIZE];

	hmac(temp, ck, (struct slice){ikm, len}, none);
	hmac(ret_first, temp, (struct slice){one, 1}, none);
	hmac(ret_second, temp, (struct slice){ret_first, NOISE_HASH_SIZE}, (struct slice){two, 1});
	sodium_memzero(temp, sizeof temp);
}

static void mix_hash(struct noise *ns, const void *data, size_t len)
{
	hash_slices(ns->h, (const struct slice[]){{ns->h, NOISE_HASH_SIZE}, {data, len}}, 2);
}

/* MixKey(DH(secret, pub)). A public key of small order gives zero: refused (Noise 12.1 leaves it open; RFC 7748 6.1).
 */
static int mix_dh(struct noise *ns, const uint8_t secret[NOISE_KEY_SIZE], const uint8_t pub[NOISE_KEY_SIZE])
{
	uint8_t shared[NOISE_KEY_SIZE], temp_k[NOISE_HASH_SIZE];

	if (crypto_scalarmult(shared, secret, pub) != 0) {
		sodium_memzero(shared, sizeof shared);
		return CS_ERR_UNAUTHENTICATED;
	}
	hkdf(ns->ck, temp_k, ns->ck, shared, sizeof shared);
	memcpy(ns->k, temp_k, sizeof ns->k);
	ns->n = 0;
	sodium_memzero(shared, sizeof shared);
	sodium_memzero(temp_k, sizeof temp_k);
	return 0;
}

static void encrypt_and_hash(struct noise *ns, const void *plain, size_t len, uint8_t *out)
{
	noise_encrypt(ns->k, ns->n++, ns->h, sizeof ns->h, plain, len, out);
	mix_hash(ns, out, len + NOISE_TAG_SIZE);
}

static int decrypt_and_hash(struct noise *ns, const uint8_t *sealed, size_t len, uint8_t *ret_plain)
{
	uint8_t h[NOISE_HASH_SIZE]; /* The associated data is the hash before this message. */

	memcpy(h, ns->h, sizeof h);
	mix_hash(ns, sealed, len);
	return noise_decrypt(ns->k, ns->n++, h, sizeof h, sealed, len, ret_plain);
}

static void nonce_bytes(uint8_t ret[crypto_aead_chacha20poly1305_ietf_NPUBBYTES], uint64_t n)
{
	memset(ret, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		ret[4 + i] = (uint8_t)(n >> (8 * i));
}

void noise_encrypt(const uint8_t k[NOISE_KEY_SIZE], uint64_t n, const void *ad, size_t ad_len, const void *plain,
                   size_t len, uint8_t *out)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	nonce_bytes(nonce, n);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, ad, ad_len, NULL, nonce, k);
}

int noise_decrypt(const uint8_t k[NOISE_KEY_SIZE], uint64_t n, const void *ad, size_t ad_len, const uint8_t *sealed,
                  size_t len, uint8_t *ret_plain)
{
	uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

	nonce_bytes(nonce, n);
	if (len < NOISE_TAG_SIZE ||
	    crypto_aead_chacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, sealed, len, ad, ad_len, nonce, k) != 0)
		return CS_ERR_UNAUTHENTICATED;
	return 0;
}

/* Initialize() up to the pre-message, which is the responder's static key on both sides. */
static void init(struct noise *ns, const uint8_t *s, const uint8_t *s_pub, const uint8_t *responder_pub,
                 const void *prologue, size_t len)
{
	static_assert(sizeof protocol_name - 1 <= NOISE_HASH_SIZE, "Noise 5.2: a longer name would be hashed");
	memset(ns, 0, sizeof *ns);
	memcpy(ns->h, protocol_name, sizeof protocol_name - 1);
	memcpy(ns->ck, ns->h, sizeof ns->ck);
	memcpy(ns->s, s, sizeof ns->s);
	memcpy(ns->s_pub, s_pub, sizeof ns->s_pub);
	mix_hash(ns, prologue, len);
	mix_hash(ns, responder_pub, NOISE_KEY_SIZE);
}

void noise_init_initiator(struct noise *ns, const uint8_t s[NOISE_KEY_SIZE], const uint8_t s_pub[NOISE_KEY_SIZE],
                          const uint8_t rs[NOISE_KEY_SIZE], const void *prologue, size_t len)
{
	init(ns, s, s_pub, rs, prologue, len);
	memcpy(ns->rs, rs, sizeof ns->rs);
}

void noise_init_responder(struct noise *ns, const uint8_t s[NOISE_KEY_SIZE], const uint8_t s_pub[NOISE_KEY_SIZE],
                          const void *prologue, size_t len)
{
	init(ns, s, s_pub, s_pub, prologue, len);
}

/* Token e, writing. */
static void write_ephemeral(struct noise *ns, const uint8_t *e, uint8_t *out)
{
	memcpy(ns->e, e, sizeof ns->e);
	crypto_scalarmult_base(out, e);
	mix_hash(ns, out, NOISE_KEY_SIZE);
}

/* Token e, reading. */
static void read_ephemeral(struct noise *ns, const uint8_t *message)
{
	memcpy(ns->re, message, sizeof ns->re);
	mix_hash(ns, message, NOISE_KEY_SIZE);
}

int noise_write_first(struct noise *ns, const uint8_t e[NOISE_KEY_SIZE], const void *payload, size_t len, uint8_t *out)
{
	int rv;

	if (len > NOISE_MESSAGE_MAX - NOISE_FIRST_EXTRA)
		return CS_ERR_TOO_LARGE;
	write_ephemeral(ns, e, out);
	out += NOISE_KEY_SIZE;
	rv = mix_dh(ns, ns->e, ns->rs); /* es */
	if (rv != 0)
		return rv;
	encrypt_and_hash(ns, ns->s_pub, sizeof ns->s_pub, out); /* s */
	out += NOISE_KEY_SIZE + NOISE_TAG_SIZE;
	rv = mix_dh(ns, ns->s, ns->rs); /* ss */
	if (rv != 0)
		return rv;
	encrypt_and_hash(ns, payload, len, out);
	return 0;
}

int noise_read_first(struct noise *ns, const uint8_t *message, size_t len, uint8_t *ret_payload)
{
	int rv;

	if (len < NOISE_FIRST_EXTRA || len > NOISE_MESSAGE_MAX)
		return CS_ERR_MALFORMED;
	read_ephemeral(ns, message);
	message += NOISE_KEY_SIZE;
	rv = mix_dh(ns, ns->s, ns->re); /* es */
	if (rv != 0)
		return rv;
	rv = decrypt_and_hash(ns, message, NOISE_KEY_SIZE + NOISE_TAG_SIZE, ns->rs); /* s */
	if (rv != 0)
		return rv;
	message += NOISE_KEY_SIZE + NOISE_TAG_SIZE;
	rv = mix_dh(ns, ns->s, ns->rs); /* ss */
	if (rv != 0)
		return rv;
	return decrypt_and_hash(ns, message, len - NOISE_FIRST_EXTRA + NOISE_TAG_SIZE, ret_payload);
}

int noise_write_second(struct noise *ns, const uint8_t e[NOISE_KEY_SIZE], const void *payload, size_t len, uint8_t *out)
{
	int rv;

	if (len > NOISE_MESSAGE_MAX - NOISE_SECOND_EXTRA)
		return CS_ERR_TOO_LARGE;
	write_ephemeral(ns, e, out);
	rv = mix_dh(ns, ns->e, ns->re); /* ee */
	if (rv != 0)
		return rv;
	rv = mix_dh(ns, ns->e, ns->rs); /* se */
	if (rv != 0)
		return rv;
	encrypt_and_hash(ns, payload, len, out + NOISE_KEY_SIZE);
	return 0;
}

int noise_read_second(struct noise *ns, const uint8_t *message, size_t len, uint8_t *ret_payload)
{
	int rv;

	if (len < NOISE_SECOND_EXTRA || len > NOISE_MESSAGE_MAX)
		return CS_ERR_MALFORMED;
	read_ephemeral(ns, message);
	rv = mix_dh(ns, ns->e, ns->re); /* ee */
	if (rv != 0)
		return rv;
	rv = mix_dh(ns, ns->s, ns->re); /* se */
	if (rv != 0)
		return rv;
	return decrypt_and_hash(ns, message + NOISE_KEY_SIZE, len - NOISE_KEY_SIZE, ret_payload);
}

void noise_split(const struct noise *ns, uint8_t ret_first[NOISE_KEY_SIZE], uint8_t ret_second[NOISE_KEY_SIZE])
{
	uint8_t first[NOISE_HASH_SIZE], second[NOISE_HASH_SIZE];

	hkdf(first, second, ns->ck, "", 0);
	memcpy(ret_first, first, NOISE_KEY_SIZE);
	memcpy(ret_second, second, NOISE_KEY_SIZE);
	sodium_memzero(first, sizeof first);
	sodium_memzero(second, sizeof second);
}

void noise_wipe(struct noise *ns)
{
	sodium_memzero(ns, sizeof *ns);
}
