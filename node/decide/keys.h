/* Keys change: the order that puts a new key in an old one's place, and the keys that were replaced. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_KEYS_H
#define NODE_DECIDE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command.h"

/* Which key; public in entries, for ever. X(name, number, text) */
#define KEY_PLACES(X)                                                                                                  \
	X(KEY_PLACE_LOG, 1, "log")           /* A node's, for checkpoints. */                                          \
	X(KEY_PLACE_COSIGNER, 2, "cosigner") /* A node's, for cosignatures. */                                         \
	X(KEY_PLACE_NODE, 3, "channel")      /* A node's, by which nodes and clients know it. */                       \
	X(KEY_PLACE_SIGN, 4, "sign")         /* A principal's: administrators, approvers, devices. */                  \
	X(KEY_PLACE_CLIENT, 5, "client")     /* A principal's channel key. */

enum key_place {
#define KEY_PLACE_ENUM(name, number, text) name = number,
	KEY_PLACES(KEY_PLACE_ENUM)
#undef KEY_PLACE_ENUM
};
#define KEY_PLACE_MAX KEY_PLACE_CLIENT
const char *key_place_text(unsigned place); /* "unknown" for others. */

/*
 * Keys are good for sizes of the tree, not for times. The order is entry I: the new key is good from size I + 1 on, the
 * old one up to size I + overlap; what was still good of keys before that one ends with this entry.
 */
#define KEY_OVERLAP_MAX (UINT64_C(1) << 40)

/* [place, node's id or 0, principal's name or "", new key bin32, overlap, signature] */
struct key_order {
	unsigned place;   /* enum key_place */
	uint64_t node;    /* Of places 1 to 3, else 0. */
	struct text name; /* Of places 4 and 5, else empty. */
	const uint8_t *pub;
	uint64_t overlap;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int key_order_encode_signed(const struct key_order *o, void *buf, size_t cap, size_t *ret_len);
int key_order_encode(const struct key_order *o, void *buf, size_t cap, size_t *ret_len);
int key_order_decode(struct key_order *ret, const void *bytes, size_t len); /* Also the shape of its place. */

/* A key that another took the place of. */
struct key_replaced {
	unsigned place; /* 0: the slot is free. */
	uint64_t id;    /* Node's number, or principal's id. */
	uint8_t pub[32];
	uint64_t since; /* The first size that it was good for, */
	uint64_t until; /* and the last. */
	uint64_t index; /* Of the entry that replaced it. */
};
/*
 * So many are remembered; then the oldest is forgotten, which nothing depends on but that its key could be enrolled
 * once more.
 */
#define KEYS_REPLACED_MAX 1024

struct state;
/* Of the state, oldest first: i below keys_replaced_count. Borrowed until the state next changes. */
unsigned keys_replaced_count(const struct state *s);
const struct key_replaced *keys_replaced(const struct state *s, unsigned i);
/* Whose place the current key took; NULL: nobody's, or that is forgotten. */
const struct key_replaced *keys_before(const struct state *s, unsigned place, uint64_t id);
/* The one that is still good for the next entry beside the current key; NULL: none. */
const struct key_replaced *keys_overlap(const struct state *s, unsigned place, uint64_t id);
/*
 * Whose place the current key took, if it was good for a tree of this size. An answer is looked at some time between
 * its challenge's entry and its own, and may be by a key that was good then: both sizes are at least the first's and 2.
 */
const struct key_replaced *keys_good_at(const struct state *s, unsigned place, uint64_t id, uint64_t size);

#endif
