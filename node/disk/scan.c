/* Reading the log's segments: which writes are whole, which one was torn, which are lost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/disk/scan.h"

#include <assert.h>
#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/disk/record.h"

/* One segment while it is read. */
struct view {
	const struct segment_place *p;
	uint64_t number;
	uint8_t *bytes;
	enum sector_kind *kinds;
	struct sector *sectors;
	uint32_t end;  /* After the last write that was found. */
	bool bad_next; /* The block after that is wholly unreadable: a write may have been there. */
};

/* A write as it was found. */
struct found {
	uint64_t number;
	uint32_t start, of, n_whole, n_bad;
	struct sector any;
};

/* What goes from one write to the next. */
struct progress {
	struct scan *s;
	uint64_t begin;      /* Number of the first segment: what was written there began with its first sector. */
	bool any;            /* A write was seen. */
	bool hole;           /* Writes before the next one are lost: */
	uint64_t from;       /* they touched nothing below this index. */
	bool unfinished;     /* The last one seen is not whole: */
	struct found cut;    /* this one. */
	struct sector stray; /* Of the latest write of which a sector was found elsewhere than it should be. */
	uint8_t *payload;
	uint64_t unreadable_number, unreadable_at; /* The first block that the disk gave an error for. */
};

/* --- writes, in order --- */

static void lost(struct scan *s, uint64_t number, uint32_t at, const char *what)
{
	if (s->n_lost++ == 0)
		snprintf(s->text, sizeof s->text, "%s in segment %016" PRIx64 " at byte %" PRIu64, what, number,
		         (uint64_t)at * SECTOR_SIZE);
}

/* After a hole: what it may have replaced is suspect, what lies between is missing. */
static int close_hole(struct progress *g, uint64_t next)
{
	const struct slot missing = {.state = SLOT_MISSING};
	struct scan *s = g->s;
	int err = 0;

	if (!g->hole)
		return 0;
	g->hole = false;
	scan_cut_back(s, next);
	if (s->first && next > s->first + s->n + SCAN_MISSING_MAX)
		return CS_ERR_DAMAGED;
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i].state == SLOT_WHOLE && s->first + i >= g->from)
			s->slots[i].state = SLOT_SUSPECT;
	while (s->first && s->first + s->n < next && !err)
		err = scan_put(s, s->first + s->n, &missing);
	return err;
}

static int take_entry(struct progress *g, const struct record *r)
{
	struct slot slot = {.state = SLOT_WHOLE, .type = r->type, .len = r->len, .term = r->term};
	struct scan *s = g->s;
	int err = close_hole(g, r->index);

	if (err)
		return err;
	if (s->n == 0 && !s->first)
		s->first = r->index;
	if (r->index != s->first + s->n)
		return CS_ERR_DAMAGED;
	slot.base = raft_malloc(r->len ? r->len : 1);
	if (!slot.base)
		return CS_ERR_NOMEM;
	memcpy(slot.base, r->bytes, r->len);
	err = scan_put(s, r->index, &slot);
	if (err)
		raft_free(slot.base);
	return err;
}

static int take_record(struct progress *g, const struct record *r, struct extent_of_log *segment)
{
	struct scan *s = g->s;
	int err;

	if (r->index > segment->index_max)
		segment->index_max = r->index;
	switch (r->kind) {
	case RECORD_ENTRY:
		return take_entry(g, r);
	case RECORD_TRUNCATE:
		err = close_hole(g, r->index);
		if (!err && s->first)
			scan_cut_back(s, r->index);
		return err;
	default: /* A reset: what was before, and what is lost of it, does not matter any more. */
		g->hole = false;
		s->n_lost = 0;
		scan_cut_back(s, 0);
		s->first = r->index + 1;
		return 0;
	}
}

static int take_write(struct progress *g, const struct view *v, const struct found *f, struct extent_of_log *segment)
{
	const uint8_t *at = g->payload, *end = g->payload + (size_t)f->of * SECTOR_ROOM;
	struct record r;
	int rv, err = 0;

	for (uint32_t i = 0; i < f->of; i++)
		memcpy(g->payload + (size_t)i * SECTOR_ROOM, v->bytes + (size_t)(f->start + i) * SECTOR_SIZE,
		       SECTOR_ROOM);
	while (!err && (rv = record_next(&at, end, &r)) != 0)
		err = rv < 0 ? CS_ERR_DAMAGED : take_record(g, &r, segment);
	if (err == CS_ERR_DAMAGED)
		snprintf(g->s->text, sizeof g->s->text,
		         "write %" PRIu64 " in segment %016" PRIx64 " does not follow what is before it", f->any.write,
		         v->number);
	return err;
}

