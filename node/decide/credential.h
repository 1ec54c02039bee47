/* Credentials of people: what is enrolled for each method, and the orders to enrol and to revoke it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CREDENTIAL_H
#define NODE_DECIDE_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "node/decide/command.h"

#define CREDENTIAL_DATA_SIZE_MAX   4096 /* A registration with an attestation; four RSA keys; sealed secrets. */
#define CREDENTIAL_TEXT_SIZE_MAX   128  /* A relying party's id, a kid, an issuer's audience. */
#define CREDENTIAL_ID_SIZE_MAX     255  /* W3C allows 1023; known authenticators have at most 128. */
#define CREDENTIAL_KEY_SIZE_MAX    520  /* RSA of 4,096 bits with its exponent. */
#define CREDENTIAL_FORMAT_SIZE_MAX 32
#define CREDENTIAL_MADE_SIZE_MAX   2048

/* Kinds, for ever; public in entries. X(name, number, key) */
#define CREDENTIAL_LIST(X)                                                                                             \
	X(CREDENTIAL_WEBAUTHN, 1, "webauthn")                                                                          \
	X(CREDENTIAL_TOTP, 2, "totp")                                                                                  \
	X(CREDENTIAL_OIDC, 3, "oidc")                                                                                  \
	X(CREDENTIAL_ISSUER, 4, "oidc-issuer")    /* Nobody's: pinned keys. */                                         \
	X(CREDENTIAL_ROOT, 5, "attestation-root") /* Nobody's: a pinned certificate. */

enum credential_kind {
#define CREDENTIAL_ENUM(name, number, key) name = number,
	CREDENTIAL_LIST(CREDENTIAL_ENUM)
#undef CREDENTIAL_ENUM
};
const char *credential_kind_text(unsigned kind); /* "unknown" for others. */
unsigned credential_kind_parse(struct text t);   /* 0: unknown. */

/* --- data, by kind; each is one canonical array in a bin --- */

/* [rp id, [origin…], credential id, COSE algorithm, key as libfido2 takes it, flags] */
#define CREDENTIAL_ATTESTED        1u
#define CREDENTIAL_BACKUP_ELIGIBLE 2u
#define CREDENTIAL_USER_VERIFIED   4u /* When it was enrolled. */
struct credential_webauthn {
	struct text rp_id;
	struct reader origins; /* At the array. */
	const uint8_t *id, *key;
	size_t id_len, key_len;
	int64_t alg;
	unsigned flags;
};
int credential_webauthn_read(struct credential_webauthn *ret, const void *bytes, size_t len);

/*
 * What a browser made, to be enrolled: [rp id, [origin…], COSE algorithm, clientDataJSON, authenticatorData, format of
 * the attestation, its statement in CBOR or empty, name of the root that must have issued it or ""].
 */
struct credential_registration {
	struct text rp_id, format, root;
	struct reader origins;
	const uint8_t *origins_bytes, *client_data, *auth_data, *statement;
	size_t origins_len, client_data_len, auth_data_len, statement_len;
	int64_t alg;
};
int credential_registration_read(struct credential_registration *ret, const void *bytes, size_t len);

/* [1, 256 or 512 for the hash, digits, period in s, [[node id, sealed secret]…]] ascending by node. */
#define TOTP_CONTEXT_SIZE    16
#define TOTP_SECRET_SIZE_MIN 16 /* RFC 4226 4, R6. */
#define TOTP_SECRET_SIZE_MAX 64
#define TOTP_PLAIN_SIZE_MAX  (TOTP_CONTEXT_SIZE + TOTP_SECRET_SIZE_MAX)
#define TOTP_SEALED_SIZE_MAX (TOTP_PLAIN_SIZE_MAX + 48)
#define TOTP_NODES_MAX       GENESIS_NODES_MAX
#define TOTP_DIGITS_MAX      8
#define TOTP_FAILURES_MAX    100 /* In a row, then it is locked (NIST SP 800-63B 5.2.2). */
struct credential_totp {
	uint64_t algorithm, digits, period_s;
	struct reader sealed;
};
int credential_totp_read(struct credential_totp *ret, const void *bytes, size_t len);
/* "countersign/totp/v1\0" || origin || 0 || name: its hash is sealed with the secret. Returns its length. */
size_t totp_message(uint8_t ret[ANSWER_MESSAGE_SIZE_MAX], const char *origin, struct text name);

