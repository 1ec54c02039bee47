/* A leader that was stopped, cut off and replaced answers no linearizable read; its own view tells its age. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/wire/keyfile.h"
#include "tests/cluster.h"
#include "tests/history.h"
#include "tests/proxy.h"

#define NODES         3
#define ROUNDS_MAX    5    /* Once in a while the old leader notices at once. */
#define ELECTION_MS   1500 /* A leader that has lost its quorum believes so long, and up to twice as long. */
#define STALE_MS_MAX  600000
#define STALE_MS_TINY 300

static struct cluster cluster;
static struct proxy *proxies[NODES][NODES]; /* From one node to another; those to itself are NULL. */
static cs_client *client;

static void decide(cs_client *c, uint8_t ret_id[16])
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "alice",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};
	cs_result *result;

	if (cs_decide(c, &r, &result)) {
		fprintf(stderr, "decide: %s\n", cs_last_error());
		history_fail("no decision");
	}
	memcpy(ret_id, result->request_id, 16);
	cs_result_free(result);
}

/* Drops what the node sends to the others (PROXY_OUT) and what they send to it (PROXY_BACK): each has its own stream.
 */
static void isolate(unsigned node, unsigned directions)
{
	for (unsigned i = 0; i < NODES; i++) {
		if (i == node - 1)
			continue;
		proxy_drop(proxies[node - 1][i], directions & PROXY_OUT ? PROXY_OUT | PROXY_BACK : 0);
		proxy_drop(proxies[i][node - 1], directions & PROXY_BACK ? PROXY_OUT | PROXY_BACK : 0);
	}
}

static void stop_node(unsigned node, int number)
{
	char path[400];
	int pid = 0;

	snprintf(path, sizeof path, "%s/c/node-%u/pid", cluster.dir, node);
	FILE *f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &pid) != 1 || pid <= 1 || kill(pid, number))
		history_fail("signal");
	fclose(f);
}

/* A client that knows of one node only. */
static cs_client *client_of(unsigned node, unsigned timeout_ms)
{
	struct cluster_file f;
	char path[400], text[512] = "";
	cs_client *ret;

	snprintf(path, sizeof path, "%s/only-%u.yaml", cluster.dir, node);
	remove(path);
	if (cluster_file_read(cluster.cluster_file, &f, text))
		history_fail(text);
	for (unsigned i = 0; i < f.n_nodes; i++)
		if (f.nodes[i].id == node)
			f.nodes[0] = f.nodes[i];
	f.n_nodes = 1;
	struct cs_options o = {.cluster_file = path, .key_file = cluster.gateway_key, .timeout_ms = timeout_ms};
	if (cluster_file_write(path, &f, text) || cs_open(&o, &ret, text, sizeof text))
		history_fail(text);
	return ret;
}

/* A node other than this one that decides. Asked until there is one. */
static void decide_elsewhere(unsigned node, uint8_t ret_id[16])
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "bob",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};
	cs_result *result = NULL;

	cs_request_id(r.id);
	for (unsigned k = 0; !result && k < 20; k++) {
		unsigned other = (node + k % (NODES - 1)) % NODES + 1;
		cs_client *c = client_of(other, 3000);
		if (cs_decide(c, &r, &result))
			fprintf(stderr, "node %u: %s\n", other, cs_last_error());
		cs_close(c);
	}
	if (!result)
		history_fail("the others have no leader");
	memcpy(ret_id, result->request_id, 16);
	cs_result_free(result);
}

struct question {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int code;
	struct cs_check_result result;
	char text[256];
};

