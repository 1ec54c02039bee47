/* Checks that the leader makes before it proposes and decide makes again when it applies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

#define ROLES_KNOWN (ROLE_DECIDE | ROLE_IMPORT | ROLE_AUDIT | ROLE_ADMINISTER | ROLE_DEVICE | ROLE_NODE)
#define ROLES_LATER (ROLE_APPROVE | ROLE_SIGNAL) /* From the feature `decisions` on. */

#define ROLES_RECORDS (ROLE_WITNESS) /* From the feature `records` on. */

#define ROLES_POWERFUL (ROLE_ADMINISTER | ROLE_APPROVE) /* Who holds one decides over others. */

int refuse(const struct refusal *r, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->text, r->cap, format, args);
	va_end(args);
	return err;
}

static uint32_t role_needed(unsigned command_type)
{
	switch (command_type) {
	case COMMAND_DECIDE:
	case COMMAND_ANSWER:
		return ROLE_DECIDE;
	case COMMAND_IMPORT:
		return ROLE_IMPORT;
	case COMMAND_POLICY_SET:
	case COMMAND_ENROLL:
	case COMMAND_REMOVE:
	case COMMAND_MEMBER:
	case COMMAND_FEATURE:
	case COMMAND_PEOPLE:
	case COMMAND_GOVERNANCE:
	case COMMAND_GRANT_REVOKE:
	case COMMAND_HOLD:
	case COMMAND_ERASE:
	case COMMAND_KEY:
		return ROLE_ADMINISTER;
	case COMMAND_APPROVAL:
		return ROLE_APPROVE;
	case COMMAND_OUTSIDE:
		return ROLE_SIGNAL;
	case COMMAND_CREDENTIAL_ENROL: /* A gateway brings what a person was stepped up for. */
	case COMMAND_CREDENTIAL_REVOKE:
		return ROLE_DECIDE | ROLE_ADMINISTER;
	case COMMAND_HISTORY:
		return ROLE_AUDIT;
	case COMMAND_READ: /* A node tells what was read there. */
		return ROLE_NODE;
	default:
		return 0;
	}
}

int check_asker(const struct state *s, uint64_t principal, unsigned command_type, const struct refusal *why)
{
	const struct principal *p = state_principal(s, principal);
	uint32_t role = role_needed(command_type);

	if (role == 0)
		return refuse(why, CS_ERR_MALFORMED, "no client sends commands of type %u", command_type);
	if (command_type >= COMMAND_APPROVAL && command_type <= COMMAND_OUTSIDE && !state_feature(s, FEATURE_DECISIONS))
		return refuse(why, CS_ERR_NOT_READY, "the feature %s is not on", feature_name(FEATURE_DECISIONS));
	if ((command_type == COMMAND_HOLD || command_type == COMMAND_ERASE) && !state_feature(s, FEATURE_RECORDS))
		return refuse(why, CS_ERR_NOT_READY, "the feature %s is not on", feature_name(FEATURE_RECORDS));
	if (p == NULL || p->removed)
		return refuse(why, CS_ERR_UNAUTHENTICATED, "the client is not enrolled");
	if ((p->roles & role) == 0)
		return refuse(why, CS_ERR_NOT_PERMITTED, "%s lacks the role %s", p->name, role_text(role & -role));
	return 0;
}

void request_hash(struct hash *ret, unsigned command_type, const void *payload, size_t len)
{
	uint8_t type = (uint8_t)command_type;
	struct hasher h;

	hasher_init(&h);
	hasher_update(&h, &type, 1);
	hasher_update(&h, payload, len);
	hasher_final(&h, ret);
}

