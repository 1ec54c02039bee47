/* A ledger's own entries about members and keys, folded into who they are and which keys gave way. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/trustwalk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/verifywhole.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/verify_show.h"
#include "node/decide/codec.h"
#include "node/decide/keys.h"

static bool take_genesis(struct trustwalk *w, const struct entry *e)
{
	struct genesis g;

	if (w->begun || genesis_decode(&g, e->public_, e->public_len) < 0)
		return false;
	snprintf(w->origin, sizeof w->origin, "%.*s", (int)g.origin.len, g.origin.s);
	roster_genesis(&w->roster, &g);
	w->begun = true;
	return true;
}

/* [action, id, role, url, link, log key, cosigner key, channel key, lost, [voter…], governance version, signature] */
static bool take_member(struct trustwalk *w, const struct entry *e)
{
	struct member_order m = {0};
	uint64_t action = 0, role = 0;
	const uint8_t *skipped;
	struct reader r;
	size_t len;

	reader_init(&r, e->public_, e->public_len);
	reader_array_exact(&r, 12);
	reader_uint(&r, UINT8_MAX, &action);
	reader_uint(&r, NODE_ID_MAX, &m.id);
	reader_uint(&r, UINT8_MAX, &role);
	codec_text(&r, 0, NODE_URL_SIZE_MAX, &m.url);
	codec_text(&r, 0, NODE_URL_SIZE_MAX, &m.link);
	codec_fixed_or_nil(&r, 32, &m.log_pub);
	codec_fixed_or_nil(&r, 32, &m.cosigner_pub);
	codec_fixed_or_nil(&r, 32, &m.channel_pub);
	reader_bool(&r, &m.lost);
	for (unsigned i = 0; i < 3; i++)
		reader_skip(&r, &skipped, &len);
	m.action = (unsigned)action;
	m.role = (unsigned)role;
	bool add = m.action == MEMBER_ADD;
	if (reader_end(&r) < 0 || (add && (!m.log_pub || !m.cosigner_pub || !m.channel_pub)) ||
	    (add ? roster_find(&w->roster, m.id) != NULL || w->roster.n == ROSTER_NODES_MAX
	         : roster_find(&w->roster, m.id) == NULL))
		return false;
	roster_change(&w->roster, &m, e->index);
	return true;
}

static bool take_key(struct trustwalk *w, const struct entry *e)
{
	struct trust_change c;

	if (!trust_change_read(&c, e->index, e->public_, e->public_len))
		return true; /* A principal's. */
	struct roster_node *n = (struct roster_node *)roster_find(&w->roster, c.node);
	if (!n)
		return false;
	uint8_t *key = c.place == KEY_PLACE_LOG        ? n->log_pub
	               : c.place == KEY_PLACE_COSIGNER ? n->cosigner_pub
	                                               : n->channel_pub;
	memcpy(key, c.now, sizeof c.now);
	w->roster.version = e->index + 1;
	trust_change_add(&w->changes, &c);
	return true;
}

void trustwalk_entry(void *walk, const void *leaf, size_t len)
{
	struct trustwalk *w = walk;
	struct entry e;

	if (w->broken || entry_decode(&e, leaf, len) < 0)
		return; /* Leaves are the verifier's matter. */
	bool good = true;
	if (e.kind == ENTRY_GENESIS)
		good = take_genesis(w, &e);
	else if (e.kind == ENTRY_MEMBER)
		good = w->begun && take_member(w, &e);
	else if (e.kind == ENTRY_KEY)
		good = w->begun && take_key(w, &e);
	w->broken = !good;
}

/*
 * The only log key that has signed may be new: then the quorum of cosigners vouches, for that reason alone, if all else
 * was checked to the end and the policy is one of this ledger's.
 */
static void vouch(const struct verify_policy *policy, struct verify_result *r)
{
	char all[64], vkey[VERIFY_VKEY_SIZE];
	bool whole = false;

	if (r->outcome != VERIFY_UNDECIDED || !r->quorum_reached || r->n_log_signatures > 0 ||
	    !verify_policy_designated(policy, r->origin, vkey))
		return;
	snprintf(all, sizeof all, "all %" PRIu64 " entries: ", r->size);
	for (unsigned i = 0; i < r->n_lines; i++)
		whole |= r->lines[i].mark == VERIFY_MARK_HELD && !strncmp(r->lines[i].text, all, strlen(all));
	if (whole)
		r->outcome = VERIFY_VERIFIED;
}

void trustwalk_ledger(const struct verify_policy *policy, const char *path, struct trustwalk *walk,
                      struct verify_result *ret)
{
	const struct verifywhole whole = {.trusted = true, .entry = trustwalk_entry, .entry_ctx = walk};

	memset(walk, 0, sizeof *walk);
	if (verifywhole_run("trust update", path, policy, &whole, ret) != 0)
		ret->outcome = VERIFY_UNDECIDED;
	else
		vouch(policy, ret);
}
