/* Fixed-point mathematics of the signals: logarithm by table, sine and arc by CORDIC. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/fixed.h"

#define LOG2_BITS        7
#define CORDIC_STEPS     32
#define CORDIC_GAIN      INT64_C(667681663043) /* 2^40 times the product of cos(atan(2^-i)). */
#define UNIT_RADIANS_Q56 INT64_C(125764226703) /* 2^56 times a ten-thousandth of a degree. */
#define EARTH_RADIUS_MM  UINT64_C(6371008800)  /* Mean radius (IUGG). */
#define HALF_TURN        3600000               /* In ten-thousandths of a degree, a whole turn: 360 degrees. */
#define LN2_MILLI_Q16    45426                 /* 2^16 times ln 2. */

/* 65536 * log2(1 + i / 128) */
static const uint32_t log2_table[(1 << LOG2_BITS) + 1] = {
        0,     736,   1466,  2190,  2909,  3623,  4331,  5034,  5732,  6425,  7112,  7795,  8473,  9146,  9814,
        10477, 11136, 11791, 12440, 13086, 13727, 14363, 14996, 15624, 16248, 16868, 17484, 18096, 18704, 19308,
        19909, 20505, 21098, 21687, 22272, 22854, 23433, 24007, 24579, 25146, 25711, 26272, 26830, 27384, 27936,
        28484, 29029, 29571, 30109, 30645, 31178, 31707, 32234, 32758, 33279, 33797, 34312, 34825, 35334, 35841,
        36346, 36847, 37346, 37842, 38336, 38827, 39316, 39802, 40286, 40767, 41246, 41722, 42196, 42667, 43137,
        43603, 44068, 44530, 44990, 45448, 45904, 46357, 46809, 47258, 47705, 48150, 48593, 49034, 49472, 49909,
        50344, 50776, 51207, 51636, 52063, 52488, 52911, 53332, 53751, 54169, 54584, 54998, 55410, 55820, 56229,
        56635, 57040, 57443, 57845, 58245, 58643, 59039, 59434, 59827, 60219, 60609, 60997, 61384, 61769, 62152,
        62534, 62915, 63294, 63671, 64047, 64421, 64794, 65166, 65536};

/* 2^32 * 2^(-i / 64); the first is 1, less what does not fit. */
static const uint32_t exp2_table[65] = {
        4294967295u, 4248701965u, 4202935003u, 4157661043u, 4112874773u, 4068570940u, 4024744348u, 3981389855u,
        3938502376u, 3896076880u, 3854108391u, 3812591987u, 3771522796u, 3730896002u, 3690706840u, 3650950594u,
        3611622603u, 3572718252u, 3534232978u, 3496162267u, 3458501653u, 3421246719u, 3384393094u, 3347936457u,
        3311872529u, 3276197082u, 3240905930u, 3205994934u, 3171459999u, 3137297074u, 3103502151u, 3070071267u,
        3037000500u, 3004285971u, 2971923842u, 2939910317u, 2908241642u, 2876914102u, 2845924021u, 2815267765u,
        2784941738u, 2754942382u, 2725266179u, 2695909648u, 2666869345u, 2638141863u, 2609723834u, 2581611923u,
        2553802834u, 2526293303u, 2499080105u, 2472160047u, 2445529972u, 2419186755u, 2393127307u, 2367348571u,
        2341847524u, 2316621173u, 2291666561u, 2266980759u, 2242560872u, 2218404036u, 2194507417u, 2170868212u,
        2147483648u};

/* 2^40 * atan(2^-i) */
static const int64_t atan_table[CORDIC_STEPS] = {
        863554413089, 509785937287, 269356888665, 136729762476, 68630207382, 34348560106, 17178471287, 8589759836,
        4294945451,   2147480917,   1073741483,   536870869,    268435451,   134217727,   67108864,    33554432,
        16777216,     8388608,      4194304,      2097152,      1048576,     524288,      262144,      131072,
        65536,        32768,        16384,        8192,         4096,        2048,        1024,        512};

int32_t fixed_log2(uint64_t v)
{
	if (v == 0)
		return 0;
	unsigned exponent = 63 - (unsigned)__builtin_clzll(v);
	uint64_t fraction = (v << (63 - exponent)) << 1; /* Of the mantissa, as 64 bits after the point. */
	unsigned i = (unsigned)(fraction >> (64 - LOG2_BITS));
	uint64_t rest = (fraction << LOG2_BITS) >> 32; /* Between two rows a straight line, 32 bits after the point. */
	uint64_t low = log2_table[i], step = log2_table[i + 1] - low;

	return (int32_t)(exponent * FIXED_ONE + low + ((step * rest + (UINT64_C(1) << 31)) >> 32));
}