static void answered(void *context, int code, const struct cs_check_result *result)
{
	struct question *q = context;

	pthread_mutex_lock(&q->lock);
	q->code = code;
	if (result)
		q->result = *result;
	snprintf(q->text, sizeof q->text, "%s", code ? cs_last_error() : "");
	q->done = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static void ask(cs_client *c, const uint8_t id[16], unsigned stale_ms_max, struct question *q)
{
	*q = (struct question){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	if (stale_ms_max ? cs_check_local_async(c, id, stale_ms_max, answered, q) : cs_check_async(c, id, answered, q))
		history_fail("asking");
}

static void await(struct question *q)
{
	pthread_mutex_lock(&q->lock);
	while (!q->done)
		pthread_cond_wait(&q->changed, &q->lock);
	pthread_mutex_unlock(&q->lock);
}

/* No node may answer: not "stands", and not "not known". */
static void expect_silence(struct question *q, const char *what)
{
	await(q);
	fprintf(stderr, "%s: %s\n", what, q->code ? q->text : "ANSWERED");
	if (q->code == 0 || q->code == CS_E_NOT_FOUND)
		history_fail("a node without its quorum has answered a linearizable read");
}

/*
 * The leader is stopped and cut off; the others go on; it wakes. For a while it believes to lead. Returns whether it
 * was caught believing, which is the point.
 */
static bool wake_a_replaced_leader(void)
{
	uint8_t before[16], after[16];
	struct question linear_old, linear_new, local_old, local_new, tiny;
	struct cs_check_result r;
	unsigned old = cluster_leader(client);

	decide(client, before);
	cs_client *c = client_of(old, ELECTION_MS);
	if (cs_check(c, before, &r) || r.stale_ms != 0 || cs_check_local(c, before, STALE_MS_MAX, &r))
		history_fail("the leader does not answer while it leads");
	stop_node(old, SIGSTOP);
	isolate(old, PROXY_OUT | PROXY_BACK);
	decide_elsewhere(old, after);
	uint64_t decided_ns = history_now_ns();
	/* These wait in its sockets; the linearizable ones are its first thing to do. */
	ask(c, before, 0, &linear_old);
	ask(c, after, 0, &linear_new);
	ask(c, before, STALE_MS_TINY, &tiny);
	stop_node(old, SIGCONT);
	bool believes = cluster_status(client, old, "leader_id") == (long long)old;
	uint64_t local_ns = history_now_ns();
	cs_client *patient = client_of(old, 30000);
	ask(patient, before, STALE_MS_MAX, &local_old);
	ask(patient, after, STALE_MS_MAX, &local_new);
	expect_silence(&linear_old, "linearizable, decided before");
	expect_silence(&linear_new, "linearizable, decided by its successor");
	await(&tiny);
	fprintf(stderr, "with a bound of %d ms: %s\n", STALE_MS_TINY, tiny.text);
	if (tiny.code != CS_E_NO_QUORUM)
		history_fail("a view that is too old was shown, or not refused in words");
	await(&local_old);
	await(&local_new);
	fprintf(stderr, "its own view: %llu ms old, %llu entries; of the later decision: %s\n",
	        (unsigned long long)local_old.result.stale_ms, (unsigned long long)local_old.result.size,
	        local_new.code ? local_new.text : "known");
	if (local_old.code || local_new.code != CS_E_NOT_FOUND)
		history_fail("a node does not show its own view");
	/* It misses what was decided at decided_ns: it must say that it is at least so old. */
	if (local_old.result.stale_ms * 1000000 < local_ns - decided_ns)
		history_fail("a view is older than it says");
	cs_close(patient);
	cs_close(c);
	isolate(old, 0);
	if (cs_check(client, after, &r) || cs_check(client, before, &r))
		history_fail("the healed cluster does not answer");
	cluster_converge(client);
	c = client_of(old, 30000);
	while (cs_check_local(c, after, STALE_MS_MAX, &r))
		;
	cs_close(c);
	return believes;
}

/* What the others send it is lost: they hear it, and it hears nobody. */
static void deaf_leader(void)
{
	uint8_t id[16];
	struct question q;
	struct cs_check_result r;
	unsigned leader = cluster_leader(client);

	decide(client, id);
	cs_client *c = client_of(leader, ELECTION_MS);
	if (cs_check(c, id, &r))
		history_fail("the leader does not answer while it leads");
	isolate(leader, PROXY_BACK);
	ask(c, id, 0, &q);
	expect_silence(&q, "a leader that hears nobody");
	cs_close(c);
	isolate(leader, 0);
	if (cs_check(client, id, &r))
		history_fail("the healed cluster does not answer");
}

int main(void)
{
	unsigned rounds = 1;

	cluster_create(&cluster, NULL);
	cluster_run("cluster down %s/c", cluster.dir);
	cluster_shell("sed -i 's/^election_timeout_ms:.*/election_timeout_ms: %u/' '%s'/c/node-?/countersignd.yaml",
	              ELECTION_MS, cluster.dir);
	cluster_proxies(&cluster, proxies);
	cluster_run("cluster up %s/c", cluster.dir);
	client = cluster_client(&cluster);
	while (!wake_a_replaced_leader())
		if (++rounds > ROUNDS_MAX)
			history_fail("no old leader was caught believing that it leads");
	deaf_leader();
	cs_close(client);
	cluster_destroy(&cluster);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned k = 0; k < NODES; k++)
			proxy_close(proxies[i][k]);
	fprintf(stderr, "caught in round %u\n", rounds);
	return 0;
}
