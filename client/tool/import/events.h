/* Past events out of logs: files found, hashed, read by their format's reader, in order of time. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_EVENTS_H
#define CLIENT_TOOL_IMPORT_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "client/tool/import/format.h"
#include "client/tool/import/mapping.h"
#include "client/tool/import/sorter.h"

#define EVENTS_FILES_MAX  100000 /* A year of one busy account. */
#define EVENTS_BAD_MAX    1000   /* Kept with their reason; more are only counted. */
#define EVENTS_FAILED_MAX 32     /* Reasons told apart; readers have fewer. */

struct events_file {
	char *path;
	const char *name; /* The last part of path; "stdin". */
	uint8_t hash[32]; /* SHA-256 of the file, unpacked. */
	const struct format *format;
	uint64_t records; /* Positions that it has. */
	uint64_t events;  /* As many of them are one. */
	bool same;        /* The bytes of another one before it: left out. */
};

struct events_bad {
	char *path;
	int64_t position; /* -1: the file as a whole. */
	uint64_t line;    /* From 1; 0: the format has no lines. */
	char *reason;
};

/* What failed then, by reason. */
struct events_failed {
	char reason[PAST_REASON_SIZE];
	uint64_t n;
};

/* How to read: NULL, 0 and no items mean by its looks. */
struct events_how {
	const struct format *format;
	struct when when;
	struct mapping mapping;
	size_t memory_max;                                                    /* For sorting; 0: SORTER_MEMORY. */
	void (*progress)(unsigned file, unsigned n_files, uint64_t n_events); /* May be NULL. */
};

struct events {
	unsigned n_files;
	struct events_file *files;
	struct sorter *sorter;
	uint64_t n;     /* Events, those of files that are left out not counted. */
	uint64_t n_bad; /* May be more than are kept. */
	struct events_bad bad[EVENTS_BAD_MAX];
	unsigned n_failed;
	struct events_failed failed[EVENTS_FAILED_MAX];
	uint64_t n_other; /* Records about something else. */
	const struct events_how *how;
	int err; /* Of the sorter, errno: nothing more is taken. */
};

/*
 * Reads each path: a file, "-", or a folder with all its files, subfolders included (of CloudTrail's those that end in
 * .json or .json.gz). What does not parse is named in bad. 0, or the exit code after printing what cannot go on at all
 * (no such path, too many, out of memory). Then sorter_take gives the events.
 */
int events_read(const char *command, char *const paths[], unsigned n_paths, const struct events_how *how,
                struct events *ret);
void events_close(struct events *e);

#endif
