/* CEL's names: which are local, which are variables, which are types (langdef.md, Name Resolution). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/cel/cel_internal.h"
#include "node/decide/codec.h"

#define DOTTED_SIZE_MAX 128
#define DOTS_MAX        4 /* In one name. */

static const struct cel_declaration *declaration(const struct cel_work *w, struct text name)
{
	for (unsigned i = 0; i < w->env->n; i++)
		if (text_is(name, w->env->declarations[i].name))
			return &w->env->declarations[i];
	return NULL;
}

static void becomes_variable(struct cel_work *w, struct cel_tree *t, const struct cel_declaration *d)
{
	t->op = OP_VARIABLE;
	t->arg = (uint8_t)d->number;
	t->type = cel_type_of(w, d);
	t->n = t->first = t->last = 0;
}

/* Left to fail at evaluation. */
int cel_becomes_unknown(struct cel_tree *t)
{
	t->op = OP_VARIABLE;
	t->arg = CEL_UNKNOWN;
	t->type = CEL_DYN;
	t->n = t->first = t->last = 0;
	return 0;
}

/* Types are values, too. */
static bool becomes_type(struct cel_tree *t, struct text name)
{
	for (unsigned kind = CEL_NULL; kind < CEL_KINDS; kind++)
		if (text_is(name, cel_kind_text(kind))) {
			t->op = OP_TYPE;
			t->arg = (uint8_t)kind;
			t->type = CEL_TYPE;
			t->n = t->first = t->last = 0;
			return true;
		}
	return false;
}

static bool is_local(const struct cel_work *w, struct text name)
{
	for (unsigned i = 0; i < w->n_scopes; i++)
		if (text_compare(w->scopes[i].name, name) == 0)
			return true;
	return false;
}

int cel_check_name(struct cel_work *w, struct cel_tree *t)
{
	struct text name = t->as.t;

	for (unsigned i = w->n_scopes; i-- > 0 && !t->root;)
		if (text_compare(w->scopes[i].name, name) == 0) {
			t->op = OP_LOCAL;
			t->arg = (uint8_t)i;
			t->type = w->scopes[i].type;
			return 0;
		}
	const struct cel_declaration *d = declaration(w, name);
	if (d != NULL) {
		becomes_variable(w, t, d);
		return 0;
	}
	if (becomes_type(t, name))
		return 0;
	if (w->flags & CEL_UNCHECKED)
		return cel_becomes_unknown(t);
	return cel_fail(w, t->offset, "unknown name \"%.*s\"", (int)name.len, name.s);
}

/* a.b.c, if it is nothing but names: its length, else 0. */
static size_t dotted(const struct cel_work *w, const struct cel_tree *t, char *ret, unsigned depth)
{
	size_t len = 0;

	if (t->op == OP_SELECT && depth < DOTS_MAX) {
		const struct cel_tree *of = &w->tree[t->first];
		len = dotted(w, of, ret, depth + 1);
		if (len == 0 || len + 1 + t->as.t.len >= DOTTED_SIZE_MAX)
			return 0;
		ret[len++] = '.';
	} else if (t->op != OP_NAME || t->as.t.len >= DOTTED_SIZE_MAX || (!t->root && is_local(w, t->as.t))) {
		return 0;
	}
	memcpy(ret + len, t->as.t.s, t->as.t.len);
	return len + t->as.t.len;
}

/* The longest name that is declared goes before fields of a shorter one (langdef.md, Name Resolution). */
bool cel_check_dotted(struct cel_work *w, struct cel_tree *t)
{
	char name[DOTTED_SIZE_MAX];
	struct text dots = {name, dotted(w, t, name, 0)};
	const struct cel_declaration *d = dots.len > 0 ? declaration(w, dots) : NULL;

	if (d != NULL)
		becomes_variable(w, t, d);
	return d != NULL || (dots.len > 0 && becomes_type(t, dots));
}
