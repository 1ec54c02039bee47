/* Counts into log-linear counters, and reads quantiles off them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/histogram.h"

#include <math.h>

#define HALF (UINT64_C(1) << HISTOGRAM_HALF_BITS)

/* Which doubling a value lies in: 0 for the linear part, below 2 * HALF. */
static unsigned scale_of(uint64_t value)
{
	return value < 2 * HALF ? 0 : 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_HALF_BITS;
}

static unsigned counter_of(uint64_t value)
{
	unsigned scale = scale_of(value);
	uint64_t at = scale * HALF + (value >> scale);

	return at < HISTOGRAM_COUNTERS ? (unsigned)at : HISTOGRAM_COUNTERS - 1;
}

/* Largest value that this counter counts. */
static uint64_t counter_top(unsigned at)
{
	unsigned scale = at < 2 * HALF ? 0 : (unsigned)(at / HALF) - 1;

	return ((at - scale * HALF + 1) << scale) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += (double)value;
	h->counters[counter_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	into->sum += from->sum;
	for (unsigned i = 0; i < HISTOGRAM_COUNTERS; i++)
		into->counters[i] += from->counters[i];
}

uint64_t histogram_quantile(const struct histogram *h, double quantile)
{
	uint64_t wanted = (uint64_t)ceil(quantile * (double)h->count), seen = 0;

	if (h->count == 0)
		return 0;
	if (wanted < 1)
		wanted = 1;
	for (unsigned i = 0; i < HISTOGRAM_COUNTERS - 1; i++) {
		seen += h->counters[i];
		if (seen >= wanted)
			return counter_top(i) < h->max ? counter_top(i) : h->max;
	}
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum / (double)h->count : 0;
}