int check_request_id(const struct state *s, uint64_t now_ms, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                     const struct hash *hash, struct recorded *ret_recorded, const struct refusal *why)
{
	const struct principal_slot *p = principal_slot(s, principal);
	uint64_t id_ms = answer_id_ms(id), window_ms = s->limits.requests_window_ms;
	struct recorded r;

	if (recorded_find(s, principal, id, now_ms, &r)) {
		if (memcmp(r.request_hash, hash->b, RECORDED_HASH_SIZE) != 0)
			return refuse(why, CS_ERR_CONFLICT, "this request id was used for another request");
		*ret_recorded = r;
		return CS_ERR_EXISTS;
	}
	if (id_ms + window_ms < now_ms)
		return refuse(why, CS_ERR_EXPIRED,
		              "the request id is older than %llu s: look for its outcome in the ledger",
		              (unsigned long long)window_ms / 1000);
	if (id_ms > now_ms + STATE_AHEAD_MS)
		return refuse(why, CS_ERR_EXPIRED, "the request id's time is more than %llu s ahead: check the clock",
		              (unsigned long long)STATE_AHEAD_MS / 1000);
	if (id_ms <= p->forgotten_ms)
		return refuse(why, CS_ERR_EXPIRED,
		              "the outcome of so old a request id can no longer be told: look in the ledger");
	if (!answer_has_room(s, p, now_ms))
		return refuse(why, CS_ERR_OVERLOADED,
		              "more new requests in %llu s than can be remembered: try again later",
		              (unsigned long long)STATE_KEEP_MS / 1000);
	return 0;
}

int check_request(const struct state *s, const struct request *q, const struct refusal *why)
{
	return q->n_via == 0 ? 0 : check_feature_on(s, FEATURE_DECISIONS, "the request: a chain of actors", why);
}

/* What each signature is held against. */
struct signed_order {
	const struct state *s;
	uint64_t now_ms;
	unsigned command_type;
	const uint8_t *elements;
	size_t len;
	uint32_t roles; /* Of whoever may sign: any of these. */
};

static int check_signature(const struct signed_order *o, const struct admin_further *sig, const struct principal **ret,
                           const struct refusal *why)
{
	const struct principal *p = state_principal_by_name(o->s, sig->name.s, sig->name.len);
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX];

	if (p == NULL || !p->has_sign || (p->roles & o->roles) == 0)
		return refuse(why, CS_ERR_NOT_PERMITTED, "the signature: not by an administrator%s",
		              o->roles & ROLE_APPROVE ? ", nor by an approver" : "");
	if (sig->sequence <= p->sequence)
		return refuse(why, CS_ERR_CONFLICT, "the signature: sequence %llu was used, the next is above %llu",
		              (unsigned long long)sig->sequence, (unsigned long long)p->sequence);
	if (o->now_ms > sig->expiry_ms)
		return refuse(why, CS_ERR_EXPIRED, "the signature has expired");
	size_t message_len = admin_message(message, o->s->origin, o->s->governance, o->command_type, sig->sequence,
	                                   sig->expiry_ms, o->elements, o->len);
	if (!key_signed(o->s, p, sig->signature, message, message_len))
		return refuse(why, CS_ERR_UNAUTHENTICATED, "the signature does not verify");
	*ret = p;
	return 0;
}

/* One key counts once, whatever names it goes by. */
static bool has_key(const struct principal *const *signers, unsigned n, const struct principal *p)
{
	for (unsigned i = 0; i < n; i++)
		if (signers[i] == p || memcmp(signers[i]->sign_pub, p->sign_pub, sizeof(p->sign_pub)) == 0)
			return true;
	return false;
}

