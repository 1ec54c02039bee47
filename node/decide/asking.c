/* Questions that change nothing: does an answer stand, does a grant cover, what waits, what is due. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/approver.h"
#include "node/decide/codec.h"

static uint64_t at(const struct state *s, uint64_t now_ms)
{
	return now_ms > s->head.time_ms ? now_ms : s->head.time_ms;
}

bool recorded_find(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE], uint64_t now_ms,
                   struct recorded *ret)
{
	const struct answer_slot *a = answer_find(s, principal, id, now_ms);
	const struct deferred_slot *d = NULL;
	struct hash hash;

	if (a != NULL) {
		answer_read(a, ret);
		return true;
	}
	if (s->n_deferred_kept > 0)
		d = deferred_by_request(s, principal, id);
	if (d == NULL || (d->stage != DEFERRED_OPEN && now_ms >= d->expiry_ms))
		return false;
	request_hash(&hash, COMMAND_DECIDE, d->request, d->request_len);
	ret->index = d->newest;
	ret->time_ms = d->newest_ms;
	ret->verdict = d->verdict;
	memcpy(ret->request_hash, hash.b, RECORDED_HASH_SIZE);
	return true;
}

int decide_check(const struct state *s, uint64_t now_ms, uint64_t principal, const uint8_t request_id[16],
                 struct check_result *ret)
{
	uint64_t now = at(s, now_ms);
	struct recorded r;

	if (!recorded_find(s, principal, request_id, now, &r))
		return CS_ERR_NOT_FOUND;
	ret->verdict = r.verdict;
	ret->index = r.index;
	ret->time_ms = r.time_ms;
	ret->stands = r.verdict == VERDICT_ALLOW && now - r.time_ms < s->policy->valid_for_ms;
	return 0;
}

int decide_check_grant(const struct state *s, uint64_t now_ms, const struct request *q, struct check_result *ret)
{
	const struct standing *t;
	const char *user, *admin;
	struct grant_query g;
	struct parties parties;

	/* What would be denied now is covered by nothing, whoever bought it. */
	parties_look(&parties, s, q);
	if (parties_refuse(&parties, &user, &admin))
		return CS_ERR_NOT_FOUND;
	grant_query_init(&g, q, at(s, now_ms));
	t = grant_level(s, &g);
	for (unsigned i = 0; t == NULL && i < s->policy->n_rules; i++)
		if (s->policy->rules[i].grant.set)
			t = grant_approves(s, &g, &s->policy->rules[i]);
	if (t == NULL)
		return CS_ERR_NOT_FOUND;
	*ret = (struct check_result){.stands = true, .index = t->index, .time_ms = t->made_ms};
	return 0;
}

unsigned state_ticks_due(struct state *s, uint64_t now_ms, unsigned max)
{
	uint64_t now = at(s, now_ms);
	unsigned n = 0;

	if (deferred_due(s, now) == NULL)
		return 0;
	for (uint32_t i = 0; i < s->n_deferred && n < max; i++)
		n += s->deferred[i].index != 0 && deferred_is_due(&s->deferred[i], now);
	return n;
}

/* --- lists --- */

static bool half_full(const struct writer *w)
{
	return w->err != 0 || w->len > w->cap / 2;
}

static void write_or_nil(struct writer *w, uint64_t v)
{
	if (v != 0)
		writer_uint(w, v);
	else
		writer_nil(w);
}

/* What is asked about a request that waits. */
struct look {
	const struct state *s;
	uint64_t now_ms;
	const struct deferred_slot *d;
	struct request q;
	bool evaluated;
	struct evaluation e;
};

/* As the next word about it would find it. */
static const struct evaluation *evaluated(struct look *l)
{
	static const struct principal_slot nobody;
	const struct principal_slot *client = principal_slot(l->s, l->d->principal);
	uint8_t key[HASH_SIZE];

	if (l->evaluated)
		return &l->e;
	subject_key(key, l->q.subject_type, l->q.subject_id);
	evaluate(&l->e, l->s, &l->q, subject_find(l->s, key), client != NULL ? client : &nobody, l->now_ms, l->now_ms,
	         false, NOTHING_PROVEN, l->d);
	l->evaluated = true;
	return &l->e;
}

/* By its `match` first: most have nothing to do with who asks. */
static bool named_now(struct look *l, const struct principal *p)
{
	return approver_named(l->s, p, &l->q) && approver_named_now(l->s, p, evaluated(l));
}

/* Auditors see all; who asked, their own; an approver, what they may decide. */
static bool may_see(struct look *l, const struct principal *p)
{
	const struct state *s = l->s;
	const struct deferred_slot *d = l->d;

	if (p->roles & ROLE_AUDIT)
		return true;
	if (d->principal == p->id)
		return true;
	return (p->roles & ROLE_APPROVE) != 0 && !approver_is_own(s, p, &l->q, d->principal) &&
	       (approver_listed(s, p, s->policy->break_glass.from) || (d->stage == DEFERRED_OPEN && named_now(l, p)));
}

