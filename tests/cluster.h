/* A cluster of real processes in a folder of its own, for tests: made, started, hurt and stopped through the tool. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CLUSTER_H
#define TESTS_CLUSTER_H

#include <stdbool.h>

#include "client/countersign.h"
#include "tests/proxy.h"

struct cluster {
	char dir[256];          /* Temporary; removed by cluster_destroy. */
	char cluster_file[320]; /* Paths for cs_options. */
	char admin_key[320], gateway_key[320];
	bool policy_1; /* Set before it is made: the policy that init writes, but of version 1, which older builds know.
	                */
};

/*
 * Makes a cluster of three nodes, starts it, and enrols a gateway that may decide, import and audit. settings: lines
 * added to each node's settings, or NULL. Aborts the test with the command that failed.
 */
void cluster_create(struct cluster *c, const char *settings);
/* The same in two steps: between them nothing runs yet. */
void cluster_make(struct cluster *c, const char *settings);
void cluster_make_of(struct cluster *c, unsigned nodes, const char *settings); /* With so many nodes. */
void cluster_begin(struct cluster *c);
/* Runs "countersign ARGS…" (printf-style); aborts the test if it fails. cluster_try returns its exit status instead. */
void cluster_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cluster_try(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Runs a shell command (printf-style); aborts the test if it fails. */
void cluster_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Shows what each thread of a process is doing, if gdb is there; goes on in any case. */
void cluster_stacks(int pid);
/* Stops all and removes the folder; keeps it and says where if CS_KEEP is set. */
void cluster_destroy(struct cluster *c);
/*
 * While the cluster is down: leads the link from each node to each other through a proxy of its own, ret[from][to],
 * nodes counted from 0. proxy_close is the caller's, after cluster_destroy.
 */
void cluster_proxies(const struct cluster *c, struct proxy *ret[3][3]);
/* A client with the gateway's key. */
cs_client *cluster_client(const struct cluster *c);
/* The leader's node id, asked until there is one (10 s at most, then the test is aborted). */
unsigned cluster_leader(cs_client *client);
/* A number out of a node's status (WIRE_STATUS member), -1 if the node does not answer. */
long long cluster_status(cs_client *client, unsigned node, const char *member);
/* How many lines of the node's log the pattern (grep's) is in. Aborts if there is no log. */
unsigned cluster_in_log(const struct cluster *c, unsigned node, const char *pattern);
/* Both have the same size: aborts unless they have the same root. */
void cluster_same_root(cs_client *client, unsigned a, unsigned b);
/* Waits until all three nodes report the same size and root and nothing is pending; returns the size. */
unsigned long long cluster_converge(cs_client *client);

#endif
