/* World counts: found by value, the least recently used of its kind makes room; records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/world.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

#define SLOT_SIZE (8 + 8 + 8 + 8 + 8) /* In records. */

static const uint32_t slots_of[WORLD_COUNT] = {
#define WORLD_SLOTS_OF(name, slots) slots,
        WORLD_LIST(WORLD_SLOTS_OF)
#undef WORLD_SLOTS_OF
};

static uint32_t first_of(enum world_kind k)
{
	uint32_t first = 0;

	for (unsigned i = 0; i < (unsigned)k; i++)
		first += slots_of[i];
	return first;
}

static enum world_kind kind_of(uint32_t slot)
{
	unsigned k = 0;

	for (; slot >= slots_of[k]; k++)
		slot -= slots_of[k];
	return (enum world_kind)k;
}

int world_new(struct world *ret)
{
	ret->slots = calloc(WORLD_SLOTS, sizeof(*ret->slots));
	if (ret->slots == NULL || index_new(&ret->index, WORLD_SLOTS) != 0)
		return CS_ERR_NOMEM;
	randombytes_buf(ret->index_key, sizeof(ret->index_key));
	return 0;
}

void world_free(struct world *w)
{
	index_free(&w->index);
	free(w->slots);
}

/* With a key of our own: nobody can prepare addresses that crowd into one place of the index. */
static uint32_t hash_of(const struct world *w, enum world_kind k, uint64_t value)
{
	uint64_t v = (value ^ w->index_key[0]) * (w->index_key[1] | 1) + k;

	v ^= v >> 32;
	return (uint32_t)((v * UINT64_C(0x9e3779b97f4a7c15)) >>
	                  32); /* 2^64 over the golden ratio: Fibonacci hashing. */
}

struct wanted {
	const struct world *w;
	enum world_kind kind;
	uint64_t value;
};

static bool same(const void *ctx, uint32_t slot, const void *key)
{
	const struct wanted *n = key;
	uint32_t first = first_of(n->kind);

	(void)ctx;
	return n->w->slots[slot].value == n->value && slot >= first && slot - first < slots_of[n->kind];
}

static int64_t find(const struct world *w, enum world_kind k, uint64_t value)
{
	struct wanted n = {w, k, value};

	return value == 0 ? -1 : index_find(&w->index, hash_of(w, k, value), same, NULL, &n);
}

const struct world_slot *world_find(const struct world *w, enum world_kind k, uint64_t value)
{
	int64_t slot = find(w, k, value);

	return slot < 0 ? NULL : &w->slots[slot];
}

static void page_dirty(struct world *w, uint32_t slot)
{
	bool *dirty = &w->dirty_pages[slot / WORLD_PAGE];

	w->n_dirty_pages += !*dirty;
	*dirty = true;
	w->totals_dirty = true;
}

static uint32_t take_slot(struct world *w, enum world_kind k)
{
	if (w->used[k] < slots_of[k])
		return first_of(k) + w->used[k]++;
	uint32_t slot = list_oldest(&w->lists[k]);
	index_remove(&w->index, hash_of(w, k, w->slots[slot].value), slot);
	list_remove(&w->lists[k], LINKS(w->slots, use), slot);
	return slot;
}

static struct world_slot *touch(struct world *w, enum world_kind k, uint64_t value)
{
	int64_t found = find(w, k, value);
	uint32_t slot;

	if (found >= 0) {
		slot = (uint32_t)found;
		list_remove(&w->lists[k], LINKS(w->slots, use), slot);
	} else {
		slot = take_slot(w, k);
		w->slots[slot] = (struct world_slot){.value = value};
		index_add(&w->index, hash_of(w, k, value), slot);
	}
	list_add(&w->lists[k], LINKS(w->slots, use), slot);
	w->slots[slot].touch = ++w->touches;
	page_dirty(w, slot);
	return &w->slots[slot];
}

void world_count(struct world *w, enum world_kind k, uint64_t value, unsigned quarters)
{
	touch(w, k, value)->count += quarters;
	w->totals[k] += quarters;
}

