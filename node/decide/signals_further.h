/* The signals of policies of version 2: from further profile, world counts, place and scores from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_SIGNALS_FURTHER_H
#define NODE_DECIDE_SIGNALS_FURTHER_H

#include "node/decide/history.h"
#include "node/decide/policy_signals.h"
#include "node/decide/world.h"

#define SIGNAL_GROUPS_MAX 8 /* Groups of a person that count. */

struct further_input {
	const struct request *request;
	const struct observation *observation;
	const struct sight *sight;
	const struct world *world;
	const struct signal_policy *policy;
	const uint64_t *groups; /* Their keys. */
	unsigned n_groups;
	uint64_t event_ms, now_ms;
	unsigned outside_level; /* enum outside_level, of warnings that stand. */
	bool counter_fell;      /* Of a credential of the subject that is still the same. */
	bool import;            /* A past event: no velocity, sessions or proof of today tell anything about it. */
};
/* After signals_derive, in ascending order of id. p, h NULL: the subject is unknown. */
void signals_derive_further(struct signal_list *ret, const struct profile *p, const struct history *h,
                            const struct further_input *in);

/* Rarity after Freeman and others (NDSS 2016), in milli-logits within these bounds (rarity.c). */
#define RARITY_MIN (-3000)
#define RARITY_MAX 6000
int32_t rarity(const struct profile *p, const struct history *h, const struct world *w, const struct observation *o,
               const struct sight *v);

/* What the world learns: any request asked, and what was allowed. quarters: WORLD_DECISION or WORLD_IMPORT. */
void world_learn_asked(struct world *w, const struct observation *o, const struct sight *v, uint64_t now_ms);
void world_learn(struct world *w, const struct observation *o, const struct sight *v, const uint64_t *groups,
                 unsigned n_groups, unsigned quarters);

#endif
