/* Processes of this same program that play the other side of a floor. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a worker's main returns when it cannot go on; it has said why on stderr. */
#define WORKER_FAILED 70

struct worker {
	pid_t pid;
	int out; /* What it writes to its standard output. */
};

/* Starts `countersign-bench --worker args…` (NULL-terminated). It ends with this process at the latest. 0 or errno. */
int worker_start(const char *const *args, struct worker *ret);
/* Reads exactly len bytes of its output, waiting up to timeout_ms for each part: 0, ETIMEDOUT, EPIPE (it ended), errno.
 */
int worker_read(const struct worker *w, void *buf, size_t len, int timeout_ms);
/* Kills and reaps it: a worker holds nothing that has to be put in order. A zeroed worker is fine. */
void worker_stop(struct worker *w);

/* A port of 127.0.0.1 that was free now; 0: none. */
uint16_t worker_free_port(void);

#endif
