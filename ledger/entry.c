/* Entries: leaf bytes taken apart and put together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/entry.h"

#include <assert.h>
#include <string.h>

#include "ledger/errors.h"

#define LEAF_ELEMENTS 7
#define LEAF_PUBLIC   5 /* The place of the public fields among them. */

const char *entry_kind_text(unsigned kind)
{
	switch (kind) {
#define ENTRY_KIND_CASE(name, number, text)                                                                            \
	case number:                                                                                                   \
		return text;
		ENTRY_KIND_LIST(ENTRY_KIND_CASE)
#undef ENTRY_KIND_CASE
	default:
		return "unknown";
	}
}

static void decode_commitments(struct reader *r, struct entry *e)
{
	uint32_t n = 0;
	uint64_t kind = 0, kind_before = 0;

	reader_array(r, LIMIT_FIELD_COUNT_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++, kind_before = kind) {
		reader_array_exact(r, 2);
		reader_uint(r, FIELD_KIND_MAX, &kind);
		reader_bin_exact(r, e->fields[i].commitment.b, HASH_SIZE);
		if (r->err == 0 && kind <= kind_before)
			r->err = CS_ERR_MALFORMED;
		e->fields[i].kind = (unsigned)kind;
	}
	e->n_fields = n;
}

int entry_decode(struct entry *ret, const void *bytes, size_t len)
{
	struct entry e;
	struct reader r;
	uint64_t version = 0, kind = 0;

	if (len > LIMIT_ENTRY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memset(&e, 0, sizeof(e));
	reader_init(&r, bytes, len);
	reader_array_exact(&r, LEAF_ELEMENTS);
	reader_uint(&r, UINT64_MAX, &version);
	if (r.err == 0 && version != ENTRY_VERSION)
		return CS_ERR_MALFORMED;
	reader_uint(&r, UINT64_MAX, &e.index);
	reader_uint(&r, ENTRY_KIND_MAX, &kind);
	reader_uint(&r, UINT64_MAX, &e.time_ms);
	reader_bin_exact(&r, e.prev.b, HASH_SIZE);
	if (r.err == 0 && (kind == 0 || reader_peek(&r) != VALUE_ARRAY))
		return CS_ERR_MALFORMED;
	reader_skip(&r, &e.public_, &e.public_len);
	decode_commitments(&r, &e);
	if (reader_end(&r) != 0)
		return r.err;
	e.kind = (unsigned)kind;
	*ret = e;
	return 0;
}

void entry_builder_init(struct entry_builder *b, uint64_t index, unsigned kind, uint64_t time_ms,
                        const struct hash *prev, const uint8_t seed[SEED_SIZE])
{
	writer_init(&b->public_, b->public_buf, sizeof(b->public_buf));
	writer_init(&b->body, b->body_buf, sizeof(b->body_buf));
	b->index = index;
	b->kind = kind;
	b->time_ms = time_ms;
	b->prev = *prev;
	field_salts(&b->salts[0][0], sizeof(b->salts), seed, index);
	b->n_fields = 0;
	b->err = kind >= 1 && kind <= ENTRY_KIND_MAX ? 0 : CS_ERR_INVALID;
}

/* 0 if the bytes are exactly one canonical value. */
static int value_check(const void *value, size_t len)
{
	struct reader r;
	const uint8_t *start;
	size_t start_len;

	reader_init(&r, value, len);
	reader_skip(&r, &start, &start_len);
	return reader_end(&r);
}

static_assert(FIELD_SALTED_MAX < LIMIT_FIELD_COUNT_MAX, "every kind once is within the bound of fields");

void entry_builder_field(struct entry_builder *b, unsigned kind, const void *value, size_t len)
{
	unsigned kind_before = b->n_fields > 0 ? b->fields[b->n_fields - 1].kind : 0;

	if (b->err != 0)
		return;
	if (kind <= kind_before || kind > FIELD_SALTED_MAX)
		b->err = CS_ERR_INVALID;
	else /* A commitment to bytes that no reader accepts could never be disclosed. */
		b->err = value_check(value, len);
	if (b->err != 0)
		return;
	const uint8_t *salt = b->salts[kind];
	b->fields[b->n_fields].kind = kind;
	field_commit(&b->fields[b->n_fields].commitment, kind, salt, value, len);
	b->n_fields++;
	writer_array(&b->body, 3);
	writer_uint(&b->body, kind);
	writer_bin(&b->body, salt, SALT_SIZE);
	writer_bin(&b->body, value, len);
}

static void write_leaf(const struct entry_builder *b, struct writer *w)
{
	writer_array(w, LEAF_ELEMENTS);
	writer_uint(w, ENTRY_VERSION);
	writer_uint(w, b->index);
	writer_uint(w, b->kind);
	writer_uint(w, b->time_ms);
	writer_bin(w, b->prev.b, HASH_SIZE);
	writer_raw(w, b->public_.base, b->public_.len);
	writer_array(w, b->n_fields);
	for (unsigned i = 0; i < b->n_fields; i++) {
		writer_array(w, 2);
		writer_uint(w, b->fields[i].kind);
		writer_bin(w, b->fields[i].commitment.b, HASH_SIZE);
	}
}

/*
 * What the caller wrote as public may be no array, several values, or too deep: nothing may be logged that nobody can
 * read. The commitments behind it are as written here.
 */
static int leaf_check(const uint8_t *leaf, size_t len, size_t public_len)
{
	const uint8_t *skipped;
	size_t skipped_len;
	struct reader r;

	reader_init(&r, leaf, len);
	reader_array_exact(&r, LEAF_ELEMENTS);
	for (unsigned i = 0; i < LEAF_PUBLIC; i++)
		reader_skip(&r, &skipped, &skipped_len);
	if (reader_peek(&r) != VALUE_ARRAY)
		return CS_ERR_MALFORMED;
	reader_skip(&r, &skipped, &skipped_len);
	return r.err == 0 && skipped_len != public_len ? CS_ERR_MALFORMED : r.err;
}

int entry_builder_finish(struct entry_builder *b, uint8_t *leaf, size_t *ret_leaf_len, uint8_t *body,
                         size_t *ret_body_len)
{
	struct writer leaf_writer, body_writer;

	if (b->err == 0)
		b->err = b->public_.err;
	if (b->err == 0)
		b->err = b->body.err;
	if (b->err != 0)
		return b->err;
	writer_init(&leaf_writer, leaf, LIMIT_ENTRY_SIZE_MAX);
	write_leaf(b, &leaf_writer);
	writer_init(&body_writer, body, LIMIT_BODY_SIZE_MAX);
	writer_array(&body_writer, b->n_fields);
	writer_raw(&body_writer, b->body.base, b->body.len);
	if (leaf_writer.err != 0 || body_writer.err != 0)
		return CS_ERR_TOO_LARGE;
	b->err = leaf_check(leaf, leaf_writer.len, b->public_.len);
	if (b->err != 0)
		return b->err;
	*ret_leaf_len = leaf_writer.len;
	*ret_body_len = body_writer.len;
	return 0;
}
