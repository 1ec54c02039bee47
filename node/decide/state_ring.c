/* Challenges and recorded answers: rings in order of time, never evicted early, refused when full. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/state.h"

/* --- challenges --- */

static struct challenge_slot *challenge_at(const struct state *s, uint64_t seq)
{
	return &s->challenges[seq % s->challenge_ring.cap];
}

struct challenge_slot *challenge_find(const struct state *s, uint64_t index)
{
	uint64_t low = s->challenge_ring.first, high = s->challenge_ring.next;

	while (low < high) { /* The ring is in order of index. */
		uint64_t middle = low + (high - low) / 2;
		if (challenge_at(s, middle)->c.index < index)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == s->challenge_ring.next)
		return NULL;
	struct challenge_slot *c = challenge_at(s, low);
	return c->c.index == index && !c->consumed ? c : NULL;
}

bool challenge_has_room(const struct state *s, size_t request_len)
{
	return s->challenge_ring.next - s->challenge_ring.first < s->challenge_ring.cap &&
	       request_len <= STATE_CHALLENGE_BYTES_MAX - s->challenge_bytes;
}

void challenge_mark(struct state *s, struct challenge_slot *c)
{
	if (!c->dirty)
		s->n_dirty_challenges++;
	c->dirty = true;
}

struct challenge_slot *challenge_add(struct state *s, uint64_t index, const void *request, size_t len)
{
	struct challenge_slot *c = challenge_at(s, s->challenge_ring.next++);

	assert(c->request == NULL && !c->dirty);
	memset(c, 0, sizeof(*c));
	c->c.index = index;
	c->request = malloc(len);
	if (c->request == NULL)
		abort(); /* This node cannot follow the log any more. */
	memcpy(c->request, request, len);
	c->request_len = len;
	s->challenge_bytes += len;
	challenge_mark(s, c);
	return c;
}

static void forget_request(struct state *s, struct challenge_slot *c)
{
	free(c->request);
	c->request = NULL;
	s->challenge_bytes -= c->request_len;
	c->request_len = 0;
}

void challenge_consume(struct state *s, struct challenge_slot *c)
{
	forget_request(s, c);
	c->consumed = true;
	challenge_mark(s, c);
}

static void challenges_purge(struct state *s, uint64_t now_ms)
{
	struct ring *r = &s->challenge_ring;

	for (unsigned n = 0; n < STATE_PURGE_MAX && r->first < r->next; n++) {
		struct challenge_slot *c = challenge_at(s, r->first);
		if (!c->consumed && now_ms < c->made_ms + STATE_CHALLENGE_MS)
			break;
		forget_request(s, c);
		if (c->dirty)
			s->n_dirty_challenges--;
		c->dirty = false;
		r->first++;
	}
}

/* --- recorded answers --- */

