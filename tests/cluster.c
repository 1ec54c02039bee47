/* Makes, starts, hurts and stops a cluster of real processes through the tool. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/cluster.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NODES 3

/* What the tests wait for takes milliseconds; the bound is for a build with sanitizers on a busy machine. */
#define WAIT_MS_MAX 60000

#ifdef __SANITIZE_ADDRESS__
/*
 * In programs whose nodes are killed: nng 1.5.2 forgets a request that it hands to a connection which closes just then
 * (tcptran_pipe_send on a stopped aio; nng #1713, mended in 1.6.0). Two allocations, made where we make the message;
 * the call itself goes on. Programs without real nodes tell of every message.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:call_message\nleak:frame_message\n";
}
#endif

static const char *tool(void)
{
	const char *path = getenv("COUNTERSIGN");

	return path ? path : "./countersign";
}

static int run(const char *format, va_list ap, bool quiet)
{
	char command[4096];
	int n = snprintf(command, sizeof command, "%s ", tool());

	n += vsnprintf(command + n, sizeof command - (size_t)n, format, ap);
	snprintf(command + n, sizeof command - (size_t)n, "%s", quiet ? " >/dev/null 2>&1" : " >&2");
	int status = system(command);
	if (!WIFEXITED(status)) {
		fprintf(stderr, "ended by a signal: %s\n", command);
		abort();
	}
	if (WEXITSTATUS(status) && !quiet)
		fprintf(stderr, "exit status %d: %s\n", WEXITSTATUS(status), command);
	return WEXITSTATUS(status);
}

void cluster_run(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int status = run(format, ap, false);
	va_end(ap);
	if (status)
		abort();
}

int cluster_try(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int status = run(format, ap, true);
	va_end(ap);
	return status;
}

void cluster_shell(const char *format, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof command, format, ap);
	va_end(ap);
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

void cluster_stacks(int pid)
{
	char command[256];

	fprintf(stderr, "what process %d does:\n", pid);
	snprintf(command, sizeof command,
	         "timeout 30 gdb -p %d -batch -ex 'thread apply all bt' >&2 2>/dev/null || "
	         "grep -H . /proc/%d/task/*/wchan >&2",
	         pid, pid);
	if (system(command))
		fprintf(stderr, "neither gdb nor /proc tells\n");
}

void cluster_create(struct cluster *c, const char *settings)
{
	cluster_make(c, settings);
	cluster_begin(c);
}

void cluster_make(struct cluster *c, const char *settings)
{
	cluster_make_of(c, NODES, settings);
}

void cluster_make_of(struct cluster *c, unsigned nodes, const char *settings)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(c->dir, sizeof c->dir, "%s/countersign-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(c->dir))
		abort();
	snprintf(c->cluster_file, sizeof c->cluster_file, "%s/c/cluster.yaml", c->dir);
	snprintf(c->admin_key, sizeof c->admin_key, "%s/c/admin.key", c->dir);
	snprintf(c->gateway_key, sizeof c->gateway_key, "%s/gateway.key", c->dir);
	/* Wide timeouts: under sanitizers and a full machine the loop stalls longer than in production. */
	if (c->policy_1)
		cluster_shell("%s policy show-default | sed 's/^version: 2$/version: 1/' >'%s/policy.yaml'",
		              getenv("COUNTERSIGN") ? getenv("COUNTERSIGN") : "./countersign", c->dir);
	cluster_run("init %s/c --name test --nodes %u --election-timeout-ms 600 %s%s%s", c->dir, nodes,
	            c->policy_1 ? "--policy " : "", c->policy_1 ? c->dir : "", c->policy_1 ? "/policy.yaml" : "");
	if (settings)
		cluster_shell("for n in $(seq %u); do printf '%%s\\n' '%s' >>'%s/c/node-'$n/countersignd.yaml; done",
		              nodes, settings, c->dir);
}

void cluster_begin(struct cluster *c)
{
	cluster_run("cluster up %s/c", c->dir);
	cluster_run("enroll --cluster %s --key %s --name gateway --roles decide,import,audit --new-key %s",
	            c->cluster_file, c->admin_key, c->gateway_key);
}

void cluster_destroy(struct cluster *c)
{
	cluster_run("cluster down %s/c", c->dir);
	if (getenv("CS_KEEP")) {
		fprintf(stderr, "kept: %s\n", c->dir);
		return;
	}
	cluster_shell("rm -rf -- '%s'", c->dir);
}

