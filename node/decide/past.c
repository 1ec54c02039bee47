/* Where the past of subjects is kept: packed in blocks, those in use unpacked in a window. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/past.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

_Static_assert(sizeof(struct past_block) == PAST_BLOCK_SIZE, "a block is a cache line");
#define BLOCK_BYTES sizeof(((struct past_block *)0)->bytes)

int pasts_new(struct pasts *ret, uint32_t subjects_max)
{
	ret->blocks = calloc((size_t)subjects_max * PAST_BLOCKS_MAX, sizeof(*ret->blocks));
	ret->window = calloc(PAST_WINDOW, sizeof(*ret->window));
	ret->spare = malloc(sizeof(*ret->spare));
	ret->packed = malloc(PAST_PACKED_MAX);
	return ret->blocks == NULL || ret->window == NULL || ret->spare == NULL || ret->packed == NULL ? CS_ERR_NOMEM
	                                                                                               : 0;
}

void pasts_free(struct pasts *w)
{
	free(w->blocks);
	free(w->window);
	free(w->spare);
	free(w->packed);
}

/* --- blocks --- */

static uint32_t block_take(struct pasts *w)
{
	uint32_t block = w->free;

	w->n_used++;
	if (block == 0)
		return ++w->n_blocks; /* There are enough for all, see pasts_new. */
	w->free = w->blocks[block - 1].next;
	w->blocks[block - 1].next = 0;
	return block;
}

/* All from there on. What was erased must not stay in them. */
static void blocks_give(struct pasts *w, uint32_t first)
{
	while (first != 0) {
		struct past_block *b = &w->blocks[first - 1];
		uint32_t next = b->next;

		sodium_memzero(b->bytes, sizeof(b->bytes));
		b->next = w->free;
		w->free = first;
		first = next;
		w->n_used--;
	}
}

static void store(struct pasts *w, struct past_place *p, const uint8_t *bytes, size_t len)
{
	uint32_t *at = &p->first;

	p->len = (uint16_t)len;
	for (size_t n = 0; n < len; n += BLOCK_BYTES) {
		if (*at == 0)
			*at = block_take(w);
		struct past_block *b = &w->blocks[*at - 1];
		memcpy(b->bytes, bytes + n, len - n < BLOCK_BYTES ? len - n : BLOCK_BYTES);
		at = &b->next;
	}
	blocks_give(w, *at);
	*at = 0;
}

static void load(const struct pasts *w, const struct past_place *p, struct past *ret)
{
	uint32_t at = p->first;

	for (size_t n = 0; n < p->len; n += BLOCK_BYTES) {
		const struct past_block *b = &w->blocks[at - 1];
		memcpy(w->packed + n, b->bytes, BLOCK_BYTES < p->len - n ? BLOCK_BYTES : p->len - n);
		at = b->next;
	}
	past_unpack(ret, w->packed, p->len);
}

/* --- window --- */

static void close_one(struct pasts *w, struct past_open *o)
{
	if (o->changed)
		store(w, o->of, w->packed, past_pack(&o->past, w->packed));
	o->of->opened = 0;
	o->of = NULL;
	o->changed = false;
}

/* The next one that was not looked at since the hand came by last; never the one that was opened last. */
static struct past_open *make_room(struct pasts *w)
{
	struct past_open *o = &w->window[w->hand];

	for (; o->of != NULL && (o->recent || o == w->newest); o = &w->window[w->hand]) {
		o->recent = false;
		w->hand = (w->hand + 1) % PAST_WINDOW;
	}
	w->hand = (w->hand + 1) % PAST_WINDOW;
	if (o->of != NULL)
		close_one(w, o);
	return o;
}

static struct past_open *open_one(struct pasts *w, struct past_place *p)
{
	struct past_open *o;

	if (p->opened != 0) {
		o = &w->window[p->opened - 1];
	} else {
		o = make_room(w);
		load(w, p, &o->past);
		o->of = p;
		p->opened = (uint16_t)(o - w->window + 1);
	}
	assert(o->of == p);
	o->recent = true;
	w->newest = o;
	return o;
}

const struct past *pasts_look(struct pasts *w, struct past_place *p)
{
	return &open_one(w, p)->past;
}

struct past *pasts_change(struct pasts *w, struct past_place *p)
{
	struct past_open *o = open_one(w, p);

	o->changed = true;
	return &o->past;
}

const struct past *pasts_glance(struct pasts *w, const struct past_place *p)
{
	if (p->opened != 0)
		return &w->window[p->opened - 1].past;
	load(w, p, w->spare);
	return w->spare;
}

void pasts_forget(struct pasts *w, struct past_place *p)
{
	if (p->opened != 0) {
		struct past_open *o = &w->window[p->opened - 1];
		sodium_memzero(o, sizeof(*o));
	}
	blocks_give(w, p->first);
	*p = (struct past_place){0};
}

size_t pasts_packed_size(struct pasts *w, const struct past_place *p)
{
	if (p->opened == 0)
		return p->len;
	return past_pack(&w->window[p->opened - 1].past, w->packed);
}
