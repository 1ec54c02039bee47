/* The tables of erasures under way, holds and retention: found, settled, written and read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state.h"
#include "node/decide/state_keeping.h"
#include "node/decide/state_records.h"

#define RETENTION_RECORDS (UINT64_C(1) << 32) /* Their records' numbers: from here on, by kind. */

const struct keeping *state_keeping(const struct state *s)
{
	return s->keeping;
}

/* --- looking --- */

bool erasure_done_by(const struct erasure *e, uint64_t node)
{
	for (unsigned i = 0; i < e->n_done; i++)
		if (e->done[i] == node)
			return true;
	return false;
}

const struct erasure *keeping_due(const struct keeping *k, uint64_t node)
{
	const struct erasure *due = NULL;

	for (unsigned i = 0; i < ERASURES_MAX; i++) {
		const struct erasure *e = &k->erasures[i];
		if (e->index != 0 && !erasure_done_by(e, node) && (due == NULL || e->index < due->index))
			due = e;
	}
	return due;
}

unsigned keeping_under_way(const struct keeping *k)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ERASURES_MAX; i++)
		n += k->erasures[i].index != 0;
	return n;
}

const struct hold *keeping_held(const struct keeping *k, const uint8_t key[HASH_SIZE], uint64_t erasure)
{
	for (unsigned i = 0; i < HOLDS_MAX; i++) {
		const struct hold *h = &k->holds[i];
		bool before = h->index < erasure || h->index >= STATE_EARLIER; /* Of a ledger before this one. */
		if (h->index != 0 && before && (h->lifted == 0 || h->lifted > erasure) &&
		    memcmp(h->key, key, HASH_SIZE) == 0)
			return h;
	}
	return NULL;
}

const struct hold *keeping_hold(const struct keeping *k, uint64_t index)
{
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (k->holds[i].index == index && index != 0 && k->holds[i].lifted == 0)
			return &k->holds[i];
	return NULL;
}

/* --- changing --- */

static void touch(struct keeping *k, bool *dirty)
{
	k->n_dirty += !*dirty;
	*dirty = true;
}

struct erasure *keeping_add_erasure(struct state *s)
{
	for (unsigned i = 0; i < ERASURES_MAX; i++) {
		struct erasure *e = &s->keeping->erasures[i];
		bool dirty = e->dirty;
		if (e->index != 0)
			continue;
		memset(e, 0, sizeof(*e));
		e->dirty = dirty;
		touch(s->keeping, &e->dirty);
		return e;
	}
	return NULL;
}

struct erasure *keeping_find_erasure(struct state *s, uint64_t index)
{
	for (unsigned i = 0; i < ERASURES_MAX; i++)
		if (s->keeping->erasures[i].index == index && index != 0)
			return &s->keeping->erasures[i];
	return NULL;
}

bool keeping_hold_room(const struct state *s)
{
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (s->keeping->holds[i].index == 0)
			return true;
	return false;
}

void keeping_add_hold(struct state *s, uint64_t index, uint64_t time_ms, struct text type, struct text id)
{
	struct hold *h = s->keeping->holds;

	while (h->index != 0)
		h++; /* There is room: keeping_hold_room. */
	bool dirty = h->dirty;
	*h = (struct hold){.index = index, .time_ms = time_ms, .dirty = dirty};
	memcpy(h->type, type.s, type.len);
	memcpy(h->id, id.s, id.len);
	subject_key(h->key, type, id);
	touch(s->keeping, &h->dirty);
}

/* Who has to erase yet: members of now. A node that joins later is given what others have erased already. */
static bool complete(const struct state *s, const struct erasure *e)
{
	for (unsigned i = 0; i < s->roster.n; i++)
		if (!erasure_done_by(e, s->roster.nodes[i].id))
			return false;
	return true;
}

static bool needed(const struct keeping *k, const struct hold *h)
{
	for (unsigned i = 0; i < ERASURES_MAX; i++)
		if (k->erasures[i].index != 0 && k->erasures[i].index < h->lifted)
			return true;
	return false;
}

void keeping_settle(struct state *s)
{
	struct keeping *k = s->keeping;

	for (unsigned i = 0; i < ERASURES_MAX; i++)
		if (k->erasures[i].index != 0 && complete(s, &k->erasures[i])) {
			touch(k, &k->erasures[i].dirty);
			k->erasures[i].index = 0;
			sodium_memzero(k->erasures[i].subject, HASH_SIZE);
		}
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (k->holds[i].index != 0 && k->holds[i].lifted != 0 && !needed(k, &k->holds[i])) {
			bool dirty = k->holds[i].dirty;
			sodium_memzero(&k->holds[i], sizeof(k->holds[i]));
			k->holds[i].dirty = dirty;
			touch(k, &k->holds[i].dirty);
		}
}

