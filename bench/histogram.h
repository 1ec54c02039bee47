/* A log-linear histogram of nanoseconds: three significant digits over nine decades, in constant memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/*
 * Values below 2048 have a counter each; above, every doubling has 1024 counters, so that a counter's width is at most
 * 1/1024 of its values. (The layout follows the idea of HdrHistogram, whose readers take such percentiles.)
 */
#define HISTOGRAM_HALF_BITS  10
#define HISTOGRAM_VALUE_BITS 40 /* 18 minutes in nanoseconds: longer than any call may take. */
#define HISTOGRAM_COUNTERS   ((HISTOGRAM_VALUE_BITS - HISTOGRAM_HALF_BITS + 1) << HISTOGRAM_HALF_BITS)

/* 250 KiB. Zero bytes are an empty histogram. */
struct histogram {
	uint64_t count, min, max; /* Exact, also for values beyond the last counter. */
	double sum;
	uint64_t counters[HISTOGRAM_COUNTERS];
};

void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/*
 * The value that a share of quantile (0…1) of all values do not exceed: upper end of its counter, never above max. 0 if
 * empty.
 */
uint64_t histogram_quantile(const struct histogram *h, double quantile);
double histogram_mean(const struct histogram *h);

#endif
