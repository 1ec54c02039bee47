/* Checks of an order about a member: what it may say, held against the roster and the principals. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

#define KEY_SIZE 32

static bool begins(struct text t, const char *with)
{
	return t.len > strlen(with) && memcmp(t.s, with, strlen(with)) == 0;
}

static int check_places(const struct state *s, const struct member_order *m, const struct refusal *why)
{
	char host[ROSTER_URL_SIZE];
	uint16_t port;

	if (!begins(m->url, "tcp://") && !begins(m->url, "ipc://"))
		return refuse(why, CS_ERR_INVALID, "the order: the url must begin with tcp:// or ipc://");
	for (size_t i = 0; i < m->url.len; i++)
		if (m->url.s[i] <= 0x20 || m->url.s[i] >= 0x7f || strchr("\"\\", m->url.s[i]) != NULL)
			return refuse(why, CS_ERR_INVALID, "the order: the url has characters that no url has");
	if (!roster_link_parse(m->link.s, m->link.len, host, &port))
		return refuse(why, CS_ERR_INVALID, "the order: the link must be HOST:PORT");
	for (unsigned i = 0; i < s->roster.n; i++) {
		const struct roster_node *n = &s->roster.nodes[i];
		if (n->id != m->id && (text_is(m->url, n->url) || text_is(m->link, n->link)))
			return refuse(why, CS_ERR_EXISTS, "the order: node %llu has this address",
			              (unsigned long long)n->id);
	}
	return 0;
}

static bool has_key(const struct roster_node *nodes, unsigned n, const uint8_t *key)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(nodes[i].log_pub, key, KEY_SIZE) == 0 || memcmp(nodes[i].cosigner_pub, key, KEY_SIZE) == 0 ||
		    memcmp(nodes[i].channel_pub, key, KEY_SIZE) == 0)
			return true;
	return false;
}

/* One key for one thing, and none twice: a signature must not count for two nodes. */
static int check_keys(const struct state *s, const struct member_order *m, const struct refusal *why)
{
	const uint8_t *keys[] = {m->log_pub, m->cosigner_pub, m->channel_pub};
	const struct roster *r = &s->roster;

	for (unsigned i = 0; i < 3; i++) {
		if (sodium_is_zero(keys[i], KEY_SIZE) || (i < 2 && crypto_core_ed25519_is_valid_point(keys[i]) == 0))
			return refuse(why, CS_ERR_INVALID, "the order: a key is none");
		if (memcmp(keys[i], keys[(i + 1) % 3], KEY_SIZE) == 0)
			return refuse(why, CS_ERR_INVALID, "the order: two keys are the same");
		if (has_key(r->nodes, r->n, keys[i]) || has_key(r->removed, r->n_removed, keys[i]) ||
		    keys_was_used(s, keys[i]))
			return refuse(why, CS_ERR_EXISTS, "the order: another node has or had one of the keys");
	}
	if (state_principal_by_channel(s, m->channel_pub) != NULL)
		return refuse(why, CS_ERR_EXISTS, "the order: the channel key is enrolled already");
	return 0;
}

static int check_add(const struct state *s, const struct member_order *m, const struct refusal *why)
{
	if (roster_used(&s->roster, m->id))
		return refuse(why, CS_ERR_EXISTS, "the order: node %llu is or was a member, and no id is used again",
		              (unsigned long long)m->id);
	if (s->roster.n == ROSTER_NODES_MAX)
		return refuse(why, CS_ERR_INVALID, "the order: a cluster has at most %d members", ROSTER_NODES_MAX);
	if (!principal_has_room(s))
		return refuse(why, CS_ERR_OVERLOADED, "the table of principals is full");
	int err = check_places(s, m, why);
	return err == 0 ? check_keys(s, m, why) : err;
}

int check_member(const struct state *s, const struct member_order *m, const struct refusal *why)
{
	const struct roster_node *n = roster_find(&s->roster, m->id);

	if (m->action == MEMBER_ADD)
		return check_add(s, m, why);
	if (n == NULL)
		return refuse(why, CS_ERR_NOT_FOUND, "the order: node %llu is not a member", (unsigned long long)m->id);
	if (m->action == MEMBER_ADDRESS) {
		if (text_is(m->url, n->url) && text_is(m->link, n->link))
			return refuse(why, CS_ERR_EXISTS, "the order: it has these addresses");
		return check_places(s, m, why);
	}
	if (m->action == MEMBER_ROLE && m->role == n->role)
		return refuse(why, CS_ERR_EXISTS, "the order: node %llu is a %s already", (unsigned long long)m->id,
		              roster_role_text(n->role));
	if (n->role == ROSTER_VOTER && roster_voters(&s->roster) == 1)
		return refuse(why, CS_ERR_INVALID, "the order: nobody could vote afterwards");
	return 0;
}