void keeping_done(struct state *s, struct erasure *e, uint64_t node)
{
	uint64_t done[ROSTER_NODES_MAX];
	unsigned n = 0;

	/* Of members only, in order of their ids. */
	for (unsigned i = 0; i < e->n_done; i++)
		if (roster_find(&s->roster, e->done[i]) != NULL)
			done[n++] = e->done[i];
	for (e->n_done = 0; e->n_done < n && done[e->n_done] < node; e->n_done++)
		e->done[e->n_done] = done[e->n_done];
	e->done[e->n_done] = node;
	for (unsigned i = e->n_done++; i < n; i++)
		e->done[e->n_done++] = done[i];
	touch(s->keeping, &e->dirty);
	keeping_settle(s);
}

void keeping_lift(struct state *s, uint64_t hold, uint64_t index)
{
	struct keeping *k = s->keeping;

	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (k->holds[i].index == hold && k->holds[i].lifted == 0) {
			k->holds[i].lifted = index;
			touch(k, &k->holds[i].dirty);
		}
	/* What it has kept may have been passed over: retention begins anew. */
	for (unsigned i = 0; i <= ENTRY_KIND_MAX; i++)
		if (k->retentions[i].keep_ms != 0) {
			k->retentions[i].swept = k->retentions[i].swept_ms = 0;
			touch(k, &k->retentions[i].dirty);
		}
	keeping_settle(s);
}

void keeping_set_retention(struct state *s, unsigned kind, uint64_t keep_ms)
{
	struct retention *r = &s->keeping->retentions[kind];

	r->keep_ms = keep_ms;
	r->swept = r->swept_ms = 0;
	touch(s->keeping, &r->dirty);
}

void keeping_swept(struct state *s, unsigned kind, uint64_t end, uint64_t now_ms)
{
	struct retention *r = &s->keeping->retentions[kind];

	r->swept = end;
	r->swept_ms = now_ms;
	touch(s->keeping, &r->dirty);
}

/* --- records --- */

static void write_erasure(struct writer *w, const struct erasure *e)
{
	writer_array(w, 9);
	writer_uint(w, e->index);
	writer_uint(w, e->target);
	writer_bin(w, e->subject, HASH_SIZE);
	writer_uint(w, e->first);
	writer_uint(w, e->end);
	writer_uint(w, e->kind);
	writer_uint(w, e->cutoff_ms);
	writer_uint(w, e->fields);
	writer_array(w, e->n_done);
	for (unsigned i = 0; i < e->n_done; i++)
		writer_uint(w, e->done[i]);
}

static void write_hold(struct writer *w, const struct hold *h)
{
	writer_array(w, 5);
	writer_uint(w, h->index);
	writer_uint(w, h->lifted);
	writer_uint(w, h->time_ms);
	writer_cstr(w, h->type);
	writer_cstr(w, h->id);
}

static void write_retention(struct writer *w, const struct retention *r)
{
	writer_array(w, 3);
	writer_uint(w, r->keep_ms);
	writer_uint(w, r->swept);
	writer_uint(w, r->swept_ms);
}

static int take_one(const struct state *s, bool *dirty, int kind, uint64_t number, const struct writer *w, bool gone,
                    keeping_record_fn emit)
{
	if (!*dirty)
		return 0;
	*dirty = false;
	return emit(s, kind, number, gone ? NULL : w);
}

int keeping_take(struct state *s, keeping_record_fn emit)
{
	struct keeping *k = s->keeping;
	int err = 0;

	for (unsigned i = 0; err == 0 && k->n_dirty > 0 && i < ERASURES_MAX; i++) {
		struct erasure *e = &k->erasures[i];
		struct writer w;
		writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
		write_erasure(&w, e);
		err = take_one(s, &e->dirty, RECORD_ERASURE, i, &w, e->index == 0, emit);
	}
	for (unsigned i = 0; err == 0 && k->n_dirty > 0 && i < HOLDS_MAX; i++) {
		struct hold *h = &k->holds[i];
		struct writer w;
		writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
		write_hold(&w, h);
		err = take_one(s, &h->dirty, RECORD_HOLD, i, &w, h->index == 0, emit);
	}
	for (unsigned i = 0; err == 0 && k->n_dirty > 0 && i <= ENTRY_KIND_MAX; i++) {
		struct retention *r = &k->retentions[i];
		struct writer w;
		writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
		write_retention(&w, r);
		err = take_one(s, &r->dirty, RECORD_HOLD, RETENTION_RECORDS + i, &w, r->keep_ms == 0, emit);
	}
	k->n_dirty = 0;
	return err;
}

