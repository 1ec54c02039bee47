/* Appending: whatever waits goes into one synced write, one write at a time, segment after segment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/disk/disk_internal.h"

static void go(struct disk *d);
static void fail_waiting(struct disk *d, int status);
static int failed(struct disk *d, int err);
static void retire(struct disk *d);

/* --- segments --- */

static int add_live(struct disk *d, uint64_t number, uint64_t index_max)
{
	if (d->n_live == d->live_cap) {
		unsigned cap = d->live_cap ? 2 * d->live_cap : 16;
		struct extent_of_log *more = realloc(d->live, cap * sizeof *more);
		if (!more)
			return CS_ERR_NOMEM;
		d->live = more;
		d->live_cap = cap;
	}
	d->live[d->n_live++] = (struct extent_of_log){.number = number, .index_max = index_max};
	return 0;
}

static int open_segment(struct disk *d, uint64_t number, uint32_t at)
{
	bool direct;
	int fd = segment_open(&d->place, number, &direct);

	if (fd < 0)
		return fd;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = fd;
	d->direct = direct;
	d->number = number;
	d->at = at;
	return 0;
}

static void forget_retired(struct disk *d, unsigned n)
{
	d->n_retired -= n;
	memmove(d->retired, d->retired + n, d->n_retired * sizeof *d->retired);
}

/*
 * On a worker thread: the file system may take its time. It looks at nothing that the loop's thread changes. Removing
 * comes first: it may make the room for the other.
 */
static void prepare_work(uv_work_t *work)
{
	struct disk *d = work->data;

	d->prepare_err = 0;
	for (unsigned i = 0; i < d->n_surplus && !d->prepare_err; i++)
		d->prepare_err = segment_remove(&d->place, d->retired[i]);
	if (!d->prepare_err && d->prepare_number)
		d->prepare_err = segment_prepare(&d->place, d->prepare_number, d->prepare_retired, &d->prepare_hurry);
}

static void prepared(uv_work_t *work, int status)
{
	struct disk *d = work->data;
	unsigned used = d->n_surplus + (d->prepare_retired != 0);

	(void)status;
	d->preparing = false;
	forget_retired(d, used);
	if (d->closing) {
		disk_close_if_idle(d);
		return;
	}
	if (d->prepare_err) {
		/* Otherwise it is tried again: there may be room by then. */
		if (d->starved)
			fail_waiting(d, failed(d, d->prepare_err));
		return;
	}
	if (d->prepare_number)
		d->next_ready = true;
	retire(d); /* And prepares the next one, if another has been begun meanwhile. */
	if (!d->writing)
		go(d);
}

/* The oldest go first: what is left in the folder is always one piece of the log, to its end. */
void append_prepare(struct disk *d)
{
	bool wanted = !d->next_ready && (d->starved || d->at >= d->place.sectors / NEXT_FROM);
	unsigned used = wanted && d->n_retired > 0;

	atomic_store(&d->prepare_hurry, d->starved || d->at >= d->place.sectors / NEXT_BY);
	if (d->preparing || d->closing || (!wanted && d->n_retired <= SPARES_MAX))
		return;
	d->n_surplus = d->n_retired > SPARES_MAX + used ? d->n_retired - SPARES_MAX - used : 0;
	d->prepare_number = wanted ? d->number + 1 : 0;
	d->prepare_retired = used ? d->retired[d->n_surplus] : 0;
	d->prepare.data = d;
	d->preparing = uv_queue_work(d->loop, &d->prepare, prepare_work, prepared) == 0;
	if (!d->preparing)
		d->prepare_err = CS_ERR_NOMEM;
}

static void retire(struct disk *d)
{
	unsigned n = 0;

	if (d->preparing)
		return; /* The list is the worker's: afterwards. */
	while (n + 1 < d->n_live && d->live[n].index_max <= d->retire_index && d->n_retired < RETIRED_MAX)
		d->retired[d->n_retired++] = d->live[n++].number;
	d->n_live -= n;
	memmove(d->live, d->live + n, d->n_live * sizeof *d->live);
	append_prepare(d);
}

void append_retire(struct disk *d, raft_index index)
{
	d->retire_index = index;
	retire(d);
}

static int first_segment(struct disk *d)
{
	int err = segment_prepare(&d->place, d->scan.number, 0, NULL);

	return err ? err : add_live(d, d->scan.number, 0);
}

int append_open(struct disk *d)
{
	const struct scan *s = &d->scan;
	int err = 0;

	d->next_write = s->next_write;
	d->lowest = UINT64_MAX;
	d->lowest_before = s->last_first;
	d->last_index = s->n ? scan_last(s) : d->snapshot_index;
	d->last_term = s->n ? s->slots[s->n - 1].term : d->snapshot_term;
	for (unsigned i = 0; i < s->n_segments && !err; i++) {
		if (s->segments[i].number <= s->number)
			err = add_live(d, s->segments[i].number, s->segments[i].index_max);
		else if (s->segments[i].number == s->number + 1)
			d->next_ready = true;
		else
			err = segment_remove(&d->place, s->segments[i].number);
	}
	if (!err && s->n_segments == 0)
		err = first_segment(d);
	if (!err)
		err = open_segment(d, s->number, s->at);
	if (!err)
		append_prepare(d);
	return err;
}

