/* CEL's evaluator: walks the nodes. Each value has its type with it, so no program can mistake one for another. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/cel/cel_internal.h"

static struct cel_value eval(struct cel_run *r, unsigned at);

static struct cel_value variable(struct cel_run *r, unsigned number)
{
	if (r->known[number].kind == CEL_DYN)
		r->known[number] = r->variable(r->ctx, number);
	return r->known[number];
}

/* --- lists, maps and fields --- */

static struct cel_value make_list(struct cel_run *r, const struct cel_node *node, unsigned at)
{
	struct cel_value *cells = cel_cells(r, node->n);

	if (cells == NULL)
		return cel_fault(CEL_FAULT_ROOM);
	unsigned child = at + 1;
	for (unsigned i = 0; i < node->n; i++, child = r->program->node[child].end) {
		cells[i] = eval(r, child);
		if (cells[i].kind == CEL_ERROR)
			return cells[i];
	}
	return (struct cel_value){.kind = CEL_LIST, .n = node->n, .as.cells = cells};
}

static struct cel_value make_map(struct cel_run *r, const struct cel_node *node, unsigned at)
{
	struct cel_value *cells = cel_cells(r, node->n);
	struct cel_value map = {.kind = CEL_MAP, .as.cells = cells};

	if (cells == NULL)
		return cel_fault(CEL_FAULT_ROOM);
	unsigned child = at + 1;
	for (unsigned i = 0; i < node->n; i++, child = r->program->node[child].end) {
		struct cel_value v = eval(r, child);
		if (v.kind == CEL_ERROR)
			return v;
		if (i % 2 == 0 && v.kind != CEL_INT && v.kind != CEL_UINT && v.kind != CEL_BOOL && v.kind != CEL_STRING)
			return cel_fault(CEL_FAULT_KEY_TYPE);
		if (i % 2 == 0 && cel_lookup(r, &map, &v) != NULL)
			return cel_fault(CEL_FAULT_REPEATED);
		cells[i] = v;
		map.n = (i + 1) / 2;
	}
	return map;
}

static struct cel_value select_field(struct cel_run *r, const struct cel_node *node, unsigned at)
{
	struct cel_value of = eval(r, at + 1), key = cel_string(node->as.t);

	if (of.kind == CEL_ERROR)
		return of;
	if (of.kind != CEL_MAP)
		return cel_fault(CEL_FAULT_OVERLOAD);
	const struct cel_value *found = cel_lookup(r, &of, &key);
	if (node->op == OP_HAS)
		return cel_bool(found != NULL);
	return found != NULL ? *found : cel_fault(CEL_FAULT_KEY);
}

static struct cel_value index_list(const struct cel_value *list, const struct cel_value *key)
{
	if (key->kind != CEL_INT && key->kind != CEL_UINT)
		return cel_fault(CEL_FAULT_OVERLOAD);
	/* A negative one is a large one. */
	return key->as.u < list->n ? list->as.cells[key->as.u] : cel_fault(CEL_FAULT_INDEX);
}

static struct cel_value index_value(struct cel_run *r, unsigned at)
{
	struct cel_value of = eval(r, at + 1);

	if (of.kind == CEL_ERROR)
		return of;
	struct cel_value key = eval(r, r->program->node[at + 1].end);
	if (key.kind == CEL_ERROR)
		return key;
	if (of.kind == CEL_LIST)
		return index_list(&of, &key);
	if (of.kind != CEL_MAP)
		return cel_fault(CEL_FAULT_OVERLOAD);
	if (key.kind != CEL_INT && key.kind != CEL_UINT && key.kind != CEL_BOOL && key.kind != CEL_STRING)
		return cel_fault(CEL_FAULT_KEY_TYPE);
	const struct cel_value *found = cel_lookup(r, &of, &key);
	return found != NULL ? *found : cel_fault(CEL_FAULT_KEY);
}

/* --- logic --- */

