/* What the scrubber's files share: the thread's own, and the list of what is damaged. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SCRUBBER_INTERNAL_H
#define NODE_SCRUBBER_INTERNAL_H

#include <pthread.h>

#include "node/scrubber.h"

#define SCRUB_TEXT_SIZE WIRE_SCRUB_TEXT_SIZE
#define SCRUB_ITEMS_MAX 1024 /* What is found above it is found again by the next pass, which then comes at once. */
#define SCRUB_MET_MAX   64   /* Tiles that readers have met damage under, and that are yet to be looked at. */
#define SCRUB_KEYS_MAX  512  /* Of who ever signed: seven nodes, and some dozens that came and went. */

struct pass;

struct scrubber {
	struct scrubber_options o;
	pthread_t thread;

	/* The thread's own. */
	struct pages_file file;
	struct scrub scrub;
	struct store_view *view; /* Holds the snapshot. */
	struct pass *pass;
	bool entry_lost; /* In this pass one was damaged: it may have named a key. */

	pthread_mutex_t lock; /* Over all below. */
	pthread_cond_t wake;
	bool stop, again; /* again: the list was full. */
	struct wire_scrub shown;
	struct scrub_listed {
		struct scrub_item item;
		bool out; /* With the core or the writer. */
		uint64_t due_ns;
		char text[SCRUB_TEXT_SIZE];
	} items[SCRUB_ITEMS_MAX];
	unsigned n_items;
	struct {
		unsigned level;
		uint64_t n;
	} met[SCRUB_MET_MAX];
	unsigned n_met;
	bool keys_whole; /* They are all: this pass has read every entry, and each was sound. */
	unsigned n_keys;
	uint8_t keys[SCRUB_KEYS_MAX][32]; /* That signed, or may have: of genesis and of every change since. */
};

/* To the list, unless it is there; what the store itself can tell goes to the writer at once. */
void scrubber_add(struct scrubber *s, const struct scrub_find *f);
void *scrubber_run(void *arg); /* The thread; arg: the scrubber. */
/* struct scrub's callbacks; ctx: the scrubber. */
void scrubber_found(void *ctx, const struct scrub_find *f);
const char *scrubber_signatures(void *ctx, const struct note *n);
void scrubber_keys_whole(struct scrubber *s, bool whole);
void scrubber_learn(void *ctx, uint64_t index, const void *leaf, size_t len);

#endif
