/* Requests: written canonically, read, looked into, digested. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "ledger/hash.h"
#include "node/decide/codec.h"
#include "node/decide/command.h"

#define REQUEST_DOMAIN "countersign/request/v1"

int text_compare(struct text a, struct text b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter > 0 ? memcmp(a.s, b.s, shorter) : 0;

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

static void write_value(struct writer *w, const struct named_value *v)
{
	writer_array(w, 2);
	codec_write_text(w, v->name);
	if (v->type == VALUE_STR)
		codec_write_text(w, v->str);
	else if (v->type == VALUE_BOOL)
		writer_bool(w, v->integer != 0);
	else
		writer_int(w, v->integer);
}

void codec_write_context(struct writer *w, const struct named_value *v)
{
	write_value(w, v);
}

static void read_value(struct reader *r, struct named_value *ret)
{
	bool b = false;

	reader_array_exact(r, 2);
	codec_text(r, 1, REQUEST_STR_SIZE_MAX, &ret->name);
	ret->type = reader_peek(r);
	switch (ret->type) {
	case VALUE_STR:
		codec_text(r, 0, REQUEST_STR_SIZE_MAX, &ret->str);
		break;
	case VALUE_INT:
		reader_int(r, &ret->integer);
		break;
	case VALUE_BOOL:
		reader_bool(r, &b);
		ret->integer = b;
		break;
	default:
		if (r->err == 0)
			r->err = CS_ERR_MALFORMED;
	}
}

static void write_actors(struct writer *w, const struct request *r)
{
	if (r->actor_id.len == 0) {
		writer_nil(w);
		return;
	}
	if (r->n_via > 0)
		writer_array(w, r->n_via + 1);
	codec_write_pair(w, r->actor_type, r->actor_id);
	for (unsigned i = 0; i < r->n_via; i++)
		codec_write_pair(w, r->via[i].type, r->via[i].id);
}

/* What begins with a text is one actor, what begins with an array is a chain. */
static void read_actors(struct reader *r, struct request *ret)
{
	uint32_t n = 0;

	if (reader_nil(r))
		return;
	reader_array(r, REQUEST_ACTORS_MAX, &n);
	if (r->err == 0 && n < 2)
		r->err = CS_ERR_MALFORMED;
	if (reader_peek(r) != VALUE_ARRAY) {
		if (r->err == 0 && n != 2)
			r->err = CS_ERR_MALFORMED;
		codec_text(r, 1, REQUEST_STR_SIZE_MAX, &ret->actor_type);
		codec_text(r, 1, REQUEST_STR_SIZE_MAX, &ret->actor_id);
		return;
	}
	codec_pair(r, &ret->actor_type, &ret->actor_id);
	for (uint32_t i = 1; i < n && r->err == 0; i++)
		codec_pair(r, &ret->via[i - 1].type, &ret->via[i - 1].id);
	ret->n_via = n - 1;
}

static int request_write(const struct request *r, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 5);
	codec_write_pair(&w, r->subject_type, r->subject_id);
	write_actors(&w, r);
	codec_write_text(&w, r->action);
	codec_write_pair(&w, r->resource_type, r->resource_id);
	writer_array(&w, r->n_context);
	for (unsigned i = 0; i < r->n_context; i++)
		write_value(&w, &r->context[i]);
	return writer_end(&w, ret_len);
}

int request_encode(const struct request *r, void *buf, size_t cap, size_t *ret_len)
{
	struct request check;
	size_t len;
	int err;

	if (r->n_context > REQUEST_CONTEXT_MAX || r->n_via >= REQUEST_ACTORS_MAX)
		return CS_ERR_TOO_LARGE;
	err = request_write(r, buf, cap, &len);
	if (err == 0 && request_decode(&check, buf, len) != 0)
		err = CS_ERR_INVALID; /* Nobody may send what nobody will read. */
	if (err == 0)
		*ret_len = len;
	return err;
}

int request_decode(struct request *ret, const void *bytes, size_t len)
{
	struct request q = {0};
	struct reader r;
	uint32_t n = 0;

	if (len > REQUEST_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	reader_init(&r, bytes, len);
	reader_array_exact(&r, 5);
	codec_pair(&r, &q.subject_type, &q.subject_id);
	read_actors(&r, &q);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &q.action);
	codec_pair(&r, &q.resource_type, &q.resource_id);
	reader_array(&r, REQUEST_CONTEXT_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		read_value(&r, &q.context[i]);
		if (r.err == 0 && i > 0 && text_compare(q.context[i - 1].name, q.context[i].name) >= 0)
			return CS_ERR_MALFORMED;
	}
	if (reader_end(&r) != 0)
		return r.err;
	q.n_context = n;
	*ret = q;
	return 0;
}

const struct named_value *request_context(const struct request *r, const char *name)
{
	const size_t len = strlen(name);

	for (unsigned i = 0; i < r->n_context; i++)
		if (r->context[i].name.len == len && memcmp(r->context[i].name.s, name, len) == 0)
			return &r->context[i];
	return NULL;
}

void request_digest(struct hash *ret, const uint8_t blind[32], const void *request, size_t len)
{
	static const char domain[] = REQUEST_DOMAIN; /* With its NUL. */
	struct hasher h;

	hasher_init(&h);
	hasher_update(&h, domain, sizeof(domain));
	hasher_update(&h, blind, 32);
	hasher_update(&h, request, len);
	hasher_final(&h, ret);
}
