/* Damaged records of the store put right: by what else is stored, or by bytes that others have, which are checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/limits.h"
#include "ledger/store_internal.h"
#include "ledger/tilejudge.h"

/* --- what tile_judge reads --- */

static int judge_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct store_judge *g = ctx;

	return store_read_tile(g->store, g->txn, level, n, width, out);
}

static int judge_leaf(void *ctx, uint64_t index, struct hash *ret)
{
	const struct store_judge *g = ctx;
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, index), value;
	int rc;

	if (index == g->given) {
		*ret = g->last_leaf;
		return CS_OK;
	}
	rc = mdb_get(g->txn, g->store->db[DB_ENTRIES], &key, &value);
	if (rc)
		return store_error(rc);
	hash_leaf(ret, value.mv_data, value.mv_size);
	return CS_OK;
}

void store_judge_init(struct store_judge *g, const struct store *s, MDB_txn *txn, const struct store_head *h,
                      struct tilejudge *ret)
{
	*g = (struct store_judge){.store = s,
	                          .txn = txn,
	                          .given = h->size ? h->size - 1 : UINT64_MAX,
	                          .last_leaf = h->last_leaf,
	                          .tiles = {.read = judge_read, .ctx = g}};
	*ret = (struct tilejudge){.tiles = &g->tiles, .leaf = judge_leaf, .ctx = g, .size = h->size, .root = h->root};
}

int store_tile_put(struct store *s, MDB_txn *txn, unsigned level, uint64_t n, unsigned width, const struct hash *hashes)
{
	uint8_t buf[TILE_KEY_SIZE];
	MDB_val key = store_tile_key(buf, level, n);
	MDB_val value = {.mv_size = width * sizeof *hashes, .mv_data = (void *)(uintptr_t)hashes};

	return mdb_put(txn, s->db[DB_TILES], &key, &value, 0);
}

/* --- one record, in the open transaction --- */

static bool entry_hits(const void *ctx, const uint8_t *bytes, size_t len)
{
	struct hash leaf;

	hash_leaf(&leaf, bytes, len);
	return hash_equal(&leaf, ctx);
}

static int mend_entry(struct store *s, const struct store_mend *m)
{
	struct hash tile[TREE_TILE_WIDTH], leaf;
	unsigned at = (unsigned)(m->index % TREE_TILE_WIDTH);
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, m->index);
	MDB_val value = {.mv_size = m->len, .mv_data = (void *)(uintptr_t)m->bytes};

	if (m->index >= s->head.size || (m->bytes && (m->len == 0 || m->len > LIMIT_ENTRY_SIZE_MAX)))
		return CS_ERR_REFUTED;
	int err = store_read_tile(s, s->txn, 0, m->index / TREE_TILE_WIDTH, at + 1, tile);
	if (err)
		return err == CS_ERR_NOT_FOUND ? CS_ERR_DAMAGED : err;
	if (!m->bytes)
		return store_bit_put(s, DB_ENTRIES, m->index, entry_hits, &tile[at]);
	hash_leaf(&leaf, m->bytes, m->len);
	if (!hash_equal(&leaf, &tile[at]))
		return CS_ERR_REFUTED;
	return store_error(mdb_put(s->txn, s->db[DB_ENTRIES], &key, &value, 0));
}

/* What was erased of an entry here must not come back from a member that has yet to erase it. */
static int body_erased(const struct store *s, uint64_t index, uint64_t *ret)
{
	struct store_erasure e[STORE_ERASURES_MAX];
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, index), value;
	unsigned n;
	int rc = mdb_get(s->txn, s->db[DB_ERASED], &key, &value);

	*ret = 0;
	if (rc)
		return rc == MDB_NOTFOUND ? CS_OK : store_error(rc);
	int err = store_erasures_read(index, value.mv_data, value.mv_size, e, STORE_ERASURES_MAX, &n);
	for (unsigned i = 0; i < n; i++) /* After an error there are none. */
		*ret |= e[i].fields;
	return err;
}

/* Fields that open the commitments of that leaf, and all of them unless some may be gone; none that was erased. */
static int body_fits(const struct store_mend *m, const MDB_val *leaf, uint64_t erased)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct entry e;
	unsigned n = 0;

	if (m->len > LIMIT_BODY_SIZE_MAX || entry_decode(&e, leaf->mv_data, leaf->mv_size) ||
	    (m->len > 0 && body_decode(fields, &n, m->bytes, m->len)) || body_check(&e, fields, n))
		return CS_ERR_REFUTED;
	for (unsigned i = 0; i < n; i++)
		if (fields[i].kind > 63 ? erased == STORE_ERASED_ALL : erased >> fields[i].kind & 1)
			return CS_ERR_REFUTED;
	return n == e.n_fields || m->partial || erased ? CS_OK : CS_ERR_REFUTED;
}

/* What a body must fit. */
struct body_want {
	MDB_val leaf;
	uint64_t erased;
};

static bool body_hits(const void *ctx, const uint8_t *bytes, size_t len)
{
	const struct store_mend m = {.bytes = bytes, .len = len};

	const struct body_want *w = ctx;

	return body_fits(&m, &w->leaf, w->erased) == CS_OK;
}

