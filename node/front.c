/* The front: nng contexts that take requests, hand them on as jobs, and send the replies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front.h"

#include <assert.h>
#include <inttypes.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/util/platform.h>
#include <nng/transport/tcp/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/errors.h"
#include "node/front_many.h"
#include "node/front_request.h"
#include "node/front_sendmsg.h"
#include "node/front_session.h"
#include "node/pace.h"
#include "node/wire/limits.h"

#define CONTEXTS_DEFAULT   512
#define CONTEXTS_MAX       65536
#define SEND_TIMEOUT_MS    5000 /* A client that does not read must not keep a context for longer. */
#define SP_HEADER_SIZE_MAX 64   /* nng counts its own header (4 bytes a hop, at most 15 hops) into a message. */
#define REPLY_HEAD_SIZE    21   /* Envelope before a successful reply's body: array, version, id, error. */

enum slot_stage { SLOT_RECV, SLOT_OUT, SLOT_SEND };

/* One request in flight: everything that it needs but its message. Owned by nng's callback, or by the job's holder. */
struct slot {
	struct job job; /* First: a job without a part is its slot. */
	struct front *front;
	enum slot_stage stage;
	nng_ctx ctx;
	nng_aio *aio;
	nng_msg *msg; /* The request, opened in place; job.request.body points into it. */
	struct session_hold hold;
	bool counted; /* As its principal's, until the reply is sent: a client that does not read has no more than its
	                 share. */
};

struct front {
	void (*submit)(void *ctx, struct job *j);
	void *submit_ctx;
	nng_socket socket;
	bool has_socket;
	nng_listener listeners[FRONT_URLS_MAX];
	unsigned n_listeners;
	struct sessions sessions;
	unsigned n_slots, n_made;
	struct slot *slots;
	atomic_bool closing; /* No request is taken any more. */
	atomic_bool stopped; /* No operation is begun any more. */
	atomic_uint inside;  /* Threads within nng_ctx_send or nng_ctx_recv. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_receiving, n_out; /* Slots by stage; SLOT_SEND counts as out. */
	struct pace pace;            /* How long a request stays that does not wait by its own wish. */
	atomic_uint_fast64_t requests, replies, handshakes, refused_handshakes, malformed, too_large, unauthenticated;
	atomic_uint_fast64_t crowded;
};

/* Stopped, and perhaps never closed: reachable for whoever looks for leaks at the end, so the compiler must keep it. */
static struct front *volatile at_rest;

static int err_from_nng(int rv)
{
	switch (rv) {
	case 0:
		return CS_OK;
	case NNG_ENOMEM:
		return CS_ERR_NOMEM;
	case NNG_EADDRINUSE:
		return CS_ERR_EXISTS;
	case NNG_EADDRINVAL:
	case NNG_EINVAL:
	case NNG_ENOTSUP:
		return CS_ERR_INVALID;
	case NNG_EPERM:
		return CS_ERR_NOT_PERMITTED;
	default:
		return CS_ERR_IO;
	}
}

/* --- one request's way --- */

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

/* Takes the next request, unless the front closes. The slot comes from SLOT_SEND (out) or is new. */
static void slot_recv(struct slot *s, bool was_out)
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

static void slot_send(struct slot *s, nng_msg *m)
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
static void slot_refuse(struct slot *s, nng_msg *m, int err)
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

