/* The signals of policies of version 2 in plain floating point: what decide's are held to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIGNALS_REFERENCE_H
#define TESTS_SIGNALS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "node/decide/signals.h"

#define REF_USERS  6
#define REF_EVENTS 512 /* Of all users. */

/* What the features of an event are called here; values are small numbers, -1: not shown. */
enum { REF_ADDRESS, REF_NETWORK, REF_ASN, REF_COUNTRY, REF_AGENT, REF_PROGRAM, REF_SYSTEM, REF_RESOURCE, REF_FEATURES };

struct ref_event {
	uint64_t ms;
	int user;
	int value[REF_FEATURES];
	bool learnt[REF_FEATURES]; /* Set by ref_learn: not all that was allowed is learnt. */
	bool has_position, has_amount, strong;
	double latitude, longitude; /* Degrees. */
	double amount;
	int session; /* -1: none. */
};

/* Every event was allowed; they come in order of time. */
struct ref {
	struct ref_event events[REF_EVENTS];
	unsigned n;
	double kmh, km, rate_hour, rate_day, rarity_history, amount_history, deviations, stale_ms, recent_ms,
	        window_min;
};

/* Value of each signal from SIGNAL_RARITY on; velocities: the counter's own value, not its level. */
void ref_signals(const struct ref *r, const struct ref_event *e, double ret[SIGNAL_MAX + 1]);
void ref_learn(struct ref *r, const struct ref_event *e);
double ref_distance_km(double lat1, double lon1, double lat2, double lon2);

#endif
