/* Matching: does a request fit what a rule's `match` asks? */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/codec.h"
#include "node/decide/policy_form.h"

bool glob_match(struct text pattern, struct text t)
{
	size_t i = 0, k = 0, star = SIZE_MAX, resume = 0;

	while (k < t.len) {
		if (i < pattern.len && pattern.s[i] == '*') {
			star = i++;
			resume = k;
		} else if (i < pattern.len && pattern.s[i] == t.s[k]) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star + 1; /* Only the last star is ever given more: what came before it fits already. */
			k = ++resume;
		} else {
			return false;
		}
	}
	while (i < pattern.len && pattern.s[i] == '*')
		i++;
	return i == pattern.len;
}

bool policy_any_text(const struct policy *p, struct span s, struct text t)
{
	for (unsigned i = s.first; i < (unsigned)s.first + s.n; i++)
		if (p->values[i].type == VALUE_STR && glob_match(p->values[i].str, t))
			return true;
	return false;
}

static bool any_value(const struct policy *p, struct span s, const struct named_value *v)
{
	if (v->type == VALUE_STR)
		return policy_any_text(p, s, v->str);
	for (unsigned i = s.first; i < (unsigned)s.first + s.n; i++)
		if (p->values[i].type == v->type && p->values[i].integer == v->integer)
			return true;
	return false;
}

static bool context_holds(const struct policy *p, const struct condition *c, const struct request *q)
{
	for (unsigned i = 0; i < q->n_context; i++)
		if (text_compare(q->context[i].name, c->name) == 0)
			return any_value(p, c->values, &q->context[i]);
	return false;
}

static bool group_holds(const struct policy *p, struct span s, bool known, const struct person_record *r)
{
	for (unsigned i = 0; known && i < r->n_groups; i++)
		if (policy_any_text(p, s, r->groups[i]))
			return true;
	return false;
}

static bool via_holds(const struct policy *p, struct span s, const struct request *q)
{
	for (unsigned i = 0; i < q->n_via; i++)
		if (policy_any_text(p, s, q->via[i].id))
			return true;
	return false;
}

/* Where the table is not asked, an actor is one that it does not know. */
static bool delegation_holds(const struct policy *p, struct span s, const struct request *q, const struct parties *t)
{
	unsigned d = t != NULL ? t->delegation : q->actor_id.len > 0 ? DELEGATION_UNLISTED : DELEGATION_NONE;
	const char *word = delegation_text(d);

	return policy_any_text(p, s, (struct text){word, strlen(word)});
}

static bool condition_holds(const struct policy *p, const struct condition *c, const struct request *q,
                            const struct parties *t)
{
	switch (c->target) {
	case MATCH_SUBJECT:
		return policy_any_text(p, c->values, q->subject_id);
	case MATCH_SUBJECT_TYPE:
		return policy_any_text(p, c->values, q->subject_type);
	case MATCH_ACTOR:
		return q->actor_id.len > 0 && policy_any_text(p, c->values, q->actor_id);
	case MATCH_ACTOR_TYPE:
		return q->actor_id.len > 0 && policy_any_text(p, c->values, q->actor_type);
	case MATCH_ACTION:
		return policy_any_text(p, c->values, q->action);
	case MATCH_RESOURCE:
		return policy_any_text(p, c->values, q->resource_id);
	case MATCH_RESOURCE_TYPE:
		return policy_any_text(p, c->values, q->resource_type);
	case MATCH_CONTEXT:
		return context_holds(p, c, q);
	case MATCH_GROUP:
		return t != NULL && group_holds(p, c->values, t->has_subject, &t->subject);
	case MATCH_ACTOR_GROUP:
		return t != NULL && group_holds(p, c->values, t->has_actor, &t->actor);
	case MATCH_VIA:
		return via_holds(p, c->values, q);
	case MATCH_DELEGATION:
		return delegation_holds(p, c->values, q, t);
	default:
		return false;
	}
}

bool policy_rule_names_delegation(const struct policy *p, const struct rule *r)
{
	for (unsigned i = r->conditions.first; i < (unsigned)r->conditions.first + r->conditions.n; i++)
		if (p->conditions[i].target == MATCH_DELEGATION)
			return true;
	return false;
}

bool policy_rule_matches(const struct policy *p, const struct rule *r, const struct request *q,
                         const struct parties *parties)
{
	for (unsigned i = r->conditions.first; i < (unsigned)r->conditions.first + r->conditions.n; i++)
		if (!condition_holds(p, &p->conditions[i], q, parties))
			return false;
	return true;
}

bool policy_is_sensitive(const struct policy *p, struct text action)
{
	return policy_any_text(p, p->sensitive, action);
}
