/* A log in the place of a damaged one, and the first of all: written at once, before raft begins. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/disk/disk_internal.h"

/* What is in the stream, written before it returns: raft has not begun, and the loop does not run. */
static int write_now(struct disk *d)
{
	uint32_t n = append_seal(d);
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
		err = supply_open_at(d, number, 0);
	return err ? err : supply_live(d, number, 0);
}

/* Small writes, as they come in service: one bad sector must not take the whole log with it. */
static uint32_t small_room(const struct disk *d)
{
	return append_room(d) < SMALL_SECTORS ? append_room(d) : SMALL_SECTORS;
}

static int write_slot(struct disk *d, const struct slot *slot)
{
	struct raft_entry e = {.term = slot->term, .type = slot->type, .buf = {.base = slot->base, .len = slot->len}};
	struct change c = {.kind = RECORD_ENTRY, .entries = &e, .n = 1};
	int err = 0;

	while (!err && !append_add(d, &c)) {
		if (d->stream.len) {
			err = write_now(d);
			stream_begin(&d->stream, small_room(d));
		} else if (d->stream.sectors_max < append_room(d)) {
			stream_begin(&d->stream, append_room(d));
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

int rewrite_first(struct disk *d)
{
	stream_begin(&d->stream, append_room(d));
	return write_slots(d);
}

static int rewrite(struct disk *d, uint64_t number)
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
	append_add(d, &reset);
	return write_slots(d);
}

int disk_rewrite(struct disk *d)
{
	uint64_t number = 1;
	int err;

	assert(d->fd < 0 && !d->preparing);
	for (unsigned i = 0; i < d->scan.n_segments; i++)
		if (d->scan.segments[i].number >= number)
			number = d->scan.segments[i].number + 1;
	if (number < d->meta.begin)
		number = d->meta.begin;
	d->meta.rewriting = number;
	d->next_write = d->scan.next_write;
	d->lowest = UINT64_MAX;
	err = metadata_write(d);
	if (!err)
		err = rewrite(d, number);
	if (err)
		return err;
	d->meta.begin = number;
	d->meta.rewriting = 0;
	if (d->meta.term < begin_highest_term(d)) { /* Others have told of a later term: no vote was given in it. */
		d->meta.term = begin_highest_term(d);
		d->meta.vote = 0;
	}
	d->reset = false;
	err = metadata_write(d);
	if (!err)
		err = begin_clean(d);
	if (!err)
		supply_prepare(d);
	return err;
}
