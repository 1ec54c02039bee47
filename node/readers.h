/* The reader: one thread that answers what needs no order: entries, proofs, searches, status, repeated answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_READERS_H
#define NODE_READERS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/store.h"
#include "node/board.h"
#include "node/job.h"
#include "node/readlog.h"
#include "node/scrubber.h"
#include "node/witnesses.h"
#include "node/writer.h"

struct reader_options {
	uint64_t node_id;
	const char *origin;    /* Borrowed. */
	const char *witnessed; /* Borrowed: the file for what witnesses cosign. NULL: it is kept in memory only. */
	struct store *store;   /* Borrowed, as the following. */
	struct ledger_writer *writer;
	struct board *board;
	struct scrubber *scrubber; /* NULL: there is none. */
	struct readlog *readlog;
	void (*noted)(void *ctx); /* Something is in the log of readers that somebody waits for. */
	void (*want_proof)(void *ctx,
	                   uint64_t index); /* Somebody waits for the proof of an entry (board_want_proof). */
	void (*want_cosigned)(void *ctx, uint64_t size); /* Somebody waits for a quorum's proof of so many entries. */
	void *ctx;
};

struct reading_room; /* `struct reader` is the msgpack reader of ledger/bytes.h. */

int reading_room_open(const struct reader_options *o, struct reading_room **ret);
/* Answers what waits, and what comes from now on, with CS_ERR_NOT_READY: soon, on other threads. */
void reading_room_stop(struct reading_room *r);
/* Stops it, and ends the thread. NULL is fine. */
void reading_room_close(struct reading_room *r);
/* Core's thread: whose cosignatures are kept for those who prove (node/witnesses.h). */
void reading_room_set_witnesses(struct reading_room *r, const struct witness *list, unsigned n);
void reading_room_set_members(struct reading_room *r, const struct witness_members *members);
/* Takes a job whose type reading_room_serves. Any thread. */
void reading_room_submit(struct reading_room *r, struct job *j);
bool reading_room_serves(unsigned wire_type);
/*
 * Answers a job of the asker of entry `index` with that entry once more, proved under the leader's newest checkpoint.
 * Core's thread, on the leader.
 */
void reading_room_repeat(struct reading_room *r, struct job *j, uint64_t index);

#endif
