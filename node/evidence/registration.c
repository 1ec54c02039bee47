/* WebAuthn registrations: W3C Web Authentication Level 3, 7.1; attestation by libfido2, its root pinned. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fido.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/credential.h"
#include "node/evidence/verify_internal.h"

#define FLAG_UV 0x04
#define FLAG_BE 0x08

/* Signed by the pinned root, directly. Its time is not asked: attestation certificates are as old as their devices. */
static bool issued_by(const uint8_t *leaf, size_t leaf_len, const uint8_t *root, size_t root_len)
{
	X509 *l = d2i_X509(NULL, &leaf, (long)leaf_len), *r = d2i_X509(NULL, &root, (long)root_len);
	bool good = l != NULL && r != NULL && X509_check_issued(r, l) == X509_V_OK &&
	            X509_verify(l, X509_get0_pubkey(r)) == 1;

	X509_free(l);
	X509_free(r);
	return good;
}

static int set_all(fido_cred_t *f, const struct credential_registration *g, const char *rp_id, const char *format)
{
	struct hash client_data;
	int rv = fido_cred_set_type(f, (int)g->alg);

	hash_bytes(&client_data, g->client_data, g->client_data_len);
	if (rv == FIDO_OK)
		rv = fido_cred_set_clientdata_hash(f, client_data.b, HASH_SIZE);
	if (rv == FIDO_OK)
		rv = fido_cred_set_rp(f, rp_id, NULL);
	if (rv == FIDO_OK)
		rv = fido_cred_set_authdata_raw(f, g->auth_data, g->auth_data_len);
	if (rv == FIDO_OK)
		rv = fido_cred_set_fmt(f, format);
	if (rv == FIDO_OK && g->statement_len > 0)
		rv = fido_cred_set_attstmt(f, g->statement, g->statement_len);
	return rv;
}

/* No attestation, the key's own, or a maker's. ret_attested: a maker's, whose root is pinned. */
static bool attestation_good(struct evidence *e, fido_cred_t *f, bool *ret_attested)
{
	int rv = FIDO_OK;

	*ret_attested = false;
	if (fido_cred_x5c_ptr(f) != NULL)
		rv = fido_cred_verify(f);
	else if (fido_cred_sig_ptr(f) != NULL)
		rv = fido_cred_verify_self(f);
	if (rv != FIDO_OK)
		return evidence_fails(e, "webauthn: the attestation: %s", fido_strerr(rv));
	if (e->issuer_len == 0)
		return true;
	if (fido_cred_x5c_ptr(f) == NULL ||
	    !issued_by(fido_cred_x5c_ptr(f), fido_cred_x5c_len(f), e->issuer, e->issuer_len))
		return evidence_fails(e, "webauthn: the attestation is not by the root that is named");
	*ret_attested = true;
	return true;
}

/* What is kept: what an assertion will be held against. */
static bool make(struct evidence *e, const struct credential_registration *g, fido_cred_t *f, bool attested)
{
	unsigned flags = (attested ? CREDENTIAL_ATTESTED : 0) |
	                 (fido_cred_flags(f) & FLAG_BE ? CREDENTIAL_BACKUP_ELIGIBLE : 0) |
	                 (fido_cred_flags(f) & FLAG_UV ? CREDENTIAL_USER_VERIFIED : 0);
	struct writer w;

	writer_init(&w, e->found.made, sizeof(e->found.made));
	writer_array(&w, 6);
	writer_str(&w, g->rp_id.s, g->rp_id.len);
	writer_raw(&w, g->origins_bytes, g->origins_len);
	writer_bin(&w, fido_cred_id_ptr(f), fido_cred_id_len(f));
	writer_int(&w, fido_cred_type(f));
	writer_bin(&w, fido_cred_pubkey_ptr(f), fido_cred_pubkey_len(f));
	writer_uint(&w, flags);
	struct credential_webauthn k;
	if (writer_end(&w, &e->found.made_len) != 0 ||
	    credential_webauthn_read(&k, e->found.made, e->found.made_len) != 0)
		return evidence_fails(e, "webauthn: its id is over %d bytes, or its key cannot be kept",
		                      CREDENTIAL_ID_SIZE_MAX);
	return true;
}

void verify_registration(struct evidence *e)
{
	struct credential_registration g;
	char rp_id[CREDENTIAL_TEXT_SIZE_MAX + 1] = "", format[CREDENTIAL_FORMAT_SIZE_MAX + 1] = "";
	bool attested;

	if (credential_registration_read(&g, e->data, e->data_len) != 0) {
		evidence_fails(e, "webauthn: the registration is malformed");
		return;
	}
	if (!client_data_good(e, g.client_data, g.client_data_len, "webauthn.create", g.origins))
		return;
	memcpy(rp_id, g.rp_id.s, g.rp_id.len);
	memcpy(format, g.format.s, g.format.len);
	fido_cred_t *f = fido_cred_new();
	if (f == NULL)
		abort(); /* As evidence_init says. */
	int rv = set_all(f, &g, rp_id, format);
	struct hash rp;
	hash_bytes(&rp, rp_id, strlen(rp_id));
	if (rv != FIDO_OK)
		evidence_fails(e, "webauthn: the registration: %s", fido_strerr(rv));
	else if (g.auth_data_len < HASH_SIZE || memcmp(g.auth_data, rp.b, HASH_SIZE) != 0)
		evidence_fails(e, "webauthn: it was made for another relying party");
	else if (!(fido_cred_flags(f) & 1))
		evidence_fails(e, "webauthn: nobody touched the authenticator");
	else if (attestation_good(e, f, &attested) && make(e, &g, f, attested)) {
		e->found.counter = fido_cred_sigcount(f);
		e->found.verified = true;
	}
	fido_cred_free(&f);
}
