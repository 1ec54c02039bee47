/* The methods of evidence, each in a file of its own; and what their parsers share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_EVIDENCE_VERIFY_INTERNAL_H
#define NODE_EVIDENCE_VERIFY_INTERNAL_H

#include <jansson.h>

#include "ledger/hash.h"
#include "node/evidence/verify.h"

/* Says why not, and returns false. */
bool evidence_fails(struct evidence *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* found is cleared before; each sets verified last. */
void verify_webauthn(struct evidence *e);
void verify_registration(struct evidence *e);
void verify_totp(struct evidence *e, const struct evidence_node *node);
void verify_oidc(struct evidence *e);

/* The hash of the message in base64url without padding: WebAuthn's challenge, OIDC's nonce. */
#define MESSAGE_TEXT_SIZE 44
void message_text(const struct evidence *e, char ret[MESSAGE_TEXT_SIZE]);

/* One JSON object of len bytes, no member twice at any depth (RFC 8259 4 leaves that open: attacks live there). NULL.
 */
json_t *json_object_read(const void *bytes, size_t len, size_t len_max);

/*
 * WebAuthn's clientDataJSON (W3C Web Authentication Level 3, 5.8.1 and 7.2 steps 7 to 14): its type, the challenge of
 * the message, an origin of the list, neither crossOrigin nor topOrigin.
 */
bool client_data_good(struct evidence *e, const uint8_t *json, size_t len, const char *type, struct reader origins);

/* SubjectPublicKeyInfo in PEM, of a pinned key; returns its length, 0 if it is no such key. */
#define PEM_SIZE_MAX 1024
size_t pem_of_es256(char ret[PEM_SIZE_MAX], const uint8_t *xy, size_t len);
size_t pem_of_rs256(char ret[PEM_SIZE_MAX], const uint8_t *key, size_t len); /* e in 4 bytes, then n. */

#endif
