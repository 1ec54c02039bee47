/* The simulated cluster: its keys and genesis, each node's settings and disk, starts and ends of its processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CLUSTER_H
#define TESTS_SIM_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "node/settings.h"
#include "tests/sim/drive.h"

#define CLUSTER_NODES_MAX   7
#define CLUSTER_CLIENTS_MAX 8
#define CLUSTER_DEVICES     2
#define CLUSTER_APPROVERS                                                                                              \
	3 /* Clients that approve what waits; one more sends signals from outside, another audits.                     \
	   */
#define CLUSTER_PERSONS     (CLUSTER_APPROVERS + 2)
#define CLUSTER_GENESIS_MS  UINT64_C(1767571200000) /* Monday 2026-01-05, 00:00 UTC. */
#define CLUSTER_ORIGIN      "sim.example-0123456789abcdef"
#define CLUSTER_GENESIS_MAX 65536

struct node {
	unsigned id;
	struct settings settings;
	struct drive disk;
	struct channel_keypair channel;
	uint8_t log_seed[32], cosigner_seed[32];
	bool wanted;      /* It is to run: whenever it ends by itself it is started again. */
	bool out;         /* It halted, with an excuse: an operator's matter. */
	uint64_t full_ns; /* Until then its disk is full. */
	unsigned crashes;
};

struct cluster {
	unsigned n;                               /* Nodes ever made; their ids are 1 to n. */
	struct node nodes[CLUSTER_NODES_MAX + 1]; /* From 1. */
	uint8_t genesis[CLUSTER_GENESIS_MAX];
	size_t genesis_len;
	bool ending; /* Nothing is started any more. */
	uint8_t admin_channel[32], admin_secret[64];
};

extern struct cluster cluster;

/* Keys, genesis, fresh disks; all nodes are started. */
const char *cluster_policy(void); /* policy.c */
void cluster_begin(unsigned n);
/* One more node, as `countersign member prepare` leaves it: it begins with an empty log, and waits. */
struct node *cluster_prepare(void);
void cluster_keys(const struct node *n, uint8_t ret_log_pub[32], uint8_t ret_cosigner_pub[32]);
void cluster_start(struct node *n);
/* Ends its process if it runs; power: what was not synced is at risk. It stays down until started. */
void cluster_crash(struct node *n, bool power);
void cluster_stop(struct node *n); /* SIGTERM. */
unsigned cluster_majority(void);

#endif
