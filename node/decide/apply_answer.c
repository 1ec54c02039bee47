/* Answers to challenges: consumed once, through the log, and the request decided anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

#define LOOKED_AT_MS_MAX 120000                   /* A job waits for a minute at most (WIRE_DEADLINE_MS_MAX). */
#define USED_MS_MAX      (2 * UINT64_C(86400000)) /* A token is good for a day at most. */

/* An answer on its way. */
struct answering {
	struct answer n;
	struct evidence_facts f;
	struct challenge_slot *c;
	struct credential_slot *credential; /* By another method than Ed25519, one that is the subject's; or NULL. */
	unsigned met;                       /* Level that the evidence proves; 0: nothing, in time or not. */
	bool fell;                          /* The authenticator's counter did not rise. */
	const char *note;                   /* What else there is to say, or NULL. */
};

/* Level by Ed25519. */
static int level_ed25519(const struct apply *a, struct answering *w)
{
	const struct principal *p = state_principal(a->s, w->f.credential);

	if (!w->f.found.verified)
		return 0;
	/* Between proposal and apply the key may have been removed or enrolled anew: the leader's word was for the
	 * other. */
	if (p == NULL || p->removed || p->version != w->f.version)
		return refuse(&a->why, CS_ERR_CONFLICT, "the credential has changed meanwhile: answer again");
	if (credential_fits(p, w->c, &w->n))
		w->met = method_level(method_parse(w->n.method));
	return 0;
}

/* What a token's acr is worth by the policy, if the person proved themselves to the issuer lately enough. */
static unsigned level_of_acr(const struct apply *a, struct answering *w)
{
	const struct evidence_found *f = &w->f.found;
	const struct policy_level *l = policy_level_find(a->s->policy, (struct text){f->acr, strlen(f->acr)});

	if (l == NULL)
		return LEVEL_POSSESSION;
	if (l->max_age_ms > 0 && (f->auth_time_ms == 0 || a->now_ms > f->auth_time_ms + l->max_age_ms)) {
		w->note = "oidc: the proof that the token tells of is too old, or it does not say how old";
		return 0;
	}
	return l->level;
}

/* What can have moved since the leader looked: all of it is refused, the challenge stays open. */
static int check_moved(const struct apply *a, const struct answering *w, const struct credential *c)
{
	const struct evidence_found *f = &w->f.found;
	struct credential_oidc o;

	if (c->id != w->f.credential || c->version != w->f.version)
		return refuse(&a->why, CS_ERR_CONFLICT, "the credential has changed meanwhile: answer again");
	if (f->at_ms > a->now_ms + STATE_AHEAD_MS || f->at_ms + LOOKED_AT_MS_MAX < a->now_ms ||
	    f->once_until_ms > a->now_ms + USED_MS_MAX)
		return refuse(&a->why, CS_ERR_CONFLICT, "the evidence was looked at too long ago: answer again");
	if (c->kind == CREDENTIAL_TOTP && f->counter <= c->counter)
		return refuse(&a->why, CS_ERR_CONFLICT, "a code of this time step was used meanwhile");
	if (c->kind != CREDENTIAL_OIDC)
		return 0;
	const struct credential *issuer = credential_oidc_read(&o, c->data, c->data_len) != 0
	                                          ? NULL
	                                          : state_credential_by_name(a->s, o.issuer.s, o.issuer.len);
	if (issuer == NULL || issuer->version != w->f.issuer_version)
		return refuse(&a->why, CS_ERR_CONFLICT, "the issuer's keys have changed meanwhile: answer again");
	if (f->has_once && !used_has_room(a->s, a->now_ms))
		return refuse(&a->why, CS_ERR_OVERLOADED, "more tokens than can be remembered: try again later");
	return 0;
}

