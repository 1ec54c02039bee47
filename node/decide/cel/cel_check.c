/* CEL's checker: names become variables, calls functions, and what can never work is refused with its place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

#define TYPE_TEXT_MAX 64
#define ARGS_MAX      4

static int check(struct cel_work *w, uint16_t at, unsigned depth);

/* --- parts of an expression --- */

static int no_overload(struct cel_work *w, const struct cel_tree *t, const uint16_t *types, unsigned n)
{
	char text[TYPE_TEXT_MAX * ARGS_MAX] = "";

	for (unsigned i = 0, len = 0; i < n; i++, len = (unsigned)strlen(text)) {
		char type[TYPE_TEXT_MAX];
		cel_type_text(w, types[i], type, sizeof(type));
		snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "", type);
	}
	return cel_fail(w, t->offset, "\"%s\" cannot be applied to (%s)", cel_op_text(t->op), text);
}

static int wants(struct cel_work *w, const struct cel_tree *t, uint16_t type, const char *what)
{
	char text[TYPE_TEXT_MAX];

	if ((w->flags & CEL_UNCHECKED) || cel_type_fits(w, t->type, type))
		return 0;
	cel_type_text(w, t->type, text, sizeof(text));
	return cel_fail(w, t->offset, "expected %s for %s, found %s", cel_kind_text(type), what, text);
}

static int check_select(struct cel_work *w, struct cel_tree *t)
{
	const struct cel_tree *of = &w->tree[t->first];
	const struct cel_type *type = &w->types[of->type];
	char text[TYPE_TEXT_MAX];

	t->type = CEL_DYN;
	if (type->kind == CEL_MAP && type->object != NULL) {
		t->type = type->object->field(t->as.t);
		if (t->type == CEL_ERROR)
			return cel_fail(w, t->offset, "%s has no field \"%.*s\"", type->object->name, (int)t->as.t.len,
			                t->as.t.s);
	} else if (type->kind == CEL_MAP) {
		t->type = type->b;
	}
	if (type->kind != CEL_MAP && type->kind != CEL_DYN && !(w->flags & CEL_UNCHECKED)) {
		cel_type_text(w, of->type, text, sizeof(text));
		return cel_fail(w, t->offset, "expected a map before \".%.*s\", found %s", (int)t->as.t.len, t->as.t.s,
		                text);
	}
	if (t->op == OP_HAS)
		t->type = CEL_BOOL;
	return 0;
}

static int check_index(struct cel_work *w, struct cel_tree *t)
{
	const struct cel_tree *of = &w->tree[t->first], *key = &w->tree[of->next];
	const struct cel_type *type = &w->types[of->type];
	uint16_t both[] = {of->type, key->type};

	t->type = type->kind == CEL_LIST ? type->a : type->kind == CEL_MAP ? type->b : CEL_DYN;
	bool fine = type->kind == CEL_DYN || (type->kind == CEL_LIST && cel_type_fits(w, key->type, CEL_INT)) ||
	            (type->kind == CEL_MAP && cel_type_fits(w, key->type, type->a));
	return fine || (w->flags & CEL_UNCHECKED) ? 0 : no_overload(w, t, both, 2);
}

static int check_in(struct cel_work *w, struct cel_tree *t)
{
	const struct cel_tree *key = &w->tree[t->first], *of = &w->tree[key->next];
	const struct cel_type *type = &w->types[of->type];
	uint16_t both[] = {key->type, of->type};

	t->type = CEL_BOOL;
	bool fine = type->kind == CEL_DYN ||
	            ((type->kind == CEL_LIST || type->kind == CEL_MAP) && cel_type_fits(w, key->type, type->a));
	return fine || (w->flags & CEL_UNCHECKED) ? 0 : no_overload(w, t, both, 2);
}

static int check_equal(struct cel_work *w, struct cel_tree *t)
{
	const struct cel_tree *a = &w->tree[t->first], *b = &w->tree[a->next];
	uint16_t both[] = {a->type, b->type};

	t->type = CEL_BOOL;
	return cel_type_fits(w, a->type, b->type) || (w->flags & CEL_UNCHECKED) ? 0 : no_overload(w, t, both, 2);
}

