/* CEL's timestamps and durations: RFC 3339, "1h30m", calendar fields, sums (langdef.md, Date/Time Functions). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

#define NS          INT64_C(1000000000)
#define DAY         86400
#define SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct cel_value cel_timestamp(int64_t seconds, uint32_t nanos)
{
	if (seconds < SECONDS_MIN || seconds > SECONDS_MAX)
		return cel_fault(CEL_FAULT_RANGE);
	return (struct cel_value){.kind = CEL_TIMESTAMP, .n = nanos, .as.i = seconds};
}

/* --- calendar: Gregorian, by eras of 400 years that begin in March, so that the leap day is a year's last --- */

static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_era = (unsigned)(y - era * 400);
	unsigned of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned day = (unsigned)(days - era * 146097);
	unsigned of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
	unsigned month = (5 * of_year + 2) / 153;

	*d = of_year - (153 * month + 2) / 5 + 1;
	*m = month < 10 ? month + 3 : month - 9;
	*y = era * 400 + of_era + (*m <= 2);
}

static unsigned days_in(int64_t y, unsigned m)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (m == 2 && leap ? 1u : 0u);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* --- RFC 3339 --- */

/* Exactly n digits; false: something else. */
static bool take_digits(struct text *t, unsigned n, unsigned *ret)
{
	unsigned v = 0;

	if (t->len < n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (t->s[i] < '0' || t->s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(t->s[i] - '0');
	}
	t->s += n;
	t->len -= n;
	*ret = v;
	return true;
}

static bool take_char(struct text *t, char c)
{
	if (t->len == 0 || t->s[0] != c)
		return false;
	t->s++;
	t->len--;
	return true;
}

/* ".5" as nanoseconds: one to nine digits. */
static bool take_fraction(struct text *t, uint32_t *ret)
{
	uint32_t v = 0;
	unsigned n = 0, digit;

	*ret = 0;
	if (!take_char(t, '.'))
		return true;
	for (; n < 9 && take_digits(t, 1, &digit); n++)
		v = v * 10 + digit;
	for (unsigned i = n; i < 9; i++)
		v *= 10;
	*ret = v;
	return n > 0;
}

/* "+01:00", "-07:30", seconds of it. */
static bool take_offset(struct text *t, int64_t *ret)
{
	bool minus = t->len > 0 && t->s[0] == '-';
	unsigned h, m;

	if ((!take_char(t, '-') && !take_char(t, '+')) || !take_digits(t, 2, &h) || !take_char(t, ':') ||
	    !take_digits(t, 2, &m) || h > 23 || m > 59)
		return false;
	*ret = (int64_t)(h * 3600 + m * 60) * (minus ? -1 : 1);
	return true;
}

struct cel_value cel_time_parse(struct text t)
{
	unsigned y, m, d, h, min, s;
	uint32_t nanos;
	int64_t offset = 0;

	if (!take_digits(&t, 4, &y) || !take_char(&t, '-') || !take_digits(&t, 2, &m) || !take_char(&t, '-') ||
	    !take_digits(&t, 2, &d) || !take_char(&t, 'T') || !take_digits(&t, 2, &h) || !take_char(&t, ':') ||
	    !take_digits(&t, 2, &min) || !take_char(&t, ':') || !take_digits(&t, 2, &s) || !take_fraction(&t, &nanos))
		return cel_fault(CEL_FAULT_CONVERSION);
	if (!take_char(&t, 'Z') && !take_offset(&t, &offset))
		return cel_fault(CEL_FAULT_CONVERSION);
	if (t.len > 0 || m < 1 || m > 12 || d < 1 || d > days_in(y, m) || h > 23 || min > 59 || s > 59)
		return cel_fault(CEL_FAULT_CONVERSION);
	return cel_timestamp(days_of(y, m, d) * DAY + h * 3600 + min * 60 + s - offset, nanos);
}

/* --- durations --- */

/* "1.5h" and its like, one of a row; in nanoseconds. */
static bool take_part(struct text *t, int64_t *ret)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", NS}, {"m", 60 * NS}, {"h", 3600 * NS}};
	int64_t whole = 0, fraction = 0, scale = 1;
	unsigned digit, n = 0;

	for (; take_digits(t, 1, &digit); n++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (int64_t)digit, &whole))
			return false;
	if (take_char(t, '.'))
		for (; take_digits(t, 1, &digit); n++)
			if (scale < NS * 1000000) { /* Beyond, nothing that counts is left. */
				fraction = fraction * 10 + digit;
				scale *= 10;
			}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && n > 0; i++) {
		size_t len = strlen(units[i].name);
		if (t->len < len || memcmp(t->s, units[i].name, len) != 0)
			continue;
		/* Behind "m" there may be the "s" of "ms": that unit comes first in the list. */
		t->s += len;
		t->len -= len;
		__int128 part = (__int128)fraction * units[i].ns / scale;
		return !__builtin_mul_overflow(whole, units[i].ns, ret) &&
		       !__builtin_add_overflow(*ret, (int64_t)part, ret);
	}
	return false;
}

