/* Room on the disks of all members: measured off the loop, told to each other, and what follows from it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

/*
 * How often is looked: what is written in between must fit the part of the reserve between two levels. 64 MiB of it,
 * the eighth of the default reserve, is what a disk of 256 MiB/s takes in that time.
 */
#define MEASURE_NS   (250 * NS_PER_MS)
#define TELL_NS      (1000 * NS_PER_MS) /* Told again so often, */
#define HEARD_NS     (5000 * NS_PER_MS) /* and who has not been heard for so long is not counted on. */
#define HAND_OVER_NS (1000 * NS_PER_MS) /* Between two tries to hand over. */
/*
 * What a leader had under way when a member ran short, and the no-op of a new one, are taken all the same while twice
 * that is free: a quorum short of room can still elect a leader that knows what is committed.
 */
#define TAKEN_MAX BATCH_SIZE_MAX
#define RETRY_MS  1000 /* Room does not come back from one batch to the next. */

static const char *level_text(enum space_level level)
{
	static const char *const texts[] = {
	        [SPACE_PLENTY] = "plenty", [SPACE_LOW] = "low", [SPACE_SHORT] = "short", [SPACE_FULL] = "full"};
	return texts[level];
}

/* --- what there is --- */

static void tell(struct core *c, uint64_t peer)
{
	const struct room *r = &c->room;
	bool map = r->what == SPACE_MAP;
	struct frame f = {.type = FRAME_ROOM,
	                  .room = {.level = (uint8_t)r->level,
	                           .what = (uint8_t)r->what,
	                           .free = map ? r->space.map_free : r->space.disk_free,
	                           .size = map ? r->space.map_size : r->space.disk_size}};

	peers_send(c, peer, &f);
}

static void tell_all(struct core *c)
{
	c->room.told_ns = clock_mono_ns();
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id)
			tell(c, c->members.list[i].id);
}

/* Takes over a measurement. */
static void judge(struct core *c, const struct space *s)
{
	struct room *r = &c->room;
	enum space_level before = r->level;
	char text[128];

	r->space = *s;
	r->level = space_level(s, c->o.settings->disk_reserve, c->writer ? ledger_writer_backlog(c->writer) : 0, before,
	                       &r->what);
	if (c->writer && ledger_writer_full(c->writer)) {
		r->level = SPACE_FULL;
		r->what = SPACE_MAP;
	}
	if (r->level < SPACE_SHORT)
		r->taken = 0;
	if (r->level == before)
		return;
	space_text(s, c->o.settings->disk_reserve, r->what, text, sizeof text);
	log_line(r->level > before ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "room=%s: %s", level_text(r->level), text);
	if (!c->writer)
		return;
	room_apply(c);
	tell_all(c);
}

void room_apply(struct core *c)
{
	ledger_writer_hold(c->writer, c->room.level == SPACE_FULL);
	catchup_stored(c); /* It may have paused for want of room. */
}

/* On a worker thread. */
static void measure(uv_work_t *work)
{
	struct core *c = work->data;

	c->room.err = space_measure(c->o.settings->data_path, c->o.store, &c->room.measured);
}

static void measured(uv_work_t *work, int status)
{
	struct core *c = work->data;

	c->room.out = false;
	if (status || c->stopping)
		return;
	if (c->room.err)
		core_fatal(c, "the data folder's file system cannot be asked for its room");
	judge(c, &c->room.measured);
}

int room_open(struct core *c)
{
	struct space s;
	int err = space_measure(c->o.settings->data_path, c->o.store, &s);

	if (err) {
		log_error("%s: the file system cannot be asked for its room", c->o.settings->data_path);
		return err;
	}
	judge(c, &s);
	return 0;
}

/* --- what others have --- */

void room_tell(struct core *c, uint64_t peer)
{
	tell(c, peer);
}

void room_told(struct core *c, uint64_t from, const struct frame_room *f)
{
	struct member *m = members_find(c, from);

	if (!m)
		return;
	m->room = (struct member_room){.level = (enum space_level)f->level,
	                               .what = (enum space_what)f->what,
	                               .free = f->free,
	                               .heard_ns = clock_mono_ns()};
}

static struct member_room room_of(const struct core *c, const struct member *m)
{
	const struct room *r = &c->room;

	if (m->id != c->id)
		return m->room;
	return (struct member_room){.level = r->level,
	                            .what = r->what,
	                            .free = r->what == SPACE_MAP ? r->space.map_free : r->space.disk_free,
	                            .heard_ns = clock_mono_ns()};
}

/* Voters that were heard of lately and are below this level; *ret_worst: one that is not, or NULL. */
static unsigned count_below(const struct core *c, enum space_level level, const struct member **ret_worst)
{
	uint64_t now = clock_mono_ns();
	enum space_level worst = SPACE_PLENTY;
	unsigned n = 0;

	*ret_worst = NULL;
	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		struct member_room room = room_of(c, m);
		if (m->role != ROSTER_VOTER || room.heard_ns == 0 || now > room.heard_ns + HEARD_NS)
			continue;
		if (room.level < level)
			n++;
		else if (room.level > worst) {
			*ret_worst = m;
			worst = room.level;
		}
	}
	return n;
}

