/* Tokens of CEL: names, numbers, strings with their escapes, signs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_internal.h"

int cel_fail(struct cel_work *w, uint32_t offset, const char *format, ...)
{
	va_list args;

	if (w->error->text[0] != 0)
		return CS_ERR_INVALID;
	w->error->offset = offset;
	va_start(args, format);
	vsnprintf(w->error->text, sizeof(w->error->text), format, args);
	va_end(args);
	return CS_ERR_INVALID;
}

bool cel_text_byte(struct cel_work *w, char c)
{
	if (w->n_text == CEL_TEXT_MAX)
		return false;
	w->text[w->n_text++] = c;
	return true;
}

static int at(const struct cel_work *w, size_t ahead)
{
	return w->pos + ahead < w->source.len ? (unsigned char)w->source.s[w->pos + ahead] : -1;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_value(int c)
{
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void skip_space(struct cel_work *w)
{
	for (;;) {
		int c = at(w, 0);
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
			w->pos++;
		} else if (c == '/' && at(w, 1) == '/') {
			while (at(w, 0) >= 0 && at(w, 0) != '\n')
				w->pos++;
		} else {
			return;
		}
	}
}

/* --- numbers --- */

static int take_number(struct cel_work *w)
{
	struct cel_token *t = &w->token;
	bool hex = at(w, 0) == '0' && (at(w, 1) == 'x' || at(w, 1) == 'X') && hex_value(at(w, 2)) >= 0;
	unsigned base = hex ? 16 : 10;
	bool large = false;

	w->pos += hex ? 2 : 0;
	t->value = 0;
	for (int d; (d = hex_value(at(w, 0))) >= 0 && (unsigned)d < base; w->pos++) {
		large = large || t->value > (UINT64_MAX - (unsigned)d) / base;
		t->value = t->value * base + (unsigned)d;
	}
	if (!hex && ((at(w, 0) == '.' && is_digit(at(w, 1))) ||
	             ((at(w, 0) == 'e' || at(w, 0) == 'E') &&
	              (is_digit(at(w, 1)) || ((at(w, 1) == '+' || at(w, 1) == '-') && is_digit(at(w, 2)))))))
		return cel_fail(w, t->offset, "doubles are left out: conditions are evaluated without floating point");
	t->kind = TOKEN_INT;
	if (at(w, 0) == 'u' || at(w, 0) == 'U') {
		t->kind = TOKEN_UINT;
		w->pos++;
	}
	if (is_letter(at(w, 0)) || is_digit(at(w, 0)))
		return cel_fail(w, w->pos, "a number ends with a letter");
	/* 2^63 is for its negation only: the parser sees to that. */
	if (large || (t->kind == TOKEN_INT && t->value > (uint64_t)INT64_MAX + 1))
		return cel_fail(w, t->offset, "the number does not fit 64 bits");
	return 0;
}

/* --- strings --- */

