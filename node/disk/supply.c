/* Segments: the next one prepared ahead of its time, the oldest used again or removed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/disk/disk_internal.h"

static void retire(struct disk *d);

int supply_live(struct disk *d, uint64_t number, uint64_t index_max)
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

int supply_open_at(struct disk *d, uint64_t number, uint32_t at)
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
	if (!d->prepare_err && d->prepare_sync && fsync(d->place.dir_fd))
		d->prepare_err = CS_ERR_IO;
	if (d->prepare_err || !d->prepare_number)
		return;
	if (d->prepare_again)
		d->prepare_err = segment_fill(&d->place, d->prepare_number, &d->prepare_hurry);
	else
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
	if (d->wipe == WIPE_CLEANING)
		d->wipe = d->prepare_err ? WIPE_ASKED : WIPE_ROLL;
	if (d->prepare_err) {
		/* Otherwise it is tried again: there may be room by then. */
		if (d->starved)
			append_starved(d, d->prepare_err);
		return;
	}
	if (d->prepare_number)
		d->next_ready = true;
	retire(d); /* And prepares the next one, if another has been begun meanwhile. */
	append_go(d);
}

/* The oldest go first: what is left in the folder is always one piece of the log, to its end. */
void supply_prepare(struct disk *d)
{
	bool clean = d->wipe == WIPE_ASKED; /* Even if one is there: it may have been made of a retired one. */
	bool wanted = clean || (!d->next_ready && (d->starved || d->at >= d->place.sectors / NEXT_FROM));
	unsigned spares = d->wipe ? 0 : SPARES_MAX, used = wanted && !d->wipe && d->n_retired > 0;

	atomic_store(&d->prepare_hurry, d->starved || d->at >= d->place.sectors / NEXT_BY);
	if (d->preparing || d->closing || (!wanted && d->n_retired <= spares))
		return;
	d->n_surplus = d->n_retired > spares + used ? d->n_retired - spares - used : 0;
	d->prepare_number = wanted ? d->number + 1 : 0;
	d->prepare_retired = used ? d->retired[d->n_surplus] : 0;
	d->prepare_again = clean && d->next_ready;
	d->prepare_sync = d->wipe && d->n_surplus > 0;
	d->prepare.data = d;
	d->preparing = uv_queue_work(d->loop, &d->prepare, prepare_work, prepared) == 0;
	if (!d->preparing)
		d->prepare_err = CS_ERR_NOMEM;
	if (!d->preparing || !clean)
		return;
	d->wipe = WIPE_CLEANING;
	d->next_ready = false; /* Until it is filled nobody goes on with it. */
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
	supply_prepare(d);
}

void supply_retire(struct disk *d, raft_index index)
{
	d->retire_index = index;
	retire(d);
}

static int first_segment(struct disk *d)
{
	int err = segment_prepare(&d->place, d->scan.number, 0, NULL);

	return err ? err : supply_live(d, d->scan.number, 0);
}

int supply_open(struct disk *d)
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
			err = supply_live(d, s->segments[i].number, s->segments[i].index_max);
		else if (s->segments[i].number == s->number + 1)
			d->next_ready = true;
		else
			err = segment_remove(&d->place, s->segments[i].number);
	}
	if (!err && s->n_segments == 0)
		err = first_segment(d);
	if (!err)
		err = supply_open_at(d, s->number, s->at);
	if (!err)
		supply_prepare(d);
	return err;
}

int supply_next(struct disk *d)
{
	int err;

	if (!d->next_ready) {
		d->starved = true;
		supply_prepare(d);
		return d->preparing ? 0 : d->prepare_err;
	}
	d->starved = false;
	err = supply_open_at(d, d->number + 1, 0);
	if (!err)
		err = supply_live(d, d->number, 0);
	if (err)
		return err;
	d->next_ready = false;
	if (d->wipe == WIPE_ROLL) {
		d->wipe = WIPE_RETIRE;
		d->wipe_number = d->number;
		d->wipe_index = d->last_index;
	}
	supply_prepare(d);
	return 1;
}

void disk_wipe(struct disk *d)
{
	if (d->wipe == WIPE_NONE || d->wipe == WIPE_RETIRE) /* What was asked for before is part of it. */
		d->wipe = WIPE_ASKED;
	supply_prepare(d);
}

bool disk_wipe_index(const struct disk *d, raft_index *ret)
{
	*ret = d->wipe_index;
	return d->wipe == WIPE_RETIRE || d->wipe == WIPE_NONE;
}

bool disk_wiped(struct disk *d)
{
	if (d->wipe != WIPE_RETIRE)
		return d->wipe == WIPE_NONE;
	if (d->preparing || d->n_retired > 0 || d->live[0].number < d->wipe_number) {
		supply_prepare(d); /* What could not be removed is tried again. */
		return false;
	}
	d->wipe = WIPE_NONE;
	return true;
}
