/* Checks of orders about what the ledger keeps: who orders, who agrees, whose data it is, and what holds forbid. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/state_keeping.h"

#define PERSONS_MIN 2 /* Who erases and who agrees to it are never the same, however governance is set. */

static const struct principal *signer(const struct state *s, const struct admin_signature *sig, unsigned i)
{
	struct text name = i == 0 ? sig->name : sig->more[i - 1].name;

	return state_principal_by_name(s, name.s, name.len);
}

/* Enrolled for the same person. */
static bool same_person(const struct principal *a, const struct principal *b)
{
	return a == b || (a->subject_id[0] != 0 && strcmp(a->subject_type, b->subject_type) == 0 &&
	                  strcmp(a->subject_id, b->subject_id) == 0);
}

/* As many administrators as the strictest threshold asks for, and two persons at least. */
static int check_quorum(const struct state *s, const struct admin_signature *sig, const char *what,
                        const struct refusal *why)
{
	unsigned administrators = 0, needed = governance_largest(&s->thresholds), n = sig->n_more + 1;

	for (unsigned i = 0; i < n; i++)
		administrators += (signer(s, sig, i)->roles & ROLE_ADMINISTER) != 0;
	if (administrators < needed)
		return refuse(why, CS_ERR_NOT_PERMITTED, "needs %u of %u administrators' signatures, has %u", needed,
		              state_administrators(s), administrators);
	if (n < PERSONS_MIN)
		return refuse(why, CS_ERR_NOT_PERMITTED,
		              "%s needs the signatures of two persons, of whom one may be an approver: it has one",
		              what);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			if (same_person(signer(s, sig, i), signer(s, sig, k)))
				return refuse(why, CS_ERR_NOT_PERMITTED, "%s and %s are one person, %s needs two",
				              signer(s, sig, k)->name, signer(s, sig, i)->name, what);
	return 0;
}

static bool is_person(const struct principal *p, const uint8_t key[HASH_SIZE], struct text id)
{
	uint8_t own[HASH_SIZE];

	if (id.len > 0 && strlen(p->name) == id.len && memcmp(p->name, id.s, id.len) == 0)
		return true;
	if (p->subject_id[0] == 0)
		return false;
	subject_key(own, (struct text){p->subject_type, strlen(p->subject_type)},
	            (struct text){p->subject_id, strlen(p->subject_id)});
	return memcmp(own, key, HASH_SIZE) == 0;
}

int check_persons(const struct state *s, uint64_t asker, const struct admin_signature *sig,
                  const uint8_t key[HASH_SIZE], struct text id, const struct refusal *why)
{
	const struct principal *p = state_principal(s, asker);

	if (p != NULL && is_person(p, key, id))
		return refuse(why, CS_ERR_NOT_PERMITTED, "%s asks, and it is %s's own data: another must erase it",
		              p->name, p->name);
	for (unsigned i = 0; i <= sig->n_more; i++) {
		p = signer(s, sig, i);
		if (is_person(p, key, id))
			return refuse(why, CS_ERR_NOT_PERMITTED,
			              "%s signed, and it is %s's own data: two others must agree to erase it", p->name,
			              p->name);
	}
	return 0;
}

/* --- holds and retention --- */

static int check_set(const struct state *s, const struct hold_order *o, const struct refusal *why)
{
	uint8_t key[HASH_SIZE];

	subject_key(key, o->subject_type, o->subject_id);
	const struct hold *h = keeping_held(s->keeping, key, s->head.size);
	if (h != NULL)
		return refuse(why, CS_ERR_EXISTS, "a hold is set on this subject since entry %llu",
		              (unsigned long long)h->index);
	return keeping_hold_room(s) ? 0
	                            : refuse(why, CS_ERR_OVERLOADED, "there are %d holds: lift one first", HOLDS_MAX);
}

static int check_retention(const struct state *s, const struct hold_order *o, const struct refusal *why)
{
	if (s->keeping->retentions[o->kind].keep_ms == o->keep_ms)
		return refuse(why, CS_ERR_EXISTS, "entries of this kind are kept so already");
	return 0;
}

/* Setting a hold takes one administrator: it only keeps. What leads to erasing takes two persons. */
int check_hold(const struct state *s, uint64_t now_ms, const struct hold_order *o, const struct refusal *why)
{
	const struct principal *admin;
	int err = check_admin(s, now_ms, COMMAND_HOLD, &o->admin, o->signed_elements, o->signed_len, &admin, why);

	if (err != 0)
		return err;
	if (o->action == HOLD_SET) {
		for (unsigned i = 0; i <= o->admin.n_more; i++)
			if (signer(s, &o->admin, i)->roles & ROLE_ADMINISTER)
				return check_set(s, o, why);
		return refuse(why, CS_ERR_NOT_PERMITTED, "a hold needs an administrator's signature");
	}
	err = check_quorum(s, &o->admin, o->action == HOLD_LIFT ? "lifting a hold" : "setting a retention", why);
	if (err == 0 && o->action == HOLD_LIFT && keeping_hold(s->keeping, o->index) == NULL)
		err = refuse(why, CS_ERR_NOT_FOUND, "no hold is in force since entry %llu",
		             (unsigned long long)o->index);
	return err == 0 && o->action == HOLD_RETENTION ? check_retention(s, o, why) : err;
}

