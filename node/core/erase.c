/* Erasing on this node: the log, then the store, then the word that it is done. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/erase.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/erase_internal.h"
#include "node/log.h"

#define RETRY_NS    UINT64_C(30000000000) /* After a failure: there may be room by then. */
#define TELL_NS     UINT64_C(500000000)   /* The leader is told again. */
#define BARRIER_NS  UINT64_C(200000000)   /* An entry, where clients bring none: logs are cut with one. */
#define PATIENCE_NS UINT64_C(2000000000)  /* So long the leader's log waits for members that follow closely. */

struct eraser *eraser_new(struct core *c)
{
	struct eraser *e = calloc(1, sizeof *e);

	if (e)
		e->core = c;
	return e;
}

static void begin_phase(struct eraser *e, enum erase_phase phase)
{
	e->phase = phase;
	e->since_ns = clock_mono_ns();
}

/* --- what is done here --- */

static const struct erasure *find(const struct keeping *k, uint64_t index)
{
	for (unsigned i = 0; i < ERASURES_MAX; i++)
		if (k->erasures[i].index == index && index != 0)
			return &k->erasures[i];
	return NULL;
}

/* The ledger waits for this node's word about it. */
static bool awaited(const struct core *c, uint64_t index, uint64_t node)
{
	const struct erasure *x = find(state_keeping(c->state), index);

	return x && !erasure_done_by(x, node) && roster_find(state_roster(c->state), node);
}

void erase_forget_told(struct eraser *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_done; i++)
		if (awaited(e->core, e->done[i].index, e->core->id))
			e->done[n++] = e->done[i];
	e->n_done = n;
	for (unsigned i = n = 0; i < e->n_told; i++)
		if (awaited(e->core, e->told[i].index, e->told[i].node))
			e->told[n++] = e->told[i];
	e->n_told = n;
}

static bool done_here(const struct eraser *e, uint64_t index)
{
	for (unsigned i = 0; i < e->n_done; i++)
		if (e->done[i].index == index)
			return true;
	return false;
}

/* Those that this node has not carried out, into the list of a run; false: none. */
static bool gather(struct eraser *e)
{
	const struct keeping *k = state_keeping(e->core->state);

	e->n = 0;
	if (keeping_under_way(k) == 0)
		return false;
	for (unsigned i = 0; i < ERASURES_MAX; i++) {
		const struct erasure *x = &k->erasures[i];
		if (x->index == 0 || erasure_done_by(x, e->core->id) || done_here(e, x->index))
			continue;
		e->run[e->n++] = (struct erased_here){.index = x->index};
	}
	if (e->n)
		e->keeping = *k;
	return e->n > 0;
}

/* --- the steps --- */

static void fail(struct eraser *e, const char *what, int err)
{
	log_error("erasing: %s: %s; it is tried again", what, err_text(err));
	e->retry_ns = clock_mono_ns() + RETRY_NS;
	begin_phase(e, ERASE_REST);
}

/* Members that follow closely get the entries that they lack before the log forgets them: else they fetch it all. */
static bool others_have(const struct core *c, const struct eraser *e)
{
	if (!core_leads(c) || clock_mono_ns() - e->since_ns > PATIENCE_NS)
		return true;
	for (unsigned i = 0; i < c->members.n; i++) {
		uint64_t id = c->members.list[i].id;
		if (id != c->id && link_up(c->link, id) && guard_match(c->guard, id) < e->cut)
			return false;
	}
	return true;
}

static void start_storing(struct eraser *e)
{
	atomic_store(&e->finished, false);
	atomic_store(&e->stop, false);
	begin_phase(e, ERASE_STORING);
	e->threaded = pthread_create(&e->thread, NULL, erase_thread, e) == 0;
	if (!e->threaded)
		fail(e, "a thread cannot be started", CS_ERR_NOMEM);
}

static void storing_ended(struct eraser *e)
{
	pthread_join(e->thread, NULL);
	e->threaded = false;
	if (e->err) {
		fail(e, "the store", e->err);
		return;
	}
	if (store_view_renew(e->core->view))
		core_fatal(e->core, "the store cannot be read");
	begin_phase(e, ERASE_LEAVING);
}

static void all_done(struct eraser *e)
{
	for (unsigned i = 0; i < e->n && e->n_done < ERASURES_MAX; i++) {
		e->done[e->n_done++] = e->run[i];
		log_info("erased entry=%" PRIu64 " changed=%" PRIu64 " held=%" PRIu64 " ms=%" PRIu64, e->run[i].index,
		         e->run[i].changed, e->run[i].held, (clock_mono_ns() - e->begun_ns) / NS_PER_MS);
	}
	e->told_ns = 0;
	begin_phase(e, ERASE_REST);
}

static void rest(struct core *c, struct eraser *e)
{
	if (clock_mono_ns() < e->retry_ns || c->stopping || ledger_writer_held(c->writer) || !gather(e))
		return;
	e->begun_ns = clock_mono_ns();
	e->reached = catchup_reached(c);
	begin_phase(e, ERASE_BEHIND);
}

