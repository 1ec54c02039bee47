/* The signals of policies of version 2, derived: integers only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/signals_further.h"

#include <string.h>

#include "node/decide/command_verdicts.h"
#include "node/decide/fixed.h"

#define HISTORY_MIN       5 /* Allowed or imported events before a resource can be called rare. */
#define TRAVEL_VALUE_MAX  5 /* Times the speed: the weight is at its bound by then. */
#define AMOUNT_VALUE_MAX  INT64_C(100000)
#define PROOF_LEVELS_MAX  5
#define PROOF_NEVER       6
#define OUTSIDE_VALUE_MAX 1000
#define HOUR_MS           UINT64_C(3600000)
#define MINUTE_MS         UINT64_C(60000)
#define DAYS              7
#define WORKDAYS          5
#define HOUR_SMOOTH       4  /* An hour counts twice, its neighbours once each. */
#define HOUR_EVENT        16 /* What one decision adds to its hour (profile.c). */

/* --- travel --- */

static void travel_signals(struct signal_list *l, const struct history *h, const struct further_input *in)
{
	const struct sight *v = in->sight;

	if (h == NULL || h->place_ms == 0 || !v->has_position)
		return;
	uint64_t metres = fixed_distance_m(h->latitude, h->longitude, v->latitude, v->longitude);
	uint64_t ms = in->event_ms > h->place_ms ? in->event_ms - h->place_ms : h->place_ms - in->event_ms;
	if (metres <= in->policy->travel_km * 1000)
		return;
	/* m / ms = km / s; at once is as fast as it gets. */
	uint64_t kmh = ms == 0 ? UINT64_MAX : metres * 3600 / ms, times = kmh / in->policy->travel_kmh;
	if (kmh > in->policy->travel_kmh)
		signal_add(l, SIGNAL_IMPOSSIBLE_TRAVEL,
		           times < 1                  ? 1
		           : times > TRAVEL_VALUE_MAX ? TRAVEL_VALUE_MAX
		                                      : (int32_t)times);
}

/* --- habit --- */

/*
 * What would be expected around this hour on such days if all hours were alike, over what was there, one event added to
 * both: its logarithm, where positive.
 */
static int32_t unusual_hour(const struct profile *p, uint64_t event_ms)
{
	unsigned at = (unsigned)((event_ms / HOUR_MS + 3 * 24) % PROFILE_HOURS); /* 1970-01-01 was a Thursday. */
	bool weekend = at / 24 >= WORKDAYS;
	uint64_t total = 0, here = 0, days = weekend ? DAYS - WORKDAYS : WORKDAYS;

	for (unsigned i = 0; i < PROFILE_HOURS; i++)
		total += p->hours[i];
	for (unsigned day = weekend ? WORKDAYS : 0; day < (weekend ? DAYS : WORKDAYS); day++) {
		unsigned i = day * 24 + at % 24 + PROFILE_HOURS;
		here += (uint64_t)p->hours[(i - 1) % PROFILE_HOURS] + 2u * p->hours[i % PROFILE_HOURS] +
		        p->hours[(i + 1) % PROFILE_HOURS];
	}
	uint64_t one = HOUR_SMOOTH * HOUR_EVENT;
	int32_t v = fixed_millinats((int64_t)fixed_log2(HOUR_SMOOTH * total * days + PROFILE_HOURS * one) -
	                            fixed_log2(PROFILE_HOURS * (here + one)));
	return v > 0 ? v : 0;
}

/* --- velocity --- */

static void velocity_signals(struct signal_list *l, const struct history *h, const struct further_input *in)
{
	const struct signal_policy *p = in->policy;

	if (in->import)
		return;
	if (h != NULL) {
		signal_add(l, SIGNAL_VELOCITY_HOUR,
		           rate_level(&h->rates[RATE_HOUR], in->now_ms, RATE_HOUR_MS, p->rate_subject_hour));
		signal_add(l, SIGNAL_VELOCITY_DAY,
		           rate_level(&h->rates[RATE_DAY], in->now_ms, RATE_DAY_MS, p->rate_subject_day));
	}
	const struct world_slot *a = world_find(in->world, WORLD_ACTION, in->observation->value[FEATURE_ACTION]);
	const struct world_slot *r = world_find(in->world, WORLD_RESOURCE, in->sight->value[TRACE_RESOURCE]);
	if (a != NULL)
		signal_add(l, SIGNAL_ACTION_VELOCITY,
		           rate_level(&a->rate, in->now_ms, RATE_HALF_LIFE_MS, p->rate_action));
	if (r != NULL)
		signal_add(l, SIGNAL_RESOURCE_VELOCITY,
		           rate_level(&r->rate, in->now_ms, RATE_HALF_LIFE_MS, p->rate_resource));
}

/* --- groups --- */

/* 1: some group of the person's has a history, and none that has one was ever allowed it. */
static int32_t group_rare(const struct further_input *in, enum world_kind k, uint64_t value)
{
	bool any = false;

	for (unsigned i = 0; i < in->n_groups; i++) {
		const struct world_slot *g = world_find(in->world, WORLD_GROUP, in->groups[i]);
		if (g == NULL || g->count < in->policy->group_history * WORLD_DECISION)
			continue;
		any = true;
		if (world_find(in->world, k, world_pair(in->groups[i], value)) != NULL)
			return 0;
	}
	return any;
}

static bool any_trace(const struct history *h, enum trace_kind k)
{
	const struct trace *t;
	unsigned n = history_traces(h, k, &t);

	for (unsigned i = 0; i < n; i++)
		if (t[i].value != 0)
			return true;
	return false;
}

