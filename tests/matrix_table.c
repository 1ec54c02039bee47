/* The cells of the matrix of faults, and what is expected of each: tests/FAULTS.md is printed from here. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/matrix.h"

#define WORDS(name, words) [name] = (words),
const char *const matrix_file_words[N_FILES] = {MATRIX_FILES(WORDS)};
const char *const matrix_fault_words[N_FAULTS] = {MATRIX_FAULTS(WORDS)};

#define MENDED   "a copy of the log's metadata or snapshot was damaged or behind: written again"
#define REPAIR   "the log is repaired"
#define UNDONE   "the log's last write was not finished: cut off"
#define HALTS    "its disk went back or was replaced"
#define STORE    "stopping at once: the ledger's store"
#define HEALED   "the ledger is repaired, with what"
#define UNMENDED "it cannot be mended in service, the next start does"
#define ANEW     "was built anew from what of it can be read"
#define ASIDE    "it is put aside"
#define GIVES    "waits for another member to give its own"

/* Rows of one line: the same end in both scopes, or one for each. */
#define REST_2(file, fault, what, hurt, ...)                                                                           \
	{                                                                                                              \
		file, fault, what, hurt, NULL, AT_REST, __VA_ARGS__, false                                             \
	}
#define REST(file, fault, what, hurt, ...) REST_2(file, fault, what, hurt, {__VA_ARGS__}, {__VA_ARGS__})
#define START(file, fault, what, inject, ...)                                                                          \
	{                                                                                                              \
		file, fault, what, NULL, inject, AT_START, {__VA_ARGS__}, {__VA_ARGS__}, false                         \
	}
#define SERVICE(file, fault, what, inject, ...)                                                                        \
	{                                                                                                              \
		file, fault, what, NULL, inject, IN_SERVICE, {__VA_ARGS__}, {__VA_ARGS__}, false                       \
	}
#define LOADED(file, fault, what, inject, ...)                                                                         \
	{                                                                                                              \
		file, fault, what, NULL, inject, IN_SERVICE, {__VA_ARGS__}, {__VA_ARGS__}, true                        \
	}
#define NEVER(file, fault, why) REST(file, fault, "", NULL, NOT_APPLICABLE, why)
#define READ_ONLY(file, fault)  NEVER(file, fault, "the daemon only reads it, at start")
#define FAIL(class, error)      "COUNTERSIGN_FAULT=" class ":" error ":1:0:"

