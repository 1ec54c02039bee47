/* What is enrolled, by kind: a browser's registration, a sealed secret, an issuer's keys, a certificate. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/cbor.h"
#include "client/client_internal.h"
#include "client/credential_internal.h"
#include "ledger/errors.h"
#include "node/decide/credential.h"

static struct text text_of(const char *s, size_t len_max)
{
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, len_max + 1)};
}

/* The end of each: what nodes would refuse is refused here. */
static int finish(unsigned kind, struct writer *w, const char *what, size_t *ret_len)
{
	size_t len = 0;
	int err = writer_end(w, &len);

	if (err == CS_OK && !credential_data_valid(kind, w->base, len))
		err = CS_ERR_INVALID;
	if (err < 0)
		last_error_set("%s: %s", what, err_text(err));
	else
		*ret_len = len;
	return err;
}

int cs_register_challenge(const char *origin, const char *name, const char *subject_type, const char *subject_id,
                          char ret[44])
{
	uint8_t message[REGISTER_MESSAGE_SIZE_MAX];
	struct text n = text_of(name, PRINCIPAL_NAME_SIZE_MAX), t = text_of(subject_type, SUBJECT_TYPE_SIZE_MAX),
	            i = text_of(subject_id, REQUEST_STR_SIZE_MAX);
	struct hash h;

	if (n.len > PRINCIPAL_NAME_SIZE_MAX || t.len > SUBJECT_TYPE_SIZE_MAX || i.len > REQUEST_STR_SIZE_MAX ||
	    strnlen(origin, LIMIT_ORIGIN_SIZE_MAX + 1) > LIMIT_ORIGIN_SIZE_MAX) {
		last_error_set("origin, name or subject is too long");
		return CS_E_INVALID;
	}
	hash_bytes(&h, message, register_message(message, origin, n, t, i));
	sodium_bin2base64(ret, 44, h.b, HASH_SIZE, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return CS_OK;
}

/* --- WebAuthn --- */

struct registration {
	uint8_t client_data[CREDENTIAL_DATA_SIZE_MAX], object[CREDENTIAL_DATA_SIZE_MAX];
	size_t client_data_len, object_len;
	struct attestation_object o;
	int64_t alg;
};

static int registration_read(struct registration *ret, const char *json)
{
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	const json_t *response = json_object_get(o, "response");
	int err = CS_OK;

	if (!json_base64url(response, "clientDataJSON", ret->client_data, sizeof(ret->client_data),
	                    &ret->client_data_len) ||
	    !json_base64url(response, "attestationObject", ret->object, sizeof(ret->object), &ret->object_len)) {
		last_error_set("the registration has no response.clientDataJSON or response.attestationObject in "
		               "base64url, of at most %d bytes",
		               CREDENTIAL_DATA_SIZE_MAX);
		err = CS_E_INVALID;
	} else if (!attestation_object_read(&ret->o, ret->object, ret->object_len) ||
	           !auth_data_algorithm(ret->o.auth_data, ret->o.auth_data_len, &ret->alg)) {
		last_error_set("the registration's attestationObject is malformed");
		err = CS_E_INVALID;
	}
	json_decref(o);
	return err;
}

int cs_credential_webauthn(const char *registration_json, const char *rp_id, const char *const *origins,
                           size_t n_origins, const char *root, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct registration *g = malloc(sizeof(*g));
	struct writer w;

	int err = g == NULL ? CS_ERR_NOMEM : registration_read(g, registration_json);
	if (err == CS_OK) {
		writer_init(&w, buf, cap);
		writer_array(&w, 8);
		writer_cstr(&w, rp_id);
		writer_array(&w, (uint32_t)n_origins);
		for (size_t i = 0; i < n_origins; i++)
			writer_cstr(&w, origins[i]);
		writer_int(&w, g->alg);
		writer_bin(&w, g->client_data, g->client_data_len);
		writer_bin(&w, g->o.auth_data, g->o.auth_data_len);
		writer_str(&w, g->o.format, g->o.format_len);
		/* The statement of the format `none` is an empty map: there is nothing in it. */
		writer_bin(&w, g->o.statement, g->o.statement_len);
		writer_cstr(&w, root == NULL ? "" : root);
		err = finish(CREDENTIAL_WEBAUTHN, &w, "the registration", ret_len);
	}
	free(g);
	return err;
}

/* --- TOTP --- */

static int roster_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                          char *text)
{
	struct members_reply *m = malloc(sizeof(*m));

	(void)call;
	(void)text;
	int err = m == NULL ? CS_ERR_NOMEM : members_reply_read(m, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err < 0)
		free(m);
	else
		*ret_result = m;
	return err;
}

