/* A hash index: from a key's hash to the number of a slot that the caller owns. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_INDEX_H
#define NODE_DECIDE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Open addressing with linear probing, at most half full, no tombstones. Its order never shows in anything that decide
 * gives. Fixed size: the memory is touched only as far as it fills.
 */
struct index {
	struct {
		uint32_t hash, slot; /* slot + 1; 0: empty. */
	} * cells;
	uint32_t mask;
};

int index_new(struct index *ret, uint32_t slots_max); /* CS_ERR_NOMEM. */
void index_free(struct index *x);
/* The slot whose hash fits and for which same says yes; -1: none. */
int64_t index_find(const struct index *x, uint32_t hash, bool (*same)(const void *ctx, uint32_t slot, const void *key),
                   const void *ctx, const void *key);
void index_add(struct index *x, uint32_t hash, uint32_t slot);    /* It must not be there, and there must be room. */
void index_remove(struct index *x, uint32_t hash, uint32_t slot); /* It must be there. */

#endif
