/* The core's loop: wakes, steps, beats, starts and stops. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define SEGMENT_SIZE                                                                                                   \
	(64u << 20) /* raft_uv blocks the loop at each segment's end: the fewer the better (consensus.md). */
#define PATH_MAX_HERE 4200
#define HALTED_FILE   "HALTED"
#define FRESH_FILE    "fresh" /* Made by `countersign init`: a folder without it is not bootstrapped (a lost disk). */

/* --- ends --- */

void core_fatal(void *ctx, const char *why)
{
	(void)ctx;
	log_error("stopping at once: %s", why);
	_exit(EXIT_CRASH);
}

_Noreturn void core_halt(const char *data_path, const char *why)
{
	char path[PATH_MAX_HERE];
	int fd;

	log_error("HALTED: this node serves no more until an operator has acted: %s", why);
	snprintf(path, sizeof path, "%s/" HALTED_FILE, data_path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, why, strlen(why)) < 0 || fsync(fd))
		log_error("the reason could not be written to %s: %s", path, strerror(errno));
	_exit(EXIT_HALTED);
}

const char *core_halted(const char *data_path, char *buf, size_t cap)
{
	char path[PATH_MAX_HERE];
	FILE *f;
	size_t len;

	snprintf(path, sizeof path, "%s/" HALTED_FILE, data_path);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	len = fread(buf, 1, cap - 1, f);
	buf[len] = 0;
	fclose(f);
	return buf;
}

/* --- facts --- */

bool core_leads(const struct core *c)
{
	return c->guard && guard_leads(c->guard);
}

const char *core_leader_url(const struct core *c)
{
	raft_id id;
	const char *address;

	raft_leader((struct raft *)&c->raft, &id, &address);
	for (unsigned i = 0; i < c->n_members; i++)
		if (c->members[i].id == id)
			return c->members[i].url;
	return "";
}

static const char *role_text_of(const struct core *c)
{
	switch (c->raft.state) {
	case RAFT_LEADER:
		return "leader";
	case RAFT_CANDIDATE:
		return "candidate";
	case RAFT_FOLLOWER:
		return "follower";
	default:
		return "starting";
	}
}

static void publish_status(struct core *c)
{
	struct wire_status s = {.node_id = c->id,
	                        .term = c->raft.current_term,
	                        .raft_last = raft_last_index(&c->raft),
	                        .raft_commit = c->raft.commit_index,
	                        .raft_applied = raft_last_applied(&c->raft),
	                        .size = tree_size(c->tree),
	                        .stored_size = ledger_writer_stored_size(c->writer),
	                        .cosigned_size = c->cosigned_size,
	                        .pending = c->n_pending,
	                        .uptime_ms = (clock_mono_ns() - c->started_ns) / NS_PER_MS};
	struct guard_stats stats;
	const char *address, *health = "ok";
	raft_id leader;

	raft_leader(&c->raft, &leader, &address);
	s.leader_id = leader;
	guard_stats(c->guard, &stats);
	memcpy(s.guards, stats.acted, sizeof s.guards);
	tree_root(c->tree, &s.root);
	snprintf(s.role, sizeof s.role, "%s", role_text_of(c));
	if (c->evidence_bad)
		health = "evidence that does not verify: not cosigning";
	else if (c->clock_ahead)
		health = "the leader's clock is ahead: not cosigning";
	else if (store_fill_percent(c->o.store) >= 90)
		health = "store 90 % full";
	else if (!leader)
		health = "no leader";
	snprintf(s.health, sizeof s.health, "%s", health);
	snprintf(s.version, sizeof s.version, "%s", PACKAGE_VERSION);
	board_set_status(c->o.board, &s, core_leader_url(c));
}

/* Readers must not wait for the next beat to learn of new entries. */
static void publish_ledger(struct core *c)
{
	struct hash root;

	tree_root(c->tree, &root);
	board_set_ledger(c->o.board, tree_size(c->tree), &root);
}

static void collect_principal(void *ctx, const struct principal *p)
{
	struct {
		struct front_principal *list;
		unsigned n, cap;
	} *t = ctx;

	if (p->removed || !p->has_channel || p->roles & ROLE_NODE)
		return;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->list = realloc(t->list, t->cap * sizeof *t->list);
		if (!t->list)
			core_fatal(NULL, "out of memory");
	}
	struct front_principal *f = &t->list[t->n++];
	memcpy(f->channel_pub, p->channel_pub, sizeof f->channel_pub);
	f->id = p->id;
	f->roles = p->roles;
}

