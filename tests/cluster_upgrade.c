/* Old and new builds in one cluster, restarted one by one under load, forth and back; then a feature is switched on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger/entry.h"
#include "tests/cluster.h"
#include "tests/history.h"

#define NODES         3
#define THREADS       4
#define ACKED_BETWEEN 100
#define PAUSE_MS      4
#define WAIT_MS_MAX   60000
#define REFUSED       7 /* Of the tool. */
#define EXIT_HALTED   3 /* Of countersignd. */
#define NO_MECHANISM  4 /* Of countersignd, of a build before features: a record of the state that it does not know. */

#define ADMIN      "--cluster %s --key %s"
#define ADMIN_ARGS cluster.cluster_file, cluster.admin_key

static struct cluster cluster;
static const char *old_build, *new_build;
static atomic_uint n_failed;
static atomic_bool stop;

static void nap_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static void *load(void *arg)
{
	cs_client *client = arg;
	char subject[32];

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct cs_request r = {.subject_type = "user",
		                       .subject_id = subject,
		                       .action = "read",
		                       .resource_type = "repo",
		                       .resource_id = "main"};
		uint64_t asked_ns = history_now_ns();
		cs_result *result;

		snprintf(subject, sizeof subject, "u%p-%u", arg, i % 50);
		cs_request_id(r.id);
		if (cs_decide(client, &r, &result)) {
			fprintf(stderr, "decide: %s\n", cs_last_error());
			atomic_fetch_add(&n_failed, 1);
			continue;
		}
		history_add(r.id, result->index, asked_ns);
		if (!result->proven)
			history_fail("a reply without a proof that holds");
		cs_result_free(result);
		nap_ms(PAUSE_MS);
	}
	return NULL;
}

static void wait_acked(unsigned more)
{
	uint64_t until = history_now_ns() + UINT64_C(60000000000);
	unsigned n = history_count() + more;

	while (history_count() < n) {
		if (history_now_ns() > until)
			history_fail("no progress: the cluster does not acknowledge");
		nap_ms(5);
	}
}

static void up(unsigned node, const char *build)
{
	setenv("COUNTERSIGND", build, 1);
	cluster_run("cluster up %s/c --node %u", cluster.dir, node);
}

/* The node has applied what another has by now. */
static void wait_follows(cs_client *client, unsigned node)
{
	long long goal = cluster_status(client, node % NODES + 1, "size");

	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		if (goal > 0 && cluster_status(client, node, "size") >= goal)
			return;
		nap_ms(20);
	}
	history_fail("a restarted node does not follow");
}

/* As node/OPERATIONS.md says: one at a time, the leader last. */
static void roll(cs_client *client, const char *build, const char *what)
{
	unsigned leader = cluster_leader(client);

	for (unsigned i = 0; i < NODES; i++) {
		unsigned node = (leader + i) % NODES + 1;
		cluster_run("cluster down %s/c --node %u", cluster.dir, node);
		wait_acked(ACKED_BETWEEN);
		up(node, build);
		wait_follows(client, node);
		wait_acked(ACKED_BETWEEN);
	}
	fprintf(stderr, "%s: %u acknowledged\n", what, history_count());
}

/* --- features --- */

static const char *tool(void)
{
	return getenv("COUNTERSIGN") ? getenv("COUNTERSIGN") : "./countersign";
}

static int enable(const char *feature)
{
	return cluster_try("feature enable " ADMIN " %s", ADMIN_ARGS, feature);
}

/* Whether the nodes' build has the feature; one before features does not know the question. */
static bool has_it(cs_client *client)
{
	char *text;

	if (cs_features(client, 0, &text))
		return false;
	bool has = strstr(text, "\"builds\"") != NULL;
	free(text);
	return has;
}

