/* The store's self-check when it is opened, and what of it can be mended from the rest of the store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/store_internal.h"
#include "ledger/tilejudge.h"

static bool mends(const struct store *s, const struct store_options *o)
{
	return o->ret_mended && !s->read_only;
}

static void mended(const struct store_options *o, unsigned what)
{
	if (o->ret_mended)
		*o->ret_mended |= what;
}

/* The format's name alone is damaged, if with the right one all else is what the copy says: another build's is not
 * ours. */
int store_open_format(struct store *s, MDB_txn *txn, const struct store_options *o, int err)
{
	struct store_copy c;
	struct hash others;

	if (!err || !mends(s, o) || store_copy_read(s, txn, &c) || store_copy_others(s, txn, STORE_FORMAT, &others) ||
	    !hash_equal(&others, &c.others))
		return err;
	mended(o, STORE_MENDED_META);
	return store_error(store_meta_put(s, txn, META_FORMAT, STORE_FORMAT, strlen(STORE_FORMAT)));
}

static int entry_hash(const struct store *s, MDB_txn *txn, uint64_t index, struct hash *ret)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, index), value;
	int rc = mdb_get(txn, s->db[DB_ENTRIES], &key, &value);

	if (rc)
		return rc == MDB_NOTFOUND ? CS_ERR_DAMAGED : store_error(rc);
	hash_leaf(ret, value.mv_data, value.mv_size);
	return CS_OK;
}

/* --- the tree's right edge --- */

/* 0: it has the head's root. */
static int edge_check(struct store *s, MDB_txn *txn, const struct store_head *h)
{
	struct hash root;
	int err = store_tree_load(s, txn, h->size);

	if (err)
		return err;
	tree_root(s->tree, &root);
	return hash_equal(&root, &h->root) ? CS_OK : CS_ERR_DAMAGED;
}

/* One tile of the edge, by what is below it; all: even if it does not fit what is beside it yet. */
static int edge_mend_one(struct store *s, MDB_txn *txn, const struct tilejudge *j, unsigned level, bool all)
{
	unsigned shift = 8 * (level + 1), width;
	uint64_t n = shift < 64 ? j->size >> shift : 0;
	struct hash hashes[TREE_TILE_WIDTH], tile[TREE_TILE_WIDTH];
	int err = 0;

	enum tile_verdict verdict = tile_judge(j, level, n, hashes, &width);
	if (width == 0 || verdict == TILE_GOOD || (!all && verdict != TILE_WRONG))
		return 0;
	for (unsigned i = 0; i < width && verdict != TILE_WRONG && !err; i++) {
		uint64_t below = n * TREE_TILE_WIDTH + i;
		if (level == 0)
			err = j->leaf(j->ctx, below, &hashes[i]);
		else if ((err = j->tiles->read(j->tiles->ctx, level - 1, below, TREE_TILE_WIDTH, tile)) == 0)
			tile_root(tile, &hashes[i]);
	}
	return err ? err : store_error(store_tile_put(s, txn, level, n, width, hashes));
}

/* The last entry's hash is in the head: it need not be taken from its bytes. */
static int edge_mend(struct store *s, MDB_txn *txn, const struct store_head *h)
{
	struct store_judge g;
	struct tilejudge j;
	int err = 0;

	store_judge_init(&g, s, txn, h, &j);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned level = 0; level < TREE_TILE_LEVELS && !err; level++)
			err = edge_mend_one(s, txn, &j, level, pass == 1);
		if (!err && edge_check(s, txn, h) == 0)
			return CS_OK;
	}
	return err ? err : CS_ERR_DAMAGED;
}

/* --- the head --- */

/* Whether the store is what this head says: CS_ERR_DAMAGED. mend: the rest is made so, where it can be. */
static int head_fits(struct store *s, MDB_txn *txn, const struct store_head *h, bool mend, unsigned *ret_mended)
{
	struct hash last, in_tree[TREE_TILE_WIDTH];
	unsigned at = (unsigned)((h->size - 1) % TREE_TILE_WIDTH);
	MDB_stat st;
	int rc = mdb_stat(txn, s->db[DB_ENTRIES], &st), err;

	if (rc)
		return store_error(rc);
	if (st.ms_entries != h->size)
		return CS_ERR_DAMAGED;
	bool whole = h->size == 0 || (entry_hash(s, txn, h->size - 1, &last) == 0 && hash_equal(&last, &h->last_leaf));
	if (!whole && !mend)
		return CS_ERR_DAMAGED;
	err = edge_check(s, txn, h);
	if (err && mend) {
		err = edge_mend(s, txn, h);
		*ret_mended |= err ? 0 : STORE_MENDED_TILES;
	}
	if (err || whole)
		return err == CS_ERR_NOT_FOUND ? CS_ERR_DAMAGED : err;
	/* The tree holds what the entry was: the head is right, and the entry's bytes are not. */
	err = store_read_tile(s, txn, 0, (h->size - 1) / TREE_TILE_WIDTH, at + 1, in_tree);
	if (err || !hash_equal(&in_tree[at], &h->last_leaf))
		return CS_ERR_DAMAGED;
	*ret_mended |= STORE_DAMAGED_LAST;
	return CS_OK;
}

