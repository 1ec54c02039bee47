/* Searching entries: the question byte for byte, and whether an entry is an answer. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_SEARCH_H
#define NODE_DECIDE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command_reads.h"

#define SEARCH_HITS_MAX   256 /* In one reply, as a page of entries. */
#define SEARCH_SIZE_MAX   (READ_LOOKUPS_MAX * (READ_TEXT_SIZE_MAX + 8) + 80)
#define SEARCH_KIND_MAX   63 /* Kinds of entries that can be searched for: a bit each. */
#define SEARCH_KIND(n)    (UINT64_C(1) << (n))
#define SEARCH_VERDICT(n) (UINT64_C(1) << (n))

/*
 * [newest first, cursor or nil, hits at most, since ms, until ms, kinds, verdicts, [[field kind, text]…]].
 * All that is asked for must hold. Time 0, no bits, no fields: whatever it is. The cursor is the index to go on at, of
 * the reply before; nil: from the beginning. Since an entry's index never changes, pages neither skip nor repeat one
 * while others are added: oldest first, those come at the end; newest first, they lie before the first page.
 */
struct search {
	bool newest_first, has_cursor;
	uint64_t cursor;
	unsigned hits_max;
	uint64_t since_ms, until_ms; /* Of the entry's time, both included. */
	uint64_t kinds, verdicts;    /* Bits; 0: any. */
	unsigned n;
	struct read_lookup by[READ_LOOKUPS_MAX]; /* Ascending by kind; search_field_of. */
};
int search_encode(const struct search *q, void *buf, size_t cap, size_t *ret_len);
int search_decode(struct search *ret, const void *bytes, size_t len);

/* The field that entries are searched by under this name; 0: by none such. */
unsigned search_field_of(const char *name);

/* What of a leaf a search looks at. */
struct search_leaf {
	uint64_t kind, time_ms, verdict; /* verdict 0: the kind has none. */
};
/* Reads no more of the leaf than that: who gives it to anybody checks it first. False: it is none. */
bool search_leaf_read(struct search_leaf *ret, const void *leaf, size_t len);
bool search_leaf_matches(const struct search *q, const struct search_leaf *e);
/* body: as stored; len 0: nothing private is there, or it was erased. */
bool search_body_matches(const struct search *q, const void *body, size_t len);

#endif
