/* What the files of the LMDB double share: its versions, environments and transactions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_LMDB_INTERNAL_H
#define TESTS_SIM_LMDB_INTERNAL_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/lmdb_map.h"

struct drive;
struct process;

#define LMDB_DBS_MAX   8
#define LMDB_MAIN_DBI  0
#define LMDB_PAGE_SIZE 4096

/* One version of all databases. */
struct version {
	uint64_t number;
	unsigned n;
	char *names[LMDB_DBS_MAX]; /* Database 1 and up; [0] is the main one, whose records are the names. */
	struct map_node *roots[LMDB_DBS_MAX];
	uint64_t entries[LMDB_DBS_MAX];
};

/* The file: it outlives the process. */
struct env {
	struct version now, synced;
	bool made;
};

struct MDB_env {
	MDB_env *next;
	struct drive *disk;
	struct env *file;
	struct process *process;
	size_t map_size;
	MDB_txn *writer;
};

struct MDB_txn {
	MDB_env *env;
	bool read_only, live;
	struct version v;
};

#endif
