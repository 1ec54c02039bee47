/* The entry that a command becomes: begun, finished, committed; its public array. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"
#include "node/decide/policy_verdicts.h"

struct entry_builder *entry_start(struct apply *a, enum entry_kind kind)
{
	struct entry_builder *b = a->s->builder;

	entry_builder_init(b, a->s->head.size, kind, a->now_ms, &a->s->head.last_leaf, a->c->seed);
	if (a->recall != NULL)
		recall_salts(a);
	return b;
}

struct writer field_start(const struct apply *a)
{
	struct writer w;

	writer_init(&w, a->s->scratch, STATE_RECORD_SIZE_MAX);
	return w;
}

void field_end(const struct apply *a, unsigned kind, const struct writer *w)
{
	entry_builder_written(a->s->builder, kind, w);
}

void field_client(const struct apply *a)
{
	struct writer w = field_start(a);

	writer_array(&w, 2);
	writer_cstr(&w, a->asker->p.name);
	writer_bin(&w, a->c->request_id, REQUEST_ID_SIZE);
	field_end(a, FIELD_CLIENT, &w);
}

int entry_finish(struct apply *a)
{
	struct decide_out *o = a->out;
	int err = entry_builder_finish(a->s->builder, o->leaf, &o->leaf_len, o->body, &o->body_len);

	if (err != 0)
		return refuse(&a->why, err, "the entry cannot be made: %s", err_text(err));
	hash_leaf(&o->leaf_hash, o->leaf, o->leaf_len);
	return 0;
}

void entry_commit(struct apply *a, unsigned verdict, int32_t risk)
{
	struct state *s = a->s;
	struct decide_out *o = a->out;

	o->outcome = DECIDE_ENTRY;
	o->index = s->head.size;
	o->kind = s->builder->kind;
	o->verdict = verdict;
	o->risk = risk;
	s->head.size++;
	s->head.last_leaf = o->leaf_hash;
	s->head.time_ms = a->now_ms;
	s->head_dirty = true;
	if (keys_end(s)) /* Whoever goes by keys forgets one. */
		o->principals_changed = o->roster_changed = true;
	if (a->asker == NULL)
		return;
	counter_add(&a->asker->rate, a->now_ms, RATE_HALF_LIFE_MS);
	principal_dirty(s, a->asker);
	answer_add(s, a->asker, a->c->request_id, &a->request_hash, o->index, a->now_ms, verdict);
}

void derive(uint8_t ret[32], const uint8_t seed[SEED_SIZE], const char *purpose)
{
	crypto_generichash(ret, 32, (const uint8_t *)purpose, strlen(purpose), seed, SEED_SIZE);
}

/* --- what decisions, answers and imports have in common --- */

const struct subject *account_init(struct account *ret, const struct state *s, const struct request *q,
                                   const uint8_t *bytes, size_t len)
{
	const struct subject *u, *actor = NULL;

	memset(ret, 0, sizeof(*ret));
	ret->request = q;
	ret->request_bytes = bytes;
	ret->request_len = len;
	subject_key(ret->subject_key, q->subject_type, q->subject_id);
	u = subject_find(s, ret->subject_key);
	ret->subject_chain = u != NULL ? &u->subject_chain : NULL;
	if (q->actor_id.len > 0) {
		subject_key(ret->actor_key, q->actor_type, q->actor_id);
		actor = subject_find(s, ret->actor_key);
	}
	ret->actor_chain = actor != NULL ? &actor->actor_chain : NULL;
	return u;
}

void account_public(const struct apply *a, const struct account *k, unsigned verdict)
{
	struct writer *w = &a->s->builder->public_;
	const struct policy *p = a->s->policy;
	const struct evaluation *e = k->evaluation;
	uint32_t obligations = 0;

	writer_uint(w, verdict);
	writer_int(w, e->risk);
	writer_bin(w, p->hash.b, HASH_SIZE);
	writer_array(w, e->n_rules);
	for (unsigned i = 0; i < e->n_rules; i++)
		codec_write_text(w, p->rules[e->rules[i]].id);
	writer_bin(w, k->digest.b, HASH_SIZE);
	for (unsigned i = 0; i < e->n_rules; i++)
		obligations += p->rules[e->rules[i]].obligations.n;
	writer_array(w, obligations);
	for (unsigned i = 0; i < e->n_rules; i++) {
		struct span o = p->rules[e->rules[i]].obligations;
		for (unsigned n = o.first; n < (unsigned)o.first + o.n; n++)
			policy_write_obligation(w, p, &p->obligations[n]);
	}
}

void chain_move(struct chain *c, uint64_t index)
{
	c->last = index;
	c->count++;
}

struct subject *account_touch(struct apply *a, const struct account *k, uint64_t index)
{
	struct subject *u;

	/* The actor first: touching it afterwards could evict nothing of ours, but the subject must come out newest. */
	if (k->request->actor_id.len > 0)
		chain_move(&subject_touch(a->s, k->actor_key)->actor_chain, index);
	u = subject_touch(a->s, k->subject_key);
	chain_move(&u->subject_chain, index);
	return u;
}

int challenge_prepare(const struct apply *a, struct account *k, uint8_t nonce[32])
{
	if (k->evaluation->verdict != VERDICT_STEP_UP)
		return 0;
	const char *bound = challenge_bound(a->s, k->client, k->request_len);
	if (bound != NULL)
		return refuse(&a->why, CS_ERR_OVERLOADED, "%s: try again later", bound);
	if (!challenge_reserve(a->s))
		return refuse(&a->why, CS_ERR_NOMEM, "out of memory");
	if (!recall_nonce(a, nonce))
		derive(nonce, a->c->seed, "countersign/nonce/v1");
	k->nonce = nonce;
	k->challenge_expiry_ms = a->now_ms + k->evaluation->challenge.expiry_ms;
	return 0;
}

void challenge_open(struct apply *a, const struct account *k, const uint8_t request_id[REQUEST_ID_SIZE])
{
	const struct policy_challenge *p = &k->evaluation->challenge;

	if (k->nonce == NULL)
		return;
	struct challenge_slot *c =
	        challenge_add(a->s, a->out->index, k->client->p.id, k->request_bytes, k->request_len);
	c->c.expiry_ms = k->challenge_expiry_ms;
	c->c.digest = k->digest;
	memcpy(c->c.nonce, k->nonce, sizeof(c->c.nonce));
	strcpy(c->c.level, level_text(p->level));
	c->place = k->request->place != NULL ? *k->request->place : (struct place){0};
	c->made_ms = a->now_ms;
	c->level = p->level;
	c->methods = p->methods;
	memcpy(c->blind, k->blind, sizeof(c->blind));
	memcpy(c->request_id, request_id, REQUEST_ID_SIZE);
}
