/* The list of what is damaged: from when it is met until it is mended, by the writer alone or with others' bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/clock.h"
#include "node/log.h"
#include "node/scrubber_internal.h"

#define AGAIN_NS (200 * NS_PER_MS) /* Between two members that are asked for the same. */

/* Locked. */
static struct scrub_listed *find(struct scrubber *s, enum scrub_what what, unsigned level, uint64_t index)
{
	for (unsigned i = 0; i < s->n_items; i++) {
		struct scrub_listed *l = &s->items[i];
		if (l->item.what == what && l->item.level == level && l->item.index == index)
			return l;
	}
	return NULL;
}

/* Locked. The first few, for whoever asks. */
static void show(struct scrubber *s)
{
	s->shown.refused = s->n_items;
	s->shown.n_texts = s->n_items < WIRE_SCRUB_TEXTS_MAX ? s->n_items : WIRE_SCRUB_TEXTS_MAX;
	for (unsigned i = 0; i < s->shown.n_texts; i++)
		memcpy(s->shown.texts[i], s->items[i].text, sizeof s->shown.texts[i]);
}

/* --- what becomes of it --- */

static void wake(struct scrubber *s)
{
	pthread_cond_broadcast(&s->wake);
}

static void ended(struct scrubber *s, const struct ledger_mend *m, const struct scrub_item *i)
{
	char text[SCRUB_TEXT_SIZE] = "";

	pthread_mutex_lock(&s->lock);
	struct scrub_listed *l = find(s, i->what, i->level, i->index);
	if (l) {
		memcpy(text, l->text, sizeof text);
		*l = s->items[--s->n_items];
		s->shown.repaired++;
		show(s);
	}
	wake(s);
	pthread_mutex_unlock(&s->lock);
	if (!l)
		return;
	if (m->from)
		log_info("the ledger is repaired, with what node %" PRIu64 " has: %s", m->from, text);
	else
		log_info("the ledger is repaired, with what else is stored here: %s", text);
}

static void put_back(struct scrubber *s, const struct scrub_item *i, uint64_t delay_ns)
{
	pthread_mutex_lock(&s->lock);
	struct scrub_listed *l = find(s, i->what, i->level, i->index);
	if (l) {
		l->out = false;
		l->item.tries++;
		l->due_ns = clock_mono_ns() + delay_ns;
	}
	wake(s);
	pthread_mutex_unlock(&s->lock);
}

/* A mend of ours, with the item that it is for. */
struct mending {
	struct scrub_item item;
	struct scrubber *scrubber;
};

/* On the writer's thread. */
static void on_done(void *ctx, const struct ledger_mend *m, int err)
{
	struct mending *g = ctx;
	struct scrubber *s = g->scrubber;

	if (!err) {
		ended(s, m, &g->item);
	} else {
		if (err != CS_ERR_NOT_READY && m->from)
			log_warning("repair: what node %" PRIu64 " gave for %s %" PRIu64 " is not written: %s", m->from,
			            scrub_what_text(g->item.what), g->item.index, err_text(err));
		put_back(s, &g->item, AGAIN_NS);
		s->o.wanted(s->o.ctx);
	}
	free(g);
}

static void push(struct scrubber *s, const struct scrub_item *i, uint64_t from, const void *bytes, size_t len,
                 bool partial)
{
	static const enum store_mend_what kinds[] = {[SCRUB_ENTRY] = MEND_ENTRY,
	                                             [SCRUB_BODY] = MEND_BODY,
	                                             [SCRUB_TILE] = MEND_TILE,
	                                             [SCRUB_CHECKPOINT] = MEND_CHECKPOINT,
	                                             [SCRUB_META] = MEND_META};
	struct mending *g = malloc(sizeof *g);
	struct ledger_mend *m = malloc(sizeof *m + len);

	if (!g || !m) {
		free(g);
		free(m);
		put_back(s, i, NS_PER_S);
		return;
	}
	*g = (struct mending){.item = *i, .scrubber = s};
	*m = (struct ledger_mend){.mend = {.level = i->level, .index = i->index, .len = len, .partial = partial},
	                          .done = on_done,
	                          .ctx = g,
	                          .from = from};
	m->mend.what = kinds[i->what];
	if (bytes) {
		memcpy(m->bytes, bytes, len);
		m->mend.bytes = m->bytes;
	}
	ledger_writer_push_mend(s->o.writer, m);
}

