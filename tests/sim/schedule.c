/* The schedule of faults of whole nodes: which of them, how often, how long; drawn for each seed (swarm). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "tests/sim/checks.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/net.h"
#include "tests/sim/os.h"
#include "tests/sim/rollback.h"
#include "tests/sim/swarm.h"

#define RATE_NORMAL 1000000

static uint64_t end_ns;
static bool over;

static uint64_t span(uint64_t max)
{
	return os_between(max / 20 + 1, max);
}

static struct node *any_node(void)
{
	return &cluster.nodes[1 + os_below(cluster.n)];
}

static struct process *process_of(const struct node *n)
{
	return &os_processes[n->id];
}

struct node *faults_weak(void)
{
	return swarm.n_weak ? &cluster.nodes[swarm.weak[os_below(swarm.n_weak)]] : NULL;
}

/* --- ends and starts --- */

static void start(void *arg, uint64_t unused)
{
	(void)unused;
	cluster_start(arg);
}

static void crash(struct node *n, bool power, uint64_t down_max)
{
	faults_count(power ? FAULT_POWER : FAULT_KILL);
	cluster_crash(n, power);
	os_at(os_now + os_below(down_max), start, n, 0);
}

void faults_crash(unsigned node, uint64_t down_max)
{
	crash(&cluster.nodes[node], false, down_max);
}

static void act_kill(void)
{
	crash(any_node(), false, 2 * OS_S);
}

static void act_power(void)
{
	crash(any_node(), true, 2 * OS_S);
}

static void act_power_all(void)
{
	faults_count(FAULT_POWER_ALL);
	for (unsigned i = 1; i <= cluster.n; i++)
		crash(&cluster.nodes[i], true, OS_S);
}

static void act_stop(void)
{
	struct node *n = any_node();

	faults_count(FAULT_STOP);
	cluster_stop(n);
	os_at(os_now + OS_S + os_below(OS_S), start, n, 0);
}

static void act_pause(void)
{
	struct node *n = any_node();

	faults_count(FAULT_PAUSE);
	os_note(n->id, "--- paused");
	process_of(n)->paused_until = os_now + span(2 * OS_S);
}

/* --- network --- */

static void heal(void *arg, uint64_t pair)
{
	(void)arg;
	net_block((unsigned)(pair >> 8), (unsigned)(pair & 0xff), false);
}

static void block(unsigned a, unsigned b, uint64_t until)
{
	net_block(a, b, true);
	os_at(until, heal, NULL, a << 8 | b);
}

static void act_partition(void)
{
	uint64_t until = os_now + span(4 * OS_S), side = os_random();

	faults_count(FAULT_PARTITION);
	os_note(0, "--- partition %x", (unsigned)(side & ((2u << cluster.n) - 2)));
	for (unsigned a = 1; a <= cluster.n; a++)
		for (unsigned b = 1; b <= cluster.n; b++)
			if (((side >> a) ^ (side >> b)) & 1)
				block(a, b, until);
}

static void act_one_way(void)
{
	unsigned a = any_node()->id, b = any_node()->id;

	if (a == b)
		return;
	faults_count(FAULT_ONE_WAY);
	os_note(a, "--- cannot be heard by %u", b);
	block(a, b, os_now + span(4 * OS_S));
}

/* --- clocks --- */

static void clock_right(void *arg, uint64_t unused)
{
	(void)unused;
	os_clock_rate(arg, RATE_NORMAL);
}

static void act_clock(void)
{
	struct process *p = process_of(any_node());

	faults_count(FAULT_CLOCK);
	switch (os_below(3)) {
	case 0: /* It stands, and later goes on. */
		os_clock_rate(p, 0);
		os_at(os_now + span(OS_S), clock_right, p, 0);
		break;
	case 1:
		os_clock_rate(p, os_between(RATE_NORMAL / 2, 2 * RATE_NORMAL));
		os_at(os_now + span(4 * OS_S), clock_right, p, 0);
		break;
	default:
		p->wall_offset += os_below(2 * swarm.wall_step_ns) - swarm.wall_step_ns;
	}
}

/* --- disks --- */

static void disk_well(void *arg, uint64_t unused)
{
	(void)unused;
	((struct node *)arg)->disk.faults = swarm.disk;
}

static void act_slow(void)
{
	struct node *n = any_node();

	faults_count(FAULT_SLOW);
	if (os_chance(500000))
		n->disk.faults.store_ns_max = 4 * span(swarm.slow_ns_max);
	else
		n->disk.faults.write_ns_max = span(swarm.slow_ns_max);
	os_at(os_now + span(3 * OS_S), disk_well, n, 0);
}

