/* The RFC 6962 tree: in-memory right edge over persistent tiles (C2SP tlog-tiles), and the proofs made from them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TREE_H
#define LEDGER_TREE_H

#include <stdint.h>

#include "ledger/hash.h"

#define TREE_TILE_WIDTH  256 /* C2SP tlog-tiles: hashes in a full tile. */
#define TREE_TILE_LEVELS 8   /* Tile levels 0..7 cover 2^64 leaves. */

/*
 * Where tiles are kept. hash i of tile n at level L is the root of leaves [(n*256+i)*256^L, (n*256+i+1)*256^L).
 * read: fills out with the first width hashes of the tile (the stored tile may be wider); 0, CS_ERR_NOT_FOUND,
 *   CS_ERR_DAMAGED, CS_ERR_IO. May be NULL where nothing older than the right edge is ever asked for.
 * full: told once of each tile that has just become full (256 hashes), in order; NULL if nobody cares.
 */
struct tree_tiles {
	int (*read)(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out);
	int (*full)(void *ctx, unsigned level, uint64_t n, const struct hash *hashes);
	void *ctx;
};

/*
 * The tree of one writer. Holds, for each tile level, the right-edge tile and the one before it, both with their
 * inner nodes, so that the root, and proofs of recent leaves, cost no hash that was computed before and no read.
 * Memory is fixed (about 8 * 2 * 16 KiB). Not thread-safe.
 */
struct tree;

int tree_new(const struct tree_tiles *tiles, struct tree **ret);
void tree_free(struct tree *t); /* NULL is fine. */
/* Makes t the tree of the given size by reading its right-edge tiles (size 0: empty). On error t is empty. */
int tree_load(struct tree *t, uint64_t size);
int tree_append(struct tree *t, const struct hash *leaf); /* Fails only if tiles->full does; then t is unusable. */
uint64_t tree_size(const struct tree *t);
/* Root of the whole tree, cached until the next append. */
void tree_root(struct tree *t, struct hash *ret);
/* The partial right-edge tile of a level: its number and its hashes (width 0..255; 0: no such tile). */
void tree_partial(const struct tree *t, unsigned level, uint64_t *ret_n, unsigned *ret_width, const struct hash **ret);

/*
 * Inclusion proof (RFC 9162 2.1.3.1) of leaf index in the tree of the first `size` leaves, size <= tree_size.
 * proof has room for LIMIT_PROOF_HASHES_MAX hashes, leaf's sibling first. CS_ERR_INVALID if index >= size or
 * size > tree_size; errors of tiles->read.
 */
int tree_inclusion(struct tree *t, uint64_t index, uint64_t size, struct hash *proof, unsigned *ret_n);
/* Consistency proof (RFC 9162 2.1.4.1) between sizes 0 < old_size <= new_size <= tree_size; empty if they are equal. */
int tree_consistency(struct tree *t, uint64_t old_size, uint64_t new_size, struct hash *proof, unsigned *ret_n);
/* Root of the first `size` leaves, size <= tree_size. */
int tree_root_at(struct tree *t, uint64_t size, struct hash *ret);

/* The same, straight from tiles with no tree in memory (readers of a store); tiles->read must not be NULL. */
int tiles_inclusion(const struct tree_tiles *tiles, uint64_t index, uint64_t size, struct hash *proof, unsigned *ret_n);
int tiles_consistency(const struct tree_tiles *tiles, uint64_t old_size, uint64_t new_size, struct hash *proof,
                      unsigned *ret_n);
int tiles_root(const struct tree_tiles *tiles, uint64_t size, struct hash *ret);

#endif