/* [issuer's name, sub] */
struct credential_oidc {
	struct text issuer, sub;
};
int credential_oidc_read(struct credential_oidc *ret, const void *bytes, size_t len);

/* [iss, aud, skew in ms, [[kid, alg, key]…]]; a key is 32 bytes (EdDSA), x and y (ES256), or e in 4 bytes and n
 * (RS256, PS256). */
#define ISSUER_KEYS_MAX 8
#define ISSUER_SKEW_MAX 300000
struct credential_issuer {
	struct text iss, aud;
	uint64_t skew_ms;
	struct reader keys;
};
struct issuer_key {
	struct text kid, alg;
	const uint8_t *key;
	size_t key_len;
};
int credential_issuer_read(struct credential_issuer *ret, const void *bytes, size_t len);
void issuer_key_read(struct reader *r, struct issuer_key *ret);
/*
 * Why signatures by this key prove nothing: an RSA exponent that is no exponent, a modulus that can be factored (ROCA,
 * CVE-2017-15361). NULL: nothing is known against it. For those who pin and those who verify; decide does not ask.
 */
const char *issuer_key_weakness(const struct issuer_key *k);
/* It has a key for PS256, of the feature `records`. */
bool credential_issuer_has_pss(const struct credential_issuer *i);

/* The shape of data that is to be enrolled; of WebAuthn a registration. */
bool credential_data_valid(unsigned kind, const void *bytes, size_t len);

/*
 * What a registration's challenge is the hash of: "countersign/register/v1\0" || origin || 0 || name || 0 || subject
 * type || 0 || subject id. Returns its length.
 */
#define REGISTER_MESSAGE_SIZE_MAX 640
size_t register_message(uint8_t ret[REGISTER_MESSAGE_SIZE_MAX], const char *origin, struct text name,
                        struct text subject_type, struct text subject_id);

/* --- orders --- */

/*
 * Who says so: an administrator's signature (command.h), or [request id bin16, request]: the asker's own request of
 * lately for just this, which was allowed after a step-up. Its subject is the credential's, its action
 * CREDENTIAL_ENROL_ACTION or CREDENTIAL_REVOKE_ACTION, its resource ["credential", name], and its context has as
 * "credential" the SHA-256, in hexadecimal, of the elements that an administrator would have signed.
 */
#define CREDENTIAL_ENROL_ACTION  "countersign:credential:enroll"
#define CREDENTIAL_REVOKE_ACTION "countersign:credential:revoke"
struct authority {
	bool by_admin;
	struct admin_signature admin;
	const uint8_t *request_id;
	const uint8_t *request;
	size_t request_len;
};

/* [name, kind, nil or [subject type, id], data bin, authority]; signed: name, kind, subject, SHA-256(data). */
struct credential_order {
	struct text name;
	unsigned kind;
	struct text subject_type, subject_id;
	const uint8_t *data;
	size_t data_len;
	struct authority authority;
	const struct hash *data_hash; /* Of no encoding: where data stand in for others (recall), theirs. NULL. */
};
#define CREDENTIAL_SIGNED_SIZE_MAX 1024
int credential_order_encode_signed(const struct credential_order *o, void *buf, size_t cap, size_t *ret_len);
int credential_order_encode(const struct credential_order *o, void *buf, size_t cap, size_t *ret_len);
int credential_order_decode(struct credential_order *ret, const void *bytes, size_t len);

/* [name, reason, authority]; signed: name, reason. */
struct credential_revocation {
	struct text name, reason;
	struct authority authority;
};
int credential_revocation_encode_signed(const struct credential_revocation *r, void *buf, size_t cap, size_t *ret_len);
int credential_revocation_encode(const struct credential_revocation *r, void *buf, size_t cap, size_t *ret_len);
int credential_revocation_decode(struct credential_revocation *ret, const void *bytes, size_t len);

#endif
