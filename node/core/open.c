/* Opens the core: members, ledger, log, guard, links, in this order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/heap.h"
#include "node/core/refetch.h"
#include "node/core/repair.h"
#include "node/core/snapshot.h"
#include "node/decide/state_carry.h"
#include "node/log.h"

#define PATH_MAX_HERE 4200
#define FRESH_FILE    "fresh" /* Made by `countersign init`: a folder without it is not bootstrapped (a lost disk). */

static bool install_ready(void *ctx, const struct raft_install_snapshot *s)
{
	struct core *c = ctx;
	struct snapshot head;

	/* What is no snapshot of ours never gets into the log, where every later start would stumble over it. */
	int err = snapshot_decode(&head, s->data.base, s->data.len);
	if (err == CS_ERR_VERSION)
		core_outdated("the leader's snapshot is of a later format than this build's");
	return !err && c->room.level < SPACE_SHORT && catchup_ready(c, s->last_index, &head);
}

static bool durable(void *ctx, raft_index index)
{
	struct core *c = ctx;

	return c->writer && ledger_writer_state_index(c->writer) >= index;
}

/* The state's digest is the writer's to make: known only now, when it has written the state. */
static void seal(void *ctx, const struct raft_snapshot *snapshot)
{
	struct core *c = ctx;
	struct raft_buffer *buf = &snapshot->bufs[0];
	struct snapshot s;

	if (!state_feature(c->state, FEATURE_DIGEST))
		return;
	if (snapshot_decode(&s, buf->base, buf->len))
		core_fatal(c, "a snapshot of our own is malformed");
	if (ledger_writer_state_digest(c->writer, s.index, &s.digest))
		buf->len = snapshot_encode(&s, buf->base); /* There is room: fsm_snapshot. */
}

static bool backlogged(void *ctx, size_t bytes)
{
	struct core *c = ctx;

	return c->writer && (ledger_writer_backlog(c->writer) > BACKLOG_BYTES_MAX || room_withholds(c, bytes));
}

static int fail_raft(struct core *c, const char *what, int rv)
{
	const char *detail = c->raft.errmsg[0] ? c->raft.errmsg : c->disk.errmsg;

	log_error("%s: %s%s%s", what, raft_strerror(rv), detail[0] ? ": " : "", detail);
	return rv == RAFT_NOMEM ? CS_ERR_NOMEM : CS_ERR_IO;
}

int core_tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	struct core *c = ctx;
	struct tree_tiles tiles;

	/* Reads happen for roots and proofs older than the right edge, and at start: a fresh look each time. */
	if (store_view_renew(c->view))
		return CS_ERR_IO;
	/* A damaged one must not make this node take its own history, or its leader's, for another. */
	store_view_tiles_checked(c->view, &tiles);
	return tiles.read(tiles.ctx, level, n, width, out);
}

static int open_ledger(struct core *c)
{
	struct tree_tiles tiles = {.read = core_tile_read, .ctx = c};
	struct store_head stored;
	struct state_head head;
	int err;

	store_head(c->o.store, &stored);
	state_head(c->state, &head);
	c->stored_at_start = c->pushed_size = stored.size;
	c->applied_at_start = c->pushed_index = stored.applied_index;
	c->state_stored = c->o.state_index;
	if (head.size > stored.size) {
		log_error("the state is ahead of the ledger's entries: the store is damaged");
		return CS_ERR_DAMAGED;
	}
	err = store_view_open(c->o.store, &c->view);
	if (!err)
		err = tree_new(&tiles, &c->tree);
	if (!err)
		err = tree_load(c->tree, head.size);
	if (err)
		log_error("reading the ledger: %s", err_text(err));
	return err;
}

/* The log of a restored ledger begins behind entry 0 and the state, which `countersign restore` has put in the store.
 */
static int begin_restored(struct core *c, const struct raft_configuration *conf)
{
	uint8_t payload[SNAPSHOT_SIZE];
	struct raft_buffer buf = {.base = payload};
	struct raft_snapshot s = {.index = RESTORED_INDEX,
	                          .term = RESTORED_TERM,
	                          .configuration = *conf,
	                          .configuration_index = RESTORED_INDEX,
	                          .bufs = &buf,
	                          .n_bufs = 1};
	struct snapshot head = {.index = RESTORED_INDEX, .term = RESTORED_TERM};
	struct store_head stored;
	uint64_t index, term;

	store_head(c->o.store, &stored);
	if (store_view_state_index(c->view, &index, &term))
		index = 0;
	if (stored.size != 1 || stored.applied_index != RESTORED_INDEX || index != RESTORED_INDEX)
		core_halt(c->o.settings->data_path,
		          "the genesis carries on another ledger, whose state is not here: restore it again");
	head.size = stored.size;
	head.root = stored.root;
	head.last_leaf = stored.last_leaf;
	if (state_feature(c->state, FEATURE_DIGEST) && store_view_state_digest(c->view, &head.digest))
		return RAFT_CORRUPT;
	buf.len = snapshot_encode(&head, payload);
	int err = disk_begin_behind(c->log, &s);
	if (err == CS_ERR_EXISTS)
		return RAFT_CANTBOOTSTRAP;
	return err ? RAFT_IOERR : 0;
}