/* A leader that writes slowly and is cut off for a moment: what it has in flight is soon contradicted. */
static void act_stuck(void)
{
	unsigned leader = checks_leader();
	struct node *n = leader ? &cluster.nodes[leader] : any_node();
	uint64_t until = os_now + span(OS_S);

	faults_count(FAULT_SLOW);
	faults_count(FAULT_PARTITION);
	os_note(n->id, "--- slow and cut off");
	n->disk.faults.write_ns_max = 2 * OS_S;
	os_at(until + span(OS_S), disk_well, n, 0);
	for (unsigned i = 1; i <= cluster.n; i++) {
		block(n->id, i, until);
		block(i, n->id, until);
	}
}

static void act_full(void)
{
	struct node *n = any_node();

	os_note(n->id, "--- disk full");
	n->disk.faults.full = true;
	n->full_ns = os_now + span(3 * OS_S);
	os_at(n->full_ns, disk_well, n, 0);
}

static void act_io_errors(void)
{
	struct node *n = any_node();

	n->disk.faults.read_error_ppm = swarm.error_ppm;
	n->disk.faults.write_error_ppm = swarm.error_ppm;
	n->disk.faults.sync_error_ppm = swarm.error_ppm;
	n->disk.faults.commit_error_ppm = swarm.commit_error_ppm;
	os_at(os_now + span(3 * OS_S), disk_well, n, 0);
}

static void act_misdirect(void)
{
	struct node *n = faults_weak();

	if (!n)
		return;
	n->disk.faults.misdirect_ppm = swarm.misdirect_ppm;
	os_at(os_now + span(2 * OS_S), disk_well, n, 0);
}

static void act_flip(void)
{
	struct node *n = faults_weak();

	if (n && drive_flip(&n->disk)) {
		faults_count(FAULT_FLIP);
		process_of(n)->damaged = true;
	}
}

/* --- the schedule --- */

static void (*const acts[SWARM_ACTS])(void) = {
        [ACT_KILL] = act_kill,           [ACT_POWER] = act_power, [ACT_POWER_ALL] = act_power_all,
        [ACT_STOP] = act_stop,           [ACT_PAUSE] = act_pause, [ACT_PARTITION] = act_partition,
        [ACT_ONE_WAY] = act_one_way,     [ACT_CLOCK] = act_clock, [ACT_SLOW] = act_slow,
        [ACT_STUCK] = act_stuck,         [ACT_FULL] = act_full,   [ACT_IO_ERRORS] = act_io_errors,
        [ACT_MISDIRECT] = act_misdirect, [ACT_FLIP] = act_flip,   [ACT_STALE] = rollback_log,
        [ACT_ROLLBACK] = rollback_node,
};

static void act(void *arg, uint64_t unused)
{
	uint64_t sum = 0, at;
	unsigned k = 0;

	(void)arg, (void)unused;
	if (over || os_now >= end_ns)
		return;
	for (unsigned i = 0; i < SWARM_ACTS; i++)
		sum += swarm.weights[i];
	at = os_below(sum);
	while (at >= swarm.weights[k])
		at -= swarm.weights[k++];
	acts[k]();
	os_at(os_now + span(swarm.act_ns_max), act, NULL, 0);
}

void faults_begin(uint64_t until)
{
	end_ns = until;
	for (unsigned i = 1; i <= cluster.n; i++) {
		cluster.nodes[i].disk.faults = swarm.disk;
		cluster_start(&cluster.nodes[i]);
	}
	os_at(os_now + OS_S, act, NULL, 0);
}

/* A quorum heals; in half of the seeds it is no more than that. */
void faults_end(void)
{
	/* Where disks were damaged, the weak ones may be out for good: then all others are needed. */
	unsigned left_out = !swarm.n_weak && !swarm.orders && os_chance(500000) ? cluster.n - cluster_majority() : 0;
	bool lies = swarm.disk.lies;

	over = true;
	net_heal();
	net_faults = (struct net_faults){.delay_ns = 50 * OS_US, .delay_ns_max = OS_MS};
	swarm.disk = (struct drive_faults){.write_ns = 50 * OS_US, .write_ns_max = 300 * OS_US, .lies = lies};
	for (unsigned i = 1; i <= cluster.n; i++) {
		struct node *n = &cluster.nodes[i];
		struct process *p = process_of(n);
		n->disk.faults = swarm.disk;
		os_clock_rate(p, RATE_NORMAL);
		p->wall_offset = CLUSTER_GENESIS_MS * OS_MS + OS_S + os_now - os_mono(p);
		p->paused_until = 0;
	}
	while (left_out) {
		struct node *n = any_node();
		if (n->out)
			continue;
		cluster_crash(n, false);
		n->out = true;
		left_out--;
	}
	for (unsigned i = 1; i <= cluster.n; i++)
		cluster_start(&cluster.nodes[i]);
}
