/* Searches and histories: the store walked entry by entry, so long as one answer may take. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/clock.h"
#include "node/readers_internal.h"

#define SLICE_NS    (20 * NS_PER_MS) /* Of the room's one thread: others wait so long for their turn. */
#define SLICE_CHECK 256              /* Entries between two looks at the clock. */

/* --- where a search begins --- */

static bool time_of(struct reading_room *r, uint64_t index, uint64_t *ret)
{
	struct search_leaf e;
	const void *leaf;
	size_t len;

	if (store_view_entry(r->view, index, &leaf, &len) || !search_leaf_read(&e, leaf, len))
		return false;
	*ret = e.time_ms;
	return true;
}

/* The first entry of that time or later; r->stored: none. Times never go back (FORMAT.md), so halving finds it. */
static int first_since(struct reading_room *r, uint64_t time_ms, uint64_t *ret)
{
	uint64_t low = 0, high = r->stored, t;

	while (low < high) {
		uint64_t at = low + (high - low) / 2;
		if (!time_of(r, at, &t))
			return CS_ERR_DAMAGED;
		if (t < time_ms)
			low = at + 1;
		else
			high = at;
	}
	*ret = low;
	return 0;
}

/* CS_ERR_NOT_FOUND: nothing lies where the search looks. */
static int begin(struct reading_room *r, const struct search *q, uint64_t *ret)
{
	uint64_t low = 0, end = r->stored;
	int err = q->since_ms ? first_since(r, q->since_ms, &low) : 0;

	if (!err && q->until_ms && q->until_ms < UINT64_MAX)
		err = first_since(r, q->until_ms + 1, &end);
	if (err || low >= end)
		return err ? err : CS_ERR_NOT_FOUND;
	if (q->newest_first)
		*ret = q->has_cursor && q->cursor < end ? q->cursor : end - 1;
	else
		*ret = q->has_cursor && q->cursor > low ? q->cursor : low;
	return *ret >= low && *ret < end ? 0 : CS_ERR_NOT_FOUND;
}

/* --- the walk --- */

struct hits {
	struct writer w; /* Over the second half of the room's buffer: how many there are is known only then. */
	uint64_t n, first, last;
	bool has_next;
	uint64_t next;
	struct read_log log;
};

/* True: in the reply, or no hit. False: the reply is full before it. */
static bool take(struct reading_room *r, struct item *it, struct hits *h, uint64_t index, int *ret_err)
{
	const void *leaf, *body;
	size_t leaf_len, body_len;
	struct writer before = h->w;

	*ret_err = reading_room_entry(r, index, true, &leaf, &leaf_len, &body, &body_len);
	if (*ret_err || h->n == it->search.hits_max)
		return false;
	writer_array(&h->w, 2);
	writer_bin(&h->w, leaf, leaf_len);
	if (body)
		writer_bin(&h->w, body, body_len);
	else
		writer_nil(&h->w);
	if (h->w.err) {
		h->w = before;
		return false;
	}
	h->n++;
	reading_add(&h->log, index, leaf, leaf_len, body, body_len);
	return true;
}

static bool matches(struct store_walk *walk, const struct search *q, const void *leaf, size_t leaf_len, bool *ret_end)
{
	struct search_leaf e;
	const void *body = NULL;
	size_t body_len = 0;

	if (!search_leaf_read(&e, leaf, leaf_len))
		return true; /* Damaged: it is looked at as a whole, and named. */
	*ret_end = q->newest_first ? e.time_ms < q->since_ms : q->until_ms && e.time_ms > q->until_ms;
	if (*ret_end || !search_leaf_matches(q, &e))
		return false;
	if (q->n == 0)
		return true;
	int err = store_walk_body(walk, &body, &body_len);
	return err ? err != CS_ERR_ERASED : search_body_matches(q, body, body_len);
}

/* One entry; false: the page ends here, before it if h->has_next. */
static bool look(struct reading_room *r, struct item *it, struct store_walk *w, struct hits *h, int *ret_err)
{
	const void *leaf;
	size_t leaf_len;
	bool end = false;

	*ret_err = store_walk_next(w, &h->next, &leaf, &leaf_len);
	h->has_next = *ret_err != CS_ERR_NOT_FOUND;
	if (*ret_err)
		return false; /* Past the last, or nobody knows what stands there. */
	bool hit = matches(w, &it->search, leaf, leaf_len, &end);
	h->has_next = !end;
	if (end || (hit && !take(r, it, h, h->next, ret_err)))
		return false;
	h->first = h->next < h->first ? h->next : h->first;
	h->last = h->next > h->last ? h->next : h->last;
	h->next = it->search.newest_first ? h->next - 1 : h->next + 1;
	h->has_next = h->next < r->stored; /* Below 0 lies beyond it, too. */
	return true;
}

static int walk(struct reading_room *r, struct item *it, uint64_t from, struct hits *h)
{
	uint64_t until_ns = clock_mono_ns() + SLICE_NS;
	struct store_walk *w;
	int err = store_walk_open(r->view, from, it->search.newest_first, &w);

	if (err)
		return err;
	h->first = h->last = h->next = from;
	for (unsigned looked = 1; look(r, it, w, h, &err); looked++)
		if (looked % SLICE_CHECK == 0 && clock_mono_ns() >= until_ns)
			break;
	store_walk_close(w);
	return err == CS_ERR_NOT_FOUND ? 0 : err;
}

static void write_head(struct writer *w, const struct reading_room *r, const struct hits *h)
{
	writer_array(w, 3);
	writer_uint(w, r->stored);
	if (h->has_next)
		writer_uint(w, h->next);
	else
		writer_nil(w);
	writer_array(w, (uint32_t)h->n);
}

/*
 * All that this node knew of when it was asked is looked through; and what another node had when it told the cursor,
 * for to go on from less would leave out what lies between. Where there is no room the store does not grow: then it is
 * the store that is looked through.
 */
static bool is_there(struct reading_room *r, struct item *it)
{
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];

	if (!it->count) {
		board_status(r->o.board, &s, url);
		it->count = s.size;
	}
	return (r->stored >= it->count || ledger_writer_held(r->o.writer)) &&
	       (!it->search.has_cursor || it->search.cursor < r->stored);
}

bool serve_search(struct reading_room *r, struct item *it)
{
	struct hits h = {.n = 0};
	struct writer page;
	uint64_t from = 0;

	if (!is_there(r, it)) {
		ledger_writer_flush(r->o.writer);
		return false;
	}
	int err = begin(r, &it->search, &from);

	writer_init(&h.w, r->buf + WIRE_REPLY_SIZE_MAX / 2, WIRE_REPLY_SIZE_MAX / 2);
	reading_begin(&h.log, it, READ_SEARCH);
	if (!err)
		err = walk(r, it, from, &h);
	if (err == CS_ERR_NOT_FOUND)
		err = 0; /* Nothing lies where it looks. */
	if (err && h.n == 0)
		return reading_room_refuse(it, err, "reading the store");
	/* What was looked through, not only where something was found. */
	h.log.rows[0].first = h.first;
	h.log.rows[0].last = h.last;
	h.log.n_lookups = it->search.n;
	memcpy(h.log.lookups, it->search.by, sizeof h.log.lookups);
	writer_init(&page, r->buf, WIRE_REPLY_SIZE_MAX / 2);
	write_head(&page, r, &h);
	memmove(r->buf + page.len, h.w.base, h.w.len);
	return reading_room_give(r, it, &h.log, page.len + h.w.len);
}
