/* The matrix of faults: its cells as data, what hurts a file, the nodes of one cell, and its judge. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MATRIX_H
#define TESTS_MATRIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/cluster.h"

#define MATRIX_NODES  3
#define MATRIX_VICTIM 2 /* With one node: this one; whether it leads is the election's matter. */

/* X(name, words): kinds of files, and of faults, in the order of the document. */
#define MATRIX_FILES(X)                                                                                                \
	X(SEGMENT, "log segment")                                                                                      \
	X(METADATA, "log metadata")                                                                                    \
	X(SNAPSHOT, "snapshot")                                                                                        \
	X(PAGE, "LMDB page")                                                                                           \
	X(META, "LMDB meta")                                                                                           \
	X(KEY, "key file")                                                                                             \
	X(SETTINGS, "settings")
#define MATRIX_FAULTS(X)                                                                                               \
	X(FLIP, "bit flip")                                                                                            \
	X(ZEROED, "zeroed sector")                                                                                     \
	X(TORN, "torn write")                                                                                          \
	X(CUT, "truncation")                                                                                           \
	X(MISDIRECTED, "misdirected write")                                                                            \
	X(STALE, "stale file")                                                                                         \
	X(READ_ERROR, "EIO on read")                                                                                   \
	X(WRITE_ERROR, "EIO on write")                                                                                 \
	X(SYNC_ERROR, "fsync error")                                                                                   \
	X(NO_SPACE, "ENOSPC")                                                                                          \
	X(UNSYNCED, "unsynced writes lost")
#define MATRIX_ENUM(name, words) name,
enum matrix_file { MATRIX_FILES(MATRIX_ENUM) N_FILES };
enum matrix_fault { MATRIX_FAULTS(MATRIX_ENUM) N_FAULTS };

enum matrix_outcome {
	UNAFFECTED,     /* It serves as before; nothing has to be said. */
	REPAIRED,       /* It says so, mends or fetches what is lost, and serves. */
	REBUILT,        /* It meets it when it reads there, ends in words, and the next start builds the file anew. */
	WAITS,          /* It neither serves nor ends, and says what it waits for. */
	REFUSES,        /* It ends at start, in words. */
	STOPS,          /* It ends while it runs, in words; started again it is whole. */
	NOT_APPLICABLE, /* It cannot occur; the words say why. */
};

struct arena;

/* What is expected in one scope. */
struct matrix_end {
	enum matrix_outcome outcome;
	const char *says; /* In the node's log; NULL: nothing. NOT_APPLICABLE: why. */
};

/* One fault of one kind of file, on one node and on every one. */
struct matrix_cell {
	enum matrix_file file;
	enum matrix_fault fault;
	const char *what; /* What is done, in words. */
	/* At rest: changes the node's files, at a place of the node's own. NULL: none. */
	void (*hurt)(const struct arena *a, unsigned node);
	/* In service: the environment of tests/faults_preload.c or tests/power_preload.c. NULL: none. */
	const char *inject;
	enum { AT_REST, AT_START, IN_SERVICE } when; /* From when on it is injected. */
	struct matrix_end one, every;
	bool load; /* Only a whole segment of decisions meets it. */
};
extern const struct matrix_cell matrix_cells[];
extern const unsigned n_matrix_cells;
extern const char *const matrix_file_words[N_FILES], *const matrix_fault_words[N_FAULTS];

void matrix_print_table(void); /* tests/FAULTS.md holds it. */

struct arena;
void cell_run(struct arena *a); /* matrix_cell.c: ends the process if the cell fails. */

/* --- one cell's cluster --- */

struct arena {
	struct cluster cluster; /* dir holds: c, the live one; base and old, copies of it; acked. */
	struct {
		pid_t pid;         /* 0: it does not run. */
		int status;        /* How it ended: its exit status, or minus the signal. */
	} nodes[MATRIX_NODES + 1]; /* From 1. */
	const struct matrix_cell *cell;
	bool every;
	cs_client *client, *at[MATRIX_NODES + 1]; /* at[n] knows node n only. */
};

/* Ends this cell's process: it failed. */
void matrix_fail(const struct arena *a, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

void arena_make(struct arena *a, const char *settings); /* Makes the cluster and its copies. No nng in this process. */
void arena_acked(const struct arena *a);                /* What it has acknowledged becomes this process's history. */
void arena_restore(const struct arena *a);              /* The live one becomes as base. */
void arena_put_back(const struct arena *a, unsigned node); /* One node's folder. */
void arena_path(const struct arena *a, const char *copy, unsigned node, const char *name, char ret[400]);

/* --- matrix_nodes.c --- */

void nodes_start(struct arena *a, unsigned node, bool hurt); /* hurt: with the cell's injection. */
bool nodes_ended(struct arena *a, unsigned node);            /* By itself; status is set. */
void nodes_kill(struct arena *a, unsigned node);
void nodes_stop_all(struct arena *a);
bool nodes_said(const struct arena *a, unsigned node, const char *text);
void nodes_trigger(const struct arena *a); /* From now on what is injected IN_SERVICE happens. */
bool nodes_hit(const struct arena *a, unsigned node);
void nodes_show_log(const struct arena *a, unsigned node);
void matrix_nap(void); /* Between two looks at another process's state. */

/* --- hurt at rest: matrix_hurt.c, matrix_hurt_lmdb.c --- */

typedef void matrix_hurt(const struct arena *a, unsigned node);
matrix_hurt segment_flip, segment_zero, segment_cut, segment_misdirect, segment_stale;
matrix_hurt metadata_flip, metadata_zero, metadata_cut, metadata_misdirect, metadata_stale, metadata_flip_both,
        metadata_stale_both;
matrix_hurt snapshot_flip, snapshot_zero, snapshot_cut, snapshot_misdirect, snapshot_stale, snapshot_flip_both;
matrix_hurt key_flip, key_flip_secret, key_zero, key_cut, key_misdirect, key_stale;
matrix_hurt settings_flip, settings_flip_value, settings_zero, settings_cut, settings_misdirect, settings_stale;
matrix_hurt page_flip, page_flip_body, page_flip_last, page_flip_state, page_flip_tile, page_flip_head, page_zero,
        page_cut, page_misdirect, page_stale;
matrix_hurt meta_flip, meta_flip_number, meta_zero, meta_cut, meta_misdirect, meta_stale, meta_stale_both;

#endif
