/* A lane's messages of many: put together, sent, and their answers given to each call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "client/lane_internal.h"
#include "ledger/errors.h"

/* --- sending --- */

/* The frame's message, sealed; its session is held in the frame. */
static int frame_message(struct frame *f, struct call **calls, unsigned n, nng_msg **ret)
{
	struct wire_request r[WIRE_MANY_MAX];
	size_t size = MANY_ENVELOPE_SIZE, len;
	uint32_t deadline_ms = 0;
	struct writer w;
	nng_msg *m;

	for (unsigned i = 0; i < n; i++) {
		r[i] = attempt_request(calls[i]);
		size += BIN_HEAD_MAX + CALL_ENVELOPE_SIZE + r[i].body_len;
		deadline_ms = r[i].deadline_ms > deadline_ms ? r[i].deadline_ms : deadline_ms;
	}
	if (nng_msg_alloc(&m, CHANNEL_OVERHEAD + size) != 0)
		return CS_ERR_NOMEM;
	uint8_t *frame = nng_msg_body(m);
	wire_request_id(f->id, clock_wall_ns() / NS_PER_MS);
	writer_init(&w, frame + CHANNEL_DATA_HEADER_SIZE, size);
	wire_many_begin(&w, f->id, deadline_ms, n);
	for (unsigned i = 0; i < n; i++)
		wire_many_add(&w, &r[i]);
	int err = writer_end(&w, &len);
	assert(err == CS_OK && len <= WIRE_REQUEST_SIZE_MAX);
	nng_msg_chop(m, size - len);
	pthread_mutex_lock(&f->session->lock);
	err = channel_seal(&f->session->channel, NULL, frame + CHANNEL_DATA_HEADER_SIZE, len, frame);
	pthread_mutex_unlock(&f->session->lock);
	if (err < 0) {
		nng_msg_free(m);
		return err;
	}
	memcpy(f->header, frame, sizeof(f->header));
	*ret = m;
	return CS_OK;
}

/* Publishes the calls and sends them. The calls' patience with a node is the same (lane_take). As node_send. */
static bool frame_send(struct frame *f, struct call **calls, unsigned n, nng_msg *m)
{
	struct lane *l = f->lane;
	uint64_t try_ms = calls[0]->try_ms, left_ms = 0, deadline_ns = calls[0]->deadline_ns;

	for (unsigned i = 0; i < n; i++) {
		uint64_t left = attempt_ms_left(calls[i]);
		left_ms = left > left_ms ? left : left_ms;
	}
	f->sent = false;
	nng_aio_set_msg(f->aio, m);
	nng_aio_set_timeout(f->aio, (nng_duration)(left_ms < try_ms ? left_ms : try_ms));
	pthread_mutex_lock(&l->lock);
	memcpy(f->calls, calls, n * sizeof(f->calls[0]));
	f->n = n;
	bool start = lane_timer_wanted(l);
	pthread_mutex_unlock(&l->lock);
	if (start)
		nng_sleep_aio(lane_tick_ms(deadline_ns), l->timer);
	return node_send(l->node, f->ctx, f->aio);
}

/* What was under way, taken out of its frame, which is free then. */
struct lane_answer {
	struct session *session;
	uint8_t header[CHANNEL_DATA_HEADER_SIZE];
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	unsigned n;
	struct call *calls[WIRE_MANY_MAX]; /* NULL: its time was over. */
};

static void frame_take(struct frame *f, struct lane_answer *ret)
{
	ret->session = f->session;
	f->session = NULL;
	memcpy(ret->header, f->header, sizeof(ret->header));
	memcpy(ret->id, f->id, sizeof(ret->id));
	pthread_mutex_lock(&f->lane->lock);
	ret->n = f->n;
	memcpy(ret->calls, f->calls, f->n * sizeof(f->calls[0]));
	f->n = 0;
	pthread_mutex_unlock(&f->lane->lock);
}

static void answer_lost(struct lane_answer *a, bool sent, const char *text)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->calls[i] != NULL)
			attempt_lost(a->calls[i], sent, text);
}