/* The lowest index that the writes lost before f touched; 0: not known. A hole before it may still be open. */
static uint64_t lost_from(const struct progress *g, const struct found *f)
{
	uint64_t next = g->s->next_write, from = UINT64_MAX;

	if (g->unfinished)
		from = g->cut.any.first_index;
	if (f->any.write == next + 1 && f->any.prev_first < from)
		from = f->any.prev_first;
	if (f->any.write > next + 1)
		from = 0;
	return g->hole && g->from < from ? g->from : from;
}

/* The place is where the write before it ends. */
static void lost_before(struct progress *g, const struct view *v, const struct found *f)
{
	struct scan *s = g->s;

	if (f->start > v->end)
		lost(s, v->number, v->end, "a write is lost");
	else if (g->any && s->at < v->p->sectors)
		lost(s, s->number, s->at, "a write is lost");
	else
		lost(s, g->any ? s->number + 1 : g->begin, 0, "a write is lost");
}

static int follow(struct progress *g, const struct view *v, const struct found *f, struct extent_of_log *segment)
{
	struct scan *s = g->s;
	bool skipped = g->any ? f->any.write != s->next_write : v->number != g->begin || f->start > 0;

	if (g->any && f->any.write < s->next_write) {
		snprintf(s->text, sizeof s->text, "write %" PRIu64 " in segment %016" PRIx64 " comes after a later one",
		         f->any.write, v->number);
		return CS_ERR_DAMAGED;
	}
	if (g->unfinished)
		lost(s, g->cut.number, g->cut.start, "a write is lost");
	else if (skipped)
		lost_before(g, v, f);
	if (g->unfinished || skipped) {
		g->from = g->any ? lost_from(g, f) : 0;
		g->hole = true;
	}
	g->any = true;
	g->unfinished = f->n_whole < f->of;
	g->cut = *f;
	s->next_write = f->any.write + 1;
	s->number = v->number;
	s->at = f->start + f->of;
	if (g->unfinished)
		return 0;
	s->last_first = f->any.first_index;
	return take_write(g, v, f, segment);
}

/* --- one segment --- */

static void classify(struct view *v)
{
	for (uint32_t i = 0; i < v->p->sectors; i++)
		v->kinds[i] = sector_read(v->bytes + (size_t)i * SECTOR_SIZE, v->p->key, v->number, v->p->sectors, i,
		                          &v->sectors[i]);
}

static void note_stray(struct progress *g, const struct view *v)
{
	for (uint32_t i = 0; i < v->p->sectors; i++)
		if (v->kinds[i] == SECTOR_STRAY && v->sectors[i].write > g->stray.write)
			g->stray = v->sectors[i];
}

static bool find(const struct view *v, uint32_t i, struct found *ret)
{
	const struct sector *s = &v->sectors[i];
	struct found f = {.number = v->number, .start = i - s->at, .of = s->of, .any = *s};

	if (v->kinds[i] != SECTOR_WRITTEN || f.start < v->end || f.start % BLOCK_SECTORS || f.of % BLOCK_SECTORS)
		return false;
	for (uint32_t k = 0; k < f.of; k++) {
		const struct sector *other = &v->sectors[f.start + k];
		enum sector_kind kind = v->kinds[f.start + k];
		if (kind == SECTOR_WRITTEN && other->write == s->write && other->at == k)
			f.n_whole++;
		else if (kind != SECTOR_OLD)
			f.n_bad++;
	}
	*ret = f;
	return true;
}

static int scan_segment(struct progress *g, struct view *v, struct extent_of_log *segment)
{
	struct found f;
	int err = 0;

	classify(v);
	note_stray(g, v);
	v->end = 0;
	for (uint32_t i = 0; i < v->p->sectors && !err; i++) {
		if (!find(v, i, &f))
			continue;
		err = follow(g, v, &f, segment);
		v->end = f.start + f.of;
		i = v->end - 1;
	}
	v->bad_next = v->end < v->p->sectors;
	for (uint32_t i = v->end; i < v->p->sectors && i < v->end + BLOCK_SECTORS; i++)
		v->bad_next = v->bad_next && v->kinds[i] >= SECTOR_STRAY;
	return err;
}

/* What is not as it was before, behind the log's end, becomes blank: the next writes must find nothing of their own. */
static int make_blank(const struct view *v, uint32_t from)
{
	uint32_t first = v->p->sectors, last = 0;

	for (uint32_t i = from; i < v->p->sectors; i++) {
		if (v->kinds[i] == SECTOR_OLD)
			continue;
		first = i < first ? i : first;
		last = i;
	}
	return first <= last ? segment_blank(v->p, v->number, first, last + 1) : 0;
}

/* --- the whole --- */

/*
 * The end: a write that was not finished is cut off; one that was, and cannot be read, is lost. Nothing follows an
 * unfinished write: where something did, or what is before it is lost as well, it is no crash that has left this. A
 * write that went astray was acknowledged like any other.
 */
