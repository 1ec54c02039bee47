/* Order within a subject: an event waits while another one of its subject is on its way. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/lanes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Not a strong hash's work: whoever makes names that collide makes an import of them slower. */
static uint64_t hash_of(const struct event *e)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (const char *s = e->request.subject_type; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	h = (h ^ ':') * UINT64_C(0x100000001b3);
	for (const char *s = e->request.subject_id; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

static struct lane *find(struct lanes *l, uint64_t subject)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->lanes[i].subject == subject)
			return &l->lanes[i];
	return NULL;
}

void lanes_init(struct lanes *l)
{
	memset(l, 0, sizeof *l);
	for (unsigned i = 0; i < LANES_HELD_MAX; i++)
		l->held[i].next = i + 1 < LANES_HELD_MAX ? i + 2 : 0;
	l->unused = 1;
}

bool lanes_enter(struct lanes *l, struct event *e)
{
	uint64_t subject = hash_of(e);
	struct lane *lane = find(l, subject);
	unsigned place;

	if (!lane) {
		assert(l->n < LANES_MAX);
		l->lanes[l->n++] = (struct lane){.subject = subject};
		return true;
	}
	assert(l->unused);
	place = l->unused;
	l->unused = l->held[place - 1].next;
	l->held[place - 1] = (struct held){.event = e};
	if (lane->last)
		l->held[lane->last - 1].next = place;
	else
		lane->first = place;
	lane->last = place;
	l->n_held++;
	return false;
}

bool lanes_full(const struct lanes *l)
{
	return !l->unused;
}

struct event *lanes_leave(struct lanes *l, const struct event *e)
{
	struct lane *lane = find(l, hash_of(e));
	struct held *held;
	unsigned place;

	assert(lane);
	place = lane->first;
	if (!place) {
		*lane = l->lanes[--l->n];
		return NULL;
	}
	held = &l->held[place - 1];
	lane->first = held->next;
	if (!lane->first)
		lane->last = 0;
	held->next = l->unused;
	l->unused = place;
	l->n_held--;
	return held->event;
}

void lanes_close(struct lanes *l)
{
	for (unsigned i = 0; i < l->n; i++)
		for (unsigned place = l->lanes[i].first; place; place = l->held[place - 1].next)
			free(l->held[place - 1].event);
	memset(l, 0, sizeof *l);
}
