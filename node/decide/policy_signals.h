/* What a policy of version 2 says of its signals, beside their weights. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_SIGNALS_H
#define NODE_DECIDE_POLICY_SIGNALS_H

#include <stdint.h>

#include "node/decide/command.h"
#include "node/decide/signals.h"

#define SIGNALS_OUTSIDE_MAX 8 /* Scores from outside that a policy may name: SIGNAL_OUTSIDE_1 to 8. */

/*
 * X(name, key in policies, kind, least, most, default): their order is that of the compiled form, for ever; new ones go
 * at the end. Times are in ms.
 */
#define SIGNAL_PARAMETER_LIST(X)                                                                                       \
	/* Airliners cruise at about 900 km/h. */                                                                      \
	X(travel_kmh, "travel_kmh", PARAMETER_NUMBER, 1, 100000, 900)                                                  \
	/* Nearer is no travel: databases of addresses err as far. */                                                  \
	X(travel_km, "travel_km", PARAMETER_NUMBER, 0, 20000, 100)                                                     \
	/* Counters of half-life 1 h, 24 h, and of all subjects 5 min. */                                              \
	X(rate_subject_hour, "rate_subject_hour", PARAMETER_NUMBER, 1, 10000000, 1000)                                 \
	X(rate_subject_day, "rate_subject_day", PARAMETER_NUMBER, 1, 10000000, 10000)                                  \
	X(rate_action, "rate_action", PARAMETER_NUMBER, 1, 10000000, 100000)                                           \
	X(rate_resource, "rate_resource", PARAMETER_NUMBER, 1, 10000000, 100000)                                       \
	/* How much must be known before it is told: events, amounts, events of a group. */                            \
	X(rarity_history, "rarity_history", PARAMETER_NUMBER, 1, 65535, 20)                                            \
	X(amount_history, "amount_history", PARAMETER_NUMBER, 1, 65535, 5)                                             \
	X(group_history, "group_history", PARAMETER_NUMBER, 1, 1000000, 20)                                            \
	/* Deviations below which an amount is usual. */                                                               \
	X(amount_deviations, "amount_deviations", PARAMETER_NUMBER, 1, 100, 3)                                         \
	X(proof_recent_ms, "proof_recent", PARAMETER_TIME, 0, 86400000, 900000)                                        \
	X(proof_stale_ms, "proof_stale", PARAMETER_TIME, 60000, 31536000000, 2592000000)                               \
	/* A session is live so long after it was last seen. */                                                        \
	X(session_window_ms, "session_window", PARAMETER_TIME, 60000, 86400000, 1800000)

enum parameter_kind { PARAMETER_NUMBER, PARAMETER_TIME };

struct signal_policy {
#define PARAMETER_FIELD(name, key, kind, least, most, fallback) uint64_t name;
	SIGNAL_PARAMETER_LIST(PARAMETER_FIELD)
#undef PARAMETER_FIELD
	unsigned n_outside;
	struct text outside[SIGNALS_OUTSIDE_MAX]; /* Attributes of the context, integers from -1000 to 1000. */
};

void signal_policy_defaults(struct signal_policy *ret);
/*
 * Section of a compiled policy: [[weight of signal 24, …], [parameter…], [attribute…]]. weights: as the policy's, by
 * signal. Shorter lists are an older build's: weights that are not there are 0, parameters as by default.
 */
void signal_policy_write(struct writer *w, const struct signal_policy *p, const int32_t *weights);
void signal_policy_read(struct reader *r, struct signal_policy *ret, int32_t *weights);

#endif
