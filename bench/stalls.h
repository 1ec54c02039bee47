/* Stalls: the worst answer of each moment, beside what the disk and the scheduler did to others in the same moment. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_STALLS_H
#define BENCH_STALLS_H

#include <stddef.h>
#include <stdint.h>

#include "bench/histogram.h"

#define STALLS_MOMENT_NS UINT64_C(100000000) /* Fine enough to tell one stall from the next. */
#define STALLS_LONG_NS   UINT64_C(20000000)  /* An answer that took so long has met a stall. */
#define STALLS_PROBE_NS  UINT64_C(5000000)   /* A probe that took so long has met one of the machine. */
#define STALLS_SHOWN     8                   /* The worst ones, one by one. */

/* The longest of each kind that ended in a moment, nanoseconds. */
struct stalls_moment {
	uint64_t answer, disk, wake;
};

struct stalls {
	uint64_t begin_ns;
	size_t n;
	struct stalls_moment *moments;
	struct histogram disk; /* A synced write of 4 KiB each 10 ms, in the same file system. */
	struct histogram wake; /* How late a thread wakes that sleeps for 1 ms. */
	struct stalls_run *run;
};

/* Two threads that measure for that long, each of its own. 0, or -1 having said why. */
int stalls_begin(struct stalls *s, const char *folder, double seconds);
/* Waits for their end. */
int stalls_end(struct stalls *s);
/* An answer that was due at due_ns. The probes may still be running. */
void stalls_answer(struct stalls *s, uint64_t due_ns, uint64_t done_ns);
void stalls_free(struct stalls *s);

/* What it came to. */
struct stalls_sum {
	uint64_t moments;           /* With an answer that took STALLS_LONG_NS or more. */
	uint64_t ours;              /* In which neither probe met one: nor in those that the answer spans. */
	size_t worst[STALLS_SHOWN]; /* The moments of the longest answers, longest first; */
	struct stalls_moment seen[STALLS_SHOWN]; /* what was seen while each of them was awaited. */
	unsigned n_worst;
};
void stalls_sum(const struct stalls *s, struct stalls_sum *ret);

#endif
