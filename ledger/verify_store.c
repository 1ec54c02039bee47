/* The verifier's reading of a node's store: LMDB as FORMAT.md lays it out, of a copy or under a writer at work. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_whole.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/verify_internal.h"

#define FORMAT_NAME     "countersign/store/v1" /* FORMAT.md: Store. */
#define DATABASES_MAX   8                      /* Six, and room for more of a later build. */
#define RENEW_TILES     8                      /* An old view keeps pages from being used again: renewed by then. */
#define HEAD_SIZE_BYTES 8                      /* What is read of "head": the ledger's size. */

struct lmdb {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi entries, bodies, tiles, checkpoints, meta;
	uint64_t with_body, without, erased; /* Entries by what --bodies found. */
	struct verify_bundled slices[VERIFY_TILE_WIDTH];
	struct verify_whole whole;
};

static MDB_val key_u64(uint8_t buf[8], uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		buf[i] = (uint8_t)(v >> (56 - 8 * i));
	return (MDB_val){.mv_size = 8, .mv_data = buf};
}

static uint64_t read_u64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static enum verify_got store_tile(void *ctx, unsigned level, uint64_t n, unsigned width, uint8_t *ret)
{
	const struct lmdb *s = ctx;
	uint8_t buf[9] = {(uint8_t)level};
	MDB_val key = {.mv_size = sizeof buf, .mv_data = buf}, value;
	size_t need = (size_t)width * VERIFY_HASH_SIZE;

	key_u64(buf + 1, n);
	if (mdb_get(s->txn, s->tiles, &key, &value))
		return VERIFY_GOT_NOT;
	/* The ledger may have grown past the checkpoint: the tile at its edge is then wider. */
	if (value.mv_size < need || value.mv_size % VERIFY_HASH_SIZE ||
	    value.mv_size > (size_t)VERIFY_TILE_WIDTH * VERIFY_HASH_SIZE)
		return VERIFY_GOT_BAD;
	memcpy(ret, value.mv_data, need);
	return VERIFY_GOT;
}

static bool unreadable(struct lmdb *s, uint64_t index)
{
	char what[40];

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	return verify_whole_missing(&s->whole, what);
}

static bool bad_at(struct lmdb *s, uint64_t index, const char *why)
{
	s->whole.audit.stopped = true;
	s->whole.result->has_bad_index = true;
	s->whole.result->bad_index = index;
	return verify_refute(s->whole.result, "entry %" PRIu64 ": %s", index, why);
}

/* No record: the body was erased. An empty one: the entry has no private fields. */
static bool body_walk(struct lmdb *s, uint64_t index, struct verify_slice leaf_bytes)
{
	uint8_t buf[8];
	MDB_val key = key_u64(buf, index), value;
	struct verify_leaf leaf;
	const char *why;
	unsigned missing;
	int rc = mdb_get(s->txn, s->bodies, &key, &value);

	if (rc == MDB_NOTFOUND) {
		s->erased++;
		return true;
	}
	if (rc)
		return unreadable(s, index);
	bool parsed = verify_leaf_parse(leaf_bytes, &leaf, &why);
	assert(parsed); /* verify_whole_entries has taken it for one. */
	if (!verify_body_check(&leaf, (struct verify_slice){value.mv_data, value.mv_size}, &missing, &why))
		return bad_at(s, index, why);
	s->with_body += missing == 0 && leaf.n_fields > 0;
	s->without += leaf.n_fields == 0;
	s->erased += missing > 0;
	return true;
}

static bool tile_walk(struct lmdb *s, uint64_t first, unsigned width)
{
	uint8_t buf[8];
	MDB_val key, value;

	for (unsigned i = 0; i < width; i++) {
		key = key_u64(buf, first + i);
		int rc = mdb_get(s->txn, s->entries, &key, &value);

		if (rc == MDB_NOTFOUND)
			return bad_at(s, first + i, "it is missing: the checkpoint covers it");
		if (rc)
			return unreadable(s, first + i);
		s->slices[i] = (struct verify_bundled){value.mv_data, value.mv_size};
	}
	if (!verify_whole_entries(&s->whole, s->slices, width))
		return false;
	for (unsigned i = 0; i < width && s->whole.options->bodies; i++)
		if (!body_walk(s, first + i, (struct verify_slice){s->slices[i].p, s->slices[i].len}))
			return false;
	return true;
}

static bool renew(struct lmdb *s)
{
	mdb_txn_reset(s->txn);
	return mdb_txn_renew(s->txn) == 0;
}

/* Readers enter themselves in lock.mdb; only a copy in a folder where none can be made is read without. */
static int env_open(struct lmdb *s, const char *dir)
{
	int rc = 0;

	for (unsigned flags = MDB_RDONLY | MDB_NOTLS;; flags |= MDB_NOLOCK) {
		rc = mdb_env_create(&s->env);
		if (!rc)
			rc = mdb_env_set_maxdbs(s->env, DATABASES_MAX);
		if (!rc)
			rc = mdb_env_open(s->env, dir, flags, 0600);
		if (!rc || (flags & MDB_NOLOCK) || !(rc == EACCES || rc == EPERM || rc == EROFS))
			return rc;
		mdb_env_close(s->env);
		s->env = NULL;
	}
}

