/* Refetching: state and entries by catch-up's questions, checked, and stored before anything else writes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/refetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/multiset.h"
#include "node/core/catchup_bytes.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define ROUND_MS       200
#define PATIENCE_NS    (2 * NS_PER_S)        /* Then somebody else is asked. */
#define WORDS_NS       (5 * NS_PER_S)        /* The log says what is waited for. */
#define STATE_SIZE_MAX (UINT64_C(256) << 20) /* As catch-up's. */

struct refetch {
	enum { ASKING, STATE, ENTRIES } phase;
	uint64_t from, heard_ns, words_ns;
	unsigned turn;
	uint64_t index, term, len, got; /* Of the state that is being given. */
	struct hash told;
	bool has_told;
	uint8_t *piece; /* What came of it and is not yet taken. */
	size_t piece_len;
	uint8_t last_key[CATCHUP_RECORD_SIZE_MAX];
	size_t last_key_len;
	struct multiset sum;
	struct state *state;
	struct state_block *block;
	struct state_head head;
	uint64_t next;    /* Entry to ask for next, */
	struct hash last; /* and the leaf hash of the one before it. */
	bool ended;
	int err;
};

static void forget(struct refetch *r)
{
	free(r->piece);
	state_free(r->state);
	state_block_free(r->block);
	r->piece = NULL;
	r->state = NULL;
	r->block = NULL;
	r->phase = ASKING;
	r->from = 0;
}

static void end(struct core *c, int err)
{
	c->refetch->err = err;
	c->refetch->ended = true;
	uv_stop(&c->loop);
}

static void ask(struct core *c, unsigned kind, uint64_t from, uint32_t count)
{
	struct frame f = {.type = FRAME_FETCH, .fetch = {.kind = (uint8_t)kind, .from = from, .count = count}};

	c->refetch->heard_ns = clock_mono_ns();
	peers_send(c, c->refetch->from, &f);
}

/* --- the state --- */

static void take_begin(struct core *c, const struct frame_chunk *ch)
{
	struct refetch *r = c->refetch;
	uint64_t least = disk_snapshot_index(c->log), lost = store_state_index(c->o.store);

	if (ch->len != CATCHUP_BEGIN_SIZE && ch->len != CATCHUP_BEGIN_SIZE_1)
		return;
	r->index = get_u64be(ch->bytes);
	r->term = get_u64be(ch->bytes + 8);
	r->len = get_u64be(ch->bytes + 16);
	r->has_told = ch->len == CATCHUP_BEGIN_SIZE;
	if (r->has_told)
		memcpy(r->told.b, ch->bytes + CATCHUP_BEGIN_SIZE_1, HASH_SIZE);
	if (r->index < least || r->index < lost || r->len == 0 || r->len > STATE_SIZE_MAX) {
		forget(r); /* It writes its state back every few seconds: later, or another's. */
		return;
	}
	r->piece = malloc(FRAME_CHUNK_SIZE_MAX + CATCHUP_RECORD_SIZE_MAX);
	r->block = state_block_new(r->index, r->term);
	if (!r->piece || !r->block || state_new(NULL, &r->state)) {
		end(c, CS_ERR_NOMEM);
		return;
	}
	memset(&r->sum, 0, sizeof r->sum);
	r->got = r->piece_len = r->last_key_len = 0;
	r->phase = STATE;
	ask(c, CATCHUP_STATE, 0, 0);
}

/* In the order of their keys, each once: what is summed is what will be stored. */
static int take_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct refetch *r = ctx;
	size_t common = key_len < r->last_key_len ? key_len : r->last_key_len;
	int order = memcmp(key, r->last_key, common), err;

	if (key_len == 0 || value_len == 0 || order < 0 || (order == 0 && key_len <= r->last_key_len))
		return CS_ERR_MALFORMED;
	memcpy(r->last_key, key, key_len);
	r->last_key_len = key_len;
	multiset_add(&r->sum, *(const uint8_t *)key, value, value_len);
	err = state_load(r->state, key, key_len, value, value_len);
	return err ? err : state_block_add(r->block, key, key_len, value, value_len);
}

