/* SHA-256 as the ledger uses it: RFC 6962 leaf and node hashes, field commitments, digests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_HASH_H
#define LEDGER_HASH_H

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

#endif
