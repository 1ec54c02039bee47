/* Evidence verified: the standards' own values, tokens and codes of other programs, and every wrong way refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <liboath/oath.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/cbor.h"
#include "ledger/bytes.h"
#include "ledger/hash.h"
#include "node/decide/policy_form.h"
#include "node/evidence/verify.h"
#include "tests/webauthn_vectors.h"

#define N_VECTORS (sizeof(vectors) / sizeof(vectors[0]))
#define NOW_MS    UINT64_C(1800000000000)

static struct evidence e;
static uint8_t node_pub[32], node_secret[32];
static const struct evidence_node node = {.id = 1, .channel_pub = node_pub, .channel_secret = node_secret};
static unsigned refusals; /* Each wrong way that was refused, counted at the end. */

static EVP_PKEY *rsa, *ec;
static uint8_t rsa_key[4 + 256], ec_key[65], ed_pub[32], ed_sk[64];

struct bytes {
	uint8_t b[4096];
	size_t len;
};

static struct bytes of_hex(const char *hex)
{
	struct bytes r;

	assert_int_equal(sodium_hex2bin(r.b, sizeof(r.b), hex, strlen(hex), NULL, &r.len, NULL), 0);
	return r;
}

static const struct vector *vector(const char *name)
{
	for (size_t i = 0; i < N_VECTORS; i++)
		if (strcmp(vectors[i].name, name) == 0)
			return &vectors[i];
	fail_msg("no vector %s", name);
	return NULL;
}

static void assert_good(void)
{
	evidence_verify(&e, &node);
	if (!e.found.verified)
		fail_msg("refused: %s", e.found.why);
}

/* Refused, and for this reason. */
static void assert_bad(const char *why)
{
	evidence_verify(&e, &node);
	assert_false(e.found.verified);
	if (strstr(e.found.why, why) == NULL)
		fail_msg("refused for another reason: \"%s\", not \"%s\"", e.found.why, why);
	refusals++;
}

/* --- WebAuthn --- */

static void write_origins(struct writer *w, const char *origin)
{
	writer_array(w, 2);
	writer_cstr(w, "https://login.example.org");
	writer_cstr(w, origin);
}

static void registration(const struct vector *v, const char *rp_id, const char *origin, bool rooted)
{
	struct bytes object = of_hex(v->attestation_object), client = of_hex(v->create_client_data),
	             challenge = of_hex(v->create_challenge), root = of_hex(vector_root);
	struct attestation_object o;
	struct writer w;
	int64_t alg = 0;

	memset(&e, 0, sizeof(e));
	assert_true(attestation_object_read(&o, object.b, object.len));
	assert_true(auth_data_algorithm(o.auth_data, o.auth_data_len, &alg));
	writer_init(&w, e.data, sizeof(e.data));
	writer_array(&w, 8);
	writer_cstr(&w, rp_id);
	write_origins(&w, origin);
	writer_int(&w, alg);
	writer_bin(&w, client.b, client.len);
	writer_bin(&w, o.auth_data, o.auth_data_len);
	writer_str(&w, o.format, o.format_len);
	writer_bin(&w, o.statement, o.statement_len);
	writer_cstr(&w, rooted ? "root" : "");
	assert_int_equal(writer_end(&w, &e.data_len), 0);
	if (rooted) {
		memcpy(e.issuer, root.b, root.len);
		e.issuer_len = root.len;
	}
	e.method = METHOD_WEBAUTHN;
	e.registers = true;
	memcpy(e.bound.b, challenge.b, HASH_SIZE);
}

static struct bytes made; /* The credential that was registered last. */

/* An assertion of it. */
static void assertion(const struct vector *v, unsigned level)
{
	struct bytes client = of_hex(v->client_data), auth = of_hex(v->auth_data), sig = of_hex(v->signature),
	             challenge = of_hex(v->challenge);
	struct credential_webauthn k;
	struct writer w;

	memcpy(e.data, made.b, made.len);
	e.data_len = made.len;
	assert_int_equal(credential_webauthn_read(&k, e.data, e.data_len), 0);
	writer_init(&w, e.offered, sizeof(e.offered));
	writer_array(&w, 4);
	writer_bin(&w, k.id, k.id_len);
	writer_bin(&w, auth.b, auth.len);
	writer_bin(&w, client.b, client.len);
	writer_bin(&w, sig.b, sig.len);
	assert_int_equal(writer_end(&w, &e.offered_len), 0);
	e.registers = false;
	e.level = level;
	memcpy(e.bound.b, challenge.b, HASH_SIZE);
}

