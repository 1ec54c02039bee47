/* Searching entries: the question byte for byte, and whether an entry is an answer. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/search.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

/* --- the question --- */

static const struct {
	unsigned kind;
	const char *name;
	enum { SHAPE_TEXT, SHAPE_PAIR, SHAPE_FIRST } shape; /* str; [type, id]; [str, …] */
} fields[] = {
        {FIELD_SUBJECT, "subject", SHAPE_PAIR}, {FIELD_ACTOR, "actor", SHAPE_PAIR},
        {FIELD_ACTION, "action", SHAPE_TEXT},   {FIELD_RESOURCE, "resource", SHAPE_PAIR},
        {FIELD_DEVICE, "device", SHAPE_TEXT},   {FIELD_ADDRESS, "address", SHAPE_TEXT},
        {FIELD_CLIENT, "client", SHAPE_FIRST},
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static int field_index(unsigned kind)
{
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (fields[i].kind == kind)
			return (int)i;
	return -1;
}

unsigned search_field_of(const char *name)
{
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].kind;
	return 0;
}

int search_encode(const struct search *q, void *buf, size_t cap, size_t *ret_len)
{
	struct search check;
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 8);
	writer_bool(&w, q->newest_first);
	if (q->has_cursor)
		writer_uint(&w, q->cursor);
	else
		writer_nil(&w);
	writer_uint(&w, q->hits_max);
	writer_uint(&w, q->since_ms);
	writer_uint(&w, q->until_ms);
	writer_uint(&w, q->kinds);
	writer_uint(&w, q->verdicts);
	read_lookups_write(&w, q->by, q->n);
	int err = writer_end(&w, ret_len);
	return err == 0 && search_decode(&check, buf, *ret_len) != 0 ? CS_ERR_INVALID : err;
}

int search_decode(struct search *ret, const void *bytes, size_t len)
{
	struct search q = {0};
	uint64_t hits_max = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 8);
	reader_bool(&r, &q.newest_first);
	q.has_cursor = !reader_nil(&r);
	if (q.has_cursor)
		reader_uint(&r, INT64_MAX, &q.cursor);
	reader_uint(&r, SEARCH_HITS_MAX, &hits_max);
	reader_uint(&r, UINT64_MAX, &q.since_ms);
	reader_uint(&r, UINT64_MAX, &q.until_ms);
	reader_uint(&r, UINT64_MAX, &q.kinds);
	reader_uint(&r, UINT64_MAX, &q.verdicts);
	read_lookups_read(&r, q.by, &q.n);
	if (reader_end(&r) != 0)
		return r.err;
	for (unsigned i = 0; i < q.n; i++)
		if (field_index(q.by[i].kind) < 0)
			return CS_ERR_MALFORMED;
	if (hits_max == 0)
		return CS_ERR_MALFORMED;
	q.hits_max = (unsigned)hits_max;
	*ret = q;
	return 0;
}

/* --- leaves --- */

static bool has_verdict(uint64_t kind)
{
	return kind == ENTRY_DECISION || kind == ENTRY_ANSWER || kind == ENTRY_IMPORTED || kind == ENTRY_APPROVAL ||
	       kind == ENTRY_DEFER_ENDED;
}

bool search_leaf_read(struct search_leaf *ret, const void *leaf, size_t len)
{
	const uint8_t *previous;
	uint64_t skipped;
	uint32_t n = 0;
	size_t previous_len;
	struct reader r;

	*ret = (struct search_leaf){0};
	reader_init(&r, leaf, len);
	reader_array_exact(&r, 7);
	reader_uint(&r, UINT64_MAX, &skipped); /* Version, index. */
	reader_uint(&r, UINT64_MAX, &skipped);
	reader_uint(&r, ENTRY_KIND_MAX, &ret->kind);
	reader_uint(&r, UINT64_MAX, &ret->time_ms);
	if (r.err == 0 && has_verdict(ret->kind)) {
		reader_bin(&r, HASH_SIZE, &previous, &previous_len);
		reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
		reader_uint(&r, UINT8_MAX, &ret->verdict);
	}
	return r.err == 0;
}

bool search_leaf_matches(const struct search *q, const struct search_leaf *e)
{
	if (q->kinds != 0 && (e->kind > SEARCH_KIND_MAX || (q->kinds & SEARCH_KIND(e->kind)) == 0))
		return false;
	if (q->verdicts != 0 &&
	    (e->verdict > SEARCH_KIND_MAX || (q->verdicts & SEARCH_VERDICT(e->verdict)) == 0 || e->verdict == 0))
		return false;
	return e->time_ms >= q->since_ms && (q->until_ms == 0 || e->time_ms <= q->until_ms);
}

/* --- bodies --- */

/* So much of the text as there is: a '*' at the end of what is looked for takes any end. */
static bool text_matches(struct text looked, struct text before, struct text t)
{
	bool any_end = looked.s[looked.len - 1] == '*';
	size_t len = looked.len - any_end, all = before.len + t.len;

	if (any_end ? all < len : all != len)
		return false;
	size_t head = before.len < len ? before.len : len;
	return (head == 0 || memcmp(looked.s, before.s, head) == 0) &&
	       (len == head || memcmp(looked.s + head, t.s, len - head) == 0);
}

static bool value_matches(const struct read_lookup *l, const uint8_t *value, size_t len)
{
	char typed[REQUEST_STR_SIZE_MAX + 1];
	struct text before = {typed, 0}, t = {"", 0};
	uint32_t n = 0;
	struct reader r;

	reader_init(&r, value, len);
	int at = field_index(l->kind);
	if (fields[at].shape != SHAPE_TEXT)
		reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	if (fields[at].shape == SHAPE_PAIR) {
		reader_str(&r, REQUEST_STR_SIZE_MAX, &t.s, &t.len);
		if (r.err != 0)
			return false;
		memcpy(typed, t.s, t.len);
		typed[t.len] = ':';
		before.len = t.len + 1;
	}
	reader_str(&r, LIMIT_BODY_SIZE_MAX, &t.s, &t.len);
	return r.err == 0 && text_matches(l->text, before, t);
}

bool search_body_matches(const struct search *q, const void *body, size_t len)
{
	unsigned met = 0;
	uint32_t n = 0;
	struct reader r;

	if (q->n == 0)
		return true;
	reader_init(&r, body, len);
	reader_array(&r, LIMIT_FIELD_COUNT_MAX, &n);
	for (uint32_t i = 0; i < n && met < q->n; i++) {
		const uint8_t *salt, *value;
		size_t salt_len, value_len;
		uint64_t kind = 0;

		reader_array_exact(&r, 3);
		reader_uint(&r, FIELD_KIND_MAX, &kind);
		reader_bin(&r, SALT_SIZE, &salt, &salt_len);
		reader_bin(&r, LIMIT_BODY_SIZE_MAX, &value, &value_len);
		if (r.err != 0 || kind > q->by[met].kind)
			return false; /* Both ascend: the one that is looked for is not there. */
		if (kind < q->by[met].kind)
			continue;
		if (!value_matches(&q->by[met], value, value_len))
			return false;
		met++;
	}
	return met == q->n;
}
