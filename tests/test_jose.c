/* Tests of JSON Web Signatures: public vectors, PS256, keys that are for something else or worth nothing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "client/countersign.h"
#include "tests/jose_kit.h"
#include "tests/jose_vectors.h"

static EVP_PKEY *rsa;
static char modulus[400];

static size_t base64(char *ret, size_t cap, const void *bytes, size_t len)
{
	sodium_bin2base64(ret, cap, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return strlen(ret);
}

static void test_vectors(void **state)
{
	static char token[2048];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(jose_vectors) / sizeof(jose_vectors[0]); i++) {
		const struct jose_vector *v = &jose_vectors[i];
		bool ours =
		        strcmp(v->alg, "RS256") == 0 || strcmp(v->alg, "ES256") == 0 || strcmp(v->alg, "EdDSA") == 0;
		enum jose_outcome o = jose_judge(v->keys, v->token, &why);
		if (o != (ours ? JOSE_VERIFIED : JOSE_REFUSED))
			fail_msg("%s (%s): %d, %s", v->name, v->alg, o, why);
		if (!ours) {
			assert_non_null(strstr(why, "the algorithm is none of"));
			continue;
		}
		/* And each of its letters is needed. */
		snprintf(token, sizeof(token), "%s", v->token);
		for (size_t n = 0; n < strlen(v->token); n += 7) {
			char was = token[n];
			token[n] = was == 'A' ? 'B' : 'A';
			if (jose_judge(v->keys, token, &why) != JOSE_REFUSED)
				fail_msg("%s: letter %zu may be another", v->name, n);
			token[n] = was;
		}
	}
}

/* Of our own key: salt is the salt's length, -1 for PKCS #1 v1.5. */
static const char *sign(const char *header, int salt)
{
	static char text[2048];
	uint8_t sig[256];
	size_t n = base64(text, sizeof(text), header, strlen(header)), len = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;

	text[n++] = '.';
	n += base64(text + n, sizeof(text) - n, "{}", 2);
	assert_int_equal(EVP_DigestSignInit(ctx, &how, EVP_sha256(), NULL, rsa), 1);
	if (salt >= 0) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, salt), 1);
	}
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)text, n), 1);
	EVP_MD_CTX_free(ctx);
	text[n++] = '.';
	base64(text + n, sizeof(text) - n, sig, len);
	return text;
}

/* A set of our key alone, with these members too. */
static const char *keys(const char *members)
{
	static char set[1024];

	snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"k\",\"e\":\"AQAB\",\"n\":\"%s\"%s}]}",
	         modulus, members);
	return set;
}

static void refused(const char *set, const char *token, const char *text)
{
	const char *why;

	assert_int_equal(jose_judge(set, token, &why), JOSE_REFUSED);
	if (strstr(why, text) == NULL)
		fail_msg("%s, not %s", why, text);
}

static void test_pss(void **state)
{
	static const char pss[] = "{\"alg\":\"PS256\",\"kid\":\"k\"}", pkcs[] = "{\"alg\":\"RS256\",\"kid\":\"k\"}";
	const char *why;

	(void)state;
	assert_int_equal(jose_judge(keys(",\"alg\":\"PS256\""), sign(pss, 32), &why), JOSE_VERIFIED);
	assert_int_equal(jose_judge(keys(",\"alg\":\"RS256\""), sign(pkcs, -1), &why), JOSE_VERIFIED);
	assert_int_equal(jose_judge(keys(""), sign(pkcs, -1), &why), JOSE_VERIFIED);
	/* RFC 7518 3.5: the salt is as long as the hash. */
	refused(keys(",\"alg\":\"PS256\""), sign(pss, 0), "does not verify");
	refused(keys(",\"alg\":\"PS256\""), sign(pss, 31), "does not verify");
	refused(keys(",\"alg\":\"PS256\""), sign(pss, RSA_PSS_SALTLEN_MAX), "does not verify");
	/* One algorithm a key, and the header's is the signature's. */
	refused(keys(",\"alg\":\"PS256\""), sign(pkcs, -1), "no pinned key");
	refused(keys(",\"alg\":\"RS256\""), sign(pss, 32), "no pinned key");
	refused(keys(""), sign(pss, 32), "no pinned key");
	refused(keys(",\"alg\":\"PS256\""), sign(pss, -1), "does not verify");
	refused(keys(""), sign(pkcs, 32), "does not verify");
}

