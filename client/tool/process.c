/* Daemons that the tool starts, found again by process id and start time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/tool/files.h"

#define STAT_SIZE_MAX 4096 /* One line of numbers. */

/* State and start time of a process (proc(5): the second field is in parentheses and may hold anything). */
static bool read_stat(pid_t pid, char *ret_state, uint64_t *ret_start)
{
	char path[64], buf[STAT_SIZE_MAX + 1], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, STAT_SIZE_MAX);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = 0;
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ')
		return false;
	p += 2;
	*ret_state = *p;
	for (int field = 3; field < 22 && p; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p && sscanf(p, "%" SCNu64, ret_start) == 1;
}

int process_read(const char *path, struct process *ret)
{
	char *text = NULL, surplus;
	size_t size;
	int err = files_read(path, 64, &text, &size), pid;
	uint64_t start;

	if (err)
		return err;
	if (sscanf(text, "%d %" SCNu64 " %c", &pid, &start, &surplus) == 2 && pid > 1)
		*ret = (struct process){pid, start};
	else
		err = EINVAL;
	free(text);
	return err;
}

int process_record(const char *path, const struct process *p)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%d %" PRIu64 "\n", (int)p->pid, p->start);

	return files_replace(path, text, (size_t)n, 0644);
}

bool process_alive(const struct process *p)
{
	uint64_t start;
	char state;

	return read_stat(p->pid, &state, &start) && start == p->start && state != 'Z' && state != 'X';
}

/* The child's side; told_fd closes by itself when exec succeeds. */
static _Noreturn void become(char *const argv[], const char *log_path, int told_fd)
{
	int in = open("/dev/null", O_RDONLY), log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644), err;

	if (in >= 0 && log >= 0 && dup2(in, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2) {
		if (in > 2)
			close(in);
		if (log > 2)
			close(log);
		setsid();
		execv(argv[0], argv);
	}
	err = errno;
	if (write(told_fd, &err, sizeof err) != sizeof err)
		_exit(126);
	_exit(127);
}

int process_start(char *const argv[], const char *log_path, struct process *ret)
{
	int told[2], err = 0;
	ssize_t n;
	pid_t pid;
	char state;

	if (pipe2(told, O_CLOEXEC))
		return errno;
	pid = fork();
	if (pid < 0) {
		err = errno;
		close(told[0]);
		close(told[1]);
		return err;
	}
	if (!pid)
		become(argv, log_path, told[1]);
	close(told[1]);
	do
		n = read(told[0], &err, sizeof err);
	while (n < 0 && errno == EINTR);
	close(told[0]);
	if (n) {
		waitpid(pid, NULL, 0);
		return n == sizeof err ? err : EIO;
	}
	ret->pid = pid;
	return read_stat(pid, &state, &ret->start) ? 0 : ESRCH;
}

/* A descriptor for exactly this process: opened first, compared after, so that no other can slip between. */
static int open_process(const struct process *p)
{
	int fd = pidfd_open(p->pid, 0);

	if (fd >= 0 && !process_alive(p)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int process_signal(const struct process *p, int signal)
{
	int fd = open_process(p), err = 0;

	if (fd < 0)
		return ESRCH;
	if (pidfd_send_signal(fd, signal, NULL, 0))
		err = errno;
	close(fd);
	return err;
}

int process_await_end(const struct process *p, int timeout_ms)
{
	int fd = open_process(p), n;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return 0;
	do
		n = poll(&poll_fd, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n > 0)
		waitpid(p->pid, NULL, WNOHANG); /* Where it is our own child. */
	return n > 0 ? 0 : ETIMEDOUT;
}

bool process_find_daemon(char ret[4096])
{
	/* In a libtool build tree this program runs from .libs, and what is to be run lies above. */
	static const char *const places[] = {"../countersignd", "countersignd", "../sbin/countersignd"};
	const char *named = getenv("COUNTERSIGND");
	char self[FILES_PATH_SIZE], *slash;
	bool in_libs;
	ssize_t n;

	if (named && *named)
		return snprintf(ret, FILES_PATH_SIZE, "%s", named) < FILES_PATH_SIZE;
	n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return false;
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = 0;
	in_libs = strlen(self) > 6 && !strcmp(self + strlen(self) - 6, "/.libs");
	for (size_t i = in_libs ? 0 : 1; i < sizeof places / sizeof *places; i++)
		if (files_join(ret, self, places[i]) && !access(ret, X_OK))
			return true;
	return false;
}
