/* Grants ended by administrators, and signals from outside: what stands for a subject changes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

/* The grants that an order or a signal ends: indexes, ascending. */
struct ended {
	uint8_t subject[HASH_SIZE];
	unsigned n;
	uint64_t indexes[STANDING_PER_SUBJECT_MAX];
};

static void write_ended(struct writer *w, const struct ended *t)
{
	writer_array(w, t->n);
	for (unsigned i = 0; i < t->n; i++)
		writer_uint(w, t->indexes[i]);
}

static void end_grants(struct state *s, const struct ended *t)
{
	for (unsigned i = 0; i < t->n; i++)
		standing_drop_index(s, t->subject, t->indexes[i]);
}

/* --- administrators --- */

static int find_ended(const struct state *s, uint64_t now_ms, const struct grant_revoke *g, struct ended *ret,
                      const struct refusal *why)
{
	const struct standing *all[STANDING_PER_SUBJECT_MAX];
	const struct standing *one = g->one ? standing_by_index(s, g->index) : NULL;

	ret->n = 0;
	if (g->one && (one == NULL || one->kind != STANDING_GRANT || now_ms >= one->expiry_ms))
		return refuse(why, CS_ERR_NOT_FOUND, "no grant stands since entry %llu", (unsigned long long)g->index);
	if (g->one) {
		memcpy(ret->subject, one->subject, HASH_SIZE);
		ret->indexes[ret->n++] = g->index;
		return 0;
	}
	subject_key(ret->subject, g->subject_type, g->subject_id);
	unsigned n = standing_of(s, ret->subject, now_ms, all);
	for (unsigned i = 0; i < n; i++)
		if (all[i]->kind == STANDING_GRANT)
			ret->indexes[ret->n++] = all[i]->index;
	return ret->n > 0 ? 0 : refuse(why, CS_ERR_NOT_FOUND, "no grant stands for this subject");
}

static int check_revoke(const struct state *s, uint64_t now_ms, const struct grant_revoke *g,
                        const struct principal **ret_admin, struct ended *ret, const struct refusal *why)
{
	int err = check_admin(s, now_ms, COMMAND_GRANT_REVOKE, &g->admin, g->signed_elements, g->signed_len, ret_admin,
	                      why);

	return err == 0 ? find_ended(s, now_ms, g, ret, why) : err;
}

int check_grant_revoke(const struct state *s, uint64_t now_ms, const struct grant_revoke *g, const struct refusal *why)
{
	const struct principal *admin;
	struct ended ended;

	return check_revoke(s, now_ms, g, &admin, &ended, why);
}

int apply_grant_revoke(struct apply *a)
{
	struct grant_revoke g;
	const struct principal *admin = NULL;
	struct ended ended;
	int err = grant_revoke_decode(&g, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the order: %s", err_text(err));
	err = check_revoke(a->s, a->now_ms, &g, &admin, &ended, &a->why);
	if (err != 0)
		return err;
	struct writer *p = &entry_start(a, ENTRY_GRANT_REVOKED)->public_;
	writer_array(p, 2);
	write_ended(p, &ended);
	writer_uint(p, a->s->governance);
	if (!g.one)
		field_pair(a, FIELD_SUBJECT, g.subject_type, g.subject_id);
	field_signature(a, &g.admin);
	field_client(a);
	struct writer w = field_start(a);
	codec_write_text(&w, g.reason);
	field_end(a, FIELD_TEXT, &w);
	err = entry_finish(a);
	if (err != 0)
		return err;

	end_grants(a->s, &ended);
	admin_used(a, &g.admin);
	entry_commit(a, 0, 0);
	return 0;
}

/* --- signals from outside --- */

struct signalled {
	const struct outside *o;
	struct grant_query g; /* Keys of what it is about; its request is none. */
	struct ended ended;
	const struct standing *before; /* The warning about the same that stands; NULL: none. */
	bool warns;                    /* A warning stands from now on: there is room for it. */
};

static bool same_key(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE])
{
	return memcmp(a, b, HASH_SIZE) == 0;
}

static bool is_credential(const struct state *s, const struct standing *t, struct text name)
{
	const struct principal *p = state_principal(s, t->credential);
	const struct credential *c = state_credential(s, t->credential);

	if (c != NULL)
		return name.len == 0 || text_is(name, c->name);

	return name.len == 0 || (p != NULL && text_is(name, p->name));
}

/* Nothing named: all of the subject's. A grant that is bound to no session ends with any: which one it was is unknown.
 */
static bool concerns(const uint8_t grant[HASH_SIZE], const uint8_t named[HASH_SIZE])
{
	static const uint8_t none[HASH_SIZE];

	return same_key(named, none) || same_key(grant, none) || same_key(grant, named);
}

