/* The disk half of a raft_io: our own log of preallocated segments, term and vote, snapshots. See LOG.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_DISK_H
#define NODE_DISK_DISK_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "node/disk/scan.h"

#define DISK_SEGMENT_SIZE     (8u << 20) /* A file; at the highest rate of lone writes one lasts half a second. */
#define DISK_SEGMENT_SIZE_MIN (2u << 20) /* The largest entry fits in one write. */
#define DISK_SEGMENT_SIZE_MAX (1u << 30) /* It is read whole at start. */

struct disk_options {
	raft_id id;
	unsigned segment_size; /* Of a log made now; later the log itself knows. A multiple of BLOCK_SIZE. */
	unsigned trailing;     /* Entries kept behind a snapshot when the log is read. */
};

struct disk;

/*
 * Opens the log in the folder dir, or makes one, and reads it. Fills io but for its network half, which is not used;
 * both stay where they are until io's close has called back, and disk_free. Loop's thread, as everything here. On
 * failure ret_text (300 bytes) says what, where and how much. CS_ERR_DAMAGED: nothing was changed.
 */
int disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io, struct disk **ret,
              char *ret_text);
void disk_free(struct disk *d); /* After close, or instead of it if raft was never initialized. */

/* No term, no entry and no snapshot has ever been stored. */
bool disk_pristine(const struct disk *d);
/* What was read; until raft loads it, it may be repaired (scan_put), and then disk_rewrite makes that durable. */
struct scan *disk_scan(struct disk *d);
/*
 * Writes what disk_scan holds as a new log in the place of the damaged one; a crash leaves the one or the other whole.
 * Every slot must be whole. CS_ERR_IO, CS_ERR_DISK_FULL, CS_ERR_NOMEM.
 */
int disk_rewrite(struct disk *d);
/*
 * Instead of raft's bootstrap, for a log that begins behind a snapshot which never was in any log (a restored ledger):
 * durable when it returns, and raft_start then loads it. CS_ERR_EXISTS: the log has begun already. A crash leaves
 * nothing, or all of it.
 */
int disk_begin_behind(struct disk *d, const struct raft_snapshot *s);
raft_index disk_snapshot_index(const struct disk *d); /* 0: none. */
raft_term disk_snapshot_term(const struct disk *d);
raft_term disk_term(const struct disk *d);
/*
 * A term in which entries that this node had acknowledged were lost for good, 0: none. Durable. Until the log has
 * matched a later term's it neither votes nor stands (LOG.md: What cannot be repaired).
 */
raft_term disk_lost_term(const struct disk *d);
int disk_set_lost_term(struct disk *d, raft_term term);

/*
 * Wiping: no file of the log is to hold anything that is written by now. Asked for, the log goes on in a new segment
 * with the next write, and segments that are retired are removed, not used again; disk_wipe_index then tells up to
 * which index the log must be cut (guard_cut), and disk_wiped whether the last segment with any of it is gone.
 */
void disk_wipe(struct disk *d);
bool disk_wipe_index(const struct disk *d, raft_index *ret); /* False: not yet known. */
bool disk_wiped(struct disk *d);

struct disk_status {
	uint64_t bytes;    /* Of the segments in use, */
	unsigned segments; /* and how many; spare ones are not counted. */
	uint64_t writes;   /* Since the log was made. */
	bool mended;       /* At open: a copy of metadata or snapshot was damaged or behind, and was written again; */
	bool torn;         /* an unfinished write was cut off. */
};
void disk_status(const struct disk *d, struct disk_status *ret);

#endif
