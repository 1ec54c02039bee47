/* Catch-up's giving side: a frozen view of the state in pieces, entries as they are, never faster than is good. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/catchup.h"
#include "node/core/catchup_bytes.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define KEY_SIZE_MAX 511                    /* LMDB's bound. */
#define VIEW_IDLE_NS UINT64_C(10000000000)  /* Nobody asked for so long: the view pins pages no more. */
#define VIEW_AGE_NS  UINT64_C(600000000000) /* Nor for whoever is so slow: 256 MiB at half a megabyte a second. */

/*
 * What one member is being given: one request at a time. Memory: one chunk. The state is read through a view of the
 * store as it was at the beginning, so that it is the state of one index.
 */
struct giving {
	uv_work_t work;
	struct core *core;
	uint64_t to;
	bool busy, rests; /* rests: what was asked is given at due_ns. */
	struct frame_fetch asked;
	struct store_view *view; /* NULL: no state is being given. */
	uint64_t view_ns, asked_ns, begun_ns, due_ns;
	uint64_t given; /* Bytes of the state, up to the record of this key. */
	uint8_t last_key[KEY_SIZE_MAX];
	size_t last_key_len;
	uint8_t *chunk; /* CHUNK_CAP bytes. */
	size_t chunk_len;
	int err;
};

/*
 * Between two pieces it rests as long as the last one took, from question to question, so that giving and what it
 * causes never take more than half of anything; but no longer than this, or a member would stay behind a busy leader
 * for ever: more than 12 MiB a second always go.
 */
#define REST_MS_MAX 20

#define CHUNK_CAP (CATCHUP_CHUNK_SIZE + 12 + LIMIT_ENTRY_SIZE_MAX + LIMIT_BODY_SIZE_MAX + 16 * STORE_ERASURES_MAX)

static int count_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	(void)key, (void)value;
	*(uint64_t *)ctx += 8 + key_len + value_len;
	return 0;
}

static int view_state(struct giving *g)
{
	int err = g->view ? store_view_renew(g->view) : store_view_open(g->core->o.store, &g->view);

	g->view_ns = clock_mono_ns();
	g->given = 0;
	g->last_key_len = 0;
	return err;
}

static int give_begin(struct giving *g)
{
	uint64_t index, term, len = 0;
	struct hash digest;
	int err = view_state(g);

	if (!err)
		err = store_view_state_index(g->view, &index, &term);
	if (!err)
		err = store_view_each_state(g->view, count_record, &len);
	if (err)
		return err;
	put_u64be(g->chunk, index);
	put_u64be(g->chunk + 8, term);
	put_u64be(g->chunk + 16, len);
	g->chunk_len = CATCHUP_BEGIN_SIZE_1;
	if (g->asked.count == 0) /* Of a version that knows of no digest. */
		return 0;
	err = store_view_state_digest(g->view, &digest);
	if (err)
		return err == CS_ERR_NOT_FOUND ? 0 : err;
	memcpy(g->chunk + g->chunk_len, digest.b, HASH_SIZE);
	g->chunk_len = CATCHUP_BEGIN_SIZE;
	return 0;
}

/* 1: the chunk is full. */
static int add_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct giving *g = ctx;
	uint8_t *p = g->chunk + g->chunk_len;

	if (key_len > KEY_SIZE_MAX || 8 + key_len + value_len > CATCHUP_RECORD_SIZE_MAX)
		return CS_ERR_DAMAGED;
	if (g->chunk_len + 8 + key_len + value_len > CATCHUP_CHUNK_SIZE)
		return 1;
	put_u32be(p, (uint32_t)key_len);
	put_u32be(p + 4, (uint32_t)value_len);
	memcpy(p + 8, key, key_len);
	memcpy(p + 8 + key_len, value, value_len);
	g->chunk_len += 8 + key_len + value_len;
	memcpy(g->last_key, key, key_len);
	g->last_key_len = key_len;
	return 0;
}

/* In order only: whoever lost a piece begins again. */
static int give_state(struct giving *g)
{
	int err;

	g->chunk_len = 0;
	if (!g->view || g->asked.from != g->given)
		return CS_ERR_INVALID;
	err = store_view_state_after(g->view, g->last_key, g->last_key_len, add_record, g);
	g->given += g->chunk_len;
	return err < 0 ? err : 0;
}

static void put_erasures(uint8_t *p, const struct store_erasure *e, unsigned n)
{
	put_u32be(p, n);
	for (unsigned i = 0; i < n; i++) {
		put_u64be(p + 4 + (size_t)i * 16, e[i].by);
		put_u64be(p + 12 + (size_t)i * 16, e[i].fields);
	}
}

