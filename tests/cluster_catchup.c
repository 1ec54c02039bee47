/* A member that was away for long catches up under load: killed in the middle it goes on, the others hardly notice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
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
 * usage: cluster_catchup [N [SECONDS [OUT]]]. N decisions are missed; then the load of OUT questions at once is
 * measured for SECONDS before the member comes back, until it is whole, and for SECONDS afterwards.
 * tests/catchup_soak.sh runs it with large numbers. CATCHUP_NICE: the member's priority, where all nodes share one
 * machine as they should not.
 */
#define MISSED_DEFAULT 20000
#define CLIENTS        4
#define FILL_OUT       512 /* Questions at once while the ledger grows: full batches. */
#define LOAD_OUT       32  /* And while it is measured. */
#define SAMPLES_MAX    (1 << 22)
#define WAIT_S_MAX     1800
#define FAT            200 /* Bytes of each of three attributes: a chunk holds some hundred entries. */

static struct cluster cluster;
static cs_client *clients[CLIENTS];
static char fat[FAT + 1];

static struct load {
	atomic_uint out, failed;
	atomic_ulong n; /* Answers, */
	atomic_bool stop;
	unsigned long left; /* and how many are still to be asked for. */
	atomic_ulong asked;
} load;
static uint64_t samples[SAMPLES_MAX];

struct ask {
	unsigned client;
	uint64_t asked_ns;
};
static struct ask asks[FILL_OUT];

static void nap(void)
{
	struct timespec t = {.tv_nsec = 5000000}; /* Between two looks at another process's state. */

	nanosleep(&t, NULL);
}

static void ask_again(struct ask *a);

static void answered(void *context, int code, cs_result *result)
{
	struct ask *a = context;
	unsigned long i = atomic_fetch_add(&load.n, 1);

	samples[i % SAMPLES_MAX] = history_now_ns() - a->asked_ns;
	if (code && atomic_fetch_add(&load.failed, 1) == 0)
		fprintf(stderr, "load: %s\n", cs_last_error());
	cs_result_free(result);
	ask_again(a);
}

static void ask_again(struct ask *a)
{
	unsigned long i = atomic_fetch_add(&load.asked, 1);
	char subject[32];
	struct cs_attribute attributes[] = {{.name = "a", .type = CS_STRING, .string = fat},
	                                    {.name = "b", .type = CS_STRING, .string = fat},
	                                    {.name = "c", .type = CS_STRING, .string = fat}};
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = subject,
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main",
	                       .n_attributes = 3,
	                       .attributes = attributes};

	snprintf(subject, sizeof subject, "u%lu", i % 5000);
	a->asked_ns = history_now_ns();
	if (i < load.left && !atomic_load(&load.stop)) {
		if (cs_decide_async(clients[a->client], &r, answered, a) == 0)
			return;
		if (atomic_fetch_add(&load.failed, 1) == 0)
			fprintf(stderr, "load: %s\n", cs_last_error());
	}
	atomic_fetch_sub(&load.out, 1);
}

/* left answers, or as many as there are until load_end. */
static void load_begin(unsigned out, unsigned long left)
{
	atomic_store(&load.n, 0);
	atomic_store(&load.asked, 0);
	atomic_store(&load.stop, false);
	load.left = left;
	atomic_store(&load.out, out);
	for (unsigned i = 0; i < out; i++) {
		asks[i].client = i % CLIENTS;
		ask_again(&asks[i]);
	}
}

