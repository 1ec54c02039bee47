/* One request's way through the front: received, opened, handed on as a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <nng/supplemental/util/platform.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/front_many.h"
#include "node/front_request.h"
#include "node/wire/limits.h"

#define SEND_TIMEOUT_MS 5000 /* A client that does not read must not keep a context for longer. */

static void count_change(struct front *f, int receiving, int out)
{
	pthread_mutex_lock(&f->lock);
	f->n_receiving += (unsigned)receiving;
	f->n_out += (unsigned)out;
	if (atomic_load(&f->closing))
		pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/*
 * Before each operation on a context: false once aios are being stopped. nng 1.5.2 drops an operation on a stopped aio
 * without calling back, and front_close would wait for it for ever.
 */
static bool nng_enter(struct front *f)
{
	atomic_fetch_add(&f->inside, 1);
	if (!atomic_load(&f->stopped))
		return true;
	atomic_fetch_sub(&f->inside, 1);
	return false;
}

void slot_recv(struct slot *s, bool was_out)
{
	struct front *f = s->front;

	s->stage = SLOT_RECV;
	if (s->counted)
		sessions_done(&f->sessions, s->hold.principal);
	s->counted = false;
	if (atomic_load(&f->closing)) {
		count_change(f, 0, was_out ? -1 : 0);
		return;
	}
	count_change(f, 1, was_out ? -1 : 0);
	nng_aio_set_timeout(s->aio, NNG_DURATION_INFINITE);
	if (!nng_enter(f)) {
		count_change(f, -1, 0);
		return;
	}
	nng_ctx_recv(s->ctx, s->aio);
	atomic_fetch_sub(&f->inside, 1);
}

void slot_send(struct slot *s, nng_msg *m)
{
	struct front *f = s->front;

	s->stage = SLOT_SEND;
	if (!nng_enter(f)) {
		nng_msg_free(m);
		count_change(f, 0, -1);
		return;
	}
	nng_aio_set_msg(s->aio, m);
	nng_aio_set_timeout(s->aio, SEND_TIMEOUT_MS);
	/* The slot may be another request's before nng_ctx_send returns. */
	nng_ctx_send(s->ctx, s->aio);
	atomic_fetch_sub(&f->inside, 1);
}

/* The REFUSE frame; it goes into the request's own message, so that it cannot fail for want of memory. */
void slot_refuse(struct slot *s, nng_msg *m, int err)
{
	const uint8_t frame[2] = {CHANNEL_REFUSE, (uint8_t)-err};

	nng_msg_clear(m);
	if (nng_msg_append(m, frame, sizeof(frame)) != 0) {
		nng_msg_free(m);
		slot_recv(s, true);
		return;
	}
	slot_send(s, m);
}

/* What tells one peer's address from another's: IPv4 address, IPv6 /64 (a host has a whole one), else the family. */
static size_t peer_address(nng_msg *m, uint8_t ret[8])
{
	nng_sockaddr sa;

	if (nng_pipe_get_addr(nng_msg_get_pipe(m), NNG_OPT_REMADDR, &sa) != 0)
		return 0;
	if (sa.s_family == NNG_AF_INET) {
		memcpy(ret, &sa.s_in.sa_addr, 4);
		return 4;
	}
	if (sa.s_family == NNG_AF_INET6) {
		memcpy(ret, &sa.s_in6.sa_addr, 8);
		return 8;
	}
	ret[0] = (uint8_t)sa.s_family;
	return 1;
}

static void slot_handshake(struct slot *s, nng_msg *m)
{
	struct front *f = s->front;
	uint8_t accept[CHANNEL_ACCEPT_SIZE], address[8];
	size_t address_len = peer_address(m, address);

	int err = sessions_handshake(&f->sessions, nng_msg_body(m), nng_msg_len(m), address, address_len,
	                             clock_mono_ns(), accept);
	if (err < 0) {
		atomic_fetch_add(err == CS_ERR_MALFORMED ? &f->malformed : &f->refused_handshakes, 1);
		slot_refuse(s, m, err);
		return;
	}
	atomic_fetch_add(&f->handshakes, 1);
	nng_msg_clear(m);
	if (nng_msg_append(m, accept, sizeof(accept)) != 0) {
		nng_msg_free(m);
		slot_recv(s, true);
		return;
	}
	slot_send(s, m);
}

/* Many requests in one message: each a job of its own, in order. The last reply to one of them sends the slot's. */
static void slot_submit_many(struct slot *s)
{
	struct front *f = s->front;
	struct many *m;

	int err = many_open(&s->job, &m);
	if (err < 0) {
		atomic_fetch_add(err == CS_ERR_TOO_LARGE ? &f->too_large : &f->malformed, 1);
		job_error(&s->job, err, "the body is not an array of 2 to 64 envelopes as bin", NULL, 0);
		return;
	}
	unsigned n = many_count(m);
	/* m is there until the last of them is answered, and so perhaps not after the last turn. */
	for (unsigned i = 0; i < n; i++) {
		const char *text;
		struct job *j = many_job(m, i, &err, &text);
		if (err < 0) {
			if (err == CS_ERR_MALFORMED)
				atomic_fetch_add(&f->malformed, 1);
			job_error(j, err, text, NULL, 0);
			continue;
		}
		atomic_fetch_add(&f->requests, 1);
		f->submit(f->submit_ctx, j);
	}
}

/* Its principal holds more contexts than are left for all others. One comes free when one of its own is answered. */
static void slot_refuse_crowded(struct slot *s)
{
	struct front *f = s->front;
	char text[128];

	pthread_mutex_lock(&f->lock);
	uint32_t retry_ms = pace_retry_ms(&f->pace, 1, 0, nng_random());
	pthread_mutex_unlock(&f->lock);
	atomic_fetch_add(&f->crowded, 1);
	snprintf(text, sizeof(text),
	         "overloaded: this principal has too many requests in flight: nothing was logged by this try; come "
	         "again in %" PRIu32 " ms",
	         retry_ms);
	job_error(&s->job, CS_ERR_OVERLOADED, text, NULL, retry_ms);
}

/* Opened: envelope and roles; then it is the holder's. */
static void slot_submit(struct slot *s, const uint8_t *plain, size_t len)
{
	struct front *f = s->front;
	struct job *j = &s->job;

	j->next = NULL;
	j->part = NULL;
	j->principal = s->hold.principal;
	j->roles = s->hold.roles;
	j->received_ns = clock_mono_ns();
	j->deadline_ns = j->received_ns;
	int err = wire_request_decode(&j->request, plain, len);
	if (err < 0) {
		memset(&j->request, 0, sizeof(j->request));
		atomic_fetch_add(err == CS_ERR_TOO_LARGE ? &f->too_large : &f->malformed, 1);
		job_error(j, err, request_fault(plain, len, j->request.id), NULL, 0);
		return;
	}
	j->deadline_ns += j->request.deadline_ms * NS_PER_MS;
	if (s->hold.crowded) {
		slot_refuse_crowded(s);
		return;
	}
	if (j->request.type == WIRE_MANY) {
		slot_submit_many(s);
		return;
	}
	const char *refusal = request_refusal(j->request.type, j->roles);
	if (refusal != NULL) {
		job_error(j, CS_ERR_NOT_PERMITTED, refusal, NULL, 0);
		return;
	}
	atomic_fetch_add(&f->requests, 1);
	f->submit(f->submit_ctx, j);
}

static void slot_data(struct slot *s, nng_msg *m)
{
	struct front *f = s->front;
	uint8_t *plain;
	size_t len;

	int err = sessions_open(&f->sessions, nng_msg_body(m), nng_msg_len(m), clock_mono_ns(), &s->hold, &plain, &len);
	if (err < 0) {
		atomic_fetch_add(err == CS_ERR_MALFORMED ? &f->malformed : &f->unauthenticated, 1);
		slot_refuse(s, m, err);
		return;
	}
	s->msg = m;
	s->counted = true;
	slot_submit(s, plain, len);
}

static void slot_frame(struct slot *s, nng_msg *m)
{
	struct front *f = s->front;

	if (atomic_load(&f->closing)) {
		slot_refuse(s, m, CS_ERR_NOT_READY);
		return;
	}
	switch (channel_frame_type(nng_msg_body(m), nng_msg_len(m))) {
	case CHANNEL_INIT:
		slot_handshake(s, m);
		break;
	case CHANNEL_DATA:
		slot_data(s, m);
		break;
	default:
		atomic_fetch_add(&f->malformed, 1);
		slot_refuse(s, m, CS_ERR_MALFORMED);
	}
}

void slot_callback(void *arg)
{
	struct slot *s = arg;
	int rv = nng_aio_result(s->aio);

	if (s->stage == SLOT_SEND) {
		/* Not sent: the client is gone or does not read. The message is ours again. */
		if (rv != 0)
			nng_msg_free(nng_aio_get_msg(s->aio));
		slot_recv(s, true);
		return;
	}
	assert(s->stage == SLOT_RECV);
	if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
		count_change(s->front, -1, 0);
		return;
	}
	if (rv != 0) { /* Out of memory for one message: the next may fit. */
		count_change(s->front, -1, 1);
		slot_recv(s, true);
		return;
	}
	s->stage = SLOT_OUT;
	count_change(s->front, -1, 1);
	nng_msg *m = nng_aio_get_msg(s->aio);
	nng_aio_set_msg(s->aio, NULL);
	slot_frame(s, m);
}
