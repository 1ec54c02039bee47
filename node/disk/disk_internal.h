/* What the files of the log share: its state, with one owner, the loop's thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_DISK_INTERNAL_H
#define NODE_DISK_DISK_INTERNAL_H

#include "node/disk/disk.h"
#include "node/disk/flush.h"
#include "node/disk/record.h"
#include "node/disk/twin.h"

#define WRITE_SIZE_MAX (2u << 20) /* Bytes of one write: what waited meanwhile. */
#define SPARES_MAX     2          /* Retired segments kept to be renamed; more are removed. */
#define NEXT_FROM      4          /* The next segment is prepared once a quarter of this one is written. */
#define NEXT_BY        2          /* Half of this one is written and the next not there: no more pauses. */
#define RETIRED_MAX    64         /* At once; what is more waits until these are removed. */

/* What waits to be written, in order. */
struct change {
	struct change *next;
	enum record_kind kind;
	uint64_t index, term;             /* TRUNCATE, RESET. */
	struct raft_io_append *req;       /* ENTRY. */
	const struct raft_entry *entries; /* libraft's, until the callback. */
	unsigned n, n_written;
};

/* A write being put together: records one after the other, over sectors. */
struct stream {
	uint8_t *buf;
	uint32_t sectors_max;
	size_t len; /* Payload bytes so far. */
};

/* What the metadata record holds besides the log's key and sizes. */
struct meta {
	uint64_t term, vote;
	uint64_t begin;     /* Number of the segment at which the log begins: older ones are left-overs. */
	uint64_t rewriting; /* Segments from this number on belong to a rewrite that was not finished; 0: none. */
	uint64_t lost_term;
};

struct disk {
	uv_loop_t *loop;
	struct raft_io *io;
	struct disk_options o;
	struct twin meta_twin, snapshot_twin;
	struct meta meta;
	struct segment_place place;
	struct scan scan;
	bool reset; /* Before anything else the log is to be reset to the snapshot. */
	bool torn;

	uv_timer_t tick;
	uv_async_t soon; /* Delivers what must not be delivered within the call. */
	raft_io_tick_cb tick_cb;
	unsigned n_handles;

	/* Appending: append.c. */
	struct flush *flush;
	struct stream stream;
	struct change *first, **last; /* Waiting. */
	struct change *flying;        /* Wholly in the write under way, or in it and earlier ones. */
	bool writing;
	uint64_t next_write;
	uint64_t last_index, last_term; /* Of the log as written or being written. */
	uint64_t lowest, lowest_before; /* Index touched by what is in the stream; by the write before. */
	uint64_t number;                /* The segment written to, */
	uint32_t at;                    /* its next sector, */
	int fd;                         /* open, */
	bool direct;
	struct extent_of_log *live; /* All that hold a part of the log; the last is `number`. */
	unsigned n_live, live_cap;
	uint64_t retired[RETIRED_MAX];
	unsigned n_retired, n_surplus; /* Rising numbers; the first n_surplus are being removed. */
	raft_index retire_index;       /* What ends at it or before is no longer needed. */
	bool starved;                  /* A write waits for the next segment. */
	bool next_ready;               /* The segment number + 1 is prepared. */
	uv_work_t prepare;
	bool preparing;
	atomic_bool prepare_hurry;
	uint64_t prepare_number, prepare_retired; /* What it makes, of what; 0: nothing. */
	bool prepare_again;                       /* It is there, and is filled anew. */
	bool prepare_sync;                        /* What is removed shall not come back. */
	/* Wiping (supply.c): nothing of the log up to wipe_index may be found in any file. */
	enum disk_wipe {
		WIPE_NONE,
		WIPE_ASKED,    /* The next segment is made of nothing, retired ones are removed. */
		WIPE_CLEANING, /* A worker is at it. */
		WIPE_ROLL,     /* The next write begins in it. */
		WIPE_RETIRE,   /* The segments before wipe_number are waited for. */
	} wipe;
	uint64_t wipe_number;
	raft_index wipe_index;
	int prepare_err;