static uint64_t load_uint(struct reader *r, uint64_t max)
{
	uint64_t v = 0;

	reader_uint(r, max, &v);
	return v;
}

static void load_done(struct reader *r, struct erasure *e)
{
	uint32_t n = 0;

	reader_array(r, ROSTER_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		e->done[i] = load_uint(r, NODE_ID_MAX);
		if (i > 0 && e->done[i] <= e->done[i - 1])
			r->err = CS_ERR_DAMAGED;
	}
	e->n_done = n;
}

static void load_erasure(struct state *s, struct reader *r, uint64_t slot)
{
	if (slot >= ERASURES_MAX || s->keeping->erasures[slot].index != 0) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct erasure *e = &s->keeping->erasures[slot];
	reader_array_exact(r, 9);
	e->index = load_uint(r, STATE_INDEX_MAX);
	e->target = (unsigned)load_uint(r, ERASE_RETENTION);
	reader_bin_exact(r, e->subject, HASH_SIZE);
	e->first = load_uint(r, STATE_INDEX_MAX);
	e->end = load_uint(r, STATE_INDEX_MAX);
	e->kind = (unsigned)load_uint(r, ENTRY_KIND_MAX);
	e->cutoff_ms = load_uint(r, STATE_TIME_MS_MAX);
	e->fields = load_uint(r, UINT64_MAX);
	load_done(r, e);
	if (r->err == 0 && (e->index == 0 || e->target == 0 || e->end > e->index))
		r->err = CS_ERR_DAMAGED;
}

static void load_hold(struct state *s, struct reader *r, uint64_t slot)
{
	struct text type = {0}, id = {0};

	if (slot >= HOLDS_MAX || s->keeping->holds[slot].index != 0) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct hold *h = &s->keeping->holds[slot];
	reader_array_exact(r, 5);
	h->index = load_uint(r, STATE_INDEX_MAX);
	h->lifted = load_uint(r, STATE_INDEX_MAX);
	h->time_ms = load_uint(r, STATE_TIME_MS_MAX);
	codec_text(r, 1, REQUEST_STR_SIZE_MAX, &type);
	codec_text(r, 1, REQUEST_STR_SIZE_MAX, &id);
	if (r->err == 0 && h->index == 0)
		r->err = CS_ERR_DAMAGED;
	if (r->err != 0)
		return;
	memcpy(h->type, type.s, type.len);
	memcpy(h->id, id.s, id.len);
	subject_key(h->key, type, id);
}

static void load_retention(struct state *s, struct reader *r, uint64_t kind)
{
	if (kind == 0 || kind > ENTRY_KIND_MAX || s->keeping->retentions[kind].keep_ms != 0) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	struct retention *t = &s->keeping->retentions[kind];
	reader_array_exact(r, 3);
	t->keep_ms = load_uint(r, RETENTION_MS_MAX);
	t->swept = load_uint(r, STATE_INDEX_MAX);
	t->swept_ms = load_uint(r, STATE_TIME_MS_MAX);
	if (r->err == 0 && t->keep_ms < RETENTION_MS_MIN)
		r->err = CS_ERR_DAMAGED;
}

void keeping_load(struct state *s, struct reader *r, uint8_t record, uint64_t number)
{
	if (!state_feature(s, FEATURE_RECORDS))
		r->err = CS_ERR_DAMAGED;
	else if (record == RECORD_ERASURE)
		load_erasure(s, r, number);
	else if (number < RETENTION_RECORDS)
		load_hold(s, r, number);
	else
		load_retention(s, r, number - RETENTION_RECORDS);
}

int keeping_loaded(const struct state *s)
{
	const struct keeping *k = s->keeping;

	for (unsigned i = 0; i < ERASURES_MAX; i++)
		if (k->erasures[i].index >= s->head.size && k->erasures[i].index != 0)
			return CS_ERR_DAMAGED;
	for (unsigned i = 0; i < HOLDS_MAX; i++)
		if (k->holds[i].index != 0 &&
		    (!state_has_entry(s, k->holds[i].index) || k->holds[i].lifted >= s->head.size))
			return CS_ERR_DAMAGED;
	for (unsigned i = 0; i <= ENTRY_KIND_MAX; i++)
		if (k->retentions[i].swept > s->head.size || k->retentions[i].swept_ms > s->head.time_ms)
			return CS_ERR_DAMAGED;
	return 0;
}
