/* The private fields of entries about a request: who, what, where, why. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "node/decide/apply.h"
#include "node/decide/codec.h"

void field_pair(const struct apply *a, unsigned kind, struct text type, struct text id)
{
	struct writer w = field_start(a);

	codec_write_pair(&w, type, id);
	field_end(a, kind, &w);
}

/* Attributes that have fields of their own. */
static bool has_own_field(const struct named_value *v)
{
	return v->type == VALUE_STR && (text_is(v->name, "device") || text_is(v->name, "ip") ||
	                                text_is(v->name, "region") || text_is(v->name, "country"));
}

static const struct named_value *own_text(const struct request *q, const char *name)
{
	const struct named_value *v = request_context(q, name);

	return v != NULL && v->type == VALUE_STR ? v : NULL;
}

static void field_context(const struct apply *a, const struct request *q)
{
	struct writer w = field_start(a);
	uint32_t n = 0;

	for (unsigned i = 0; i < q->n_context; i++)
		n += !has_own_field(&q->context[i]);
	if (n == 0)
		return;
	writer_array(&w, n);
	for (unsigned i = 0; i < q->n_context; i++)
		if (!has_own_field(&q->context[i]))
			codec_write_context(&w, &q->context[i]);
	field_end(a, FIELD_CONTEXT, &w);
}

static void field_text(const struct apply *a, unsigned kind, const struct named_value *v)
{
	struct writer w = field_start(a);

	if (v == NULL)
		return;
	codec_write_text(&w, v->str);
	field_end(a, kind, &w);
}

static void field_location(const struct apply *a, const struct request *q)
{
	const struct named_value *place[2] = {own_text(q, "region"), own_text(q, "country")};
	struct writer w = field_start(a);

	if (place[0] == NULL && place[1] == NULL)
		return;
	writer_array(&w, 2);
	for (unsigned i = 0; i < 2; i++) {
		if (place[i] != NULL)
			codec_write_text(&w, place[i]->str);
		else
			writer_nil(&w);
	}
	field_end(a, FIELD_LOCATION, &w);
}

static void field_signals(const struct apply *a, const struct evaluation *e)
{
	struct writer w = field_start(a);

	writer_array(&w, e->signals.n);
	for (unsigned i = 0; i < e->signals.n; i++) {
		writer_array(&w, 3);
		writer_uint(&w, e->signals.s[i].id);
		writer_int(&w, e->signals.s[i].value);
		writer_int(&w, e->weights[i]);
	}
	field_end(a, FIELD_SIGNALS, &w);
}

/* A score from outside is known by the name that the policy has for it. */
static void write_reason_admin(struct writer *w, const struct policy *p, unsigned id)
{
	char text[REQUEST_STR_SIZE_MAX + 64];

	if (id < SIGNAL_OUTSIDE_1 || id >= SIGNAL_OUTSIDE_1 + p->signals.n_outside) {
		writer_cstr(w, signal_reason_admin(id));
		return;
	}
	const struct text *name = &p->signals.outside[id - SIGNAL_OUTSIDE_1];
	snprintf(text, sizeof(text), "%s, %.*s", signal_reason_admin(id), (int)name->len, name->s);
	writer_cstr(w, text);
}

/* From version 2 on: what counted for nothing is among the signals, and no reason. */
static bool is_reason(const struct policy *p, const struct evaluation *e, unsigned signal)
{
	return p->version == POLICY_VERSION_1 || e->weights[signal] != 0;
}

static void field_reasons(const struct apply *a, const struct evaluation *e)
{
	const struct policy *p = a->s->policy;
	struct writer w = field_start(a);
	uint32_t n = e->n_notes;

	for (unsigned i = 0; i < e->signals.n; i++)
		n += is_reason(p, e, i);
	for (unsigned i = 0; i < e->n_rules; i++)
		n += p->rules[e->rules[i]].reason_user.len > 0 || p->rules[e->rules[i]].reason_admin.len > 0;
	writer_array(&w, n);
	for (unsigned i = 0; i < e->n_notes; i++) {
		writer_array(&w, 2);
		writer_cstr(&w, e->notes[i].user);
		writer_cstr(&w, e->notes[i].admin);
	}
	for (unsigned i = 0; i < e->n_rules; i++) {
		const struct rule *r = &p->rules[e->rules[i]];
		if (r->reason_user.len > 0 || r->reason_admin.len > 0)
			codec_write_pair(&w, r->reason_user, r->reason_admin);
	}
	for (unsigned i = 0; i < e->signals.n; i++) {
		if (!is_reason(p, e, i))
			continue;
		writer_array(&w, 2);
		writer_cstr(&w, signal_reason_user(e->signals.s[i].id));
		write_reason_admin(&w, p, e->signals.s[i].id);
	}
	field_end(a, FIELD_REASONS, &w);
}

static void field_evidence(const struct apply *a, const struct account *k)
{
	struct writer w = field_start(a);

	if (k->answer == NULL)
		return;
	writer_array(&w, 4);
	codec_write_text(&w, k->answer->method);
	codec_write_text(&w, k->answer->credential);
	writer_uint(&w, k->credential_version);
	writer_bin(&w, k->answer->evidence, k->answer->evidence_len);
	field_end(a, FIELD_EVIDENCE, &w);
}