static int take_piece(struct refetch *r, const struct frame_chunk *ch)
{
	size_t whole;
	int err;

	memcpy(r->piece + r->piece_len, ch->bytes, ch->len);
	r->piece_len += ch->len;
	r->got += ch->len;
	err = catchup_whole_records(r->piece, r->piece_len, &whole);
	if (!err)
		err = catchup_each_record(r->piece, whole, take_record, r);
	if (err)
		return err;
	r->piece_len -= whole;
	memmove(r->piece, r->piece + whole, r->piece_len);
	return r->got == r->len && r->piece_len ? CS_ERR_MALFORMED : 0;
}

static int check_state(struct core *c)
{
	struct refetch *r = c->refetch;
	struct hash digest;
	int err = state_loaded(r->state);

	multiset_digest(&r->sum, &digest);
	if (!err && r->has_told && !hash_equal(&r->told, &digest))
		err = CS_ERR_DAMAGED;
	return err ? err : state_roster_genesis(r->state, c->o.genesis, c->o.genesis_len);
}

/* --- the entries up to it --- */

/* The leaf hash of the entry before `next`, as it stands in the tree. */
static int hash_before(struct core *c, uint64_t next, struct hash *ret)
{
	struct hash tile[TREE_TILE_WIDTH];
	struct tree_tiles tiles;
	unsigned at = (unsigned)((next - 1) % TREE_TILE_WIDTH);

	if (next == 0) {
		memset(ret, 0, sizeof *ret);
		return 0;
	}
	int err = store_view_renew(c->view);
	store_view_tiles_checked(c->view, &tiles);
	if (!err)
		err = tiles.read(tiles.ctx, 0, (next - 1) / TREE_TILE_WIDTH, at + 1, tile);
	if (!err)
		*ret = tile[at];
	return err;
}

static int store_all(struct core *c)
{
	struct refetch *r = c->refetch;
	struct store_head stored;
	uint8_t value[8];
	int err = store_begin(c->o.store);

	store_head(c->o.store, &stored);
	put_u64be(value, r->index);
	if (!err && r->index > stored.applied_index) {
		err = store_applied(c->o.store, r->index, r->term);
		if (!err)
			err = store_put_meta(c->o.store, WRITER_META_FETCHED, value, sizeof value);
	}
	if (!err)
		err = store_commit(c->o.store);
	if (err)
		return err;
	state_block_seal(r->block);
	err = store_replace_state(c->o.store, r->block->records, r->block->n, r->index, r->term);
	return err ? err : store_sync(c->o.store);
}

/* The entries lead from what is here to what the state says: by their own chain. */
static void finish(struct core *c)
{
	struct refetch *r = c->refetch;
	struct hash last;
	int err = hash_before(c, r->head.size, &last);

	if (err || !hash_equal(&last, &r->head.last_leaf)) {
		log_error("refetch: the state that came is not of the entries that are here from=%" PRIu64, r->from);
		forget(r);
		return;
	}
	err = store_all(c);
	if (!err) {
		state_free(c->state);
		c->state = r->state;
		r->state = NULL;
		c->o.state_index = r->index;
		log_warning("the state is here again: from=%" PRIu64 " raft_index=%" PRIu64 " size=%" PRIu64, r->from,
		            r->index, r->head.size);
	}
	end(c, err);
}

static void ask_entries(struct core *c)
{
	struct refetch *r = c->refetch;
	uint64_t left = r->head.size - r->next;

	ask(c, CATCHUP_ENTRIES, r->next, left < FRAME_FETCH_COUNT_MAX ? (uint32_t)left : FRAME_FETCH_COUNT_MAX);
}

static void take_state(struct core *c, const struct frame_chunk *ch)
{
	struct refetch *r = c->refetch;
	struct store_head stored;
	int err;

	if (ch->from != r->got || ch->len > r->len - r->got || ch->len == 0)
		return;
	err = take_piece(r, ch);
	if (!err && r->got < r->len) {
		ask(c, CATCHUP_STATE, r->got, 0);
		return;
	}
	if (!err)
		err = check_state(c);
	if (err == CS_ERR_VERSION)
		core_outdated(state_newer_text(r->state));
	if (err) {
		log_error("refetch: the state that came is damaged from=%" PRIu64 ": %s", r->from, err_text(err));
		forget(r);
		return;
	}
	state_head(r->state, &r->head);
	store_head(c->o.store, &stored);
	r->next = stored.size;
	r->phase = ENTRIES;
	if (r->next >= r->head.size)
		finish(c);
	else if (hash_before(c, r->next, &r->last))
		end(c, CS_ERR_DAMAGED);
	else
		ask_entries(c);
}

