/* The state as records: what changed since the last take, as it was at one moment, while commands go on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <limits.h>

#include "node/decide/state.h"
#include "node/decide/state_keeping.h"
#include "node/decide/state_parts.h"

int record_emit(const struct state *s, enum record kind, uint64_t number, const void *value, size_t len)
{
	uint8_t key[RECORD_KEY_SIZE];

	key[0] = (uint8_t)kind;
	put_u64be(key + 1, number);
	return s->take_fn(s->take_ctx, key, sizeof(key), value, len);
}

int record_emit_written(const struct state *s, enum record kind, uint64_t number, const struct writer *w)
{
	size_t len = 0;
	int err = writer_end(w, &len);

	assert(err == 0); /* Every record is bounded far below the buffer. */
	return record_emit(s, kind, number, w->base, len);
}

struct writer record_writer(const struct state *s)
{
	struct writer w;

	writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
	return w;
}

static int take_head(const struct state *s)
{
	struct writer w = record_writer(s);

	writer_array(&w, RECORD_HEAD_ELEMENTS);
	writer_uint(&w, STATE_VERSION);
	writer_uint(&w, s->head.size);
	writer_bin(&w, s->head.last_leaf.b, HASH_SIZE);
	writer_uint(&w, s->head.time_ms);
	writer_cstr(&w, s->origin);
	writer_uint(&w, s->governance);
	writer_uint(&w, s->touches);
	writer_uint(&w, s->principals_made);
	return record_emit_written(s, RECORD_HEAD, 0, &w);
}

static void write_chain(struct writer *w, const struct chain *c)
{
	writer_uint(w, c->last);
	writer_uint(w, c->count);
}

static int emit_subject(const struct state *s, uint32_t slot, const struct profile *p)
{
	const struct subject *u = &s->subjects[slot];
	struct writer w = record_writer(s);

	writer_array(&w, RECORD_SUBJECT_ELEMENTS);
	writer_bin(&w, u->key, HASH_SIZE);
	writer_uint(&w, u->touch);
	write_chain(&w, &u->subject_chain);
	write_chain(&w, &u->actor_chain);
	profile_write(&w, p);
	return record_emit_written(s, RECORD_SUBJECT, slot, &w);
}

/* A slot that changes hands may leave one behind. */
static int emit_history(const struct state *s, uint32_t slot, const struct history *h)
{
	struct writer w = record_writer(s);

	if (!state_feature(s, FEATURE_DECISIONS))
		return 0;
	if (!h->begun)
		return record_emit(s, RECORD_HISTORY, slot, NULL, 0);
	history_write(&w, h);
	return record_emit_written(s, RECORD_HISTORY, slot, &w);
}

static int take_principal(const struct state *s, uint32_t slot)
{
	const struct principal_slot *ps = &s->principals[slot];
	const struct principal *p = &ps->p;
	struct writer w = record_writer(s);

	writer_array(&w, RECORD_PRINCIPAL_ELEMENTS);
	writer_uint(&w, p->id);
	writer_cstr(&w, p->name);
	writer_uint(&w, p->roles);
	if (p->has_channel)
		writer_bin(&w, p->channel_pub, 32);
	else
		writer_nil(&w);
	if (p->has_sign)
		writer_bin(&w, p->sign_pub, 32);
	else
		writer_nil(&w);
	writer_bool(&w, p->removed);
	writer_cstr(&w, p->subject_type);
	writer_cstr(&w, p->subject_id);
	writer_uint(&w, p->version);
	writer_uint(&w, p->sequence);
	writer_uint(&w, ps->rate.time_ms);
	writer_uint(&w, ps->rate.value);
	writer_uint(&w, ps->forgotten_ms);
	return record_emit_written(s, RECORD_PRINCIPAL, slot, &w);
}

static int take_governance(const struct state *s)
{
	struct writer w = record_writer(s);

	governance_write(&w, &s->thresholds);
	return record_emit_written(s, RECORD_GOVERNANCE, 0, &w);
}

