/* A digest of a set of records that follows each change of one of them, in whatever order they come. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_MULTISET_H
#define LEDGER_MULTISET_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"

/*
 * AdHash: each record is hashed to a number below 2^2048, and the digest is their sum modulo 2^2048 (Bellare and
 * Micciancio, A New Paradigm for Collision-Free Hashing: Incrementality at Reduced Cost, Eurocrypt 1997; as a hash of
 * multisets: Clarke et al., Asiacrypt 2003). Taken out is what was put in, so a change costs two hashes, whatever the
 * size of the set.
 *
 * Why 2048 bits: who can choose k lists of records finds a false sum of n bits by Wagner's tree (Crypto 2002) in about
 * 2^(n / (1 + log2 k)) steps and as much memory. A state has below 2^18 records, so that is above 2^107. With 256 bits
 * it would be 2^14. One number with carries, and not lanes as in LtHash (Lewi et al., 2019), whose 2 KiB for each
 * record rest on lattices for any number of records: here their number is bounded, and an eighth of the bytes will do.
 *
 * A record counts as its kind and its value. Where in its table it lies does not: that depends on when a node was
 * started last, and means nothing.
 */
#define MULTISET_SIZE 256

struct multiset {
	uint64_t w[MULTISET_SIZE / 8]; /* Least significant first. Zero: the empty set. */
};

void multiset_add(struct multiset *m, uint8_t kind, const void *value, size_t len);
void multiset_remove(struct multiset *m, uint8_t kind, const void *value, size_t len);
/* SHA-256 of the sum: what is shown to others. */
void multiset_digest(const struct multiset *m, struct hash *ret);
/* As it is stored: little-endian. */
void multiset_write(const struct multiset *m, uint8_t ret[MULTISET_SIZE]);
void multiset_read(struct multiset *ret, const uint8_t bytes[MULTISET_SIZE]);

#endif
