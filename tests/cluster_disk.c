/* A member behind the log catches up; one whose disk went back or is gone stops and says so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

/* Snapshots so often that a member that missed this many decisions is behind the leader's log. */
#define SNAPSHOT_SETTINGS "snapshot_entries: 32"
#define MISSED            200

static struct cluster cluster;

static void decide(cs_client *client, unsigned n)
{
	char subject[32];

	for (unsigned i = 0; i < n; i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = subject,
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		uint64_t asked_ns = history_now_ns();
		cs_result *result;

		snprintf(subject, sizeof subject, "u%u", i % 20);
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result))
			history_fail(cs_last_error());
		history_add(r.id, result->index, asked_ns);
		cs_result_free(result);
	}
}

/* A member that is no leader. */
static unsigned follower(cs_client *client)
{
	return cluster_leader(client) % 3 + 1;
}

static void expect_in_log(unsigned node, const char *text)
{
	cluster_shell("grep -q '%s' '%s/c/node-%u/countersignd.log'", text, cluster.dir, node);
}

static void test_catch_up(cs_client *client)
{
	unsigned node = follower(client);

	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	decide(client, MISSED);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	decide(client, 50); /* Under load, and with more than one snapshot meanwhile. */
	history_check(client, cluster_converge(client));
	expect_in_log(node, "catch-up: whole again");
	/* And it survives a restart: what came by catch-up is as good as what came through the log. */
	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	decide(client, 20);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "node %u caught up\n", node);
}

/* Until the node has exited by itself: its process id is in the pid file. */
static void wait_halted(unsigned node)
{
	struct timespec nap = {.tv_nsec = 20000000};
	char path[400];

	snprintf(path, sizeof path, "%s/c/node-%u/data/HALTED", cluster.dir, node);
	for (int i = 0; i < 1500; i++) {
		if (access(path, F_OK) == 0)
			return;
		nanosleep(&nap, NULL);
	}
	history_fail("a node that had to halt did not");
}

static void wait_cosigned_by_all(cs_client *client)
{
	struct timespec nap = {.tv_nsec = 20000000};
	long long size = (long long)cluster_converge(client);

	for (int i = 0; i < 1500; i++) {
		bool all = true;
		for (unsigned n = 1; n <= 3; n++)
			all &= cluster_status(client, n, "cosigned_size") >= size;
		if (all)
			return;
		nanosleep(&nap, NULL);
	}
	history_fail("not cosigned");
}

static void test_rolled_back(cs_client *client)
{
	unsigned node = follower(client);

	cluster_run("cluster down %s/c --node %u", cluster.dir, node);
	cluster_shell("cp -a '%s/c/node-%u/data' '%s/old'", cluster.dir, node, cluster.dir);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	decide(client, 10);
	wait_cosigned_by_all(client);
	cluster_run("cluster down %s/c --node %u", cluster.dir, node);
	cluster_shell("mv '%s/c/node-%u/data' '%s/new' && mv '%s/old' '%s/c/node-%u/data'", cluster.dir, node,
	              cluster.dir, cluster.dir, cluster.dir, node);
	cluster_try("cluster up %s/c --node %u", cluster.dir, node);
	wait_halted(node);
	expect_in_log(node, "its disk went back");
	if (cluster_try("cluster up %s/c --node %u", cluster.dir, node) == 0)
		history_fail("a halted node started again");
	decide(client, 10); /* The others go on. */
	/* The operator puts the right disk back. */
	cluster_shell("rm -rf '%s/c/node-%u/data' && mv '%s/new' '%s/c/node-%u/data'", cluster.dir, node, cluster.dir,
	              cluster.dir, node);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	decide(client, 10);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "node %u halted on an old disk, and is back on the right one\n", node);
}

static void test_lost(cs_client *client)
{
	unsigned node = follower(client);

	cluster_run("cluster down %s/c --node %u", cluster.dir, node);
	cluster_shell("mv '%s/c/node-%u/data' '%s/data' && mkdir -m 700 '%s/c/node-%u/data'", cluster.dir, node,
	              cluster.dir, cluster.dir, node);
	cluster_try("cluster up %s/c --node %u", cluster.dir, node);
	wait_halted(node);
	expect_in_log(node, "the log is gone");
	decide(client, 10);
	cluster_shell("rm -rf '%s/c/node-%u/data' && mv '%s/data' '%s/c/node-%u/data'", cluster.dir, node, cluster.dir,
	              cluster.dir, node);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	history_check(client, cluster_converge(client));
	fprintf(stderr, "node %u halted without a disk\n", node);
}

int main(void)
{
	cs_client *client;

	cluster_create(&cluster, SNAPSHOT_SETTINGS);
	client = cluster_client(&cluster);
	decide(client, 100);
	test_catch_up(client);
	test_rolled_back(client);
	test_lost(client);
	cs_close(client);
	cluster_destroy(&cluster);
	return 0;
}
