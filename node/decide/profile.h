/* A subject's profile: what was allowed to it before, bounded, forgotten in a fixed order. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_PROFILE_H
#define NODE_DECIDE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "node/decide/command.h"

/* X(name, slots): how many values of a feature a profile remembers; kept in less than 1 KiB (past.h). */
#define FEATURE_LIST(X)                                                                                                \
	X(FEATURE_DEVICE, 8)                                                                                           \
	X(FEATURE_ADDRESS, 6)                                                                                          \
	X(FEATURE_NETWORK, 8)                                                                                          \
	X(FEATURE_AGENT, 4)                                                                                            \
	X(FEATURE_COUNTRY, 4)                                                                                          \
	X(FEATURE_REGION, 4)                                                                                           \
	X(FEATURE_ACTOR, 4)                                                                                            \
	X(FEATURE_ACTION, 10)

enum feature {
#define FEATURE_ENUM(name, slots) name,
	FEATURE_LIST(FEATURE_ENUM)
#undef FEATURE_ENUM
	        FEATURE_COUNT
};
#define FEATURE_SUM(name, slots) +slots
#define PROFILE_SLOTS            (0 FEATURE_LIST(FEATURE_SUM))
#define PROFILE_HOURS            168 /* Hours of a week, Monday 00:00 UTC first. */

/*
 * What a request shows of each feature, as the first 8 bytes of BLAKE2b-128 over feature and value (0: not shown).
 * Values themselves are not kept: a profile recognises, it does not tell.
 */
struct observation {
	uint64_t value[FEATURE_COUNT];
};
void observe(struct observation *ret, const struct request *r);
/* One value; tag: a feature, or what else is told apart. Never 0, which stands for "not shown". At most 514 bytes. */
uint64_t observed_value(uint8_t tag, const void *bytes, size_t len);

/*
 * A counter that halves: value has 8 fractional bits and is of time_ms. It never decays towards the past.
 */
struct counter {
	uint64_t time_ms;
	uint32_t value;
};
#define COUNTER_ONE          256u
#define RATE_HALF_LIFE_MS    UINT64_C(300000)   /* 5 minutes: "lately" for velocity. */
#define FAILURE_HALF_LIFE_MS UINT64_C(43200000) /* 12 hours: last night's failure still counts in the morning. */
uint32_t counter_at(const struct counter *c, uint64_t now_ms, uint64_t half_life_ms);
void counter_add(struct counter *c, uint64_t now_ms, uint64_t half_life_ms);

struct slot {
	uint64_t value;    /* 0: free. */
	uint32_t last_min; /* Minutes since the epoch of the last use. */
	uint16_t uses;
	uint16_t imported; /* 1: known from import only. */
};

struct profile {
	uint32_t trained, imported; /* Allowed decisions and imported events that it learnt from. */
	uint64_t last_ms;           /* Last allowed; imports never move it. */
	struct counter rate, import_rate, failures;
	uint32_t hour_trained, hour_imported; /* Last hour counted, plus 1: each hour counts once. */
	uint32_t gain_day[FEATURE_COUNT];     /* Day, plus 1, on which a value was last gained without strong proof. */
	uint8_t hours[PROFILE_HOURS];
	struct slot slots[PROFILE_SLOTS]; /* Features one after the other. */
};

/* The slot of a value, or NULL. */
const struct slot *profile_find(const struct profile *p, enum feature f, uint64_t value);
/* The slots of a feature; returns how many. */
unsigned profile_slots(const struct profile *p, enum feature f, const struct slot **ret);
bool profile_has_any(const struct profile *p, enum feature f);
/* 0: usual, or too little is known; 1: the hour is usual, but not on this kind of day; 2: seldom or never at this hour.
 */
int profile_odd_hour(const struct profile *p, uint64_t event_ms);

/*
 * Learns from what was allowed. Without strong proof a profile gains at most one new value a feature a day, so that a
 * thief who slips through once does not become the owner.
 */
void profile_train(struct profile *p, const struct observation *o, uint64_t now_ms, bool strong);
/*
 * Learns from an imported event: a quarter of the weight for the hour, a value never displaces one that was learnt from
 * a decision and stays marked, last place and time do not move.
 */
void profile_train_import(struct profile *p, const struct observation *o, uint64_t event_ms);

/* As elements of an array that the caller has opened: PROFILE_ELEMENTS of them. */
#define PROFILE_ELEMENTS 14
void profile_write(struct writer *w, const struct profile *p);
void profile_read(struct reader *r, struct profile *ret);

#endif
