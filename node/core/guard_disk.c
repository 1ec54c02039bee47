/* The guard's way to the disk: our own account of the log (guards 1, 9, 11), and every failure fatal (guard 8). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/guard_internal.h"

static void loaded_free(struct raft_snapshot *snapshot, struct raft_entry *entries, size_t n)
{
	void *batch = NULL;

	for (size_t i = 0; i < n; i++) {
		if (entries[i].batch != batch) {
			batch = entries[i].batch;
			raft_free(batch);
		}
	}
	raft_free(entries);
	if (snapshot == NULL)
		return;
	raft_configuration_close(&snapshot->configuration);
	for (unsigned i = 0; i < snapshot->n_bufs; i++)
		raft_free(snapshot->bufs[i].base);
	raft_free(snapshot->bufs);
	raft_free(snapshot);
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for, struct raft_snapshot **snapshot,
                   raft_index *start_index, struct raft_entry *entries[], size_t *n_entries)
{
	struct guard *g = io->impl;
	raft_index last;
	int rv = g->disk->load(g->disk, term, voted_for, snapshot, start_index, entries, n_entries);

	if (rv != 0) {
		memcpy(io->errmsg, g->disk->errmsg, sizeof io->errmsg);
		return rv;
	}
	last = *start_index + *n_entries - 1;
	/* What is known to be lost (lost_term) comes again from the leader. */
	if (guard_on(g, 9) && last < g->options.applied_index && g->lost_term == 0) {
		guard_acted(g, 9);
		snprintf(io->errmsg, sizeof io->errmsg,
		         "the log ends at %llu, but %llu has been applied through it: it was shortened", last,
		         g->options.applied_index);
		loaded_free(*snapshot, *entries, *n_entries);
		return RAFT_CORRUPT;
	}
	g->next = last + 1;
	g->stored = last;
	g->stored_term = *term;
	if (*snapshot != NULL)
		guard_configuration_loaded(g, *snapshot);
	return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
	struct guard *g = io->impl;

	return g->disk->bootstrap(g->disk, conf);
}

/* raft_recover writes its entry with term 1, whatever the log holds: never (fixed upstream in cowsql 0.20). */
static int io_recover(struct raft_io *io, const struct raft_configuration *conf)
{
	(void)conf;
	snprintf(io->errmsg, sizeof io->errmsg, "raft_recover is not safe in libraft 0.15");
	return RAFT_INVALID;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
	struct guard *g = io->impl;
	int rv = g->disk->set_term(g->disk, term);

	if (rv != 0)
		guard_failed(g, "the term could not be stored", rv);
	else
		g->stored_term = term;
	return rv;
}

static int io_set_vote(struct raft_io *io, raft_id id)
{
	struct guard *g = io->impl;
	int rv = g->disk->set_vote(g->disk, id);

	if (rv != 0)
		guard_failed(g, "the vote could not be stored", rv);
	return rv;
}

/* Guard 1: our log up to last is the same as that of the leader of the current term. */
void guard_note_match(struct guard *g, raft_index last)
{
	if (g->match_term != g->raft->current_term) {
		g->match_term = g->raft->current_term;
		g->match = 0;
	}
	if (last > g->match)
		g->match = last;
}

bool guard_in_flight(const struct guard *g)
{
	return g->appends != NULL || (g->put != NULL && g->put_install);
}

static void append_unlink(struct guard *g, struct guard_append *a)
{
	struct guard_append **p = &g->appends;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	if (a->next == NULL)
		g->appends_tail = p;
}

static void append_done(struct raft_io_append *disk_req, int status)
{
	struct guard_append *a = (struct guard_append *)((char *)disk_req - offsetof(struct guard_append, disk_req));
	struct guard *g = a->guard;
	struct raft *r = g->raft;

	if (status != 0 && g->closing) {
		append_unlink(g, a);
		a->next = g->canceled;
		g->canceled = a;
		return;
	}
	if (status != 0)
		guard_failed(g, "entries could not be stored", status);
	if (a != g->appends && guard_on(g, 11))
		guard_fatal(g, "appends were completed out of order", 0);
	guard_enter(g);
	append_unlink(g, a);
	if (status == 0)
		g->stored = a->last;
	if (a->after_truncate)
		g->truncating = false;
	g->completing = true;
	g->completing_term = a->term;
	a->req->cb(a->req, status);
	g->completing = false;
	free(a);
	if (guard_on(g, 11) && r->state != RAFT_UNAVAILABLE && r->last_stored != g->stored)
		guard_fatal(g, "libraft's last stored index is not what the disk holds", 0);
	guard_leave(g);
}