static void load_wait(void)
{
	while (atomic_load(&load.out))
		nap();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The leader's: what the others cost on the same machine is not in it. */
static unsigned leader;

static double leader_cpu_us(void)
{
	unsigned long user = 0, system = 0;
	char path[400];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/c/node-%u/pid", cluster.dir, leader);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &pid) != 1)
		history_fail("the leader's process id cannot be read");
	fclose(f);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
		history_fail("the leader's times cannot be read");
	fclose(f);
	return (double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

struct measure {
	unsigned long first;
	uint64_t since_ns;
	double cpu_us;
};

static struct measure measure_begin(void)
{
	return (struct measure){.first = atomic_load(&load.n), .since_ns = history_now_ns(), .cpu_us = leader_cpu_us()};
}

/* Decisions a second. */
static double measure_end(struct measure m, const char *what)
{
	double cpu_us = leader_cpu_us() - m.cpu_us;
	static uint64_t sorted[SAMPLES_MAX];
	unsigned long n = atomic_load(&load.n) - m.first;
	double seconds = (double)(history_now_ns() - m.since_ns) / 1e9, rate = (double)n / seconds;

	n = n < SAMPLES_MAX ? n : SAMPLES_MAX;
	for (unsigned long i = 0; i < n; i++)
		sorted[i] = samples[(m.first + i) % SAMPLES_MAX];
	qsort(sorted, n, sizeof *sorted, compare);
	if (n)
		printf("%-24s %7.1f s %7.0f decisions/s   p50 %6.2f ms   p99 %7.2f ms   leader %4.0f us CPU each, "
		       "%3.0f %% of "
		       "a core\n",
		       what, seconds, rate, (double)sorted[n / 2] / 1e6, (double)sorted[n * 99 / 100] / 1e6,
		       cpu_us / (rate * seconds), cpu_us / seconds / 1e4);
	fflush(stdout);
	return rate;
}

static void wait_seconds(unsigned seconds)
{
	uint64_t end = history_now_ns() + seconds * UINT64_C(1000000000);

	while (history_now_ns() < end)
		nap();
}

/* The size from which the member's newest catch-up began. */
static long long began_at(unsigned node)
{
	char command[600];
	long long size = -1;
	FILE *f;

	snprintf(command, sizeof command,
	         "sed -n 's/.*catch-up: fetching from=.* size=//p' '%s/c/node-%u/countersignd.log' | tail -n 1",
	         cluster.dir, node);
	f = popen(command, "re");
	if (!f || fscanf(f, "%lld", &size) != 1)
		size = -1;
	pclose(f);
	return size;
}

static void wait_whole(unsigned node, unsigned times)
{
	uint64_t end = history_now_ns() + WAIT_S_MAX * UINT64_C(1000000000);

	while (cluster_in_log(&cluster, node, "catch-up: whole again") < times) {
		if (history_now_ns() > end)
			history_fail("the member has not caught up");
		nap();
	}
}

/* What the member's store takes on the disk: its status is not to be had while it is busy starting. */
static long long stored_bytes(unsigned node)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof path, "%s/c/node-%u/data/ledger/data.mdb", cluster.dir, node);
	if (stat(path, &st))
		history_fail("a store is gone");
	return 512LL * st.st_blocks;
}

/*
 * On one machine the member's work is not the leader's, as it is where each has a machine: it gets a core of its own,
 * and all others, who share the first one from before it comes back, keep what they had.
 */
static void pin_others(unsigned member)
{
	if (!getenv("CATCHUP_PIN"))
		return;
	cluster_shell("taskset -a -p -c 0 %d >&2", (int)getpid());
	for (unsigned n = 1; n <= 3; n++)
		if (n != member)
			cluster_shell("taskset -a -p -c 0 $(cut -d ' ' -f 1 '%s/c/node-%u/pid') >&2", cluster.dir, n);
}

static void start_member(unsigned node)
{
	char before[256], command[300];
	const char *tool = getenv("COUNTERSIGN");

	snprintf(before, sizeof before, "%s", tool ? tool : "./countersign");
	snprintf(command, sizeof command, "%s%s", getenv("CATCHUP_PIN") ? "taskset -c 1 " : "", before);
	setenv("COUNTERSIGN", command, 1); /* The daemon runs where the tool does. */
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
	setenv("COUNTERSIGN", before, 1);
}

/* What was fetched before a crash stays: the next catch-up goes on from there. */
static void test_resumes(unsigned node, long long had, unsigned long missed)
{
	long long bytes = stored_bytes(node) + (long long)missed / 2 * 3 * FAT;

	start_member(node);
	while (stored_bytes(node) < bytes && !cluster_in_log(&cluster, node, "catch-up: whole again"))
		nap();
	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	if (cluster_in_log(&cluster, node, "catch-up: whole again")) {
		start_member(node);
		printf("caught up before it could be killed in the middle\n");
		return;
	}
	start_member(node);
	while (began_at(node) <= had && !cluster_in_log(&cluster, node, "catch-up: whole again"))
		nap();
	printf("killed in the middle: had %lld, began again from %lld\n", had, began_at(node));
	if (began_at(node) <= had)
		history_fail("what was fetched before the crash was fetched again");
}

int main(int argc, char **argv)
{
	unsigned long missed = argc > 1 ? strtoul(argv[1], NULL, 10) : MISSED_DEFAULT;
	unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	unsigned out = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : LOAD_OUT;
	double before, during, after;
	struct measure m;
	cs_client *client;

	if (missed == 0 || seconds == 0 || out == 0 || out > FILL_OUT)
		history_fail("usage: cluster_catchup [N [SECONDS [OUT]]]");
	memset(fat, 'x', FAT);
	cluster_create(&cluster, argc > 1 ? NULL : "snapshot_entries: 32");
	cluster_shell("printf 'version: 1\\nname: load\\nthresholds:\\n  step_up: 20000\\n  deny: 30000\\nrules:\\n"
	              "  - id: all\\n    verdict: allow\\n' >'%s/policy.yaml'",
	              cluster.dir);
	cluster_run("policy set %s/policy.yaml --cluster %s --key %s", cluster.dir, cluster.cluster_file,
	            cluster.admin_key);
	client = cluster_client(&cluster);
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = cluster_client(&cluster);
	load_begin(FILL_OUT, 2000);
	load_wait();
	if (atomic_load(&load.failed))
		history_fail("decisions failed");
	leader = cluster_leader(client);
	unsigned node = leader % 3 + 1;
	long long had = (long long)cluster_converge(client);
	cluster_run("cluster kill %s/c --node %u", cluster.dir, node);
	m = measure_begin();
	m.first = 0;
	load_begin(FILL_OUT, missed);
	load_wait();
	measure_end(m, "missed, at full load");

	pin_others(node);
	load_begin(out, (unsigned long)-1);
	wait_seconds(seconds);
	m = measure_begin();
	wait_seconds(seconds);
	before = measure_end(m, "before, two nodes");
	m = measure_begin();
	test_resumes(node, had, missed);
	wait_whole(node, 1);
	during = measure_end(m, "while it catches up");
	wait_seconds(seconds);
	m = measure_begin();
	wait_seconds(seconds);
	after = measure_end(m, "afterwards, three nodes");
	printf("while it catches up: %+.1f %% against before, %+.1f %% against afterwards\n",
	       (during / before - 1) * 100, (during / after - 1) * 100);
	atomic_store(&load.stop, true);
	load_wait();
	if (atomic_load(&load.failed))
		history_fail("decisions failed");
	cluster_converge(client);
	for (unsigned n = 1; n <= 3; n++)
		if (cluster_in_log(&cluster, n, "HALTED"))
			history_fail("a node has halted");
	cluster_shell("grep -h 'catch-up' '%s/c/node-%u/countersignd.log'", cluster.dir, node);
	cs_close(client);
	for (unsigned i = 0; i < CLIENTS; i++)
		cs_close(clients[i]);
	cluster_destroy(&cluster);
	return 0;
}
