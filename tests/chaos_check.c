/* Reads what a chaos run has left: the entries of each node, held against each other; proofs, verified offline. */
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

#define ROOT_TRIES  20
#define PAGE_TRIES  5 /* Two seconds each. */
#define PROOFS_EACH 8 /* Of each node's, spread over the ledger. */

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

/* The node's root is that of its entries: of those that say who read them, too, which come while that is done. */
static bool root_holds(struct chaos *c, unsigned node, struct tree *tree)
{
	char root[80], words[2 * HASH_SIZE + 1];
	struct hash h;
	cs_page *page;

	for (unsigned tries = 0; tries < ROOT_TRIES; tries++) {
		tree_root(tree, &h);
		for (unsigned i = 0; i < HASH_SIZE; i++)
			snprintf(words + 2 * i, 3, "%02x", h.b[i]);
		if (nodes_text(c, node, "root", root, sizeof root) && strcmp(root, words) == 0)
			return true;
		if (cs_leaves(nodes_client(c, node), tree_size(tree), 256, 1000, &page))
			return false;
		for (size_t i = 0; i < page->n; i++) {
			hash_leaf(&h, page->entries[i].leaf, page->entries[i].leaf_size);
			tree_append(tree, &h);
		}
		cs_page_free(page);
	}
	return false;
}

/* What opens private fields is logged first: a node that is too busy for that in time says so, and is asked again. */
static int read_page(struct chaos *c, unsigned node, uint64_t at, cs_page **ret)
{
	int err = CS_E_NO_QUORUM;

	for (unsigned tries = 0; err == CS_E_NO_QUORUM && tries < PAGE_TRIES; tries++)
		err = cs_entries(nodes_client(c, node), at, 256, 5000, ret);
	return err;
}

/* All entries of one node, and the root over them. */
static void read_node(struct chaos *c, struct stored *s, unsigned node)
{
	struct tree *tree;
	struct hash h;

	if (tree_new(&(struct tree_tiles){0}, &tree))
		chaos_stop(__func__);
	for (uint64_t at = 0; at < s->size && chaos_good(c);) {
		cs_page *page;
		if (read_page(c, node, at, &page) || page->n == 0) {
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
	if (chaos_good(c) && !root_holds(c, node, tree))
		chaos_broken(c, "node %u: its root is not that of its entries", node + 1);
	tree_free(tree);
}

static void read_all(struct chaos *c, struct stored *s)
{
	s->leaves = calloc(s->size, sizeof *s->leaves);
	s->bodies = calloc(s->size, sizeof *s->bodies);
	s->rows = calloc(s->size + 1, sizeof *s->rows);
	if (!s->leaves || !s->bodies || !s->rows)
		chaos_stop(__func__);
	for (unsigned i = 0; i < c->n && chaos_good(c); i++)
		read_node(c, s, i);
	qsort(s->rows, s->n_rows, sizeof *s->rows, by_id);
}

/* Each node's proofs, under a quorum's cosignatures, by the tool and without any server. */
static void verify_offline(struct chaos *c, const struct stored *s, struct verdict *v)
{
	char path[400], *bundle;
	bool quorum;

	snprintf(path, sizeof path, "%s/bundle", c->cluster.dir);
	for (unsigned i = 0; i < c->n * PROOFS_EACH && chaos_good(c); i++) {
		uint64_t index = (s->size - 1) * (i / c->n) / (PROOFS_EACH - 1);
		/* Without private fields: nothing is logged of it, so that it proves what was there. */
		if (cs_prove_fields(nodes_client(c, i % c->n), index, 5000, 0, &bundle, &quorum) || !quorum) {
			chaos_broken(c, "node %u does not prove entry %" PRIu64 " under a quorum: %s", i % c->n + 1,
			             index, cs_last_error());
			return;
		}
		FILE *f = fopen(path, "we");
		if (!f || fputs(bundle, f) < 0 || fclose(f))
			chaos_stop(__func__);
		free(bundle);
		if (cluster_try("verify %s --trust %s/c/trust.policy", path, c->cluster.dir))
			chaos_broken(c, "node %u: the proof of entry %" PRIu64 " does not verify", i % c->n + 1, index);
		v->proofs++;
	}
}

/* What clients wrote down. */
static void read_events(const struct chaos *c, struct history *h)
{
	char path[400];

	snprintf(path, sizeof path, "%s/events", c->cluster.dir);
	FILE *f = fopen(path, "re");
	if (!f || fseek(f, 0, SEEK_END))
		chaos_stop(__func__);
	h->n = (size_t)ftell(f) / sizeof *h->events;
	rewind(f);
	h->events = calloc(h->n + 1, sizeof *h->events);
	if (!h->events || fread(h->events, sizeof *h->events, h->n, f) != h->n)
		chaos_stop(__func__);
	fclose(f);
}

void check_history(struct chaos *c, uint64_t size, struct verdict *ret)
{
	struct stored s = {.size = size};
	struct history h = {0};

	read_all(c, &s);
	read_events(c, &h);
	ret->size = size;
	if (chaos_good(c))
		judge(c, &h, &s, ret);
	if (chaos_good(c))
		ret->lies = judge_bites(c, &h, &s);
	if (chaos_good(c))
		verify_offline(c, &s, ret);
	free(h.events);
	free(s.leaves);
	free(s.bodies);
	free(s.rows);
}
