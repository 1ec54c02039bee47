/* What follows from a verdict: a challenge, a wait, a grant; made ready before the entry, carried out after it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

/* --- before the entry --- */

static bool may_be_released(const struct apply *a, const struct account *k)
{
	return k->evaluation->verdict == VERDICT_DENY && !k->final && a->s->policy->break_glass.from.n > 0;
}

/* A place in the table of those that wait. A denied request that finds none is denied all the same. */
static int wait_prepare(const struct apply *a, struct account *k)
{
	bool waits = k->evaluation->verdict == VERDICT_DEFER;

	k->keep = k->deferred == NULL && (waits || may_be_released(a, k));
	if (!k->keep)
		return 0;
	const char *bound = deferred_bound(a->s, k->client, k->request_len, a->now_ms);
	if (bound != NULL && waits)
		return refuse(&a->why, CS_ERR_OVERLOADED, "%s: try again later", bound);
	k->keep = bound == NULL;
	if (k->keep && !deferred_reserve(a->s))
		return refuse(&a->why, CS_ERR_NOMEM, "out of memory");
	return 0;
}

/* Which grants end because the risk has risen. */
static void grants_end(const struct apply *a, struct account *k, const struct grant_query *g)
{
	const struct standing *all[STANDING_PER_SUBJECT_MAX];

	if (k->evaluation->risk < a->s->policy->grants.revoke_risk)
		return;
	unsigned n = standing_of(a->s, g->subject, a->now_ms, all);
	for (unsigned i = 0; i < n; i++)
		if (all[i]->kind == STANDING_GRANT)
			k->revoked[k->n_revoked++] = all[i]->index;
}

/* The first rule of those that matched which opens one, if evidence or approvals were what the allow needed. */
static void grant_open(const struct apply *a, struct account *k, const struct grant_query *g)
{
	const struct evaluation *e = k->evaluation;
	const struct policy *p = a->s->policy;

	if (e->verdict != VERDICT_ALLOW || (k->met == 0 && !e->approved) || k->released || k->n_revoked > 0)
		return;
	for (unsigned i = 0; i < e->n_rules && !k->opens; i++) {
		const struct rule *r = &p->rules[e->rules[i]];
		if (!grant_of_rule(a->s, g, r, &k->grant))
			continue;
		k->grant.principal = k->client->p.id;
		k->grant.level = k->met;
		k->grant.approved = e->approved && r->verdict == VERDICT_DEFER && r->defer.needed > 0;
		k->grant.credential = k->met > 0 ? k->credential : 0;
		k->grant.version = k->met > 0 ? k->credential_version : 0;
		k->grant_rule = r->id;
		k->opens = (k->grant.level > 0 || k->grant.approved) &&
		           standing_has_room(a->s, k->client, g->subject, a->now_ms);
	}
}

static bool policy_grants(const struct policy *p)
{
	for (unsigned i = 0; i < p->n_rules; i++)
		if (p->rules[i].grant.set)
			return true;
	return false;
}

int outcome_prepare(struct apply *a, struct account *k, uint8_t nonce[32])
{
	struct grant_query g;

	if (k->client == NULL)
		k->client = a->asker;
	int err = challenge_prepare(a, k, nonce);
	if (err == 0)
		err = wait_prepare(a, k);
	if (err != 0 || (a->s->n_standing_kept == 0 && !policy_grants(a->s->policy)))
		return err;
	grant_query_init(&g, k->request, a->now_ms);
	grants_end(a, k, &g);
	grant_open(a, k, &g);
	return 0;
}

/* --- private fields --- */

static void write_or_nil(struct writer *w, uint64_t v)
{
	if (v != 0)
		writer_uint(w, v);
	else
		writer_nil(w);
}

/* [not before ms or nil, expiry ms, [[needed, have, [name or pattern…]]…]] */
static void write_awaited(struct writer *w, const struct apply *a, const struct account *k)
{
	const struct awaited *t = &k->evaluation->awaited;
	const struct policy *p = a->s->policy;

	writer_array(w, 3);
	write_or_nil(w, t->not_before_ms);
	writer_uint(w, k->deferred != NULL ? k->deferred->expiry_ms : wait_expiry_ms(t, a->now_ms));
	writer_array(w, t->n);
	for (unsigned i = 0; i < t->n; i++) {
		struct span from = p->rules[t->rules[i].rule].defer.from;
		writer_array(w, 3);
		writer_uint(w, t->rules[i].needed);
		writer_uint(w, t->rules[i].have);
		writer_array(w, from.n);
		for (unsigned n = from.first; n < (unsigned)from.first + from.n; n++)
			codec_write_text(w, p->values[n].str);
	}
}

