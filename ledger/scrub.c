/* The scrubber's reading: entries with their private fields and tiles, level by level. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/scrub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/scrub_internal.h"
#include "ledger/tilejudge.h"

const char *const scrub_db_names[DB_COUNT] = {
#define DB_NAME(name, text) [name] = text,
        STORE_DB_LIST(DB_NAME)
#undef DB_NAME
};

const char *scrub_what_text(unsigned what)
{
	switch (what) {
#define WHAT_TEXT(name, text)                                                                                          \
	case name:                                                                                                     \
		return text;
		SCRUB_WHAT_LIST(WHAT_TEXT)
#undef WHAT_TEXT
	default:
		return "nothing";
	}
}

void scrub_find_text(const struct scrub_find *f, char *buf, size_t cap)
{
	const char *what = scrub_what_text(f->what);

	if (f->what == SCRUB_TILE)
		snprintf(buf, cap, "%s %u/%" PRIu64 " (%s): %s", what, f->level, f->index, f->db, f->why);
	else if (f->what == SCRUB_STATE || f->what == SCRUB_META)
		snprintf(buf, cap, "%s (%s): %s", what, f->db, f->why);
	else
		snprintf(buf, cap, "%s %" PRIu64 " (%s): %s", what, f->index, f->db, f->why);
}

void scrub_tell(struct scrub *s, enum scrub_what what, enum store_db db, unsigned level, uint64_t index,
                const char *why)
{
	const struct scrub_find f = {
	        .what = what, .level = level, .index = index, .db = scrub_db_names[db], .why = why};

	s->n_found++;
	s->found(s->ctx, &f);
}

/* --- records by their keys --- */

/* Records of one database from a key on, until f has enough (1). */
struct range {
	struct scrub *s;
	enum store_db db;
	int (*f)(void *ctx, const struct pages_record *r);
	void *ctx;
	bool bad;
};

static int range_record(void *ctx, const struct pages_record *r)
{
	struct range *g = ctx;

	if (r->is_tree) {
		scrub_tell(g->s, SCRUB_PAGE, g->db, 0, r->page, "a record names a database");
		return 0;
	}
	return g->f(g->ctx, r);
}

static int range_bad(void *ctx, uint64_t page, const char *what)
{
	struct range *g = ctx;

	g->bad = true;
	scrub_tell(g->s, SCRUB_PAGE, g->db, 0, page, what);
	return 0;
}

int scrub_range(struct scrub *s, enum store_db db, const void *from, size_t len,
                int (*f)(void *ctx, const struct pages_record *r), void *ctx, bool *ret_bad)
{
	struct range g = {.s = s, .db = db, .f = f, .ctx = ctx};
	const struct pages_visitor v = {.record = range_record, .bad = range_bad, .ctx = &g};
	int err = s->has_db[db] ? pages_walk(&s->pages, &s->db[db], from, len, &v) : 0;

	if (ret_bad)
		*ret_bad = g.bad || !s->has_db[db];
	if (err >= 0)
		return 0;
	s->err = err;
	return err;
}

/* --- tiles --- */

struct wanted {
	uint8_t key[TILE_KEY_SIZE];
	unsigned width;
	struct hash *out;
	int err;
};

static int tile_record(void *ctx, const struct pages_record *r)
{
	struct wanted *w = ctx;

	if (r->key_len != sizeof w->key || memcmp(r->key, w->key, sizeof w->key) != 0)
		return 1;
	w->err = CS_ERR_DAMAGED;
	if (r->value_len % HASH_SIZE || r->value_len < w->width * sizeof *w->out ||
	    r->value_len > TREE_TILE_WIDTH * sizeof *w->out)
		return 1;
	memcpy(w->out, r->value, w->width * sizeof *w->out);
	w->err = 0;
	return 1;
}

/* struct tree_tiles' read, from the pages, the last few of them kept. */
static int tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	struct scrub *s = ctx;
	struct wanted w = {.width = width, .out = out, .err = CS_ERR_NOT_FOUND};

	for (unsigned i = 0; i < SCRUB_CACHE; i++)
		if (s->cache[i].held && s->cache[i].level == level && s->cache[i].n == n &&
		    s->cache[i].width >= width) {
			memcpy(out, s->cache[i].hashes, width * sizeof *out);
			return 0;
		}
	w.key[0] = (uint8_t)level;
	put_u64be(w.key + 1, n);
	int err = scrub_range(s, DB_TILES, w.key, sizeof w.key, tile_record, &w, NULL);
	if (err || w.err)
		return err ? err : w.err;
	unsigned i = s->cache_next++ % SCRUB_CACHE;
	s->cache[i].held = true;
	s->cache[i].level = level;
	s->cache[i].n = n;
	s->cache[i].width = width;
	memcpy(s->cache[i].hashes, out, width * sizeof *out);
	return 0;
}

/* --- entries of a tile --- */

