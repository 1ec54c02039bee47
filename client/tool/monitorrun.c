/* The program that a monitor runs for each alarm: without a shell, in an environment of its own, for a bounded time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/tool/monitoralarm.h"
#include "client/tool/text.h"

#define RUN_MS_MAX 60000 /* One that takes longer hangs. */
#define LOOK_MS    20
#define VALUE_SIZE 640
#define VARIABLES  10

struct environment {
	char values[VARIABLES][VALUE_SIZE + FILES_PATH_SIZE];
	char *list[VARIABLES + 1];
	unsigned n;
};

static void put(struct environment *e, const char *name, const char *value)
{
	snprintf(e->values[e->n], sizeof e->values[e->n], "%s=%s", name, value);
	e->list[e->n] = e->values[e->n];
	e->list[++e->n] = NULL;
}

static void put_number(struct environment *e, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	put(e, name, text);
}

/* Nothing of the monitor's own environment goes along: what is in it is nobody's business, keys' paths among it. */
static void describe(const struct monitorrun *r, const struct monitoralarm *a, struct environment *ret)
{
	char time[TEXT_TIME_SIZE];

	text_time(a->at_ms, time);
	ret->n = 0;
	put(ret, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put_number(ret, "COUNTERSIGN_ALARM_ID", a->id);
	put(ret, "COUNTERSIGN_ALARM_KIND", monitoralarm_word(a->kind));
	put(ret, "COUNTERSIGN_ALARM_GRAVE", monitoralarm_is_grave(a->kind) ? "1" : "0");
	put_number(ret, "COUNTERSIGN_ALARM_NODE", a->node);
	put_number(ret, "COUNTERSIGN_ALARM_SIZE", a->size);
	put(ret, "COUNTERSIGN_ALARM_TIME", time);
	put(ret, "COUNTERSIGN_ALARM_TEXT", a->text);
	put(ret, "COUNTERSIGN_ALARM_ORIGIN", r->origin);
	put(ret, "COUNTERSIGN_ALARM_STATE", r->dir);
}

/* No input; what it prints goes where the monitor's messages go. */
static int start(const char *program, char *const argv[], char *const env[], pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	int err = posix_spawn_file_actions_init(&files);

	if (err)
		return err;
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none); /* The monitor's own signals are blocked in it. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawn(ret, program, &files, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return err;
}

void monitorrun_tell(struct monitorrun *r, const struct monitoralarm *a)
{
	static struct environment e; /* 47 KiB; one thread tells. */
	char program[FILES_PATH_SIZE], kind[32], text[sizeof a->text];
	char *argv[] = {program, kind, text, NULL};
	unsigned at = 0;
	pid_t pid;
	int err;

	if (!r->program)
		return;
	monitorrun_reap(r);
	while (at < MONITORRUN_MAX && r->children[at].pid)
		at++;
	if (at == MONITORRUN_MAX) {
		monitor_say("alarm %u is not told to %s: %d of it are at work", a->id, r->program, MONITORRUN_MAX);
		return;
	}
	snprintf(program, sizeof program, "%s", r->program);
	snprintf(kind, sizeof kind, "%s", monitoralarm_word(a->kind));
	snprintf(text, sizeof text, "%s", a->text);
	describe(r, a, &e);
	err = start(program, argv, e.list, &pid);
	if (err) {
		monitor_say("alarm %u cannot be told to %s: %s", a->id, r->program, strerror(err));
		return;
	}
	r->children[at].pid = pid;
	r->children[at].until_ms = text_clock_ms() + RUN_MS_MAX;
}

bool monitorrun_reap(struct monitorrun *r)
{
	bool busy = false;

	for (unsigned i = 0; i < MONITORRUN_MAX; i++) {
		int status = 0, pid = r->children[i].pid;
		pid_t got = pid ? waitpid(pid, &status, WNOHANG) : 0;

		if (!pid)
			continue;
		if (got == 0) {
			if (text_clock_ms() >= r->children[i].until_ms) {
				monitor_say("%s takes more than %d s: killed", r->program, RUN_MS_MAX / 1000);
				kill(pid, SIGKILL);
				r->children[i].until_ms += RUN_MS_MAX;
			}
			busy = true;
			continue;
		}
		r->children[i].pid = 0;
		if (got == pid && status)
			monitor_say("%s failed: %s %d", r->program, WIFEXITED(status) ? "exit code" : "signal",
			            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	}
	return busy;
}

void monitorrun_finish(struct monitorrun *r)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

	while (r->program && monitorrun_reap(r))
		nanosleep(&pause, NULL);
}