static void registered(const char *name, bool rooted)
{
	registration(vector(name), "example.org", "https://example.org", rooted);
	assert_good();
	memcpy(made.b, e.found.made, e.found.made_len);
	made.len = e.found.made_len;
}

static void webauthn_vectors(void **state)
{
	static const char *const good[] = {"none_es256", "packed_self_es256", "packed_es256", "packed_es384",
	                                   "packed_eddsa"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		bool maker = strncmp(good[i], "packed_", 7) == 0 && strcmp(good[i], "packed_self_es256") != 0;
		const struct vector *v = vector(good[i]);
		bool uv = of_hex(v->auth_data).b[32] & 4;
		registered(good[i], maker);
		assertion(v, LEVEL_POSSESSION);
		assert_good();
		assert_int_equal(e.found.level, !uv ? LEVEL_POSSESSION : maker ? LEVEL_ATTESTED : LEVEL_USER_VERIFIED);
		/* As a follower looks at it; and what a corrupt leader would have made of it. */
		assert_true(evidence_verify_again(&e, &node));
		e.found.level++;
		assert_false(evidence_verify_again(&e, &node));
		assertion(v, LEVEL_USER_VERIFIED);
		if (uv)
			assert_good();
		else
			assert_bad("user was not verified");
	}
}

static void webauthn_frames(void **state)
{
	(void)state;
	registration(vector("cross_origin"), "example.org", "https://example.org", false);
	assert_bad("frame of another origin");
	registration(vector("top_origin"), "example.org", "https://example.org", false);
	assert_bad("frame of another");
	/* Its key has 3,482 bits; libfido2 knows 2,048, as authenticators make them. */
	registration(vector("packed_rs256"), "example.org", "https://example.org", true);
	assert_bad("registration");
	registration(vector("long_id"), "example.org", "https://example.org", false);
	assert_bad("over 255 bytes");
}

static void webauthn_registration_wrong(void **state)
{
	(void)state;
	registration(vector("none_es256"), "example.com", "https://example.org", false);
	assert_bad("");
	registration(vector("none_es256"), "example.org", "https://example.net", false);
	assert_bad("origin");
	registration(vector("none_es256"), "example.org", "https://example.org", true);
	assert_bad("not by the root");
	registration(vector("packed_self_es256"), "example.org", "https://example.org", true);
	assert_bad("not by the root");
	registration(vector("packed_es256"), "example.org", "https://example.org", true);
	e.issuer[e.issuer_len - 3] ^= 1;
	assert_good(); /* The root's own signature is not what vouches: it is pinned. */
	e.issuer[e.issuer_len / 2] ^= 1;
	assert_bad("not by the root");
	registration(vector("none_es256"), "example.org", "https://example.org", false);
	e.bound.b[0] ^= 1;
	assert_bad("another challenge");
	registration(vector("none_es256"), "example.org", "https://example.org", false);
	e.data_len--;
	assert_bad("malformed");
}

/* Every bit of what was signed, and of the signature: none may be turned. */
static void webauthn_bits(void **state)
{
	const struct vector *v = vector("packed_self_es256");

	(void)state;
	registered("packed_self_es256", false);
	assertion(v, LEVEL_POSSESSION);
	assert_good();
	for (size_t i = 0; i < e.offered_len; i++) {
		e.offered[i] = (uint8_t)(e.offered[i] ^ 1u << (i % 8));
		assert_bad("webauthn");
		e.offered[i] = (uint8_t)(e.offered[i] ^ 1u << (i % 8));
	}
	for (size_t len = 0; len < e.offered_len; len++) {
		size_t whole = e.offered_len;
		e.offered_len = len;
		assert_bad("malformed");
		e.offered_len = whole;
	}
	e.bound.b[31] ^= 1;
	assert_bad("another challenge");
}

