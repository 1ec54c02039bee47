/* Renders private fields' canonical values as short text for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger/bundle.h"
#include "ledger/errors.h"

#define CUT           "\xE2\x80\xA6" /* U+2026 */
#define BIN_SHOWN_MAX 32             /* Bytes of a binary value that are shown: a hash whole. */

struct text {
	char *buf;
	size_t len, cap; /* cap without the room for CUT and a NUL. */
	bool cut;
};

/* Adds a piece whole or not at all, so that a cut never splits a character or an escape. */
static void text_piece(struct text *t, const char *piece, size_t n)
{
	if (t->cut || n > t->cap - t->len) {
		t->cut = true;
		return;
	}
	memcpy(t->buf + t->len, piece, n);
	t->len += n;
}

static void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text_format(struct text *t, const char *format, ...)
{
	char piece[64];
	va_list args;

	va_start(args, format);
	vsnprintf(piece, sizeof piece, format, args); /* Numbers and signs: far shorter. */
	va_end(args);
	text_piece(t, piece, strlen(piece));
}

/* Decodes the character at s, which reader_str has found well-formed. */
static uint32_t char_take(const uint8_t *s, size_t *ret_len)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	*ret_len = len;
	return c;
}

/* C0 and C1 controls steer terminals; bidirectional controls (UAX 9, 2) show text in another order than it has. */
static bool steers(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

static void text_string(struct text *t, const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		uint32_t c = char_take(p + i, &n);
		if (steers(c))
			text_format(t, "\\u{%x}", (unsigned)c);
		else
			text_piece(t, s + i, n);
	}
}

static void text_bin(struct text *t, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len && i < BIN_SHOWN_MAX; i++)
		text_format(t, "%02x", b[i]);
	if (len > BIN_SHOWN_MAX)
		text_format(t, CUT " (%zu bytes)", len);
}

static void text_int(struct text *t, struct reader *r)
{
	struct reader before = *r;
	uint64_t u;
	int64_t i;

	if (reader_uint(r, UINT64_MAX, &u) == CS_OK) {
		text_format(t, "%" PRIu64, u);
		return;
	}
	*r = before; /* It is negative: the reader's error is taken back with its position. */
	if (reader_int(r, &i) == CS_OK)
		text_format(t, "%" PRId64, i);
}

/* One value; between: what stands between the elements of an array, on the level asked for and in brackets below. */
static void text_value(struct text *t, struct reader *r, const char *between, unsigned bare_levels)
{
	const uint8_t *b;
	const char *s;
	size_t len;
	bool v;
	uint32_t n;

	switch (reader_peek(r)) {
	case VALUE_NIL:
		reader_nil(r);
		text_format(t, "-");
		break;
	case VALUE_BOOL:
		if (reader_bool(r, &v) == CS_OK)
			text_format(t, "%s", v ? "true" : "false");
		break;
	case VALUE_INT:
		text_int(t, r);
		break;
	case VALUE_STR:
		if (reader_str(r, LIMIT_BODY_SIZE_MAX, &s, &len) == CS_OK)
			text_string(t, s, len);
		break;
	case VALUE_BIN:
		if (reader_bin(r, LIMIT_BODY_SIZE_MAX, &b, &len) == CS_OK)
			text_bin(t, b, len);
		break;
	case VALUE_ARRAY:
		if (reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n) != CS_OK)
			break;
		if (bare_levels == 0)
			text_format(t, "[");
		for (uint32_t i = 0; i < n && r->err == 0; i++) {
			if (i > 0)
				text_format(t, "%s", bare_levels > 0 ? between : ", ");
			/* A list of pairs: commas between the pairs, "=" inside each. */
			text_value(t, r, "=", bare_levels > 0 ? bare_levels - 1 : 0);
		}
		if (bare_levels == 0)
			text_format(t, "]");
		break;
	case VALUE_NONE:
	default:
		reader_end(r);
		break;
	}
}

int bundle_field_text(unsigned kind, const void *value, size_t len, char *buf, size_t cap)
{
	const size_t tail = strlen(CUT) + 1;
	struct reader r;

	if (cap < 8)
		return CS_ERR_INVALID;
	struct text t = {.buf = buf, .cap = cap - tail};
	reader_init(&r, value, len);
	switch (kind) {
	case FIELD_SUBJECT:
	case FIELD_ACTOR:
	case FIELD_RESOURCE:
		text_value(&t, &r, " ", 1);
		break;
	case FIELD_CONTEXT:
		text_value(&t, &r, ", ", 2);
		break;
	default:
		text_value(&t, &r, ", ", 1);
		break;
	}
	int err = reader_end(&r);
	if (err) {
		buf[0] = '\0';
		return CS_ERR_MALFORMED;
	}
	if (t.cut)
		memcpy(t.buf + t.len, CUT, strlen(CUT));
	buf[t.len + (t.cut ? strlen(CUT) : 0)] = '\0';
	return CS_OK;
}
