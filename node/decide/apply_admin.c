/* Genesis, ticks, and what administrators command. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

static void set_text(char *ret, size_t cap, struct text t)
{
	assert(t.len < cap);
	if (t.len > 0)
		memcpy(ret, t.s, t.len);
	ret[t.len] = 0;
}

void principal_set_keys(struct principal *p, const uint8_t *channel_pub, const uint8_t *sign_pub)
{
	p->has_channel = channel_pub != NULL;
	p->has_sign = sign_pub != NULL;
	if (channel_pub != NULL)
		memcpy(p->channel_pub, channel_pub, sizeof(p->channel_pub));
	if (sign_pub != NULL)
		memcpy(p->sign_pub, sign_pub, sizeof(p->sign_pub));
}

/* --- genesis --- */

/* All keys and names of a genesis differ: each is compared with those before it. */
static int genesis_unique(const struct apply *a, const struct genesis *g)
{
	for (unsigned i = 0; i < g->n_admins; i++) {
		if (!name_valid(g->admins[i].name))
			return refuse(&a->why, CS_ERR_INVALID, "genesis: a bad name of an administrator");
		for (unsigned k = 0; k < i; k++)
			if (text_compare(g->admins[i].name, g->admins[k].name) == 0 ||
			    memcmp(g->admins[i].channel_pub, g->admins[k].channel_pub, 32) == 0)
				return refuse(&a->why, CS_ERR_INVALID, "genesis: an administrator is there twice");
	}
	for (unsigned i = 0; i < g->n_nodes; i++) {
		for (unsigned k = 0; k < i; k++)
			if (g->nodes[i].id == g->nodes[k].id ||
			    memcmp(g->nodes[i].channel_pub, g->nodes[k].channel_pub, 32) == 0)
				return refuse(&a->why, CS_ERR_INVALID, "genesis: a node is there twice");
		for (unsigned k = 0; k < g->n_admins; k++)
			if (memcmp(g->nodes[i].channel_pub, g->admins[k].channel_pub, 32) == 0)
				return refuse(&a->why, CS_ERR_INVALID, "genesis: a node has an administrator's key");
	}
	return 0;
}

static void genesis_enrol(struct state *s, const struct genesis *g)
{
	for (unsigned i = 0; i < g->n_admins; i++) {
		struct principal *p = &principal_add(s)->p;
		set_text(p->name, sizeof(p->name), g->admins[i].name);
		p->roles = ROLE_ADMINISTER | ROLE_AUDIT;
		principal_set_keys(p, g->admins[i].channel_pub, g->admins[i].sign_pub);
	}
	for (unsigned i = 0; i < g->n_nodes; i++) {
		struct principal *p = &principal_add(s)->p;
		snprintf(p->name, sizeof(p->name), "node-%llu", (unsigned long long)g->nodes[i].id);
		p->roles = ROLE_NODE;
		principal_set_keys(p, g->nodes[i].channel_pub, NULL);
	}
}

/*
 * Who was there before the feature took genesis's words about governance for words only: they bind where the feature is
 * on from the start.
 */
static void genesis_thresholds(struct state *s, const struct genesis *g)
{
	struct governance t;

	if (!state_feature(s, FEATURE_DECISIONS) || governance_parse(g->governance, g->n_admins, &t) != 0 ||
	    governance_largest(&t) == 1)
		return;
	s->thresholds = t;
	s->governance_dirty = true;
}

static void policy_swap(struct state *s)
{
	struct policy *old = s->policy;

	s->policy = s->policy_new;
	s->policy_new = old;
	s->has_policy = s->policy_dirty = true;
}

