/* Times as logs write them, to POSIX milliseconds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/when.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX   127 /* Longer than any time that a log writes. */
#define DIGITS_MAX 18  /* Fit an int64_t. */

/* Exactly n digits as a number; -1: others are there. */
static int number(const char *s, unsigned n)
{
	int v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = 10 * v + s[i] - '0';
	}
	return v;
}

/* timegm puts February 31st into March: whatever it had to move is no date. A leap second is the next one. */
static bool civil(const struct tm *tm, int64_t *ret_s)
{
	struct tm back = *tm;
	bool leap = tm->tm_sec == 60;

	back.tm_sec -= leap;
	time_t t = timegm(&back);

	if (back.tm_mday != tm->tm_mday || back.tm_mon != tm->tm_mon || back.tm_year != tm->tm_year ||
	    back.tm_hour != tm->tm_hour || back.tm_min != tm->tm_min || back.tm_sec != tm->tm_sec - leap)
		return false;
	*ret_s = t + leap;
	return true;
}

static bool to_ms(int64_t s, unsigned ms, uint64_t *ret_ms)
{
	if (s < 0 || s > INT64_MAX / 1000 - 1)
		return false;
	*ret_ms = (uint64_t)s * 1000 + ms;
	return true;
}

/* --- RFC 3339 and its like --- */

static bool zone(const char **s, int64_t *ret_s)
{
	const char *p = *s + 1;
	int hours, minutes = 0;

	if (**s == 'Z' || **s == 'z') {
		*ret_s = 0;
		*s = p;
		return true;
	}
	if ((**s != '+' && **s != '-') || (hours = number(p, 2)) < 0)
		return false;
	p += 2;
	if (*p == ':' || (*p >= '0' && *p <= '9')) {
		p += *p == ':';
		minutes = number(p, 2);
		p += 2;
	}
	if (hours > 23 || minutes < 0 || minutes > 59)
		return false;
	*ret_s = (**s == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	*s = p;
	return true;
}

bool when_offset(const char *text, int64_t *ret_s)
{
	int64_t s;

	if (!zone(&text, &s) || *text)
		return false;
	*ret_s = s;
	return true;
}

/* Milliseconds of the digits after a point; what is finer is left out. */
static bool fraction(const char **s, unsigned *ret_ms)
{
	unsigned scale = 100;

	*ret_ms = 0;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; (*s)++, scale /= 10)
		*ret_ms += (unsigned)(**s - '0') * scale;
	return true;
}

/* "2023-07-10T11:58:14" of exactly 19 bytes. */
static bool date_and_time(const char *s, int64_t *ret_s)
{
	struct tm tm = {0};

	if (strnlen(s, 19) < 19 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
	    s[13] != ':' || s[16] != ':')
		return false;
	tm.tm_year = number(s, 4) - 1900;
	tm.tm_mon = number(s + 5, 2) - 1;
	tm.tm_mday = number(s + 8, 2);
	tm.tm_hour = number(s + 11, 2);
	tm.tm_min = number(s + 14, 2);
	tm.tm_sec = number(s + 17, 2);
	/* -1 of number is no time of day either; a year before 1970 ends in to_ms. */
	return tm.tm_hour >= 0 && tm.tm_min >= 0 && tm.tm_sec >= 0 && tm.tm_sec <= 60 && civil(&tm, ret_s);
}

bool when_iso(const char *text, int64_t utc_offset_s, uint64_t *ret_ms, size_t *ret_len)
{
	const char *s = text + 19;
	int64_t seconds, offset = utc_offset_s;
	unsigned ms = 0;

	if (!date_and_time(text, &seconds))
		return false;
	if (*s == '.' || *s == ',') {
		s++;
		if (!fraction(&s, &ms))
			return false;
	}
	if ((*s == 'Z' || *s == 'z' || *s == '+' || *s == '-') && !zone(&s, &offset))
		return false;
	if (ret_len)
		*ret_len = (size_t)(s - text);
	else if (*s)
		return false;
	return to_ms(seconds - offset, ms, ret_ms);
}

/* --- RFC 3164 --- */