int check_admin(const struct state *s, uint64_t now_ms, unsigned command_type, const struct admin_signature *sig,
                const uint8_t *signed_elements, size_t len, const struct principal **ret, const struct refusal *why)
{
	/* What erases takes a second person, who may be an approver: keeping.c counts the administrators among them. */
	bool erases = command_type == COMMAND_ERASE || command_type == COMMAND_HOLD;
	const struct signed_order o = {s,
	                               now_ms,
	                               command_type,
	                               signed_elements,
	                               len,
	                               erases ? ROLE_ADMINISTER | ROLE_APPROVE : ROLE_ADMINISTER};
	const struct admin_further first = {sig->name, sig->sequence, sig->expiry_ms, sig->signature};
	const struct principal *signers[ADMIN_SIGNATURES_MAX] = {NULL};
	unsigned class = governance_class_of(command_type);
	int err = sig->n_more == 0 ? 0
	                           : check_feature_on(s, FEATURE_DECISIONS, "an order by several administrators", why);

	for (unsigned i = 0; i <= sig->n_more && err == 0; i++) {
		err = check_signature(&o, i == 0 ? &first : &sig->more[i - 1], &signers[i], why);
		if (err == 0 && has_key(signers, i, signers[i]))
			err = refuse(why, CS_ERR_INVALID, "the signatures: two are by one key");
	}
	if (err == 0)
		err = check_signers(s, sig, class == GOVERNANCE_NONE ? 1 : s->thresholds.k[class], why);
	if (err == 0)
		*ret = signers[0];
	return err;
}

bool name_valid(struct text name)
{
	static const char node[] = "node-";

	if (name.len == 0 || name.len > PRINCIPAL_NAME_SIZE_MAX)
		return false;
	if (name.len >= strlen(node) && memcmp(name.s, node, strlen(node)) == 0)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.s[i];
		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      strchr("._@:/-", c) != NULL))
			return false;
	}
	return true;
}

/* Which keys and subject go with which roles. */
static int check_roles(const struct state *s, const struct enrolment *e, const struct refusal *why)
{
	bool later = state_feature(s, FEATURE_DECISIONS);

	if (!later && (e->roles & ROLES_LATER) != 0)
		return refuse(why, CS_ERR_NOT_READY, "the enrolment: these roles need the feature %s",
		              feature_name(FEATURE_DECISIONS));
	if (!state_feature(s, FEATURE_RECORDS) && (e->roles & ROLES_RECORDS) != 0)
		return refuse(why, CS_ERR_NOT_READY, "the enrolment: the role witness needs the feature %s",
		              feature_name(FEATURE_RECORDS));
	if (e->roles == 0 || (e->roles & ~(ROLES_KNOWN | ROLES_LATER | ROLES_RECORDS)) != 0)
		return refuse(why, CS_ERR_INVALID, "the enrolment: unknown roles");
	if (e->roles & ROLE_NODE)
		return refuse(why, CS_ERR_INVALID, "the enrolment: nodes come by membership, not by enrolment");
	if (e->roles & ROLE_DEVICE) {
		if (e->roles != ROLE_DEVICE || e->channel_pub != NULL || e->sign_pub == NULL || e->subject_id.len == 0)
			return refuse(why, CS_ERR_INVALID,
			              "the enrolment: a device key has a signing key and a subject, nothing else");
		return 0;
	}
	/* Whose it is: nobody approves what they ask for themselves. */
	if ((e->roles & ROLE_APPROVE) && (e->subject_id.len == 0 || e->sign_pub == NULL))
		return refuse(why, CS_ERR_INVALID, "the enrolment: an approver is a person with a signing key");
	if (e->channel_pub == NULL || (e->subject_id.len > 0 && !later))
		return refuse(why, CS_ERR_INVALID, "the enrolment: a client has a channel key and no subject");
	if ((e->roles & ROLE_ADMINISTER) && e->sign_pub == NULL)
		return refuse(why, CS_ERR_INVALID, "the enrolment: an administrator needs a signing key");
	/* tlog-cosignature: a witness's key signs nothing but checkpoints. */
	if ((e->roles & ROLE_WITNESS) && (e->sign_pub == NULL || (e->roles & ROLES_POWERFUL) != 0))
		return refuse(why, CS_ERR_INVALID,
		              "the enrolment: a witness has a signing key, which signs checkpoints and nothing else");
	return 0;
}

int check_powers(const struct state *s, uint32_t roles, const struct admin_signature *sig, const struct refusal *why)
{
	return (roles & ROLES_POWERFUL) == 0 ? 0 : check_signers(s, sig, governance_largest(&s->thresholds), why);
}

