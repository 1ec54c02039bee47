/* Views of the store: which file they look into, from when they are renewed until they are released. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/store.h"

#include <stdlib.h>

#include "ledger/errors.h"
#include "ledger/store_internal.h"

static int view_start(struct store_view *v)
{
	int err = store_read_head(v->store, v->txn, &v->head);

	v->live = err == CS_OK;
	if (err)
		mdb_txn_reset(v->txn);
	return err;
}

/* Locked; the view holds no snapshot. A file that was rewritten and that nobody looks at any more is closed. */
static void leave_file(struct store_view *v)
{
	struct store_file *f = v->file;

	if (v->txn)
		mdb_txn_abort(v->txn);
	v->txn = NULL;
	v->file = NULL;
	if (f && --f->views == 0 && f != v->store->file) {
		mdb_env_close(f->env);
		free(f);
	}
}

/* The file that is current now stays open from here on, until the view is released. */
static void hold_file(struct store_view *v)
{
	struct store *s = v->store;

	pthread_mutex_lock(&s->lock);
	if (v->file != s->file) {
		leave_file(v);
		v->file = s->file;
		v->file->views++;
	}
	v->held = true;
	pthread_mutex_unlock(&s->lock);
}

static void let_go(struct store_view *v)
{
	struct store *s = v->store;

	pthread_mutex_lock(&s->lock);
	v->held = false;
	if (v->file != s->file)
		leave_file(v);
	pthread_mutex_unlock(&s->lock);
}

void store_swap_file(struct store *s, struct store_file *file)
{
	struct store_file *old;

	pthread_mutex_lock(&s->lock);
	old = s->file;
	s->file = file;
	s->env = file->env;
	old->views++; /* For as long as its views are told. */
	for (struct store_view *v = s->views; v; v = v->next)
		if (!v->held && v->file == old)
			leave_file(v);
	if (--old->views == 0) {
		mdb_env_close(old->env);
		free(old);
	}
	pthread_mutex_unlock(&s->lock);
}

bool store_lingers(struct store *s)
{
	bool lingers = false;

	pthread_mutex_lock(&s->lock);
	for (const struct store_view *v = s->views; v; v = v->next)
		lingers |= v->file && v->file != s->file;
	pthread_mutex_unlock(&s->lock);
	return lingers;
}

int store_view_open(struct store *s, struct store_view **ret)
{
	struct store_view *v = calloc(1, sizeof *v);

	if (!v)
		return CS_ERR_NOMEM;
	v->store = s;
	pthread_mutex_lock(&s->lock);
	v->next = s->views;
	v->prev = &s->views;
	if (v->next)
		v->next->prev = &v->next;
	s->views = v;
	pthread_mutex_unlock(&s->lock);
	int err = store_view_renew(v);
	if (err) {
		store_view_close(v);
		return err;
	}
	*ret = v;
	return CS_OK;
}

void store_view_release(struct store_view *v)
{
	if (v->live)
		mdb_txn_reset(v->txn);
	v->live = false;
	let_go(v);
}

int store_view_renew(struct store_view *v)
{
	if (v->live)
		mdb_txn_reset(v->txn);
	v->live = false;
	hold_file(v);
	int rc = v->txn ? mdb_txn_renew(v->txn) : mdb_txn_begin(v->file->env, NULL, MDB_RDONLY, &v->txn);
	int err = rc ? store_error(rc) : view_start(v);
	if (err)
		let_go(v);
	return err;
}

void store_view_close(struct store_view *v)
{
	if (!v)
		return;
	struct store *s = v->store;
	pthread_mutex_lock(&s->lock);
	leave_file(v);
	*v->prev = v->next;
	if (v->next)
		v->next->prev = v->prev;
	pthread_mutex_unlock(&s->lock);
	free(v);
}
