/* What a person proves themselves with, in software: a security key, an app with codes, an issuer of ID tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOKEN_H
#define TESTS_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

#define TOKEN_SECRET_SIZE 20
#define TOKEN_RP          "example.org"
#define TOKEN_WEB         "https://example.org" /* Where the person's browser is. */
#define TOKEN_ISSUER      "https://idp.example"
#define TOKEN_AUDIENCE    "countersign"

/* Data of credentials to be enrolled (node/decide/credential.h), into CREDENTIAL_DATA_SIZE_MAX bytes; their length. */
struct token_node {
	uint64_t id;
	const uint8_t *channel_pub;
};
/* Sealed to each of the nodes, ascending. */
size_t token_totp_data(uint8_t *buf, const char *origin, const char *name, const uint8_t secret[TOKEN_SECRET_SIZE],
                       unsigned period_s, const struct token_node *nodes, unsigned n);
size_t token_issuer_data(uint8_t *buf, const uint8_t pub[32]);             /* Of one Ed25519 key. */
size_t token_oidc_data(uint8_t *buf, const char *issuer, const char *sub); /* Of the pinned issuer's name. */
/* An EdDSA key, without attestation, of the user `subject`. */
size_t token_webauthn_data(uint8_t *buf, const char *origin, const char *name, const char *subject,
                           const uint8_t pub[32]);

/* Evidence over answer_message's bytes, into EVIDENCE_SIZE_MAX bytes; its length. */
size_t token_assertion(uint8_t *buf, uint8_t flags, uint32_t counter, const uint8_t *message, size_t len,
                       const uint8_t sk[64]);
/* more: further claims, each with a comma before it. */
size_t token_id_token(char *buf, const char *sub, uint64_t now_s, const char *more, const uint8_t *message, size_t len,
                      const uint8_t sk[64]);

#endif
