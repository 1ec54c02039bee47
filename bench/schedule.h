/* When requests are due: computed before the load begins, so that a slow answer cannot put off the next question. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

enum arrivals {
	ARRIVALS_FIXED,   /* Equally spaced. */
	ARRIVALS_POISSON, /* As from many independent clients: exponential gaps of the same mean. */
};

/* n ascending times in nanoseconds from the start of the load, for a rate per second. The same seed, the same times. */
void schedule_make(enum arrivals arrivals, double rate, uint64_t seed, size_t n, uint64_t *ret);

/* A small generator for schedules and for the choice of requests (splitmix64); not for secrets. */
uint64_t schedule_random(uint64_t *state);

#endif
