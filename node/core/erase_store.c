/* The eraser's thread: which fields of which bodies, and the store rewritten without them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <time.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/erase_internal.h"
#include "node/writer.h"

#define BATCH_MAX    256  /* Erasures in one transaction. */
#define ENTRIES_STEP 1024 /* Bodies looked at between two looks at the clock, and in one view. */

struct pass {
	struct eraser *e;
	struct store_view *view;
	const struct erasure *erasures[ERASURES_MAX];
	uint64_t first, end;
	struct store_erasure batch[BATCH_MAX];
	unsigned n;
};

static bool stopped(const struct eraser *e)
{
	return atomic_load(&e->stop);
}

/* As long as the work before it took: what else goes on at this node has half of everything. */
static void pause_since(uint64_t begun_ns)
{
	uint64_t took = clock_mono_ns() - begun_ns;
	struct timespec t = {.tv_sec = (time_t)(took / NS_PER_S), .tv_nsec = (long)(took % NS_PER_S)};

	nanosleep(&t, NULL);
}

static int flush(struct pass *p)
{
	uint64_t changed;
	int err = p->n ? ledger_writer_erase(p->e->core->writer, p->batch, p->n, &changed) : 0;

	p->n = 0;
	return err;
}

static int look_at(struct pass *p, uint64_t index)
{
	const void *leaf, *body;
	size_t leaf_len, body_len;
	int err = store_view_body(p->view, index, &body, &body_len);

	if (err || body_len == 0)
		return err == CS_ERR_ERASED ? 0 : err;
	err = store_view_entry(p->view, index, &leaf, &leaf_len);
	for (unsigned i = 0; i < p->e->n && !err; i++) {
		bool held;
		uint64_t fields = erasure_fields(&p->e->keeping, p->erasures[i], leaf, leaf_len, body, body_len, &held);
		p->e->run[i].held += held;
		if (!fields)
			continue;
		p->e->run[i].changed++;
		p->batch[p->n++] = (struct store_erasure){index, p->e->run[i].index, fields};
		if (p->n == BATCH_MAX)
			err = flush(p);
	}
	return err;
}

/* Entries from before the erasures may still be with the writer. */
static int await_stored(const struct pass *p)
{
	static const struct timespec nap = {.tv_nsec = NS_PER_MS};
	struct ledger_writer *w = p->e->core->writer;

	while (ledger_writer_stored_size(w) < p->end) {
		if (stopped(p->e) || ledger_writer_held(w))
			return CS_ERR_NOT_READY;
		ledger_writer_flush(w);
		nanosleep(&nap, NULL);
	}
	return 0;
}

static void find_bounds(struct pass *p)
{
	p->first = UINT64_MAX;
	for (unsigned i = 0; i < p->e->n; i++)
		for (unsigned k = 0; k < ERASURES_MAX; k++) {
			const struct erasure *x = &p->e->keeping.erasures[k];
			if (x->index != p->e->run[i].index)
				continue;
			p->erasures[i] = x;
			p->first = x->first < p->first ? x->first : p->first;
			p->end = x->end > p->end ? x->end : p->end;
		}
}

static int pass_over(struct pass *p)
{
	int err = await_stored(p);
	uint64_t begun = clock_mono_ns();

	if (!err)
		err = store_view_open(p->e->core->o.store, &p->view);
	for (uint64_t i = p->first; i < p->end && !err; i++) {
		err = look_at(p, i);
		if (err || (i - p->first + 1) % ENTRIES_STEP != 0)
			continue;
		store_view_release(p->view);
		pause_since(begun);
		begun = clock_mono_ns();
		err = stopped(p->e) ? CS_ERR_NOT_READY : store_view_renew(p->view);
	}
	store_view_close(p->view);
	return err ? err : flush(p);
}

static int rewrite(struct eraser *e)
{
	struct store_rewrite *r;
	int rv = store_rewrite_begin(e->core->o.store, &r);

	if (rv)
		return rv;
	do {
		uint64_t begun = clock_mono_ns();
		rv = store_rewrite_some(r);
		if (rv == 0)
			pause_since(begun);
	} while (rv == 0 && !stopped(e));
	if (rv == 1)
		return ledger_writer_rewrite(e->core->writer, r);
	store_rewrite_abandon(r);
	return rv ? rv : CS_ERR_NOT_READY;
}

void *erase_thread(void *arg)
{
	struct eraser *e = arg;
	struct pass p = {.e = e};

	find_bounds(&p);
	e->err = pass_over(&p);
	if (!e->err)
		do
			e->err = rewrite(e);
		while (e->err == CS_ERR_CONFLICT && !stopped(e)); /* Catch-up has brought what others erased. */
	atomic_store(&e->finished, true);
	uv_async_send(&e->core->wake);
	return NULL;
}
