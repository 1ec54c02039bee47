/* The leader's part of erasing: what it orders by itself, what it alone can check, and what it tells. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/core/erase_internal.h"

#define SWEEP_MS_MAX                                                                                                   \
	UINT64_C(3600000) /* Between two sweeps of one kind: each costs every node a pass over its store. */
#define SWEEP_SHARE 16    /* Of the time that entries are kept: so much later they may go. */
#define LOOK_MAX    1024  /* Entries that one beat looks at. */

/* --- retention --- */

static bool entry_at(struct core *c, uint64_t index, struct entry *ret)
{
	const void *leaf;
	size_t len;

	return store_view_entry(c->view, index, &leaf, &len) == 0 && entry_decode(ret, leaf, len) == 0;
}

/* How many of the entries below `end` are of this time or older: times never go back. */
static uint64_t count_old(struct core *c, uint64_t from, uint64_t end, uint64_t cutoff_ms)
{
	while (from < end) {
		uint64_t middle = from + (end - from) / 2;
		struct entry e;
		if (!entry_at(c, middle, &e))
			return from;
		if (e.time_ms <= cutoff_ms)
			from = middle + 1;
		else
			end = middle;
	}
	return from;
}

static bool sweep_under_way(const struct keeping *k, unsigned kind)
{
	for (unsigned i = 0; i < ERASURES_MAX; i++)
		if (k->erasures[i].index && k->erasures[i].target == ERASE_RETENTION && k->erasures[i].kind == kind)
			return true;
	return false;
}

static bool sweep_rests(const struct retention *r, uint64_t now_ms)
{
	uint64_t ms = r->keep_ms / SWEEP_SHARE < SWEEP_MS_MAX ? r->keep_ms / SWEEP_SHARE : SWEEP_MS_MAX;

	return now_ms < r->keep_ms || now_ms - r->swept_ms < ms;
}

/* Is there an entry of this kind with private fields, old enough? A few are looked at; the rest with the next beats. */
static bool look_for(struct core *c, unsigned kind, uint64_t now_ms)
{
	const struct retention *r = &state_keeping(c->state)->retentions[kind];
	struct eraser *e = c->eraser;
	struct store_head head;

	store_view_head(c->view, &head);
	uint64_t most = r->swept + RETENTION_SWEEP_MAX, cutoff_ms = now_ms - r->keep_ms;
	uint64_t end = count_old(c, r->swept, head.size < most ? head.size : most, cutoff_ms);
	if (e->looked[kind].from != r->swept) /* It has gone on; or back, as a hold was lifted. */
		e->looked[kind].from = e->looked[kind].to = r->swept;
	for (unsigned n = 0; n < LOOK_MAX && e->looked[kind].to < end; n++, e->looked[kind].to++) {
		struct entry x;
		const void *body;
		size_t len;
		if (!entry_at(c, e->looked[kind].to, &x))
			return false;
		if (x.kind != kind || store_view_body(c->view, x.index, &body, &len) || len == 0)
			continue;
		e->sweep_kind = kind;
		e->sweep_end = end;
		e->sweep_cutoff_ms = cutoff_ms;
		return true;
	}
	return false;
}

bool retention_look(struct core *c)
{
	const struct keeping *k = state_keeping(c->state);
	uint64_t now_ms = clock_wall_ms();
	bool looked = false;

	if (c->eraser->sweep_kind || c->flight.busy || keeping_under_way(k) == ERASURES_MAX)
		return c->eraser->sweep_kind != 0;
	for (unsigned kind = 1; kind <= ENTRY_KIND_MAX; kind++) {
		const struct retention *r = &k->retentions[kind];
		if (!r->keep_ms || sweep_rests(r, now_ms) || sweep_under_way(k, kind))
			continue;
		if (!looked && store_view_renew(c->view))
			return false;
		looked = true;
		if (look_for(c, kind, now_ms))
			return true;
	}
	return false;
}

/* --- commands --- */

bool erase_due(struct core *c)
{
	struct eraser *e = c->eraser;

	erase_forget_told(e);
	return c->room.level < SPACE_LOW && (e->n_done || e->n_told || e->sweep_kind);
}

static bool add(struct core *c, struct batch_writer *w, unsigned type, const uint8_t *payload, size_t payload_len)
{
	static const uint8_t nothing[1] = {0x90}; /* An empty msgpack array. */
	static const uint8_t zero_id[WIRE_REQUEST_ID_SIZE];
	uint8_t seed[SEED_SIZE], *at;
	struct command cmd = {.type = type,
	                      .seed = seed,
	                      .request_id = zero_id,
	                      .payload = payload,
	                      .payload_len = payload_len,
	                      .facts = nothing,
	                      .facts_len = sizeof nothing};
	size_t room = batch_room(w, &at), len;

	randombytes_buf(seed, sizeof seed);
	if (c->flight.n >= c->o.settings->batch_commands_max || !room || command_encode(&cmd, at, room, &len))
		return false;
	batch_add(w, len);
	c->flight.jobs[c->flight.n++] = NULL;
	return true;
}

