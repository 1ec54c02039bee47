/* The log as libraft sees it: opened, loaded, asked for, closed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/disk/configuration.h"
#include "node/disk/disk_internal.h"

int disk_raft_error(struct disk *d, int err, const char *what)
{
	snprintf(d->io->errmsg, sizeof d->io->errmsg, "%s: %s", what, err_text(err));
	switch (err) {
	case CS_ERR_NOMEM:
		return RAFT_NOMEM;
	case CS_ERR_DISK_FULL:
		return RAFT_NOSPACE;
	case CS_ERR_TOO_LARGE:
		return RAFT_TOOBIG;
	case CS_ERR_DAMAGED:
		return RAFT_CORRUPT;
	default:
		return RAFT_IOERR;
	}
}

bool disk_pristine(const struct disk *d)
{
	return d->meta.term == 0 && d->snapshot_index == 0 && d->scan.n == 0 && d->scan.n_segments <= 2;
}

struct scan *disk_scan(struct disk *d)
{
	return &d->scan;
}

raft_index disk_snapshot_index(const struct disk *d)
{
	return d->snapshot_index;
}

raft_term disk_snapshot_term(const struct disk *d)
{
	return d->snapshot_term;
}

raft_term disk_term(const struct disk *d)
{
	return d->meta.term;
}

raft_term disk_lost_term(const struct disk *d)
{
	return d->meta.lost_term;
}

int disk_set_lost_term(struct disk *d, raft_term term)
{
	d->meta.lost_term = term;
	return metadata_write(d);
}

/* --- raft_io --- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
	const struct disk *d = io->impl;

	(void)address;
	return id == d->o.id ? 0 : RAFT_INVALID;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for, struct raft_snapshot **snapshot,
                   raft_index *start_index, struct raft_entry *entries[], size_t *n_entries)
{
	struct disk *d = io->impl;
	struct scan *s = &d->scan;
	struct raft_entry *list = NULL;
	int rv;

	assert(scan_whole(s));
	if (s->n) {
		list = raft_calloc(s->n, sizeof *list);
		if (!list)
			return RAFT_NOMEM;
	}
	rv = snapshot_load(d, snapshot);
	if (rv) {
		raft_free(list);
		return rv;
	}
	for (size_t i = 0; i < s->n; i++) {
		struct slot *slot = &s->slots[i];
		list[i] = (struct raft_entry){.term = slot->term, .type = slot->type, .batch = slot->base};
		list[i].buf = (struct raft_buffer){.base = slot->base, .len = slot->len};
	}
	*term = d->meta.term;
	*voted_for = d->meta.vote;
	*start_index = s->first;
	*entries = list;
	*n_entries = s->n;
	s->n = 0; /* Theirs now. */
	scan_free(s);
	return 0;
}

static void on_tick(uv_timer_t *timer)
{
	struct disk *d = timer->data;

	d->tick_cb(d->io);
}

static void on_soon(uv_async_t *async)
{
	snapshot_deliver(async->data);
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
	struct disk *d = io->impl;
	int err;

	(void)recv; /* The guard's network calls the guard. */
	d->tick_cb = tick;
	err = d->reset ? append_reset(d, d->snapshot_index, d->snapshot_term) : 0;
	if (err)
		return disk_raft_error(d, err, "starting the log");
	return uv_timer_start(&d->tick, on_tick, msecs, msecs) ? RAFT_IOERR : 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	struct disk *d = io->impl;
	struct slot slot = {.state = SLOT_WHOLE, .type = RAFT_CHANGE, .term = 1};
	int err;

	if (!disk_pristine(d))
		return RAFT_CANTBOOTSTRAP;
	slot.len = (uint32_t)configuration_size(conf);
	slot.base = raft_malloc(slot.len);
	if (!slot.base)
		return RAFT_NOMEM;
	configuration_encode(conf, slot.base);
	d->scan.first = 1;
	err = scan_put(&d->scan, 1, &slot);
	if (err) {
		raft_free(slot.base);
		return disk_raft_error(d, err, "bootstrapping the log");
	}
	/* The entry first: with the term, a crash between them would leave a log that has begun and is empty. */
	err = rewrite_first(d);
	if (!err) {
		d->meta.term = 1;
		err = metadata_write(d);
	}
	return err ? disk_raft_error(d, err, "bootstrapping the log") : 0;
}

static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
	(void)io, (void)conf;
	return RAFT_INVALID; /* Not safe in libraft 0.15; the guard refuses it too. */
}

