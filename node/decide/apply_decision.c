/* Requests for decisions, and imports of past events. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

static void blind(const struct apply *a, struct account *k)
{
	if (!recall_blind(a, k->blind))
		derive(k->blind, a->c->seed, "countersign/blind/v1");
	request_digest(&k->digest, k->blind, k->request_bytes, k->request_len);
}

/* What the leader found out about the address; policies of version 1 ask nothing of it. */
static int take_place(const struct apply *a, struct request *q, struct place *ret)
{
	int err = place_facts_decode(ret, a->c->facts, a->c->facts_len);

	if (err != 0)
		return refuse(&a->why, err, "the command's facts: %s", err_text(err));
	q->place = ret->looked && a->s->policy->version >= POLICY_VERSION_2 ? ret : NULL;
	return 0;
}

/* Whatever the policy says of it: who could enrol a key without a proof would have proofs for everything. */
static bool changes_credentials(const struct request *q)
{
	return text_is(q->action, CREDENTIAL_ENROL_ACTION) || text_is(q->action, CREDENTIAL_REVOKE_ACTION);
}

int apply_decision(struct apply *a)
{
	struct request q;
	struct place place;
	struct account k;
	struct evaluation e;
	uint8_t nonce[32];
	int err = request_decode(&q, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the request: %s", err_text(err));
	err = check_request(a->s, &q, &a->why);
	if (err == 0)
		err = take_place(a, &q, &place);
	if (err != 0)
		return err;
	const struct subject *known = account_init(&k, a->s, &q, a->c->payload, a->c->payload_len);
	bool own = state_feature(a->s, FEATURE_DECISIONS) && changes_credentials(&q);
	unsigned lately =
	        state_feature(a->s, FEATURE_DECISIONS) && !own ? recent_level(a->s, k.subject_key, &q, a->now_ms) : 0;
	evaluate(&e, a->s, &q, known, a->asker, a->now_ms, a->now_ms, false, (struct proven){.level = lately}, NULL);
	if (own && e.verdict == VERDICT_ALLOW) {
		e.verdict = VERDICT_STEP_UP;
		evaluation_note(&e, "Please prove that it is you.", "who changes their credentials always proves it");
	}
	k.evaluation = &e;
	err = outcome_prepare(a, &k, nonce);
	if (err != 0)
		return err;
	blind(a, &k);
	struct entry_builder *b = entry_start(a, ENTRY_DECISION);
	writer_array(&b->public_, ACCOUNT_PUBLIC_ELEMENTS);
	account_public(a, &k, e.verdict);
	account_fields(a, &k);
	err = entry_finish(a);
	if (err != 0)
		return err;

	entry_commit(a, e.verdict, e.risk);
	struct subject *u = account_touch(a, &k, a->out->index);
	struct profile *p = &subject_past_change(a->s, u)->profile;
	counter_add(&p->rate, a->now_ms, RATE_HALF_LIFE_MS);
	learn_asked(a->s, u, &e, a->now_ms);
	if (e.verdict == VERDICT_ALLOW) {
		profile_train(p, &e.observation, a->now_ms, false);
		learn_allowed(a->s, u, &e, a->now_ms, false);
	}
	outcome_commit(a, &k, a->c->request_id);
	return 0;
}

/* What was refused when it happened is no habit: whoever tried in vain must not become known by it. */
static bool import_teaches(const struct state *s, const struct request *q)
{
	return !state_feature(s, FEATURE_DECISIONS) || request_context(q, "error") == NULL;
}

int apply_import(struct apply *a)
{
	struct import i;
	struct request q;
	struct place place;
	struct account k;
	struct evaluation e;
	int err = import_decode(&i, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the import: %s", err_text(err));
	if (i.event_time_ms > a->now_ms)
		return refuse(&a->why, CS_ERR_INVALID, "the import: its event lies in the future");
	err = request_decode(&q, i.request, i.request_len);
	if (err != 0)
		return refuse(&a->why, err, "the import's request: %s", err_text(err));
	err = check_request(a->s, &q, &a->why);
	if (err == 0)
		err = take_place(a, &q, &place);
	if (err != 0)
		return err;
	const struct subject *known = account_init(&k, a->s, &q, i.request, i.request_len);
	evaluate(&e, a->s, &q, known, a->asker, i.event_time_ms, a->now_ms, true, NOTHING_PROVEN, NULL);
	evaluation_note(&e, "", "imported: a past event, scored as if it were asked; it permits nothing");
	k.evaluation = &e;
	k.import = &i;
	blind(a, &k);
	struct entry_builder *b = entry_start(a, ENTRY_IMPORTED);
	writer_array(&b->public_, ACCOUNT_PUBLIC_ELEMENTS);
	account_public(a, &k, e.verdict);
	account_fields(a, &k);
	err = entry_finish(a);
	if (err != 0)
		return err;

	entry_commit(a, 0, e.risk);
	struct subject *u = account_touch(a, &k, a->out->index);
	struct profile *p = &subject_past_change(a->s, u)->profile;
	counter_add(&p->import_rate, i.event_time_ms, RATE_HALF_LIFE_MS);
	if (import_teaches(a->s, &q)) {
		learn_import(a->s, u, &e, i.event_time_ms);
		profile_train_import(p, &e.observation, i.event_time_ms);
	}
	return 0;
}
