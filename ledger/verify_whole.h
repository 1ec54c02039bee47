/* The offline verifier of whole ledgers: folders in the form of C2SP tlog-tiles, and the stores of nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_VERIFY_WHOLE_H
#define LEDGER_VERIFY_WHOLE_H

#include "ledger/verify.h"

/* Of verify*.c these read files; else the same holds: nothing is shared with those that write but format.h. */

struct verify_whole_options {
	const void *old; /* NULL, or an older checkpoint (a note): this ledger must have grown from it. */
	size_t old_len;
	uint64_t from; /* Of a folder: entries before this one may be missing; they are then not looked at. */
	bool bodies;   /* Of a store: each body against the commitments of its entry. */
	bool trusted;  /* Of a store: under the newest checkpoint whose quorum the policy knows, if the newest has none.
	                */
	/* NULL, or given each entry that was looked at, in order. What it is worth the outcome says. */
	void (*entry)(void *ctx, const void *leaf, size_t len);
	void *entry_ctx;
	/* NULL, or told now and then how far it is. */
	void (*progress)(void *ctx, uint64_t done, uint64_t size);
	void *progress_ctx;
};

/*
 * A folder as `countersign export` writes it: checkpoint, tile/entries/..., tile/.... Every entry and every tile of the
 * checkpoint's size is read; other files are not looked at. A file that is missing or cannot be read: undecided.
 */
void verify_folder(const struct verify_policy *p, const char *dir, const struct verify_whole_options *o,
                   struct verify_result *ret);

/*
 * The folder of a node's store (data.mdb), a copy or one that a node is writing to, under the newest checkpoint in it.
 * Entries behind that checkpoint are counted, and not looked at. LMDB has no checksums of its own structure: a damaged
 * file can make it read wild, so a caller must take SIGSEGV, SIGBUS and SIGABRT for "could not tell".
 */
void verify_store(const struct verify_policy *p, const char *dir, const struct verify_whole_options *o,
                  struct verify_result *ret);

/* --- tlog-tiles --- */

#define VERIFY_TILE_PATH_SIZE 96
#define VERIFY_TILE_ENTRIES   (-1) /* In place of a level: the entry bundles. */
/* "tile/<L>/<N>", with ".p/<W>" where width is below 256. */
void verify_tile_path(int level, uint64_t n, unsigned width, char ret[VERIFY_TILE_PATH_SIZE]);

/* Takes an entry bundle of exactly n <= 256 entries apart; false: it is none. ret borrows from bytes. */
struct verify_bundled {
	const uint8_t *p;
	size_t len;
};
bool verify_bundle_split(const uint8_t *bytes, size_t len, unsigned n, struct verify_bundled *ret);

/* --- verify_whole.c: what folder and store share; between begin and end, tile by tile of 256 entries --- */

enum verify_got { VERIFY_GOT, VERIFY_GOT_NOT, VERIFY_GOT_BAD }; /* BAD: there, but of a wrong length. */

struct verify_whole {
	struct verify_audit audit;
	struct verify_result *result;
	/* Gets the stored tile of exactly that width; ret has room for a full one. */
	enum verify_got (*tile)(void *ctx, unsigned level, uint64_t n, unsigned width, uint8_t *ret);
	void *ctx;
	const struct verify_whole_options *options;
	bool has_old;
	bool old_undecided; /* The older checkpoint is its signer's claim only. */
	uint64_t old_size;
	uint8_t old_root[VERIFY_HASH_SIZE];
	uint64_t tiles;
	struct {
		uint64_t n;
		unsigned width;
		uint8_t hashes[VERIFY_TILE_WIDTH][VERIFY_HASH_SIZE];
	} level[VERIFY_TILE_LEVELS];
	uint8_t stored[VERIFY_TILE_WIDTH * VERIFY_HASH_SIZE];
};

/* Checks the checkpoint and the older one. False: the result is final. w->tile, ctx and options are set before. */
bool verify_whole_begin(struct verify_whole *w, const struct verify_policy *p, const void *checkpoint, size_t len,
                        struct verify_result *result);
/* The next tile's entries: 256, or what is left. False: the result is final. */
bool verify_whole_entries(struct verify_whole *w, const struct verify_bundled *entries, unsigned n);
/* The same of a tile whose entries are not there: its hashes are taken as they stand, and the root holds them. */
bool verify_whole_skip(struct verify_whole *w, unsigned n);
bool verify_whole_missing(struct verify_whole *w, const char *what); /* Undecided; false. */
void verify_whole_end(struct verify_whole *w);                       /* Once all entries have come. */

#endif