/* A security key in software: ES256 over authenticatorData and the hash of what the browser says. */
static EVP_PKEY *token_key;
static uint8_t token_xy[65];
static int64_t token_alg = -7;

static void token_new(void)
{
	size_t len;

	token_key = EVP_EC_gen("P-256");
	assert_non_null(token_key);
	assert_int_equal(
	        EVP_PKEY_get_octet_string_param(token_key, "encoded-pub-key", token_xy, sizeof(token_xy), &len), 1);
	assert_int_equal(len, 65);
}

static void token_sign(uint8_t flags, uint32_t counter, const char *type, const char *origin, const char *more)
{
	uint8_t auth[37], whole[37 + 32], sig[256], id[4] = {1, 2, 3, 4};
	char challenge[64], client[512];
	size_t sig_len = sizeof(sig);
	struct hash h;
	struct writer w;

	hash_bytes(&h, "example.org", 11);
	memcpy(auth, h.b, 32);
	auth[32] = flags;
	put_u32be(auth + 33, counter);
	sodium_bin2base64(challenge, sizeof(challenge), e.bound.b, 32, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	int n = snprintf(client, sizeof(client), "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\"%s}", type,
	                 challenge, origin, more);
	memcpy(whole, auth, 37);
	hash_bytes(&h, client, (size_t)n);
	memcpy(whole + 37, h.b, 32);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, token_key), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &sig_len, whole, sizeof(whole)), 1);
	EVP_MD_CTX_free(ctx);
	writer_init(&w, e.offered, sizeof(e.offered));
	writer_array(&w, 4);
	writer_bin(&w, id, sizeof(id));
	writer_bin(&w, auth, sizeof(auth));
	writer_bin(&w, client, (size_t)n);
	writer_bin(&w, sig, sig_len);
	assert_int_equal(writer_end(&w, &e.offered_len), 0);
}

static void token_enrolled(unsigned flags)
{
	static const uint8_t id[4] = {1, 2, 3, 4};
	struct writer w;

	memset(&e, 0, sizeof(e));
	e.method = METHOD_WEBAUTHN;
	randombytes_buf(e.bound.b, HASH_SIZE);
	writer_init(&w, e.data, sizeof(e.data));
	writer_array(&w, 6);
	writer_cstr(&w, "example.org");
	write_origins(&w, "https://example.org");
	writer_bin(&w, id, sizeof(id));
	writer_int(&w, token_alg);
	if (token_alg == -7) {
		writer_bin(&w, token_xy + 1, 64);
	} else { /* As libfido2 takes it: n, then e in three bytes. */
		uint8_t key[259];
		memcpy(key, rsa_key + 4, 256);
		memcpy(key + 256, rsa_key + 1, 3);
		writer_bin(&w, key, sizeof(key));
	}
	writer_uint(&w, flags);
	assert_int_equal(writer_end(&w, &e.data_len), 0);
}

#define GET "webauthn.get"
#define ORG "https://example.org"