static int level_further(const struct apply *a, struct answering *w)
{
	struct credential_slot *k = credential_find(a->s, w->n.credential);
	const struct evidence_found *f = &w->f.found;

	if (k == NULL || !credential_suits(&k->c, w->c, &w->n))
		return f->verified
		               ? refuse(&a->why, CS_ERR_CONFLICT, "the credential has changed meanwhile: answer again")
		               : 0;
	w->credential = k;
	if (!f->verified || !w->f.further) {
		w->note = f->why;
		return 0;
	}
	int err = check_moved(a, w, &k->c);
	if (err != 0)
		return err;
	if (f->has_once && used_before(a->s, f->once, a->now_ms)) {
		w->note = "oidc: a token of this jti was used already";
		return 0;
	}
	w->met = k->c.kind == CREDENTIAL_OIDC ? level_of_acr(a, w) : f->level;
	w->fell =
	        k->c.kind == CREDENTIAL_WEBAUTHN && (f->counter > 0 || k->c.counter > 0) && f->counter <= k->c.counter;
	return 0;
}

static int find_level(const struct apply *a, struct answering *w)
{
	if (method_parse(w->n.method) == METHOD_ED25519 || !state_feature(a->s, FEATURE_DECISIONS))
		return level_ed25519(a, w);
	return level_further(a, w);
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
                        unsigned outcome, const struct answering *w, const struct deferred_slot *d)
{
	/* What it waited for before the challenge counts, as long as that is remembered. */
	if (d != NULL && (d->stage != DEFERRED_PASSED || a->now_ms >= d->expiry_ms))
		d = NULL;
	evaluate(e, a->s, q, u, a->asker, a->now_ms, a->now_ms, false,
	         outcome == ANSWER_MET ? (struct proven){w->met, w->fell} : NOTHING_PROVEN, d);
	if (outcome == ANSWER_FAILED)
		evaluation_note(e, "The proof was not valid.",
		                w->note != NULL && w->note[0] != 0 ? w->note : "answer: the evidence does not verify");
	else if (outcome == ANSWER_LATE)
		evaluation_note(e, "The proof came too late.", "answer: after the challenge's expiry");
	else if (w->fell)
		evaluation_note(e, "", "webauthn: the authenticator's counter did not rise: it may have a double");
	if (outcome != ANSWER_MET)
		e->verdict = VERDICT_DENY;
}

/* What its use moves: counters, failures, what must not come again. */
static void commit_credential(struct apply *a, const struct answering *w, unsigned outcome)
{
	const struct evidence_found *f = &w->f.found;
	struct credential_slot *k = w->credential;

	if (k == NULL)
		return;
	if (outcome == ANSWER_MET) {
		/* A counter that fell keeps its height: its double would rise to it again. */
		k->c.counter = f->counter > k->c.counter ? f->counter : k->c.counter;
		k->c.failures = 0;
		if (f->has_once)
			used_add(a->s, f->once, f->once_until_ms, a->now_ms);
	} else if (outcome == ANSWER_FAILED && k->c.failures < UINT32_MAX) {
		k->c.failures++;
	}
	credential_dirty(a->s, k);
}

static void commit(struct apply *a, const struct account *k, const struct answering *w, unsigned outcome)
{
	const struct evaluation *e = k->evaluation;
	struct challenge_slot *c = w->c;
	uint8_t first_id[REQUEST_ID_SIZE];

	memcpy(first_id, c->request_id, sizeof(first_id));
	entry_commit(a, e->verdict, e->risk);
	commit_credential(a, w, outcome);
	if (outcome == ANSWER_MET && state_feature(a->s, FEATURE_DECISIONS))
		recent_set(a->s, k->subject_key, k->request, w->met, a->now_ms);
	struct subject *u = account_touch(a, k, a->out->index);
	struct past *p = subject_past_change(a->s, u);
	if (outcome == ANSWER_MET && w->fell)
		history_fell(&p->history, w->credential->c.id);
	if (outcome != ANSWER_MET)
		counter_add(&p->profile.failures, a->now_ms, FAILURE_HALF_LIFE_MS);
	else if (e->verdict == VERDICT_ALLOW) {
		profile_train(&p->profile, &e->observation, a->now_ms, true);
		learn_allowed(a->s, u, e, a->now_ms, true);
		p->profile.failures.value = 0; /* Whoever failed before, this was the one who holds the key. */
	}
	/* Whoever asks again with the decision's id gets the newest entry. */
	struct answer_slot *first = answer_find(a->s, c->c.principal, first_id, a->now_ms);
	if (first != NULL)
		answer_set(a->s, first, a->out->index, a->now_ms, e->verdict);
	outcome_commit(a, k, first_id);
	challenge_drop(a->s, c); /* Last: the request that all this speaks of is its. */
}

