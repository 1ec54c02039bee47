/* The state as records: everything that changed since the last take. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "node/decide/state.h"
#include "node/decide/state_records.h"

struct taker {
	struct state *s;
	state_record_fn f;
	void *ctx;
};

static int emit(const struct taker *t, enum record kind, uint64_t number, const void *value, size_t len)
{
	uint8_t key[RECORD_KEY_SIZE];

	key[0] = (uint8_t)kind;
	put_u64be(key + 1, number);
	return t->f(t->ctx, key, sizeof(key), value, len);
}

static int emit_written(const struct taker *t, enum record kind, uint64_t number, const struct writer *w)
{
	size_t len = 0;
	int err = writer_end(w, &len);

	assert(err == 0); /* Every record is bounded far below the scratch buffer. */
	return emit(t, kind, number, w->base, len);
}

static struct writer writer_of(const struct taker *t)
{
	struct writer w;

	writer_init(&w, t->s->scratch, STATE_RECORD_SIZE_MAX);
	return w;
}

static int take_head(const struct taker *t)
{
	const struct state *s = t->s;
	struct writer w = writer_of(t);

	writer_array(&w, RECORD_HEAD_ELEMENTS);
	writer_uint(&w, STATE_VERSION);
	writer_uint(&w, s->head.size);
	writer_bin(&w, s->head.last_leaf.b, HASH_SIZE);
	writer_uint(&w, s->head.time_ms);
	writer_cstr(&w, s->origin);
	writer_uint(&w, s->governance);
	writer_uint(&w, s->touches);
	writer_uint(&w, s->principals_made);
	return emit_written(t, RECORD_HEAD, 0, &w);
}

static void write_chain(struct writer *w, const struct chain *c)
{
	writer_uint(w, c->last);
	writer_uint(w, c->count);
}

static int take_subject(const struct taker *t, uint32_t slot)
{
	const struct subject *u = &t->s->subjects[slot];
	struct writer w = writer_of(t);

	writer_array(&w, RECORD_SUBJECT_ELEMENTS);
	writer_bin(&w, u->key, HASH_SIZE);
	writer_uint(&w, u->touch);
	write_chain(&w, &u->subject_chain);
	write_chain(&w, &u->actor_chain);
	profile_write(&w, &u->profile);
	return emit_written(t, RECORD_SUBJECT, slot, &w);
}

static int take_principal(const struct taker *t, uint32_t slot)
{
	const struct principal_slot *ps = &t->s->principals[slot];
	const struct principal *p = &ps->p;
	struct writer w = writer_of(t);

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
	return emit_written(t, RECORD_PRINCIPAL, slot, &w);
}

static int take_challenge(const struct taker *t, uint32_t slot)
{
	const struct challenge_slot *c = &t->s->challenges[slot];
	struct writer w = writer_of(t);

	if (c->c.index == 0)
		return emit(t, RECORD_CHALLENGE, slot, NULL, 0);
	writer_array(&w, RECORD_CHALLENGE_ELEMENTS);
	writer_uint(&w, c->c.index);
	writer_uint(&w, c->c.expiry_ms);
	writer_uint(&w, c->c.principal);
	writer_bin(&w, c->c.digest.b, HASH_SIZE);
	writer_bin(&w, c->c.nonce, 32);
	writer_uint(&w, c->made_ms);
	writer_uint(&w, c->level);
	writer_uint(&w, c->methods);
	writer_bin(&w, c->blind, 32);
	writer_bin(&w, c->request_id, REQUEST_ID_SIZE);
	writer_bin(&w, c->request, c->request_len);
	return emit_written(t, RECORD_CHALLENGE, slot, &w);
}

static int take_page(const struct taker *t, uint32_t page)
{
	const struct state *s = t->s;
	uint32_t first = page * STATE_PAGE, n = s->n_answers - first < STATE_PAGE ? s->n_answers - first : STATE_PAGE;
	struct writer w = writer_of(t);

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
	return emit_written(t, RECORD_ANSWERS, page, &w);
}

static int take_roster(const struct taker *t)
{
	struct writer w = writer_of(t);

	roster_write(&w, &t->s->roster);
	return emit_written(t, RECORD_ROSTER, 0, &w);
}

/* [[[number, name, since]…], build] */
static int take_features(const struct taker *t)
{
	const struct feature_state *f = &t->s->features;
	struct writer w = writer_of(t);

	writer_array(&w, 2);
	writer_array(&w, (uint32_t)__builtin_popcountll(f->on));
	for (unsigned i = 1; i <= FEATURE_NUMBER_MAX; i++) {
		if (!state_feature(t->s, i))
			continue;
		writer_array(&w, 3);
		writer_uint(&w, i);
		writer_cstr(&w, feature_name(i));
		writer_uint(&w, f->since[i]);
	}
	writer_cstr(&w, f->build);
	return emit_written(t, RECORD_FEATURES, 0, &w);
}

static void all_clean(struct state *s)
{
	s->head_dirty = s->policy_dirty = s->roster_dirty = s->features_dirty = false;
	for (uint32_t i = 0; i < s->n_dirty_subjects; i++)
		s->subjects[s->dirty_subjects[i]].dirty = false;
	s->n_dirty_subjects = 0;
	for (uint32_t i = 0; s->n_dirty_principals > 0 && i < s->n_principals; i++)
		s->principals[i].dirty = false;
	s->n_dirty_principals = 0;
	for (uint32_t i = 0; i < s->n_dirty_challenges; i++)
		s->challenges[s->dirty_challenges[i]].dirty = false;
	s->n_dirty_challenges = 0;
	if (s->n_dirty_pages > 0)
		memset(s->dirty_pages, 0, s->n_pages * sizeof(*s->dirty_pages));
	s->n_dirty_pages = 0;
}

size_t state_dirty(const struct state *s)
{
	return (size_t)s->head_dirty + (size_t)s->policy_dirty + (size_t)s->roster_dirty + (size_t)s->features_dirty +
	       s->n_dirty_subjects + s->n_dirty_principals + s->n_dirty_challenges + s->n_dirty_pages;
}

int state_take_dirty(struct state *s, state_record_fn f, void *ctx)
{
	struct taker t = {s, f, ctx};
	int err = s->head_dirty ? take_head(&t) : 0;

	if (err == 0 && s->policy_dirty)
		err = emit(&t, RECORD_POLICY, 0, s->policy->bytes, s->policy->len);
	if (err == 0 && s->roster_dirty)
		err = take_roster(&t);
	if (err == 0 && s->features_dirty)
		err = take_features(&t);
	for (uint32_t i = 0; err == 0 && i < s->n_dirty_subjects; i++)
		err = take_subject(&t, s->dirty_subjects[i]);
	for (uint32_t i = 0; err == 0 && s->n_dirty_principals > 0 && i < s->n_principals; i++)
		if (s->principals[i].dirty)
			err = take_principal(&t, i);
	for (uint32_t i = 0; err == 0 && i < s->n_dirty_challenges; i++)
		err = take_challenge(&t, s->dirty_challenges[i]);
	for (uint32_t page = 0; err == 0 && s->n_dirty_pages > 0 && page < s->n_pages; page++)
		if (s->dirty_pages[page])
			err = take_page(&t, page);
	if (err == 0)
		all_clean(s);
	return err;
}
