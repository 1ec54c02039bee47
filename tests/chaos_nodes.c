/* The nodes of a chaos run: processes that are started, hurt, watched and asked how they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/chaos.h"
#include "tests/history.h"

#define POLL_MS       20
#define END_MS_MAX    60000
#define WATCH_MS      10000 /* Who takes longer to end shows what its threads do. */
#define CLIENT_MS_MAX 500
#define WORDS_BYTES   8192 /* The end of a log that is searched for last words. */

static void log_path(const struct chaos *c, unsigned node, char ret[400])
{
	snprintf(ret, 400, "%s/c/node-%u/countersignd.log", c->cluster.dir, node + 1);
}

/* In the child, after fork: nothing that allocates. */
static void become(const char *daemon, const char *config, int log, int ns, char **environment)
{
	char *argv[] = {(char *)daemon, (char *)"--config", (char *)config, NULL};

	/* Whatever becomes of this test, no node stays behind. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || (ns >= 0 && setns(ns, CLONE_NEWNET)) || dup2(log, STDERR_FILENO) < 0 ||
	    dup2(log, STDOUT_FILENO) < 0)
		_exit(125);
	execve(daemon, argv, environment);
	_exit(126);
}

/* Each node has a clock of its own, in a file; the monotonic one, which Raft uses, stays real. */
static char **node_environment(const struct chaos *c, unsigned node, char words[4][512])
{
	static char *environment[512];
	unsigned n = 0;

	snprintf(words[0], 512, "LD_PRELOAD=%s", c->faketime);
	snprintf(words[1], 512, "FAKETIME_TIMESTAMP_FILE=%s/clock-%u", c->cluster.dir, node + 1);
	snprintf(words[2], 512, "FAKETIME_CACHE_DURATION=1");
	snprintf(words[3], 512, "FAKETIME_DONT_FAKE_MONOTONIC=1");
	for (char **e = environ; *e && n < 500; e++)
		environment[n++] = *e;
	for (unsigned i = 0; c->faketime[0] && i < 4; i++)
		environment[n++] = words[i];
	environment[n] = NULL;
	return environment;
}

void nodes_start(struct chaos *c, unsigned node)
{
	struct chaos_node *p = &c->nodes[node];
	const char *daemon = getenv("COUNTERSIGND") ? getenv("COUNTERSIGND") : "./countersignd";
	char config[400], path[400], words[4][512];

	if (p->pid)
		return;
	snprintf(config, sizeof config, "%s/c/node-%u/countersignd.yaml", c->cluster.dir, node + 1);
	log_path(c, node, path);
	char **environment = node_environment(c, node, words);
	int log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600), ns = net_namespace(c, node);
	*p = (struct chaos_node){.may_fail = p->may_fail, .log_from = lseek(log, 0, SEEK_END)};
	p->pid = fork();
	if (p->pid == 0)
		become(daemon, config, log, ns, environment);
	if (p->pid < 0 || log < 0) {
		fprintf(stderr, "starting node %u: %s\n", node + 1, strerror(errno));
		abort();
	}
	close(log);
	if (ns >= 0)
		close(ns);
}

void nodes_signal(struct chaos *c, unsigned node, int number)
{
	struct chaos_node *p = &c->nodes[node];

	if (!p->pid)
		return;
	kill(p->pid, number);
	if (number == SIGSTOP)
		p->paused = true;
	else if (number == SIGCONT)
		p->paused = false;
	else
		p->expected = number;
}

/* Whether it has ended. */
static bool reap(struct chaos *c, unsigned node)
{
	struct chaos_node *p = &c->nodes[node];
	int status;

	if (!p->pid)
		return true;
	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return false;
	p->pid = 0;
	p->paused = false;
	p->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	return true;
}

static void judge_end(struct chaos *c, unsigned node)
{
	struct chaos_node *p = &c->nodes[node];
	char words[300] = "";
	bool asked = (p->expected == SIGKILL && p->status == -SIGKILL) || (p->expected == SIGTERM && p->status == 0);

	/* Within its start, which holds nothing that a signal could break. */
	asked |= p->expected == SIGTERM && p->status == -SIGTERM && !nodes_said(c, node, "serving url=");

	if (asked || (p->may_fail && p->status > 0))
		return;
	nodes_last_words(c, node, words, sizeof words);
	chaos_broken(c, "node %u ended by itself, %s %d; its last words: %s", node + 1,
	             p->status < 0 ? "by signal" : "with status", p->status < 0 ? -p->status : p->status, words);
}

void nodes_look(struct chaos *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (c->nodes[i].pid && reap(c, i))
			judge_end(c, i);
}

bool nodes_await_end(struct chaos *c, unsigned node, unsigned ms)
{
	for (unsigned i = 0; i < ms / POLL_MS; i++) {
		if (reap(c, node))
			return true;
		chaos_nap_ms(POLL_MS);
	}
	return false;
}

void nodes_end(struct chaos *c, unsigned node, int number)
{
	struct chaos_node *p = &c->nodes[node];

	if (!p->pid)
		return;
	if (p->paused)
		nodes_signal(c, node, SIGCONT);
	nodes_signal(c, node, number);
	bool ended = nodes_await_end(c, node, WATCH_MS);
	if (!ended) {
		chaos_say(c, "node %u takes its time to end", node + 1);
		cluster_stacks(p->pid);
		ended = nodes_await_end(c, node, END_MS_MAX - WATCH_MS);
	}
	if (ended) {
		judge_end(c, node);
		return;
	}
	chaos_broken(c, "node %u does not end when asked to", node + 1);
	nodes_signal(c, node, SIGKILL);
	nodes_await_end(c, node, END_MS_MAX);
}

/* --- what they say --- */

