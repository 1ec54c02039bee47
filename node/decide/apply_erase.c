/* What is no longer kept: holds and retention, erasures, and each node's word that it has erased. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"
#include "node/decide/state_keeping.h"

static void field_reason(const struct apply *a, struct text reason)
{
	struct writer w = field_start(a);

	codec_write_text(&w, reason);
	field_end(a, FIELD_TEXT, &w);
}

/* --- holds and retention --- */

static int hold_entry(struct apply *a, const struct hold_order *o)
{
	struct writer *p = &entry_start(a, ENTRY_HOLD)->public_;

	writer_array(p, 5);
	writer_uint(p, o->action);
	writer_uint(p, o->index);
	writer_uint(p, o->kind);
	writer_uint(p, o->keep_ms);
	writer_uint(p, a->s->governance);
	if (o->subject_id.len > 0)
		field_pair(a, FIELD_SUBJECT, o->subject_type, o->subject_id);
	field_signature(a, &o->admin);
	field_client(a);
	field_reason(a, o->reason);
	return entry_finish(a);
}

int apply_hold(struct apply *a)
{
	struct hold_order o;
	int err = hold_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the order: %s", err_text(err));
	err = check_hold(a->s, a->now_ms, &o, &a->why);
	if (err == 0)
		err = hold_entry(a, &o);
	if (err != 0)
		return err;

	admin_used(a, &o.admin);
	entry_commit(a, 0, 0);
	if (o.action == HOLD_SET)
		keeping_add_hold(a->s, a->out->index, a->now_ms, o.subject_type, o.subject_id);
	else if (o.action == HOLD_LIFT)
		keeping_lift(a->s, o.index, a->out->index);
	else
		keeping_set_retention(a->s, o.kind, o.keep_ms);
	return 0;
}

/* --- erasures --- */

/*
 * [target, first, end, kind, time ms, [field kind…], digest of what was signed or nil, governance version, signature or
 * nil]: nothing that tells whom it is about.
 */
static void erased_public(struct writer *p, const struct apply *a, const struct erasure *e, const struct erase_order *o)
{
	writer_array(p, 9);
	writer_uint(p, e->target);
	writer_uint(p, e->first);
	writer_uint(p, e->end);
	writer_uint(p, e->kind);
	writer_uint(p, e->cutoff_ms);
	writer_array(p, e->fields == ERASE_FIELDS_ALL ? 0 : (uint32_t)__builtin_popcountll(e->fields));
	for (unsigned kind = 0; kind <= ERASE_FIELD_KIND_MAX && e->fields != ERASE_FIELDS_ALL; kind++)
		if (e->fields & ERASE_FIELD(kind))
			writer_uint(p, kind);
	if (o != NULL) {
		struct hash digest;
		hash_bytes(&digest, o->signed_elements, o->signed_len);
		writer_bin(p, digest.b, HASH_SIZE);
	} else {
		writer_nil(p);
	}
	writer_uint(p, a->s->governance);
	if (o != NULL)
		admin_signature_write(p, &o->admin);
	else
		writer_nil(p);
}

static void begin_erasure(struct apply *a, const struct erasure *like)
{
	struct erasure *e = keeping_add_erasure(a->s); /* There is room: check_room. */
	bool dirty = e->dirty;

	*e = *like;
	e->dirty = dirty;
}

int apply_erase(struct apply *a)
{
	struct erase_order o;
	int err = erase_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the order: %s", err_text(err));
	err = check_erase(a->s, a->now_ms, a->c->principal, &o, &a->why);
	if (err != 0)
		return err;
	struct erasure e = {.index = a->s->head.size, .target = o.target, .end = a->s->head.size, .fields = o.fields};
	if (o.target == ERASE_SUBJECT)
		subject_key(e.subject, o.subject_type, o.subject_id);
	else
		e.end = (e.first = o.index) + 1;
	erased_public(&entry_start(a, ENTRY_ERASED)->public_, a, &e, &o);
	field_client(a);
	field_reason(a, o.reason);
	err = entry_finish(a);
	if (err != 0)
		return err;

	admin_used(a, &o.admin);
	entry_commit(a, 0, 0);
	begin_erasure(a, &e);
	if (o.target == ERASE_SUBJECT)
		forget_subject(a->s, e.subject, e.index);
	return 0;
}

int apply_retention(struct apply *a)
{
	struct retention_sweep o;
	int err = retention_sweep_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "retention: %s", err_text(err));
	err = check_sweep(a->s, a->now_ms, &o, &a->why);
	if (err != 0)
		return err;
	struct erasure e = {.index = a->s->head.size,
	                    .target = ERASE_RETENTION,
	                    .first = a->s->keeping->retentions[o.kind].swept,
	                    .end = o.end,
	                    .kind = o.kind,
	                    .cutoff_ms = o.cutoff_ms,
	                    .fields = ERASE_FIELDS_ALL};
	erased_public(&entry_start(a, ENTRY_ERASED)->public_, a, &e, NULL);
	err = entry_finish(a);
	if (err != 0)
		return err;

	entry_commit(a, 0, 0);
	begin_erasure(a, &e);
	keeping_swept(a->s, o.kind, o.end, a->now_ms);
	return 0;
}

int apply_erasure_done(struct apply *a)
{
	struct erasure_done o;
	int err = erasure_done_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "an erasure carried out: %s", err_text(err));
	struct erasure *e = keeping_find_erasure(a->s, o.index);
	if (e == NULL || roster_find(&a->s->roster, o.node) == NULL)
		return refuse(&a->why, CS_ERR_NOT_FOUND,
		              "an erasure carried out: none of that index waits for that node");
	if (erasure_done_by(e, o.node))
		return refuse(&a->why, CS_ERR_EXISTS, "an erasure carried out: the node has said so");
	struct writer *p = &entry_start(a, ENTRY_ERASURE_DONE)->public_;
	writer_array(p, 4);
	writer_uint(p, o.node);
	writer_uint(p, o.index);
	writer_uint(p, o.changed);
	writer_uint(p, o.held);
	err = entry_finish(a);
	if (err != 0)
		return err;

	entry_commit(a, 0, 0);
	keeping_done(a->s, e, o.node);
	return 0;
}
