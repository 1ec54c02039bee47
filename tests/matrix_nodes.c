/* The folder and the nodes of one cell of the matrix: copied, started with a fault or without, watched. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/history.h"
#include "tests/matrix.h"

#define END_TRIES 3000 /* Naps: a node that is asked to end does within a minute, or never. */

void matrix_nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

void arena_path(const struct arena *a, const char *copy, unsigned node, const char *name, char ret[400])
{
	snprintf(ret, 400, "%.255s/%s/node-%u/%s", a->cluster.dir, copy, node, name);
}

void matrix_fail(const struct arena *a, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "FAILED %s/%s, %s: ", matrix_file_words[a->cell->file], matrix_fault_words[a->cell->fault],
	        a->every ? "every node" : "one node");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		nodes_show_log(a, n);
	_exit(1);
}

/* --- the folder --- */

void arena_restore(const struct arena *a)
{
	cluster_shell("cd '%s' && rm -rf c hit-* trigger && cp -a --sparse=always base c", a->cluster.dir);
}

void arena_put_back(const struct arena *a, unsigned node)
{
	cluster_shell("cd '%s' && rm -rf c/node-%u.hurt && mv c/node-%u c/node-%u.hurt && "
	              "cp -a --sparse=always base/node-%u c/node-%u && mv c/node-%u.hurt/countersignd.log c/node-%u",
	              a->cluster.dir, node, node, node, node, node, node, node);
}

/* --- processes --- */

static void redirect(const char *path, int fd, int flags)
{
	int file = open(path, flags | O_CLOEXEC, 0600);

	if (file < 0 || dup2(file, fd) < 0)
		_exit(125);
}

/* "NAME=VALUE NAME=VALUE…": a fault of tests/faults_preload.c (COUNTERSIGN_FAULT) or of tests/power_preload.c. */
static void set_fault(const struct arena *a, unsigned node)
{
	const char *faults = getenv("FAULTS_PRELOAD"), *power = getenv("POWER_PRELOAD");
	bool is_power = strncmp(a->cell->inject, "POWER_", 6) == 0;
	char text[256], path[400], *rest;

	snprintf(text, sizeof text, "%s", a->cell->inject);
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');
		*value++ = 0;
		setenv(word, value, 1);
	}
	snprintf(path, sizeof path, "%s/hit-%u", a->cluster.dir, node);
	setenv("COUNTERSIGN_FAULT_REPORT", path, 1);
	snprintf(path, sizeof path, "%s/trigger", a->cluster.dir);
	if (a->cell->when == IN_SERVICE)
		setenv("COUNTERSIGN_FAULT_WHEN", path, 1);
	if (is_power)
		setenv("LD_PRELOAD", power ? power : "tests/.libs/power_preload.so", 1);
	else
		setenv("LD_PRELOAD", faults ? faults : "tests/.libs/faults_preload.so", 1);
}

void nodes_start(struct arena *a, unsigned node, bool hurt)
{
	const char *daemon = getenv("COUNTERSIGND") ? getenv("COUNTERSIGND") : "./countersignd";
	char config[400], log[400];

	arena_path(a, "c", node, "countersignd.yaml", config);
	arena_path(a, "c", node, "countersignd.log", log);
	a->nodes[node].pid = fork();
	if (a->nodes[node].pid < 0)
		matrix_fail(a, "fork: %s", strerror(errno));
	if (a->nodes[node].pid)
		return;
	/* Whatever becomes of this test, no node stays behind. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(125);
	redirect("/dev/null", 0, O_RDONLY);
	redirect(log, 1, O_WRONLY | O_CREAT | O_APPEND);
	redirect(log, 2, O_WRONLY | O_CREAT | O_APPEND);
	if (hurt && a->cell->inject)
		set_fault(a, node);
	execl(daemon, "countersignd", "--config", config, (char *)NULL);
	_exit(126);
}

bool nodes_ended(struct arena *a, unsigned node)
{
	int status;

	if (!a->nodes[node].pid)
		return true;
	if (waitpid(a->nodes[node].pid, &status, WNOHANG) != a->nodes[node].pid)
		return false;
	a->nodes[node].pid = 0;
	a->nodes[node].status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	return true;
}

static void await_end(struct arena *a, unsigned node)
{
	for (unsigned i = 0; i < END_TRIES; i++) {
		if (nodes_ended(a, node))
			return;
		matrix_nap();
	}
	matrix_fail(a, "node %u does not end when it is asked to", node);
}

void nodes_kill(struct arena *a, unsigned node)
{
	if (a->nodes[node].pid)
		kill(a->nodes[node].pid, SIGKILL);
	await_end(a, node);
}

void nodes_stop_all(struct arena *a)
{
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		if (a->nodes[n].pid)
			kill(a->nodes[n].pid, SIGTERM);
	for (unsigned n = 1; n <= MATRIX_NODES; n++)
		await_end(a, n);
}

void nodes_trigger(const struct arena *a)
{
	cluster_shell("touch '%s/trigger'", a->cluster.dir);
}

bool nodes_hit(const struct arena *a, unsigned node)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof path, "%s/hit-%u", a->cluster.dir, node);
	return stat(path, &st) == 0 && st.st_size > 0;
}

/* --- what they say --- */

static char *read_log(const struct arena *a, unsigned node)
{
	char path[400], *text = NULL;
	size_t size = 0;

	arena_path(a, "c", node, "countersignd.log", path);
	FILE *f = fopen(path, "re");
	if (f && getdelim(&text, &size, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

bool nodes_said(const struct arena *a, unsigned node, const char *text)
{
	char *log = read_log(a, node);
	bool said = log && strstr(log, text);

	free(log);
	return said;
}

void nodes_show_log(const struct arena *a, unsigned node)
{
	char *log = read_log(a, node);

	fprintf(stderr, "--- node %u%s%d\n%s", node, a->nodes[node].pid ? " runs; last status " : " ended with ",
	        a->nodes[node].status, log ? log : "(no log)\n");
	free(log);
}
