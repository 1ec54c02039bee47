/* Catch-up: one side serves a frozen copy of its state, and its entries; the other stores them and swaps them in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/catchup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/catchup_bytes.h"
#include "node/core/core_internal.h"
#include "node/log.h"

/*
 * Kinds of FETCH and CHUNK. BEGIN answers [state's Raft index u64 | term u64 | bytes of state u64]; STATE answers a
 * piece of (key length u32 | value length u32 | key | value)… from a byte offset; ENTRIES answers (leaf length u32 |
 * body length u32 | leaf | body)… from an index.
 */
enum { KIND_BEGIN = 1, KIND_STATE = 2, KIND_ENTRIES = 3 };

#define BEGIN_SIZE     24
#define CHUNK_SIZE     (256u << 10)         /* A heartbeat behind it waits for well under a millisecond. */
#define STATE_SIZE_MAX (UINT64_C(1) << 30)  /* 100,000 subjects of 1 KiB ten times over. */
#define RETRY_NS       UINT64_C(2000000000) /* Nothing came for so long: ask again from the start. */

/* --- giving --- */

/* What one member is being given: the state as it was when it began, and one request at a time. */
struct giving {
	uv_work_t work;
	struct core *core;
	uint64_t to;
	bool busy;
	struct frame_fetch asked;
	uint8_t *state; /* Copied in one read transaction, so that it is the state of one index. */
	uint64_t state_len, state_cap, state_index, state_term;
	uint8_t *chunk;
	size_t chunk_len;
	int err;
};

static int copy_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct giving *g = ctx;
	uint64_t need = g->state_len + 8 + key_len + value_len, cap = g->state_cap ? g->state_cap : 65536;
	uint8_t *p;

	while (cap < need)
		cap *= 2;
	if (cap > STATE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	if (cap != g->state_cap) {
		p = realloc(g->state, cap);
		if (!p)
			return CS_ERR_NOMEM;
		g->state = p;
		g->state_cap = cap;
	}
	p = g->state + g->state_len;
	put_u32be(p, (uint32_t)key_len);
	put_u32be(p + 4, (uint32_t)value_len);
	memcpy(p + 8, key, key_len);
	memcpy(p + 8 + key_len, value, value_len);
	g->state_len = need;
	return 0;
}

static int give_begin(struct giving *g, struct store_view *v)
{
	int err = store_view_state_index(v, &g->state_index, &g->state_term);

	g->state_len = 0;
	if (!err)
		err = store_view_each_state(v, copy_record, g);
	put_u64be(g->chunk, g->state_index);
	put_u64be(g->chunk + 8, g->state_term);
	put_u64be(g->chunk + 16, g->state_len);
	g->chunk_len = BEGIN_SIZE;
	return err;
}

static int give_state(struct giving *g)
{
	if (g->asked.from > g->state_len)
		return CS_ERR_INVALID;
	uint64_t left = g->state_len - g->asked.from;
	g->chunk_len = left < CHUNK_SIZE ? (size_t)left : CHUNK_SIZE;
	if (g->chunk_len)
		memcpy(g->chunk, g->state + g->asked.from, g->chunk_len);
	return 0;
}

static int give_entries(struct giving *g, struct store_view *v)
{
	g->chunk_len = 0;
	for (uint64_t i = 0; i < g->asked.count; i++) {
		const void *leaf, *body = "";
		size_t leaf_len, body_len = 0;
		int err = store_view_entry(v, g->asked.from + i, &leaf, &leaf_len);
		if (err == CS_ERR_NOT_FOUND)
			return 0;
		if (!err)
			err = store_view_body(v, g->asked.from + i, &body, &body_len);
		if (err && err != CS_ERR_ERASED)
			return err;
		if (CHUNK_SIZE - g->chunk_len < 8 + leaf_len + body_len && g->chunk_len)
			return 0;
		put_u32be(g->chunk + g->chunk_len, (uint32_t)leaf_len);
		put_u32be(g->chunk + g->chunk_len + 4, (uint32_t)body_len);
		memcpy(g->chunk + g->chunk_len + 8, leaf, leaf_len);
		memcpy(g->chunk + g->chunk_len + 8 + leaf_len, body, body_len);
		g->chunk_len += 8 + leaf_len + body_len;
	}
	return 0;
}

/* On a worker thread: the store may have to be read from the disk. */
static void give(uv_work_t *work)
{
	struct giving *g = work->data;
	struct store_view *v;

	g->err = store_view_open(g->core->o.store, &v);
	if (g->err)
		return;
	if (g->asked.kind == KIND_BEGIN)
		g->err = give_begin(g, v);
	else if (g->asked.kind == KIND_STATE)
		g->err = give_state(g);
	else
		g->err = give_entries(g, v);
	store_view_close(v);
}

