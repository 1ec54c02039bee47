/* The roster: which nodes are members, changed by administrators' orders, written and read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/roster.h"

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

#define NODE_ELEMENTS   9
#define ROSTER_ELEMENTS 5
#define KEY_SIZE        32
#define INDEX_MAX       ((UINT64_C(1) << 60) - 1) /* As the state's. */

const char *roster_role_text(unsigned role)
{
	switch (role) {
	case ROSTER_REMOVED:
		return "removed";
	case ROSTER_VOTER:
		return "voter";
	case ROSTER_SPARE:
		return "spare";
	default:
		return "unknown";
	}
}

static void set_text(char ret[ROSTER_URL_SIZE], struct text t)
{
	assert(t.len < ROSTER_URL_SIZE);
	if (t.len > 0)
		memcpy(ret, t.s, t.len);
	memset(ret + t.len, 0, ROSTER_URL_SIZE - t.len);
}

static void use(struct roster *r, uint64_t id)
{
	r->used[id / 8] |= (uint8_t)(1u << id % 8);
}

bool roster_used(const struct roster *r, uint64_t id)
{
	return id > NODE_ID_MAX || (r->used[id / 8] & 1u << id % 8) != 0;
}

void roster_genesis(struct roster *ret, const struct genesis *g)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < g->n_nodes; i++) {
		struct roster_node *n = &ret->nodes[ret->n++];
		n->id = g->nodes[i].id;
		n->role = ROSTER_VOTER;
		set_text(n->url, g->nodes[i].url);
		memcpy(n->log_pub, g->nodes[i].log_pub, KEY_SIZE);
		memcpy(n->cosigner_pub, g->nodes[i].cosigner_pub, KEY_SIZE);
		memcpy(n->channel_pub, g->nodes[i].channel_pub, KEY_SIZE);
		use(ret, n->id);
	}
}

static const struct roster_node *find(const struct roster_node *nodes, unsigned n, uint64_t id)
{
	for (unsigned i = 0; i < n; i++)
		if (nodes[i].id == id)
			return &nodes[i];
	return NULL;
}

const struct roster_node *roster_find(const struct roster *r, uint64_t id)
{
	return find(r->nodes, r->n, id);
}

const struct roster_node *roster_find_removed(const struct roster *r, uint64_t id)
{
	return find(r->removed, r->n_removed, id);
}

unsigned roster_voters(const struct roster *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		n += r->nodes[i].role == ROSTER_VOTER;
	return n;
}

static struct roster_node *add(struct roster *r, const struct member_order *m, uint64_t index)
{
	struct roster_node *n = &r->nodes[r->n++];

	assert(r->n <= ROSTER_NODES_MAX);
	memset(n, 0, sizeof(*n));
	n->id = m->id;
	n->role = ROSTER_SPARE;
	n->added = index;
	memcpy(n->log_pub, m->log_pub, KEY_SIZE);
	memcpy(n->cosigner_pub, m->cosigner_pub, KEY_SIZE);
	memcpy(n->channel_pub, m->channel_pub, KEY_SIZE);
	use(r, n->id);
	return n;
}

static void remove_node(struct roster *r, struct roster_node *n, uint64_t index)
{
	size_t after = (size_t)(r->nodes + r->n - (n + 1));

	if (r->n_removed == ROSTER_REMOVED_MAX) {
		memmove(r->removed, r->removed + 1, (ROSTER_REMOVED_MAX - 1) * sizeof(*n));
		r->n_removed--;
	}
	n->role = ROSTER_REMOVED;
	n->changed = index;
	r->removed[r->n_removed++] = *n;
	memmove(n, n + 1, after * sizeof(*n));
	r->n--;
	memset(&r->nodes[r->n], 0, sizeof(*n));
}

void roster_change(struct roster *r, const struct member_order *m, uint64_t index)
{
	struct roster_node *n = (struct roster_node *)roster_find(r, m->id);
	unsigned voters = roster_voters(r);

	r->version = index + 1;
	if (m->action == MEMBER_ADD)
		n = add(r, m, index);
	assert(n != NULL);
	if (m->action == MEMBER_ADD || m->action == MEMBER_ADDRESS) {
		set_text(n->url, m->url);
		set_text(n->link, m->link);
	}
	if (m->action == MEMBER_ROLE)
		n->role = m->role;
	n->changed = index;
	if (m->action == MEMBER_REMOVE)
		remove_node(r, n, index);
	if (roster_voters(r) != voters)
		r->voters_since = r->version;
}

