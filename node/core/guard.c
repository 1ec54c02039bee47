/* The guard's life and its steps: what happens around each outermost call into libraft (guard 12). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/guard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/guard_internal.h"

/*
 * libraft asks for a tick with each heartbeat, and looks at its election timer then only: so coarse are its timeouts,
 * and so likely do two servers stand at once. When it sends heartbeats goes by its own clock.
 */
#define TICK_MS_MAX 10

bool guard_on(const struct guard *g, unsigned k)
{
#ifdef GUARD_SWITCHES
	return (g->options.off & GUARD_BIT(k)) == 0;
#else
	(void)g;
	(void)k;
	return true;
#endif
}

void guard_acted(struct guard *g, unsigned k)
{
	g->stats.acted[k]++;
}

void guard_fatal(struct guard *g, const char *what, int status)
{
	char why[2 * RAFT_ERRMSG_BUF_SIZE];

	if (status != 0)
		snprintf(why, sizeof why, "%s: %s (%d): %s", what, raft_strerror(status), status, g->disk->errmsg);
	else
		snprintf(why, sizeof why, "%s", what);
	g->hooks.fatal(g->hooks.ctx, why);
	abort();
}

void guard_failed(struct guard *g, const char *what, int status)
{
	if (!guard_on(g, 8))
		return;
	guard_acted(g, 8);
	guard_fatal(g, what, status);
}

raft_time guard_now(const struct guard *g)
{
	return g->disk->time(g->disk);
}

/* A broken invariant or libraft giving up is the end of the process, however it came about (guard 8). */
static void check(struct guard *g)
{
	if (!g->started)
		return;
	if (g->raft->state == RAFT_UNAVAILABLE && guard_on(g, 8)) {
		guard_acted(g, 8);
		guard_fatal(g, "libraft became unavailable", 0);
	}
}

/* Does all that waited for libraft to return, until nothing more is found; its callbacks may queue more. */
static void settle(struct guard *g)
{
	bool again;

	g->depth++;
	do {
		guard_appends_submit(g);
		guard_cuts_settle(g);
		again = guard_sent_fire(g);
		if (g->closing || !g->started)
			continue;
		check(g);
		again |= guard_step_down_settle(g);
		again |= guard_noop(g);
		again |= guard_held_redeliver(g);
		again |= guard_install_retry(g);
		again |= guard_put_retry(g);
		again |= guard_hand_over_settle(g);
		guard_found(g);
		guard_configuration_track(g);
		guard_threshold(g);
		g->entered += again;
	} while (again);
	guard_appends_submit(g);
	g->depth--;
}

void guard_enter(struct guard *g)
{
	if (g->depth++ == 0)
		g->entered++;
}

void guard_leave(struct guard *g)
{
	assert(g->depth > 0);
	if (--g->depth > 0)
		return;
	settle(g);
	while (g->started && !g->closing && !g->in_stepped && g->reported != g->entered) {
		g->reported = g->entered;
		g->in_stepped = true;
		g->hooks.stepped(g->hooks.ctx);
		g->in_stepped = false;
		settle(g);
	}
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
	struct guard *g = io->impl;
	int rv = g->disk->init(g->disk, id, address);

	if (rv != 0)
		memcpy(io->errmsg, g->disk->errmsg, sizeof io->errmsg);
	return rv;
}

/* The disk calls these with its own raft_io, whose data is the guard; libraft expects ours, whose data is the raft. */
static void disk_tick(struct raft_io *disk)
{
	struct guard *g = disk->data;

	if (!g->started || g->closing)
		return;
	guard_enter(g);
	guard_vote_tick(g);
	g->tick(g->io);
	guard_leave(g);
}

static void disk_recv(struct raft_io *disk, struct raft_message *message)
{
	guard_recv(disk->data, message);
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
	struct guard *g = io->impl;
	int rv;

	g->tick = tick;
	g->recv = recv;
	rv = g->disk->start(g->disk, msecs < TICK_MS_MAX ? msecs : TICK_MS_MAX, disk_tick, disk_recv);
	if (rv != 0)
		memcpy(io->errmsg, g->disk->errmsg, sizeof io->errmsg);
	return rv;
}

static void disk_closed(struct raft_io *disk)
{
	struct guard *g = disk->data;

	guard_appends_cancel(g);
	if (g->closed != NULL)
		g->closed(g->io);
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
	struct guard *g = io->impl;

	g->closing = true;
	g->closed = cb;
	g->held_count = 0;
	guard_snapshot_cancel(g);
	guard_sent_fire(g);
	g->disk->close(g->disk, disk_closed);
}

int guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h, struct raft_io *ret_io,
              struct guard **ret)
{
	struct guard *g;

	if (h->net_send == NULL || h->stepped == NULL || h->fatal == NULL || o->id == 0 || o->window > GUARD_WINDOW_MAX)
		return CS_ERR_INVALID;
	g = calloc(1, sizeof *g);
	if (g == NULL)
		return CS_ERR_NOMEM;
	g->disk = disk;
	g->io = ret_io;
	g->options = *o;
	g->hooks = *h;
	g->lost_term = o->lost_term;
	g->appends_tail = &g->appends;
	raft_configuration_init(&g->committed);
	disk->data = g;

	memset(ret_io, 0, sizeof *ret_io);
	/* raft_uv has async_work but calls itself version 1, and raft_init then refuses asynchronous snapshots. */
	ret_io->version = disk->async_work != NULL ? 2 : 1;
	ret_io->impl = g;
	ret_io->init = io_init;
	ret_io->close = io_close;
	ret_io->start = io_start;
	ret_io->send = guard_send;
	guard_disk_fill(ret_io);
	guard_snapshot_fill(ret_io);
	*ret = g;
	return 0;
}

void guard_attach(struct guard *g, struct raft *r)
{
	g->raft = r;
	g->io->data = r;
	r->io = g->io;
	if (g->options.snapshot_entries_max != 0)
		r->snapshot.threshold = g->options.snapshot_entries_max;
}

void guard_started(struct guard *g)
{
	assert(g->raft != NULL && g->recv != NULL);
	g->threshold = g->raft->snapshot.threshold;
	g->heard = guard_now(g);
	g->bytes_stale = true;
	if (guard_on(g, 10))
		guard_configuration_restart(g);
	g->started = true;
	guard_enter(g);
	guard_leave(g);
}

void guard_close(struct guard *g, raft_close_cb cb)
{
	g->depth++; /* Never settled: closing. */
	g->closing = true;
	raft_close(g->raft, cb);
	g->depth--;
}

void guard_free(struct guard *g)
{
	if (g == NULL)
		return;
	raft_configuration_close(&g->committed);
	free(g->sent);
	free(g);
}

void guard_poke(struct guard *g)
{
	if (g->depth > 0 || !g->started || g->closing)
		return;
	settle(g);
	if (g->reported != g->entered) {
		guard_enter(g);
		guard_leave(g);
	}
}

void guard_stats(const struct guard *g, struct guard_stats *ret)
{
	*ret = g->stats;
}
