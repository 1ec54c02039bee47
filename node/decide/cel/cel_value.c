/* CEL's values: made, compared, looked up; and the room and the steps that an evaluation has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/cel/cel_internal.h"

const char *cel_fault_text(unsigned fault)
{
	static const char *const texts[] = {
#define FAULT_TEXT(name, text) [name] = text,
	        CEL_FAULT_LIST(FAULT_TEXT)
#undef FAULT_TEXT
	};

	return fault < sizeof(texts) / sizeof(texts[0]) ? texts[fault] : "unknown";
}

struct cel_value cel_fault(enum cel_fault f)
{
	return (struct cel_value){.kind = CEL_ERROR, .as.u = f};
}

struct cel_value cel_bool(bool b)
{
	return (struct cel_value){.kind = CEL_BOOL, .as.b = b};
}

struct cel_value cel_int(int64_t i)
{
	return (struct cel_value){.kind = CEL_INT, .as.i = i};
}

struct cel_value cel_string(struct text t)
{
	return (struct cel_value){.kind = CEL_STRING, .n = (uint32_t)t.len, .as.s = t.s};
}

struct cel_value cel_duration(int64_t ns)
{
	return (struct cel_value){.kind = CEL_DURATION, .as.i = ns};
}

/* --- UTF-8 --- */

/* RFC 3629: shortest form, no surrogates, to U+10FFFF. */
static size_t sequence(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80                   ? 1
	           : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
	           : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
	           : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
	                                         : 0;
	uint32_t c = n == 1 ? s[0] : n == 2 ? s[0] & 0x1fu : n == 3 ? s[0] & 0xfu : s[0] & 7u;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

bool cel_utf8(const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = sequence((const unsigned char *)s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

size_t cel_code_points(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

uint32_t cel_code_point(const char **s, const char *end)
{
	const unsigned char *p = (const unsigned char *)*s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : n == 2 ? p[0] & 0x1fu : n == 3 ? p[0] & 0xfu : p[0] & 7u;

	if (n > (size_t)(end - *s))
		n = (size_t)(end - *s);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3fu);
	*s += n;
	return c;
}

/* --- room and steps --- */

bool cel_spend(struct cel_run *r, uint64_t steps)
{
	if (steps > r->budget) {
		r->budget = 0; /* For good: an error that && passes over must not go on. */
		return false;
	}
	r->budget -= (uint32_t)steps;
	return true;
}

struct cel_value *cel_cells(struct cel_run *r, uint32_t n)
{
	if (n > CEL_CELLS_MAX - r->n_cells)
		return NULL;
	r->n_cells += n;
	return &r->cells[r->n_cells - n];
}

char *cel_bytes(struct cel_run *r, size_t n)
{
	if (n > CEL_BYTES_MAX - r->n_bytes)
		return NULL;
	r->n_bytes += (unsigned)n;
	return &r->bytes[r->n_bytes - n];
}

/* --- equality --- */

static bool equal_numbers(const struct cel_value *a, const struct cel_value *b)
{
	if (a->kind == b->kind)
		return a->as.u == b->as.u;
	return a->kind == CEL_INT ? a->as.i >= 0 && (uint64_t)a->as.i == b->as.u
	                          : b->as.i >= 0 && (uint64_t)b->as.i == a->as.u;
}

static bool is_number(const struct cel_value *v)
{
	return v->kind == CEL_INT || v->kind == CEL_UINT;
}

static bool equal_maps(struct cel_run *r, const struct cel_value *a, const struct cel_value *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct cel_value *v = cel_lookup(r, b, &a->as.cells[2 * i]);
		if (v == NULL || !cel_equal(r, &a->as.cells[2 * i + 1], v))
			return false;
	}
	return true;
}

/* Values of different types are unequal, but numbers are equal along one line (langdef.md, Equality). */
bool cel_equal(struct cel_run *r, const struct cel_value *a, const struct cel_value *b)
{
	if (!cel_spend(r, 1))
		return false;
	if (is_number(a) && is_number(b))
		return equal_numbers(a, b);
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CEL_BOOL:
		return a->as.b == b->as.b;
	case CEL_STRING:
	case CEL_BYTES:
		return a->n == b->n && cel_spend(r, a->n / 16) && (a->n == 0 || memcmp(a->as.s, b->as.s, a->n) == 0);
	case CEL_LIST:
		if (a->n != b->n)
			return false;
		for (uint32_t i = 0; i < a->n; i++)
			if (!cel_equal(r, &a->as.cells[i], &b->as.cells[i]))
				return false;
		return true;
	case CEL_MAP:
		return equal_maps(r, a, b);
	case CEL_TYPE:
		return a->as.u == b->as.u;
	case CEL_TIMESTAMP:
		return a->as.i == b->as.i && a->n == b->n;
	case CEL_DURATION:
		return a->as.i == b->as.i;
	default:
		return a->kind == CEL_NULL;
	}
}

const struct cel_value *cel_lookup(struct cel_run *r, const struct cel_value *map, const struct cel_value *key)
{
	if (!cel_spend(r, map->n))
		return NULL;
	for (uint32_t i = 0; i < map->n; i++) {
		const struct cel_value *k = &map->as.cells[2 * i];
		if (key->kind == CEL_STRING) {
			/* The common case: lengths differ, or the bytes decide. */
			if (k->kind == CEL_STRING && k->n == key->n &&
			    (k->n == 0 || memcmp(k->as.s, key->as.s, k->n) == 0))
				return &map->as.cells[2 * i + 1];
		} else if (is_number(key) && is_number(k)
		                   ? equal_numbers(key, k)
		                   : key->kind == CEL_BOOL && k->kind == CEL_BOOL && key->as.b == k->as.b) {
			return &map->as.cells[2 * i + 1];
		}
	}
	return NULL;
}
