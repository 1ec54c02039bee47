/* Credentials' data by kind, taken apart and checked: no state, the client library links this too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/credential.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

#define ORIGINS_MAX     8
#define ORIGIN_SIZE_MAX 256
#define TOTP_DOMAIN     "countersign/totp/v1"
#define REGISTER_DOMAIN "countersign/register/v1"

const char *credential_kind_text(unsigned kind)
{
	switch (kind) {
#define CREDENTIAL_CASE(name, number, key)                                                                             \
	case number:                                                                                                   \
		return key;
		CREDENTIAL_LIST(CREDENTIAL_CASE)
#undef CREDENTIAL_CASE
	default:
		return "unknown";
	}
}

unsigned credential_kind_parse(struct text t)
{
#define CREDENTIAL_TRY(name, number, key)                                                                              \
	if (text_is(t, key))                                                                                           \
		return number;
	CREDENTIAL_LIST(CREDENTIAL_TRY)
#undef CREDENTIAL_TRY
	return 0;
}

static void malformed(struct reader *r)
{
	if (r->err == 0)
		r->err = CS_ERR_MALFORMED;
}

/* A list of texts, checked and passed over; *ret is at it, for who reads it again. */
static void read_origins(struct reader *r, struct reader *ret, const uint8_t **ret_bytes, size_t *ret_len)
{
	const uint8_t *bytes = NULL;
	size_t len = 0;
	uint32_t n = 0;

	codec_array(r, &bytes, &len);
	if (r->err != 0)
		return;
	reader_init(ret, bytes, len);
	struct reader each = *ret;
	reader_array(&each, ORIGINS_MAX, &n);
	for (uint32_t i = 0; i < n && each.err == 0; i++) {
		struct text t;
		codec_text(&each, 1, ORIGIN_SIZE_MAX, &t);
	}
	if (reader_end(&each) != 0 || n == 0)
		malformed(r);
	*ret_bytes = bytes;
	*ret_len = len;
}

int credential_webauthn_read(struct credential_webauthn *ret, const void *bytes, size_t len)
{
	const uint8_t *origins = NULL;
	size_t origins_len = 0;
	uint64_t flags = 0;
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 6);
	codec_text(&r, 1, CREDENTIAL_TEXT_SIZE_MAX, &ret->rp_id);
	read_origins(&r, &ret->origins, &origins, &origins_len);
	reader_bin(&r, CREDENTIAL_ID_SIZE_MAX, &ret->id, &ret->id_len);
	reader_int(&r, &ret->alg);
	reader_bin(&r, CREDENTIAL_KEY_SIZE_MAX, &ret->key, &ret->key_len);
	reader_uint(&r, 7, &flags);
	ret->flags = (unsigned)flags;
	if (ret->id_len == 0 || ret->key_len == 0)
		malformed(&r);
	return reader_end(&r);
}

int credential_registration_read(struct credential_registration *ret, const void *bytes, size_t len)
{
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 8);
	codec_text(&r, 1, CREDENTIAL_TEXT_SIZE_MAX, &ret->rp_id);
	read_origins(&r, &ret->origins, &ret->origins_bytes, &ret->origins_len);
	reader_int(&r, &ret->alg);
	reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &ret->client_data, &ret->client_data_len);
	reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &ret->auth_data, &ret->auth_data_len);
	codec_text(&r, 1, CREDENTIAL_FORMAT_SIZE_MAX, &ret->format);
	reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &ret->statement, &ret->statement_len);
	codec_text(&r, 0, PRINCIPAL_NAME_SIZE_MAX, &ret->root);
	if (ret->alg < INT16_MIN || ret->alg > INT16_MAX)
		malformed(&r);
	return reader_end(&r);
}

static void read_sealed(struct reader *r, struct reader *ret)
{
	uint64_t before = 0;
	uint32_t n = 0;

	*ret = *r;
	reader_array(r, TOTP_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		const uint8_t *sealed = NULL;
		size_t len = 0;
		uint64_t id = 0;
		reader_array_exact(r, 2);
		reader_uint(r, NODE_ID_MAX, &id);
		reader_bin(r, TOTP_SEALED_SIZE_MAX, &sealed, &len);
		if (id <= before || len < TOTP_SEALED_SIZE_MAX - TOTP_SECRET_SIZE_MAX + TOTP_SECRET_SIZE_MIN)
			malformed(r);
		before = id;
	}
	if (n == 0)
		malformed(r);
}

int credential_totp_read(struct credential_totp *ret, const void *bytes, size_t len)
{
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	reader_uint(&r, 512, &ret->algorithm);
	reader_uint(&r, TOTP_DIGITS_MAX, &ret->digits);
	reader_uint(&r, 120, &ret->period_s);
	read_sealed(&r, &ret->sealed);
	if ((ret->algorithm != 1 && ret->algorithm != 256 && ret->algorithm != 512) || ret->digits < 6 ||
	    ret->period_s < 15)
		malformed(&r);
	return reader_end(&r);
}

size_t totp_message(uint8_t ret[ANSWER_MESSAGE_SIZE_MAX], const char *origin, struct text name)
{
	size_t n = codec_domain(ret, TOTP_DOMAIN, origin);

	memcpy(ret + n, name.s, name.len);
	return n + name.len;
}

