/* The guard's way for snapshots: local ones wait for the ledger, installs wait for catch-up (guards 1, 6, 11). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/guard_internal.h"

bool guard_snapshot_allowed(const struct guard *g)
{
	return g->raft->configuration_uncommitted_index == 0 || !guard_on(g, 6);
}

/* An install is durable: from here on our log is the leader's up to its index. */
static void install_stored(struct guard *g, raft_index index)
{
	g->stored = index;
	if (g->raft->current_term == g->put_term)
		guard_note_match(g, index);
}

static void install_finished(struct guard *g)
{
	struct raft *r = g->raft;

	if (guard_on(g, 11) && r->state != RAFT_UNAVAILABLE && r->last_stored != g->stored)
		guard_fatal(g, "an installed snapshot could not be restored", 0);
	/* libraft leaves it pointing into the log that is gone. */
	if (r->configuration_uncommitted_index != 0 && guard_on(g, 10)) {
		guard_acted(g, 10);
		r->configuration_uncommitted_index = 0;
	}
}

static void put_done(struct raft_io_snapshot_put *disk_put, int status)
{
	struct guard *g = (struct guard *)((char *)disk_put - offsetof(struct guard, disk_put));
	struct raft_io_snapshot_put *req = g->put;
	bool installed = g->put_install && status == 0;
	unsigned trailing = g->raft->snapshot.trailing;

	if (status != 0 && !g->closing)
		guard_failed(g, "a snapshot could not be stored", status);
	guard_enter(g);
	if (installed)
		install_stored(g, g->put_snapshot->index);
	/* One that began before the cut was ordered has left more behind itself, perhaps all. */
	if (status == 0 && g->put_snapshot->index >= g->cut + (g->put_install ? 0 : g->put_trailing))
		g->cut = 0;
	g->put = NULL;
	g->put_snapshot = NULL;
	g->completing = g->put_install;
	g->completing_term = g->put_term;
	/* libraft cuts its log in memory by its own number. */
	if (!g->put_install)
		g->raft->snapshot.trailing = g->put_trailing;
	req->cb(req, status);
	g->raft->snapshot.trailing = trailing;
	g->completing = false;
	if (installed)
		install_finished(g);
	g->bytes_stale = true;
	guard_leave(g);
}

/*
 * A local snapshot lets the log be cut, so all before it must be durable elsewhere. And raft_uv 0.15 loses one of two
 * barriers: none is begun while a truncation may still be one.
 */
static bool put_blocked(struct guard *g)
{
	if (g->put_install)
		return false;
	if (g->truncating && guard_on(g, 11))
		return true;
	return guard_on(g, 6) && g->hooks.durable != NULL && !g->hooks.durable(g->hooks.ctx, g->put_snapshot->index);
}

bool guard_put_retry(struct guard *g)
{
	int rv;

	if (!g->put_waits || put_blocked(g))
		return false;
	g->put_waits = false;
	if (!g->put_install && g->hooks.seal != NULL)
		g->hooks.seal(g->hooks.ctx, g->put_snapshot);
	guard_appends_submit(g);
	rv = g->disk->snapshot_put(g->disk, g->put_trailing, &g->disk_put, g->put_snapshot, put_done);
	if (rv == 0)
		return false;
	put_done(&g->disk_put, rv);
	return true;
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct guard *g = io->impl;

	req->cb = cb;
	g->put = req;
	g->put_snapshot = snapshot;
	g->put_trailing = trailing;
	g->put_term = g->raft->current_term;
	g->put_install = req->data != g->raft; /* replication.c: a local snapshot's request carries the raft. */
	if (g->put_install) {
		g->next = snapshot->index + 1;
		g->stored = 0;
		if (g->install_term != 0) {
			((struct raft_snapshot *)snapshot)->term = g->install_term;
			g->raft->log.snapshot.last_term = g->install_term;
		}
	} else if (trailing == 0) {
		guard_fatal(g, "snapshot trailing is 0: the disk would take it for an install and wipe the log", 0);
	} else {
		g->put_trailing = guard_trailing(g, snapshot->index, trailing);
	}
	g->put_waits = true;
	if (put_blocked(g)) {
		guard_acted(g, 6);
		return 0;
	}
	guard_put_retry(g);
	return 0;
}

