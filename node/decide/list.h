/* Slots of a table in order of age: a doubly linked list of their numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_LIST_H
#define NODE_DECIDE_LIST_H

#include <stddef.h>
#include <stdint.h>

#define NO_SLOT UINT32_MAX

/* Both hold slot + 1; 0: none. So zeroed memory is an empty list. */
struct link {
	uint32_t older, newer;
};
struct list {
	uint32_t oldest, newest;
};

/* Where a table's slots keep the links of one list. */
struct links {
	void *table;
	size_t stride, offset;
};
#define LINKS(table, member) ((struct links){(table), sizeof(*(table)), offsetof(__typeof__(*(table)), member)})

static inline uint32_t list_oldest(const struct list *l) /* NO_SLOT: empty. */
{
	return l->oldest - 1;
}

static inline uint32_t list_newest(const struct list *l)
{
	return l->newest - 1;
}

void list_add(struct list *l, struct links t, uint32_t slot); /* As the newest. It must be in no list by these links. */
void list_remove(struct list *l, struct links t, uint32_t slot); /* It must be in this one. */

/* At a start, order is rebuilt from numbers that rise with it. */
struct list_order {
	uint64_t number;
	uint32_t slot;
};
void list_sort(struct list_order *o, size_t n); /* Ascending by number. */

#endif
