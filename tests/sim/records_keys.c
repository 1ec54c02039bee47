/* Nodes' keys: each signs, and counts, for the sizes that the ledger gives it, and for no other. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/decide/command.h"
#include "node/decide/keys.h"
#include "tests/sim/cluster.h"
#include "tests/sim/os.h"
#include "tests/sim/records_internal.h"

#define KEYS_MAX   512
#define PROOFS_MAX 4096
#define NOTES_MAX  (1u << 16)

/* What a node has signed by a key, whose id stands in its lines. */
static struct used {
	unsigned node;
	uint32_t id;
	uint64_t least, most;
} used[KEYS_MAX];
static unsigned n_used;

/* What it has signed at once, by keys of one place: the current one, and one before that is good yet. */
static struct signed_note {
	unsigned node;
	uint32_t ids[2];
	uint64_t size;
} notes[NOTES_MAX];
static unsigned n_notes;

/* What a node called a quorum's: the members whose lines there are, and by which keys. */
static struct proof {
	unsigned node, n;
	uint64_t size;
	struct {
		unsigned node;
		uint32_t id;
	} lines[LIMIT_NOTE_SIGNATURES_MAX];
} proofs[PROOFS_MAX];
static unsigned n_proofs;

/* A key's sizes. */
struct key {
	unsigned node, place;
	uint32_t id;
	uint64_t since, until;
};
/* Who votes from a size on. */
struct electorate {
	uint64_t size, voters; /* A bit each. */
};
struct signing {
	unsigned node, n, n_electorates;
	struct key list[KEYS_MAX];
	struct electorate electorates[64];
};

/* "origin/node-N"; 0: another's. */
static unsigned cosigner_of(const struct note_signature *s)
{
	size_t prefix = strlen(CLUSTER_ORIGIN "/node-");

	if (s->name_len != prefix + 1 || memcmp(s->name, CLUSTER_ORIGIN "/node-", prefix) != 0)
		return 0;
	return (unsigned)(s->name[prefix] - '0');
}

void records_signed(unsigned node, uint64_t size, const struct note *lines)
{
	for (unsigned i = 0; i < lines->n_signatures; i++) {
		unsigned k = 0;
		while (k < n_used && (used[k].node != node || used[k].id != lines->signatures[i].id))
			k++;
		if (k == KEYS_MAX)
			os_fail(node, "more keys than the simulator remembers");
		if (k == n_used)
			used[n_used++] = (struct used){node, lines->signatures[i].id, size, size};
		used[k].least = size < used[k].least ? size : used[k].least;
		used[k].most = size > used[k].most ? size : used[k].most;
	}
	if (n_notes < NOTES_MAX)
		notes[n_notes++] = (struct signed_note){
		        node, {lines->signatures[0].id, lines->signatures[lines->n_signatures - 1].id}, size};
}

void records_cosigned(unsigned node, uint64_t size, const struct note *lines)
{
	struct proof *p = &proofs[n_proofs];

	if (n_proofs == PROOFS_MAX)
		return;
	n_proofs++;
	*p = (struct proof){.node = node, .size = size};
	for (unsigned i = 0; i < lines->n_signatures; i++) {
		unsigned by = cosigner_of(&lines->signatures[i]);
		if (!by)
			continue;
		p->lines[p->n].node = by;
		p->lines[p->n++].id = lines->signatures[i].id;
	}
}

/* --- by the ledger --- */

static void add(struct signing *k, unsigned node, unsigned place, const uint8_t *pub, uint64_t since)
{
	char name[sizeof CLUSTER_ORIGIN + 16];
	struct note_key key;

	snprintf(name, sizeof name, place == KEY_PLACE_LOG ? "%s" : "%s/node-%u", CLUSTER_ORIGIN, node);
	if (k->n == KEYS_MAX || note_key_init(&key, name, place == KEY_PLACE_LOG ? 1 : 4, pub))
		os_fail(k->node, "the simulator cannot take a key");
	k->list[k->n++] = (struct key){node, place, key.id, since, UINT64_MAX};
}

static void votes(struct signing *k, uint64_t size, uint64_t voters)
{
	if (k->n_electorates == sizeof k->electorates / sizeof *k->electorates)
		os_fail(k->node, "more changes of members than the simulator remembers");
	k->electorates[k->n_electorates++] = (struct electorate){size, voters};
}

struct signing *signing_new(unsigned node)
{
	struct signing *k = calloc(1, sizeof *k);
	uint64_t voters = 0;
	struct genesis g;

	if (!k || genesis_decode(&g, cluster.genesis, cluster.genesis_len))
		os_fail(node, "out of memory");
	k->node = node;
	for (unsigned i = 0; i < g.n_nodes; i++) {
		add(k, (unsigned)g.nodes[i].id, KEY_PLACE_LOG, g.nodes[i].log_pub, 0);
		add(k, (unsigned)g.nodes[i].id, KEY_PLACE_COSIGNER, g.nodes[i].cosigner_pub, 0);
		voters |= UINT64_C(1) << g.nodes[i].id;
	}
	votes(k, 0, voters);
	return k;
}