static void publish_principals(struct core *c)
{
	struct {
		struct front_principal *list;
		unsigned n, cap;
	} t = {0};

	c->principals_changed = false;
	state_each_principal(c->state, collect_principal, &t);
	if (front_set_principals(c->front, t.list, t.n))
		core_fatal(c, "out of memory");
	free(t.list);
}

/* --- the loop --- */

/* After every outermost call into libraft (guard 12): what followed from it. */
static void stepped(void *ctx)
{
	struct core *c = ctx;

	if (!c->writer || c->raft_closed)
		return;
	apply_deferred(c);
	/* The next batch goes to the disks first; the replies to this one are made while they write. */
	propose_pump(c);
	propose_answer(c);
	if (c->role_seen != c->raft.state || c->term_seen != c->raft.current_term) {
		c->role_seen = c->raft.state;
		c->term_seen = c->raft.current_term;
		log_info("role=%s term=%llu raft_last=%llu size=%" PRIu64, role_text_of(c), c->raft.current_term,
		         raft_last_index(&c->raft), tree_size(c->tree));
		publish_status(c);
	}
	if (c->raft.state != RAFT_LEADER && c->pending)
		propose_refuse_all(c, CS_ERR_NOT_LEADER);
	if (c->applied) {
		apply_hand_over(c);
		publish_ledger(c);
		if (c->principals_changed)
			publish_principals(c);
		if (state_dirty(c->state) >= STATE_DIRTY_MAX)
			apply_take_state(c, raft_last_applied(&c->raft), false);
		checkpoint_applied(c);
	}
	/* After the principals that this step has brought. */
	if (c->authoritative != core_leads(c)) {
		c->authoritative = core_leads(c);
		front_set_authoritative(c->front, c->authoritative);
	}
}

static void on_wake(uv_async_t *async)
{
	struct core *c = async->data;

	if (c->stopping)
		return;
	if (atomic_load(&c->stop_asked)) {
		uv_stop(&c->loop);
		return;
	}
	propose_drain(c);
	catchup_stored(c);
	guard_poke(c->guard);
	propose_pump(c);
}

static void on_beat(uv_timer_t *timer)
{
	struct core *c = timer->data;

	if (!c->writer)
		return;
	propose_expire(c);
	checkpoint_beat(c);
	catchup_beat(c);
	if (state_dirty(c->state) && clock_mono_ns() - c->state_taken_ns > STATE_INTERVAL_MS * NS_PER_MS)
		apply_take_state(c, raft_last_applied(&c->raft), false);
	publish_status(c);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct core *c = signal->data;

	log_info("stopping: signal %d", number);
	uv_stop(&c->loop);
}

void core_submit(struct core *c, struct job *j)
{
	struct job *head = atomic_load_explicit(&c->inbox, memory_order_relaxed);

	do
		j->next = head;
	while (!atomic_compare_exchange_weak_explicit(&c->inbox, &head, j, memory_order_seq_cst, memory_order_relaxed));
	if (!head)
		uv_async_send(&c->wake);
	/* Closed meanwhile: nobody drains any more but whoever pushes. */
	if (atomic_load(&c->closed))
		propose_refuse_inbox(c);
}

void core_stored(struct core *c)
{
	board_ring(c->o.board);
	uv_async_send(&c->wake);
}

void core_stop(struct core *c)
{
	atomic_store(&c->stop_asked, true);
	uv_async_send(&c->wake);
}

/* --- start --- */

/* raft_uv wants a transport; ours carries nothing, for the guard sends over the node's own links. */
static int no_init(struct raft_uv_transport *t, raft_id id, const char *address)
{
	(void)t, (void)id, (void)address;
	return 0;
}
static int no_listen(struct raft_uv_transport *t, raft_uv_accept_cb cb)
{
	(void)t, (void)cb;
	return 0;
}
static int no_connect(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id, const char *address,
                      raft_uv_connect_cb cb)
{
	(void)t, (void)req, (void)id, (void)address, (void)cb;
	return RAFT_NOCONNECTION;
}
static void no_close(struct raft_uv_transport *t, raft_uv_transport_close_cb cb)
{
	cb(t);
}

static bool install_ready(void *ctx, const struct raft_install_snapshot *s)
{
	return catchup_ready(ctx, s->last_index);
}

static bool durable(void *ctx, raft_index index)
{
	struct core *c = ctx;

	return c->writer && ledger_writer_state_index(c->writer) >= index;
}

