/* Evidence filled in from the state: what an answer, or a registration, must be verified against. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/apply.h"
#include "node/decide/codec.h"

static void fill_ed25519(struct evidence *ret, const struct state *s, const struct challenge_slot *c,
                         const struct answer *a)
{
	const struct principal *p = state_principal_by_name(s, a->credential.s, a->credential.len);

	ret->credential = p != NULL ? p->id : 0;
	ret->version = p != NULL ? p->version : 0;
	if (p == NULL || !credential_fits(p, c, a))
		return;
	ret->method = METHOD_ED25519;
	memcpy(ret->key, p->sign_pub, sizeof(ret->key));
	const struct key_replaced *before = keys_overlap(s, KEY_PLACE_SIGN, p->id);
	ret->has_key_before = before != NULL;
	if (before != NULL)
		memcpy(ret->key_before, before->pub, sizeof(ret->key_before));
}

/* A reference by name: what is pinned there, and as of when. */
static bool fill_pinned(struct evidence *ret, const struct state *s, struct text name, unsigned kind)
{
	const struct credential *c = state_credential_by_name(s, name.s, name.len);
	const uint8_t *bytes = c != NULL ? c->data : NULL;
	size_t len = c != NULL ? c->data_len : 0;
	struct reader r;

	if (c == NULL || c->kind != kind)
		return false;
	if (kind == CREDENTIAL_ROOT) { /* [DER] */
		reader_init(&r, c->data, c->data_len);
		reader_array_exact(&r, 1);
		reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &bytes, &len);
	}
	memcpy(ret->issuer, bytes, len);
	ret->issuer_len = len;
	ret->issuer_version = c->version;
	return true;
}

static void fill_further(struct evidence *ret, const struct state *s, const struct challenge_slot *c,
                         const struct answer *a)
{
	const struct credential *k = state_credential_by_name(s, a->credential.s, a->credential.len);
	struct credential_oidc o;

	ret->credential = k != NULL ? k->id : 0;
	ret->version = k != NULL ? k->version : 0;
	if (k == NULL || !credential_suits(k, c, a))
		return;
	memcpy(ret->data, k->data, k->data_len);
	ret->data_len = k->data_len;
	ret->counter = k->counter;
	if (k->kind == CREDENTIAL_OIDC &&
	    (credential_oidc_read(&o, k->data, k->data_len) != 0 || !fill_pinned(ret, s, o.issuer, CREDENTIAL_ISSUER)))
		return;
	ret->method = method_parse(a->method);
	if (k->kind == CREDENTIAL_TOTP) {
		_Static_assert(sizeof(ret->message) >= ANSWER_MESSAGE_SIZE_MAX, "either message fits");
		ret->message_len = totp_message(ret->message, s->origin, a->credential);
	}
}

void evidence_fill(struct evidence *ret, const struct state *s, const struct challenge_slot *c, const struct answer *a,
                   uint64_t now_ms)
{
	memset(ret, 0, offsetof(struct evidence, data));
	memset(&ret->found, 0, sizeof(ret->found));
	ret->now_ms = now_ms;
	ret->level = c->level;
	ret->message_len =
	        answer_message(ret->message, s->origin, c->c.index, &c->c.digest, c->c.nonce, c->c.expiry_ms);
	hash_bytes(&ret->bound, ret->message, ret->message_len);
	memcpy(ret->offered, a->evidence, a->evidence_len);
	ret->offered_len = a->evidence_len;
	if (method_parse(a->method) == METHOD_ED25519 || !state_feature(s, FEATURE_DECISIONS))
		fill_ed25519(ret, s, c, a);
	else
		fill_further(ret, s, c, a);
}

bool evidence_fill_registration(struct evidence *ret, const struct state *s, const struct credential_order *o,
                                uint64_t now_ms)
{
	struct credential_registration g;

	memset(ret, 0, offsetof(struct evidence, data));
	memset(&ret->found, 0, sizeof(ret->found));
	ret->now_ms = now_ms;
	ret->message_len = register_message(ret->message, s->origin, o->name, o->subject_type, o->subject_id);
	hash_bytes(&ret->bound, ret->message, ret->message_len);
	memcpy(ret->data, o->data, o->data_len);
	ret->data_len = o->data_len;
	if (credential_registration_read(&g, o->data, o->data_len) != 0 ||
	    (g.root.len > 0 && !fill_pinned(ret, s, g.root, CREDENTIAL_ROOT)))
		return false;
	ret->registers = true;
	ret->method = METHOD_WEBAUTHN;
	return true;
}
