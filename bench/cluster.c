/* Starts a cluster by the tool, as anybody would, and opens clients. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/folder.h"
#include "bench/machine.h"
#include "bench/request.h"

#define ARGS_MAX   18
#define TIMEOUT_MS 10000

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "countersign-bench: %s: %s\n", what, why);
	return -1;
}

/* The tool: $COUNTERSIGN, or beside this program (in a build tree this runs from .libs, and the tool lies above). */
static bool find_tool(char ret[FOLDER_PATH_SIZE])
{
	static const char *const places[] = {"../countersign", "countersign"};
	const char *named = getenv("COUNTERSIGN");
	char self[FOLDER_PATH_SIZE], *slash;
	ssize_t n;

	if (named && *named)
		return snprintf(ret, FOLDER_PATH_SIZE, "%s", named) < FOLDER_PATH_SIZE;
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return false;
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = 0;
	slash = strrchr(self, '/');
	for (unsigned i = slash && !strcmp(slash, "/.libs") ? 0 : 1; i < sizeof places / sizeof *places; i++)
		if (folder_join(ret, self, places[i]) && !access(ret, X_OK))
			return true;
	return false;
}

/* Runs the tool with these arguments, its report going nowhere and its complaints to our stderr. */
static int tool(const char *const *args)
{
	char path[FOLDER_PATH_SIZE], what[64], why[32];
	char *argv[ARGS_MAX + 2] = {path};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int err, status;
	pid_t pid;

	if (!find_tool(path))
		return fail("countersign", "is not beside this program; set COUNTERSIGN");
	for (unsigned i = 0; i < ARGS_MAX && args[i]; i++)
		argv[i + 1] = (char *)args[i];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	/* The signals that we wait for in a thread must reach the nodes as ever; those of a terminal are for us alone.
	 */
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	err = posix_spawn(&pid, path, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return fail(path, strerror(err));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(path, strerror(errno));
	snprintf(what, sizeof what, "countersign %s", args[0]);
	snprintf(why, sizeof why, "exit status %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : fail(what, why);
}

int cluster_folder(struct cluster *c, const char *parent)
{
	int err = folder_make(parent, c->folder);

	if (err)
		c->folder[0] = 0;
	return err ? fail(parent, strerror(err)) : 0;
}

static int write_policy(const char *path)
{
	FILE *f = fopen(path, "we");
	int err = !f || fputs(request_policy(), f) < 0;

	err |= f && fclose(f);
	return err ? fail(path, strerror(errno)) : 0;
}

static int enroll(struct cluster *c, const char *admin, unsigned i)
{
	char name[32];

	snprintf(name, sizeof name, "bench-%u", i + 1);
	if (!folder_join(c->keys[i], c->folder, name))
		return fail(c->folder, "the path is too long");
	const char *const args[] = {"enroll", "--cluster", c->file,        "--key",     admin,      "--name",
	                            name,     "--roles",   "decide,audit", "--new-key", c->keys[i], NULL};
	return tool(args);
}

/* The tool's pid files: "PID START". */
static void read_pids(struct cluster *c, const char *dir)
{
	for (unsigned i = 0; i < c->description.n_nodes; i++) {
		char path[FOLDER_PATH_SIZE], name[40];
		int pid;
		FILE *f;

		snprintf(name, sizeof name, "node-%" PRIu64 "/pid", c->description.nodes[i].id);
		f = folder_join(path, dir, name) ? fopen(path, "re") : NULL;
		if (f && fscanf(f, "%d", &pid) == 1)
			c->pids[c->n_pids++] = pid;
		if (f)
			fclose(f);
	}
}

/* Whether anybody answers: else each step would wait for nothing. */
static int probe(struct cluster *c)
{
	char *json = NULL;
	int err = cs_status(c->clients[0], 0, &json);

	free(json);
	return err ? fail(c->file, cs_last_error()) : 0;
}

static int open_clients(struct cluster *c, unsigned n, unsigned in_flight_max)
{
	char text[512];

	for (unsigned i = 0; i < n; i++) {
		struct cs_options o = {.cluster_file = c->file,
		                       .key_file = c->keys[i],
		                       .timeout_ms = TIMEOUT_MS,
		                       .in_flight_max = in_flight_max};

		if (cs_open(&o, &c->clients[i], text, sizeof text))
			return fail("client", text);
		c->n_clients++;
	}
	return probe(c);
}

static int describe(struct cluster *c)
{
	char text[512] = "";

	return cluster_file_read(c->file, &c->description, text) ? fail("cluster file", text) : 0;
}

int cluster_start(struct cluster *c, unsigned n_clients, unsigned in_flight_max)
{
	char dir[FOLDER_PATH_SIZE], policy[FOLDER_PATH_SIZE], admin[FOLDER_PATH_SIZE];

	if (!folder_join(dir, c->folder, "cluster") || !folder_join(policy, c->folder, "policy.yaml") ||
	    !folder_join(admin, dir, "admin.key") || !folder_join(c->file, dir, "cluster.yaml"))
		return fail(c->folder, "the path is too long");
	const char *const init[] = {"init", dir, "--policy", policy, "--log-level", "info", NULL};
	const char *const up[] = {"cluster", "up", dir, NULL};

	if (write_policy(policy) || tool(init) || describe(c))
		return -1;
	c->own = true;
	if (tool(up))
		return -1;
	read_pids(c, dir);
	for (unsigned i = 0; i < n_clients; i++)
		if (enroll(c, admin, i))
			return -1;
	return open_clients(c, n_clients, in_flight_max);
}

int cluster_join(struct cluster *c, const char *file, const char *key, unsigned n_clients, unsigned in_flight_max)
{
	snprintf(c->file, sizeof c->file, "%s", file);
	for (unsigned i = 0; i < n_clients; i++)
		snprintf(c->keys[i], sizeof c->keys[i], "%s", key);
	return describe(c) ? -1 : open_clients(c, n_clients, in_flight_max);
}

void cluster_stop(const struct cluster *c)
{
	char dir[FOLDER_PATH_SIZE];
	const char *const down[] = {"cluster", "down", dir, NULL};

	if (c->own && folder_join(dir, c->folder, "cluster"))
		tool(down);
	if (c->folder[0] && c->keep)
		fprintf(stderr, "countersign-bench: kept %s\n", c->folder);
	else if (c->folder[0])
		folder_remove(c->folder);
}

void cluster_close(struct cluster *c)
{
	for (unsigned i = 0; i < c->n_clients; i++)
		cs_close(c->clients[i]);
	cluster_stop(c);
	memset(c, 0, sizeof *c);
}

static int node_tool(const struct cluster *c, const char *verb, uint64_t node)
{
	char dir[FOLDER_PATH_SIZE], id[24];
	const char *const args[] = {"cluster", verb, dir, "--node", id, NULL};

	snprintf(id, sizeof id, "%" PRIu64, node);
	return c->own && folder_join(dir, c->folder, "cluster") ? tool(args) : fail(verb, "the cluster is not ours");
}

int cluster_kill(struct cluster *c, uint64_t node)
{
	return node_tool(c, "kill", node);
}

int cluster_stop_node(struct cluster *c, uint64_t node)
{
	char path[FOLDER_PATH_SIZE], name[40];
	int pid = 0;
	FILE *f;

	snprintf(name, sizeof name, "cluster/node-%" PRIu64 "/pid", node);
	f = c->own && folder_join(path, c->folder, name) ? fopen(path, "re") : NULL;
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid > 1 && kill(pid, SIGSTOP) == 0 ? 0 : fail(name, "no such process");
}

int cluster_restart(struct cluster *c, uint64_t node)
{
	return node_tool(c, "up", node);
}

int cluster_timeouts(const struct cluster *c, unsigned *ret_election_ms, unsigned *ret_heartbeat_ms)
{
	char path[FOLDER_PATH_SIZE], line[512];
	unsigned found = 0;
	FILE *f = folder_join(path, c->folder, "cluster/node-1/countersignd.yaml") ? fopen(path, "re") : NULL;

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "election_timeout_ms: %u", ret_election_ms) == 1 ||
		    sscanf(line, "heartbeat_ms: %u", ret_heartbeat_ms) == 1)
			found++;
	if (f)
		fclose(f);
	return found == 2 ? 0 : fail("node-1/countersignd.yaml", "has no timeouts");
}

uint64_t cluster_cpu_ns(const struct cluster *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < c->n_pids; i++)
		sum += machine_process_cpu_ns(c->pids[i]);
	return sum;
}