/* --- bytes --- */

static void node_write(struct writer *w, const struct roster_node *n)
{
	writer_array(w, NODE_ELEMENTS);
	writer_uint(w, n->id);
	writer_uint(w, n->role);
	writer_cstr(w, n->url);
	writer_cstr(w, n->link);
	writer_bin(w, n->log_pub, KEY_SIZE);
	writer_bin(w, n->cosigner_pub, KEY_SIZE);
	writer_bin(w, n->channel_pub, KEY_SIZE);
	writer_uint(w, n->added);
	writer_uint(w, n->changed);
}

void roster_write(struct writer *w, const struct roster *r)
{
	writer_array(w, ROSTER_ELEMENTS);
	writer_uint(w, r->version);
	writer_uint(w, r->voters_since);
	writer_array(w, r->n);
	for (unsigned i = 0; i < r->n; i++)
		node_write(w, &r->nodes[i]);
	writer_array(w, r->n_removed);
	for (unsigned i = 0; i < r->n_removed; i++)
		node_write(w, &r->removed[i]);
	writer_bin(w, r->used, sizeof(r->used));
}

static void node_read(struct reader *r, struct roster_node *n, bool removed)
{
	struct text url = {0}, link = {0};
	uint64_t role = 0;

	reader_array_exact(r, NODE_ELEMENTS);
	reader_uint(r, NODE_ID_MAX, &n->id);
	reader_uint(r, ROSTER_SPARE, &role);
	codec_text(r, 1, ROSTER_URL_SIZE - 1, &url);
	codec_text(r, 0, ROSTER_URL_SIZE - 1, &link);
	reader_bin_exact(r, n->log_pub, KEY_SIZE);
	reader_bin_exact(r, n->cosigner_pub, KEY_SIZE);
	reader_bin_exact(r, n->channel_pub, KEY_SIZE);
	reader_uint(r, INDEX_MAX, &n->added);
	reader_uint(r, INDEX_MAX, &n->changed);
	if (r->err != 0)
		return;
	if (removed != (role == ROSTER_REMOVED) || n->id == 0)
		r->err = CS_ERR_MALFORMED;
	n->role = (unsigned)role;
	set_text(n->url, url);
	set_text(n->link, link);
}

static unsigned nodes_read(struct reader *r, struct roster_node *nodes, unsigned n_max, bool removed)
{
	uint32_t n = 0;

	reader_array(r, n_max, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		node_read(r, &nodes[i], removed);
		if (r->err == 0 && find(nodes, i, nodes[i].id) != NULL)
			r->err = CS_ERR_MALFORMED;
	}
	return n;
}

void roster_read(struct reader *r, struct roster *ret)
{
	memset(ret, 0, sizeof(*ret));
	reader_array_exact(r, ROSTER_ELEMENTS);
	reader_uint(r, INDEX_MAX, &ret->version);
	reader_uint(r, INDEX_MAX, &ret->voters_since);
	ret->n = nodes_read(r, ret->nodes, ROSTER_NODES_MAX, false);
	ret->n_removed = nodes_read(r, ret->removed, ROSTER_REMOVED_MAX, true);
	reader_bin_exact(r, ret->used, sizeof(ret->used));
	if (r->err == 0 && roster_voters(ret) == 0)
		r->err = CS_ERR_MALFORMED; /* Nobody could ever commit anything. */
}

bool roster_link_parse(const char *link, size_t len, char *ret_host, uint16_t *ret_port)
{
	uint32_t port = 0;
	size_t at = len, host = 0;

	while (at > 0 && link[at - 1] != ':')
		at--;
	if (at < 2 || at == len || len - at > 5 || len >= ROSTER_URL_SIZE || link[at] == '0')
		return false;
	for (size_t i = at; i < len; i++) {
		if (link[i] < '0' || link[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(link[i] - '0');
	}
	size_t end = at - 1;
	if (link[0] == '[' && link[end - 1] == ']') {
		host = 1;
		end--;
	}
	if (port > UINT16_MAX || end <= host)
		return false;
	for (size_t i = host; i < end; i++)
		if (link[i] <= 0x20 || link[i] >= 0x7f || link[i] == '"' || link[i] == '\\')
			return false;
	memcpy(ret_host, link + host, end - host);
	ret_host[end - host] = 0;
	*ret_port = (uint16_t)port;
	return true;
}