/* --- adding --- */

/* own: the writer is to have it first. False: it is known already, or there is no room for it. */
static bool list(struct scrubber *s, const struct scrub_find *f, bool own)
{
	char text[SCRUB_TEXT_SIZE];
	bool new;

	scrub_find_text(f, text, sizeof text);
	pthread_mutex_lock(&s->lock);
	new = !find(s, f->what, f->level, f->index);
	if (new && s->n_items == SCRUB_ITEMS_MAX) {
		s->again = true;
		new = false;
	} else if (new) {
		struct scrub_listed *l = &s->items[s->n_items++];
		*l = (struct scrub_listed){.out = own};
		l->item = (struct scrub_item){.what = f->what, .level = f->level, .index = f->index};
		memcpy(l->text, text, sizeof text);
		s->shown.found++;
		show(s);
	}
	pthread_mutex_unlock(&s->lock);
	if (new)
		log_error("the ledger is damaged: %s: it is given to nobody until it is repaired", text);
	return new;
}

void scrubber_add(struct scrubber *s, const struct scrub_find *f)
{
	const struct scrub_item item = {.what = f->what, .level = f->level, .index = f->index};
	bool own = f->what != SCRUB_CHECKPOINT;

	if (!list(s, f, own))
		return;
	if (own)
		push(s, &item, 0, NULL, 0, false);
	else
		s->o.wanted(s->o.ctx);
}

void scrubber_met(struct scrubber *s, unsigned level, uint64_t n)
{
	unsigned i = 0;

	pthread_mutex_lock(&s->lock);
	while (i < s->n_met && (s->met[i].level != level || s->met[i].n != n))
		i++;
	if (i == s->n_met && i < SCRUB_MET_MAX) {
		s->met[i].level = level;
		s->met[i].n = n;
		s->n_met++;
	}
	wake(s);
	pthread_mutex_unlock(&s->lock);
}

void scrubber_have(struct scrubber *s, enum scrub_what what, uint64_t index, const void *bytes, size_t len)
{
	const struct scrub_item item = {.what = what, .index = index};
	const struct scrub_find f = {.what = what,
	                             .index = index,
	                             .db = what == SCRUB_ENTRY ? "entries" : "bodies",
	                             .why = "decided again, it is another"};

	if (list(s, &f, true))
		push(s, &item, 0, bytes, len, false);
}

/* --- the core's side --- */

bool scrubber_next(struct scrubber *s, uint64_t now_ns, struct scrub_item *ret)
{
	struct scrub_listed *next = NULL;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->n_items; i++) {
		struct scrub_listed *l = &s->items[i];
		if (!l->out && l->due_ns <= now_ns && l->item.what != SCRUB_META && (!next || l->due_ns < next->due_ns))
			next = l;
	}
	if (next) {
		next->out = true;
		*ret = next->item;
	}
	pthread_mutex_unlock(&s->lock);
	return next != NULL;
}

void scrubber_again(struct scrubber *s, const struct scrub_item *i, uint64_t delay_ns)
{
	put_back(s, i, delay_ns);
}

void scrubber_give(struct scrubber *s, const struct scrub_item *i, uint64_t from, const void *bytes, size_t len,
                   bool partial)
{
	push(s, i, from, bytes, len, partial);
}

void scrubber_state(struct scrubber *s, struct wire_scrub *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->shown;
	pthread_mutex_unlock(&s->lock);
}
