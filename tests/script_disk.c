/* The scripted disk: a raft_io whose writes complete when the script says so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/script_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum op_type { OP_APPEND, OP_TRUNCATE, OP_PUT, OP_GET };

struct script_op {
	struct script_op *next;
	enum op_type type;
	raft_time due;
	void *req;
	const struct raft_entry *entries;
	unsigned n;
	raft_index index;
	unsigned trailing;
	const struct raft_snapshot *snapshot;
};

void *script_must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct raft_buffer script_buffer_copy(const struct raft_buffer *from)
{
	struct raft_buffer b = {.base = script_must(raft_malloc(from->len)), .len = from->len};

	if (from->len > 0)
		memcpy(b.base, from->base, from->len);
	return b;
}

void script_configuration_copy(const struct raft_configuration *from, struct raft_configuration *to)
{
	raft_configuration_init(to);
	for (unsigned i = 0; i < from->n; i++) {
		const struct raft_server *v = &from->servers[i];
		if (raft_configuration_add(to, v->id, v->address, v->role) != 0)
			abort();
	}
}

void script_disk_cut(struct script_disk *d, raft_index index)
{
	while (d->n > 0 && d->start + d->n - 1 >= index)
		raft_free(d->log[--d->n].buf.base);
}

static void disk_cut_prefix(struct script_disk *d, raft_index start)
{
	size_t k = start > d->start ? (size_t)(start - d->start) : 0;

	if (k > d->n)
		k = d->n;
	for (size_t i = 0; i < k; i++)
		raft_free(d->log[i].buf.base);
	if (k > 0)
		memmove(d->log, d->log + k, (d->n - k) * sizeof *d->log);
	d->n -= k;
	d->start += k;
}

void script_disk_push(struct script_disk *d, raft_term term, unsigned short type, const struct raft_buffer *buf)
{
	d->log = script_must(realloc(d->log, (d->n + 1) * sizeof *d->log));
	d->log[d->n++] = (struct script_entry){.term = term, .type = type, .buf = script_buffer_copy(buf)};
}

void script_disk_snapshot_free(struct script_disk *d)
{
	if (d->snapshot_index == 0)
		return;
	raft_configuration_close(&d->snapshot_conf);
	raft_free(d->snapshot_data.base);
	d->snapshot_index = 0;
}

static void disk_put(struct script_disk *d, const struct raft_snapshot *s, unsigned trailing)
{
	script_disk_snapshot_free(d);
	d->snapshot_index = s->index;
	d->snapshot_term = s->term;
	d->snapshot_conf_index = s->configuration_index;
	script_configuration_copy(&s->configuration, &d->snapshot_conf);
	d->snapshot_data = script_buffer_copy(&s->bufs[0]);
	if (trailing == 0) {
		script_disk_cut(d, d->start);
		d->start = s->index + 1;
	} else if (s->index > trailing) {
		disk_cut_prefix(d, s->index - trailing + 1);
	}
}

static struct raft_snapshot *disk_get(const struct script_disk *d)
{
	struct raft_snapshot *s = script_must(raft_calloc(1, sizeof *s));

	s->index = d->snapshot_index;
	s->term = d->snapshot_term;
	s->configuration_index = d->snapshot_conf_index;
	script_configuration_copy(&d->snapshot_conf, &s->configuration);
	s->bufs = script_must(raft_malloc(sizeof *s->bufs));
	s->bufs[0] = script_buffer_copy(&d->snapshot_data);
	s->n_bufs = 1;
	return s;
}

struct raft_entry *script_entries_copy(const struct raft_entry *from, size_t n)
{
	size_t bytes = 0;
	struct raft_entry *e;
	char *batch;

	if (n == 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		bytes += from[i].buf.len;
	e = script_must(raft_malloc(n * sizeof *e));
	batch = script_must(raft_malloc(bytes));
	for (size_t i = 0; i < n; i++) {
		e[i] = from[i];
		e[i].batch = i == 0 ? batch : e[0].batch;
		e[i].buf.base = batch;
		memcpy(batch, from[i].buf.base, from[i].buf.len);
		batch += from[i].buf.len;
	}
	return e;
}

static struct script_server *server_of(struct raft_io *io)
{
	return io->impl;
}

static struct script_op *op_push(struct script_server *v, enum op_type type, void *req)
{
	struct script_op **p = &v->ops;
	struct script_op *op = script_must(calloc(1, sizeof *op));

	while (*p != NULL)
		p = &(*p)->next;
	*p = op;
	op->type = type;
	op->req = req;
	op->due = v->script->now + v->disk_ms;
	return op;
}

static int submit(struct script_server *v)
{
	int status = v->submit_fails;

	v->submit_fails = 0;
	if (status != 0)
		snprintf(v->disk_io.errmsg, sizeof v->disk_io.errmsg, "scripted failure");
	return status;
}

static void op_run(struct script_server *v, struct script_op *op, int status)
{
	struct raft_io_append *append = op->req;
	struct raft_io_snapshot_put *put = op->req;
	struct raft_io_snapshot_get *get = op->req;

	switch (op->type) {
	case OP_APPEND:
		for (unsigned i = 0; i < op->n && status == 0; i++)
			script_disk_push(&v->disk, op->entries[i].term, op->entries[i].type, &op->entries[i].buf);
		append->cb(append, status);
		break;
	case OP_TRUNCATE:
		if (status == 0)
			script_disk_cut(&v->disk, op->index);
		break;
	case OP_PUT:
		if (status == 0)
			disk_put(&v->disk, op->snapshot, op->trailing);
		put->cb(put, status);
		break;
	case OP_GET:
		get->cb(get, status == 0 ? disk_get(&v->disk) : NULL, status);
		break;
	}
	free(op);
}

void script_ops_due(struct script_server *v)
{
	while (v->ops != NULL && v->ops->due <= v->script->now && !v->disk_stuck) {
		struct script_op *op = v->ops;
		int status = 0;
		v->ops = op->next;
		if (op->type == OP_APPEND) {
			status = v->disk_fails;
			v->disk_fails = 0;
		}
		op_run(v, op, status);
	}
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
	(void)io;
	(void)id;
	(void)address;
	return 0;
}

/* As raft_uv: what was not written is failed, oldest first. */
static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
	struct script_server *v = server_of(io);

	while (v->ops != NULL) {
		struct script_op *op = v->ops;
		v->ops = op->next;
		op_run(v, op, RAFT_CANCELED);
	}
	cb(io);
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *vote, struct raft_snapshot **snapshot,
                   raft_index *start, struct raft_entry *entries[], size_t *n)
{
	struct script_server *v = server_of(io);
	struct script_disk *d = &v->disk;
	struct raft_entry *e = script_must(calloc(d->n + 1, sizeof *e));

	for (size_t i = 0; i < d->n; i++)
		e[i] = (struct raft_entry){.term = d->log[i].term, .type = d->log[i].type, .buf = d->log[i].buf};
	*term = d->term;
	*vote = d->vote;
	*snapshot = d->snapshot_index != 0 ? disk_get(d) : NULL;
	*start = d->start;
	*entries = script_entries_copy(e, d->n);
	*n = d->n;
	free(e);
	return submit(v);
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
	struct script_server *v = server_of(io);

	(void)recv;
	v->tick = tick;
	v->tick_ms = msecs;
	v->next_tick = v->script->now + msecs;
	return 0;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
	struct script_server *v = server_of(io);
	int status = submit(v);

	if (status != 0)
		return status;
	v->disk.term = term;
	v->disk.vote = 0;
	return 0;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
	struct script_server *v = server_of(io);
	int status = submit(v);

	if (status == 0)
		v->disk.vote = id;
	return status;
}