/* What decides does so whatever the others are: errors too are passed over then (langdef.md, Logical Operators). */
static struct cel_value logic(struct cel_run *r, const struct cel_node *node, unsigned at)
{
	bool decides = node->op == OP_OR;
	struct cel_value error = {.kind = CEL_DYN};
	unsigned child = at + 1;

	for (unsigned i = 0; i < node->n; i++, child = r->program->node[child].end) {
		struct cel_value v = eval(r, child);
		if (v.kind == CEL_BOOL && v.as.b == decides)
			return v;
		if (v.kind != CEL_BOOL && error.kind == CEL_DYN)
			error = v.kind == CEL_ERROR ? v : cel_fault(CEL_FAULT_OVERLOAD);
	}
	return error.kind == CEL_ERROR ? error : cel_bool(!decides);
}

static struct cel_value condition(struct cel_run *r, unsigned at)
{
	struct cel_value v = eval(r, at + 1);
	unsigned yes = r->program->node[at + 1].end;

	if (v.kind != CEL_BOOL)
		return v.kind == CEL_ERROR ? v : cel_fault(CEL_FAULT_OVERLOAD);
	return eval(r, v.as.b ? yes : r->program->node[yes].end);
}

/* --- macros --- */

/* Of all and exists, as && and || would have it of all elements. */
static struct cel_value each_logic(struct cel_run *r, const struct cel_node *node, const struct cel_value *range,
                                   unsigned body)
{
	bool decides = node->op == OP_EXISTS;
	struct cel_value error = {.kind = CEL_DYN};
	unsigned step = range->kind == CEL_MAP ? 2 : 1;

	for (uint32_t i = 0; i < range->n; i++) {
		r->locals[node->arg] = range->as.cells[i * step];
		struct cel_value v = eval(r, body);
		if (v.kind == CEL_BOOL && v.as.b == decides)
			return v;
		if (v.kind != CEL_BOOL && error.kind == CEL_DYN)
			error = v.kind == CEL_ERROR ? v : cel_fault(CEL_FAULT_OVERLOAD);
	}
	return error.kind == CEL_ERROR ? error : cel_bool(!decides);
}

static struct cel_value exists_one(struct cel_run *r, const struct cel_node *node, const struct cel_value *range,
                                   unsigned body)
{
	unsigned step = range->kind == CEL_MAP ? 2 : 1, n = 0;

	for (uint32_t i = 0; i < range->n; i++) {
		r->locals[node->arg] = range->as.cells[i * step];
		struct cel_value v = eval(r, body);
		if (v.kind != CEL_BOOL)
			return v.kind == CEL_ERROR ? v : cel_fault(CEL_FAULT_OVERLOAD);
		n += v.as.b;
	}
	return cel_bool(n == 1);
}

/* A list of what is done for each element that passes: map and filter. */
static struct cel_value collect(struct cel_run *r, const struct cel_node *node, const struct cel_value *range,
                                unsigned body)
{
	unsigned step = range->kind == CEL_MAP ? 2 : 1;
	unsigned transform = node->op == OP_MAP_EACH ? body : r->program->node[body].end;
	struct cel_value *cells = cel_cells(r, range->n);
	struct cel_value list = {.kind = CEL_LIST, .as.cells = cells};

	if (cells == NULL)
		return cel_fault(CEL_FAULT_ROOM);
	for (uint32_t i = 0; i < range->n; i++) {
		struct cel_value v = r->locals[node->arg] = range->as.cells[i * step];
		if (node->op != OP_MAP_EACH) {
			struct cel_value pass = eval(r, body);
			if (pass.kind != CEL_BOOL)
				return pass.kind == CEL_ERROR ? pass : cel_fault(CEL_FAULT_OVERLOAD);
			if (!pass.as.b)
				continue;
		}
		if (node->op != OP_FILTER)
			v = eval(r, transform);
		if (v.kind == CEL_ERROR)
			return v;
		cells[list.n++] = v;
	}
	return list;
}

static struct cel_value macro(struct cel_run *r, const struct cel_node *node, unsigned at)
{
	struct cel_value range = eval(r, at + 1);
	unsigned body = r->program->node[at + 1].end;

