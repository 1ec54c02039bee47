/* A store's file in memory, and what each of its bytes is to LMDB: for tests that flip them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FLIP_REGIONS_H
#define TESTS_FLIP_REGIONS_H

#include <stddef.h>
#include <stdint.h>

/* Places where a flip need not be named; FLIPS.md has their names and the reasons. X(name, text) */
#define REGION_LIST(X)                                                                                                 \
	X(REGION_READ, "all the rest")                                                                                 \
	X(REGION_FREE, "free page")                                                                                    \
	X(REGION_META_OLD, "older meta page")                                                                          \
	X(REGION_META_REST, "rest of a meta page")                                                                     \
	X(REGION_META_MAP, "map's size and address")                                                                   \
	X(REGION_PAD, "padding")                                                                                       \
	X(REGION_GAP, "gap of a page")                                                                                 \
	X(REGION_TAIL, "tail of a value's pages")                                                                      \
	X(REGION_FREE_TXN, "free list's key")                                                                          \
	X(REGION_STATE_PLACE, "state's place")

enum region {
#define REGION_ENUM(name, text) name,
	REGION_LIST(REGION_ENUM)
#undef REGION_ENUM
	        REGIONS
};
const char *region_name(unsigned r);

struct image {
	uint8_t *bytes, *region;
	size_t len;
	uint32_t page_size;
	uint64_t txn_id; /* Of the newer meta page. */
};

void image_read(struct image *i, const char *path);
void image_free(struct image *i);
void image_regions(struct image *i); /* By LMDB's layout, of a sound file. */
/* struct pages_source's read; ctx: the image. */
int image_source(void *ctx, uint64_t offset, void *buf, size_t len);

#endif
