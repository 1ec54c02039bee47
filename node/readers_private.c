/* Answers that open private fields: noted in the log of readers, and held until the ledger has the note. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/clock.h"
#include "node/readers_internal.h"

/* An election is over by then; who asks hears why before his own time is over. */
#define HELD_NS (WIRE_HELD_MS * NS_PER_MS)

_Static_assert(WIRE_HELD_MS <= PACE_RETRY_MS_MAX, "as late as that may be said");

void reading_begin(struct read_log *ret, const struct item *it, unsigned what)
{
	ret->n_rows = 1;
	ret->n_lookups = 0;
	ret->rows[0] =
	        (struct read_row){.principal = it->job->principal, .what = what, .first = UINT64_MAX, .reads = 1};
}

void reading_add(struct read_log *l, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                 size_t body_len)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	struct read_row *row = &l->rows[0];
	struct entry e;
	unsigned n = 0;

	if (!body || !body_len || entry_decode(&e, leaf, leaf_len) || e.kind == ENTRY_READ ||
	    body_decode(fields, &n, body, body_len) || n == 0)
		return;
	row->first = index < row->first ? index : row->first;
	row->last = index > row->last ? index : row->last;
	row->entries++;
	for (unsigned i = 0; i < n; i++)
		row->fields |= fields[i].kind < 64 ? UINT64_C(1) << fields[i].kind : 0;
}

size_t reading_disclose(const void *body, size_t len, uint64_t kinds, uint8_t *buf, size_t cap)
{
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n = 0, n_kept = 0;
	struct writer w;

	if (!len || body_decode(fields, &n, body, len))
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (fields[i].kind < 64 && kinds >> fields[i].kind & 1)
			fields[n_kept++] = fields[i];
	writer_init(&w, buf, cap);
	writer_array(&w, n_kept);
	for (unsigned i = 0; i < n_kept; i++) {
		writer_array(&w, 3);
		writer_uint(&w, fields[i].kind);
		writer_bin(&w, fields[i].salt, SALT_SIZE);
		writer_bin(&w, fields[i].value, fields[i].value_len);
	}
	return n_kept && !w.err ? w.len : 0;
}

/* There is a leader, and so a quorum, and what waits will be logged: who comes again may find it done. */
static bool refuse_overloaded(struct item *it, const char *why)
{
	const struct pace unknown = {0};
	uint32_t retry_ms = pace_retry_ms(&unknown, 0, HELD_NS / 2, randombytes_random());
	char text[WIRE_TEXT_SIZE_MAX];

	snprintf(text, sizeof text, "overloaded: %s; come again in %" PRIu32 " ms", why, retry_ms);
	job_error(it->job, CS_ERR_OVERLOADED, text, NULL, retry_ms);
	return true;
}

/* Its time is over, and the ledger has no note of it. */
static bool refuse_unlogged(struct reading_room *r, struct item *it)
{
	struct wire_status s;
	char url[WIRE_URL_SIZE_MAX];

	board_status(r->o.board, &s, url);
	if (s.leader_id)
		return refuse_overloaded(it, "private fields are shown only once the ledger says who reads them, and "
		                             "it did not come to that "
		                             "in time");
	return reading_room_refuse(it, CS_ERR_NO_QUORUM,
	                           "private fields are shown only once the ledger says who reads them, and this node "
	                           "knows no leader: without "
	                           "a quorum nothing is logged");
}

bool reading_room_give(struct reading_room *r, struct item *it, const struct read_log *what, size_t len)
{
	uint64_t ticket;
	int err = 0;

	/* Whoever searches has learnt something, whatever is found. */
	ticket = 0;
	if (what->rows[0].entries || what->rows[0].what == READ_SEARCH)
		err = readlog_note(r->o.readlog, what, clock_mono_ns(), &ticket);
	if (err)
		return refuse_overloaded(it, "too much waits to be logged as read");
	if (!ticket) {
		job_reply(it->job, r->buf, len);
		return true;
	}
	it->held = malloc(len);
	if (!it->held)
		return reading_room_refuse(it, CS_ERR_NOMEM, NULL);
	memcpy(it->held, r->buf, len);
	it->held_len = len;
	it->ticket = ticket;
	it->held_until_ns = clock_mono_ns() + HELD_NS;
	if (it->held_until_ns > it->job->deadline_ns)
		it->held_until_ns = it->job->deadline_ns;
	it->until_ns = it->held_until_ns; /* Then the room looks at it again. */
	r->n_held++;
	r->o.noted(r->o.ctx);
	return false;
}

static void let_go(struct reading_room *r, struct item *it)
{
	sodium_memzero(it->held, it->held_len);
	free(it->held);
	it->held = NULL;
	r->n_held--;
}

bool reading_room_release(struct reading_room *r, struct item *it, bool open)
{
	if (readlog_logged(r->o.readlog, it->ticket))
		job_reply(it->job, it->held, it->held_len);
	else if (!open)
		reading_room_refuse(it, CS_ERR_NOT_READY, "the node is stopping");
	else if (clock_mono_ns() >= it->held_until_ns)
		refuse_unlogged(r, it);
	else
		return false;
	let_go(r, it);
	return true;
}