/*
 * At close the disk fails what is still in flight, oldest first, and libraft cuts its log at each one's first index:
 * for the second that is behind the end (0.15: an underflow). Newest first it is right.
 */
void guard_appends_cancel(struct guard *g)
{
	while (g->canceled != NULL) {
		struct guard_append *a = g->canceled;
		g->canceled = a->next;
		g->depth++;
		a->req->cb(a->req, RAFT_CANCELED);
		g->depth--;
		free(a);
	}
	guard_sent_fire(g);
}

/* What was appended while an AppendEntries is delivered was accepted from the leader of this term (guard 1). */
static void append_note(struct guard *g)
{
	const struct raft *r = g->raft;

	if (g->delivering == RAFT_IO_APPEND_ENTRIES && r->state == RAFT_FOLLOWER &&
	    r->current_term == g->delivering_term)
		guard_note_match(g, g->delivering_last);
}

static void submit(struct guard *g, struct guard_append *a)
{
	int rv = g->disk->append(g->disk, &a->disk_req, a->entries, a->n, append_done);

	a->submitted = true;
	if (rv != 0)
		append_done(&a->disk_req, rv); /* As if it had failed later: there is no other way back to libraft. */
}

void guard_appends_submit(struct guard *g)
{
	struct guard_append *next;

	for (struct guard_append *a = g->appends; a != NULL; a = next) {
		next = a->next;
		if (!a->submitted)
			submit(g, a);
	}
}

/*
 * The disk gets it when libraft has returned, not now: a leader's libraft asks for its own write before it sends to the
 * others, whose way is the longer one.
 */
static int io_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
                     raft_io_append_cb cb)
{
	struct guard *g = io->impl;
	struct guard_append *a = calloc(1, sizeof *a);

	if (a == NULL) {
		guard_failed(g, "entries could not be stored", RAFT_NOMEM);
		return RAFT_NOMEM;
	}
	req->cb = cb;
	a->req = req;
	a->guard = g;
	a->entries = entries;
	a->n = n;
	a->last = g->next + n - 1;
	a->term = g->raft->current_term;
	a->since = guard_now(g);
	a->after_truncate = g->truncating;
	append_note(g);
	*g->appends_tail = a;
	g->appends_tail = &a->next;
	g->next += n;
	for (unsigned i = 0; i < n; i++)
		g->bytes += entries[i].buf.len;
	return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
	struct guard *g = io->impl;
	int rv;

	guard_appends_submit(g);
	rv = g->disk->truncate(g->disk, index);

	if (rv != 0) {
		guard_failed(g, "the log could not be truncated", rv);
		return rv;
	}
	g->next = index;
	if (g->stored >= index)
		g->stored = index - 1;
	if (g->match >= index)
		g->match = index - 1;
	g->truncating = true;
	g->bytes_stale = true;
	return 0;
}

static raft_time io_time(struct raft_io *io)
{
	return guard_now(io->impl);
}

static int io_random(struct raft_io *io, int min, int max)
{
	struct guard *g = io->impl;

	return g->disk->random(g->disk, min, max);
}

/* The fsm's own work in a thread; wrapped so that its completion is a step. */
struct work {
	struct raft_io_async_work disk_req;
	struct raft_io_async_work *req;
	struct guard *guard;
};

static struct work *work_of(struct raft_io_async_work *disk_req)
{
	return (struct work *)((char *)disk_req - offsetof(struct work, disk_req));
}

static int work_run(struct raft_io_async_work *disk_req)
{
	struct work *w = work_of(disk_req);

	return w->req->work(w->req);
}

static void work_done(struct raft_io_async_work *disk_req, int status)
{
	struct work *w = work_of(disk_req);
	struct raft_io_async_work *req = w->req;
	struct guard *g = w->guard;

	free(w);
	guard_enter(g);
	req->cb(req, status);
	guard_leave(g);
}

static int io_async_work(struct raft_io *io, struct raft_io_async_work *req, raft_io_async_work_cb cb)
{
	struct guard *g = io->impl;
	struct work *w = calloc(1, sizeof *w);
	int rv;

	if (w == NULL)
		return RAFT_NOMEM;
	req->cb = cb;
	w->req = req;
	w->guard = g;
	w->disk_req.work = work_run;
	rv = g->disk->async_work(g->disk, &w->disk_req, work_done);
	if (rv != 0)
		free(w);
	return rv;
}

void guard_disk_fill(struct raft_io *io)
{
	io->load = io_load;
	io->bootstrap = io_bootstrap;
	io->recover = io_recover;
	io->set_term = io_set_term;
	io->set_vote = io_set_vote;
	io->append = io_append;
	io->truncate = io_truncate;
	io->time = io_time;
	io->random = io_random;
	io->async_work = io_async_work;
}