static int take_page(const struct state *s, uint32_t page)
{
	uint32_t first = page * STATE_PAGE, n = s->n_answers - first < STATE_PAGE ? s->n_answers - first : STATE_PAGE;
	struct writer w = record_writer(s);

	writer_array(&w, n);
	for (uint32_t slot = first; slot < first + n; slot++) {
		const struct answer_slot *a = &s->answers[slot];
		writer_array(&w, RECORD_ANSWER_ELEMENTS);
		writer_uint(&w, a->principal);
		writer_bin(&w, a->request_id, REQUEST_ID_SIZE);
		writer_bin(&w, a->request_hash, RECORDED_HASH_SIZE);
		writer_uint(&w, a->made);
		writer_uint(&w, a->index);
		writer_uint(&w, a->since_ms);
		writer_uint(&w, a->verdict);
	}
	return record_emit_written(s, RECORD_ANSWERS, page, &w);
}

static int take_world(struct state *s)
{
	struct world *world = &s->world;
	int err = 0;

	for (uint32_t page = 0; err == 0 && world->n_dirty_pages > 0 && page < WORLD_PAGES; page++) {
		struct writer w = record_writer(s);
		if (!world->dirty_pages[page])
			continue;
		world->dirty_pages[page] = false;
		world_write_page(&w, world, page);
		err = record_emit_written(s, RECORD_WORLD, page, &w);
	}
	world->n_dirty_pages = 0;
	if (err == 0 && world->totals_dirty) {
		struct writer w = record_writer(s);
		world_write_totals(&w, world);
		err = record_emit_written(s, RECORD_WORLD, WORLD_PAGES, &w);
	}
	world->totals_dirty = false;
	return err;
}

static int take_roster(const struct state *s)
{
	struct writer w = record_writer(s);

	roster_write(&w, &s->roster);
	return record_emit_written(s, RECORD_ROSTER, 0, &w);
}

/* [[[number, name, since]…], build] */
static int take_features(const struct state *s)
{
	const struct feature_state *f = &s->features;
	struct writer w = record_writer(s);

	writer_array(&w, 2);
	writer_array(&w, (uint32_t)__builtin_popcountll(f->on));
	for (unsigned i = 1; i <= FEATURE_NUMBER_MAX; i++) {
		if (!state_feature(s, i))
			continue;
		writer_array(&w, 3);
		writer_uint(&w, i);
		writer_cstr(&w, feature_name(i));
		writer_uint(&w, f->since[i]);
	}
	writer_cstr(&w, f->build);
	return record_emit_written(s, RECORD_FEATURES, 0, &w);
}

static int take_digested(const struct state *s)
{
	struct writer w = record_writer(s);

	writer_array(&w, 2);
	writer_uint(&w, s->digested.size);
	writer_uint(&w, s->digested.index);
	return record_emit_written(s, RECORD_DIGESTED, 0, &w);
}

static void keep_error(struct state *s, int err)
{
	if (err && !s->take_err)
		s->take_err = err;
}

void take_subject(struct state *s, uint32_t slot)
{
	if (!s->taking || s->subjects[slot].mark != s->epoch - 1)
		return;
	s->subjects[slot].mark = 0;
	const struct past *p = pasts_glance(s->pasts, &s->subjects[slot].past);
	keep_error(s, emit_subject(s, slot, &p->profile));
	keep_error(s, emit_history(s, slot, &p->history));
}

void take_challenge(struct state *s, uint32_t slot)
{
	if (!s->taking || s->challenges[slot].mark != s->epoch - 1)
		return;
	s->challenges[slot].mark = 0;
	keep_error(s, challenge_emit(s, slot));
}

void take_person(struct state *s, uint32_t slot)
{
	if (!s->taking || s->people[slot].mark != s->epoch - 1)
		return;
	s->people[slot].mark = 0;
	keep_error(s, person_emit(s, slot));
}

void take_deferred(struct state *s, uint32_t slot)
{
	if (!s->taking || s->deferred[slot].mark != s->epoch - 1)
		return;
	s->deferred[slot].mark = 0;
	keep_error(s, deferred_emit(s, slot));
}

void take_standing(struct state *s, uint32_t slot)
{
	if (!s->taking || s->standing[slot].mark != s->epoch - 1)
		return;
	s->standing[slot].mark = 0;
	keep_error(s, standing_emit(s, slot));
}