static void test_headers(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(jose_judge(keys(""), sign("{\"alg\":\"RS256\",\"typ\":\"JWT\"}", -1), &why), JOSE_VERIFIED);
	assert_int_equal(jose_judge(keys(""), sign("{\"alg\":\"RS256\",\"typ\":\"jwt\"}", -1), &why), JOSE_VERIFIED);
	refused(keys(""), sign("{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", -1), "typ");
	refused(keys(""), sign("{\"alg\":\"RS256\",\"typ\":1}", -1), "typ");
	refused(keys(""), sign("{\"alg\":\"RS256\",\"crit\":[]}", -1), "critical");
	refused(keys(""), sign("{\"alg\":\"RS256\",\"kid\":\"other\"}", -1), "no pinned key");
}

static void no_key(const char *set, const char *text)
{
	const char *why;

	assert_int_equal(jose_judge(set, sign("{\"alg\":\"RS256\"}", -1), &why), JOSE_NO_KEY);
	if (strstr(why, text) == NULL)
		fail_msg("%s, not %s", why, text);
}

static void test_keys(void **state)
{
	static char set[1024];
	const char *why, *token = sign("{\"alg\":\"RS256\"}", -1);

	(void)state;
	assert_int_equal(jose_judge(keys(",\"use\":\"sig\",\"key_ops\":[\"verify\"]"), token, &why), JOSE_VERIFIED);
	no_key(keys(",\"use\":\"enc\""), "1 to 8 keys");
	no_key(keys(",\"use\":1"), "1 to 8 keys");
	no_key(keys(",\"key_ops\":[\"encrypt\"]"), "1 to 8 keys");
	no_key(keys(",\"key_ops\":[]"), "1 to 8 keys");
	no_key(keys(",\"alg\":\"RS512\""), "1 to 8 keys");
	no_key(keys(",\"alg\":\"RSA-OAEP\""), "1 to 8 keys");
	/* Exponents that are none. */
	snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"one\",\"e\":\"AQ\",\"n\":\"%s\"}]}", modulus);
	no_key(set, "\"one\": its exponent");
	snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"BA\",\"n\":\"%s\"}]}", modulus);
	no_key(set, "its exponent");
}

/* Keys of a flawed generator (CVE-2017-15361) are told by their form. */
static void test_roca(void **state)
{
	static char set[1024], n64[400];
	static const unsigned primes[] = {11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157};
	BIGNUM *m = BN_new(), *n = BN_new(), *k = BN_new();
	BN_CTX *ctx = BN_CTX_new();
	uint8_t bytes[256];

	(void)state;
	/* A multiple of their product and 65537^2: of the form of such keys, whatever its factors are. */
	BN_one(m);
	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++)
		BN_mul_word(m, primes[i]);
	BN_set_word(k, 1);
	BN_lshift(k, k, 2048 - BN_num_bits(m));
	BN_mul(n, k, m, ctx);
	BN_set_word(k, 65537 * UINT64_C(65537));
	BN_add(n, n, k);
	assert_int_equal(BN_num_bits(n), 2048);
	BN_bn2binpad(n, bytes, sizeof(bytes));
	base64(n64, sizeof(n64), bytes, sizeof(bytes));
	snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"card\",\"e\":\"AQAB\",\"n\":\"%s\"}]}", n64);
	no_key(set, "\"card\": its modulus can be factored");
	BN_free(m);
	BN_free(n);
	BN_free(k);
	BN_CTX_free(ctx);
}

static int setup(void **state)
{
	BIGNUM *n = NULL;
	uint8_t bytes[256];

	(void)state;
	if (sodium_init() < 0 || (rsa = EVP_RSA_gen(2048)) == NULL || EVP_PKEY_get_bn_param(rsa, "n", &n) != 1)
		return -1;
	BN_bn2binpad(n, bytes, sizeof(bytes));
	base64(modulus, sizeof(modulus), bytes, sizeof(bytes));
	BN_free(n);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors), cmocka_unit_test(test_pss),  cmocka_unit_test(test_headers),
	        cmocka_unit_test(test_keys),    cmocka_unit_test(test_roca),
	};

	return cmocka_run_group_tests_name("jose", tests, setup, teardown);
}
