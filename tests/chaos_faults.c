/* The faults of a chaos run: what is done to nodes, network and clients, in rounds drawn from the seed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/chaos.h"

#define TOGETHER_MAX 3  /* Faults at once. */
#define STORM_MAX    8  /* Restarts of one node in a row. */
#define STEP_S_MAX   15 /* Of a clock: links refuse handshakes of a node set back until it has caught up. */

/* --- processes --- */

static void kill_begin(struct chaos *c, const struct fault *f)
{
	nodes_end(c, f->node, SIGKILL);
}

static void start_end(struct chaos *c, const struct fault *f)
{
	nodes_start(c, f->node);
}

/* All at once: what nobody but the page cache had is still there; what nobody had sent on is not. */
static void kill_all_begin(struct chaos *c, const struct fault *f)
{
	(void)f;
	for (unsigned i = 0; i < c->n; i++)
		nodes_signal(c, i, SIGKILL);
	for (unsigned i = 0; i < c->n; i++)
		nodes_end(c, i, SIGKILL);
}

static void start_all_end(struct chaos *c, const struct fault *f)
{
	(void)f;
	for (unsigned i = 0; i < c->n; i++)
		nodes_start(c, i);
}

static void stop_begin(struct chaos *c, const struct fault *f)
{
	nodes_end(c, f->node, SIGTERM);
}

static void pause_begin(struct chaos *c, const struct fault *f)
{
	nodes_signal(c, f->node, SIGSTOP);
}

static void pause_end(struct chaos *c, const struct fault *f)
{
	nodes_signal(c, f->node, SIGCONT);
}

static void storm_begin(struct chaos *c, const struct fault *f)
{
	unsigned n = 3 + f->drawn % (STORM_MAX - 2), ms = f->drawn / 16;

	for (unsigned i = 0; i < n && chaos_good(c); i++) {
		nodes_end(c, f->node, SIGKILL);
		nodes_start(c, f->node);
		chaos_nap_ms(ms % 400);
		ms = ms * 7 + 13;
	}
}

static void rolling_begin(struct chaos *c, const struct fault *f)
{
	for (unsigned i = 0; i < c->n && chaos_good(c); i++) {
		nodes_end(c, (f->node + i) % c->n, SIGTERM);
		nodes_start(c, (f->node + i) % c->n);
		nodes_recover(c);
	}
}

/* kill -9 of a client: whatever it had asked may have happened, once, or not. */
static void client_begin(struct chaos *c, const struct fault *f)
{
	load_end(c, f->drawn % CHAOS_CLIENTS, SIGKILL);
}

static void client_end(struct chaos *c, const struct fault *f)
{
	load_start(c, f->drawn % CHAOS_CLIENTS, c->pause_ms);
}

/* --- network --- */

static void cut_node(struct chaos *c, unsigned node, bool out, bool in)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (out)
			net_cut(c, node, i, true);
		if (in)
			net_cut(c, i, node, true);
	}
}

static void cut_begin(struct chaos *c, const struct fault *f)
{
	cut_node(c, f->node, true, true);
}

static void cut_out_begin(struct chaos *c, const struct fault *f)
{
	cut_node(c, f->node, true, false);
}

static void cut_in_begin(struct chaos *c, const struct fault *f)
{
	cut_node(c, f->node, false, true);
}

/* Any directions between any two: bridges, rings, nobody at all. */
static void cut_some_begin(struct chaos *c, const struct fault *f)
{
	unsigned drawn = f->drawn;

	for (unsigned i = 0; i < c->n; i++)
		for (unsigned k = 0; k < c->n; k++) {
			drawn = drawn * 1664525 + 1013904223;
			if (drawn >> 16 & 1)
				net_cut(c, i, k, true);
		}
}

static void cut_end(struct chaos *c, const struct fault *f)
{
	(void)f;
	net_heal(c);
}

/* Cut and healed so often that streams are always just being made. */
static void flap_begin(struct chaos *c, const struct fault *f)
{
	for (unsigned i = 0; i < 4 + f->drawn % 8; i++) {
		cut_node(c, f->node, true, true);
		chaos_nap_ms(f->drawn / 8 % 200);
		net_heal(c);
		chaos_nap_ms(f->drawn / 4096 % 300);
	}
}

/* --- clocks --- */

static bool clocks_possible(const struct chaos *c)
{
	return c->faketime[0] != 0;
}

static void clock_set(struct chaos *c, unsigned node, int step_s)
{
	cluster_shell("printf '%%+ds' %d >'%s/clock.new' && mv '%s/clock.new' '%s/clock-%u'", step_s, c->cluster.dir,
	              c->cluster.dir, c->cluster.dir, node + 1);
}

static void clock_begin(struct chaos *c, const struct fault *f)
{
	clock_set(c, f->node, (int)(f->drawn % (2 * STEP_S_MAX + 1)) - STEP_S_MAX);
}

static void clock_end(struct chaos *c, const struct fault *f)
{
	clock_set(c, f->node, 0);
}

/* --- rounds --- */

static bool always(const struct chaos *c)
{
	(void)c;
	return true;
}

