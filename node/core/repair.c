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
#include "node/disk/record.h"
#include "node/log.h"

/*
 * A chunk of kind LOG: flags u32 | zero u32 | snapshot's index u64 | its term u64 | last index u64 | index to ask for
 * next u64 (0: that was all) | entries as the log's own records (node/disk/record.h), rising, lost ones left out.
 */
#define HEAD_SIZE  40
#define FLAG_LOST  1u           /* The giver's own log is damaged, or it has lost entries for good. */
#define GIVE_SIZE  (256u << 10) /* Entries beyond the first go only up to this: a heartbeat behind it waits less. */
#define ROUND_MS   300          /* Then everybody is asked again: others may have been repaired meanwhile. */
#define WORDS_MS   5000         /* The log says what is waited for. */
#define GIVE_UP_MS 10000        /* With an answer of an undamaged member that does not help: the log is cut. */

/* What one member has told in this round. */
struct teller {
	uint64_t id;
	bool whole; /* Its log is not damaged, */
	bool done;  /* and it has told all that it has. */
	raft_index snapshot_index, last;
	struct scan log;
};

struct repair {
	struct teller tellers[MEMBERS_MAX];
	unsigned n;
	raft_index from; /* The first index that is asked for. */
	uint64_t began_ns, words_ns;
	bool ended;
	int err;
};

/* --- giving --- */

/* The giver's entry at index, from libraft's memory or, while its own log is being repaired, from what was read. */
static bool own_entry(struct core *c, raft_index index, struct record *ret)
{
	struct record r = {.kind = RECORD_ENTRY, .index = index};

	if (c->repair) {
		const struct slot *s = scan_slot(disk_scan(c->log), index);
		if (!s || s->state != SLOT_WHOLE)
			return false;
		r.term = s->term;
		r.type = s->type;
		r.bytes = s->base;
		r.len = s->len;
	} else {
		const struct raft_entry *e = guard_log_entry(c->guard, index);
		if (!e || index > guard_stored(c->guard))
			return false;
		r.term = e->term;
		r.type = (uint8_t)e->type;
		r.bytes = e->buf.base;
		r.len = (uint32_t)e->buf.len;
	}
	*ret = r;
	return true;
}

static raft_index own_last(struct core *c)
{
	return c->repair ? scan_last(disk_scan(c->log)) : guard_stored(c->guard);
}

/* Entries from index on, as many as go into a chunk; returns the index after them. */
static raft_index give_entries(struct core *c, raft_index index, raft_index last, uint8_t *buf, size_t *len)
{
	struct record r;

	for (; index <= last; index++) {
		if (!own_entry(c, index, &r))
			continue;
		if (*len > HEAD_SIZE && *len + RECORD_HEAD_SIZE + r.len > GIVE_SIZE)
			return index;
		if (*len + RECORD_HEAD_SIZE + r.len > FRAME_CHUNK_SIZE_MAX)
			continue;
		record_head(buf + *len, &r);
		memcpy(buf + *len + RECORD_HEAD_SIZE, r.bytes, r.len);
		*len += RECORD_HEAD_SIZE + r.len;
	}
	return index;
}

void repair_give(struct core *c, uint64_t to, const struct frame_fetch *f)
{
	raft_index last = own_last(c), next;
	struct frame reply = {.type = FRAME_CHUNK, .chunk = {.kind = REPAIR_KIND_LOG, .from = f->from}};
	uint8_t *buf = malloc(FRAME_CHUNK_SIZE_MAX);
	size_t len = HEAD_SIZE;

	if (!buf)
		return; /* It asks again. */
	next = give_entries(c, f->from, last, buf, &len);
	put_u32be(buf, c->repair || disk_lost_term(c->log) ? FLAG_LOST : 0);
	put_u32be(buf + 4, 0);
	put_u64be(buf + 8, disk_snapshot_index(c->log));
	put_u64be(buf + 16, disk_snapshot_term(c->log));
	put_u64be(buf + 24, last);
	put_u64be(buf + 32, next <= last ? next : 0);
	reply.chunk.bytes = buf;
	reply.chunk.len = len;
	peers_send(c, to, &reply);
	free(buf);
}

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

/* --- resolving --- */

static const struct slot *whole(struct scan *s, raft_index index)
{
	const struct slot *slot = scan_slot(s, index);

	return slot && slot->state == SLOT_WHOLE ? slot : NULL;
}

static int copy_slot(struct scan *to, raft_index index, const struct slot *from)
{
	struct slot slot = *from;
	int err;

	slot.base = raft_malloc(from->len);
	if (!slot.base)
		return CS_ERR_NOMEM;
	memcpy(slot.base, from->base, from->len);
	err = scan_put(to, index, &slot);
	if (err)
		raft_free(slot.base);
	return err;
}

