/* What was used and must not come again; who proved themselves lately. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/state.h"
#include "node/decide/state_records.h"

#define USED_ELEMENTS   2
#define RECENT_ELEMENTS 4

int used_new(struct state *s)
{
	s->used = calloc(USED_MAX, sizeof(*s->used));
	s->recent = calloc(RECENT_MAX, sizeof(*s->recent));
	return s->used == NULL || s->recent == NULL ? CS_ERR_NOMEM : 0;
}

void used_close(struct state *s)
{
	free(s->used);
	free(s->recent);
}

/* --- used --- */

bool used_before(const struct state *s, const uint8_t once[HASH_SIZE], uint64_t now_ms)
{
	for (uint32_t i = 0; i < USED_MAX; i++)
		if (s->used[i].until_ms >= now_ms && memcmp(s->used[i].once, once, HASH_SIZE) == 0)
			return true;
	return false;
}

static struct used_slot *used_free(const struct state *s, uint64_t now_ms)
{
	for (uint32_t i = 0; i < USED_MAX; i++)
		if (s->used[i].until_ms < now_ms)
			return &s->used[i];
	return NULL;
}

bool used_has_room(const struct state *s, uint64_t now_ms)
{
	return used_free(s, now_ms) != NULL;
}

void used_add(struct state *s, const uint8_t once[HASH_SIZE], uint64_t until_ms, uint64_t now_ms)
{
	struct used_slot *u = used_free(s, now_ms);

	assert(u != NULL);
	memcpy(u->once, once, HASH_SIZE);
	u->until_ms = until_ms;
	s->n_dirty_used += !u->dirty;
	u->dirty = true;
}

/* --- proofs of lately: one place for each subject; who is pushed out by another only proves anew --- */

static struct recent_slot *recent_place(const struct state *s, const uint8_t key[HASH_SIZE])
{
	return &s->recent[get_u32be(key) % RECENT_MAX];
}

/* The session, or else the device, that the request names: elsewhere a proof of lately is none. */
static bool bound_to(const struct request *q, uint8_t ret[RECENT_BOUND_SIZE])
{
	const struct named_value *v = request_context(q, "session");
	struct hasher h;
	struct hash hash;

	if (v == NULL)
		v = request_context(q, "device");
	if (v == NULL || v->type != VALUE_STR)
		return false;
	hasher_init(&h);
	hasher_update(&h, v->name.s, v->name.len);
	hasher_update(&h, "", 1);
	hasher_update(&h, v->str.s, v->str.len);
	hasher_final(&h, &hash);
	memcpy(ret, hash.b, RECENT_BOUND_SIZE);
	return true;
}

void recent_set(struct state *s, const uint8_t key[HASH_SIZE], const struct request *q, unsigned level, uint64_t now_ms)
{
	struct recent_slot *u = recent_place(s, key);

	if (!bound_to(q, u->bound))
		return;
	memcpy(u->key, key, HASH_SIZE);
	u->level = level;
	u->time_ms = now_ms;
	s->n_dirty_used += !u->dirty;
	u->dirty = true;
}

void recent_forget(struct state *s, const uint8_t key[HASH_SIZE])
{
	struct recent_slot *u = recent_place(s, key);

	if (u->time_ms == 0 || memcmp(u->key, key, HASH_SIZE) != 0)
		return;
	bool dirty = u->dirty;
	*u = (struct recent_slot){.dirty = true};
	s->n_dirty_used += !dirty;
}

unsigned recent_level(const struct state *s, const uint8_t key[HASH_SIZE], const struct request *q, uint64_t now_ms)
{
	const struct recent_slot *u = recent_place(s, key);
	uint8_t bound[RECENT_BOUND_SIZE];
	unsigned best = 0;

	if (u->time_ms == 0 || memcmp(u->key, key, HASH_SIZE) != 0 || !bound_to(q, bound) ||
	    memcmp(u->bound, bound, sizeof(bound)) != 0)
		return 0;
	for (unsigned i = 0; i < s->policy->n_levels; i++) {
		const struct policy_level *l = &s->policy->levels[i];
		if (u->level >= l->level && now_ms - u->time_ms < l->max_age_ms && l->level > best)
			best = l->level;
	}
	return best;
}

/* --- records --- */

static int take_used(struct state *s, uint32_t i, credential_record_fn emit)
{
	struct writer w;

	writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
	writer_array(&w, USED_ELEMENTS);
	writer_bin(&w, s->used[i].once, HASH_SIZE);
	writer_uint(&w, s->used[i].until_ms);
	s->used[i].dirty = false;
	s->n_dirty_used--;
	return emit(s, RECORD_USED, i, &w);
}

static int take_recent(struct state *s, uint32_t i, credential_record_fn emit)
{
	const struct recent_slot *u = &s->recent[i];
	struct writer w;

	writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
	writer_array(&w, RECENT_ELEMENTS);
	writer_bin(&w, u->key, HASH_SIZE);
	writer_bin(&w, u->bound, RECENT_BOUND_SIZE);
	writer_uint(&w, u->time_ms);
	writer_uint(&w, u->level);
	s->recent[i].dirty = false;
	s->n_dirty_used--;
	return emit(s, RECORD_USED, (UINT64_C(1) << 32) + i, &w);
}

int used_take(struct state *s, credential_record_fn emit)
{
	int err = 0;

	for (uint32_t i = 0; err == 0 && s->n_dirty_used > 0 && i < USED_MAX; i++)
		err = s->used[i].dirty ? take_used(s, i, emit) : 0;
	for (uint32_t i = 0; err == 0 && s->n_dirty_used > 0 && i < RECENT_MAX; i++)
		err = s->recent[i].dirty ? take_recent(s, i, emit) : 0;
	return err;
}

void used_load(struct state *s, struct reader *r, uint64_t number)
{
	uint64_t slot = number & UINT32_MAX, level = 0;
	bool recent = number >> 32 == 1;

	if (number >> 32 > 1 || slot >= (recent ? RECENT_MAX : USED_MAX) || !state_feature(s, FEATURE_DECISIONS)) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	if (!recent) {
		reader_array_exact(r, USED_ELEMENTS);
		reader_bin_exact(r, s->used[slot].once, HASH_SIZE);
		reader_uint(r, STATE_TIME_MS_MAX, &s->used[slot].until_ms);
		return;
	}
	struct recent_slot *u = &s->recent[slot];
	reader_array_exact(r, RECENT_ELEMENTS);
	reader_bin_exact(r, u->key, HASH_SIZE);
	reader_bin_exact(r, u->bound, RECENT_BOUND_SIZE);
	reader_uint(r, STATE_TIME_MS_MAX, &u->time_ms);
	reader_uint(r, LEVEL_ATTESTED, &level);
	u->level = (unsigned)level;
	if (u->time_ms > s->recent_loaded_ms)
		s->recent_loaded_ms = u->time_ms;
}

int used_loaded(const struct state *s)
{
	return s->recent_loaded_ms > s->head.time_ms ? CS_ERR_DAMAGED : 0; /* Ages are counted from the state's time. */
}
