/* Who the members are: the ledger's roster, or what is known before it is here; their links; who was removed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/members.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define TELL_INTERVAL_NS UINT64_C(1000000000) /* A removed node that does not stop is told again. */

void members_name(uint64_t id, char ret[MEMBERS_NAME_SIZE])
{
	snprintf(ret, MEMBERS_NAME_SIZE, "node-%" PRIu64, id);
}

struct member *members_find(struct core *c, uint64_t id)
{
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id == id)
			return &c->members.list[i];
	return NULL;
}

unsigned members_majority(const struct core *c)
{
	return c->members.ours ? c->members.voters / 2 + 1 : UINT_MAX;
}

static bool configured(const struct core *c, uint64_t id)
{
	const struct raft_configuration *conf = &c->raft.configuration;

	for (unsigned i = 0; i < conf->n; i++)
		if (conf->servers[i].id == id)
			return true;
	return false;
}

/* A node that its own ledger does not name is still on its way there. */
static bool is_named(const struct core *c)
{
	const struct roster *own = state_roster(c->state);

	return roster_find(own, c->id) || roster_find_removed(own, c->id);
}

/*
 * What a newer roster says beside ours is good for links: where nodes are, and whom else to listen to. It takes nobody
 * away, and gives nobody a voice: its word is one member's.
 */
static void merge_hint(const struct roster *hint, struct roster *ret)
{
	for (unsigned i = 0; i < hint->n; i++) {
		const struct roster_node *n = &hint->nodes[i];
		struct roster_node *ours = (struct roster_node *)roster_find(ret, n->id);
		if (!ours && !roster_find_removed(ret, n->id) && ret->n < ROSTER_NODES_MAX) {
			ours = &ret->nodes[ret->n++];
			*ours = (struct roster_node){.id = n->id, .role = ROSTER_SPARE};
			memcpy(ours->channel_pub, n->channel_pub, sizeof ours->channel_pub);
		} else if (!ours) {
			continue;
		}
		memcpy(ours->url, n->url, sizeof ours->url);
		memcpy(ours->link, n->link, sizeof ours->link);
	}
}

static void merge(const struct core *c, struct roster *ret)
{
	const struct roster *own = state_roster(c->state), *hint = &c->members.hint;

	*ret = is_named(c) || !hint->n ? *own : *hint;
	if (is_named(c) && hint->version > own->version)
		merge_hint(hint, ret);
}

/* --- where they are --- */

static void format_address(char ret[ROSTER_URL_SIZE], const char *host, uint16_t port)
{
	snprintf(ret, ROSTER_URL_SIZE, strchr(host, ':') ? "[%.110s]:%u" : "%.112s:%u", host, port);
}

/* Nodes of a genesis are named without their links: the settings of all who were there have them. */
static void address_of(const struct core *c, const struct roster_node *n, char ret[ROSTER_URL_SIZE])
{
	const struct settings *s = c->o.settings;

	snprintf(ret, ROSTER_URL_SIZE, "%s", n->link);
	if (!*ret && n->id == c->id)
		format_address(ret, s->link_host, s->link_port);
	for (unsigned i = 0; !*ret && i < s->n_peers; i++)
		if (s->peers[i].id == n->id)
			format_address(ret, s->peers[i].host, s->peers[i].port);
}

void members_whole_roster(struct core *c, struct roster *ret)
{
	const struct roster *r = c->members.ours ? state_roster(c->state) : &c->members.known;

	*ret = *r;
	for (unsigned i = 0; i < r->n; i++)
		address_of(c, &r->nodes[i], ret->nodes[i].link);
}

/* --- links --- */

static struct linked *linked_find(struct core *c, uint64_t id)
{
	for (unsigned i = 0; i < c->members.n_linked; i++)
		if (c->members.linked[i].id == id)
			return &c->members.linked[i];
	return NULL;
}