int apply_genesis(struct apply *a)
{
	struct state *s = a->s;
	struct decide_out *o = a->out;
	struct genesis g;
	struct writer body;
	int err = genesis_decode(&g, a->c->payload, a->c->payload_len);

	if (s->head.size != 0)
		return refuse(&a->why, CS_ERR_EXISTS, "genesis: the ledger has begun already");
	if (err != 0)
		return refuse(&a->why, err, "genesis: %s", err_text(err));
	if (g.restored)
		return refuse(&a->why, CS_ERR_NOT_READY, "genesis: the state that it carries on is not here");
	if (g.time_ms > STATE_TIME_MS_MAX || g.n_admins + g.n_nodes > s->limits.principals_max)
		return refuse(&a->why, CS_ERR_INVALID, "genesis: time or number of principals out of bounds");
	err = genesis_unique(a, &g);
	if (err != 0)
		return err;
	err = policy_load(s->policy_new, g.policy_compiled, g.policy_compiled_len);
	if (err != 0)
		return refuse(&a->why, err, "genesis: the policy: %s", err_text(err));
	err = genesis_leaf(a->c->payload, a->c->payload_len, o->leaf, sizeof(o->leaf), &o->leaf_len, &o->leaf_hash);
	if (err != 0)
		return refuse(&a->why, err, "genesis: %s", err_text(err));
	writer_init(&body, o->body, sizeof(o->body));
	writer_array(&body, 0);
	o->body_len = body.len;

	policy_swap(s);
	if (s->policy->version != POLICY_VERSION_1) {
		s->features.on |= FEATURE_BIT(FEATURE_DECISIONS) | FEATURE_BIT(FEATURE_RECORDS);
		s->features.since[FEATURE_DECISIONS] = s->features.since[FEATURE_RECORDS] = 0;
		s->features_dirty = true;
	}
	set_text(s->origin, sizeof(s->origin), g.origin);
	s->governance = 1;
	genesis_enrol(s, &g);
	genesis_thresholds(s, &g);
	roster_genesis(&s->roster, &g);
	a->now_ms = g.time_ms;
	s->builder->kind = ENTRY_GENESIS;
	entry_commit(a, 0, 0);
	o->principals_changed = o->roster_changed = true;
	return 0;
}

int apply_tick(struct apply *a)
{
	struct reader r;

	reader_init(&r, a->c->payload, a->c->payload_len);
	reader_array_exact(&r, 0);
	if (reader_end(&r) != 0)
		return refuse(&a->why, r.err, "the tick: nothing belongs into it");
	struct deferred_slot *due = deferred_due(a->s, a->now_ms);
	if (due != NULL)
		return apply_defer_end(a, due);
	struct entry_builder *b = entry_start(a, ENTRY_TICK);
	writer_array(&b->public_, 0);
	int err = entry_finish(a);
	if (err == 0)
		entry_commit(a, 0, 0);
	return err;
}

/* --- administrators --- */

void field_signature(const struct apply *a, const struct admin_signature *sig)
{
	struct writer w = field_start(a);

	admin_signature_write(&w, sig);
	field_end(a, FIELD_EVIDENCE, &w);
}

static void write_key(struct writer *w, const uint8_t *key)
{
	if (key != NULL)
		writer_bin(w, key, 32);
	else
		writer_nil(w);
}

static void used(struct apply *a, struct text name, uint64_t sequence)
{
	const struct principal *admin = state_principal_by_name(a->s, name.s, name.len);
	struct principal_slot *p = principal_slot(a->s, admin->id);

	p->p.sequence = sequence;
	principal_dirty(a->s, p);
}

void admin_used(struct apply *a, const struct admin_signature *sig)
{
	used(a, sig->name, sig->sequence);
	for (unsigned i = 0; i < sig->n_more; i++)
		used(a, sig->more[i].name, sig->more[i].sequence);
}

