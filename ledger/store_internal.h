/* What the store's files share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_STORE_INTERNAL_H
#define LEDGER_STORE_INTERNAL_H

#include <lmdb.h>
#include <pthread.h>

#include "ledger/multiset.h"
#include "ledger/store.h"

/* X(name, database). */
#define STORE_DB_LIST(X)                                                                                               \
	X(DB_ENTRIES, "entries")                                                                                       \
	X(DB_BODIES, "bodies")                                                                                         \
	X(DB_TILES, "tiles")                                                                                           \
	X(DB_CHECKPOINTS, "checkpoints")                                                                               \
	X(DB_STATE, "state")                                                                                           \
	X(DB_META, "meta")                                                                                             \
	X(DB_ERASED, "erased") /* Made when a version that knows of it first writes. */

enum store_db {
#define STORE_DB_ENUM(name, text) name,
	STORE_DB_LIST(STORE_DB_ENUM)
#undef STORE_DB_ENUM
	        DB_COUNT
};

/* Names in "meta" that are the store's own; store_put_meta refuses them. */
#define META_FORMAT "format" /* STORE_FORMAT. */
#define META_HEAD   "head"   /* size, applied index, applied term (u64be each), root, last leaf's hash. */
#define META_STATE  "state"  /* Raft index and term of the state records (u64be each). */
#define META_SUM    "sum"    /* Raft index and term (u64be each), sum of the state records at that index. */
#define META_COPY   "copy"   /* Head and state once more, with hashes of all that is in meta: struct store_copy. */

#define META_HEAD_SIZE  (3 * 8 + 2 * HASH_SIZE)
#define META_STATE_SIZE (2 * 8)
#define META_SUM_SIZE   (2 * 8 + MULTISET_SIZE)
#define META_COPY_SIZE  (META_HEAD_SIZE + META_STATE_SIZE + 3 * HASH_SIZE)
#define INDEX_KEY_SIZE  8
#define TILE_KEY_SIZE   9

/*
 * One opened file. When the store is rewritten (store_rewrite.c), a new one takes its place; the old one stays open
 * until the last view has left it. Handles of databases are alike in both.
 */
struct store_file {
	MDB_env *env;
	unsigned views; /* Under the store's lock. */
};

struct store {
	struct store_file *file; /* Changed by the writer's thread, under the lock. */
	MDB_env *env;            /* file's: for the writer's thread. */
	char *dir;
	struct store_view *views; /* Of this process. */
	MDB_dbi db[DB_COUNT];
	bool has_erased;   /* A reader may have opened a store that no version with erasures has written yet. */
	uint64_t erasures; /* How often anything was erased since it was opened; changed under the lock. */
	bool read_only;
	bool dead;     /* A write or sync failed: nothing is written through this handle again. */
	int folder_fd; /* Carries the one writer's flock; -1 for readers. */

	/* The writer's own; no other thread looks at them. */
	MDB_txn *txn;      /* The open write transaction, or NULL. */
	int txn_err;       /* First error in it; it can then only be aborted. */
	MDB_txn *tree_txn; /* What the tree reads its tiles through. */
	struct tree *tree;
	struct store_head next; /* The head that the open transaction makes. */
	struct multiset sum;    /* Of the state records as committed. */
	uint64_t state_term;    /* Of the index below. */
	struct hash others;     /* Of the records of meta that are not the store's own, as they were written. */
	struct {
		uint64_t n;
		unsigned width;
	} edge[TREE_TILE_LEVELS]; /* Partial tiles as committed, so that unchanged ones are not written again. */

	pthread_mutex_t lock; /* Over the two below. */
	struct store_head head;
	uint64_t state_index;
};

/* store.c: opens an environment in the folder as this store's would be; LMDB's result. */
int store_env_open(MDB_env **ret, const char *dir, uint64_t map_size, unsigned flags);
/* A write transaction's handles of all databases, made if they are not there; LMDB's result. */
int store_dbs_make(MDB_txn *txn, MDB_dbi db[DB_COUNT]);
void store_rewrite_sweep(const char *dir); /* What a crash left of one. */
/* Views, under the lock: the file that is current from now on (store_view.c). */
void store_swap_file(struct store *s, struct store_file *file);

/* The border: LMDB's and the system's error numbers become ours here and nowhere else. */
int store_error(int rc);

struct store_view {
	struct store *store;
	MDB_txn *txn; /* NULL: none yet, or its file was left. */
	bool live;    /* Holds a snapshot now; false between release and renew. */
	struct store_head head;
	/* Under the store's lock: */
	struct store_file *file;         /* NULL: none. */
	bool held;                       /* From renew to release: nobody else touches it. */
	struct store_view *next, **prev; /* All of the store's. */
};