/* --- erasures --- */

/* The order's own words stay: they must not say what is to be forgotten. */
static bool reason_names(struct text reason, struct text id)
{
	for (size_t i = 0; i + id.len <= reason.len; i++)
		if (memcmp(reason.s + i, id.s, id.len) == 0)
			return true;
	return false;
}

static int check_subject(const struct state *s, uint64_t asker, const struct erase_order *o, const struct refusal *why)
{
	uint8_t key[HASH_SIZE];

	subject_key(key, o->subject_type, o->subject_id);
	const struct hold *h = keeping_held(s->keeping, key, s->head.size);
	if (h != NULL)
		return refuse(why, CS_ERR_NOT_PERMITTED,
		              "a hold is set on this subject since entry %llu: nothing of it is erased before that is "
		              "lifted (countersign hold lift %llu)",
		              (unsigned long long)h->index, (unsigned long long)h->index);
	if (reason_names(o->reason, o->subject_id))
		return refuse(why, CS_ERR_INVALID,
		              "the reason names the subject, and would stay: say it without the name");
	int err = check_persons(s, asker, &o->admin, key, o->subject_id, why);
	return err == 0 ? check_forgettable(s, key, why) : err;
}

static int check_room(const struct state *s, const struct refusal *why)
{
	if (keeping_under_way(s->keeping) < ERASURES_MAX)
		return 0;
	return refuse(why, CS_ERR_OVERLOADED,
	              "%d erasures are under way: wait until the nodes have carried them out (countersign cluster "
	              "status)",
	              ERASURES_MAX);
}

int check_erase(const struct state *s, uint64_t now_ms, uint64_t asker, const struct erase_order *o,
                const struct refusal *why)
{
	const struct principal *admin;
	int err = check_admin(s, now_ms, COMMAND_ERASE, &o->admin, o->signed_elements, o->signed_len, &admin, why);

	if (err == 0)
		err = check_quorum(s, &o->admin, "an erasure", why);
	if (err == 0 && o->target == ERASE_ENTRY && o->index >= s->head.size)
		err = refuse(why, CS_ERR_NOT_FOUND, "there is no entry %llu yet", (unsigned long long)o->index);
	if (err == 0 && o->target == ERASE_SUBJECT)
		err = check_subject(s, asker, o, why);
	return err == 0 ? check_room(s, why) : err;
}

struct permission {
	const struct state *s;
	uint64_t asker;
	const struct erase_order *o;
	const struct refusal *why;
	int err;
};

static bool see_person(void *ctx, unsigned kind, const uint8_t key[HASH_SIZE])
{
	struct permission *p = ctx;
	const struct hold *h = keeping_held(p->s->keeping, key, p->s->head.size);

	if (h != NULL)
		p->err = refuse(p->why, CS_ERR_NOT_PERMITTED,
		                "a hold is set since entry %llu on whom entry %llu is about: lift it first",
		                (unsigned long long)h->index, (unsigned long long)p->o->index);
	else if (kind == FIELD_SUBJECT || kind == FIELD_ACTOR || kind == FIELD_DELEGATION)
		p->err = check_persons(p->s, p->asker, &p->o->admin, key, (struct text){0}, p->why);
	return p->err == 0;
}

int erasure_permitted(const struct state *s, uint64_t asker, const struct erase_order *o, const void *body,
                      size_t body_len, char ret_text[160])
{
	const struct refusal why = {ret_text, 160};
	struct permission p = {.s = s, .asker = asker, .o = o, .why = &why};

	erasure_named(body, body_len, see_person, &p);
	return p.err;
}

int check_sweep(const struct state *s, uint64_t now_ms, const struct retention_sweep *o, const struct refusal *why)
{
	const struct retention *r = &s->keeping->retentions[o->kind];

	if (!state_feature(s, FEATURE_RECORDS) || r->keep_ms == 0)
		return refuse(why, CS_ERR_INVALID, "retention: entries of kind %u are kept for ever", o->kind);
	if (now_ms < r->keep_ms || o->cutoff_ms > now_ms - r->keep_ms)
		return refuse(why, CS_ERR_INVALID, "retention: these entries are younger than they are kept");
	if (o->end <= r->swept || o->end > s->head.size || o->end - r->swept > RETENTION_SWEEP_MAX)
		return refuse(why, CS_ERR_INVALID, "retention: it goes on from entry %llu, by at most %llu entries",
		              (unsigned long long)r->swept, (unsigned long long)RETENTION_SWEEP_MAX);
	return check_room(s, why);
}
