/* What a rule's defer waits for, and whether that has come. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/approver.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/evaluate.h"

static bool time_has_come(const struct deferral *f, const struct rule_defer *r, struct awaited *w)
{
	uint64_t made_ms = f->d != NULL ? f->d->made_ms : f->now_ms, until_ms = made_ms + r->until_ms;

	if (f->now_ms >= until_ms)
		return true;
	w->not_before_ms = until_ms > w->not_before_ms ? until_ms : w->not_before_ms;
	return false;
}

static bool approved(const struct deferral *f, struct evaluation *e, unsigned rule, const struct rule *r)
{
	struct awaited *w = &e->awaited;
	unsigned have = approver_votes(f->s, f->d, SAY_APPROVE, r->defer.from);

	if (have >= r->defer.needed) {
		e->approved = true;
		return true;
	}
	bool grants = f->g != NULL && e->risk < f->s->policy->grants.revoke_risk;
	const struct standing *t = grants ? grant_approves(f->s, f->g, r) : NULL;
	if (t != NULL) {
		e->grant_used = t->index;
		return true;
	}
	if (w->n == AWAITED_MAX) {
		w->too_many = true;
		return false;
	}
	w->rules[w->n].rule = (uint8_t)rule;
	w->rules[w->n].needed = r->defer.needed;
	w->rules[w->n++].have = have;
	if (w->expires_ms == 0 || r->defer.expires_ms < w->expires_ms)
		w->expires_ms = r->defer.expires_ms;
	return false;
}

bool defer_met(const struct deferral *f, struct evaluation *e, unsigned rule, const struct rule *r)
{
	if (f == NULL || f->met)
		return f != NULL;
	return r->defer.until_ms > 0 ? time_has_come(f, &r->defer, &e->awaited) : approved(f, e, rule, r);
}