/* By the leader, and for this reason: whoever asks the old node first hears only that it does not know the question. */
static void refused_for(const char *feature, const char *why)
{
	char command[1400];

	snprintf(command, sizeof command,
	         "%s feature enable " ADMIN " %s >'%s/said' 2>&1; test $? = %d && grep -q '%s' '%s/said'", tool(),
	         ADMIN_ARGS, feature, cluster.dir, REFUSED, why, cluster.dir);
	for (int i = 0; i < WAIT_MS_MAX / 200; i++) {
		if (system(command) == 0)
			return;
		nap_ms(200);
	}
	cluster_shell("cat '%s/said' >&2", cluster.dir);
	history_fail("a feature is not refused, or not for the right reason, while node 3 lacks it");
}

/* Members hear each other's HELLO after a restart within a moment. */
static void wait_enabled(const char *feature)
{
	for (int i = 0; i < WAIT_MS_MAX / 200; i++) {
		if (enable(feature) == 0)
			return;
		nap_ms(200);
	}
	history_fail("the feature cannot be switched on though every build has it");
}

/* Of this node's status; it is published with each beat, and a node just started may have to catch up. */
static bool says_on(cs_client *client, unsigned node)
{
	char *text;
	bool on = false;

	if (cs_status(client, node, &text))
		return false;
	json_t *j = json_loads(text, 0, NULL), *names = json_object_get(j, "features_on");
	const char *name = json_string_value(json_array_get(names, 0));
	on = name && strcmp(name, "builds") == 0;
	json_decref(j);
	free(text);
	return on;
}

static void check_status(cs_client *client)
{
	for (unsigned node = 1; node <= NODES; node++)
		for (int i = 0; !says_on(client, node); i++) {
			if (i > WAIT_MS_MAX / 20)
				history_fail("a node does not say that the feature is on");
			nap_ms(20);
		}
}

/* A policy of version 2 is only for a cluster where every build can load it. */
static int set_policy_2(void)
{
	cluster_shell("%s policy show-default >'%s/policy-2.yaml'", tool(), cluster.dir);
	return cluster_try("policy set " ADMIN " '%s/policy-2.yaml'", ADMIN_ARGS, cluster.dir);
}

static void decisions_on(void)
{
	if (set_policy_2() != REFUSED)
		history_fail("a policy of version 2 is not refused though the feature is off");
	wait_enabled("decisions");
	if (set_policy_2() != 0)
		history_fail("a policy of version 2 is refused though the feature is on");
	wait_acked(ACKED_BETWEEN);
	fprintf(stderr, "a policy of version 2: %u acknowledged\n", history_count());
}

/* The ledger has the feature's entry, and right after it the build of who led. */
static void check_entries(void)
{
	char command[1200], kind[64];
	unsigned long long index[2] = {0, 0};
	static const char *const kinds[] = {"feature-enabled", "build-changed"};

	for (unsigned i = 0; i < 2; i++) {
		snprintf(command, sizeof command,
		         "%s show --cluster %s --key %s --last 1000000 --kind %s --json | sed -n 's/.*\"index\": "
		         "*\\([0-9]*\\).*/\\1/p'",
		         getenv("COUNTERSIGN") ? getenv("COUNTERSIGN") : "./countersign", cluster.cluster_file,
		         cluster.gateway_key, kinds[i]);
		FILE *p = popen(command, "re");
		if (!p || !fgets(kind, sizeof kind, p) || sscanf(kind, "%llu", &index[i]) != 1)
			history_fail("an entry is missing from the ledger");
		pclose(p);
	}
	if (index[1] <= index[0])
		history_fail("the build is named before the feature is on");
}

/* The build before comes back, now too old: it must not serve, nor change anything that the new one needs. */
static void too_old(cs_client *client, unsigned node)
{
	char command[1400];

	cluster_run("cluster down %s/c --node %u", cluster.dir, node);
	snprintf(command, sizeof command, "timeout 60 %s --config %s/c/node-%u/countersignd.yaml >>%s/c/again.log 2>&1",
	         old_build, cluster.dir, node, cluster.dir);
	int status = system(command), code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (code != EXIT_HALTED && code != NO_MECHANISM)
		history_fail("a build without the feature serves on");
	cluster_shell("rm -f '%s/c/node-%u/data/HALTED'", cluster.dir, node); /* Of a build before features. */
	up(node, new_build);
	wait_follows(client, node);
	fprintf(stderr, "the old build stopped with status %d\n", code);
}