static void webauthn_token(void **state)
{
	(void)state;
	token_new();
	token_enrolled(0);
	token_sign(5, 7, GET, ORG, ",\"crossOrigin\":false,\"other\":[1,{\"a\":null}]");
	assert_good();
	assert_int_equal(e.found.counter, 7);
	assert_int_equal(e.found.level, LEVEL_USER_VERIFIED);
	token_sign(1, 7, GET, "https://login.example.org", "");
	assert_good();
	assert_int_equal(e.found.level, LEVEL_POSSESSION);
	token_sign(4, 7, GET, ORG, "");
	assert_bad("nobody touched");
	token_sign(1, 7, "webauthn.create", ORG, "");
	assert_bad("type");
	token_sign(1, 7, "payment.get", ORG, "");
	assert_bad("type");
	token_sign(1, 7, GET, "https://example.org.evil.example", "");
	assert_bad("origin");
	token_sign(1, 7, GET, "http://example.org", "");
	assert_bad("origin");
	token_sign(1, 7, GET, ORG, ",\"crossOrigin\":true");
	assert_bad("frame");
	token_sign(1, 7, GET, ORG, ",\"crossOrigin\":\"false\"");
	assert_bad("frame");
	token_sign(1, 7, GET, ORG, ",\"topOrigin\":\"https://example.org\"");
	assert_bad("frame");
	token_sign(1, 7, GET, ORG, ",\"type\":\"webauthn.get\"");
	assert_bad("no JSON object");
	token_sign(1, 7, GET, ORG, ",\"x\":1e999");
	assert_bad("no JSON object");
	token_sign(1 | 16, 7, GET, ORG, "");
	assert_bad("backed up");
	token_sign(1 | 8, 7, GET, ORG, "");
	assert_bad("eligibility");
	token_enrolled(CREDENTIAL_BACKUP_ELIGIBLE);
	token_sign(1 | 8 | 16, 0, GET, ORG, "");
	assert_good();
	token_sign(1, 0, GET, ORG, "");
	assert_bad("eligibility");
	EVP_PKEY *other = token_key;
	token_key = EVP_EC_gen("P-256");
	token_sign(1 | 8, 7, GET, ORG, "");
	assert_bad("webauthn");
	EVP_PKEY_free(token_key);
	token_key = other;
	EVP_PKEY_free(token_key);
	token_key = rsa;
	token_alg = -257;
	token_enrolled(0);
	token_sign(5, 1, GET, ORG, "");
	assert_good();
	e.offered[e.offered_len - 1] ^= 1;
	assert_bad("webauthn");
}

/* --- TOTP --- */

static const uint8_t secret_64[] = "1234567890123456789012345678901234567890123456789012345678901234";

static void totp_enrolled(unsigned algorithm, unsigned digits, const uint8_t *secret, size_t len)
{
	uint8_t plain[TOTP_PLAIN_SIZE_MAX], sealed[TOTP_SEALED_SIZE_MAX];
	struct writer w;

	memset(&e, 0, sizeof(e));
	e.method = METHOD_TOTP;
	e.message_len = totp_message(e.message, "kit.example", (struct text){"ada-totp", 8});
	crypto_generichash(plain, TOTP_CONTEXT_SIZE, e.message, e.message_len, NULL, 0);
	memcpy(plain + TOTP_CONTEXT_SIZE, secret, len);
	crypto_box_seal(sealed, plain, TOTP_CONTEXT_SIZE + len, node_pub);
	writer_init(&w, e.data, sizeof(e.data));
	writer_array(&w, 4);
	writer_uint(&w, algorithm);
	writer_uint(&w, digits);
	writer_uint(&w, 30);
	writer_array(&w, 1);
	writer_array(&w, 2);
	writer_uint(&w, 1);
	writer_bin(&w, sealed, TOTP_CONTEXT_SIZE + len + crypto_box_SEALBYTES);
	assert_int_equal(writer_end(&w, &e.data_len), 0);
}

static void code(const char *s)
{
	e.offered_len = strlen(s);
	memcpy(e.offered, s, e.offered_len);
}

/* RFC 6238, appendix B: each time and each hash. */
static void totp_table(void **state)
{
	static const struct {
		uint64_t time_s;
		const char *sha1, *sha256, *sha512;
	} table[] = {
	        {59, "94287082", "46119246", "90693936"},         {1111111109, "07081804", "68084774", "25091201"},
	        {1111111111, "14050471", "67062674", "99943326"}, {1234567890, "89005924", "91819424", "93441116"},
	        {2000000000, "69279037", "90698825", "38618901"}, {20000000000, "65353130", "77737706", "47863826"}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		totp_enrolled(1, 8, secret_64, 20);
		e.now_ms = table[i].time_s * 1000;
		code(table[i].sha1);
		assert_good();
		assert_int_equal(e.found.counter, table[i].time_s / 30);
		assert_int_equal(e.found.level, LEVEL_POSSESSION);
		code(table[i].sha256);
		assert_bad("wrong");
		totp_enrolled(256, 8, secret_64, 32);
		e.now_ms = table[i].time_s * 1000;
		code(table[i].sha256);
		assert_good();
		totp_enrolled(512, 8, secret_64, 64);
		e.now_ms = table[i].time_s * 1000;
		code(table[i].sha512);
		assert_good();
	}
}

