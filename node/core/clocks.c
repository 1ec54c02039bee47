/* The members' clocks, told to each other: who leads by one that most of the others contradict hands over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/core/core_internal.h"
#include "node/log.h"

/*
 * The leader stamps the time (decisions.md: Flow). By a clock that is behind, it takes every new request id for one of
 * the future; by one that is ahead, challenges expire, and the ledger's time, which never goes back, stands still under
 * the next leader. The remedy is another leader, not another clock: nobody's word moves ours.
 */
#define TELL_NS      (1000 * NS_PER_MS)
#define HEARD_NS     (5000 * NS_PER_MS)        /* Who has not been heard for so long is not counted on. */
#define WALL_MS_MAX  UINT64_C(253402300799999) /* As STATE_TIME_MS_MAX: beyond the year 9999 nobody can be right. */
#define HAND_OVER_NS (1000 * NS_PER_MS)        /* Between two tries to hand over. */

static void tell(struct core *c, uint64_t peer)
{
	struct frame f = {.type = FRAME_CLOCK, .clock = {.wall_ms = clock_wall_ms()}};

	peers_send(c, peer, &f);
}

void clocks_tell(struct core *c, uint64_t peer)
{
	tell(c, peer);
}

void clocks_told(struct core *c, uint64_t from, const struct frame_clock *f)
{
	struct member *m = members_find(c, from);

	if (m && f->wall_ms <= WALL_MS_MAX)
		m->clock = (struct member_clock){.wall_ms = f->wall_ms, .heard_ns = clock_mono_ns()};
}

/*
 * By how much a voter's clock is ahead of ours now. Held against the monotonic clock meanwhile: a step of our own shows
 * at once.
 */
static bool ahead_ms(const struct core *c, const struct member *m, int64_t *ret)
{
	uint64_t now = clock_mono_ns();

	if (m->id == c->id || m->role != ROSTER_VOTER || m->clock.heard_ns == 0 || now > m->clock.heard_ns + HEARD_NS)
		return false;
	*ret = (int64_t)(m->clock.wall_ms + (now - m->clock.heard_ns) / NS_PER_MS - clock_wall_ms());
	return true;
}

static bool is_off(int64_t ms)
{
	return ms > CLOCK_AHEAD_MS_MAX || ms < -CLOCK_AHEAD_MS_MAX;
}

/*
 * By how much a majority of the voters, without us, are at least ahead of our clock, or (negative) behind it; 0: there
 * is no such majority. Of two nodes that differ nobody knows which is right.
 */
static int64_t off_ms(const struct core *c)
{
	unsigned n_ahead = 0, n_behind = 0;
	int64_t ms, ahead = INT64_MAX, behind = INT64_MIN;

	for (unsigned i = 0; i < c->members.n; i++) {
		if (!ahead_ms(c, &c->members.list[i], &ms) || !is_off(ms))
			continue;
		if (ms > 0) {
			n_ahead++;
			ahead = ms < ahead ? ms : ahead;
		} else {
			n_behind++;
			behind = ms > behind ? ms : behind;
		}
	}
	if (n_ahead >= members_majority(c))
		return ahead;
	return n_behind >= members_majority(c) ? behind : 0;
}

/* Whoever follows the log and has another clock than ours; 0: nobody. */
static uint64_t heir(struct core *c)
{
	int64_t ms;

	for (unsigned i = 0; i < c->members.n; i++) {
		const struct member *m = &c->members.list[i];
		if (ahead_ms(c, m, &ms) && is_off(ms) && change_whole(c, m->id))
			return m->id;
	}
	return 0;
}

bool clocks_hold(struct core *c)
{
	return off_ms(c) != 0 && heir(c) != 0;
}

static void say(int64_t off)
{
	if (off)
		log_warning("clock: most other members' are at least %" PRId64 " ms %s ours", off > 0 ? off : -off,
		            off > 0 ? "ahead of" : "behind");
	else
		log_info("clock: as the others' again");
}

/* What was ahead is so no more: the clocks were set, or time has passed. */
static void cosign_again(struct core *c)
{
	if (!c->clock_ahead || c->ahead_time_ms > clock_wall_ms() + CLOCK_AHEAD_MS_MAX)
		return;
	c->clock_ahead = false;
	log_info("the leader's clock is no longer ahead of ours");
	checkpoint_applied(c);
}

void clocks_beat(struct core *c)
{
	uint64_t now = clock_mono_ns(), to;
	int64_t off = off_ms(c);

	cosign_again(c);
	if (now - c->clocks.told_ns >= TELL_NS) {
		c->clocks.told_ns = now;
		for (unsigned i = 0; i < c->members.n; i++)
			if (c->members.list[i].id != c->id)
				tell(c, c->members.list[i].id);
	}
	if ((off != 0) != (c->clocks.off_ms != 0))
		say(off);
	c->clocks.off_ms = off;
	if (!off || !core_leads(c) || now - c->clocks.handed_ns < HAND_OVER_NS || !(to = heir(c)))
		return;
	c->clocks.handed_ns = now;
	log_warning("handing over for the clock to=%" PRIu64, to);
	guard_hand_over(c->guard, to);
}

const char *clocks_health(const struct core *c, char *buf, size_t cap)
{
	int64_t off = c->clocks.off_ms;

	if (!off)
		return NULL;
	snprintf(buf, cap, "its clock is %" PRId64 " s %s the other members'", (off > 0 ? off : -off) / 1000,
	         off > 0 ? "behind" : "ahead of");
	return buf;
}
