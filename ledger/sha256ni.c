/* SHA-256 compression by the x86 SHA extensions (Intel SDM volume 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/sha256ni.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define INLINE __attribute__((target("sha,sse4.1,ssse3"), always_inline)) static inline

/* FIPS 180-4 4.2.2. */
static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The eight working variables as SHA256RNDS2 wants them, high lane first. */
struct vars {
	__m128i abef, cdgh;
};

/* The last sixteen words of the message schedule, w0 the oldest. */
struct schedule {
	__m128i w0, w1, w2, w3;
};

bool sha256ni_available(void)
{
	unsigned a, b, c, d, ssse3_sse41 = bit_SSSE3 | bit_SSE4_1;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & ssse3_sse41) != ssse3_sse41)
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

INLINE struct vars vars_load(const uint32_t state[8])
{
	__m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)), 0x1b);

	return (struct vars){.abef = _mm_alignr_epi8(cdab, efgh, 8), .cdgh = _mm_blend_epi16(efgh, cdab, 0xf0)};
}

INLINE void vars_store(uint32_t state[8], struct vars v)
{
	__m128i feba = _mm_shuffle_epi32(v.abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(v.cdgh, 0xb1);

	_mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

INLINE struct schedule schedule_load(const uint8_t *block)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	const __m128i *p = (const __m128i *)(const void *)block;

	return (struct schedule){
	        .w0 = _mm_shuffle_epi8(_mm_loadu_si128(p), swap),
	        .w1 = _mm_shuffle_epi8(_mm_loadu_si128(p + 1), swap),
	        .w2 = _mm_shuffle_epi8(_mm_loadu_si128(p + 2), swap),
	        .w3 = _mm_shuffle_epi8(_mm_loadu_si128(p + 3), swap),
	};
}

/* The four words that follow sixteen. */
INLINE __m128i next4(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));

	return _mm_sha256msg2_epu32(sum, w3);
}

INLINE void schedule_advance(struct schedule *s)
{
	s->w0 = next4(s->w0, s->w1, s->w2, s->w3);
	s->w1 = next4(s->w1, s->w2, s->w3, s->w0);
	s->w2 = next4(s->w2, s->w3, s->w0, s->w1);
	s->w3 = next4(s->w3, s->w0, s->w1, s->w2);
}

INLINE void rounds4(struct vars *v, __m128i w, unsigned round)
{
	__m128i wk = _mm_add_epi32(w, _mm_load_si128((const __m128i *)(const void *)(round_constants + round)));

	v->cdgh = _mm_sha256rnds2_epu32(v->cdgh, v->abef, wk);
	v->abef = _mm_sha256rnds2_epu32(v->abef, v->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

INLINE void vars_add(struct vars *v, const struct vars *w)
{
	v->abef = _mm_add_epi32(v->abef, w->abef);
	v->cdgh = _mm_add_epi32(v->cdgh, w->cdgh);
}

TARGET void sha256ni_compress(uint32_t state[8], const uint8_t *blocks, size_t n)
{
	struct vars v = vars_load(state);

	for (; n > 0; n--, blocks += 64) {
		struct schedule s = schedule_load(blocks);
		struct vars before = v;

		for (unsigned round = 0; round < 64; round += 16) {
			if (round > 0)
				schedule_advance(&s);
			rounds4(&v, s.w0, round);
			rounds4(&v, s.w1, round + 4);
			rounds4(&v, s.w2, round + 8);
			rounds4(&v, s.w3, round + 12);
		}
		vars_add(&v, &before);
	}
	vars_store(state, v);
}

TARGET void sha256ni_compress2(uint32_t a[8], uint32_t b[8], const uint8_t *blocks_a, const uint8_t *blocks_b, size_t n)
{
	struct vars va = vars_load(a), vb = vars_load(b);

	for (; n > 0; n--, blocks_a += 64, blocks_b += 64) {
		struct schedule sa = schedule_load(blocks_a), sb = schedule_load(blocks_b);
		struct vars before_a = va, before_b = vb;

		for (unsigned round = 0; round < 64; round += 16) {
			if (round > 0) {
				schedule_advance(&sa);
				schedule_advance(&sb);
			}
			rounds4(&va, sa.w0, round);
			rounds4(&vb, sb.w0, round);
			rounds4(&va, sa.w1, round + 4);
			rounds4(&vb, sb.w1, round + 4);
			rounds4(&va, sa.w2, round + 8);
			rounds4(&vb, sb.w2, round + 8);
			rounds4(&va, sa.w3, round + 12);
			rounds4(&vb, sb.w3, round + 12);
		}
		vars_add(&va, &before_a);
		vars_add(&vb, &before_b);
	}
	vars_store(a, va);
	vars_store(b, vb);
}

#else

#include <stdlib.h>

bool sha256ni_available(void)
{
	return false;
}

void sha256ni_compress(uint32_t state[8], const uint8_t *blocks, size_t n)
{
	(void)state, (void)blocks, (void)n;
	abort();
}

void sha256ni_compress2(uint32_t a[8], uint32_t b[8], const uint8_t *blocks_a, const uint8_t *blocks_b, size_t n)
{
	(void)a, (void)b, (void)blocks_a, (void)blocks_b, (void)n;
	abort();
}

#endif
