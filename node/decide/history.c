/* A subject's further profile: learn, forget, records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/history.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/decide.h"
#include "node/decide/fixed.h"

#define DAY_MS                UINT64_C(86400000)
#define MINUTE_MS             UINT64_C(60000)
#define USES_IMPORT_MAX       3  /* As the profile's: a quarter of what decisions teach. */
#define AMOUNT_IMPORT_MAX     16 /* Imported amounts that teach. */
#define AMOUNT_WINDOW         16 /* From there on the mean forgets: an amount counts a sixteenth. */
#define AMOUNT_OUTLIER        4  /* Deviations. */
#define AMOUNT_OUTLIER_MIN    8  /* Amounts before an outlier can be told. */
#define AMOUNT_SPREAD_DIVISOR 16
#define RATE_LEVELS_MAX       5               /* As the old velocity's: the weight is at its bound by then. */
#define TRACE_SIZE            (4 + 4 + 2 + 1) /* In records. */
#define SESSION_SIZE          12
#define HISTORY_ELEMENTS      17 /* And an eighteenth, `fell`, where there is one. */

static const uint8_t slots_of[TRACE_COUNT] = {
#define TRACE_SLOTS_OF(name, slots) slots,
        TRACE_LIST(TRACE_SLOTS_OF)
#undef TRACE_SLOTS_OF
};

static unsigned slot_first(enum trace_kind k)
{
	unsigned first = 0;

	for (unsigned i = 0; i < (unsigned)k; i++)
		first += slots_of[i];
	return first;
}

static uint32_t upper(uint64_t value)
{
	uint32_t v = (uint32_t)(value >> 32);

	return value != 0 && v == 0 ? 1 : v; /* 0 stands for a free slot. */
}

unsigned history_traces(const struct history *h, enum trace_kind k, const struct trace **ret)
{
	*ret = h->traces + slot_first(k);
	return slots_of[k];
}

const struct trace *history_find(const struct history *h, enum trace_kind k, uint64_t value)
{
	const struct trace *t;
	unsigned n = history_traces(h, k, &t);

	for (unsigned i = 0; i < n; i++)
		if (value != 0 && t[i].value == upper(value))
			return &t[i];
	return NULL;
}

/* --- rates --- */

uint64_t rate_at(const struct rate *r, uint64_t now_ms, uint64_t half_life_ms)
{
	return now_ms > r->time_ms ? fixed_decay(r->value, now_ms - r->time_ms, half_life_ms) : r->value;
}

void rate_add(struct rate *r, uint64_t now_ms, uint64_t half_life_ms)
{
	uint64_t v = rate_at(r, now_ms, half_life_ms) + (UINT64_C(1) << RATE_FRACTION_BITS);

	r->value = v < RATE_VALUE_MAX ? v : RATE_VALUE_MAX;
	if (now_ms > r->time_ms)
		r->time_ms = now_ms;
}

int32_t rate_level(const struct rate *r, uint64_t now_ms, uint64_t half_life_ms, uint64_t max)
{
	uint64_t count = rate_at(r, now_ms, half_life_ms) >> RATE_FRACTION_BITS;
	int32_t level = 0;

	for (; level < RATE_LEVELS_MAX && count >= max; max *= 2)
		level++;
	return level;
}

/* --- learning --- */

void history_asked(struct history *h, uint64_t now_ms)
{
	h->begun = true;
	rate_add(&h->rates[RATE_HOUR], now_ms, RATE_HOUR_MS);
	rate_add(&h->rates[RATE_DAY], now_ms, RATE_DAY_MS);
}

/* As the profile's slot_for: a free one, else what is known from import only, else the least recently used. */
static struct trace *slot_for(struct history *h, enum trace_kind k, bool import)
{
	struct trace *t = h->traces + slot_first(k), *best = NULL;

	for (unsigned i = 0; i < slots_of[k]; i++) {
		if (t[i].value == 0)
			return &t[i];
		if (import && !t[i].imported)
			continue;
		if (best == NULL || t[i].imported > best->imported ||
		    (t[i].imported == best->imported && t[i].last_min < best->last_min))
			best = &t[i];
	}
	return best;
}

static void learn(struct history *h, enum trace_kind k, uint64_t value, uint64_t now_ms, bool strong)
{
	struct trace *t = (struct trace *)history_find(h, k, value);
	uint32_t day = (uint32_t)(now_ms / DAY_MS) + 1;

	if (t == NULL || t->imported) {
		if (!strong && h->gain_day[k] == day)
			return;
		if (!strong)
			h->gain_day[k] = day;
		if (t == NULL) {
			t = slot_for(h, k, false);
			*t = (struct trace){.value = upper(value)};
		}
		t->imported = 0;
	}
	t->last_min = (uint32_t)(now_ms / MINUTE_MS);
	if (t->uses < UINT16_MAX)
		t->uses++;
}