/* RFC 4226, appendix D: the counter is the step. */
static void hotp_table(void **state)
{
	static const char *const table[] = {"755224", "287082", "359152", "969429", "338314",
	                                    "254676", "287922", "162583", "399871", "520489"};

	(void)state;
	for (size_t i = 1; i < 10; i++) {
		totp_enrolled(1, 6, secret_64, 20);
		e.now_ms = i * 30000;
		code(table[i]);
		assert_good();
		assert_int_equal(e.found.counter, i);
		e.counter = i; /* Used once: never again, nor an older one. */
		assert_bad("used already");
		code(table[i - 1]);
		assert_bad(i > 1 ? "used already" : "");
		e.counter = 0;
		e.now_ms += 60000;
		code(table[i]);
		assert_bad("wrong"); /* Two steps late. */
	}
}

/* The program that people have. */
static void totp_oathtool(void **state)
{
	char command[256], out[16] = "";

	(void)state;
	if (access("/usr/bin/oathtool", X_OK) != 0)
		skip();
	totp_enrolled(1, 6, secret_64, 20);
	e.now_ms = NOW_MS;
	snprintf(command, sizeof(command), "oathtool --totp --now '@%llu' 3132333435363738393031323334353637383930",
	         (unsigned long long)NOW_MS / 1000);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(out, sizeof(out), f));
	assert_int_equal(pclose(f), 0);
	out[6] = 0;
	code(out);
	assert_good();
	e.now_ms += 30000;
	assert_good();
	e.now_ms -= 60000;
	assert_good();
}

static void totp_wrong(void **state)
{
	static const char *const bad[] = {"", "12345", "1234567", "12345a", " 94287", "-94287", "94287\n"};
	static const uint8_t zero[20];

	(void)state;
	totp_enrolled(1, 6, secret_64, 20);
	e.now_ms = NOW_MS;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		code(bad[i]);
		assert_bad("digits");
	}
	memcpy(e.offered, "94\0287", 6);
	e.offered_len = 6;
	assert_bad("digits");
	/* Sealed for another credential, and moved here. */
	totp_enrolled(1, 6, secret_64, 20);
	e.message[e.message_len - 1] ^= 1;
	code("123456");
	assert_bad("another credential");
	totp_enrolled(1, 6, zero, 20);
	e.data[e.data_len - 1] ^= 1;
	code("123456");
	assert_bad("enrolled again");
	const struct evidence_node other = {.id = 2, .channel_pub = node_pub, .channel_secret = node_secret};
	totp_enrolled(1, 6, zero, 20);
	code("123456");
	evidence_verify(&e, &other);
	assert_false(e.found.verified);
	assert_non_null(strstr(e.found.why, "was added since"));
	refusals++;
}

/* --- OIDC --- */

static void issuer_keys(void)
{
	BIGNUM *n = NULL;
	size_t len;

	rsa = EVP_RSA_gen(2048);
	ec = EVP_EC_gen("P-256");
	assert_non_null(rsa);
	assert_non_null(ec);
	assert_int_equal(EVP_PKEY_get_bn_param(rsa, "n", &n), 1);
	put_u32be(rsa_key, 65537);
	assert_int_equal(BN_bn2binpad(n, rsa_key + 4, 256), 256);
	BN_free(n);
	assert_int_equal(EVP_PKEY_get_octet_string_param(ec, "encoded-pub-key", ec_key, sizeof(ec_key), &len), 1);
	crypto_sign_keypair(ed_pub, ed_sk);
}

static void write_key(struct writer *w, const char *kid, const char *alg, const uint8_t *key, size_t len)
{
	writer_array(w, 3);
	writer_cstr(w, kid);
	writer_cstr(w, alg);
	writer_bin(w, key, len);
}

