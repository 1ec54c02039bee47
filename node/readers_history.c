/* A person's history: the entries of their chain, newest first, each with its proof under one checkpoint. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/readers_internal.h"

#define PAGE_ENTRIES 256

/* Whose chain it is, by the entry "history requested" at its head. */
struct person {
	unsigned person, chain; /* Fields. */
	uint8_t value[2 * REQUEST_STR_SIZE_MAX + 16];
	size_t len;
};

static bool read_head(const void *leaf, size_t leaf_len, const void *body, size_t body_len, struct person *ret)
{
	static const unsigned fields[][2] = {[HISTORY_SUBJECT] = {FIELD_SUBJECT, FIELD_SUBJECT_CHAIN},
	                                     [HISTORY_ACTOR] = {FIELD_ACTOR, FIELD_ACTOR_CHAIN},
	                                     [HISTORY_APPROVER] = {FIELD_APPROVER, FIELD_APPROVER_CHAIN}};
	struct field list[LIMIT_FIELD_COUNT_MAX];
	uint64_t whose = 0;
	uint32_t elements;
	unsigned n = 0;
	struct entry e;
	struct reader r;

	if (entry_decode(&e, leaf, leaf_len) || e.kind != ENTRY_HISTORY || !body ||
	    body_decode(list, &n, body, body_len))
		return false;
	reader_init(&r, e.public_, e.public_len);
	reader_array(&r, LIMIT_FIELD_COUNT_MAX, &elements);
	reader_uint(&r, HISTORY_APPROVER, &whose);
	if (r.err || whose == 0)
		return false;
	ret->person = fields[whose][0];
	ret->chain = fields[whose][1];
	const struct field *f = body_find(list, n, ret->person);
	if (!f || f->value_len > sizeof ret->value)
		return false;
	memcpy(ret->value, f->value, f->value_len);
	ret->len = f->value_len;
	return true;
}

/* [what is awaited or nil, [approver's name, …]]: the name as the field `approver` has it. */
static bool approved_by(const struct field *f, const struct person *p)
{
	const uint8_t *value;
	uint32_t n = 0;
	size_t len;
	struct reader r;

	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	reader_skip(&r, &value, &len);
	reader_array(&r, LIMIT_FIELD_COUNT_MAX, &n);
	return !reader_skip(&r, &value, &len) && len == p->len && !memcmp(value, p->value, len);
}

