/* The table of requests that wait: never evicted before their end, refused when full, a quota for each client. */
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

	return s->deferred[slot].index == *(const uint64_t *)key;
}

/* Clients choose their ids: keyed, as those of answers. */
static uint32_t id_hash(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE])
{
	uint8_t key[8 + REQUEST_ID_SIZE], hash[crypto_shorthash_BYTES];

	put_u64be(key, principal);
	memcpy(key + 8, id, REQUEST_ID_SIZE);
	crypto_shorthash(hash, key, sizeof(key), s->answer_index_key);
	return get_u32be(hash);
}

struct id_key {
	uint64_t principal;
	const uint8_t *id;
};

static bool same_id(const void *ctx, uint32_t slot, const void *key)
{
	const struct deferred_slot *d = &((const struct state *)ctx)->deferred[slot];
	const struct id_key *k = key;

	return d->principal == k->principal && memcmp(d->request_id, k->id, REQUEST_ID_SIZE) == 0;
}

struct deferred_slot *deferred_find(const struct state *s, uint64_t index)
{
	int64_t slot = index_find(&s->deferred_index, hash_of(index), same, s, &index);

	return slot < 0 ? NULL : &s->deferred[slot];
}

struct deferred_slot *deferred_by_request(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE])
{
	struct id_key key = {principal, id};
	int64_t slot = index_find(&s->deferred_ids, id_hash(s, principal, id), same_id, s, &key);

	return slot < 0 ? NULL : &s->deferred[slot];
}

/* --- room --- */

static const char *bound(const struct state *s, const struct principal_slot *p, size_t request_len)
{
	if (p->deferred >= s->limits.deferred_per_principal_max)
		return "too many requests of this client wait, its quota is used up";
	if (p->deferred_bytes + request_len > DEFERRED_BYTES_MAX / 2)
		return "too many bytes in the requests of this client that wait, its quota is used up";
	if (s->n_deferred_kept >= s->limits.deferred_max)
		return "too many requests of all clients wait";
	if (s->deferred_bytes + request_len > DEFERRED_BYTES_MAX)
		return "too many bytes in the requests of all clients that wait";
	return NULL;
}

/* Kept for its outcome only, and no longer. An open one ends by an entry, and is kept until that is made. */
static bool outlived(const struct deferred_slot *d, uint64_t now_ms)
{
	return d->stage != DEFERRED_OPEN && now_ms >= d->expiry_ms;
}

/* Into the indexes, the list and the sums. */
static void enter(struct state *s, uint32_t slot)
{
	struct deferred_slot *d = &s->deferred[slot];
	struct principal_slot *p = principal_slot(s, d->principal);

	index_add(&s->deferred_index, hash_of(d->index), slot);
	index_add(&s->deferred_ids, id_hash(s, d->principal, d->request_id), slot);
	list_add(&s->deferred_list, LINKS(s->deferred, all), slot);
	s->n_deferred_kept++;
	s->deferred_bytes += d->request_len;
	if (p == NULL)
		return; /* Removed, and its place was taken: it only has to outlive its time. */
	p->deferred++;
	p->deferred_bytes += d->request_len;
}

static void drop(struct state *s, struct deferred_slot *d)
{
	uint32_t slot = (uint32_t)(d - s->deferred);
	struct principal_slot *p = principal_slot(s, d->principal);

	deferred_change(s, d);
	index_remove(&s->deferred_index, hash_of(d->index), slot);
	index_remove(&s->deferred_ids, id_hash(s, d->principal, d->request_id), slot);
	list_remove(&s->deferred_list, LINKS(s->deferred, all), slot);
	s->n_deferred_kept--;
	s->deferred_bytes -= d->request_len;
	if (p != NULL) {
		p->deferred--;
		p->deferred_bytes -= d->request_len;
	}
	sodium_memzero(d->request, d->request_len);
	free(d->request);
	d->request = NULL;
	d->index = 0;
	list_add(&s->deferred_free, LINKS(s->deferred, all), slot);
}

void deferred_drop(struct state *s, struct deferred_slot *d)
{
	drop(s, d);
	deferred_changed(s);
}

/*
 * All of them or none, and only where room is wanted: which slot is whose differs from replica to replica, what is
 * kept must not. The table is small, and looked through at most once for each time that something in it has ended.
 */
static void forget_outlived(struct state *s, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	if (now_ms < s->deferred_outlived_ms)
		return;
	for (uint32_t i = 0; i < s->n_deferred; i++) {
		struct deferred_slot *d = &s->deferred[i];
		if (d->index == 0)
			continue;
		if (outlived(d, now_ms))
			drop(s, d);
		else if (d->stage != DEFERRED_OPEN && d->expiry_ms < next)
			next = d->expiry_ms;
	}
	s->deferred_outlived_ms = next;
}

