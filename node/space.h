/* How much room is left for the data folder and the ledger's map, and what a node still does with it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SPACE_H
#define NODE_SPACE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/store.h"

/*
 * The less room, the less is done. Reads and proofs are served at every level. A level begins where less than this part
 * of the reserve is left, and ends an eighth of the reserve above, so that it does not come and go with each file:
 */
enum space_level {
	SPACE_PLENTY = 0,
	SPACE_LOW = 1,   /* All of it: no new request is ordered, but administrators'. */
	SPACE_SHORT = 2, /* A half: nothing is ordered; a follower takes no entries from its leader. */
	SPACE_FULL = 3,  /* A quarter: the writer waits, with what the log holds already. */
};

/* Which of the two is the scarcer one. */
enum space_what { SPACE_DISK = 0, SPACE_MAP = 1 };

/* Bytes. */
struct space {
	uint64_t disk_free, disk_size;    /* Of the data folder's file system, for this user. */
	uint64_t map_free, map_size;      /* Of LMDB's map (setting map_size_mib). */
	uint64_t log_bytes, ledger_bytes; /* What the node's own two folders take on the disk. */
};

/* May wait for the file system: not on the loop. path: the data folder. CS_ERR_IO. */
int space_measure(const char *path, const struct store *store, struct space *ret);
/*
 * The level now, if it was `before`. reserve: bytes, of the settings; of the map at most an eighth is kept in reserve.
 * unstored: bytes of entries on their way to the map. *ret_what: the scarcer one.
 */
enum space_level space_level(const struct space *s, uint64_t reserve, uint64_t unstored, enum space_level before,
                             enum space_what *ret_what);
/* "the disk: 12 MiB free of 40960, 512 kept in reserve" or the like. */
void space_text(const struct space *s, uint64_t reserve, enum space_what what, char *ret, size_t cap);

#endif