static void settle_end(struct progress *g, bool bad_next)
{
	struct scan *s = g->s;
	bool astray = g->stray.write >= s->next_write;

	if (g->unfinished && g->cut.n_bad == 0) {
		s->n_torn = 1;
		s->next_write = g->cut.any.write;
		s->number = g->cut.number;
		s->at = g->cut.start;
		if (!bad_next && !g->hole && !astray)
			return;
	} else if (g->unfinished && !bad_next) {
		s->tail_index = g->cut.any.last_index;
		s->tail_term = g->cut.any.last_term;
	}
	if (!g->unfinished && !bad_next && !g->hole && !astray)
		return;
	if (astray) {
		s->tail_index = bad_next ? 0 : g->stray.last_index;
		s->tail_term = bad_next ? 0 : g->stray.last_term;
		s->next_write = g->stray.write + 1;
	}
	s->tail_lost = true;
	lost(s, s->number, g->unfinished ? g->cut.start : s->at, "the last write is lost");
}

static int read_segment(const struct segment_place *p, struct view *v, uint64_t number, struct progress *g)
{
	unsigned n;
	uint64_t at;
	int err = segment_read(p, number, v->bytes, &n, &at);

	v->number = number;
	if (err || n == 0 || !g)
		return err;
	if (g->s->n_unreadable == 0) {
		g->unreadable_number = number;
		g->unreadable_at = at;
	}
	g->s->n_unreadable += n;
	return 0;
}

/* Right after the last write, or at the begin of the next segment, where it would have gone on: is that unreadable? */
static bool bad_after(const struct progress *g, const struct view *v, bool before)
{
	if (v->number == g->s->number)
		return v->bad_next;
	return before || (v->number == g->s->number + 1 && v->end == 0 && v->bad_next);
}

static int scan_all(const struct segment_place *p, struct progress *g, struct view *v, const uint64_t *numbers,
                    unsigned n)
{
	struct scan *s = g->s;
	bool bad_next = false;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		bool gap = i > 0 && numbers[i] != numbers[i - 1] + 1;
		s->segments[i] = (struct extent_of_log){.number = numbers[i]};
		if (gap)
			lost(s, numbers[i - 1] + 1, 0, "a segment is missing");
		err = read_segment(p, v, numbers[i], g);
		if (!err)
			err = scan_segment(g, v, &s->segments[i]);
		bad_next = bad_after(g, v, bad_next || gap);
	}
	s->n_segments = n;
	if (!err)
		settle_end(g, bad_next);
	return err;
}

/* Said with the damage, if there is any. */
static void tell_unreadable(const struct progress *g)
{
	struct scan *s = g->s;
	size_t len = strlen(s->text);

	if (s->n_lost && s->n_unreadable)
		snprintf(s->text + len, sizeof s->text - len,
		         "; %u blocks cannot be read, the first in segment %016" PRIx64 " at byte %" PRIu64,
		         s->n_unreadable, g->unreadable_number, g->unreadable_at);
}

static int blank_rest(const struct segment_place *p, struct scan *s, struct view *v)
{
	int err = 0;

	for (unsigned i = 0; i < s->n_segments && !err; i++) {
		if (s->segments[i].number < s->number)
			continue;
		err = read_segment(p, v, s->segments[i].number, NULL);
		if (err)
			break;
		classify(v);
		err = make_blank(v, s->segments[i].number == s->number ? s->at : 0);
	}
	return err;
}

int scan_log(const struct segment_place *p, uint64_t begin, struct scan *ret)
{
	struct view v = {.p = p};
	struct progress g = {.s = ret};
	uint64_t *numbers = NULL;
	unsigned n = 0, skip = 0;
	int err = segment_list(p, &numbers, &n);

	memset(ret, 0, sizeof *ret);
	ret->next_write = 1;
	while (skip < n && numbers[skip] < begin)
		skip++;
	v.bytes = malloc(segment_size(p));
	v.kinds = malloc(p->sectors * sizeof *v.kinds);
	v.sectors = malloc(p->sectors * sizeof *v.sectors);
	g.payload = malloc((size_t)p->sectors * SECTOR_ROOM);
	ret->segments = calloc(n + 1, sizeof *ret->segments);
	if (!err && (!v.bytes || !v.kinds || !v.sectors || !g.payload || !ret->segments))
		err = CS_ERR_NOMEM;
	ret->number = g.begin = n > skip ? numbers[skip] : begin;
	if (!err)
		err = scan_all(p, &g, &v, skip < n ? numbers + skip : NULL, n - skip);
	tell_unreadable(&g);
	if (!err && ret->n_lost == 0)
		err = blank_rest(p, ret, &v);
	free(g.payload);
	free(v.sectors);
	free(v.kinds);
	free(v.bytes);
	free(numbers);
	return err;
}