size_t register_message(uint8_t ret[REGISTER_MESSAGE_SIZE_MAX], const char *origin, struct text name,
                        struct text subject_type, struct text subject_id)
{
	_Static_assert(sizeof(REGISTER_DOMAIN) + LIMIT_ORIGIN_SIZE_MAX + 1 + PRINCIPAL_NAME_SIZE_MAX + 1 +
	                               SUBJECT_TYPE_SIZE_MAX + 1 + REQUEST_STR_SIZE_MAX <=
	                       REGISTER_MESSAGE_SIZE_MAX,
	               "the longest names fit");
	const struct text parts[3] = {name, subject_type, subject_id};
	size_t n = codec_domain(ret, REGISTER_DOMAIN, origin);

	for (unsigned i = 0; i < 3; i++) {
		if (i > 0)
			ret[n++] = 0;
		memcpy(ret + n, parts[i].s, parts[i].len);
		n += parts[i].len;
	}
	return n;
}

int credential_oidc_read(struct credential_oidc *ret, const void *bytes, size_t len)
{
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &ret->issuer);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &ret->sub);
	return reader_end(&r);
}

static bool is_rsa(const struct issuer_key *k)
{
	return text_is(k->alg, "RS256") || text_is(k->alg, "PS256");
}

void issuer_key_read(struct reader *r, struct issuer_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	reader_array_exact(r, 3);
	codec_text(r, 0, CREDENTIAL_TEXT_SIZE_MAX, &ret->kid);
	codec_text(r, 1, 16, &ret->alg);
	reader_bin(r, CREDENTIAL_KEY_SIZE_MAX, &ret->key, &ret->key_len);
	bool fits = text_is(ret->alg, "EdDSA")   ? ret->key_len == 32
	            : text_is(ret->alg, "ES256") ? ret->key_len == 64
	                                         : is_rsa(ret) && ret->key_len >= 4 + 256 && ret->key_len <= 4 + 512;
	if (!fits)
		malformed(r);
}

int credential_issuer_read(struct credential_issuer *ret, const void *bytes, size_t len)
{
	uint32_t n = 0;
	struct reader r;

	memset(ret, 0, sizeof(*ret));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &ret->iss);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &ret->aud);
	reader_uint(&r, ISSUER_SKEW_MAX, &ret->skew_ms);
	ret->keys = r;
	reader_array(&r, ISSUER_KEYS_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		struct issuer_key key;
		issuer_key_read(&r, &key);
	}
	if (n == 0)
		malformed(&r);
	return reader_end(&r);
}

bool credential_issuer_has_pss(const struct credential_issuer *i)
{
	struct reader r = i->keys;
	bool found = false;
	uint32_t n = 0;

	reader_array(&r, ISSUER_KEYS_MAX, &n);
	for (uint32_t k = 0; k < n && r.err == 0; k++) {
		struct issuer_key key;
		issuer_key_read(&r, &key);
		found |= text_is(key.alg, "PS256");
	}
	return found;
}

static unsigned modulo(const uint8_t *n, size_t len, unsigned p)
{
	unsigned rest = 0;

	for (size_t i = 0; i < len; i++)
		rest = (rest << 8 | n[i]) % p;
	return rest;
}

/*
 * Such primes are all powers of 65537 modulo each of these, and so is their product (Nemec et al., "The Return of
 * Coppersmith's Attack", 2017, 2.3). Of other keys one in 2^27 is.
 */
static bool is_roca(const uint8_t *n, size_t len)
{
	static const uint8_t primes[] = {11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157};

	for (size_t i = 0; i < sizeof(primes); i++) {
		unsigned p = primes[i], rest = modulo(n, len, p), power = 1;
		do
			power = power * (65537 % p) % p;
		while (power != 1 && power != rest);
		if (power != rest)
			return false;
	}
	return true;
}

const char *issuer_key_weakness(const struct issuer_key *k)
{
	if (!is_rsa(k))
		return NULL;
	if (get_u32be(k->key) < 3 || (get_u32be(k->key) & 1) == 0)
		return "its exponent is none: anybody can make signatures by it";
	if (is_roca(k->key + 4, k->key_len - 4))
		return "its modulus can be factored (ROCA, CVE-2017-15361): anybody can make signatures by it";
	return NULL;
}

static bool root_valid(const void *bytes, size_t len)
{
	const uint8_t *der = NULL;
	size_t der_len = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 1);
	reader_bin(&r, CREDENTIAL_MADE_SIZE_MAX, &der, &der_len);
	return reader_end(&r) == 0 && der_len > 0;
}

bool credential_data_valid(unsigned kind, const void *bytes, size_t len)
{
	union {
		struct credential_registration g;
		struct credential_totp t;
		struct credential_oidc o;
		struct credential_issuer i;
	} u;

	switch (kind) {
	case CREDENTIAL_WEBAUTHN:
		return credential_registration_read(&u.g, bytes, len) == 0;
	case CREDENTIAL_TOTP:
		return credential_totp_read(&u.t, bytes, len) == 0;
	case CREDENTIAL_OIDC:
		return credential_oidc_read(&u.o, bytes, len) == 0;
	case CREDENTIAL_ISSUER:
		return credential_issuer_read(&u.i, bytes, len) == 0;
	case CREDENTIAL_ROOT:
		return root_valid(bytes, len);
	default:
		return false;
	}
}
