/* The log as libraft sees it: opened, loaded, closed; term and vote. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/disk/configuration.h"
#include "node/disk/disk_internal.h"

/* Metadata: node u64 | key 16 | sectors of a segment u32 | zero u32 | the five numbers of struct meta, u64 each. */
#define META_SIZE 72
#define TEXT_SIZE 300

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

/* --- metadata --- */

int disk_write_meta(struct disk *d)
{
	uint8_t b[META_SIZE];

	put_u64be(b, d->o.id);
	memcpy(b + 8, d->place.key, SECTOR_KEY_SIZE);
	put_u32be(b + 24, d->place.sectors);
	put_u32be(b + 28, 0);
	put_u64be(b + 32, d->meta.term);
	put_u64be(b + 40, d->meta.vote);
	put_u64be(b + 48, d->meta.begin);
	put_u64be(b + 56, d->meta.rewriting);
	put_u64be(b + 64, d->meta.lost_term);
	return twin_write(&d->meta_twin, b, sizeof b);
}

static int read_meta(struct disk *d, char *text)
{
	const uint8_t *b = d->meta_twin.bytes;

	if (d->meta_twin.len != META_SIZE || get_u64be(b) != d->o.id) {
		snprintf(text, TEXT_SIZE, "the log's metadata are of another node or version");
		return CS_ERR_DAMAGED;
	}
	memcpy(d->place.key, b + 8, SECTOR_KEY_SIZE);
	d->place.sectors = get_u32be(b + 24);
	d->meta.term = get_u64be(b + 32);
	d->meta.vote = get_u64be(b + 40);
	d->meta.begin = get_u64be(b + 48);
	d->meta.rewriting = get_u64be(b + 56);
	d->meta.lost_term = get_u64be(b + 64);
	if (d->place.sectors % BLOCK_SECTORS != 0 || d->place.sectors == 0 ||
	    segment_size(&d->place) > DISK_SEGMENT_SIZE_MAX || d->meta.begin == 0) {
		snprintf(text, TEXT_SIZE, "the log's metadata make no sense");
		return CS_ERR_DAMAGED;
	}
	return 0;
}

static int make_meta(struct disk *d, char *text)
{
	uint64_t *numbers = NULL;
	unsigned n;
	int err = segment_list(&d->place, &numbers, &n);

	free(numbers);
	if (!err && (n > 0 || d->snapshot_twin.generation)) {
		snprintf(text, TEXT_SIZE, "the log's metadata are gone, but there are %u segments", n);
		return CS_ERR_DAMAGED;
	}
	randombytes_buf(d->place.key, SECTOR_KEY_SIZE);
	d->place.sectors = d->o.segment_size / BLOCK_SIZE * BLOCK_SECTORS;
	d->meta.begin = 1;
	return err ? err : disk_write_meta(d);
}

/* --- open --- */

static int other_format(const struct twin *t, const char *what, char *text)
{
	snprintf(text, TEXT_SIZE, "%s is of format %" PRIu32 ", this build knows format %d", what, t->format,
	         TWIN_FORMAT);
	return CS_ERR_VERSION;
}

static int open_twins(struct disk *d, char *text)
{
	int err = twin_open(&d->meta_twin, d->place.dir_fd, "metadata");

	if (err == CS_ERR_VERSION)
		return other_format(&d->meta_twin, "the log", text);
	if (err)
		snprintf(text, TEXT_SIZE, "the log's metadata: %s (both copies)", err_text(err));
	if (!err) {
		err = twin_open(&d->snapshot_twin, d->place.dir_fd, "snapshot");
		if (!err)
			err = snapshot_open(d);
		if (err == CS_ERR_VERSION)
			return other_format(&d->snapshot_twin, "the log's snapshot", text);
		if (err)
			snprintf(text, TEXT_SIZE, "the log's snapshot: %s (both copies)", err_text(err));
	}
	if (err)
		return err;
	return d->meta_twin.generation ? read_meta(d, text) : make_meta(d, text);
}

/* What a crash left of a rewrite, or of the log before one. */
static int remove_left_overs(struct disk *d)
{
	uint64_t *numbers = NULL;
	unsigned n = 0;
	int err = segment_list(&d->place, &numbers, &n);

	for (unsigned i = 0; i < n && !err; i++)
		if (numbers[i] < d->meta.begin || (d->meta.rewriting && numbers[i] >= d->meta.rewriting))
			err = segment_remove(&d->place, numbers[i]);
	free(numbers);
	/* Gone for good before the metadata forget them: what came back would be read as the log's end. */
	if (!err && d->meta.rewriting && fsync(d->place.dir_fd))
		err = CS_ERR_IO;
	if (!err && d->meta.rewriting) {
		d->meta.rewriting = 0;
		err = disk_write_meta(d);
	}
	return err;
}

/* Entries that the log should begin with are gone: as missing ones, in front. */
static int prepend_missing(struct scan *s, uint64_t first)
{
	size_t k = s->first - first;
	struct slot *more = k > SCAN_MISSING_MAX ? NULL : realloc(s->slots, (s->n + k) * sizeof *more);

	if (!more)
		return CS_ERR_NOMEM;
	s->slots = more;
	s->cap = s->n + k;
	memmove(more + k, more, s->n * sizeof *more);
	for (size_t i = 0; i < k; i++)
		more[i] = (struct slot){.state = SLOT_MISSING};
	s->n += k;
	s->first = first;
	if (s->n_lost++ == 0)
		snprintf(s->text, sizeof s->text, "the log begins at index %" PRIu64 ", not at %" PRIu64, first + k,
		         first);
	return 0;
}

