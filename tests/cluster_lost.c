/* A node loses its disk under load and comes back as a new one: whole, all of the ledger in its store, none twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

/*
 * The log is cut before the disk is lost: all has to be fetched. What is kept behind a snapshot, half of this, must
 * last for as long as the state takes to be fetched.
 */
#define SETTINGS      "snapshot_entries: 512"
#define FILL          12000
#define FILL_OUT      256
#define FAT           200 /* Bytes of each of three attributes: the ledger takes some time to fetch. */
#define THREADS       3
#define PAUSE_MS      10
#define ACKED_BETWEEN 100
#define NEW           4 /* The node's number. */
#define WAIT_MS_MAX   120000

#define ADMIN      "--cluster %s --key %s"
#define ADMIN_ARGS cluster.cluster_file, cluster.admin_key

static struct cluster cluster;
static atomic_bool stop;
static atomic_uint n_failed;
static char fat[FAT + 1];

static void nap_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static struct cs_request request_for(const char *subject, const struct cs_attribute *a, size_t n)
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = subject,
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main",
	                       .n_attributes = n,
	                       .attributes = a};

	cs_request_id(r.id);
	return r;
}

/* --- the ledger that is to be fetched --- */

struct ask {
	cs_client *client;
	uint64_t asked_ns;
	uint8_t id[16];
};
static struct ask asks[FILL_OUT];
static atomic_uint asked, out;

static void ask_again(struct ask *a);

static void answered(void *context, int code, cs_result *result)
{
	struct ask *a = context;

	if (code)
		history_fail(cs_last_error());
	history_add(a->id, result->index, a->asked_ns);
	cs_result_free(result);
	ask_again(a);
}

static void ask_again(struct ask *a)
{
	unsigned i = atomic_fetch_add(&asked, 1);
	const struct cs_attribute attributes[] = {{.name = "a", .type = CS_STRING, .string = fat},
	                                          {.name = "b", .type = CS_STRING, .string = fat},
	                                          {.name = "c", .type = CS_STRING, .string = fat}};
	char subject[32];

	if (i >= FILL) {
		atomic_fetch_sub(&out, 1);
		return;
	}
	snprintf(subject, sizeof subject, "u%u", i % 2000);
	struct cs_request r = request_for(subject, attributes, 3);
	memcpy(a->id, r.id, sizeof a->id);
	a->asked_ns = history_now_ns();
	if (cs_decide_async(a->client, &r, answered, a))
		history_fail(cs_last_error());
}

static void fill(cs_client *client)
{
	atomic_store(&out, FILL_OUT);
	for (unsigned i = 0; i < FILL_OUT; i++) {
		asks[i].client = client;
		ask_again(&asks[i]);
	}
	while (atomic_load(&out))
		nap_ms(5);
}

/* --- load --- */

static void *load(void *arg)
{
	cs_client *client = arg;
	char subject[32];

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		snprintf(subject, sizeof subject, "u%u", i % 50);
		struct cs_request r = request_for(subject, NULL, 0);
		uint64_t asked_ns = history_now_ns();
		cs_result *result;
		if (cs_decide(client, &r, &result)) {
			fprintf(stderr, "decide: %s\n", cs_last_error());
			atomic_fetch_add(&n_failed, 1);
			continue;
		}
		history_add(r.id, result->index, asked_ns);
		cs_result_free(result);
		nap_ms(PAUSE_MS);
	}
	return NULL;
}

static void wait_acked(unsigned more)
{
	unsigned n = history_count() + more;

	for (int i = 0; history_count() < n; i++) {
		if (i > WAIT_MS_MAX / 5)
			history_fail("no progress: the cluster does not acknowledge");
		nap_ms(5);
	}
}

/* --- the new node --- */

static long long stored_bytes(unsigned node)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof path, "%s/c/node-%u/data/ledger/data.mdb", cluster.dir, node);
	return stat(path, &st) ? 0 : 512LL * st.st_blocks;
}

static void kill_node(unsigned node)
{
	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
}

static void start_node(unsigned node)
{
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
}

/* Until it has stored so much, if it has not come to the end before. */
static bool fetching(long long bytes)
{
	for (int i = 0; i < WAIT_MS_MAX / 2; i++) {
		if (cluster_in_log(&cluster, NEW, "whole again"))
			return false;
		if (stored_bytes(NEW) >= bytes)
			return true;
		nap_ms(2);
	}
	history_fail("the new node fetches nothing");
}

static void *replace(void *arg)
{
	const unsigned *lost = arg;

	cluster_run("member replace " ADMIN " --wait-ms 120000 %u %s/c/node-%u/member", ADMIN_ARGS, *lost, cluster.dir,
	            NEW);
	return NULL;
}

