/* Key files as the tool makes and shows them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_KEYS_H
#define CLIENT_TOOL_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/note.h"
#include "node/wire/keyfile.h"

#define KEYS_CLIENT  (1u << KEY_CHANNEL | 1u << KEY_SIGN)
#define KEYS_DEVICE  (1u << KEY_SIGN)
#define KEYS_WITNESS (1u << KEY_CHANNEL | 1u << KEY_COSIGNER)
#define KEYS_NODE    (1u << KEY_CHANNEL | 1u << KEY_LOG | 1u << KEY_COSIGNER)

#define KEYS_PUBLIC_TEXT_SIZE 45 /* Base64 of 32 bytes and NUL. */
void keys_public_text(const uint8_t pub[32], char ret[KEYS_PUBLIC_TEXT_SIZE]);
/* Standard base64 of exactly 32 bytes. */
bool keys_parse_public(const char *text, uint8_t ret[32]);

/* A principal's name: 1 to 64 bytes of letters, digits and "._-/@". */
bool keys_name_ok(const char *name);
/*
 * Makes a key file with fresh keys of the kinds in the mask. Prints what went wrong; 0 or the exit code. On 0 the
 * caller wipes *ret.
 */
int keys_create(const char *command, const char *path, const char *name, unsigned kinds, struct keyfile *ret);
/* The key that a witness cosigns with: its cosigner key under its name; sk64 may be NULL. False: it has none. */
bool keys_witness(const struct keyfile *k, struct note_key *ret, uint8_t ret_sk64[64]);
#define KEYS_VKEY_SIZE (LIMIT_KEY_NAME_SIZE_MAX + 64)
/* Prints name and public keys, one a line; of a witness the verifier key, for trust policies. */
void keys_print(const struct keyfile *k);

#endif
