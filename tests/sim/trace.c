/* Chance and trace: the seeded generator, the hash of everything that happened, words for whoever replays a seed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/os.h"

bool os_verbose;
const char *os_failure;

static uint64_t state[4];
static uint64_t hash;

/* splitmix64 (Steele, Lea, Flood 2014) to fill, xoshiro256** (Blackman, Vigna 2018) to go on. */
static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

void os_seed(uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++)
		state[i] = splitmix(&seed);
	hash = seed;
}

uint64_t os_random(void)
{
	uint64_t ret = rotate(state[1] * 5, 7) * 9, t = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= t;
	state[3] = rotate(state[3], 45);
	return ret;
}

uint64_t os_below(uint64_t n)
{
	return n ? (uint64_t)(((unsigned __int128)os_random() * n) >> 64) : 0;
}

uint64_t os_between(uint64_t min, uint64_t max)
{
	return min + os_below(max - min + 1);
}

bool os_chance(uint32_t ppm)
{
	return ppm && os_below(1000000) < ppm;
}

void os_random_bytes(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		uint64_t r = os_random();
		size_t n = len < 8 ? len : 8;
		memcpy(p, &r, n);
		p += n;
		len -= n;
	}
}

static void fold(uint64_t x)
{
	hash = (rotate(hash, 5) ^ x) * UINT64_C(0x9e3779b97f4a7c15);
}

void os_trace(unsigned node, const char *kind, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t word;

	fold(os_now);
	fold(node);
	for (const char *k = kind; *k; k++)
		fold((uint8_t)*k);
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		fold(word);
	}
	word = 0;
	if (len)
		memcpy(&word, p, len);
	fold(word ^ len << 56);
	if (os_verbose)
		fprintf(stderr, "%11.6f %u %s %016" PRIx64 "\n", (double)os_now / 1e9, node, kind, hash);
}

void os_note(unsigned node, const char *format, ...)
{
	va_list ap;

	if (!os_verbose)
		return;
	fprintf(stderr, "%11.6f %u ", (double)os_now / 1e9, node);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

uint64_t os_trace_hash(void)
{
	return hash;
}
