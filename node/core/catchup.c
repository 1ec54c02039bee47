/* Catch-up's taking side: state and entries from the leader, checked, stored here, and then swapped in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/catchup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/multiset.h"
#include "node/core/catchup_bytes.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define RETRY_NS UINT64_C(2000000000) /* Nothing came for so long: ask again from the start. */
/*
 * 100,000 subjects of 1 KiB, half a million answers of 70 bytes, open challenges' 64 MiB of requests: what a full state
 * comes to. It is held once, beside the tables that it fills.
 */
#define STATE_SIZE_MAX (UINT64_C(256) << 20)

enum phase { IDLE, BEGUN, STATE, ENTRIES, STORING };

struct taking {
	enum phase phase;
	uint64_t from;     /* The leader we ask. */
	raft_index wanted; /* Of the snapshot that waits for this. */
	struct snapshot snapshot;
	uint64_t heard_ns;
	uint64_t state_index, state_term;
	struct hash told; /* The state's digest, as the leader says. */
	bool has_told;
	uint64_t len, got; /* Of the state: bytes in all, and those that came. */
	uint8_t *piece;    /* What came of them and is not yet taken: PIECE_CAP bytes. */
	size_t piece_len;
	uint8_t last_key[8 + CATCHUP_RECORD_SIZE_MAX];
	size_t last_key_len;
	struct multiset sum;
	struct hash digest; /* Of what came. */
	struct state *state;
	struct state_block *block; /* The state's records as they came, for the writer. */
	struct state_head head;
	uint64_t next; /* Entry to ask for next. */
	uint64_t began_ns, entries;
	bool paused; /* The writer is behind. */
};

#define PIECE_CAP (FRAME_CHUNK_SIZE_MAX + CATCHUP_RECORD_SIZE_MAX)

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

	free(t->piece);
	state_free(t->state);
	state_block_free(t->block);
	memset(t, 0, sizeof *t);
}

static void begin(struct core *c, raft_index wanted, struct snapshot snapshot)
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
	c->taking->snapshot = snapshot;
	c->taking->began_ns = clock_mono_ns();
	log_info("catch-up: fetching from=%llu size=%" PRIu64, leader, ledger_writer_stored_size(c->writer));
	ask(c, CATCHUP_BEGIN, 0, 1);
}

raft_index catchup_reached(const struct core *c)
{
	raft_index applied = raft_last_applied((struct raft *)&c->raft);

	return c->o.state_index > applied ? c->o.state_index : applied;
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
	if (c->state_synced)
		return true;
	if (store_view_state_index(c->view, &index, &term) || index != c->o.state_index ||
	    !(b = state_block_new(index, term)))
		core_fatal(c, "catch-up: the stored state cannot be read");
	ledger_writer_push_state(c->writer, b, true);
	c->state_synced = true;
	return true;
}

bool catchup_ready(struct core *c, raft_index last_index, const struct snapshot *s)
{
	if (catchup_reached(c) >= last_index && ledger_writer_state_index(c->writer) >= last_index)
		return true;
	if (!here_since_start(c, last_index) && c->taking->phase == IDLE)
		begin(c, last_index, *s);
	return false;
}

static bool take_new(struct core *c)
{
	struct taking *t = c->taking;

	if (t->len > STATE_SIZE_MAX)
		return false;
	t->piece = malloc(PIECE_CAP);
	t->block = state_block_new(t->state_index, t->state_term);
	if (!t->piece || !t->block || state_block_reserve(t->block, t->len) || state_new(NULL, &t->state))
		core_fatal(c, "out of memory");
	return true;
}

/* Another leader has brought more through Raft meanwhile, or another fetch has. */
static bool overtaken(const struct core *c)
{
	return c->taking->state_index <= raft_last_applied((struct raft *)&c->raft) ||
	       c->taking->state_index < c->state_stored;
}

static void take_begin(struct core *c, const struct frame_chunk *ch)
{
	struct taking *t = c->taking;

	if (t->phase != BEGUN || (ch->len != CATCHUP_BEGIN_SIZE && ch->len != CATCHUP_BEGIN_SIZE_1))
		return;
	t->state_index = get_u64be(ch->bytes);
	t->state_term = get_u64be(ch->bytes + 8);
	t->len = get_u64be(ch->bytes + 16);
	t->has_told = ch->len == CATCHUP_BEGIN_SIZE;
	if (t->has_told)
		memcpy(t->told.b, ch->bytes + CATCHUP_BEGIN_SIZE_1, HASH_SIZE);
	if (overtaken(c)) {
		forget(c);
		return;
	}
	if (!take_new(c)) {
		log_error("catch-up: a state of %" PRIu64 " bytes is refused", t->len);
		forget(c);
		return;
	}
	t->phase = STATE;
	ask(c, CATCHUP_STATE, 0, 0);
}