static int databases_open(struct lmdb *s)
{
	int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->txn);

	if (!rc)
		rc = mdb_dbi_open(s->txn, "meta", 0, &s->meta);
	if (!rc)
		rc = mdb_dbi_open(s->txn, "entries", 0, &s->entries);
	if (!rc)
		rc = mdb_dbi_open(s->txn, "bodies", 0, &s->bodies);
	if (!rc)
		rc = mdb_dbi_open(s->txn, "tiles", 0, &s->tiles);
	if (!rc)
		rc = mdb_dbi_open(s->txn, "checkpoints", 0, &s->checkpoints);
	if (rc)
		return rc;
	rc = mdb_txn_commit(s->txn); /* What makes the handles last beyond it. */
	s->txn = NULL;
	return rc ? rc : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->txn);
}

static bool meta_get(const struct lmdb *s, const char *name, MDB_val *ret)
{
	MDB_val key = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name};

	return mdb_get(s->txn, s->meta, &key, ret) == 0;
}

static bool note_take(const MDB_val *value, uint8_t note[LIMIT_NOTE_SIZE_MAX], size_t *ret_len)
{
	if (value->mv_size > LIMIT_NOTE_SIZE_MAX)
		return false;
	memcpy(note, value->mv_data, value->mv_size);
	*ret_len = value->mv_size;
	return true;
}

/* Backwards to one that the policy verifies: after a change of keys it knows the older ones alone. */
static bool checkpoint_trusted(MDB_cursor *cursor, const struct verify_policy *p, uint8_t note[LIMIT_NOTE_SIZE_MAX],
                               size_t *ret_len)
{
	struct verify_result *r = malloc(sizeof *r);
	bool found = false;
	MDB_val key, value;

	for (int rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST); r && !rc && !found;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV)) {
		if (!note_take(&value, note, ret_len))
			continue;
		verify_checkpoint(p, note, *ret_len, r);
		found = r->quorum_reached; /* Whatever log key it needs is looked for later. */
	}
	free(r);
	return found;
}

static bool checkpoint_choose(const struct lmdb *s, const struct verify_policy *p, uint8_t note[LIMIT_NOTE_SIZE_MAX],
                              size_t *ret_len)
{
	MDB_cursor *cursor;
	MDB_val key, value = {0};

	if (mdb_cursor_open(s->txn, s->checkpoints, &cursor))
		return false;
	bool found = (s->whole.options->trusted && checkpoint_trusted(cursor, p, note, ret_len)) ||
	             (mdb_cursor_get(cursor, &key, &value, MDB_LAST) == 0 && note_take(&value, note, ret_len));
	mdb_cursor_close(cursor);
	return found;
}

static void bodies_say(const struct lmdb *s, struct verify_result *r)
{
	if (!s->whole.options->bodies) {
		verify_say(r, VERIFY_MARK_UNCHECKED, "private fields: not looked at (--bodies)");
		return;
	}
	verify_say(r, VERIFY_MARK_HELD,
	           "private fields of %" PRIu64 " entries: each opens its commitment; %" PRIu64 " entries have none",
	           s->with_body, s->without);
	if (s->erased > 0)
		verify_say(r, VERIFY_MARK_UNCHECKED, "private fields of %" PRIu64 " entries: not there, erased",
		           s->erased);
}

static void store_walk(struct lmdb *s, const struct verify_policy *p, struct verify_result *r)
{
	uint8_t note[LIMIT_NOTE_SIZE_MAX];
	MDB_val value;
	size_t len;

	if (!meta_get(s, "format", &value) || value.mv_size != strlen(FORMAT_NAME) ||
	    memcmp(value.mv_data, FORMAT_NAME, value.mv_size) != 0) {
		verify_undecided(r, "not a store of the format " FORMAT_NAME);
		return;
	}
	if (!checkpoint_choose(s, p, note, &len)) {
		verify_undecided(r, "no checkpoint is in the store");
		return;
	}
	uint64_t held = meta_get(s, "head", &value) && value.mv_size >= HEAD_SIZE_BYTES ? read_u64(value.mv_data) : 0;
	if (!verify_whole_begin(&s->whole, p, note, len, r))
		return;
	for (uint64_t n = 0; n <= r->size / VERIFY_TILE_WIDTH; n++) {
		uint64_t first = n * VERIFY_TILE_WIDTH, left = r->size - first;
		unsigned width = left < VERIFY_TILE_WIDTH ? (unsigned)left : VERIFY_TILE_WIDTH;

		if (n % RENEW_TILES == RENEW_TILES - 1 && !renew(s)) {
			verify_undecided(r, "the store can no longer be read");
			return;
		}
		if (width > 0 && !tile_walk(s, first, width))
			return;
	}
	if (held > r->size)
		verify_say(r, VERIFY_MARK_UNCHECKED, "%" PRIu64 " entries that the checkpoint does not cover",
		           held - r->size);
	bodies_say(s, r);
	verify_whole_end(&s->whole);
}

void verify_store(const struct verify_policy *p, const char *dir, const struct verify_whole_options *o,
                  struct verify_result *ret)
{
	struct lmdb *s = calloc(1, sizeof *s);

	verify_result_init(ret);
	if (!s) {
		verify_undecided(ret, "out of memory");
		return;
	}
	s->whole.tile = store_tile;
	s->whole.ctx = s;
	s->whole.options = o;
	int rc = env_open(s, dir);
	if (!rc)
		rc = databases_open(s);
	if (rc)
		verify_undecided(ret, "the store cannot be opened: %s", mdb_strerror(rc));
	else
		store_walk(s, p, ret);
	if (s->txn)
		mdb_txn_abort(s->txn);
	if (s->env)
		mdb_env_close(s->env);
	free(s);
}
