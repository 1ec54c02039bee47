/* The signer: holds a node's log and cosigner keys, and never signs what a signer must not. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SIGNER_H
#define NODE_SIGNER_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/note.h"

struct signer;

/*
 * Takes the two seeds (Ed25519, 32 bytes; copied into guarded memory, the caller wipes its own). The log key's name is
 * the origin, the cosigner's is origin/node-N.
 */
int signer_new(const char *origin, uint64_t node_id, const uint8_t log_seed[32], const uint8_t cosigner_seed[32],
               struct signer **ret);
void signer_free(struct signer *s); /* Wipes. NULL is fine. */

/*
 * Signs the checkpoint (origin, size, root) with the log key: a whole note, NUL-terminated, into buf.
 * Refuses, with CS_ERR_DIVERGED, a size below the last one signed and another root for the same size: a correct caller
 * never asks for either (ledger.md: Who signs what).
 */
int signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len);
/* The cosignature line of this node at time_s over the same checkpoint, under the same rule for the cosigner key. */
int signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf, size_t cap,
                  size_t *ret_len);
/* Public halves. */
const struct note_key *signer_log_key(const struct signer *s);
const struct note_key *signer_cosigner_key(const struct signer *s);

#endif
