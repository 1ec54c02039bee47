/* A subject's profile: recognise, learn, forget. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/profile.h"

#include <string.h>

#include "ledger/errors.h"

#define HOUR_MS           UINT64_C(3600000)
#define DAY_MS            UINT64_C(86400000)
#define MINUTE_MS         UINT64_C(60000)
#define HOURS_KNOWN_MIN   5  /* Distinct hours of the week before a habit is believed. */
#define HOUR_STEP         16 /* 15 weeks of the same hour before everything is halved. */
#define HOUR_STEP_IMPORT  4
#define HOUR_RARE_DIVISOR 32 /* Under 1/32 of the activity within an hour of it: seldom. */
#define USES_MAX          UINT16_MAX
#define USES_IMPORT_MAX   3
#define SLOT_SIZE         (8 + 4 + 2 + 1) /* In records. */

static const uint8_t slots_of[FEATURE_COUNT] = {
#define FEATURE_SLOTS(name, slots) slots,
        FEATURE_LIST(FEATURE_SLOTS)
#undef FEATURE_SLOTS
};

static unsigned slot_first(enum feature f)
{
	unsigned first = 0;

	for (unsigned i = 0; i < (unsigned)f; i++)
		first += slots_of[i];
	return first;
}

/* --- counters --- */

uint32_t counter_at(const struct counter *c, uint64_t now_ms, uint64_t half_life_ms)
{
	if (now_ms <= c->time_ms)
		return c->value;
	uint64_t halves = (now_ms - c->time_ms) / half_life_ms, rest = (now_ms - c->time_ms) % half_life_ms;
	if (halves >= 32)
		return 0;
	uint64_t v = c->value >> halves;
	/* Between two halvings a straight line: integers only, and never more than 6 % off. */
	return (uint32_t)(v - v * rest / (2 * half_life_ms));
}

void counter_add(struct counter *c, uint64_t now_ms, uint64_t half_life_ms)
{
	uint32_t v = counter_at(c, now_ms, half_life_ms);

	c->value = v > UINT32_MAX - COUNTER_ONE ? UINT32_MAX : v + COUNTER_ONE;
	if (now_ms > c->time_ms)
		c->time_ms = now_ms;
}

/* --- recognising --- */

const struct slot *profile_find(const struct profile *p, enum feature f, uint64_t value)
{
	const struct slot *s = p->slots + slot_first(f);

	for (unsigned i = 0; i < slots_of[f]; i++)
		if (s[i].value == value && value != 0)
			return &s[i];
	return NULL;
}

unsigned profile_slots(const struct profile *p, enum feature f, const struct slot **ret)
{
	*ret = p->slots + slot_first(f);
	return slots_of[f];
}

bool profile_has_any(const struct profile *p, enum feature f)
{
	const struct slot *s = p->slots + slot_first(f);

	for (unsigned i = 0; i < slots_of[f]; i++)
		if (s[i].value != 0)
			return true;
	return false;
}

static unsigned hour_of_week(uint64_t ms)
{
	return (unsigned)((ms / HOUR_MS + 3 * 24) % PROFILE_HOURS); /* 1970-01-01 was a Thursday. */
}

/* Activity within an hour of this hour of that day. */
static unsigned around(const struct profile *p, unsigned day, unsigned hour)
{
	unsigned at = day * 24 + hour + PROFILE_HOURS;

	return (unsigned)p->hours[(at - 1) % PROFILE_HOURS] + p->hours[at % PROFILE_HOURS] +
	       p->hours[(at + 1) % PROFILE_HOURS];
}

int profile_odd_hour(const struct profile *p, uint64_t event_ms)
{
	unsigned at = hour_of_week(event_ms), distinct = 0, total = 0, near = 0, near_kind = 0;
	bool weekend = at / 24 >= 5;

	for (unsigned i = 0; i < PROFILE_HOURS; i++) {
		distinct += p->hours[i] != 0;
		total += p->hours[i];
	}
	if (distinct < HOURS_KNOWN_MIN)
		return 0;
	for (unsigned day = 0; day < 7; day++) {
		unsigned n = around(p, day, at % 24);
		near += n;
		near_kind += (day >= 5) == weekend ? n : 0;
	}
	if (near * HOUR_RARE_DIVISOR < total)
		return 2;
	return near_kind == 0;
}

/* --- learning --- */

/* Where a new value goes: a free slot, else the one least recently used; what is known from import only goes first. */
static struct slot *slot_for(struct profile *p, enum feature f, bool import)
{
	struct slot *s = p->slots + slot_first(f), *best = NULL;

	for (unsigned i = 0; i < slots_of[f]; i++) {
		if (s[i].value == 0)
			return &s[i];
		if (import && !s[i].imported)
			continue;
		if (best == NULL || s[i].imported > best->imported ||
		    (s[i].imported == best->imported && s[i].last_min < best->last_min))
			best = &s[i];
	}
	return best;
}

static void hour_add(struct profile *p, uint64_t ms, unsigned step, uint32_t *last)
{
	uint32_t hour = (uint32_t)(ms / HOUR_MS) + 1;
	unsigned at = hour_of_week(ms);

	if (*last == hour)
		return;
	*last = hour;
	if (p->hours[at] + step > UINT8_MAX)
		for (unsigned i = 0; i < PROFILE_HOURS; i++)
			p->hours[i] /= 2;
	p->hours[at] = (uint8_t)(p->hours[at] + step);
}