/* As node/OPERATIONS.md says. On the way whoever gives is killed, and the new node itself. */
static void replace_lost(unsigned lost, unsigned leader)
{
	pthread_t thread;
	unsigned kills = 0;

	cluster_run("member prepare " ADMIN " --id %u --url tcp://127.0.0.1:%u --link 127.0.0.1:%u "
	            "--election-timeout-ms 600 %s/c/node-%u",
	            ADMIN_ARGS, NEW, 20000 + (unsigned)getpid() % 5000, 25000 + (unsigned)getpid() % 5000, cluster.dir,
	            NEW);
	cluster_shell("echo '%s' >>'%s/c/node-%u/countersignd.yaml'", SETTINGS, cluster.dir, NEW);
	start_node(NEW);
	long long empty = stored_bytes(NEW);
	pthread_create(&thread, NULL, replace, &lost);
	/* The state comes first: killed with a part of it. */
	while (!cluster_in_log(&cluster, NEW, "catch-up: fetching"))
		nap_ms(2);
	kill_node(NEW);
	start_node(NEW);
	kills++;
	/* In the middle of the entries: from whom it fetches; then itself, with what the next leader gives. */
	for (unsigned i = 1; i <= 3 && fetching(empty + i * (long long)FILL * FAT / 2); i++) {
		kill_node(i == 1 ? leader : NEW);
		start_node(i == 1 ? leader : NEW);
		kills++;
	}
	pthread_join(thread, NULL);
	fprintf(stderr, "node %u lost its disk and came back as node %d, %u kills on the way\n", lost, NEW, kills);
}

/* --- in the end --- */

static unsigned long long converge(cs_client *client, const unsigned nodes[3])
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		long long size = cluster_status(client, nodes[0], "size");
		if (size > 0 && cluster_status(client, nodes[1], "size") == size &&
		    cluster_status(client, nodes[2], "size") == size &&
		    cluster_status(client, nodes[2], "cosigned_size") == size) {
			cluster_same_root(client, nodes[0], nodes[1]);
			cluster_same_root(client, nodes[0], nodes[2]);
			return (unsigned long long)size;
		}
		nap_ms(20);
	}
	history_fail("the members do not come to the same size");
}

/* Out of the new node's store alone: the others are down. */
static void check_store(cs_client *client, const unsigned nodes[3], unsigned long long size)
{
	const unsigned long long indexes[] = {0, size / 3, size - 1};

	for (unsigned i = 0; i < 2; i++)
		cluster_run("cluster down %s/c --node %u", cluster.dir, nodes[i]);
	history_check(client, size);
	for (unsigned i = 0; i < 3; i++) {
		cluster_run("prove --cluster %s --key %s --out %s/proof-%u %llu", cluster.cluster_file,
		            cluster.gateway_key, cluster.dir, i, indexes[i]);
		cluster_run("verify --trust %s/c/trust.policy %s/proof-%u", cluster.dir, cluster.dir, i);
	}
}

int main(void)
{
	unsigned nodes[3] = {0, 0, NEW};
	cs_client *clients[THREADS], *client;
	pthread_t threads[THREADS];

	memset(fat, 'x', FAT);
	/* Of version 1: in the end one node alone is read from, which the log of readers would forbid. */
	cluster.policy_1 = true;
	cluster_create(&cluster, SETTINGS);
	client = cluster_client(&cluster);
	fill(client);
	for (unsigned i = 0; i < THREADS; i++) {
		clients[i] = cluster_client(&cluster);
		pthread_create(&threads[i], NULL, load, clients[i]);
	}
	while (cluster_status(client, cluster_leader(client), "raft_last") < 1100)
		wait_acked(ACKED_BETWEEN);
	unsigned leader = cluster_leader(client), lost = leader % 3 + 1;
	nodes[0] = leader;
	nodes[1] = 6 - leader - lost;
	kill_node(lost);
	cluster_shell("rm -r '%s/c/node-%u/data'", cluster.dir, lost);
	wait_acked(ACKED_BETWEEN);
	replace_lost(lost, leader);
	cluster_run("member sync " ADMIN, ADMIN_ARGS);
	wait_acked(ACKED_BETWEEN);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cs_follow(client, NULL);
	unsigned long long size = converge(client, nodes);
	check_store(client, nodes, size);
	for (unsigned n = 1; n <= NEW; n++)
		if (cluster_in_log(&cluster, n, "HALTED"))
			history_fail("a node has halted");
	for (unsigned i = 0; i < THREADS; i++)
		cs_close(clients[i]);
	cs_close(client);
	cluster_destroy(&cluster);
	fprintf(stderr, "%u acknowledged, %u errors told to clients, ledger of %llu entries, roots equal\n",
	        history_count(), atomic_load(&n_failed), size);
	return 0;
}
