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

/* How many bytes follow a head's first one: those of a number, of a length, and the text itself of short ones. */
static bool payload_of(const uint8_t *p, const uint8_t *end, size_t *ret_payload, uint32_t *ret_elements)
{
	static const uint8_t numbers[4] = {1, 2, 4, 8};
	uint8_t b = *p++;
	size_t left = (size_t)(end - p);

	*ret_elements = 0;
	*ret_payload = 0;
	if (b <= 0x7f || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3)
		return true;
	if (b <= 0x8f) /* Maps. */
		return false;
	if (b <= 0x9f)
		*ret_elements = b & 0x0f;
	else if (b <= 0xbf)
		*ret_payload = b & 0x1f;
	else if (b >= 0xcc && b <= 0xd3)
		*ret_payload = numbers[b & 3];
	else if ((b == 0xc4 || b == 0xd9) && left >= 1)
		*ret_payload = 1 + (size_t)p[0];
	else if ((b == 0xc5 || b == 0xda) && left >= 2)
		*ret_payload = 2 + (size_t)get_u16be(p);
	else if ((b == 0xc6 || b == 0xdb) && left >= 4)
		*ret_payload = 4 + (size_t)get_u32be(p);
	else if (b == 0xdc && left >= 2)
		*ret_elements = get_u16be(p), *ret_payload = 2;
	else
		return false; /* 65,536 elements and more: no field has as many. */
	return *ret_payload <= left;
}

/*
 * What a writer made is canonical and its texts are good, but it may be several values, or fewer than an array said:
 * 0 if it is one, within the bounds of limits.h.
 */
static int structure_check(const uint8_t *p, size_t len)
{
	uint32_t open[LIMIT_MSGPACK_DEPTH_MAX + 1] = {1}, elements; /* Still to come, of each array; [0]: of it all. */
	const uint8_t *end = p + len;
	unsigned depth = 0, nodes = 0;
	size_t payload;

	for (;;) {
		while (depth > 0 && open[depth] == 0)
			depth--;
		if (open[depth] == 0)
			return p == end ? 0 : CS_ERR_MALFORMED;
		if (++nodes > LIMIT_MSGPACK_NODES_MAX)
			return CS_ERR_TOO_LARGE;
		if (p == end || !payload_of(p, end, &payload, &elements))
			return CS_ERR_MALFORMED;
		p += 1 + payload;
		open[depth]--;
		if (elements == 0)
			continue;
		if (depth == LIMIT_MSGPACK_DEPTH_MAX)
			return CS_ERR_TOO_LARGE;
		open[++depth] = elements;
	}
}

static void add_field(struct entry_builder *b, unsigned kind, const void *value, size_t len)
{
	const uint8_t *salt = b->salts[kind];

	b->fields[b->n_fields].kind = kind;
	field_commit(&b->fields[b->n_fields].commitment, kind, salt, value, len);
	b->n_fields++;
	writer_array(&b->body, 3);
	writer_uint(&b->body, kind);
	writer_bin(&b->body, salt, SALT_SIZE);
	writer_bin(&b->body, value, len);
}

/* Whether a field of this kind may follow. */
static bool kind_follows(struct entry_builder *b, unsigned kind)
{
	unsigned kind_before = b->n_fields > 0 ? b->fields[b->n_fields - 1].kind : 0;

	if (b->err == 0 && (kind <= kind_before || kind > FIELD_SALTED_MAX))
		b->err = CS_ERR_INVALID;
	return b->err == 0;
}

void entry_builder_field(struct entry_builder *b, unsigned kind, const void *value, size_t len)
{
	if (!kind_follows(b, kind))
		return;
	/* A commitment to bytes that no reader accepts could never be disclosed. */
	b->err = value_check(value, len);
	if (b->err == 0)
		add_field(b, kind, value, len);
}

void entry_builder_written(struct entry_builder *b, unsigned kind, const struct writer *value)
{
	if (!kind_follows(b, kind))
		return;
	b->err = value->err != 0 ? value->err : structure_check(value->base, value->len);
	if (b->err == 0)
		add_field(b, kind, value->base, value->len);
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
