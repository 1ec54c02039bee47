/* OIDC ID tokens: OpenID Connect Core 1.0, 3.1.3.7, with keys that an administrator pinned; RFC 8725 throughout. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jwt.h>
#include <sodium.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/credential.h"
#include "node/evidence/verify_internal.h"

#define HEADER_SIZE_MAX 1024
#define EXP_MS_MAX      UINT64_C(86400000) /* A token that is good for longer is none: its jti would be kept as long. */
#define TIME_S_MAX      INT64_C(253402300799)

struct token {
	char text[EVIDENCE_SIZE_MAX + 1];
	size_t signed_len; /* Of header and payload with the dot between. */
	json_t *header, *claims;
	uint8_t signature[512];
	size_t signature_len;
};

static json_t *part_read(const char *s, size_t len, size_t len_max)
{
	uint8_t bytes[EVIDENCE_SIZE_MAX];
	size_t n;

	/* Strict: no padding, no other alphabet, no bits left over (RFC 7515 2). */
	if (sodium_base642bin(bytes, sizeof(bytes), s, len, NULL, &n, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) !=
	    0)
		return NULL;
	return json_object_read(bytes, n, len_max);
}

/* Exactly three parts. */
static bool token_read(struct token *t, const struct evidence *e)
{
	memcpy(t->text, e->offered, e->offered_len);
	t->text[e->offered_len] = 0;
	const char *first = strchr(t->text, '.'), *second = first != NULL ? strchr(first + 1, '.') : NULL;
	if (strlen(t->text) != e->offered_len || second == NULL || strchr(second + 1, '.') != NULL)
		return false;
	t->signed_len = (size_t)(second - t->text);
	t->header = part_read(t->text, (size_t)(first - t->text), HEADER_SIZE_MAX);
	t->claims = part_read(first + 1, (size_t)(second - first - 1), EVIDENCE_SIZE_MAX);
	return t->header != NULL && t->claims != NULL &&
	       sodium_base642bin(t->signature, sizeof(t->signature), second + 1, strlen(second + 1), NULL,
	                         &t->signature_len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

static const char *text_of(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) ? json_string_value(v) : NULL;
}

static bool is(const char *s, struct text t)
{
	return s != NULL && strlen(s) == t.len && memcmp(s, t.s, t.len) == 0;
}

/* --- signature --- */

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

/*
 * libjwt takes the algorithm from the token: here it was one of two, and a public key in PEM that fits it, before the
 * token comes to the library; no HS, no none ever gets so far (RFC 8725 3.1).
 */
static bool jwt_verifies(const struct token *t, const struct issuer_key *k, bool rsa)
{
	char pem[PEM_SIZE_MAX];
	size_t len = rsa ? pem_of_rs256(pem, k->key, k->key_len) : pem_of_es256(pem, k->key, k->key_len);
	jwt_t *jwt = NULL;

	if (len == 0)
		return false;
	bool good = jwt_decode(&jwt, t->text, (const unsigned char *)pem, (int)len) == 0 &&
	            jwt_get_alg(jwt) == (rsa ? JWT_ALG_RS256 : JWT_ALG_ES256);
	jwt_free(jwt);
	return good;
}

static bool signature_good(struct evidence *e, const struct token *t, const struct credential_issuer *i)
{
	const char *alg = text_of(t->header, "alg"), *kid = text_of(t->header, "kid");
	struct issuer_key k = {0};

	if (alg == NULL || (strcmp(alg, "RS256") != 0 && strcmp(alg, "ES256") != 0 && strcmp(alg, "EdDSA") != 0))
		return evidence_fails(e, "oidc: the algorithm is none of RS256, ES256 and EdDSA");
	if (json_object_get(t->header, "crit") != NULL)
		return evidence_fails(e, "oidc: the header has critical members that are not known");
	if (json_object_get(t->header, "kid") != NULL && kid == NULL)
		return evidence_fails(e, "oidc: the header's kid is no text");
	if (!key_find(i, kid, alg, &k))
		return evidence_fails(e, "oidc: no pinned key of the issuer has this kid and algorithm");
	bool good = strcmp(alg, "EdDSA") != 0
	                    ? jwt_verifies(t, &k, strcmp(alg, "RS256") == 0)
	                    : k.key_len == crypto_sign_PUBLICKEYBYTES && t->signature_len == crypto_sign_BYTES &&
	                              crypto_sign_verify_detached(t->signature, (const uint8_t *)t->text, t->signed_len,
	                                                          k.key) == 0;
	return good ? true : evidence_fails(e, "oidc: the signature does not verify");
}

/* --- claims --- */

/* POSIX seconds, an integer; absent is 0. */
static bool time_of(const json_t *claims, const char *name, bool required, uint64_t *ret_ms)
{
	const json_t *v = json_object_get(claims, name);
	json_int_t s = json_is_integer(v) ? json_integer_value(v) : -1;

	*ret_ms = 0;
	if (v == NULL)
		return !required;
	if (s < 0 || s > TIME_S_MAX)
		return false;
	*ret_ms = (uint64_t)s * 1000;
	return true;
}

static bool audience_good(const json_t *claims, struct text audience)
{
	const json_t *aud = json_object_get(claims, "aud"), *azp = json_object_get(claims, "azp"), *one;
	bool found = false;
	size_t k;

	if (azp != NULL && !is(text_of(claims, "azp"), audience))
		return false;
	if (json_is_string(aud))
		return is(json_string_value(aud), audience);
	json_array_foreach(aud, k, one) found |= json_is_string(one) && is(json_string_value(one), audience);
	/* 3.1.3.7 steps 4 and 5: with several audiences azp says for whom it is. */
	return found && (json_array_size(aud) == 1 || azp != NULL);
}

static bool times_good(struct evidence *e, const json_t *claims, const struct credential_issuer *i, uint64_t *ret_exp)
{
	uint64_t skew = i->skew_ms, exp, nbf, iat;

	if (!time_of(claims, "exp", true, &exp) || !time_of(claims, "nbf", false, &nbf) ||
	    !time_of(claims, "iat", true, &iat) || !time_of(claims, "auth_time", false, &e->found.auth_time_ms))
		return evidence_fails(e, "oidc: exp, nbf, iat or auth_time is missing or no time");
	if (e->now_ms >= exp + skew)
		return evidence_fails(e, "oidc: the token has expired");
	if (exp > e->now_ms + EXP_MS_MAX)
		return evidence_fails(e, "oidc: the token is good for more than a day");
	if (nbf > e->now_ms + skew || iat > e->now_ms + skew || e->found.auth_time_ms > e->now_ms + skew)
		return evidence_fails(e, "oidc: the token is of the future");
	*ret_exp = exp + skew;
	return true;
}

static bool once(struct evidence *e, const json_t *claims, struct text issuer, uint64_t until_ms)
{
	const char *jti = text_of(claims, "jti");
	struct hasher h;
	struct hash once;

	if (jti == NULL)
		return json_object_get(claims, "jti") == NULL ? true : evidence_fails(e, "oidc: jti is no text");
	hasher_init(&h);
	hasher_update(&h, issuer.s, issuer.len);
	hasher_update(&h, "", 1);
	hasher_update(&h, jti, strlen(jti));
	hasher_final(&h, &once);
	memcpy(e->found.once, once.b, sizeof(e->found.once));
	e->found.has_once = true;
	e->found.once_until_ms = until_ms;
	return true;
}

static bool claims_good(struct evidence *e, const json_t *claims, const struct credential_issuer *i, struct text sub)
{
	const char *acr = text_of(claims, "acr"), *nonce = text_of(claims, "nonce");
	char wanted[MESSAGE_TEXT_SIZE];
	uint64_t until_ms = 0;

	message_text(e, wanted);
	if (!is(text_of(claims, "iss"), i->iss))
		return evidence_fails(e, "oidc: the token is of another issuer");
	if (!audience_good(claims, i->aud))
		return evidence_fails(e, "oidc: the token is for another audience");
	if (!is(text_of(claims, "sub"), sub))
		return evidence_fails(e, "oidc: the token is of another subject");
	if (nonce == NULL || strcmp(nonce, wanted) != 0)
		return evidence_fails(e, "oidc: the nonce is not this challenge's");
	if (!times_good(e, claims, i, &until_ms) || !once(e, claims, i->iss, until_ms))
		return false;
	if (acr != NULL && strlen(acr) < sizeof(e->found.acr))
		strcpy(e->found.acr, acr);
	return true;
}

void verify_oidc(struct evidence *e)
{
	struct credential_oidc o;
	struct credential_issuer i;
	struct token t = {0};

	if (credential_oidc_read(&o, e->data, e->data_len) != 0 ||
	    credential_issuer_read(&i, e->issuer, e->issuer_len) != 0)
		evidence_fails(e, "oidc: the issuer is not enrolled");
	else if (!token_read(&t, e))
		evidence_fails(e, "oidc: the token is malformed");
	else if (signature_good(e, &t, &i) && claims_good(e, t.claims, &i, o.sub)) {
		e->found.level = 1; /* What its acr is worth, the policy says. */
		e->found.verified = true;
	}
	json_decref(t.header);
	json_decref(t.claims);
}
