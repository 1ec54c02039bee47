/* Lives of subjects: a full one, a usual one, and what no life leaves behind. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/decide_kit.h"
#include "tests/past_kit.h"

#define WEEKS_FULL   52
#define STEP_FULL_MS (7 * KIT_DAY_MS / 100 + 61637) /* Another hour of the week each time. */
#define WEEKS_USUAL  26

uint64_t past_kit_random(uint64_t *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * UINT64_C(2685821657736338717);
}

/* One of n values of this sort; those with low numbers far more often. */
static uint64_t value(uint64_t *random, uint64_t number, unsigned sort, unsigned n)
{
	unsigned a = (unsigned)(past_kit_random(random) >> 32) % n, b = (unsigned)(past_kit_random(random) >> 32) % n;
	uint64_t seed = number << 16 ^ (uint64_t)sort << 8 ^ (a < b ? a : b) ^ UINT64_C(0x9e3779b97f4a7c15);

	return past_kit_random(&seed);
}

/* How many values there are of each. */
struct variety {
	unsigned features[FEATURE_COUNT], traces[TRACE_COUNT], sessions;
};

static void live(struct past *p, uint64_t *random, uint64_t number, uint64_t now_ms, const struct variety *v)
{
	struct observation o = {0};
	struct sight s = {.has_amount = true,
	                  .amount = (int64_t)(past_kit_random(random) % 5000),
	                  .has_position = true,
	                  .latitude = 523740,
	                  .longitude = (int32_t)(number % 1000) * 100,
	                  .session = value(random, number, 99, v->sessions)};

	for (unsigned f = 0; f < FEATURE_COUNT; f++)
		o.value[f] = v->features[f] > 0 ? value(random, number, f, v->features[f]) : 0;
	for (unsigned k = 0; k < TRACE_COUNT; k++)
		s.value[k] = value(random, number, 100 + k, v->traces[k]);
	counter_add(&p->profile.rate, now_ms, RATE_HALF_LIFE_MS);
	history_asked(&p->history, now_ms);
	profile_train(&p->profile, &o, now_ms, true);
	history_train(&p->history, &s, o.value[FEATURE_NETWORK], now_ms, true);
	if (past_kit_random(random) % 50 == 0)
		counter_add(&p->profile.failures, now_ms, FAILURE_HALF_LIFE_MS);
}

void past_kit_full(struct past *ret, uint64_t number)
{
	static const struct variety all = {{20, 20, 20, 20, 20, 20, 20, 20}, {20, 20, 20, 20}, 20};
	uint64_t random = number + 1;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < WEEKS_FULL * 100; i++)
		live(ret, &random, number, KIT_START_MS + i * STEP_FULL_MS + past_kit_random(&random) % 60000, &all);
}

void past_kit_usual(struct past *ret, uint64_t number)
{
	static const struct variety some = {{2, 6, 3, 2, 1, 1, 0, 8}, {2, 2, 2, 12}, 8};
	uint64_t random = number + 1;

	memset(ret, 0, sizeof(*ret));
	for (unsigned week = 0; week < WEEKS_USUAL; week++)
		for (unsigned day = 0; day < 5; day++)
			for (unsigned i = 0; i < 8; i++)
				live(ret, &random, number,
				     KIT_START_MS + (week * 7 + day) * KIT_DAY_MS + (8 + i) * KIT_HOUR_MS +
				             past_kit_random(&random) % 3600000,
				     &some);
}

/* Any number of bits: small ones as often as large ones. */
static uint64_t wild(uint64_t *random)
{
	uint64_t bits = past_kit_random(random) >> 58;

	return bits == 0 ? 0 : past_kit_random(random) >> (64 - bits);
}

void past_kit_wild(struct past *ret, uint64_t *random)
{
	struct profile *p = &ret->profile;
	struct history *h = &ret->history;

	memset(ret, 0, sizeof(*ret));
	*p = (struct profile){.trained = (uint32_t)wild(random),
	                      .imported = (uint32_t)wild(random),
	                      .last_ms = wild(random),
	                      .rate = {wild(random), (uint32_t)wild(random)},
	                      .import_rate = {wild(random), (uint32_t)wild(random)},
	                      .failures = {wild(random), (uint32_t)wild(random)},
	                      .hour_trained = (uint32_t)wild(random),
	                      .hour_imported = (uint32_t)wild(random)};
	*h = (struct history){
	        .begun = wild(random) & 1,
	        .fell = (uint32_t)wild(random),
	        .rates = {{wild(random), wild(random)}, {wild(random), wild(random)}},
	        .place_ms = wild(random),
	        .latitude = (int32_t)wild(random),
	        .longitude = -(int32_t)(wild(random) >> 33),
	        .proof_ms = wild(random),
	        .amounts = {(uint32_t)wild(random), (int64_t)wild(random), -(int64_t)(wild(random) >> 1)}};
	for (unsigned f = 0; f < FEATURE_COUNT; f++)
		p->gain_day[f] = (uint32_t)wild(random);
	for (unsigned k = 0; k < TRACE_COUNT; k++)
		h->gain_day[k] = (uint32_t)wild(random);
	unsigned hours = (unsigned)wild(random) % (PROFILE_HOURS + 1);
	for (unsigned i = 0; i < hours; i++)
		p->hours[past_kit_random(random) % PROFILE_HOURS] = (uint8_t)wild(random);
	for (unsigned i = 0; i < PROFILE_SLOTS; i++)
		if (wild(random) & 1)
			p->slots[i] = (struct slot){wild(random), (uint32_t)wild(random), (uint16_t)wild(random),
			                            wild(random) & 1};
	for (unsigned i = 0; i < TRACE_SLOTS; i++)
		if (wild(random) & 1)
			h->traces[i] = (struct trace){(uint32_t)wild(random), (uint32_t)wild(random),
			                              (uint16_t)wild(random), wild(random) & 1};
	for (unsigned i = 0; i < SESSION_SLOTS; i++)
		if (wild(random) & 1)
			h->sessions[i] = (struct session_slot){(uint32_t)wild(random), (uint32_t)wild(random),
			                                       (uint32_t)wild(random)};
}
