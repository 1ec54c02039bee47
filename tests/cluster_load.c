/* Overload on real processes: turns between clients, deadlines, a stopped follower and the leader's memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define NODES         3
#define HEAVY_CLIENTS 16  /* Each has at most 128 requests at a node: the library's own bound. */
#define HEAVY_EACH    256 /* Calls out in each, so that there are always some to send. */
#define LIGHT_ASKS    200
#define SAMPLES_MAX   (1 << 20)
#define FAT           5000         /* Bytes of a large request, about: twenty attributes of 250. */
#define FLOOD_BYTES   (320u << 20) /* Ordered while a follower stands still. */
/* Log and queues: 32 MiB behind a snapshot, twice 64 since, 16 for the link. A sanitizer keeps freed memory for itself.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_KIB_MAX (4096u << 10)
#else
#define GROWTH_KIB_MAX (224u << 10)
#endif
#define LATE        64
#define LATE_MS     400
#define WAIT_MS_MAX 60000

static struct cluster cluster;

static void nap(void)
{
	struct timespec t = {.tv_nsec = 20000000}; /* Between two looks at another process's state. */

	nanosleep(&t, NULL);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t percentile(uint64_t *list, size_t n, unsigned percent)
{
	qsort(list, n, sizeof *list, compare);
	return n ? list[(n - 1) * percent / 100] : 0;
}

/* --- the heavy client, a process of its own --- */

static uint64_t samples[SAMPLES_MAX];
static atomic_size_t n_samples;
static atomic_uint n_out, n_refused;
static uint64_t end_ns;

struct ask {
	cs_client *client;
	uint64_t asked_ns;
	size_t fat;
};

static void ask_again(struct ask *a);

static void answered(void *context, int code, cs_result *result)
{
	struct ask *a = context;
	uint64_t now = history_now_ns();
	size_t i = atomic_fetch_add(&n_samples, 1);

	if (code && atomic_fetch_add(&n_refused, 1) == 0)
		fprintf(stderr, "heavy: %s\n", cs_last_error());
	if (i < SAMPLES_MAX)
		samples[i] = now - a->asked_ns;
	cs_result_free(result);
	if (now < end_ns)
		ask_again(a);
	else
		atomic_fetch_sub(&n_out, 1);
}

static int ask_start(struct ask *a)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
	                                    "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
	struct cs_attribute attributes[20];
	char value[FAT / 20 + 1];
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "u1",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main",
	                       .n_attributes = a->fat ? 20 : 0,
	                       .attributes = attributes};

	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = 0;
	for (unsigned i = 0; i < 20; i++)
		attributes[i] = (struct cs_attribute){.name = names[i], .type = CS_STRING, .string = value};
	a->asked_ns = history_now_ns();
	return cs_decide_async(a->client, &r, answered, a);
}

static void ask_again(struct ask *a)
{
	if (ask_start(a))
		atomic_fetch_sub(&n_out, 1);
}

/* Floods for so many seconds with n clients and each calls out in each; prints what it saw. */
static int heavy(const char *dir, const char *seconds, const char *fat)
{
	static struct ask asks[HEAVY_CLIENTS][HEAVY_EACH];
	cs_client *clients[HEAVY_CLIENTS];

	snprintf(cluster.cluster_file, sizeof cluster.cluster_file, "%s/c/cluster.yaml", dir);
	snprintf(cluster.gateway_key, sizeof cluster.gateway_key, "%s/gateway.key", dir);
	end_ns = history_now_ns() + strtoull(seconds, NULL, 10) * UINT64_C(1000000000);
	for (unsigned i = 0; i < HEAVY_CLIENTS; i++) {
		clients[i] = cluster_client(&cluster);
		for (unsigned k = 0; k < HEAVY_EACH; k++) {
			asks[i][k] = (struct ask){.client = clients[i], .fat = strtoull(fat, NULL, 10)};
			atomic_fetch_add(&n_out, 1);
			ask_again(&asks[i][k]);
		}
	}
	while (atomic_load(&n_out))
		nap();
	for (unsigned i = 0; i < HEAVY_CLIENTS; i++)
		cs_close(clients[i]);
	size_t n = atomic_load(&n_samples);
	size_t kept = n < SAMPLES_MAX ? n : SAMPLES_MAX;
	printf("%zu %u %" PRIu64 " %" PRIu64 "\n", n, atomic_load(&n_refused), percentile(samples, kept, 50) / 1000,
	       percentile(samples, kept, 99) / 1000);
	return 0;
}