static bool waits_by_wish(unsigned type)
{
	return type == WIRE_ENTRIES || type == WIRE_PROVE;
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

static void slot_callback(void *arg)
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

/* --- the holder's side --- */

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

/* --- open and close --- */

static int listen_on(struct front *f, const char *url)
{
	nng_listener l;
	int rv = nng_listener_create(&l, f->socket, url);

	if (rv != 0)
		return err_from_nng(rv);
	rv = nng_listener_set_size(l, NNG_OPT_RECVMAXSZ, WIRE_REQUEST_SIZE_MAX + CHANNEL_OVERHEAD + SP_HEADER_SIZE_MAX);
	if (rv == 0 && strncmp(url, "tcp", 3) == 0)
		rv = nng_listener_set_bool(l, NNG_OPT_TCP_NODELAY, true);
	if (rv == 0)
		rv = nng_listener_start(l, 0);
	if (rv != 0)
		nng_listener_close(l);
	else
		f->listeners[f->n_listeners++] = l;
	return err_from_nng(rv);
}

static int slots_make(struct front *f)
{
	for (; f->n_made < f->n_slots; f->n_made++) {
		struct slot *s = &f->slots[f->n_made];
		s->front = f;
		int rv = nng_aio_alloc(&s->aio, slot_callback, s);
		if (rv == 0 && (rv = nng_ctx_open(&s->ctx, f->socket)) != 0)
			nng_aio_free(s->aio);
		if (rv != 0)
			return err_from_nng(rv);
	}
	return CS_OK;
}

int front_open(const struct front_options *o, struct front **ret)
{
	if (o->contexts > CONTEXTS_MAX || o->submit == NULL || o->origin == NULL)
		return CS_ERR_INVALID;
	assert(front_sendmsg_works());
	struct front *f = calloc(1, sizeof(*f));
	if (f == NULL)
		return CS_ERR_NOMEM;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->submit = o->submit;
	f->submit_ctx = o->ctx;
	f->n_slots = o->contexts == 0 ? CONTEXTS_DEFAULT : o->contexts;
	f->slots = calloc(f->n_slots, sizeof(*f->slots));
	int err = f->slots == NULL ? CS_ERR_NOMEM : sessions_init(&f->sessions, o, f->n_slots);
	if (err == CS_OK)
		err = err_from_nng(nng_rep0_open(&f->socket));
	f->has_socket = err == CS_OK;
	if (err == CS_OK)
		err = err_from_nng(nng_socket_set_size(f->socket, NNG_OPT_RECVMAXSZ,
		                                       WIRE_REQUEST_SIZE_MAX + CHANNEL_OVERHEAD + SP_HEADER_SIZE_MAX));
	if (err == CS_OK)
		err = slots_make(f);
	for (unsigned i = 0; err == CS_OK && i < f->n_made; i++)
		slot_recv(&f->slots[i], false);
	for (unsigned i = 0; err == CS_OK && i < FRONT_URLS_MAX && o->urls[i] != NULL; i++)
		err = listen_on(f, o->urls[i]);
	if (err < 0) {
		front_close(f);
		return err;
	}
	*ret = f;
	return CS_OK;
}

void front_stop(struct front *f)
{
	/*
	 * In this order: whoever still asks is told to go elsewhere; what is out is answered; then no operation is left
	 * on any context, and no thread in nng; then the listeners go, and their pipes: before, replies would be cut
	 * off. nng 1.5.2 uses a socket's memory after nng_close when a thread is just then leaving nng_ctx_send (whose
	 * callback can run before that). A stopped aio refuses whatever comes after.
	 */
	atomic_store(&f->closing, true);
	pthread_mutex_lock(&f->lock);
	while (f->n_out > 0)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
	atomic_store(&f->stopped, true);
	while (atomic_load(&f->inside) > 0)
		sched_yield(); /* A few instructions from the end of a call. */
	for (unsigned i = 0; i < f->n_made; i++)
		nng_aio_stop(f->slots[i].aio);
	pthread_mutex_lock(&f->lock);
	while (f->n_receiving > 0 || f->n_out > 0)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
	for (unsigned i = 0; i < f->n_listeners; i++)
		nng_listener_close(f->listeners[i]);
	f->n_listeners = 0;
	at_rest = f;
	sessions_free(&f->sessions); /* Keys are wiped, whatever comes. */
}

void front_close(struct front *f)
{
	if (f == NULL)
		return;
	front_stop(f);
	at_rest = NULL;
	if (f->has_socket)
		nng_close(f->socket);
	for (unsigned i = 0; i < f->n_made; i++)
		nng_aio_free(f->slots[i].aio);
	free(f->slots);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void front_set_authoritative(struct front *f, bool authoritative)
{
	sessions_set_authoritative(&f->sessions, authoritative);
}

int front_set_principals(struct front *f, const struct front_principal *p, unsigned n)
{
	return sessions_set_principals(&f->sessions, p, n);
}

void front_stats(const struct front *f, struct front_stats *ret)
{
	ret->requests = atomic_load(&f->requests);
	ret->replies = atomic_load(&f->replies);
	ret->handshakes = atomic_load(&f->handshakes);
	ret->sessions = sessions_count((struct sessions *)&f->sessions);
	ret->refused_handshakes = atomic_load(&f->refused_handshakes);
	ret->malformed = atomic_load(&f->malformed);
	ret->too_large = atomic_load(&f->too_large);
	ret->unauthenticated = atomic_load(&f->unauthenticated);
	ret->crowded = atomic_load(&f->crowded);
}
