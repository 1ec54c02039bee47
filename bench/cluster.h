/* The cluster under load: one of its own in a temporary folder, or one that is given. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bench/folder.h"
#include "client/countersign.h"
#include "node/wire/keyfile.h"

#define CLUSTER_CLIENTS_MAX 17

struct cluster {
	bool own;                      /* Started here: stopped and removed by cluster_close. */
	bool keep;                     /* The folder stays. */
	char folder[FOLDER_PATH_SIZE]; /* Temporary: also for the floors. */
	char file[FOLDER_PATH_SIZE];   /* cluster.yaml */
	struct cluster_file description;
	unsigned n_pids;
	pid_t pids[CLUSTER_NODES_MAX]; /* Of the nodes, if they are ours. */
	unsigned n_clients;
	cs_client *clients[CLUSTER_CLIENTS_MAX];
	char keys[CLUSTER_CLIENTS_MAX][FOLDER_PATH_SIZE];
};

/* A fresh temporary folder in parent. 0, or -1 having said why. All members are zero before. */
int cluster_folder(struct cluster *c, const char *parent);
/* Makes, starts and enrols for n_clients keys, by the tool `countersign`. 0, or -1 having said why. */
int cluster_start(struct cluster *c, unsigned n_clients, unsigned in_flight_max);
/* Opens n_clients connections to a running cluster with one key. */
int cluster_join(struct cluster *c, const char *file, const char *key, unsigned n_clients, unsigned in_flight_max);
/* Stops what was started and removes the folder. Half-made ones are fine. */
void cluster_close(struct cluster *c);
/* The same without the clients: for a process that ends at once. From any thread. */
void cluster_stop(const struct cluster *c);
/* Of a cluster of our own: kills a node by SIGKILL, starts it again. 0, or -1 having said why. */
int cluster_kill(struct cluster *c, uint64_t node);
/* Stops it by SIGSTOP; to be killed next. */
int cluster_stop_node(struct cluster *c, uint64_t node);
int cluster_restart(struct cluster *c, uint64_t node);
/* What its first node's settings say. */
int cluster_timeouts(const struct cluster *c, unsigned *ret_election_ms, unsigned *ret_heartbeat_ms);
/* Processor time of all nodes so far; 0 if they are not ours. */
uint64_t cluster_cpu_ns(const struct cluster *c);

#endif