static int fetch_members(cs_client *client, struct members_reply **ret)
{
	struct call *call;
	struct writer w;
	void *result;

	int err = call_new(client, WIRE_MEMBERS, 16, &call);
	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 1);
	writer_uint(&w, 0);
	err = call_wait(call, w.len, roster_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = ((const struct roster_node *)a)->id, y = ((const struct roster_node *)b)->id;

	return x < y ? -1 : x > y;
}

static int seal_to_each(const char *origin, struct roster *members, const char *name, const uint8_t *secret,
                        size_t size, struct writer *w)
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], plain[TOTP_PLAIN_SIZE_MAX], sealed[TOTP_SEALED_SIZE_MAX];
	size_t len = totp_message(message, origin, text_of(name, PRINCIPAL_NAME_SIZE_MAX));
	int err = CS_OK;

	crypto_generichash(plain, TOTP_CONTEXT_SIZE, message, len, NULL, 0);
	memcpy(plain + TOTP_CONTEXT_SIZE, secret, size);
	qsort(members->nodes, members->n, sizeof(members->nodes[0]), compare_ids);
	writer_array(w, members->n);
	for (unsigned i = 0; i < members->n && err == CS_OK; i++) {
		if (crypto_box_seal(sealed, plain, TOTP_CONTEXT_SIZE + size, members->nodes[i].channel_pub) != 0)
			err = CS_ERR_INVALID;
		writer_array(w, 2);
		writer_uint(w, members->nodes[i].id);
		writer_bin(w, sealed, TOTP_CONTEXT_SIZE + size + crypto_box_SEALBYTES);
	}
	sodium_memzero(plain, sizeof(plain));
	return err;
}

int cs_credential_totp(cs_client *client, const char *name, const uint8_t *secret, size_t size,
                       const struct cs_totp *parameters, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct members_reply *m = NULL;
	struct writer w;

	if (size < TOTP_SECRET_SIZE_MIN || size > TOTP_SECRET_SIZE_MAX ||
	    text_of(name, PRINCIPAL_NAME_SIZE_MAX).len > PRINCIPAL_NAME_SIZE_MAX) {
		last_error_set("a secret has %d to %d bytes, a name up to %d", TOTP_SECRET_SIZE_MIN,
		               TOTP_SECRET_SIZE_MAX, PRINCIPAL_NAME_SIZE_MAX);
		return CS_E_INVALID;
	}
	int err = fetch_members(client, &m);
	if (err < 0)
		return err;
	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_uint(&w, parameters->algorithm);
	writer_uint(&w, parameters->digits);
	writer_uint(&w, parameters->period_s);
	err = seal_to_each(client->cluster.origin, &m->roster, name, secret, size, &w);
	free(m);
	return err < 0 ? err : finish(CREDENTIAL_TOTP, &w, "the secret", ret_len);
}

/* --- OIDC --- */

int cs_credential_oidc(const char *issuer, const char *sub, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	writer_cstr(&w, issuer);
	writer_cstr(&w, sub);
	return finish(CREDENTIAL_OIDC, &w, "issuer and subject", ret_len);
}

static const char *member_text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL ? "" : s;
}

/* RFC 7517 4.2 and 4.3: what a key says that it is for. */
static bool jwk_is_to_verify(const json_t *jwk)
{
	const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
	bool found = ops == NULL;
	size_t i;

	json_array_foreach(ops, i, op) found |= json_is_string(op) && strcmp(json_string_value(op), "verify") == 0;
	return found && (use == NULL || strcmp(member_text(jwk, "use"), "sig") == 0);
}

/* RFC 7517 4.4: none named, or this one. */
static bool jwk_alg_is(const json_t *jwk, const char *alg)
{
	return json_object_get(jwk, "alg") == NULL || strcmp(member_text(jwk, "alg"), alg) == 0;
}

