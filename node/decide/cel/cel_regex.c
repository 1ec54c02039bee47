/* Regular expressions in RE2's syntax, as far as an automaton of bounded size goes (github.com/google/re2, syntax). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_regex.h"

#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

#define POINT_MAX  0x10ffffu
#define REPEAT_MAX 1000 /* As RE2 has it. */

struct parse {
	struct regex *re;
	const char *pos, *end;
	unsigned depth, work;
	bool any_case, multi_line, dot_newline;
	const char *error;
};

static bool fail(struct parse *p, const char *why)
{
	if (p->error == NULL)
		p->error = why;
	return false;
}

static bool more(const struct parse *p)
{
	return p->pos < p->end && p->error == NULL;
}

static bool take(struct parse *p, const char *s)
{
	size_t len = strlen(s);

	if ((size_t)(p->end - p->pos) < len || memcmp(p->pos, s, len) != 0)
		return false;
	p->pos += len;
	return true;
}

static struct regex_code *emit(struct parse *p, enum regex_op op)
{
	static struct regex_code none;

	if (p->re->n_code == REGEX_CODE_MAX) {
		fail(p, "too large: repetitions count as often as they are asked for");
		none = (struct regex_code){0};
		return &none;
	}
	struct regex_code *c = &p->re->code[p->re->n_code++];
	*c = (struct regex_code){.op = (uint8_t)op};
	return c;
}

/* Makes room for one instruction before those from `at` on: jumps are relative, what moves stays whole. */
static void insert_split(struct parse *p, unsigned at, int x, int y)
{
	struct regex *re = p->re;

	emit(p, REGEX_SPLIT);
	if (p->error != NULL)
		return;
	memmove(&re->code[at + 1], &re->code[at], (re->n_code - 1 - at) * sizeof(re->code[0]));
	re->code[at] = (struct regex_code){.op = REGEX_SPLIT, .x = (int16_t)x, .y = (int16_t)y};
}

static void emit_split(struct parse *p, int x, int y)
{
	struct regex_code *c = emit(p, REGEX_SPLIT);

	c->x = (int16_t)x;
	c->y = (int16_t)y;
}

/* --- classes --- */

static void add_range(struct parse *p, uint32_t low, uint32_t high)
{
	if (p->re->n_ranges == REGEX_RANGES_MAX) {
		fail(p, "too large: too many characters in classes");
		return;
	}
	p->re->ranges[p->re->n_ranges++] = (struct regex_range){low, high};
}

/* With the other case of what of it is an ASCII letter. */
static void add_folded(struct parse *p, uint32_t low, uint32_t high)
{
	add_range(p, low, high);
	for (unsigned upper = 0; upper < 2 && p->any_case; upper++) {
		uint32_t a = upper ? 'A' : 'a', z = a + 25;
		uint32_t from = low > a ? low : a, to = high < z ? high : z;
		if (from <= to)
			add_range(p, from ^ 0x20, to ^ 0x20);
	}
}

static void emit_class(struct parse *p, unsigned first, bool negated)
{
	struct regex_code *c = emit(p, REGEX_CLASS);

	c->first = (uint16_t)first;
	c->n = (uint16_t)(p->re->n_ranges - first);
	c->negated = negated;
}

static void emit_char(struct parse *p, uint32_t c)
{
	unsigned first = p->re->n_ranges;

	add_folded(p, c, c);
	emit_class(p, first, false);
}

struct named {
	const char *name;
	uint32_t ranges[8];
	unsigned n;
};

/* All but the ranges, which are in order. */
static void add_named(struct parse *p, const struct named *k, bool negated)
{
	uint32_t next = 0;

	for (unsigned i = 0; i < k->n; i++) {
		uint32_t low = k->ranges[2 * i], high = k->ranges[2 * i + 1];
		if (!negated)
			add_range(p, low, high);
		else if (low > next)
			add_range(p, next, low - 1);
		next = high + 1;
	}
	if (negated)
		add_range(p, next, POINT_MAX);
}

/* d, s, w and their opposites, behind the backslash. */
static bool perl_class(struct parse *p)
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
static bool posix_class(struct parse *p)
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

	if (!take(p, "[:"))
		return false;
	bool negated = take(p, "^");
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (take(p, classes[i].name)) {
			add_named(p, &classes[i], negated);
			return true;
		}
	fail(p, "unknown class in [: :]");
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* Behind \x: two digits, or some in braces. */
static uint32_t hex_escape(struct parse *p)
{
	bool braces = take(p, "{");
	uint32_t c = 0;
	unsigned n = 0;

	for (; p->pos < p->end && hex(*p->pos) >= 0 && n < (braces ? 8u : 2u); n++)
		c = c << 4 | (uint32_t)hex(*p->pos++);
	if (n == 0 || (!braces && n != 2) || (braces && !take(p, "}")) || c > POINT_MAX)
		fail(p, "\\x wants two hexadecimal digits, or some in braces");
	return c;
}

