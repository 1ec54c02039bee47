/* What another policy would change of the past: counted by verdict, by rule and by person, the riskiest kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policytally.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

#define PEOPLE_FIRST 1024 /* Slots at first; a power of two, as after each doubling. */

int policytally_open(struct policytally *t, unsigned top)
{
	memset(t, 0, sizeof *t);
	t->stricter.max = t->weaker.max = top;
	t->people_cap = PEOPLE_FIRST;
	t->people = calloc(t->people_cap, sizeof *t->people);
	t->stricter.list = calloc(top + 1, sizeof *t->stricter.list);
	t->weaker.list = calloc(top + 1, sizeof *t->weaker.list);
	if (t->people && t->stricter.list && t->weaker.list)
		return 0;
	policytally_close(t);
	return CS_ERR_NOMEM;
}

void policytally_close(struct policytally *t)
{
	free(t->people);
	free(t->stricter.list);
	free(t->weaker.list);
	t->people = NULL;
	t->stricter.list = t->weaker.list = NULL;
}

/* --- people --- */

static void key_of(const struct request *q, uint8_t ret[16])
{
	struct hasher h;
	struct hash full;
	const uint8_t none = 0;

	hasher_init(&h);
	hasher_update(&h, q->subject_type.s, q->subject_type.len);
	hasher_update(&h, &none, 1);
	hasher_update(&h, q->subject_id.s, q->subject_id.len);
	hasher_final(&h, &full);
	memcpy(ret, full.b, 16);
}

/* The slot of the key, or the free one where it belongs. The key is a hash: its first bytes are as good as any. */
static struct tally_person *slot_of(struct tally_person *people, size_t cap, const uint8_t key[16])
{
	size_t at;

	memcpy(&at, key, sizeof at);
	for (at &= cap - 1; people[at].used && memcmp(people[at].key, key, 16) != 0; at = (at + 1) & (cap - 1))
		;
	return &people[at];
}

static int enlarge(struct policytally *t)
{
	size_t cap = 2 * t->people_cap;
	struct tally_person *grown = calloc(cap, sizeof *grown);

	if (!grown)
		return CS_ERR_NOMEM;
	for (size_t i = 0; i < t->people_cap; i++)
		if (t->people[i].used)
			*slot_of(grown, cap, t->people[i].key) = t->people[i];
	free(t->people);
	t->people = grown;
	t->people_cap = cap;
	return 0;
}

/* NULL in *ret: there are more than are told apart. */
static int person_of(struct policytally *t, const struct request *q, struct tally_person **ret)
{
	uint8_t key[16];
	struct tally_person *p;

	key_of(q, key);
	p = slot_of(t->people, t->people_cap, key);
	*ret = p;
	if (p->used)
		return 0;
	if (t->n_people == TALLY_PEOPLE_MAX / 2) {
		t->people_full = true;
		*ret = NULL;
		return 0;
	}
	if (2 * (t->n_people + 1) > t->people_cap) {
		int err = enlarge(t);
		if (err)
			return err;
		*ret = p = slot_of(t->people, t->people_cap, key);
	}
	memcpy(p->key, key, sizeof key);
	p->used = true;
	t->n_people++;
	return 0;
}

static int add_person(struct policytally *t, const struct request *q, unsigned from, unsigned to)
{
	struct tally_person *p;
	int err = person_of(t, q, &p);

	if (err || !p || from == to)
		return err;
	t->gain[to] += !(p->gains >> to & 1);
	t->lose[from] += !(p->loses >> from & 1);
	p->gains |= (uint8_t)(1u << to);
	p->loses |= (uint8_t)(1u << from);
	return 0;
}

/* --- rules --- */

static struct tally_rule *rule_of(struct policytally *t, struct text id)
{
	for (unsigned i = 0; i < t->n_rules; i++)
		if (text_is(id, t->rules[i].id))
			return &t->rules[i];
	if (t->n_rules == TALLY_RULES_MAX) {
		t->rules_full = true;
		return NULL;
	}
	struct tally_rule *r = &t->rules[t->n_rules++];
	memset(r, 0, sizeof *r);
	memcpy(r->id, id.s, id.len);
	return r;
}

static bool has_rule(const struct policyresult *r, struct text id)
{
	for (unsigned i = 0; i < r->n_rules; i++)
		if (text_compare(r->rules[i], id) == 0)
			return true;
	return false;
}

