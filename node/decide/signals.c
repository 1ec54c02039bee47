/* Signals, derived: each rule in a few lines, integers only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/signals.h"

#define DORMANT_MS      (UINT64_C(30) * 86400000)
#define HISTORY_MIN     5 /* Allowed or imported events before an action can be called rare. */
#define RATE_LEVELS_MAX 5 /* 32 times the policy's rate; the weight is at its bound by then. */

static const struct {
	const char *key;
	int32_t weight, scale;
	const char *unit, *user, *admin;
} known[SIGNAL_MAX + 1] = {
#define SIGNAL_ROW(name, number, key, weight, user, admin) [number] = {key, weight, 1, "", user, admin},
        SIGNAL_LIST(SIGNAL_ROW)
#undef SIGNAL_ROW
#define SIGNAL_ROW_2(name, number, key, weight, scale, unit, user, admin)                                              \
	[number] = {key, weight, scale, unit, user, admin},
                SIGNAL_LIST_2(SIGNAL_ROW_2)
#undef SIGNAL_ROW_2
};

const char *signal_key(unsigned id)
{
	return id <= SIGNAL_MAX ? known[id].key : NULL;
}

int32_t signal_default_weight(unsigned id)
{
	return known[id].weight;
}

int32_t signal_scale(unsigned id)
{
	return known[id].scale;
}

const char *signal_unit(unsigned id)
{
	return known[id].unit;
}

const char *signal_reason_user(unsigned id)
{
	return known[id].user;
}

const char *signal_reason_admin(unsigned id)
{
	return known[id].admin;
}

void signal_add(struct signal_list *l, enum signal id, int32_t value)
{
	if (value != 0)
		l->s[l->n++] = (struct signal_value){.id = id, .value = value};
}

static void device_signals(struct signal_list *l, const struct profile *p, const struct observation *o)
{
	const struct slot *s = profile_find(p, FEATURE_DEVICE, o->value[FEATURE_DEVICE]);

	/* Silence must not be cheaper than a new device: the thief would be silent. */
	if (o->value[FEATURE_DEVICE] == 0)
		signal_add(l, SIGNAL_NO_DEVICE, profile_has_any(p, FEATURE_DEVICE));
	else if (s == NULL)
		signal_add(l, SIGNAL_NEW_DEVICE, 1);
	else
		signal_add(l, s->imported ? SIGNAL_IMPORTED_DEVICE : SIGNAL_KNOWN_DEVICE, 1);
}

static void address_signals(struct signal_list *l, const struct profile *p, const struct observation *o)
{
	const struct slot *s = profile_find(p, FEATURE_ADDRESS, o->value[FEATURE_ADDRESS]);

	if (o->value[FEATURE_ADDRESS] == 0)
		signal_add(l, SIGNAL_NO_ADDRESS, profile_has_any(p, FEATURE_ADDRESS));
	else if (s != NULL)
		signal_add(l, SIGNAL_KNOWN_ADDRESS, !s->imported);
	else if (profile_find(p, FEATURE_NETWORK, o->value[FEATURE_NETWORK]) != NULL)
		signal_add(l, SIGNAL_NEW_ADDRESS, 1);
	else
		signal_add(l, SIGNAL_NEW_NETWORK, 1);
}

static void new_value(struct signal_list *l, const struct profile *p, const struct observation *o, enum feature f,
                      enum signal id)
{
	signal_add(l, id, o->value[f] != 0 && profile_find(p, f, o->value[f]) == NULL);
}

/* 0 under the limit, then one for each doubling. */
static int32_t rate_level(uint32_t value, uint32_t max)
{
	uint64_t count = value / COUNTER_ONE, limit = max;
	int32_t level = 0;

	for (; level < RATE_LEVELS_MAX && count >= limit; limit *= 2)
		level++;
	return level;
}

/* What a subject's history says; there is some. */
static void history_signals(struct signal_list *l, const struct profile *p, const struct signal_input *in)
{
	const struct observation *o = in->observation;

	signal_add(l, SIGNAL_IMPORTED_HISTORY, p->trained == 0);
	device_signals(l, p, o);
	address_signals(l, p, o);
	new_value(l, p, o, FEATURE_AGENT, SIGNAL_NEW_AGENT);
	new_value(l, p, o, FEATURE_COUNTRY, SIGNAL_NEW_COUNTRY);
	new_value(l, p, o, FEATURE_REGION, SIGNAL_NEW_REGION);
	new_value(l, p, o, FEATURE_ACTOR, SIGNAL_NEW_ACTOR);
	signal_add(l, SIGNAL_ODD_HOUR, profile_odd_hour(p, in->event_ms));
}

void signals_derive(struct signal_list *ret, const struct profile *p, const struct signal_input *in)
{
	const struct named_value *mfa = request_context(in->request, "mfa");
	bool history = p != NULL && (p->trained > 0 || p->imported > 0),
	     has_mfa = mfa != NULL && mfa->type == VALUE_BOOL;

	ret->n = 0;
	if (history)
		history_signals(ret, p, in);
	else
		signal_add(ret, SIGNAL_NEW_SUBJECT, 1);
	if (in->rate != NULL)
		signal_add(ret, SIGNAL_VELOCITY,
		           rate_level(counter_at(in->rate, in->event_ms, RATE_HALF_LIFE_MS), in->rate_max));
	signal_add(ret, SIGNAL_CLIENT_VELOCITY,
	           rate_level(counter_at(in->client_rate, in->now_ms, RATE_HALF_LIFE_MS), in->client_rate_max));
	if (p != NULL) {
		uint64_t failures = counter_at(&p->failures, in->now_ms, FAILURE_HALF_LIFE_MS);
		signal_add(ret, SIGNAL_FAILED_CHALLENGES, (int32_t)((failures + COUNTER_ONE / 2) / COUNTER_ONE));
	}
	signal_add(ret, SIGNAL_SENSITIVE_ACTION, in->sensitive);
	if (history && (uint64_t)p->trained + p->imported >= HISTORY_MIN)
		new_value(ret, p, in->observation, FEATURE_ACTION, SIGNAL_RARE_ACTION);
	signal_add(ret, SIGNAL_MFA, has_mfa && mfa->integer != 0);
	signal_add(ret, SIGNAL_NO_MFA, has_mfa && mfa->integer == 0);
	signal_add(ret, SIGNAL_DORMANT, history && p->last_ms > 0 && in->now_ms > p->last_ms + DORMANT_MS);
}
