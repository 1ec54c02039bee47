/* The little of CBOR (RFC 8949) that WebAuthn's objects are made of, read within bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_CBOR_H
#define CLIENT_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An attestation object: {"fmt": text, "attStmt": map, "authData": bytes}. Points into bytes. */
struct attestation_object {
	const char *format;
	const uint8_t *auth_data, *statement; /* The statement is CBOR yet. */
	size_t format_len, auth_data_len, statement_len;
};
bool attestation_object_read(struct attestation_object *ret, const uint8_t *bytes, size_t len);
/* The COSE algorithm (member 3) of the credential's key in authenticatorData of a registration. */
bool auth_data_algorithm(const uint8_t *bytes, size_t len, int64_t *ret);

#endif
