/* Wycheproof's cases against what verifies ID tokens: JSON Web Signatures with their keys, and bare signatures. */
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vectors are not part of this project: the folder with its files (testvectors_v1) is the argument, or in
 * COUNTERSIGN_WYCHEPROOF. Without it: 77, skipped.
 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/evidence/verify_internal.h"
#include "tests/jose_kit.h"

#define EXIT_SKIP 77
#define KEY_SIZE  (4 + 512)
#define SIG_SIZE  1024

struct tally {
	unsigned accepted, refused; /* As the vectors ask, or as they leave open. */
	unsigned foreign;           /* Valid, by an algorithm or a key that is not on our list: refused. */
	unsigned wrong;
};

static const char *folder;

static json_t *vectors(const char *file)
{
	char path[1024];
	json_t *j;

	snprintf(path, sizeof path, "%s/testvectors_v1/%s.json", folder, file);
	j = json_load_file(path, 0, NULL);
	if (j == NULL) {
		snprintf(path, sizeof path, "%s/%s.json", folder, file);
		j = json_load_file(path, 0, NULL);
	}
	if (j == NULL)
		fprintf(stderr, "not there, or no JSON: %s\n", path);
	return j;
}

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

/* good: what we said. ours: the case is one that we mean to accept, if it is valid. */
static void count(struct tally *t, const char *file, const json_t *test, bool good, bool ours, const char *why)
{
	const char *result = text(test, "result");
	bool valid = strcmp(result, "valid") == 0, invalid = strcmp(result, "invalid") == 0;

	if ((invalid && good) || (valid && ours && !good)) {
		t->wrong++;
		printf("WRONG %s %lld, %s: %s, we %s (%s)\n", file,
		       (long long)json_integer_value(json_object_get(test, "tcId")), text(test, "comment"), result,
		       good ? "accept it" : "refuse it", why);
	} else if (good) {
		t->accepted++;
	} else if (valid) {
		t->foreign++;
	} else {
		t->refused++;
	}
}

static bool summary(const char *file, const struct tally *t)
{
	printf("%-40s %4u accepted, %4u refused, %3u valid but not of our list, %u wrong\n", file, t->accepted,
	       t->refused, t->foreign, t->wrong);
	return t->wrong == 0 && t->accepted + t->refused > 0;
}

/* --- JSON Web Signatures --- */

