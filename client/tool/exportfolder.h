/* A folder in the form of C2SP tlog-tiles as `countersign export` grows it: never replaced before it is checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_EXPORTFOLDER_H
#define CLIENT_TOOL_EXPORTFOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/note.h"

/*
 * Errors are negative (ledger/errors.h); exportfolder_why then says what and where. Files are written under another
 * name, synced and renamed, the checkpoint last: whoever reads, at any moment, finds the tiles of the checkpoint that
 * is there. What an interrupted run has written is read again by the next one, and held against the chain.
 */
struct exportfolder;

/*
 * Makes the folder if there is none; takes up what its checkpoint covers, after holding its tiles against its root. The
 * checkpoint is in the file of that name (a backup has one of its own; EXPORTFILE_CHECKPOINT of an export). Nobody else
 * writes to the folder from here on.
 */
int exportfolder_open(const char *dir, const char *checkpoint, uint64_t from, struct exportfolder **ret, char *ret_why,
                      size_t why_size);
/* Told of each file that is written, or found as it would be written. */
typedef void (*exportfolder_written_fn)(void *ctx, const char *path, const void *bytes, size_t len);
void exportfolder_watch(struct exportfolder *f, exportfolder_written_fn fn, void *ctx);
void exportfolder_close(struct exportfolder *f); /* NULL is fine. */
const char *exportfolder_why(const struct exportfolder *f);
uint64_t exportfolder_size(const struct exportfolder *f); /* Entries so far. */
void exportfolder_root(struct exportfolder *f, struct hash *ret);
/* Size of the checkpoint that is there, 0: none; key id of its log line. */
uint64_t exportfolder_old(const struct exportfolder *f, uint32_t *ret_log_key);
const char *exportfolder_origin(const struct exportfolder *f); /* Of that checkpoint; "": none. */
/*
 * Takes in the next 256 entries out of a file that an interrupted run has left, if there are so many until `size`:
 * whether it did.
 */
int exportfolder_resume(struct exportfolder *f, uint64_t size, bool *ret_taken);
int exportfolder_append(struct exportfolder *f, const uint8_t *leaf, size_t len); /* The next entry. */
/* The entries so far are those of the checkpoint: root compared, edges and note written, what is stale removed. */
int exportfolder_finish(struct exportfolder *f, const struct checkpoint *c, const char *note, size_t note_len);
/* The two halves of that: up to the edges, all durable, the folder's checkpoint standing as it was; and what is left.
 */
int exportfolder_edges(struct exportfolder *f, const struct checkpoint *c);
int exportfolder_settle(struct exportfolder *f, const char *note, size_t note_len);

#endif
