/* The ledger's store in LMDB: one writer, any number of readers, other processes included. See FORMAT.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/tree.h"

/*
 * Databases (no DUPSORT; integer keys big-endian u64 so that order is index order):
 *   entries  index -> leaf bytes            bodies  index -> body bytes
 *   tiles    level (1 byte) || number u64be -> hashes (width * 32 bytes)
 *   checkpoints  size u64be -> signed note  state   key -> value      meta  name -> value
 *   erased  index -> (index of the entry "erased" u64be || fields u64be, a bit for each kind)…, ascending
 * One transaction holds entries, bodies, tiles and the ledger's applied Raft index and size; the changed state
 * follows coalesced with its own index in its own transaction (consensus.md: State, ledger and restart).
 * Commits: MDB_NOMETASYNC, never MDB_NOSYNC. Any failed commit or sync is CS_ERR_IO: the caller ends the process.
 */
struct store;

#define STORE_FORMAT      "countersign/store/v1" /* What this build reads and writes. */
#define STORE_FORMAT_SIZE 32

struct store_options {
	uint64_t map_size; /* Bytes of address space, set once; 0: 64 GiB. */
	bool read_only;    /* Another process's live store, or a copy. */
	bool create;       /* Make the folder's files if there are none. */
	char *ret_format;  /* NULL, or STORE_FORMAT_SIZE bytes: with CS_ERR_VERSION, the format that is there. */
	/*
	 * NULL; or, of a writer: what the self-check finds damaged is mended where the rest of the store says what it
	 * must be, and this says so: bits of enum store_mended are added.
	 */
	unsigned *ret_mended;
};

enum store_mended {
	STORE_MENDED_META = 1,  /* Head, format, the state's index or sum: by their copy. */
	STORE_MENDED_TILES = 2, /* The tree's right edge: from what is below it. */
	STORE_MENDED_STATE = 4, /* One bit of a record of the state: by the sum (store_mend_state). */
	STORE_DAMAGED_LAST = 8  /* The last entry: not mended; given to nobody. */
};

/*
 * dir must exist. CS_ERR_NOT_FOUND, CS_ERR_IO, CS_ERR_DAMAGED (not ours, or the self-check failed: root from tiles,
 * last leaf, number of entries), CS_ERR_VERSION (of a build with another format), CS_ERR_EXISTS (another process is its
 * writer), CS_ERR_NOMEM. Never open one folder twice in a process (LMDB's locks are the process's). A reader needs
 * write access to lock.mdb, except on a copy of data.mdb alone in a folder where none can be made.
 */
int store_open(const char *dir, const struct store_options *o, struct store **ret);
void store_close(struct store *s); /* NULL is fine. */

/* What the ledger held when last committed. */
struct store_head {
	uint64_t size;          /* Entries. */
	uint64_t applied_index; /* Raft index whose batch ended at size; 0: none. */
	uint64_t applied_term;
	struct hash root;      /* Root at size, as recomputed from the tiles at open. */
	struct hash last_leaf; /* Leaf hash of entry size-1; zero bytes if size is 0. */
};

/* --- writer: one thread --- */

struct store_entry {
	const void *leaf, *body;
	uint32_t leaf_len, body_len;
	struct hash leaf_hash;
};

int store_begin(struct store *s);
/* Appends n entries from index `first` (must be the size) in the open transaction, tiles included. */
int store_append(struct store *s, uint64_t first, const struct store_entry *e, unsigned n);
/* Records the Raft index and term that the ledger has now been brought to (also for batches with no entry). */
int store_applied(struct store *s, uint64_t index, uint64_t term);
int store_put_checkpoint(struct store *s, uint64_t size, const void *note, size_t len);
/* len 0: delete. "format", "head" and "state" are the store's own: CS_ERR_INVALID. */
int store_put_meta(struct store *s, const char *name, const void *value, size_t len);
/*
 * CS_ERR_DISK_FULL when the map is full (transaction aborted, the store goes on). CS_ERR_IO: end the process; nothing
 * is written through this store again. The first error of an append or put sticks and is what the commit returns.
 */
int store_commit(struct store *s);
void store_abort(struct store *s);
/* One transaction of state records and the Raft index they are the state of. value_len 0 deletes. */
struct store_record {
	const void *key, *value;
	uint32_t key_len, value_len; /* key at most 511 bytes (LMDB's bound). */
};
/*
 * No transaction may be open. CS_ERR_INVALID if index is beyond the applied index or before the last one written. With
 * the records goes their sum (ledger/multiset.h): the first byte of a key is its record's kind, the rest its place.
 */
