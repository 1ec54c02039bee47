/* Daemons that the tool starts, found again by process id and start time, so that a recycled id is never signalled. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_PROCESS_H
#define CLIENT_TOOL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;
	uint64_t start; /* Clock ticks since boot: field 22 of /proc/PID/stat (proc(5)). */
};

/* "PID START\n" of a file: 0, ENOENT, EINVAL (another text) or another errno value. */
int process_read(const char *path, struct process *ret);
int process_record(const char *path, const struct process *p);
/* The same process still runs: same start time, and not a zombie. */
bool process_alive(const struct process *p);
/*
 * Starts argv[0] in a session of its own, with no input and its output appended to a log. 0 once the program runs (exec
 * succeeded), or an errno value.
 */
int process_start(char *const argv[], const char *log_path, struct process *ret);
/* 0, or ESRCH: gone, or the id is another process's now. */
int process_signal(const struct process *p, int signal);
/* Waits for its end: 0, or ETIMEDOUT. */
int process_await_end(const struct process *p, int timeout_ms);
/* The daemon's program: $COUNTERSIGND, or beside this program, ../sbin, or the build tree. False: none is there. */
bool process_find_daemon(char ret[4096]);

#endif
