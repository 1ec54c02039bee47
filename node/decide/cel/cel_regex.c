/* Regular expressions in RE2's syntax, as far as an automaton of bounded size goes (github.com/google/re2, syntax). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_regex_parse.h"

#include <string.h>

#include "node/decide/cel/cel_internal.h"

#define REPEAT_MAX 1000 /* As RE2 has it. */

bool regex_fail(struct regex_parse *p, const char *why)
{
	if (p->error == NULL)
		p->error = why;
	return false;
}

bool regex_more(const struct regex_parse *p)
{
	return p->pos < p->end && p->error == NULL;
}

bool regex_take(struct regex_parse *p, const char *s)
{
	size_t len = strlen(s);

	if ((size_t)(p->end - p->pos) < len || memcmp(p->pos, s, len) != 0)
		return false;
	p->pos += len;
	return true;
}

struct regex_code *regex_emit(struct regex_parse *p, enum regex_op op)
{
	if (p->re->n_code == REGEX_CODE_MAX) {
		regex_fail(p, "too large: repetitions count as often as they are asked for");
		return &p->spare;
	}
	struct regex_code *c = &p->re->code[p->re->n_code++];
	*c = (struct regex_code){.op = (uint8_t)op};
	return c;
}

/* Makes room for one instruction before those from `at` on: jumps are relative, what moves stays whole. */
static void insert_split(struct regex_parse *p, unsigned at, int x, int y)
{
	struct regex *re = p->re;

	regex_emit(p, REGEX_SPLIT);
	if (p->error != NULL)
		return;
	memmove(&re->code[at + 1], &re->code[at], (re->n_code - 1 - at) * sizeof(re->code[0]));
	re->code[at] = (struct regex_code){.op = REGEX_SPLIT, .x = (int16_t)x, .y = (int16_t)y};
}

static void emit_split(struct regex_parse *p, int x, int y)
{
	struct regex_code *c = regex_emit(p, REGEX_SPLIT);

	c->x = (int16_t)x;
	c->y = (int16_t)y;
}

/* --- atoms --- */

static void parse_choice(struct regex_parse *p);

/* Behind "(?": flags for what follows, or for the group; true: a group follows. */
static bool parse_flags(struct regex_parse *p)
{
	bool on = true;

	if (regex_take(p, "P<") || regex_take(p, "<")) {
		while (regex_more(p) && *p->pos != '>')
			p->pos++;
		return regex_take(p, ">") || regex_fail(p, "the name of a group is not closed");
	}
	for (; regex_more(p); p->pos++) {
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
			return regex_fail(p, "unknown flag of a group");
		}
	}
	return regex_fail(p, "a group is not closed: \")\" is missing");
}

static void parse_group(struct regex_parse *p)
{
	struct regex_parse outside = *p;

	if (++p->depth > REGEX_DEPTH_MAX) {
		regex_fail(p, "groups are nested too deeply");
		return;
	}
	bool group = !regex_take(p, "?") || parse_flags(p);
	p->depth -= !group;
	if (!group)
		return; /* (?i): its flags hold until the group around it ends. */
	parse_choice(p);
	if (!regex_take(p, ")"))
		regex_fail(p, "a group is not closed: \")\" is missing");
	p->any_case = outside.any_case;
	p->multi_line = outside.multi_line;
	p->dot_newline = outside.dot_newline;
	p->depth--;
}

static void parse_escape(struct regex_parse *p)
{
	static const struct {
		const char *escape;
		enum regex_op op;
	} asserts[] = {{"b", REGEX_WORD}, {"B", REGEX_NO_WORD}, {"A", REGEX_BEGIN}, {"z", REGEX_END}};
	unsigned first = p->re->n_ranges;

	for (size_t i = 0; i < sizeof(asserts) / sizeof(asserts[0]); i++)
		if (regex_take(p, asserts[i].escape)) {
			regex_emit(p, asserts[i].op);
			return;
		}
	if (regex_perl_class(p)) {
		regex_emit_class(p, first, false);
		return;
	}
	if (regex_take(p, "Q")) {
		while (regex_more(p) && !regex_take(p, "\\E"))
			regex_emit_char(p, cel_code_point(&p->pos, p->end));
		return;
	}
	regex_emit_char(p, regex_escaped(p));
}

