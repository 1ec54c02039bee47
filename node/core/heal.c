/* Healing: what the scrubber has found damaged, from whoever has it whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/heal.h"

#include <inttypes.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/tilejudge.h"
#include "node/core/core_internal.h"

#define PATIENCE_NS (1 * NS_PER_S) /* For an answer: then somebody else is asked. */
#define ALONE_NS    (2 * NS_PER_S) /* Nobody is there to be asked. */

bool heal_kind(unsigned kind)
{
	return kind >= HEAL_ENTRY && kind <= HEAL_CHECKPOINT;
}

/* --- asking --- */

/* The members that are connected, in turn: another one with each try. 0: there is none. */
static uint64_t whom(struct core *c, unsigned tries, unsigned *ret_n)
{
	uint64_t ids[MEMBERS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id && link_up(c->link, c->members.list[i].id))
			ids[n++] = c->members.list[i].id;
	*ret_n = n;
	return n ? ids[tries % n] : 0;
}

static void fetch_of(const struct core *c, const struct scrub_item *i, struct frame_fetch *ret)
{
	struct store_head head;

	*ret = (struct frame_fetch){.from = i->index, .count = 1};
	switch (i->what) {
	case SCRUB_ENTRY:
		ret->kind = HEAL_ENTRY;
		break;
	case SCRUB_BODY:
		ret->kind = HEAL_BODY;
		break;
	case SCRUB_TILE:
		store_head(c->o.store, &head);
		ret->kind = HEAL_TILE;
		ret->from |= (uint64_t)i->level << HEAL_TILE_SHIFT;
		ret->count = tile_width(head.size, i->level, i->index);
		break;
	default:
		ret->kind = HEAL_CHECKPOINT;
	}
}

void heal_step(struct core *c)
{
	struct healing *h = &c->healing;
	struct frame f = {.type = FRAME_FETCH};
	uint64_t now = clock_mono_ns();
	unsigned n;

	if (!c->scrubber || h->busy || !scrubber_next(c->scrubber, now, &h->item))
		return;
	h->peer = whom(c, h->item.tries, &n);
	if (!h->peer) {
		scrubber_again(c->scrubber, &h->item, ALONE_NS);
		return;
	}
	fetch_of(c, &h->item, &h->asked);
	h->busy = true;
	h->asked_ns = now;
	f.fetch = h->asked;
	peers_send(c, h->peer, &f);
}

void heal_beat(struct core *c)
{
	struct healing *h = &c->healing;

	if (h->busy && clock_mono_ns() - h->asked_ns >= PATIENCE_NS) {
		h->busy = false;
		scrubber_again(c->scrubber, &h->item, 0);
	}
	heal_step(c);
}

/* --- what came --- */

/*
 * Another node may never have stored a checkpoint of this size: where each has been asked, it is dropped. The newer
 * ones, whose trees this one's is a part of, say all that it did.
 */
static bool drops(struct core *c, const struct scrub_item *i)
{
	unsigned n;

	whom(c, i->tries, &n);
	return i->what == SCRUB_CHECKPOINT && i->tries + 1 >= n;
}

static void take(struct core *c, const struct scrub_item *i, uint64_t from, const struct frame_chunk *ch)
{
	unsigned n;

	whom(c, i->tries, &n);
	if (ch->len == 0 && drops(c, i))
		scrubber_give(c->scrubber, i, 0, NULL, 0, false);
	else if (ch->len == 0)
		scrubber_again(c->scrubber, i, i->tries < n ? 0 : ALONE_NS);
	else if (i->what == SCRUB_BODY) /* Fields that nobody has any more are not to be had. */
		scrubber_give(c->scrubber, i, from, ch->bytes + 1, ch->len - 1, i->tries >= n);
	else if (i->what != SCRUB_CHECKPOINT || !scrubber_note_wrong(c->scrubber, i->index, ch->bytes, ch->len))
		scrubber_give(c->scrubber, i, from, ch->bytes, ch->len, false);
	else
		scrubber_again(c->scrubber, i, 0);
}

void heal_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch)
{
	struct healing *h = &c->healing;

	if (!h->busy || from != h->peer || ch->kind != h->asked.kind || ch->from != h->asked.from)
		return;
	h->busy = false;
	take(c, &h->item, from, ch);
	heal_step(c);
}
