/* The table of people: found by type and id, dense, refused when full. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state.h"

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct state *s = ctx;

	return memcmp(s->people[slot].key, key, HASH_SIZE) == 0;
}

static int64_t find(const struct state *s, const uint8_t key[HASH_SIZE])
{
	return index_find(&s->people_index, get_u32be(key), same, s, key);
}

uint32_t people_count(const struct state *s)
{
	return s->n_people;
}

const struct person *people_at(const struct state *s, uint32_t slot)
{
	assert(slot < s->n_people);
	return &s->people[slot];
}

const struct person *person_find(const struct state *s, const uint8_t key[HASH_SIZE])
{
	int64_t slot = s->n_people > 0 ? find(s, key) : -1;

	return slot < 0 ? NULL : &s->people[slot];
}

const struct person *person_find_typed(const struct state *s, struct text type, struct text id)
{
	uint8_t key[HASH_SIZE];

	if (s->n_people == 0)
		return NULL;
	subject_key(key, type, id);
	return person_find(s, key);
}

void person_record(const struct person *p, struct person_record *ret)
{
	struct reader r;

	reader_init(&r, p->record, p->record_len);
	person_read(&r, ret);
	assert(r.err == 0); /* It was read before it got here. */
}

bool person_record_in_group(const struct person_record *p, struct text group)
{
	for (unsigned i = 0; i < p->n_groups; i++)
		if (text_compare(p->groups[i], group) == 0)
			return true;
	return false;
}

bool person_in_group(const struct state *s, struct text type, struct text id, struct text group)
{
	const struct person *p = person_find_typed(s, type, id);
	struct person_record record;

	if (p == NULL)
		return false;
	person_record(p, &record);
	return record.enabled && person_record_in_group(&record, group);
}

struct text person_first_group(const struct state *s, struct text type, struct text id)
{
	const struct person *p = person_find_typed(s, type, id);
	struct person_record record = {0};

	if (p != NULL)
		person_record(p, &record);
	return record.groups[0];
}

/* --- changes --- */

static void mark(struct state *s, uint32_t slot)
{
	struct person *p = &s->people[slot];

	if (p->mark == s->epoch)
		return;
	take_person(s, slot);
	p->mark = s->epoch;
	s->marked_people.changed[s->marked_people.n_changed++] = slot;
}

/* One more, or one fewer, for whom the record's owner answers. Derived: nothing to be taken. False: no such owner. */
static bool count_owned(struct state *s, const struct person *p, int by)
{
	struct person_record record;
	uint8_t key[HASH_SIZE];

	person_record(p, &record);
	if (record.owner.id.len == 0)
		return true;
	subject_key(key, record.owner.type, record.owner.id);
	int64_t owner = find(s, key);
	if (owner < 0)
		return false;
	s->people[owner].owned += (uint32_t)by;
	return true;
}

static void own(struct state *s, const struct person *p, int by)
{
	bool found = count_owned(s, p, by);

	assert(found); /* check_people: owners come first and go last. */
}

void person_set(struct state *s, uint8_t *record, uint32_t len, uint64_t version)
{
	struct person_record r;
	struct person next = {.record = record, .record_len = len, .version = version};

	person_record(&next, &r);
	subject_key(next.key, r.type, r.id);
	int64_t found = find(s, next.key);
	uint32_t slot = found >= 0 ? (uint32_t)found : s->n_people;
	struct person *p = &s->people[slot];
	mark(s, slot);
	if (found >= 0) {
		own(s, p, -1);
		next.owned = p->owned;
		free(p->record);
	} else {
		assert(s->n_people < s->limits.people_max);
		s->n_people++;
		index_add(&s->people_index, get_u32be(next.key), slot);
	}
	next.mark = p->mark;
	*p = next;
	own(s, p, 1);
}

void person_drop(struct state *s, const uint8_t key[HASH_SIZE])
{
	int64_t found = find(s, key);

	assert(found >= 0);
	uint32_t slot = (uint32_t)found, last = s->n_people - 1;
	struct person *p = &s->people[slot], *end = &s->people[last];
	assert(p->owned == 0);
	mark(s, slot);
	mark(s, last);
	own(s, p, -1);
	index_remove(&s->people_index, get_u32be(p->key), slot);
	free(p->record);
	p->record = NULL;
	if (slot != last) {
		uint32_t kept = p->mark;
		index_remove(&s->people_index, get_u32be(end->key), last);
		*p = *end;
		p->mark = kept;
		end->record = NULL;
		index_add(&s->people_index, get_u32be(p->key), slot);
	}
	s->n_people--;
}

/* --- loading --- */

/* [version, record] */
int person_load(struct state *s, struct reader *r, uint64_t slot)
{
	struct person_record record;
	const uint8_t *bytes = NULL;
	uint64_t version = 0;

	reader_array_exact(r, 2);
	reader_uint(r, STATE_INDEX_MAX, &version);
	bytes = r->pos;
	person_read(r, &record);
	if (r->err != 0 || slot >= s->limits.people_max || s->people[slot].record != NULL)
		return CS_ERR_DAMAGED;
	struct person *p = &s->people[slot];
	p->record_len = (uint32_t)(r->pos - bytes);
	p->record = malloc(p->record_len);
	if (p->record == NULL)
		return CS_ERR_NOMEM;
	memcpy(p->record, bytes, p->record_len);
	p->version = version;
	subject_key(p->key, record.type, record.id);
	if (slot >= s->n_people)
		s->n_people = (uint32_t)slot + 1;
	return 0;
}

int people_loaded(struct state *s)
{
	for (uint32_t i = 0; i < s->n_people; i++) {
		const struct person *p = &s->people[i];
		if (p->record == NULL || find(s, p->key) >= 0 || !state_has_entry(s, p->version))
			return CS_ERR_DAMAGED; /* A slot without a record, or one person in two. */
		index_add(&s->people_index, get_u32be(p->key), i);
	}
	for (uint32_t i = 0; i < s->n_people; i++)
		if (!count_owned(s, &s->people[i], 1))
			return CS_ERR_DAMAGED;
	return 0;
}