const char *deferred_bound(struct state *s, const struct principal_slot *p, size_t request_len, uint64_t now_ms)
{
	if (bound(s, p, request_len) != NULL)
		forget_outlived(s, now_ms);
	return bound(s, p, request_len);
}

bool deferred_reserve(struct state *s)
{
	if (s->deferred_spare == NULL)
		s->deferred_spare = malloc(REQUEST_SIZE_MAX);
	return s->deferred_spare != NULL;
}

struct deferred_slot *deferred_add(struct state *s, uint64_t index, uint64_t principal,
                                   const uint8_t id[REQUEST_ID_SIZE], const void *request, size_t len)
{
	uint32_t slot = list_newest(&s->deferred_free);

	if (slot == NO_SLOT)
		slot = s->n_deferred++;
	else
		list_remove(&s->deferred_free, LINKS(s->deferred, all), slot);
	assert(slot < s->limits.deferred_max);
	struct deferred_slot *d = &s->deferred[slot];
	assert(d->request == NULL && s->deferred_spare != NULL && len <= REQUEST_SIZE_MAX);
	deferred_change(s, d);
	memset(d, 0, sizeof(*d));
	d->mark = s->epoch;
	d->index = index;
	d->principal = principal;
	memcpy(d->request_id, id, REQUEST_ID_SIZE);
	memcpy(s->deferred_spare, request, len);
	uint8_t *fitted = realloc(s->deferred_spare, len);
	if (fitted != NULL)
		s->deferred_spare = fitted;
	d->request = s->deferred_spare;
	s->deferred_spare = NULL;
	d->request_len = len;
	enter(s, slot);
	return d;
}

void deferred_change(struct state *s, struct deferred_slot *d)
{
	uint32_t slot = (uint32_t)(d - s->deferred);

	if (d->mark == s->epoch)
		return;
	take_deferred(s, slot);
	d->mark = s->epoch;
	s->marked_deferred.changed[s->marked_deferred.n_changed++] = slot;
}

/* --- what is due --- */

static uint64_t due_ms(const struct deferred_slot *d)
{
	return d->not_before_ms != 0 && d->not_before_ms < d->expiry_ms ? d->not_before_ms : d->expiry_ms;
}

bool deferred_is_due(const struct deferred_slot *d, uint64_t now_ms)
{
	return d->stage == DEFERRED_OPEN && due_ms(d) <= now_ms;
}

void deferred_changed(struct state *s)
{
	s->deferred_due_ms = s->deferred_outlived_ms = 0; /* Not known: the next who asks looks. */
}

struct deferred_slot *deferred_due(struct state *s, uint64_t now_ms)
{
	struct deferred_slot *first = NULL;
	uint64_t next = UINT64_MAX;

	if (now_ms < s->deferred_due_ms)
		return NULL;
	for (uint32_t i = 0; i < s->n_deferred; i++) {
		struct deferred_slot *d = &s->deferred[i];
		uint64_t due = d->index != 0 && d->stage == DEFERRED_OPEN ? due_ms(d) : UINT64_MAX;
		if (due < next || (due == next && first != NULL && d->index < first->index)) {
			next = due;
			first = d;
		}
	}
	s->deferred_due_ms = next;
	return next <= now_ms ? first : NULL;
}

/* --- after a load --- */

static int enter_checked(struct state *s, uint32_t slot, const struct deferred_slot *before)
{
	const struct deferred_slot *d = &s->deferred[slot];
	const struct principal_slot *p = principal_slot(s, d->principal);
	struct request q;

	if (d->newest >= s->head.size || d->index > d->newest || d->request == NULL ||
	    request_decode(&q, d->request, d->request_len) != 0 || (before != NULL && before->index == d->index) ||
	    (p != NULL && bound(s, p, d->request_len) != NULL) ||
	    deferred_by_request(s, d->principal, d->request_id) != NULL)
		return CS_ERR_DAMAGED;
	enter(s, slot);
	return 0;
}

int deferred_loaded(struct state *s)
{
	struct list_order *order = calloc((size_t)s->n_deferred + 1, sizeof(*order));
	uint32_t n = 0;
	int err = 0;

	if (order == NULL)
		return CS_ERR_NOMEM;
	for (uint32_t i = 0; i < s->n_deferred; i++) {
		if (s->deferred[i].index != 0)
			order[n++] = (struct list_order){s->deferred[i].index, i};
		else
			list_add(&s->deferred_free, LINKS(s->deferred, all), i);
	}
	list_sort(order, n);
	for (uint32_t i = 0; i < n && err == 0; i++)
		err = enter_checked(s, order[i].slot, i > 0 ? &s->deferred[order[i - 1].slot] : NULL);
	free(order);
	return err;
}