static unsigned month_of(const char *s)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (unsigned i = 0; i < 12; i++)
		if (!strncmp(s, names + 3 * (size_t)i, 3))
			return i + 1;
	return 0;
}

/* The latest year in which it is not after w->latest_ms: a log is younger than a year (February 29th: than eight). */
static bool latest_year(struct tm *tm, const struct when *w, int64_t *ret_s)
{
	int64_t latest_s = (int64_t)(w->latest_ms / 1000) + w->utc_offset_s;
	time_t t = latest_s;
	struct tm now;

	if (!gmtime_r(&t, &now))
		return false;
	for (int back = 0; back <= 8; back++) {
		tm->tm_year = now.tm_year - back;
		if (civil(tm, ret_s) && *ret_s <= latest_s)
			return true;
	}
	return false;
}

bool when_syslog(const char *text, struct when *w, uint64_t *ret_ms)
{
	struct tm tm = {0};
	unsigned month;
	int64_t s;

	if (strnlen(text, 15) < 15 || !(month = month_of(text)) || text[3] != ' ' || text[6] != ' ' || text[9] != ':' ||
	    text[12] != ':')
		return false;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = text[4] == ' ' ? number(text + 5, 1) : number(text + 4, 2);
	tm.tm_hour = number(text + 7, 2);
	tm.tm_min = number(text + 10, 2);
	tm.tm_sec = number(text + 13, 2);
	if (tm.tm_mday < 1 || tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	if (!w->year)
		return latest_year(&tm, w, &s) && to_ms(s - w->utc_offset_s, 0, ret_ms);
	/* Lines of two hosts may lie a little out of order; half a year back is the next year. */
	tm.tm_year = (int)(w->year + (w->month > month + 6)) - 1900;
	if (w->month && month > w->month + 6)
		tm.tm_year--;
	if (!civil(&tm, &s) || !to_ms(s - w->utc_offset_s, 0, ret_ms))
		return false;
	if (w->month > month + 6)
		w->year++;
	if (!w->month || month <= w->month + 6)
		w->month = month;
	return true;
}

/* --- others --- */

/* A number with a fraction or without, in units of which 1000 * per_ms make a second. */
static bool since_1970(const char *text, int64_t per_ms, uint64_t *ret_ms)
{
	size_t n = strspn(text, "0123456789");
	const char *s = text + n;
	unsigned ms = 0;

	if (!n || n > DIGITS_MAX)
		return false;
	int64_t v = strtoll(text, NULL, 10);
	if (*s == '.') {
		s++;
		if (!fraction(&s, &ms))
			return false;
	}
	if (*s)
		return false;
	if (per_ms == 0)
		return to_ms(v, ms, ret_ms);
	*ret_ms = (uint64_t)(v / per_ms);
	return true;
}

bool when_epoch(const char *text, uint64_t *ret_ms)
{
	size_t n = strspn(text, "0123456789");

	return since_1970(text, n >= 15 ? 1000 : n >= 12 ? 1 : 0, ret_ms);
}

static bool by_pattern(const char *text, const struct when *w, uint64_t *ret_ms)
{
	struct tm tm = {.tm_mday = 1};
	const char *end = strptime(text, w->pattern, &tm);
	int64_t s, offset = strstr(w->pattern, "%z") ? tm.tm_gmtoff : w->utc_offset_s;

	tm.tm_isdst = 0;
	return end && !*end && civil(&tm, &s) && to_ms(s - offset, 0, ret_ms);
}

bool when_any(const char *text, const struct when *w, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t per_ms;
	} units[] = {{"s", 0}, {"ms", 1}, {"us", 1000}};

	if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
		return false;
	for (size_t i = 0; w->pattern && i < sizeof units / sizeof *units; i++)
		if (!strcmp(w->pattern, units[i].name))
			return since_1970(text, units[i].per_ms, ret_ms);
	if (w->pattern && strcmp(w->pattern, "rfc3339") != 0)
		return by_pattern(text, w, ret_ms);
	return (!w->pattern && when_epoch(text, ret_ms)) || when_iso(text, w->utc_offset_s, ret_ms, NULL);
}
