/* Types as the checker sees them: which fit each other, and how they are called. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "node/decide/cel/cel_internal.h"

const char *cel_kind_text(unsigned kind)
{
	static const char *const texts[] = {
#define KIND_TEXT(name, text) [name] = text,
	        CEL_KIND_LIST(KIND_TEXT)
#undef KIND_TEXT
	};

	return kind < CEL_KINDS ? texts[kind] : "unknown";
}

/* One of a kind; if there is no room, dyn, which is checked at evaluation. */
static uint16_t type_of(struct cel_work *w, struct cel_type t)
{
	for (unsigned i = CEL_KINDS; i < w->n_types; i++) {
		const struct cel_type *k = &w->types[i];
		if (k->kind == t.kind && k->a == t.a && k->b == t.b && k->object == t.object)
			return (uint16_t)i;
	}
	if (w->n_types == CEL_TYPES_MAX)
		return CEL_DYN;
	w->types[w->n_types] = t;
	return (uint16_t)w->n_types++;
}

uint16_t cel_type_list(struct cel_work *w, uint16_t of)
{
	return type_of(w, (struct cel_type){.kind = CEL_LIST, .a = of});
}

uint16_t cel_type_map(struct cel_work *w, uint16_t key, uint16_t value)
{
	return type_of(w, (struct cel_type){.kind = CEL_MAP, .a = key, .b = value});
}

uint16_t cel_type_of(struct cel_work *w, const struct cel_declaration *d)
{
	if (d->kind == CEL_LIST)
		return cel_type_list(w, d->of);
	if (d->kind == CEL_MAP)
		return type_of(w, (struct cel_type){.kind = CEL_MAP,
		                                    .a = CEL_STRING,
		                                    .b = d->field != NULL ? CEL_DYN : d->of,
		                                    .object = d->field != NULL ? d : NULL});
	return d->kind;
}

bool cel_type_fits(const struct cel_work *w, uint16_t a, uint16_t b)
{
	const struct cel_type *x = &w->types[a], *y = &w->types[b];

	if (a == b || x->kind == CEL_DYN || y->kind == CEL_DYN)
		return true;
	/* As messages do, times may be null. */
	if ((x->kind == CEL_NULL && (y->kind == CEL_TIMESTAMP || y->kind == CEL_DURATION)) ||
	    (y->kind == CEL_NULL && (x->kind == CEL_TIMESTAMP || x->kind == CEL_DURATION)))
		return true;
	if (x->kind != y->kind)
		return false;
	if (x->kind == CEL_LIST)
		return cel_type_fits(w, x->a, y->a);
	return x->kind != CEL_MAP || (cel_type_fits(w, x->a, y->a) && cel_type_fits(w, x->b, y->b));
}

uint16_t cel_type_join(const struct cel_work *w, uint16_t a, uint16_t b)
{
	const struct cel_type *x = &w->types[a], *y = &w->types[b];

	if (a == b || y->kind == CEL_NULL)
		return a;
	if (x->kind == CEL_NULL)
		return b;
	/* Of two lists or maps that fit, the one with a dyn in it is what both are. */
	if (x->kind == CEL_LIST && y->kind == CEL_LIST)
		return cel_type_join(w, x->a, y->a) == x->a ? a : b;
	if (x->kind == CEL_MAP && y->kind == CEL_MAP)
		return cel_type_join(w, x->a, y->a) == x->a && cel_type_join(w, x->b, y->b) == x->b ? a : b;
	return x->kind == CEL_DYN ? a : b;
}

static size_t put_type(const struct cel_work *w, uint16_t t, char *ret, size_t cap, unsigned depth)
{
	const struct cel_type *x = &w->types[t];
	size_t n = 0;

	if (x->object != NULL)
		n = (size_t)snprintf(ret, cap, "%s", x->object->name);
	else
		n = (size_t)snprintf(ret, cap, "%s", cel_kind_text(x->kind));
	if (n >= cap || depth > 3 || x->object != NULL || (x->kind != CEL_LIST && x->kind != CEL_MAP))
		return n < cap ? n : cap - 1;
	n += (size_t)snprintf(ret + n, cap - n, "(");
	if (n < cap)
		n += put_type(w, x->a, ret + n, cap - n, depth + 1);
	if (x->kind == CEL_MAP && n < cap)
		n += (size_t)snprintf(ret + n, cap - n, ", ");
	if (x->kind == CEL_MAP && n < cap)
		n += put_type(w, x->b, ret + n, cap - n, depth + 1);
	if (n < cap)
		n += (size_t)snprintf(ret + n, cap - n, ")");
	return n < cap ? n : cap - 1;
}

void cel_type_text(const struct cel_work *w, uint16_t t, char *ret, size_t cap)
{
	put_type(w, t, ret, cap, 0);
}
