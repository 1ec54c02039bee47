/* Who takes part in a request, looked up in the table of people, and each link of a delegation. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/parties.h"

#include <string.h>

#include "node/decide/codec.h"
#include "node/decide/state.h"

const char *delegation_text(unsigned delegation)
{
	switch (delegation) {
#define DELEGATION_TEXT(name, number, text)                                                                            \
	case name:                                                                                                     \
		return text;
		DELEGATION_LIST(DELEGATION_TEXT)
#undef DELEGATION_TEXT
	default:
		return "unknown";
	}
}

static bool same(const struct typed *a, const struct typed *b)
{
	return text_compare(a->type, b->type) == 0 && text_compare(a->id, b->id) == 0;
}

/* The entry's own list: a person, a group of the next one's, or anybody. */
static bool lists(const struct person_record *actor, const struct typed *next, const struct person_record *next_record)
{
	for (unsigned i = 0; i < actor->n_acts_for; i++) {
		const struct typed *t = &actor->acts_for[i];
		if (text_is(t->type, "*") || same(t, next))
			return true;
		if (text_is(t->type, "group") && next_record != NULL && person_record_in_group(next_record, t->id))
			return true;
	}
	return false;
}

static bool look(const struct state *s, const struct typed *who, struct person_record *ret)
{
	const struct person *p = person_find_typed(s, who->type, who->id);

	if (p == NULL)
		return false;
	person_record(p, ret);
	return true;
}

static bool owner_disabled(const struct state *s, const struct person_record *p)
{
	struct person_record owner;

	return p->owner.id.len > 0 && look(s, &p->owner, &owner) && !owner.enabled;
}

static void note_disabled(struct parties *ret, const struct state *s, const struct person_record *p, unsigned place)
{
	if (ret->disabled == 0 && (!p->enabled || owner_disabled(s, p)))
		ret->disabled = place;
}

/* The strongest objection of all links stands: the numbers rise with it. */
static void link(struct parties *ret, bool known, const struct person_record *actor, const struct typed *next,
                 const struct person_record *next_record)
{
	unsigned d = !known                            ? DELEGATION_UNLISTED
	             : lists(actor, next, next_record) ? DELEGATION_LISTED
	                                               : DELEGATION_REFUSED;

	ret->delegation = d > ret->delegation ? d : ret->delegation;
}

void parties_look(struct parties *ret, const struct state *s, const struct request *q)
{
	struct typed next = {q->subject_type, q->subject_id};
	struct person_record *next_record = NULL;

	/* Records are large: only what the flags vouch for is ever read. */
	ret->known = ret->has_subject = ret->has_actor = ret->spoken_for = false;
	ret->delegation = DELEGATION_NONE;
	ret->disabled = ret->n_actors = 0;
	if (!state_feature(s, FEATURE_DECISIONS))
		return;
	ret->known = ret->has_subject = look(s, &next, &ret->subject);
	if (ret->has_subject) {
		note_disabled(ret, s, &ret->subject, 1);
		next_record = &ret->subject;
	}
	ret->n_actors = q->actor_id.len > 0 ? q->n_via + 1 : 0;
	/* From the subject outwards; who acts comes last, and its record stays. */
	struct person_record turn[2];
	for (unsigned i = ret->n_actors; i-- > 0;) {
		struct typed who = i > 0 ? q->via[i - 1] : (struct typed){q->actor_type, q->actor_id};
		struct person_record *record = i == 0 ? &ret->actor : &turn[i % 2];
		bool known = look(s, &who, record);
		ret->known |= known;
		link(ret, known, record, &next, next_record);
		if (known)
			note_disabled(ret, s, record, 2 + i);
		if (i == 0)
			ret->has_actor = known;
		next = who;
		next_record = known ? record : NULL;
	}
}

static void write_groups(struct writer *w, bool known, const struct person_record *p)
{
	writer_array(w, known ? p->n_groups : 0);
	for (unsigned i = 0; known && i < p->n_groups; i++)
		codec_write_text(w, p->groups[i]);
}

void parties_write(struct writer *w, const struct parties *p)
{
	writer_array(w, 4);
	writer_uint(w, p->delegation);
	writer_uint(w, p->disabled);
	write_groups(w, p->has_subject, &p->subject);
	write_groups(w, p->has_actor, &p->actor);
}

static void read_groups(struct reader *r, struct person_record *ret)
{
	uint32_t n = 0;

	reader_array(r, PERSON_GROUPS_MAX, &n);
	for (; r->err == 0 && ret->n_groups < n; ret->n_groups++)
		codec_text(r, 1, PERSON_GROUP_SIZE_MAX, &ret->groups[ret->n_groups]);
}

void parties_read(struct reader *r, struct parties *ret, const struct request *q)
{
	struct parties p = {.known = true, .has_subject = true, .has_actor = true};
	uint64_t delegation = 0, disabled = 0;

	reader_array_exact(r, 4);
	reader_uint(r, DELEGATION_REFUSED, &delegation);
	reader_uint(r, 1 + REQUEST_ACTORS_MAX, &disabled);
	read_groups(r, &p.subject);
	read_groups(r, &p.actor);
	p.n_actors = q->actor_id.len > 0 ? q->n_via + 1 : 0;
	p.delegation = (unsigned)delegation;
	p.disabled = (unsigned)disabled;
	if (r->err == 0)
		*ret = p;
}

bool parties_refuse(const struct parties *p, const char **ret_user, const char **ret_admin)
{
	if (p->disabled == 1) {
		*ret_user = "This account is disabled.";
		*ret_admin = "people: the subject is disabled, or who answers for it";
	} else if (p->disabled > 1) {
		*ret_user = "Whoever acts for you is disabled.";
		*ret_admin = "people: an actor is disabled, or who answers for it";
	} else if (p->delegation == DELEGATION_REFUSED) {
		*ret_user = "It may not act for you.";
		*ret_admin = "people: an actor may not act for whom it acts";
	} else if (p->delegation == DELEGATION_UNLISTED && p->n_actors > 1 && !p->spoken_for) {
		*ret_user = "A chain of actors needs all of them known.";
		*ret_admin = "people: an actor of the chain is not in the table";
	} else {
		return false;
	}
	return true;
}
