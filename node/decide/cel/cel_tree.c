/* CEL's syntax tree: nodes and their children. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_internal.h"

int cel_tree_new(struct cel_work *w, enum cel_op op, uint32_t offset, uint16_t *ret)
{
	if (w->n_tree == CEL_TREE_MAX)
		return cel_fail(w, offset, "the condition is too long: more than %u parts", CEL_TREE_MAX);
	w->tree[w->n_tree] = (struct cel_tree){.op = (uint8_t)op, .offset = offset};
	*ret = (uint16_t)w->n_tree++;
	return 0;
}

void cel_tree_add(struct cel_work *w, uint16_t parent, uint16_t child)
{
	struct cel_tree *p = &w->tree[parent];

	if (p->n == 0)
		p->first = child;
	else
		w->tree[p->last].next = child;
	p->last = child;
	p->n++;
}

int cel_tree_over(struct cel_work *w, enum cel_op op, uint32_t offset, uint16_t a, uint16_t b, uint16_t *ret)
{
	int err = cel_tree_new(w, op, offset, ret);

	if (err != 0)
		return err;
	cel_tree_add(w, *ret, a);
	if (b != 0)
		cel_tree_add(w, *ret, b);
	return 0;
}