static FILE *heavy_start(unsigned seconds, unsigned fat)
{
	char self[400], command[900];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n < 0)
		abort();
	self[n] = 0;
	snprintf(command, sizeof command, "exec '%s' heavy '%s' %u %u", self, cluster.dir, seconds, fat);
	FILE *f = popen(command, "re");
	if (!f)
		abort();
	return f;
}

static void heavy_end(FILE *f, unsigned long *ret_n, unsigned *ret_refused, unsigned long *ret_p50,
                      unsigned long *ret_p99)
{
	if (fscanf(f, "%lu %u %lu %lu", ret_n, ret_refused, ret_p50, ret_p99) != 4 || pclose(f))
		history_fail("the heavy client failed");
}

/* --- turns --- */

/* A flood that is asked to prove who it is would soon have all the open challenges that one client may have. */
static void allow_all(void)
{
	cluster_shell("printf 'version: 1\\nname: load\\nthresholds:\\n  step_up: 20000\\n  deny: 30000\\nrules:\\n"
	              "  - id: all\\n    verdict: allow\\n' >'%s/policy.yaml'",
	              cluster.dir);
	cluster_run("policy set %s/policy.yaml --cluster %s --key %s", cluster.dir, cluster.cluster_file,
	            cluster.admin_key);
}

static cs_client *light_client(void)
{
	static char key[400];
	struct cs_options o = {.cluster_file = cluster.cluster_file, .key_file = key, .timeout_ms = 30000};
	char text[256];
	cs_client *client;

	snprintf(key, sizeof key, "%s/light.key", cluster.dir);
	cluster_run("enroll --cluster %s --key %s --name light --roles decide --new-key %s", cluster.cluster_file,
	            cluster.admin_key, key);
	if (cs_open(&o, &client, text, sizeof text))
		history_fail(text);
	return client;
}

static void light_ask(cs_client *client, uint64_t *ret)
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "u2",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};

	for (unsigned i = 0; i < LIGHT_ASKS; i++) {
		uint64_t asked = history_now_ns();
		cs_result *result;

		memset(r.id, 0, sizeof r.id);
		if (cs_decide(client, &r, &result))
			history_fail(cs_last_error());
		cs_result_free(result);
		ret[i] = history_now_ns() - asked;
	}
}

static void await_pending(cs_client *client, unsigned node, long long least)
{
	for (int i = 0; cluster_status(client, node, "pending") < least; i++) {
		if (i == WAIT_MS_MAX / 20)
			history_fail("the heavy client is none");
		nap();
	}
}

/* One principal with thousands of requests waiting, another with one at a time: the second one is served in its turn.
 */
static void each_in_its_turn(cs_client *client)
{
	uint64_t alone[LIGHT_ASKS], beside[LIGHT_ASKS];
	unsigned long n, p50, p99;
	unsigned refused;
	cs_client *light = light_client();

	light_ask(light, alone);
	FILE *f = heavy_start(10, 0);
	await_pending(client, cluster_leader(client), 512);
	light_ask(light, beside);
	long long pending = cluster_status(client, cluster_leader(client), "pending");
	heavy_end(f, &n, &refused, &p50, &p99);
	fprintf(stderr,
	        "light alone: p50 %" PRIu64 " us p99 %" PRIu64
	        "; beside %lu requests in 10 s (%lld waiting): p50 %" PRIu64 " us p99 %" PRIu64
	        "; the heavy one: p50 %lu us p99 %lu, refused %u\n",
	        percentile(alone, LIGHT_ASKS, 50) / 1000, percentile(alone, LIGHT_ASKS, 99) / 1000, n, pending,
	        percentile(beside, LIGHT_ASKS, 50) / 1000, percentile(beside, LIGHT_ASKS, 99) / 1000, p50, p99,
	        refused);
	if (percentile(beside, LIGHT_ASKS, 50) / 1000 * 4 > p50)
		history_fail("the one with few requests waits as long as the one with many");
	cs_close(light);
}

/* --- a follower that stands still --- */

static pid_t pid_of(unsigned node)
{
	char path[400];
	int pid = 0;

	snprintf(path, sizeof path, "%s/c/node-%u/pid", cluster.dir, node);
	FILE *f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &pid) != 1)
		history_fail("no pid file");
	fclose(f);
	return pid;
}