static bool restored(const struct core *c)
{
	struct genesis g;

	return genesis_decode(&g, c->o.genesis, c->o.genesis_len) == 0 && g.restored;
}

static int bootstrap(struct core *c)
{
	struct raft_configuration conf;
	char path[PATH_MAX_HERE], name[MEMBERS_NAME_SIZE];
	int rv = 0;

	snprintf(path, sizeof path, "%s/" FRESH_FILE, c->o.settings->data_path);
	if (access(path, F_OK)) {
		snprintf(path, sizeof path, "%s/" MEMBERS_JOIN_FILE, c->o.settings->data_path);
		if (disk_pristine(c->log) && access(path, F_OK))
			core_halt(c->o.settings->data_path,
			          "the log is gone: a node that lost its disk comes back as a new one, with new keys");
		return 0;
	}
	raft_configuration_init(&conf);
	for (unsigned i = 0; i < c->members.n && !rv; i++) {
		members_name(c->members.list[i].id, name);
		rv = raft_configuration_add(&conf, c->members.list[i].id, name, RAFT_VOTER);
	}
	if (!rv)
		rv = restored(c) ? begin_restored(c, &conf) : raft_bootstrap(&c->raft, &conf);
	raft_configuration_close(&conf);
	if (rv && rv != RAFT_CANTBOOTSTRAP) /* A crash came between bootstrap and unlink. */
		return fail_raft(c, "bootstrapping the log", rv);
	if (unlink(path)) {
		log_error("%s: %s", path, strerror(errno));
		return CS_ERR_IO;
	}
	return 0;
}

/*
 * The log must reach what was applied through it (guard 9). Entries that came by catch-up need not be in the log: after
 * a crash between storing them and installing the snapshot, the leader sends it again.
 */
static raft_index applied_through_raft(struct core *c)
{
	const void *value;
	size_t len;

	if (store_view_meta(c->view, WRITER_META_FETCHED, &value, &len) || len != 8)
		return c->applied_at_start;
	return c->applied_at_start > get_u64be(value) ? c->applied_at_start : 0;
}

static int open_log(struct core *c)
{
	struct disk_options o = {
	        .id = c->id, .segment_size = DISK_SEGMENT_SIZE, .trailing = c->o.settings->snapshot_entries / 2};
	struct disk_status status;
	char dir[PATH_MAX_HERE], text[300];
	int err;

	heap_install(); /* What is read becomes libraft's. */
	snprintf(dir, sizeof dir, "%s/log", c->o.settings->data_path);
	err = disk_open(&c->loop, dir, &o, &c->disk, &c->log, text);
	if (err == CS_ERR_VERSION)
		core_outdated(text);
	if (err) {
		log_error("%s", text);
		return err;
	}
	disk_status(c->log, &status);
	if (status.mended)
		log_warning("a copy of the log's metadata or snapshot was damaged or behind: written again");
	if (status.torn)
		log_info("the log's last write was not finished: cut off, nothing of it was acknowledged");
	return 0;
}

static int repair_log(struct core *c)
{
	int err = open_log(c);

	if (err || disk_scan(c->log)->n_lost == 0)
		return err;
	log_error("the log is damaged: %s", disk_scan(c->log)->text);
	err = peers_open(c);
	if (!err)
		err = repair_run(c);
	if (err)
		log_error("the log is damaged and cannot be repaired: %s", err_text(err));
	return err;
}

static bool state_missing(const struct core *c)
{
	return c->o.state_lost || (c->o.store_behind && c->o.state_index < disk_snapshot_index(c->log));
}

/* In the place of the empty state with which this node has started. */
static int refetch_state(struct core *c)
{
	int err = c->link ? 0 : peers_open(c);

	if (!err)
		err = refetch_run(c);
	if (err) {
		log_error("the stored state is lost and cannot be fetched: %s", err_text(err));
		return err;
	}
	store_view_close(c->view);
	tree_free(c->tree);
	c->view = NULL;
	c->tree = NULL;
	err = open_ledger(c);
	if (!err)
		members_follow(c);
	return err;
}

static void found(void *ctx)
{
	struct core *c = ctx;

	if (disk_set_lost_term(c->log, 0))
		core_fatal(c, "the log's metadata could not be stored");
	log_info("the log has caught up: this node votes again");
}

