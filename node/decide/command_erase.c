/* Bytes of the commands about what the ledger keeps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/command_erase.h"

#include "ledger/errors.h"
#include "ledger/format.h"
#include "node/decide/codec.h"

static void write_subject(struct writer *w, struct text type, struct text id)
{
	if (id.len > 0)
		codec_write_pair(w, type, id);
	else
		writer_nil(w);
}

static void read_subject(struct reader *r, struct text *type, struct text *id)
{
	if (!reader_nil(r))
		codec_pair(r, type, id);
}

/* --- holds and retention --- */

static void hold_write(struct writer *w, const struct hold_order *o)
{
	writer_uint(w, o->action);
	write_subject(w, o->subject_type, o->subject_id);
	writer_uint(w, o->index);
	writer_uint(w, o->kind);
	writer_uint(w, o->keep_ms);
	codec_write_text(w, o->reason);
}

int hold_order_encode_signed(const struct hold_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	hold_write(&w, o);
	return writer_end(&w, ret_len);
}

int hold_order_encode(const struct hold_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 7);
	hold_write(&w, o);
	admin_signature_write(&w, &o->admin);
	return writer_end(&w, ret_len);
}

/* Each action has what it is about and nothing else, so that a signature means one thing. */
static bool hold_shaped(const struct hold_order *o)
{
	bool subject = o->subject_id.len > 0;

	switch (o->action) {
	case HOLD_SET:
		return subject && o->index == 0 && o->kind == 0 && o->keep_ms == 0;
	case HOLD_LIFT:
		return !subject && o->index > 0 && o->kind == 0 && o->keep_ms == 0;
	case HOLD_RETENTION:
		return !subject && o->index == 0 && o->kind > 0 &&
		       (o->keep_ms == 0 || (o->keep_ms >= RETENTION_MS_MIN && o->keep_ms <= RETENTION_MS_MAX));
	default:
		return false;
	}
}

int hold_order_decode(struct hold_order *ret, const void *bytes, size_t len)
{
	struct hold_order o = {0};
	uint64_t action = 0, kind = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 7);
	const uint8_t *start = r.pos;
	reader_uint(&r, HOLD_RETENTION, &action);
	read_subject(&r, &o.subject_type, &o.subject_id);
	reader_uint(&r, UINT64_MAX, &o.index);
	reader_uint(&r, ENTRY_KIND_MAX, &kind);
	reader_uint(&r, UINT64_MAX, &o.keep_ms);
	codec_text(&r, 1, ERASE_REASON_SIZE_MAX, &o.reason);
	int err = codec_signed_end(&r, start, &o.signed_elements, &o.signed_len, &o.admin);
	o.action = (unsigned)action;
	o.kind = (unsigned)kind;
	if (err == 0 && !hold_shaped(&o))
		err = CS_ERR_MALFORMED;
	if (err == 0)
		*ret = o;
	return err;
}

/* --- erasures --- */

static void write_fields(struct writer *w, uint64_t fields)
{
	if (fields == ERASE_FIELDS_ALL) {
		writer_array(w, 0);
		return;
	}
	writer_array(w, (uint32_t)__builtin_popcountll(fields));
	for (unsigned kind = 0; kind <= ERASE_FIELD_KIND_MAX; kind++)
		if (fields & ERASE_FIELD(kind))
			writer_uint(w, kind);
}

static uint64_t read_fields(struct reader *r)
{
	uint64_t fields = 0, kind = 0, before = 0;
	uint32_t n = 0;

	reader_array(r, LIMIT_FIELD_COUNT_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_uint(r, ERASE_FIELD_KIND_MAX, &kind);
		if (r->err == 0 && kind <= before)
			r->err = CS_ERR_MALFORMED;
		fields |= ERASE_FIELD(kind);
		before = kind;
	}
	return n == 0 ? ERASE_FIELDS_ALL : fields;
}

static void erase_write(struct writer *w, const struct erase_order *o)
{
	writer_uint(w, o->target);
	write_subject(w, o->subject_type, o->subject_id);
	writer_uint(w, o->index);
	write_fields(w, o->fields);
	writer_bin(w, o->blind, 32);
	codec_write_text(w, o->reason);
}

int erase_order_encode_signed(const struct erase_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	erase_write(&w, o);
	return writer_end(&w, ret_len);
}

int erase_order_encode(const struct erase_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 7);
	erase_write(&w, o);
	admin_signature_write(&w, &o->admin);
	return writer_end(&w, ret_len);
}

int erase_order_decode(struct erase_order *ret, const void *bytes, size_t len)
{
	struct erase_order o = {0};
	uint64_t target = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 7);
	const uint8_t *start = r.pos;
	reader_uint(&r, ERASE_ENTRY, &target);
	read_subject(&r, &o.subject_type, &o.subject_id);
	reader_uint(&r, UINT64_MAX, &o.index);
	o.fields = read_fields(&r);
	codec_fixed(&r, 32, &o.blind);
	codec_text(&r, 1, ERASE_REASON_SIZE_MAX, &o.reason);
	int err = codec_signed_end(&r, start, &o.signed_elements, &o.signed_len, &o.admin);
	o.target = (unsigned)target;
	bool subject = o.subject_id.len > 0, whole = o.fields == ERASE_FIELDS_ALL && o.index == 0;
	if (err == 0 && (o.target == 0 || subject != (o.target == ERASE_SUBJECT) || (subject && !whole)))
		err = CS_ERR_MALFORMED;
	if (err == 0)
		*ret = o;
	return err;
}

int retention_sweep_encode(const struct retention_sweep *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 3);
	writer_uint(&w, o->kind);
	writer_uint(&w, o->end);
	writer_uint(&w, o->cutoff_ms);
	return writer_end(&w, ret_len);
}

int retention_sweep_decode(struct retention_sweep *ret, const void *bytes, size_t len)
{
	struct retention_sweep o = {0};
	uint64_t kind = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 3);
	reader_uint(&r, ENTRY_KIND_MAX, &kind);
	reader_uint(&r, UINT64_MAX, &o.end);
	reader_uint(&r, UINT64_MAX, &o.cutoff_ms);
	o.kind = (unsigned)kind;
	int err = reader_end(&r);
	if (err == 0)
		*ret = o;
	return err;
}

int erasure_done_encode(const struct erasure_done *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_uint(&w, o->node);
	writer_uint(&w, o->index);
	writer_uint(&w, o->changed);
	writer_uint(&w, o->held);
	return writer_end(&w, ret_len);
}

int erasure_done_decode(struct erasure_done *ret, const void *bytes, size_t len)
{
	struct erasure_done o = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	reader_uint(&r, NODE_ID_MAX, &o.node);
	reader_uint(&r, UINT64_MAX, &o.index);
	reader_uint(&r, UINT64_MAX, &o.changed);
	reader_uint(&r, UINT64_MAX, &o.held);
	int err = reader_end(&r);
	if (err == 0)
		*ret = o;
	return err;
}
