/* Fixed-point mathematics of the signals: integers only, so that every build gives the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_FIXED_H
#define NODE_DECIDE_FIXED_H

#include <stdint.h>

#define FIXED_ONE 65536 /* Q16.16. */

/* log2(v) in Q16.16, at most 2 units (2^-15) off. v 0: as 1. */
int32_t fixed_log2(uint64_t v);
/* log2 in Q16.16 as natural logarithm in thousandths: milli-logits. Rounded towards zero. */
int32_t fixed_millinats(int64_t log2_q16);
/* v * 2^(-elapsed / half_life), at most 1/30,000 and one unit off. half_life below 2^40. */
uint64_t fixed_decay(uint64_t v, uint64_t elapsed, uint64_t half_life);
uint64_t fixed_sqrt(uint64_t v); /* Rounded down. */

#define FIXED_LATITUDE_MAX  900000 /* Positions are in ten-thousandths of a degree: 11 m. */
#define FIXED_LONGITUDE_MAX 1800000
/*
 * Great-circle distance in metres on a sphere of the mean radius, by the haversine formula; the arguments within the
 * bounds above. At most 3 m or 1/50,000 off what the formula gives in real numbers.
 */
uint32_t fixed_distance_m(int32_t lat1, int32_t lon1, int32_t lat2, int32_t lon2);

#endif