/* [what is awaited or nil, nil or [approver's name, what is said, reason, the signature's expiry ms, signature]] */
void field_approval(const struct apply *a, const struct account *k)
{
	struct writer w = field_start(a);
	const struct approval *n = k->approval;
	bool waits = k->evaluation->verdict == VERDICT_DEFER && k->import == NULL;

	if (!waits && n == NULL)
		return;
	writer_array(&w, 2);
	if (waits)
		write_awaited(&w, a, k);
	else
		writer_nil(&w);
	if (n != NULL) {
		writer_array(&w, 5);
		writer_cstr(&w, a->asker->p.name);
		writer_uint(&w, n->say);
		codec_write_text(&w, n->reason);
		writer_uint(&w, n->expiry_ms);
		writer_bin(&w, n->signature, 64);
	} else {
		writer_nil(&w);
	}
	field_end(a, FIELD_APPROVAL, &w);
	if (n != NULL)
		field_chain(a, FIELD_APPROVER_CHAIN, k->approver_chain);
}

/*
 * [nil or [rule id, level, expiry ms, bound to the session, bound to the device, given by approvals], index of the
 * grant that counted or nil, [index of each grant that ends…]]
 */
void field_grant(const struct apply *a, const struct account *k)
{
	struct writer w = field_start(a);
	const struct standing *t = &k->grant;

	if (!k->opens && k->evaluation->grant_used == 0 && k->n_revoked == 0)
		return;
	writer_array(&w, 3);
	if (k->opens) {
		writer_array(&w, 6);
		codec_write_text(&w, k->grant_rule);
		writer_uint(&w, t->level);
		writer_uint(&w, t->expiry_ms);
		writer_bool(&w, !sodium_is_zero(t->session, HASH_SIZE));
		writer_bool(&w, !sodium_is_zero(t->device, HASH_SIZE));
		writer_bool(&w, t->approved);
	} else {
		writer_nil(&w);
	}
	write_or_nil(&w, k->evaluation->grant_used);
	writer_array(&w, k->n_revoked);
	for (unsigned i = 0; i < k->n_revoked; i++)
		writer_uint(&w, k->revoked[i]);
	field_end(a, FIELD_GRANT, &w);
}

/* --- after the entry --- */

uint64_t wait_expiry_ms(const struct awaited *w, uint64_t now_ms)
{
	uint64_t grace_ms = w->not_before_ms != 0 ? w->not_before_ms + WAIT_GRACE_MS : 0;

	if (w->expires_ms == 0)
		return grace_ms;
	return now_ms + w->expires_ms > grace_ms ? now_ms + w->expires_ms : grace_ms;
}

/* Where a request stands now that this entry is the newest for it. */
static void settle(struct apply *a, const struct account *k, struct deferred_slot *d, bool is_new)
{
	const struct evaluation *e = k->evaluation;

	d->newest = a->out->index;
	d->newest_ms = a->now_ms;
	d->verdict = e->verdict;
	d->not_before_ms = 0;
	if (e->verdict == VERDICT_DEFER) {
		if (is_new || d->stage != DEFERRED_OPEN)
			d->expiry_ms = wait_expiry_ms(&e->awaited, a->now_ms);
		d->not_before_ms = e->awaited.not_before_ms;
		d->stage = DEFERRED_OPEN;
	} else if (may_be_released(a, k)) {
		d->stage = DEFERRED_DENIED;
		d->expiry_ms = a->now_ms + a->s->policy->break_glass.within_ms;
	} else {
		d->stage = e->verdict == VERDICT_DENY ? DEFERRED_ENDED : DEFERRED_PASSED;
		d->expiry_ms = a->now_ms + DEFERRED_KEEP_MS;
	}
	deferred_changed(a->s);
}

void outcome_commit(struct apply *a, const struct account *k, const uint8_t request_id[REQUEST_ID_SIZE])
{
	struct deferred_slot *d = k->deferred;

	challenge_open(a, k, request_id);
	for (unsigned i = 0; i < k->n_revoked; i++)
		standing_drop_index(a->s, k->subject_key, k->revoked[i]);
	if (k->opens)
		standing_add(a->s, &k->grant);
	if (k->keep) {
		d = deferred_add(a->s, a->out->index, k->client->p.id, request_id, k->request_bytes, k->request_len);
		d->made_ms = a->now_ms;
		d->digest = k->digest;
		memcpy(d->blind, k->blind, sizeof(d->blind));
		d->place = k->request->place != NULL ? *k->request->place : (struct place){0};
		settle(a, k, d, true);
	} else if (d != NULL) {
		deferred_change(a->s, d);
		settle(a, k, d, false);
	}
}

void outcome_record(struct apply *a, const struct deferred_slot *d, unsigned verdict)
{
	struct answer_slot *first = answer_find(a->s, d->principal, d->request_id, a->now_ms);

	if (first != NULL)
		answer_set(a->s, first, a->out->index, a->now_ms, verdict);
}