static void given(uv_work_t *work, int status)
{
	struct giving *g = work->data;
	struct core *c = g->core;
	struct frame f = {
	        .type = FRAME_CHUNK,
	        .chunk = {.kind = g->asked.kind, .from = g->asked.from, .bytes = g->chunk, .len = g->chunk_len}};

	g->busy = false;
	c->givings_busy--;
	if (status || c->stopping)
		return;
	if (g->err) {
		log_warning("catch-up: cannot give kind=%u from=%" PRIu64 " to=%" PRIu64 ": %s", g->asked.kind,
		            g->asked.from, g->to, err_text(g->err));
		return;
	}
	peers_send(c, g->to, &f);
	if (g->asked.kind == KIND_STATE && g->asked.from + g->chunk_len == g->state_len) {
		free(g->state); /* All of it has been sent; whoever lost a piece begins again. */
		g->state = NULL;
		g->state_cap = g->state_len = 0;
	}
}

static struct giving *giving_to(struct core *c, uint64_t to)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		struct giving *g = c->givings[i];
		if (g && (g->to == to || (!g->busy && !members_find(c, g->to)))) {
			g->to = to; /* Perhaps in the place of a node that was removed. */
			return g;
		}
		if (g)
			continue;
		g = calloc(1, sizeof *g);
		if (g)
			g->chunk = malloc(CHUNK_SIZE + 8 + LIMIT_ENTRY_SIZE_MAX + LIMIT_BODY_SIZE_MAX);
		if (!g || !g->chunk)
			core_fatal(c, "out of memory");
		g->core = c;
		g->to = to;
		g->work.data = g;
		c->givings[i] = g;
		return g;
	}
	return NULL;
}

void catchup_fetch(struct core *c, uint64_t from, const struct frame_fetch *f)
{
	struct giving *g = giving_to(c, from);

	if (!g || g->busy || f->kind < KIND_BEGIN || f->kind > KIND_ENTRIES)
		return; /* One at a time; it asks again. */
	g->asked = *f;
	g->busy = true;
	c->givings_busy++;
	if (uv_queue_work(&c->loop, &g->work, give, given))
		core_fatal(c, "cannot queue work");
}

/* --- taking --- */

enum phase { IDLE, BEGUN, STATE, ENTRIES, STORING, READY };

struct taking {
	enum phase phase;
	uint64_t from;     /* The leader we ask. */
	raft_index wanted; /* Of the snapshot that waits for this. */
	uint64_t heard_ns;
	uint64_t state_index, state_term;
	uint8_t *bytes; /* The state's records as they came. */
	uint64_t len, got;
	struct state *state;
	struct state_head head;
	uint64_t next; /* Entry to ask for next. */
	uint64_t began_ns, entries;
	bool paused; /* The writer is behind. */
};

struct taking *catchup_new(void)
{
	return calloc(1, sizeof(struct taking));
}

static void ask(struct core *c, unsigned kind, uint64_t from, uint32_t count)
{
	struct frame f = {.type = FRAME_FETCH, .fetch = {.kind = (uint8_t)kind, .from = from, .count = count}};

	c->taking->heard_ns = clock_mono_ns();
	peers_send(c, c->taking->from, &f);
}

static void forget(struct core *c)
{
	struct taking *t = c->taking;

	free(t->bytes);
	state_free(t->state);
	memset(t, 0, sizeof *t);
}

static void begin(struct core *c, raft_index wanted)
{
	raft_id leader;
	const char *address;

	forget(c);
	raft_leader(&c->raft, &leader, &address);
	if (!leader || leader == c->id)
		return;
	c->taking->phase = BEGUN;
	c->taking->from = leader;
	c->taking->wanted = wanted;
	c->taking->began_ns = clock_mono_ns();
	log_info("catch-up: fetching from=%llu size=%" PRIu64, leader, ledger_writer_stored_size(c->writer));
	ask(c, KIND_BEGIN, 0, 0);
}

/*
 * The state with which this node has started may reach further than its log: fetched before a crash. It only has to be
 * synced, since what was found in the file can still be undone (MDB_NOMETASYNC).
 */
