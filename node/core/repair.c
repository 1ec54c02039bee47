/* Repairing a damaged log: what the others hold at the same index and term is what was lost (Raft's Log Matching). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/repair.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/mend.h"
#include "node/disk/record.h"
#include "node/log.h"

#define ROUND_MS   300   /* Then everybody is asked again: others may have been repaired meanwhile. */
#define WORDS_MS   5000  /* The log says what is waited for. */
#define GIVE_UP_MS 10000 /* With an answer of an undamaged member that does not help: the log is cut. */

struct repair {
	struct teller tellers[MEMBERS_MAX];
	unsigned n;
	raft_index from; /* The first index that is asked for. */
	uint64_t began_ns, words_ns;
	bool ended;
	int err;
};

/* --- asking --- */

static void ask(struct core *c, uint64_t peer, raft_index from)
{
	struct frame f = {.type = FRAME_FETCH, .fetch = {.kind = REPAIR_KIND_LOG, .from = from, .count = 1}};

	peers_send(c, peer, &f);
}

/* The first index that is not known for sure, and one before, to join on to. */
static raft_index first_wanted(struct scan *s)
{
	raft_index i = s->first;

	while (scan_slot(s, i) && scan_slot(s, i)->state == SLOT_WHOLE)
		i++;
	return i > s->first ? i - 1 : i;
}

static void forget_tellers(struct repair *r)
{
	for (unsigned i = 0; i < r->n; i++)
		scan_free(&r->tellers[i].log);
	memset(r->tellers, 0, sizeof r->tellers);
	r->n = 0;
}

static struct teller *teller_of(struct repair *r, uint64_t id)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->tellers[i].id == id)
			return &r->tellers[i];
	if (r->n == MEMBERS_MAX)
		return NULL;
	r->tellers[r->n] = (struct teller){.id = id, .log = {.first = r->from}};
	return &r->tellers[r->n++];
}

static int take_entry(struct teller *t, const struct record *e)
{
	const struct slot missing = {.state = SLOT_MISSING};
	struct slot slot = {.state = SLOT_WHOLE, .type = e->type, .len = e->len, .term = e->term};
	int err = 0;

	if (e->kind != RECORD_ENTRY || e->len == 0 || e->len % 8 != 0 || e->len > BATCH_SIZE_MAX ||
	    e->index > t->last || e->index < t->log.first + t->log.n || e->index - t->log.first > FRAME_FETCH_COUNT_MAX)
		return CS_ERR_MALFORMED;
	while (t->log.first + t->log.n < e->index && !err)
		err = scan_put(&t->log, t->log.first + t->log.n, &missing);
	slot.base = raft_malloc(e->len);
	if (!slot.base)
		return CS_ERR_NOMEM;
	memcpy(slot.base, e->bytes, e->len);
	if (!err)
		err = scan_put(&t->log, e->index, &slot);
	if (err)
		raft_free(slot.base);
	return err;
}

/* --- the end --- */

static unsigned voters(const struct core *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->members.n; i++)
		n += c->members.list[i].role == ROSTER_VOTER;
	return n;
}

static void end(struct core *c, int err)
{
	c->repair->err = err;
	c->repair->ended = true;
	uv_stop(&c->loop);
}

/* Not to be had from anybody: cut, and no vote until a later term's log is here. Safe, whatever was lost. */
static void give_up(struct core *c, struct scan *s)
{
	raft_index at = s->first;
	raft_term term = disk_term(c->log);
	int err;

	while (mend_slot(s, at))
		at++;
	log_error(
	        "the log cannot be repaired from index %llu on: this node votes no more until it has caught up with a "
	        "term after %llu",
	        at, term);
	scan_cut_back(s, at);
	s->tail_lost = false;
	err = disk_set_lost_term(c->log, term);
	if (!err)
		err = disk_rewrite(c->log);
	end(c, err);
}

static void resolve(struct core *c)
{
	struct repair *r = c->repair;
	struct scan *s = disk_scan(c->log);
	unsigned n = voters(c), others_needed = n - (n / 2 + 1) + 1, answers = 0;
	uint64_t mended = 0;
	bool tail = !s->tail_lost;
	int err = 0;

	for (unsigned i = 0; i < r->n && !err; i++) {
		answers += r->tellers[i].done && r->tellers[i].whole;
		err = mend_middle(s, &r->tellers[i], &mended);
	}
	if (!err && !tail && mend_whole(s)) {
		int rv = mend_tail(s, r->tellers, r->n, others_needed, &mended);
		err = rv < 0 ? rv : 0;
		tail = rv > 0;
	}
	if (!err && tail && mend_whole(s)) {
		s->tail_lost = false;
		err = disk_rewrite(c->log);
		log_info("the log is repaired: entries=%" PRIu64 " last=%" PRIu64, mended, scan_last(s));
		end(c, err);
		return;
	}
	if (err)
		end(c, err);
	else if (answers >= others_needed && clock_mono_ns() - r->began_ns > GIVE_UP_MS * NS_PER_MS)
		give_up(c, s);
}

