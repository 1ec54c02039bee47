/* The reference: no state but the list of events, each signal written down as its formula reads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/signals_reference.h"

#include <math.h>
#include <string.h>

#define DAY_MS    86400000.0
#define HOUR_MS   3600000.0
#define MINUTE_MS 60000

static const double weights[REF_RESOURCE] = {77, 77, 77, 25, 138, 69, 49};

static double max2(double a, double b)
{
	return a > b ? a : b;
}

/* --- rarity --- */

static double probability(double c, double n)
{
	return (c > 0 ? c : 1) / (n + 1);
}

static double feature(const struct ref *r, const struct ref_event *e, int first, int last)
{
	double own = 0, all = 0, sum = 0;
	bool known = false;

	for (int f = first; f <= last; f++) {
		double own_c = 0, own_n = 0, all_c = 0, all_n = 0;
		for (unsigned i = 0; i < r->n; i++) {
			const struct ref_event *o = &r->events[i];
			if (o->value[f] < 0)
				continue;
			all_n++;
			all_c += o->value[f] == e->value[f];
			if (o->user != e->user || !o->learnt[f])
				continue;
			own_n++;
			own_c += o->value[f] == e->value[f];
		}
		if (e->value[f] < 0 || own_n == 0)
			continue;
		known |= own_c > 0;
		own += weights[f] * probability(own_c, own_n);
		all += weights[f] * probability(all_c, all_n);
		sum += weights[f];
	}
	if (sum == 0)
		return 0;
	double v = log(all / own);
	return known ? v : max2(v, 0);
}

/* --- places --- */

double ref_distance_km(double lat1, double lon1, double lat2, double lon2)
{
	double rad = acos(-1) / 180, s = sin((lat2 - lat1) * rad / 2), t = sin((lon2 - lon1) * rad / 2);
	double h = s * s + cos(lat1 * rad) * cos(lat2 * rad) * t * t;

	return 2 * 6371.0088 * asin(sqrt(h > 1 ? 1 : h));
}

static double travel(const struct ref *r, const struct ref_event *e)
{
	for (unsigned i = r->n; i-- > 0;) {
		const struct ref_event *o = &r->events[i];
		if (o->user != e->user || !o->has_position)
			continue;
		double km = ref_distance_km(o->latitude, o->longitude, e->latitude, e->longitude);
		double hours = (double)(e->ms - o->ms) / HOUR_MS;
		if (!e->has_position || km <= r->km || km <= hours * r->kmh)
			return 0;
		double times = hours == 0 ? 5 : floor(km / hours / r->kmh);
		return times < 1 ? 1 : times > 5 ? 5 : times;
	}
	return 0;
}

/* --- habit and amounts --- */

static double unusual_hour(const struct ref *r, const struct ref_event *e)
{
	double c[168] = {0}, total = 0, seen = 0;
	int64_t last = -1;
	int at = (int)((e->ms / 3600000 + 72) % 168), weekend = at >= 120;

	for (unsigned i = 0; i < r->n; i++) {
		int64_t hour = (int64_t)(r->events[i].ms / 3600000);
		if (r->events[i].user != e->user || hour == last)
			continue;
		last = hour;
		c[(hour + 72) % 168]++;
		total++;
	}
	for (int h = 0; h < 168; h++)
		if (h % 24 == at % 24 && (h >= 120) == weekend)
			seen += c[(h + 167) % 168] + 2 * c[h] + c[(h + 1) % 168];
	double expected = 4 * total * (weekend ? 2 : 5) / 168;
	return max2(log((expected + 4) / (seen + 4)), 0);
}

static double amount(const struct ref *r, const struct ref_event *e)
{
	double mean = 0, deviation = 0, n = 0;

	for (unsigned i = 0; i < r->n; i++) {
		const struct ref_event *o = &r->events[i];
		if (o->user != e->user || !o->has_amount)
			continue;
		double step = n < 16 ? n + 1 : 16, off = o->amount - mean;
		double bound = 4 * max2(deviation, max2(fabs(mean) / 16, 1));
		if (n >= 8)
			off = fmin(fmax(off, -bound), bound);
		mean += off / step;
		if (n > 0)
			deviation += (fabs(off) - deviation) / step;
		n++;
	}
	if (!e->has_amount || n < r->amount_history)
		return 0;
	double z = (e->amount - mean) / max2(deviation, max2(fabs(mean) / 16, 1));
	return z >= r->deviations ? fmin(z, 100) : 0;
}

/* --- rates, proof, sessions --- */