/* [place, id, name, key, key before it, good up to, …]: what was still good of keys before that one ends here. */
static void rotated(struct signing *k, const struct entry *e)
{
	uint64_t place = 0, node = 0, until = 0;
	uint8_t pub[32], before[32];
	const uint8_t *skipped;
	struct reader r;
	size_t len;

	reader_init(&r, e->public_, e->public_len);
	reader_array_exact(&r, 8);
	reader_uint(&r, KEY_PLACE_MAX, &place);
	reader_uint(&r, UINT64_MAX, &node);
	reader_skip(&r, &skipped, &len);
	reader_bin_exact(&r, pub, sizeof pub);
	reader_bin_exact(&r, before, sizeof before);
	reader_uint(&r, UINT64_MAX, &until);
	if (r.err)
		os_fail(k->node, "entry %" PRIu64 " of a key cannot be read", e->index);
	for (unsigned i = 0; i < k->n; i++) {
		struct key *o = &k->list[i];
		if (o->node != node || o->place != place)
			continue;
		if (o->until == UINT64_MAX)
			o->until = until;
		else if (o->until > e->index)
			o->until = e->index;
	}
	add(k, (unsigned)node, (unsigned)place, pub, e->index + 1);
}

/* [action, node id, role, url, link, log key or nil, cosigner key or nil, channel key or nil, lost, [voter…], …] */
static void member(struct signing *k, const struct entry *e)
{
	uint64_t node = 0, id, voters = 0, action = 0;
	uint8_t keys[2][32] = {{0}};
	const uint8_t *skipped;
	struct reader r;
	uint32_t n = 0;
	size_t len;

	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, 16, &n);
	reader_uint(&r, MEMBER_ADDRESS, &action);
	reader_uint(&r, UINT64_MAX, &node);
	for (unsigned i = 0; i < 3; i++)
		reader_skip(&r, &skipped, &len);
	for (unsigned i = 0; i < 2; i++)
		if (!reader_nil(&r))
			reader_bin_exact(&r, keys[i], sizeof keys[i]);
	for (unsigned i = 0; i < 2; i++)
		reader_skip(&r, &skipped, &len);
	reader_array(&r, 16, &n);
	for (uint32_t i = 0; i < n; i++)
		if (reader_uint(&r, 63, &id) == 0)
			voters |= UINT64_C(1) << id;
	if (r.err)
		os_fail(k->node, "entry %" PRIu64 " about a member cannot be read", e->index);
	votes(k, e->index + 1, voters);
	if (action != MEMBER_ADD)
		return;
	add(k, (unsigned)node, KEY_PLACE_LOG, keys[0], e->index + 1);
	add(k, (unsigned)node, KEY_PLACE_COSIGNER, keys[1], e->index + 1);
}

void signing_entry(struct signing *k, const struct entry *e)
{
	if (e->kind == ENTRY_KEY)
		rotated(k, e);
	else if (e->kind == ENTRY_MEMBER)
		member(k, e);
}

/* --- what is checked --- */

static const struct key *find(const struct signing *k, unsigned node, uint32_t id)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->list[i].node == node && k->list[i].id == id)
			return &k->list[i];
	return NULL;
}

static void check_used(const struct signing *k, const struct used *u)
{
	const struct key *key = find(k, u->node, u->id);

	if (!key)
		os_fail(u->node, "it has signed size %" PRIu64 " by a key that is none of its own", u->most);
	if (u->least < key->since || u->most > key->until)
		os_fail(u->node,
		        "it has signed sizes %" PRIu64 " to %" PRIu64 " by a key that is good from %" PRIu64
		        " to %" PRIu64,
		        u->least, u->most, key->since, key->until);
}

/* Whoever signs a size does so by the key that was given last for it: one before, that is good yet, only joins it. */
static void check_note(const struct signing *k, const struct signed_note *n)
{
	const struct key *by = find(k, n->node, n->ids[0]), *due = NULL;

	for (unsigned i = 0; by && i < k->n; i++)
		if (k->list[i].node == n->node && k->list[i].place == by->place && k->list[i].since <= n->size)
			due = &k->list[i];
	if (due && due->id != n->ids[0] && due->id != n->ids[1])
		os_fail(n->node, "it has signed size %" PRIu64 " without the key that is its own from %" PRIu64 " on",
		        n->size, due->since);
}

static void check_quorum(const struct signing *k, const struct proof *p)
{
	uint64_t voters = 0, by = 0;

	for (unsigned i = 0; i < k->n_electorates && k->electorates[i].size <= p->size; i++)
		voters = k->electorates[i].voters;
	for (unsigned i = 0; i < p->n; i++) {
		const struct key *key = find(k, p->lines[i].node, p->lines[i].id);
		if (key && key->since <= p->size && p->size <= key->until)
			by |= UINT64_C(1) << p->lines[i].node & voters;
	}
	if (2 * __builtin_popcountll(by) <= __builtin_popcountll(voters))
		os_fail(p->node, "it calls size %" PRIu64 " a quorum's, by %" PRIx64 " of the voters %" PRIx64, p->size,
		        by, voters);
}

void signing_end(struct signing *k)
{
	for (unsigned i = 0; i < n_used; i++)
		check_used(k, &used[i]);
	for (unsigned i = 0; i < n_notes; i++)
		check_note(k, &notes[i]);
	for (unsigned i = 0; i < n_proofs; i++)
		check_quorum(k, &proofs[i]);
	free(k);
}
