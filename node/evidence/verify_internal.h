/* The methods of evidence, each in a file of its own; and what their parsers share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_EVIDENCE_VERIFY_INTERNAL_H
#define NODE_EVIDENCE_VERIFY_INTERNAL_H

#include <jansson.h>

#include "ledger/hash.h"
#include "node/decide/credential.h"
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

const char *json_text(const json_t *o, const char *name); /* NULL: no such member, or no text. */

/* A JSON Web Signature in compact form, taken apart. */
struct jws {
	char text[EVIDENCE_SIZE_MAX + 1];
	size_t signed_len; /* Of header and payload with the dot between. */
	json_t *header;    /* Owned. */
	uint8_t payload[EVIDENCE_SIZE_MAX], signature[512];
	size_t payload_len, signature_len;
};
/* False: it is none. Either way jws_free. */
bool jws_read(struct jws *ret, const void *bytes, size_t len);
void jws_free(struct jws *t);
/* By the one key of the issuer that its header means; false says why in e. */
bool jws_verifies(struct evidence *e, const struct jws *t, const struct credential_issuer *i);
/* The bare signature: EdDSA of 64 bytes, ES256 as r and s, RS256 and PS256 as long as the modulus. */
bool issuer_key_verifies(const struct issuer_key *k, const void *message, size_t len, const uint8_t *sig,
                         size_t sig_len);

#endif
