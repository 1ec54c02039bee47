/* The table of principals. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/state.h"

/* Ids are given in order: their low bits spread well enough. */
static uint32_t hash_of(uint64_t id)
{
	return (uint32_t)id;
}

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct state *s = ctx;

	return s->principals[slot].p.id == *(const uint64_t *)key;
}

struct principal_slot *principal_slot(const struct state *s, uint64_t id)
{
	int64_t slot = index_find(&s->principal_index, hash_of(id), same, s, &id);

	return slot < 0 ? NULL : &s->principals[slot];
}

void principal_dirty(struct state *s, struct principal_slot *p)
{
	if (!p->dirty)
		s->n_dirty_principals++;
	p->dirty = true;
}

void principal_index_slot(struct state *s, uint32_t slot)
{
	index_add(&s->principal_index, hash_of(s->principals[slot].p.id), slot);
}

static uint32_t removed_lowest(const struct state *s)
{
	uint32_t best = NO_SLOT;

	for (uint32_t i = 0; i < s->n_principals; i++)
		if (s->principals[i].p.removed && (best == NO_SLOT || s->principals[i].p.id < s->principals[best].p.id))
			best = i;
	return best;
}

bool principal_has_room(const struct state *s)
{
	return s->principals_made < PRINCIPAL_ID_MAX &&
	       (s->n_principals < s->limits.principals_max || removed_lowest(s) != NO_SLOT);
}

struct principal_slot *principal_add(struct state *s)
{
	uint32_t slot = s->n_principals < s->limits.principals_max ? s->n_principals : removed_lowest(s);

	if (slot == NO_SLOT)
		return NULL;
	struct principal_slot *p = &s->principals[slot];
	if (slot == s->n_principals) {
		s->n_principals++;
	} else {
		index_remove(&s->principal_index, hash_of(p->p.id), slot);
		if (p->dirty)
			s->n_dirty_principals--;
	}
	memset(p, 0, sizeof(*p));
	p->p.id = ++s->principals_made;
	principal_index_slot(s, slot);
	principal_dirty(s, p);
	return p;
}

const struct principal *state_principal(const struct state *s, uint64_t id)
{
	const struct principal_slot *p = principal_slot(s, id);

	return p != NULL ? &p->p : NULL;
}

const struct principal *state_principal_by_name(const struct state *s, const char *name, size_t len)
{
	for (uint32_t i = 0; i < s->n_principals; i++) {
		const struct principal *p = &s->principals[i].p;
		if (!p->removed && strlen(p->name) == len && memcmp(p->name, name, len) == 0)
			return p;
	}
	return NULL;
}

const struct principal *state_principal_by_channel(const struct state *s, const uint8_t pub[32])
{
	for (uint32_t i = 0; i < s->n_principals; i++) {
		const struct principal *p = &s->principals[i].p;
		if (!p->removed && p->has_channel && memcmp(p->channel_pub, pub, 32) == 0)
			return p;
	}
	return NULL;
}

void state_each_principal(const struct state *s, void (*f)(void *ctx, const struct principal *p), void *ctx)
{
	for (uint32_t i = 0; i < s->n_principals; i++)
		f(ctx, &s->principals[i].p);
}

static void count_administrator(void *ctx, const struct principal *p)
{
	unsigned *n = ctx;

	*n += !p->removed && (p->roles & ROLE_ADMINISTER) != 0;
}

unsigned state_administrators(const struct state *s)
{
	unsigned n = 0;

	state_each_principal(s, count_administrator, &n);
	return n;
}