static void take_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch)
{
	struct teller *t = teller_of(c->repair, from);
	const uint8_t *p = ch->bytes + REPAIR_HEAD_SIZE, *end_of = ch->bytes + ch->len;
	struct record e;
	raft_index next;
	int rv;

	if (!t || t->done || ch->len < REPAIR_HEAD_SIZE || ch->from < c->repair->from)
		return;
	t->whole = !(get_u32be(ch->bytes) & REPAIR_FLAG_LOST);
	t->snapshot_index = get_u64be(ch->bytes + 8);
	t->last = get_u64be(ch->bytes + 24);
	next = get_u64be(ch->bytes + 32);
	while ((rv = record_next(&p, end_of, &e)) > 0)
		if ((rv = take_entry(t, &e)) != 0)
			break;
	if (rv < 0) {
		log_error("repair: what node %" PRIu64 " tells is refused: %s", from, err_text(rv));
		return;
	}
	if (next > ch->from && next <= t->last) {
		ask(c, from, next);
		return;
	}
	t->done = true;
	resolve(c);
}

void repair_frame(struct core *c, uint64_t from, const struct frame *f)
{
	if (f->type == FRAME_FETCH && f->fetch.kind == REPAIR_KIND_LOG)
		repair_give(c, from, &f->fetch);
	else if (f->type == FRAME_HELLO && f->hello.cosigned_size > c->told_cosigned_size)
		c->told_cosigned_size = f->hello.cosigned_size;
	else if (f->type == FRAME_CHUNK && f->chunk.kind == REPAIR_KIND_LOG && !c->repair->ended)
		take_chunk(c, from, &f->chunk);
}

void repair_link(struct core *c, uint64_t peer)
{
	if (!c->repair->ended)
		ask(c, peer, c->repair->from);
}

/* A round: everybody is asked anew, who may know more by now. */
static void on_round(uv_timer_t *timer)
{
	struct core *c = timer->data;
	struct repair *r = c->repair;

	if (!r->ended) /* By an answer of this very turn of the loop: a log is rewritten once. */
		resolve(c);
	if (r->ended)
		return;
	forget_tellers(r);
	r->from = first_wanted(disk_scan(c->log));
	for (unsigned i = 0; i < c->members.n; i++)
		if (c->members.list[i].id != c->id)
			ask(c, c->members.list[i].id, r->from);
	if (clock_mono_ns() - r->words_ns < WORDS_MS * NS_PER_MS)
		return;
	r->words_ns = clock_mono_ns();
	log_warning("the log is damaged and waits for the other members to repair it: from index %llu on", r->from);
}

int repair_run(struct core *c)
{
	struct repair r = {.began_ns = clock_mono_ns()};

	if (voters(c) < 2)
		return CS_ERR_DAMAGED;
	r.from = first_wanted(disk_scan(c->log));
	r.words_ns = r.began_ns;
	c->repair = &r;
	uv_timer_start(&c->beat, on_round, 0, ROUND_MS);
	while (!r.ended)
		uv_run(&c->loop, UV_RUN_ONCE);
	uv_timer_stop(&c->beat);
	forget_tellers(&r);
	c->repair = NULL;
	return r.err;
}

/* --- a node that has lost what it acknowledged --- */

void repair_tell_lost(struct core *c, uint64_t peer)
{
	struct frame f = {.type = FRAME_FETCH,
	                  .fetch = {.kind = REPAIR_KIND_LOST, .from = disk_lost_term(c->log), .count = 1}};

	if (f.fetch.from)
		peers_send(c, peer, &f);
}

/*
 * The leader's account of what that node holds is wrong, and libraft takes the rejections that say so for old ones. In
 * a new term it asks anew; and only a leader whom the others have elected without that node is sure to have all.
 */
void repair_told_lost(struct core *c, uint64_t from, const struct frame_fetch *f)
{
	if (c->raft.state != RAFT_LEADER || c->raft.current_term > f->from)
		return;
	log_warning("node %" PRIu64 " has lost a part of its log: stepping down, so that it is asked anew", from);
	guard_step_down(c->guard);
}
