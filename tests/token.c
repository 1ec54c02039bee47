/* What a person proves themselves with, in software. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/token.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/hash.h"
#include "node/decide/credential.h"

#define CREDENTIAL_ID "cred"
#define AUTH_SIZE     37 /* Of authenticatorData without a key: W3C Web Authentication 6.1. */

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static size_t end(const struct writer *w)
{
	size_t len = 0;
	int err = writer_end(w, &len);

	assert(!err);
	return len;
}

/* --- codes --- */

size_t token_totp_data(uint8_t *buf, const char *origin, const char *name, const uint8_t secret[TOKEN_SECRET_SIZE],
                       unsigned period_s, const struct token_node *nodes, unsigned n)
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], plain[TOTP_CONTEXT_SIZE + TOKEN_SECRET_SIZE],
	        sealed[sizeof(plain) + crypto_box_SEALBYTES];
	struct writer w;

	crypto_generichash(plain, TOTP_CONTEXT_SIZE, message, totp_message(message, origin, text(name)), NULL, 0);
	memcpy(plain + TOTP_CONTEXT_SIZE, secret, TOKEN_SECRET_SIZE);
	writer_init(&w, buf, CREDENTIAL_DATA_SIZE_MAX);
	writer_array(&w, 4);
	writer_uint(&w, 1);
	writer_uint(&w, 6);
	writer_uint(&w, period_s);
	writer_array(&w, n);
	for (unsigned i = 0; i < n; i++) {
		crypto_box_seal(sealed, plain, sizeof(plain), nodes[i].channel_pub);
		writer_array(&w, 2);
		writer_uint(&w, nodes[i].id);
		writer_bin(&w, sealed, sizeof(sealed));
	}
	return end(&w);
}

/* --- ID tokens --- */

size_t token_issuer_data(uint8_t *buf, const uint8_t pub[32])
{
	struct writer w;

	writer_init(&w, buf, CREDENTIAL_DATA_SIZE_MAX);
	writer_array(&w, 4);
	writer_cstr(&w, TOKEN_ISSUER);
	writer_cstr(&w, TOKEN_AUDIENCE);
	writer_uint(&w, 30000);
	writer_array(&w, 1);
	writer_array(&w, 3);
	writer_cstr(&w, "d1");
	writer_cstr(&w, "EdDSA");
	writer_bin(&w, pub, 32);
	return end(&w);
}

size_t token_oidc_data(uint8_t *buf, const char *issuer, const char *sub)
{
	struct writer w;

	writer_init(&w, buf, CREDENTIAL_DATA_SIZE_MAX);
	writer_array(&w, 2);
	writer_cstr(&w, issuer);
	writer_cstr(&w, sub);
	return end(&w);
}

