/* countersign cluster: starts, stops and shows a cluster whose folder is on this machine. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/memberfile.h"
#include "client/tool/nodes.h"
#include "client/tool/process.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"

#define DOWN_TIMEOUT_MS 10000 /* A node ends within a batch and a sync of its store; after this it hangs. */
#define ASK_TIMEOUT_MS  1000  /* One node's answer while the cluster starts. */
#define ASK_INTERVAL_MS 50

/* A cluster's folder, locked against another `cluster` command at work on it. */
struct folder {
	const char *command, *dir;
	int lock_fd;
	struct cluster_file file;
	struct process processes[CLUSTER_NODES_MAX];
	bool alive[CLUSTER_NODES_MAX];
	bool prepared[CLUSTER_NODES_MAX]; /* By `member prepare`, in this folder; not in the cluster file (yet). */
};

static int read_cluster(const char *command, const char *dir, struct cluster_file *ret)
{
	char path[FILES_PATH_SIZE], text[256] = "";

	if (!files_join(path, dir, "cluster.yaml"))
		return tool_fail(EXIT_USAGE, command, "%s: the path is too long", dir);
	if (cluster_file_read(path, ret, text))
		return tool_fail(EXIT_USAGE, command, "%s", text);
	return 0;
}

/* Nodes that `member prepare` made in this folder run beside the others, before they are in the cluster file. */
static void look_for_prepared(struct folder *f)
{
	DIR *d = opendir(f->dir);
	char path[FILES_PATH_SIZE];
	const struct dirent *e;

	while (d && f->file.n_nodes < CLUSTER_NODES_MAX && (e = readdir(d))) {
		unsigned i = f->file.n_nodes;
		struct memberfile m;
		uint64_t id = strncmp(e->d_name, "node-", 5) ? 0 : strtoull(e->d_name + 5, NULL, 10);
		bool known = !id;
		for (unsigned k = 0; k < i; k++)
			known |= f->file.nodes[k].id == id;
		if (known || (files_join_node(path, f->dir, id, "data/REMOVED") && !access(path, F_OK)) ||
		    !files_join_node(path, f->dir, id, MEMBERFILE_NAME) ||
		    memberfile_read(f->command, path, true, &m) || m.id != id)
			continue;
		f->file.nodes[i].id = id;
		snprintf(f->file.nodes[i].url, sizeof f->file.nodes[i].url, "%s", m.url);
		f->prepared[i] = true;
		f->file.n_nodes++;
	}
	if (d)
		closedir(d);
}

/* What the pid files name and /proc confirms. */
static int look(struct folder *f)
{
	char path[FILES_PATH_SIZE];

	for (unsigned i = 0; i < f->file.n_nodes; i++) {
		int err = files_join_node(path, f->dir, f->file.nodes[i].id, "pid")
		                  ? process_read(path, &f->processes[i])
		                  : ENAMETOOLONG;

		if (err && err != ENOENT)
			return tool_fail(EXIT_LOCAL, f->command, "%s: %s", path,
			                 err == EINVAL ? "is not a pid file of ours; remove it if no node runs"
			                               : strerror(err));
		f->alive[i] = !err && process_alive(&f->processes[i]);
	}
	return 0;
}

static int folder_open(const char *command, const char *dir, struct folder *f)
{
	int code;

	*f = (struct folder){.command = command, .dir = dir, .lock_fd = -1};
	code = read_cluster(command, dir, &f->file);
	if (code)
		return code;
	f->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->lock_fd < 0)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", dir, strerror(errno));
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB)) {
		close(f->lock_fd);
		return tool_fail(EXIT_LOCAL, command, "%s: another `countersign cluster` is at work there", dir);
	}
	look_for_prepared(f);
	code = look(f);
	if (code)
		close(f->lock_fd);
	return code;
}

static void folder_close(struct folder *f)
{
	close(f->lock_fd);
}

/* The position of a node id in the cluster; -1 after printing that there is none. */
static int find_node(const struct folder *f, uint64_t id)
{
	for (unsigned i = 0; i < f->file.n_nodes; i++)
		if (f->file.nodes[i].id == id)
			return (int)i;
	tool_fail(EXIT_USAGE, f->command, "option --node: %s has no node %" PRIu64, f->dir, id);
	return -1;
}

static int start_node(struct folder *f, unsigned i, char *daemon)
{
	char config[FILES_PATH_SIZE], log[FILES_PATH_SIZE], pid[FILES_PATH_SIZE], option[] = "--config";
	char *argv[] = {daemon, option, config, NULL};
	uint64_t id = f->file.nodes[i].id;
	int err;

	if (!files_join_node(config, f->dir, id, "countersignd.yaml") ||
	    !files_join_node(log, f->dir, id, "countersignd.log") || !files_join_node(pid, f->dir, id, "pid"))
		return tool_fail(EXIT_USAGE, f->command, "%s: the path is too long", f->dir);
	err = process_start(argv, log, &f->processes[i]);
	if (err)
		return tool_fail(EXIT_LOCAL, f->command, "node %" PRIu64 ": %s: %s", id, daemon, strerror(err));
	err = process_record(pid, &f->processes[i]);
	if (err)
		return tool_fail(EXIT_LOCAL, f->command, "%s: %s", pid, strerror(err));
	f->alive[i] = true;
	return 0;
}

