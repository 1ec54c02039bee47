/* Approvers: who may speak for which request, and how many have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/approver.h"

#include <string.h>

#include "node/decide/codec.h"
#include "node/decide/people.h"

#define GROUP_PREFIX "group:"

static struct text text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

bool approver_in_group(const struct state *s, const struct principal *p, struct text group)
{
	const size_t prefix = strlen(GROUP_PREFIX);

	if (group.len > prefix && memcmp(group.s, GROUP_PREFIX, prefix) == 0)
		return person_in_group(s, text_of(p->subject_type), text_of(p->subject_id),
		                       (struct text){group.s + prefix, group.len - prefix});
	return glob_match(group, text_of(p->name));
}

bool approver_listed(const struct state *s, const struct principal *p, struct span from)
{
	for (unsigned i = from.first; i < (unsigned)from.first + from.n; i++)
		if (approver_in_group(s, p, s->policy->values[i].str))
			return true;
	return false;
}

static bool is_person(const struct principal *p, struct text type, struct text id)
{
	return id.len > 0 && text_is(type, p->subject_type) && text_is(id, p->subject_id);
}

/* Also as the owner of a service account or an agent. */
static bool is_person_of(const struct state *s, const struct principal *p, struct text type, struct text id)
{
	const struct person *known = id.len > 0 ? person_find_typed(s, type, id) : NULL;
	struct person_record r;

	if (is_person(p, type, id))
		return true;
	if (known == NULL)
		return false;
	person_record(known, &r);
	return is_person(p, r.owner.type, r.owner.id);
}

bool approver_same_person(const struct principal *a, const struct principal *b)
{
	return a->id == b->id || (a->subject_id[0] != 0 && strcmp(a->subject_type, b->subject_type) == 0 &&
	                          strcmp(a->subject_id, b->subject_id) == 0);
}

bool approver_is_own(const struct state *s, const struct principal *p, const struct request *q, uint64_t client)
{
	const struct principal *asker = state_principal(s, client);

	for (unsigned i = 0; i < q->n_via; i++)
		if (is_person_of(s, p, q->via[i].type, q->via[i].id))
			return true;
	return is_person_of(s, p, q->subject_type, q->subject_id) || is_person_of(s, p, q->actor_type, q->actor_id) ||
	       p->id == client || (asker != NULL && approver_same_person(p, asker));
}

/* NULL: removed, or changed since it spoke. */
static const struct principal *voter(const struct state *s, const struct vote *v)
{
	const struct principal *p = state_principal(s, v->principal);

	return p != NULL && !p->removed && p->version == v->version ? p : NULL;
}

unsigned approver_votes(const struct state *s, const struct deferred_slot *d, unsigned say, struct span from)
{
	const struct principal *counted[VOTES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; d != NULL && i < d->n_votes; i++) {
		const struct principal *p = d->votes[i].say == say ? voter(s, &d->votes[i]) : NULL;
		bool again = p == NULL || !approver_listed(s, p, from);
		for (unsigned k = 0; k < n && !again; k++)
			again = approver_same_person(counted[k], p);
		if (!again)
			counted[n++] = p;
	}
	return n;
}