	/* Snapshots: snapshot.c. */
	raft_index snapshot_index;
	raft_term snapshot_term;
	uv_work_t put_work;
	struct raft_io_snapshot_put *put; /* Under way, or NULL. */
	bool put_working;                 /* A worker has the record. */
	unsigned put_trailing;
	raft_index put_index;
	raft_term put_term;
	uint8_t *put_bytes;
	size_t put_len;
	int put_err;
	struct snapshot_wish *gets; /* Asked for, not yet delivered. */

	raft_io_close_cb close_cb;
	bool closing, closed;
};

/* disk.c */
#define DISK_TEXT_SIZE 300
int disk_raft_error(struct disk *d, int err, const char *what); /* Also puts the words into io->errmsg. */
void disk_close_if_idle(struct disk *d);

/* metadata.c; text: DISK_TEXT_SIZE bytes, what is wrong and where. */
int metadata_open(struct disk *d, char *text); /* And the snapshot's record. */
int metadata_write(struct disk *d);

/* begin.c */
int begin_read(struct disk *d, char *text);
int begin_clean(struct disk *d); /* What a crash left of a rewrite, or of the log before one. */
raft_term begin_highest_term(const struct disk *d);

/* stream.c */
void stream_begin(struct stream *s, uint32_t sectors_max);
bool stream_fits(const struct stream *s, size_t len);
void stream_record(struct stream *s, const struct record *r);
/* Pads to whole blocks and seals; returns the number of sectors. */
uint32_t stream_end(struct stream *s, const struct segment_place *p, uint64_t number, uint32_t at,
                    const struct sector *what);

/* supply.c */
int supply_open(struct disk *d); /* The segment to go on with. */
int supply_open_at(struct disk *d, uint64_t number, uint32_t at);
int supply_live(struct disk *d, uint64_t number, uint64_t index_max); /* One more that holds a part of the log. */
/* Goes on with the next segment: 1; 0: it is not ready, and append_go or append_starved is called when it is known. */
int supply_next(struct disk *d);
/* The next segment, if it is not there, and away with retired ones that are more than the next few will need. */
void supply_prepare(struct disk *d);
void supply_retire(struct disk *d, raft_index index); /* What ends at index or before is no longer needed. */

/* append.c */
int append_init(struct disk *d);
void append_free(struct disk *d);
int append_submit(struct disk *d, struct raft_io_append *req, const struct raft_entry *entries, unsigned n);
int append_truncate(struct disk *d, raft_index index);
int append_reset(struct disk *d, raft_index index, raft_term term);
void append_go(struct disk *d);               /* What waits, unless a write is under way. */
void append_starved(struct disk *d, int err); /* There will be no next segment. */
void append_cancel(struct disk *d);           /* Closing: what waits is not written. */
/* For rewrite.c, too. The records of this change that fit; true if that was all of it. */
bool append_add(struct disk *d, struct change *c);
uint32_t append_seal(struct disk *d);       /* Ends the write in the stream; its number of sectors. */
uint32_t append_room(const struct disk *d); /* Sectors that one write may have here. */

/* rewrite.c: before raft starts, and synchronously. */
int rewrite_first(struct disk *d); /* The entries of the scan, the log being empty. */

/* snapshot.c */
bool snapshot_fits(const uint8_t *bytes, size_t len); /* Whether it is such a record: twin_open. */
void snapshot_open(struct disk *d);                   /* Reads the record. */
int snapshot_load(struct disk *d, struct raft_snapshot **ret);
int snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                 const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb);
int snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb);
void snapshot_reset_done(struct disk *d, int status); /* An install's reset is durable, or has failed. */
void snapshot_deliver(struct disk *d);                /* What snapshot_get was asked for. */

#endif