static bool add_done(struct core *c, struct batch_writer *w, const struct erased_there *t)
{
	struct erasure_done o = {t->node, t->index, t->changed, t->held};
	uint8_t payload[64];
	size_t len;

	return erasure_done_encode(&o, payload, sizeof payload, &len) == 0 &&
	       add(c, w, COMMAND_ERASURE_DONE, payload, len);
}

void erase_add(struct core *c, struct batch_writer *w)
{
	struct eraser *e = c->eraser;
	uint8_t payload[64];
	size_t len;

	if (!erase_due(c))
		return;
	if (e->sweep_kind) {
		struct retention_sweep o = {e->sweep_kind, e->sweep_end, e->sweep_cutoff_ms};
		if (retention_sweep_encode(&o, payload, sizeof payload, &len) == 0)
			add(c, w, COMMAND_ERASE, payload, len);
		e->sweep_kind = 0;
	}
	for (unsigned i = 0; i < e->n_done; i++)
		if (!add_done(c, w,
		              &(struct erased_there){c->id, e->done[i].index, e->done[i].changed, e->done[i].held}))
			return;
	for (unsigned i = 0; i < e->n_told; i++)
		if (!add_done(c, w, &e->told[i]))
			return;
}

/* --- one entry's erasure --- */

int erase_allowed(struct core *c, uint64_t principal, const void *payload, size_t len, char ret_text[160])
{
	struct store_head head;
	struct erase_order o;
	const void *body = "";
	size_t body_len = 0;

	if (erase_order_decode(&o, payload, len) || o.target != ERASE_ENTRY)
		return 0;
	if (store_view_renew(c->view))
		return CS_ERR_IO;
	store_view_head(c->view, &head);
	if (o.index >= head.size) {
		snprintf(ret_text, 160, "entry %llu is not stored yet", (unsigned long long)o.index);
		return CS_ERR_OVERLOADED;
	}
	int err = store_view_body(c->view, o.index, &body, &body_len);
	if (err == CS_ERR_ERASED || (!err && body_len == 0)) {
		snprintf(ret_text, 160, "entry %llu has no private fields%s", (unsigned long long)o.index,
		         err ? " any more: they were erased" : "");
		return CS_ERR_NOT_FOUND;
	}
	if (err)
		return err;
	return erasure_permitted(c->state, principal, &o, body, body_len, ret_text);
}

/* --- what it tells --- */

static void write_erasures(struct writer *w, const struct keeping *k)
{
	writer_array(w, keeping_under_way(k));
	for (unsigned i = 0; i < ERASURES_MAX; i++) {
		const struct erasure *x = &k->erasures[i];
		if (!x->index)
			continue;
		writer_array(w, 3);
		writer_uint(w, x->index);
		writer_uint(w, x->target);
		writer_array(w, x->n_done);
		for (unsigned n = 0; n < x->n_done; n++)
			writer_uint(w, x->done[n]);
	}
}

static void write_holds(struct writer *w, const struct keeping *k)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HOLDS_MAX; i++)
		n += k->holds[i].index && !k->holds[i].lifted;
	writer_array(w, n);
	for (unsigned i = 0; i < HOLDS_MAX; i++) {
		const struct hold *h = &k->holds[i];
		if (!h->index || h->lifted)
			continue;
		writer_array(w, 4);
		writer_uint(w, h->index);
		writer_uint(w, h->time_ms);
		writer_cstr(w, h->type);
		writer_cstr(w, h->id);
	}
}

static void write_retentions(struct writer *w, const struct keeping *k)
{
	unsigned n = 0;

	for (unsigned i = 0; i <= ENTRY_KIND_MAX; i++)
		n += k->retentions[i].keep_ms != 0;
	writer_array(w, n);
	for (unsigned i = 0; i <= ENTRY_KIND_MAX; i++) {
		if (!k->retentions[i].keep_ms)
			continue;
		writer_array(w, 3);
		writer_uint(w, i);
		writer_uint(w, k->retentions[i].keep_ms);
		writer_uint(w, k->retentions[i].swept);
	}
}

void keeping_receive(struct core *c, struct job *j)
{
	const struct keeping *k = state_keeping(c->state);
	const struct roster *r = state_roster(c->state);
	struct writer w;
	struct reader b;
	size_t len;

	reader_init(&b, j->request.body, j->request.body_len);
	reader_array_exact(&b, 0);
	if (reader_end(&b)) {
		job_error(j, CS_ERR_MALFORMED, NULL, NULL, 0);
		return;
	}
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 4);
	write_erasures(&w, k);
	writer_array(&w, r->n);
	for (unsigned i = 0; i < r->n; i++)
		writer_uint(&w, r->nodes[i].id);
	write_holds(&w, k);
	write_retentions(&w, k);
	int err = writer_end(&w, &len);
	if (err)
		job_error(j, err, "the reply does not fit", NULL, 0);
	else
		job_reply(j, c->reply, len);
}
