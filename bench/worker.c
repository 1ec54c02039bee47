/* Starts, reads and ends worker processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 12

/* The child's side. The parent may have died before prctl: then nobody would ever end us. */
static _Noreturn void become(const char *const *args, int out, pid_t parent)
{
	char *argv[ARGS_MAX + 3] = {(char *)"countersign-bench", (char *)"--worker"};

	for (unsigned i = 0; i < ARGS_MAX && args[i]; i++)
		argv[i + 2] = (char *)args[i];
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || dup2(out, STDOUT_FILENO) < 0)
		_exit(WORKER_FAILED);
	execv("/proc/self/exe", argv);
	_exit(WORKER_FAILED);
}

int worker_start(const char *const *args, struct worker *ret)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return errno;
	pid = fork();
	if (pid == 0)
		become(args, fds[1], parent);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return errno;
	}
	*ret = (struct worker){.pid = pid, .out = fds[0]};
	return 0;
}

int worker_read(const struct worker *w, void *buf, size_t len, int timeout_ms)
{
	struct pollfd p = {.fd = w->out, .events = POLLIN};
	uint8_t *at = buf;

	while (len) {
		int ready = poll(&p, 1, timeout_ms);
		ssize_t n = ready > 0 ? read(w->out, at, len) : 0;

		if (ready == 0)
			return ETIMEDOUT;
		if (ready > 0 && n == 0)
			return EPIPE;
		if ((ready < 0 || n < 0) && errno != EINTR)
			return errno;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

void worker_stop(struct worker *w)
{
	if (w->pid > 0) {
		kill(w->pid, SIGKILL);
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
		close(w->out);
	}
	*w = (struct worker){0};
}

uint16_t worker_free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &len) == 0)
		port = ntohs(a.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}