static int io_set_term(struct raft_io *io, raft_term term)
{
	struct disk *d = io->impl;
	int err;

	d->meta.term = term;
	d->meta.vote = 0;
	err = metadata_write(d);
	return err ? disk_raft_error(d, err, "storing the term") : 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
	struct disk *d = io->impl;
	int err;

	d->meta.vote = id;
	err = metadata_write(d);
	return err ? disk_raft_error(d, err, "storing the vote") : 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
                     raft_io_append_cb cb)
{
	struct disk *d = io->impl;
	int err;

	req->cb = cb;
	err = append_submit(d, req, entries, n);
	return err ? disk_raft_error(d, err, "writing the log") : 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
	struct disk *d = io->impl;
	int err = append_truncate(d, index);

	return err ? disk_raft_error(d, err, "writing the log") : 0;
}

static raft_time io_time(struct raft_io *io)
{
	const struct disk *d = io->impl;

	return uv_now(d->loop);
}

static int io_random(struct raft_io *io, int min, int max)
{
	(void)io;
	return max > min ? min + (int)randombytes_uniform((uint32_t)(max - min)) : min;
}

/* --- close --- */

static void closed_all(struct disk *d)
{
	if (d->n_handles > 0)
		return;
	d->closed = true;
	d->close_cb(d->io);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct disk *d = handle->data;

	d->n_handles--;
	closed_all(d);
}

static void on_flush_closed(void *ctx)
{
	struct disk *d = ctx;

	d->flush = NULL;
	d->n_handles--;
	closed_all(d);
}

void disk_close_if_idle(struct disk *d)
{
	if (d->writing || d->preparing || d->put_working || d->n_handles)
		return;
	snapshot_deliver(d);
	d->n_handles = 3;
	uv_close((uv_handle_t *)&d->tick, on_handle_closed);
	uv_close((uv_handle_t *)&d->soon, on_handle_closed);
	flush_close(d->flush, on_flush_closed, d);
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
	struct disk *d = io->impl;

	d->close_cb = cb;
	d->closing = true;
	atomic_store(&d->prepare_hurry, true);
	uv_timer_stop(&d->tick);
	append_cancel(d);
	disk_close_if_idle(d);
}

static void fill(struct disk *d, struct raft_io *io)
{
	*io = (struct raft_io){.version = 1,
	                       .data = io->data,
	                       .impl = d,
	                       .init = io_init,
	                       .close = io_close,
	                       .load = io_load,
	                       .start = io_start,
	                       .bootstrap = io_bootstrap,
	                       .recover = io_recover,
	                       .set_term = io_set_term,
	                       .set_vote = io_set_vote,
	                       .append = io_append,
	                       .truncate = io_truncate,
	                       .snapshot_put = snapshot_put,
	                       .snapshot_get = snapshot_get,
	                       .time = io_time,
	                       .random = io_random};
	d->io = io;
}

int disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io, struct disk **ret,
              char *ret_text)
{
	struct disk *d = calloc(1, sizeof *d);
	int err;

	if (!d)
		return CS_ERR_NOMEM;
	d->loop = loop;
	d->o = *o;
	d->meta_twin.fds[0] = d->meta_twin.fds[1] = d->snapshot_twin.fds[0] = d->snapshot_twin.fds[1] = -1;
	ret_text[0] = 0;
	d->place.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->place.dir_fd < 0) {
		snprintf(ret_text, DISK_TEXT_SIZE, "%s: %s", dir, strerror(errno));
		free(d);
		return CS_ERR_IO;
	}
	fill(d, ret_io);
	err = append_init(d);
	if (!err && (uv_timer_init(loop, &d->tick) || uv_async_init(loop, &d->soon, on_soon)))
		err = CS_ERR_IO;
	d->tick.data = d->soon.data = d;
	if (!err)
		err = metadata_open(d, ret_text);
	if (!err)
		err = begin_read(d, ret_text);
	*ret = d; /* After an error too: its handles are the loop's. */
	return err;
}

void disk_free(struct disk *d)
{
	if (!d)
		return;
	scan_free(&d->scan);
	append_free(d);
	twin_close(&d->meta_twin);
	twin_close(&d->snapshot_twin);
	close(d->place.dir_fd);
	free(d);
}

void disk_status(const struct disk *d, struct disk_status *ret)
{
	*ret = (struct disk_status){.bytes = d->n_live * segment_size(&d->place),
	                            .segments = d->n_live,
	                            .writes = d->next_write - 1,
	                            .mended = d->meta_twin.mended || d->snapshot_twin.mended,
	                            .torn = d->torn};
}
