/* The table of grants and warnings: bounded, a quota for each principal and subject, forgotten when expired. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state.h"

void value_key(uint8_t ret[HASH_SIZE], struct text t)
{
	if (t.len == 0)
		memset(ret, 0, HASH_SIZE);
	else
		crypto_generichash(ret, HASH_SIZE, (const uint8_t *)t.s, t.len, NULL, 0);
}

void context_key(uint8_t ret[HASH_SIZE], const struct request *q, const char *name)
{
	const struct named_value *v = request_context(q, name);

	value_key(ret, v != NULL && v->type == VALUE_STR ? v->str : (struct text){0});
}

/* --- one subject's --- */

struct gathered {
	const uint8_t *subject;
	unsigned n;
	uint32_t slots[STANDING_PER_SUBJECT_MAX];
};

static bool gather(const void *ctx, uint32_t slot, const void *key)
{
	/* index_find goes on as long as this says no: that it does so for all of the subject's is its use here. */
	struct gathered *g = *(struct gathered *const *)key;
	const struct state *s = ctx;

	if (memcmp(s->standing[slot].subject, g->subject, HASH_SIZE) == 0) {
		assert(g->n < STANDING_PER_SUBJECT_MAX);
		g->slots[g->n++] = slot;
	}
	return false;
}

static int by_index(const struct state *s, uint32_t a, uint32_t b)
{
	return s->standing[a].index < s->standing[b].index ? -1 : 1;
}

/* Ascending by index: in the index's own order nothing may show. */
static void gather_all(const struct state *s, const uint8_t subject[HASH_SIZE], struct gathered *ret)
{
	struct gathered *g = ret;

	*ret = (struct gathered){.subject = subject};
	index_find(&s->standing_index, get_u32be(subject), gather, s, &g);
	for (unsigned i = 1; i < g->n; i++)
		for (unsigned k = i; k > 0 && by_index(s, g->slots[k], g->slots[k - 1]) < 0; k--) {
			uint32_t t = g->slots[k];
			g->slots[k] = g->slots[k - 1];
			g->slots[k - 1] = t;
		}
}

unsigned standing_of(const struct state *s, const uint8_t subject[HASH_SIZE], uint64_t now_ms,
                     const struct standing *ret[STANDING_PER_SUBJECT_MAX])
{
	struct gathered g;
	unsigned n = 0;

	gather_all(s, subject, &g);
	for (unsigned i = 0; i < g.n; i++)
		if (now_ms < s->standing[g.slots[i]].expiry_ms)
			ret[n++] = &s->standing[g.slots[i]];
	return n;
}

const struct standing *standing_by_index(const struct state *s, uint64_t index)
{
	for (uint32_t i = 0; i < s->n_standing; i++)
		if (s->standing[i].index == index && index != 0)
			return &s->standing[i];
	return NULL;
}

/* --- the table --- */

static void mark(struct state *s, uint32_t slot)
{
	struct standing *t = &s->standing[slot];

	if (t->mark == s->epoch)
		return;
	take_standing(s, slot);
	t->mark = s->epoch;
	s->marked_standing.changed[s->marked_standing.n_changed++] = slot;
}

static void enter(struct state *s, uint32_t slot)
{
	struct principal_slot *p = principal_slot(s, s->standing[slot].principal);

	index_add(&s->standing_index, get_u32be(s->standing[slot].subject), slot);
	list_add(&s->standing_list, LINKS(s->standing, all), slot);
	s->n_standing_kept++;
	if (p != NULL)
		p->standing++;
}

static void drop(struct state *s, struct standing *t)
{
	uint32_t slot = (uint32_t)(t - s->standing);
	struct principal_slot *p = principal_slot(s, t->principal);

	mark(s, slot);
	index_remove(&s->standing_index, get_u32be(t->subject), slot);
	list_remove(&s->standing_list, LINKS(s->standing, all), slot);
	s->n_standing_kept--;
	if (p != NULL)
		p->standing--;
	t->index = 0;
	list_add(&s->standing_free, LINKS(s->standing, all), slot);
}

void standing_drop_index(struct state *s, const uint8_t subject[HASH_SIZE], uint64_t index)
{
	struct gathered g;

	gather_all(s, subject, &g);
	for (unsigned i = 0; i < g.n; i++)
		if (s->standing[g.slots[i]].index == index)
			drop(s, &s->standing[g.slots[i]]);
}

static bool bounded(const struct state *s, const struct principal_slot *p, const uint8_t subject[HASH_SIZE])
{
	struct gathered g;

	gather_all(s, subject, &g);
	return g.n == STANDING_PER_SUBJECT_MAX || s->n_standing_kept >= s->limits.standing_max ||
	       p->standing >= s->limits.standing_per_principal_max;
}

/* All of them or none, as in the table of requests that wait. */
static void forget_expired(struct state *s, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	if (now_ms < s->standing_expired_ms)
		return;
	for (uint32_t i = 0; i < s->n_standing; i++) {
		struct standing *t = &s->standing[i];
		if (t->index == 0)
			continue;
		if (now_ms >= t->expiry_ms)
			drop(s, t);
		else if (t->expiry_ms < next)
			next = t->expiry_ms;
	}
	s->standing_expired_ms = next;
}

bool standing_has_room(struct state *s, const struct principal_slot *p, const uint8_t subject[HASH_SIZE],
                       uint64_t now_ms)
{
	if (bounded(s, p, subject))
		forget_expired(s, now_ms);
	return !bounded(s, p, subject);
}

void standing_add(struct state *s, const struct standing *like)
{
	uint32_t slot = list_newest(&s->standing_free);

	if (slot == NO_SLOT)
		slot = s->n_standing++;
	else
		list_remove(&s->standing_free, LINKS(s->standing, all), slot);
	assert(slot < s->limits.standing_max);
	mark(s, slot);
	s->standing[slot] = *like;
	s->standing[slot].all = (struct link){0};
	s->standing[slot].mark = s->epoch;
	if (like->expiry_ms < s->standing_expired_ms)
		s->standing_expired_ms = like->expiry_ms;
	enter(s, slot);
}

static int enter_checked(struct state *s, uint32_t slot, const struct standing *before)
{
	const struct standing *t = &s->standing[slot];
	const struct principal_slot *p = principal_slot(s, t->principal);
	struct gathered g;

	if (!state_has_entry(s, t->index) || (before != NULL && before->index == t->index))
		return CS_ERR_DAMAGED;
	gather_all(s, t->subject, &g);
	if (g.n == STANDING_PER_SUBJECT_MAX || (p != NULL && p->standing >= s->limits.standing_per_principal_max))
		return CS_ERR_DAMAGED;
	enter(s, slot);
	return 0;
}

int standing_loaded(struct state *s)
{
	struct list_order *order = calloc((size_t)s->n_standing + 1, sizeof(*order));
	uint32_t n = 0;
	int err = 0;

	if (order == NULL)
		return CS_ERR_NOMEM;
	for (uint32_t i = 0; i < s->n_standing; i++) {
		if (s->standing[i].index != 0)
			order[n++] = (struct list_order){s->standing[i].index, i};
		else
			list_add(&s->standing_free, LINKS(s->standing, all), i);
	}
	list_sort(order, n);
	for (uint32_t i = 0; i < n && err == 0; i++)
		err = enter_checked(s, order[i].slot, i > 0 ? &s->standing[order[i - 1].slot] : NULL);
	free(order);
	return err;
}
