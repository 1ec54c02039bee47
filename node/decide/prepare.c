/* The leader's part before it proposes: early refusals, and what evidence must be verified against. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"

/* What is being prepared. */
struct prepare {
	const struct state *s;
	uint64_t now_ms, principal;
	const uint8_t *payload;
	size_t len;
	struct writer *facts;
	struct refusal why;
};

static int prepare_request(const struct prepare *p)
{
	struct request q;
	int err = request_decode(&q, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the request: %s", err_text(err));
	return check_request(p->s, &q, &p->why);
}

static int prepare_import(const struct prepare *p)
{
	struct import i;
	struct request q;
	int err = import_decode(&i, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the import: %s", err_text(err));
	if (i.event_time_ms > p->now_ms)
		return refuse(&p->why, CS_ERR_INVALID, "the import: its event lies in the future");
	request_decode(&q, i.request, i.request_len); /* import_decode has done so. */
	return check_request(p->s, &q, &p->why);
}

static int find_answer(const struct prepare *p, struct answer *ret, const struct challenge_slot **ret_challenge)
{
	int err = answer_decode(ret, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the answer: %s", err_text(err));
	const struct challenge_slot *c = challenge_find(p->s, ret->challenge, p->now_ms);
	if (c == NULL)
		return refuse(&p->why, CS_ERR_NOT_FOUND, "no open challenge at index %llu",
		              (unsigned long long)ret->challenge);
	if (c->c.principal != p->principal)
		return refuse(&p->why, CS_ERR_NOT_PERMITTED, "another client asked: only it may bring the answer");
	*ret_challenge = c;
	return 0;
}

static int prepare_answer(const struct prepare *p)
{
	struct answer a;
	const struct challenge_slot *c;

	return find_answer(p, &a, &c);
}

static int prepare_enrolment(const struct prepare *p)
{
	struct enrolment e;
	const struct principal *admin;
	int err = enrolment_decode(&e, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the enrolment: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_ENROLL, &e.admin, e.signed_elements, e.signed_len, &admin, &p->why);
	return err == 0 ? check_enrolment(p->s, &e, &p->why) : err;
}

static int prepare_removal(const struct prepare *p)
{
	struct removal r;
	const struct principal *admin, *removed;
	int err = removal_decode(&r, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the removal: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_REMOVE, &r.admin, r.signed_elements, r.signed_len, &admin, &p->why);
	return err == 0 ? check_removal(p->s, &r, &removed, &p->why) : err;
}

/* Replicas use the compiled form only: here it is held to its source, so that people read what machines do. */
static int policy_is_its_source(const struct prepare *p, const struct policy_set *set)
{
	struct policy_error where;
	size_t len = 0;
	uint8_t *compiled = malloc(POLICY_COMPILED_SIZE_MAX);

	if (compiled == NULL)
		return refuse(&p->why, CS_ERR_NOMEM, "%s", err_text(CS_ERR_NOMEM));
	int err = policy_compile((const char *)set->source, set->source_len, compiled, POLICY_COMPILED_SIZE_MAX, &len,
	                         &where);
	if (err != 0)
		refuse(&p->why, err, "the policy, line %u column %u: %s", where.line, where.column, where.text);
	else if (len != set->compiled_len || memcmp(compiled, set->compiled, len) != 0)
		err = refuse(&p->why, CS_ERR_INVALID, "the policy: the compiled form is not that of the source");
	free(compiled);
	return err;
}

static int prepare_policy(const struct prepare *p)
{
	struct policy_set set;
	const struct principal *admin;
	int err = policy_set_decode(&set, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the policy: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_POLICY_SET, &set.admin, set.signed_elements, set.signed_len, &admin,
	                  &p->why);
	if (err == 0)
		err = policy_is_its_source(p, &set);
	return err == 0 ? check_policy_version(p->s, policy_version(set.compiled, set.compiled_len), &p->why) : err;
}

static int prepare_member(const struct prepare *p)
{
	struct member_order m;
	const struct principal *admin;
	int err = member_order_decode(&m, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the order: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_MEMBER, &m.admin, m.signed_elements, m.signed_len, &admin, &p->why);
	return err == 0 ? check_member(p->s, &m, &p->why) : err;
}

static int prepare_feature(const struct prepare *p)
{
	struct feature_order o;
	const struct principal *admin;
	int err = feature_order_decode(&o, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the order: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_FEATURE, &o.admin, o.signed_elements, o.signed_len, &admin, &p->why);
	return err == 0 ? check_feature(p->s, &o, &p->why) : err;
}

static int prepare_people(const struct prepare *p)
{
	struct people_order o;
	const struct principal *admin;
	int err = people_order_decode(&o, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "people: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_PEOPLE, &o.admin, o.signed_elements, o.signed_len, &admin, &p->why);
	return err == 0 ? check_people(p->s, &o, &p->why) : err;
}

static int prepare_governance(const struct prepare *p)
{
	struct governance_order o;
	const struct principal *admin;
	int err = governance_order_decode(&o, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "governance: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_GOVERNANCE, &o.admin, o.signed_elements, o.signed_len, &admin,
	                  &p->why);
	return err == 0 ? check_governance(p->s, &o, &p->why) : err;
}

static int prepare_key(const struct prepare *p)
{
	struct key_order o;
	const struct principal *admin, *whose;
	int err = key_order_decode(&o, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the order: %s", err_text(err));
	err = check_admin(p->s, p->now_ms, COMMAND_KEY, &o.admin, o.signed_elements, o.signed_len, &admin, &p->why);
	return err == 0 ? check_key(p->s, &o, &whose, &p->why) : err;
}

static int prepare_approval(const struct prepare *p)
{
	struct approval n;
	const struct deferred_slot *d;
	int err = approval_decode(&n, p->payload, p->len);

	if (err != 0)
		return refuse(&p->why, err, "the approval: %s", err_text(err));
	return check_approval(p->s, p->now_ms, p->principal, &n, &d, &p->why);
}

static int prepare_grant_revoke(const struct prepare *p)
{
	struct grant_revoke g;
	int err = grant_revoke_decode(&g, p->payload, p->len);

	return err == 0 ? check_grant_revoke(p->s, p->now_ms, &g, &p->why)
	                : refuse(&p->why, err, "the order: %s", err_text(err));
}

static int prepare_outside(const struct prepare *p)
{
	struct outside o;
	int err = outside_decode(&o, p->payload, p->len);

	return err == 0 ? 0 : refuse(&p->why, err, "the signal: %s", err_text(err));
}

static int prepare_credential(const struct prepare *p)
{
	struct credential_order o;

	return check_credential_order(p->s, p->now_ms, p->principal, p->payload, p->len, &o, &p->why);
}

static int prepare_hold(const struct prepare *p)
{
	struct hold_order o;
	int err = hold_order_decode(&o, p->payload, p->len);

	return err == 0 ? check_hold(p->s, p->now_ms, &o, &p->why)
	                : refuse(&p->why, err, "the order: %s", err_text(err));
}

static int prepare_erase(const struct prepare *p)
{
	struct erase_order o;
	int err = erase_order_decode(&o, p->payload, p->len);

	return err == 0 ? check_erase(p->s, p->now_ms, p->principal, &o, &p->why)
	                : refuse(&p->why, err, "the order: %s", err_text(err));
}

static int prepare_by_type(const struct prepare *p, unsigned command_type)
{
	switch (command_type) {
	case COMMAND_DECIDE:
		return prepare_request(p);
	case COMMAND_ANSWER:
		return prepare_answer(p);
	case COMMAND_IMPORT:
		return prepare_import(p);
	case COMMAND_ENROLL:
		return prepare_enrolment(p);
	case COMMAND_REMOVE:
		return prepare_removal(p);
	case COMMAND_MEMBER:
		return prepare_member(p);
	case COMMAND_FEATURE:
		return prepare_feature(p);
	case COMMAND_PEOPLE:
		return prepare_people(p);
	case COMMAND_GOVERNANCE:
		return prepare_governance(p);
	case COMMAND_APPROVAL:
		return prepare_approval(p);
	case COMMAND_GRANT_REVOKE:
		return prepare_grant_revoke(p);
	case COMMAND_OUTSIDE:
		return prepare_outside(p);
	case COMMAND_CREDENTIAL_ENROL:
		return prepare_credential(p);
	case COMMAND_HOLD:
		return prepare_hold(p);
	case COMMAND_ERASE:
		return prepare_erase(p);
	case COMMAND_KEY:
		return prepare_key(p);
	case COMMAND_CREDENTIAL_REVOKE:
		return check_credential_revocation(p->s, p->now_ms, p->principal, p->payload, p->len, &p->why);
	case COMMAND_HISTORY:
		return check_history(p->s, p->payload, p->len, &p->why);
	case COMMAND_READ:
		return check_read(p->s, p->payload, p->len, &p->why);
	default: /* check_asker lets no other type pass. */
		return prepare_policy(p);
	}
}

/* CS_ERR_EXISTS: asked before. */
static int admit(struct prepare *p, unsigned command_type, const uint8_t request_id[16])
{
	struct recorded recorded;
	struct hash hash;
	int err;

	if (p->now_ms < p->s->head.time_ms)
		p->now_ms = p->s->head.time_ms;
	if (p->s->head.size == 0)
		return refuse(&p->why, CS_ERR_NOT_READY, "there is no genesis yet");
	err = check_asker(p->s, p->principal, command_type, &p->why);
	if (err != 0)
		return err;
	request_hash(&hash, command_type, p->payload, p->len);
	return check_request_id(p->s, p->now_ms, p->principal, request_id, &hash, &recorded, &p->why);
}

int decide_prepare(const struct state *s, uint64_t now_ms, unsigned command_type, uint64_t principal,
                   const uint8_t request_id[16], const void *payload, size_t len, uint8_t *facts, size_t facts_cap,
                   size_t *ret_facts_len, char ret_text[160])
{
	struct writer w;
	struct prepare p = {.s = s,
	                    .now_ms = now_ms,
	                    .principal = principal,
	                    .payload = payload,
	                    .len = len,
	                    .facts = &w,
	                    .why = {ret_text, 160}};

	writer_init(&w, facts, facts_cap);
	int err = admit(&p, command_type, request_id);
	if (err == 0)
		err = prepare_by_type(&p, command_type);
	else if (err == CS_ERR_EXISTS)
		err = 0; /* Asked before: the log gives the recorded answer. */
	if (err == 0 && w.len == 0)
		writer_array(&w, 0);
	return err == 0 ? writer_end(&w, ret_facts_len) : err;
}

static int evidence_of_answer(const struct prepare *p, struct evidence *ret)
{
	const struct challenge_slot *c;
	struct answer a;
	int err = find_answer(p, &a, &c);

	if (err == 0)
		evidence_fill(ret, p->s, c, &a, p->now_ms);
	return err;
}

/* CS_ERR_EXISTS: there is nothing to verify in it. */
static int evidence_of_enrolment(const struct prepare *p, struct evidence *ret)
{
	struct credential_order o;
	int err = check_credential_order(p->s, p->now_ms, p->principal, p->payload, p->len, &o, &p->why);

	if (err != 0)
		return err;
	if (o.kind != CREDENTIAL_WEBAUTHN)
		return CS_ERR_EXISTS;
	return evidence_fill_registration(ret, p->s, &o, p->now_ms) ? 0 : CS_ERR_INVALID;
}

int decide_evidence(const struct state *s, uint64_t now_ms, unsigned command_type, uint64_t principal,
                    const uint8_t request_id[16], const void *payload, size_t len, struct evidence *ret,
                    char ret_text[160])
{
	struct prepare p = {.s = s,
	                    .now_ms = now_ms,
	                    .principal = principal,
	                    .payload = payload,
	                    .len = len,
	                    .why = {ret_text, 160}};
	int err = admit(&p, command_type, request_id);

	if (err != 0)
		return err;
	return command_type == COMMAND_ANSWER ? evidence_of_answer(&p, ret) : evidence_of_enrolment(&p, ret);
}
