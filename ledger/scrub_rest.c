/* The scrubber's reading: beginning and end, checkpoints, the state, the records about them, the structure. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/scrub.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/scrub_internal.h"
#include "ledger/tilejudge.h"

/* --- beginning and end --- */

struct meta_wanted {
	const char *name;
	size_t size;
	uint8_t *out;
	bool there, sized;
};

static int meta_record(void *ctx, const struct pages_record *r)
{
	struct meta_wanted *w = ctx;

	if (r->key_len != strlen(w->name) || memcmp(r->key, w->name, r->key_len) != 0)
		return 1;
	w->there = true;
	w->sized = r->value_len == w->size;
	if (w->sized)
		memcpy(w->out, r->value, w->size);
	return 1;
}

/* A record of meta of that size; false: there is none such. */
static bool meta_get(struct scrub *s, const char *name, void *out, size_t size)
{
	struct meta_wanted w = {.name = name, .size = size, .out = out};

	return !scrub_range(s, DB_META, name, strlen(name), meta_record, &w, NULL) && w.sized;
}

static void tree_bad(struct scrub *s, unsigned db, int err)
{
	/* Of a store that no version which has it has written: then there is one database less. */
	if (db == DB_ERASED && err == CS_ERR_NOT_FOUND && s->pages.main.entries < DB_COUNT)
		return;
	if (err == CS_ERR_DAMAGED || err == CS_ERR_NOT_FOUND)
		scrub_tell(s, SCRUB_PAGE, db, 0, s->pages.main.root, "the database is not to be found");
}

int scrub_begin(struct scrub *s, const struct pages_source *source, uint64_t txn_id, const struct store_head *head)
{
	uint8_t buf[META_HEAD_SIZE];
	int err = pages_open(&s->pages, source, txn_id);

	s->err = 0;
	for (unsigned i = 0; i < SCRUB_CACHE; i++)
		s->cache[i].held = false;
	memset(s->has_db, 0, sizeof s->has_db);
	for (unsigned i = 0; i < DB_COUNT && !err; i++) {
		int rv = pages_tree(&s->pages, scrub_db_names[i], &s->db[i]);
		s->has_db[i] = rv == 0;
		tree_bad(s, i, rv);
		err = rv == CS_ERR_NOMEM ? rv : 0;
	}
	if (err)
		return err;
	if (head)
		s->head = *head;
	else if (!meta_get(s, META_HEAD, buf, sizeof buf))
		return s->err ? s->err : CS_ERR_DAMAGED;
	else
		store_head_decode(buf, &s->head);
	return CS_OK;
}

void scrub_end(struct scrub *s)
{
	pages_close(&s->pages);
	free(s->leaves);
	s->leaves = NULL;
	s->leaves_len = s->leaves_cap = 0;
}

/* --- checkpoints --- */

struct noting {
	struct scrub *s;
	unsigned max, n;
	uint64_t next;
	/* Looked at behind the walk: what is wrong with one is found by walking elsewhere. */
	struct {
		uint64_t size;
		size_t len;
		char text[LIMIT_NOTE_SIZE_MAX];
	} one;
	bool held;
};

static int note_record(void *ctx, const struct pages_record *r)
{
	struct noting *g = ctx;

	if (r->key_len != INDEX_KEY_SIZE) {
		scrub_tell(g->s, SCRUB_PAGE, DB_CHECKPOINTS, 0, r->page, "a record is of no size");
		return 0;
	}
	g->one.size = get_u64be(r->key);
	g->one.len = r->value_len;
	if (r->value_len <= sizeof g->one.text)
		memcpy(g->one.text, r->value, r->value_len);
	g->held = true;
	return 1;
}

static const char *note_wrong(struct scrub *s, uint64_t size, const char *text, size_t len)
{
	struct checkpoint c;
	struct note n;
	struct hash root;

	if (len > LIMIT_NOTE_SIZE_MAX || note_parse(&n, text, len) || checkpoint_parse(&c, n.text, n.text_len))
		return "it is malformed";
	if (c.size != size || size > s->head.size)
		return "it is of another size";
	if (s->origin && strcmp(c.origin, s->origin) != 0)
		return "it is of another origin";
	if (scrub_root_at(s, size, &root) || !hash_equal(&root, &c.root))
		return "it has not the tree's root";
	return s->signatures ? s->signatures(s->ctx, &n) : NULL;
}

int scrub_checkpoints(struct scrub *s, uint64_t from, unsigned max, uint64_t *ret_next)
{
	struct noting *g = calloc(1, sizeof *g);
	uint8_t key[INDEX_KEY_SIZE + 1] = {0};
	int err = g ? 0 : CS_ERR_NOMEM;

	*ret_next = from;
	for (unsigned i = 0; i < max && !err; i++) {
		g->s = s;
		g->held = false;
		put_u64be(key, *ret_next - 1); /* What is behind the one before, whatever the length of its key. */
		err = scrub_range(s, DB_CHECKPOINTS, key, *ret_next ? sizeof key : 0, note_record, g, NULL);
		if (err || !g->held) {
			*ret_next = 0;
			break;
		}
		const char *why = note_wrong(s, g->one.size, g->one.text, g->one.len);
		err = s->err; /* Then its root is not known. */
		if (why && !err)
			scrub_tell(s, SCRUB_CHECKPOINT, DB_CHECKPOINTS, 0, g->one.size, why);
		*ret_next = g->one.size + 1;
		if (*ret_next == 0) /* There is no larger one. */
			break;
	}
	free(g);
	return err;
}