static bool ends(const struct apply *a, const struct standing *t, const struct signalled *x)
{
	const struct outside *o = x->o;

	if (t->kind != STANDING_GRANT || !concerns(t->session, x->g.session) || !concerns(t->device, x->g.device))
		return false;
	switch (o->event) {
	case OUTSIDE_RISK_LEVEL:
		return o->level >= a->s->policy->grants.revoke_outside;
	case OUTSIDE_CREDENTIAL_CHANGE:
		return is_credential(a->s, t, o->credential);
	case OUTSIDE_ASSURANCE_LEVEL:
		return t->level > o->level;
	default:
		return true;
	}
}

static void look(const struct apply *a, struct signalled *x)
{
	const struct standing *all[STANDING_PER_SUBJECT_MAX];
	unsigned n = standing_of(a->s, x->g.subject, a->now_ms, all);

	x->before = NULL;
	x->ended.n = 0;
	memcpy(x->ended.subject, x->g.subject, HASH_SIZE);
	for (unsigned i = 0; i < n; i++) {
		if (ends(a, all[i], x))
			x->ended.indexes[x->ended.n++] = all[i]->index;
		if (all[i]->kind == STANDING_WARNING && same_key(all[i]->session, x->g.session) &&
		    same_key(all[i]->device, x->g.device))
			x->before = all[i];
	}
}

/* A revoked session is warned of as well: who comes with it again is suspect. */
static unsigned warning_level(const struct outside *o)
{
	if (o->event == OUTSIDE_SESSION_REVOKED)
		return o->session.len > 0 ? OUTSIDE_HIGH : OUTSIDE_NONE;
	return o->event == OUTSIDE_RISK_LEVEL && o->level > OUTSIDE_LOW ? o->level : OUTSIDE_NONE;
}

static void warn(struct apply *a, const struct signalled *x)
{
	const struct outside *o = x->o;
	struct standing t = {.index = a->out->index,
	                     .kind = STANDING_WARNING,
	                     .principal = a->asker->p.id,
	                     .made_ms = a->now_ms,
	                     .expiry_ms = a->now_ms + OUTSIDE_KEEP_MS,
	                     .level = warning_level(o)};
	bool changes = o->event == OUTSIDE_SESSION_REVOKED ? o->session.len > 0 : o->event == OUTSIDE_RISK_LEVEL;

	if (changes && x->before != NULL && (x->warns || t.level == OUTSIDE_NONE))
		standing_drop_index(a->s, x->g.subject, x->before->index);
	if (!x->warns)
		return;
	memcpy(t.subject, x->g.subject, HASH_SIZE);
	memcpy(t.session, x->g.session, HASH_SIZE);
	memcpy(t.device, x->g.device, HASH_SIZE);
	standing_add(a->s, &t);
}

static void text_or_nil(struct writer *w, struct text t)
{
	if (t.len > 0)
		codec_write_text(w, t);
	else
		writer_nil(w);
}

static int make_entry(struct apply *a, const struct signalled *x, const struct subject *known)
{
	const struct outside *o = x->o;
	struct writer *p = &entry_start(a, ENTRY_OUTSIDE)->public_, w;

	writer_array(p, 5);
	writer_uint(p, o->event);
	writer_uint(p, o->about);
	writer_uint(p, o->level);
	write_ended(p, &x->ended);
	writer_bool(p, x->warns);
	field_pair(a, FIELD_SUBJECT, o->subject_type, o->subject_id);
	field_client(a);
	field_chain(a, FIELD_SUBJECT_CHAIN, known != NULL ? &known->subject_chain : NULL);
	w = field_start(a);
	writer_array(&w, 5);
	text_or_nil(&w, o->session);
	text_or_nil(&w, o->device);
	text_or_nil(&w, o->credential);
	writer_uint(&w, o->event_ms);
	codec_write_text(&w, o->reason);
	field_end(a, FIELD_OUTSIDE, &w);
	return entry_finish(a);
}

int apply_outside(struct apply *a)
{
	struct outside o;
	struct signalled x = {.o = &o};
	int err = outside_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the signal: %s", err_text(err));
	subject_key(x.g.subject, o.subject_type, o.subject_id);
	value_key(x.g.session, o.session);
	value_key(x.g.device, o.device);
	look(a, &x);
	/* Without room the signal is no warning, but it ends grants all the same. */
	x.warns = warning_level(&o) != OUTSIDE_NONE && (standing_has_room(a->s, a->asker, x.g.subject, a->now_ms) ||
	                                                (x.before != NULL && x.before->principal == a->asker->p.id));
	look(a, &x); /* Again: what has expired may have been forgotten meanwhile. */
	const struct subject *known = subject_find(a->s, x.g.subject);
	err = make_entry(a, &x, known);
	if (err != 0)
		return err;

	entry_commit(a, 0, 0);
	chain_move(&subject_touch(a->s, x.g.subject)->subject_chain, a->out->index);
	end_grants(a->s, &x.ended);
	warn(a, &x);
	return 0;
}
