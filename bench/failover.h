/* The leader is killed again and again: how long nobody gets a decision, and whether anybody notices otherwise. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FAILOVER_H
#define BENCH_FAILOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/cluster.h"
#include "bench/histogram.h"
#include "bench/load.h"

#define FAILOVER_KILLS   100
#define FAILOVER_MAX     1000
#define FAILOVER_CLIENTS 4
#define FAILOVER_SLOW_NS UINT64_C(500000000) /* The goal: a kill that took longer is named. */

struct failover_kill {
	uint64_t node;
	uint64_t at_ms;   /* POSIX time of the kill: what the nodes say of it is found by that. */
	uint64_t gap_ns;  /* The longest time without an answer, from the kill until the node is started again. */
	uint64_t call_ns; /* The call that took longest, of those that ended in it. */
};

struct failover {
	unsigned n;
	bool silent;
	struct failover_kill kills[FAILOVER_MAX];
	uint64_t answered, unproven;
	uint64_t errors[LOAD_CODES], n_errors; /* By code, negated. */
	uint64_t disordered;                   /* Answered before another was asked, and yet behind it in the ledger. */
	uint64_t other_gap_ns;                 /* The longest time without an answer while no leader was dead, */
	uint64_t other_gap_at_ms;              /* and when it began, POSIX time. */
	struct histogram calls;                /* All of them, from the time sent. */
	unsigned election_timeout_ms, heartbeat_ms;
};

/*
 * Kills the leader of a cluster of our own n times by SIGKILL, under a light load, and starts it again each time.
 * silent: it is stopped by SIGSTOP first, so that its connections stay, as when a machine or a cable dies, and killed
 * when the others have answered. What is acknowledged is added to acks. 0, or -1 having said why.
 */
int failover_run(struct cluster *c, unsigned n, bool silent, struct acks *acks, struct failover *ret);
/* Of the kills, by nearest rank; q from 0 to 1. */
uint64_t failover_gap_ns(const struct failover *f, double q);
uint64_t failover_call_ns(const struct failover *f, double q);

#endif
