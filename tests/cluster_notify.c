/* What the daemon tells a service manager, on a real socket; a loop that hangs is told of by silence. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster.h"
#include "tests/history.h"

#define NODES         3
#define WATCHDOG_USEC "600000" /* A node reports three times in it. */
#define SILENCE_MS    1200
#define WAIT_MS_MAX   60000

static struct cluster cluster;
static int manager;

/* One message of a node: its pid and its text. */
struct told {
	pid_t pid;
	char text[512];
};

/* What was told, in order, and not yet heard. */
struct heard {
	struct heard *next;
	struct told told;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct heard *first, **last = &first;

static void manager_open(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int on = 1;

	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "%.60s/manager", cluster.dir);
	if (manager < 0 || bind(manager, (struct sockaddr *)&a, sizeof a) ||
	    setsockopt(manager, SOL_SOCKET, SO_PASSCRED, &on, sizeof on))
		history_fail(strerror(errno));
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	setenv("WATCHDOG_USEC", WATCHDOG_USEC, 1);
}

/* One message off the socket. */
static void receive(struct told *ret)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = {.iov_base = ret->text, .iov_len = sizeof ret->text - 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct ucred credentials;

	ssize_t n = recvmsg(manager, &m, 0);
	if (n < 0 || !CMSG_FIRSTHDR(&m))
		history_fail("no credentials came with a message");
	ret->text[n] = 0;
	memcpy(&credentials, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof credentials);
	ret->pid = credentials.pid;
}

/*
 * Takes every message at once, whatever the test waits for meanwhile: the socket holds ten of them
 * (net.unix.max_dgram_qlen), less than a second's worth, and what finds no room is lost.
 */
static void *listen_always(void *arg)
{
	for (;;) {
		struct heard *h = calloc(1, sizeof *h);
		if (!h)
			abort();
		receive(&h->told);
		pthread_mutex_lock(&lock);
		*last = h;
		last = &h->next;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

/* False: nothing came until the time (CLOCK_MONOTONIC); one that is over: nothing is there. */
static bool hear(struct told *ret, uint64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};
	struct heard *h;

	pthread_mutex_lock(&lock);
	while (!(h = first) && pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &until) == 0)
		;
	if (h) {
		*ret = h->told;
		first = h->next;
		if (!first)
			last = &first;
	}
	pthread_mutex_unlock(&lock);
	free(h);
	return h != NULL;
}

static uint64_t in_ms(uint64_t ms)
{
	return history_now_ns() + ms * 1000000;
}

/* Waits for a message that begins so, of this process (0: any); returns whose it was. */
static pid_t expect(pid_t pid, const char *text)
{
	uint64_t until = in_ms(WAIT_MS_MAX);
	struct told t = {.pid = 0};

	while (hear(&t, until))
		if ((!pid || t.pid == pid) && strncmp(t.text, text, strlen(text)) == 0)
			return t.pid;
	fprintf(stderr, "never told: %s\n", text);
	abort();
}

static void drain(void)
{
	struct told t = {.pid = 0};

	while (hear(&t, 0))
		;
}

/* Stops the loop's thread alone, as a loop that hangs: the others go on. */
static bool loop_hold(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return false;
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid)
		abort();
	return true;
}

static void a_hanging_loop_is_silent(cs_client *client, pid_t pid)
{
	struct told t = {.pid = 0};
	unsigned others = 0;

	if (!loop_hold(pid)) {
		fprintf(stderr, "not tried: a thread cannot be stopped here: %s\n", strerror(errno));
		return;
	}
	drain();
	uint64_t until = in_ms(SILENCE_MS);
	while (hear(&t, until)) {
		if (t.pid == pid)
			history_fail("a loop that hangs says that it lives");
		others += strcmp(t.text, "WATCHDOG=1") == 0;
	}
	if (others < 2)
		history_fail("the others are silent too");
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		abort();
	expect(pid, "WATCHDOG=1");
	cluster_converge(client);
	fprintf(stderr, "silent while its loop hung, then alive again\n");
}

int main(void)
{
	pthread_t listener;
	pid_t pids[NODES];
	cs_client *client;

	cluster_make(&cluster, NULL);
	manager_open();
	if (pthread_create(&listener, NULL, listen_always, NULL))
		history_fail("a thread");
	cluster_begin(&cluster);
	for (unsigned i = 0; i < NODES; i++)
		pids[i] = expect(0, "READY=1");
	if (pids[0] == pids[1] || pids[1] == pids[2] || pids[0] == pids[2])
		history_fail("a node was ready twice");
	for (unsigned i = 0; i < NODES; i++)
		expect(pids[i], "WATCHDOG=1");
	client = cluster_client(&cluster);
	a_hanging_loop_is_silent(client, pids[1]);
	/* A new leader says so. */
	cluster_run("cluster down %s/c --node %u", cluster.dir, cluster_leader(client));
	expect(0, "STOPPING=1");
	expect(0, "STATUS=leader of term");
	cs_close(client);
	cluster_destroy(&cluster);
	expect(0, "STOPPING=1");
	expect(0, "STOPPING=1");
	return 0; /* The listener ends with the process. */
}
