/* Judges what clients of a chaos run saw against the ledger: nothing lost, doubled, made up, or out of order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chaos.h"

#define NS_PER_MS UINT64_C(1000000)
#define NOWHERE   UINT64_MAX

/* A fact about how long the ledger was at some moment between begin and end. */
struct fact {
	uint64_t begin_ns, end_ns; /* end NOWHERE: never known to have ended. */
	uint64_t size;             /* So long it was, after the decision if it is one; 0: only at_most is known. */
	uint64_t at_most;          /* Before the decision; or because a check did not find what is there. */
	bool moves;                /* A decision: whoever ended before it began saw less. */
};

/* Of one judgement. */
struct judged {
	const struct event *events; /* By request: the question, the answers, the checks. */
	size_t n;
	struct fact *facts;
	size_t n_facts;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static uint64_t index_of(const struct stored *s, const uint8_t id[16])
{
	const struct row *r = bsearch(id, s->rows, s->n_rows, sizeof *s->rows, by_id);

	return r ? r->index : NOWHERE;
}

static int by_request(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	int by = memcmp(x->id, y->id, 16);

	if (by == 0)
		by = x->type - y->type;
	return by ? by : x->answered_ns < y->answered_ns ? -1 : x->answered_ns > y->answered_ns;
}

static void id_text(const uint8_t id[16], char ret[33])
{
	for (unsigned i = 0; i < 16; i++)
		snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

/* A refusal of the first try says that nothing was logged, except for codes that say they do not know. */
static bool refused(const struct event *e)
{
	return e->tries == 1 && e->code != CS_E_TIMEOUT && e->code != CS_E_EXPIRED && e->code != CS_E_REFUTED;
}

static void judge_decision(struct chaos *c, struct judged *h, const struct event *first, const struct event *end,
                           uint64_t index, struct verdict *v)
{
	const struct event *ok = NULL;
	bool no = false;
	char id[33];

	id_text(first->id, id);
	for (const struct event *e = first + 1; e < end && e->type == EVENT_DECIDED; e++) {
		ok = e->code == 0 ? e : ok;
		no |= e->code && refused(e);
		v->errors[-e->code < CHAOS_CODES ? -e->code : 0] += e->code != 0;
	}
	v->decided += ok != NULL;
	v->refused += no;
	v->unknown += !ok && !no;
	v->entries_of_unknown += !ok && !no && index != NOWHERE;
	if (no && index != NOWHERE)
		chaos_broken(c, "request %s was refused, and is in the ledger at %" PRIu64, id, index);
	if (ok && index == NOWHERE)
		chaos_broken(c, "request %s was acknowledged at %" PRIu64 ", and is not in the ledger", id, ok->index);
	if (ok && index != NOWHERE && index != ok->index)
		chaos_broken(c, "request %s was acknowledged at %" PRIu64 ", and is at %" PRIu64, id, ok->index, index);
	if (index != NOWHERE)
		h->facts[h->n_facts++] = (struct fact){.begin_ns = first->asked_ns,
		                                       .end_ns = ok ? ok->answered_ns : NOWHERE,
		                                       .size = index + 1,
		                                       .at_most = index,
		                                       .moves = true};
}

static void judge_check(struct chaos *c, struct judged *h, const struct event *e, uint64_t index, struct verdict *v)
{
	struct fact f = {.begin_ns = e->asked_ns - e->stale_ms * NS_PER_MS,
	                 .end_ns = e->answered_ns,
	                 .size = e->size,
	                 .at_most = e->size};
	char id[33];

	id_text(e->id, id);
	if (e->code == CS_E_NOT_FOUND) {
		f.size = 0;
		f.at_most = index;
	} else if (e->code) {
		v->errors[-e->code < CHAOS_CODES ? -e->code : 0]++;
		return;
	} else if (index != e->index || e->size <= index) {
		chaos_broken(c, "a check of %s found it at %" PRIu64 " of %" PRIu64 " entries, and it is at %" PRId64,
		             id, e->index, e->size, (int64_t)index);
	}
	v->checked += !e->stale_ms;
	v->checked_local += e->stale_ms != 0;
	h->facts[h->n_facts++] = f;
}

/* Each request: asked by somebody, answered at most one way, as the ledger has it. */
static void judge_requests(struct chaos *c, struct judged *h, const struct stored *s, struct verdict *v)
{
	size_t n_asked = 0;

	for (size_t i = 1; i < s->n_rows; i++)
		if (memcmp(s->rows[i - 1].id, s->rows[i].id, 16) == 0)
			chaos_broken(c, "one request is in the ledger twice, at %" PRIu64 " and %" PRIu64,
			             s->rows[i - 1].index, s->rows[i].index);

	for (size_t i = 0, k; i < h->n; i = k) {
		const struct event *e = &h->events[i];
		uint64_t index = index_of(s, e->id);
		for (k = i + 1; k < h->n && memcmp(h->events[k].id, e->id, 16) == 0;)
			k++;
		if (e->type != EVENT_ASK) {
			chaos_broken(c, "the history lacks a question");
			return;
		}
		n_asked += index != NOWHERE;
		judge_decision(c, h, e, h->events + k, index, v);
		for (size_t m = i; m < k; m++)
			if (h->events[m].type == EVENT_CHECKED)
				judge_check(c, h, &h->events[m], index, v);
	}
	if (n_asked != s->n_rows)
		chaos_broken(c, "%zu decisions are in the ledger that nobody asked for", s->n_rows - n_asked);
}

/* --- order --- */

static int by_begin(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

static int by_end(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return x->end_ns < y->end_ns ? -1 : x->end_ns > y->end_ns;
}

/*
 * The ledger only grows, and each fact pins its length at a moment within it: there is an order that explains them all
 * if and only if none that began after another's end has a shorter one.
 */
static void judge_order(struct chaos *c, struct judged *h)
{
	struct fact *ends = calloc(h->n_facts + 1, sizeof *ends);
	uint64_t size = 0, end_ns = 0;
	size_t k = 0;

	if (!ends)
		chaos_stop(__func__);
	memcpy(ends, h->facts, h->n_facts * sizeof *ends);
	qsort(ends, h->n_facts, sizeof *ends, by_end);
	qsort(h->facts, h->n_facts, sizeof *h->facts, by_begin);
	for (size_t i = 0; i < h->n_facts; i++) {
		const struct fact *f = &h->facts[i];
		for (; k < h->n_facts && ends[k].end_ns < f->begin_ns; k++)
			if (ends[k].size > size) {
				size = ends[k].size;
				end_ns = ends[k].end_ns;
			}
		if (f->at_most < size)
			chaos_broken(c,
			             "not linearizable: %" PRIu64 " entries were known to somebody, and %" PRIu64
			             " us later somebody began to ask and %s %" PRIu64,
			             size, (f->begin_ns - end_ns) / 1000,
			             f->moves ? "was decided at" : "was answered out of at most", f->at_most);
	}
	free(ends);
}

/* The longest time in which nobody got a decision. */
static uint64_t outage_ms(const struct judged *h)
{
	uint64_t last = 0, longest = 0;
	struct fact *ends = calloc(h->n_facts + 1, sizeof *ends);

	if (!ends)
		chaos_stop(__func__);
	memcpy(ends, h->facts, h->n_facts * sizeof *ends);
	qsort(ends, h->n_facts, sizeof *ends, by_end);
	for (size_t i = 0; i < h->n_facts; i++)
		if (ends[i].moves && ends[i].end_ns != NOWHERE) {
			longest = last && ends[i].end_ns - last > longest ? ends[i].end_ns - last : longest;
			last = ends[i].end_ns;
		}
	free(ends);
	return longest / NS_PER_MS;
}

void judge(struct chaos *c, struct history *all, const struct stored *s, struct verdict *ret)
{
	struct judged h = {.events = all->events, .n = all->n, .facts = calloc(all->n + 1, sizeof *h.facts)};

	if (!h.facts)
		chaos_stop(__func__);
	qsort(all->events, all->n, sizeof *all->events, by_request);
	judge_requests(c, &h, s, ret);
	if (chaos_good(c))
		judge_order(c, &h);
	ret->outage_ms = outage_ms(&h);
	free(h.facts);
}

/* --- lies that must be found, or the judge has slept --- */

enum lie { LOST, MOVED, DOUBLED, MADE_UP, REFUSED, OUT_OF_ORDER, STALE, NOT_FOUND, LIES };

/* The answer of this type and code 0 that came first, or last. */
static struct event *answer(const struct history *h, enum event_type type, bool last)
{
	struct event *found = NULL;

	for (size_t i = 0; i < h->n; i++) {
		struct event *e = &h->events[i];
		if (e->type != type || e->code || (type == EVENT_CHECKED && e->stale_ms))
			continue;
		if (!found || (last ? e->answered_ns > found->answered_ns : e->answered_ns < found->answered_ns))
			found = e;
	}
	return found;
}

static void drop_row(struct stored *s, const uint8_t id[16])
{
	struct row *r = bsearch(id, s->rows, s->n_rows, sizeof *s->rows, by_id);

	memmove(r, r + 1, (size_t)(s->rows + s->n_rows - r - 1) * sizeof *r);
	s->n_rows--;
}

static void tell(enum lie lie, struct history *h, struct stored *s)
{
	struct event *first = answer(h, EVENT_DECIDED, false), *last = answer(h, EVENT_DECIDED, true),
	             *check = answer(h, EVENT_CHECKED, true);
	struct row *a = bsearch(first->id, s->rows, s->n_rows, sizeof *s->rows, by_id),
	           *b = bsearch(last->id, s->rows, s->n_rows, sizeof *s->rows, by_id);
	uint64_t index = first->index;

	if (lie == LOST)
		drop_row(s, last->id);
	else if (lie == MOVED)
		last->index++;
	else if (lie == DOUBLED)
		s->rows[s->n_rows++] = *b;
	else if (lie == MADE_UP)
		memset(s->rows[s->n_rows++].id, 0xff, 16);
	else if (lie == REFUSED) {
		last->code = CS_E_NO_QUORUM;
		last->tries = 1;
	} else if (lie == STALE || lie == NOT_FOUND) {
		memcpy(check->id, first->id, sizeof check->id);
		check->index = index;
		check->size = index + 1;
		check->code = lie == STALE ? 0 : CS_E_NOT_FOUND;
	} else {
		first->index = a->index = last->index;
		last->index = b->index = index;
	}
}

unsigned judge_bites(struct chaos *c, const struct history *all, const struct stored *s)
{
	static struct chaos scratch;
	struct verdict ignored;

	if (!answer(all, EVENT_DECIDED, false) || !answer(all, EVENT_CHECKED, true)) {
		chaos_broken(c, "no client got an answer");
		return 0;
	}
	for (enum lie lie = 0; lie < LIES; lie++) {
		struct history h = {.n = all->n, .events = malloc(all->n * sizeof *h.events)};
		struct stored t = *s;
		t.rows = calloc(s->n_rows + 1, sizeof *t.rows);
		if (!h.events || !t.rows)
			chaos_stop(__func__);
		memcpy(h.events, all->events, all->n * sizeof *h.events);
		memcpy(t.rows, s->rows, s->n_rows * sizeof *t.rows);
		scratch = (struct chaos){.silent = true};
		ignored = (struct verdict){0};
		tell(lie, &h, &t);
		qsort(t.rows, t.n_rows, sizeof *t.rows, by_id);
		judge(&scratch, &h, &t, &ignored);
		if (chaos_good(&scratch))
			chaos_broken(c, "the judge of this test did not find lie %d", lie);
		free(h.events);
		free(t.rows);
	}
	return LIES;
}