static int check_condition(struct cel_work *w, struct cel_tree *t)
{
	const struct cel_tree *if_ = &w->tree[t->first], *yes = &w->tree[if_->next], *no = &w->tree[yes->next];
	uint16_t all[] = {if_->type, yes->type, no->type};

	t->type = CEL_DYN;
	if (cel_type_fits(w, yes->type, no->type))
		t->type = cel_type_join(w, yes->type, no->type);
	else if (!(w->flags & CEL_UNCHECKED))
		return no_overload(w, t, all, 3);
	return wants(w, if_, CEL_BOOL, "the condition of \"?:\"");
}

static int check_logic(struct cel_work *w, struct cel_tree *t)
{
	t->type = CEL_BOOL;
	for (uint16_t i = t->first; i != 0; i = w->tree[i].next) {
		int err = wants(w, &w->tree[i], CEL_BOOL, cel_op_text(t->op));
		if (err != 0)
			return err;
	}
	return 0;
}

/* What all of them are, dyn if they differ; step 2 for keys or values of a map. */
static uint16_t common(const struct cel_work *w, uint16_t first, unsigned step)
{
	uint16_t type = CEL_ERROR;
	unsigned n = 0;

	for (uint16_t i = first; i != 0; i = w->tree[i].next, n++) {
		if (n % step != 0)
			continue;
		if (type == CEL_ERROR)
			type = w->tree[i].type;
		else if (!cel_type_fits(w, type, w->tree[i].type))
			return CEL_DYN;
		else
			type = cel_type_join(w, type, w->tree[i].type);
	}
	return type == CEL_ERROR ? CEL_DYN : type;
}

static int check_keys(struct cel_work *w, const struct cel_tree *t)
{
	unsigned n = 0;

	for (uint16_t i = t->first; i != 0; i = w->tree[i].next, n++) {
		uint8_t kind = w->types[w->tree[i].type].kind;
		if (n % 2 == 0 && kind != CEL_INT && kind != CEL_UINT && kind != CEL_BOOL && kind != CEL_STRING &&
		    kind != CEL_DYN && !(w->flags & CEL_UNCHECKED))
			return cel_fail(w, w->tree[i].offset, "expected int, uint, bool or string as a key, found %s",
			                cel_kind_text(kind));
	}
	return 0;
}

static int check_call(struct cel_work *w, struct cel_tree *t)
{
	uint16_t types[ARGS_MAX] = {0};
	unsigned n = 0;

	for (uint16_t i = t->first; i != 0 && n < ARGS_MAX; i = w->tree[i].next)
		types[n++] = w->tree[i].type;
	t->type = cel_overload(w, t->op, types, n);
	if (t->type != CEL_ERROR)
		return 0;
	t->type = CEL_DYN;
	return w->flags & CEL_UNCHECKED ? 0 : no_overload(w, t, types, n);
}

/* range.macro(x, …): what is done for each sees x. */
static int check_macro(struct cel_work *w, struct cel_tree *t, unsigned depth)
{
	struct cel_tree *range = &w->tree[t->first], *last = &w->tree[t->last];
	int err = check(w, t->first, depth);

	if (err != 0)
		return err;
	const struct cel_type *type = &w->types[range->type];
	if (type->kind != CEL_LIST && type->kind != CEL_MAP && type->kind != CEL_DYN && !(w->flags & CEL_UNCHECKED))
		return cel_fail(w, range->offset, "expected a list or a map for the macro, found %s",
		                cel_kind_text(type->kind));
	if (w->n_scopes == CEL_SCOPES_MAX)
		return cel_fail(w, t->offset, "macros within macros: at most %u", CEL_SCOPES_MAX);
	uint16_t each = type->kind == CEL_LIST || type->kind == CEL_MAP ? type->a : CEL_DYN;
	w->scopes[w->n_scopes].name = t->as.t;
	w->scopes[w->n_scopes].type = each;
	t->arg = (uint8_t)w->n_scopes++;
	for (uint16_t i = range->next; i != 0 && err == 0; i = w->tree[i].next)
		err = check(w, i, depth);
	w->n_scopes--;
	if (err != 0)
		return err;
	t->type = t->op == OP_MAP_EACH || t->op == OP_MAP_SOME ? cel_type_list(w, last->type)
	          : t->op == OP_FILTER                         ? cel_type_list(w, each)
	                                                       : CEL_BOOL;
	return t->op == OP_MAP_EACH ? 0 : wants(w, &w->tree[range->next], CEL_BOOL, "what the macro asks of each");
}