/* The port of `link: "127.0.0.1:PORT"` in a node's settings. */
static uint16_t link_port(const struct cluster *c, unsigned node)
{
	char path[400], line[256];
	unsigned port = 0;

	snprintf(path, sizeof path, "%s/c/node-%u/countersignd.yaml", c->dir, node);
	FILE *f = fopen(path, "re");
	while (f && !port && fgets(line, sizeof line, f))
		sscanf(line, "link: \"127.0.0.1:%u\"", &port);
	if (!port) {
		fprintf(stderr, "%s: no link\n", path);
		abort();
	}
	fclose(f);
	return (uint16_t)port;
}

void cluster_proxies(const struct cluster *c, struct proxy *ret[NODES][NODES])
{
	uint16_t ports[NODES];

	for (unsigned i = 0; i < NODES; i++)
		ports[i] = link_port(c, i + 1);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned k = 0; k < NODES; k++) {
			ret[i][k] = i == k ? NULL : proxy_open(ports[k]);
			if (i == k)
				continue;
			cluster_shell("sed -i 's/\\({id: %u, link: \"127.0.0.1:\\)%u/\\1%u/' "
			              "'%s/c/node-%u/countersignd.yaml'",
			              k + 1, ports[k], proxy_port(ret[i][k]), c->dir, i + 1);
		}
}

cs_client *cluster_client(const struct cluster *c)
{
	struct cs_options o = {.cluster_file = c->cluster_file, .key_file = c->gateway_key, .timeout_ms = 30000};
	cs_client *client;
	char text[256];

	if (cs_open(&o, &client, text, sizeof text)) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	return client;
}

static json_t *status_of(cs_client *client, unsigned node)
{
	char *text;
	json_t *j = NULL;

	if (cs_status(client, node, &text) == 0) {
		j = json_loads(text, 0, NULL);
		free(text);
	}
	return j;
}

long long cluster_status(cs_client *client, unsigned node, const char *member)
{
	json_t *j = status_of(client, node);
	long long v = j ? json_integer_value(json_object_get(j, member)) : -1;

	json_decref(j);
	return v;
}

unsigned cluster_in_log(const struct cluster *c, unsigned node, const char *pattern)
{
	char command[600];
	unsigned n;
	FILE *f;

	snprintf(command, sizeof command, "grep -c '%s' '%s/c/node-%u/countersignd.log'", pattern, c->dir, node);
	f = popen(command, "re");
	if (!f || fscanf(f, "%u", &n) != 1) {
		fprintf(stderr, "FAILED: a log cannot be read: node %u\n", node);
		abort();
	}
	pclose(f);
	return n;
}

static void nap(void)
{
	struct timespec t = {.tv_nsec = 20000000}; /* Between two looks at another process's state. */

	nanosleep(&t, NULL);
}

unsigned cluster_leader(cs_client *client)
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		for (unsigned n = 1; n <= NODES; n++) {
			json_t *j = status_of(client, n);
			const char *role = json_string_value(json_object_get(j, "role"));
			bool leads = role && strcmp(role, "leader") == 0;
			json_decref(j);
			if (leads)
				return n;
		}
		nap();
	}
	fprintf(stderr, "no leader\n");
	abort();
}

unsigned long long cluster_converge(cs_client *client)
{
	for (int i = 0; i < WAIT_MS_MAX / 20; i++) {
		long long size[NODES] = {0};
		char root[NODES][80] = {{0}};
		for (unsigned n = 0; n < NODES; n++) {
			json_t *j = status_of(client, n + 1);
			const char *r = json_string_value(json_object_get(j, "root"));
			size[n] = j ? json_integer_value(json_object_get(j, "size")) : -1;
			snprintf(root[n], sizeof root[n], "%s", r ? r : "");
			json_decref(j);
		}
		if (size[0] > 0 && size[0] == size[1] && size[1] == size[2]) {
			/* Equal sizes must mean equal roots, at once. */
			if (strcmp(root[0], root[1]) || strcmp(root[1], root[2]) || !root[0][0]) {
				fprintf(stderr, "roots differ at size %lld\n", size[0]);
				abort();
			}
			return (unsigned long long)size[0];
		}
		nap();
	}
	fprintf(stderr, "the nodes did not come to the same size\n");
	abort();
}

void cluster_same_root(cs_client *client, unsigned a, unsigned b)
{
	json_t *x = status_of(client, a), *y = status_of(client, b);
	const char *p = json_string_value(json_object_get(x, "root")),
	           *q = json_string_value(json_object_get(y, "root"));

	if (!p || !q || strcmp(p, q) != 0) {
		fprintf(stderr, "the roots of nodes %u and %u differ\n", a, b);
		abort();
	}
	json_decref(x);
	json_decref(y);
}
