/* Credentials enrolled and revoked: by an administrator, or by the person after a step-up for just that. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

#define CONTEXT_NAME "credential"

/* --- who says so --- */

/* What an order is about, however it is authorised. */
struct subject_matter {
	unsigned command_type;
	const char *action;
	struct text name, subject_type, subject_id; /* Subject of length 0: nobody's. */
	const uint8_t *signed_elements;
	size_t signed_len;
};

/* The request that was stepped up for is one for just this order. */
static bool asks_for(const struct request *q, const struct subject_matter *m)
{
	const struct named_value *v = request_context(q, CONTEXT_NAME);
	char hex[2 * HASH_SIZE + 1];
	struct hash h;

	hash_bytes(&h, m->signed_elements, m->signed_len);
	sodium_bin2hex(hex, sizeof(hex), h.b, HASH_SIZE);
	return m->subject_id.len > 0 && text_compare(q->subject_type, m->subject_type) == 0 &&
	       text_compare(q->subject_id, m->subject_id) == 0 && text_is(q->action, m->action) &&
	       text_is(q->resource_type, CONTEXT_NAME) && text_compare(q->resource_id, m->name) == 0 && v != NULL &&
	       v->type == VALUE_STR && text_is(v->str, hex);
}

/* Allowed lately, by an answer and not by the risk alone, and not before the name was last revoked. */
static int check_step_up(const struct state *s, uint64_t now_ms, uint64_t principal, const struct authority *a,
                         const struct subject_matter *m, uint64_t *ret_index, const struct refusal *why)
{
	const struct answer_slot *slot = answer_find(s, principal, a->request_id, now_ms);
	const struct credential *revoked;
	struct check_result c;
	struct request q;
	struct hash h;

	request_hash(&h, COMMAND_DECIDE, a->request, a->request_len);
	if (slot == NULL || memcmp(slot->request_hash, h.b, RECORDED_HASH_SIZE) != 0)
		return refuse(why, CS_ERR_NOT_FOUND, "no such request of this client is remembered");
	if (request_decode(&q, a->request, a->request_len) != 0 || !asks_for(&q, m))
		return refuse(why, CS_ERR_NOT_PERMITTED, "the request that was allowed is for something else");
	if (decide_check(s, now_ms, principal, a->request_id, &c) != 0 || !c.stands)
		return refuse(why, CS_ERR_NOT_PERMITTED, "the request was not allowed, or too long ago");
	if (slot->index == slot->made)
		return refuse(why, CS_ERR_NOT_PERMITTED,
		              "the policy allowed it without a step-up: credentials need one (see POLICY.md)");
	revoked = state_credential_revoked(s, m->name.s, m->name.len);
	if (revoked != NULL && c.index <= revoked->version)
		return refuse(why, CS_ERR_NOT_PERMITTED, "the name was revoked since the request was allowed");
	*ret_index = c.index;
	return 0;
}

static int check_authority(const struct state *s, uint64_t now_ms, uint64_t principal, const struct authority *a,
                           const struct subject_matter *m, const struct principal **ret_admin, uint64_t *ret_index,
                           const struct refusal *why)
{
	const struct principal *asker = state_principal(s, principal);

	*ret_admin = NULL;
	*ret_index = 0;
	if (!a->by_admin)
		return check_step_up(s, now_ms, principal, a, m, ret_index, why);
	if ((asker->roles & ROLE_ADMINISTER) == 0)
		return refuse(why, CS_ERR_NOT_PERMITTED, "%s lacks the role administer", asker->name);
	return check_admin(s, now_ms, m->command_type, &a->admin, m->signed_elements, m->signed_len, ret_admin, why);
}

/* --- what is enrolled --- */

static int check_names(const struct state *s, const struct credential_order *o, const struct refusal *why)
{
	bool nobodys = o->kind == CREDENTIAL_ISSUER || o->kind == CREDENTIAL_ROOT;
	const struct credential *old = state_credential_by_name(s, o->name.s, o->name.len);

	if (!name_valid(o->name))
		return refuse(
		        why, CS_ERR_INVALID,
		        "a credential's name is 1 to 64 of A-Z a-z 0-9 . _ @ : / - and does not begin with node-");
	if (nobodys != (o->subject_id.len == 0) || (nobodys && !o->authority.by_admin))
		return refuse(why, CS_ERR_INVALID,
		              "what is pinned is nobody's, and an administrator's to enrol; all else has a subject");
	/* What is pinned may be replaced, as issuers change their keys; its version moves. */
	if (old != NULL && !(nobodys && old->kind == o->kind))
		return refuse(why, CS_ERR_EXISTS, "the name is taken");
	if (state_principal_by_name(s, o->name.s, o->name.len) != NULL)
		return refuse(why, CS_ERR_EXISTS, "the name is a principal's");
	if (old == NULL && !credential_has_room(s))
		return refuse(why, CS_ERR_OVERLOADED, "the table of credentials is full");
	return 0;
}

