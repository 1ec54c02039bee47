/* Views: frames of ReadIndex between the members, and how old at most what this node has applied is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/core_internal.h"

/*
 * A member asks the leader; the leader passes a round of ReadIndex that begins after the question, and tells what it
 * has applied by then. Once the member has applied as much, it misses nothing that was committed before it asked: the
 * age of its view counts from there, on its own clock alone. What a leader believes and how long a message took do not
 * enter: a leader or member that was stopped for a minute knows itself that it is a minute behind.
 */

static void send_probe(void *ctx, raft_id to, raft_term term, uint64_t number)
{
	struct frame f = {.type = FRAME_PROBE, .read = {.term = term, .number = number}};

	peers_send(ctx, to, &f);
}

void reads_init(struct core *c)
{
	read_index_init(&c->read_index, c->guard, &c->raft, send_probe, c);
}

static raft_id leader_of(const struct core *c)
{
	raft_id id;
	const char *address;

	raft_leader((struct raft *)&c->raft, &id, &address);
	return id;
}

/* --- how old this node's view is --- */

static void reach(struct core *c)
{
	struct fresh *f = &c->fresh;

	if (f->told_ns && !c->deferred && raft_last_applied(&c->raft) >= f->told_index) {
		f->seen_ns = f->told_ns;
		f->told_ns = 0;
	}
}

uint64_t reads_age_ns(struct core *c, uint64_t now_ns)
{
	uint64_t seen_ns;

	reach(c);
	seen_ns = c->fresh.seen_ns > c->read_index.confirmed_ns ? c->fresh.seen_ns : c->read_index.confirmed_ns;
	return seen_ns ? now_ns - seen_ns : UINT64_MAX;
}

void reads_refresh(struct core *c, uint64_t now_ns)
{
	struct fresh *f = &c->fresh;
	struct frame ask = {.type = FRAME_ASK};

	if (c->raft.state == RAFT_LEADER) {
		if (!c->read_index.out)
			read_index_ask(&c->read_index, now_ns);
		return;
	}
	/* One question at a time; and none while this node has yet to apply what the last answer named. */
	if (!leader_of(c) || f->told_ns || (f->asked_ns && now_ns - f->asked_ns < FRESH_PATIENCE_MS * NS_PER_MS))
		return;
	f->asked_ns = now_ns;
	f->asked_of = leader_of(c);
	ask.read.number = ++f->number;
	peers_send(c, f->asked_of, &ask);
}

/* --- frames --- */

/* A promise that this node has not voted in a later term: it rests on the term that a restart would find. */
static void probed(struct core *c, uint64_t from, const struct frame_read *r)
{
	struct frame echo = {.type = FRAME_ECHO, .read = *r};

	if (guard_stored_term(c->guard) == r->term)
		peers_send(c, from, &echo);
}

static void asked(struct core *c, uint64_t from, const struct frame_read *r, uint64_t now_ns)
{
	struct member *m = members_find(c, from);

	if (!m || c->raft.state != RAFT_LEADER)
		return;
	m->asked = r->number;
	m->ticket = read_index_ask(&c->read_index, now_ns);
}

static void told(struct core *c, uint64_t from, const struct frame_read *r)
{
	struct fresh *f = &c->fresh;

	if (!f->asked_ns || from != f->asked_of || r->number != f->number)
		return;
	f->told_ns = f->asked_ns;
	f->told_index = r->index;
	f->asked_ns = 0;
}

void reads_frame(struct core *c, uint64_t from, const struct frame *f)
{
	uint64_t now_ns = clock_mono_ns();

	switch (f->type) {
	case FRAME_PROBE:
		probed(c, from, &f->read);
		return;
	case FRAME_ECHO:
		read_index_echo(&c->read_index, from, f->read.term, f->read.number, now_ns);
		break;
	case FRAME_ASK:
		asked(c, from, &f->read, now_ns);
		break;
	default:
		told(c, from, &f->read);
	}
	reads_step(c);
}

/* --- steps and beats --- */

static void tell(struct core *c)
{
	struct frame f = {.type = FRAME_TOLD};

	for (unsigned i = 0; i < c->members.n; i++) {
		struct member *m = &c->members.list[i];
		if (!m->ticket || m->ticket > c->read_index.passed)
			continue;
		m->ticket = 0;
		f.read.number = m->asked;
		f.read.index = raft_last_applied(&c->raft);
		peers_send(c, m->id, &f);
	}
}

void reads_step(struct core *c)
{
	read_index_step(&c->read_index, clock_mono_ns());
	tell(c);
	check_step(c);
}

void reads_beat(struct core *c)
{
	uint64_t now_ns = clock_mono_ns(), beat_ns = c->o.settings->heartbeat_ms * NS_PER_MS;

	if (c->stopping)
		return;
	read_index_beat(&c->read_index, now_ns, beat_ns);
	/* Whoever reads here finds a fresh view; where nobody does, nobody asks. */
	if (c->fresh.used_ns && now_ns - c->fresh.used_ns < FRESH_KEEP_MS * NS_PER_MS &&
	    reads_age_ns(c, now_ns) > FRESH_INTERVAL_MS * NS_PER_MS)
		reads_refresh(c, now_ns);
	check_expire(c);
	reads_step(c);
}
