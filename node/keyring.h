/* The keys that a node has: those of its key file, and those that were made here to take their places. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_KEYRING_H
#define NODE_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/wire/channel.h"
#include "node/wire/keyfile.h"

/*
 * In the data folder, `keys/`: one key file each (node/wire/keyfile.h), mode 0600. `next-KIND.key` was made and is
 * waiting for its order; `KIND-XXXXXXXX.key` is, or was, in force (X: the first bytes of its public half). Which key is
 * the current one the ledger alone says: a crash between two renames changes nothing. A log or cosigner key whose time
 * is over is deleted here; a channel key stays, for codes' secrets may be sealed to it. What is in the node's key file
 * is the operator's to delete.
 */
#define KEYRING_KEYS_MAX 32 /* Of each kind. */

struct keyring;

/* base: the node's key file. The folder need not be there. Errors name file and cause in ret_text (256 bytes). */
int keyring_open(const char *data_path, const struct keyfile *base, struct keyring **ret, char *ret_text);
void keyring_close(struct keyring *r); /* Wipes. NULL is fine. */

/*
 * Public half of the key of this kind that waits for its order; it is made, and on the disk, if there is none.
 * CS_ERR_TOO_LARGE: the ring is full.
 */
int keyring_prepare(struct keyring *r, enum key_kind kind, uint8_t ret_pub[32], char *ret_text);
/* The secret (32 bytes) to a public half; NULL: this node does not have it. Borrowed until the ring is closed. */
const uint8_t *keyring_secret(const struct keyring *r, enum key_kind kind, const uint8_t pub[32]);
/* Some secret of this kind; NULL: there is none. */
const uint8_t *keyring_any(const struct keyring *r, enum key_kind kind);
/* The one that waits; NULL: none. */
const uint8_t *keyring_next(const struct keyring *r, enum key_kind kind);
/* By the ledger it is in force: its file gets the name that it keeps. */
void keyring_in_force(struct keyring *r, enum key_kind kind, const uint8_t current[32]);
/*
 * By the ledger its time is over: what is good for nothing but to forge with is deleted. Never only because the ledger
 * does not name it: a state that was just loaded may be behind it.
 */
void keyring_drop(struct keyring *r, enum key_kind kind, const uint8_t pub[32]);
/* There is a key of this kind that was made here, or there is none any more: which is in force a later entry may say.
 */
bool keyring_grown(const struct keyring *r, enum key_kind kind);
/*
 * Channel pairs to be known by: the current one, the next and the one before (NULL: its time is over). For links also
 * older ones, as many as there is room for: a member that was away while keys changed knows no others, and must be
 * reached, or it would never hear of the new ones.
 */
void keyring_channel(const struct keyring *r, const uint8_t current[32], const uint8_t before[32], bool link,
                     struct channel_keys *ret);
/* The i-th channel pair there is; false: there are no more. */
bool keyring_channel_at(const struct keyring *r, unsigned i, const uint8_t **ret_pub, const uint8_t **ret_secret);

#endif
