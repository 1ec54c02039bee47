/* How fast requests are served here, and so when one that was refused may come again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_PACE_H
#define NODE_PACE_H

#include <stdint.h>

#include "node/clock.h"

#define PACE_RETRY_MS_MIN 5     /* Nothing is gained by coming sooner: a batch takes a millisecond or two. */
#define PACE_RETRY_MS_MAX 10000 /* However bad it looks, look again by then. */
#define PACE_WEIGHT       8     /* The newest measurement's part of the mean is 1/8. */

/* Zeroed at first. One thread writes. */
struct pace {
	uint64_t ns_each; /* Mean time between two requests served, while there were any. */
};

/* n requests, at least one, took this long together. */
static inline void pace_served(struct pace *p, uint64_t took_ns, unsigned n)
{
	uint64_t each = took_ns / n;

	p->ns_each = p->ns_each ? p->ns_each - p->ns_each / PACE_WEIGHT + each / PACE_WEIGHT : each;
}

/*
 * What to tell one that is refused: the time until all ahead of it are served, and what is being served now is late by;
 * then up to half as much again at random, so that those who were refused together do not come back together.
 */
static inline uint32_t pace_retry_ms(const struct pace *p, unsigned ahead, uint64_t late_ns, uint32_t random)
{
	uint64_t ms = (ahead * p->ns_each + late_ns) / NS_PER_MS;

	if (ms < PACE_RETRY_MS_MIN)
		ms = PACE_RETRY_MS_MIN;
	ms += random % (ms / 2 + 1);
	return ms < PACE_RETRY_MS_MAX ? (uint32_t)ms : PACE_RETRY_MS_MAX;
}

#endif
