/* Answers to challenges: consumed once, through the log, and the request decided anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

/* What the leader found out about the evidence. */
struct facts {
	bool verified;
	uint64_t credential, version;
};

static int facts_decode(struct facts *ret, const struct command *c)
{
	struct facts f = {0};
	struct reader r;

	reader_init(&r, c->facts, c->facts_len);
	reader_array_exact(&r, 3);
	reader_bool(&r, &f.verified);
	reader_uint(&r, UINT64_MAX, &f.credential);
	reader_uint(&r, UINT64_MAX, &f.version);
	if (reader_end(&r) != 0)
		return r.err;
	*ret = f;
	return 0;
}

/* Level that the evidence proves; 0: nothing, in time or not. */
static int level_met(const struct apply *a, const struct challenge_slot *c, const struct answer *n,
                     const struct facts *f, unsigned *ret)
{
	const struct principal *credential = state_principal(a->s, f->credential);

	*ret = 0;
	if (!f->verified)
		return 0;
	/* Between proposal and apply the key may have been removed or enrolled anew: the leader's word was for the
	 * other. */
	if (credential == NULL || credential->removed || credential->version != f->version)
		return refuse(&a->why, CS_ERR_CONFLICT, "the credential has changed meanwhile: answer again");
	if (credential_fits(credential, c, n))
		*ret = method_level(method_parse(n->method));
	return 0;
}

static int find_challenge(const struct apply *a, const struct answer *n, struct challenge_slot **ret)
{
	struct challenge_slot *c = challenge_find(a->s, n->challenge, a->now_ms);

	if (c == NULL)
		return refuse(&a->why, CS_ERR_NOT_FOUND, "no open challenge at index %llu",
		              (unsigned long long)n->challenge);
	if (c->c.principal != a->asker->p.id)
		return refuse(&a->why, CS_ERR_NOT_PERMITTED, "another client asked: only it may bring the answer");
	*ret = c;
	return 0;
}

/* The request decided anew; a failed or late answer is a deny whatever the risk. */
static void decide_anew(const struct apply *a, struct evaluation *e, const struct request *q, const struct subject *u,
                        unsigned outcome, unsigned met, const struct deferred_slot *d)
{
	/* What it waited for before the challenge counts, as long as that is remembered. */
	if (d != NULL && (d->stage != DEFERRED_PASSED || a->now_ms >= d->expiry_ms))
		d = NULL;
	evaluate(e, a->s, q, u, a->asker, a->now_ms, a->now_ms, false, outcome == ANSWER_MET ? met : 0, d);
	if (outcome == ANSWER_FAILED)
		evaluation_note(e, "The proof was not valid.", "answer: the evidence does not verify");
	else if (outcome == ANSWER_LATE)
		evaluation_note(e, "The proof came too late.", "answer: after the challenge's expiry");
	if (outcome != ANSWER_MET)
		e->verdict = VERDICT_DENY;
}

static void commit(struct apply *a, const struct account *k, struct challenge_slot *c, unsigned outcome)
{
	const struct evaluation *e = k->evaluation;
	uint8_t first_id[REQUEST_ID_SIZE];

	memcpy(first_id, c->request_id, sizeof(first_id));
	entry_commit(a, e->verdict, e->risk);
	struct subject *u = account_touch(a, k, a->out->index);
	if (outcome != ANSWER_MET)
		counter_add(&u->profile.failures, a->now_ms, FAILURE_HALF_LIFE_MS);
	else if (e->verdict == VERDICT_ALLOW) {
		profile_train(&u->profile, &e->observation, a->now_ms, true);
		learn_allowed(a->s, u, e, a->now_ms, true);
		u->profile.failures.value = 0; /* Whoever failed before, this was the one who holds the key. */
	}
	/* Whoever asks again with the decision's id gets the newest entry. */
	struct answer_slot *first = answer_find(a->s, c->c.principal, first_id, a->now_ms);
	if (first != NULL)
		answer_set(a->s, first, a->out->index, a->now_ms, e->verdict);
	outcome_commit(a, k, first_id);
	challenge_drop(a->s, c); /* Last: the request that all this speaks of is its. */
}

int apply_answer(struct apply *a)
{
	struct answer n;
	struct facts f = {0};
	struct challenge_slot *c = NULL;
	struct request q;
	struct account k;
	struct evaluation e;
	uint8_t nonce[32];
	unsigned met, outcome;
	int err = answer_decode(&n, a->c->payload, a->c->payload_len);

	if (err == 0)
		err = facts_decode(&f, a->c);
	if (err != 0)
		return refuse(&a->why, err, "the answer: %s", err_text(err));
	err = find_challenge(a, &n, &c);
	if (err == 0)
		err = level_met(a, c, &n, &f, &met);
	if (err != 0)
		return err;
	outcome = a->now_ms > c->c.expiry_ms ? ANSWER_LATE : met == 0 ? ANSWER_FAILED : ANSWER_MET;
	err = request_decode(&q, c->request, c->request_len);
	assert(err == 0); /* It was decided once. */
	q.place = c->place.looked ? &c->place : NULL;
	const struct subject *known = account_init(&k, a->s, &q, c->request, c->request_len);
	k.deferred = deferred_by_request(a->s, c->c.principal, c->request_id);
	decide_anew(a, &e, &q, known, outcome, met, k.deferred);
	k.evaluation = &e;
	k.met = outcome == ANSWER_MET ? met : 0;
	k.credential = f.credential;
	k.answer = &n;
	k.credential_version = f.version;
	k.digest = c->c.digest;
	memcpy(k.blind, c->blind, sizeof(k.blind));
	err = outcome_prepare(a, &k, nonce);
	if (err != 0)
		return err;
	struct entry_builder *b = entry_start(a, ENTRY_ANSWER);
	writer_array(&b->public_, ACCOUNT_PUBLIC_ELEMENTS + 2);
	account_public(a, &k, e.verdict);
	writer_uint(&b->public_, c->c.index);
	writer_uint(&b->public_, outcome);
	account_fields(a, &k);
	err = entry_finish(a);
	if (err != 0)
		return err;
	if (outcome == ANSWER_MET) { /* For followers, who verify again before they cosign. */
		a->out->has_evidence = true;
		evidence_fill(&a->out->evidence, a->s, c, &n, state_principal(a->s, f.credential));
	}
	commit(a, &k, c, outcome);
	return 0;
}
