/* Signals of policies of version 2: against the reference in floating point; what is kept, forgotten and refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/decide/fixed.h"
#include "node/decide/history.h"
#include "node/decide/place.h"
#include "node/decide/world.h"
#include "tests/decide_kit.h"
#include "tests/signals_reference.h"

#define HISTORIES        24
#define HISTORY_EVENTS   320
#define RARITY_TOLERANCE 2.0 /* Milli-logits: rounding towards zero, and the table of log2 in four sums. */
#define HOUR_TOLERANCE   2.0
#define RATE_TOLERANCE   0.001 /* Of the counters' sums. */

static struct kit kit;
static uint64_t random_state = 88172645463325252;

/* Marsaglia's xorshift64: the same histories in each run. */
static unsigned rnd(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % n;
}

static const char all_allowed[] =
        "version: 2\nthresholds: {step_up: 90000, deny: 100000}\n"
        "signals: {rate_subject_hour: 2, rate_subject_day: 8, rarity_history: 10, proof_stale: 24h}\n"
        "rules: [{id: all, verdict: allow}, {id: prove, match: {context: {prove: true}}, verdict: step_up}]\n";

static const char *const agents[] = {"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
                                     "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140.0 Safari/537",
                                     "aws-cli/2.9 Linux/6.1", "aws-cli/2.8 Linux/6.1"};
static const int programs[] = {0, 1, 2, 2}, systems[] = {0, 1, 0, 0};
static const struct {
	const char *country;
	int latitude, longitude;
} cities[] = {{"NL", 523700, 48950}, {"BR", -235500, -466330}, {"JP", 356890, 1396920}, {"NL", 519200, 44800}};

static void text_value(struct request *q, const char *name, const char *value)
{
	q->context[q->n_context++] =
	        (struct named_value){.name = {name, strlen(name)}, .type = VALUE_STR, .str = {value, strlen(value)}};
}

static void int_value(struct request *q, const char *name, enum value_type type, int64_t value)
{
	q->context[q->n_context++] = (struct named_value){.name = {name, strlen(name)}, .type = type, .integer = value};
}

/* Applies the event; facts: its place. True if it was allowed at once. */
static enum decide_outcome apply(const struct ref_event *e, const struct place *place)
{
	char user[16], ip[32], resource[16], session[16];
	uint8_t payload[REQUEST_SIZE_MAX], facts[128];
	size_t len, facts_len;
	struct request q;
	struct writer w;

	snprintf(user, sizeof(user), "user%d", e->user);
	snprintf(ip, sizeof(ip), "198.51.%d.%d", e->value[REF_NETWORK], 7 + e->value[REF_ADDRESS]);
	snprintf(resource, sizeof(resource), "r%d", e->value[REF_RESOURCE]);
	snprintf(session, sizeof(session), "s%d", e->session);
	kit_request(&q, user, "use", NULL, NULL);
	q.resource_id = (struct text){resource, strlen(resource)};
	if (e->has_amount)
		int_value(&q, "amount", VALUE_INT, (int64_t)e->amount);
	text_value(&q, "ip", ip);
	if (e->strong)
		int_value(&q, "prove", VALUE_BOOL, 1);
	if (e->session >= 0)
		text_value(&q, "session", session);
	if (e->value[REF_AGENT] >= 0)
		text_value(&q, "user_agent", agents[e->value[REF_AGENT]]);
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	writer_init(&w, facts, sizeof(facts));
	place_facts_write(&w, place);
	assert_int_equal(writer_end(&w, &facts_len), 0);
	kit.now_ms = e->ms;
	return kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, NULL, payload, len, facts, facts_len);
}

