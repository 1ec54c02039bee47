/* JSON Web Signatures in compact form: RFC 7515 with RFC 8725's care, by keys that an administrator pinned. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "node/evidence/verify_internal.h"

#define HEADER_SIZE_MAX 1024

/* Strict: no padding, no other alphabet, no bits left over (RFC 7515 2). */
static bool part_bytes(const char *s, size_t len, uint8_t *ret, size_t cap, size_t *ret_len)
{
	return sodium_base642bin(ret, cap, s, len, NULL, ret_len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

bool jws_read(struct jws *ret, const void *bytes, size_t len)
{
	uint8_t header[HEADER_SIZE_MAX];
	size_t header_len;

	memset(ret, 0, sizeof(*ret));
	if (len > EVIDENCE_SIZE_MAX)
		return false;
	memcpy(ret->text, bytes, len);
	/* Exactly three parts. */
	const char *first = strchr(ret->text, '.'), *second = first != NULL ? strchr(first + 1, '.') : NULL;
	if (strlen(ret->text) != len || second == NULL || strchr(second + 1, '.') != NULL)
		return false;
	ret->signed_len = (size_t)(second - ret->text);
	if (!part_bytes(ret->text, (size_t)(first - ret->text), header, sizeof(header), &header_len) ||
	    !part_bytes(first + 1, (size_t)(second - first - 1), ret->payload, sizeof(ret->payload),
	                &ret->payload_len) ||
	    !part_bytes(second + 1, strlen(second + 1), ret->signature, sizeof(ret->signature), &ret->signature_len))
		return false;
	ret->header = json_object_read(header, header_len, HEADER_SIZE_MAX);
	return ret->header != NULL;
}

void jws_free(struct jws *t)
{
	json_decref(t->header);
	t->header = NULL;
}

static bool is(const char *s, struct text t)
{
	return s != NULL && strlen(s) == t.len && memcmp(s, t.s, t.len) == 0;
}

/* The one pinned key that fits; more than one, or none: false. A token without kid fits all of its algorithm. */
static bool key_find(const struct credential_issuer *i, const char *kid, const char *alg, struct issuer_key *ret)
{
	struct reader r = i->keys;
	unsigned found = 0;
	uint32_t n = 0;

	reader_array(&r, ISSUER_KEYS_MAX, &n);
	for (uint32_t k = 0; k < n && r.err == 0; k++) {
		struct issuer_key key;
		issuer_key_read(&r, &key);
		if (r.err != 0 || !is(alg, key.alg) || (kid != NULL && !is(kid, key.kid)))
			continue;
		*ret = key;
		found++;
	}
	return r.err == 0 && found == 1;
}

bool jws_verifies(struct evidence *e, const struct jws *t, const struct credential_issuer *i)
{
	const char *alg = json_text(t->header, "alg"), *kid = json_text(t->header, "kid"),
	           *typ = json_text(t->header, "typ");
	struct issuer_key k = {0};

	/* The list first: no HS, no none ever comes to a key (RFC 8725 3.1). */
	if (alg == NULL || (strcmp(alg, "RS256") != 0 && strcmp(alg, "PS256") != 0 && strcmp(alg, "ES256") != 0 &&
	                    strcmp(alg, "EdDSA") != 0))
		return evidence_fails(e, "oidc: the algorithm is none of RS256, PS256, ES256 and EdDSA");
	if (json_object_get(t->header, "crit") != NULL)
		return evidence_fails(e, "oidc: the header has critical members that are not known");
	/* Tokens of other sorts, signed by the same keys, say so here (RFC 8725 3.11). */
	if (json_object_get(t->header, "typ") != NULL && (typ == NULL || strcasecmp(typ, "JWT") != 0))
		return evidence_fails(e, "oidc: the header's typ is not JWT");
	if (json_object_get(t->header, "kid") != NULL && kid == NULL)
		return evidence_fails(e, "oidc: the header's kid is no text");
	if (!key_find(i, kid, alg, &k))
		return evidence_fails(e, "oidc: no pinned key of the issuer has this kid and algorithm");
	return issuer_key_verifies(&k, t->text, t->signed_len, t->signature, t->signature_len)
	               ? true
	               : evidence_fails(e, "oidc: the signature does not verify");
}
