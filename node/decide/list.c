/* Doubly linked lists of slots. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/list.h"

#include <stdlib.h>

static struct link *link_of(struct links t, uint32_t slot)
{
	return (struct link *)(void *)((char *)t.table + slot * t.stride + t.offset);
}

void list_add(struct list *l, struct links t, uint32_t slot)
{
	*link_of(t, slot) = (struct link){.older = l->newest};
	if (l->newest != 0)
		link_of(t, l->newest - 1)->newer = slot + 1;
	else
		l->oldest = slot + 1;
	l->newest = slot + 1;
}

void list_remove(struct list *l, struct links t, uint32_t slot)
{
	const struct link *k = link_of(t, slot);

	if (k->older != 0)
		link_of(t, k->older - 1)->newer = k->newer;
	else
		l->oldest = k->newer;
	if (k->newer != 0)
		link_of(t, k->newer - 1)->older = k->older;
	else
		l->newest = k->older;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct list_order *)a)->number, y = ((const struct list_order *)b)->number;

	return x < y ? -1 : x > y;
}

void list_sort(struct list_order *o, size_t n)
{
	qsort(o, n, sizeof(*o), by_number);
}
