/* Leaders whose clock is set back or ahead hand over: no request fails, and no entry is from the future. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define NODES       3
#define STEP_S      30
#define ASKS        200
#define AHEAD_MS    2000 /* Of any entry's time: CLOCK_AHEAD_MS_MAX of node/core. */
#define WAIT_MS_MAX 60000
#define SKIPPED     77

static struct cluster cluster;
static cs_client *client;
static pid_t nodes[NODES];
static char faketime[256];

static void nap_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

/* libfaketime; sanitizers want to be loaded first, so that they cannot have it. */
static bool find_faketime(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	FILE *f = popen("find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1", "re");

	if (f && fgets(faketime, sizeof faketime, f))
		faketime[strcspn(faketime, "\n")] = 0;
	if (f)
		pclose(f);
	return faketime[0] != 0;
#endif
}

static void set_clock(unsigned i, int step_s)
{
	cluster_shell("printf '%%+ds' %d >'%s/new' && mv '%s/new' '%s/clock-%u'", step_s, cluster.dir, cluster.dir,
	              cluster.dir, i + 1);
}

/* The wall clock is the node's own, the monotonic one, which Raft uses, is real. */
static void start(unsigned i)
{
	const char *daemon = getenv("COUNTERSIGND") ? getenv("COUNTERSIGND") : "./countersignd";
	char config[400], log[400], clock[400];
	char *argv[] = {(char *)daemon, (char *)"--config", config, NULL};

	set_clock(i, 0);
	snprintf(config, sizeof config, "%s/c/node-%u/countersignd.yaml", cluster.dir, i + 1);
	snprintf(log, sizeof log, "%s/c/node-%u/countersignd.log", cluster.dir, i + 1);
	snprintf(clock, sizeof clock, "%s/clock-%u", cluster.dir, i + 1);
	nodes[i] = fork();
	if (nodes[i])
		return;
	int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("LD_PRELOAD", faketime, 1);
	setenv("FAKETIME_TIMESTAMP_FILE", clock, 1);
	setenv("FAKETIME_CACHE_DURATION", "1", 1);
	setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
	if (dup2(fd, STDERR_FILENO) >= 0)
		execv(daemon, argv);
	_exit(126);
}

static void decide(unsigned number)
{
	char subject[32];
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = subject,
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};
	cs_result *result;
	struct timespec now;

	snprintf(subject, sizeof subject, "u%u", number);
	cs_request_id(r.id);
	if (cs_decide(client, &r, &result)) {
		fprintf(stderr, "decide: %s\n", cs_last_error());
		history_fail("a request failed because of a leader's clock");
	}
	clock_gettime(CLOCK_REALTIME, &now);
	if (result->time_ms > (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + AHEAD_MS)
		history_fail("an entry is from the future");
	cs_result_free(result);
}

/* Each node has told the others its time: two leaders hand over to each other only then. */
static void await_health(unsigned node, const char *words)
{
	char *text;

	for (unsigned ms = 0;; ms += 20) {
		if (cs_status(client, node, &text) == 0) {
			bool found = strstr(text, words) != NULL;
			free(text);
			if (found)
				return;
		}
		if (ms > WAIT_MS_MAX)
			history_fail(words);
		nap_ms(20);
	}
}

/* Requests go on, and each is answered, until another one leads and the old leader says why. */
static void step(int step_s, const char *words)
{
	unsigned old = cluster_leader(client), n = 0;
	long long term = cluster_status(client, old, "term");

	set_clock(old - 1, step_s);
	while (n < ASKS || cluster_leader(client) == old) {
		decide(n++);
		if (n > 100 * ASKS)
			history_fail("a leader with a wrong clock goes on leading");
	}
	await_health(old, words);
	fprintf(stderr, "clock of leader %u by %+d s: %u leads, %u requests answered, terms %lld and %lld\n", old,
	        step_s, cluster_leader(client), n, term, cluster_status(client, cluster_leader(client), "term"));
	set_clock(old - 1, 0);
	await_health(old, "\"ok\"");
}

int main(void)
{
	if (!find_faketime()) {
		fputs("libfaketime is not there\n", stderr);
		return SKIPPED;
	}
	cluster_make(&cluster, NULL);
	for (unsigned i = 0; i < NODES; i++)
		start(i);
	cluster_run("enroll --timeout-ms 30000 --cluster %s --key %s --name gateway --roles decide,audit --new-key %s",
	            cluster.cluster_file, cluster.admin_key, cluster.gateway_key);
	client = cluster_client(&cluster);
	decide(0);
	step(-STEP_S, "s behind the other members'");
	step(STEP_S, "s ahead of the other members'");
	cluster_converge(client);
	cs_close(client);
	for (unsigned i = 0; i < NODES; i++)
		kill(nodes[i], SIGTERM);
	for (unsigned i = 0; i < NODES; i++)
		waitpid(nodes[i], NULL, 0);
	cluster_shell("rm -rf -- '%s'", cluster.dir);
	return 0;
}