static void link_to(struct core *c, const struct roster_node *n, bool removed)
{
	struct linked *l = linked_find(c, n->id);
	struct link_peer peer = {.id = n->id};
	char address[ROSTER_URL_SIZE], host[ROSTER_URL_SIZE];
	int err = 0;

	address_of(c, n, address);
	if (!roster_link_parse(address, strlen(address), host, &peer.port)) {
		if (!removed)
			log_warning("nobody says where node %" PRIu64 " is", n->id);
		return;
	}
	peer.host = host;
	memcpy(peer.channel_pub, n->channel_pub, sizeof peer.channel_pub);
	if (!l) {
		err = link_add_peer(c->link, &peer);
		if (!err)
			l = &c->members.linked[c->members.n_linked++];
	} else if (strcmp(l->address, address) != 0) {
		err = link_set_address(c->link, n->id, host, peer.port);
	}
	if (!err) {
		const struct key_replaced *before = keys_overlap(c->state, KEY_PLACE_NODE, n->id);
		err = link_set_peer_key(c->link, n->id, n->channel_pub, before ? before->pub : NULL);
	}
	if (err) {
		log_error("link to node %" PRIu64 " at %s: %s", n->id, address, err_text(err));
		return;
	}
	l->id = n->id;
	l->removed = removed;
	memcpy(l->address, address, sizeof l->address);
	link_set_passive(c->link, n->id, removed);
}

/* Links to the members; to those whose removal Raft has yet to carry out; and for the removed, a link that waits. */
static void follow_links(struct core *c)
{
	struct members *m = &c->members;
	const struct roster *r = &m->known;

	if (!c->link)
		return;
	for (unsigned i = m->n_linked; i-- > 0;) {
		if (roster_find(r, m->linked[i].id) || roster_find_removed(r, m->linked[i].id))
			continue;
		link_remove_peer(c->link, m->linked[i].id);
		m->linked[i] = m->linked[--m->n_linked];
	}
	for (unsigned i = 0; i < r->n_removed; i++)
		if (r->removed[i].id != c->id)
			link_to(c, &r->removed[i], !configured(c, r->removed[i].id));
	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].id != c->id)
			link_to(c, &r->nodes[i], false);
}

static void send_roster(struct core *c, uint64_t to)
{
	struct frame f = {.type = FRAME_ROSTER};
	uint8_t bytes[ROSTER_SIZE_MAX];
	struct writer w;

	if (state_roster(c->state)->version == 0)
		return; /* As in the genesis, which every node has. */
	writer_init(&w, bytes, sizeof bytes);
	roster_write(&w, state_roster(c->state));
	f.roster.bytes = bytes;
	if (writer_end(&w, &f.roster.len) == 0)
		peers_send(c, to, &f);
}

/* --- who they are --- */

static const uint8_t no_key[32];

static int key_init(struct note_key *k, const char *name, uint8_t type, const uint8_t pub[32])
{
	memset(k, 0, sizeof *k);
	return memcmp(pub, no_key, sizeof no_key) == 0 ? 0 : note_key_init(k, name, type, pub);
}

static int before_init(const struct core *c, uint64_t id, unsigned place, const char *name, uint8_t type,
                       struct note_key *ret, uint64_t *ret_until)
{
	const struct key_replaced *k = keys_before(c->state, place, id);

	memset(ret, 0, sizeof *ret);
	*ret_until = k ? k->until : 0;
	return k ? note_key_init(ret, name, type, k->pub) : 0;
}

static int keys_init(const struct core *c, struct member *m, const struct roster_node *n)
{
	const char *origin = c->o.settings->origin;
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];

	snprintf(name, sizeof name, "%s/node-%" PRIu64, origin, n->id);
	int err = key_init(&m->log_key, origin, NOTE_KEY_ED25519, n->log_pub);
	if (!err)
		err = key_init(&m->cosigner_key, name, NOTE_KEY_COSIGNATURE, n->cosigner_pub);
	if (!err)
		err = before_init(c, n->id, KEY_PLACE_LOG, origin, NOTE_KEY_ED25519, &m->log_before, &m->log_until);
	if (!err)
		err = before_init(c, n->id, KEY_PLACE_COSIGNER, name, NOTE_KEY_COSIGNATURE, &m->cosigner_before,
		                  &m->cosigner_until);
	return err;
}

