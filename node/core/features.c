/* Which features the members' builds have, which may be switched on, and that a leader names its build. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/decide/feature.h"
#include "node/log.h"

static const uint8_t no_facts[1] = {0x90}; /* An empty msgpack array. */

_Static_assert(sizeof PACKAGE_VERSION - 1 <= FEATURE_BUILD_SIZE_MAX, "this build's version goes into entries");
_Static_assert(FRAME_BUILD_SIZE_MAX == FEATURE_BUILD_SIZE_MAX, "and into frames");

/* --- what each has --- */

/* After HELLO, and not in it: an older build takes a HELLO of one length, and drops a type that it does not know. */
void features_link_up(struct core *c, uint64_t peer)
{
	struct frame f = {
	        .type = FRAME_FEATURES,
	        .features = {.have = feature_all(), .build = PACKAGE_VERSION, .build_len = strlen(PACKAGE_VERSION)}};

	peers_send(c, peer, &f);
}

/* A new stream: perhaps of another build than before. */
void features_hello(struct core *c, uint64_t from)
{
	struct member *m = members_find(c, from);

	if (!m)
		return;
	m->features = 0;
	m->build[0] = 0;
}

void features_told(struct core *c, uint64_t from, const struct frame_features *f)
{
	struct member *m = members_find(c, from);
	struct text build = {f->build, f->build_len};

	if (!m || !feature_build_valid(build))
		return;
	m->features = f->have;
	memcpy(m->build, f->build, f->build_len);
	m->build[f->build_len] = 0;
}

/* --- which order may go --- */

/* Heard now, not at some time: it may have been started anew with an older build. */
static bool is_heard(struct core *c, const struct member *m)
{
	uint64_t silence_ns = 2 * c->o.settings->election_timeout_ms * NS_PER_MS;

	return link_up(c->link, m->id) && clock_mono_ns() - m->heard_ns < silence_ns;
}

static int check_member(struct core *c, uint64_t id, unsigned number, char ret_text[160])
{
	const struct member *m = members_find(c, id);

	if (id == c->id)
		return 0;
	if (!m || !is_heard(c, m))
		return change_refused(
		        ret_text, "node %" PRIu64 " is not heard: nobody knows whether its build has the feature %s",
		        id, feature_name(number));
	if (!m->build[0])
		return change_refused(
		        ret_text, "node %" PRIu64 " has not said what it can: its build is older than features", id);
	if (!(m->features & FEATURE_BIT(number)))
		return change_refused(ret_text, "node %" PRIu64 ", of build %s, does not have the feature %s", id,
		                      m->build, feature_name(number));
	return 0;
}

int features_allowed(struct core *c, const void *payload, size_t len, char ret_text[160])
{
	const struct raft_configuration *conf = &c->raft.configuration;
	const struct roster *r = state_roster(c->state);
	struct feature_order o;
	int err = feature_order_decode(&o, payload, len);
	unsigned number = err ? 0 : feature_find(o.name);

	if (!err && !number)
		err = CS_ERR_VERSION;
	/* By the ledger, and by Raft, which may still have one that was removed or is being added. */
	for (unsigned i = 0; i < r->n && !err; i++)
		err = check_member(c, r->nodes[i].id, number, ret_text);
	for (unsigned i = 0; i < conf->n && !err; i++)
		err = check_member(c, conf->servers[i].id, number, ret_text);
	return err;
}

/* --- the build of who leads --- */

bool features_build_due(struct core *c)
{
	return state_feature(c->state, FEATURE_BUILDS) && c->room.level < SPACE_LOW &&
	       strcmp(state_features(c->state)->build, PACKAGE_VERSION) != 0;
}

void features_add_build(struct core *c, struct batch_writer *w)
{
	static const uint8_t zero_seed[SEED_SIZE], zero_id[WIRE_REQUEST_ID_SIZE];
	const struct build b = {.node = c->id, .version = {PACKAGE_VERSION, strlen(PACKAGE_VERSION)}};
	uint8_t payload[64], *at;
	struct command cmd = {.type = COMMAND_BUILD,
	                      .seed = zero_seed,
	                      .request_id = zero_id,
	                      .payload = payload,
	                      .facts = no_facts,
	                      .facts_len = sizeof no_facts};
	size_t room = batch_room(w, &at), len = 0;
	int err = build_encode(&b, payload, sizeof payload, &cmd.payload_len);

	if (!err)
		err = command_encode(&cmd, at, room, &len);
	assert(!err); /* An empty batch has room for it. */
	batch_add(w, len);
}

/* --- what is told --- */

static void write_member(struct core *c, struct writer *w, uint64_t id)
{
	const struct member *m = members_find(c, id);
	bool here = id == c->id, heard = here || (m && is_heard(c, m));

	writer_array(w, 3);
	writer_uint(w, id);
	writer_cstr(w, !heard ? "" : here ? PACKAGE_VERSION : m->build);
	writer_uint(w, !heard ? 0 : here ? feature_all() : m->features);
}

/*
 * [node id, leads, [[number, name, what it is, index of its entry or nil]…], [[node id, build or "", features of
 * it]…]]: what this build has, and what this node hears of the others.
 */
void features_publish(struct core *c)
{
	const struct feature_state *on = state_features(c->state);
	const struct roster *r = state_roster(c->state);
	uint8_t bytes[BOARD_FEATURES_SIZE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof bytes);
	writer_array(&w, 4);
	writer_uint(&w, c->id);
	writer_bool(&w, core_leads(c));
	writer_array(&w, (uint32_t)__builtin_popcountll(feature_all()));
	for (unsigned i = 1; i <= FEATURE_NUMBER_MAX; i++) {
		if (!feature_name(i))
			continue;
		writer_array(&w, 4);
		writer_uint(&w, i);
		writer_cstr(&w, feature_name(i));
		writer_cstr(&w, feature_about(i));
		if (on->on & FEATURE_BIT(i))
			writer_uint(&w, on->since[i]);
		else
			writer_nil(&w);
	}
	writer_array(&w, r->n);
	for (unsigned i = 0; i < r->n; i++)
		write_member(c, &w, r->nodes[i].id);
	assert(w.err == 0); /* Bounded: BOARD_FEATURES_SIZE_MAX. */
	board_set_features(c->o.board, bytes, w.len);
}