static void ask_entries(struct core *c)
{
	struct taking *t = c->taking;
	uint64_t left = t->head.size > t->next ? t->head.size - t->next : 0;

	ask(c, CATCHUP_ENTRIES, t->next, left < FRAME_FETCH_COUNT_MAX ? (uint32_t)left : FRAME_FETCH_COUNT_MAX);
}

/* Until the swap the core stands further back than the store: what comes through Raft up to here is compared. */
static void push_fetched_index(struct core *c)
{
	struct taking *t = c->taking;
	struct entries *b = entries_new(t->state_index, t->state_term, t->next, 0);

	if (!b)
		core_fatal(c, "out of memory");
	b->fetched = true;
	ledger_writer_push(c->writer, b);
	c->pushed_index = c->applied_at_start = t->state_index;
}

/* All entries are with the writer: now the state, in one transaction that replaces what is there by then. */
static void store_fetched(struct core *c)
{
	struct taking *t = c->taking;

	if (overtaken(c) || t->next != c->pushed_size) {
		forget(c);
		return;
	}
	apply_finish_take(c); /* States reach the writer in the order of their indexes. */
	/* A fetch that a crash cut off between its entries and its state may have brought the store further already. */
	if (t->state_index > c->pushed_index)
		push_fetched_index(c);
	t->block->whole = true;
	ledger_writer_push_state(c->writer, t->block, true);
	t->block = NULL;
	c->state_stored = t->state_index;
	t->phase = STORING;
}

/* In the order of their keys, each once: what is summed is what will be stored. */
static int take_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct taking *t = ctx;
	size_t common = key_len < t->last_key_len ? key_len : t->last_key_len;
	int order = memcmp(key, t->last_key, common), err;

	if (key_len == 0 || value_len == 0 || order < 0 || (order == 0 && key_len <= t->last_key_len))
		return CS_ERR_MALFORMED;
	memcpy(t->last_key, key, key_len);
	t->last_key_len = key_len;
	multiset_add(&t->sum, *(const uint8_t *)key, value, value_len);
	err = state_load(t->state, key, key_len, value, value_len);
	return err ? err : state_block_add(t->block, key, key_len, value, value_len);
}

static int take_piece(struct taking *t, const struct frame_chunk *ch)
{
	size_t whole;
	int err;

	memcpy(t->piece + t->piece_len, ch->bytes, ch->len); /* What was left of the one before is below a record. */
	t->piece_len += ch->len;
	t->got += ch->len;
	err = catchup_whole_records(t->piece, t->piece_len, &whole);
	if (!err)
		err = catchup_each_record(t->piece, whole, take_record, t);
	if (err)
		return err;
	t->piece_len -= whole;
	memmove(t->piece, t->piece + whole, t->piece_len);
	return t->got == t->len && t->piece_len ? CS_ERR_MALFORMED : 0;
}

/* The state is here, whole: is it what it is said to be? */
static int check_state(struct core *c)
{
	struct taking *t = c->taking;
	int err = state_loaded(t->state);

	multiset_digest(&t->sum, &t->digest);
	if (!err && t->has_told && !hash_equal(&t->told, &t->digest))
		err = CS_ERR_DAMAGED;
	if (!err)
		err = state_roster_genesis(t->state, c->o.genesis, c->o.genesis_len);
	if (!err && t->snapshot.index == t->state_index && snapshot_has_digest(&t->snapshot) &&
	    !hash_equal(&t->snapshot.digest, &t->digest))
		core_halt(c->o.settings->data_path, "catch-up: the leader's state is not that of its snapshot");
	return err;
}

