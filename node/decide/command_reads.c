/* Commands about reading, read and written: the client library links this too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/command_reads.h"

#include "ledger/errors.h"
#include "ledger/format.h"
#include "node/decide/codec.h"

#define FIELD_BITS 63 /* Kinds of fields that a row can name. */

const char *history_whose_text(unsigned whose)
{
	static const char *const texts[] = {NULL, "subject", "actor", "approver"};

	return whose < sizeof(texts) / sizeof(texts[0]) ? texts[whose] : NULL;
}

const char *read_what_text(unsigned what)
{
	static const char *const texts[] = {NULL, "entries", "proof", "search", "history"};

	return what < sizeof(texts) / sizeof(texts[0]) ? texts[what] : NULL;
}

/* --- histories --- */

int history_order_encode(const struct history_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct history_order check;
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_uint(&w, o->whose);
	codec_write_text(&w, o->type);
	codec_write_text(&w, o->id);
	codec_write_text(&w, o->reason);
	int err = writer_end(&w, ret_len);
	if (err == 0 && history_order_decode(&check, buf, *ret_len) != 0)
		err = CS_ERR_INVALID;
	return err;
}

int history_order_decode(struct history_order *ret, const void *bytes, size_t len)
{
	struct history_order o = {0};
	uint64_t whose = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	reader_uint(&r, HISTORY_APPROVER, &whose);
	codec_text(&r, 0, REQUEST_STR_SIZE_MAX, &o.type);
	codec_text(&r, 1, whose == HISTORY_APPROVER ? PRINCIPAL_NAME_SIZE_MAX : REQUEST_STR_SIZE_MAX, &o.id);
	codec_text(&r, 0, HISTORY_REASON_SIZE_MAX, &o.reason);
	if (reader_end(&r) != 0)
		return r.err;
	if (whose == 0 || (whose == HISTORY_APPROVER) != (o.type.len == 0))
		return CS_ERR_MALFORMED;
	o.whose = (unsigned)whose;
	*ret = o;
	return 0;
}

/* --- what was read --- */

static void row_write(struct writer *w, const struct read_row *row)
{
	writer_array(w, 7);
	writer_uint(w, row->principal);
	writer_uint(w, row->what);
	writer_uint(w, row->first);
	writer_uint(w, row->last);
	writer_uint(w, row->reads);
	writer_uint(w, row->entries);
	writer_uint(w, row->fields);
}

static void row_read(struct reader *r, struct read_row *ret)
{
	uint64_t what = 0;

	reader_array_exact(r, 7);
	reader_uint(r, UINT64_MAX, &ret->principal);
	reader_uint(r, READ_HISTORY, &what);
	reader_uint(r, INT64_MAX, &ret->first);
	reader_uint(r, INT64_MAX, &ret->last);
	reader_uint(r, INT64_MAX, &ret->reads);
	reader_uint(r, INT64_MAX, &ret->entries);
	reader_uint(r, UINT64_MAX, &ret->fields);
	ret->what = (unsigned)what;
	if (r->err == 0 && (what == 0 || ret->first > ret->last || ret->reads == 0))
		r->err = CS_ERR_MALFORMED;
}

void read_lookups_write(struct writer *w, const struct read_lookup *l, unsigned n)
{
	writer_array(w, n);
	for (unsigned i = 0; i < n; i++) {
		writer_array(w, 2);
		writer_uint(w, l[i].kind);
		codec_write_text(w, l[i].text);
	}
}

void read_lookups_read(struct reader *r, struct read_lookup ret[READ_LOOKUPS_MAX], unsigned *ret_n)
{
	uint64_t kind = 0, before = 0;
	uint32_t n = 0;

	reader_array(r, READ_LOOKUPS_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++, before = kind) {
		reader_array_exact(r, 2);
		reader_uint(r, FIELD_BITS, &kind);
		codec_text(r, 1, READ_TEXT_SIZE_MAX, &ret[i].text);
		ret[i].kind = (unsigned)kind;
		if (r->err == 0 && kind <= before)
			r->err = CS_ERR_MALFORMED;
	}
	*ret_n = r->err == 0 ? n : 0;
}

int read_log_encode(const struct read_log *l, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	writer_array(&w, l->n_rows);
	for (unsigned i = 0; i < l->n_rows; i++)
		row_write(&w, &l->rows[i]);
	read_lookups_write(&w, l->lookups, l->n_lookups);
	return writer_end(&w, ret_len);
}

int read_log_decode(struct read_log *ret, const void *bytes, size_t len)
{
	struct reader r;
	uint32_t n = 0;

	*ret = (struct read_log){0};
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	reader_array(&r, READ_ROWS_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++)
		row_read(&r, &ret->rows[i]);
	ret->n_rows = n;
	read_lookups_read(&r, ret->lookups, &ret->n_lookups);
	if (reader_end(&r) != 0)
		return r.err;
	return n == 0 || (ret->n_lookups > 0 && n != 1) ? CS_ERR_MALFORMED : 0;
}