void world_asked(struct world *w, enum world_kind k, uint64_t value, uint64_t now_ms)
{
	rate_add(&touch(w, k, value)->rate, now_ms, RATE_HALF_LIFE_MS);
}

uint64_t world_pair(uint64_t a, uint64_t b)
{
	/* Both are hashes already: rotated apart and mixed (splitmix64's finaliser), not made secret. */
	uint64_t v = (a << 29 | a >> 35) ^ b;

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	v ^= v >> 31;
	return v != 0 ? v : 1;
}

/* --- records --- */

void world_write_page(struct writer *w, const struct world *world, uint32_t page)
{
	uint8_t bytes[WORLD_PAGE * SLOT_SIZE], *b = bytes;

	for (uint32_t i = 0; i < WORLD_PAGE; i++, b += SLOT_SIZE) {
		const struct world_slot *s = &world->slots[page * WORLD_PAGE + i];
		put_u64be(b, s->value);
		put_u64be(b + 8, s->touch);
		put_u64be(b + 16, s->count);
		put_u64be(b + 24, s->rate.time_ms);
		put_u64be(b + 32, s->rate.value);
	}
	writer_array(w, 1);
	writer_bin(w, bytes, sizeof(bytes));
}

void world_write_totals(struct writer *w, const struct world *world)
{
	writer_array(w, 1 + WORLD_COUNT);
	writer_uint(w, world->touches);
	for (unsigned k = 0; k < WORLD_COUNT; k++)
		writer_uint(w, world->totals[k]);
}

static void read_page(struct reader *r, struct world *ret, uint32_t page)
{
	uint8_t bytes[WORLD_PAGE * SLOT_SIZE] = {0};
	const uint8_t *b = bytes;

	reader_array_exact(r, 1);
	reader_bin_exact(r, bytes, sizeof(bytes));
	for (uint32_t i = 0; i < WORLD_PAGE; i++, b += SLOT_SIZE)
		ret->slots[page * WORLD_PAGE + i] =
		        (struct world_slot){.value = get_u64be(b),
		                            .touch = get_u64be(b + 8),
		                            .count = get_u64be(b + 16),
		                            .rate = {.time_ms = get_u64be(b + 24), .value = get_u64be(b + 32)}};
}

void world_read(struct reader *r, struct world *ret, uint64_t number)
{
	if (number < WORLD_PAGES) {
		read_page(r, ret, (uint32_t)number);
		return;
	}
	if (number > WORLD_PAGES) {
		r->err = CS_ERR_DAMAGED;
		return;
	}
	reader_array_exact(r, 1 + WORLD_COUNT);
	reader_uint(r, UINT64_MAX, &ret->touches);
	for (unsigned k = 0; k < WORLD_COUNT; k++)
		reader_uint(r, UINT64_MAX, &ret->totals[k]);
}

int world_loaded(struct world *w)
{
	struct list_order *order = calloc(WORLD_SLOTS, sizeof(*order));
	size_t n = 0;
	int err = 0;

	if (order == NULL)
		return CS_ERR_NOMEM;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
		if (w->slots[slot].value == 0)
			continue;
		enum world_kind k = kind_of(slot);
		/* A kind's slots fill from its first on: a hole is a page that is missing. */
		err = slot == first_of(k) + w->used[k]++ ? err : CS_ERR_DAMAGED;
		order[n++] = (struct list_order){w->slots[slot].touch, slot};
	}
	list_sort(order, n);
	for (size_t i = 0; i < n && err == 0; i++) {
		uint32_t slot = order[i].slot;
		const struct world_slot *s = &w->slots[slot];
		enum world_kind k = kind_of(slot);
		if (s->touch == 0 || s->touch > w->touches || (i > 0 && order[i - 1].number == s->touch) ||
		    find(w, k, s->value) >= 0) {
			err = CS_ERR_DAMAGED;
		} else {
			index_add(&w->index, hash_of(w, k, s->value), slot);
			list_add(&w->lists[k], LINKS(w->slots, use), slot);
		}
	}
	free(order);
	return err;
}
