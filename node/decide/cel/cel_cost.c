/* The most steps that an expression can take, as the evaluator will count them, with every size at its bound. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_internal.h"

#define COST_CAP (UINT64_C(1) << 32) /* More is never allowed, and sums of products stay far from overflow. */

/* Of a value, at most: bytes of its strings all together, elements, elements of one of them, elements at all depths. */
struct bound {
	uint64_t cost, bytes, count, inner, cells;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct scope {
	struct bound each[CEL_SCOPES_MAX];
};

static struct bound bound_of(const struct cel_work *w, const struct cel_tree *t, struct scope *s);

static struct bound variable_bound(const struct cel_work *w, const struct cel_tree *t)
{
	for (unsigned i = 0; i < w->env->n; i++) {
		const struct cel_declaration *d = &w->env->declarations[i];
		if (d->number == t->arg)
			return (struct bound){1, d->bytes_max, d->count_max, d->count_max, d->count_max};
	}
	return (struct bound){1, CEL_BYTES_MAX, CEL_CELLS_MAX, CEL_CELLS_MAX, CEL_CELLS_MAX};
}

/* What is done for each element, as often as there may be elements. */
static struct bound macro_bound(const struct cel_work *w, const struct cel_tree *t, struct scope *s)
{
	const struct cel_tree *range = &w->tree[t->first];
	struct bound all = bound_of(w, range, s), each = {0};
	uint64_t body = 1;

	s->each[t->arg] = (struct bound){1, all.bytes, all.inner, all.inner, all.cells};
	for (uint16_t i = range->next; i != 0; i = w->tree[i].next) {
		each = bound_of(w, &w->tree[i], s);
		body += each.cost;
	}
	all.cost = least(COST_CAP, all.cost + 1 + all.count * body);
	if (t->op == OP_MAP_EACH || t->op == OP_MAP_SOME) {
		all.bytes = least(CEL_BYTES_MAX, all.count * each.bytes);
		all.inner = each.count;
		all.cells = least(CEL_CELLS_MAX, all.count * (1 + each.cells));
	}
	return all;
}

/* What an operation costs beside its operands, and how large its value may be. */
static void add_own(const struct cel_work *w, const struct cel_tree *t, const struct bound *a, const struct bound *b,
                    struct bound *ret)
{
	uint64_t search = (a->bytes + 1) * 96 + 768 + 512; /* Of the largest pattern that there may be (cel_regex.h). */

	switch (t->op) {
	case OP_SELECT:
	case OP_INDEX:
	case OP_HAS:
		ret->cost += a->count + b->bytes / 16;
		ret->count = a->inner;
		break;
	case OP_EQ:
	case OP_NE:
	case OP_IN: /* In maps each key of one is looked for in the other. */
		ret->cost += 1 + (a->cells + 1) * (b->cells + 1) + (a->bytes + b->bytes) / 16;
		break;
	case OP_MATCHES:
		if (w->tree[w->tree[t->first].next].op == OP_STRING)
			cel_regex_check(w->tree[w->tree[t->first].next].as.t, a->bytes, &search);
		ret->cost += search;
		break;
	default:
		/* Comparing and copying: each byte and each element once. */
		ret->cost += a->count + b->count + (a->bytes + b->bytes) / 16;
		break;
	}
}

static struct bound bound_of(const struct cel_work *w, const struct cel_tree *t, struct scope *s)
{
	struct bound sum = {.cost = 1}, operand[2] = {{0}, {0}};
	unsigned n = 0;

	if (t->op == OP_VARIABLE)
		return variable_bound(w, t);
	if (t->op == OP_LOCAL)
		return s->each[t->arg];
	if (t->op == OP_STRING || t->op == OP_BYTES)
		return (struct bound){.cost = 1, .bytes = t->as.t.len};
	if (t->op >= OP_ALL && t->op <= OP_FILTER)
		return macro_bound(w, t, s);
	for (uint16_t i = t->first; i != 0; i = w->tree[i].next, n++) {
		struct bound b = bound_of(w, &w->tree[i], s);
		if (n < 2)
			operand[n] = b;
		sum.cost = least(COST_CAP, sum.cost + b.cost);
		sum.bytes = least(CEL_BYTES_MAX, sum.bytes + b.bytes);
		sum.cells = least(CEL_CELLS_MAX, sum.cells + b.cells);
		sum.inner = most(sum.inner, most(b.count, b.inner));
		sum.count = least(CEL_CELLS_MAX, sum.count + (t->op == OP_ADD || t->op == OP_COND ? b.count : 0));
	}
	if (t->op == OP_LIST || t->op == OP_MAP) {
		sum.count = t->n;
		sum.cells = least(CEL_CELLS_MAX, sum.cells + t->n);
	}
	if (t->op == OP_MAP)
		sum.cost += (uint64_t)t->n * t->n / 2 + sum.bytes / 16; /* No key is there twice. */
	else if (t->op != OP_AND && t->op != OP_OR && t->op != OP_COND && t->op != OP_LIST)
		add_own(w, t, &operand[0], &operand[1], &sum);
	sum.cost = least(COST_CAP, sum.cost);
	if (t->op >= OP_TO_INT && t->op != OP_TO_DYN)
		sum.bytes = most(sum.bytes, CEL_TIME_TEXT_MAX);
	return sum;
}

uint64_t cel_cost(struct cel_work *w, uint16_t root)
{
	struct scope s = {0};

	return bound_of(w, &w->tree[root], &s).cost;
}
