/* How much rarer a request's address and agent are for its subject than for all subjects. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/fixed.h"
#include "node/decide/signals_further.h"

/*
 * Freeman, Jain, Duermuth, Biggio, Giacinto: Who Are You? A Statistical Approach to Measuring User Authenticity (NDSS
 * 2016): p(x) / p(x|u) for each feature, probabilities mixed over the levels of its hierarchy, a value that was seen
 * c / (N + M), one that was not 1 / (N + M); M = 1, one value is yet to come. The mixture's weights, in 256ths, go down
 * with the level as in the published evaluation of that score (address .6, network's number .3, country .1; the whole
 * agent .54, program .27, system .19), the address's share halved between it and its own network.
 */
struct level {
	uint32_t weight;
	bool of_profile; /* Else a trace. */
	unsigned local;
	enum world_kind world;
};
static const struct level address_levels[] = {{77, true, FEATURE_ADDRESS, WORLD_ADDRESS},
                                              {77, true, FEATURE_NETWORK, WORLD_NETWORK},
                                              {77, false, TRACE_ASN, WORLD_ASN},
                                              {25, true, FEATURE_COUNTRY, WORLD_COUNTRY}};
static const struct level agent_levels[] = {{138, true, FEATURE_AGENT, WORLD_AGENT},
                                            {69, false, TRACE_PROGRAM, WORLD_PROGRAM},
                                            {49, false, TRACE_SYSTEM, WORLD_SYSTEM}};

struct rarity_input {
	const struct profile *p;
	const struct history *h;
	const struct world *w;
	const struct observation *o;
	const struct sight *v;
};

/* c of n, one more of `one` to come: 32 bits after the point, never 0. */
static uint64_t share(uint64_t c, uint64_t n, uint64_t one)
{
	c = c > 0 ? c : one;
	n += one;
	while (n >= UINT64_C(1) << 31) {
		n >>= 1;
		c >>= 1;
	}
	uint64_t p = (c << 32) / n;
	return p > 0 ? p : 1;
}

/* How often the subject showed the value, and any value of this level: as far as it is remembered. */
static uint64_t local_counts(const struct rarity_input *in, const struct level *l, uint64_t value, uint64_t *ret_n)
{
	uint64_t count = 0;

	*ret_n = 0;
	if (l->of_profile) {
		const struct slot *s;
		unsigned n = profile_slots(in->p, (enum feature)l->local, &s);
		for (unsigned i = 0; i < n; i++) {
			*ret_n += s[i].value != 0 ? s[i].uses : 0;
			count = s[i].value == value ? s[i].uses : count;
		}
		return count;
	}
	const struct trace *known = history_find(in->h, (enum trace_kind)l->local, value), *t;
	unsigned n = history_traces(in->h, (enum trace_kind)l->local, &t);
	for (unsigned i = 0; i < n; i++)
		*ret_n += t[i].value != 0 ? t[i].uses : 0;
	return known != NULL ? known->uses : 0;
}

/* log2 of p(x) / p(x|u) for one feature, in Q16.16; levels that are not shown, or never were, take no part. */
static int64_t feature(const struct rarity_input *in, const struct level *levels, unsigned n)
{
	uint64_t all = 0, own = 0, weights = 0;
	bool known = false;

	for (unsigned i = 0; i < n; i++) {
		const struct level *l = &levels[i];
		uint64_t value = l->of_profile ? in->o->value[l->local] : in->v->value[l->local], own_n;
		uint64_t own_c = local_counts(in, l, value, &own_n);
		if (value == 0 || own_n == 0)
			continue;
		const struct world_slot *s = world_find(in->w, l->world, value);
		known |= own_c > 0;
		own += l->weight * share(own_c, own_n, 1);
		all += l->weight * share(s != NULL ? s->count : 0, in->w->totals[l->world], WORLD_DECISION);
		weights += l->weight;
	}
	if (weights == 0)
		return 0;
	int64_t log2 = (int64_t)fixed_log2(all) - fixed_log2(own); /* The weights' sum is in both. */
	/* Where nothing is familiar, being rare in the whole world excuses nothing. */
	return !known && log2 < 0 ? 0 : log2;
}

int32_t rarity(const struct profile *p, const struct history *h, const struct world *w, const struct observation *o,
               const struct sight *v)
{
	const struct rarity_input in = {p, h, w, o, v};
	int64_t log2 = feature(&in, address_levels, sizeof(address_levels) / sizeof(address_levels[0])) +
	               feature(&in, agent_levels, sizeof(agent_levels) / sizeof(agent_levels[0]));
	int32_t v_milli = fixed_millinats(log2);

	return v_milli < RARITY_MIN ? RARITY_MIN : v_milli > RARITY_MAX ? RARITY_MAX : v_milli;
}

/* --- what the world learns --- */

static void count(struct world *w, enum world_kind k, uint64_t value, unsigned quarters)
{
	if (value != 0)
		world_count(w, k, value, quarters);
}

static void count_levels(struct world *w, const struct level *levels, unsigned n, const struct observation *o,
                         const struct sight *v, unsigned quarters)
{
	for (unsigned i = 0; i < n; i++)
		count(w, levels[i].world, levels[i].of_profile ? o->value[levels[i].local] : v->value[levels[i].local],
		      quarters);
}

void world_learn_asked(struct world *w, const struct observation *o, const struct sight *v, uint64_t now_ms)
{
	world_asked(w, WORLD_ACTION, o->value[FEATURE_ACTION], now_ms);
	world_asked(w, WORLD_RESOURCE, v->value[TRACE_RESOURCE], now_ms);
}

void world_learn(struct world *w, const struct observation *o, const struct sight *v, const uint64_t *groups,
                 unsigned n_groups, unsigned quarters)
{
	count_levels(w, address_levels, sizeof(address_levels) / sizeof(address_levels[0]), o, v, quarters);
	count_levels(w, agent_levels, sizeof(agent_levels) / sizeof(agent_levels[0]), o, v, quarters);
	for (unsigned i = 0; i < n_groups; i++) {
		count(w, WORLD_GROUP, groups[i], quarters);
		count(w, WORLD_GROUP_ACTION, world_pair(groups[i], o->value[FEATURE_ACTION]), quarters);
		count(w, WORLD_GROUP_RESOURCE, world_pair(groups[i], v->value[TRACE_RESOURCE]), quarters);
	}
}
