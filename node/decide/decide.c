/* decide: one command of the log, dispatched. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/decide.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"

/* Everything but the buffers: they are written where their lengths say. */
static void out_clear(struct decide_out *o)
{
	o->outcome = DECIDE_REFUSED;
	o->err = 0;
	o->text[0] = 0;
	o->index = 0;
	o->kind = o->verdict = 0;
	o->risk = 0;
	o->principals_changed = o->roster_changed = o->has_evidence = false;
	o->leaf_len = o->body_len = 0;
}

/* Commands of clients: who asks, and whether it was asked before. */
static int admit(struct apply *a)
{
	struct recorded recorded;
	int err = check_asker(a->s, a->c->principal, a->c->type, &a->why);

	if (err != 0)
		return err;
	a->asker = principal_slot(a->s, a->c->principal);
	request_hash(&a->request_hash, a->c->type, a->c->payload, a->c->payload_len);
	err = check_request_id(a->s, a->now_ms, a->c->principal, a->c->request_id, &a->request_hash, &recorded,
	                       &a->why);
	if (err == CS_ERR_EXISTS) {
		a->out->outcome = DECIDE_REPEAT;
		a->out->index = recorded.index;
		a->out->verdict = recorded.verdict;
	}
	return err;
}

/* Its facts are what the leader made of a registration. */
static bool registers(const struct command *c)
{
	struct credential_order o;

	return c->type == COMMAND_CREDENTIAL_ENROL && credential_order_decode(&o, c->payload, c->payload_len) == 0 &&
	       o.kind == CREDENTIAL_WEBAUTHN;
}

static int facts_empty(const struct apply *a)
{
	static const uint8_t empty = 0x90; /* [] */

	/* Where an address is: checked where it is used. */
	if ((a->c->type == COMMAND_DECIDE || a->c->type == COMMAND_IMPORT) && state_feature(a->s, FEATURE_DECISIONS))
		return 0;
	if (a->c->type != COMMAND_ANSWER && !registers(a->c) && (a->c->facts_len != 1 || a->c->facts[0] != empty))
		return refuse(&a->why, CS_ERR_MALFORMED, "the command: facts where none belong");
	return 0;
}

static int apply_client(struct apply *a)
{
	int err = admit(a);

	if (err != 0)
		return err;
	switch (a->c->type) {
	case COMMAND_DECIDE:
		return apply_decision(a);
	case COMMAND_ANSWER:
		return apply_answer(a);
	case COMMAND_IMPORT:
		return apply_import(a);
	case COMMAND_POLICY_SET:
		return apply_policy_set(a);
	case COMMAND_ENROLL:
		return apply_enrolment(a);
	case COMMAND_MEMBER:
		return apply_member(a);
	case COMMAND_FEATURE:
		return apply_feature(a);
	case COMMAND_PEOPLE:
		return apply_people(a);
	case COMMAND_GOVERNANCE:
		return apply_governance(a);
	case COMMAND_APPROVAL:
		return apply_approval(a);
	case COMMAND_GRANT_REVOKE:
		return apply_grant_revoke(a);
	case COMMAND_OUTSIDE:
		return apply_outside(a);
	case COMMAND_CREDENTIAL_ENROL:
		return apply_credential_enrol(a);
	case COMMAND_CREDENTIAL_REVOKE:
		return apply_credential_revoke(a);
	case COMMAND_HISTORY:
		return apply_history(a);
	case COMMAND_READ:
		return apply_read(a);
	case COMMAND_HOLD:
		return apply_hold(a);
	case COMMAND_ERASE:
		return apply_erase(a);
	case COMMAND_KEY:
		return apply_key(a);
	default: /* admit lets no other type pass. */
		return apply_removal(a);
	}
}

/* Commands of the nodes themselves. Of erasures: those by age. */
static bool is_own(const struct command *c)
{
	return c->type == COMMAND_GENESIS || c->type == COMMAND_TICK || c->type == COMMAND_BUILD ||
	       c->type == COMMAND_STATE_DIGEST || c->type == COMMAND_ERASURE_DONE ||
	       (c->type == COMMAND_ERASE && c->principal == 0);
}

/* What the node itself sends, once there is a genesis. */
static int apply_own(struct apply *a)
{
	switch (a->c->type) {
	case COMMAND_BUILD:
		return apply_build(a);
	case COMMAND_STATE_DIGEST:
		return apply_state_digest(a);
	case COMMAND_ERASE:
		return apply_retention(a);
	case COMMAND_ERASURE_DONE:
		return apply_erasure_done(a);
	default:
		return apply_tick(a);
	}
}

static int apply(struct apply *a)
{
	int err = facts_empty(a);

	if (err != 0)
		return err;
	bool own = is_own(a->c);
	if (own && a->c->principal != 0)
		return refuse(&a->why, CS_ERR_NOT_PERMITTED, "only the node itself sends commands of type %u",
		              a->c->type);
	if (a->c->type == COMMAND_GENESIS)
		return apply_genesis(a);
	if (a->s->head.size == 0)
		return refuse(&a->why, CS_ERR_NOT_READY, "there is no genesis yet");
	challenges_purge(a->s, a->now_ms, a->c->principal);
	return own ? apply_own(a) : apply_client(a);
}

void decide(struct state *s, uint64_t time_ms, const void *command, size_t len, struct decide_out *out)
{
	decide_again(s, time_ms, command, len, NULL, out);
}

void decide_again(struct state *s, uint64_t time_ms, const void *command, size_t len, const struct recall *r,
                  struct decide_out *out)
{
	struct command c;
	struct apply a = {.s = s, .c = &c, .recall = r, .out = out, .why = {out->text, sizeof(out->text)}};
	int err = command_decode(&c, command, len);

	out_clear(out);
	a.now_ms = time_ms > s->head.time_ms ? time_ms : s->head.time_ms;
	if (err == CS_ERR_VERSION)
		refuse(&a.why, err, "the log has a command of another version than %d", COMMAND_VERSION);
	else if (err != 0)
		refuse(&a.why, err, "the command: %s", err_text(err));
	else if (c.type > COMMAND_TYPE_MAX)
		err = refuse(&a.why, CS_ERR_VERSION,
		             "the log has a command of type %u, this build knows types up to %d", c.type,
		             COMMAND_TYPE_MAX);
	else if (a.now_ms > STATE_TIME_MS_MAX)
		err = refuse(&a.why, CS_ERR_INVALID, "the batch's time lies beyond the year 9999");
	else
		err = apply(&a);
	if (err == CS_ERR_VERSION)
		out->outcome = DECIDE_NEWER;
	else if (err != 0 && out->outcome != DECIDE_REPEAT) {
		out->outcome = DECIDE_REFUSED;
		out->err = err;
	}
}
