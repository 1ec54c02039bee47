/* The table of recorded answers: full, it forgets the oldest and remembers up to when it forgot. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/state.h"

#define ID_TIME_SIZE 6 /* 48 bits of milliseconds, as UUID version 7 begins (RFC 9562 5.7). */

_Static_assert(sizeof(struct answer_slot) == 64, "half a million of them: one cache line each");

uint64_t answer_id_ms(const uint8_t id[REQUEST_ID_SIZE])
{
	uint64_t ms = 0;

	for (unsigned i = 0; i < ID_TIME_SIZE; i++)
		ms = ms << 8 | id[i];
	return ms;
}

/* Clients choose their ids: without a key of its own for each process one could make all of them collide. */
static uint32_t hash_of(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE])
{
	uint8_t key[8 + REQUEST_ID_SIZE], hash[crypto_shorthash_BYTES];

	put_u64be(key, principal);
	memcpy(key + 8, id, REQUEST_ID_SIZE);
	crypto_shorthash(hash, key, sizeof(key), s->answer_index_key);
	return get_u32be(hash);
}

struct answer_key {
	uint64_t principal;
	const uint8_t *id;
};

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct answer_slot *a = &((const struct state *)ctx)->answers[slot];
	const struct answer_key *k = key;

	return a->principal == k->principal && memcmp(a->request_id, k->id, REQUEST_ID_SIZE) == 0;
}

/* From then on its id is refused for its age alone: nothing is lost with it. */
static bool expired(const struct state *s, const struct answer_slot *a, uint64_t now_ms)
{
	return now_ms > answer_id_ms(a->request_id) + s->limits.requests_window_ms;
}

struct answer_slot *answer_find(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                                uint64_t now_ms)
{
	struct answer_key key = {principal, id};
	int64_t slot = index_find(&s->answer_index, hash_of(s, principal, id), same, s, &key);

	return slot < 0 || expired(s, &s->answers[slot], now_ms) ? NULL : &s->answers[slot];
}

/* Whose slot the principal's next answer takes; NO_SLOT: one that was never used. */
static uint32_t next_victim(const struct state *s, const struct principal_slot *p, uint64_t now_ms)
{
	uint32_t oldest = list_oldest(&s->answer_list);

	if (p->recorded >= s->limits.requests_per_principal_max)
		return p->oldest_answer;
	/* In place of an expired one even if there is room: a quiet cluster's table stays small. */
	if (s->n_answers == s->limits.requests_max || (oldest != NO_SLOT && expired(s, &s->answers[oldest], now_ms)))
		return oldest;
	return NO_SLOT;
}

bool answer_has_room(const struct state *s, const struct principal_slot *p, uint64_t now_ms)
{
	uint32_t slot = next_victim(s, p, now_ms);

	return slot == NO_SLOT || answer_id_ms(s->answers[slot].request_id) + STATE_KEEP_MS <= now_ms;
}

static void mark(struct state *s, uint32_t slot)
{
	bool *dirty = &s->dirty_pages[slot / STATE_PAGE];

	s->n_dirty_pages += !*dirty;
	*dirty = true;
}

static void forget(struct state *s, uint32_t slot, uint64_t now_ms)
{
	const struct answer_slot *a = &s->answers[slot];
	struct principal_slot *p = principal_slot(s, a->principal);

	if (p != NULL) { /* NULL: removed, and its place was taken; its id comes never again. */
		assert(p->oldest_answer == slot && p->recorded > 0);
		p->oldest_answer = a->own_newer;
		p->recorded--;
	}
	if (p != NULL && !expired(s, a, now_ms) && answer_id_ms(a->request_id) > p->forgotten_ms) {
		p->forgotten_ms = answer_id_ms(a->request_id);
		principal_dirty(s, p);
	}
	index_remove(&s->answer_index, hash_of(s, a->principal, a->request_id), slot);
	list_remove(&s->answer_list, LINKS(s->answers, all), slot);
}

/* Into the index and the lists, as the newest. */
static void enter(struct state *s, uint32_t slot)
{
	struct answer_slot *a = &s->answers[slot];
	struct principal_slot *p = principal_slot(s, a->principal);

	index_add(&s->answer_index, hash_of(s, a->principal, a->request_id), slot);
	list_add(&s->answer_list, LINKS(s->answers, all), slot);
	if (p == NULL)
		return;
	if (p->recorded++ == 0)
		p->oldest_answer = slot;
	else
		s->answers[p->newest_answer].own_newer = slot;
	p->newest_answer = slot;
}

void answer_set(struct state *s, struct answer_slot *a, uint64_t index, uint64_t now_ms, unsigned verdict)
{
	uint64_t since_ms = now_ms + STATE_AHEAD_MS - answer_id_ms(a->request_id);

	assert(since_ms <= s->limits.requests_window_ms + STATE_AHEAD_MS); /* The id was acceptable, or found. */
	a->since_ms = (uint32_t)since_ms;
	a->index = index & STATE_INDEX_MAX;
	a->verdict = verdict & 7;
	mark(s, (uint32_t)(a - s->answers));
}

void answer_add(struct state *s, const struct principal_slot *p, const uint8_t id[REQUEST_ID_SIZE],
                const struct hash *request_hash, uint64_t index, uint64_t now_ms, unsigned verdict)
{
	uint32_t slot = next_victim(s, p, now_ms);

	if (slot == NO_SLOT)
		slot = s->n_answers++;
	else
		forget(s, slot, now_ms);
	struct answer_slot *a = &s->answers[slot];
	memcpy(a->request_id, id, REQUEST_ID_SIZE);
	memcpy(a->request_hash, request_hash->b, RECORDED_HASH_SIZE);
	a->principal = (uint32_t)p->p.id;
	a->made = index;
	enter(s, slot);
	answer_set(s, a, index, now_ms, verdict);
}

void answer_read(const struct answer_slot *a, struct recorded *ret)
{
	ret->index = a->index;
	ret->time_ms = answer_id_ms(a->request_id) + a->since_ms - STATE_AHEAD_MS;
	ret->verdict = a->verdict;
	memcpy(ret->request_hash, a->request_hash, RECORDED_HASH_SIZE);
}

static int enter_checked(struct state *s, uint32_t slot, uint64_t made_before)
{
	const struct answer_slot *a = &s->answers[slot];
	const struct principal_slot *p = principal_slot(s, a->principal);
	struct answer_key key = {a->principal, a->request_id};

	if (a->principal == 0 || a->made <= made_before || a->made > a->index || a->index >= s->head.size ||
	    a->since_ms > s->limits.requests_window_ms + STATE_AHEAD_MS ||
	    (p != NULL && p->recorded >= s->limits.requests_per_principal_max) ||
	    index_find(&s->answer_index, hash_of(s, key.principal, key.id), same, s, &key) >= 0)
		return CS_ERR_DAMAGED; /* A slot without a record, or one that cannot be. */
	enter(s, slot);
	return 0;
}

int answers_loaded(struct state *s)
{
	struct list_order *order = calloc((size_t)s->n_answers + 1, sizeof(*order));
	int err = 0;

	if (order == NULL)
		return CS_ERR_NOMEM;
	for (uint32_t i = 0; i < s->n_answers; i++)
		order[i] = (struct list_order){s->answers[i].made, i};
	list_sort(order, s->n_answers);
	for (uint32_t i = 0; i < s->n_answers && err == 0; i++)
		err = enter_checked(s, order[i].slot, i > 0 ? order[i - 1].number : 0);
	free(order);
	return err;
}