static void learn(struct profile *p, enum feature f, uint64_t value, uint64_t now_ms, bool strong)
{
	struct slot *s = (struct slot *)profile_find(p, f, value);
	uint32_t day = (uint32_t)(now_ms / DAY_MS) + 1;

	if (s == NULL || s->imported) {
		if (!strong && p->gain_day[f] == day)
			return;
		if (!strong)
			p->gain_day[f] = day;
		if (s == NULL) {
			s = slot_for(p, f, false);
			*s = (struct slot){.value = value};
		}
		s->imported = 0;
	}
	s->last_min = (uint32_t)(now_ms / MINUTE_MS);
	if (s->uses < USES_MAX)
		s->uses++;
}

void profile_train(struct profile *p, const struct observation *o, uint64_t now_ms, bool strong)
{
	for (unsigned f = 0; f < FEATURE_COUNT; f++)
		if (o->value[f] != 0)
			learn(p, (enum feature)f, o->value[f], now_ms, strong);
	hour_add(p, now_ms, HOUR_STEP, &p->hour_trained);
	if (p->trained < UINT32_MAX)
		p->trained++;
	p->last_ms = now_ms;
}

void profile_train_import(struct profile *p, const struct observation *o, uint64_t event_ms)
{
	for (unsigned f = 0; f < FEATURE_COUNT; f++) {
		if (o->value[f] == 0)
			continue;
		struct slot *s = (struct slot *)profile_find(p, (enum feature)f, o->value[f]);
		uint32_t minute = (uint32_t)(event_ms / MINUTE_MS);
		if (s == NULL) {
			s = slot_for(p, (enum feature)f, true);
			if (s == NULL)
				continue; /* Full of values learnt from decisions. */
			*s = (struct slot){.value = o->value[f], .imported = 1};
		}
		if (!s->imported)
			continue;
		if (s->uses < USES_IMPORT_MAX)
			s->uses++;
		if (s->last_min < minute)
			s->last_min = minute;
	}
	hour_add(p, event_ms, HOUR_STEP_IMPORT, &p->hour_imported);
	if (p->imported < UINT32_MAX)
		p->imported++;
}

/* --- records --- */

static void counter_write(struct writer *w, const struct counter *c)
{
	writer_uint(w, c->time_ms);
	writer_uint(w, c->value);
}

static void slots_write(struct writer *w, const struct profile *p)
{
	uint8_t bytes[PROFILE_SLOTS * SLOT_SIZE], *b = bytes;

	for (unsigned i = 0; i < PROFILE_SLOTS; i++, b += SLOT_SIZE) {
		put_u64be(b, p->slots[i].value);
		put_u32be(b + 8, p->slots[i].last_min);
		put_u16be(b + 12, p->slots[i].uses);
		b[14] = (uint8_t)p->slots[i].imported;
	}
	writer_bin(w, bytes, sizeof(bytes));
}

void profile_write(struct writer *w, const struct profile *p)
{
	uint8_t gain[FEATURE_COUNT * 4];

	writer_uint(w, p->trained);
	writer_uint(w, p->imported);
	writer_uint(w, p->last_ms);
	counter_write(w, &p->rate);
	counter_write(w, &p->import_rate);
	counter_write(w, &p->failures);
	writer_uint(w, p->hour_trained);
	writer_uint(w, p->hour_imported);
	for (unsigned f = 0; f < FEATURE_COUNT; f++)
		put_u32be(gain + 4 * f, p->gain_day[f]);
	writer_bin(w, gain, sizeof(gain));
	writer_bin(w, p->hours, sizeof(p->hours));
	slots_write(w, p);
}

static uint32_t read_u32(struct reader *r)
{
	uint64_t v = 0;

	reader_uint(r, UINT32_MAX, &v);
	return (uint32_t)v;
}

static void counter_read(struct reader *r, struct counter *ret)
{
	reader_uint(r, UINT64_MAX, &ret->time_ms);
	ret->value = read_u32(r);
}

void profile_read(struct reader *r, struct profile *ret)
{
	uint8_t gain[FEATURE_COUNT * 4] = {0}, bytes[PROFILE_SLOTS * SLOT_SIZE] = {0};
	const uint8_t *b = bytes;

	memset(ret, 0, sizeof(*ret));
	ret->trained = read_u32(r);
	ret->imported = read_u32(r);
	reader_uint(r, UINT64_MAX, &ret->last_ms);
	counter_read(r, &ret->rate);
	counter_read(r, &ret->import_rate);
	counter_read(r, &ret->failures);
	ret->hour_trained = read_u32(r);
	ret->hour_imported = read_u32(r);
	reader_bin_exact(r, gain, sizeof(gain));
	reader_bin_exact(r, ret->hours, sizeof(ret->hours));
	reader_bin_exact(r, bytes, sizeof(bytes));
	for (unsigned f = 0; f < FEATURE_COUNT; f++)
		ret->gain_day[f] = get_u32be(gain + 4 * f);
	for (unsigned i = 0; i < PROFILE_SLOTS; i++, b += SLOT_SIZE)
		ret->slots[i] = (struct slot){.value = get_u64be(b),
		                              .last_min = get_u32be(b + 8),
		                              .uses = get_u16be(b + 12),
		                              .imported = b[14]};
	for (unsigned i = 0; i < PROFILE_SLOTS; i++)
		if (ret->slots[i].imported > 1 && r->err == 0)
			r->err = CS_ERR_MALFORMED;
}