/* Who asks; where nobody does, who asked first. */
static void field_asker(const struct apply *a, const struct account *k)
{
	struct writer w = field_start(a);

	if (a->asker != NULL) {
		field_client(a);
		return;
	}
	writer_array(&w, 2);
	writer_cstr(&w, k->client->p.name);
	writer_bin(&w, k->deferred->request_id, REQUEST_ID_SIZE);
	field_end(a, FIELD_CLIENT, &w);
}

static void field_challenge(const struct apply *a, const struct account *k)
{
	struct writer w = field_start(a);

	if (k->nonce == NULL)
		return;
	writer_array(&w, 4);
	writer_bin(&w, k->nonce, 32);
	writer_uint(&w, k->challenge_expiry_ms);
	writer_cstr(&w, level_text(k->evaluation->challenge.level));
	methods_write(&w, k->evaluation->challenge.methods);
	field_end(a, FIELD_CHALLENGE, &w);
}

static void field_source(const struct apply *a, const struct import *i)
{
	struct writer w = field_start(a);

	if (i == NULL)
		return;
	writer_array(&w, 5);
	codec_write_text(&w, i->format);
	codec_write_text(&w, i->file);
	writer_bin(&w, i->file_hash, HASH_SIZE);
	writer_uint(&w, i->position);
	writer_uint(&w, i->event_time_ms);
	field_end(a, FIELD_SOURCE, &w);
}

void field_chain(const struct apply *a, unsigned kind, const struct chain *c)
{
	struct writer w = field_start(a);

	writer_array(&w, 2);
	if (c != NULL && (c->count > 0 || c->last > 0)) /* None before, and yet one: what was before it was erased. */
		writer_uint(&w, c->last);
	else
		writer_nil(&w);
	writer_uint(&w, c != NULL ? c->count : 0);
	field_end(a, kind, &w);
}

static void field_delegation(const struct apply *a, const struct request *q)
{
	struct writer w = field_start(a);

	if (q->n_via == 0)
		return;
	writer_array(&w, q->n_via + 1);
	codec_write_pair(&w, q->actor_type, q->actor_id);
	for (unsigned i = 0; i < q->n_via; i++)
		codec_write_pair(&w, q->via[i].type, q->via[i].id);
	field_end(a, FIELD_DELEGATION, &w);
}

/* What a stranger needs of the table of people to decide the same again. */
static void field_groups(const struct apply *a, const struct evaluation *e)
{
	struct writer w = field_start(a);

	if (!e->parties.known)
		return;
	parties_write(&w, &e->parties);
	field_end(a, FIELD_GROUPS, &w);
}

static void field_place(const struct apply *a, const struct place *p)
{
	struct writer w = field_start(a);

	if (p == NULL)
		return;
	place_write(&w, p);
	field_end(a, FIELD_PLACE, &w);
}

static void field_evidence_facts(const struct apply *a, const struct account *k)
{
	struct writer w = field_start(a);

	if (k->facts == NULL)
		return;
	writer_array(&w, 6);
	writer_uint(&w, k->facts->found.level);
	writer_uint(&w, k->facts->found.counter);
	writer_uint(&w, k->counter_before);
	writer_bool(&w, k->facts_fell);
	writer_bool(&w, k->facts_by_leader);
	writer_cstr(&w, k->facts->found.acr);
	field_end(a, FIELD_EVIDENCE_FACTS, &w);
}

void account_fields(const struct apply *a, const struct account *k)
{
	const struct request *q = k->request;
	struct writer w = field_start(a);

	writer_bin(&w, k->blind, sizeof(k->blind));
	field_end(a, FIELD_BLIND, &w);
	field_pair(a, FIELD_SUBJECT, q->subject_type, q->subject_id);
	if (q->actor_id.len > 0)
		field_pair(a, FIELD_ACTOR, q->actor_type, q->actor_id);
	w = field_start(a);
	codec_write_text(&w, q->action);
	field_end(a, FIELD_ACTION, &w);
	field_pair(a, FIELD_RESOURCE, q->resource_type, q->resource_id);
	field_context(a, q);
	field_text(a, FIELD_DEVICE, own_text(q, "device"));
	field_text(a, FIELD_ADDRESS, own_text(q, "ip"));
	field_location(a, q);
	field_signals(a, k->evaluation);
	field_reasons(a, k->evaluation);
	field_evidence(a, k);
	field_asker(a, k);
	field_challenge(a, k);
	field_source(a, k->import);
	field_chain(a, FIELD_SUBJECT_CHAIN, k->subject_chain);
	if (q->actor_id.len > 0)
		field_chain(a, FIELD_ACTOR_CHAIN, k->actor_chain);
	field_evidence_facts(a, k);
	field_place(a, q->place);
	field_delegation(a, q);
	field_approval(a, k);
	field_groups(a, k->evaluation);
	field_grant(a, k);
}
