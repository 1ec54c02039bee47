/* Signatures by an issuer's pinned keys: RFC 7518 3.3 to 3.5 by OpenSSL, RFC 8037 by libsodium. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <string.h>

#include "node/decide/codec.h"
#include "node/evidence/verify_internal.h"

#define EXPONENT_SIZE 4 /* Before the modulus. */
#define COORDINATE    32
#define DER_SIZE_MAX  72 /* SEQUENCE of two INTEGERs of 33 bytes at most. */

static EVP_PKEY *key_of(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* Its size is checked where keys are read (credential.h): 2,048 to 4,096 bits, if the first byte is one of them. */
static EVP_PKEY *rsa_key(const uint8_t *key, size_t len)
{
	BIGNUM *e = BN_bin2bn(key, EXPONENT_SIZE, NULL),
	       *n = BN_bin2bn(key + EXPONENT_SIZE, (int)(len - EXPONENT_SIZE), NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *rv = NULL;

	if (key[EXPONENT_SIZE] != 0 && b != NULL && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		params = OSSL_PARAM_BLD_to_param(b);
	rv = key_of("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_free(e);
	BN_free(n);
	return rv;
}

/* NULL, too, if the point is not on the curve. */
static EVP_PKEY *p256_key(const uint8_t xy[2 * COORDINATE])
{
	uint8_t point[1 + 2 * COORDINATE] = {0x04}; /* Uncompressed (SEC 1, 2.3.3). */
	char group[] = "P-256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
	                       OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
	                       OSSL_PARAM_construct_end()};

	memcpy(point + 1, xy, 2 * COORDINATE);
	return key_of("EC", params);
}

static bool digest_verifies(EVP_PKEY *key, bool pss, const void *message, size_t len, const uint8_t *sig,
                            size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how;
	bool good = ctx != NULL && key != NULL && EVP_DigestVerifyInit(ctx, &how, EVP_sha256(), NULL, key) == 1;

	/* RFC 7518 3.5: the mask by the same hash, the salt as long as the hash; no other length passes. */
	if (good && pss)
		good = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(how, EVP_sha256()) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(ctx, sig, sig_len, message, len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

/* r and s, each of 32 bytes, as the DER that the library wants. 0: it cannot be. */
static size_t der_of(uint8_t ret[DER_SIZE_MAX], const uint8_t *rs)
{
	BIGNUM *r = BN_bin2bn(rs, COORDINATE, NULL), *s = BN_bin2bn(rs + COORDINATE, COORDINATE, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int len = 0;

	if (r != NULL && s != NULL && sig != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* The signature's now. */
		len = i2d_ECDSA_SIG(sig, &ret);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len > 0 ? (size_t)len : 0;
}

bool issuer_key_verifies(const struct issuer_key *k, const void *message, size_t len, const uint8_t *sig,
                         size_t sig_len)
{
	uint8_t der[DER_SIZE_MAX];

	if (issuer_key_weakness(k) != NULL)
		return false;
	if (text_is(k->alg, "EdDSA"))
		return sig_len == crypto_sign_BYTES && crypto_sign_verify_detached(sig, message, len, k->key) == 0;
	if (text_is(k->alg, "ES256"))
		return sig_len == 2 * COORDINATE &&
		       digest_verifies(p256_key(k->key), false, message, len, der, der_of(der, sig));
	return digest_verifies(rsa_key(k->key, k->key_len), text_is(k->alg, "PS256"), message, len, sig, sig_len);
}
