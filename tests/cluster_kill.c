/* kill -9 of leader and followers under load: nothing acknowledged is lost or doubled, order is linearizable. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define THREADS             8
#define KILLS               4
#define ACKED_BETWEEN_KILLS 150

static struct cluster cluster;
static atomic_uint n_failed;
static atomic_bool stop;

static void *load(void *arg)
{
	cs_client *client = cluster_client(&cluster);
	char subject[32];

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = subject,
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		uint64_t asked_ns = history_now_ns();
		cs_result *result;

		snprintf(subject, sizeof subject, "u%u-%u", (unsigned)(uintptr_t)arg, i % 50);
		cs_request_id(r.id);
		/* The library asks again with the same id when the outcome is unknown. */
		if (cs_decide(client, &r, &result)) {
			fprintf(stderr, "decide: %s\n", cs_last_error());
			atomic_fetch_add(&n_failed, 1);
			continue;
		}
		history_add(r.id, result->index, asked_ns);
		if (!result->proven)
			history_fail("a reply without a proof that holds");
		cs_result_free(result);
	}
	cs_close(client);
	return NULL;
}

static void wait_acked(unsigned n)
{
	uint64_t until = history_now_ns() + UINT64_C(120000000000);
	struct timespec t = {.tv_nsec = 5000000};

	while (history_count() < n) {
		if (history_now_ns() > until)
			history_fail("no progress: the cluster does not acknowledge");
		nanosleep(&t, NULL);
	}
}

int main(void)
{
	pthread_t threads[THREADS];
	cs_client *client;

	cluster_create(&cluster, NULL);
	client = cluster_client(&cluster);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load, (void *)i);
	for (unsigned k = 0; k < KILLS; k++) {
		wait_acked((k + 1) * ACKED_BETWEEN_KILLS);
		unsigned leader = cluster_leader(client), victim = k % 2 == 0 ? leader : leader % 3 + 1;
		fprintf(stderr, "kill -9 node %u (%s) after %u acknowledged\n", victim,
		        victim == leader ? "leader" : "follower", history_count());
		cluster_run("cluster kill %s/c --node %u", cluster.dir, victim);
		wait_acked(history_count() + ACKED_BETWEEN_KILLS);
		cluster_run("cluster up %s/c --node %u", cluster.dir, victim);
	}
	/* A whole restart, and on. */
	for (unsigned node = 1; node <= 3; node++)
		cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	cluster_run("cluster up %s/c", cluster.dir);
	wait_acked(history_count() + ACKED_BETWEEN_KILLS);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	unsigned n = history_count();
	unsigned long long size = cluster_converge(client);
	history_check(client, size);
	cs_close(client);
	cluster_destroy(&cluster);
	fprintf(stderr, "%u acknowledged, %u errors told to clients, ledger of %llu entries, roots equal on 3 nodes\n",
	        n, atomic_load(&n_failed), size);
	return 0;
}
