/* What is being erased, what a hold keeps, how long kinds of entries are kept: a part of the state. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_ERASURE_H
#define NODE_DECIDE_ERASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/format.h"
#include "ledger/hash.h"
#include "node/decide/command_erase.h"
#include "node/decide/roster.h"

#define ERASURES_MAX 64  /* Under way at once; more are refused: each is a pass over the store. */
#define HOLDS_MAX    256 /* At once; when full, refuse. */
/* Entries that one sweep of retention passes over at most: its pass over the bodies stays short. */
#define RETENTION_SWEEP_MAX UINT64_C(100000)

/* Not yet carried out by every member. */
struct erasure {
	uint64_t index; /* Of its entry; 0: free. */
	unsigned target;
	uint8_t subject[HASH_SIZE]; /* Of ERASE_SUBJECT: the key that stands for it. */
	uint64_t first, end;        /* Entries that it may concern. */
	unsigned kind;              /* Of ERASE_RETENTION. */
	uint64_t cutoff_ms;
	uint64_t fields;
	unsigned n_done;
	uint64_t done[ROSTER_NODES_MAX]; /* Nodes that have erased. */
	bool dirty;
};

/* In force from its entry on; one that was lifted stays while an erasure from before its end is under way. */
struct hold {
	uint64_t index;  /* Of the entry that set it; 0: free. */
	uint64_t lifted; /* Of the entry that lifted it; 0: in force. */
	uint64_t time_ms;
	uint8_t key[HASH_SIZE];
	char type[REQUEST_STR_SIZE_MAX + 1], id[REQUEST_STR_SIZE_MAX + 1];
	bool dirty;
};

struct retention {
	uint64_t keep_ms; /* 0: for ever. */
	uint64_t swept;   /* Entries below it are dealt with. */
	uint64_t swept_ms;
	bool dirty;
};

struct keeping {
	struct erasure erasures[ERASURES_MAX];
	struct hold holds[HOLDS_MAX];
	struct retention retentions[ENTRY_KIND_MAX + 1]; /* By kind of entries. */
	unsigned n_dirty;
};

struct state;
/* Borrowed until the state next changes. */
const struct keeping *state_keeping(const struct state *s);

bool erasure_done_by(const struct erasure *e, uint64_t node);
/* The oldest one that this node has not carried out; NULL: none. */
const struct erasure *keeping_due(const struct keeping *k, uint64_t node);
unsigned keeping_under_way(const struct keeping *k); /* How many erasures. */
/* The hold that keeps this subject's data from the erasure of that index; NULL: none. */
const struct hold *keeping_held(const struct keeping *k, const uint8_t key[HASH_SIZE], uint64_t erasure);
const struct hold *keeping_hold(const struct keeping *k, uint64_t index); /* In force. NULL: none. */

/*
 * Which fields of an entry an erasure takes, as bits; 0: none. ret_held: it would, but a hold keeps them. leaf and body
 * are whole and belong together; a body that lost fields before is as good.
 */
uint64_t erasure_fields(const struct keeping *k, const struct erasure *e, const void *leaf, size_t leaf_len,
                        const void *body, size_t body_len, bool *ret_held);
/* Calls f with each who is named in a body, [type, id] in whatever field, until it says false. */
typedef bool (*named_fn)(void *ctx, unsigned field_kind, const uint8_t key[HASH_SIZE]);
void erasure_named(const void *body, size_t body_len, named_fn f, void *ctx);
/*
 * The leader's further check of an erasure of one entry, by whom its body names: whose data it is does not ask or sign
 * for it, and no hold keeps it. 0, or the refusal.
 */
int erasure_permitted(const struct state *s, uint64_t asker, const struct erase_order *o, const void *body,
                      size_t body_len, char ret_text[160]);

#endif
