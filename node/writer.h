/* The writer: one thread that stores behind the core what the core has applied; LMDB is off the reply's path. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WRITER_H
#define NODE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/store.h"

/* What one applied Raft entry brings to the ledger: entries with their leaf and body bytes, in memory of its own. */
struct entries {
	struct entries *next;
	uint64_t index, term; /* Of the Raft entry. */
	uint64_t first;       /* Ledger index of entries[0]. */
	unsigned n, n_max;
	bool fetched;      /* Came by catch-up: its index (0: none yet) was not applied through Raft. */
	size_t bytes, cap; /* Of data. */
	uint64_t pushed_ns;
	uint8_t *data;
	struct store_entry *entries;
};
/* Room for n_max entries; data grows by doubling as entries are added. NULL: out of memory. */
struct entries *entries_new(uint64_t index, uint64_t term, uint64_t first, unsigned n_max);
/* Copies one entry in. The pointers in entries are valid only after entries_seal. CS_ERR_NOMEM. */
int entries_add(struct entries *b, const void *leaf, size_t leaf_len, const void *body, size_t body_len,
                const struct hash *leaf_hash);
/* Fixes the pointers of entries into data: no entries_add afterwards. */
void entries_seal(struct entries *b);
void entries_free(struct entries *b);

/* State records taken at one Raft index, as length-prefixed keys and values in one block. */
struct state_block;
struct state_block *state_block_new(uint64_t index, uint64_t term);
/* A state_record_fn (node/decide/decide.h); ctx is the block. */
int state_block_add(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len);
void state_block_free(struct state_block *b);

/* Meta record: highest Raft index whose entries came by catch-up and not through Raft (u64be). */
#define WRITER_META_FETCHED "fetched"

struct ledger_writer_options {
	struct store *store;  /* Borrowed; the writer thread is its only writer. */
	unsigned interval_ms; /* How long applied entries may wait for a commit together. */
	/* After each commit, on the writer's thread: durable indexes and size have moved. */
	void (*progress)(void *ctx);
	/* A write failed: the process must end (crash-only). Must not return. */
	void (*fatal)(void *ctx, int err, const char *what) __attribute__((noreturn));
	void *ctx;
};

struct ledger_writer;

int ledger_writer_open(const struct ledger_writer_options *o, struct ledger_writer **ret);
/* Writes all that was pushed, syncs, ends the thread. NULL is fine. */
void ledger_writer_close(struct ledger_writer *w);
/* These take ownership. Core's thread. */
void ledger_writer_push(struct ledger_writer *w, struct entries *b);
/* Written in order after the bundles pushed before it. sync: then force LMDB to disk, so that the log may be cut. */
void ledger_writer_push_state(struct ledger_writer *w, struct state_block *b, bool sync);
void ledger_writer_push_checkpoint(struct ledger_writer *w, uint64_t size, const void *note, size_t len); /* Copied. */
/* Commit what is pushed as soon as possible: a reader waits. Any thread. */
void ledger_writer_flush(struct ledger_writer *w);
size_t ledger_writer_backlog(const struct ledger_writer *w);       /* Bytes pushed and not yet committed. Any thread. */
uint64_t ledger_writer_stored_size(const struct ledger_writer *w); /* Entries committed. Any thread. */
uint64_t
ledger_writer_state_index(const struct ledger_writer *w); /* Raft index of the state that is written *and synced*. */

#endif