/* The last line of a node's log: most often why it ended. */
static void print_last_words(const struct folder *f, unsigned i)
{
	char path[FILES_PATH_SIZE], line[1024], *text = NULL, *last;
	size_t size;

	if (!files_join_node(path, f->dir, f->file.nodes[i].id, "countersignd.log") ||
	    files_read(path, 64u << 20, &text, &size))
		return;
	while (size && text[size - 1] == '\n')
		text[--size] = 0;
	last = strrchr(text, '\n');
	last = last ? last + 1 : text;
	text_safe(last, strlen(last), line, sizeof line);
	fprintf(stderr, "  %s\n  (%s)\n", line, path);
	free(text);
}

static int check_started(struct folder *f, const bool *started)
{
	for (unsigned i = 0; i < f->file.n_nodes; i++)
		if (started[i] && !process_alive(&f->processes[i])) {
			tool_fail(EXIT_LOCAL, f->command,
			          "node %" PRIu64 " ended while it started; its last words:", f->file.nodes[i].id);
			print_last_words(f, i);
			return EXIT_LOCAL;
		}
	return 0;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* Until each started node answers, and one that leads. */
static int await_leader(struct folder *f, cs_client *client, const bool *started, uint64_t wait_ms, struct nodes *nodes)
{
	uint64_t begin = text_clock_ms(), now;
	bool tty = isatty(STDERR_FILENO), done = false;
	int code = 0;

	while (!code && !done) {
		unsigned waited_for = 0;

		nodes_ask_all(client, &f->file, nodes);
		for (unsigned i = 0; i < nodes->n; i++)
			waited_for += started[i] && !f->prepared[i] && nodes->views[i].err;
		done = !waited_for && nodes_leader(nodes);
		now = text_clock_ms();
		if (tty)
			fprintf(stderr, "\rwaiting: %u nodes to answer, leader: %s, %.1f s ", waited_for,
			        nodes_leader(nodes) ? "yes" : "none yet", (double)(now - begin) / 1000);
		if (!done) {
			code = check_started(f, started);
			if (!code && now - begin >= wait_ms)
				code = tool_fail(EXIT_UNREACHABLE, f->command,
				                 "%sno leader after %" PRIu64 " ms; see %s/node-*/countersignd.log",
				                 tty ? "\n" : "", wait_ms, f->dir);
			pause_ms(ASK_INTERVAL_MS);
		}
	}
	if (tty)
		fprintf(stderr, "\r\033[K");
	return code;
}

static int await_cluster(struct folder *f, const bool *started, uint64_t wait_ms)
{
	char cluster[FILES_PATH_SIZE], key[FILES_PATH_SIZE];
	struct tool_access who = {.cluster = cluster, .key = key, .timeout_ms = ASK_TIMEOUT_MS};
	struct nodes nodes = {0};
	const struct nodes_view *leader;
	cs_client *client = NULL;
	int code;

	if (!files_join(cluster, f->dir, "cluster.yaml") || !files_join(key, f->dir, "admin.key"))
		return tool_fail(EXIT_USAGE, f->command, "%s: the path is too long", f->dir);
	if (access(key, F_OK))
		who.key = NULL; /* A restored cluster's is with who administers it: $COUNTERSIGN_KEY. */
	code = tool_open(f->command, &who, 0, &client);
	if (code)
		return code;
	code = await_leader(f, client, started, wait_ms, &nodes);
	leader = nodes_leader(&nodes);
	for (unsigned i = 0; i < nodes.n && !code; i++)
		if (f->alive[i])
			printf("node %" PRIu64 "  pid %-7d %s%s\n", f->file.nodes[i].id, (int)f->processes[i].pid,
			       f->file.nodes[i].url, &nodes.views[i] == leader ? "  leader" : "");
	nodes_close(&nodes);
	cs_close(client);
	return code;
}

static const struct usage up_usage = {
        .command = "cluster up",
        .arguments = "DIR",
        .about = "Starts the nodes of a cluster made by `countersign init` that do not run yet, and waits until they\n"
                 "answer and one of them leads. They are asked with DIR/admin.key, or with $COUNTERSIGN_KEY where\n"
                 "that is not kept there. The daemon is $COUNTERSIGND, or lies beside this program or in ../sbin.\n"
                 "Each node's words go to DIR/node-N/countersignd.log.\n",
        .exits = "  0  the nodes run and there is a leader\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int up(struct folder *f, uint64_t only, uint64_t wait_ms)
{
	bool started[CLUSTER_NODES_MAX] = {false};
	char daemon[FILES_PATH_SIZE];
	int at = -1, code = 0;

	if (only) {
		at = find_node(f, only);
		if (at < 0)
			return EXIT_USAGE;
	}
	if (!process_find_daemon(daemon))
		return tool_fail(EXIT_LOCAL, f->command,
		                 "countersignd is neither beside this program nor in ../sbin; set COUNTERSIGND");
	for (unsigned i = 0; i < f->file.n_nodes && !code; i++) {
		if (f->alive[i] || (only && i != (unsigned)at))
			continue;
		code = start_node(f, i, daemon);
		started[i] = !code;
	}
	return code ? code : await_cluster(f, started, wait_ms);
}

static int up_run(int argc, char **argv)
{
	uint64_t node = 0, wait_ms = 20000;
	const struct option options[] = {
	        {"node", OPTION_NUMBER, &node, "N", "this node only", 1, UINT32_MAX},
	        {"wait-ms", OPTION_NUMBER, &wait_ms, "MS", "longest wait for a leader (default: 20000)", 100, 600000},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct folder f;
	unsigned n;
	int code = options_parse(&up_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = folder_open(up_usage.command, argv[0], &f);
	if (code)
		return code;
	code = up(&f, node, wait_ms);
	folder_close(&f);
	return code;
}

/* Waits for a node's end and removes its pid file. */
static int await_end(struct folder *f, unsigned i, int timeout_ms)
{
	char path[FILES_PATH_SIZE];
	uint64_t id = f->file.nodes[i].id;

	if (process_await_end(&f->processes[i], timeout_ms)) {
		fprintf(stderr, "node %" PRIu64 " (pid %d) did not end within %d s: killed\n", id,
		        (int)f->processes[i].pid, timeout_ms / 1000);
		process_signal(&f->processes[i], SIGKILL);
		if (process_await_end(&f->processes[i], DOWN_TIMEOUT_MS))
			return tool_fail(EXIT_LOCAL, f->command, "node %" PRIu64 " (pid %d) cannot be killed", id,
			                 (int)f->processes[i].pid);
	}
	f->alive[i] = false;
	if (files_join_node(path, f->dir, id, "pid"))
		unlink(path);
	printf("node %" PRIu64 "  pid %-7d ended\n", id, (int)f->processes[i].pid);
	return 0;
}

static const struct usage down_usage = {
        .command = "cluster down",
        .arguments = "DIR",
        .about = "Asks the nodes of a cluster on this machine to end (SIGTERM), and waits; one that does not end\n"
                 "within 10 s is killed, and that is said.\n",
        .exits = "  0  none of them runs\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

/* All are signalled first, so that they end side by side. */
static int stop(struct folder *f, int only, int signal)
{
	int code = 0;

	for (unsigned i = 0; i < f->file.n_nodes; i++)
		if (f->alive[i] && (only < 0 || i == (unsigned)only)) {
			int err = process_signal(&f->processes[i], signal);

			if (err && err != ESRCH)
				return tool_fail(EXIT_LOCAL, f->command, "pid %d: %s", (int)f->processes[i].pid,
				                 strerror(err));
		}
	for (unsigned i = 0; i < f->file.n_nodes; i++)
		if (f->alive[i] && (only < 0 || i == (unsigned)only)) {
			int one = await_end(f, i, DOWN_TIMEOUT_MS);

			code = code ? code : one;
		}
	return code;
}

static int down_run(int argc, char **argv)
{
	uint64_t node = 0;
	const struct option options[] = {
	        {"node", OPTION_NUMBER, &node, "N", "this node only", 1, UINT32_MAX},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct folder f;
	unsigned n;
	int at = -1, code = options_parse(&down_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = folder_open(down_usage.command, argv[0], &f);
	if (code)
		return code;
	if (node)
		at = find_node(&f, node);
	code = node && at < 0 ? EXIT_USAGE : stop(&f, at, SIGTERM);
	folder_close(&f);
	return code;
}

static const struct usage kill_usage = {
        .command = "cluster kill",
        .arguments = "DIR",
        .about = "Kills one node (SIGKILL), as a crash would, to see what the cluster does then.\n",
        .exits = "  0  it was killed\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 1,
};

static int kill_run(int argc, char **argv)
{
	uint64_t node = 0;
	const struct option options[] = {
	        {"node", OPTION_NUMBER, &node, "N", "which node", 1, UINT32_MAX},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct folder f;
	unsigned n;
	int at, code = options_parse(&kill_usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!node)
		return tool_fail(EXIT_USAGE, kill_usage.command, "option --node N is missing");
	code = folder_open(kill_usage.command, argv[0], &f);
	if (code)
		return code;
	at = find_node(&f, node);
	if (at < 0)
		code = EXIT_USAGE;
	else if (!f.alive[at])
		code = tool_fail(EXIT_LOCAL, f.command, "node %" PRIu64 " does not run", node);
	else
		code = stop(&f, at, SIGKILL);
	folder_close(&f);
	return code;
}

int cluster_run(int argc, char **argv)
{
	static const struct tool_command commands[] = {
	        {"up", "start the nodes that do not run", up_run},
	        {"down", "end them", down_run},
	        {"status", "show each node's role, sizes and health", clusterstatus_run},
	        {"scrub", "read the whole ledgers for damage, now", clusterscrub_run},
	        {"kill", "kill one node, to try a failure", kill_run},
	        {NULL, NULL, NULL},
	};

	return tool_group("cluster", commands, argc, argv);
}
