/* Appending: whatever waits goes into one synced write, one write at a time, segment after segment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/disk/disk_internal.h"

/* --- one write --- */

/*
 * Completes the write that is in the stream; returns the number of its sectors. After a truncation, or a reset to what
 * is only known by its index, the last term is not known here: then the sectors name no last entry.
 */
uint32_t append_seal(struct disk *d)
{
	struct sector what = {.write = d->next_write++,
	                      .last_index = d->last_term ? d->last_index : 0,
	                      .last_term = d->last_term,
	                      .first_index = d->lowest,
	                      .prev_first = d->lowest_before};

	d->lowest_before = d->lowest;
	d->lowest = UINT64_MAX;
	return stream_end(&d->stream, &d->place, d->number, d->at, &what);
}

/* first: the lowest index that is touched. */
static void note(struct disk *d, uint64_t first, uint64_t index, uint64_t term)
{
	struct extent_of_log *live = &d->live[d->n_live - 1];

	d->lowest = first < d->lowest ? first : d->lowest;
	d->last_index = index;
	d->last_term = term;
	if (index > live->index_max)
		live->index_max = index;
}

/* The records of this change that fit; true if that was all of it. */
bool append_add(struct disk *d, struct change *c)
{
	struct record r = {.kind = c->kind, .index = c->index, .term = c->term};

	if (c->kind != RECORD_ENTRY) {
		if (!stream_fits(&d->stream, RECORD_HEAD_SIZE))
			return false;
		stream_record(&d->stream, &r);
		if (c->kind == RECORD_RESET)
			note(d, 0, c->index, c->term);
		else
			note(d, c->index, c->index - 1, c->term);
		c->n_written = 1;
		return true;
	}
	for (; c->n_written < c->n; c->n_written++) {
		const struct raft_entry *e = &c->entries[c->n_written];
		r.index = d->last_index + 1;
		r.term = e->term;
		r.type = (uint8_t)e->type;
		r.bytes = e->buf.base;
		r.len = (uint32_t)e->buf.len;
		if (!stream_fits(&d->stream, RECORD_HEAD_SIZE + e->buf.len))
			return false;
		stream_record(&d->stream, &r);
		note(d, r.index, r.index, r.term);
	}
	return true;
}

uint32_t append_room(const struct disk *d)
{
	uint32_t left = d->place.sectors - d->at, most = WRITE_SIZE_MAX / SECTOR_SIZE;

	return left < most ? left : most;
}

/* Takes what waits, as far as it fits, into flying. */
static void gather(struct disk *d)
{
	struct change **end = &d->flying;

	stream_begin(&d->stream, append_room(d));
	while (d->first && append_add(d, d->first)) {
		struct change *c = d->first;
		d->first = c->next;
		c->next = NULL;
		*end = c;
		end = &c->next;
	}
	if (!d->first)
		d->last = &d->first;
}

static void finish(struct disk *d, struct change *list, int status)
{
	while (list) {
		struct change *c = list;
		list = c->next;
		if (c->req)
			c->req->cb(c->req, status);
		else if (c->kind == RECORD_RESET)
			snapshot_reset_done(d, status);
		free(c);
	}
}

static void fail_waiting(struct disk *d, int status)
{
	struct change *list = d->first;

	d->first = NULL;
	d->last = &d->first;
	finish(d, list, status);
}

static int failed(struct disk *d, int err)
{
	return disk_raft_error(d, err, "writing the log");
}

/* A truncation alone is not worth a write: libraft appends right after it, and before that nothing depends on it. */
static bool worth_writing(const struct disk *d)
{
	for (const struct change *c = d->first; c; c = c->next)
		if (c->kind != RECORD_TRUNCATE)
			return true;
	return false;
}

/* An error concerns all that waits. */
static int start(struct disk *d)
{
	uint64_t offset;
	uint32_t n;
	int rv;

	if (d->writing || d->closing || !worth_writing(d))
		return 0;
	/* To wipe what is before: in a segment that nothing was ever written to. */
	bool roll = d->wipe == WIPE_ROLL && d->next_ready && d->at > 0;
	if ((roll || d->at == d->place.sectors) && (rv = supply_next(d)) <= 0)
		return rv;
	gather(d);
	if (d->stream.len == 0) { /* Not even one record fits in what is left of this segment. */
		rv = supply_next(d);
		if (rv <= 0)
			return rv;
		gather(d);
	}
	n = append_seal(d);
	offset = (uint64_t)d->at * SECTOR_SIZE;
	d->at += n;
	d->writing = true;
	supply_prepare(d);
	flush_start(d->flush, d->fd, d->stream.buf, (size_t)n * SECTOR_SIZE, offset, d->direct);
	return 0;
}

void append_go(struct disk *d)
{
	int err = start(d);

	if (err)
		fail_waiting(d, failed(d, err));
}

static void written(void *ctx, int err)
{
	struct disk *d = ctx;
	struct change *done = d->flying;

	d->flying = NULL;
	d->writing = false;
	if (err) {
		finish(d, done, failed(d, err));
		fail_waiting(d, failed(d, err));
	} else {
		err = start(d); /* The disk first: what this one means can be found out while it works. */
		finish(d, done, 0);
		if (err)
			fail_waiting(d, failed(d, err));
	}
	if (d->closing)
		disk_close_if_idle(d);
}

/* --- what libraft asks for --- */

static struct change *add(struct disk *d, enum record_kind kind)
{
	struct change *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->kind = kind;
	*d->last = c;
	d->last = &c->next;
	return c;
}

int append_submit(struct disk *d, struct raft_io_append *req, const struct raft_entry *entries, unsigned n)
{
	struct change *c;
	size_t most = (size_t)(d->place.sectors < WRITE_SIZE_MAX / SECTOR_SIZE ? d->place.sectors
	                                                                       : WRITE_SIZE_MAX / SECTOR_SIZE) *
	              SECTOR_ROOM;

	for (unsigned i = 0; i < n; i++)
		if (entries[i].buf.len > most - RECORD_HEAD_SIZE)
			return CS_ERR_TOO_LARGE;
	c = add(d, RECORD_ENTRY);
	if (!c)
		return CS_ERR_NOMEM;
	c->req = req;
	c->entries = entries;
	c->n = n;
	append_go(d);
	return 0;
}

int append_truncate(struct disk *d, raft_index index)
{
	struct change *c = add(d, RECORD_TRUNCATE);

	if (!c)
		return CS_ERR_NOMEM;
	c->index = index;
	return 0;
}

int append_reset(struct disk *d, raft_index index, raft_term term)
{
	struct change *c = add(d, RECORD_RESET);

	if (!c)
		return CS_ERR_NOMEM;
	c->index = index;
	c->term = term;
	append_go(d);
	return 0;
}

void append_starved(struct disk *d, int err)
{
	fail_waiting(d, failed(d, err));
}

void append_cancel(struct disk *d)
{
	fail_waiting(d, RAFT_CANCELED);
}

int append_init(struct disk *d)
{
	d->last = &d->first;
	d->fd = -1;
	if (posix_memalign((void **)&d->stream.buf, BLOCK_SIZE, WRITE_SIZE_MAX))
		return CS_ERR_NOMEM;
	return flush_open(d->loop, written, d, &d->flush);
}

void append_free(struct disk *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->live);
	free(d->stream.buf);
}
