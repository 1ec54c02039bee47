/* A condition's way from source to program: parsed, checked, its cost bounded, its nodes laid out. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_internal.h"

struct cel_work *cel_work_new(void)
{
	return calloc(1, sizeof(struct cel_work));
}

void cel_work_free(struct cel_work *w)
{
	free(w);
}

/* A node and all below it, children right behind: the order in which they are read again. */
static int lay_out(const struct cel_work *w, uint16_t at, struct cel_program *p)
{
	const struct cel_tree *t = &w->tree[at];

	if (p->n == CEL_NODES_MAX)
		return CS_ERR_TOO_LARGE;
	struct cel_node *node = &p->node[p->n++];
	*node = (struct cel_node){.op = t->op, .arg = t->arg, .n = t->n};
	switch (t->op) {
	case OP_INT:
		node->as.i = t->as.i;
		break;
	case OP_UINT:
		node->as.u = t->as.u;
		break;
	case OP_STRING:
	case OP_BYTES:
	case OP_SELECT:
	case OP_HAS:
		node->as.t = t->as.t;
		break;
	default:
		break;
	}
	for (uint16_t i = t->first; i != 0; i = w->tree[i].next) {
		int err = lay_out(w, i, p);
		if (err != 0)
			return err;
	}
	node->end = p->n;
	return 0;
}

/* What can be seen to be wrong in a literal is said now, not at each request. */
static int check_literals(struct cel_work *w)
{
	for (unsigned i = 1; i < w->n_tree; i++) {
		const struct cel_tree *t = &w->tree[i];
		if (t->op == OP_STRING && !cel_utf8(t->as.t.s, t->as.t.len))
			return cel_fail(w, t->offset, "the string is not UTF-8");
		if (t->op != OP_MATCHES || t->n != 2 || w->tree[w->tree[t->first].next].op != OP_STRING)
			continue;
		const struct cel_tree *pattern = &w->tree[w->tree[t->first].next];
		uint64_t cost;
		const char *why = cel_regex_check(pattern->as.t, 0, &cost);
		if (why != NULL && !(w->flags & CEL_UNCHECKED))
			return cel_fail(w, pattern->offset, "the regular expression: %s", why);
	}
	return 0;
}

int cel_compile(struct cel_work *w, const struct cel_env *env, struct text source, unsigned flags,
                struct cel_program *p, uint16_t *ret_root, uint32_t *ret_cost, struct cel_error *ret_error)
{
	uint16_t root = 0, begin = p->n;
	uint64_t cost = 0;

	w->source = source;
	w->env = env;
	w->flags = flags;
	w->error = ret_error;
	*ret_error = (struct cel_error){0};
	if (source.len > CEL_SOURCE_SIZE_MAX)
		return cel_fail(w, 0, "longer than %u bytes", CEL_SOURCE_SIZE_MAX);
	int err = cel_parse(w, &root);
	if (err == 0)
		err = cel_check(w, root);
	if (err == 0)
		err = check_literals(w);
	if (err == 0) {
		cost = cel_cost(w, root);
		if (cost > CEL_COST_MAX && !(flags & CEL_UNCHECKED))
			return cel_fail(w, 0, "it could take %llu steps for one request, at most %u are allowed",
			                (unsigned long long)cost, CEL_COST_MAX);
		err = lay_out(w, root, p);
	}
	if (err == CS_ERR_TOO_LARGE)
		cel_fail(w, 0, "no room for it: all conditions of a policy have at most %u parts", CEL_NODES_MAX);
	if (err != 0) {
		p->n = begin;
		return err;
	}
	*ret_root = begin;
	*ret_cost = (uint32_t)cost;
	return 0;
}
