/* What the leader tells of governance and of the table of people, page by page. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/decide/people.h"

#define PAGE_PEOPLE_MAX 256 /* The loop is not held up: a page takes about 100 microseconds. */

/* [version, [k…], [[name, sequence]…] administrators] */
static void write_administrator(void *ctx, const struct principal *p)
{
	struct writer *w = ctx;

	if (p->removed || (p->roles & ROLE_ADMINISTER) == 0)
		return;
	writer_array(w, 2);
	writer_cstr(w, p->name);
	writer_uint(w, p->sequence);
}

static void write_governance(const struct core *c, struct writer *w)
{
	writer_array(w, 3);
	writer_uint(w, state_governance(c->state));
	governance_write(w, state_thresholds(c->state));
	writer_array(w, state_administrators(c->state));
	state_each_principal(c->state, write_administrator, w);
}

/*
 * [changes of the table so far on this node, people in it, [[version, record bin]…]]: from the slot asked for on. Who
 * gets another number of changes with the next page begins again.
 */
static void write_page(const struct core *c, struct writer *w, uint64_t first)
{
	uint32_t all = people_count(c->state), n = first < all ? all - (uint32_t)first : 0;

	n = n < PAGE_PEOPLE_MAX ? n : PAGE_PEOPLE_MAX;
	writer_array(w, 3);
	writer_uint(w, state_people_changes(c->state));
	writer_uint(w, all);
	writer_array(w, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct person *p = people_at(c->state, (uint32_t)first + i);
		writer_array(w, 2);
		writer_uint(w, p->version);
		writer_bin(w, p->record, p->record_len); /* As bytes: a document may have 4,096 values. */
	}
}

/* [first slot]: a page of people. []: governance. By the leader alone: what it has applied is the newest there is. */
void people_receive(struct core *c, struct job *j)
{
	struct reader r;
	struct writer w;
	uint64_t first = 0;
	uint32_t n = 0;

	reader_init(&r, j->request.body, j->request.body_len);
	reader_array(&r, 1, &n);
	if (n == 1)
		reader_uint(&r, UINT32_MAX, &first);
	if (reader_end(&r) != 0) {
		job_error(j, r.err, NULL, NULL, 0);
		return;
	}
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX);
	if (n == 1)
		write_page(c, &w, first);
	else
		write_governance(c, &w);
	if (w.err != 0)
		job_error(j, w.err, NULL, NULL, 0);
	else
		job_reply(j, c->reply, w.len);
}