	if (range.kind == CEL_ERROR)
		return range;
	if (range.kind != CEL_LIST && range.kind != CEL_MAP)
		return cel_fault(CEL_FAULT_OVERLOAD);
	if (node->op == OP_ALL || node->op == OP_EXISTS)
		return each_logic(r, node, &range, body);
	return node->op == OP_EXISTS_ONE ? exists_one(r, node, &range, body) : collect(r, node, &range, body);
}

/* --- the whole --- */

/* All operands first; any error among them is the result. */
static struct cel_value call(struct cel_run *r, const struct cel_node *node, unsigned at)
{
	struct cel_value args[2] = {{0}, {0}};
	unsigned child = at + 1;

	for (unsigned i = 0; i < node->n && i < 2; i++, child = r->program->node[child].end) {
		args[i] = eval(r, child);
		if (args[i].kind == CEL_ERROR)
			return args[i];
	}
	return cel_apply(r, node->op, args, node->n);
}

static struct cel_value eval_node(struct cel_run *r, unsigned at)
{
	const struct cel_node *node = &r->program->node[at];

	if (!cel_spend(r, 1))
		return cel_fault(CEL_FAULT_COST);
	switch (node->op) {
	case OP_NULL:
		return (struct cel_value){.kind = CEL_NULL};
	case OP_FALSE:
	case OP_TRUE:
		return cel_bool(node->op == OP_TRUE);
	case OP_INT:
		return cel_int(node->as.i);
	case OP_UINT:
		return (struct cel_value){.kind = CEL_UINT, .as.u = node->as.u};
	case OP_STRING:
		return cel_string(node->as.t);
	case OP_BYTES:
		return (struct cel_value){.kind = CEL_BYTES, .n = (uint32_t)node->as.t.len, .as.s = node->as.t.s};
	case OP_TYPE:
		return (struct cel_value){.kind = CEL_TYPE, .as.u = node->arg};
	case OP_VARIABLE:
		return variable(r, node->arg);
	case OP_LOCAL:
		return r->locals[node->arg];
	case OP_LIST:
		return make_list(r, node, at);
	case OP_MAP:
		return make_map(r, node, at);
	case OP_SELECT:
	case OP_HAS:
		return select_field(r, node, at);
	case OP_INDEX:
		return index_value(r, at);
	case OP_AND:
	case OP_OR:
		return logic(r, node, at);
	case OP_COND:
		return condition(r, at);
	case OP_ALL:
	case OP_EXISTS:
	case OP_EXISTS_ONE:
	case OP_MAP_EACH:
	case OP_MAP_SOME:
	case OP_FILTER:
		return macro(r, node, at);
	default:
		return call(r, node, at);
	}
}

/* Where the value points to nothing, all that was made on the way to it is free again. */
static struct cel_value eval(struct cel_run *r, unsigned at)
{
	unsigned n_cells = r->n_cells, n_bytes = r->n_bytes;
	struct cel_value v = eval_node(r, at);

	if (v.kind != CEL_LIST && v.kind != CEL_MAP && v.kind != CEL_STRING && v.kind != CEL_BYTES) {
		r->n_cells = n_cells;
		r->n_bytes = n_bytes;
	}
	return v;
}

void cel_run_init(struct cel_run *r, const struct cel_program *p, struct cel_value (*variable_of)(void *, unsigned),
                  void *ctx)
{
	r->program = p;
	r->budget = CEL_POLICY_COST_MAX;
	r->variable = variable_of;
	r->ctx = ctx;
	for (unsigned i = 0; i < CEL_VARIABLES_MAX; i++)
		r->known[i].kind = CEL_DYN;
}

struct cel_value cel_evaluate(struct cel_run *r, unsigned root)
{
	r->n_cells = r->n_bytes = 0;
	struct cel_value v = eval(r, root);
	return r->budget > 0 ? v : cel_fault(CEL_FAULT_COST);
}
