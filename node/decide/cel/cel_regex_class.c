/* Characters and classes of regular expressions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/cel/cel_regex_parse.h"

#define POINT_MAX 0x10ffffu

void regex_add_range(struct regex_parse *p, uint32_t low, uint32_t high)
{
	if (p->re->n_ranges == REGEX_RANGES_MAX) {
		regex_fail(p, "too large: too many characters in classes");
		return;
	}
	p->re->ranges[p->re->n_ranges++] = (struct regex_range){low, high};
}

/* With the other case of what of it is an ASCII letter. */
static void add_folded(struct regex_parse *p, uint32_t low, uint32_t high)
{
	regex_add_range(p, low, high);
	for (unsigned upper = 0; upper < 2 && p->any_case; upper++) {
		uint32_t a = upper ? 'A' : 'a', z = a + 25;
		uint32_t from = low > a ? low : a, to = high < z ? high : z;
		if (from <= to)
			regex_add_range(p, from ^ 0x20, to ^ 0x20);
	}
}

void regex_emit_class(struct regex_parse *p, unsigned first, bool negated)
{
	struct regex_code *c = regex_emit(p, REGEX_CLASS);

	c->first = (uint16_t)first;
	c->n = (uint16_t)(p->re->n_ranges - first);
	c->negated = negated;
}

void regex_emit_char(struct regex_parse *p, uint32_t c)
{
	unsigned first = p->re->n_ranges;

	add_folded(p, c, c);
	regex_emit_class(p, first, false);
}

struct named {
	const char *name;
	uint32_t ranges[8];
	unsigned n;
};

/* All but the ranges, which are in order. */
static void add_named(struct regex_parse *p, const struct named *k, bool negated)
{
	uint32_t next = 0;

	for (unsigned i = 0; i < k->n; i++) {
		uint32_t low = k->ranges[2 * i], high = k->ranges[2 * i + 1];
		if (!negated)
			regex_add_range(p, low, high);
		else if (low > next)
			regex_add_range(p, next, low - 1);
		next = high + 1;
	}
	if (negated)
		regex_add_range(p, next, POINT_MAX);
}

/* d, s, w and their opposites, behind the backslash. */
bool regex_perl_class(struct regex_parse *p)
{
	static const struct named classes[] = {{"d", {'0', '9'}, 1},
	                                       {"s", {'\t', '\n', '\f', '\r', ' ', ' '}, 3},
	                                       {"w", {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}, 4}};

	for (unsigned i = 0; i < 3 && p->pos < p->end; i++)
		if ((*p->pos | 0x20) == classes[i].name[0]) {
			add_named(p, &classes[i], *p->pos != classes[i].name[0]);
			p->pos++;
			return true;
		}
	return false;
}

/* [:alpha:] and its like, within brackets. */
static bool posix_class(struct regex_parse *p)
{
	static const struct named classes[] = {{"alnum:]", {'0', '9', 'A', 'Z', 'a', 'z'}, 3},
	                                       {"alpha:]", {'A', 'Z', 'a', 'z'}, 2},
	                                       {"ascii:]", {0, 0x7f}, 1},
	                                       {"blank:]", {'\t', '\t', ' ', ' '}, 2},
	                                       {"cntrl:]", {0, 0x1f, 0x7f, 0x7f}, 2},
	                                       {"digit:]", {'0', '9'}, 1},
	                                       {"graph:]", {'!', '~'}, 1},
	                                       {"lower:]", {'a', 'z'}, 1},
	                                       {"print:]", {' ', '~'}, 1},
	                                       {"punct:]", {'!', '/', ':', '@', '[', '`', '{', '~'}, 4},
	                                       {"space:]", {'\t', '\r', ' ', ' '}, 2},
	                                       {"upper:]", {'A', 'Z'}, 1},
	                                       {"word:]", {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}, 4},
	                                       {"xdigit:]", {'0', '9', 'A', 'F', 'a', 'f'}, 3}};

	if (!regex_take(p, "[:"))
		return false;
	bool negated = regex_take(p, "^");
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (regex_take(p, classes[i].name)) {
			add_named(p, &classes[i], negated);
			return true;
		}
	regex_fail(p, "unknown class in [: :]");
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* Behind \x: two digits, or some in braces. */
static uint32_t hex_escape(struct regex_parse *p)
{
	bool braces = regex_take(p, "{");
	uint32_t c = 0;
	unsigned n = 0;

	for (; p->pos < p->end && hex(*p->pos) >= 0 && n < (braces ? 8u : 2u); n++)
		c = c << 4 | (uint32_t)hex(*p->pos++);
	if (n == 0 || (!braces && n != 2) || (braces && !regex_take(p, "}")) || c > POINT_MAX)
		regex_fail(p, "\\x wants two hexadecimal digits, or some in braces");
	return c;
}

/* Behind a backslash: what stands for one character. */
uint32_t regex_escaped(struct regex_parse *p)
{
	static const char letters[] = "aftnrv", mean[] = "\a\f\t\n\r\v";

	if (p->pos == p->end) {
		regex_fail(p, "a backslash at the end");
		return 0;
	}
	char c = *p->pos++;
	const char *found = c != 0 ? strchr(letters, c) : NULL;
	if (found != NULL)
		return (unsigned char)mean[found - letters];
	if (c == 'x')
		return hex_escape(p);
	if (c == '0' || (c >= '1' && c <= '7' && p->pos < p->end && *p->pos >= '0' && *p->pos <= '7')) {
		uint32_t v = (uint32_t)(c - '0');
		for (unsigned n = 1; n < 3 && p->pos < p->end && *p->pos >= '0' && *p->pos <= '7'; n++)
			v = v * 8 + (uint32_t)(*p->pos++ - '0');
		return v;
	}
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80)
		regex_fail(p, c == 'p' || c == 'P' ? "classes of Unicode (\\p) are left out" : "unknown escape");
	return (unsigned char)c;
}

static uint32_t class_char(struct regex_parse *p)
{
	return regex_take(p, "\\") ? regex_escaped(p) : p->pos < p->end ? cel_code_point(&p->pos, p->end) : 0;
}

/* Behind the opening bracket. */
void regex_brackets(struct regex_parse *p)
{
	bool negated = regex_take(p, "^");
	unsigned first = p->re->n_ranges;

	for (bool begin = true; begin || !regex_take(p, "]"); begin = false) {
		if (!regex_more(p)) {
			regex_fail(p, "a class is not closed: \"]\" is missing");
			return;
		}
		if (posix_class(p))
			continue;
		if (p->end - p->pos > 1 && p->pos[0] == '\\' && p->pos[1] != 0 && strchr("dDsSwW", p->pos[1]) != NULL) {
			p->pos++;
			regex_perl_class(p);
			continue;
		}
		uint32_t low = class_char(p), high = low;
		if (p->end - p->pos > 1 && p->pos[0] == '-' && p->pos[1] != ']') {
			p->pos++;
			high = class_char(p);
		}
		if (high < low)
			regex_fail(p, "a range in a class goes backwards");
		add_folded(p, low, high);
	}
	regex_emit_class(p, first, negated);
}
