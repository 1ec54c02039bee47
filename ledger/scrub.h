/* The scrubber's reading: every record of a store held against what it must be, from the file's pages, in steps. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_SCRUB_H
#define LEDGER_SCRUB_H

#include <stdbool.h>

#include "ledger/note.h"
#include "ledger/pages.h"
#include "ledger/store.h"

/* What can be damaged. The texts are the names that people read. X(name, text) */
#define SCRUB_WHAT_LIST(X)                                                                                             \
	X(SCRUB_ENTRY, "entry")                                                                                        \
	X(SCRUB_BODY, "private fields of entry")                                                                       \
	X(SCRUB_TILE, "tile")                                                                                          \
	X(SCRUB_CHECKPOINT, "checkpoint")                                                                              \
	X(SCRUB_STATE, "state")                                                                                        \
	X(SCRUB_META, "meta")                                                                                          \
	X(SCRUB_PAGE, "page")

enum scrub_what {
	SCRUB_NOTHING,
#define SCRUB_WHAT_ENUM(name, text) name,
	SCRUB_WHAT_LIST(SCRUB_WHAT_ENUM)
#undef SCRUB_WHAT_ENUM
};
const char *scrub_what_text(unsigned what);

/* Something that is not what it must be. */
struct scrub_find {
	enum scrub_what what;
	unsigned level;  /* TILE. */
	uint64_t index;  /* Entry; tile's number; checkpoint's size; page's number. STATE, META: 0. */
	const char *db;  /* Static, or the record's own name while the callback runs. */
	const char *why; /* The same. */
};
/* "entry 5 (entries): its hash is not the one in the tree" and the like, for a log. */
void scrub_find_text(const struct scrub_find *f, char *buf, size_t cap);

#define SCRUB_DBS   8 /* Databases: as many as there are, and room. */
#define SCRUB_CACHE 4 /* Tiles that are kept: one of each level on a path. */

struct scrub {
	struct pages pages;
	struct pages_tree db[SCRUB_DBS]; /* As enum store_db. */
	bool has_db[SCRUB_DBS];
	struct store_head head; /* What the ledger must be. */
	const char *origin;     /* NULL: any. */
	void (*found)(void *ctx, const struct scrub_find *f);
	/* NULL, or what is wrong with a checkpoint's signatures; NULL if nothing is. */
	const char *(*signatures)(void *ctx, const struct note *n);
	/* NULL, or told of each entry that is sound: who may sign is learnt from them. */
	void (*entry)(void *ctx, uint64_t index, const void *leaf, size_t len);
	void *ctx;
	uint64_t n_found;
	int err; /* Of reading, since it began: then a record that was not found is not said to be missing. */

	struct {
		bool held;
		unsigned level, width;
		uint64_t n;
		struct hash hashes[TREE_TILE_WIDTH];
	} cache[SCRUB_CACHE];
	unsigned cache_next;
	/* The entries of one level-0 tile. */
	uint8_t *leaves;
	size_t leaves_len, leaves_cap;
	struct {
		bool there;
		size_t at, len;
		struct hash hash;
	} leaf[TREE_TILE_WIDTH];
	uint64_t leaf_first;
	unsigned leaf_n;
};

/*
 * Begins on the snapshot of a transaction (0: the newest in the file), whose ledger must be head's; NULL: what the
 * store's own record says. The callbacks are set before. CS_ERR_NOT_FOUND: that snapshot is gone; CS_ERR_DAMAGED: no
 * meta page is sound, or a record of the head is needed and there is none; CS_ERR_NOMEM, CS_ERR_IO.
 */
int scrub_begin(struct scrub *s, const struct pages_source *source, uint64_t txn_id, const struct store_head *head);
void scrub_end(struct scrub *s); /* A zeroed one is fine. The callbacks stay. */

/*
 * The steps. Each tells of what it finds and goes on; CS_ERR_NOMEM, or nothing. Together they look at every record:
 * tiles of level 0 with their entries and private fields, those above, checkpoints, the state, the records about them.
 */
int scrub_tile(struct scrub *s, unsigned level, uint64_t n);
/* Up to max checkpoints of sizes from `from` on; *ret_next: where to go on, 0: that was all. */
int scrub_checkpoints(struct scrub *s, uint64_t from, unsigned max, uint64_t *ret_next);
int scrub_state(struct scrub *s);
int scrub_meta(struct scrub *s);
/* The free list and the main database, as pages. */
int scrub_structure(struct scrub *s);
/* All of the above, the whole structure too. For stores that nobody writes to. */
int scrub_all(struct scrub *s);

#endif