/* One that follows the one before it, in the open transaction. */
static int take_entry(struct core *c, const struct catchup_entry *in)
{
	struct refetch *r = c->refetch;
	struct store_entry e = {.leaf = in->leaf,
	                        .body = in->body,
	                        .leaf_len = (uint32_t)in->leaf_len,
	                        .body_len = (uint32_t)in->body_len};
	struct entry leaf;

	if (entry_decode(&leaf, in->leaf, in->leaf_len) || leaf.index != r->next || !hash_equal(&leaf.prev, &r->last))
		return CS_ERR_REFUTED;
	hash_leaf(&e.leaf_hash, in->leaf, in->leaf_len);
	int err = store_append(c->o.store, r->next, &e, 1);
	if (err)
		return err;
	r->last = e.leaf_hash;
	r->next++;
	return 0;
}

static void take_entries(struct core *c, const struct frame_chunk *ch)
{
	struct refetch *r = c->refetch;
	const uint8_t *p = ch->bytes;
	size_t left = ch->len;
	struct catchup_entry e;
	int err;

	if (ch->from != r->next || ch->len == 0)
		return;
	err = store_begin(c->o.store);
	while (!err && r->next < r->head.size && catchup_take_entry(&p, &left, &e))
		err = take_entry(c, &e);
	if (err == CS_ERR_REFUTED) {
		store_abort(c->o.store);
		log_error("refetch: entries that came do not follow those that are here from=%" PRIu64, r->from);
		forget(r);
		return;
	}
	if (!err)
		err = store_commit(c->o.store);
	if (err)
		end(c, err);
	else if (r->next >= r->head.size)
		finish(c);
	else
		ask_entries(c);
}

/* --- the loop --- */

void refetch_frame(struct core *c, uint64_t from, const struct frame *f)
{
	struct refetch *r = c->refetch;

	if (f->type == FRAME_HELLO && f->hello.cosigned_size > c->told_cosigned_size)
		c->told_cosigned_size = f->hello.cosigned_size;
	if (r->ended || f->type != FRAME_CHUNK || from != r->from)
		return;
	r->heard_ns = clock_mono_ns();
	if (f->chunk.kind == CATCHUP_BEGIN && r->phase == ASKING)
		take_begin(c, &f->chunk);
	else if (f->chunk.kind == CATCHUP_STATE && r->phase == STATE)
		take_state(c, &f->chunk);
	else if (f->chunk.kind == CATCHUP_ENTRIES && r->phase == ENTRIES)
		take_entries(c, &f->chunk);
}

/* The next member that is connected, when nobody is being asked. */
static void on_round(uv_timer_t *timer)
{
	struct core *c = timer->data;
	struct refetch *r = c->refetch;
	uint64_t now = clock_mono_ns();

	if (r->ended || (r->from && now - r->heard_ns < PATIENCE_NS))
		return;
	forget(r);
	for (unsigned i = 0; i < c->members.n && !r->from; i++) {
		uint64_t id = c->members.list[r->turn++ % c->members.n].id;
		if (id != c->id && link_up(c->link, id))
			r->from = id;
	}
	if (r->from)
		ask(c, CATCHUP_BEGIN, 0, 1);
	if (now - r->words_ns < WORDS_NS)
		return;
	r->words_ns = now;
	log_warning("the stored state is lost, and waits for another member to give its own");
}

int refetch_run(struct core *c)
{
	struct refetch *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return CS_ERR_NOMEM;
	if (c->members.n < 2) {
		free(r);
		return CS_ERR_DAMAGED;
	}
	c->refetch = r;
	uv_timer_start(&c->beat, on_round, 0, ROUND_MS);
	while (!r->ended)
		uv_run(&c->loop, UV_RUN_ONCE);
	uv_timer_stop(&c->beat);
	forget(r);
	err = r->err;
	c->refetch = NULL;
	free(r);
	return err;
}