static bool here_since_start(struct core *c, raft_index last_index)
{
	struct state_block *b;
	uint64_t index, term;

	if (c->o.state_index < last_index || c->o.state_index != c->state_stored)
		return false;
	if (ledger_writer_state_index(c->writer) >= last_index || c->state_synced)
		return true;
	if (store_view_state_index(c->view, &index, &term) || index != c->o.state_index ||
	    !(b = state_block_new(index, term)))
		core_fatal(c, "catch-up: the stored state cannot be read");
	ledger_writer_push_state(c->writer, b, true);
	c->state_synced = true;
	return true;
}

bool catchup_ready(struct core *c, raft_index last_index)
{
	struct taking *t = c->taking;

	if (here_since_start(c, last_index))
		return ledger_writer_state_index(c->writer) >= last_index;
	if (t->phase == READY && t->state_index >= last_index)
		return true;
	if (t->phase == IDLE || t->phase == READY)
		begin(c, last_index);
	return false;
}

static int load_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return state_load(ctx, key, key_len, value, value_len);
}

static void take_begin(struct core *c, const struct frame_chunk *ch)
{
	struct taking *t = c->taking;

	if (t->phase != BEGUN || ch->len != BEGIN_SIZE)
		return;
	t->state_index = get_u64be(ch->bytes);
	t->state_term = get_u64be(ch->bytes + 8);
	t->len = get_u64be(ch->bytes + 16);
	if (t->len > STATE_SIZE_MAX || !(t->bytes = malloc(t->len + 1))) {
		log_error("catch-up: a state of %" PRIu64 " bytes is refused", t->len);
		forget(c);
		return;
	}
	if (t->state_index <= c->pushed_index) {
		forget(c); /* Another leader has brought more through Raft meanwhile. */
		return;
	}
	t->phase = STATE;
	ask(c, KIND_STATE, 0, 0);
}

static void ask_entries(struct core *c)
{
	struct taking *t = c->taking;
	uint64_t left = t->head.size > t->next ? t->head.size - t->next : 0;

	ask(c, KIND_ENTRIES, t->next, left < FRAME_FETCH_COUNT_MAX ? (uint32_t)left : FRAME_FETCH_COUNT_MAX);
}

/* All entries are with the writer: now the state, in one transaction that replaces what is there. */
static int delete_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	(void)value, (void)value_len;
	return state_block_add(ctx, key, key_len, NULL, 0);
}

static void store_fetched(struct core *c)
{
	struct taking *t = c->taking;
	struct entries *b;
	struct state_block *block;

	if (t->state_index <= c->pushed_index || t->next != c->pushed_size) {
		forget(c);
		return;
	}
	b = entries_new(t->state_index, t->state_term, t->next, 0);
	block = state_block_new(t->state_index, t->state_term);
	if (!b || !block)
		core_fatal(c, "out of memory");
	b->fetched = true;
	ledger_writer_push(c->writer, b);
	if (store_each_state(c->o.store, delete_record, block) ||
	    catchup_each_record(t->bytes, t->len, state_block_add, block))
		core_fatal(c, "catch-up: the fetched state cannot be stored");
	ledger_writer_push_state(c->writer, block, true);
	/* Until the swap the core stands further back than the store: what comes through Raft up to here is compared.
	 */
	c->pushed_index = c->applied_at_start = c->state_stored = t->state_index;
	t->phase = STORING;
}

static void take_state(struct core *c, const struct frame_chunk *ch)
{
	struct taking *t = c->taking;

	if (t->phase != STATE || ch->from != t->got || ch->len > t->len - t->got || (ch->len == 0 && t->got < t->len))
		return;
	memcpy(t->bytes + t->got, ch->bytes, ch->len);
	t->got += ch->len;
	if (t->got < t->len) {
		ask(c, KIND_STATE, t->got, 0);
		return;
	}
	if (state_new(NULL, &t->state))
		core_fatal(c, "out of memory");
	int err = catchup_each_record(t->bytes, t->len, load_record, t->state);
	if (err == CS_ERR_VERSION)
		core_outdated(state_newer_text(t->state));
	if (err || state_loaded(t->state) || state_roster_genesis(t->state, c->o.genesis, c->o.genesis_len)) {
		log_error("catch-up: the state that came is damaged from=%" PRIu64, t->from);
		forget(c);
		return;
	}
	state_head(t->state, &t->head);
	/* What we have applied is stored first, so that fetched entries follow it. */
	apply_hand_over(c);
	t->phase = ENTRIES;
	t->next = c->pushed_size;
	if (t->next >= t->head.size)
		store_fetched(c);
	else
		ask_entries(c);
}

