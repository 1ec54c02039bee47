/* Keys that were replaced: which are still good beside those in their place, and none comes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/state.h"
#include "node/decide/state_records.h"

#define REPLACED_ELEMENTS 7
#define KEY_SIZE          32

int keys_new(struct state *s)
{
	s->replaced = calloc(KEYS_REPLACED_MAX, sizeof(*s->replaced));
	return s->replaced == NULL ? CS_ERR_NOMEM : 0;
}

void keys_close(struct state *s)
{
	free(s->replaced);
}

/* They are numbered in order of age; each has the place of its number, modulo the size of the table. */
static struct key_slot *slot_of(const struct state *s, uint64_t number)
{
	return &s->replaced[number % KEYS_REPLACED_MAX];
}

static uint64_t first_number(const struct state *s)
{
	return s->replaced_made < KEYS_REPLACED_MAX ? 0 : s->replaced_made - KEYS_REPLACED_MAX;
}

unsigned keys_replaced_count(const struct state *s)
{
	return (unsigned)(s->replaced_made - first_number(s));
}

const struct key_replaced *keys_replaced(const struct state *s, unsigned i)
{
	return &slot_of(s, first_number(s) + i)->k;
}

static struct key_slot *newest(const struct state *s, unsigned place, uint64_t id)
{
	for (uint64_t n = s->replaced_made; n > first_number(s); n--) {
		struct key_slot *k = slot_of(s, n - 1);
		if (k->k.place == place && k->k.id == id)
			return k;
	}
	return NULL;
}

const struct key_replaced *keys_before(const struct state *s, unsigned place, uint64_t id)
{
	const struct key_slot *k = newest(s, place, id);

	return k != NULL ? &k->k : NULL;
}

const struct key_replaced *keys_overlap(const struct state *s, unsigned place, uint64_t id)
{
	if (s->keys_next_end == 0) /* Nearly always: nobody looks through the table. */
		return NULL;
	const struct key_replaced *k = keys_before(s, place, id);
	return k != NULL && k->until > s->head.size ? k : NULL;
}

const struct key_replaced *keys_good_at(const struct state *s, unsigned place, uint64_t id, uint64_t size)
{
	const struct key_replaced *k = keys_before(s, place, id);

	return k != NULL && k->until >= size ? k : NULL;
}

bool keys_was_used(const struct state *s, const uint8_t pub[32])
{
	for (uint64_t n = first_number(s); n < s->replaced_made; n++)
		if (memcmp(slot_of(s, n)->k.pub, pub, KEY_SIZE) == 0)
			return true;
	return false;
}

static void find_next_end(struct state *s, uint64_t size)
{
	uint64_t next = 0;

	for (uint64_t n = first_number(s); n < s->replaced_made; n++) {
		uint64_t until = slot_of(s, n)->k.until;
		if (until > size && (next == 0 || until < next))
			next = until;
	}
	s->keys_next_end = next;
}

static void dirty(struct state *s, struct key_slot *k)
{
	s->n_dirty_replaced += !k->dirty;
	k->dirty = true;
}

void keys_replace(struct state *s, unsigned place, uint64_t id, const uint8_t pub[32], uint64_t added, uint64_t overlap)
{
	uint64_t index = s->head.size;
	struct key_slot *before = newest(s, place, id), *k = slot_of(s, s->replaced_made);
	uint64_t since = before != NULL ? before->k.index + 1 : added;

	if (before != NULL && before->k.until > index) {
		before->k.until = index;
		dirty(s, before);
	}
	k->number = s->replaced_made++;
	k->k = (struct key_replaced){
	        .place = place, .id = id, .since = since, .until = index + overlap, .index = index};
	memcpy(k->k.pub, pub, KEY_SIZE);
	dirty(s, k);
	find_next_end(s, index + 1);
}

bool keys_end(struct state *s)
{
	if (s->keys_next_end == 0 || s->head.size < s->keys_next_end)
		return false;
	find_next_end(s, s->head.size);
	return true;
}

/* --- records --- */

int keys_take(struct state *s, credential_record_fn emit)
{
	int err = 0;

	for (uint32_t i = 0; err == 0 && s->n_dirty_replaced > 0 && i < KEYS_REPLACED_MAX; i++) {
		const struct key_replaced *k = &s->replaced[i].k;
		struct writer w;
		if (!s->replaced[i].dirty)
			continue;
		writer_init(&w, s->record, STATE_RECORD_SIZE_MAX);
		writer_array(&w, REPLACED_ELEMENTS);
		writer_uint(&w, s->replaced[i].number);
		writer_uint(&w, k->place);
		writer_uint(&w, k->id);
		writer_bin(&w, k->pub, KEY_SIZE);
		writer_uint(&w, k->since);
		writer_uint(&w, k->until);
		writer_uint(&w, k->index);
		s->replaced[i].dirty = false;
		err = emit(s, RECORD_KEY, i, &w);
	}
	s->n_dirty_replaced = 0;
	return err;
}

void key_load(struct state *s, struct reader *r, uint64_t slot)
{
	struct key_replaced k = {0};
	uint64_t number = 0, place = 0;

	reader_array_exact(r, REPLACED_ELEMENTS);
	reader_uint(r, STATE_INDEX_MAX, &number);
	reader_uint(r, KEY_PLACE_MAX, &place);
	reader_uint(r, PRINCIPAL_ID_MAX, &k.id);
	reader_bin_exact(r, k.pub, KEY_SIZE);
	reader_uint(r, STATE_INDEX_MAX, &k.since);
	reader_uint(r, STATE_INDEX_MAX + KEY_OVERLAP_MAX, &k.until);
	reader_uint(r, STATE_INDEX_MAX, &k.index);
	if (r->err == 0 && (slot >= KEYS_REPLACED_MAX || number % KEYS_REPLACED_MAX != slot || place == 0 ||
	                    k.since > k.index || !state_feature(s, FEATURE_RECORDS)))
		r->err = CS_ERR_DAMAGED;
	if (r->err != 0)
		return;
	k.place = (unsigned)place;
	s->replaced[slot] = (struct key_slot){.k = k, .number = number};
	if (number >= s->replaced_made)
		s->replaced_made = number + 1;
}

int keys_loaded(struct state *s)
{
	for (uint64_t n = first_number(s); n < s->replaced_made; n++) {
		const struct key_slot *k = slot_of(s, n);
		if (k->k.place == 0 || k->number != n || k->k.index >= s->head.size)
			return CS_ERR_DAMAGED;
	}
	find_next_end(s, s->head.size);
	return 0;
}