int32_t fixed_millinats(int64_t log2_q16)
{
	return (int32_t)(log2_q16 * (LN2_MILLI_Q16 * INT64_C(1000)) / (INT64_C(1) << 32));
}

uint64_t fixed_sqrt(uint64_t v)
{
	uint64_t root = 0, bit = UINT64_C(1) << 62;

	while (bit > v)
		bit >>= 2;
	for (; bit != 0; bit >>= 2) {
		if (v >= root + bit) {
			v -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return root;
}

/* Divided by 2^n, rounded down: what >> does to negative numbers is the compiler's choice (C11 6.5.7). */
static int64_t shift(int64_t v, unsigned n)
{
	return v >= 0 ? v >> n : -((-v + (INT64_C(1) << n) - 1) >> n);
}

/* Of an angle in Q40 radians, at most a quarter turn either way: both in Q40. Volder's rotation (CORDIC, 1959). */
static void sine_cosine(int64_t angle, int64_t *ret_sin, int64_t *ret_cos)
{
	int64_t x = CORDIC_GAIN, y = 0;

	for (unsigned i = 0; i < CORDIC_STEPS; i++) {
		int64_t dx = shift(y, i), dy = shift(x, i);
		if (angle >= 0) {
			x -= dx;
			y += dy;
			angle -= atan_table[i];
		} else {
			x += dx;
			y -= dy;
			angle += atan_table[i];
		}
	}
	*ret_sin = y;
	*ret_cos = x;
}

/* Angle of (x, y), both from 0 to 2^40: Q40 radians. */
static int64_t arc(int64_t x, int64_t y)
{
	int64_t angle = 0;

	for (unsigned i = 0; i < CORDIC_STEPS; i++) {
		int64_t dx = shift(y, i), dy = shift(x, i);
		if (y > 0) {
			x += dx;
			y -= dy;
			angle += atan_table[i];
		} else {
			x -= dx;
			y += dy;
			angle -= atan_table[i];
		}
	}
	return angle < 0 ? 0 : angle;
}

uint64_t fixed_decay(uint64_t v, uint64_t elapsed, uint64_t half_life)
{
	uint64_t halves = elapsed / half_life, rest = elapsed % half_life;

	if (halves >= 64)
		return 0;
	uint64_t at = (rest << 24) / half_life, i = at >> 18,
	         part = at & ((1 << 18) - 1); /* In 64ths; of one, 18 bits. */
	uint64_t factor = exp2_table[i] - ((uint64_t)(exp2_table[i] - exp2_table[i + 1]) * part >> 18);
	v >>= halves;
	return (v >> 32) * factor + (((v & UINT32_MAX) * factor) >> 32);
}

static int64_t radians_q40(int64_t units, unsigned halves)
{
	return units * UNIT_RADIANS_Q56 / (INT64_C(1) << (16 + halves));
}

uint32_t fixed_distance_m(int32_t lat1, int32_t lon1, int32_t lat2, int32_t lon2)
{
	int64_t sin_lat, sin_lon, cos1, cos2, unused;
	int32_t east = lon2 > lon1 ? lon2 - lon1 : lon1 - lon2;

	if (lat1 == lat2 && east == 0)
		return 0; /* As below, and most requests come from where the last one came from. */
	if (east > HALF_TURN / 2)
		east = HALF_TURN - east; /* The short way round. */
	sine_cosine(radians_q40((int64_t)lat2 - lat1, 1), &sin_lat, &unused);
	sine_cosine(radians_q40(east, 1), &sin_lon, &unused);
	sine_cosine(radians_q40(lat1, 0), &unused, &cos1);
	sine_cosine(radians_q40(lat2, 0), &unused, &cos2);
	/* Q31: products of two fit 62 bits. */
	int64_t a = shift(sin_lat, 9), b = shift(sin_lon, 9);
	int64_t b1 = shift(b * shift(cos1, 9), 31), b2 = shift(b * shift(cos2, 9), 31);
	int64_t whole = INT64_C(1) << 62, h = a * a + b1 * b2;
	h = h < 0 ? 0 : h > whole ? whole : h;
	int64_t half = arc((int64_t)fixed_sqrt((uint64_t)(whole - h)) << 9, (int64_t)fixed_sqrt((uint64_t)h) << 9);
	return (uint32_t)(((uint64_t)half >> 8) * (EARTH_RADIUS_MM / 500) >> 32);
}