/* The entry is the person's; *ret_more, *ret_previous: and the one that it names before it. */
static bool read_link(const void *body, size_t body_len, const struct person *p, bool *ret_more, uint64_t *ret_previous)
{
	struct field list[LIMIT_FIELD_COUNT_MAX];
	uint64_t previous = 0, count = 0;
	unsigned n = 0;
	struct reader r;

	*ret_more = false;
	if (!body || body_decode(list, &n, body, body_len))
		return false;
	const struct field *f = body_find(list, n, p->person);
	const struct field *approval = body_find(list, n, FIELD_APPROVAL);
	bool theirs = f ? f->value_len == p->len && !memcmp(f->value, p->value, p->len)
	                : p->person == FIELD_APPROVER && approval && approved_by(approval, p);
	f = body_find(list, n, p->chain);
	if (!theirs || !f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	if (!reader_nil(&r))
		reader_uint(&r, INT64_MAX, &previous);
	reader_uint(&r, INT64_MAX, &count);
	/* None before: the first, or the first after an erasure, which it then names; or in the ledger before this one.
	 */
	*ret_more = !r.err && count > 0 && previous < STATE_EARLIER;
	*ret_previous = previous;
	return true;
}

static void write_entry(struct writer *w, const void *leaf, size_t leaf_len, const void *body, size_t body_len,
                        const struct hash *proof, unsigned n)
{
	writer_array(w, 3);
	writer_bin(w, leaf, leaf_len);
	if (body)
		writer_bin(w, body, body_len);
	else
		writer_nil(w);
	/* As one value: a document has few thousands of them. */
	writer_bin(w, proof, n * HASH_SIZE);
}

struct page {
	struct writer w; /* Over the second half of the room's buffer. */
	struct person person;
	struct read_log log;
	uint32_t n;
	uint64_t size;
	bool more;
	uint64_t at; /* The entry that comes next. */
};

/* One entry of the chain; false: the page ends before it, or the chain with it. */
static bool add(struct reading_room *r, struct page *p, int *ret_err)
{
	struct hash proof[LIMIT_PROOF_HASHES_MAX];
	struct tree_tiles tiles;
	struct writer before = p->w;
	const void *leaf, *body;
	size_t leaf_len, body_len;
	uint64_t index = p->at;
	unsigned n = 0;

	*ret_err = reading_room_entry(r, index, true, &leaf, &leaf_len, &body, &body_len);
	store_view_tiles(r->view, &tiles);
	if (!*ret_err)
		*ret_err = tiles_inclusion(&tiles, index, p->size, proof, &n);
	if (*ret_err)
		return false;
	write_entry(&p->w, leaf, leaf_len, body, body_len, proof, n);
	if (p->w.err) {
		p->w = before;
		return false;
	}
	p->n++;
	reading_add(&p->log, index, leaf, leaf_len, body, body_len);
	if (!read_link(body, body_len, &p->person, &p->more, &p->at)) {
		p->more = false; /* Erased, or not theirs: whoever looks at it sees where the chain ends. */
		return false;
	}
	if (p->more && p->at >= index)
		*ret_err = CS_ERR_DAMAGED;
	return p->more && !*ret_err;
}

/* [quorum, size, checkpoint or "", next or nil, [[leaf, body or nil, hashes bin]…]] */
static size_t write_page(struct reading_room *r, const struct item *it, const struct page *p)
{
	bool first = it->note != NULL;
	struct writer w;

	writer_init(&w, r->buf, WIRE_REPLY_SIZE_MAX / 2);
	writer_array(&w, 5);
	writer_bool(&w, first && it->quorum);
	writer_uint(&w, p->size);
	writer_str(&w, first ? it->note->text : "", first ? it->note->len : 0);
	if (p->more)
		writer_uint(&w, p->at);
	else
		writer_nil(&w);
	writer_array(&w, p->n);
	memmove(r->buf + w.len, p->w.base, p->w.len);
	return w.len + p->w.len;
}

bool serve_history(struct reading_room *r, struct item *it)
{
	struct page p = {.at = it->history.at, .size = it->history.size, .more = true};
	const void *leaf, *body;
	size_t leaf_len, body_len;
	int err;

	if (p.size == 0 && !reading_room_choose_note(r, it))
		return clock_mono_ns() >= it->until_ns &&
		       reading_room_refuse(it, CS_ERR_NOT_FOUND, "no signed checkpoint covers this entry yet");
	if (p.size == 0)
		p.size = it->note->size;
	if (r->stored < p.size) {
		ledger_writer_flush(r->o.writer);
		return false;
	}
	if (it->index >= p.size || p.at > it->index)
		return reading_room_refuse(it, CS_ERR_INVALID,
		                           "the history's entries lie before its head, and that within the size");
	err = reading_room_entry(r, it->index, true, &leaf, &leaf_len, &body, &body_len);
	if (err || !read_head(leaf, leaf_len, body, body_len, &p.person))
		return reading_room_refuse(it, err ? err : CS_ERR_INVALID,
		                           "the entry is no \"history requested\", or it was erased");
	writer_init(&p.w, r->buf + WIRE_REPLY_SIZE_MAX / 2, WIRE_REPLY_SIZE_MAX / 2);
	reading_begin(&p.log, it, READ_HISTORY);
	while (p.n < PAGE_ENTRIES && add(r, &p, &err))
		;
	if (err)
		return reading_room_refuse(it, err, "reading the store");
	return reading_room_give(r, it, &p.log, write_page(r, it, &p));
}