static int follow_list(struct core *c)
{
	struct members *m = &c->members;
	const struct roster *r = &m->known;
	struct member list[MEMBERS_MAX] = {0};
	int err = 0;

	merge(c, &m->known);
	for (unsigned i = 0; i < r->n && !err; i++) {
		const struct roster_node *n = &r->nodes[i];
		const struct member *before = members_find(c, n->id);
		if (before)
			list[i] = *before;
		list[i].id = n->id;
		list[i].role = n->role;
		memcpy(list[i].url, n->url, sizeof list[i].url);
		err = keys_init(c, &list[i], n);
	}
	if (err)
		return err;
	memcpy(m->list, list, r->n * sizeof *list);
	m->n = r->n;
	m->ours = is_named(c);
	m->voters = roster_voters(state_roster(c->state));
	m->voters_since = state_roster(c->state)->voters_since;
	m->n_told = 0;
	return 0;
}

/* This node has come into its own ledger: from here on an empty log is a lost one. */
static void arrived(struct core *c)
{
	char path[SETTINGS_PATH_SIZE_MAX + 16];

	snprintf(path, sizeof path, "%s/" MEMBERS_JOIN_FILE, c->o.settings->data_path);
	if (unlink(path) == 0)
		log_info("joined: this node is a member by its own ledger");
}

void members_follow(struct core *c)
{
	c->roster_changed = false;
	if (follow_list(c))
		core_fatal(c, "a member's keys cannot be used");
	keys_follow(c);
	follow_links(c);
	checkpoint_forget(c);
	if (c->members.ours)
		arrived(c);
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id)
			send_roster(c, c->members.list[i].id);
	log_info("members=%u voters=%u version=%" PRIu64 " told=%" PRIu64, c->members.n, c->members.voters,
	         state_roster(c->state)->version, c->members.hint.version);
}

/* A joining node knows only what its settings say: whom to talk to. */
static void hint_from_settings(struct core *c)
{
	const struct settings *s = c->o.settings;
	struct roster *r = &c->members.hint;

	for (unsigned i = 0; i < s->n_peers; i++) {
		struct roster_node *n = &r->nodes[r->n++];
		n->id = s->peers[i].id;
		n->role = ROSTER_VOTER;
		snprintf(n->url, sizeof n->url, "%s", s->peers[i].url);
		memcpy(n->channel_pub, s->peers[i].channel_pub, sizeof n->channel_pub);
	}
}

/*
 * A key that is not in force is damage, or a file of another node. Unless keys of the kind were ever made here: then
 * the log may have an entry yet that names one of them.
 */
static bool is_own(const struct core *c, enum key_kind kind, const uint8_t *pub, const uint8_t *only)
{
	if (c->o.keyring)
		return keyring_secret(c->o.keyring, kind, pub) || keyring_grown(c->o.keyring, kind);
	return memcmp(pub, only, 32) == 0;
}

static int check_own_keys(struct core *c)
{
	const struct roster_node *own = roster_find(&c->members.known, c->id);
	const char *what = NULL;

	if (!own || memcmp(own->log_pub, no_key, sizeof no_key) == 0)
		return 0;
	if (!is_own(c, KEY_CHANNEL, own->channel_pub, c->o.channel_keys->pub))
		what = "channel";
	else if (!is_own(c, KEY_LOG, own->log_pub, signer_log_key(c->o.signer)->pub))
		what = "log";
	else if (!is_own(c, KEY_COSIGNER, own->cosigner_pub, signer_cosigner_key(c->o.signer)->pub))
		what = "cosigner";
	if (!what)
		return 0;
	log_error("%s: the key \"%s\" is not the one that the ledger names for node %" PRIu64, c->o.settings->keys_path,
	          what, c->id);
	return CS_ERR_UNAUTHENTICATED;
}