/* A row is a line. */
/* clang-format off */
const struct matrix_cell matrix_cells[] = {
        REST(SEGMENT, FLIP, "a bit of a block behind the snapshot", segment_flip, REPAIRED, REPAIR),
        REST(SEGMENT, ZEROED, "a sector of such a block", segment_zero, REPAIRED, REPAIR),
        SERVICE(SEGMENT, TORN, "half of the sectors of a write, then the power fails", "POWER_TEAR=/log/segment-",
                REPAIRED, UNDONE),
        REST_2(SEGMENT, CUT, "the last blocks are gone", segment_cut, {REPAIRED, REPAIR},
               {WAITS, "waits for the other members to repair it"}),
        REST(SEGMENT, MISDIRECTED, "the first block lands on one behind the snapshot", segment_misdirect, REPAIRED,
             REPAIR),
        REST(SEGMENT, STALE, "an older copy of the only segment", segment_stale, REFUSES, "it was shortened"),
        START(SEGMENT, READ_ERROR, "of a block behind the snapshot",
              FAIL("read", "5") "/log/segment- COUNTERSIGN_FAULT_RANGE=266240-270336", REPAIRED, REPAIR),
        SERVICE(SEGMENT, WRITE_ERROR, "every write", FAIL("write", "5") "/log/segment-", STOPS, "writing the log: input/output error"),
        LOADED(SEGMENT, SYNC_ERROR, "every sync of the next segment, which is being made",
               FAIL("sync", "5") "/log/preparing", STOPS, "writing the log: input/output error"),
        LOADED(SEGMENT, NO_SPACE, "every write to the next segment, which is being made",
               FAIL("write", "28") "/log/preparing", STOPS, "writing the log: disk full"),
        SERVICE(SEGMENT, UNSYNCED, "a write under way, when the power fails", "POWER_LOSE=1:/log/segment-", UNAFFECTED,
                NULL),

        REST(METADATA, FLIP, "a bit of one copy", metadata_flip, REPAIRED, MENDED),
        REST(METADATA, FLIP, "a bit of each copy", metadata_flip_both, REFUSES,
             "the log's metadata: damaged (both copies)"),
        REST(METADATA, ZEROED, "one copy", metadata_zero, REPAIRED, MENDED),
        START(METADATA, TORN, "half of the bytes of one copy, then the power fails", "POWER_TEAR=/log/metadata-",
              REPAIRED, MENDED),
        REST(METADATA, CUT, "one copy", metadata_cut, REPAIRED, MENDED),
        REST(METADATA, MISDIRECTED, "a snapshot's record over one copy", metadata_misdirect, REPAIRED, MENDED),
        REST(METADATA, STALE, "an older copy for one", metadata_stale, REPAIRED, MENDED),
        REST(METADATA, STALE, "older ones for both", metadata_stale_both, REFUSES,
             "the metadata are older than the entries"),
        START(METADATA, READ_ERROR, "of one copy", FAIL("read", "5") "/log/metadata-1", REPAIRED, MENDED),
        START(METADATA, WRITE_ERROR, "every write", FAIL("write", "5") "/log/metadata-", STOPS, "storing the"),
        START(METADATA, SYNC_ERROR,
              "of the folder, at start; the files are open O_DSYNC, where it is the write that fails",
              FAIL("sync", "5") "/log", REFUSES, "the log's metadata"),
        START(METADATA, NO_SPACE, "every write", FAIL("write", "28") "/log/metadata-", STOPS, "storing the"),
        START(METADATA, UNSYNCED, "the write of a term or vote, when the power fails", "POWER_LOSE=1:/log/metadata-",
              UNAFFECTED, NULL),

        REST(SNAPSHOT, FLIP, "a bit of one copy", snapshot_flip, REPAIRED, MENDED),
        REST(SNAPSHOT, FLIP, "a bit of each copy", snapshot_flip_both, REFUSES,
             "the log's snapshot: damaged (both copies)"),
        REST(SNAPSHOT, ZEROED, "one copy", snapshot_zero, REPAIRED, MENDED),
        SERVICE(SNAPSHOT, TORN, "half of the bytes of one copy, then the power fails", "POWER_TEAR=/log/snapshot-",
                REPAIRED, MENDED),
        REST(SNAPSHOT, CUT, "one copy", snapshot_cut, REPAIRED, MENDED),
        REST(SNAPSHOT, MISDIRECTED, "a newer record of the metadata over one copy", snapshot_misdirect, REPAIRED,
             MENDED),
        REST(SNAPSHOT, STALE, "an older copy for one", snapshot_stale, REPAIRED, MENDED),
        START(SNAPSHOT, READ_ERROR, "of one copy", FAIL("read", "5") "/log/snapshot-1", REPAIRED, MENDED),
        SERVICE(SNAPSHOT, WRITE_ERROR, "every write", FAIL("write", "5") "/log/snapshot-", STOPS, "storing a snapshot: input/output error"),
        NEVER(SNAPSHOT, SYNC_ERROR,
              "the files are open O_DSYNC: it is the write that fails; the folder's sync is the metadata's cell"),
        SERVICE(SNAPSHOT, NO_SPACE, "every write", FAIL("write", "28") "/log/snapshot-", STOPS, "storing a snapshot: disk full"),
        SERVICE(SNAPSHOT, UNSYNCED, "the write of one, when the power fails", "POWER_LOSE=1:/log/snapshot-", UNAFFECTED,
                NULL),

        REST(PAGE, FLIP, "a bit of an early entry", page_flip, REPAIRED, HEALED),
        REST(PAGE, FLIP, "a bit of an early entry's private fields", page_flip_body, REPAIRED, HEALED),
        REST(PAGE, FLIP, "a bit of the last entry", page_flip_last, REPAIRED, "the last entry is not as it was stored"),
        REST(PAGE, FLIP, "a bit of the state", page_flip_state, REPAIRED,
             "a bit of the state was another: repaired by the state's sum"),
        REST(PAGE, FLIP, "a bit of a hash of the tree", page_flip_tile, REPAIRED,
             "tiles of the tree were damaged: repaired"),
        REST(PAGE, FLIP, "a bit of the head of a page of entries", page_flip_head, REBUILT, UNMENDED),
        REST(PAGE, ZEROED, "the sector of an early entry", page_zero, REBUILT, UNMENDED),
        SERVICE(PAGE, TORN, "half of a page, then the power fails", "POWER_TEAR=/data.mdb", UNAFFECTED, NULL),
        REST_2(PAGE, CUT, "to half of the file", page_cut, {REPAIRED, ASIDE}, {WAITS, GIVES}),
        REST(PAGE, MISDIRECTED, "another page over that of an early entry", page_misdirect, REBUILT, UNMENDED),
        REST(PAGE, STALE, "an older copy of the file", page_stale, REFUSES, HALTS),
        SERVICE(PAGE, READ_ERROR, "of every page behind the meta pages, which are mapped: SIGBUS",
                "POWER_MAP=2-1000000:/data.mdb", STOPS, "data.mdb: a page could not be read"),
        SERVICE(PAGE, WRITE_ERROR, "every write", FAIL("write", "5") "/data.mdb", STOPS, STORE),
        SERVICE(PAGE, SYNC_ERROR, "every sync", FAIL("sync", "5") "/data.mdb", STOPS, STORE),
        SERVICE(PAGE, NO_SPACE, "every write", FAIL("write", "28") "/data.mdb", STOPS, STORE),
        SERVICE(PAGE, UNSYNCED, "the pages of a commit, when the power fails", "POWER_LOSE=1:/data.mdb", UNAFFECTED,
                NULL),

        REST(META, FLIP, "a bit of the newer one's magic, root or version", meta_flip, REPAIRED, ANEW),
        REST(META, FLIP, "a bit of the newer one's number", meta_flip_number, UNAFFECTED, NULL),
        REST(META, ZEROED, "the newer one", meta_zero, REPAIRED, ANEW),
        NEVER(META, TORN, "what is written of it is shorter than a sector: it is there or not"),
        REST_2(META, CUT, "behind the first one", meta_cut, {REPAIRED, ASIDE}, {WAITS, GIVES}),
        REST(META, MISDIRECTED, "a page of entries over the newer one", meta_misdirect, REPAIRED, ANEW),
        REST(META, STALE, "the newer one as if it had not been written", meta_stale, UNAFFECTED, NULL),
        REST(META, STALE, "older copies of both", meta_stale_both, REFUSES, HALTS),
        SERVICE(META, READ_ERROR, "of both, which are mapped: SIGBUS", "POWER_MAP=0-2:/data.mdb", STOPS,
                "data.mdb: a page could not be read"),
        SERVICE(META, WRITE_ERROR, "every write to one", FAIL("write", "5") "/data.mdb COUNTERSIGN_FAULT_RANGE=0-8192",
                STOPS, STORE),
        NEVER(META, SYNC_ERROR, "it is synced with the pages of the next commit: that cell"),
        SERVICE(META, NO_SPACE, "every write to one", FAIL("write", "28") "/data.mdb COUNTERSIGN_FAULT_RANGE=0-8192",
                STOPS, STORE),
        SERVICE(META, UNSYNCED, "that of the last commit, when the power fails", "POWER_LOSE=2:/data.mdb", UNAFFECTED,
                NULL),

        REST(KEY, FLIP, "a bit of a word", key_flip, REFUSES, "node.key:"),
        REST(KEY, FLIP, "a bit of a key", key_flip_secret, REFUSES, "is not the one that the ledger names"),
        REST(KEY, ZEROED, "the file", key_zero, REFUSES, "node.key:"),
        READ_ONLY(KEY, TORN),
        REST(KEY, CUT, "to half", key_cut, REFUSES, "node.key:"),
        REST(KEY, MISDIRECTED, "the genesis over it", key_misdirect, REFUSES, "node.key:"),
        REST(KEY, STALE, "other keys than the ledger names: another node's", key_stale, REFUSES,
             "is not the one that the ledger names"),
        START(KEY, READ_ERROR, "every read", FAIL("read", "5") "/node.key", REFUSES, "node.key:"),
        READ_ONLY(KEY, WRITE_ERROR),
        READ_ONLY(KEY, SYNC_ERROR),
        READ_ONLY(KEY, NO_SPACE),
        READ_ONLY(KEY, UNSYNCED),

        REST(SETTINGS, FLIP, "a bit of a name", settings_flip, REFUSES, "countersignd.yaml:"),
        REST(SETTINGS, FLIP, "a bit of a number, within its bounds", settings_flip_value, UNAFFECTED, NULL),
        REST(SETTINGS, ZEROED, "the first one", settings_zero, REFUSES, "countersignd.yaml:"),
        READ_ONLY(SETTINGS, TORN),
        REST(SETTINGS, CUT, "to half", settings_cut, REFUSES, "countersignd.yaml:"),
        REST(SETTINGS, MISDIRECTED, "the key file over it", settings_misdirect, REFUSES, "countersignd.yaml:"),
        REST(SETTINGS, STALE, "as it was before a line was added", settings_stale, UNAFFECTED, NULL),
        START(SETTINGS, READ_ERROR, "every read", FAIL("read", "5") "/countersignd.yaml", REFUSES,
              "countersignd.yaml:"),
        READ_ONLY(SETTINGS, WRITE_ERROR),
        READ_ONLY(SETTINGS, SYNC_ERROR),
        READ_ONLY(SETTINGS, NO_SPACE),
        READ_ONLY(SETTINGS, UNSYNCED),
};
/* clang-format on */
const unsigned n_matrix_cells = sizeof matrix_cells / sizeof *matrix_cells;

