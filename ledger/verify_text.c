/* The verifier's results, and the little encodings that it reads: lines, decimals, base64, UTF-8. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verify_result_init(struct verify_result *r)
{
	memset(r, 0, sizeof *r);
	r->outcome = VERIFY_UNDECIDED; /* Until all of it was shown. */
}

/* Length of the UTF-8 character at s (RFC 3629 4), or 0. */
static size_t utf8_char(struct verify_slice s)
{
	/* First byte's range, bytes in all, and range of the second: the third and fourth are 80..BF always. */
	static const struct {
		uint8_t first, last, len, second_min, second_max;
	} rows[] = {
	        {0x01, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
	        {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
	        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (s.p[0] < rows[i].first || s.p[0] > rows[i].last)
			continue;
		if (s.len < rows[i].len)
			return 0;
		if (rows[i].len > 1 && (s.p[1] < rows[i].second_min || s.p[1] > rows[i].second_max))
			return 0;
		for (size_t j = 2; j < rows[i].len; j++)
			if (s.p[j] < 0x80 || s.p[j] > 0xbf)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/*
 * Unicode's bidirectional controls (UAX 9, 2), the C0 and the C1 controls can make a terminal show other text than
 * there is. Whether the character of len bytes is one of them.
 */
static bool steers(const uint8_t *s, size_t len)
{
	if (len == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (len == 2)
		return s[0] == 0xc2 && s[1] <= 0x9f;
	if (len != 3 || s[0] != 0xe2)
		return false;
	return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xaa && s[2] <= 0xae))) ||
	       (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

bool verify_controls(struct verify_slice s)
{
	size_t n;

	for (; s.len > 0; s.p += n, s.len -= n) {
		n = utf8_char(s);
		if (n == 0 || steers(s.p, n))
			return true;
	}
	return false;
}

/* What is no character (a name of a policy is any octets, and a long text may be cut inside one) no JSON can hold. */
static void text_set(char *buf, size_t size, const char *format, va_list args)
{
	size_t n;

	buf[0] = '\0';
	vsnprintf(buf, size, format, args);
	const size_t len = strlen(buf);
	for (size_t i = 0; i < len; i += n) {
		struct verify_slice rest = {(const uint8_t *)buf + i, len - i};

		n = utf8_char(rest);
		if (n > 0 && !steers(rest.p, n))
			continue;
		n = n > 0 ? n : 1;
		memset(buf + i, '?', n);
	}
}

static void say(struct verify_result *r, enum verify_mark mark, const char *format, va_list args)
{
	assert(r->n_lines < VERIFY_LINES_MAX);
	struct verify_line *line = &r->lines[r->n_lines++];
	line->mark = mark;
	text_set(line->text, sizeof line->text, format, args);
}

void verify_say(struct verify_result *r, enum verify_mark mark, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(r, mark, format, args);
	va_end(args);
}

bool verify_refute(struct verify_result *r, const char *format, ...)
{
	va_list args;

	r->outcome = VERIFY_REFUTED;
	va_start(args, format);
	text_set(r->reason, sizeof r->reason, format, args);
	va_end(args);
	verify_say(r, VERIFY_MARK_BAD, "%s", r->reason);
	return false;
}

bool verify_undecided(struct verify_result *r, const char *format, ...)
{
	va_list args;

	assert(r->outcome != VERIFY_REFUTED);
	r->outcome = VERIFY_UNDECIDED;
	va_start(args, format);
	text_set(r->reason, sizeof r->reason, format, args);
	va_end(args);
	verify_say(r, VERIFY_MARK_UNCHECKED, "%s", r->reason);
	return false;
}

void verify_bad_number(struct verify_result *r, uint64_t expected, uint64_t found)
{
	snprintf(r->expected, sizeof r->expected, "%" PRIu64, expected);
	snprintf(r->found, sizeof r->found, "%" PRIu64, found);
}

void verify_bad_hash(struct verify_result *r, const uint8_t *expected, const uint8_t *found)
{
	sodium_bin2hex(r->expected, sizeof r->expected, expected, VERIFY_HASH_SIZE);
	sodium_bin2hex(r->found, sizeof r->found, found, VERIFY_HASH_SIZE);
}

bool verify_slice_is(struct verify_slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

bool verify_slice_begins(struct verify_slice s, const char *text)
{
	return s.len >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

bool verify_line_take(struct verify_slice *rest, struct verify_slice *ret_line)
{
	const uint8_t *newline = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;

	if (!newline)
		return false;
	*ret_line = (struct verify_slice){rest->p, (size_t)(newline - rest->p)};
	rest->len -= ret_line->len + 1;
	rest->p = newline + 1;
	return true;
}

bool verify_utf8(struct verify_slice s)
{
	while (s.len > 0) {
		size_t n = utf8_char(s);
		if (n == 0)
			return false;
		s.p += n;
		s.len -= n;
	}
	return true;
}

bool verify_decimal(struct verify_slice s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.len == 0 || (s.len > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

bool verify_base64(struct verify_slice s, uint8_t *out, size_t cap, size_t *ret_len)
{
	/* libsodium 1.0.18 takes AB and AF for '+' and '/': it compares the character as a signed number. */
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] > 0x7f)
			return false;
	return sodium_base642bin(out, cap, (const char *)s.p, s.len, NULL, ret_len, NULL,
	                         sodium_base64_VARIANT_ORIGINAL) == 0;
}

bool verify_base64_exact(struct verify_slice s, uint8_t *out, size_t len)
{
	size_t got;

	return verify_base64(s, out, len, &got) && got == len;
}
