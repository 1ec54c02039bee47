/* What the core tells the other threads: status and ledger on the board, principals to the front. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"
#include "node/notify.h"

bool core_leads(const struct core *c)
{
	return c->guard && guard_leads(c->guard);
}

const char *core_leader_url(const struct core *c)
{
	raft_id id;
	const char *address;

	raft_leader((struct raft *)&c->raft, &id, &address);
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id == id)
			return c->members.list[i].url;
	return "";
}

const char *publish_role(const struct core *c)
{
	switch (c->raft.state) {
	case RAFT_LEADER:
		return "leader";
	case RAFT_CANDIDATE:
		return "candidate";
	case RAFT_FOLLOWER:
		return "follower";
	default:
		return "starting";
	}
}

/* For `systemctl status`: without numbers that change all the time. */
static void publish_words(const struct wire_status *s)
{
	char text[160];

	snprintf(text, sizeof text, "%s of term %" PRIu64 ", %s", s->role, s->term, s->health);
	notify_status(text);
}

/* Records that are damaged, and refused until they are mended; NULL: none. */
static const char *damage_health(struct core *c, char *buf, size_t cap)
{
	struct wire_scrub s = {0};

	if (c->scrubber)
		scrubber_state(c->scrubber, &s);
	if (!s.refused)
		return NULL;
	snprintf(buf, cap, "%" PRIu64 " damaged records: refused", s.refused);
	return buf;
}

void publish_status(struct core *c)
{
	struct wire_status s = {.node_id = c->id,
	                        .term = c->raft.current_term,
	                        .raft_last = raft_last_index(&c->raft),
	                        .raft_commit = c->raft.commit_index,
	                        .raft_applied = raft_last_applied(&c->raft),
	                        .size = tree_size(c->tree),
	                        .stored_size = ledger_writer_stored_size(c->writer),
	                        .cosigned_size = c->cosigned_size,
	                        .pending = turns_count(c->pending) + turns_count(c->unproven),
	                        .uptime_ms = (clock_mono_ns() - c->started_ns) / NS_PER_MS};
	struct guard_stats stats;
	const char *address, *health = "ok";
	char room[sizeof s.health], clock[sizeof s.health], damage[sizeof s.health];
	raft_id leader;

	raft_leader(&c->raft, &leader, &address);
	s.leader_id = leader;
	guard_stats(c->guard, &stats);
	memcpy(s.guards, stats.acted, sizeof s.guards);
	tree_root(c->tree, &s.root);
	snprintf(s.role, sizeof s.role, "%s", publish_role(c));
	if (c->evidence_bad)
		health = "evidence that does not verify: not cosigning";
	else if (c->digests.bad)
		health = "a state digest that is not its own: not cosigning";
	else if (clocks_health(c, clock, sizeof clock)) /* It says whose clock is wrong. */
		health = clock;
	else if (c->clock_ahead)
		health = "the leader's clock is ahead: not cosigning";
	else if (c->members.ours && !members_find((struct core *)c, c->id))
		health = "removed from the cluster";
	else if (keys_health(c))
		health = keys_health(c);
	else if (room_health(c, room, sizeof room))
		health = room;
	else if (!leader)
		health = "no leader";
	else if (damage_health(c, damage, sizeof damage))
		health = damage;
	snprintf(s.health, sizeof s.health, "%s", health);
	snprintf(s.version, sizeof s.version, "%s", PACKAGE_VERSION);
	s.details = (struct wire_details){.disk_free = c->room.space.disk_free,
	                                  .disk_size = c->room.space.disk_size,
	                                  .disk_reserve = c->o.settings->disk_reserve,
	                                  .map_free = c->room.space.map_free,
	                                  .map_size = c->room.space.map_size,
	                                  .ledger_bytes = c->room.space.ledger_bytes,
	                                  .log_bytes = c->room.space.log_bytes,
	                                  .room = c->room.level,
	                                  .checkpoint_s = c->cosigned_s,
	                                  .voters = c->members.voters,
	                                  .n_cosigners = c->n_cosigners,
	                                  .features_have = feature_all(),
	                                  .features_on = state_features(c->state)->on,
	                                  .geo_city_s = c->o.places.city_built_s,
	                                  .geo_network_s = c->o.places.network_built_s};
	memcpy(s.details.cosigners, c->cosigners, sizeof c->cosigners);
	readlog_switch(c->o.readlog, state_feature(c->state, FEATURE_RECORDS));
	readlog_room(c->o.readlog, room_for_notes(c));
	publish_words(&s);
	board_set_status(c->o.board, &s, core_leader_url(c));
}

void publish_ledger(struct core *c)
{
	struct hash root;

	readlog_switch(c->o.readlog, state_feature(c->state, FEATURE_RECORDS));
	tree_root(c->tree, &root);
	board_set_ledger(c->o.board, tree_size(c->tree), &root);
}

struct published {
	const struct state *state;
	struct front_principal *list;
	unsigned n, cap;
	struct witness witnesses[WITNESSES_ENROLLED_MAX];
	unsigned n_witnesses;
};

static void collect_witness(struct published *t, const struct principal *p)
{
	struct witness *w = &t->witnesses[t->n_witnesses];

	if (!(p->roles & ROLE_WITNESS) || !p->has_sign)
		return;
	if (t->n_witnesses == WITNESSES_ENROLLED_MAX) {
		log_warning("more than %d witnesses are enrolled: what %s cosigns is not kept", WITNESSES_ENROLLED_MAX,
		            p->name);
		return;
	}
	w->principal = p->id;
	t->n_witnesses += note_key_init(&w->key, p->name, NOTE_KEY_COSIGNATURE, p->sign_pub) == 0;
}

static void collect(struct published *t, const struct principal *p, const uint8_t pub[32])
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->list = realloc(t->list, t->cap * sizeof *t->list);
		if (!t->list)
			core_fatal(NULL, "out of memory");
	}
	struct front_principal *f = &t->list[t->n++];
	memcpy(f->channel_pub, pub, sizeof f->channel_pub);
	f->id = p->id;
	f->roles = p->roles;
}

static void collect_principal(void *ctx, const struct principal *p)
{
	struct published *t = ctx;

	if (p->removed || !p->has_channel || p->roles & ROLE_NODE)
		return;
	collect(t, p, p->channel_pub);
	collect_witness(t, p);
	const struct key_replaced *before = keys_overlap(t->state, KEY_PLACE_CLIENT, p->id);
	if (before)
		collect(t, p, before->pub);
}

void publish_principals(struct core *c)
{
	struct published t = {.state = c->state};

	c->principals_changed = false;
	state_each_principal(c->state, collect_principal, &t);
	if (front_set_principals(c->front, t.list, t.n))
		core_fatal(c, "out of memory");
	reading_room_set_witnesses(c->readers, t.witnesses, t.n_witnesses);
	free(t.list);
}

void publish_members(struct core *c)
{
	struct witness_members m = {.majority = members_majority(c)};

	for (unsigned i = 0; i < c->members.n && m.n < WIRE_COSIGNERS_MAX; i++, m.n++) {
		m.list[m.n].log_key = c->members.list[i].log_key;
		m.list[m.n].cosigner_key = c->members.list[i].cosigner_key;
	}
	reading_room_set_members(c->readers, &m);
}