static void take_entries(struct core *c, const struct frame_chunk *ch)
{
	struct taking *t = c->taking;
	const uint8_t *p = ch->bytes;
	size_t left = ch->len;
	struct catchup_entry e;
	struct entries *b;

	if (t->phase != ENTRIES || ch->from != t->next || ch->len == 0)
		return;
	if (t->next != c->pushed_size) {
		forget(c); /* As in take_begin. */
		return;
	}
	b = entries_new(0, 0, t->next, CHUNK_SIZE / 8);
	while (b && b->n < b->n_max && t->next < t->head.size && catchup_take_entry(&p, &left, &e)) {
		struct hash h;
		hash_leaf(&h, e.leaf, e.leaf_len);
		if (entries_add(b, e.leaf, e.leaf_len, e.body, e.body_len, &h))
			core_fatal(c, "out of memory");
		t->next++;
		t->entries++;
	}
	if (!b)
		core_fatal(c, "out of memory");
	entries_seal(b);
	b->fetched = true;
	c->pushed_size = c->stored_at_start = t->next;
	ledger_writer_push(c->writer, b);
	if (t->next >= t->head.size)
		store_fetched(c);
	else if (room_for(c, BACKLOG_BYTES_MAX / 4))
		ask_entries(c);
	else
		t->paused = true; /* Until the writer has stored some: memory stays bounded. */
}

void catchup_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch)
{
	struct taking *t = c->taking;

	if (t->phase == IDLE || from != t->from)
		return;
	t->heard_ns = clock_mono_ns();
	if (ch->kind == KIND_BEGIN)
		take_begin(c, ch);
	else if (ch->kind == KIND_STATE)
		take_state(c, ch);
	else if (ch->kind == KIND_ENTRIES)
		take_entries(c, ch);
}

void catchup_stored(struct core *c)
{
	struct taking *t = c->taking;

	if (t->paused && room_for(c, BACKLOG_BYTES_MAX / 4)) {
		t->paused = false;
		ask_entries(c);
	}
	if (t->phase == STORING && ledger_writer_state_index(c->writer) >= t->state_index) {
		t->phase = READY;
		log_info("catch-up: stored entries=%" PRIu64 " size=%" PRIu64 " raft_index=%" PRIu64 " ms=%" PRIu64,
		         t->entries, t->head.size, t->state_index, (clock_mono_ns() - t->began_ns) / NS_PER_MS);
	}
}

void catchup_beat(struct core *c)
{
	struct taking *t = c->taking;
	bool stored = t->phase == READY || t->phase == STORING;

	/* A new leader may give by entries what the one before began to give by a snapshot. */
	if (t->phase != IDLE && raft_last_applied(&c->raft) >= (stored ? t->state_index : t->wanted))
		forget(c);
	if (t->phase == IDLE || stored || t->paused)
		return;
	if (clock_mono_ns() - t->heard_ns >= RETRY_NS)
		begin(c, t->wanted);
}

bool catchup_swap(struct core *c, raft_index index, uint64_t size, const struct hash *root)
{
	struct tree_tiles tiles = {.read = core_tile_read, .ctx = c};
	struct taking *t = c->taking;
	struct tree *tree;
	struct hash got;
	const void *leaf;
	size_t len;

	if (t->phase != READY || t->state_index < index || t->head.size < size)
		return false;
	if (store_view_renew(c->view) || tree_new(&tiles, &tree) || tree_load(tree, t->head.size) ||
	    tree_root_at(tree, size, &got) || store_view_entry(c->view, t->head.size - 1, &leaf, &len))
		core_fatal(c, "catch-up: the fetched entries cannot be read back");
	if (!hash_equal(&got, root))
		core_halt(c->o.settings->data_path, "catch-up: the fetched entries do not have the snapshot's root");
	hash_leaf(&got, leaf, len);
	if (!hash_equal(&got, &t->head.last_leaf))
		core_halt(c->o.settings->data_path, "catch-up: the fetched state is not of the fetched entries");
	tree_free(c->tree);
	state_free(c->state);
	c->tree = tree;
	c->state = t->state;
	t->state = NULL;
	c->o.state_index = t->state_index;
	c->principals_changed = c->roster_changed = true;
	log_info("catch-up: whole again size=%" PRIu64 " raft_index=%" PRIu64, t->head.size, t->state_index);
	forget(c);
	return true;
}

void catchup_close(struct core *c)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		if (!c->givings[i])
			continue;
		assert(!c->givings[i]->busy);
		free(c->givings[i]->state);
		free(c->givings[i]->chunk);
		free(c->givings[i]);
	}
	forget(c);
	free(c->taking);
}
