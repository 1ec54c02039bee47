/* CEL's macros: calls that are no functions, found while parsing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

static int macro_has(struct cel_work *w, struct cel_tree *call)
{
	const struct cel_tree *arg = &w->tree[call->first];

	if (arg->op != OP_SELECT)
		return cel_fail(w, arg->offset, "has() wants a field, as in has(context.device)");
	call->op = OP_HAS;
	call->as.t = arg->as.t;
	call->first = call->last = arg->first;
	return 0;
}

/* range.macro(x, …): the name moves into the node, what is left is the range and what is done for each. */
static int macro_each(struct cel_work *w, struct cel_tree *call, enum cel_op op)
{
	struct cel_tree *range = &w->tree[call->first];
	const struct cel_tree *name = &w->tree[range->next];

	if (name->op != OP_NAME || name->root)
		return cel_fail(w, name->offset, "the first argument of a macro is a name for each element");
	call->op = (uint8_t)op;
	call->as.t = name->as.t;
	range->next = name->next;
	call->n--;
	return 0;
}

int cel_macro(struct cel_work *w, uint16_t node)
{
	static const struct {
		const char *name;
		unsigned n; /* Children of the call, the receiver included. */
		enum cel_op op;
	} macros[] = {{"all", 3, OP_ALL},
	              {"exists", 3, OP_EXISTS},
	              {"exists_one", 3, OP_EXISTS_ONE},
	              {"existsOne", 3, OP_EXISTS_ONE},
	              {"map", 3, OP_MAP_EACH},
	              {"map", 4, OP_MAP_SOME},
	              {"filter", 3, OP_FILTER}};
	struct cel_tree *call = &w->tree[node];

	if (!call->receiver && text_is(call->as.t, "has") && call->n == 1)
		return macro_has(w, call);
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]) && call->receiver; i++)
		if (text_is(call->as.t, macros[i].name) && call->n == macros[i].n)
			return macro_each(w, call, macros[i].op);
	return 0;
}
