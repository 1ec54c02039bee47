/* The signer: holds a node's log and cosigner keys, and never signs what a signer must not. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SIGNER_H
#define NODE_SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/note.h"

struct signer;

enum signer_place { SIGNER_LOG, SIGNER_COSIGNER, SIGNER_PLACES };

/*
 * Takes the two seeds (Ed25519, 32 bytes; copied into guarded memory, the caller wipes its own). The log key's name is
 * the origin, the cosigner's is origin/node-N.
 */
int signer_new(const char *origin, uint64_t node_id, const uint8_t log_seed[32], const uint8_t cosigner_seed[32],
               struct signer **ret);
void signer_free(struct signer *s); /* Wipes. NULL is fine. */

/* --- the record: what each key has signed, so that none signs another root after a restart --- */

/*
 * Opens or makes the file: for each key (size, root) of the newest that it signed, written before the signature is
 * made. It is synced by signer_sync, not with each signature: the durable record is the log, which has what is signed
 * before it is signed (ledger.md). fresh: the node is new, or of before there was a record: its keys begin with an
 * empty one. Otherwise a key that the file does not know has lost its record, and never signs again (signer_ready).
 * CS_ERR_IO with a text (256 bytes).
 */
int signer_record_open(struct signer *s, const char *path, bool fresh, char *ret_text);
/* A key that was just made begins its record, before it is anybody's. */
int signer_record_begin(struct signer *s, const uint8_t pub[32]);
int signer_sync(const struct signer *s); /* Any thread. What was recorded is on the disk; CS_ERR_IO. */
/* The largest size that the record has: a log and ledger that reach less have gone back. */
uint64_t signer_recorded_size(const struct signer *s);

/* --- keys that change --- */

/*
 * The key that signs from this size on (its public half, and its seed: NULL if this node does not have it), and the one
 * whose place it took, which signs up to a size, too (NULL: none).
 */
struct signer_key {
	const uint8_t *pub, *seed;
};
int signer_use(struct signer *s, enum signer_place place, const struct signer_key *current, uint64_t since,
               const struct signer_key *before, uint64_t until);
/* Its current key may sign: the node has it, and its record. */
bool signer_ready(const struct signer *s, enum signer_place place);

/*
 * Signs the checkpoint (origin, size, root) with the log key, and with the one before it while both are good: a whole
 * note, NUL-terminated, into buf. Refuses, with CS_ERR_DIVERGED, a size below the last one signed and another root for
 * the same size: a correct caller never asks for either (ledger.md: Who signs what). CS_ERR_NOT_PERMITTED: not ready.
 */
int signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len);
/*
 * The cosignature line of this node at time_s over the same checkpoint, under the same rule for the cosigner key; then
 * that of the key before it, while both are good.
 */
int signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf, size_t cap,
                  size_t *ret_len);
/* The log key's lines for the same, without the text: of a node that does not lead. */
int signer_sign_too(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len);
/* Public halves of the current keys. */
const struct note_key *signer_log_key(const struct signer *s);
const struct note_key *signer_cosigner_key(const struct signer *s);

#endif
