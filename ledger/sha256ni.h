/* SHA-256 compression by the x86 SHA extensions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_SHA256NI_H
#define LEDGER_SHA256NI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if this processor has what the functions below need; they must not be called otherwise. */
bool sha256ni_available(void);
/* FIPS 180-4 6.2.2 over n blocks of 64 bytes. */
void sha256ni_compress(uint32_t state[8], const uint8_t *blocks, size_t n);
/* The same over two messages of n blocks each, side by side: the rounds of one fill the waits of the other. */
void sha256ni_compress2(uint32_t a[8], uint32_t b[8], const uint8_t *blocks_a, const uint8_t *blocks_b, size_t n);

#endif