struct get {
	struct raft_io_snapshot_get disk_req;
	struct raft_io_snapshot_get *req;
	struct guard *guard;
};

static void get_done(struct raft_io_snapshot_get *disk_req, struct raft_snapshot *snapshot, int status)
{
	struct get *get = (struct get *)((char *)disk_req - offsetof(struct get, disk_req));
	struct raft_io_snapshot_get *req = get->req;
	struct guard *g = get->guard;

	free(get);
	if (status != 0 && !g->closing)
		guard_failed(g, "a snapshot could not be read", status);
	guard_enter(g);
	req->cb(req, snapshot, status);
	guard_leave(g);
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
	struct guard *g = io->impl;
	struct get *get = calloc(1, sizeof *get);
	int rv;

	if (get == NULL)
		return RAFT_NOMEM;
	req->cb = cb;
	get->req = req;
	get->guard = g;
	rv = g->disk->snapshot_get(g->disk, &get->disk_req, get_done);
	if (rv != 0) {
		free(get);
		guard_failed(g, "a snapshot could not be read", rv);
	}
	return rv;
}

/* True if libraft may answer at once that all up to the snapshot's index is here, and be right. */
static bool redundant(const struct guard *g, const struct raft_install_snapshot *s)
{
	return g->raft->log.snapshot.last_index >= s->last_index || guard_term_of(g, s->last_index) == s->last_term;
}

static void install_deliver(struct guard *g, struct raft_message *message)
{
	struct raft_install_snapshot *s = &message->install_snapshot;
	raft_term local = guard_term_of(g, s->last_index);
	raft_term term = s->term;
	raft_index last = redundant(g, s) ? s->last_index : 0;

	/*
	 * libraft also takes an entry of a *later* term at this index for redundant; but the snapshot is committed, so
	 * that entry is a stale one. A term above both makes it install; io_snapshot_put puts the true one back.
	 */
	if (last == 0 && local > s->last_term && guard_on(g, 1)) {
		guard_acted(g, 1);
		g->install_term = s->last_term;
		s->last_term = local + 1;
	}
	guard_deliver(g, message, term, last);
	g->install_term = 0;
}

/* With an append in flight libraft would miscount what is stored; a local snapshot on its way makes it forget this. */
static bool install_ready(struct guard *g, const struct raft_install_snapshot *s)
{
	if (guard_on(g, 11) && (guard_in_flight(g) || g->put != NULL))
		return false;
	return !guard_on(g, 6) || g->hooks.install_ready == NULL || g->hooks.install_ready(g->hooks.ctx, s);
}

static void install_forget(struct guard *g)
{
	if (!g->install_waits)
		return;
	g->install_waits = false;
	guard_message_free(&g->install);
	free(g->install_address);
	g->install_address = NULL;
}

void guard_install_recv(struct guard *g, struct raft_message *message)
{
	const struct raft_install_snapshot *s = &message->install_snapshot;

	if (s->term < g->raft->current_term || redundant(g, s) || install_ready(g, s)) {
		if (s->term >= g->raft->current_term)
			install_forget(g);
		install_deliver(g, message);
		return;
	}
	install_forget(g);
	guard_acted(g, 6);
	g->install_address = strdup(message->server_address);
	if (g->install_address == NULL) {
		guard_message_free(message); /* The leader sends it again. */
		return;
	}
	g->install = *message;
	g->install.server_address = g->install_address;
	g->install_waits = true;
}

bool guard_install_retry(struct guard *g)
{
	struct raft_message message;
	char *address;

	if (!g->install_waits)
		return false;
	if (g->install.install_snapshot.term < g->raft->current_term) {
		install_forget(g);
		return false;
	}
	if (!redundant(g, &g->install.install_snapshot) && !install_ready(g, &g->install.install_snapshot))
		return false;
	message = g->install;
	address = g->install_address;
	g->install_waits = false;
	g->install_address = NULL;
	install_deliver(g, &message);
	free(address);
	return true;
}

void guard_snapshot_cancel(struct guard *g)
{
	install_forget(g);
	if (!g->put_waits)
		return;
	g->put_waits = false;
	put_done(&g->disk_put, RAFT_CANCELED);
}

void guard_snapshot_fill(struct raft_io *io)
{
	io->snapshot_put = io_snapshot_put;
	io->snapshot_get = io_snapshot_get;
}
