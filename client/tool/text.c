/* How the tool writes for people: times, probabilities, colours on a terminal, strings that nobody vouches for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/text.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/countersign.h"

static uint64_t clock_ms(clockid_t id)
{
	struct timespec t;
	int err = clock_gettime(id, &t);

	assert(!err);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t text_now_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

uint64_t text_clock_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void text_time(uint64_t time_ms, char ret[TEXT_TIME_SIZE])
{
	time_t s = (time_t)(time_ms / 1000);
	struct tm tm;

	/* Years of five digits would not fit, and are nobody's time. */
	if (time_ms > UINT64_C(253402300799999) || !gmtime_r(&s, &tm)) {
		snprintf(ret, TEXT_TIME_SIZE, "(no time)");
		return;
	}
	strftime(ret, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + 19, TEXT_TIME_SIZE - 19, ".%03uZ", (unsigned)(time_ms % 1000));
}

double text_probability(int32_t risk_millilogits)
{
	return 1.0 / (1.0 + exp(-(double)risk_millilogits / 1000.0));
}

static bool coloured(FILE *f)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fileno(f));
}

const char *text_on(FILE *f, enum text_tint tint)
{
	static const char *const codes[] = {"",         "\033[32m", "\033[33m", "\033[34m",
	                                    "\033[31m", "\033[2m",  "\033[1m",  "\033[7m"};

	return coloured(f) ? codes[tint] : "";
}

const char *text_off(FILE *f)
{
	return coloured(f) ? "\033[0m" : "";
}

enum text_tint text_verdict_tint(int verdict)
{
	switch (verdict) {
	case CS_ALLOW:
		return TINT_GREEN;
	case CS_STEP_UP:
		return TINT_YELLOW;
	case CS_DEFER:
		return TINT_BLUE;
	case CS_DENY:
		return TINT_RED;
	default:
		return TINT_NONE;
	}
}

/* Bytes of the well-formed UTF-8 character at s that a terminal may see; 0: none is there (RFC 3629 4). */
static size_t printable_len(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80                   ? 1
	           : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
	           : (s[0] & 0xf0) == 0xe0       ? 3
	           : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
	                                         : 0;
	uint32_t c;

	if (n == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (!n || n > len)
		return 0;
	c = s[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	/* C1 controls, surrogates, overlong forms, and the marks that reorder what is read (bidi). */
	if (c < least[n] || c < 0xa0 || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff || (c >= 0x202a && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

void text_safe(const char *s, size_t len, char *ret, size_t cap)
{
	size_t out = 0, mark = 0;

	assert(cap >= 4);
	for (size_t i = 0; i < len;) {
		size_t n = printable_len((const unsigned char *)s + i, len - i), width = n ? n : 4;

		if (out + width >= cap) {
			memcpy(ret + mark, "...", 4);
			return;
		}
		if (n)
			memcpy(ret + out, s + i, n);
		else
			snprintf(ret + out, 5, "\\x%02x", (unsigned char)s[i]);
		i += n ? n : 1;
		out += width;
		if (out + 4 <= cap)
			mark = out;
	}
	ret[out] = 0;
}