/* How many nodes' newest snapshot carries the state's digest (node/core/snapshot.c). */
static unsigned sealed(void)
{
	unsigned n = 0;

	for (unsigned node = 1; node <= NODES; node++) {
		char command[600];
		snprintf(command, sizeof command, "grep -qs CSS2 '%s/c/node-%u/data/log/snapshot-1'", cluster.dir,
		         node);
		n += system(command) == 0;
	}
	return n;
}

/* The snapshots change as soon as the feature is on; what a restart reads are those of after it, and it compares. */
static void digest_on(void)
{
	if (sealed())
		history_fail("a snapshot that builds before cannot read, and the feature is off");
	wait_enabled("digest");
	for (int i = 0; sealed() < NODES; i++) {
		if (i > WAIT_MS_MAX / 20)
			history_fail("snapshots do not carry the digest though the feature is on");
		nap_ms(20);
	}
	fprintf(stderr, "snapshots with digests: %u acknowledged\n", history_count());
}

int main(void)
{
	pthread_t threads[THREADS];
	cs_client *clients[THREADS], *client;

	old_build = getenv("UPGRADE_OLD");
	new_build = getenv("COUNTERSIGND") ? strdup(getenv("COUNTERSIGND")) : "./countersignd";
	if (!old_build || access(old_build, X_OK)) {
		fprintf(stderr,
		        "skipped: UPGRADE_OLD does not name the daemon of the build before (tests/upgrade.sh)\n");
		return 77;
	}
	setenv("COUNTERSIGND", old_build, 1);
	cluster.policy_1 = true;
	cluster_make(&cluster, "snapshot_entries: 256");
	cluster_begin(&cluster);
	client = cluster_client(&cluster);
	for (unsigned i = 0; i < THREADS; i++) {
		clients[i] = cluster_client(&cluster);
		pthread_create(&threads[i], NULL, load, clients[i]);
	}
	wait_acked(ACKED_BETWEEN);
	bool lacks = !has_it(client);
	if (lacks && (enable("builds") == 0 || enable("digest") == 0))
		history_fail("old builds took the order to switch a feature on");
	roll(client, new_build, "old to new");
	roll(client, old_build, "new back to old");
	roll(client, new_build, "old to new again");
	cluster_run("cluster down %s/c --node 3", cluster.dir);
	up(3, old_build);
	wait_follows(client, 3);
	if (lacks) {
		refused_for("builds", "node 3 has not said");
		refused_for("digest", "node 3 has not said");
	} else {
		/* Both have these: on while they are mixed, then each reads the other's. The old one lacks the newest.
		 */
		refused_for("decisions", "does not have the feature decisions");
		digest_on();
		roll(client, old_build, "back to old with digests");
		roll(client, new_build, "to new with digests");
	}
	cluster_run("cluster down %s/c --node 3", cluster.dir);
	refused_for("builds", "node 3 is not heard");
	up(3, new_build);
	wait_follows(client, 3);
	wait_enabled("builds");
	wait_acked(ACKED_BETWEEN);
	cluster_run("feature list " ADMIN, ADMIN_ARGS);
	check_status(client);
	if (lacks) {
		digest_on();
		roll(client, new_build, "with digests, restarted");
		too_old(client, cluster_leader(client) % NODES + 1);
	}
	decisions_on();
	roll(client, new_build, "with a policy of version 2, restarted");
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	check_entries();
	unsigned long long size = cluster_converge(client);
	history_check(client, size);
	for (unsigned i = 0; i < THREADS; i++)
		cs_close(clients[i]);
	cs_close(client);
	cluster_destroy(&cluster);
	fprintf(stderr, "%u acknowledged, %u errors told to clients, ledger of %llu entries, roots equal\n",
	        history_count(), atomic_load(&n_failed), size);
	return atomic_load(&n_failed) ? 1 : 0;
}