int store_write_state(struct store *s, const struct store_record *r, size_t n, uint64_t index, uint64_t term);
/* As store_write_state, but these are all: what was there before goes, in the same transaction. */
int store_replace_state(struct store *s, const struct store_record *r, size_t n, uint64_t index, uint64_t term);
void store_state_digest(const struct store *s, struct hash *ret); /* Of the state last written. Writer's thread. */
/* Whether the records are those whose sum was stored: CS_ERR_DAMAGED. Writer's thread. */
int store_check_state(struct store *s);
/*
 * After CS_ERR_DAMAGED of that, without a peer: if one bit of one record is another, the sum tells which; it is turned
 * back. CS_ERR_DAMAGED: it is more than that, or the state is too large to try (STORE_STATE_TRIES). Writer's thread.
 */
#define STORE_STATE_TRIES (UINT64_C(1) << 23) /* Bits; two microseconds each. */
int store_mend_state(struct store *s);
/* Tiles whose leaves or whose tiles below come after entry `from`: wrong ones are mended. CS_ERR_DAMAGED: not all can
 * be. */
int store_mend_tiles(struct store *s, uint64_t from, unsigned *ret_mended);

/* A record that was damaged, and what takes its place; each in a transaction of its own. Writer's thread. */
struct store_mend {
	enum store_mend_what { MEND_ENTRY = 1, MEND_BODY, MEND_TILE, MEND_CHECKPOINT, MEND_META } what;
	unsigned level; /* Of a tile. */
	uint64_t index; /* Entry, tile's number, checkpoint's size. */
	/*
	 * NULL: of an entry or its private fields, the stored bytes but for one bit, if that is all that is wrong; of a
	 * tile, what follows from what is below it; of a checkpoint, it goes.
	 */
	const void *bytes;
	size_t len;
	bool partial; /* Private fields may lack some that the leaf commits to: they were erased. */
};
/*
 * Nothing is written that does not fit: a leaf has the hash in the tree, private fields open the commitments of the
 * stored leaf, a tile fits what is above it. A checkpoint is its caller's to verify. META: head, copy, the state's
 * index and sum as this process knows them. CS_ERR_REFUTED: these are not the right bytes; CS_ERR_DAMAGED: that cannot
 * be told before something else is mended; else as store_commit.
 */
int store_mend(struct store *s, const struct store_mend *m);
/*
 * What an erasure has taken from a body: these fields (a bit for each kind; STORE_ERASED_ALL: the whole), by the entry
 * `by`. An erased body that came from another member is stored as an empty one first.
 */
struct store_erasure {
	uint64_t index, by, fields;
};
#define STORE_ERASED_ALL   UINT64_MAX
#define STORE_ERASURES_MAX 64 /* Of one body: more are not told apart, and go into the last. */
/*
 * Takes them out of the stored bodies, and notes it, in one transaction; what was there stays in the file's free pages
 * until store_rewrite. No transaction may be open. ret_changed: bodies that had something to lose. Again is harmless.
 */
int store_erase(struct store *s, const struct store_erasure *e, size_t n, uint64_t *ret_changed);
/* In the open transaction, of entries that it has appended without what was erased of them elsewhere. */
int store_append_erased(struct store *s, const struct store_erasure *e, size_t n);

/*
 * A rewrite: all that is in the store into a fresh file, which then takes the place of this one; what was deleted or
 * replaced is nowhere in it. LMDB cannot wipe: freed pages, and the unused parts of pages in use, keep what was there.
 * Any thread begins it and calls `some` until that says 1; then the writer's thread ends it. A crash at any moment
 * leaves the one file or the other, whole. Views go on in the old file until they are renewed; it is gone from the
 * folder at once, and from the disk when the last of them, and the last reader of another process, has left.
 */
struct store_rewrite;
int store_rewrite_begin(struct store *s, struct store_rewrite **ret);
/* Copies up to 4 MiB and syncs them: 0: there is more; 1: all that is there now is copied; or an error. */
int store_rewrite_some(struct store_rewrite *r);
/*
 * The rest, and the swap. No transaction may be open. Frees r, whatever comes of it. CS_ERR_CONFLICT: something was
 * erased meanwhile: begin again. CS_ERR_DISK_FULL; CS_ERR_IO: the file system cannot exchange two folders, or failed.
 * After an error the store goes on in the file that it had.
 */
int store_rewrite_finish(struct store *s, struct store_rewrite *r);
void store_rewrite_abandon(struct store_rewrite *r); /* NULL is fine. */
/* True while a file that was swapped out is open in this process, for a view that is still held. Any thread. */
bool store_lingers(struct store *s);

int store_sync(struct store *s); /* mdb_env_sync(force): before the Raft log is truncated. */
void store_head(const struct store *s,
                struct store_head *ret);           /* As of the last commit (a reader: of open); any thread. */