static void learn_import(struct history *h, enum trace_kind k, uint64_t value, uint64_t event_ms)
{
	struct trace *t = (struct trace *)history_find(h, k, value);
	uint32_t minute = (uint32_t)(event_ms / MINUTE_MS);

	if (t == NULL) {
		t = slot_for(h, k, true);
		if (t == NULL)
			return; /* Full of values learnt from decisions. */
		*t = (struct trace){.value = upper(value), .imported = 1};
	}
	if (!t->imported)
		return;
	if (t->uses < USES_IMPORT_MAX)
		t->uses++;
	if (t->last_min < minute)
		t->last_min = minute;
}

int64_t amounts_spread(const struct amounts *a)
{
	int64_t least = (a->mean < 0 ? -a->mean : a->mean) / AMOUNT_SPREAD_DIVISOR;

	least = least > AMOUNT_ONE ? least : AMOUNT_ONE;
	return a->deviation > least ? a->deviation : least;
}

static void learn_amount(struct amounts *a, int64_t amount)
{
	int64_t x = amount * AMOUNT_ONE, step = a->n < AMOUNT_WINDOW ? (int64_t)a->n + 1 : AMOUNT_WINDOW;
	int64_t off = x - a->mean, bound = AMOUNT_OUTLIER * amounts_spread(a);

	if (a->n >= AMOUNT_OUTLIER_MIN)
		off = off > bound ? bound : off < -bound ? -bound : off;
	a->mean += off / step;
	if (a->n > 0) /* The first is its own mean. */
		a->deviation += ((off < 0 ? -off : off) - a->deviation) / step;
	if (a->n < UINT32_MAX)
		a->n++;
}

/* A session that is not known takes the place of the one that was quiet longest. */
static void learn_session(struct history *h, uint64_t session, uint64_t network, uint64_t now_ms)
{
	struct session_slot *best = &h->sessions[0];

	for (unsigned i = 0; i < SESSION_SLOTS; i++) {
		struct session_slot *s = &h->sessions[i];
		if (s->id == upper(session)) {
			best = s;
			break;
		}
		if (s->last_min < best->last_min)
			best = s;
	}
	*best = (struct session_slot){upper(session), upper(network), (uint32_t)(now_ms / MINUTE_MS)};
}

void history_train(struct history *h, const struct sight *v, uint64_t network, uint64_t now_ms, bool strong)
{
	h->begun = true;
	for (unsigned k = 0; k < TRACE_COUNT; k++)
		if (v->value[k] != 0)
			learn(h, (enum trace_kind)k, v->value[k], now_ms, strong);
	if (v->session != 0)
		learn_session(h, v->session, network, now_ms);
	if (v->has_amount)
		learn_amount(&h->amounts, v->amount);
	if (v->has_position) {
		h->place_ms = now_ms;
		h->latitude = v->latitude;
		h->longitude = v->longitude;
	}
	if (strong)
		h->proof_ms = now_ms;
}

void history_train_import(struct history *h, const struct sight *v, uint64_t event_ms, bool decided)
{
	h->begun = true;
	for (unsigned k = 0; k < TRACE_COUNT; k++)
		if (v->value[k] != 0)
			learn_import(h, (enum trace_kind)k, v->value[k], event_ms);
	if (v->has_amount && !decided && h->amounts.n < AMOUNT_IMPORT_MAX)
		learn_amount(&h->amounts, v->amount);
}

void history_fell(struct history *h, uint64_t credential_id)
{
	h->begun = true;
	h->fell = (uint32_t)(credential_id - CREDENTIAL_ID_MIN);
}

/* --- records --- */

static void write_traces(struct writer *w, const struct history *h)
{
	uint8_t bytes[TRACE_SLOTS * TRACE_SIZE], *b = bytes;

	for (unsigned i = 0; i < TRACE_SLOTS; i++, b += TRACE_SIZE) {
		put_u32be(b, h->traces[i].value);
		put_u32be(b + 4, h->traces[i].last_min);
		put_u16be(b + 8, h->traces[i].uses);
		b[10] = (uint8_t)h->traces[i].imported;
	}
	writer_bin(w, bytes, sizeof(bytes));
}