static void oidc_enrolled(void)
{
	struct writer w;

	memset(&e, 0, sizeof(e));
	e.method = METHOD_OIDC;
	e.now_ms = NOW_MS;
	randombytes_buf(e.bound.b, HASH_SIZE);
	writer_init(&w, e.data, sizeof(e.data));
	writer_array(&w, 2);
	writer_cstr(&w, "idp");
	writer_cstr(&w, "ada-sub");
	assert_int_equal(writer_end(&w, &e.data_len), 0);
	writer_init(&w, e.issuer, sizeof(e.issuer));
	writer_array(&w, 4);
	writer_cstr(&w, "https://idp.example");
	writer_cstr(&w, "countersign");
	writer_uint(&w, 30000);
	writer_array(&w, 5);
	write_key(&w, "p1", "PS256", rsa_key, sizeof(rsa_key));
	write_key(&w, "r1", "RS256", rsa_key, sizeof(rsa_key));
	write_key(&w, "e1", "ES256", ec_key + 1, 64);
	write_key(&w, "d1", "EdDSA", ed_pub, 32);
	write_key(&w, "d2", "EdDSA", ed_pub, 32);
	assert_int_equal(writer_end(&w, &e.issuer_len), 0);
}

static size_t base64(char *ret, size_t cap, const void *bytes, size_t len)
{
	sodium_bin2base64(ret, cap, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return strlen(ret);
}

static size_t sign_with(const char *alg, const char *text, size_t len, uint8_t *sig)
{
	size_t n = 512;

	if (strcmp(alg, "EdDSA") == 0) {
		crypto_sign_detached(sig, NULL, (const uint8_t *)text, len, ed_sk);
		return 64;
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	assert_int_equal(EVP_DigestSignInit(ctx, &how, EVP_sha256(), NULL, strcmp(alg, "ES256") != 0 ? rsa : ec), 1);
	if (strcmp(alg, "PS256") == 0) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST), 1);
	}
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)text, len), 1);
	EVP_MD_CTX_free(ctx);
	if (strcmp(alg, "ES256") == 0) { /* DER to r and s (RFC 7518 3.4). */
		const uint8_t *p = sig;
		ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
		assert_non_null(s);
		uint8_t rs[64];
		BN_bn2binpad(ECDSA_SIG_get0_r(s), rs, 32);
		BN_bn2binpad(ECDSA_SIG_get0_s(s), rs + 32, 32);
		ECDSA_SIG_free(s);
		memcpy(sig, rs, 64);
		n = 64;
	}
	return n;
}

static void token_of(const char *header, const char *claims, const char *signs)
{
	char text[EVIDENCE_SIZE_MAX];
	uint8_t sig[512];
	size_t n = base64(text, sizeof(text), header, strlen(header));

	text[n++] = '.';
	n += base64(text + n, sizeof(text) - n, claims, strlen(claims));
	size_t sig_len = signs[0] ? sign_with(signs, text, n, sig) : 0;
	text[n++] = '.';
	n += base64(text + n, sizeof(text) - n, sig, sig_len);
	memcpy(e.offered, text, n);
	e.offered_len = n;
}

/* Claims of this challenge with one of them replaced, or with more. */
static const char *claims_with(const char *name, const char *value)
{
	static char out[2048];
	char nonce[64];
	struct {
		const char *name, *value;
	} c[] = {{"iss", "\"https://idp.example\""},
	         {"aud", "\"countersign\""},
	         {"sub", "\"ada-sub\""},
	         {"exp", "1800000060"},
	         {"iat", "1799999990"},
	         {"nonce", nonce},
	         {name, value}};
	size_t n = 0;

	nonce[0] = '"';
	base64(nonce + 1, sizeof(nonce) - 2, e.bound.b, HASH_SIZE);
	strcat(nonce, "\"");
	n += (size_t)snprintf(out, sizeof(out), "{");
	for (size_t i = 0; i < 7; i++) {
		if (i < 6 && strcmp(c[i].name, name) == 0)
			continue;
		if (c[i].value[0])
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s\"%s\":%s", n > 1 ? "," : "", c[i].name,
			                      c[i].value);
	}
	snprintf(out + n, sizeof(out) - n, "}");
	return out;
}