/* Memory of the process's own: pages of the store's map come and go as the system likes. */
static unsigned long anonymous_kib(pid_t pid)
{
	char path[64], line[128];
	unsigned long kib = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "RssAnon: %lu kB", &kib);
	if (!f || !kib)
		history_fail("the leader's memory cannot be read");
	fclose(f);
	return kib;
}

static void a_stopped_follower_takes_no_memory(cs_client *client)
{
	unsigned leader = cluster_leader(client), follower = leader % NODES + 1;
	pid_t stopped = pid_of(follower);
	unsigned long before = anonymous_kib(pid_of(leader)), most = 0, n, p50, p99, ordered = 0;
	unsigned refused;

	if (kill(stopped, SIGSTOP))
		abort();
	while (ordered * FAT < FLOOD_BYTES) {
		FILE *f = heavy_start(5, FAT);
		heavy_end(f, &n, &refused, &p50, &p99);
		ordered += n - refused;
		unsigned long now = anonymous_kib(pid_of(leader));
		most = now > most ? now : most;
		fprintf(stderr, "%lu ordered (%lu MiB), leader %lu MiB\n", ordered, ordered * FAT >> 20, now >> 10);
	}
	if (kill(stopped, SIGCONT))
		abort();
	fprintf(stderr, "node %u stood still while %lu requests of %d bytes were ordered; leader: %lu KiB, then %lu\n",
	        follower, ordered, FAT, before, most);
	if (cluster_leader(client) != leader)
		history_fail("another leads: what was measured is not what was meant");
	if (most > before + GROWTH_KIB_MAX)
		history_fail("a follower that stands still takes the leader's memory");
	cluster_converge(client);
}

/* --- deadlines --- */

struct late {
	uint8_t id[16];
	atomic_int code; /* 1: not yet. */
};

static void late_answered(void *context, int code, cs_result *result)
{
	atomic_store(&((struct late *)context)->code, code);
	cs_result_free(result);
}

/* Without a quorum they wait; when it is back their time is over, and the first one's outcome alone may be known. */
static void what_is_late_is_never_ordered(cs_client *client)
{
	struct cs_options o = {
	        .cluster_file = cluster.cluster_file, .key_file = cluster.gateway_key, .timeout_ms = LATE_MS};
	static struct late late[LATE];
	unsigned leader = cluster_leader(client), n_known = 0;
	struct cs_check_result check;
	char text[256];
	cs_client *hasty;

	if (cs_open(&o, &hasty, text, sizeof text))
		history_fail(text);
	cluster_converge(client);
	for (unsigned n = 1; n <= NODES; n++)
		if (n != leader && kill(pid_of(n), SIGSTOP))
			abort();
	for (unsigned i = 0; i < LATE; i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = "u3",
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		cs_request_id(r.id);
		memcpy(late[i].id, r.id, sizeof r.id);
		atomic_store(&late[i].code, 1);
		if (cs_decide_async(hasty, &r, late_answered, &late[i]))
			history_fail(cs_last_error());
	}
	for (unsigned i = 0; i < LATE; i++) {
		while (atomic_load(&late[i].code) == 1)
			nap();
		if (atomic_load(&late[i].code) == 0)
			history_fail("a decision without a quorum");
	}
	for (unsigned n = 1; n <= NODES; n++)
		if (n != leader && kill(pid_of(n), SIGCONT))
			abort();
	cluster_converge(client);
	uint64_t ns[LIGHT_ASKS];
	light_ask(client, ns); /* Whatever was still queued anywhere would have been ordered by now. */
	for (unsigned i = 0; i < LATE; i++) {
		int err = cs_check(client, late[i].id, &check);
		if (err && err != CS_E_NOT_FOUND)
			history_fail(cs_last_error());
		n_known += err == 0;
	}
	fprintf(stderr,
	        "%u of %d late requests were in the batch that was under way, none was ordered after its time\n",
	        n_known, LATE);
	if (n_known > 2)
		history_fail("a request was ordered after its deadline");
	cs_close(hasty);
}

int main(int argc, char **argv)
{
	cs_client *client;

	if (argc == 5 && strcmp(argv[1], "heavy") == 0)
		return heavy(argv[2], argv[3], argv[4]);
	cluster_create(&cluster, NULL);
	allow_all();
	client = cluster_client(&cluster);
	what_is_late_is_never_ordered(client);
	each_in_its_turn(client);
	a_stopped_follower_takes_no_memory(client);
	cs_close(client);
	cluster_destroy(&cluster);
	return 0;
}