int members_open(struct core *c)
{
	const struct roster *own = state_roster(c->state);
	struct state_head head;
	struct genesis g;
	bool founder = false;
	int err = state_roster_genesis(c->state, c->o.genesis, c->o.genesis_len);

	if (!err)
		err = genesis_decode(&g, c->o.genesis, c->o.genesis_len);
	if (err) {
		log_error("the genesis is malformed");
		return err;
	}
	for (unsigned i = 0; i < g.n_nodes; i++)
		founder |= g.nodes[i].id == c->id;
	state_head(c->state, &head);
	if (head.size == 0 && founder)
		roster_genesis(&c->members.hint, &g); /* Until the genesis is applied. */
	else if (!founder && !roster_find(own, c->id) && !roster_find_removed(own, c->id))
		hint_from_settings(c);
	if (c->members.hint.n == 0 && own->n == 0) {
		log_error("the settings name no peer, and this node is not of the genesis: it has nobody to join");
		return CS_ERR_INVALID;
	}
	err = follow_list(c);
	if (err)
		log_error("a member's keys cannot be used: %s", err_text(err));
	return err ? err : check_own_keys(c);
}

/* --- what others say --- */

bool members_heard(struct core *c, uint64_t from, const struct frame *f)
{
	struct member *m = members_find(c, from);

	if (m)
		m->heard_ns = clock_mono_ns();
	if (m || f->type == FRAME_HELLO)
		return true;
	/* Removed by the ledger, but Raft still counts on it; or we are the one, and it tells us so. */
	return configured(c, from) || f->type == FRAME_REMOVED;
}

void members_roster(struct core *c, const struct frame_roster *f)
{
	const struct roster *own = state_roster(c->state);
	struct roster r;
	struct reader reader;

	reader_init(&reader, f->bytes, f->len);
	roster_read(&reader, &r);
	if (reader_end(&reader) || r.version <= c->members.hint.version || r.version <= own->version)
		return;
	c->members.hint = r;
	members_follow(c);
}

void members_removed(struct core *c, uint64_t from)
{
	struct members *m = &c->members;
	unsigned others = 0;

	for (unsigned i = 0; i < m->n_told; i++)
		if (m->told[i] == from)
			return;
	for (unsigned i = 0; i < m->n; i++)
		others += m->list[i].role == ROSTER_VOTER && m->list[i].id != c->id;
	if (!members_find(c, from) || members_find(c, from)->role != ROSTER_VOTER || m->removed)
		return;
	m->told[m->n_told++] = from;
	log_warning("node %" PRIu64 " says that this node was removed (%u of %u say so)", from, m->n_told, others);
	if (m->n_told <= others / 2)
		return;
	m->removed = true; /* A majority of the others: none of them alone can stop us. */
	core_write_removed(c->o.settings->data_path);
	uv_stop(&c->loop);
}

static void tell(struct core *c, struct linked *l)
{
	struct frame f = {.type = FRAME_REMOVED};

	if (clock_mono_ns() - l->told_ns < TELL_INTERVAL_NS || !link_up(c->link, l->id))
		return;
	l->told_ns = clock_mono_ns();
	f.removed.version = state_roster(c->state)->version;
	peers_send(c, l->id, &f);
}

void members_tell(struct core *c)
{
	bool settled = c->raft.configuration_uncommitted_index == 0;

	for (unsigned i = 0; i < c->members.n_linked; i++) {
		struct linked *l = &c->members.linked[i];
		/* By our own ledger: one that it does not name yet may just be coming. */
		if (!roster_find_removed(state_roster(c->state), l->id) || !settled || configured(c, l->id))
			continue;
		if (!l->removed) {
			l->removed = true;
			link_set_passive(c->link, l->id, true);
		}
		tell(c, l);
	}
}

void members_link_up(struct core *c, uint64_t peer)
{
	send_roster(c, peer);
}
