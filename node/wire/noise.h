/* Noise_IK_25519_ChaChaPoly_BLAKE2b: the handshake itself, as the Noise specification (revision 34) defines it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_NOISE_H
#define NODE_WIRE_NOISE_H

#include <stddef.h>
#include <stdint.h>

#define NOISE_KEY_SIZE     32 /* Noise 4.1, DHLEN; also the cipher's key. */
#define NOISE_HASH_SIZE    64 /* Noise 12.8: BLAKE2b, HASHLEN. */
#define NOISE_TAG_SIZE     16
#define NOISE_FIRST_EXTRA  (NOISE_KEY_SIZE + NOISE_KEY_SIZE + NOISE_TAG_SIZE + NOISE_TAG_SIZE)
#define NOISE_SECOND_EXTRA (NOISE_KEY_SIZE + NOISE_TAG_SIZE)
#define NOISE_MESSAGE_MAX  65535 /* Noise 3. */

/*
 * One side of a handshake: symmetric state (Noise 5.2) and keys (5.3). Plain memory that holds secrets: end its life
 * with noise_wipe. After an error nothing but noise_wipe may be called.
 */
struct noise {
	uint8_t ck[NOISE_HASH_SIZE], h[NOISE_HASH_SIZE];
	uint8_t k[NOISE_KEY_SIZE];
	uint64_t n;
	uint8_t s[NOISE_KEY_SIZE], s_pub[NOISE_KEY_SIZE]; /* Our static key. */
	uint8_t e[NOISE_KEY_SIZE];                        /* Our ephemeral key. */
	uint8_t rs[NOISE_KEY_SIZE];                       /* The other side's static public key. */
	uint8_t re[NOISE_KEY_SIZE];                       /* The other side's ephemeral public key. */
};

/* Initialize(): s and s_pub are our static key; rs is the responder's key, known beforehand (IK: "<- s"). */
void noise_init_initiator(struct noise *ns, const uint8_t s[NOISE_KEY_SIZE], const uint8_t s_pub[NOISE_KEY_SIZE],
                          const uint8_t rs[NOISE_KEY_SIZE], const void *prologue, size_t len);
void noise_init_responder(struct noise *ns, const uint8_t s[NOISE_KEY_SIZE], const uint8_t s_pub[NOISE_KEY_SIZE],
                          const void *prologue, size_t len);

/*
 * The two messages, "-> e, es, s, ss" and "<- e, ee, se". e: a fresh random secret key, used once (given, so that the
 * published vectors run through the very same code). out: len + NOISE_FIRST_EXTRA (NOISE_SECOND_EXTRA) bytes.
 * ret_payload: len minus the same bytes. Return 0, CS_ERR_TOO_LARGE, CS_ERR_MALFORMED (short) or
 * CS_ERR_UNAUTHENTICATED (bad tag, or a public key that gives an all-zero shared secret).
 */
int noise_write_first(struct noise *ns, const uint8_t e[NOISE_KEY_SIZE], const void *payload, size_t len, uint8_t *out);
int noise_read_first(struct noise *ns, const uint8_t *message, size_t len, uint8_t *ret_payload);
int noise_write_second(struct noise *ns, const uint8_t e[NOISE_KEY_SIZE], const void *payload, size_t len,
                       uint8_t *out);
int noise_read_second(struct noise *ns, const uint8_t *message, size_t len, uint8_t *ret_payload);

/* Split(): the initiator sends with ret_first and receives with ret_second. */
void noise_split(const struct noise *ns, uint8_t ret_first[NOISE_KEY_SIZE], uint8_t ret_second[NOISE_KEY_SIZE]);
void noise_wipe(struct noise *ns);

/* ENCRYPT and DECRYPT (Noise 12.3). In place is allowed; out has len + NOISE_TAG_SIZE bytes, ret_plain len minus it. */
void noise_encrypt(const uint8_t k[NOISE_KEY_SIZE], uint64_t n, const void *ad, size_t ad_len, const void *plain,
                   size_t len, uint8_t *out);
int noise_decrypt(const uint8_t k[NOISE_KEY_SIZE], uint64_t n, const void *ad, size_t ad_len, const uint8_t *sealed,
                  size_t len, uint8_t *ret_plain);

#endif