static size_t base64(char *ret, size_t cap, const void *bytes, size_t len)
{
	sodium_bin2base64(ret, cap, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return strlen(ret);
}

size_t token_id_token(char *buf, const char *sub, uint64_t now_s, const char *more, const uint8_t *message, size_t len,
                      const uint8_t sk[64])
{
	static const char header[] = "{\"alg\":\"EdDSA\",\"kid\":\"d1\"}";
	char claims[1024], nonce[64];
	uint8_t sig[64];
	struct hash h;

	hash_bytes(&h, message, len);
	base64(nonce, sizeof(nonce), h.b, HASH_SIZE);
	int n = snprintf(claims, sizeof(claims),
	                 "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE
	                 "\",\"sub\":\"%s\",\"exp\":%llu,\"iat\":%llu,\"nonce\":\"%s\"%s}",
	                 sub, (unsigned long long)now_s + 60, (unsigned long long)now_s, nonce, more);
	assert(n > 0 && (size_t)n < sizeof(claims));
	size_t at = base64(buf, EVIDENCE_SIZE_MAX, header, strlen(header));
	buf[at++] = '.';
	at += base64(buf + at, EVIDENCE_SIZE_MAX - at, claims, (size_t)n);
	crypto_sign_detached(sig, NULL, (const uint8_t *)buf, at, sk);
	buf[at++] = '.';
	return at + base64(buf + at, EVIDENCE_SIZE_MAX - at, sig, sizeof(sig));
}

/* --- a security key --- */

/* The JSON; the challenge is the hash of the message. */
static size_t client_data(char *ret, size_t cap, const char *type, const uint8_t *message, size_t len)
{
	char challenge[64];
	struct hash h;

	hash_bytes(&h, message, len);
	base64(challenge, sizeof(challenge), h.b, HASH_SIZE);
	int n = snprintf(ret, cap, "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"" TOKEN_WEB "\"}", type,
	                 challenge);
	assert(n > 0 && (size_t)n < cap);
	return (size_t)n;
}

static void auth_data(uint8_t ret[AUTH_SIZE], uint8_t flags, uint32_t counter)
{
	struct hash h;

	hash_bytes(&h, TOKEN_RP, strlen(TOKEN_RP));
	memcpy(ret, h.b, HASH_SIZE);
	ret[HASH_SIZE] = flags;
	put_u32be(ret + HASH_SIZE + 1, counter);
}

size_t token_webauthn_data(uint8_t *buf, const char *origin, const char *name, const char *subject,
                           const uint8_t pub[32])
{
	/* No maker, the length of the credential's id, that; then the key in COSE. */
	static const uint8_t maker[16] = {0}, id[] = {0, 4, 'c', 'r', 'e', 'd'},
	                     cose[] = {0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20};
	uint8_t auth[AUTH_SIZE + sizeof(maker) + sizeof(id) + sizeof(cose) + 32], *at = auth + AUTH_SIZE,
	                                                                          message[REGISTER_MESSAGE_SIZE_MAX];
	char json[512];
	struct writer w;

	auth_data(auth, 0x45, 1);
	at = (uint8_t *)memcpy(at, maker, sizeof(maker)) + sizeof(maker);
	at = (uint8_t *)memcpy(at, id, sizeof(id)) + sizeof(id);
	at = (uint8_t *)memcpy(at, cose, sizeof(cose)) + sizeof(cose);
	memcpy(at, pub, 32);
	size_t len = client_data(json, sizeof(json), "webauthn.create", message,
	                         register_message(message, origin, text(name), text("user"), text(subject)));
	writer_init(&w, buf, CREDENTIAL_DATA_SIZE_MAX);
	writer_array(&w, 8);
	writer_cstr(&w, TOKEN_RP);
	writer_array(&w, 1);
	writer_cstr(&w, TOKEN_WEB);
	writer_int(&w, -8);
	writer_bin(&w, json, len);
	writer_bin(&w, auth, sizeof(auth));
	writer_cstr(&w, "none");
	writer_bin(&w, "\xa0", 1);
	writer_cstr(&w, "");
	return end(&w);
}

size_t token_assertion(uint8_t *buf, uint8_t flags, uint32_t counter, const uint8_t *message, size_t len,
                       const uint8_t sk[64])
{
	uint8_t both[AUTH_SIZE + HASH_SIZE], sig[64];
	char json[512];
	struct writer w;
	struct hash h;
	size_t json_len = client_data(json, sizeof(json), "webauthn.get", message, len);

	auth_data(both, flags, counter);
	hash_bytes(&h, json, json_len);
	memcpy(both + AUTH_SIZE, h.b, HASH_SIZE);
	crypto_sign_detached(sig, NULL, both, sizeof(both), sk);
	writer_init(&w, buf, EVIDENCE_SIZE_MAX);
	writer_array(&w, 4);
	writer_bin(&w, CREDENTIAL_ID, strlen(CREDENTIAL_ID));
	writer_bin(&w, both, AUTH_SIZE);
	writer_bin(&w, json, json_len);
	writer_bin(&w, sig, sizeof(sig));
	return end(&w);
}
