/* Commands about the ledger itself, made again: histories that were asked for, what was read, what is kept, keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/tool/replaycommand_internal.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_erase.h"
#include "node/decide/command_reads.h"
#include "node/decide/keys.h"

/* [whose, type, id, reason] */
void making_history(struct making *m)
{
	uint64_t whose = making_public_number(m, 0);

	writer_array(&m->w, 4);
	writer_uint(&m->w, whose);
	if (whose == HISTORY_APPROVER) {
		writer_cstr(&m->w, "");
		making_add_field(m, FIELD_APPROVER);
	} else {
		struct reader r = making_open(m, whose == HISTORY_SUBJECT ? FIELD_SUBJECT : FIELD_ACTOR, 2);
		making_copy(m, &r);
		making_copy(m, &r);
	}
	if (body_find(m->e->fields, m->e->n_fields, FIELD_TEXT))
		making_add_field(m, FIELD_TEXT);
	else
		writer_cstr(&m->w, "");
}

/* A row without the reader's name, which the entry has in its second place. */
static void copy_row(struct making *m, struct reader *r)
{
	struct piece name;

	reader_array_exact(r, 8);
	writer_array(&m->w, 7);
	making_copy(m, r);
	reader_skip(r, &name.bytes, &name.len);
	for (unsigned i = 2; i < 8; i++)
		making_copy(m, r);
}

/* [kind, text or [type, id]] back to [kind, text], a pair as TYPE:ID. */
static void copy_lookup(struct making *m, struct reader *r)
{
	char text[READ_TEXT_SIZE_MAX];
	struct text type, id;

	reader_array_exact(r, 2);
	writer_array(&m->w, 2);
	making_copy(m, r);
	if (reader_peek(r) != VALUE_ARRAY) {
		making_copy(m, r);
		return;
	}
	codec_pair(r, &type, &id);
	if (r->err || type.len + 1 + id.len > sizeof text) {
		m->err = CS_ERR_MALFORMED;
		return;
	}
	memcpy(text, type.s, type.len);
	text[type.len] = ':';
	memcpy(text + type.len + 1, id.s, id.len);
	writer_str(&m->w, text, type.len + 1 + id.len);
}

/* [[row…], [lookup…]] */
void making_read(struct making *m)
{
	const struct field *f = body_find(m->e->fields, m->e->n_fields, FIELD_LOOKUP);
	struct piece rows = {0};
	struct reader r;
	uint32_t n = 0;

	if (!making_public(m, 1, &rows))
		m->err = CS_ERR_MALFORMED;
	writer_array(&m->w, 2);
	reader_init(&r, rows.bytes, rows.len);
	reader_array(&r, READ_ROWS_MAX, &n);
	writer_array(&m->w, n);
	for (uint32_t i = 0; i < n && !r.err; i++)
		copy_row(m, &r);
	if (reader_end(&r))
		m->err = CS_ERR_MALFORMED;
	n = 0;
	reader_init(&r, f ? f->value : NULL, f ? f->value_len : 0);
	if (f)
		reader_array(&r, READ_LOOKUPS_MAX, &n);
	writer_array(&m->w, n);
	for (uint32_t i = 0; i < n && !r.err && !m->err; i++)
		copy_lookup(m, &r);
	if (f && reader_end(&r))
		m->err = CS_ERR_MALFORMED;
}

/* --- what is kept --- */

/* [action, subject or nil, index, kind, ms, reason, signature] */
void making_hold(struct making *m)
{
	writer_array(&m->w, 7);
	making_add_public(m, 0);
	making_add_field_or_nil(m, FIELD_SUBJECT);
	for (unsigned i = 1; i < 4; i++)
		making_add_public(m, i);
	making_add_field(m, FIELD_TEXT);
	making_add_field(m, FIELD_EVIDENCE);
}

/*
 * The leader's own, of what has grown old: [kind, end, time]. Of an order what it was about is kept nowhere, and so the
 * state behind it cannot be known from the ledger.
 */
void making_erasure(struct making *m)
{
	if (making_public_number(m, 0) != ERASE_RETENTION) {
		snprintf(m->c->why, sizeof m->c->why, "whom an erasure is about is kept nowhere");
		m->err = CS_ERR_ERASED;
		return;
	}
	writer_array(&m->w, 3);
	making_add_public(m, 3);
	making_add_public(m, 2);
	making_add_public(m, 4);
}

void making_erasure_done(struct making *m)
{
	writer_array(&m->w, 4);
	for (unsigned i = 0; i < 4; i++)
		making_add_public(m, i);
}

/* --- keys --- */

/* [place, id, name, key, key before, good up to, governance version, signature] */
void making_key(struct making *m)
{
	uint64_t place = making_public_number(m, 0), until = making_public_number(m, 5);
	bool node = place <= KEY_PLACE_NODE;

	writer_array(&m->w, 6);
	making_add_public(m, 0);
	writer_uint(&m->w, node ? making_public_number(m, 1) : 0);
	if (node)
		writer_cstr(&m->w, "");
	else
		making_add_public(m, 2);
	making_add_public(m, 3);
	writer_uint(&m->w, until >= m->e->e.index ? until - m->e->e.index : 0);
	making_add_public(m, 7);
}
