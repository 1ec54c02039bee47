/* SHA-256 as the ledger uses it: RFC 6962 leaf and node hashes, field commitments, digests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_HASH_H
#define LEDGER_HASH_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_SIZE 32

struct hash {
	uint8_t b[HASH_SIZE];
};

/* Plain SHA-256. */
void hash_bytes(struct hash *ret, const void *bytes, size_t len);
/* RFC 6962 2.1: SHA-256(00 || entry). */
void hash_leaf(struct hash *ret, const void *entry, size_t len);
/* RFC 6962 2.1: SHA-256(01 || left || right). ret may alias left or right. */
void hash_node(struct hash *ret, const struct hash *left, const struct hash *right);
/* RFC 6962 2.1: root of the empty tree, SHA-256(""). */
void hash_empty(struct hash *ret);
int hash_equal(const struct hash *a, const struct hash *b); /* 1 if equal, in constant time. */

/*
 * n node hashes: ret[i] = SHA-256(01 || in[2i] || in[2i+1]). ret may be in. Faster than hash_node, since independent
 * hashes run side by side.
 */
void hash_nodes(struct hash *ret, const struct hash *in, unsigned n);

/* SHA-256 of bytes that come in pieces. The state is libsodium's, also where the compression is our own. */
struct hasher {
	crypto_hash_sha256_state state;
};

void hasher_init(struct hasher *h);
void hasher_update(struct hasher *h, const void *bytes, size_t len);
void hasher_final(struct hasher *h, struct hash *ret); /* h must be initialised again before its next use. */

/*
 * The SHA extensions of the processor are used where there are any. hash_use_extensions(0) turns to libsodium's
 * portable code, 1 back; returns whether the extensions are now in use. For tests and measurements only: not while
 * another thread hashes.
 */
int hash_use_extensions(int on);

#endif