/* False: nothing was sent, and the calls are others' by now. */
bool lane_send(struct lane *l, struct frame *f, struct call **calls, unsigned n)
{
	struct session *s = atomic_load(&l->node->client->closing) ? NULL : node_session(l->node, NULL);
	struct lane_answer unsent;
	nng_msg *m = NULL;
	int err = CS_OK;

	if (s != NULL && n == 1) {
		calls[0]->session = s;
		calls[0]->lane = l;
		attempt_send(calls[0]);
		return true;
	}
	if (s != NULL) {
		f->session = s;
		err = frame_message(f, calls, n, &m);
	}
	if (m != NULL && frame_send(f, calls, n, m))
		return true;
	if (m != NULL) { /* The client closes; the timer may have ended some of them. */
		nng_aio_set_msg(f->aio, NULL);
		nng_msg_free(m);
		frame_take(f, &unsent);
		answer_lost(&unsent, false, "the client is being closed");
		session_release(unsent.session);
		return false;
	}
	if (err == CS_ERR_EXPIRED) /* The session's last number is used up. */
		node_session_drop(l->node, s);
	session_release(s);
	if (f != NULL) {
		f->session = NULL;
		pthread_mutex_lock(&l->lock);
		f->n = 0;
		pthread_mutex_unlock(&l->lock);
	}
	for (unsigned i = 0; i < n; i++)
		if (err == CS_ERR_NOMEM)
			attempt_lost(calls[i], false, err_text(err));
		else
			attempt_again(calls[i]); /* Waits for a session, or finds that the client closes. */
	return false;
}

/* --- their answers --- */

/* Opens a reply in place, and takes it apart. ret_whole->err < 0: one error for all. */
static int answer_open(struct lane_answer *a, nng_msg *m, struct wire_reply *ret_whole, struct wire_part *ret_parts)
{
	uint8_t *plain;
	size_t len;
	unsigned n = 0;

	pthread_mutex_lock(&a->session->lock);
	int err = channel_open(&a->session->channel, a->header, nng_msg_body(m), nng_msg_len(m), &plain, &len);
	pthread_mutex_unlock(&a->session->lock);
	if (err == CS_OK)
		err = wire_reply_decode(ret_whole, plain, len);
	if (err < 0 || ret_whole->err < 0)
		return err;
	if (memcmp(ret_whole->id, a->id, sizeof(a->id)) != 0)
		return CS_ERR_MALFORMED;
	err = wire_many_decode(ret_parts, &n, ret_whole->body, ret_whole->body_len);
	return err < 0 ? err : n != a->n ? CS_ERR_MALFORMED : CS_OK;
}

static void answer_each(struct lane_answer *a, nng_msg *m)
{
	struct wire_part parts[WIRE_MANY_MAX];
	struct wire_reply whole = {0}, reply;

	int err_all = answer_open(a, m, &whole, parts);
	for (unsigned i = 0; i < a->n; i++) {
		struct call *call = a->calls[i];
		int err = err_all;
		if (call == NULL)
			continue;
		if (err == CS_OK && whole.err < 0)
			reply = whole;
		else if (err == CS_OK)
			err = wire_reply_decode(&reply, parts[i].bytes, parts[i].len);
		if (err == CS_OK && reply.err == 0 && memcmp(reply.id, call->request.id, sizeof(reply.id)) != 0)
			err = CS_ERR_MALFORMED;
		attempt_answered(call, err, &reply, NULL);
	}
}

static void answer_refused(struct lane_answer *a, int err)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->calls[i] != NULL)
			attempt_refused(a->calls[i], err);
}

void lane_frame_callback(void *arg)
{
	struct frame *f = arg;
	struct lane *l = f->lane;
	struct lane_answer a;
	int rv = nng_aio_result(f->aio);
	bool sent = f->sent;

	if (rv == 0 && !sent) {
		f->sent = sent = true;
		if (node_recv(l->node, f->ctx, f->aio))
			return;
		rv = NNG_ECLOSED;
	}
	nng_msg *m = nng_aio_get_msg(f->aio);
	nng_aio_set_msg(f->aio, NULL);
	frame_take(f, &a);
	if (rv != 0) {
		if (!sent)
			nng_msg_free(m);
		lane_fail(l);
		answer_lost(&a, sent,
		            !sent                 ? "could not send"
		            : rv == NNG_ETIMEDOUT ? "no answer"
		                                  : "the connection broke off");
		session_release(a.session);
		return;
	}
	const uint8_t *frame = nng_msg_body(m);
	bool refused = channel_frame_type(frame, nng_msg_len(m)) == CHANNEL_REFUSE && nng_msg_len(m) == 2;
	if (refused)
		node_session_drop(l->node, a.session);
	bool passed = lane_pass(l);
	if (refused)
		answer_refused(&a, frame[1] == 0 ? CS_ERR_MALFORMED : -(int)frame[1]);
	else
		answer_each(&a, m);
	nng_msg_free(m);
	session_release(a.session);
	if (!passed)
		lane_leave(l);
}
