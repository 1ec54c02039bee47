/* Judges a chaos run: what clients saw against what each node has stored, entry by entry, and proofs verified offline.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"
#include "ledger/hash.h"
#include "ledger/tree.h"
#include "tests/chaos.h"
#include "tests/history.h"

#define NS_PER_MS   UINT64_C(1000000)
#define NOWHERE     UINT64_MAX
#define PROOFS_EACH 8 /* Of each node's, spread over the ledger. */

/* --- what is stored --- */

struct row {
	uint8_t id[16];
	uint64_t index;
};

struct stored {
	uint64_t size;
	struct hash *leaves, *bodies;
	struct row *rows; /* Of decisions, by id. */
	size_t n_rows;
};

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void take_entry(struct chaos *c, struct stored *s, unsigned node, uint64_t at, const struct cs_entry *e)
{
	struct hash leaf, body;
	struct entry entry;

	hash_leaf(&leaf, e->leaf, e->leaf_size);
	hash_bytes(&body, e->body, e->body_size);
	if (entry_decode(&entry, e->leaf, e->leaf_size) || entry.index != at)
		chaos_broken(c, "node %u: entry %" PRIu64 " cannot be read, or is another", node + 1, at);
	else if (node == 0 && entry.kind == ENTRY_DECISION && history_request_id(e, s->rows[s->n_rows].id))
		s->rows[s->n_rows++].index = at;
	if (node == 0) {
		s->leaves[at] = leaf;
		s->bodies[at] = body;
	} else if (!hash_equal(&s->leaves[at], &leaf) || !hash_equal(&s->bodies[at], &body)) {
		chaos_broken(c, "nodes 1 and %u have different entries at %" PRIu64, node + 1, at);
	}
}

/* All entries of one node, and the root over them. */
static void read_node(struct chaos *c, struct stored *s, unsigned node)
{
	char root[80], words[2 * HASH_SIZE + 1];
	struct tree *tree;
	struct hash h;

	if (tree_new(&(struct tree_tiles){0}, &tree))
		abort();
	for (uint64_t at = 0; at < s->size && chaos_good(c);) {
		cs_page *page;
		if (cs_entries(c->at[node], at, 256, 5000, &page) || page->n == 0) {
			chaos_broken(c, "node %u: reading entry %" PRIu64 ": %s", node + 1, at, cs_last_error());
			break;
		}
		for (size_t i = 0; i < page->n && at < s->size; i++, at++) {
			take_entry(c, s, node, at, &page->entries[i]);
			hash_leaf(&h, page->entries[i].leaf, page->entries[i].leaf_size);
			tree_append(tree, &h);
		}
		cs_page_free(page);
	}
	tree_root(tree, &h);
	for (unsigned i = 0; i < HASH_SIZE; i++)
		snprintf(words + 2 * i, 3, "%02x", h.b[i]);
	if (chaos_good(c) && (!nodes_text(c, node, "root", root, sizeof root) || strcmp(root, words) != 0))
		chaos_broken(c, "node %u: its root is not that of its entries", node + 1);
	tree_free(tree);
}

static void read_all(struct chaos *c, struct stored *s)
{
	s->leaves = calloc(s->size, sizeof *s->leaves);
	s->bodies = calloc(s->size, sizeof *s->bodies);
	s->rows = calloc(s->size + 1, sizeof *s->rows);
	if (!s->leaves || !s->bodies || !s->rows)
		abort();
	for (unsigned i = 0; i < c->n && chaos_good(c); i++)
		read_node(c, s, i);
	qsort(s->rows, s->n_rows, sizeof *s->rows, by_id);
	for (size_t i = 1; i < s->n_rows; i++)
		if (memcmp(s->rows[i - 1].id, s->rows[i].id, 16) == 0)
			chaos_broken(c, "one request is in the ledger twice, at %" PRIu64 " and %" PRIu64,
			             s->rows[i - 1].index, s->rows[i].index);
}

static uint64_t index_of(const struct stored *s, const uint8_t id[16])
{
	const struct row *r = bsearch(id, s->rows, s->n_rows, sizeof *s->rows, by_id);

	return r ? r->index : NOWHERE;
}