static void random_event(struct ref_event *e, uint64_t ms, struct place *place)
{
	int address = (int)rnd(8), city = address / 2 % 4;

	*e = (struct ref_event){.ms = ms, .user = rnd(3) == 0 ? 0 : (int)rnd(REF_USERS), .session = (int)rnd(5) - 1};
	address = address % 6;
	e->value[REF_ADDRESS] = address;
	e->value[REF_NETWORK] = address / 2;
	bool known = rnd(4) != 0;
	*place = (struct place){.looked = true, .city_built_s = 1700000000};
	e->value[REF_ASN] = known ? address / 2 : -1;
	e->value[REF_COUNTRY] = known ? cities[city].country[0] == 'N' ? 0 : city : -1;
	if (known) {
		memcpy(place->country, cities[city].country, 2);
		place->network = 64500 + (uint32_t)address / 2;
		place->has_position = true;
		place->latitude = cities[city].latitude;
		place->longitude = cities[city].longitude;
		e->has_position = true;
		e->latitude = place->latitude / 10000.0;
		e->longitude = place->longitude / 10000.0;
	}
	int agent = (int)rnd(5) - 1;
	e->value[REF_AGENT] = agent;
	e->value[REF_PROGRAM] = agent < 0 ? -1 : programs[agent];
	e->value[REF_SYSTEM] = agent < 0 ? -1 : systems[agent];
	e->value[REF_RESOURCE] = (int)rnd(12);
	e->has_amount = rnd(2) == 0;
	e->amount = 500 + rnd(1000) + (rnd(10) == 0 ? 20000 : 0);
}

struct worst {
	double rarity, hour, amount;
	unsigned compared, nonzero[SIGNAL_MAX + 1];
};

static void assert_near(double v, double want, double tolerance, const char *what, double *worst)
{
	double off = fabs(v - want);

	if (off > tolerance)
		fail_msg("%s: %g, reference %g", what, v, want);
	*worst = off > *worst ? off : *worst;
}

/* The counter lies within the tolerance of the reference's: so does the level, unless a bound lies between. */
static void assert_level(double level, double rate, double limit, const char *what)
{
	/* Whole requests count. */
	double low = rate * (1 - RATE_TOLERANCE), high = rate * (1 + RATE_TOLERANCE);
	double least = floor(low) < limit ? 0 : fmin(5, 1 + floor(log2(floor(low) / limit)));
	double most = floor(high) < limit ? 0 : fmin(5, 1 + floor(log2(floor(high) / limit)));

	if (level < least || level > most)
		fail_msg("%s: level %g, the reference's rate is %g", what, level, rate);
}

static void compare(const struct ref *r, const struct ref_event *e, struct worst *w)
{
	static const unsigned exact[] = {SIGNAL_IMPOSSIBLE_TRAVEL, SIGNAL_NEW_ASN,      SIGNAL_RARE_RESOURCE,
	                                 SIGNAL_STALE_PROOF,       SIGNAL_RECENT_PROOF, SIGNAL_SESSIONS,
	                                 SIGNAL_MOVED_SESSION};
	double want[SIGNAL_MAX + 1], unused = 0;
	int64_t v[SIGNAL_MAX + 1] = {0};

	ref_signals(r, e, want);
	for (unsigned id = SIGNAL_RARITY; id <= SIGNAL_MAX; id++) {
		if (!kit_signal(&kit, id, &v[id]))
			v[id] = 0;
		w->nonzero[id] += v[id] != 0;
	}
	w->compared++;
	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		assert_near((double)v[exact[i]], want[exact[i]], 0, signal_key(exact[i]), &unused);
	assert_near((double)v[SIGNAL_RARITY], want[SIGNAL_RARITY], RARITY_TOLERANCE, "rarity", &w->rarity);
	assert_near((double)v[SIGNAL_UNUSUAL_HOUR], want[SIGNAL_UNUSUAL_HOUR], HOUR_TOLERANCE, "hour", &w->hour);
	/* A thousandth of a deviation, and a hundredth of the whole: mean and deviation have 8 fractional bits. */
	double amount = want[SIGNAL_AMOUNT], border = fabs(amount - 3000) < 30 ? 3030 : 0;
	assert_near((double)v[SIGNAL_AMOUNT], amount, 1 + amount / 100 + border, "amount", &unused);
	if (border == 0 && amount > 0)
		w->amount = fmax(w->amount, fabs((double)v[SIGNAL_AMOUNT] - amount) / amount);
	assert_level((double)v[SIGNAL_VELOCITY_HOUR], want[SIGNAL_VELOCITY_HOUR], r->rate_hour, "velocity_hour");
	assert_level((double)v[SIGNAL_VELOCITY_DAY], want[SIGNAL_VELOCITY_DAY], r->rate_day, "velocity_day");
}