int apply_enrolment(struct apply *a)
{
	struct enrolment e;
	const struct principal *admin = NULL;
	int err = enrolment_decode(&e, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the enrolment: %s", err_text(err));
	err = check_admin(a->s, a->now_ms, COMMAND_ENROLL, &e.admin, e.signed_elements, e.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_enrolment(a->s, &e, &a->why);
	if (err != 0)
		return err;
	bool private_ = e.subject_id.len > 0;
	struct entry_builder *b = entry_start(a, ENTRY_ENROLLED);
	writer_array(&b->public_, 7);
	writer_uint(&b->public_, a->s->principals_made + 1);
	codec_write_text(&b->public_, e.name);
	writer_uint(&b->public_, e.roles);
	write_key(&b->public_, e.channel_pub);
	write_key(&b->public_, e.sign_pub);
	writer_uint(&b->public_, a->s->governance);
	if (private_)
		writer_nil(&b->public_);
	else
		admin_signature_write(&b->public_, &e.admin);
	if (private_) {
		struct writer w = field_start(a);
		codec_write_pair(&w, e.subject_type, e.subject_id);
		field_end(a, FIELD_SUBJECT, &w);
		field_signature(a, &e.admin);
	}
	field_client(a);
	err = entry_finish(a);
	if (err != 0)
		return err;

	admin_used(a, &e.admin);
	entry_commit(a, 0, 0);
	struct principal *p = &principal_add(a->s)->p; /* Last: it may take the place of a removed one. */
	set_text(p->name, sizeof(p->name), e.name);
	p->roles = e.roles;
	principal_set_keys(p, e.channel_pub, e.sign_pub);
	set_text(p->subject_type, sizeof(p->subject_type), e.subject_type);
	set_text(p->subject_id, sizeof(p->subject_id), e.subject_id);
	p->version = a->out->index;
	a->out->principals_changed = true;
	return 0;
}

int apply_removal(struct apply *a)
{
	struct removal r;
	const struct principal *admin = NULL, *removed = NULL;
	int err = removal_decode(&r, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the removal: %s", err_text(err));
	err = check_admin(a->s, a->now_ms, COMMAND_REMOVE, &r.admin, r.signed_elements, r.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_removal(a->s, &r, &removed, &a->why);
	if (err != 0)
		return err;
	struct entry_builder *b = entry_start(a, ENTRY_REMOVED);
	writer_array(&b->public_, 3);
	writer_uint(&b->public_, removed->id);
	codec_write_text(&b->public_, r.name);
	writer_uint(&b->public_, a->s->governance);
	field_signature(a, &r.admin);
	field_client(a);
	struct writer w = field_start(a);
	codec_write_text(&w, r.reason);
	field_end(a, FIELD_TEXT, &w);
	err = entry_finish(a);
	if (err != 0)
		return err;

	admin_used(a, &r.admin);
	entry_commit(a, 0, 0);
	struct principal_slot *p = principal_slot(a->s, removed->id);
	p->p.removed = true;
	p->p.version = a->out->index;
	principal_dirty(a->s, p);
	a->out->principals_changed = true;
	return 0;
}

int apply_policy_set(struct apply *a)
{
	struct policy_set p;
	const struct principal *admin = NULL;
	int err = policy_set_decode(&p, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the policy: %s", err_text(err));
	err = check_admin(a->s, a->now_ms, COMMAND_POLICY_SET, &p.admin, p.signed_elements, p.signed_len, &admin,
	                  &a->why);
	if (err != 0)
		return err;
	err = policy_load(a->s->policy_new, p.compiled, p.compiled_len);
	if (err != 0)
		return refuse(&a->why, err, "the policy's compiled form: %s", err_text(err));
	err = check_policy_version(a->s, a->s->policy_new->version, &a->why);
	if (err != 0)
		return err;
	struct entry_builder *b = entry_start(a, ENTRY_POLICY_SET);
	writer_array(&b->public_, 5);
	writer_bin(&b->public_, a->s->policy_new->hash.b, HASH_SIZE);
	writer_bin(&b->public_, p.source, p.source_len);
	writer_bin(&b->public_, p.compiled, p.compiled_len);
	writer_uint(&b->public_, a->s->governance);
	admin_signature_write(&b->public_, &p.admin);
	field_client(a);
	err = entry_finish(a);
	if (err != 0)
		return err;

	policy_swap(a->s);
	admin_used(a, &p.admin);
	entry_commit(a, 0, 0);
	return 0;
}