static bool backlogged(void *ctx)
{
	struct core *c = ctx;

	return c->writer && ledger_writer_backlog(c->writer) > BACKLOG_BYTES_MAX;
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
	store_view_tiles(c->view, &tiles);
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

/* raft_uv's term and vote are in one of two files, from the first start on. */
static bool log_is_empty(const struct core *c)
{
	char path[PATH_MAX_HERE];

	for (int i = 1; i <= 2; i++) {
		snprintf(path, sizeof path, "%s/log/metadata%d", c->o.settings->data_path, i);
		if (access(path, F_OK) == 0)
			return false;
	}
	return true;
}

static int bootstrap(struct core *c)
{
	struct raft_configuration conf;
	char path[PATH_MAX_HERE];
	int rv = 0;

	snprintf(path, sizeof path, "%s/" FRESH_FILE, c->o.settings->data_path);
	if (access(path, F_OK)) {
		if (log_is_empty(c))
			core_halt(c->o.settings->data_path,
			          "the log is gone: a node that lost its disk comes back as a new one, with new keys");
		return 0;
	}
	raft_configuration_init(&conf);
	for (unsigned i = 0; i < c->n_members && !rv; i++) {
		rv = raft_configuration_add(&conf, c->members[i].id, c->members[i].address, RAFT_VOTER);
	}
	if (!rv)
		rv = raft_bootstrap(&c->raft, &conf);
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

static int open_raft(struct core *c)
{
	const struct settings *s = c->o.settings;
	struct guard_options options = {.id = c->id,
	                                .applied_index = applied_through_raft(c),
	                                .message_bytes_max = 1u << 20,
	                                .entry_bytes_max = BATCH_SIZE_MAX,
	                                .snapshot_entries_max = s->snapshot_entries,
	                                .snapshot_bytes_max = SNAPSHOT_BYTES_MAX};
	struct guard_hooks hooks = {.ctx = c,
	                            .net_send = peers_send_raft,
	                            .stepped = stepped,
	                            .fatal = core_fatal,
	                            .durable = durable,
	                            .install_ready = install_ready,
	                            .backlogged = backlogged};
	char dir[PATH_MAX_HERE];
	int rv;

	c->transport = (struct raft_uv_transport){
	        .init = no_init, .listen = no_listen, .connect = no_connect, .close = no_close};
	snprintf(dir, sizeof dir, "%s/log", s->data_path);
	rv = raft_uv_init(&c->disk, &c->loop, dir, &c->transport);
	if (rv)
		return fail_raft(c, "opening the log", rv);
	raft_uv_set_auto_recovery(&c->disk, false); /* It shortens a damaged log (guard 9). */
	raft_uv_set_segment_size(&c->disk, SEGMENT_SIZE);
	raft_uv_set_snapshot_compression(&c->disk, false);
	rv = guard_new(&c->disk, &options, &hooks, &c->io, &c->guard);
	if (rv)
		return rv;
	rv = raft_init(&c->raft, &c->io, &c->fsm, c->id, peers_member(c, c->id)->address);
	if (rv)
		return fail_raft(c, "opening the log", rv);
	guard_attach(c->guard, &c->raft);
	raft_set_election_timeout(&c->raft, s->election_timeout_ms);
	raft_set_heartbeat_timeout(&c->raft, s->heartbeat_ms);
	raft_set_pre_vote(&c->raft, true);
	raft_set_snapshot_threshold(&c->raft, s->snapshot_entries);
	raft_set_snapshot_trailing(&c->raft, s->snapshot_entries / 2);
	rv = bootstrap(c);
	if (rv)
		return rv;
	rv = raft_start(&c->raft);
	if (rv)
		return fail_raft(c, "starting raft", rv);
	c->last_at_start = raft_last_index(&c->raft);
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

static int open_members(struct core *c)
{
	const struct settings *s = c->o.settings;
	struct genesis g;
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	int err = genesis_decode(&g, c->o.genesis, c->o.genesis_len);

	if (err) {
		log_error("the genesis is malformed");
		return err;
	}
	c->id = s->node;
	for (unsigned i = 0; i < g.n_nodes && !err; i++) {
		struct member *m = &c->members[c->n_members++];
		m->id = g.nodes[i].id;
		snprintf(m->address, sizeof m->address, "node-%" PRIu64, m->id);
		m->url = m->id == s->node ? s->urls[0] : NULL;
		for (unsigned k = 0; k < s->n_peers; k++)
			if (s->peers[k].id == m->id)
				m->url = s->peers[k].url;
		if (!m->url) {
			log_error("the genesis names node %" PRIu64 ", which the settings do not", m->id);
			return CS_ERR_INVALID;
		}
		snprintf(name, sizeof name, "%s/node-%" PRIu64, s->origin, m->id);
		err = note_key_init(&m->log_key, s->origin, NOTE_KEY_ED25519, g.nodes[i].log_pub);
		if (!err)
			err = note_key_init(&m->cosigner_key, name, NOTE_KEY_COSIGNATURE, g.nodes[i].cosigner_pub);
	}
	if (err || c->n_members != s->n_peers + 1 || !peers_member(c, c->id)) {
		log_error("the settings name other nodes than the genesis");
		return CS_ERR_INVALID;
	}
	return 0;
}

static int open_loop(struct core *c)
{
	int rv = uv_loop_init(&c->loop);

	if (!rv)
		rv = uv_async_init(&c->loop, &c->wake, on_wake);
	if (!rv)
		rv = uv_timer_init(&c->loop, &c->beat);
	if (!rv)
		rv = uv_signal_init(&c->loop, &c->sigterm);
	if (!rv)
		rv = uv_signal_init(&c->loop, &c->sigint);
	if (rv) {
		log_error("event loop: %s", uv_strerror(rv));
		return CS_ERR_IO;
	}
	c->wake.data = c->beat.data = c->sigterm.data = c->sigint.data = c;
	return 0;
}

int core_open(const struct core_options *o, struct core **ret)
{
	struct core *c = calloc(1, sizeof *c);
	int err;

	if (!c)
		return CS_ERR_NOMEM;
	c->o = *o;
	c->state = o->state;
	c->started_ns = clock_mono_ns();
	c->pending_last = &c->pending;
	c->scratch = malloc(BATCH_SIZE_MAX);
	c->reply = malloc(WIRE_REPLY_SIZE_MAX);
	c->out = malloc(sizeof *c->out);
	c->taking = catchup_new();
	apply_init(c);
	err = c->scratch && c->reply && c->out && c->taking ? open_loop(c) : CS_ERR_NOMEM;
	if (!err)
		err = open_members(c);
	if (!err)
		err = open_ledger(c);
	if (!err)
		err = open_raft(c);
	if (!err)
		err = peers_open(c);
	if (err)
		return err; /* The daemon ends: what is half open goes with the process. */
	find_size_at_start(c);
	checkpoint_restore(c);
	*ret = c;
	return 0;
}

void core_attach(struct core *c, struct front *f, struct ledger_writer *w, struct reading_room *r)
{
	c->front = f;
	c->writer = w;
	c->readers = r;
	publish_principals(c);
	publish_status(c);
	stepped(c);
}

void core_run(struct core *c)
{
	uv_signal_start(&c->sigterm, on_signal, SIGTERM);
	uv_signal_start(&c->sigint, on_signal, SIGINT);
	uv_timer_start(&c->beat, on_beat, c->o.settings->heartbeat_ms, c->o.settings->heartbeat_ms);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	c->stopping = true;
	atomic_store(&c->closed, true);
	propose_refuse_inbox(c);
	propose_refuse_all(c, CS_ERR_NOT_READY);
	propose_abandon(c);
}

/* --- stop --- */

static void on_raft_closed(struct raft *r)
{
	struct core *c = r->data;

	c->raft_closed = true;
}

static void on_link_closed(void *ctx)
{
	struct core *c = ctx;

	c->link_closed = true;
}

void core_close(struct core *c)
{
	apply_take_state(c, raft_last_applied(&c->raft), false);
	c->raft.data = c;
	link_close(c->link, on_link_closed, c);
	guard_close(c->guard, on_raft_closed);
	while (!c->raft_closed || !c->link_closed || c->evidence_out || c->checks_out || c->givings_busy)
		uv_run(&c->loop, UV_RUN_ONCE);
	raft_uv_close(&c->disk);
	guard_free(c->guard);
	uv_close((uv_handle_t *)&c->wake, NULL);
	uv_close((uv_handle_t *)&c->beat, NULL);
	uv_close((uv_handle_t *)&c->sigterm, NULL);
	uv_close((uv_handle_t *)&c->sigint, NULL);
	uv_run(&c->loop, UV_RUN_DEFAULT);
	assert(uv_loop_close(&c->loop) == 0);
	for (struct entries *b = c->applied, *next; b; b = next) {
		next = b->next;
		entries_free(b);
	}
	catchup_close(c);
	store_view_close(c->view);
	tree_free(c->tree);
	state_free(c->state);
	free(c->out);
	free(c->reply);
	free(c->scratch);
	free(c);
}
