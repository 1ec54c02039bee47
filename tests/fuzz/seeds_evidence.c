/* Fuzzing: seeds of evidence that is good, so that its parts are worth changing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client/cbor.h"
#include "ledger/bytes.h"
#include "ledger/hash.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_evidence.h"
#include "tests/fuzz/seeds.h"
#include "tests/webauthn_vectors.h"

static uint8_t buf[8192];

static size_t of_hex(const char *hex, uint8_t *ret, size_t cap)
{
	size_t len;

	FUZZ_DEMAND(sodium_hex2bin(ret, cap, hex, strlen(hex), NULL, &len, NULL) == 0);
	return len;
}

static void seed_registration(const struct vector *v)
{
	static uint8_t object[4096], client[2048];
	size_t n = of_hex(v->attestation_object, object, sizeof object),
	       c = of_hex(v->create_client_data, client, sizeof client);
	struct attestation_object o;
	struct writer w;
	int64_t alg;

	seed("attestation", v->name, object, n);
	FUZZ_DEMAND(attestation_object_read(&o, object, n) && auth_data_algorithm(o.auth_data, o.auth_data_len, &alg));
	writer_init(&w, buf, sizeof buf);
	writer_array(&w, 8);
	writer_cstr(&w, "example.org");
	writer_array(&w, 1);
	writer_cstr(&w, "https://example.org");
	writer_int(&w, alg);
	writer_bin(&w, client, c);
	writer_bin(&w, o.auth_data, o.auth_data_len);
	writer_str(&w, o.format, o.format_len);
	writer_bin(&w, o.statement, o.statement_len);
	writer_cstr(&w, "");
	seed("registration", v->name, buf, w.len);
}

static void challenge_of(char ret[64])
{
	uint8_t bound[32];

	memset(bound, 7, sizeof bound);
	sodium_bin2base64(ret, 64, bound, 32, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void seed_assertion(void)
{
	uint8_t key_seed[32] = {9}, pub[32], sk[64], auth[37 + 32], sig[64];
	char challenge[64], client[256];
	struct writer w;
	struct hash h;

	crypto_sign_seed_keypair(pub, sk, key_seed);
	challenge_of(challenge);
	snprintf(client, sizeof client,
	         "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":\"https://"
	         "example.org\",\"crossOrigin\":false}",
	         challenge);
	hash_bytes(&h, "example.org", 11);
	memcpy(auth, h.b, 32);
	auth[32] = 5;
	put_u32be(auth + 33, 7);
	hash_bytes(&h, client, strlen(client));
	memcpy(auth + 37, h.b, 32);
	crypto_sign_detached(sig, NULL, auth, sizeof auth, sk);
	writer_init(&w, buf, sizeof buf);
	writer_array(&w, 4);
	writer_bin(&w, "cred", 4);
	writer_bin(&w, auth, 37);
	writer_bin(&w, client, strlen(client));
	writer_bin(&w, sig, 64);
	seed("assertion", "good", buf, w.len);
}

static void seed_token(const char *name, const char *header)
{
	uint8_t key_seed[32] = {9}, pub[32], sk[64], sig[64];
	char nonce[64], claims[512], *text = (char *)buf;
	const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	size_t n;

	crypto_sign_seed_keypair(pub, sk, key_seed);
	challenge_of(nonce);
	snprintf(claims, sizeof claims,
	         "{\"iss\":\"https://idp.example\",\"aud\":[\"countersign\"],\"sub\":\"ada-sub\",\"exp\":1800000060,"
	         "\"iat\":1799999990,\"nonce\":\"%s\",\"acr\":\"aal2\",\"auth_time\":1799999990,\"jti\":\"1\"}",
	         nonce);
	sodium_bin2base64(text, 1024, (const uint8_t *)header, strlen(header), variant);
	n = strlen(text);
	text[n++] = '.';
	sodium_bin2base64(text + n, 1024, (const uint8_t *)claims, strlen(claims), variant);
	n = strlen(text);
	crypto_sign_detached(sig, NULL, buf, n, sk);
	text[n++] = '.';
	sodium_bin2base64(text + n, 1024, sig, sizeof sig, variant);
	seed("token", name, text, strlen(text));
}

void seeds_of_evidence(void)
{
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		seed_registration(&vectors[i]);
	seed_assertion();
	seed_token("good", "{\"alg\":\"EdDSA\",\"kid\":\"d1\",\"typ\":\"JWT\"}");
	seed_token("rsa", "{\"alg\":\"RS256\",\"kid\":\"r1\"}");
	seed_token("pss", "{\"alg\":\"PS256\",\"kid\":\"p1\"}");
	seed_token("ec", "{\"alg\":\"ES256\"}");
	seed_token("none", "{\"alg\":\"none\"}");
}