/* --- one write --- */

/*
 * Completes the write that is in the stream; returns the number of its sectors. After a truncation, or a reset to what
 * is only known by its index, the last term is not known here: then the sectors name no last entry.
 */
static uint32_t end_stream(struct disk *d)
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
static bool add_change(struct disk *d, struct change *c)
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

static uint32_t room(const struct disk *d)
{
	uint32_t left = d->place.sectors - d->at, most = WRITE_SIZE_MAX / SECTOR_SIZE;

	return left < most ? left : most;
}

/* Takes what waits, as far as it fits, into flying. */
static void gather(struct disk *d)
{
	struct change **end = &d->flying;

	stream_begin(&d->stream, room(d));
	while (d->first && add_change(d, d->first)) {
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

/* Goes on with the next segment: 1; 0: it is not ready, and `prepared` comes back to it. */
static int next_segment(struct disk *d)
{
	int err;

	if (!d->next_ready) {
		d->starved = true;
		append_prepare(d);
		return d->preparing ? 0 : d->prepare_err;
	}
	d->starved = false;
	err = open_segment(d, d->number + 1, 0);
	if (!err)
		err = add_live(d, d->number, 0);
	if (err)
		return err;
	d->next_ready = false;
	append_prepare(d);
	return 1;
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
	if (d->at == d->place.sectors && (rv = next_segment(d)) <= 0)
		return rv;
	gather(d);
	if (d->stream.len == 0) { /* Not even one record fits in what is left of this segment. */
		rv = next_segment(d);
		if (rv <= 0)
			return rv;
		gather(d);
	}
	n = end_stream(d);
	offset = (uint64_t)d->at * SECTOR_SIZE;
	d->at += n;
	d->writing = true;
	append_prepare(d);
	flush_start(d->flush, d->fd, d->stream.buf, (size_t)n * SECTOR_SIZE, offset, d->direct);
	return 0;
}

static void go(struct disk *d)
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
	go(d);
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
	go(d);
	return 0;
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

/* --- a log in the place of a damaged one --- */

/* What is in the stream, written before it returns: raft has not begun, and the loop does not run. */
static int write_now(struct disk *d)
{
	uint32_t n = end_stream(d);
	const uint8_t *p = d->stream.buf;
	size_t left = (size_t)n * SECTOR_SIZE;
	off_t offset = (off_t)d->at * SECTOR_SIZE;

	for (; left > 0;) {
		ssize_t k = pwrite(d->fd, p, left, offset);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return CS_ERR_IO;
		p += k;
		left -= (size_t)k;
		offset += k;
	}
	d->at += n;
	return 0;
}

#define SMALL_SECTORS BLOCK_SECTORS

static int new_segment(struct disk *d, uint64_t number)
{
	int err = segment_prepare(&d->place, number, 0, NULL);

	if (!err)
		err = open_segment(d, number, 0);
	return err ? err : add_live(d, number, 0);
}

/* Small writes, as they come in service: one bad sector must not take the whole log with it. */
static uint32_t small_room(const struct disk *d)
{
	return room(d) < SMALL_SECTORS ? room(d) : SMALL_SECTORS;
}

static int write_slot(struct disk *d, const struct slot *slot)
{
	struct raft_entry e = {.term = slot->term, .type = slot->type, .buf = {.base = slot->base, .len = slot->len}};
	struct change c = {.kind = RECORD_ENTRY, .entries = &e, .n = 1};
	int err = 0;

	while (!err && !add_change(d, &c)) {
		if (d->stream.len) {
			err = write_now(d);
			stream_begin(&d->stream, small_room(d));
		} else if (d->stream.sectors_max < room(d)) {
			stream_begin(&d->stream, room(d));
		} else {
			err = new_segment(d, d->number + 1);
			stream_begin(&d->stream, small_room(d));
		}
	}
	return err;
}

/* All entries of the scan, behind what is in the stream. */
static int write_slots(struct disk *d)
{
	int err = 0;

	for (size_t i = 0; i < d->scan.n && !err; i++)
		err = write_slot(d, &d->scan.slots[i]);
	return err || !d->stream.len ? err : write_now(d);
}

int append_first(struct disk *d)
{
	stream_begin(&d->stream, room(d));
	return write_slots(d);
}

int append_rewrite(struct disk *d, uint64_t number)
{
	struct change reset = {.kind = RECORD_RESET, .index = d->scan.first - 1};
	int err;

	d->n_live = 0;
	d->next_ready = false;
	if (reset.index == d->snapshot_index)
		reset.term = d->snapshot_term;
	err = new_segment(d, number);
	if (err)
		return err;
	stream_begin(&d->stream, small_room(d));
	add_change(d, &reset);
	return write_slots(d);
}