static char *log_since(const struct chaos *c, unsigned node, int64_t from)
{
	char path[400];
	struct stat st;

	log_path(c, node, path);
	FILE *f = fopen(path, "re");
	if (!f || fstat(fileno(f), &st) || from > st.st_size)
		chaos_stop(__func__);
	size_t size = (size_t)(st.st_size - from);
	char *text = calloc(1, size + 1);
	if (!text || fseek(f, (long)from, SEEK_SET) || fread(text, 1, size, f) != size)
		chaos_stop(__func__);
	fclose(f);
	return text;
}

bool nodes_said(const struct chaos *c, unsigned node, const char *text)
{
	char *log = log_since(c, node, c->nodes[node].log_from);
	bool said = strstr(log, text) != NULL;

	free(log);
	return said;
}

/* The last error of its log, or else its last line; false: it said nothing. */
bool nodes_last_words(const struct chaos *c, unsigned node, char *ret, size_t size)
{
	char *log = log_since(c, node, c->nodes[node].log_from);
	size_t len = strlen(log);
	const char *last = NULL, *error = NULL;

	for (char *line = strtok(len > WORDS_BYTES ? log + len - WORDS_BYTES : log, "\n"); line;
	     line = strtok(NULL, "\n")) {
		last = line;
		if (strstr(line, " error ") || strstr(line, "ERROR") || strstr(line, "ssert"))
			error = line;
	}
	snprintf(ret, size, "%s", error ? error : last ? last : "");
	free(log);
	return last != NULL;
}

static cs_client *client_of(struct chaos *c, unsigned node)
{
	struct cs_options o = {.key_file = c->cluster.gateway_key, .timeout_ms = 1500};
	char path[400], text[256];
	cs_client *client;

	snprintf(path, sizeof path, "%s/c/only-%u.yaml", c->cluster.dir, node + 1);
	cluster_shell("grep -v '{id: [^%u],' '%s' >'%s'", node + 1, c->cluster.cluster_file, path);
	o.cluster_file = path;
	if (cs_open(&o, &client, text, sizeof text))
		history_fail(text);
	return client;
}

cs_client *nodes_client(struct chaos *c, unsigned node)
{
	uint64_t now = history_now_ns();

	if (c->at[node] && now < c->at_ns[node] + CLIENT_MS_MAX * UINT64_C(1000000))
		return c->at[node];
	cs_close(c->at[node]);
	c->at[node] = client_of(c, node);
	c->at_ns[node] = now;
	return c->at[node];
}

static json_t *status_of(struct chaos *c, unsigned node)
{
	char *text;
	json_t *j = NULL;

	if (c->nodes[node].pid && !c->nodes[node].paused && cs_status(c->at[node], node + 1, &text) == 0) {
		j = json_loads(text, 0, NULL);
		free(text);
	}
	return j;
}

long long nodes_number(struct chaos *c, unsigned node, const char *member)
{
	json_t *j = status_of(c, node);
	long long v = j ? json_integer_value(json_object_get(j, member)) : -1;

	json_decref(j);
	return v;
}

bool nodes_text(struct chaos *c, unsigned node, const char *member, char *ret, size_t size)
{
	json_t *j = status_of(c, node);
	const char *text = json_string_value(json_object_get(j, member));

	snprintf(ret, size, "%s", text ? text : "");
	json_decref(j);
	return text != NULL;
}

int nodes_leader(struct chaos *c)
{
	char role[32];

	for (unsigned i = 0; i < c->n; i++)
		if (nodes_text(c, i, "role", role, sizeof role) && strcmp(role, "leader") == 0)
			return (int)i;
	return -1;
}

/* --- all is well again --- */

void nodes_recover(struct chaos *c)
{
	uint64_t until = history_now_ns() + CHAOS_WAIT_MS * UINT64_C(1000000);
	long long size = 0, seen = 0;

	for (unsigned i = 0; i < c->n; i++) {
		seen = nodes_number(c, i, "size");
		size = seen > size ? seen : size;
	}
	for (unsigned i = 0; i < c->n && chaos_good(c); i++) {
		nodes_start(c, i);
		while (chaos_good(c) && (seen = nodes_number(c, i, "size")) <= size) {
			nodes_look(c);
			if (history_now_ns() > until)
				chaos_broken(c, "all faults ended a minute ago, and node %u has %lld entries of %lld",
				             i + 1, seen, size);
			chaos_nap_ms(POLL_MS);
		}
	}
	members_restore(c);
}

static bool converged(struct chaos *c, uint64_t *ret_size)
{
	char root[80], first[80];
	long long size = nodes_number(c, 0, "size");

	nodes_text(c, 0, "root", first, sizeof first);
	for (unsigned i = 0; i < c->n; i++) {
		if (size <= 0 || nodes_number(c, i, "size") != size || nodes_number(c, i, "cosigned_size") != size ||
		    nodes_number(c, i, "stored_size") != size)
			return false;
		if (!nodes_text(c, i, "root", root, sizeof root) || nodes_number(c, i, "size") != size)
			return false;
		if (strcmp(root, first) != 0)
			chaos_broken(c, "nodes 1 and %u have %lld entries and other roots", i + 1, size);
	}
	*ret_size = (uint64_t)size;
	return true;
}

uint64_t nodes_converge(struct chaos *c)
{
	uint64_t until = history_now_ns() + CHAOS_WAIT_MS * UINT64_C(1000000), size = 0;

	while (chaos_good(c) && !converged(c, &size)) {
		nodes_look(c);
		if (history_now_ns() > until)
			chaos_broken(c, "after the load the nodes did not come to the same entries, all cosigned");
		chaos_nap_ms(POLL_MS);
	}
	return size;
}