static bool on_list(const char *token)
{
	uint8_t header[1024];
	const char *dot = strchr(token, '.');
	size_t len = 0;
	json_t *j;

	if (dot == NULL || sodium_base642bin(header, sizeof header, token, (size_t)(dot - token), NULL, &len, NULL,
	                                     sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return false;
	j = json_loadb((const char *)header, len, 0, NULL);
	const char *alg = text(j, "alg");
	bool ours = strcmp(alg, "RS256") == 0 || strcmp(alg, "PS256") == 0 || strcmp(alg, "ES256") == 0 ||
	            strcmp(alg, "EdDSA") == 0;
	json_decref(j);
	return ours;
}

/* The group's key or set of keys, as an issuer would publish it. */
static char *key_set(const json_t *group)
{
	json_t *key = json_object_get(group, "public");
	char *s;

	if (key == NULL)
		key = json_object_get(group, "private"); /* Of symmetric ones there is no other. */
	json_t *set = json_object_get(key, "keys") != NULL ? json_incref(key) : json_pack("{s:[O]}", "keys", key);
	s = json_dumps(set, JSON_COMPACT);
	json_decref(set);
	return s;
}

static bool run_jws(const char *file)
{
	json_t *all = vectors(file), *group, *test;
	struct tally t = {0};
	const char *why;
	size_t g, i;

	json_array_foreach(json_object_get(all, "testGroups"), g, group)
	{
		char *set = key_set(group);
		json_array_foreach(json_object_get(group, "tests"), i, test)
		{
			const json_t *jws = json_object_get(test, "jws");
			if (!json_is_string(jws)) /* Encryption: not ours. */
				continue;
			const char *token = json_string_value(jws);
			enum jose_outcome o = jose_judge(set, token, &why);
			count(&t, file, test, o == JOSE_VERIFIED, o != JOSE_NO_KEY && on_list(token), why);
		}
		free(set);
	}
	json_decref(all);
	return summary(file, &t);
}

/* --- bare signatures --- */

static bool of_hex(const char *hex, uint8_t *ret, size_t cap, size_t *ret_len)
{
	return sodium_hex2bin(ret, cap, hex, strlen(hex), NULL, ret_len, NULL) == 0;
}

static bool rsa_key(const json_t *k, uint8_t ret[KEY_SIZE], size_t *ret_len)
{
	uint8_t n[KEY_SIZE], e[8];
	size_t n_len, e_len, skip = 0;

	if (!of_hex(text(k, "modulus"), n, sizeof n, &n_len) ||
	    !of_hex(text(k, "publicExponent"), e, sizeof e, &e_len) || e_len > 4)
		return false;
	while (skip < n_len && n[skip] == 0)
		skip++;
	memset(ret, 0, 4);
	memcpy(ret + 4 - e_len, e, e_len);
	memcpy(ret + 4, n + skip, n_len - skip);
	*ret_len = 4 + n_len - skip;
	return true;
}

static bool group_key(const json_t *group, const char *alg, uint8_t ret[KEY_SIZE], size_t *ret_len)
{
	const json_t *k = json_object_get(group, "publicKey");

	if (strcmp(alg, "ES256") == 0) {
		if (!of_hex(text(k, "uncompressed"), ret, KEY_SIZE, ret_len) || *ret_len != 65)
			return false;
		memmove(ret, ret + 1, --*ret_len);
		return true;
	}
	if (strcmp(alg, "EdDSA") == 0)
		return of_hex(text(k, "pk"), ret, KEY_SIZE, ret_len) && *ret_len == 32;
	return rsa_key(k, ret, ret_len);
}

static bool run_bare(const char *file, const char *alg)
{
	static uint8_t message[1 << 16];
	json_t *all = vectors(file), *group, *test;
	struct tally t = {0};
	size_t g, i;

	json_array_foreach(json_object_get(all, "testGroups"), g, group)
	{
		uint8_t key[KEY_SIZE], sig[SIG_SIZE];
		struct issuer_key k = {.alg = {alg, strlen(alg)}, .key = key};
		if (!group_key(group, alg, key, &k.key_len)) {
			printf("WRONG %s: a group's key was not understood\n", file);
			t.wrong++;
			continue;
		}
		json_array_foreach(json_object_get(group, "tests"), i, test)
		{
			size_t len, sig_len;
			bool whole = of_hex(text(test, "msg"), message, sizeof message, &len) &&
			             of_hex(text(test, "sig"), sig, sizeof sig, &sig_len);
			count(&t, file, test, whole && issuer_key_verifies(&k, message, len, sig, sig_len), true,
			      whole ? "" : "not hexadecimal, or too long");
		}
	}
	json_decref(all);
	return summary(file, &t);
}

int main(int argc, char **argv)
{
	bool good = true;

	folder = argc > 1 ? argv[1] : getenv("COUNTERSIGN_WYCHEPROOF");
	if (folder == NULL || *folder == 0) {
		printf("the folder of Wycheproof's vectors is not given (COUNTERSIGN_WYCHEPROOF): skipped\n");
		return EXIT_SKIP;
	}
	if (sodium_init() < 0)
		return 1;
	good &= run_jws("json_web_signature_test");
	good &= run_jws("json_web_key_test");
	good &= run_jws("json_web_crypto_test");
	good &= run_bare("rsa_signature_2048_sha256_test", "RS256");
	good &= run_bare("rsa_signature_3072_sha256_test", "RS256");
	good &= run_bare("rsa_signature_4096_sha256_test", "RS256");
	good &= run_bare("rsa_pss_2048_sha256_mgf1_32_test", "PS256");
	good &= run_bare("ecdsa_secp256r1_sha256_p1363_test", "ES256");
	good &= run_bare("ed25519_test", "EdDSA");
	return good ? 0 : 1;
}