static int leaf_record(void *ctx, const struct pages_record *r)
{
	struct scrub *s = ctx;
	uint64_t index = r->key_len == INDEX_KEY_SIZE ? get_u64be(r->key) : UINT64_MAX;

	if (index >= s->leaf_first + s->leaf_n) {
		if (r->key_len == INDEX_KEY_SIZE && index < s->head.size)
			return 1;
		scrub_tell(s, SCRUB_PAGE, DB_ENTRIES, 0, r->page, "a record is of no entry");
		return 1;
	}
	if (s->leaves_len + r->value_len > s->leaves_cap) {
		size_t cap = 2 * (s->leaves_len + r->value_len);
		uint8_t *more = realloc(s->leaves, cap);
		if (!more)
			return CS_ERR_NOMEM;
		s->leaves = more;
		s->leaves_cap = cap;
	}
	unsigned i = (unsigned)(index - s->leaf_first);
	memcpy(s->leaves + s->leaves_len, r->value, r->value_len);
	s->leaf[i].there = true;
	s->leaf[i].at = s->leaves_len;
	s->leaf[i].len = r->value_len;
	hash_leaf(&s->leaf[i].hash, r->value, r->value_len);
	s->leaves_len += r->value_len;
	return 0;
}

static int leaves_load(struct scrub *s, uint64_t n, unsigned width)
{
	uint8_t key[INDEX_KEY_SIZE];

	s->leaf_first = n * TREE_TILE_WIDTH;
	s->leaf_n = width;
	s->leaves_len = 0;
	memset(s->leaf, 0, sizeof s->leaf);
	put_u64be(key, s->leaf_first);
	return scrub_range(s, DB_ENTRIES, key, sizeof key, leaf_record, s, NULL);
}

static int leaf_hash(void *ctx, uint64_t index, struct hash *ret)
{
	const struct scrub *s = ctx;
	unsigned i = (unsigned)(index - s->leaf_first);

	if (!s->leaf[i].there)
		return CS_ERR_NOT_FOUND;
	*ret = s->leaf[i].hash;
	return 0;
}

/* hashes: what the entries must have; NULL: nobody knows. */
static void leaves_check(struct scrub *s, const struct hash *hashes)
{
	for (unsigned i = 0; i < s->leaf_n; i++) {
		uint64_t index = s->leaf_first + i;

		if (!s->leaf[i].there)
			scrub_tell(s, SCRUB_ENTRY, DB_ENTRIES, 0, index, "it is missing");
		else if (hashes && !hash_equal(&s->leaf[i].hash, &hashes[i]))
			scrub_tell(s, SCRUB_ENTRY, DB_ENTRIES, 0, index, "its hash is not the one in the tree");
		else if (s->entry && hashes)
			s->entry(s->ctx, index, s->leaves + s->leaf[i].at, s->leaf[i].len);
	}
}

/* --- private fields --- */

static const char *body_wrong(const struct scrub *s, unsigned i, const struct pages_record *r)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n;

	if (r->value_len == 0) /* The entry keeps nothing private, or all of it was erased. */
		return NULL;
	if (r->value_len > LIMIT_BODY_SIZE_MAX || body_decode(fields, &n, r->value, r->value_len))
		return "they are malformed";
	if (!s->leaf[i].there || entry_decode(&e, s->leaves + s->leaf[i].at, s->leaf[i].len))
		return NULL; /* The entry is damaged: they are looked at when it is whole. */
	return body_check(&e, fields, n) ? "one does not open its commitment" : NULL;
}

static int body_record(void *ctx, const struct pages_record *r)
{
	struct scrub *s = ctx;
	uint64_t index = r->key_len == INDEX_KEY_SIZE ? get_u64be(r->key) : UINT64_MAX;

	if (index >= s->leaf_first + s->leaf_n) {
		if (r->key_len != INDEX_KEY_SIZE || index >= s->head.size)
			scrub_tell(s, SCRUB_PAGE, DB_BODIES, 0, r->page, "a record is of no entry");
		return 1;
	}
	const char *why = body_wrong(s, (unsigned)(index - s->leaf_first), r);
	if (why)
		scrub_tell(s, SCRUB_BODY, DB_BODIES, 0, index, why);
	return 0;
}

int scrub_tile(struct scrub *s, unsigned level, uint64_t n)
{
	const struct tree_tiles tiles = {.read = tile_read, .ctx = s};
	const struct tilejudge j = {
	        .tiles = &tiles, .leaf = leaf_hash, .ctx = s, .size = s->head.size, .root = s->head.root};
	struct hash hashes[TREE_TILE_WIDTH];
	unsigned width = tile_width(s->head.size, level, n);
	uint8_t key[INDEX_KEY_SIZE];

	int err = level == 0 ? leaves_load(s, n, width) : 0;
	if (err || width == 0)
		return err;
	enum tile_verdict verdict = tile_judge(&j, level, n, hashes, &width);
	if (s->err) /* Of a tile that is not read nothing can be said. */
		return s->err;
	if (verdict == TILE_WRONG)
		scrub_tell(s, SCRUB_TILE, DB_TILES, level, n, "its hashes are not those of what is below it");
	else if (verdict == TILE_UNKNOWN)
		scrub_tell(s, SCRUB_TILE, DB_TILES, level, n, "it is neither what is below it nor what is above it");
	if (level > 0)
		return 0;
	leaves_check(s, verdict == TILE_UNKNOWN ? NULL : hashes);
	put_u64be(key, s->leaf_first);
	return scrub_range(s, DB_BODIES, key, sizeof key, body_record, s, NULL);
}

int scrub_root_at(struct scrub *s, uint64_t size, struct hash *ret)
{
	const struct tree_tiles tiles = {.read = tile_read, .ctx = s};

	return tiles_root(&tiles, size, ret);
}