/*
 * The record, and its copy where there is one. Whoever fits as it is comes first. A build without the copy may have
 * written since, so the record does before the copy. Where they differ in no more than how far Raft had come, the copy
 * counts, which has a hash; by such a build it may be too low: what is applied again is compared.
 */
static int head_choose(struct store *s, MDB_txn *txn, const struct store_options *o)
{
	struct store_head heads[2];
	struct store_copy c;
	unsigned n = 0, what = 0;
	int err = store_read_head(s, txn, &heads[0]);

	n += err == 0;
	bool has_copy = mends(s, o) && store_copy_read(s, txn, &c) == 0;
	if (has_copy)
		heads[n++] = c.head;
	for (unsigned mend = 0; mend <= (unsigned)mends(s, o); mend++)
		for (unsigned i = 0; i < n; i++) {
			what = 0;
			err = head_fits(s, txn, &heads[i], mend, &what);
			if (err)
				continue;
			s->head = heads[i];
			if (has_copy && c.head.size == s->head.size && hash_equal(&c.head.root, &s->head.root))
				s->head = c.head;
			if (!store_read_head(s, txn, &heads[1]) && memcmp(&heads[1], &s->head, sizeof s->head) != 0)
				what |= STORE_MENDED_META;
			mended(o, what);
			return CS_OK;
		}
	return err;
}

/* --- the records about the state --- */

static bool get(const struct store *s, MDB_txn *txn, const char *name, size_t size, uint8_t *ret)
{
	MDB_val key = {.mv_size = strlen(name), .mv_data = (void *)(uintptr_t)name}, value;

	if (mdb_get(txn, s->db[DB_META], &key, &value) || value.mv_size != size)
		return false;
	memcpy(ret, value.mv_data, size);
	return true;
}

/*
 * The state's index stands three times: in its record, before the sum, in the copy; of the sum there is a hash. One of
 * them that is damaged is told by the others. Where neither fits the copy, a build without it has written since.
 */
static int state_mend(struct store *s, MDB_txn *txn, const struct store_options *o)
{
	uint8_t state[META_STATE_SIZE] = {0}, sum[META_SUM_SIZE] = {0};
	struct multiset found;
	struct store_copy c;
	struct hash hash;

	if (store_copy_read(s, txn, &c))
		return CS_OK;
	bool has_state = get(s, txn, META_STATE, sizeof state, state) && memcmp(state, c.state, sizeof state) == 0;
	get(s, txn, META_SUM, sizeof sum, sum);
	hash_bytes(&hash, sum, sizeof sum);
	bool has_sum = hash_equal(&hash, &c.sum);
	if (has_state == has_sum)
		return CS_OK;
	if (has_sum) {
		mended(o, STORE_MENDED_META);
		return store_error(store_meta_put(s, txn, META_STATE, c.state, sizeof c.state));
	}
	memcpy(sum, c.state, sizeof c.state);
	int err = store_sum_records(s, txn, &found);
	multiset_write(&found, sum + META_STATE_SIZE);
	hash_bytes(&hash, sum, sizeof sum);
	if (err || !hash_equal(&hash, &c.sum))
		return err;
	mended(o, STORE_MENDED_META);
	return store_error(store_meta_put(s, txn, META_SUM, sum, sizeof sum));
}

/* Records of the node's own. A build without the copy may have changed them: then they are what they are. */
static int others_mend(struct store *s, MDB_txn *txn, const struct store_options *o)
{
	struct store_copy c;
	int err = store_copy_others(s, txn, NULL, &s->others);

	if (err || !mends(s, o) || store_copy_read(s, txn, &c) || hash_equal(&c.others, &s->others))
		return err;
	err = store_mend_others(s, txn, &c.others);
	if (err) /* What failed halfway must not be committed. */
		return err == CS_ERR_DAMAGED ? CS_OK : err;
	s->others = c.others;
	mended(o, STORE_MENDED_META);
	return CS_OK;
}

int store_open_head(struct store *s, MDB_txn *txn, const struct store_options *o)
{
	uint8_t state[META_STATE_SIZE];
	int err = head_choose(s, txn, o);

	if (!err && !s->read_only)
		err = others_mend(s, txn, o);

	if (!err && mends(s, o))
		err = state_mend(s, txn, o);
	if (err)
		return err;
	if (!get(s, txn, META_STATE, sizeof state, state))
		return CS_ERR_DAMAGED;
	s->state_index = get_u64be(state);
	if (s->read_only)
		return CS_OK;
	s->state_term = get_u64be(state + 8);
	err = store_read_sum(s, txn, &s->sum);
	if (err == CS_ERR_NOT_FOUND)
		err = store_sum_records(s, txn, &s->sum);
	/* Only then: a map that is full can be opened as long as nothing is written. */
	if (err || !mends(s, o) || !(*o->ret_mended & (STORE_MENDED_META | STORE_MENDED_TILES)))
		return err;
	err = store_error(store_head_put(s, txn, &s->head));
	return err ? err : store_error(store_copy_put(s, txn, &s->head, s->state_index, s->state_term, &s->sum));
}