static int io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
                     raft_io_append_cb cb)
{
	struct script_server *v = server_of(io);
	int status = submit(v);
	struct script_op *op;

	if (status != 0)
		return status;
	req->cb = cb;
	op = op_push(v, OP_APPEND, req);
	op->entries = entries;
	op->n = n;
	return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
	struct script_server *v = server_of(io);
	int status = submit(v);

	if (status == 0)
		op_push(v, OP_TRUNCATE, NULL)->index = index;
	return status;
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct script_server *v = server_of(io);
	int status = submit(v);
	struct script_op *op;

	if (status != 0)
		return status;
	req->cb = cb;
	op = op_push(v, OP_PUT, req);
	op->trailing = trailing;
	op->snapshot = snapshot;
	return 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
	req->cb = cb;
	op_push(server_of(io), OP_GET, req);
	return 0;
}

static raft_time io_time(struct raft_io *io)
{
	return server_of(io)->script->now;
}

static int io_random(struct raft_io *io, int min, int max)
{
	int ms = (int)server_of(io)->timeout_ms;

	return ms < min ? min : ms > max ? max : ms;
}

void script_disk_io_fill(struct script_server *v)
{
	v->disk_io = (struct raft_io){.version = 1,
	                              .impl = v,
	                              .init = io_init,
	                              .close = io_close,
	                              .load = io_load,
	                              .start = io_start,
	                              .set_term = io_set_term,
	                              .set_vote = io_set_vote,
	                              .append = io_append,
	                              .truncate = io_truncate,
	                              .snapshot_put = io_snapshot_put,
	                              .snapshot_get = io_snapshot_get,
	                              .time = io_time,
	                              .random = io_random};
}