static void claim(const char *name, const char *value)
{
	token_of("{\"alg\":\"EdDSA\",\"kid\":\"d1\"}", claims_with(name, value), "EdDSA");
}

static void oidc_good(void **state)
{
	(void)state;
	oidc_enrolled();
	token_of("{\"alg\":\"RS256\",\"kid\":\"r1\",\"typ\":\"JWT\"}", claims_with("acr", "\"aal2\""), "RS256");
	assert_good();
	assert_string_equal(e.found.acr, "aal2");
	assert_false(e.found.has_once);
	assert_true(evidence_verify_again(&e, &node));
	token_of("{\"alg\":\"RS256\"}", claims_with("auth_time", "1799999000"), "RS256");
	assert_good(); /* One key of that algorithm. */
	assert_int_equal(e.found.auth_time_ms, UINT64_C(1799999000000));
	token_of("{\"alg\":\"PS256\",\"kid\":\"p1\"}", claims_with("acr", "\"aal2\""), "PS256");
	assert_good();
	assert_true(evidence_verify_again(&e, &node));
	token_of("{\"alg\":\"ES256\",\"kid\":\"e1\"}", claims_with("jti", "\"x-1\""), "ES256");
	assert_good();
	assert_true(e.found.has_once);
	assert_int_equal(e.found.once_until_ms, UINT64_C(1800000090000));
	claim("aud", "[\"countersign\"]");
	assert_good();
	claim("exp", "1799999971"); /* Within the skew. */
	assert_good();
}

static void oidc_headers_wrong(void **state)
{
	(void)state;
	oidc_enrolled();
	const char *c = claims_with("x", "1");
	token_of("{\"alg\":\"none\"}", c, "");
	assert_bad("algorithm");
	token_of("{\"alg\":\"None\",\"kid\":\"r1\"}", c, "");
	assert_bad("algorithm");
	token_of("{\"alg\":\"HS256\",\"kid\":\"r1\"}", c, "RS256");
	assert_bad("algorithm");
	token_of("{\"alg\":\"PS384\",\"kid\":\"p1\"}", c, "PS256");
	assert_bad("algorithm");
	token_of("{\"alg\":\"PS256\",\"kid\":\"p1\"}", c, "RS256");
	assert_bad("signature");
	token_of("{\"alg\":\"PS256\",\"kid\":\"r1\"}", c, "PS256");
	assert_bad("no pinned key");
	token_of("{\"alg\":\"EdDSA\",\"kid\":\"d1\",\"typ\":\"at+jwt\"}", c, "EdDSA");
	assert_bad("typ");
	token_of("{\"alg\":\"RS512\",\"kid\":\"r1\"}", c, "RS256");
	assert_bad("algorithm");
	token_of("{\"kid\":\"r1\"}", c, "RS256");
	assert_bad("algorithm");
	token_of("{\"alg\":[\"RS256\"],\"kid\":\"r1\"}", c, "RS256");
	assert_bad("algorithm");
	token_of("{\"alg\":\"RS256\",\"kid\":\"e1\"}", c, "RS256");
	assert_bad("no pinned key");
	token_of("{\"alg\":\"ES256\",\"kid\":\"r1\"}", c, "ES256");
	assert_bad("no pinned key");
	token_of("{\"alg\":\"EdDSA\"}", c, "EdDSA");
	assert_bad("no pinned key"); /* Two keys could be meant. */
	token_of("{\"alg\":\"RS256\",\"kid\":7}", c, "RS256");
	assert_bad("kid");
	token_of("{\"alg\":\"EdDSA\",\"kid\":\"d1\",\"crit\":[\"exp\"]}", c, "EdDSA");
	assert_bad("critical");
	token_of("{\"alg\":\"none\",\"alg\":\"EdDSA\",\"kid\":\"d1\"}", c, "EdDSA");
	assert_bad("malformed");
	token_of("{\"alg\":\"EdDSA\",\"kid\":\"d1\"}", c, "");
	assert_bad("signature");
	token_of("{\"alg\":\"RS256\",\"kid\":\"r1\"}", c, "");
	assert_bad("signature");
	token_of("{\"alg\":\"RS256\",\"kid\":\"r1\"}", c, "ES256");
	assert_bad("signature");
	token_of("{\"alg\":\"ES256\",\"kid\":\"e1\"}", c, "EdDSA");
	assert_bad("signature");
	token_of("[]", c, "EdDSA");
	assert_bad("malformed");
}