/* --- the state --- */

static int sum_record(void *ctx, const struct pages_record *r)
{
	multiset_add(ctx, r->key[0], r->value, r->value_len);
	return 0;
}

int scrub_state(struct scrub *s)
{
	uint8_t sum[META_SUM_SIZE], state[META_STATE_SIZE], found[MULTISET_SIZE];
	struct multiset set = {0};
	bool bad;

	if (!meta_get(s, META_SUM, sum, sizeof sum) || !meta_get(s, META_STATE, state, sizeof state) ||
	    memcmp(sum, state, sizeof state) != 0)
		return s->err; /* Of a version that keeps none; or damaged, which is the other records' matter. */
	int err = scrub_range(s, DB_STATE, NULL, 0, sum_record, &set, &bad);
	multiset_write(&set, found);
	if (!err && !bad && memcmp(found, sum + META_STATE_SIZE, sizeof found) != 0)
		scrub_tell(s, SCRUB_STATE, DB_STATE, 0, 0, "its records have not the sum that was stored with them");
	return err;
}

/* --- the records about all that --- */

static int others_record(void *ctx, const struct pages_record *r)
{
	store_copy_other(ctx, r->key, r->key_len, r->value, r->value_len);
	return 0;
}

static bool head_same(const struct store_head *a, const struct store_head *b)
{
	return a->size == b->size && a->applied_index == b->applied_index && a->applied_term == b->applied_term &&
	       hash_equal(&a->root, &b->root) && hash_equal(&a->last_leaf, &b->last_leaf);
}

static void meta_wrong(struct scrub *s, const char *why)
{
	scrub_tell(s, SCRUB_META, DB_META, 0, 0, why);
}

/* By the copy of them, and by what the caller knows. */
static void copy_check(struct scrub *s, const struct store_copy *c, const uint8_t *state, const struct hash *sum,
                       const struct hash *others)
{
	if (!head_same(&c->head, &s->head))
		meta_wrong(s, "the copy of the head is another");
	if (memcmp(c->state, state, sizeof c->state) != 0)
		meta_wrong(s, "the copy of the state's index is another");
	if (!hash_equal(&c->sum, sum))
		meta_wrong(s, "the sum of the state is not what was stored");
	if (!hash_equal(&c->others, others))
		meta_wrong(s, "the format, or a record of the node's own, is not what was stored");
}

int scrub_meta(struct scrub *s)
{
	uint8_t head[META_HEAD_SIZE], state[META_STATE_SIZE], sum[META_SUM_SIZE], copy[META_COPY_SIZE];
	struct store_head stored;
	struct hash sum_hash, others_hash;
	struct store_copy c;
	struct hasher others;

	hasher_init(&others);
	scrub_range(s, DB_META, NULL, 0, others_record, &others, NULL);
	hasher_final(&others, &others_hash);
	bool has_head = meta_get(s, META_HEAD, head, sizeof head),
	     has_state = meta_get(s, META_STATE, state, sizeof state) && meta_get(s, META_SUM, sum, sizeof sum),
	     has_copy = meta_get(s, META_COPY, copy, sizeof copy) && store_copy_decode(copy, &c) == 0;
	if (s->err)
		return s->err;
	if (!has_head)
		meta_wrong(s, "the head is missing");
	else if (store_head_decode(head, &stored), !head_same(&stored, &s->head))
		meta_wrong(s, "the head is not that of the ledger");
	if (!has_state) {
		meta_wrong(s, "the state's index or sum is missing");
		return 0;
	}
	hash_bytes(&sum_hash, sum, sizeof sum);
	if (!has_copy)
		meta_wrong(s, "the copy is missing or damaged");
	else
		copy_check(s, &c, state, &sum_hash, &others_hash);
	return 0;
}

/* --- the structure --- */

static int structure_bad(void *ctx, const char *name, uint64_t page, const char *what)
{
	struct scrub *s = ctx;
	const struct scrub_find f = {.what = SCRUB_PAGE, .index = page, .db = name, .why = what};

	s->n_found++;
	s->found(s->ctx, &f);
	return 0;
}

int scrub_structure(struct scrub *s)
{
	struct pages_check c = {.bad = structure_bad, .ctx = s, .roots_only = true};

	return pages_check(&s->pages, &c);
}

int scrub_all(struct scrub *s)
{
	struct pages_check c = {.bad = structure_bad, .ctx = s};
	uint64_t next = 0;
	int err = pages_check(&s->pages, &c);

	if (!err)
		err = scrub_meta(s);
	for (unsigned level = 0; level < TREE_TILE_LEVELS && !err; level++)
		for (uint64_t n = 0; (n == 0 || tile_width(s->head.size, level, n)) && !err; n++)
			err = scrub_tile(s, level, n);
	do
		err = err ? err : scrub_checkpoints(s, next, 64, &next);
	while (!err && next);
	return err ? err : scrub_state(s);
}
