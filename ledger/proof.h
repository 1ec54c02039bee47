/* Checks of RFC 6962 proofs: the tree's own use (client, cosigner). The offline verifier has its own, apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_PROOF_H
#define LEDGER_PROOF_H

#include <stdint.h>

#include "ledger/hash.h"

/* RFC 9162 2.1.3.2, exact length enforced. 0, or CS_ERR_REFUTED. */
int proof_inclusion_check(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *proof, unsigned n,
                          const struct hash *root);
/* RFC 9162 2.1.4.2; equal sizes need an empty proof and equal roots; old_size 0 is refuted (it proves nothing). */
int proof_consistency_check(uint64_t old_size, uint64_t new_size, const struct hash *old_root,
                            const struct hash *new_root, const struct hash *proof, unsigned n);

#endif
