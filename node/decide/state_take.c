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
	writer_uint(&w, s->challenge_ring.first);
	writer_uint(&w, s->challenge_ring.next);
	writer_uint(&w, s->answer_ring.first);
	writer_uint(&w, s->answer_ring.next);
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
	return emit_written(t, RECORD_PRINCIPAL, slot, &w);
}

static int take_challenge(const struct taker *t, uint64_t seq)
{
	const struct challenge_slot *c = &t->s->challenges[seq % t->s->challenge_ring.cap];
	struct writer w = writer_of(t);

	writer_array(&w, RECORD_CHALLENGE_ELEMENTS);
	writer_uint(&w, c->c.index);
	writer_uint(&w, c->c.expiry_ms);
	writer_uint(&w, c->c.principal);
	writer_bin(&w, c->c.digest.b, HASH_SIZE);
	writer_bin(&w, c->c.nonce, 32);
	writer_uint(&w, c->made_ms);
	writer_uint(&w, c->level);
	writer_uint(&w, c->methods);
	writer_bool(&w, c->consumed);
	writer_bin(&w, c->blind, 32);
	writer_bin(&w, c->request_id, REQUEST_ID_SIZE);
	writer_bin(&w, c->request, c->request_len);
	return emit_written(t, RECORD_CHALLENGE, seq, &w);
}

static int take_page(const struct taker *t, uint64_t page)
{
	const struct ring *r = &t->s->answer_ring;
	uint64_t first = page * STATE_PAGE, next = first + STATE_PAGE;
	struct writer w = writer_of(t);

	first = first < r->first ? r->first : first;
	next = next > r->next ? r->next : next;
	writer_array(&w, 2);
	writer_uint(&w, first);
	writer_array(&w, (uint32_t)(next - first));
	for (uint64_t seq = first; seq < next; seq++) {
		const struct answer_slot *a = &t->s->answers[seq % r->cap];
		writer_array(&w, RECORD_ANSWER_ELEMENTS);
		writer_uint(&w, a->principal);
		writer_bin(&w, a->request_id, REQUEST_ID_SIZE);
		writer_uint(&w, a->made_ms);
		writer_uint(&w, a->r.index);
		writer_uint(&w, a->r.time_ms);
		writer_uint(&w, a->r.verdict);
		writer_bin(&w, a->r.request_hash.b, HASH_SIZE);
	}
	return emit_written(t, RECORD_ANSWERS, page, &w);
}

static int take_rings(const struct taker *t)
{
	const struct state *s = t->s;
	const struct ring *c = &s->challenge_ring, *a = &s->answer_ring;
	int err = 0;

	for (uint64_t seq = c->written_first; err == 0 && seq < c->first; seq++)
		err = emit(t, RECORD_CHALLENGE, seq, NULL, 0);
	for (uint64_t seq = c->first; err == 0 && s->n_dirty_challenges > 0 && seq < c->next; seq++)
		if (s->challenges[seq % c->cap].dirty)
			err = take_challenge(t, seq);
	for (uint64_t page = a->written_first / STATE_PAGE; err == 0 && page < a->first / STATE_PAGE; page++)
		err = emit(t, RECORD_ANSWERS, page, NULL, 0);
	for (uint64_t page = a->first / STATE_PAGE; err == 0 && s->n_dirty_pages > 0 && page * STATE_PAGE < a->next;
	     page++)
		if (s->dirty_pages[page % s->n_pages])
			err = take_page(t, page);
	return err;
}

static void all_clean(struct state *s)
{
	s->head_dirty = s->policy_dirty = false;
	for (uint32_t i = 0; i < s->n_dirty_subjects; i++)
		s->subjects[s->dirty_subjects[i]].dirty = false;
	s->n_dirty_subjects = 0;
	for (uint32_t i = 0; s->n_dirty_principals > 0 && i < s->n_principals; i++)
		s->principals[i].dirty = false;
	s->n_dirty_principals = 0;
	for (uint64_t seq = s->challenge_ring.first; s->n_dirty_challenges > 0 && seq < s->challenge_ring.next; seq++)
		s->challenges[seq % s->challenge_ring.cap].dirty = false;
	s->n_dirty_challenges = 0;
	if (s->n_dirty_pages > 0)
		memset(s->dirty_pages, 0, s->n_pages * sizeof(*s->dirty_pages));
	s->n_dirty_pages = 0;
	s->challenge_ring.written_first = s->challenge_ring.first;
	s->answer_ring.written_first = s->answer_ring.first;
}

size_t state_dirty(const struct state *s)
{
	const struct ring *c = &s->challenge_ring, *a = &s->answer_ring;

	return (size_t)s->head_dirty + (size_t)s->policy_dirty + s->n_dirty_subjects + s->n_dirty_principals +
	       s->n_dirty_challenges + s->n_dirty_pages + (size_t)(c->first - c->written_first) +
	       (size_t)(a->first / STATE_PAGE - a->written_first / STATE_PAGE);
}

int state_take_dirty(struct state *s, state_record_fn f, void *ctx)
{
	struct taker t = {s, f, ctx};
	int err = s->head_dirty ? take_head(&t) : 0;

	if (err == 0 && s->policy_dirty)
		err = emit(&t, RECORD_POLICY, 0, s->policy->bytes, s->policy->len);
	for (uint32_t i = 0; err == 0 && i < s->n_dirty_subjects; i++)
		err = take_subject(&t, s->dirty_subjects[i]);
	for (uint32_t i = 0; err == 0 && s->n_dirty_principals > 0 && i < s->n_principals; i++)
		if (s->principals[i].dirty)
			err = take_principal(&t, i);
	if (err == 0)
		err = take_rings(&t);
	if (err == 0)
		all_clean(s);
	return err;
}