size_t state_dirty(const struct state *s)
{
	size_t per_subject = state_feature(s, FEATURE_DECISIONS) ? 2 : 1;

	return (size_t)s->head_dirty + (size_t)s->policy_dirty + (size_t)s->roster_dirty + (size_t)s->features_dirty +
	       (size_t)s->governance_dirty + (size_t)s->digested_dirty + s->marked_people.n_changed +
	       s->world.n_dirty_pages + (size_t)s->world.totals_dirty + per_subject * s->marked_subjects.n_changed +
	       s->n_dirty_principals + s->n_dirty_credentials + s->n_dirty_used + s->keeping->n_dirty +
	       s->n_dirty_replaced + s->marked_challenges.n_changed + s->marked_deferred.n_changed +
	       s->marked_standing.n_changed + s->n_dirty_pages;
}

static int emit_further(const struct state *s, int kind, uint64_t number, const struct writer *w)
{
	return w == NULL ? record_emit(s, (enum record)kind, number, NULL, 0)
	                 : record_emit_written(s, (enum record)kind, number, w);
}

/* What is small, or has no marks of its own. */
static int take_at_once(struct state *s)
{
	int err = s->head_dirty ? take_head(s) : 0;

	if (err == 0 && s->policy_dirty)
		err = record_emit(s, RECORD_POLICY, 0, s->policy->bytes, s->policy->len);
	if (err == 0 && s->roster_dirty)
		err = take_roster(s);
	if (err == 0 && s->features_dirty)
		err = take_features(s);
	if (err == 0 && s->governance_dirty)
		err = take_governance(s);
	if (err == 0 && s->digested_dirty)
		err = take_digested(s);
	if (err == 0)
		err = credentials_take(s, emit_further);
	if (err == 0)
		err = used_take(s, emit_further);
	if (err == 0)
		err = keeping_take(s, emit_further);
	if (err == 0)
		err = keys_take(s, emit_further);
	for (uint32_t i = 0; err == 0 && s->n_dirty_principals > 0 && i < s->n_principals; i++) {
		if (s->principals[i].dirty)
			err = take_principal(s, i);
		s->principals[i].dirty = false;
	}
	for (uint32_t page = 0; err == 0 && s->n_dirty_pages > 0 && page < s->n_pages; page++) {
		if (s->dirty_pages[page])
			err = take_page(s, page);
		s->dirty_pages[page] = false;
	}
	if (err == 0)
		err = take_world(s);
	s->head_dirty = s->policy_dirty = s->roster_dirty = s->features_dirty = s->governance_dirty =
	        s->digested_dirty = false;
	s->n_dirty_principals = s->n_dirty_pages = 0;
	return err;
}

static void freeze(struct marked *m)
{
	uint32_t *list = m->taken;

	m->taken = m->changed;
	m->n_taken = m->n_changed;
	m->next = 0;
	m->changed = list;
	m->n_changed = 0;
}

void state_take_begin(struct state *s, state_record_fn f, void *ctx)
{
	assert(!s->taking);
	s->taking = true;
	s->take_fn = f;
	s->take_ctx = ctx;
	s->take_err = take_at_once(s);
	freeze(&s->marked_subjects);
	freeze(&s->marked_challenges);
	freeze(&s->marked_people);
	freeze(&s->marked_deferred);
	freeze(&s->marked_standing);
	s->epoch++;
}

/* Up to *max of a table's; true: that was all of it. */
static bool take_table(struct state *s, struct marked *m, void (*take)(struct state *s, uint32_t slot), unsigned *max)
{
	for (; *max > 0 && m->next < m->n_taken; (*max)--)
		take(s, m->taken[m->next++]);
	return m->next == m->n_taken;
}

int state_take_some(struct state *s, unsigned max)
{
	assert(s->taking);
	bool all = take_table(s, &s->marked_subjects, take_subject, &max);
	all &= take_table(s, &s->marked_challenges, take_challenge, &max);
	all &= take_table(s, &s->marked_people, take_person, &max);
	all &= take_table(s, &s->marked_deferred, take_deferred, &max);
	all &= take_table(s, &s->marked_standing, take_standing, &max);
	if (!s->take_err && !all)
		return 0;
	s->taking = false;
	return s->take_err ? s->take_err : 1;
}

int state_take_dirty(struct state *s, state_record_fn f, void *ctx)
{
	state_take_begin(s, f, ctx);
	int rv = state_take_some(s, UINT_MAX);

	return rv < 0 ? rv : 0;
}
