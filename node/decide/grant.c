/* Grants: which ones cover a request, and what has been told of it from outside; and which rule opens one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "node/decide/codec.h"
#include "node/decide/state.h"

void grant_query_init(struct grant_query *ret, const struct request *q, uint64_t now_ms)
{
	memset(ret, 0, sizeof(*ret));
	ret->q = q;
	ret->now_ms = now_ms;
	subject_key(ret->subject, q->subject_type, q->subject_id);
	if (q->actor_id.len > 0)
		subject_key(ret->actor, q->actor_type, q->actor_id);
	context_key(ret->session, q, "session");
	context_key(ret->device, q, "device");
}

static bool bound_to(const uint8_t grant[HASH_SIZE], const uint8_t request[HASH_SIZE])
{
	return sodium_is_zero(grant, HASH_SIZE) || memcmp(grant, request, HASH_SIZE) == 0;
}

/* The rule that opened it, as it is now: a policy that has it no more, or narrower, takes the grant with it. */
static const struct rule *rule_of(const struct policy *p, const struct standing *t)
{
	uint8_t key[HASH_SIZE];

	for (unsigned i = 0; i < p->n_rules; i++) {
		if (!p->rules[i].grant.set)
			continue;
		value_key(key, p->rules[i].id);
		if (memcmp(key, t->rule, HASH_SIZE) == 0)
			return &p->rules[i];
	}
	return NULL;
}

static bool in_scope(const struct policy *p, const struct rule_grant *g, const struct request *q)
{
	return policy_any_text(p, g->actions, q->action) && policy_any_text(p, g->resources, q->resource_id);
}

/* What bought it is still enrolled, and the same. */
static bool still_bought(const struct state *s, const struct standing *t)
{
	const struct principal *p = t->credential != 0 ? state_principal(s, t->credential) : NULL;

	if (t->credential > PRINCIPAL_ID_MAX) {
		const struct credential *c = state_credential(s, t->credential);
		return c != NULL && c->version == t->version;
	}

	return t->credential == 0 || (p != NULL && !p->removed && p->version == t->version);
}

static bool covers(const struct state *s, const struct standing *t, const struct grant_query *g)
{
	if (t->kind != STANDING_GRANT || memcmp(t->actor, g->actor, HASH_SIZE) != 0 ||
	    !bound_to(t->session, g->session) || !bound_to(t->device, g->device) || !still_bought(s, t))
		return false;
	const struct rule *r = rule_of(s->policy, t);
	return r != NULL && in_scope(s->policy, &r->grant, g->q);
}

const struct standing *grant_level(const struct state *s, const struct grant_query *g)
{
	const struct standing *all[STANDING_PER_SUBJECT_MAX], *best = NULL;
	unsigned n = standing_of(s, g->subject, g->now_ms, all);

	for (unsigned i = 0; i < n; i++)
		if (all[i]->level > (best != NULL ? best->level : 0) && covers(s, all[i], g))
			best = all[i];
	return best;
}

const struct standing *grant_approves(const struct state *s, const struct grant_query *g, const struct rule *r)
{
	const struct standing *all[STANDING_PER_SUBJECT_MAX];
	unsigned n = standing_of(s, g->subject, g->now_ms, all);
	uint8_t key[HASH_SIZE];

	value_key(key, r->id);
	for (unsigned i = 0; i < n; i++)
		if (all[i]->approved && memcmp(all[i]->rule, key, HASH_SIZE) == 0 && covers(s, all[i], g))
			return all[i];
	return NULL;
}

unsigned outside_level(const struct state *s, const struct grant_query *g)
{
	const struct standing *all[STANDING_PER_SUBJECT_MAX];
	unsigned n = standing_of(s, g->subject, g->now_ms, all), level = 0;

	for (unsigned i = 0; i < n; i++)
		if (all[i]->kind == STANDING_WARNING && all[i]->level > level &&
		    bound_to(all[i]->session, g->session) && bound_to(all[i]->device, g->device))
			level = all[i]->level;
	return level;
}

bool grant_of_rule(const struct state *s, const struct grant_query *g, const struct rule *r, struct standing *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!r->grant.set || (r->grant.session && sodium_is_zero(g->session, HASH_SIZE)) ||
	    (r->grant.device && sodium_is_zero(g->device, HASH_SIZE)))
		return false; /* What it would be bound to is not named. */
	ret->index = s->head.size;
	ret->kind = STANDING_GRANT;
	ret->made_ms = g->now_ms;
	ret->expiry_ms = g->now_ms + r->grant.for_ms;
	memcpy(ret->subject, g->subject, HASH_SIZE);
	memcpy(ret->actor, g->actor, HASH_SIZE);
	if (r->grant.session)
		memcpy(ret->session, g->session, HASH_SIZE);
	if (r->grant.device)
		memcpy(ret->device, g->device, HASH_SIZE);
	value_key(ret->rule, r->id);
	return true;
}
