/* Replies to jobs: sealed, sent, and put together where the request was one of many. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/front_many.h"
#include "node/wire/limits.h"

#define REPLY_HEAD_SIZE 21 /* Envelope before a successful reply's body: array, version, id, error. */

static bool waits_by_wish(unsigned type)
{
	return type == WIRE_ENTRIES || type == WIRE_PROVE || type == WIRE_HISTORY_PAGE || type == WIRE_SEARCH;
}

/* Gives the job back: m has the reply's plain bytes behind the frame's header and room for the tag, or is NULL. */
static void job_finish(struct job *j, nng_msg *m, size_t plain_len, unsigned n_replies)
{
	struct slot *s = (struct slot *)j;
	struct front *f = s->front;
	nng_msg *request = s->msg;

	assert(s->stage == SLOT_OUT && request != NULL);
	int err = m == NULL ? CS_ERR_NOMEM : sessions_seal(&f->sessions, &s->hold, plain_len, nng_msg_body(m));
	sessions_release(&f->sessions, &s->hold);
	if (!s->hold.crowded && !waits_by_wish(j->request.type)) {
		pthread_mutex_lock(&f->lock);
		pace_served(&f->pace, clock_mono_ns() - j->received_ns, 1);
		pthread_mutex_unlock(&f->lock);
	}
	s->msg = NULL;
	if (err < 0) {
		nng_msg_free(m);
		slot_refuse(s, request, err);
		return;
	}
	nng_msg_free(request);
	atomic_fetch_add(&f->replies, n_replies);
	slot_send(s, m);
}

static void many_finish(struct many *m, struct job *whole)
{
	struct wire_reply r = {.err = CS_OK};
	size_t size = many_reply_size(m), head = 0, len = 0;
	nng_msg *msg = NULL;
	struct writer w;

	if (size > 0 && nng_msg_alloc(&msg, size + CHANNEL_OVERHEAD) == 0) {
		uint8_t *plain = (uint8_t *)nng_msg_body(msg) + CHANNEL_DATA_HEADER_SIZE;
		memcpy(r.id, whole->request.id, sizeof(r.id));
		int err = wire_reply_encode(&r, plain, size, &head);
		writer_init(&w, plain + head, size - head);
		many_reply_write(m, &w);
		err = err < 0 ? err : writer_end(&w, &len);
		assert(err == CS_OK);
		nng_msg_chop(msg, size - head - len);
	}
	unsigned n = many_count(m);
	many_free(m);
	job_finish(whole, msg, head + len, n);
}

static void part_finish(struct job *j, const struct wire_reply *r)
{
	struct job *whole = many_whole(j);
	struct many *m = many_keep(j, r);

	if (m != NULL)
		many_finish(m, whole);
}

static void facts_forget(struct job *j)
{
	free(j->facts);
	j->facts = NULL;
	j->facts_len = 0;
}

void job_reply(struct job *j, const void *body, size_t len)
{
	struct wire_reply r;
	size_t plain_len;
	nng_msg *m;

	if (len > WIRE_REPLY_SIZE_MAX - REPLY_HEAD_SIZE) {
		job_error(j, CS_ERR_TOO_LARGE, "the reply is over 1 MiB", NULL, 0);
		return;
	}
	if (j->part != NULL && !many_room(j, len)) {
		job_error(j, CS_ERR_TOO_LARGE, "the replies together are over 1 MiB: ask for this one alone", NULL, 0);
		return;
	}
	facts_forget(j);
	memcpy(r.id, j->request.id, sizeof(r.id));
	r.err = CS_OK;
	r.body = body;
	r.body_len = len;
	if (j->part != NULL) {
		part_finish(j, &r);
		return;
	}
	if (nng_msg_alloc(&m, REPLY_HEAD_SIZE + len + CHANNEL_OVERHEAD) != 0) {
		job_finish(j, NULL, 0, 1);
		return;
	}
	int err = wire_reply_encode(&r, (uint8_t *)nng_msg_body(m) + CHANNEL_DATA_HEADER_SIZE, REPLY_HEAD_SIZE + len,
	                            &plain_len);
	assert(err == CS_OK && plain_len == REPLY_HEAD_SIZE + len);
	job_finish(j, m, plain_len, 1);
}

void job_error(struct job *j, int err, const char *text, const char *leader_url, uint32_t retry_ms)
{
	struct wire_reply r;
	uint8_t plain[ERROR_REPLY_SIZE_MAX];
	size_t len;
	nng_msg *m;

	assert(err < 0);
	facts_forget(j);
	memset(&r, 0, sizeof(r));
	memcpy(r.id, j->request.id, sizeof(r.id));
	r.err = err;
	r.retry_ms = retry_ms;
	snprintf(r.text, sizeof(r.text), "%s", text == NULL ? err_text(err) : text);
	snprintf(r.leader_url, sizeof(r.leader_url), "%s", leader_url == NULL ? "" : leader_url);
	if (wire_reply_encode(&r, plain, sizeof(plain), &len) < 0) {
		/* A text cut within a character is not UTF-8: the code says enough. */
		snprintf(r.text, sizeof(r.text), "%s", err_text(err));
		r.leader_url[0] = '\0';
		int again = wire_reply_encode(&r, plain, sizeof(plain), &len);
		assert(again == CS_OK);
	}
	if (j->part != NULL) {
		part_finish(j, &r);
		return;
	}
	if (nng_msg_alloc(&m, len + CHANNEL_OVERHEAD) != 0)
		m = NULL;
	else
		memcpy((uint8_t *)nng_msg_body(m) + CHANNEL_DATA_HEADER_SIZE, plain, len);
	job_finish(j, m, len, 1);
}
