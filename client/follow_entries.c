/* What follows from entries about members and keys: which are needed, and what each says once it is proven. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/client_internal.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/decide/keys.h"

#define PLACE_BIT(place) ((uint8_t)(1u << (place)))
#define PLACES_ALL       (PLACE_BIT(KEY_PLACE_LOG) | PLACE_BIT(KEY_PLACE_COSIGNER) | PLACE_BIT(KEY_PLACE_NODE))

static const uint8_t *key_at(const struct roster_node *n, unsigned place)
{
	return place == KEY_PLACE_LOG ? n->log_pub : place == KEY_PLACE_COSIGNER ? n->cosigner_pub : n->channel_pub;
}

bool follow_agrees(const struct follow *f)
{
	for (unsigned i = 0; i < f->keys.n; i++) {
		const struct key_told *k = &f->keys.keys[i];
		const struct roster_node *n = roster_find(&f->reply.roster, k->node);
		if (n != NULL && memcmp(key_at(n, k->place), k->pub, sizeof(k->pub)) != 0)
			return false;
	}
	return true;
}

static void step_add(struct follow *f, uint64_t index)
{
	for (unsigned i = 0; i < f->n_steps; i++)
		if (f->steps[i] == index)
			return;
	/* In the order of the ledger: a key that gives way twice is followed from one to the next. */
	unsigned at = f->n_steps++;
	for (; at > 0 && f->steps[at - 1] > index; at--)
		f->steps[at] = f->steps[at - 1];
	f->steps[at] = index;
}

/* Where the key came from: what the node said, or else, of an older node, the entry that added it. */
static uint64_t brought_by(const struct follow *f, const struct roster_node *n, unsigned place)
{
	for (unsigned i = 0; i < f->keys.n; i++)
		if (f->keys.keys[i].node == n->id && f->keys.keys[i].place == place)
			return f->keys.keys[i].index;
	return n->added;
}

/* By the channel key that this client already goes by. */
static bool channel_known(const cs_client *c, const struct roster_node *n)
{
	for (unsigned i = 0; i < atomic_load(&c->n_nodes); i++)
		if (c->nodes[i].id == n->id)
			return memcmp(c->nodes[i].channel_pub, n->channel_pub, CHANNEL_KEY_SIZE) == 0;
	return true; /* Of a node that comes anew the trust policy decides, as of its other keys. */
}

void follow_plan(cs_client *c)
{
	struct follow *f = &c->follow;
	const struct roster *r = &f->reply.roster;

	f->step = f->n_steps = 0;
	f->changes.n = 0;
	memset(f->proven, 0, sizeof(f->proven));
	memset(f->needed, 0, sizeof(f->needed));
	f->voters_proven = r->voters_since == 0 && (c->skip_proof || trust_same_voters(&c->trust, r));
	for (unsigned i = 0; i < r->n && !c->skip_proof; i++) {
		if (!trust_knows(&c->trust, c->cluster.origin, &r->nodes[i]))
			f->needed[i] = PLACES_ALL;
		else if (!channel_known(c, &r->nodes[i]))
			f->needed[i] = PLACE_BIT(KEY_PLACE_NODE);
		for (unsigned place = KEY_PLACE_LOG; place <= KEY_PLACE_NODE; place++)
			if (f->needed[i] & PLACE_BIT(place))
				step_add(f, brought_by(f, &r->nodes[i], place));
	}
	if (!c->skip_proof && r->voters_since > 0)
		step_add(f, r->voters_since - 1);
}

/* [action, id, role, url, link, log key, cosigner key, channel key, lost, [voter…], governance version, signature] */
static int read_member(struct follow *f, const struct entry *e)
{
	struct roster *r = &f->reply.roster;
	const uint8_t *keys[3] = {NULL}, *skipped;
	uint64_t action = 0, id = 0, role;
	uint32_t n = 0;
	unsigned matches = 0;
	struct reader p;
	size_t len;

	reader_init(&p, e->public_, e->public_len);
	reader_array_exact(&p, 12);
	reader_uint(&p, UINT64_MAX, &action);
	reader_uint(&p, UINT64_MAX, &id);
	reader_uint(&p, UINT64_MAX, &role);
	reader_skip(&p, &skipped, &len);
	reader_skip(&p, &skipped, &len);
	for (unsigned i = 0; i < 3; i++)
		if (!reader_nil(&p) && reader_bin(&p, 32, &keys[i], &len) == 0 && len != 32)
			p.err = CS_ERR_MALFORMED;
	reader_skip(&p, &skipped, &len);
	reader_array(&p, ROSTER_NODES_MAX, &n);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t voter = 0;
		reader_uint(&p, UINT64_MAX, &voter);
		const struct roster_node *v = roster_find(r, voter);
		matches += v != NULL && v->role == ROSTER_VOTER;
	}
	reader_skip(&p, &skipped, &len);
	reader_skip(&p, &skipped, &len);
	if (reader_end(&p) < 0)
		return p.err;
	if (e->index + 1 == r->voters_since)
		f->voters_proven = matches == n && n == roster_voters(r);
	const struct roster_node *m = roster_find(r, id);
	for (unsigned i = 0; i < 3 && action == MEMBER_ADD && m != NULL; i++)
		if (keys[i] != NULL && memcmp(keys[i], key_at(m, KEY_PLACE_LOG + i), 32) == 0)
			f->proven[m - r->nodes] |= PLACE_BIT(KEY_PLACE_LOG + i);
	return CS_OK;
}

static int read_key(struct follow *f, const struct entry *e)
{
	struct roster *r = &f->reply.roster;
	struct trust_change c;

	if (!trust_change_read(&c, e->index, e->public_, e->public_len))
		return CS_ERR_REFUTED;
	const struct roster_node *m = roster_find(r, c.node);
	if (m != NULL && memcmp(c.now, key_at(m, c.place), 32) == 0)
		f->proven[m - r->nodes] |= PLACE_BIT(c.place);
	trust_change_add(&f->changes, &c);
	return CS_OK;
}

int follow_read(cs_client *c, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_MEMBER:
		return read_member(&c->follow, e);
	case ENTRY_KEY:
		return read_key(&c->follow, e);
	case ENTRY_GENESIS: /* Of nodes that were there from the start the policy spoke from the start. */
		return CS_OK;
	default:
		return CS_ERR_REFUTED;
	}
}