/* An order that has passed, and what its entry says of who gave it. */
struct passed {
	const struct principal *admin;
	uint64_t index;
};

static int check_order(const struct state *s, uint64_t now_ms, uint64_t principal, const struct credential_order *o,
                       struct passed *ret, const struct refusal *why)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX];
	struct subject_matter m = {COMMAND_CREDENTIAL_ENROL,
	                           CREDENTIAL_ENROL_ACTION,
	                           o->name,
	                           o->subject_type,
	                           o->subject_id,
	                           elements,
	                           0};
	int err = check_feature_on(s, FEATURE_DECISIONS, "enrolling a credential", why);

	if (err == 0)
		err = check_names(s, o, why);
	if (err == 0)
		err = check_credential_data(s, o, why);
	if (err == 0)
		err = credential_order_encode_signed(o, elements, sizeof(elements), &m.signed_len);
	return err != 0 ? err : check_authority(s, now_ms, principal, &o->authority, &m, &ret->admin, &ret->index, why);
}

int check_credential_order(const struct state *s, uint64_t now_ms, uint64_t principal, const void *payload, size_t len,
                           struct credential_order *ret, const struct refusal *why)
{
	struct passed p;
	int err = credential_order_decode(ret, payload, len);

	if (err != 0)
		return refuse(why, err, "the enrolment: %s", err_text(err));
	return check_order(s, now_ms, principal, ret, &p, why);
}

static int check_revoke(const struct state *s, uint64_t now_ms, uint64_t principal,
                        const struct credential_revocation *v, struct passed *ret, const struct refusal *why)
{
	uint8_t elements[REMOVAL_REASON_SIZE_MAX + CREDENTIAL_SIGNED_SIZE_MAX];
	const struct credential *c = state_credential_by_name(s, v->name.s, v->name.len);
	int err = check_feature_on(s, FEATURE_DECISIONS, "revoking a credential", why);

	if (err == 0 && c == NULL)
		err = refuse(why, CS_ERR_NOT_FOUND, "no credential of that name is enrolled");
	if (err != 0)
		return err;
	struct subject_matter m = {.command_type = COMMAND_CREDENTIAL_REVOKE,
	                           .action = CREDENTIAL_REVOKE_ACTION,
	                           .name = v->name,
	                           .subject_type = {c->subject_type, strlen(c->subject_type)},
	                           .subject_id = {c->subject_id, strlen(c->subject_id)},
	                           .signed_elements = elements};
	err = credential_revocation_encode_signed(v, elements, sizeof(elements), &m.signed_len);
	return err != 0 ? err : check_authority(s, now_ms, principal, &v->authority, &m, &ret->admin, &ret->index, why);
}

int check_credential_revocation(const struct state *s, uint64_t now_ms, uint64_t principal, const void *payload,
                                size_t len, const struct refusal *why)
{
	struct credential_revocation v;
	struct passed p;
	int err = credential_revocation_decode(&v, payload, len);

	if (err != 0)
		return refuse(why, err, "the revocation: %s", err_text(err));
	return check_revoke(s, now_ms, principal, &v, &p, why);
}

/* --- entries --- */

/* Who gave the order: [signature], or the index of the answer that allowed it. */
static void write_authority(struct writer *w, const struct authority *a, const struct passed *p)
{
	if (p->admin != NULL)
		admin_signature_write(w, &a->admin);
	else
		writer_uint(w, p->index);
}

/* [kind, name, data, authority]. A secret's data are sealed, and yet only their hash goes into the ledger, for ever. */
static void field_enrolment(const struct apply *a, const struct credential_order *o, const struct passed *p)
{
	struct writer w = field_start(a);
	struct hash h;

	writer_array(&w, 4);
	writer_cstr(&w, credential_kind_text(o->kind));
	codec_write_text(&w, o->name);
	if (o->kind == CREDENTIAL_TOTP) {
		if (o->data_hash != NULL)
			h = *o->data_hash;
		else
			hash_bytes(&h, o->data, o->data_len);
		writer_bin(&w, h.b, HASH_SIZE);
	} else {
		writer_bin(&w, o->data, o->data_len);
	}
	write_authority(&w, &o->authority, p);
	field_end(a, FIELD_EVIDENCE, &w);
}