/* [[needed, have, [name or pattern…]]…] of the rules that hold and ask for approvals. */
static void write_needs(struct writer *w, struct look *l)
{
	const struct state *s = l->s;
	const struct policy *p = s->policy;
	const struct deferred_slot *d = l->d;
	const struct evaluation *e = evaluated(l);
	uint8_t rules[POLICY_RULES_MAX];
	uint32_t n = 0;

	for (unsigned i = 0; i < e->n_rules && d->stage == DEFERRED_OPEN; i++) {
		const struct rule *r = &p->rules[e->rules[i]];
		if (r->verdict == VERDICT_DEFER && r->defer.needed > 0)
			rules[n++] = e->rules[i];
	}
	writer_array(w, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct rule_defer *r = &p->rules[rules[i]].defer;
		writer_array(w, 3);
		writer_uint(w, r->needed);
		writer_uint(w, approver_votes(s, d, SAY_APPROVE, r->from));
		policy_write_values(w, p, r->from);
	}
}

static void write_votes(struct writer *w, const struct state *s, const struct deferred_slot *d)
{
	writer_array(w, d->n_votes);
	for (unsigned i = 0; i < d->n_votes; i++) {
		const struct principal *p = state_principal(s, d->votes[i].principal);
		writer_array(w, 3);
		writer_cstr(w, p != NULL ? p->name : "");
		writer_uint(w, d->votes[i].say);
		writer_uint(w, d->votes[i].index);
	}
}

static void write_waiting(struct writer *w, struct look *l)
{
	const struct state *s = l->s;
	const struct deferred_slot *d = l->d;
	const struct principal *client = state_principal(s, d->principal);

	writer_array(w, 11);
	writer_uint(w, d->index);
	writer_uint(w, d->newest);
	writer_uint(w, d->verdict);
	writer_uint(w, d->made_ms);
	writer_uint(w, d->expiry_ms);
	write_or_nil(w, d->not_before_ms);
	writer_cstr(w, client != NULL ? client->name : "");
	writer_bin(w, d->request, d->request_len);
	writer_bin(w, d->blind, sizeof(d->blind));
	write_needs(w, l);
	write_votes(w, s, d);
}

unsigned state_write_pending(const struct state *s, uint64_t now_ms, uint64_t principal, uint64_t after,
                             struct writer *w, bool *ret_more)
{
	const struct principal *p = state_principal(s, principal);
	struct look l = {.s = s, .now_ms = at(s, now_ms)};
	unsigned n = 0;

	*ret_more = false;
	if (p == NULL)
		return 0;
	for (uint32_t slot = list_oldest(&s->deferred_list); slot != NO_SLOT; slot = s->deferred[slot].all.newer - 1) {
		const struct deferred_slot *d = &s->deferred[slot];
		if (d->index <= after || d->stage > DEFERRED_DENIED || l.now_ms >= d->expiry_ms)
			continue;
		l.d = d;
		l.evaluated = false;
		int err = request_decode(&l.q, d->request, d->request_len);
		assert(err == 0); /* It was decided once. */
		l.q.place = d->place.looked ? &d->place : NULL;
		if (!may_see(&l, p))
			continue;
		*ret_more = half_full(w);
		if (*ret_more)
			return n;
		write_waiting(w, &l);
		n++;
	}
	return n;
}

/* [index, made ms, expiry ms, level, given by approvals, bound to session, to device, rule's id or "", client's name]
 */
static void write_grant(struct writer *w, const struct state *s, const struct standing *t)
{
	const struct principal *client = state_principal(s, t->principal);
	struct text rule = {"", 0};
	uint8_t key[HASH_SIZE];

	for (unsigned i = 0; i < s->policy->n_rules; i++) {
		value_key(key, s->policy->rules[i].id);
		if (memcmp(key, t->rule, HASH_SIZE) == 0)
			rule = s->policy->rules[i].id;
	}
	writer_array(w, 9);
	writer_uint(w, t->index);
	writer_uint(w, t->made_ms);
	writer_uint(w, t->expiry_ms);
	writer_uint(w, t->level);
	writer_bool(w, t->approved);
	writer_bool(w, !sodium_is_zero(t->session, HASH_SIZE));
	writer_bool(w, !sodium_is_zero(t->device, HASH_SIZE));
	codec_write_text(w, rule);
	writer_cstr(w, client != NULL ? client->name : "");
}

unsigned state_write_grants(const struct state *s, uint64_t now_ms, struct text subject_type, struct text subject_id,
                            uint64_t after, struct writer *w, bool *ret_more)
{
	uint64_t now = at(s, now_ms);
	uint8_t key[HASH_SIZE] = {0};
	unsigned n = 0;

	if (subject_id.len > 0)
		subject_key(key, subject_type, subject_id);
	*ret_more = false;
	for (uint32_t slot = list_oldest(&s->standing_list); slot != NO_SLOT; slot = s->standing[slot].all.newer - 1) {
		const struct standing *t = &s->standing[slot];
		if (t->index <= after || t->kind != STANDING_GRANT || now >= t->expiry_ms ||
		    (subject_id.len > 0 && memcmp(key, t->subject, HASH_SIZE) != 0))
			continue;
		*ret_more = half_full(w);
		if (*ret_more)
			return n;
		write_grant(w, s, t);
		n++;
	}
	return n;
}
