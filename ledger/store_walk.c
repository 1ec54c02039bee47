/* The store's entries and bodies in the order of their indexes, by cursors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/store_internal.h"

struct store_walk {
	const struct store_view *view;
	MDB_cursor *entries, *bodies;
	bool down, begun, bodies_set;
	uint64_t next, index; /* The entry that comes; the one that came last. */
	uint64_t body_index;  /* Where the bodies' cursor stands, if bodies_set. */
	MDB_val body;
};

int store_walk_open(const struct store_view *v, uint64_t from, bool down, struct store_walk **ret)
{
	struct store_walk *w = v->live ? calloc(1, sizeof *w) : NULL;

	if (!w)
		return v->live ? CS_ERR_NOMEM : CS_ERR_INVALID;
	*w = (struct store_walk){.view = v, .down = down, .next = from};
	int rc = mdb_cursor_open(v->txn, v->store->db[DB_ENTRIES], &w->entries);
	if (!rc)
		rc = mdb_cursor_open(v->txn, v->store->db[DB_BODIES], &w->bodies);
	if (rc) {
		store_walk_close(w);
		return store_error(rc);
	}
	*ret = w;
	return CS_OK;
}

void store_walk_close(struct store_walk *w)
{
	if (!w)
		return;
	if (w->entries)
		mdb_cursor_close(w->entries);
	if (w->bodies)
		mdb_cursor_close(w->bodies);
	free(w);
}

int store_walk_next(struct store_walk *w, uint64_t *ret_index, const void **ret_leaf, size_t *ret_len)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, w->next), value;

	if (w->next >= w->view->head.size) /* Downwards: beyond 0. */
		return CS_ERR_NOT_FOUND;
	int rc = mdb_cursor_get(w->entries, &key, &value, !w->begun ? MDB_SET_KEY : w->down ? MDB_PREV : MDB_NEXT);
	if (rc == MDB_NOTFOUND)
		return CS_ERR_DAMAGED;
	if (rc)
		return store_error(rc);
	if (key.mv_size != INDEX_KEY_SIZE || get_u64be(key.mv_data) != w->next)
		return CS_ERR_DAMAGED; /* Leaves are never deleted: a hole is damage. */
	w->begun = true;
	w->index = w->next;
	w->next = w->down ? w->next - 1 : w->next + 1;
	*ret_index = w->index;
	*ret_leaf = value.mv_data;
	*ret_len = value.mv_size;
	return CS_OK;
}

/* Erased bodies are holes: the cursor then stands beyond, until the entries have come there. */
int store_walk_body(struct store_walk *w, const void **ret_body, size_t *ret_len)
{
	uint8_t buf[INDEX_KEY_SIZE];
	MDB_val key = store_index_key(buf, w->index);
	bool near = w->bodies_set && (w->down ? w->body_index == w->index + 1 : w->body_index + 1 == w->index);

	if (!w->bodies_set || w->body_index != w->index) {
		int rc = mdb_cursor_get(w->bodies, &key, &w->body, !near ? MDB_SET_KEY : w->down ? MDB_PREV : MDB_NEXT);
		w->bodies_set = rc == 0;
		if (rc)
			return rc == MDB_NOTFOUND ? CS_ERR_ERASED : store_error(rc);
		if (key.mv_size != INDEX_KEY_SIZE)
			return CS_ERR_DAMAGED;
		w->body_index = get_u64be(key.mv_data);
	}
	if (w->body_index != w->index)
		return CS_ERR_ERASED;
	*ret_body = w->body.mv_data;
	*ret_len = w->body.mv_size;
	return CS_OK;
}