static int enrolment_entry(struct apply *a, const struct credential_order *o, const struct passed *p)
{
	struct entry_builder *b = entry_start(a, ENTRY_CREDENTIAL_ENROLLED);

	writer_array(&b->public_, 4);
	writer_uint(&b->public_, CREDENTIAL_ID_MIN + a->s->credentials_made + 1);
	codec_write_text(&b->public_, o->name);
	writer_uint(&b->public_, o->kind);
	writer_uint(&b->public_, a->s->governance);
	if (o->subject_id.len > 0) {
		struct writer w = field_start(a);
		codec_write_pair(&w, o->subject_type, o->subject_id);
		field_end(a, FIELD_SUBJECT, &w);
	}
	field_enrolment(a, o, p);
	field_client(a);
	return entry_finish(a);
}

static void enrol(struct apply *a, const struct credential_order *o, const struct evidence_facts *f)
{
	bool registered = o->kind == CREDENTIAL_WEBAUTHN;
	struct credential_slot *old = credential_find(a->s, o->name);

	if (old != NULL)
		credential_drop(a->s, old, a->out->index);
	struct credential_slot *c = credential_add(a->s, o->name, registered ? f->found.made : o->data,
	                                           registered ? f->found.made_len : o->data_len);
	c->c.kind = o->kind;
	if (o->subject_id.len > 0) {
		memcpy(c->c.subject_type, o->subject_type.s, o->subject_type.len);
		memcpy(c->c.subject_id, o->subject_id.s, o->subject_id.len);
	}
	c->c.version = a->out->index;
	c->c.counter = registered ? f->found.counter : 0;
}

/* What the leader made of a registration; it proposes none that does not verify. */
static int registration_facts(const struct apply *a, const struct credential_order *o, struct evidence_facts *ret)
{
	struct credential_webauthn k;
	struct credential_registration g;

	if (evidence_facts_read_registration(ret, a->c->facts, a->c->facts_len) != 0)
		return refuse(&a->why, CS_ERR_MALFORMED, "the enrolment: its facts are malformed");
	if (!ret->found.verified || credential_webauthn_read(&k, ret->found.made, ret->found.made_len) != 0)
		return refuse(&a->why, CS_ERR_INVALID, "the enrolment: the registration does not verify");
	if (credential_registration_read(&g, o->data, o->data_len) == 0 && g.root.len > 0) {
		const struct credential *root = state_credential_by_name(a->s, g.root.s, g.root.len);
		if (root == NULL || root->version != ret->issuer_version)
			return refuse(&a->why, CS_ERR_CONFLICT, "the attestation's root has changed meanwhile");
	}
	return 0;
}

int apply_credential_enrol(struct apply *a)
{
	struct credential_order o;
	struct evidence_facts f = {0};
	struct passed p;
	int err = credential_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the enrolment: %s", err_text(err));
	o.data_hash = a->recall != NULL && o.kind == CREDENTIAL_TOTP ? a->recall->sealed : NULL;
	err = check_order(a->s, a->now_ms, a->c->principal, &o, &p, &a->why);
	if (err == 0 && o.kind == CREDENTIAL_WEBAUTHN)
		err = registration_facts(a, &o, &f);
	if (err != 0)
		return err;
	if (!credential_reserve(a->s))
		return refuse(&a->why, CS_ERR_NOMEM, "out of memory");
	err = enrolment_entry(a, &o, &p);
	if (err != 0)
		return err;

	if (p.admin != NULL)
		admin_used(a, &o.authority.admin);
	if (o.kind == CREDENTIAL_WEBAUTHN) { /* For followers, who verify again before they cosign. */
		a->out->has_evidence = evidence_fill_registration(&a->out->evidence, a->s, &o, a->now_ms);
		a->out->evidence.found = f.found;
	}
	entry_commit(a, 0, 0);
	enrol(a, &o, &f);
	return 0;
}

int apply_credential_revoke(struct apply *a)
{
	struct credential_revocation v;
	struct passed p;
	int err = credential_revocation_decode(&v, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the revocation: %s", err_text(err));
	err = check_revoke(a->s, a->now_ms, a->c->principal, &v, &p, &a->why);
	if (err != 0)
		return err;
	struct credential_slot *c = credential_find(a->s, v.name);
	struct entry_builder *b = entry_start(a, ENTRY_CREDENTIAL_REVOKED);
	writer_array(&b->public_, 3);
	writer_uint(&b->public_, c->c.id);
	codec_write_text(&b->public_, v.name);
	writer_uint(&b->public_, a->s->governance);
	struct writer w = field_start(a);
	write_authority(&w, &v.authority, &p);
	field_end(a, FIELD_EVIDENCE, &w);
	field_client(a);
	w = field_start(a);
	codec_write_text(&w, v.reason);
	field_end(a, FIELD_TEXT, &w);
	err = entry_finish(a);
	if (err != 0)
		return err;

	if (p.admin != NULL)
		admin_used(a, &v.authority.admin);
	entry_commit(a, 0, 0);
	credential_drop(a->s, c, a->out->index);
	return 0;
}
