/* Healing's giving side: one record of this node's ledger, checked before it is given. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/heal.h"

/* What is given: a record's bytes where they lie, or some in memory here. */
struct gift {
	const void *bytes;
	size_t len;
	uint8_t buf[1 + LIMIT_BODY_SIZE_MAX];
	struct hash tile[TREE_TILE_WIDTH];
};

static int give_entry(const struct store_view *v, uint64_t index, struct gift *ret)
{
	int err = store_view_entry(v, index, &ret->bytes, &ret->len);

	return err ? err : store_view_check(v, index, ret->bytes, ret->len, NULL, 0);
}

/* Those that are there: none where all were erased. */
static int give_body(const struct store_view *v, uint64_t index, struct gift *ret)
{
	const void *leaf, *body = "";
	size_t leaf_len, body_len = 0;
	int err = store_view_entry(v, index, &leaf, &leaf_len);

	if (!err)
		err = store_view_body(v, index, &body, &body_len);
	if (err == CS_ERR_ERASED)
		err = 0;
	if (!err)
		err = store_view_check(v, index, leaf, leaf_len, body, body_len);
	if (err)
		return err;
	ret->buf[0] = body_len > 0;
	memcpy(ret->buf + 1, body, body_len);
	ret->bytes = ret->buf;
	ret->len = 1 + body_len;
	return 0;
}

static int give_tile(const struct store_view *v, const struct frame_fetch *f, struct gift *ret)
{
	struct tree_tiles tiles;
	unsigned level = (unsigned)(f->from >> HEAL_TILE_SHIFT);
	uint64_t n = f->from & ((UINT64_C(1) << HEAL_TILE_SHIFT) - 1);

	if (f->count == 0 || f->count > TREE_TILE_WIDTH || level >= TREE_TILE_LEVELS)
		return CS_ERR_INVALID;
	store_view_tiles_checked(v, &tiles);
	ret->bytes = ret->tile;
	ret->len = f->count * sizeof ret->tile[0];
	return tiles.read(tiles.ctx, level, n, f->count, ret->tile);
}

static int give_note(const struct store_view *v, uint64_t size, struct gift *ret)
{
	uint64_t got;
	int err = store_view_checkpoint(v, size, &got, &ret->bytes, &ret->len);

	return !err && got != size ? CS_ERR_NOT_FOUND : err;
}

static int give(const struct store_view *v, const struct frame_fetch *f, struct gift *ret)
{
	switch (f->kind) {
	case HEAL_ENTRY:
		return give_entry(v, f->from, ret);
	case HEAL_BODY:
		return give_body(v, f->from, ret);
	case HEAL_TILE:
		return give_tile(v, f, ret);
	default:
		return give_note(v, f->from, ret);
	}
}

void heal_fetch(struct core *c, uint64_t from, const struct frame_fetch *f)
{
	struct frame reply = {.type = FRAME_CHUNK, .chunk = {.kind = f->kind, .from = f->from}};
	struct store_view *v;
	struct gift *g = calloc(1, sizeof *g);
	int err = g ? store_view_open(c->o.store, &v) : CS_ERR_NOMEM;

	if (err) {
		free(g);
		return; /* It asks again. */
	}
	if (!give(v, f, g)) {
		reply.chunk.bytes = g->bytes;
		reply.chunk.len = g->len;
	}
	peers_send(c, from, &reply); /* What is borrowed is copied into the link's queue. */
	store_view_close(v);
	free(g);
}