static void parse_atom(struct regex_parse *p)
{
	unsigned first = p->re->n_ranges;

	if (++p->work > REGEX_WORK_MAX) {
		regex_fail(p, "too large: repetitions count as often as they are asked for");
		return;
	}
	if (regex_take(p, "(")) {
		parse_group(p);
	} else if (regex_take(p, "[")) {
		regex_brackets(p);
	} else if (regex_take(p, "\\")) {
		parse_escape(p);
	} else if (regex_take(p, "^")) {
		regex_emit(p, p->multi_line ? REGEX_LINE_BEGIN : REGEX_BEGIN);
	} else if (regex_take(p, "$")) {
		regex_emit(p, p->multi_line ? REGEX_LINE_END : REGEX_END);
	} else if (regex_take(p, ".")) {
		if (!p->dot_newline)
			regex_add_range(p, '\n', '\n');
		regex_emit_class(p, first, true);
	} else if (strchr("*+?", *p->pos) != NULL && *p->pos != 0) {
		regex_fail(p, "nothing stands before the repetition");
	} else {
		regex_emit_char(p, cel_code_point(&p->pos, p->end));
	}
}

/* --- repetitions and choices --- */

static bool take_count(struct regex_parse *p, unsigned *ret)
{
	unsigned n = 0;
	const char *begin = p->pos;

	for (; p->pos < p->end && *p->pos >= '0' && *p->pos <= '9' && n <= REPEAT_MAX; p->pos++)
		n = n * 10 + (unsigned)(*p->pos - '0');
	*ret = n;
	return p->pos > begin;
}

/* {n}, {n,}, {n,m}; anything else in braces stands for itself. max UINT_MAX: no end. */
static bool take_braces(struct regex_parse *p, unsigned *min, unsigned *max)
{
	const char *begin = p->pos;

	if (regex_take(p, "{") && take_count(p, min)) {
		*max = *min;
		if (regex_take(p, ",") && !take_count(p, max))
			*max = UINT32_MAX;
		if (regex_take(p, "}")) {
			if (*min > REPEAT_MAX || (*max != UINT32_MAX && (*max > REPEAT_MAX || *max < *min)))
				regex_fail(p, "the counts of a repetition: at most 1000, the larger one last");
			return true;
		}
	}
	p->pos = begin;
	return false;
}

static bool take_repeat(struct regex_parse *p, unsigned *min, unsigned *max)
{
	*min = 0;
	*max = UINT32_MAX;
	if (regex_take(p, "+"))
		*min = 1;
	else if (regex_take(p, "?"))
		*max = 1;
	else if (!regex_take(p, "*") && !take_braces(p, min, max))
		return false;
	regex_take(p, "?"); /* Lazy or not: it fits the same texts. */
	return true;
}

/* One more of the atom, from its own text. */
static unsigned again(struct regex_parse *p, const struct regex_parse *atom)
{
	unsigned begin = p->re->n_code;
	struct regex_parse copy = *atom;

	copy.work = p->work;
	parse_atom(&copy);
	p->work = copy.work;
	if (copy.error != NULL)
		regex_fail(p, copy.error);
	return p->re->n_code - begin;
}

static void parse_repeat(struct regex_parse *p)
{
	const struct regex_parse atom = *p;
	unsigned begin = p->re->n_code, min, max, ignored_min, ignored_max;

	parse_atom(p);
	if (!regex_more(p) || !take_repeat(p, &min, &max))
		return;
	const char *here = p->pos;
	if (regex_more(p) && take_repeat(p, &ignored_min, &ignored_max)) {
		p->pos = here;
		regex_fail(p, "a repetition of a repetition: put the first one in parentheses");
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

static void parse_choice(struct regex_parse *p)
{
	unsigned begin = p->re->n_code;

	for (;;) {
		while (regex_more(p) && *p->pos != '|' && *p->pos != ')')
			parse_repeat(p);
		if (!regex_more(p) || !regex_take(p, "|"))
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
			regex_fail(p, "too many choices in one");
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
	struct regex_parse p = {.re = ret, .pos = pattern.s, .end = pattern.s + pattern.len};

	ret->n_code = ret->n_ranges = 0;
	parse_choice(&p);
	if (p.error == NULL && p.pos < p.end)
		regex_fail(&p, "\")\" without \"(\"");
	regex_emit(&p, REGEX_MATCH);
	ret->work = p.work;
	return p.error;
}