static void add_rules(struct policytally *t, const struct policyresult *then, const struct policyresult *now)
{
	bool changed = then->verdict != now->verdict;

	for (unsigned i = 0; i < then->n_rules; i++) {
		struct tally_rule *r = rule_of(t, then->rules[i]);
		if (r) {
			r->then++;
			r->gone += changed && !has_rule(now, then->rules[i]);
		}
	}
	for (unsigned i = 0; i < now->n_rules; i++) {
		struct tally_rule *r = rule_of(t, now->rules[i]);
		if (r) {
			r->now++;
			r->changed[now->verdict] += changed;
		}
	}
}

/* --- the riskiest --- */

static int32_t risk_of(const struct tally_change *c)
{
	return c->risk_from > c->risk_to ? c->risk_from : c->risk_to;
}

/* Less risky, or as risky and later. */
static bool below(const struct tally_change *a, const struct tally_change *b)
{
	return risk_of(a) != risk_of(b) ? risk_of(a) < risk_of(b) : a->index > b->index;
}

static void swap(struct tally_change *a, struct tally_change *b)
{
	struct tally_change c = *a;

	*a = *b;
	*b = c;
}

static void sink(struct tally_top *h, unsigned at)
{
	for (;;) {
		unsigned least = at, left = 2 * at + 1;
		for (unsigned c = left; c < left + 2 && c < h->n; c++)
			if (below(&h->list[c], &h->list[least]))
				least = c;
		if (least == at)
			return;
		swap(&h->list[at], &h->list[least]);
		at = least;
	}
}

static void typed(char ret[TALLY_TEXT_SIZE], struct text type, struct text id)
{
	char text[2 * REQUEST_STR_SIZE_MAX + 2];
	size_t n = 0;

	if (type.len) {
		memcpy(text, type.s, type.len);
		text[type.len] = ':';
		n = type.len + 1;
	}
	if (id.len)
		memcpy(text + n, id.s, id.len);
	text_safe(text, n + id.len, ret, TALLY_TEXT_SIZE);
}

static void keep(struct tally_top *h, const struct entry *e, const struct request *q, const struct policyresult *then,
                 const struct policyresult *now)
{
	static const struct text none = {"", 0};
	struct tally_change *c = &h->list[h->max]; /* One more than there is room for. */

	*c = (struct tally_change){.index = e->index,
	                           .time_ms = e->time_ms,
	                           .from = then->verdict,
	                           .to = now->verdict,
	                           .risk_from = then->risk,
	                           .risk_to = now->risk};
	if (h->n == h->max && (!h->n || below(c, h->list)))
		return;
	typed(c->subject, q->subject_type, q->subject_id);
	if (q->actor_id.len)
		typed(c->actor, q->actor_type, q->actor_id);
	typed(c->action, none, q->action);
	typed(c->resource, q->resource_type, q->resource_id);
	if (h->n == h->max) {
		h->list[0] = *c;
		sink(h, 0);
		return;
	}
	h->list[h->n] = *c;
	for (unsigned at = h->n++; at && below(&h->list[at], &h->list[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&h->list[at], &h->list[(at - 1) / 2]);
}

static int riskiest_first(const void *a, const void *b)
{
	return below(a, b) ? 1 : -1; /* No two are alike: each has its index. */
}

void policytally_sort(struct policytally *t)
{
	qsort(t->stricter.list, t->stricter.n, sizeof *t->stricter.list, riskiest_first);
	qsort(t->weaker.list, t->weaker.n, sizeof *t->weaker.list, riskiest_first);
}

/* --- the whole --- */

int policytally_add(struct policytally *t, enum tally_kind kind, const struct entry *e, const struct request *q,
                    const struct policyresult *then, const struct policyresult *now)
{
	t->verdicts[kind][then->verdict][now->verdict]++;
	if (kind != TALLY_DECISION)
		return 0;
	add_rules(t, then, now);
	if (then->verdict != now->verdict)
		keep(now->verdict > then->verdict ? &t->stricter : &t->weaker, e, q, then, now);
	return add_person(t, q, then->verdict, now->verdict);
}

static uint64_t sum(const struct policytally *t, enum tally_kind kind, bool same)
{
	uint64_t n = 0;

	for (unsigned from = 0; from < TALLY_VERDICTS; from++)
		for (unsigned to = 0; to < TALLY_VERDICTS; to++)
			if (from != to || same)
				n += t->verdicts[kind][from][to];
	return n;
}

uint64_t policytally_total(const struct policytally *t, enum tally_kind kind)
{
	return sum(t, kind, true);
}

uint64_t policytally_changed(const struct policytally *t, enum tally_kind kind)
{
	return sum(t, kind, false);
}
