/* A ring of principals, each with a list of jobs, found by a hash of the principal's id. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/turns.h"

#include <assert.h>
#include <stdlib.h>

#include "ledger/errors.h"

#define PLACES_MAX (1u << 20)

/* A principal with jobs. */
struct lane {
	struct lane *next;  /* In the ring, or among the spare ones. */
	struct lane *chain; /* In its bucket. */
	struct job *first, **last;
	uint64_t principal;
	unsigned n;
};

struct turns {
	unsigned places, n, n_lanes;
	struct lane *head, **tail; /* The ring, cut before the one whose turn it is. */
	struct lane *spare;
	struct lane *lanes;    /* One for each place: each has a job at least. */
	unsigned n_made;       /* Of these: the others were never touched, so that they cost no memory. */
	struct lane **buckets; /* A power of two of them. */
	unsigned mask;
};

int turns_new(unsigned places, struct turns **ret)
{
	struct turns *t;
	unsigned n_buckets = 1;

	if (places == 0 || places > PLACES_MAX)
		return CS_ERR_INVALID;
	while (n_buckets < places)
		n_buckets *= 2;
	t = calloc(1, sizeof *t);
	if (!t)
		return CS_ERR_NOMEM;
	t->places = places;
	t->mask = n_buckets - 1;
	t->tail = &t->head;
	t->lanes = calloc(places, sizeof *t->lanes);
	t->buckets = calloc(n_buckets, sizeof(struct lane *));
	if (!t->lanes || !t->buckets) {
		turns_free(t);
		return CS_ERR_NOMEM;
	}
	*ret = t;
	return 0;
}

void turns_free(struct turns *t)
{
	if (!t)
		return;
	assert(t->n == 0);
	free(t->lanes);
	free(t->buckets);
	free(t);
}

/* Ids are given out in order, by the ledger: their low bits spread them. */
static struct lane **bucket(const struct turns *t, uint64_t principal)
{
	return &t->buckets[principal & t->mask];
}

static struct lane *find(const struct turns *t, uint64_t principal)
{
	struct lane *l = *bucket(t, principal);

	while (l && l->principal != principal)
		l = l->chain;
	return l;
}

static struct lane *lane_begin(struct turns *t, uint64_t principal)
{
	struct lane *l = t->spare, **at = bucket(t, principal);

	assert(l || t->n_made < t->places);
	if (l)
		t->spare = l->next;
	else
		l = &t->lanes[t->n_made++];
	*l = (struct lane){.chain = *at, .principal = principal};
	l->last = &l->first;
	*at = l;
	*t->tail = l;
	t->tail = &l->next;
	t->n_lanes++;
	return l;
}

/* An empty lane that is in the ring no more. */
static void lane_end(struct turns *t, struct lane *l)
{
	struct lane **at = bucket(t, l->principal);

	assert(l->n == 0 && !l->first);
	while (*at != l)
		at = &(*at)->chain;
	*at = l->chain;
	l->next = t->spare;
	t->spare = l;
	t->n_lanes--;
}

int turns_push(struct turns *t, struct job *j)
{
	struct lane *l = find(t, j->principal);

	if ((l ? l->n : 0) >= t->places - t->n)
		return CS_ERR_OVERLOADED;
	if (!l)
		l = lane_begin(t, j->principal);
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
	l->n++;
	t->n++;
	return 0;
}

struct job *turns_pop(struct turns *t)
{
	struct lane *l = t->head;

	if (!l)
		return NULL;
	struct job *j = l->first;
	l->first = j->next;
	l->n--;
	t->n--;
	t->head = l->next;
	if (!t->head)
		t->tail = &t->head;
	if (l->first) {
		l->next = NULL;
		*t->tail = l;
		t->tail = &l->next;
	} else {
		lane_end(t, l);
	}
	j->next = NULL;
	return j;
}

static void expire_lane(struct turns *t, struct lane *l, uint64_t now_ns, struct job **ret)
{
	struct job **at = &l->first;

	while (*at) {
		struct job *j = *at;
		if (j->deadline_ns > now_ns) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		l->n--;
		t->n--;
		j->next = *ret;
		*ret = j;
	}
	l->last = at;
}

struct job *turns_expired(struct turns *t, uint64_t now_ns)
{
	struct job *expired = NULL;
	struct lane **at = &t->head;

	while (*at) {
		struct lane *l = *at;
		expire_lane(t, l, now_ns, &expired);
		if (l->n) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		lane_end(t, l);
	}
	t->tail = at;
	return expired;
}

unsigned turns_count(const struct turns *t)
{
	return t->n;
}

unsigned turns_count_of(const struct turns *t, uint64_t principal)
{
	const struct lane *l = find(t, principal);

	return l ? l->n : 0;
}

unsigned turns_ahead(const struct turns *t, uint64_t principal)
{
	const struct lane *l = find(t, principal);
	uint64_t rounds = (uint64_t)(l ? l->n : 0) + 1, ahead = rounds * t->n_lanes;

	return ahead < t->n ? (unsigned)ahead : t->n;
}