uint64_t store_state_index(const struct store *s); /* Raft index of the state written back; 0: none. */
/* Bytes of the map, and how many are left of it; freed pages, which are used again, count as used. Any thread. */
void store_room(const struct store *s, uint64_t *ret_free, uint64_t *ret_size);

/* Calls f for each state record, in key order; stops and returns f's result if it is not 0. */
int store_each_state(struct store *s,
                     int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                     void *ctx);

/* --- readers: any thread, each with a view of its own --- */

/* A consistent view (LMDB read transaction, MDB_NOTLS). Renew per chunk of work: an old view pins pages. */
struct store_view;
int store_view_open(struct store *s, struct store_view **ret);
int store_view_renew(struct store_view *v);
void store_view_release(struct store_view *v); /* Keeps the view for a later renew; pins nothing meanwhile. */
void store_view_close(struct store_view *v);
void store_view_head(const struct store_view *v, struct store_head *ret); /* root as recorded, not recomputed. */
/* Borrowed bytes, good until the view is renewed, released or closed. CS_ERR_NOT_FOUND, CS_ERR_ERASED (body). */
int store_view_entry(const struct store_view *v, uint64_t index, const void **ret_leaf, size_t *ret_len);
int store_view_body(const struct store_view *v, uint64_t index, const void **ret_body, size_t *ret_len);
/* What was erased of this entry's body, in order of the erasures; none: *ret_n is 0. */
int store_view_erased(const struct store_view *v, uint64_t index, struct store_erasure *ret, unsigned max,
                      unsigned *ret_n);
/* Calls f for each, from this index on, until it gives another result than 0, which is then returned. */
int store_view_each_erased(const struct store_view *v, uint64_t first,
                           int (*f)(void *ctx, const struct store_erasure *e), void *ctx);
/*
 * Whether these bytes are those of the entry (its hash stands in the tree) and, unless body is NULL, of its body (each
 * field opens its commitment): LMDB has no checksums, so what is given out is checked here. CS_ERR_DAMAGED.
 */
int store_view_check(const struct store_view *v, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                     size_t body_len);
int store_view_checkpoint(const struct store_view *v, uint64_t size_min, uint64_t *ret_size, const void **ret_note,
                          size_t *ret_len); /* The first stored one of at least size_min. */
int store_view_checkpoint_last(const struct store_view *v, uint64_t *ret_size, const void **ret_note, size_t *ret_len);
int store_view_meta(const struct store_view *v, const char *name, const void **ret, size_t *ret_len);
/* The state records that the view sees, in key order, and the Raft index and term that they are the state of. */
int store_view_each_state(const struct store_view *v,
                          int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                          void *ctx);
int store_view_state_index(const struct store_view *v, uint64_t *ret_index, uint64_t *ret_term); /* CS_ERR_NOT_FOUND. */
/* As store_check_state, of what the view sees. */
int store_view_check_state(const struct store_view *v);
/* CS_ERR_NOT_FOUND: a version that kept no sum has written the state. */
int store_view_state_digest(const struct store_view *v, struct hash *ret);
/*
 * As store_view_each_state, from the first record whose key is above `after` on; after_len 0: from the first of all.
 */
int store_view_state_after(const struct store_view *v, const void *after, size_t after_len,
                           int (*f)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len),
                           void *ctx);
/* Tiles as the view sees them, for tiles_inclusion and its like (read only). */
void store_view_tiles(const struct store_view *v, struct tree_tiles *ret);
/* The same, each held against the one above it, up to the head's root: CS_ERR_DAMAGED in place of a wrong hash. */
void store_view_tiles_checked(const struct store_view *v, struct tree_tiles *ret);
/* The number of the snapshot that the view holds: a page of it is not used again as long as it does. */
uint64_t store_view_snapshot(const struct store_view *v);

/*
 * Entries one after another, from index `from` on upwards or downwards, without a search for each: what a search reads.
 * Nothing is checked: whoever gives out what it finds calls store_view_check. Good until the view is renewed, released
 * or closed; to be closed before. CS_ERR_NOMEM.
 */
struct store_walk;
int store_walk_open(const struct store_view *v, uint64_t from, bool down, struct store_walk **ret);
/* The next entry, borrowed as store_view_entry's. CS_ERR_NOT_FOUND: that was the last; CS_ERR_DAMAGED: one is missing.
 */
int store_walk_next(struct store_walk *w, uint64_t *ret_index, const void **ret_leaf, size_t *ret_len);
/* The body of the entry that came last. CS_ERR_ERASED. */
int store_walk_body(struct store_walk *w, const void **ret_body, size_t *ret_len);
void store_walk_close(struct store_walk *w); /* NULL is fine. */

#endif