const struct fault_kind fault_kinds[] = {
        {"kill", 12, ON_NODE, always, kill_begin, start_end},
        {"kill-all", 3, ALONE, always, kill_all_begin, start_all_end},
        {"stop", 4, ON_NODE, always, stop_begin, start_end},
        {"pause", 10, ON_NODE, always, pause_begin, pause_end},
        {"storm", 3, ON_NODE, always, storm_begin, NULL},
        {"rolling", 2, ALONE, always, rolling_begin, NULL},
        {"client", 3, ON_CLIENT, always, client_begin, client_end},
        {"cut", 8, ON_NETWORK, always, cut_begin, cut_end},
        {"cut-out", 6, ON_NETWORK, always, cut_out_begin, cut_end},
        {"cut-in", 6, ON_NETWORK, always, cut_in_begin, cut_end},
        {"cut-some", 6, ON_NETWORK, always, cut_some_begin, cut_end},
        {"flap", 3, ON_NETWORK, always, flap_begin, cut_end},
        {"clock", 5, ON_NODE, clocks_possible, clock_begin, clock_end},
        {"disk-full", 4, ON_DISK, folder_is_small, folder_full_begin, folder_full_end},
        {"flip", 4, ON_FOLDER, always, folder_flip, folder_damaged},
        {"delete", 2, ON_FOLDER, always, folder_delete, folder_damaged},
        {"stale", 2, ALONE, always, folder_stale, NULL},
        {"role", 5, ON_MEMBERS, always, members_role_begin, members_role_end},
        {"guest", 5, ON_MEMBERS, always, members_guest_begin, members_guest_end},
};
const unsigned n_fault_kinds = sizeof fault_kinds / sizeof *fault_kinds;

static const struct fault_kind *draw_kind(struct chaos *c, unsigned wanted)
{
	unsigned sum = 0, i = 0;

	for (unsigned k = 0; k < n_fault_kinds; k++)
		sum += wanted >> k & 1 ? fault_kinds[k].weight : 0;
	for (unsigned at = chaos_draw(c, sum);; i++) {
		unsigned weight = wanted >> i & 1 ? fault_kinds[i].weight : 0;
		if (at < weight)
			return &fault_kinds[i];
		at -= weight;
	}
}

/* Whether it may go with those that were drawn before it. */
static bool fits(const struct fault *all, unsigned n, const struct fault_kind *kind)
{
	for (unsigned i = 0; i < n; i++) {
		bool folders = all[i].kind->where == ON_FOLDER || all[i].kind->where == ON_DISK;
		if (all[i].kind == kind || all[i].kind->where == ALONE ||
		    (folders && (kind->where == ON_FOLDER || kind->where == ON_DISK)))
			return false;
		if ((all[i].kind->where == ON_NETWORK && kind->where == ON_NETWORK) ||
		    (all[i].kind->where == ON_MEMBERS && kind->where == ON_MEMBERS))
			return false;
	}
	return n == 0 || kind->where != ALONE;
}

static bool on_a_node(const struct fault *f)
{
	return f->kind->where != ON_NETWORK && f->kind->where != ON_CLIENT && f->kind->where != ON_MEMBERS;
}

/* On whom: one that has no other fault; the leader, if so drawn and it is free. False: there is nobody. */
static bool choose_node(struct chaos *c, struct fault *all, unsigned n, unsigned leads, unsigned node)
{
	struct fault *f = &all[n];
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++)
		if (on_a_node(&all[i]))
			taken |= 1u << all[i].node;
	int leader = leads < 40 ? nodes_leader(c) : -1;
	f->node = f->kind->where == ON_DISK ? c->n - 1 : leader >= 0 ? (unsigned)leader : node;
	if (!on_a_node(f))
		return true;
	if (f->kind->where == ON_DISK) /* Only one has a disk that can be full. */
		return !(taken >> f->node & 1);
	while (taken >> f->node & 1)
		f->node = (f->node + 1) % c->n;
	return true;
}

void faults_round(struct chaos *c, unsigned wanted)
{
	struct fault all[TOGETHER_MAX];
	unsigned n = 0, together = chaos_draw(c, 100), gap_ms = chaos_draw(c, 300), calm_ms = chaos_draw(c, 1500);

	together = together < 50 ? 1 : together < 85 ? 2 : 3;
	for (unsigned i = 0; i < together; i++) {
		struct fault f = {.kind = draw_kind(c, wanted), .drawn = chaos_draw(c, 1u << 30)};
		unsigned leads = chaos_draw(c, 100), node = chaos_draw(c, c->n);
		/* Most are short: an election; some outlast every timeout. */
		f.hold_ms = chaos_draw(c, 100) < 70 ? 100 + chaos_draw(c, 1200) : chaos_draw(c, 5000);
		if (!fits(all, n, f.kind))
			continue;
		all[n] = f;
		n += choose_node(c, all, n, leads, node);
	}
	for (unsigned i = 0; i < n && chaos_good(c); i++) {
		chaos_say(c, "%s node %u, %u ms", all[i].kind->name, all[i].node + 1, all[i].hold_ms);
		c->faults[all[i].kind - fault_kinds]++;
		all[i].kind->begin(c, &all[i]);
		chaos_nap_ms(gap_ms);
	}
	for (unsigned i = 0; i < n; i++)
		if (all[i].kind->where != ON_FOLDER && all[i].kind->end) {
			chaos_nap_ms(all[i].hold_ms);
			all[i].kind->end(c, &all[i]);
		}
	/* What a damaged folder comes to is known when the others can be reached. */
	for (unsigned i = 0; i < n && chaos_good(c); i++)
		if (all[i].kind->where == ON_FOLDER)
			all[i].kind->end(c, &all[i]);
	nodes_look(c);
	chaos_nap_ms(calm_ms);
}
