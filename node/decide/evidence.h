/* Evidence taken out of the state: a proof and all that is needed to verify it, on any thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_EVIDENCE_H
#define NODE_DECIDE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/command.h"
#include "node/decide/credential.h"

#define EVIDENCE_ACR_SIZE_MAX 64
#define EVIDENCE_WHY_SIZE_MAX 95

/* What came out. */
struct evidence_found {
	bool verified, has_once;
	unsigned level;         /* enum level (policy_form.h) that it reaches by itself. */
	uint64_t counter;       /* The authenticator's, or the time step. */
	uint8_t once[32];       /* has_once: the hash of what must never come again, */
	uint64_t once_until_ms; /* until then. */
	uint64_t auth_time_ms;  /* OIDC: when the person proved themselves to the issuer; 0: it does not say. */
	uint64_t at_ms;         /* When it was looked at: what expires is verified again as of then. */
	char acr[EVIDENCE_ACR_SIZE_MAX + 1];
	char why[EVIDENCE_WHY_SIZE_MAX + 1]; /* Not verified: why not. */
	size_t made_len;                     /* A registration: the credential that comes of it. */
	uint8_t made[CREDENTIAL_MADE_SIZE_MAX];
};

struct evidence {
	unsigned method; /* enum method (policy_form.h); 0: nothing that could be verified. */
	bool registers;  /* It enrols a credential (WebAuthn). */
	/* Which one, as of which entry: decide refuses if it has moved since. Issuer, or attestation's root: so too. */
	uint64_t credential, version, issuer_version;
	unsigned level;                             /* That the challenge asks for. */
	uint64_t now_ms;                            /* By the log. */
	uint64_t counter;                           /* The newest that was taken before. */
	uint8_t message[REGISTER_MESSAGE_SIZE_MAX]; /* What the proof must speak of. */
	size_t message_len;
	struct hash bound;   /* Its hash: WebAuthn's challenge, OIDC's nonce. */
	uint8_t key[32];     /* Ed25519. */
	bool has_key_before; /* And the key whose place it took, while both are good. */
	uint8_t key_before[32];
	size_t data_len, issuer_len, offered_len;
	uint8_t data[CREDENTIAL_DATA_SIZE_MAX], issuer[CREDENTIAL_DATA_SIZE_MAX];
	uint8_t offered[EVIDENCE_SIZE_MAX];
	struct evidence_found found;
};

/* Ed25519 (RFC 8032) by libsodium. */
void evidence_verify_ed25519(struct evidence *e);

#define EVIDENCE_FACTS_SIZE_MAX (CREDENTIAL_MADE_SIZE_MAX + 512)
/*
 * The facts of a command, from what came out. Of an answer by Ed25519, or that nothing could verify: [verified,
 * credential's id, version]; by another method the same and [level, counter, once or nil, until ms, auth time ms, acr,
 * looked at ms, why not, issuer's version]. Of a registration: [verified, root's version, counter, credential's data].
 */
int evidence_facts(const struct evidence *e, uint8_t *buf, size_t cap, size_t *ret_len);

/* The facts of an answer, or of a registration, read. */
struct evidence_facts {
	uint64_t credential, version, issuer_version;
	bool further; /* There is more than of Ed25519. */
	struct evidence_found found;
};
int evidence_facts_read(struct evidence_facts *ret, const void *bytes, size_t len);
int evidence_facts_read_registration(struct evidence_facts *ret, const void *bytes, size_t len);

#endif