static const char *const outcome_words[] = {
        [UNAFFECTED] = "unaffected",           [REPAIRED] = "repaired",        [REBUILT] = "stops, and is built anew",
        [WAITS] = "waits, and serves nothing", [REFUSES] = "refuses to start", [STOPS] = "stops",
        [NOT_APPLICABLE] = "not applicable"};

static void print_end(const struct matrix_end *e)
{
	const char *quote = e->outcome == NOT_APPLICABLE ? "" : "“", *end = e->outcome == NOT_APPLICABLE ? "" : "”";

	printf(" %s", outcome_words[e->outcome]);
	if (e->says)
		printf(": %s%s%s", quote, e->says, end);
	printf(" |");
}

void matrix_print_table(void)
{
	for (unsigned f = 0; f < N_FILES; f++) {
		printf("\n### %s\n\n| fault | done | one node | every node |\n|---|---|---|---|\n",
		       matrix_file_words[f]);
		for (unsigned i = 0; i < n_matrix_cells; i++) {
			const struct matrix_cell *c = &matrix_cells[i];
			if (c->file != f)
				continue;
			printf("| %s | %s |", matrix_fault_words[c->fault], c->what);
			print_end(&c->one);
			if (c->one.outcome == c->every.outcome && c->one.says == c->every.says)
				printf(" the same |");
			else
				print_end(&c->every);
			putchar('\n');
		}
	}
}
