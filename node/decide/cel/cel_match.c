/* Regular expressions matched in linear time: all ways at once, each step of the program once for each character. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/cel/cel_regex.h"

/* Where matches stand before one character; each instruction at most once. */
struct threads {
	unsigned n;
	uint16_t pc[REGEX_CODE_MAX];
};

struct search {
	const struct regex *re;
	const char *begin, *pos, *end;
	uint32_t seen[REGEX_CODE_MAX]; /* Generation in which an instruction was reached last. */
	uint32_t generation;
	uint16_t todo[REGEX_CODE_MAX * 2];
};

static bool is_word(const char *c)
{
	return (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || *c == '_';
}

static bool holds(const struct search *s, unsigned op)
{
	bool begin = s->pos == s->begin, end = s->pos == s->end;
	bool before = !begin && is_word(s->pos - 1), after = !end && is_word(s->pos);

	switch (op) {
	case REGEX_BEGIN:
		return begin;
	case REGEX_END:
		return end;
	case REGEX_LINE_BEGIN:
		return begin || s->pos[-1] == '\n';
	case REGEX_LINE_END:
		return end || *s->pos == '\n';
	case REGEX_WORD:
		return before != after;
	default:
		return before == after;
	}
}

/* Follows what takes no character. True: a match ends here. */
static bool follow(struct search *s, struct threads *t, unsigned pc)
{
	unsigned n = 0;

	s->todo[n++] = (uint16_t)pc;
	while (n > 0) {
		pc = s->todo[--n];
		if (s->seen[pc] == s->generation)
			continue;
		s->seen[pc] = s->generation;
		const struct regex_code *c = &s->re->code[pc];
		switch (c->op) {
		case REGEX_MATCH:
			return true;
		case REGEX_CLASS:
			t->pc[t->n++] = (uint16_t)pc;
			break;
		case REGEX_SPLIT: /* Each is seen once: at most two for each instruction are ever to do. */
			s->todo[n++] = (uint16_t)((int)pc + c->y);
			if (c->x != c->y)
				s->todo[n++] = (uint16_t)((int)pc + c->x);
			break;
		default:
			if (holds(s, c->op))
				s->todo[n++] = (uint16_t)(pc + 1);
		}
	}
	return false;
}

static bool in_class(const struct regex *re, const struct regex_code *c, uint32_t point)
{
	for (unsigned i = c->first; i < (unsigned)c->first + c->n; i++)
		if (point >= re->ranges[i].low && point <= re->ranges[i].high)
			return !c->negated;
	return c->negated;
}

bool regex_search(const struct regex *re, struct text t)
{
	struct search s = {.re = re, .begin = t.s, .pos = t.s, .end = t.s + t.len, .generation = 1};
	struct threads lists[2], *now = &lists[0], *next = &lists[1], *swap;

	now->n = 0;
	for (;;) {
		if (follow(&s, now, 0)) /* A match may begin at each character. */
			return true;
		if (s.pos == s.end)
			return false;
		uint32_t point = cel_code_point(&s.pos, s.end);
		s.generation++;
		next->n = 0;
		for (unsigned i = 0; i < now->n; i++)
			if (in_class(re, &re->code[now->pc[i]], point) && follow(&s, next, now->pc[i] + 1u))
				return true;
		swap = now;
		now = next;
		next = swap;
	}
}

uint64_t regex_cost(const struct regex *re, uint64_t bytes)
{
	uint64_t size = re->n_code + re->n_ranges;

	return (bytes + 1) * size / 8 + size + re->work / 4;
}

const char *cel_regex_check(struct text pattern, uint64_t bytes, uint64_t *ret_cost)
{
	struct regex re;
	const char *why = regex_compile(&re, pattern);

	*ret_cost = regex_cost(&re, bytes);
	return why;
}

struct cel_value cel_matches(struct cel_run *r, const struct cel_value *t, const struct cel_value *pattern)
{
	struct regex re;

	if (t->kind != CEL_STRING || pattern->kind != CEL_STRING)
		return cel_fault(CEL_FAULT_OVERLOAD);
	const char *why = regex_compile(&re, (struct text){pattern->as.s, pattern->n});
	if (!cel_spend(r, regex_cost(&re, why == NULL ? t->n : 0)))
		return cel_fault(CEL_FAULT_COST);
	if (why != NULL)
		return cel_fault(CEL_FAULT_REGEX);
	return cel_bool(regex_search(&re, (struct text){t->as.s, t->n}));
}