/*
 * The state may be ahead of the log: fetched, or applied while the disk is slow. What the log lacks up to there comes
 * yet, from before the erasures too, and must come into segments that the wiping takes away.
 */
static bool log_reaches(const struct core *c, raft_index index)
{
	return raft_last_applied((struct raft *)&c->raft) >= index && guard_stored(c->guard) >= index;
}

void erase_step(struct core *c)
{
	struct eraser *e = c->eraser;

	switch (e->phase) {
	case ERASE_REST:
		rest(c, e);
		break;
	case ERASE_BEHIND:
		if (!log_reaches(c, e->reached))
			break;
		disk_wipe(c->log);
		begin_phase(e, ERASE_WIPING);
		break;
	case ERASE_WIPING:
		if (!disk_wipe_index(c->log, &e->cut) || !others_have(c, e))
			break;
		guard_cut(c->guard, e->cut);
		begin_phase(e, ERASE_CUTTING);
		break;
	case ERASE_CUTTING:
		if (disk_wiped(c->log))
			start_storing(e);
		break;
	case ERASE_STORING:
		if (atomic_load(&e->finished))
			storing_ended(e);
		break;
	case ERASE_LEAVING:
		if (!store_lingers(c->o.store))
			all_done(e);
		break;
	}
}

/* --- the word --- */

static void tell(struct core *c, struct eraser *e)
{
	uint64_t now = clock_mono_ns();
	const char *address;
	raft_id leader;

	if (e->n_done == 0 || now - e->told_ns < TELL_NS)
		return;
	raft_leader(&c->raft, &leader, &address);
	if (!leader || leader == c->id)
		return;
	e->told_ns = now;
	for (unsigned i = 0; i < e->n_done; i++) {
		uint8_t bytes[ERASE_TOLD_SIZE];
		struct frame f = {
		        .type = FRAME_CHUNK,
		        .chunk = {
		                .kind = CATCHUP_ERASED, .from = e->done[i].index, .bytes = bytes, .len = sizeof bytes}};
		put_u64be(bytes, e->done[i].changed);
		put_u64be(bytes + 8, e->done[i].held);
		peers_send(c, leader, &f);
	}
}

void erase_told(struct core *c, uint64_t from, const struct frame_chunk *ch)
{
	struct eraser *e = c->eraser;

	if (ch->len != ERASE_TOLD_SIZE || !awaited(c, ch->from, from) || e->n_told == ERASE_TOLD_MAX)
		return;
	for (unsigned i = 0; i < e->n_told; i++)
		if (e->told[i].node == from && e->told[i].index == ch->from)
			return;
	e->told[e->n_told++] = (struct erased_there){from, ch->from, get_u64be(ch->bytes), get_u64be(ch->bytes + 8)};
	if (core_leads(c))
		uv_async_send(&c->wake);
}

/* --- entries by which logs are cut --- */

static void barrier_done(struct raft_barrier *req, int status)
{
	struct eraser *e = req->data;

	(void)status;
	e->barrier_out = false;
}

/* Some member that is there has not erased: its log is cut with the next entry, which must come. */
static bool somebody_waits(const struct core *c)
{
	const struct keeping *k = state_keeping(c->state);

	for (unsigned i = 0; i < ERASURES_MAX; i++)
		for (unsigned m = 0; k->erasures[i].index && m < c->members.n; m++) {
			uint64_t id = c->members.list[m].id;
			if (!erasure_done_by(&k->erasures[i], id) && (id == c->id || link_up(c->link, id)))
				return true;
		}
	return false;
}

static void barrier(struct core *c, struct eraser *e)
{
	uint64_t now = clock_mono_ns();

	if (e->barrier_out || now - e->barrier_ns < BARRIER_NS || !core_leads(c) || c->stopping ||
	    keeping_under_way(state_keeping(c->state)) == 0 || !somebody_waits(c))
		return;
	e->barrier_ns = now;
	e->barrier.data = e;
	e->barrier_out = true;
	if (guard_barrier(c->guard, &e->barrier, barrier_done))
		e->barrier_out = false;
}

void erase_beat(struct core *c)
{
	struct eraser *e = c->eraser;

	if (!state_feature(c->state, FEATURE_RECORDS))
		return;
	erase_forget_told(e);
	erase_step(c);
	tell(c, e);
	barrier(c, e);
	if (core_leads(c) && !c->stopping && (e->n_done || e->n_told || retention_look(c)))
		uv_async_send(&c->wake);
}

void erase_stop(struct core *c)
{
	struct eraser *e = c->eraser;

	if (!e->threaded)
		return;
	atomic_store(&e->stop, true);
	pthread_join(e->thread, NULL);
	e->threaded = false;
}

void erase_free(struct core *c)
{
	free(c->eraser);
}
