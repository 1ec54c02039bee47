/* Finds rules that can never decide and rules that do nothing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/policy_check.h"

#include <stdio.h>

#include "node/decide/codec.h"
#include "node/decide/decide.h"

/* Everything that b matches, a matches too; a star in b's pattern is a character that only a star in a can take. */
static bool value_covers(const struct policy_value *a, const struct policy_value *b)
{
	if (a->type != b->type)
		return false;
	return a->type == VALUE_STR ? glob_match(a->str, b->str) : a->integer == b->integer;
}

static bool values_cover(const struct policy *p, struct span a, struct span b)
{
	for (unsigned i = b.first; i < (unsigned)b.first + b.n; i++) {
		bool covered = false;
		for (unsigned k = a.first; k < (unsigned)a.first + a.n && !covered; k++)
			covered = value_covers(&p->values[k], &p->values[i]);
		if (!covered)
			return false;
	}
	return true;
}

/* An action, a resource, a subject and their types are in every request: a lone star asks nothing of them. */
static bool asks_nothing(const struct policy *p, const struct condition *c)
{
	static const struct text empty = {"", 0};

	if (c->target == MATCH_CONTEXT || c->target == MATCH_ACTOR || c->target == MATCH_ACTOR_TYPE ||
	    (c->target > MATCH_LAST_1 && c->target != MATCH_DELEGATION))
		return false;
	for (unsigned i = c->values.first; i < (unsigned)c->values.first + c->values.n; i++)
		if (p->values[i].type == VALUE_STR && glob_match(p->values[i].str, empty))
			return true; /* Only stars match nothing at all. */
	return false;
}

/* True only if each request that rule b matches is surely matched by rule a. */
static bool rule_covers(const struct policy *p, const struct rule *a, const struct rule *b)
{
	if (a->has_when)
		return false;
	for (unsigned i = a->conditions.first; i < (unsigned)a->conditions.first + a->conditions.n; i++) {
		const struct condition *ca = &p->conditions[i];
		bool covered = asks_nothing(p, ca);
		for (unsigned k = b->conditions.first; k < (unsigned)b->conditions.first + b->conditions.n && !covered;
		     k++) {
			const struct condition *cb = &p->conditions[k];
			covered = ca->target == cb->target && text_compare(ca->name, cb->name) == 0 &&
			          values_cover(p, ca->values, cb->values);
		}
		if (!covered)
			return false;
	}
	return true;
}

/* Whatever b's verdict would be, a's is stronger: the thresholds never give less than allow. */
static bool outweighs(unsigned a, unsigned b)
{
	if (b == 0 || b == VERDICT_DENY)
		return false;
	if (a == VERDICT_DENY)
		return true;
	return b == VERDICT_ALLOW && (a == VERDICT_STEP_UP || a == RULE_VERDICT_RISK);
}

bool policy_rule_check(const struct policy *p, unsigned n, char *ret_text, size_t cap)
{
	const struct rule *r = &p->rules[n];

	if (r->verdict == 0 && r->weight == 0 && !r->has_challenge && r->obligations.n == 0 &&
	    r->reason_user.len == 0 && r->reason_admin.len == 0 && !r->grant.set) {
		snprintf(ret_text, cap, "the rule does nothing: give it a verdict, a weight or something else");
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct rule *o = &p->rules[i];
		const struct rule *strong = NULL, *weak = NULL;
		if (outweighs(o->verdict, r->verdict) && rule_covers(p, o, r)) {
			strong = o;
			weak = r;
		} else if (outweighs(r->verdict, o->verdict) && rule_covers(p, r, o)) {
			strong = r;
			weak = o;
		}
		if (strong != NULL) {
			snprintf(ret_text, cap,
			         "unreachable: rule \"%.*s\" can never decide, \"%.*s\" matches all it does",
			         (int)weak->id.len, weak->id.s, (int)strong->id.len, strong->id.s);
			return false;
		}
	}
	return true;
}
