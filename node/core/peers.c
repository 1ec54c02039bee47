/* The other members: frames out to their links, frames in to guard and checkpoints, and who has gone back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/refetch.h"
#include "node/core/repair.h"
#include "node/log.h"

bool peers_send_raft(void *ctx, const struct raft_message *m)
{
	struct core *c = ctx;

	if (!c->link || frame_encode_raft(m, &c->parts))
		return false;
	return link_send(c->link, m->server_id, c->parts.parts, c->parts.n);
}

void peers_send(struct core *c, uint64_t to, const struct frame *f)
{
	if (frame_encode(f, &c->parts) == 0)
		link_send(c->link, to, c->parts.parts, c->parts.n);
}

/*
 * Guard 9: a member that cannot reach the size that it has cosigned before has lost its disk or was rolled back. It
 * must neither vote nor sign again under this identity.
 */
static void check_gone_back(struct core *c, uint64_t cosigned_size)
{
	char why[200];

	if (cosigned_size <= c->size_at_start || cosigned_size <= tree_size(c->tree))
		return;
	snprintf(why, sizeof why,
	         "another node has this node's cosignature for size %" PRIu64
	         ", but its log and ledger reach only %" PRIu64 ": its disk went back",
	         cosigned_size, c->size_at_start);
	core_halt(c->o.settings->data_path, why);
}

/* A newer build's: who does not know a type goes on without it. Said once, for it comes again and again. */
static void unknown_type(struct core *c, uint64_t from, unsigned type)
{
	struct member *m = members_find(c, from);

	if (!m || m->odd_told)
		return;
	m->odd_told = true;
	log_info("node %" PRIu64 " sends frames of type %u, which this build (" PACKAGE_VERSION
	         ") does not know: they are dropped",
	         from, type);
}

/* With another version of the frames nothing that comes can be understood. */
static bool understood(struct core *c, uint64_t from, const struct frame *f)
{
	struct member *m = members_find(c, from);

	if (!m)
		return f->type != FRAME_HELLO || f->hello.version == FRAME_VERSION;
	if (f->type == FRAME_HELLO) {
		if (f->hello.version != FRAME_VERSION && f->hello.version != m->frame_version)
			log_warning(
			        "node %" PRIu64 " speaks version %" PRIu32
			        " between nodes, this build (" PACKAGE_VERSION
			        ") version %d: nothing that it sends is taken until one of the two runs another build",
			        from, f->hello.version, FRAME_VERSION);
		m->frame_version = f->hello.version;
	}
	return m->frame_version == 0 || m->frame_version == FRAME_VERSION;
}

static void on_frame(void *ctx, uint64_t from, uint8_t *bytes, size_t len)
{
	struct core *c = ctx;
	char name[MEMBERS_NAME_SIZE];
	struct frame f;
	int err = frame_decode(bytes, len, &f);

	if (err == CS_ERR_VERSION) {
		unknown_type(c, from, bytes[0]);
		return;
	}
	if (err) {
		log_error("a frame is refused from=%" PRIu64 ": %s", from, err_text(err));
		return;
	}
	if (!understood(c, from, &f)) {
		frame_free(&f);
		return;
	}
	if (f.type == FRAME_HELLO)
		features_hello(c, from);
	if (c->refetch && f.type != FRAME_FEATURES) {
		refetch_frame(c, from, &f);
		frame_free(&f);
		return;
	}
	if (c->repair && f.type != FRAME_FEATURES) {
		repair_frame(c, from, &f);
		frame_free(&f);
		return;
	}
	if (!members_heard(c, from, &f)) {
		frame_free(&f);
		return;
	}
	switch (f.type) {
	case FRAME_ANNOUNCE:
		checkpoint_announced(c, from, f.announce.size, &f.announce.root, f.announce.note, f.announce.note_len);
		return;
	case FRAME_COSIGNATURE:
		checkpoint_cosignature(c, from, f.cosignature.size, f.cosignature.line, f.cosignature.line_len);
		return;
	case FRAME_FEATURES:
		features_told(c, from, &f.features);
		return;
	case FRAME_HELLO:
		check_gone_back(c, f.hello.cosigned_size);
		return;
	case FRAME_ROOM:
		room_told(c, from, &f.room);
		return;
	case FRAME_CLOCK:
		clocks_told(c, from, &f.clock);
		return;
	case FRAME_FETCH:
		if (f.fetch.kind == REPAIR_KIND_LOG)
			repair_give(c, from, &f.fetch);
		else if (f.fetch.kind == REPAIR_KIND_LOST)
			repair_told_lost(c, from, &f.fetch);
		else if (heal_kind(f.fetch.kind))
			heal_fetch(c, from, &f.fetch);
		else
			catchup_fetch(c, from, &f.fetch);
		return;
	case FRAME_CHUNK:
		if (heal_kind(f.chunk.kind))
			heal_chunk(c, from, &f.chunk);
		else
			catchup_chunk(c, from, &f.chunk);
		return;
	case FRAME_PROBE:
	case FRAME_ECHO:
	case FRAME_ASK:
	case FRAME_TOLD:
		reads_frame(c, from, &f);
		return;
	case FRAME_READINGS:
		readings_frame(c, from, &f.readings);
		return;
	case FRAME_ROSTER:
		members_roster(c, &f.roster);
		return;
	case FRAME_REMOVED:
		members_removed(c, from);
		return;
	default:
		members_name(from, name);
		frame_set_sender(&f, from, name);
		guard_recv(c->guard, &f.raft);
	}
}

static void greet(struct core *c, uint64_t peer)
{
	const struct member *m = members_find(c, peer);
	struct frame f = {.type = FRAME_HELLO};

	f.hello.version = FRAME_VERSION;
	f.hello.cosigned_size = m ? m->cosigned_size : 0;
	f.hello.applied_size = tree_size(c->tree);
	peers_send(c, peer, &f);
	features_link_up(c, peer);
	members_link_up(c, peer);
	room_tell(c, peer);
	clocks_tell(c, peer);
	repair_tell_lost(c, peer);
}

void peers_greet(struct core *c)
{
	check_gone_back(c, c->told_cosigned_size);
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id && link_up(c->link, c->members.list[i].id))
			greet(c, c->members.list[i].id);
}

static void on_state(void *ctx, uint64_t peer, bool up)
{
	struct core *c = ctx;
	log_info("link peer=%" PRIu64 " state=%s", peer, up ? "up" : "down");
	if (c->refetch)
		return;
	if (c->repair) {
		if (up)
			repair_link(c, peer);
	} else if (up) {
		greet(c, peer);
	} else {
		guard_lost_sight(c->guard, peer);
	}
}
int peers_open(struct core *c)
{
	const struct settings *s = c->o.settings;
	struct link_options o = {.loop = &c->loop,
	                         .node_id = c->id,
	                         .origin = s->origin,
	                         .listen_host = s->link_host,
	                         .listen_port = s->link_port,
	                         .keys = *c->o.channel_keys,
	                         .recv = on_frame,
	                         .state = on_state,
	                         .ctx = c};
	int err;

	err = link_open(&o, &c->link);
	sodium_memzero(&o.keys, sizeof o.keys);
	if (!err)
		members_follow(c);
	else
		log_error("link %s:%u: %s", s->link_host, s->link_port, err_text(err));
	return err;
}