static int mend_body(struct store *s, const struct store_mend *m)
{
	struct hash tile[TREE_TILE_WIDTH], hash;
	unsigned at = (unsigned)(m->index % TREE_TILE_WIDTH);
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, m->index);
	struct body_want want;
	MDB_val value = {.mv_size = m->len, .mv_data = m->len ? (void *)(uintptr_t)m->bytes : ""};

	if (m->index >= s->head.size)
		return CS_ERR_REFUTED;
	int err = store_read_tile(s, s->txn, 0, m->index / TREE_TILE_WIDTH, at + 1, tile);
	if (!err)
		err = store_error(mdb_get(s->txn, s->db[DB_ENTRIES], &key, &want.leaf));
	if (!err)
		err = body_erased(s, m->index, &want.erased);
	if (err)
		return err == CS_ERR_NOT_FOUND ? CS_ERR_DAMAGED : err;
	hash_leaf(&hash, want.leaf.mv_data, want.leaf.mv_size);
	if (!hash_equal(&hash, &tile[at]))
		return CS_ERR_DAMAGED; /* The entry comes first. */
	if (!m->bytes)
		return store_bit_put(s, DB_BODIES, m->index, body_hits, &want);
	err = body_fits(m, &want.leaf, want.erased);
	return err ? err : store_error(mdb_put(s->txn, s->db[DB_BODIES], &key, &value, 0));
}

/* The right edge is in memory; any other tile follows from what is below it, or is what is given, if that fits. */
static int mend_tile(struct store *s, const struct store_mend *m)
{
	struct store_judge g;
	struct tilejudge j;
	struct hash tile[TREE_TILE_WIDTH];
	const struct hash *edge;
	unsigned width;
	uint64_t n;

	if (m->level >= TREE_TILE_LEVELS)
		return CS_ERR_INVALID;
	tree_partial(s->tree, m->level, &n, &width, &edge);
	if (width > 0 && n == m->index)
		return store_error(store_tile_put(s, s->txn, m->level, n, width, edge));
	store_judge_init(&g, s, s->txn, &s->head, &j);
	switch (tile_judge(&j, m->level, m->index, tile, &width)) {
	case TILE_GOOD:
		return CS_OK;
	case TILE_WRONG:
		return store_error(store_tile_put(s, s->txn, m->level, m->index, width, tile));
	case TILE_BESIDE:
		return CS_ERR_DAMAGED;
	default:
		break;
	}
	if (!m->bytes)
		return CS_ERR_DAMAGED;
	if (m->len != width * sizeof *tile)
		return CS_ERR_REFUTED;
	memcpy(tile, m->bytes, m->len);
	if (!tile_fits(&j, m->level, m->index, width, tile))
		return CS_ERR_REFUTED;
	return store_error(store_tile_put(s, s->txn, m->level, m->index, width, tile));
}

static int mend_checkpoint(struct store *s, const struct store_mend *m)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, m->index);

	if (m->bytes)
		return store_put_checkpoint(s, m->index, m->bytes, m->len);
	int rc = mdb_del(s->txn, s->db[DB_CHECKPOINTS], &key, NULL);
	return rc == MDB_NOTFOUND ? CS_OK : store_error(rc);
}

/* The head and the copy go with every commit. */
static int mend_meta(struct store *s)
{
	int rc = store_meta_put(s, s->txn, META_FORMAT, STORE_FORMAT, strlen(STORE_FORMAT));

	if (!rc)
		rc = store_state_put(s, s->txn, s->state_index, s->state_term, &s->sum);
	return rc ? store_error(rc) : store_mend_others(s, s->txn, &s->others);
}

static int mend_one(struct store *s, const struct store_mend *m)
{
	switch (m->what) {
	case MEND_ENTRY:
		return mend_entry(s, m);
	case MEND_BODY:
		return mend_body(s, m);
	case MEND_TILE:
		return mend_tile(s, m);
	case MEND_CHECKPOINT:
		return mend_checkpoint(s, m);
	case MEND_META:
		return mend_meta(s);
	default:
		return CS_ERR_INVALID;
	}
}

int store_mend(struct store *s, const struct store_mend *m)
{
	int err = store_begin(s);

	if (err)
		return err;
	err = mend_one(s, m);
	return err ? store_give_up(s, err) : store_commit(s);
}

/* --- tiles at start --- */

/* The last tiles of every level, from the one that holds an entry on. */
static int mend_level(struct store *s, const struct tilejudge *j, unsigned level, uint64_t from, unsigned *ret_mended)
{
	struct hash tile[TREE_TILE_WIDTH];
	unsigned shift = 8 * (level + 1), width = 1;
	uint64_t first = shift < 64 ? from >> shift : 0;
	int err = 0;

	for (uint64_t n = first; width > 0 && !err; n++) {
		enum tile_verdict verdict = tile_judge(j, level, n, tile, &width);
		if (verdict == TILE_UNKNOWN)
			err = CS_ERR_DAMAGED;
		if (verdict != TILE_WRONG)
			continue;
		*ret_mended |= STORE_MENDED_TILES;
		err = store_error(store_tile_put(s, s->txn, level, n, width, tile));
	}
	return err;
}

int store_mend_tiles(struct store *s, uint64_t from, unsigned *ret_mended)
{
	struct store_judge g;
	struct tilejudge j;
	unsigned what = 0;
	int err = store_begin(s);

	if (err)
		return err;
	store_judge_init(&g, s, s->txn, &s->head, &j);
	for (unsigned level = 0; level < TREE_TILE_LEVELS && !err; level++)
		err = mend_level(s, &j, level, from, &what);
	if (err || !what) /* A map that is full can be opened as long as nothing is written. */
		return store_give_up(s, err);
	*ret_mended |= what;
	return store_commit(s);
}