struct cel_value cel_duration_parse(struct text t)
{
	bool minus = t.len > 0 && t.s[0] == '-';
	int64_t sum = 0, part;

	if (!take_char(&t, '-'))
		take_char(&t, '+');
	if (text_is(t, "0"))
		return cel_duration(0);
	if (t.len == 0)
		return cel_fault(CEL_FAULT_CONVERSION);
	while (t.len > 0)
		if (!take_part(&t, &part) || __builtin_add_overflow(sum, part, &sum))
			return cel_fault(CEL_FAULT_CONVERSION);
	return cel_duration(minus ? -sum : sum);
}

/* --- text --- */

/* ".5" of nanoseconds, without zeros at its end; nothing if there are none. */
static size_t put_fraction(char *ret, size_t cap, uint32_t nanos)
{
	int n = nanos == 0 ? 0 : snprintf(ret, cap, ".%09u", nanos);

	while (n > 0 && ret[n - 1] == '0')
		n--;
	return (size_t)n;
}

size_t cel_time_text(const struct cel_value *v, char ret[CEL_TIME_TEXT_MAX])
{
	int64_t y;
	unsigned m, d;
	size_t n;

	if (v->kind == CEL_DURATION) {
		uint64_t ns = v->as.i < 0 ? 0 - (uint64_t)v->as.i : (uint64_t)v->as.i;
		n = (size_t)snprintf(ret, CEL_TIME_TEXT_MAX, "%s%llu", v->as.i < 0 ? "-" : "",
		                     (unsigned long long)(ns / (uint64_t)NS));
		n += put_fraction(ret + n, CEL_TIME_TEXT_MAX - n, (uint32_t)(ns % (uint64_t)NS));
		ret[n++] = 's';
		return n;
	}
	int64_t days = floor_div(v->as.i, DAY);
	unsigned of_day = (unsigned)(v->as.i - days * DAY);
	date_of(days, &y, &m, &d);
	n = (size_t)snprintf(ret, CEL_TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)y % 10000, m % 100,
	                     d % 100, of_day / 3600, of_day / 60 % 60, of_day % 60);
	n += put_fraction(ret + n, CEL_TIME_TEXT_MAX - n, v->n);
	ret[n++] = 'Z';
	return n;
}

/* --- fields --- */

/* "UTC" or a fixed offset; names of places need a database that differs between machines. */
static bool zone_offset(const struct cel_value *zone, int64_t *ret)
{
	struct text t = {zone->as.s, zone->n};

	*ret = 0;
	if (text_is(t, "UTC") || text_is(t, "Z"))
		return true;
	if (t.len == 5 && t.s[0] != '-' && t.s[0] != '+') { /* The tests of the language leave the plus out. */
		unsigned h, m;
		if (!take_digits(&t, 2, &h) || !take_char(&t, ':') || !take_digits(&t, 2, &m) || h > 23 || m > 59)
			return false;
		*ret = h * 3600 + m * 60;
		return true;
	}
	return take_offset(&t, ret) && t.len == 0;
}

