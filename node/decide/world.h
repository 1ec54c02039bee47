/* World counts: how often values were seen over all subjects; bounded, forgotten in a fixed order. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_WORLD_H
#define NODE_DECIDE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "node/decide/history.h"
#include "node/decide/index.h"
#include "node/decide/list.h"

/*
 * X(name, slots). Each kind has slots of its own, of which the one used longest ago makes room: who asks for many
 * resources makes the cluster forget resources, not networks. Order and slots are in records: for ever.
 */
#define WORLD_LIST(X)                                                                                                  \
	X(WORLD_ADDRESS, 1024)                                                                                         \
	X(WORLD_NETWORK, 1024)                                                                                         \
	X(WORLD_ASN, 512)                                                                                              \
	X(WORLD_COUNTRY, 256)                                                                                          \
	X(WORLD_AGENT, 512)                                                                                            \
	X(WORLD_PROGRAM, 128)                                                                                          \
	X(WORLD_SYSTEM, 64)                                                                                            \
	X(WORLD_ACTION, 512)                                                                                           \
	X(WORLD_RESOURCE, 1024)                                                                                        \
	X(WORLD_GROUP, 256)                                                                                            \
	X(WORLD_GROUP_ACTION, 1024)                                                                                    \
	X(WORLD_GROUP_RESOURCE, 1024)

enum world_kind {
#define WORLD_ENUM(name, slots) name,
	WORLD_LIST(WORLD_ENUM)
#undef WORLD_ENUM
	        WORLD_COUNT
};
#define WORLD_SUM(name, slots) +slots
#define WORLD_SLOTS            (0 WORLD_LIST(WORLD_SUM))
#define WORLD_PAGE             64 /* Slots in one record. */
#define WORLD_PAGES            (WORLD_SLOTS / WORLD_PAGE)
_Static_assert(WORLD_SLOTS % WORLD_PAGE == 0, "pages are whole");

/* Counts are in quarters: an allowed decision is four of them, an import is one. */
#define WORLD_DECISION 4
#define WORLD_IMPORT   1

struct world_slot {
	uint64_t value;   /* 0: free. */
	uint64_t touch;   /* Order of eviction. */
	uint64_t count;   /* Of what was allowed, in quarters. */
	struct rate rate; /* Of all requests, allowed or not: actions and resources. */
	struct link use;
};

struct world {
	struct world_slot *slots; /* Kinds one after the other. */
	struct index index;
	uint64_t index_key[2]; /* Random; shows in nothing that decide gives. */
	struct list lists[WORLD_COUNT];
	uint32_t used[WORLD_COUNT];
	uint64_t totals[WORLD_COUNT]; /* Quarters ever counted, of what was forgotten too. */
	uint64_t touches;
	bool totals_dirty;
	bool dirty_pages[WORLD_PAGES];
	uint32_t n_dirty_pages;
};

int world_new(struct world *ret); /* CS_ERR_NOMEM. */
void world_free(struct world *w);

const struct world_slot *world_find(const struct world *w, enum world_kind k, uint64_t value); /* NULL: unknown. */
/* Both make the value known, in place of another one if there is no room, and the most recently used. value not 0. */
void world_count(struct world *w, enum world_kind k, uint64_t value, unsigned quarters);
void world_asked(struct world *w, enum world_kind k, uint64_t value, uint64_t now_ms);
/* A value of two: a group and an action, say. Never 0. */
uint64_t world_pair(uint64_t a, uint64_t b);

/* Records: a page's, by its number; WORLD_PAGES: the totals'. */
void world_write_page(struct writer *w, const struct world *world, uint32_t page);
void world_write_totals(struct writer *w, const struct world *world);
void world_read(struct reader *r, struct world *ret, uint64_t number);
int world_loaded(struct world *w); /* After a load: order, index, sums. CS_ERR_DAMAGED, CS_ERR_NOMEM. */

#endif
