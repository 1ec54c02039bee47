/* Tells well-formed UTF-8. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/bytes.h"

#include <string.h>

/* RFC 3629 section 4, UTF8-octets: bytes of the character that starts at p, of n there are; 0 if ill-formed. */
static size_t char_len(const uint8_t *p, size_t n)
{
	uint8_t second_min = 0x80, second_max = 0xbf;
	size_t len;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		second_min = 0xa0; /* Shortest form. */
	else if (p[0] == 0xed)
		second_max = 0x9f; /* No surrogates. */
	else if (p[0] == 0xf0)
		second_min = 0x90; /* Shortest form. */
	else if (p[0] == 0xf4)
		second_max = 0x8f; /* Nothing above U+10FFFF. */
	if (n < len || p[1] < second_min || p[1] > second_max)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* None of them 0 or above 127. The second term: a byte that is 0 borrows. */
static bool ascii_8(const uint8_t *p)
{
	uint64_t v, ones = UINT64_C(0x0101010101010101), highs = ones << 7;

	memcpy(&v, p, 8);
	return (v & highs) == 0 && ((v - ones) & ~v & highs) == 0;
}

static bool ascii_4(const uint8_t *p)
{
	uint32_t v, ones = UINT32_C(0x01010101), highs = ones << 7;

	memcpy(&v, p, 4);
	return (v & highs) == 0 && ((v - ones) & ~v & highs) == 0;
}

/* Most texts are: many bytes at once, the last ones with some before them a second time. */
static bool ascii(const uint8_t *p, size_t len)
{
	if (len >= 8) {
		for (size_t i = 0; i + 8 < len; i += 8)
			if (!ascii_8(p + i))
				return false;
		return ascii_8(p + len - 8);
	}
	if (len >= 4)
		return ascii_4(p) && ascii_4(p + len - 4);
	for (size_t i = 0; i < len; i++)
		if (p[i] == 0 || p[i] > 0x7f)
			return false;
	return true;
}

bool utf8_valid(const void *s, size_t len)
{
	const uint8_t *p = s;
	size_t step;

	if (ascii(p, len))
		return true;
	for (size_t i = 0; i < len; i += step) {
		if (len - i >= 8 && ascii_8(p + i)) {
			step = 8;
			continue;
		}
		if (p[i] == 0)
			return false;
		step = p[i] < 0x80 ? 1 : char_len(p + i, len - i);
		if (step == 0)
			return false;
	}
	return true;
}
