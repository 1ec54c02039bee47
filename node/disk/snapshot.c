/* Raft's snapshot: one small record, kept twice; the log in front of it is retired. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/disk/configuration.h"
#include "node/disk/disk_internal.h"

/* index u64 | term u64 | configuration's index u64 | its length u32 | length of the payload u32 | both. */
#define HEAD_SIZE 32

struct snapshot_wish {
	struct snapshot_wish *next;
	struct raft_io_snapshot_get *req;
};

bool snapshot_fits(const uint8_t *bytes, size_t len)
{
	return len >= HEAD_SIZE && (uint64_t)get_u32be(bytes + 24) + get_u32be(bytes + 28) == len - HEAD_SIZE;
}

void snapshot_open(struct disk *d)
{
	const struct twin *t = &d->snapshot_twin;

	if (t->generation == 0)
		return;
	d->snapshot_index = get_u64be(t->bytes);
	d->snapshot_term = get_u64be(t->bytes + 8);
}

static void snapshot_free(struct raft_snapshot *s)
{
	if (!s)
		return;
	raft_configuration_close(&s->configuration);
	for (unsigned i = 0; i < s->n_bufs; i++)
		raft_free(s->bufs[i].base);
	raft_free(s->bufs);
	raft_free(s);
}

int snapshot_load(struct disk *d, struct raft_snapshot **ret)
{
	const uint8_t *p = d->snapshot_twin.bytes;
	struct raft_snapshot *s;
	size_t conf_len, len;
	int rv = RAFT_NOMEM;

	*ret = NULL;
	if (d->snapshot_index == 0)
		return 0;
	conf_len = get_u32be(p + 24);
	len = get_u32be(p + 28);
	s = raft_calloc(1, sizeof *s);
	if (!s)
		return RAFT_NOMEM;
	raft_configuration_init(&s->configuration);
	s->index = d->snapshot_index;
	s->term = d->snapshot_term;
	s->configuration_index = get_u64be(p + 16);
	s->bufs = raft_calloc(1, sizeof *s->bufs);
	if (s->bufs) {
		s->n_bufs = 1;
		s->bufs[0].len = len;
		s->bufs[0].base = raft_malloc(len ? len : 1);
	}
	if (s->bufs && s->bufs[0].base) {
		memcpy(s->bufs[0].base, p + HEAD_SIZE + conf_len, len);
		rv = configuration_decode(p + HEAD_SIZE, conf_len, &s->configuration);
	}
	if (rv) {
		snapshot_free(s);
		return rv == RAFT_NOMEM ? rv : RAFT_CORRUPT;
	}
	*ret = s;
	return 0;
}

/* --- put --- */

static int encode(struct disk *d, const struct raft_snapshot *s)
{
	size_t conf_len = configuration_size(&s->configuration), len = 0;
	uint8_t *p;

	for (unsigned i = 0; i < s->n_bufs; i++)
		len += s->bufs[i].len;
	if (HEAD_SIZE + conf_len + len > TWIN_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	p = d->put_bytes = malloc(HEAD_SIZE + conf_len + len);
	if (!p)
		return CS_ERR_NOMEM;
	d->put_len = HEAD_SIZE + conf_len + len;
	put_u64be(p, s->index);
	put_u64be(p + 8, s->term);
	put_u64be(p + 16, s->configuration_index);
	put_u32be(p + 24, (uint32_t)conf_len);
	put_u32be(p + 28, (uint32_t)len);
	configuration_encode(&s->configuration, p + HEAD_SIZE);
	p += HEAD_SIZE + conf_len;
	for (unsigned i = 0; i < s->n_bufs; i++) {
		memcpy(p, s->bufs[i].base, s->bufs[i].len);
		p += s->bufs[i].len;
	}
	return 0;
}

static void put_end(struct disk *d, int status)
{
	struct raft_io_snapshot_put *req = d->put;

	d->put = NULL;
	req->cb(req, status);
	if (d->closing)
		disk_close_if_idle(d);
	else if (d->gets)
		uv_async_send(&d->soon);
}

static void store_work(uv_work_t *work)
{
	struct disk *d = work->data;

	d->put_err = twin_write(&d->snapshot_twin, d->put_bytes, d->put_len);
}

static void stored(uv_work_t *work, int status)
{
	struct disk *d = work->data;
	int err = d->put_err;

	(void)status;
	free(d->put_bytes);
	d->put_bytes = NULL;
	d->put_working = false;
	if (err) {
		put_end(d, disk_raft_error(d, err, "storing a snapshot"));
		return;
	}
	d->snapshot_index = d->put_index;
	d->snapshot_term = d->put_term;
	if (d->put_trailing == 0) {
		/* Installed: the log goes on behind it, with nothing of what it held. */
		err = d->closing ? CS_ERR_NOT_READY : append_reset(d, d->put_index, d->put_term);
		if (err)
			put_end(d, d->closing ? RAFT_CANCELED : disk_raft_error(d, err, "storing a snapshot"));
		return;
	}
	if (d->put_index > d->put_trailing)
		supply_retire(d, d->put_index - d->put_trailing);
	put_end(d, 0);
}

void snapshot_reset_done(struct disk *d, int status)
{
	if (!d->put)
		return; /* Of the start: its snapshot was installed before a crash. */
	if (status == 0)
		supply_retire(d, d->put_index);
	put_end(d, status);
}

int snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                 const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct disk *d = io->impl;
	int err;

	if (d->put)
		return RAFT_BUSY;
	err = encode(d, snapshot);
	if (err)
		return disk_raft_error(d, err, "storing a snapshot");
	req->cb = cb;
	d->put = req;
	d->put_trailing = trailing;
	d->put_index = snapshot->index;
	d->put_term = snapshot->term;
	d->put_work.data = d;
	d->put_working = true;
	if (uv_queue_work(d->loop, &d->put_work, store_work, stored) == 0)
		return 0;
	free(d->put_bytes);
	d->put_bytes = NULL;
	d->put_working = false;
	d->put = NULL;
	return RAFT_NOMEM;
}

/* The snapshot first: with the term, a crash between them would leave a log that has begun and is empty. */
int disk_begin_behind(struct disk *d, const struct raft_snapshot *s)
{
	if (!disk_pristine(d))
		return CS_ERR_EXISTS;
	int err = encode(d, s);
	if (err)
		return err;
	err = twin_write(&d->snapshot_twin, d->put_bytes, d->put_len);
	free(d->put_bytes);
	d->put_bytes = NULL;
	if (err)
		return err;
	snapshot_open(d);
	d->meta.term = s->term;
	d->scan.first = s->index + 1;
	d->reset = true;
	return metadata_write(d);
}

/* --- get --- */

int snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
	struct disk *d = io->impl;
	struct snapshot_wish *w = malloc(sizeof *w), **end = &d->gets;

	if (!w)
		return RAFT_NOMEM;
	req->cb = cb;
	*w = (struct snapshot_wish){.req = req};
	while (*end)
		end = &(*end)->next;
	*end = w;
	uv_async_send(&d->soon);
	return 0;
}

void snapshot_deliver(struct disk *d)
{
	while (d->gets && !d->put_working) { /* The record is being written over: afterwards. */
		struct snapshot_wish *w = d->gets;
		struct raft_io_snapshot_get *req = w->req;
		struct raft_snapshot *s = NULL;
		int rv = d->closing ? RAFT_CANCELED : snapshot_load(d, &s);

		if (!rv && !s)
			rv = RAFT_NOTFOUND;
		d->gets = w->next;
		free(w);
		req->cb(req, s, rv);
	}
}