/* --- what follows --- */

bool room_withholds(struct core *c, size_t bytes)
{
	struct room *r = &c->room;

	if (r->level < SPACE_SHORT)
		return false;
	if (r->taken + bytes > TAKEN_MAX || r->space.disk_free < 2 * TAKEN_MAX)
		return true;
	r->taken += bytes;
	return false;
}

bool room_for(const struct core *c, size_t backlog)
{
	return ledger_writer_backlog(c->writer) < backlog && c->room.level < SPACE_SHORT;
}

/* Another member with room, to lead in our place; 0: none, or a quorum would be short of room all the same. */
static uint64_t heir(const struct core *c)
{
	const struct member *worst;

	if (count_below(c, SPACE_LOW, &worst) < members_majority(c))
		return 0;
	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		if (m->id != c->id && m->role == ROSTER_VOTER && m->room.heard_ns && m->room.level < SPACE_LOW &&
		    link_up(c->link, m->id))
			return m->id;
	}
	return 0;
}

bool room_for_notes(const struct core *c)
{
	unsigned voters = 0, fit = 0;

	if (c->room.level >= SPACE_SHORT)
		return false;
	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		if (m->role != ROSTER_VOTER)
			continue;
		voters++;
		fit += m->id == c->id || !m->room.heard_ns || m->room.level < SPACE_SHORT;
	}
	return fit > voters / 2;
}

/* Which member's want of room keeps this request from being ordered; NULL: none's. */
static const struct member *hinders(const struct core *c, unsigned wire_type)
{
	bool administrators = wire_type == WIRE_ENROLL || wire_type == WIRE_REMOVE || wire_type == WIRE_POLICY_SET ||
	                      wire_type == WIRE_MEMBER || wire_type == WIRE_FEATURE || wire_type == WIRE_PEOPLE ||
	                      wire_type == WIRE_GOVERNANCE || wire_type == WIRE_CREDENTIAL_REVOKE ||
	                      wire_type == WIRE_HOLD || wire_type == WIRE_ERASE ||

	                      wire_type == WIRE_KEY;
	enum space_level level = administrators ? SPACE_SHORT : SPACE_LOW;
	const struct member *worst;

	/* A leader that is low orders on while it hands over; one that is short does not. */
	if (c->room.level >= level && (c->room.level >= SPACE_SHORT || !heir(c)))
		return members_find((struct core *)c, c->id);
	if (count_below(c, level, &worst) >= members_majority(c))
		return NULL;
	return worst;
}

bool room_refuses(struct core *c, struct job *j)
{
	const struct member *m;
	struct member_room room;
	char text[160];

	if (c->room.level < SPACE_LOW && c->room.others_plenty)
		return false;
	m = hinders(c, j->request.type);
	if (!m)
		return false;
	room = room_of(c, m);
	snprintf(text, sizeof text,
	         "disk full: node %" PRIu64 " has %" PRIu64
	         " MiB left %s: nothing was logged by this try; reads and proofs go on",
	         m->id, room.free >> 20, room.what == SPACE_MAP ? "in the ledger's map (map_size_mib)" : "on its disk");
	job_error(j, CS_ERR_DISK_FULL, text, NULL, RETRY_MS);
	return true;
}

void room_beat(struct core *c)
{
	struct room *r = &c->room;
	const struct member *worst;
	uint64_t now = clock_mono_ns(), to;

	(void)count_below(c, SPACE_LOW, &worst);
	r->others_plenty = !worst;
	if (now - r->told_ns >= TELL_NS)
		tell_all(c);
	if (!r->out && now - r->asked_ns >= MEASURE_NS) {
		r->asked_ns = now;
		r->work.data = c;
		if (uv_queue_work(&c->loop, &r->work, measure, measured))
			core_fatal(c, "cannot queue work");
		r->out = true;
	}
	if (r->level == SPACE_PLENTY || !core_leads(c) || now - r->handed_ns < HAND_OVER_NS || !(to = heir(c)))
		return;
	r->handed_ns = now;
	log_warning("handing over for want of room to=%" PRIu64, to);
	guard_hand_over(c->guard, to);
}

const char *room_health(struct core *c, char *buf, size_t cap)
{
	static const char *const what[] = {[SPACE_DISK] = "disk", [SPACE_MAP] = "map"};
	static const char *const then[] = {[SPACE_LOW] = "orders no new requests",
	                                   [SPACE_SHORT] = "takes no entries",
	                                   [SPACE_FULL] = "stores nothing"};
	const struct room *r = &c->room;
	const struct member *m;

	if (r->level > SPACE_PLENTY) {
		snprintf(buf, cap, "room %s (%s, %" PRIu64 " MiB): %s", level_text(r->level), what[r->what],
		         (r->what == SPACE_MAP ? r->space.map_free : r->space.disk_free) >> 20, then[r->level]);
		return buf;
	}
	m = core_leads(c) ? hinders(c, WIRE_DECIDE) : NULL;
	if (!m)
		return NULL;
	snprintf(buf, cap, "orders nothing: node %" PRIu64 " has no room", m->id);
	return buf;
}