/* Ids are random but for their time: their last bytes are the hash. */
uint32_t answer_hash(uint64_t principal, const uint8_t id[REQUEST_ID_SIZE])
{
	return get_u32be(id + REQUEST_ID_SIZE - 4) ^ (uint32_t)(principal * UINT64_C(0x9e3779b97f4a7c15) >> 32);
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

/*
 * An id is accepted while its own time is within the window before now and STATE_AHEAD_MS after it. So one that came
 * that much ahead is acceptable for both together, and must be remembered as long.
 */
uint64_t answer_life_ms(const struct state *s)
{
	return s->limits.requests_window_ms + STATE_AHEAD_MS;
}

static bool answer_expired(const struct state *s, const struct answer_slot *a, uint64_t now_ms)
{
	return now_ms > a->made_ms + answer_life_ms(s);
}

struct answer_slot *answer_find(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                                uint64_t now_ms)
{
	struct answer_key key = {principal, id};
	int64_t slot = index_find(&s->answer_index, answer_hash(principal, id), same, s, &key);

	if (slot < 0 || answer_expired(s, &s->answers[slot], now_ms))
		return NULL;
	return &s->answers[slot];
}

/* Of so many records in all and so many of the principal's. */
static bool has_room(const struct state *s, uint64_t all, uint64_t mine)
{
	return all < s->limits.requests_max && mine < s->limits.requests_per_principal_max;
}

static uint64_t recorded_of(const struct state *s, uint64_t principal)
{
	const struct principal_slot *p = principal_slot(s, principal);

	return p != NULL ? p->recorded : 0;
}

bool answer_has_room(const struct state *s, uint64_t principal, uint64_t now_ms)
{
	const struct ring *r = &s->answer_ring;
	uint64_t all = r->next - r->first, mine = recorded_of(s, principal);

	for (uint64_t seq = r->first; seq < r->next && !has_room(s, all, mine); seq++) {
		const struct answer_slot *a = &s->answers[seq % r->cap];
		if (!answer_expired(s, a, now_ms))
			return false;
		all--;
		mine -= a->principal == principal && mine > 0;
	}
	return has_room(s, all, mine);
}

static void page_mark(struct state *s, uint64_t seq)
{
	bool *dirty = &s->dirty_pages[seq / STATE_PAGE % s->n_pages];

	s->n_dirty_pages += !*dirty;
	*dirty = true;
}

void answer_mark(struct state *s, const struct answer_slot *a)
{
	/* The slot's number gives the sequence back: the one that lies in [first, first + cap). */
	uint64_t slot = (uint64_t)(a - s->answers), first = s->answer_ring.first, cap = s->answer_ring.cap;

	page_mark(s, first + (slot + cap - first % cap) % cap);
}

struct answer_slot *answer_add(struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE], uint64_t now_ms)
{
	uint64_t seq = s->answer_ring.next++;
	uint32_t slot = (uint32_t)(seq % s->answer_ring.cap);
	struct answer_slot *a = &s->answers[slot];
	struct principal_slot *p = principal_slot(s, principal);

	memset(a, 0, sizeof(*a));
	a->principal = principal;
	memcpy(a->request_id, id, REQUEST_ID_SIZE);
	a->made_ms = now_ms;
	index_add(&s->answer_index, answer_hash(principal, id), slot);
	if (p != NULL)
		p->recorded++;
	page_mark(s, seq);
	return a;
}

static void answer_forget_oldest(struct state *s)
{
	struct ring *r = &s->answer_ring;
	uint32_t slot = (uint32_t)(r->first % r->cap);
	const struct answer_slot *a = &s->answers[slot];
	struct principal_slot *p = principal_slot(s, a->principal);
	bool *dirty = &s->dirty_pages[r->first / STATE_PAGE % s->n_pages];

	if (p != NULL)
		p->recorded--;
	index_remove(&s->answer_index, answer_hash(a->principal, a->request_id), slot);
	r->first++;
	if (r->first % STATE_PAGE == 0 && *dirty) { /* The whole page is forgotten. */
		*dirty = false;
		s->n_dirty_pages--;
	}
}

static void answers_purge(struct state *s, uint64_t now_ms, uint64_t principal)
{
	const struct ring *r = &s->answer_ring;

	/* Beyond the usual number only for one who has no room otherwise, or a quiet cluster would stay full. */
	for (unsigned n = 0; r->first < r->next && answer_expired(s, &s->answers[r->first % r->cap], now_ms); n++) {
		if (n >= STATE_PURGE_MAX && has_room(s, r->next - r->first, recorded_of(s, principal)))
			break;
		answer_forget_oldest(s);
	}
}

void state_purge(struct state *s, uint64_t now_ms, uint64_t principal)
{
	uint64_t before = s->challenge_ring.first + s->answer_ring.first;

	challenges_purge(s, now_ms);
	answers_purge(s, now_ms, principal);
	if (s->challenge_ring.first + s->answer_ring.first != before)
		s->head_dirty = true; /* The head says where the rings begin. */
}