static void take_state(struct core *c, const struct frame_chunk *ch)
{
	struct taking *t = c->taking;
	int err;

	if (t->phase != STATE || ch->from != t->got || ch->len > t->len - t->got || (ch->len == 0 && t->got < t->len))
		return;
	err = take_piece(t, ch);
	if (!err && t->got < t->len) {
		ask(c, CATCHUP_STATE, t->got, 0);
		return;
	}
	if (!err)
		err = check_state(c);
	if (err == CS_ERR_NOMEM)
		core_fatal(c, "out of memory");
	if (err == CS_ERR_VERSION)
		core_outdated(state_newer_text(t->state));
	if (err) {
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
	b = entries_new(0, 0, t->next, CATCHUP_CHUNK_SIZE / 8);
	while (b && b->n < b->n_max && t->next < t->head.size && catchup_take_entry(&p, &left, &e)) {
		struct hash h;
		hash_leaf(&h, e.leaf, e.leaf_len);
		if (entries_add(b, e.leaf, e.leaf_len, e.body, e.body_len, &h))
			core_fatal(c, "out of memory");
		for (unsigned i = 0; i < e.n_erasures; i++) {
			struct store_erasure erased = catchup_erasure(&e, i, t->next);
			if (entries_erased(b, &erased))
				core_fatal(c, "out of memory");
		}
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

	if (ch->kind == CATCHUP_DIGEST) {
		digest_told(c, from, ch);
		return;
	}
	if (ch->kind == CATCHUP_ERASED) {
		erase_told(c, from, ch);
		return;
	}
	if (t->phase == IDLE || from != t->from)
		return;
	t->heard_ns = clock_mono_ns();
	if (ch->kind == CATCHUP_BEGIN)
		take_begin(c, ch);
	else if (ch->kind == CATCHUP_STATE)
		take_state(c, ch);
	else if (ch->kind == CATCHUP_ENTRIES)
		take_entries(c, ch);
}

/*
 * The fetched state in the place of ours. From when it is with the writer on, ours is not written back any more: what
 * the two hold is the same, but not in which slots.
 */
static void adopt(struct core *c)
{
	struct taking *t = c->taking;

	assert(!c->take.block);
	state_free(c->state);
	c->state = t->state;
	t->state = NULL;
	c->o.state_index = t->state_index;
	c->principals_changed = c->roster_changed = true;
}

/* Raft has come as far as what was fetched. */
static void adopt_here(struct core *c)
{
	struct taking *t = c->taking;
	struct state_head head;

	state_head(c->state, &head);
	if (head.size != t->head.size || !hash_equal(&head.last_leaf, &t->head.last_leaf))
		core_halt(c->o.settings->data_path, "catch-up: the fetched state is not of the entries that are here");
	adopt(c);
}

void catchup_before(struct core *c, raft_index index)
{
	struct taking *t = c->taking;

	if (t->phase == STORING && t->state && index > t->state_index)
		adopt_here(c);
}

/* All is stored, and Raft has not come so far: on from there, as after a restart. */
static void swap(struct core *c)
{
	struct tree_tiles tiles = {.read = core_tile_read, .ctx = c};
	struct taking *t = c->taking;
	struct tree *tree;
	struct hash got;
	const void *leaf;
	size_t len;

	if (store_view_renew(c->view) || tree_new(&tiles, &tree) || tree_load(tree, t->head.size) ||
	    store_view_entry(c->view, t->head.size - 1, &leaf, &len))
		core_fatal(c, "catch-up: the fetched entries cannot be read back");
	hash_leaf(&got, leaf, len);
	if (!hash_equal(&got, &t->head.last_leaf))
		core_halt(c->o.settings->data_path, "catch-up: the fetched state is not of the fetched entries");
	/* What another leader gives may be older than the snapshot: then the next fetch's is held against it. */
	if (t->head.size >= t->snapshot.size &&
	    (tree_root_at(tree, t->snapshot.size, &got) || !hash_equal(&got, &t->snapshot.root)))
		core_halt(c->o.settings->data_path, "catch-up: the fetched entries do not have the snapshot's root");
	tree_free(c->tree);
	c->tree = tree;
	adopt(c);
}

static void take_over(struct core *c)
{
	struct taking *t = c->taking;
	struct hash stored;

	if (ledger_writer_state_digest(c->writer, t->state_index, &stored) && !hash_equal(&stored, &t->digest))
		core_halt(c->o.settings->data_path, "catch-up: the state was stored otherwise than it came");
	apply_deferred(c);
	apply_hand_over(c);
	if (t->state && raft_last_applied(&c->raft) < t->state_index)
		swap(c);
	else if (t->state)
		adopt_here(c);
	log_info("catch-up: whole again entries=%" PRIu64 " size=%" PRIu64 " raft_index=%" PRIu64 " ms=%" PRIu64,
	         t->entries, t->head.size, t->state_index, (clock_mono_ns() - t->began_ns) / NS_PER_MS);
	forget(c);
}

void catchup_stored(struct core *c)
{
	struct taking *t = c->taking;

	if (t->paused && room_for(c, BACKLOG_BYTES_MAX / 4)) {
		t->paused = false;
		ask_entries(c);
	}
	if (t->phase == STORING && ledger_writer_state_index(c->writer) >= t->state_index)
		take_over(c);
}

void catchup_beat(struct core *c)
{
	struct taking *t = c->taking;

	catchup_give_beat(c);
	if (t->phase == IDLE || t->phase == STORING)
		return;
	/* A new leader may give by entries what the one before began to give by a snapshot. */
	if (raft_last_applied(&c->raft) >= t->wanted)
		forget(c);
	else if (!t->paused && clock_mono_ns() - t->heard_ns >= RETRY_NS)
		begin(c, t->wanted, t->snapshot);
}

void catchup_close(struct core *c)
{
	catchup_give_close(c);
	forget(c);
	free(c->taking);
}
