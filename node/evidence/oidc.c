/* OIDC ID tokens: OpenID Connect Core 1.0, 3.1.3.7, with keys that an administrator pinned; RFC 8725 throughout. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/credential.h"
#include "node/evidence/verify_internal.h"

#define EXP_MS_MAX UINT64_C(86400000) /* A token that is good for longer is none: its jti would be kept as long. */
#define TIME_S_MAX INT64_C(253402300799)

static bool is(const char *s, struct text t)
{
	return s != NULL && strlen(s) == t.len && memcmp(s, t.s, t.len) == 0;
}

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

	if (azp != NULL && !is(json_text(claims, "azp"), audience))
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
	const char *jti = json_text(claims, "jti");
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
	const char *acr = json_text(claims, "acr"), *nonce = json_text(claims, "nonce");
	char wanted[MESSAGE_TEXT_SIZE];
	uint64_t until_ms = 0;

	message_text(e, wanted);
	if (!is(json_text(claims, "iss"), i->iss))
		return evidence_fails(e, "oidc: the token is of another issuer");
	if (!audience_good(claims, i->aud))
		return evidence_fails(e, "oidc: the token is for another audience");
	if (!is(json_text(claims, "sub"), sub))
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
	json_t *claims = NULL;
	struct jws t = {0};

	if (credential_oidc_read(&o, e->data, e->data_len) != 0 ||
	    credential_issuer_read(&i, e->issuer, e->issuer_len) != 0)
		evidence_fails(e, "oidc: the issuer is not enrolled");
	else if (!jws_read(&t, e->offered, e->offered_len) ||
	         (claims = json_object_read(t.payload, t.payload_len, EVIDENCE_SIZE_MAX)) == NULL)
		evidence_fails(e, "oidc: the token is malformed");
	else if (jws_verifies(e, &t, &i) && claims_good(e, claims, &i, o.sub)) {
		e->found.level = 1; /* What its acr is worth, the policy says. */
		e->found.verified = true;
	}
	json_decref(claims);
	jws_free(&t);
}