/* --- the whole --- */

static int check_resolved(struct cel_work *w, struct cel_tree *t)
{
	switch (t->op) {
	case OP_NULL:
		t->type = CEL_NULL;
		return 0;
	case OP_FALSE:
	case OP_TRUE:
		t->type = CEL_BOOL;
		return 0;
	case OP_INT:
		t->type = CEL_INT;
		return 0;
	case OP_UINT:
		t->type = CEL_UINT;
		return 0;
	case OP_STRING:
		t->type = CEL_STRING;
		return 0;
	case OP_BYTES:
		t->type = CEL_BYTES;
		return 0;
	case OP_NAME:
		return cel_check_name(w, t);
	case OP_SELECT:
	case OP_HAS:
		return check_select(w, t);
	case OP_INDEX:
		return check_index(w, t);
	case OP_IN:
		return check_in(w, t);
	case OP_EQ:
	case OP_NE:
		return check_equal(w, t);
	case OP_COND:
		return check_condition(w, t);
	case OP_AND:
	case OP_OR:
		return check_logic(w, t);
	case OP_LIST:
		t->type = cel_type_list(w, common(w, t->first, 1));
		return 0;
	case OP_MAP:
		t->type = cel_type_map(w, common(w, t->first, 2),
		                       t->n > 0 ? common(w, w->tree[t->first].next, 2) : CEL_DYN);
		return check_keys(w, t);
	default:
		return check_call(w, t);
	}
}

static int find_function(struct cel_work *w, struct cel_tree *t)
{
	bool known;
	enum cel_op op = cel_function(t->as.t, t->receiver, t->n, &known);

	if (op != OP_NAME) {
		t->op = (uint8_t)op;
		return 0;
	}
	if (text_is(t->as.t, "double"))
		return cel_fail(w, t->offset, "doubles are left out: conditions are evaluated without floating point");
	if (known)
		return cel_fail(w, t->offset,
		                "the function \"%.*s\" is called in another way: arguments or their number",
		                (int)t->as.t.len, t->as.t.s);
	if (w->flags & CEL_UNCHECKED)
		return cel_becomes_unknown(t);
	return cel_fail(w, t->offset, "unknown function \"%.*s\"", (int)t->as.t.len, t->as.t.s);
}

static int check(struct cel_work *w, uint16_t at, unsigned depth)
{
	struct cel_tree *t = &w->tree[at];
	int err = 0;

	if (depth == CEL_DEPTH_MAX)
		return cel_fail(w, t->offset, "nested too deeply: at most %u levels", CEL_DEPTH_MAX);
	if (t->op == OP_SELECT && cel_check_dotted(w, t))
		return 0;
	if (t->op >= OP_ALL && t->op <= OP_FILTER)
		return check_macro(w, t, depth + 1);
	for (uint16_t i = t->first; i != 0 && err == 0; i = w->tree[i].next)
		err = check(w, i, depth + 1);
	if (err == 0 && t->op == OP_CALL)
		err = find_function(w, t);
	return err == 0 && t->op != OP_VARIABLE ? check_resolved(w, t) : err;
}

int cel_check(struct cel_work *w, uint16_t root)
{
	w->n_scopes = 0;
	w->n_types = CEL_KINDS;
	for (unsigned i = 0; i < CEL_KINDS; i++)
		w->types[i] = (struct cel_type){.kind = (uint8_t)i, .a = CEL_DYN, .b = CEL_DYN};
	int err = check(w, root, 0);
	if (err == 0 && (w->flags & CEL_WANTS_BOOL))
		err = wants(w, &w->tree[root], CEL_BOOL, "the condition");
	return err;
}
