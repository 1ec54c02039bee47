/* The writer: one thread that stores behind the core what the core has applied; LMDB is off the reply's path. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WRITER_H
#define NODE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/store.h"
#include "node/entries.h"

/* Meta record: highest Raft index whose entries came by catch-up and not through Raft (u64be). */
#define WRITER_META_FETCHED "fetched"

#define WRITER_MARKS 16 /* The core looks after each one; more than ever come between two looks. */

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

/* A damaged record, and what is to take its place, as it waits for the writer. */
struct ledger_mend {
	struct ledger_mend *next;
	struct store_mend mend; /* bytes: NULL, or those below. */
	/* On the writer's thread, once: 0, written; else why not. CS_ERR_NOT_READY: nothing is written now. */
	void (*done)(void *ctx, const struct ledger_mend *m, int err);
	void *ctx;
	uint64_t from; /* The member that gave the bytes; 0: nobody. */
	uint8_t bytes[];
};

int ledger_writer_open(const struct ledger_writer_options *o, struct ledger_writer **ret);
/* Writes all that was pushed, syncs, ends the thread. NULL is fine. */
void ledger_writer_close(struct ledger_writer *w);
/* These take ownership. Core's thread. */
void ledger_writer_push(struct ledger_writer *w, struct entries *b);
/* Written in order after the bundles pushed before it. sync: then force LMDB to disk, so that the log may be cut. */
void ledger_writer_push_state(struct ledger_writer *w, struct state_block *b, bool sync);
/*
 * Erases in the store, or ends a rewrite (taken over, whatever comes of it), after all that was pushed before, and
 * waits for it. CS_ERR_NOT_READY: the writer is held, or ends; else as store_erase and store_rewrite_finish say. Any
 * thread but the writer's.
 */
int ledger_writer_erase(struct ledger_writer *w, const struct store_erasure *list, size_t n, uint64_t *ret_changed);
int ledger_writer_rewrite(struct ledger_writer *w, struct store_rewrite *r);
void ledger_writer_push_checkpoint(struct ledger_writer *w, uint64_t size, const void *note, size_t len); /* Copied. */
/* malloc'ed; freed behind done. Before whatever else waits. Any thread. */
void ledger_writer_push_mend(struct ledger_writer *w, struct ledger_mend *m);
/* One that is stored even if another follows before the next commit: one that tells of a change of keys. Copied. */
void ledger_writer_keep_checkpoint(struct ledger_writer *w, uint64_t size, const void *note, size_t len);
/* Commit what is pushed as soon as possible: a reader waits. Any thread. */
void ledger_writer_flush(struct ledger_writer *w);
/*
 * Held, it writes nothing, not even at its end: there is no room, and what waits is in the log. Any thread.
 */
void ledger_writer_hold(struct ledger_writer *w, bool hold);
bool ledger_writer_held(struct ledger_writer *w); /* Or full. Any thread. */
/* The store's map met its end: nothing is written until a restart with a larger one. Any thread. */
bool ledger_writer_full(struct ledger_writer *w);
size_t ledger_writer_backlog(const struct ledger_writer *w); /* Bytes pushed and not yet committed. Any thread. */
/*
 * An entry that was pushed and is not stored yet, or only just: leaf and body behind each other in buf, of
 * LIMIT_ENTRY_SIZE_MAX and LIMIT_BODY_SIZE_MAX bytes together. CS_ERR_NOT_FOUND. Any thread.
 */
int ledger_writer_entry(struct ledger_writer *w, uint64_t index, uint8_t *buf, size_t *ret_leaf_len,
                        size_t *ret_body_len);
uint64_t ledger_writer_stored_size(const struct ledger_writer *w); /* Entries committed. Any thread. */
uint64_t
ledger_writer_state_index(const struct ledger_writer *w); /* Raft index of the state that is written *and synced*. */
/* Digest of the state at this Raft index, if it is one of those written last (WRITER_MARKS). Any thread. */
bool ledger_writer_state_digest(struct ledger_writer *w, uint64_t index, struct hash *ret);

#endif
