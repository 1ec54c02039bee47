/* SHA-256 blocks and tree nodes by the x86 SHA extensions (Intel SDM volume 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2). */
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

/* FIPS 180-4 5.3.3. */
static const uint32_t initial_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

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
	const unsigned ssse3_sse41 = bit_SSSE3 | bit_SSE4_1;
	unsigned a, b, c, d, leaf1_c = 0, leaf7_b = 0; /* A leaf that is not there leaves its registers as they are. */

	__get_cpuid(1, &a, &b, &leaf1_c, &d);
	__get_cpuid_count(7, 0, &a, &leaf7_b, &c, &d);
	return ((leaf1_c & ssse3_sse41) == ssse3_sse41) & ((leaf7_b & bit_SHA) != 0);
}

INLINE __m128i load(const void *p)
{
	return _mm_loadu_si128(p);
}

INLINE void store(void *p, __m128i v)
{
	_mm_storeu_si128(p, v);
}

INLINE struct vars vars_load(const uint32_t state[8])
{
	__m128i cdab = _mm_shuffle_epi32(load(state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(load(state + 4), 0x1b);

	return (struct vars){.abef = _mm_alignr_epi8(cdab, efgh, 8), .cdgh = _mm_blend_epi16(efgh, cdab, 0xf0)};
}

INLINE void vars_store(uint32_t state[8], struct vars v)
{
	__m128i feba = _mm_shuffle_epi32(v.abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(v.cdgh, 0xb1);

	store(state, _mm_blend_epi16(feba, dchg, 0xf0));
	store(state + 4, _mm_alignr_epi8(dchg, feba, 8));
}

/* Words are big-endian in messages and digests. */
INLINE __m128i swap_words(__m128i v)
{
	return _mm_shuffle_epi8(v, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

INLINE struct schedule schedule_of(__m128i b0, __m128i b1, __m128i b2, __m128i b3)
{
	return (struct schedule){swap_words(b0), swap_words(b1), swap_words(b2), swap_words(b3)};
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
	__m128i wk = _mm_add_epi32(w, load(round_constants + round));

	v->cdgh = _mm_sha256rnds2_epu32(v->cdgh, v->abef, wk);
	v->abef = _mm_sha256rnds2_epu32(v->abef, v->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

INLINE void vars_add(struct vars *v, const struct vars *w)
{
	v->abef = _mm_add_epi32(v->abef, w->abef);
	v->cdgh = _mm_add_epi32(v->cdgh, w->cdgh);
}

/* FIPS 180-4 6.2.2 for one block. */
INLINE void block(struct vars *v, struct schedule s)
{
	struct vars before = *v;

	for (unsigned round = 0; round < 64; round += 16) {
		if (round > 0)
			schedule_advance(&s);
		rounds4(v, s.w0, round);
		rounds4(v, s.w1, round + 4);
		rounds4(v, s.w2, round + 8);
		rounds4(v, s.w3, round + 12);
	}
	vars_add(v, &before);
}

/* One block of each of two messages: the rounds of one fill the waits of the other. */
INLINE void block2(struct vars v[2], struct schedule s, struct schedule t)
{
	struct vars before[2] = {v[0], v[1]};

	for (unsigned round = 0; round < 64; round += 16) {
		if (round > 0) {
			schedule_advance(&s);
			schedule_advance(&t);
		}
		rounds4(&v[0], s.w0, round);
		rounds4(&v[1], t.w0, round);
		rounds4(&v[0], s.w1, round + 4);
		rounds4(&v[1], t.w1, round + 4);
		rounds4(&v[0], s.w2, round + 8);
		rounds4(&v[1], t.w2, round + 8);
		rounds4(&v[0], s.w3, round + 12);
		rounds4(&v[1], t.w3, round + 12);
	}
	vars_add(&v[0], &before[0]);
	vars_add(&v[1], &before[1]);
}

TARGET void sha256ni_compress(uint32_t state[8], const uint8_t *blocks, size_t n)
{
	struct vars v = vars_load(state);

	for (; n > 0; n--, blocks += 64)
		block(&v, schedule_of(load(blocks), load(blocks + 16), load(blocks + 32), load(blocks + 48)));
	vars_store(state, v);
}

/* First block of 01 || left || right: all but the last byte of right. Built in registers, from loads alone. */
INLINE struct schedule node_first(const struct hash *left, const struct hash *right)
{
	const __m128i prefix = _mm_set_epi64x(0x01ll << 56, 0);

	return schedule_of(_mm_alignr_epi8(load(left->b), prefix, 15), load(left->b + 15),
	                   _mm_alignr_epi8(load(right->b), load(left->b + 16), 15), load(right->b + 15));
}

/* Second block: the last byte, and the padding of a message of 65 bytes (FIPS 180-4 5.1.1). */
INLINE struct schedule node_second(const struct hash *right)
{
	uint32_t first_word = (uint32_t)right->b[31] << 24 | 0x800000;

	return (struct schedule){
	        .w0 = _mm_set_epi32(0, 0, 0, (int)first_word),
	        .w1 = _mm_setzero_si128(),
	        .w2 = _mm_setzero_si128(),
	        .w3 = _mm_set_epi32(8 * (1 + 2 * HASH_SIZE), 0, 0, 0),
	};
}

/* The working variables as the digest's bytes. */
INLINE void digest_store(struct hash *ret, struct vars v)
{
	__m128i feba = _mm_shuffle_epi32(v.abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(v.cdgh, 0xb1);

	store(ret->b, swap_words(_mm_blend_epi16(feba, dchg, 0xf0)));
	store(ret->b + 16, swap_words(_mm_alignr_epi8(dchg, feba, 8)));
}

TARGET void sha256ni_node(struct hash *ret, const struct hash *left, const struct hash *right)
{
	struct schedule second = node_second(right);
	struct vars v = vars_load(initial_state);

	block(&v, node_first(left, right));
	block(&v, second);
	digest_store(ret, v);
}

TARGET void sha256ni_node2(struct hash ret[2], const struct hash in[4])
{
	struct schedule second_a = node_second(&in[1]), second_b = node_second(&in[3]);
	struct vars v[2] = {vars_load(initial_state), vars_load(initial_state)};

	block2(v, node_first(&in[0], &in[1]), node_first(&in[2], &in[3]));
	block2(v, second_a, second_b);
	digest_store(&ret[0], v[0]);
	digest_store(&ret[1], v[1]);
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

void sha256ni_node(struct hash *ret, const struct hash *left, const struct hash *right)
{
	(void)ret, (void)left, (void)right;
	abort();
}

void sha256ni_node2(struct hash ret[2], const struct hash in[4])
{
	(void)ret, (void)in;
	abort();
}

#endif