static void oidc_claims_wrong(void **state)
{
	static const struct {
		const char *name, *value, *why;
	} bad[] = {{"iss", "\"https://idp.example/\"", "issuer"},
	           {"iss", "[\"https://idp.example\"]", "issuer"},
	           {"aud", "\"other\"", "audience"},
	           {"aud", "[\"countersign\",\"other\"]", "audience"},
	           {"aud", "[]", "audience"},
	           {"azp", "\"other\"", "audience"},
	           {"sub", "\"bob-sub\"", "subject"},
	           {"nonce", "\"AAAA\"", "nonce"},
	           {"nonce", "", "nonce"},
	           {"exp", "1799999970", "expired"},
	           {"exp", "", "no time"},
	           {"exp", "\"1800000060\"", "no time"},
	           {"exp", "1800000060.5", "no time"},
	           {"exp", "-1", "no time"},
	           {"exp", "999999999999999", "no time"},
	           {"exp", "99999999999999999999999", "malformed"},
	           {"exp", "1800090000", "more than a day"},
	           {"iat", "1800000031", "future"},
	           {"iat", "", "no time"},
	           {"nbf", "1800000031", "future"},
	           {"auth_time", "1800000031", "future"},
	           {"auth_time", "\"1\"", "no time"},
	           {"jti", "5", "jti"}};

	(void)state;
	oidc_enrolled();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		claim(bad[i].name, bad[i].value);
		assert_bad(bad[i].why);
	}
	char twice[2048];
	snprintf(twice, sizeof(twice), "%s", claims_with("x", "1"));
	strcpy(twice + strlen(twice) - 1, ",\"sub\":\"ada-sub\"}");
	token_of("{\"alg\":\"EdDSA\",\"kid\":\"d1\"}", twice, "EdDSA");
	assert_bad("malformed");
}

/* Each byte of a token: other letters, padding, white space, fewer parts. */
static void oidc_bytes(void **state)
{
	static const char letters[] = "=.+/ \n\t%A_";

	(void)state;
	oidc_enrolled();
	claim("x", "1");
	assert_good();
	for (size_t i = 0; i < e.offered_len; i++)
		for (const char *l = letters; *l; l++) {
			uint8_t was = e.offered[i];
			if (was == (uint8_t)*l)
				continue;
			e.offered[i] = (uint8_t)*l;
			assert_bad("oidc");
			e.offered[i] = was;
		}
	for (size_t len = e.offered_len; len-- > 0;) {
		e.offered_len = len;
		assert_bad("oidc");
	}
}

static void nothing_else(void **state)
{
	(void)state;
	memset(&e, 0, sizeof(e));
	assert_bad("no such method");
	e.method = 64;
	assert_bad("no such method");
	assert_true(refusals > 1000); /* None of the loops above ran empty. */
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

static int setup(void **state)
{
	(void)state;
	evidence_init();
	if (sodium_init() < 0)
		return -1;
	crypto_box_keypair(node_pub, node_secret);
	issuer_keys();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(webauthn_vectors),
	        cmocka_unit_test(webauthn_frames),
	        cmocka_unit_test(webauthn_registration_wrong),
	        cmocka_unit_test(webauthn_bits),
	        cmocka_unit_test(webauthn_token),
	        cmocka_unit_test(totp_table),
	        cmocka_unit_test(hotp_table),
	        cmocka_unit_test(totp_oathtool),
	        cmocka_unit_test(totp_wrong),
	        cmocka_unit_test(oidc_good),
	        cmocka_unit_test(oidc_headers_wrong),
	        cmocka_unit_test(oidc_claims_wrong),
	        cmocka_unit_test(oidc_bytes),
	        cmocka_unit_test(nothing_else),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
