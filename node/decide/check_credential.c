/* What is to be enrolled as a credential, held against the state, kind by kind. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

static bool names_member(struct reader *sealed, const struct state *s, unsigned *ret_n)
{
	uint32_t n = 0;

	reader_array(sealed, TOTP_NODES_MAX, &n);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *bytes;
		uint64_t id = 0;
		size_t len;
		reader_array_exact(sealed, 2);
		reader_uint(sealed, NODE_ID_MAX, &id);
		reader_bin(sealed, TOTP_SEALED_SIZE_MAX, &bytes, &len);
		if (roster_find(&s->roster, id) == NULL)
			return false;
	}
	*ret_n = n;
	return true;
}

/* Replicas of a build without PS256 refuse the order as malformed: the others do as well, until all have it. */
static int check_issuer(const struct state *s, const struct credential_order *o, const struct refusal *why)
{
	struct credential_issuer i;

	if (credential_issuer_read(&i, o->data, o->data_len) != 0)
		return CS_ERR_MALFORMED;
	return credential_issuer_has_pss(&i) ? check_feature_on(s, FEATURE_RECORDS, "a key for PS256", why) : 0;
}

/* Whichever node leads must be able to open it. */
static int check_totp(const struct state *s, const struct credential_order *o, const struct refusal *why)
{
	struct credential_totp t;
	unsigned n = 0;

	if (o->data_hash != NULL)
		return 0; /* It was looked at when it was enrolled. */
	if (credential_totp_read(&t, o->data, o->data_len) != 0 || !names_member(&t.sealed, s, &n) || n != s->roster.n)
		return refuse(why, CS_ERR_CONFLICT,
		              "the secret must be sealed to each of the %u members, and to nobody else: fetch who they "
		              "are and enrol again",
		              s->roster.n);
	return 0;
}

static int check_pinned(const struct state *s, struct text name, unsigned kind, const struct refusal *why)
{
	const struct credential *c = state_credential_by_name(s, name.s, name.len);

	if (c == NULL || c->kind != kind)
		return refuse(why, CS_ERR_NOT_FOUND, "no %s of the name %.*s is enrolled", credential_kind_text(kind),
		              (int)name.len, name.s);
	return 0;
}

int check_credential_data(const struct state *s, const struct credential_order *o, const struct refusal *why)
{
	struct credential_registration g;
	struct credential_oidc i;

	switch (o->kind) {
	case CREDENTIAL_TOTP:
		return check_totp(s, o, why);
	case CREDENTIAL_ISSUER:
		return check_issuer(s, o, why);
	case CREDENTIAL_OIDC:
		return credential_oidc_read(&i, o->data, o->data_len) != 0
		               ? CS_ERR_MALFORMED
		               : check_pinned(s, i.issuer, CREDENTIAL_ISSUER, why);
	case CREDENTIAL_WEBAUTHN:
		if (credential_registration_read(&g, o->data, o->data_len) != 0)
			return CS_ERR_MALFORMED;
		return g.root.len > 0 ? check_pinned(s, g.root, CREDENTIAL_ROOT, why) : 0;
	default:
		return 0;
	}
}