static void write_sessions(struct writer *w, const struct history *h)
{
	uint8_t bytes[SESSION_SLOTS * SESSION_SIZE], *b = bytes;

	for (unsigned i = 0; i < SESSION_SLOTS; i++, b += SESSION_SIZE) {
		put_u32be(b, h->sessions[i].id);
		put_u32be(b + 4, h->sessions[i].network);
		put_u32be(b + 8, h->sessions[i].last_min);
	}
	writer_bin(w, bytes, sizeof(bytes));
}

void history_write(struct writer *w, const struct history *h)
{
	writer_array(w, h->fell != 0 ? HISTORY_ELEMENTS + 1 : HISTORY_ELEMENTS);
	for (unsigned i = 0; i < RATE_COUNT; i++) {
		writer_uint(w, h->rates[i].time_ms);
		writer_uint(w, h->rates[i].value);
	}
	writer_uint(w, h->place_ms);
	writer_int(w, h->latitude);
	writer_int(w, h->longitude);
	writer_uint(w, h->proof_ms);
	writer_uint(w, h->amounts.n);
	writer_int(w, h->amounts.mean);
	writer_int(w, h->amounts.deviation);
	for (unsigned k = 0; k < TRACE_COUNT; k++)
		writer_uint(w, h->gain_day[k]);
	write_sessions(w, h);
	write_traces(w, h);
	if (h->fell != 0)
		writer_uint(w, h->fell);
}

static uint64_t read_uint(struct reader *r, uint64_t max)
{
	uint64_t v = 0;

	reader_uint(r, max, &v);
	return v;
}

static int64_t read_int(struct reader *r, int64_t min, int64_t max)
{
	int64_t v = 0;

	reader_int(r, &v);
	if ((v < min || v > max) && r->err == 0)
		r->err = CS_ERR_MALFORMED;
	return v;
}

static void read_tables(struct reader *r, struct history *ret)
{
	uint8_t sessions[SESSION_SLOTS * SESSION_SIZE] = {0}, traces[TRACE_SLOTS * TRACE_SIZE] = {0};
	const uint8_t *b = sessions;

	reader_bin_exact(r, sessions, sizeof(sessions));
	reader_bin_exact(r, traces, sizeof(traces));
	for (unsigned i = 0; i < SESSION_SLOTS; i++, b += SESSION_SIZE)
		ret->sessions[i] = (struct session_slot){get_u32be(b), get_u32be(b + 4), get_u32be(b + 8)};
	b = traces;
	for (unsigned i = 0; i < TRACE_SLOTS; i++, b += TRACE_SIZE)
		ret->traces[i] = (struct trace){.value = get_u32be(b),
		                                .last_min = get_u32be(b + 4),
		                                .uses = get_u16be(b + 8),
		                                .imported = b[10]};
	for (unsigned i = 0; i < TRACE_SLOTS; i++)
		if (ret->traces[i].imported > 1 && r->err == 0)
			r->err = CS_ERR_MALFORMED;
}

void history_read(struct reader *r, struct history *ret)
{
	const int64_t sum_max = (AMOUNT_MAX + 1) * AMOUNT_ONE * 2;
	uint32_t n = 0;

	memset(ret, 0, sizeof(*ret));
	reader_array(r, HISTORY_ELEMENTS + 1, &n);
	if (n < HISTORY_ELEMENTS && r->err == 0)
		r->err = CS_ERR_MALFORMED;
	ret->begun = true;
	for (unsigned i = 0; i < RATE_COUNT; i++) {
		ret->rates[i].time_ms = read_uint(r, UINT64_MAX);
		ret->rates[i].value = read_uint(r, RATE_VALUE_MAX);
	}
	ret->place_ms = read_uint(r, UINT64_MAX);
	ret->latitude = (int32_t)read_int(r, -FIXED_LATITUDE_MAX, FIXED_LATITUDE_MAX);
	ret->longitude = (int32_t)read_int(r, -FIXED_LONGITUDE_MAX, FIXED_LONGITUDE_MAX);
	ret->proof_ms = read_uint(r, UINT64_MAX);
	ret->amounts.n = (uint32_t)read_uint(r, UINT32_MAX);
	ret->amounts.mean = read_int(r, -sum_max, sum_max);
	ret->amounts.deviation = read_int(r, 0, sum_max);
	for (unsigned k = 0; k < TRACE_COUNT; k++)
		ret->gain_day[k] = (uint32_t)read_uint(r, UINT32_MAX);
	read_tables(r, ret);
	if (n > HISTORY_ELEMENTS)
		ret->fell = (uint32_t)read_uint(r, UINT32_MAX);
}