static void against_the_reference(void **state)
{
	static struct ref r;
	struct worst w = {0};

	(void)state;
	for (unsigned h = 0; h < HISTORIES; h++) {
		uint64_t ms = KIT_START_MS;
		kit_new(&kit, NULL, all_allowed);
		r = (struct ref){.kmh = 900,
		                 .km = 100,
		                 .rate_hour = 2,
		                 .rate_day = 8,
		                 .rarity_history = 10,
		                 .amount_history = 5,
		                 .deviations = 3,
		                 .stale_ms = 86400000,
		                 .recent_ms = 900000,
		                 .window_min = 30};
		for (unsigned i = 0; i < HISTORY_EVENTS; i++) {
			struct ref_event e;
			struct place place;
			ms += rnd(4) == 0 ? rnd(40) * 1000 : rnd(3) == 0 ? rnd(20) * 3600000 : rnd(7200) * 1000;
			random_event(&e, ms, &place);
			assert_int_equal(apply(&e, &place), DECIDE_ENTRY);
			assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
			compare(&r, &e, &w);
			ref_learn(&r, &e);
		}
		kit_free(&kit);
	}
	print_message("%u decisions; most off: rarity %.2f, unusual_hour %.2f milli-logits, amount %.2f %%\n",
	              w.compared, w.rarity, w.hour, 100 * w.amount);
	for (unsigned id = SIGNAL_RARITY; id < SIGNAL_OUTSIDE_1; id++)
		if (w.nonzero[id] > 0)
			print_message("  %-20s told %u times\n", signal_key(id), w.nonzero[id]);
	assert_true(w.nonzero[SIGNAL_RARITY] > 0 && w.nonzero[SIGNAL_IMPOSSIBLE_TRAVEL] > 0 &&
	            w.nonzero[SIGNAL_AMOUNT] > 0 && w.nonzero[SIGNAL_SESSIONS] > 0 && w.nonzero[SIGNAL_NEW_ASN] > 0);
}

/* Numbers of mathematics, over their whole range. */
static void fixed_point(void **state)
{
	double worst_log = 0, worst_near = 0, worst_far = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t v = ((uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX)) >> rnd(64);
		v = v == 0 ? 1 : v;
		worst_log = fmax(worst_log, fabs(fixed_log2(v) / 65536.0 - log2((double)v)));
		assert_true(fixed_sqrt(v) <= (uint64_t)sqrtl((long double)v) + 1);
		int32_t at[4];
		for (unsigned k = 0; k < 4; k++)
			at[k] = k % 2 == 0 ? (int32_t)rnd(1800001) - 900000 : (int32_t)rnd(3600001) - 1800000;
		if (i % 2 == 0) { /* Not far: 20 km. */
			at[2] = at[0] / 2;
			at[0] = at[2] + (int32_t)rnd(1000);
			at[3] = at[1] > 0 ? at[1] - (int32_t)rnd(1000) : at[1] + (int32_t)rnd(1000);
		}
		double want = 1000 * ref_distance_km(at[0] / 1e4, at[1] / 1e4, at[2] / 1e4, at[3] / 1e4);
		double off = fabs(fixed_distance_m(at[0], at[1], at[2], at[3]) - want);
		if (want < 100000)
			worst_near = fmax(worst_near, off);
		else
			worst_far = fmax(worst_far, off / want);
	}
	print_message("log2 off by %.7f, distance by %.2f m under 100 km and 1/%.0f beyond\n", worst_log, worst_near,
	              1 / worst_far);
	assert_true(worst_log <= ldexp(1, -15) && worst_near <= 3 && worst_far <= 1 / 50000.0);
	assert_int_equal(fixed_distance_m(0, -1800000, 0, 1800000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(fixed_point), cmocka_unit_test(against_the_reference)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
