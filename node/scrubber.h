/* The scrubber: reads the whole store again and again, and lists what is damaged until it is mended. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SCRUBBER_H
#define NODE_SCRUBBER_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/scrub.h"
#include "node/wire/messages.h"
#include "node/writer.h"

struct scrubber_options {
	const char *path; /* The store's data.mdb; borrowed, as all here. */
	const char *origin;
	struct store *store;
	struct ledger_writer *writer;
	uint64_t rate;       /* Bytes a second that are read at most; a tenth of one processor's time at most too. */
	unsigned interval_s; /* From one pass's begin to the next one's, if it has ended by then. */
	void (*wanted)(void *ctx); /* Something waits for the other members. Any thread; it may be told too often. */
	/*
	 * The file's structure, or the state, is not what it must be: neither can be mended under a process that uses
	 * it. Must not return: the next start mends (node/salvage.h).
	 */
	void (*broken)(void *ctx, const char *what) __attribute__((noreturn));
	void *ctx;
};

struct scrubber;

int scrubber_open(const struct scrubber_options *o, struct scrubber **ret);
/* No pass goes on; what the writer still has is done with first: before the writer is closed. NULL is fine. */
void scrubber_stop(struct scrubber *s);
void scrubber_close(struct scrubber *s); /* After the writer. NULL is fine. */

/* A pass from the begin, after the one under way: the answer's `asked`. Any thread. */
void scrubber_ask(struct scrubber *s);
void scrubber_state(struct scrubber *s, struct wire_scrub *ret); /* Any thread. */

/*
 * A reader has met damage under a tile, of an entry in it perhaps: the scrubber looks at all of it at once, for what
 * LMDB said may be as damaged. Any thread.
 */
void scrubber_met(struct scrubber *s, unsigned level, uint64_t n);
/* An entry, or its private fields, are damaged, and here is what they must be. Any thread. */
void scrubber_have(struct scrubber *s, enum scrub_what what, uint64_t index, const void *bytes, size_t len);

/* --- the core's side: what only other members have --- */

struct scrub_item {
	enum scrub_what what;
	unsigned level;
	uint64_t index;
	unsigned tries; /* How often it was asked for. */
};
/* The next that is due; it is then out, until one of the two below. False: none. */
bool scrubber_next(struct scrubber *s, uint64_t now_ns, struct scrub_item *ret);
/* Nobody gave it, or nobody can be asked. */
void scrubber_again(struct scrubber *s, const struct scrub_item *i, uint64_t delay_ns);
/* Bytes that member `from` gave for it, not yet checked: the writer checks, and either writes or has it asked for
 * again. */
void scrubber_give(struct scrubber *s, const struct scrub_item *i, uint64_t from, const void *bytes, size_t len,
                   bool partial);
/* The signatures of a checkpoint that a member gave: NULL, or what is wrong. Core's thread. */
const char *scrubber_note_wrong(struct scrubber *s, uint64_t size, const void *note, size_t len);

#endif