/* Behind a backslash: what stands for one character. */
static uint32_t escaped_char(struct parse *p)
{
	static const char letters[] = "aftnrv", mean[] = "\a\f\t\n\r\v";

	if (p->pos == p->end) {
		fail(p, "a backslash at the end");
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
		fail(p, c == 'p' || c == 'P' ? "classes of Unicode (\\p) are left out" : "unknown escape");
	return (unsigned char)c;
}

static uint32_t class_char(struct parse *p)
{
	return take(p, "\\") ? escaped_char(p) : p->pos < p->end ? cel_code_point(&p->pos, p->end) : 0;
}

/* Behind the opening bracket. */
static void parse_class(struct parse *p)
{
	bool negated = take(p, "^");
	unsigned first = p->re->n_ranges;

	for (bool begin = true; begin || !take(p, "]"); begin = false) {
		if (!more(p)) {
			fail(p, "a class is not closed: \"]\" is missing");
			return;
		}
		if (posix_class(p))
			continue;
		if (p->end - p->pos > 1 && p->pos[0] == '\\' && p->pos[1] != 0 && strchr("dDsSwW", p->pos[1]) != NULL) {
			p->pos++;
			perl_class(p);
			continue;
		}
		uint32_t low = class_char(p), high = low;
		if (p->end - p->pos > 1 && p->pos[0] == '-' && p->pos[1] != ']') {
			p->pos++;
			high = class_char(p);
		}
		if (high < low)
			fail(p, "a range in a class goes backwards");
		add_folded(p, low, high);
	}
	emit_class(p, first, negated);
}

/* --- atoms --- */

static void parse_choice(struct parse *p);

/* Behind "(?": flags for what follows, or for the group; true: a group follows. */
static bool parse_flags(struct parse *p)
{
	bool on = true;

	if (take(p, "P<") || take(p, "<")) {
		while (more(p) && *p->pos != '>')
			p->pos++;
		return take(p, ">") || fail(p, "the name of a group is not closed");
	}
	for (; more(p); p->pos++) {
		switch (*p->pos) {
		case 'i':
			p->any_case = on;
			break;
		case 'm':
			p->multi_line = on;
			break;
		case 's':
			p->dot_newline = on;
			break;
		case 'U': /* Which match is found first makes no difference here. */
			break;
		case '-':
			on = false;
			break;
		case ':':
			p->pos++;
			return true;
		case ')':
			p->pos++;
			return false;
		default:
			return fail(p, "unknown flag of a group");
		}
	}
	return fail(p, "a group is not closed: \")\" is missing");
}

static void parse_group(struct parse *p)
{
	struct parse outside = *p;

	if (++p->depth > REGEX_DEPTH_MAX) {
		fail(p, "groups are nested too deeply");
		return;
	}
	bool group = !take(p, "?") || parse_flags(p);
	p->depth -= !group;
	if (!group)
		return; /* (?i): its flags hold until the group around it ends. */
	parse_choice(p);
	if (!take(p, ")"))
		fail(p, "a group is not closed: \")\" is missing");
	p->any_case = outside.any_case;
	p->multi_line = outside.multi_line;
	p->dot_newline = outside.dot_newline;
	p->depth--;
}

static void parse_escape(struct parse *p)
{
	static const struct {
		const char *escape;
		enum regex_op op;
	} asserts[] = {{"b", REGEX_WORD}, {"B", REGEX_NO_WORD}, {"A", REGEX_BEGIN}, {"z", REGEX_END}};
	unsigned first = p->re->n_ranges;

	for (size_t i = 0; i < sizeof(asserts) / sizeof(asserts[0]); i++)
		if (take(p, asserts[i].escape)) {
			emit(p, asserts[i].op);
			return;
		}
	if (perl_class(p)) {
		emit_class(p, first, false);
		return;
	}
	if (take(p, "Q")) {
		while (more(p) && !take(p, "\\E"))
			emit_char(p, cel_code_point(&p->pos, p->end));
		return;
	}
	emit_char(p, escaped_char(p));
}

static void parse_atom(struct parse *p)
{
	unsigned first = p->re->n_ranges;

	if (++p->work > REGEX_WORK_MAX) {
		fail(p, "too large: repetitions count as often as they are asked for");
		return;
	}
	if (take(p, "(")) {
		parse_group(p);
	} else if (take(p, "[")) {
		parse_class(p);
	} else if (take(p, "\\")) {
		parse_escape(p);
	} else if (take(p, "^")) {
		emit(p, p->multi_line ? REGEX_LINE_BEGIN : REGEX_BEGIN);
	} else if (take(p, "$")) {
		emit(p, p->multi_line ? REGEX_LINE_END : REGEX_END);
	} else if (take(p, ".")) {
		if (!p->dot_newline)
			add_range(p, '\n', '\n');
		emit_class(p, first, true);
	} else if (strchr("*+?", *p->pos) != NULL && *p->pos != 0) {
		fail(p, "nothing stands before the repetition");
	} else {
		emit_char(p, cel_code_point(&p->pos, p->end));
	}
}

/* --- repetitions and choices --- */

static bool take_count(struct parse *p, unsigned *ret)
{
	unsigned n = 0;
	const char *begin = p->pos;

	for (; p->pos < p->end && *p->pos >= '0' && *p->pos <= '9' && n <= REPEAT_MAX; p->pos++)
		n = n * 10 + (unsigned)(*p->pos - '0');
	*ret = n;
	return p->pos > begin;
}

/* {n}, {n,}, {n,m}; anything else in braces stands for itself. max UINT_MAX: no end. */
static bool take_braces(struct parse *p, unsigned *min, unsigned *max)
{
	const char *begin = p->pos;

	if (take(p, "{") && take_count(p, min)) {
		*max = *min;
		if (take(p, ",") && !take_count(p, max))
			*max = UINT32_MAX;
		if (take(p, "}")) {
			if (*min > REPEAT_MAX || (*max != UINT32_MAX && (*max > REPEAT_MAX || *max < *min)))
				fail(p, "the counts of a repetition: at most 1000, the larger one last");
			return true;
		}
	}
	p->pos = begin;
	return false;
}

static bool take_repeat(struct parse *p, unsigned *min, unsigned *max)
{
	*min = 0;
	*max = UINT32_MAX;
	if (take(p, "+"))
		*min = 1;
	else if (take(p, "?"))
		*max = 1;
	else if (!take(p, "*") && !take_braces(p, min, max))
		return false;
	take(p, "?"); /* Lazy or not: it fits the same texts. */
	return true;
}

/* One more of the atom, from its own text. */
static unsigned again(struct parse *p, const struct parse *atom)
{
	unsigned begin = p->re->n_code;
	struct parse copy = *atom;

	copy.work = p->work;
	parse_atom(&copy);
	p->work = copy.work;
	if (copy.error != NULL)
		fail(p, copy.error);
	return p->re->n_code - begin;
}

static void parse_repeat(struct parse *p)
{
	const struct parse atom = *p;
	unsigned begin = p->re->n_code, min, max, ignored_min, ignored_max;

	parse_atom(p);
	if (!more(p) || !take_repeat(p, &min, &max))
		return;
	const char *here = p->pos;
	if (more(p) && take_repeat(p, &ignored_min, &ignored_max)) {
		p->pos = here;
		fail(p, "a repetition of a repetition: put the first one in parentheses");
		return;
	}
	p->re->n_code = begin;
	for (unsigned i = 0; i < min && p->error == NULL; i++)
		again(p, &atom);
	unsigned at = p->re->n_code;
	if (max == UINT32_MAX) {
		int len = (int)again(p, &atom);
		insert_split(p, at, 1, len + 2);
		emit_split(p, -(len + 1), -(len + 1));
	}
	for (unsigned i = min; i < max && max != UINT32_MAX && p->error == NULL; i++) {
		at = p->re->n_code;
		int len = (int)again(p, &atom);
		insert_split(p, at, 1, len + 1);
	}
}

static void parse_choice(struct parse *p)
{
	unsigned begin = p->re->n_code;

	for (;;) {
		while (more(p) && *p->pos != '|' && *p->pos != ')')
			parse_repeat(p);
		if (!more(p) || !take(p, "|"))
			return;
		/* What stands before, and then past the rest, which is not known yet: it is read as a choice, too. */
		unsigned len = p->re->n_code - begin;
		insert_split(p, begin, 1, (int)len + 2);
		unsigned jump = p->re->n_code;
		emit_split(p, 0, 0);
		if (p->error != NULL)
			return;
		unsigned rest = p->re->n_code;
		if (++p->depth > REGEX_DEPTH_MAX * 4) {
			fail(p, "too many choices in one");
			return;
		}
		parse_choice(p);
		p->depth--;
		if (p->error == NULL)
			p->re->code[jump].x = p->re->code[jump].y = (int16_t)(p->re->n_code - rest + 1);
		return;
	}
}

const char *regex_compile(struct regex *ret, struct text pattern)
{
	struct parse p = {.re = ret, .pos = pattern.s, .end = pattern.s + pattern.len};

	ret->n_code = ret->n_ranges = 0;
	parse_choice(&p);
	if (p.error == NULL && p.pos < p.end)
		fail(&p, "\")\" without \"(\"");
	emit(&p, REGEX_MATCH);
	ret->work = p.work;
	return p.error;
}
