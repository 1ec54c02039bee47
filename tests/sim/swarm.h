/* The settings of one seed: every seed has others, and some faults not at all (swarm testing, Groce et al. 2012). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/cluster.h"
#include "tests/sim/drive.h"

enum act {
	ACT_KILL,
	ACT_POWER,
	ACT_POWER_ALL,
	ACT_STOP,
	ACT_PAUSE,
	ACT_PARTITION,
	ACT_ONE_WAY,
	ACT_CLOCK,
	ACT_SLOW,
	ACT_STUCK,
	ACT_FULL,
	ACT_IO_ERRORS,
	ACT_MISDIRECT,
	ACT_FLIP,
	ACT_STALE,
	ACT_ROLLBACK,
	SWARM_ACTS
};

/* What the administrators order besides members; each seed has some kinds of it. */
enum order_kind {
	ORDER_PEOPLE,
	ORDER_GOVERNANCE,
	ORDER_GRANTS,
	ORDER_CREDENTIALS,
	ORDER_KEYS,
	ORDER_HOLDS,
	ORDER_ERASURES,
	SWARM_ORDERS
};

struct swarm {
	unsigned nodes, clients;
	uint64_t chaos_ns; /* How long faults go on. */
	uint64_t act_ns_max;
	uint32_t weights[SWARM_ACTS];
	struct drive_faults disk; /* While nothing special happens to it. */
	uint64_t slow_ns_max, wall_step_ns;
	uint32_t error_ppm, commit_error_ppm, misdirect_ppm;
	unsigned weak[CLUSTER_NODES_MAX], n_weak; /* Nodes whose disks get damaged: a minority. */
	unsigned election_timeout_ms, heartbeat_ms, snapshot_entries, batch_commands_max;
	unsigned orders, orders_left; /* Of the administrator, about members. */
	uint64_t order_ns_max;
	bool ordered[SWARM_ORDERS], reads; /* Kinds of further orders; whether an auditor reads. */
	unsigned further_left;             /* Of these orders. */
	uint64_t think_ns_max, slice_ns;
	uint32_t client_lost_ppm;
};

extern struct swarm swarm;

void swarm_draw(void);
bool swarm_weak(unsigned node);

#endif