static int give_entries_of(struct giving *g, const struct store_view *v)
{
	struct store_erasure erased[STORE_ERASURES_MAX];
	unsigned n_erased;

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
		err = store_view_check(v, g->asked.from + i, leaf, leaf_len, body, body_len);
		if (!err)
			err = store_view_erased(v, g->asked.from + i, erased, STORE_ERASURES_MAX, &n_erased);
		if (err)
			return err;
		size_t size = 8 + leaf_len + body_len + (n_erased ? 4 + 16 * (size_t)n_erased : 0);
		if (g->chunk_len && g->chunk_len + size > CATCHUP_CHUNK_SIZE)
			return 0;
		uint8_t *p = g->chunk + g->chunk_len;
		put_u32be(p, (uint32_t)leaf_len);
		put_u32be(p + 4, (uint32_t)body_len | (n_erased ? CATCHUP_ERASURES : 0));
		memcpy(p + 8, leaf, leaf_len);
		memcpy(p + 8 + leaf_len, body, body_len);
		if (n_erased)
			put_erasures(p + 8 + leaf_len + body_len, erased, n_erased);
		g->chunk_len += size;
	}
	return 0;
}

static int give_entries(struct giving *g)
{
	struct store_view *v;
	int err = store_view_open(g->core->o.store, &v);

	if (err)
		return err;
	err = give_entries_of(g, v);
	store_view_close(v);
	return err;
}

/* On a worker thread: the store may have to be read from the disk. */
static void give(uv_work_t *work)
{
	struct giving *g = work->data;

	if (g->asked.kind == CATCHUP_BEGIN)
		g->err = give_begin(g);
	else if (g->asked.kind == CATCHUP_STATE)
		g->err = give_state(g);
	else
		g->err = give_entries(g);
}

static void drop_view(struct giving *g)
{
	store_view_close(g->view);
	g->view = NULL;
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
		drop_view(g);
		return;
	}
	if (g->asked.kind == CATCHUP_ENTRIES)
		drop_view(g); /* It has the state. */
	peers_send(c, g->to, &f);
}

static struct giving *giving_to(struct core *c, uint64_t to)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		struct giving *g = c->givings[i];
		if (g && (g->to == to || (!g->busy && !members_find(c, g->to)))) {
			if (g->to != to) {
				drop_view(g);
				g->rests = false;
			}
			g->to = to; /* Perhaps in the place of a node that was removed. */
			return g;
		}
		if (g)
			continue;
		g = calloc(1, sizeof *g);
		if (g)
			g->chunk = malloc(CHUNK_CAP);
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

static void begin(struct core *c, struct giving *g)
{
	g->rests = false;
	g->begun_ns = clock_mono_ns();
	g->busy = true;
	c->givings_busy++;
	if (uv_queue_work(&c->loop, &g->work, give, given))
		core_fatal(c, "cannot queue work");
}

static void on_due(uv_timer_t *timer)
{
	struct core *c = timer->data;
	uint64_t now = clock_mono_ns(), next = UINT64_MAX;

	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		struct giving *g = c->givings[i];
		if (!g || !g->rests)
			continue;
		if (g->due_ns <= now)
			begin(c, g);
		else if (g->due_ns < next)
			next = g->due_ns;
	}
	if (next != UINT64_MAX)
		uv_timer_start(timer, on_due, (next - now) / NS_PER_MS + 1, 0);
}

void catchup_fetch(struct core *c, uint64_t from, const struct frame_fetch *f)
{
	struct giving *g = giving_to(c, from);
	uint64_t now = clock_mono_ns(), rest;

	if (!g || c->stopping || g->busy || g->rests || f->kind < CATCHUP_BEGIN || f->kind > CATCHUP_ENTRIES)
		return; /* One at a time; it asks again. */
	rest = now - g->begun_ns;
	g->asked = *f;
	g->asked_ns = now;
	g->due_ns = now + (rest < REST_MS_MAX * NS_PER_MS ? rest : REST_MS_MAX * NS_PER_MS);
	g->rests = true;
	on_due(&c->give_timer);
}

void catchup_give_beat(struct core *c)
{
	uint64_t now = clock_mono_ns();

	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		struct giving *g = c->givings[i];
		if (g && g->view && !g->busy && (now - g->asked_ns > VIEW_IDLE_NS || now - g->view_ns > VIEW_AGE_NS))
			drop_view(g);
	}
}

void catchup_give_close(struct core *c)
{
	for (unsigned i = 0; i < MEMBERS_MAX; i++) {
		if (!c->givings[i])
			continue;
		assert(!c->givings[i]->busy);
		drop_view(c->givings[i]);
		free(c->givings[i]->chunk);
		free(c->givings[i]);
	}
}