/* The leader looked at it a moment ago: a key whose overlap has ended since was good then. */
static void show_key_before(struct apply *a, const struct answering *w)
{
	struct evidence *e = &a->out->evidence;

	if (e->method != METHOD_ED25519 || e->has_key_before)
		return;
	const struct key_replaced *k = keys_good_at(a->s, KEY_PLACE_SIGN, e->credential, w->c->c.index + 2);
	e->has_key_before = k != NULL;
	if (k != NULL)
		memcpy(e->key_before, k->pub, sizeof(e->key_before));
}

/* For followers, who verify again before they cosign. A code they cannot: that entry says so. */
static void show_evidence(struct apply *a, const struct answering *w)
{
	if (w->credential != NULL && w->credential->c.kind == CREDENTIAL_TOTP)
		return;
	a->out->has_evidence = true;
	evidence_fill(&a->out->evidence, a->s, w->c, &w->n, w->credential != NULL ? w->f.found.at_ms : a->now_ms);
	show_key_before(a, w);
	a->out->evidence.found = w->f.found;
}

static int read_answer(const struct apply *a, struct answering *w)
{
	int err = answer_decode(&w->n, a->c->payload, a->c->payload_len);

	if (err == 0)
		err = evidence_facts_read(&w->f, a->c->facts, a->c->facts_len);
	if (err != 0)
		return refuse(&a->why, err, "the answer: %s", err_text(err));
	err = find_challenge(a, &w->n, &w->c);
	return err == 0 ? find_level(a, w) : err;
}

int apply_answer(struct apply *a)
{
	struct answering w = {0};
	struct request q;
	struct account k;
	struct evaluation e;
	uint8_t nonce[32];
	unsigned outcome;
	int err = read_answer(a, &w);

	if (err != 0)
		return err;
	outcome = a->now_ms > w.c->c.expiry_ms ? ANSWER_LATE : w.met == 0 ? ANSWER_FAILED : ANSWER_MET;
	err = request_decode(&q, w.c->request, w.c->request_len);
	assert(err == 0); /* It was decided once. */
	q.place = w.c->place.looked ? &w.c->place : NULL;
	const struct subject *known = account_init(&k, a->s, &q, w.c->request, w.c->request_len);
	k.deferred = deferred_by_request(a->s, w.c->c.principal, w.c->request_id);
	decide_anew(a, &e, &q, known, outcome, &w, k.deferred);
	k.evaluation = &e;
	k.met = outcome == ANSWER_MET ? w.met : 0;
	k.credential = w.f.credential;
	k.answer = &w.n;
	k.credential_version = w.f.version;
	if (w.credential != NULL && w.f.further) {
		k.facts = &w.f;
		k.counter_before = w.credential->c.counter;
		k.facts_fell = w.fell;
		k.facts_by_leader = w.credential->c.kind == CREDENTIAL_TOTP;
	}
	k.digest = w.c->c.digest;
	memcpy(k.blind, w.c->blind, sizeof(k.blind));
	err = outcome_prepare(a, &k, nonce);
	if (err != 0)
		return err;
	struct entry_builder *b = entry_start(a, ENTRY_ANSWER);
	writer_array(&b->public_, ACCOUNT_PUBLIC_ELEMENTS + 2);
	account_public(a, &k, e.verdict);
	writer_uint(&b->public_, w.c->c.index);
	writer_uint(&b->public_, outcome);
	account_fields(a, &k);
	err = entry_finish(a);
	if (err != 0)
		return err;
	if (outcome == ANSWER_MET)
		show_evidence(a, &w);
	commit(a, &k, &w, outcome);
	return 0;
}