static double rate(const struct ref *r, const struct ref_event *e, double half_life_ms)
{
	double sum = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->events[i].user == e->user)
			sum += exp2(-(double)(e->ms - r->events[i].ms) / half_life_ms);
	return sum;
}

static void proof(const struct ref *r, const struct ref_event *e, double *ret_stale, double *ret_recent)
{
	double age = -1;

	for (unsigned i = 0; i < r->n; i++)
		if (r->events[i].user == e->user && r->events[i].strong)
			age = (double)(e->ms - r->events[i].ms);
	*ret_stale = age < 0 ? 6 : age < r->stale_ms ? 0 : fmin(5, 1 + floor(log2(age / r->stale_ms)));
	*ret_recent = age >= 0 && age <= r->recent_ms;
}

static void sessions(const struct ref *r, const struct ref_event *e, double *ret_others, double *ret_moved)
{
	*ret_others = *ret_moved = 0;
	for (int s = 0; s < 4 && e->session >= 0; s++)
		for (unsigned i = r->n; i-- > 0;) {
			const struct ref_event *o = &r->events[i];
			if (o->user != e->user || o->session != s)
				continue;
			if ((double)(e->ms / MINUTE_MS - o->ms / MINUTE_MS) <= r->window_min &&
			    o->value[REF_NETWORK] != e->value[REF_NETWORK]) {
				*(s == e->session ? ret_moved : ret_others) += 1;
			}
			break; /* Only where it was last. */
		}
}

/* Of this user, learnt: 0: none of the feature, 1: some, 2: this very value. */
static int known(const struct ref *r, const struct ref_event *e, int f)
{
	int best = 0;

	for (unsigned i = 0; i < r->n; i++) {
		const struct ref_event *o = &r->events[i];
		if (o->user == e->user && o->learnt[f] && o->value[f] >= 0)
			best = o->value[f] == e->value[f] ? 2 : best == 0 ? 1 : best;
	}
	return best;
}

void ref_signals(const struct ref *r, const struct ref_event *e, double ret[SIGNAL_MAX + 1])
{
	unsigned trained = 0;

	memset(ret, 0, (SIGNAL_MAX + 1) * sizeof(*ret));
	for (unsigned i = 0; i < r->n; i++)
		trained += r->events[i].user == e->user;
	if (trained == 0)
		return;
	if (trained >= r->rarity_history)
		ret[SIGNAL_RARITY] = fmin(
		        fmax(1000 * (feature(r, e, REF_ADDRESS, REF_COUNTRY) + feature(r, e, REF_AGENT, REF_SYSTEM)),
		             -3000),
		        6000);
	ret[SIGNAL_IMPOSSIBLE_TRAVEL] = travel(r, e);
	ret[SIGNAL_NEW_ASN] = e->value[REF_ASN] >= 0 && known(r, e, REF_ASN) == 1;
	ret[SIGNAL_UNUSUAL_HOUR] = 1000 * unusual_hour(r, e);
	ret[SIGNAL_VELOCITY_HOUR] = rate(r, e, HOUR_MS);
	ret[SIGNAL_VELOCITY_DAY] = rate(r, e, DAY_MS);
	ret[SIGNAL_RARE_RESOURCE] = trained >= 5 && known(r, e, REF_RESOURCE) == 1;
	ret[SIGNAL_AMOUNT] = 1000 * amount(r, e);
	proof(r, e, &ret[SIGNAL_STALE_PROOF], &ret[SIGNAL_RECENT_PROOF]);
	sessions(r, e, &ret[SIGNAL_SESSIONS], &ret[SIGNAL_MOVED_SESSION]);
}

/* Without a strong proof one new value a feature a day. */
void ref_learn(struct ref *r, const struct ref_event *e)
{
	struct ref_event *n = &r->events[r->n];

	*n = *e;
	for (int f = 0; f < REF_FEATURES; f++) {
		bool gained = false;
		for (unsigned i = 0; i < r->n; i++) {
			const struct ref_event *o = &r->events[i];
			bool first = true;
			if (o->user != e->user || !o->learnt[f] || o->strong || o->ms / 86400000 != e->ms / 86400000)
				continue;
			for (unsigned k = 0; k < i; k++)
				first &= !(r->events[k].user == e->user && r->events[k].learnt[f] &&
				           r->events[k].value[f] == o->value[f]);
			gained |= first;
		}
		n->learnt[f] = e->value[f] >= 0 && (e->strong || known(r, e, f) == 2 || !gained);
	}
	r->n++;
}
