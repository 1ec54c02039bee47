/* SHA-256 blocks and tree nodes by the x86 SHA extensions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_SHA256NI_H
#define LEDGER_SHA256NI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"

/* True if this processor has what the functions below need; they must not be called otherwise. */
bool sha256ni_available(void);
/* FIPS 180-4 6.2.2 over n blocks of 64 bytes. */
void sha256ni_compress(uint32_t state[8], const uint8_t *blocks, size_t n);
/* RFC 6962 2.1: SHA-256(01 || left || right). ret may alias either. */
void sha256ni_node(struct hash *ret, const struct hash *left, const struct hash *right);
/* Two nodes side by side, of four hashes that follow each other. ret may be in. */
void sha256ni_node2(struct hash ret[2], const struct hash in[4]);

#endif
