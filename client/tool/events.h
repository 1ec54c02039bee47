/* Past events out of an audit log's files: found, hashed, parsed, in order of time. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_EVENTS_H
#define CLIENT_TOOL_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "client/countersign.h"

#define EVENTS_FILE_SIZE_MAX                                                                                           \
	(64u << 20)              /* CloudTrail's own files end at 50 MB uncompressed; jansson needs ~10 times that. */
#define EVENTS_FILES_MAX 100000  /* A year of one busy account. */
#define EVENTS_MAX       5000000 /* About 3 GiB in memory. */
#define EVENTS_BAD_MAX   1000    /* Kept with their reason; more are only counted. */

struct events_file {
	char *path;
	const char *name; /* The last part of path. */
	uint8_t hash[32]; /* SHA-256 of the file. */
};

struct event {
	uint64_t time_ms, position; /* Position in its file, from 0. */
	unsigned file;
	struct cs_request request; /* Points into this event's own memory. */
};

struct events_bad {
	char *path;
	int64_t position; /* -1: the file as a whole. */
	char *reason;
};

struct events {
	unsigned n_files;
	struct events_file *files;
	size_t n, cap;
	struct event **list;
	size_t n_bad; /* May be more than are kept. */
	struct events_bad bad[EVENTS_BAD_MAX];
};

/*
 * Reads each path: a file, or a folder with all its *.json files, subfolders included. What does not parse is named in
 * bad. 0, or the exit code after printing what cannot go on at all (no such path, too many, out of memory).
 */
int events_read(const char *command, char *const paths[], unsigned n_paths, struct events *ret);
void events_close(struct events *e);

#endif
