/* A subject's further profile, of policies of version 2: what its profile (profile.h) has no place for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_HISTORY_H
#define NODE_DECIDE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "node/decide/command.h"
#include "node/decide/place.h"
#include "node/decide/profile.h"

/* X(name, slots): remembered beside the profile's own features; bounded alike. */
#define TRACE_LIST(X)                                                                                                  \
	X(TRACE_ASN, 4)                                                                                                \
	X(TRACE_PROGRAM, 3)                                                                                            \
	X(TRACE_SYSTEM, 3)                                                                                             \
	X(TRACE_RESOURCE, 12)

enum trace_kind {
#define TRACE_ENUM(name, slots) name,
	TRACE_LIST(TRACE_ENUM)
#undef TRACE_ENUM
	        TRACE_COUNT
};
#define TRACE_SUM(name, slots) +slots
#define TRACE_SLOTS            (0 TRACE_LIST(TRACE_SUM))
#define SESSION_SLOTS          4

/* What a request shows beyond its observation. 64-bit values for the world's counts, 0: not shown. */
struct sight {
	uint64_t value[TRACE_COUNT];
	uint64_t session;
	bool has_amount, has_position;
	int64_t amount;              /* Within AMOUNT_MAX either way. */
	int32_t latitude, longitude; /* Of the context, else of the place; in ten-thousandths of a degree. */
};
/* Also the country of the place into o, where the context names none. */
void sight_take(struct sight *ret, struct observation *o, const struct request *q);
uint64_t group_value(struct text name); /* A group, for the world's counts. */

/*
 * One value as a profile keeps it: the upper half of its 64 bits. Who makes a resource that looks like another one has
 * gained a known resource, nothing more.
 */
struct trace {
	uint32_t value; /* 0: free. */
	uint32_t last_min;
	uint16_t uses;
	uint16_t imported; /* 1: known from import only. */
};

#define AMOUNT_MAX ((INT64_C(1) << 40) - 1)
#define AMOUNT_ONE 256

/* Running mean and mean deviation with 8 fractional bits. */
struct amounts {
	uint32_t n; /* That it learnt from. */
	int64_t mean;
	int64_t deviation;
};

/* A deviation, never under a sixteenth of the mean, nor one: who always pays the same may pay a little more. */
int64_t amounts_spread(const struct amounts *a);

struct session_slot {
	uint32_t id, network; /* Upper halves; id 0: free. */
	uint32_t last_min;
};

/*
 * A counter that halves exactly, however often it is looked at: with 20 fractional bits, for a day's half-life under
 * thousands of requests a second. It never decays towards the past.
 */
struct rate {
	uint64_t time_ms, value;
};
#define RATE_FRACTION_BITS 20
#define RATE_VALUE_MAX     (UINT64_C(1) << 52)
uint64_t rate_at(const struct rate *r, uint64_t now_ms, uint64_t half_life_ms);
void rate_add(struct rate *r, uint64_t now_ms, uint64_t half_life_ms);
/* 0 while it is under max, then one for each doubling, to 5. */
int32_t rate_level(const struct rate *r, uint64_t now_ms, uint64_t half_life_ms, uint64_t max);

enum { RATE_HOUR, RATE_DAY, RATE_COUNT }; /* Half-lives of the further counters. */
#define RATE_HOUR_MS UINT64_C(3600000)
#define RATE_DAY_MS  UINT64_C(86400000)

struct history {
	bool begun;    /* Anything below is set: it has a record. */
	uint32_t fell; /* Which credential counted backwards last, by its id above CREDENTIAL_ID_MIN; 0: none ever. */
	struct rate rates[RATE_COUNT];
	uint64_t place_ms; /* 0: no last place. Imports never move it. */
	int32_t latitude, longitude;
	uint64_t proof_ms; /* Last strong proof; 0: never. */
	struct amounts amounts;
	uint32_t gain_day[TRACE_COUNT]; /* As the profile's. */
	struct session_slot sessions[SESSION_SLOTS];
	struct trace traces[TRACE_SLOTS]; /* Kinds one after the other. */
};

const struct trace *history_find(const struct history *h, enum trace_kind k, uint64_t value); /* NULL: unknown. */
/* The slots of a kind; returns how many. */
unsigned history_traces(const struct history *h, enum trace_kind k, const struct trace **ret);

/* Any request, allowed or not: what velocity counts. */
void history_asked(struct history *h, uint64_t now_ms);
/*
 * Learns from what was allowed, with the same bounds as profile_train. network: of the observation. Amounts beyond
 * four deviations teach as four: one outlier does not move what is usual.
 */
void history_train(struct history *h, const struct sight *v, uint64_t network, uint64_t now_ms, bool strong);
void history_fell(struct history *h, uint64_t credential_id); /* Its counter did. */
/* From an import: values and amounts while no decision has taught any; no place, no session, no proof. */
void history_train_import(struct history *h, const struct sight *v, uint64_t event_ms, bool decided);

void history_write(struct writer *w, const struct history *h);
void history_read(struct reader *r, struct history *ret);

#endif
