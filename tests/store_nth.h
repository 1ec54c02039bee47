/* Whatever is done with a store, while the n-th call of LMDB, of the kernel or for memory fails. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STORE_NTH_H
#define TESTS_STORE_NTH_H

#include "tests/faults.h"
#include "tests/flip_regions.h"
#include "tests/store_real.h"

#define NTH_BASE 510 /* Entries: a full tile and one that lacks two. */
#define NTH_MORE 4   /* So that it becomes full, and another begins. */

extern struct image nth_base;   /* The file with that many entries, state, records of the node's, a checkpoint. */
extern struct store *nth_store; /* What is open, or NULL. */

extern char nth_note[LIMIT_NOTE_SIZE_MAX]; /* The checkpoint of 300 that is in it. */
extern size_t nth_note_len;

/* Kinds of failures: LMDB gives EIO; MDB_CORRUPTED (the last); MDB_MAP_FULL; MDB_NOTFOUND; no memory; file calls. And:
 * there is no file yet; a write that fails is not one of this file, and the store goes on. */
enum {
	NTH_LMDB = 1,
	NTH_FULL = 2,
	NTH_MISSING = 4,
	NTH_MEMORY = 8,
	NTH_FILES = 16,
	NTH_EMPTY = 32,
	NTH_BESIDE = 64,
	NTH_CORRUPT = 128
};

struct nth_scenario {
	const char *name;
	unsigned what;        /* NTH_…, as many as fail in turn. */
	void (*before)(void); /* NULL: the store is opened. */
	int (*once)(void);
	void (*after)(void); /* NULL: nth_check_file. What it opens is in nth_store and is closed behind it. */
	const char *only;    /* NULL, or the calls that fail. */
	unsigned from;       /* The first that fails, from 0. */
};

int nth_setup(void **state); /* Of a group. */
int nth_teardown(void **state);
void nth_open(void);
void nth_close(void);
/* Each call of each of the scenario's kinds fails once. */
void nth_run(const struct nth_scenario *c);
/* The file, whatever went wrong, is a store of NTH_BASE entries or with NTH_MORE, without fault, and takes writes. */
void nth_check_file(void);

#endif
