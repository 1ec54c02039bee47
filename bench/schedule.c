/* Makes schedules of arrivals. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/schedule.h"

#include <math.h>

#include "bench/clock.h"

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014). */
uint64_t schedule_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* In (0, 1]: its logarithm is finite. */
static double uniform(uint64_t *state)
{
	return ((double)(schedule_random(state) >> 11) + 1) * 0x1p-53;
}

void schedule_make(enum arrivals arrivals, double rate, uint64_t seed, size_t n, uint64_t *ret)
{
	double gap = (double)NS_PER_S / rate, at = 0;

	for (size_t i = 0; i < n; i++) {
		at = arrivals == ARRIVALS_FIXED ? gap * (double)i : at - gap * log(uniform(&seed));
		ret[i] = (uint64_t)at;
	}
}
