/* The list of credentials, as this node knows it: names, kinds and whose they are; never what is in them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/decide/codec.h"

#define PAGE_MAX 256

/* The next page of them in order of name: kept sorted as they are met, for the table has no such order. */
struct page {
	struct text after;
	unsigned n, max;
	const struct credential *list[PAGE_MAX];
};

static struct text name_of(const struct credential *c)
{
	return (struct text){c->name, strlen(c->name)};
}

static void consider(void *ctx, const struct credential *c)
{
	struct page *p = ctx;
	unsigned at = p->n;

	if (text_compare(name_of(c), p->after) <= 0)
		return;
	while (at > 0 && text_compare(name_of(c), name_of(p->list[at - 1])) < 0)
		at--;
	if (at == p->max)
		return;
	if (p->n < p->max)
		p->n++;
	memmove(&p->list[at + 1], &p->list[at], (p->n - at - 1) * sizeof(struct credential *));
	p->list[at] = c;
}

static void write_one(struct writer *w, const struct credential *c)
{
	struct text type = {c->subject_type, strlen(c->subject_type)}, id = {c->subject_id, strlen(c->subject_id)};

	writer_array(w, 7);
	writer_cstr(w, c->name);
	writer_cstr(w, credential_kind_text(c->kind));
	if (id.len > 0)
		codec_write_pair(w, type, id);
	else
		writer_nil(w);
	writer_uint(w, c->version);
	writer_uint(w, c->counter);
	writer_uint(w, c->failures);
	writer_bool(w, c->kind == CREDENTIAL_TOTP && c->failures >= TOTP_FAILURES_MAX);
}

void credentials_read(struct core *c, struct job *j)
{
	struct page p = {0};
	struct reader r;
	struct writer w;
	uint64_t count = 0;
	size_t len;

	reader_init(&r, j->request.body, j->request.body_len);
	reader_array_exact(&r, 2);
	codec_text(&r, 0, PRINCIPAL_NAME_SIZE_MAX, &p.after);
	reader_uint(&r, PAGE_MAX, &count);
	if (reader_end(&r) != 0 || count == 0) {
		job_error(j, CS_ERR_MALFORMED, "credentials: [after name, count up to 256] is wanted", NULL, 0);
		return;
	}
	p.max = (unsigned)count;
	state_each_credential(c->state, consider, &p);
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 1);
	writer_array(&w, p.n);
	for (unsigned i = 0; i < p.n; i++)
		write_one(&w, p.list[i]);
	int err = writer_end(&w, &len);
	if (err)
		job_error(j, err, NULL, NULL, 0);
	else
		job_reply(j, c->reply, len);
}
