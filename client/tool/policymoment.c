/* Points in time as people write them in files: RFC 3339 in UTC, or so much after another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policymoment.h"

#include <string.h>
#include <time.h>

#define SPAN_MS_MAX (UINT64_C(3653) * 86400000)

/* So many decimal digits at *at; moves it on. */
static bool digits(struct text t, size_t *at, size_t n, int *ret)
{
	int v = 0;

	if (t.len - *at < n)
		return false;
	for (size_t end = *at + n; *at < end; ++*at) {
		char c = t.s[*at];
		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*ret = v;
	return true;
}

static bool sign(struct text t, size_t *at, char c)
{
	if (*at >= t.len || t.s[*at] != c)
		return false;
	++*at;
	return true;
}

/* RFC 3339, 5.6, of which UTC ("Z") only: a policy's hours are UTC's. */
bool policymoment_time(struct text t, uint64_t *ret_ms)
{
	struct tm tm = {0}, back;
	int ms = 0, unit = 100, digit;
	size_t at = 0;

	if (!digits(t, &at, 4, &tm.tm_year) || !sign(t, &at, '-') || !digits(t, &at, 2, &tm.tm_mon) ||
	    !sign(t, &at, '-') || !digits(t, &at, 2, &tm.tm_mday) || !sign(t, &at, 'T') ||
	    !digits(t, &at, 2, &tm.tm_hour) || !sign(t, &at, ':') || !digits(t, &at, 2, &tm.tm_min) ||
	    !sign(t, &at, ':') || !digits(t, &at, 2, &tm.tm_sec))
		return false;
	if (sign(t, &at, '.')) {
		for (; unit && digits(t, &at, 1, &digit); unit /= 10)
			ms += digit * unit;
		if (unit == 100)
			return false;
	}
	if (!sign(t, &at, 'Z') || at != t.len || tm.tm_year < 1970)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	back = tm;
	time_t s = timegm(&back);
	/* timegm puts February 31st into March: whatever it had to move is no date. */
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday || back.tm_hour != tm.tm_hour ||
	    back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
		return false;
	*ret_ms = (uint64_t)s * 1000 + (uint64_t)ms;
	return true;
}

bool policymoment_span(struct text t, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	uint64_t v = 0;
	size_t n = 0;

	for (; n < t.len && t.s[n] >= '0' && t.s[n] <= '9'; n++) {
		if (v > SPAN_MS_MAX)
			return false;
		v = v * 10 + (uint64_t)(t.s[n] - '0');
	}
	if (!n)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (t.len - n == strlen(units[i].unit) && !memcmp(t.s + n, units[i].unit, t.len - n)) {
			if (v > SPAN_MS_MAX / units[i].ms)
				return false;
			*ret_ms = v * units[i].ms;
			return true;
		}
	return false;
}
