/* Checks of orders about people and of governance: held against the table, the thresholds and who administers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

/* --- people --- */

/* What the order has said so far: each may be in it once, and an owner may come with those it answers for. */
struct said {
	unsigned n;
	struct {
		struct typed who, owner;
		unsigned action, kind;
	} list[PEOPLE_BATCH_MAX];
	uint32_t added, dropped;
};

static bool same(const struct typed *a, const struct typed *b)
{
	return text_compare(a->type, b->type) == 0 && text_compare(a->id, b->id) == 0;
}

static unsigned said_find(const struct said *said, const struct typed *who)
{
	unsigned i = 0;

	while (i < said->n && !same(&said->list[i].who, who))
		i++;
	return i;
}

static unsigned kind_of(const struct person *p)
{
	struct person_record r;

	person_record(p, &r);
	return r.kind;
}

static int check_owner(const struct state *s, const struct said *said, const struct person_record *p, unsigned number,
                       const struct refusal *why)
{
	if (p->owner.id.len == 0)
		return 0;
	unsigned i = said_find(said, &p->owner);
	const struct person *owner = person_find_typed(s, p->owner.type, p->owner.id);
	unsigned kind = owner != NULL ? kind_of(owner) : 0;
	if (i < said->n && said->list[i].action == PEOPLE_REMOVE)
		kind = 0;
	else if (i < said->n && said->list[i].action == PEOPLE_SET)
		kind = said->list[i].kind;
	if (kind == 0)
		return refuse(why, CS_ERR_NOT_FOUND,
		              "people: change %u: the owner is not in the table: owners come before what they own",
		              number);
	if (kind != PERSON_USER)
		return refuse(why, CS_ERR_INVALID,
		              "people: change %u: the owner is no user: a person must answer for it", number);
	return 0;
}

static bool owns_by(const struct said *said, const struct typed *who)
{
	for (unsigned i = 0; i < said->n; i++)
		if (said->list[i].action == PEOPLE_SET && said->list[i].owner.id.len > 0 &&
		    same(&said->list[i].owner, who))
			return true;
	return false;
}

static int check_change(const struct state *s, struct said *said, const struct people_change *c,
                        const struct refusal *why)
{
	struct typed who = {c->person.type, c->person.id};
	const struct person *p = person_find_typed(s, who.type, who.id);
	unsigned number = said->n + 1;

	if (said_find(said, &who) < said->n)
		return refuse(why, CS_ERR_INVALID, "people: change %u is of somebody whom the order changes already",
		              number);
	if (c->action != PEOPLE_SET && p == NULL)
		return refuse(why, CS_ERR_NOT_FOUND, "people: change %u: nobody of that type and id is in the table",
		              number);
	bool owns = (p != NULL && p->owned > 0) || owns_by(said, &who);
	if (c->action == PEOPLE_REMOVE && owns)
		return refuse(why, CS_ERR_CONFLICT,
		              "people: change %u: it owns services or agents: give them another owner first", number);
	if (c->action == PEOPLE_SET && c->person.kind != PERSON_USER && owns)
		return refuse(why, CS_ERR_CONFLICT, "people: change %u: it owns services or agents, and stays a user",
		              number);
	int err = c->action == PEOPLE_SET ? check_owner(s, said, &c->person, number, why) : 0;
	if (err != 0)
		return err;
	said->added += c->action == PEOPLE_SET && p == NULL;
	said->dropped += c->action == PEOPLE_REMOVE;
	/* In the order of the changes: who goes first makes room for who comes then. */
	if (s->n_people + said->added > s->limits.people_max + said->dropped)
		return refuse(why, CS_ERR_OVERLOADED, "people: the table is full: it holds %lu",
		              (unsigned long)s->limits.people_max);
	said->list[said->n].who = who;
	said->list[said->n].owner = c->person.owner;
	said->list[said->n].action = c->action;
	said->list[said->n].kind = c->person.kind;
	said->n++;
	return 0;
}

int check_people(const struct state *s, const struct people_order *o, const struct refusal *why)
{
	struct said said = {0};
	struct people_change c;
	struct reader r;
	int err = check_feature_on(s, FEATURE_DECISIONS, "the table of people", why);

	people_first(&r, o);
	for (unsigned i = 0; i < o->n && err == 0; i++) {
		people_next(&r, &c);
		err = check_change(s, &said, &c, why);
	}
	return err;
}

/* --- governance --- */

int check_signers(const struct state *s, const struct admin_signature *sig, unsigned needed, const struct refusal *why)
{
	if (sig->n_more + 1 >= needed)
		return 0;
	return refuse(why, CS_ERR_NOT_PERMITTED, "needs %u of %u administrators' signatures, has %u", needed,
	              state_administrators(s), sig->n_more + 1);
}

int check_governance(const struct state *s, const struct governance_order *o, const struct refusal *why)
{
	unsigned before = governance_largest(&s->thresholds), after = governance_largest(&o->thresholds);
	int err = check_feature_on(s, FEATURE_DECISIONS, "governance by several administrators", why);

	if (err == 0 && memcmp(&o->thresholds, &s->thresholds, sizeof(o->thresholds)) == 0)
		err = refuse(why, CS_ERR_EXISTS, "governance: these thresholds are in force");
	if (err == 0 && after > state_administrators(s))
		err = refuse(why, CS_ERR_INVALID, "governance: %u signatures can never come from %u administrators",
		             after, state_administrators(s));
	/* The larger of old and new: nobody lowers a guard alone, or raises it against the others. */
	return err != 0 ? err : check_signers(s, &o->admin, before > after ? before : after, why);
}