static struct cel_value of_duration(enum cel_op op, int64_t ns)
{
	switch (op) {
	case OP_GET_HOURS:
		return cel_int(ns / (3600 * NS));
	case OP_GET_MINUTES:
		return cel_int(ns / (60 * NS));
	case OP_GET_SECONDS:
		return cel_int(ns / NS);
	case OP_GET_MILLISECONDS:
		return cel_int(ns % NS / 1000000);
	default:
		return cel_fault(CEL_FAULT_OVERLOAD);
	}
}

struct cel_value cel_time_get(enum cel_op op, const struct cel_value *v, const struct cel_value *zone)
{
	int64_t offset = 0, y;
	unsigned m, d;

	if (v->kind == CEL_DURATION && zone == NULL)
		return of_duration(op, v->as.i);
	if (v->kind != CEL_TIMESTAMP || (zone != NULL && zone->kind != CEL_STRING))
		return cel_fault(CEL_FAULT_OVERLOAD);
	if (zone != NULL && !zone_offset(zone, &offset))
		return cel_fault(CEL_FAULT_ZONE);
	int64_t days = floor_div(v->as.i + offset, DAY), of_day = v->as.i + offset - days * DAY;
	date_of(days, &y, &m, &d);
	switch (op) {
	case OP_GET_FULL_YEAR:
		return cel_int(y);
	case OP_GET_MONTH:
		return cel_int(m - 1);
	case OP_GET_DATE:
		return cel_int(d);
	case OP_GET_DAY_OF_MONTH:
		return cel_int(d - 1);
	case OP_GET_DAY_OF_WEEK: /* 1970-01-01 was a Thursday. */
		return cel_int((days % 7 + 11) % 7);
	case OP_GET_DAY_OF_YEAR:
		return cel_int(days - days_of(y, 1, 1));
	case OP_GET_HOURS:
		return cel_int(of_day / 3600);
	case OP_GET_MINUTES:
		return cel_int(of_day / 60 % 60);
	case OP_GET_SECONDS:
		return cel_int(of_day % 60);
	default:
		return cel_int(v->n / 1000000);
	}
}

/* --- sums --- */

static struct cel_value shift(const struct cel_value *t, __int128 ns)
{
	__int128 sum = (__int128)t->as.i * NS + t->n + ns;
	__int128 seconds = sum / NS - (sum % NS < 0);

	if (seconds < SECONDS_MIN || seconds > SECONDS_MAX)
		return cel_fault(CEL_FAULT_OVERFLOW);
	return cel_timestamp((int64_t)seconds, (uint32_t)(sum - seconds * NS));
}

static struct cel_value checked_duration(__int128 ns)
{
	return ns < INT64_MIN || ns > INT64_MAX ? cel_fault(CEL_FAULT_OVERFLOW) : cel_duration((int64_t)ns);
}

struct cel_value cel_time_add(const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind == CEL_DURATION && b->kind == CEL_DURATION)
		return checked_duration((__int128)a->as.i + b->as.i);
	if (a->kind == CEL_TIMESTAMP && b->kind == CEL_TIMESTAMP)
		return cel_fault(CEL_FAULT_OVERLOAD);
	return a->kind == CEL_TIMESTAMP ? shift(a, b->as.i) : shift(b, a->as.i);
}

struct cel_value cel_time_sub(const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind == CEL_DURATION && b->kind == CEL_DURATION)
		return checked_duration((__int128)a->as.i - b->as.i);
	if (a->kind == CEL_TIMESTAMP && b->kind == CEL_TIMESTAMP)
		return checked_duration(((__int128)a->as.i - b->as.i) * NS + (__int128)a->n - b->n);
	return a->kind == CEL_TIMESTAMP ? shift(a, -(__int128)b->as.i) : cel_fault(CEL_FAULT_OVERLOAD);
}