size_t cel_utf8_put(char ret[4], uint32_t c)
{
	if (c < 0x80) {
		ret[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		ret[0] = (char)(0xc0 | c >> 6);
		ret[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		ret[0] = (char)(0xe0 | c >> 12);
		ret[1] = (char)(0x80 | (c >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | c >> 18);
	ret[1] = (char)(0x80 | (c >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (c >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int put_code_point(struct cel_work *w, uint32_t c)
{
	char utf8[4];
	size_t n = cel_utf8_put(utf8, c);

	for (size_t i = 0; i < n; i++)
		if (!cel_text_byte(w, utf8[i]))
			return cel_fail(w, w->pos, "too many texts in one policy");
	return 0;
}

/* digits of a base behind the escape's letter; w->pos is on the backslash. */
static int numeric_escape(struct cel_work *w, size_t first, unsigned digits, unsigned base, bool bytes, bool octet)
{
	uint32_t c = 0;

	for (size_t i = first; i < first + digits; i++) {
		int d = hex_value(at(w, i));
		if (d < 0 || (unsigned)d >= base)
			return cel_fail(w, w->pos, "the escape wants %u digits", digits);
		c = c * base + (unsigned)d;
	}
	if (octet && c > 0xff)
		return cel_fail(w, w->pos, "an octal escape ends at \\377");
	if (bytes && !octet)
		return cel_fail(w, w->pos, "\\u and \\U are for strings, not for bytes");
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return cel_fail(w, w->pos, "the escape names no Unicode code point");
	w->pos += (uint32_t)(first + digits);
	if (bytes)
		return cel_text_byte(w, (char)c) ? 0 : cel_fail(w, w->pos, "too many texts in one policy");
	return put_code_point(w, c);
}

static int escape(struct cel_work *w, bool bytes)
{
	static const char letters[] = "abfnrtv\\?\"'`", mean[] = "\a\b\f\n\r\t\v\\?\"'`";
	int c = at(w, 1);
	const char *found = c > 0 ? strchr(letters, c) : NULL;

	if (found != NULL) {
		w->pos += 2;
		return cel_text_byte(w, mean[found - letters]) ? 0
		                                               : cel_fail(w, w->pos, "too many texts in one policy");
	}
	if (c == 'x' || c == 'X')
		return numeric_escape(w, 2, 2, 16, bytes, true);
	if (c == 'u')
		return numeric_escape(w, 2, 4, 16, bytes, false);
	if (c == 'U')
		return numeric_escape(w, 2, 8, 16, bytes, false);
	if (is_digit(c))
		return numeric_escape(w, 1, 3, 8, bytes, true);
	return cel_fail(w, w->pos, "unknown escape in a string");
}

/* The prefix is passed already; w->pos is on the first quote. */
static int take_string(struct cel_work *w, bool raw, bool bytes)
{
	struct cel_token *t = &w->token;
	int quote = at(w, 0);
	bool triple = at(w, 1) == quote && at(w, 2) == quote;
	unsigned begin = w->n_text;

	w->pos += triple ? 3 : 1;
	for (;;) {
		int c = at(w, 0);
		int err = 0;
		if (c < 0 || (!triple && (c == '\n' || c == '\r')))
			return cel_fail(w, t->offset, "the string is not closed");
		if (c == quote && (!triple || (at(w, 1) == quote && at(w, 2) == quote)))
			break;
		if (c == '\\' && !raw) {
			err = escape(w, bytes);
		} else {
			err = cel_text_byte(w, (char)c) ? 0 : cel_fail(w, w->pos, "too many texts in one policy");
			w->pos++;
		}
		if (err != 0)
			return err;
	}
	w->pos += triple ? 3 : 1;
	t->kind = bytes ? TOKEN_BYTES : TOKEN_STRING;
	t->t = (struct text){w->text + begin, w->n_text - begin};
	return 0;
}

/* A string's prefix: its length, or 0. */
static unsigned string_prefix(const struct cel_work *w, bool *raw, bool *bytes)
{
	unsigned n = 0;

	*raw = *bytes = false;
	if (at(w, n) == 'b' || at(w, n) == 'B') {
		*bytes = true;
		n++;
	}
	if (at(w, n) == 'r' || at(w, n) == 'R') {
		*raw = true;
		n++;
	}
	return n > 0 && (at(w, n) == '"' || at(w, n) == '\'') ? n : 0;
}

/* `a-b`, for fields whose names are no identifiers. */
static int take_quoted(struct cel_work *w)
{
	struct cel_token *t = &w->token;
	uint32_t begin = ++w->pos;

	while (is_letter(at(w, 0)) || is_digit(at(w, 0)) || (at(w, 0) > 0 && strchr("_.-/ ", at(w, 0)) != NULL))
		w->pos++;
	if (at(w, 0) != '`' || w->pos == begin)
		return cel_fail(w, t->offset, "a name in ` ` has letters, digits, _ . - / and spaces");
	t->kind = TOKEN_QUOTED;
	t->t = (struct text){w->source.s + begin, w->pos - begin};
	w->pos++;
	return 0;
}

static int take_sign(struct cel_work *w)
{
	static const char *const two[] = {"&&", "||", "==", "!=", "<=", ">="};
	struct cel_token *t = &w->token;
	size_t len = 0;
	int c = at(w, 0);

	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
		if (c == two[i][0] && at(w, 1) == two[i][1])
			len = 2;
	if (len == 0 && c > 0 && strchr(".,:?()[]{}+-*/%!<>", c) != NULL)
		len = 1;
	if (len == 0)
		return cel_fail(w, t->offset,
		                c == '=' ? "\"=\" is no operator: \"==\" compares" : "unexpected character");
	t->kind = TOKEN_SIGN;
	t->t = (struct text){w->source.s + w->pos, len};
	w->pos += (uint32_t)len;
	return 0;
}

int cel_next(struct cel_work *w)
{
	struct cel_token *t = &w->token;
	bool raw, bytes;

	skip_space(w);
	*t = (struct cel_token){.kind = TOKEN_END, .offset = w->pos, .t = {"", 0}};
	int c = at(w, 0);
	if (c < 0)
		return 0;
	if (c == '.' && is_digit(at(w, 1)))
		return cel_fail(w, t->offset, "doubles are left out: conditions are evaluated without floating point");
	if (is_digit(c))
		return take_number(w);
	unsigned prefix = string_prefix(w, &raw, &bytes);
	if (prefix > 0 || c == '"' || c == '\'') {
		w->pos += prefix;
		return take_string(w, raw, bytes);
	}
	if (c == '`')
		return take_quoted(w);
	if (!is_letter(c))
		return take_sign(w);
	uint32_t begin = w->pos;
	while (is_letter(at(w, 0)) || is_digit(at(w, 0)))
		w->pos++;
	t->kind = TOKEN_NAME;
	t->t = (struct text){w->source.s + begin, w->pos - begin};
	return 0;
}
