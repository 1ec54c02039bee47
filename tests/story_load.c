/* A load of decisions for the story: pipelined, every acknowledgement kept, and then looked up in the ledger. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define THREADS 16

static const char *cluster_path, *key_path;
static unsigned long count;
static atomic_ulong started;
static atomic_uint told_errors;

static cs_client *open_client(void)
{
	struct cs_options o = {.cluster_file = cluster_path, .key_file = key_path, .timeout_ms = 30000};
	cs_client *client;
	char text[256];

	if (cs_open(&o, &client, text, sizeof text))
		history_fail(text);
	return client;
}

static void *load(void *arg)
{
	cs_client *client = open_client();
	unsigned long i;
	char subject[32];

	(void)arg;
	while ((i = atomic_fetch_add(&started, 1)) < count) {
		struct cs_request r = {.subject_type = "service",
		                       .subject_id = subject,
		                       .action = "read",
		                       .resource_type = "repository",
		                       .resource_id = "models"};
		uint64_t asked_ns = history_now_ns();
		cs_result *result;

		snprintf(subject, sizeof subject, "worker-%lu", i % 97);
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result)) {
			atomic_fetch_add(&told_errors, 1);
			continue;
		}
		history_add(r.id, result->index, asked_ns);
		cs_result_free(result);
	}
	cs_close(client);
	return NULL;
}

/* Replaced whole, so that a reader never finds half of it. */
static void write_progress(const char *path)
{
	char fresh[4096];
	FILE *f;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	f = fopen(fresh, "w");
	if (!f || fprintf(f, "%u\n", history_count()) < 0 || fclose(f) || rename(fresh, path))
		history_fail(path);
}

/* usage: story_load CLUSTER KEY COUNT PROGRESS_FILE: the count so far goes to the file, for whoever kills in the
 * middle. */
int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	struct timespec nap = {.tv_nsec = 10000000};

	if (argc != 5)
		return 2;
	cluster_path = argv[1];
	key_path = argv[2];
	count = strtoul(argv[3], NULL, 10);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, load, NULL);
	while (history_count() + atomic_load(&told_errors) < count) {
		write_progress(argv[4]);
		nanosleep(&nap, NULL);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	cs_client *client = open_client();
	uint64_t size = cluster_converge(client);
	history_check(client, size);
	cs_close(client);
	printf("%u decisions acknowledged, %u errors told; each acknowledged one is in the ledger once, in order "
	       "(%" PRIu64 " entries, equal roots on three nodes)\n",
	       history_count(), atomic_load(&told_errors), size);
	return 0;
}