/*
 * The log against the snapshot. If it does not reach the snapshot's entry, or has another one there, the snapshot was
 * installed and a crash came before the log was reset: nothing of it counts.
 */
static int reconcile(struct disk *d)
{
	struct scan *s = &d->scan;
	const struct slot *at = scan_slot(s, d->snapshot_index), *next = scan_slot(s, d->snapshot_index + 1);

	if (s->first == 0)
		s->first = d->snapshot_index + 1;
	if (s->first > d->snapshot_index + 1)
		return prepend_missing(s, d->snapshot_index + 1);
	if (scan_last(s) + 1 <= d->snapshot_index)
		d->reset = true;
	if (d->snapshot_index && at && at->state == SLOT_WHOLE && at->term != d->snapshot_term)
		d->reset = true;
	if (next && next->state == SLOT_WHOLE && next->term < d->snapshot_term)
		d->reset = true; /* Nor does what follows follow it. */
	if (d->reset) {
		scan_cut_back(s, 0);
		s->first = d->snapshot_index + 1;
	} else if (d->snapshot_index > d->o.trailing) {
		scan_cut_front(s, d->snapshot_index - d->o.trailing);
	}
	/* Lost entries that the snapshot stands for do not matter. */
	for (uint64_t i = d->snapshot_index; i >= s->first && s->n; i--) {
		if (scan_slot(s, i) && scan_slot(s, i)->state != SLOT_WHOLE) {
			scan_cut_front(s, i);
			break;
		}
	}
	return 0;
}

static raft_term highest_term(const struct disk *d)
{
	raft_term term = d->snapshot_term;

	for (size_t i = 0; i < d->scan.n; i++)
		if (d->scan.slots[i].state == SLOT_WHOLE && d->scan.slots[i].term > term)
			term = d->scan.slots[i].term;
	return term;
}

/*
 * A term is stored before anything of it is. What is not so has been put back from an older copy, with a vote that may
 * be forgotten; but for a bootstrap that a crash has cut in two.
 */
static int check_term(struct disk *d)
{
	struct scan *s = &d->scan;

	if (highest_term(d) <= d->meta.term)
		return 0;
	if (d->meta.term == 0 && d->meta.vote == 0 && d->snapshot_index == 0 && s->n == 1 && s->slots[0].term == 1) {
		d->meta.term = 1;
		return disk_write_meta(d);
	}
	snprintf(s->text, sizeof s->text, "the metadata are older than the entries: term %llu, an entry of term %llu",
	         (unsigned long long)d->meta.term, highest_term(d));
	return CS_ERR_DAMAGED;
}

static int read_log(struct disk *d, char *text)
{
	int err = remove_left_overs(d);

	if (!err)
		err = scan_log(&d->place, d->meta.begin, &d->scan);
	if (!err && d->scan.n_segments == 0 && !disk_pristine(d) && d->scan.n_lost++ == 0) {
		d->scan.tail_lost = true;
		snprintf(d->scan.text, sizeof d->scan.text, "all segments are gone");
	}
	d->torn = d->scan.n_torn > 0;
	if (!err)
		err = reconcile(d);
	if (!err)
		err = check_term(d);
	if (err)
		snprintf(text, TEXT_SIZE, "reading the log: %s%s%s", err_text(err), d->scan.text[0] ? ": " : "",
		         d->scan.text);
	/* With damage nothing is opened for writing: it is rewritten first. */
	if (!err && d->scan.n_lost == 0) {
		err = append_open(d);
		if (err)
			snprintf(text, TEXT_SIZE, "opening the log: %s", err_text(err));
	}
	return err;
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
	return disk_write_meta(d);
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
	err = disk_write_meta(d);
	if (!err)
		err = append_rewrite(d, number);
	if (err)
		return err;
	d->meta.begin = number;
	d->meta.rewriting = 0;
	if (d->meta.term < highest_term(d)) { /* Others have told of a later term: no vote was given in it. */
		d->meta.term = highest_term(d);
		d->meta.vote = 0;
	}
	d->reset = false;
	err = disk_write_meta(d);
	if (!err)
		err = remove_left_overs(d);
	if (!err)
		append_prepare(d);
	return err;
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
	err = append_first(d);
	if (!err) {
		d->meta.term = 1;
		err = disk_write_meta(d);
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
	err = disk_write_meta(d);
	return err ? disk_raft_error(d, err, "storing the term") : 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
	struct disk *d = io->impl;
	int err;

	d->meta.vote = id;
	err = disk_write_meta(d);
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
		snprintf(ret_text, TEXT_SIZE, "%s: %s", dir, strerror(errno));
		free(d);
		return CS_ERR_IO;
	}
	fill(d, ret_io);
	err = append_init(d);
	if (!err && (uv_timer_init(loop, &d->tick) || uv_async_init(loop, &d->soon, on_soon)))
		err = CS_ERR_IO;
	d->tick.data = d->soon.data = d;
	if (!err)
		err = open_twins(d, ret_text);
	if (!err)
		err = read_log(d, ret_text);
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
