/* The table of open challenges: never evicted before their time, refused when full, a quota for each client. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/state.h"

/* Indexes of the log rise one by one: spread by the golden ratio. */
static uint32_t hash_of(uint64_t index)
{
	return (uint32_t)(index * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct state *s = ctx;

	return s->challenges[slot].c.index == *(const uint64_t *)key;
}

static bool outlived(const struct challenge_slot *c, uint64_t now_ms)
{
	return now_ms >= c->made_ms + STATE_CHALLENGE_MS;
}

struct challenge_slot *challenge_find(const struct state *s, uint64_t index, uint64_t now_ms)
{
	int64_t slot = index_find(&s->challenge_index, hash_of(index), same, s, &index);

	return slot < 0 || outlived(&s->challenges[slot], now_ms) ? NULL : &s->challenges[slot];
}

const char *challenge_bound(const struct state *s, const struct principal_slot *p, size_t request_len)
{
	if (p->open >= s->limits.challenges_per_principal_max)
		return "too many open challenges of this client, its quota is used up";
	if (p->open_bytes + request_len > STATE_CHALLENGE_BYTES_MAX / 2)
		return "too many bytes in the open challenges of this client, its quota is used up";
	if (s->n_open >= s->limits.challenges_max)
		return "too many open challenges of all clients";
	if (s->challenge_bytes + request_len > STATE_CHALLENGE_BYTES_MAX)
		return "too many bytes in the open challenges of all clients";
	return NULL;
}

static void mark(struct state *s, uint32_t slot)
{
	struct challenge_slot *c = &s->challenges[slot];

	if (c->mark == s->epoch)
		return;
	take_challenge(s, slot);
	c->mark = s->epoch;
	s->marked_challenges.changed[s->marked_challenges.n_changed++] = slot;
}

/* Into the index, the lists and the sums. */
static void enter(struct state *s, uint32_t slot)
{
	struct challenge_slot *c = &s->challenges[slot];
	struct principal_slot *p = principal_slot(s, c->c.principal);

	index_add(&s->challenge_index, hash_of(c->c.index), slot);
	list_add(&s->challenge_list, LINKS(s->challenges, all), slot);
	s->n_open++;
	s->challenge_bytes += c->request_len;
	if (p == NULL)
		return; /* Removed, and its place was taken: nobody can answer, it only has to outlive its time. */
	list_add(&p->challenges, LINKS(s->challenges, own), slot);
	p->open++;
	p->open_bytes += c->request_len;
}

bool challenge_reserve(struct state *s)
{
	if (s->challenge_spare == NULL)
		s->challenge_spare = malloc(REQUEST_SIZE_MAX);
	return s->challenge_spare != NULL;
}

struct challenge_slot *challenge_add(struct state *s, uint64_t index, uint64_t principal, const void *request,
                                     size_t len)
{
	uint32_t slot = list_newest(&s->challenge_free);

	if (slot == NO_SLOT)
		slot = s->n_challenges++;
	else
		list_remove(&s->challenge_free, LINKS(s->challenges, all), slot);
	assert(slot < s->limits.challenges_max);
	struct challenge_slot *c = &s->challenges[slot];
	assert(c->request == NULL);
	mark(s, slot);
	memset(c, 0, sizeof(*c));
	c->mark = s->epoch;
	c->c.index = index;
	c->c.principal = principal;
	assert(s->challenge_spare != NULL && len <= REQUEST_SIZE_MAX);
	memcpy(s->challenge_spare, request, len);
	uint8_t *fitted = realloc(s->challenge_spare, len);
	if (fitted != NULL)
		s->challenge_spare = fitted;
	c->request = s->challenge_spare;
	s->challenge_spare = NULL;
	c->request_len = len;
	enter(s, slot);
	return c;
}

void challenge_drop(struct state *s, struct challenge_slot *c)
{
	uint32_t slot = (uint32_t)(c - s->challenges);
	struct principal_slot *p = principal_slot(s, c->c.principal);

	mark(s, slot);
	index_remove(&s->challenge_index, hash_of(c->c.index), slot);
	list_remove(&s->challenge_list, LINKS(s->challenges, all), slot);
	s->n_open--;
	s->challenge_bytes -= c->request_len;
	if (p != NULL) {
		list_remove(&p->challenges, LINKS(s->challenges, own), slot);
		p->open--;
		p->open_bytes -= c->request_len;
	}
	sodium_memzero(c->request, c->request_len);
	free(c->request);
	c->request = NULL;
	c->c.index = 0;
	list_add(&s->challenge_free, LINKS(s->challenges, all), slot);
}

static void purge(struct state *s, const struct list *l, uint64_t now_ms)
{
	for (unsigned n = 0; n < STATE_PURGE_MAX; n++) {
		uint32_t slot = list_oldest(l);
		if (slot == NO_SLOT || !outlived(&s->challenges[slot], now_ms))
			break;
		challenge_drop(s, &s->challenges[slot]);
	}
}

void challenges_purge(struct state *s, uint64_t now_ms, uint64_t principal)
{
	const struct principal_slot *p = principal_slot(s, principal);

	purge(s, &s->challenge_list, now_ms);
	if (p != NULL)
		purge(s, &p->challenges, now_ms); /* Its quota must not wait for those of others to be cleared away. */
}

static int enter_checked(struct state *s, uint32_t slot, const struct challenge_slot *before)
{
	const struct challenge_slot *c = &s->challenges[slot];
	const struct principal_slot *p = principal_slot(s, c->c.principal);
	struct request q;

	if (c->c.index >= s->head.size || c->request == NULL || request_decode(&q, c->request, c->request_len) != 0 ||
	    (before != NULL && (before->c.index == c->c.index || before->made_ms > c->made_ms)) ||
	    (p != NULL && challenge_bound(s, p, c->request_len) != NULL))
		return CS_ERR_DAMAGED;
	enter(s, slot);
	return 0;
}

int challenges_loaded(struct state *s)
{
	struct list_order *order = calloc((size_t)s->n_challenges + 1, sizeof(*order));
	uint32_t n = 0;
	int err = 0;

	if (order == NULL)
		return CS_ERR_NOMEM;
	for (uint32_t i = 0; i < s->n_challenges; i++) {
		if (s->challenges[i].c.index != 0)
			order[n++] = (struct list_order){s->challenges[i].c.index, i};
		else
			list_add(&s->challenge_free, LINKS(s->challenges, all), i);
	}
	list_sort(order, n);
	for (uint32_t i = 0; i < n && err == 0; i++)
		err = enter_checked(s, order[i].slot, i > 0 ? &s->challenges[order[i - 1].slot] : NULL);
	free(order);
	return err;
}