static int open_raft(struct core *c)
{
	const struct settings *s = c->o.settings;
	struct guard_options options = {.id = c->id,
	                                .applied_index = applied_through_raft(c),
	                                .message_bytes_max = 1u << 20,
	                                .message_entries_max = FRAME_ENTRIES_MAX,
	                                .entry_bytes_max = BATCH_SIZE_MAX,
	                                .snapshot_entries_max = s->snapshot_entries,
	                                .snapshot_bytes_max = SNAPSHOT_BYTES_MAX,
	                                .trailing_bytes_max = TRAILING_BYTES_MAX};
	struct guard_hooks hooks = {.ctx = c,
	                            .net_send = peers_send_raft,
	                            .stepped = core_stepped,
	                            .fatal = core_fatal,
	                            .durable = durable,
	                            .seal = seal,
	                            .install_ready = install_ready,
	                            .backlogged = backlogged,
	                            .found = found};
	char name[MEMBERS_NAME_SIZE];
	int rv;

	options.lost_term = disk_lost_term(c->log);
	rv = guard_new(&c->disk, &options, &hooks, &c->io, &c->guard);
	if (rv)
		return rv;
	members_name(c->id, name);
	rv = raft_init(&c->raft, &c->io, &c->fsm, c->id, name);
	if (rv)
		return fail_raft(c, "opening the log", rv);
	guard_attach(c->guard, &c->raft);
	reads_init(c);
	raft_set_election_timeout(&c->raft, s->election_timeout_ms);
	raft_set_heartbeat_timeout(&c->raft, s->heartbeat_ms);
	raft_set_pre_vote(&c->raft, true);
	raft_set_install_snapshot_timeout(&c->raft, 10 * s->election_timeout_ms); /* The payload is 128 bytes. */
	raft_set_snapshot_threshold(&c->raft, s->snapshot_entries);
	raft_set_snapshot_trailing(&c->raft, s->snapshot_entries / 2);
	rv = bootstrap(c);
	if (rv)
		return rv;
	rv = raft_start(&c->raft);
	if (rv)
		return fail_raft(c, "starting raft", rv);
	c->last_at_start = raft_last_index(&c->raft);
	members_from_log(c);
	guard_started(c->guard);
	return 0;
}

/* The size that the newest batch in the log leads to at most: what peers may rightly say that we have cosigned. */
static void find_size_at_start(struct core *c)
{
	const struct raft_log *l = &c->raft.log;
	size_t n = l->size ? (l->back + l->size - l->front) % l->size : 0;
	struct batch b;

	c->size_at_start = tree_size(c->tree) > c->stored_at_start ? tree_size(c->tree) : c->stored_at_start;
	while (n-- > 0) {
		const struct raft_entry *e = &l->entries[(l->front + n) % l->size];
		if (e->type != RAFT_COMMAND || batch_decode(&b, e->buf.base, e->buf.len))
			continue;
		if (b.size + b.count > c->size_at_start)
			c->size_at_start = b.size + b.count;
		return;
	}
}

static int open_loop(struct core *c)
{
	int rv = uv_loop_init(&c->loop);

	if (!rv)
		rv = uv_async_init(&c->loop, &c->wake, core_on_wake);
	if (!rv)
		rv = uv_timer_init(&c->loop, &c->beat);
	if (!rv)
		rv = uv_timer_init(&c->loop, &c->give_timer);
	if (!rv)
		rv = uv_timer_init(&c->loop, &c->take.timer);
	if (!rv)
		rv = uv_timer_init(&c->loop, &c->announce);
	if (!rv)
		rv = uv_signal_init(&c->loop, &c->sigterm);
	if (!rv)
		rv = uv_signal_init(&c->loop, &c->sigint);
	if (!rv)
		rv = held_open(&c->held, &c->loop, c->o.settings->election_timeout_ms / 2);
	if (rv) {
		log_error("event loop: %s", uv_strerror(rv));
		return CS_ERR_IO;
	}
	c->wake.data = c->beat.data = c->give_timer.data = c->take.timer.data = c->announce.data = c->sigterm.data =
	        c->sigint.data = c;
	return 0;
}

int core_open(const struct core_options *o, struct core **ret)
{
	struct core *c = calloc(1, sizeof *c);
	bool repaired;
	int err;

	if (!c)
		return CS_ERR_NOMEM;
	c->o = *o;
	c->id = o->settings->node;
	c->state = o->state;
	c->started_ns = clock_mono_ns();
	c->scratch = malloc(BATCH_SIZE_MAX);
	c->reply = malloc(WIRE_REPLY_SIZE_MAX);
	c->out = malloc(sizeof *c->out);
	c->taking = catchup_new();
	c->eraser = eraser_new(c);
	apply_init(c);
	err = c->scratch && c->reply && c->out && c->taking && c->eraser ? turns_new(PENDING_MAX, &c->pending)
	                                                                 : CS_ERR_NOMEM;
	if (!err)
		err = turns_new(PENDING_MAX, &c->unproven);
	if (!err)
		err = open_loop(c);
	if (!err)
		err = members_open(c);
	if (!err)
		err = keys_open(c);
	if (!err)
		err = room_open(c);
	if (!err)
		err = open_ledger(c);
	if (!err)
		err = repair_log(c);
	if (!err && state_missing(c))
		err = refetch_state(c);
	if (!err)
		err = open_raft(c);
	repaired = c->link != NULL;
	if (!err && !repaired)
		err = peers_open(c);
	if (err)
		return err; /* The daemon ends: what is half open goes with the process. */
	find_size_at_start(c);
	keys_reached(c);
	if (repaired)
		peers_greet(c);
	checkpoint_restore(c);
	*ret = c;
	return 0;
}