/* Each node's proofs, under a quorum's cosignatures, by the tool and without any server. */
static void verify_offline(struct chaos *c, const struct stored *s, struct verdict *v)
{
	char path[400], *bundle;
	bool quorum;

	snprintf(path, sizeof path, "%s/bundle", c->cluster.dir);
	for (unsigned i = 0; i < c->n * PROOFS_EACH && chaos_good(c); i++) {
		uint64_t index = (s->size - 1) * (i / c->n) / (PROOFS_EACH - 1);
		if (cs_prove(c->at[i % c->n], index, 5000, &bundle, &quorum) || !quorum) {
			chaos_broken(c, "node %u does not prove entry %" PRIu64 " under a quorum: %s", i % c->n + 1,
			             index, cs_last_error());
			return;
		}
		FILE *f = fopen(path, "we");
		if (!f || fputs(bundle, f) < 0 || fclose(f))
			abort();
		free(bundle);
		if (cluster_try("verify %s --trust %s/c/trust.policy", path, c->cluster.dir))
			chaos_broken(c, "node %u: the proof of entry %" PRIu64 " does not verify", i % c->n + 1, index);
		v->proofs++;
	}
}

/* --- what clients saw --- */

/* A fact about how long the ledger was at some moment between begin and end. */
struct fact {
	uint64_t begin_ns, end_ns; /* end NOWHERE: never known to have ended. */
	uint64_t size;             /* So long it was, after the decision if it is one; 0: only at_most is known. */
	uint64_t at_most;          /* Before the decision; or because a check did not find what is there. */
	bool moves;                /* A decision: whoever ended before it began saw less. */
};

struct history {
	struct event *events;
	size_t n;
	struct fact *facts;
	size_t n_facts;
};

static int by_request(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	int by = memcmp(x->id, y->id, 16);

	if (by == 0)
		by = x->type - y->type;
	return by ? by : x->answered_ns < y->answered_ns ? -1 : x->answered_ns > y->answered_ns;
}

static void read_events(const struct chaos *c, struct history *h)
{
	char path[400];

	snprintf(path, sizeof path, "%s/events", c->cluster.dir);
	FILE *f = fopen(path, "re");
	if (!f || fseek(f, 0, SEEK_END))
		abort();
	h->n = (size_t)ftell(f) / sizeof *h->events;
	rewind(f);
	h->events = calloc(h->n + 1, sizeof *h->events);
	h->facts = calloc(h->n + 1, sizeof *h->facts);
	if (!h->events || !h->facts || fread(h->events, sizeof *h->events, h->n, f) != h->n)
		abort();
	fclose(f);
	qsort(h->events, h->n, sizeof *h->events, by_request);
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

static void judge_decision(struct chaos *c, struct history *h, const struct event *first, const struct event *end,
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

static void judge_check(struct chaos *c, struct history *h, const struct event *e, uint64_t index, struct verdict *v)
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
static void judge_requests(struct chaos *c, struct history *h, const struct stored *s, struct verdict *v)
{
	size_t n_asked = 0;

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
static void judge_order(struct chaos *c, struct history *h)
{
	struct fact *ends = calloc(h->n_facts + 1, sizeof *ends);
	uint64_t size = 0, end_ns = 0;
	size_t k = 0;

	if (!ends)
		abort();
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
static uint64_t outage_ms(const struct history *h)
{
	uint64_t last = 0, longest = 0;
	struct fact *ends = calloc(h->n_facts + 1, sizeof *ends);

	if (!ends)
		abort();
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

void check_history(struct chaos *c, uint64_t size, struct verdict *ret)
{
	struct stored s = {.size = size};
	struct history h = {0};

	read_all(c, &s);
	read_events(c, &h);
	if (chaos_good(c))
		judge_requests(c, &h, &s, ret);
	if (chaos_good(c))
		judge_order(c, &h);
	ret->size = size;
	ret->outage_ms = outage_ms(&h);
	if (chaos_good(c))
		verify_offline(c, &s, ret);
	free(h.events);
	free(h.facts);
	free(s.leaves);
	free(s.bodies);
	free(s.rows);
}
