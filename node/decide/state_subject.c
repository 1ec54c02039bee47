/* The table of subjects: found by key, the least recently used makes room. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/state.h"

void subject_key(uint8_t ret[HASH_SIZE], struct text type, struct text id)
{
	uint8_t both[2 * REQUEST_STR_SIZE_MAX + 1];

	memcpy(both, type.s, type.len);
	both[type.len] = 0; /* No text holds NUL: two pairs never look alike. */
	memcpy(both + type.len + 1, id.s, id.len);
	crypto_generichash(ret, HASH_SIZE, both, type.len + 1 + id.len, NULL, 0);
}

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct state *s = ctx;

	return memcmp(s->subjects[slot].key, key, HASH_SIZE) == 0;
}

const struct subject *subject_find(const struct state *s, const uint8_t key[HASH_SIZE])
{
	int64_t slot = index_find(&s->subject_index, get_u32be(key), same, s, key);

	return slot < 0 ? NULL : &s->subjects[slot];
}

static uint32_t take_slot(struct state *s)
{
	uint32_t slot;

	if (s->n_subjects < s->limits.subjects_max)
		return s->n_subjects++;
	slot = list_oldest(&s->subject_list);
	index_remove(&s->subject_index, get_u32be(s->subjects[slot].key), slot);
	list_remove(&s->subject_list, LINKS(s->subjects, use), slot);
	return slot;
}

static void mark(struct state *s, uint32_t slot)
{
	struct subject *u = &s->subjects[slot];

	if (u->mark == s->epoch)
		return;
	take_subject(s, slot);
	u->mark = s->epoch;
	s->marked_subjects.changed[s->marked_subjects.n_changed++] = slot;
}

struct subject *subject_touch(struct state *s, const uint8_t key[HASH_SIZE])
{
	int64_t found = index_find(&s->subject_index, get_u32be(key), same, s, key);
	uint32_t slot;

	if (found >= 0) {
		slot = (uint32_t)found;
		list_remove(&s->subject_list, LINKS(s->subjects, use), slot);
		mark(s, slot);
	} else {
		slot = take_slot(s);
		mark(s, slot);
		pasts_forget(s->pasts, &s->subjects[slot].past);
		memset(&s->subjects[slot], 0, sizeof(s->subjects[slot]));
		memcpy(s->subjects[slot].key, key, HASH_SIZE);
		s->subjects[slot].mark = s->epoch;
		index_add(&s->subject_index, get_u32be(key), slot);
	}
	list_add(&s->subject_list, LINKS(s->subjects, use), slot);
	s->subjects[slot].touch = ++s->touches;
	return &s->subjects[slot];
}

const struct past *subject_past(const struct state *s, const struct subject *u)
{
	return pasts_look(s->pasts, &s->subjects[u - s->subjects].past);
}

struct past *subject_past_change(struct state *s, struct subject *u)
{
	return pasts_change(s->pasts, &u->past);
}

bool subject_reset(struct state *s, const uint8_t key[HASH_SIZE], uint64_t index)
{
	int64_t found = index_find(&s->subject_index, get_u32be(key), same, s, key);

	if (found < 0)
		return false;
	struct subject *u = &s->subjects[found];
	mark(s, (uint32_t)found);
	u->subject_chain = u->actor_chain = (struct chain){.last = index};
	pasts_forget(s->pasts, &u->past);
	return true;
}

int subjects_loaded(struct state *s)
{
	struct list_order *order = calloc((size_t)s->n_subjects + 1, sizeof(*order));
	int err = 0;

	if (order == NULL)
		return CS_ERR_NOMEM;
	for (uint32_t i = 0; i < s->n_subjects; i++)
		order[i] = (struct list_order){s->subjects[i].touch, i};
	list_sort(order, s->n_subjects);
	for (uint32_t i = 0; i < s->n_subjects && err == 0; i++) {
		struct subject *u = &s->subjects[order[i].slot];
		if (u->touch == 0 || u->touch > s->touches || (i > 0 && order[i - 1].number == u->touch) ||
		    subject_find(s, u->key) != NULL) {
			err = CS_ERR_DAMAGED; /* A slot without a record, or two that cannot both be. */
		} else {
			index_add(&s->subject_index, get_u32be(u->key), order[i].slot);
			list_add(&s->subject_list, LINKS(s->subjects, use), order[i].slot);
		}
	}
	free(order);
	return err;
}