int check_enrolment(const struct state *s, const struct enrolment *e, const struct refusal *why)
{
	static const uint8_t zero[32];
	int err;

	if (!name_valid(e->name))
		return refuse(
		        why, CS_ERR_INVALID,
		        "the enrolment: names are 1 to 64 of A-Z a-z 0-9 . _ @ : / - and do not begin with node-");
	err = check_roles(s, e, why);
	if (err != 0)
		return err;
	if (e->channel_pub != NULL && memcmp(e->channel_pub, zero, sizeof(zero)) == 0)
		return refuse(why, CS_ERR_INVALID, "the enrolment: the channel key is all zero");
	if (e->sign_pub != NULL && crypto_core_ed25519_is_valid_point(e->sign_pub) == 0)
		return refuse(why, CS_ERR_INVALID, "the enrolment: the signing key is no Ed25519 key");
	if (state_principal_by_name(s, e->name.s, e->name.len) != NULL)
		return refuse(why, CS_ERR_EXISTS, "the enrolment: the name is taken");
	if ((e->channel_pub != NULL && keys_was_used(s, e->channel_pub)) ||
	    (e->sign_pub != NULL && keys_was_used(s, e->sign_pub)))
		return refuse(why, CS_ERR_EXISTS,
		              "the enrolment: the key was replaced by another, and does not come back");
	if (e->channel_pub != NULL && state_principal_by_channel(s, e->channel_pub) != NULL)
		return refuse(why, CS_ERR_EXISTS, "the enrolment: the channel key is enrolled already");
	if (!principal_has_room(s))
		return refuse(why, CS_ERR_OVERLOADED, "the table of principals is full");
	return check_powers(s, e->roles, &e->admin, why);
}

int check_removal(const struct state *s, const struct removal *r, const struct principal **ret,
                  const struct refusal *why)
{
	const struct principal *p = state_principal_by_name(s, r->name.s, r->name.len);

	if (p == NULL)
		return refuse(why, CS_ERR_NOT_FOUND, "the removal: nobody of that name is enrolled");
	if (p->roles & ROLE_NODE)
		return refuse(why, CS_ERR_INVALID, "the removal: nodes go by membership, not by removal");
	unsigned administrators = state_administrators(s), needed = governance_largest(&s->thresholds);
	if ((p->roles & ROLE_ADMINISTER) && administrators == 1)
		return refuse(why, CS_ERR_INVALID, "the removal: nobody could administer the cluster afterwards");
	if ((p->roles & ROLE_ADMINISTER) && administrators <= needed)
		return refuse(
		        why, CS_ERR_INVALID,
		        "the removal: governance asks for %u administrators, and fewer would be left: lower it first",
		        needed);
	*ret = p;
	return check_powers(s, p->roles, &r->admin, why);
}

bool credential_fits(const struct principal *p, const struct challenge_slot *c, const struct answer *a)
{
	struct request q;

	if (p->removed || p->roles != ROLE_DEVICE || !p->has_sign || !text_is(a->credential, p->name))
		return false;
	if (method_parse(a->method) != METHOD_ED25519 || (c->methods & METHOD_ED25519) == 0 ||
	    a->evidence_len != crypto_sign_BYTES)
		return false;
	return request_decode(&q, c->request, c->request_len) == 0 && text_is(q.subject_type, p->subject_type) &&
	       text_is(q.subject_id, p->subject_id);
}

bool credential_suits(const struct credential *k, const struct challenge_slot *c, const struct answer *a)
{
	unsigned method = method_parse(a->method);
	struct request q;

	if (k->revoked || (c->methods & method) == 0 || method_kind(method) != k->kind)
		return false;
	if (k->kind == CREDENTIAL_TOTP && k->failures >= TOTP_FAILURES_MAX)
		return false; /* Locked, until it is revoked and enrolled anew. */
	return request_decode(&q, c->request, c->request_len) == 0 && text_is(q.subject_type, k->subject_type) &&
	       text_is(q.subject_id, k->subject_id);
}
