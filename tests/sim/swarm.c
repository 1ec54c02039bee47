/* Draws a seed's settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/swarm.h"

#include "tests/sim/checks.h"
#include "tests/sim/net.h"
#include "tests/sim/os.h"

struct swarm swarm;

/* In some seeds nothing of it, in the others anything up to the most. */
static uint32_t ppm(uint32_t max)
{
	return os_chance(300000) ? 0 : (uint32_t)os_below(max + 1);
}

static void draw_network(void)
{
	net_faults = (struct net_faults){
	        .loss_ppm = ppm(300000),
	        .duplicate_ppm = ppm(500000),
	        .delay_ppm = ppm(50000),
	        .delay_ns = 20 * OS_US,
	        .delay_ns_max = os_between(100, 20000) * OS_US,
	        .late_ns_max = 500 * OS_MS,
	        .cut_ppm = ppm(2000),
	};
	/* A third of the seeds has a good network, so that much work is done while other things fail. */
	if (os_chance(333333))
		net_faults.loss_ppm /= 100;
}

static void draw_disks(void)
{
	unsigned n = swarm.nodes, most = (n - 1) / 2;

	swarm.disk = (struct drive_faults){
	        .torn_ppm = (uint32_t)os_between(800000, 1000000),
	        .write_ns = 50 * OS_US,
	        .write_ns_max = os_between(100, 3000) * OS_US,
	};
	swarm.slow_ns_max = os_between(5, 500) * OS_MS;
	swarm.error_ppm = ppm(100000);
	swarm.commit_error_ppm = ppm(300000); /* Commits are few beside the log's calls. */
	swarm.misdirect_ppm = ppm(100000);
	swarm.n_weak = os_chance(400000) ? 1 + (unsigned)os_below(most) : 0;
	for (unsigned i = 0, first = (unsigned)os_below(n); i < swarm.n_weak; i++)
		swarm.weak[i] = 1 + (first + i) % n;
}

static void draw_acts(void)
{
	swarm.act_ns_max = os_between(50, 2000) * OS_MS;
	for (unsigned i = 0; i < SWARM_ACTS; i++)
		swarm.weights[i] = os_chance(400000) ? 0 : (uint32_t)os_between(1, 100);
	swarm.weights[ACT_KILL] += 1; /* Something is always left. */
	swarm.wall_step_ns = os_between(1, 1500) * OS_MS;
}

static void draw_orders(void)
{
	unsigned kinds = 0;

	swarm.orders = swarm.orders_left = os_chance(500000) ? 0 : (unsigned)os_between(1, 12);
	swarm.order_ns_max = os_between(100, 4000) * OS_MS;
	for (unsigned k = 0; k < SWARM_ORDERS; k++)
		kinds += swarm.ordered[k] = os_chance(500000);
	swarm.further_left = kinds ? (unsigned)os_between(5, 40) : 0;
	swarm.reads = os_chance(500000);
}

void swarm_draw(void)
{
	swarm.nodes = os_chance(600000) ? 3 : 5;
	swarm.clients = 1 + (unsigned)os_below(CLUSTER_CLIENTS_MAX);
	swarm.chaos_ns = os_between(5, 25) * OS_S;
	swarm.heartbeat_ms = (unsigned)os_between(10, 50);
	swarm.election_timeout_ms = swarm.heartbeat_ms * (unsigned)os_between(3, 8);
	if (swarm.election_timeout_ms < 50)
		swarm.election_timeout_ms = 50;
	swarm.snapshot_entries = (unsigned)os_between(16, os_chance(500000) ? 64 : 512);
	swarm.batch_commands_max = (unsigned)os_between(1, 32);
	swarm.think_ns_max = os_between(1, os_chance(300000) ? 10 : 200) * OS_MS;
	swarm.slice_ns = os_chance(500000) ? 0 : os_between(1, 500) * OS_US;
	swarm.client_lost_ppm = ppm(200000);
	checks_snapshot_bytes_max = os_chance(500000) ? 0 : os_between(1024, os_chance(500000) ? 8192 : 1 << 20);
	checks_message_bytes_max = os_chance(500000) ? 0 : os_between(512, 1 << 16);
	checks_backlog_bytes_max = os_chance(500000) ? 0 : os_between(1024, os_chance(500000) ? 16384 : 1 << 18);
	checks_segment_size = (unsigned)os_between(32, 128) * 4096;
	draw_network();
	draw_disks();
	draw_acts();
	draw_orders();
}

bool swarm_weak(unsigned node)
{
	for (unsigned i = 0; i < swarm.n_weak; i++)
		if (swarm.weak[i] == node)
			return true;
	return false;
}