/* A key of a JWK Set (RFC 7517, RFC 7518 6, RFC 8037), if it is one that signs by an algorithm of the list. */
static const char *jwk_read(const json_t *jwk, uint8_t key[CREDENTIAL_KEY_SIZE_MAX], size_t *ret_len)
{
	const char *kty = member_text(jwk, "kty"), *crv = member_text(jwk, "crv");
	size_t a = 0, b = 0;

	if (!jwk_is_to_verify(jwk))
		return NULL;
	if (strcmp(kty, "OKP") == 0 && strcmp(crv, "Ed25519") == 0 && jwk_alg_is(jwk, "EdDSA") &&
	    json_base64url(jwk, "x", key, 32, ret_len))
		return "EdDSA";
	if (strcmp(kty, "EC") == 0 && strcmp(crv, "P-256") == 0 && jwk_alg_is(jwk, "ES256") &&
	    json_base64url(jwk, "x", key, 32, &a) && a == 32 && json_base64url(jwk, "y", key + 32, 32, &b) && b == 32) {
		*ret_len = 64;
		return "ES256";
	}
	/* One algorithm a key (RFC 8725 3.1); of those that name none the one that every issuer has. */
	if (strcmp(kty, "RSA") == 0 && (jwk_alg_is(jwk, "RS256") || jwk_alg_is(jwk, "PS256"))) {
		uint8_t e[4];
		if (!json_base64url(jwk, "e", e, sizeof(e), &a) ||
		    !json_base64url(jwk, "n", key + 4, CREDENTIAL_KEY_SIZE_MAX - 4, &b))
			return NULL;
		memset(key, 0, 4);
		memcpy(key + 4 - a, e, a);
		*ret_len = 4 + b;
		return jwk_alg_is(jwk, "RS256") ? "RS256" : "PS256";
	}
	return NULL;
}

static void write_keys(struct writer *w, const json_t *keys)
{
	uint8_t key[CREDENTIAL_KEY_SIZE_MAX];
	const json_t *jwk;
	uint32_t n = 0;
	size_t i, len;

	json_array_foreach(keys, i, jwk) n += jwk_read(jwk, key, &len) != NULL;
	writer_array(w, n);
	json_array_foreach(keys, i, jwk)
	{
		const char *alg = jwk_read(jwk, key, &len);
		if (alg == NULL)
			continue;
		writer_array(w, 3);
		writer_cstr(w, member_text(jwk, "kid"));
		writer_cstr(w, alg);
		writer_bin(w, key, len);
	}
}

/* Nodes would take no signature by such a key: who pins it is told now. */
static int check_strength(const uint8_t *data, size_t len)
{
	struct credential_issuer i;
	uint32_t n = 0;

	if (credential_issuer_read(&i, data, len) != 0)
		return CS_E_INVALID; /* It was just made. */
	reader_array(&i.keys, ISSUER_KEYS_MAX, &n);
	for (uint32_t k = 0; k < n; k++) {
		struct issuer_key key;
		issuer_key_read(&i.keys, &key);
		const char *why = issuer_key_weakness(&key);
		if (why == NULL)
			continue;
		last_error_set("the issuer's key \"%.*s\": %s", (int)key.kid.len, key.kid.s, why);
		return CS_E_INVALID;
	}
	return CS_OK;
}

int cs_credential_issuer(const char *iss, const char *aud, unsigned skew_ms, const char *jwks_json, uint8_t *buf,
                         size_t cap, size_t *ret_len)
{
	json_t *o = json_loads(jwks_json, JSON_REJECT_DUPLICATES, NULL);
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_cstr(&w, iss);
	writer_cstr(&w, aud);
	writer_uint(&w, skew_ms);
	write_keys(&w, json_object_get(o, "keys"));
	json_decref(o);
	int err = finish(CREDENTIAL_ISSUER, &w, "the issuer (1 to 8 keys for RS256, PS256, ES256 or EdDSA are wanted)",
	                 ret_len);
	return err < 0 ? err : check_strength(buf, *ret_len);
}

int cs_credential_root(const void *der, size_t size, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 1);
	writer_bin(&w, der, size);
	return finish(CREDENTIAL_ROOT, &w, "the certificate", ret_len);
}
