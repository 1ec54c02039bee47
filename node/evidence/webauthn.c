/* WebAuthn assertions: W3C Web Authentication Level 3, 7.2; the signature by libfido2, all else by us. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/es384.h>
#include <fido/rs256.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/credential.h"
#include "node/decide/policy_form.h"
#include "node/evidence/verify_internal.h"

#define AUTH_DATA_SIZE_MIN 37 /* rpIdHash 32, flags 1, signCount 4. */
#define FLAG_UP            0x01
#define FLAG_UV            0x04
#define FLAG_BE            0x08
#define FLAG_BS            0x10

struct assertion {
	const uint8_t *id, *auth_data, *client_data, *signature;
	size_t id_len, auth_data_len, client_data_len, signature_len;
};

/* [credential id, authenticatorData, clientDataJSON, signature] */
static bool assertion_read(struct assertion *a, const struct evidence *e)
{
	struct reader r;

	reader_init(&r, e->offered, e->offered_len);
	reader_array_exact(&r, 4);
	reader_bin(&r, EVIDENCE_SIZE_MAX, &a->id, &a->id_len);
	reader_bin(&r, EVIDENCE_SIZE_MAX, &a->auth_data, &a->auth_data_len);
	reader_bin(&r, EVIDENCE_SIZE_MAX, &a->client_data, &a->client_data_len);
	reader_bin(&r, EVIDENCE_SIZE_MAX, &a->signature, &a->signature_len);
	return reader_end(&r) == 0;
}

static bool auth_data_good(struct evidence *e, const struct assertion *a, const struct credential_webauthn *k)
{
	struct hash rp;

	if (a->auth_data_len < AUTH_DATA_SIZE_MIN)
		return evidence_fails(e, "webauthn: authenticatorData is too short");
	uint8_t flags = a->auth_data[32];
	hash_bytes(&rp, k->rp_id.s, k->rp_id.len);
	if (memcmp(a->auth_data, rp.b, HASH_SIZE) != 0)
		return evidence_fails(e, "webauthn: it was made for another relying party");
	if (!(flags & FLAG_UP))
		return evidence_fails(e, "webauthn: nobody touched the authenticator");
	if (e->level >= LEVEL_USER_VERIFIED && !(flags & FLAG_UV))
		return evidence_fails(e, "webauthn: the user was not verified, and must be");
	if ((flags & FLAG_BS) && !(flags & FLAG_BE))
		return evidence_fails(e, "webauthn: backed up, but not eligible for backup");
	if (((flags & FLAG_BE) != 0) != ((k->flags & CREDENTIAL_BACKUP_ELIGIBLE) != 0))
		return evidence_fails(e, "webauthn: its eligibility for backup has changed since it was enrolled");
	return true;
}

/* The signature of what was set, by a key of this algorithm. */
#define VERIFY_WITH(alg, id)                                                                                           \
	static int verify_##alg(fido_assert_t *f, const uint8_t *key, size_t len)                                      \
	{                                                                                                              \
		alg##_pk_t *pk = alg##_pk_new();                                                                       \
		int rv = pk == NULL ? FIDO_ERR_INTERNAL : alg##_pk_from_ptr(pk, key, len);                             \
		if (rv == FIDO_OK)                                                                                     \
			rv = fido_assert_verify(f, 0, id, pk);                                                         \
		alg##_pk_free(&pk);                                                                                    \
		return rv;                                                                                             \
	}
VERIFY_WITH(es256, COSE_ES256)
VERIFY_WITH(es384, COSE_ES384)
VERIFY_WITH(rs256, COSE_RS256)
VERIFY_WITH(eddsa, COSE_EDDSA)
#undef VERIFY_WITH

static int verify_by(fido_assert_t *f, const struct credential_webauthn *k)
{
	switch (k->alg) {
	case COSE_ES256:
		return verify_es256(f, k->key, k->key_len);
	case COSE_ES384:
		return verify_es384(f, k->key, k->key_len);
	case COSE_RS256:
		return verify_rs256(f, k->key, k->key_len);
	case COSE_EDDSA:
		return verify_eddsa(f, k->key, k->key_len);
	default:
		return FIDO_ERR_UNSUPPORTED_ALGORITHM;
	}
}

static int set_all(fido_assert_t *f, const struct evidence *e, const struct assertion *a, const char *rp_id)
{
	struct hash client_data;
	int rv = fido_assert_set_rp(f, rp_id);

	hash_bytes(&client_data, a->client_data, a->client_data_len);
	if (rv == FIDO_OK)
		rv = fido_assert_set_clientdata_hash(f, client_data.b, HASH_SIZE);
	if (rv == FIDO_OK)
		rv = fido_assert_set_count(f, 1);
	if (rv == FIDO_OK)
		rv = fido_assert_set_authdata_raw(f, 0, a->auth_data, a->auth_data_len);
	if (rv == FIDO_OK)
		rv = fido_assert_set_up(f, FIDO_OPT_TRUE);
	if (rv == FIDO_OK && e->level >= LEVEL_USER_VERIFIED)
		rv = fido_assert_set_uv(f, FIDO_OPT_TRUE);
	if (rv == FIDO_OK)
		rv = fido_assert_set_sig(f, 0, a->signature, a->signature_len);
	return rv;
}

static bool signature_good(struct evidence *e, const struct assertion *a, const struct credential_webauthn *k)
{
	char rp_id[CREDENTIAL_TEXT_SIZE_MAX + 1] = "";

	memcpy(rp_id, k->rp_id.s, k->rp_id.len);
	fido_assert_t *f = fido_assert_new();
	if (f == NULL)
		abort(); /* As evidence_init says. */
	int rv = set_all(f, e, a, rp_id);
	if (rv == FIDO_OK)
		rv = verify_by(f, k);
	fido_assert_free(&f);
	return rv == FIDO_OK ? true : evidence_fails(e, "webauthn: %s", fido_strerr(rv));
}

void verify_webauthn(struct evidence *e)
{
	struct credential_webauthn k;
	struct assertion a = {0};

	if (!assertion_read(&a, e) || credential_webauthn_read(&k, e->data, e->data_len) != 0) {
		evidence_fails(e, "webauthn: the assertion is malformed");
		return;
	}
	if (a.id_len != k.id_len || memcmp(a.id, k.id, k.id_len) != 0) {
		evidence_fails(e, "webauthn: it was made by another credential");
		return;
	}
	if (!client_data_good(e, a.client_data, a.client_data_len, "webauthn.get", k.origins) ||
	    !auth_data_good(e, &a, &k) || !signature_good(e, &a, &k))
		return;
	bool uv = a.auth_data[32] & FLAG_UV;
	/* 7.2 step 22: a counter that does not rise hints at a clone; it is a signal, for who may be right is unknown.
	 */
	e->found.counter = get_u32be(a.auth_data + 33);
	e->found.level = !uv ? LEVEL_POSSESSION : k.flags & CREDENTIAL_ATTESTED ? LEVEL_ATTESTED : LEVEL_USER_VERIFIED;
	e->found.verified = true;
}