/* The last index of low..high at which both have the same entry; 0: none. Up to there the two logs are equal. */
static raft_index common(struct scan *a, struct scan *b, raft_index low, raft_index high)
{
	for (raft_index i = high; i >= low && i > 0; i--)
		if (whole(a, i) && whole(b, i) && whole(a, i)->term == whole(b, i)->term)
			return i;
	return 0;
}

/* Entries lost in the middle: whoever has the same entry behind them has the same entries in their place. */
static int mend_middle(struct scan *s, struct teller *t, uint64_t *mended)
{
	raft_index last_bad = 0, anchor;
	int err = 0;

	for (raft_index i = s->first; i < s->first + s->n; i++)
		if (!whole(s, i))
			last_bad = i;
	if (!last_bad)
		return 0;
	anchor = common(s, &t->log, last_bad + 1, scan_last(s));
	for (raft_index i = s->first; i < anchor && !err; i++) {
		if (whole(s, i) || !whole(&t->log, i))
			continue;
		err = copy_slot(s, i, whole(&t->log, i));
		++*mended;
	}
	return err;
}

/* Takes the teller's entries up to `end` behind the last one that both have; false if they do not join. */
static bool adopt(struct core *c, struct scan *s, struct teller *t, raft_index end, uint64_t *mended)
{
	raft_index joint = s->n ? common(s, &t->log, s->first, scan_last(s)) : s->first - 1;

	if (s->n && !joint)
		return false;
	for (raft_index i = joint + 1; i <= end; i++)
		if (!whole(&t->log, i))
			return false;
	scan_cut_back(s, joint + 1);
	for (raft_index i = joint + 1; i <= end; i++) {
		if (copy_slot(s, i, whole(&t->log, i)))
			core_fatal(c, "out of memory");
		++*mended;
	}
	return true;
}

/*
 * The last write is lost. If the entry that it ended with is known, whoever has that one has all. If so many others do
 * not have it that no majority can have stored it, it was never committed, and need not come back.
 */
static bool mend_known_tail(struct core *c, struct scan *s, struct repair *r, unsigned others_needed, uint64_t *mended)
{
	unsigned without = 0;

	for (unsigned i = 0; i < r->n; i++) {
		struct teller *t = &r->tellers[i];
		const struct slot *at = whole(&t->log, s->tail_index);
		if (at && at->term == s->tail_term && adopt(c, s, t, s->tail_index, mended))
			return true;
		if (t->done && t->whole && t->snapshot_index < s->tail_index && (!at || at->term != s->tail_term))
			without++;
	}
	return without >= others_needed;
}

/*
 * Nothing is known of the lost write. An entry that this node helped to commit is on enough others: of so many that
 * none of those sets escapes them, the one whose log is the most up to date has it (Raft, 5.4.1).
 */
static bool mend_unknown_tail(struct core *c, struct scan *s, struct repair *r, unsigned others_needed,
                              uint64_t *mended)
{
	struct teller *best = NULL;
	raft_term term = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++) {
		struct teller *t = &r->tellers[i];
		const struct slot *at = whole(&t->log, t->last);
		raft_term its = at ? at->term : 0;
		if (!t->done || !t->whole)
			continue;
		n++;
		if (!best || its > term || (its == term && t->last > best->last)) {
			best = t;
			term = its;
		}
	}
	if (n < others_needed)
		return false;
	return best->last <= scan_last(s) || adopt(c, s, best, best->last, mended);
}

static bool all_whole(struct scan *s)
{
	for (raft_index i = s->first; i < s->first + s->n; i++)
		if (!whole(s, i))
			return false;
	return true;
}

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

	while (whole(s, at))
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
	if (!err && !tail && all_whole(s))
		tail = s->tail_index > scan_last(s) ? mend_known_tail(c, s, r, others_needed, &mended)
		                                    : mend_unknown_tail(c, s, r, others_needed, &mended);
	if (!err && tail && all_whole(s)) {
		s->tail_lost = false;
		err = disk_rewrite(c->log);
		log_info("the log is repaired: entries=%" PRIu64 " last=%" PRIu64, mended, scan_last(s));
		end(c, err);
		return;
	}
	if (err)
		end(c, err);
	else if (answers > 0 && clock_mono_ns() - r->began_ns > GIVE_UP_MS * NS_PER_MS)
		give_up(c, s);
}

static void take_chunk(struct core *c, uint64_t from, const struct frame_chunk *ch)
{
	struct teller *t = teller_of(c->repair, from);
	const uint8_t *p = ch->bytes + HEAD_SIZE, *end_of = ch->bytes + ch->len;
	struct record e;
	raft_index next;
	int rv;

	if (!t || t->done || ch->len < HEAD_SIZE || ch->from < c->repair->from)
		return;
	t->whole = !(get_u32be(ch->bytes) & FLAG_LOST);
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
