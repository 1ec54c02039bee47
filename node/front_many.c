/* A message of many requests: a job for each of them, and their replies kept until the last one is there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_many.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/front_request.h"

#define NS_PER_MS       UINT64_C(1000000)
#define HEAD_SIZE_MAX   32 /* The whole reply's envelope and its array. */
#define REPLY_HEAD_SIZE 21 /* A reply's envelope before its body: array, version, id, error. */
#define BIN_HEAD_MAX    5

struct part {
	struct job job; /* First: a job is its part. */
	struct many *many;
	int err; /* Of its request. */
	const char *text;
	uint8_t *reply; /* One envelope; NULL: not there yet, or no memory. */
	size_t reply_len;
};

struct many {
	struct job *whole;
	unsigned n;
	atomic_uint left;   /* Replies that are missing. */
	atomic_size_t used; /* Of WIRE_REPLY_SIZE_MAX; an error's room is taken for each part from the beginning. */
	struct part parts[];
};

static void part_decode(struct part *p, const struct wire_part *bytes, const struct job *whole)
{
	struct job *j = &p->job;

	j->part = p;
	j->principal = whole->principal;
	j->roles = whole->roles;
	j->received_ns = j->deadline_ns = whole->received_ns;
	p->err = wire_request_decode(&j->request, bytes->bytes, bytes->len);
	if (p->err < 0) {
		p->text = request_fault(bytes->bytes, bytes->len, j->request.id);
		return;
	}
	j->deadline_ns += j->request.deadline_ms * NS_PER_MS;
	if (!wire_many_takes(j->request.type)) {
		p->err = CS_ERR_MALFORMED;
		p->text = "only decide, import, answer and check may be one of many";
		return;
	}
	p->text = request_refusal(j->request.type, j->roles);
	p->err = p->text == NULL ? CS_OK : CS_ERR_NOT_PERMITTED;
}

int many_open(struct job *whole, struct many **ret)
{
	struct wire_part bytes[WIRE_MANY_MAX];
	unsigned n;

	int err = wire_many_decode(bytes, &n, whole->request.body, whole->request.body_len);
	if (err < 0)
		return err;
	struct many *m = calloc(1, sizeof(*m) + n * sizeof(m->parts[0]));
	if (m == NULL)
		return CS_ERR_NOMEM;
	m->whole = whole;
	m->n = n;
	atomic_init(&m->left, n);
	atomic_init(&m->used, HEAD_SIZE_MAX + n * (ERROR_REPLY_SIZE_MAX + BIN_HEAD_MAX));
	for (unsigned i = 0; i < n; i++) {
		m->parts[i].many = m;
		part_decode(&m->parts[i], &bytes[i], whole);
	}
	*ret = m;
	return CS_OK;
}

unsigned many_count(const struct many *m)
{
	return m->n;
}

struct job *many_job(struct many *m, unsigned i, int *ret_err, const char **ret_text)
{
	*ret_err = m->parts[i].err;
	*ret_text = m->parts[i].text;
	return &m->parts[i].job;
}

struct job *many_whole(const struct job *j)
{
	return j->part->many->whole;
}

bool many_room(struct job *j, size_t body_len)
{
	struct many *m = j->part->many;

	assert(body_len <= WIRE_REPLY_SIZE_MAX);
	size_t size = body_len + REPLY_HEAD_SIZE + BIN_HEAD_MAX;
	if (atomic_fetch_add(&m->used, size) + size <= WIRE_REPLY_SIZE_MAX)
		return true;
	atomic_fetch_sub(&m->used, size);
	return false;
}

struct many *many_keep(struct job *j, const struct wire_reply *r)
{
	struct part *p = j->part;
	struct many *m = p->many;
	size_t cap = r->err == 0 ? REPLY_HEAD_SIZE + r->body_len : ERROR_REPLY_SIZE_MAX;

	p->reply = malloc(cap);
	if (p->reply != NULL) {
		int err = wire_reply_encode(r, p->reply, cap, &p->reply_len);
		assert(err == CS_OK);
	}
	return atomic_fetch_sub(&m->left, 1) == 1 ? m : NULL;
}

size_t many_reply_size(const struct many *m)
{
	size_t size = HEAD_SIZE_MAX;

	for (unsigned i = 0; i < m->n; i++) {
		if (m->parts[i].reply == NULL)
			return 0;
		size += BIN_HEAD_MAX + m->parts[i].reply_len;
	}
	assert(size <= WIRE_REPLY_SIZE_MAX);
	return size;
}

void many_reply_write(const struct many *m, struct writer *w)
{
	writer_array(w, m->n);
	for (unsigned i = 0; i < m->n; i++)
		writer_bin(w, m->parts[i].reply, m->parts[i].reply_len);
}

void many_free(struct many *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->n; i++)
		free(m->parts[i].reply);
	free(m);
}