/* Of one record of "erased". CS_ERR_DAMAGED. */
int store_erasures_read(uint64_t index, const void *value, size_t len, struct store_erasure *ret, unsigned max,
                        unsigned *ret_n);

/* Keys; buf must live as long as the MDB_val. */
MDB_val store_index_key(uint8_t buf[INDEX_KEY_SIZE], uint64_t index);
MDB_val store_tile_key(uint8_t buf[TILE_KEY_SIZE], unsigned level, uint64_t n);

void store_head_encode(const struct store_head *h, uint8_t ret[META_HEAD_SIZE]);
void store_head_decode(const uint8_t bytes[META_HEAD_SIZE], struct store_head *ret);
int store_read_head(const struct store *s, MDB_txn *txn, struct store_head *ret);
int store_read_tile(const struct store *s, MDB_txn *txn, unsigned level, uint64_t n, unsigned width, struct hash *out);

/* Ends the open transaction, if there is one, without it; after CS_ERR_IO nothing is written again. Returns err. */
int store_give_up(struct store *s, int err);

/* The writer's records in "meta"; LMDB's result. */
int store_meta_put(struct store *s, MDB_txn *txn, const char *name, const void *value, size_t len);
int store_head_put(struct store *s, MDB_txn *txn, const struct store_head *h);
int store_state_put(struct store *s, MDB_txn *txn, uint64_t index, uint64_t term, const struct multiset *sum);
/* CS_ERR_NOT_FOUND: a version that kept no sum has written the state since. */
int store_read_sum(const struct store *s, MDB_txn *txn, struct multiset *ret);
/* The sum from the records themselves. */
int store_sum_records(const struct store *s, MDB_txn *txn, struct multiset *ret);
/* Makes the tree that of `size` from the tiles that txn sees. */
int store_tree_load(struct store *s, MDB_txn *txn, uint64_t size);

/* Of the records that a view sees, and the one that is stored with them. */
int store_view_sums(const struct store_view *v, struct multiset *ret_found, struct multiset *ret_stored);

/* --- store_copy.c: what meta says, once more, so that damage to it is seen and undone --- */

struct store_copy {
	struct store_head head;
	uint8_t state[META_STATE_SIZE];
	struct hash sum;    /* SHA-256 of the record "sum". */
	struct hash others; /* Of all records but head, state, sum and this one: store_copy_other, in order. */
};

int store_copy_decode(const uint8_t bytes[META_COPY_SIZE], struct store_copy *ret); /* CS_ERR_DAMAGED. */
/* Feeds a record of meta, unless it is one that the copy has by itself. */
void store_copy_other(struct hasher *h, const void *key, size_t key_len, const void *value, size_t value_len);
/* The copy of these, and of the hash of the others in memory. LMDB's result. */
int store_copy_put(struct store *s, MDB_txn *txn, const struct store_head *h, uint64_t index, uint64_t term,
                   const struct multiset *sum);
/* CS_ERR_NOT_FOUND, CS_ERR_DAMAGED. */
int store_copy_read(const struct store *s, MDB_txn *txn, struct store_copy *ret);
/* The hash of the others as they are; format not NULL: as if that one's value were this. */
int store_copy_others(const struct store *s, MDB_txn *txn, const char *format, struct hash *ret);

/*
 * store_bit.c: a record of an entry, with the one bit turned that makes it hit. CS_ERR_DAMAGED: none does, or it is so
 * long that trying would take long (STORE_BIT_SIZE_MAX).
 */
#define STORE_BIT_SIZE_MAX 4096
int store_bit_put(struct store *s, enum store_db db, uint64_t index,
                  bool (*hits)(const void *ctx, const uint8_t *bytes, size_t len), const void *ctx);
/* One bit of one of the others turned back, so that they have this hash. CS_ERR_DAMAGED: no one bit does. */
int store_mend_others(struct store *s, MDB_txn *txn, const struct hash *want);

/* --- store_open.c: the self-check, and what it can mend --- */

int store_open_format(struct store *s, MDB_txn *txn, const struct store_options *o, int err);
/* Loads the head and holds it against what can be recomputed at once. */
int store_open_head(struct store *s, MDB_txn *txn, const struct store_options *o);

/* --- store_mend.c --- */

/* The stored tiles that a transaction sees, and the entries below, for tile_judge. */
struct store_judge {
	const struct store *store;
	MDB_txn *txn;
	uint64_t given; /* An entry whose hash is not taken from its bytes: it is last_leaf. UINT64_MAX: none. */
	struct hash last_leaf;
	struct tree_tiles tiles;
};
struct tilejudge;
void store_judge_init(struct store_judge *g, const struct store *s, MDB_txn *txn, const struct store_head *h,
                      struct tilejudge *ret);
int store_tile_put(struct store *s, MDB_txn *txn, unsigned level, uint64_t n, unsigned width,
                   const struct hash *hashes); /* LMDB's result. */

#endif