/* Known values there are, this one is none of them: before any was learnt, nothing is rare. */
static bool new_trace(const struct history *h, enum trace_kind k, uint64_t value)
{
	return value != 0 && any_trace(h, k) && history_find(h, k, value) == NULL;
}

static void rare_signals(struct signal_list *l, const struct profile *p, const struct history *h,
                         const struct further_input *in)
{
	uint64_t resource = in->sight->value[TRACE_RESOURCE];

	if (p != NULL && h != NULL && (uint64_t)p->trained + p->imported >= HISTORY_MIN)
		signal_add(l, SIGNAL_RARE_RESOURCE, new_trace(h, TRACE_RESOURCE, resource));
	signal_add(l, SIGNAL_GROUP_RARE_ACTION,
	           group_rare(in, WORLD_GROUP_ACTION, in->observation->value[FEATURE_ACTION]));
	signal_add(l, SIGNAL_GROUP_RARE_RESOURCE, group_rare(in, WORLD_GROUP_RESOURCE, resource));
}

/* --- amounts --- */

static void amount_signal(struct signal_list *l, const struct history *h, const struct further_input *in)
{
	if (!in->sight->has_amount || h->amounts.n < in->policy->amount_history)
		return;
	int64_t off = in->sight->amount * AMOUNT_ONE - h->amounts.mean, spread = amounts_spread(&h->amounts);
	/* Less than usual is no risk. */
	int64_t v = off > AMOUNT_VALUE_MAX / 1000 * spread ? AMOUNT_VALUE_MAX : off * 1000 / spread;
	if (v >= (int64_t)in->policy->amount_deviations * 1000)
		signal_add(l, SIGNAL_AMOUNT, (int32_t)v);
}

/* --- proof and sessions --- */

static void proof_signals(struct signal_list *l, const struct history *h, const struct further_input *in)
{
	uint64_t age = in->now_ms > h->proof_ms ? in->now_ms - h->proof_ms : 0;
	int32_t level = h->proof_ms == 0 ? PROOF_NEVER : 0;

	for (uint64_t limit = in->policy->proof_stale_ms; level < PROOF_LEVELS_MAX && age >= limit; limit *= 2)
		level++;
	signal_add(l, SIGNAL_STALE_PROOF, level);
	signal_add(l, SIGNAL_RECENT_PROOF, h->proof_ms != 0 && age <= in->policy->proof_recent_ms);
}

static void session_signals(struct signal_list *l, const struct history *h, const struct further_input *in)
{
	uint32_t own = (uint32_t)(in->sight->session >> 32);
	uint32_t network = (uint32_t)(in->observation->value[FEATURE_NETWORK] >> 32);
	uint64_t now_min = in->now_ms / MINUTE_MS, window_min = in->policy->session_window_ms / MINUTE_MS;
	int32_t others = 0, moved = 0;

	for (unsigned i = 0; i < SESSION_SLOTS; i++) {
		const struct session_slot *s = &h->sessions[i];
		if (s->id == 0 || s->last_min + window_min < now_min || s->network == network)
			continue;
		if (s->id == own)
			moved = 1;
		else
			others++;
	}
	if (own == 0)
		return; /* Who names no session has none that others could be beside. */
	signal_add(l, SIGNAL_SESSIONS, others);
	signal_add(l, SIGNAL_MOVED_SESSION, moved);
}

/* --- scores from outside --- */

static void outside_signals(struct signal_list *l, const struct further_input *in)
{
	for (unsigned i = 0; i < in->policy->n_outside; i++)
		for (unsigned k = 0; k < in->request->n_context; k++) {
			const struct named_value *v = &in->request->context[k];
			const struct text *name = &in->policy->outside[i];
			if (v->type != VALUE_INT || v->name.len != name->len ||
			    memcmp(v->name.s, name->s, name->len) != 0)
				continue;
			int64_t score = v->integer > OUTSIDE_VALUE_MAX    ? OUTSIDE_VALUE_MAX
			                : v->integer < -OUTSIDE_VALUE_MAX ? -OUTSIDE_VALUE_MAX
			                                                  : v->integer;
			signal_add(l, (enum signal)(SIGNAL_OUTSIDE_1 + i), (int32_t)score);
		}
}

void signals_derive_further(struct signal_list *ret, const struct profile *p, const struct history *h,
                            const struct further_input *in)
{
	bool history = p != NULL && h != NULL && (p->trained > 0 || p->imported > 0);

	if (history && (uint64_t)p->trained + p->imported >= in->policy->rarity_history)
		signal_add(ret, SIGNAL_RARITY, rarity(p, h, in->world, in->observation, in->sight));
	travel_signals(ret, h, in);
	if (history) {
		signal_add(ret, SIGNAL_NEW_ASN, new_trace(h, TRACE_ASN, in->sight->value[TRACE_ASN]));
		signal_add(ret, SIGNAL_UNUSUAL_HOUR, unusual_hour(p, in->event_ms));
	}
	velocity_signals(ret, h, in);
	rare_signals(ret, p, h, in);
	if (history) {
		amount_signal(ret, h, in);
		if (!in->import) {
			proof_signals(ret, h, in);
			session_signals(ret, h, in);
		}
	}
	outside_signals(ret, in);
	if (in->outside_level > OUTSIDE_LOW)
		signal_add(ret, SIGNAL_OUTSIDE_RISK, (int32_t)in->outside_level - OUTSIDE_LOW);
	signal_add(ret, SIGNAL_COUNTER_FELL, in->counter_fell && !in->import);
}
