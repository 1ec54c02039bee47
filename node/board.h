/* The board: what the core tells the node's other threads about itself (status, checkpoints), with a bell. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_BOARD_H
#define NODE_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/wire/messages.h"

/* A signed note for a size. */
struct board_note {
	uint64_t size;
	size_t len;
	char text[LIMIT_NOTE_SIZE_MAX];
};

/* An entry's inclusion in the tree of a note. */
struct board_proof {
	uint64_t index;
	struct board_note note;
	unsigned n;
	struct hash hashes[LIMIT_PROOF_HASHES_MAX];
};
#define BOARD_PROOFS_MAX 16 /* The newest; who asks for more than these at once waits for the store. */

#define BOARD_MEMBERS_SIZE_MAX  10240 /* A roster and who is how far. */
#define BOARD_FEATURES_SIZE_MAX 16384 /* 63 features, with a line of text each; seven members with their builds. */

struct board;

int board_new(struct board **ret);
void board_free(struct board *b); /* NULL is fine. */

/* Core's thread. Each rings the bell. */
void board_set_status(struct board *b, const struct wire_status *s, const char *leader_url);
/* Of the status, between two of it: the ledger as applied. */
void board_set_ledger(struct board *b, uint64_t size, const struct hash *root);
void board_set_leader_note(struct board *b, uint64_t size, const char *text, size_t len);
void board_set_cosigned_note(struct board *b, uint64_t size, const char *text, size_t len);
/* The body of the reply to WIRE_MEMBERS, and its roster's version. Does not ring. */
void board_set_members(struct board *b, uint64_t version, const void *bytes, size_t len);
/* The body of the reply to WIRE_FEATURES. Does not ring. */
void board_set_features(struct board *b, const void *bytes, size_t len);
/* The cosigned note is now one whose entries this node has: it can prove under it. */
void board_cosigned_reached(struct board *b);
/* Any thread: something else has moved (a commit of the writer, a new job). */
void board_ring(struct board *b);

/* Any thread: copies. */
void board_status(struct board *b, struct wire_status *ret, char ret_leader_url[WIRE_URL_SIZE_MAX]);
void board_leader_note(struct board *b, struct board_note *ret);   /* size 0: none yet */
void board_cosigned_note(struct board *b, struct board_note *ret); /* size 0: none yet */
void board_reached_note(struct board *b,
                        struct board_note *ret); /* The newest cosigned one that was reached; as above */
/* Its length; 0: not yet. */
size_t board_members(struct board *b, uint8_t ret[BOARD_MEMBERS_SIZE_MAX], uint64_t *ret_version);
size_t board_features(struct board *b, uint8_t ret[BOARD_FEATURES_SIZE_MAX]); /* Its length; 0: not yet. */
uint64_t board_cosigned_size(struct board *b);

/*
 * Proofs of entries that are not stored yet, under a note that was reached. Any thread: asks for one (the core is to be
 * woken then), anew if there is one; and the newest of that index, if there is one.
 */
void board_want_proof(struct board *b, uint64_t index);
bool board_proof(struct board *b, uint64_t index, struct board_proof *ret);
/* Core's thread: takes those that are wanted of entries below that size; and gives one. Neither rings. */
unsigned board_wanted_proofs(struct board *b, uint64_t size, uint64_t ret[BOARD_PROOFS_MAX]);
void board_set_proof(struct board *b, const struct board_proof *p);

/* Waits until the bell has rung since *seen (which is brought up to date) or until the time (CLOCK_MONOTONIC; 0: no
 * end). */
void board_wait(struct board *b, uint64_t *seen, uint64_t until_ns);

#endif
