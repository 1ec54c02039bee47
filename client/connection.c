/* One node: its nng socket, and the channel's session over it, made on demand and renewed before it ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <nng/nng.h>

#include <nng/protocol/reqrep0/req.h>
#include <nng/transport/tcp/tcp.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"

#define NS_PER_S           UINT64_C(1000000000)
#define RENEW_NS           (90 * NS_PER_S)  /* From here on a new session is made beside the old one's use. */
#define USE_NS_MAX         (115 * NS_PER_S) /* The node counts its 120 s from a little earlier than we do. */
#define RECONNECT_MIN_MS   10
#define RECONNECT_MAX_MS   500
#define REDIAL_NS          NS_PER_S /* Twice RECONNECT_MAX_MS: a dialer that lives has tried again by then. */
#define SP_HEADER_SIZE_MAX 64       /* nng counts its own header into a message's size. */

static void pipe_event(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct node *n = arg;

	(void)pipe;
	if (event != NNG_PIPE_EV_ADD_POST)
		atomic_store(&n->tried_ns, clock_mono_ns());
	atomic_fetch_add(&n->pipes, event == NNG_PIPE_EV_ADD_POST ? 1 : -1);
}

/*
 * Before each operation on a context: false once aios are being stopped. nng 1.5.2 drops an operation on a stopped aio
 * without calling back, and cs_close would wait for it for ever.
 */
static bool nng_enter(struct node *n)
{
	atomic_fetch_add(&n->inside, 1);
	if (!atomic_load(&n->client->stopped))
		return true;
	atomic_fetch_sub(&n->inside, 1);
	return false;
}

bool node_send(struct node *n, nng_ctx ctx, nng_aio *aio)
{
	if (!nng_enter(n))
		return false;
	nng_ctx_send(ctx, aio);
	atomic_fetch_sub(&n->inside, 1);
	return true;
}

bool node_recv(struct node *n, nng_ctx ctx, nng_aio *aio)
{
	if (!nng_enter(n))
		return false;
	nng_ctx_recv(ctx, aio);
	atomic_fetch_sub(&n->inside, 1);
	return true;
}

void node_await(struct node *n)
{
	while (atomic_load(&n->inside) > 0)
		sched_yield(); /* A few instructions from the end of a call. */
}

void session_release(struct session *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	channel_session_wipe(&s->channel);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- handshake --- */

/* Everyone who waits goes on, with the new session or with err. */
static void handshake_end(struct node *n, struct session *s, int err)
{
	channel_initiator_wipe(&n->initiator);
	pthread_mutex_lock(&n->lock);
	struct session *before = NULL;
	if (s != NULL) {
		before = n->session;
		n->session = s;
	}
	struct call *waiters = n->waiters;
	n->waiters = NULL;
	n->handshaking = false;
	pthread_mutex_unlock(&n->lock);
	session_release(before);
	while (waiters != NULL) {
		struct call *next = waiters->next;
		call_resume(waiters, err);
		waiters = next;
	}
}

/* ACCEPT, REFUSE or rubbish. */
static int handshake_reply(struct node *n, const uint8_t *frame, size_t len, struct session **ret)
{
	if (channel_frame_type(frame, len) == CHANNEL_REFUSE && len == 2)
		return -(int)frame[1] < 0 ? -(int)frame[1] : CS_ERR_MALFORMED;
	struct session *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return CS_ERR_NOMEM;
	int err = channel_finish(&n->initiator, frame, len, clock_mono_ns(), &s->channel);
	if (err < 0) {
		free(s);
		return err;
	}
	pthread_mutex_init(&s->lock, NULL);
	atomic_store(&s->refs, 1);
	*ret = s;
	return CS_OK;
}

static void handshake_callback(void *arg)
{
	struct node *n = arg;
	struct session *s = NULL;
	int rv = nng_aio_result(n->aio);

	if (rv != 0) {
		if (!n->sent)
			nng_msg_free(nng_aio_get_msg(n->aio));
		/* A node that cannot be reached in time and one that is not there are the same to us: nothing was
		 * asked. */
		handshake_end(n, NULL, CS_ERR_UNREACHABLE);
		return;
	}
	if (!n->sent) {
		n->sent = true;
		if (!node_recv(n, n->ctx, n->aio))
			handshake_end(n, NULL, CS_ERR_UNREACHABLE);
		return;
	}
	nng_msg *m = nng_aio_get_msg(n->aio);
	nng_aio_set_msg(n->aio, NULL);
	int err = handshake_reply(n, nng_msg_body(m), nng_msg_len(m), &s);
	nng_msg_free(m);
	handshake_end(n, s, err);
}

static uint64_t next_timestamp(cs_client *c)
{
	uint64_t now = clock_wall_ns(), last = atomic_load(&c->last_timestamp), next;

	do {
		next = now > last ? now : last + 1;
	} while (!atomic_compare_exchange_weak(&c->last_timestamp, &last, next));
	return next;
}

/* handshaking is set: nobody else touches these members. */
static void handshake_start(struct node *n)
{
	cs_client *c = n->client;
	uint8_t init[CHANNEL_INIT_SIZE], pub[CHANNEL_KEY_SIZE];
	nng_msg *m = NULL;

	n->sent = false;
	pthread_mutex_lock(&n->lock); /* The node may have got another one just now (follow.c). */
	memcpy(pub, n->channel_pub, sizeof(pub));
	pthread_mutex_unlock(&n->lock);
	int err = channel_initiate(&n->initiator, &c->channel, pub, CHANNEL_CLIENT, n->id, c->cluster.origin,
	                           next_timestamp(c), init);
	if (err == CS_OK && (nng_msg_alloc(&m, 0) != 0 || nng_msg_append(m, init, sizeof(init)) != 0))
		err = CS_ERR_NOMEM;
	if (err < 0) {
		nng_msg_free(m);
		handshake_end(n, NULL, err);
		return;
	}
	nng_aio_set_msg(n->aio, m);
	nng_aio_set_timeout(n->aio, (nng_duration)c->handshake_ms);
	if (!node_send(n, n->ctx, n->aio)) {
		nng_msg_free(m);
		handshake_end(n, NULL, CS_ERR_UNREACHABLE);
	}
}

struct session *node_session(struct node *n, struct call *call)
{
	struct session *s = NULL;
	bool start = false;

	pthread_mutex_lock(&n->lock);
	uint64_t now = clock_mono_ns();
	uint64_t age = n->session == NULL ? USE_NS_MAX : now - n->session->channel.born_ns;
	if (age < USE_NS_MAX) {
		s = n->session;
		atomic_fetch_add(&s->refs, 1);
	} else if (call != NULL) {
		call->next = n->waiters;
		n->waiters = call;
	}
	if (age >= RENEW_NS && !n->handshaking)
		start = n->handshaking = true;
	pthread_mutex_unlock(&n->lock);
	if (start)
		handshake_start(n);
	return s;
}

void node_session_drop(struct node *n, const struct session *s)
{
	struct session *dropped = NULL;

	pthread_mutex_lock(&n->lock);
	if (n->session == s) {
		dropped = n->session;
		n->session = NULL;
	}
	pthread_mutex_unlock(&n->lock);
	session_release(dropped);
}

/* --- open and close --- */

static int socket_options(nng_socket s)
{
	/* Never by itself: a request that is sent again without our knowing was carried out twice (research: nng REQ).
	 */
	int rv = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rv == 0)
		rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ,
		                         WIRE_REPLY_SIZE_MAX + CHANNEL_OVERHEAD + SP_HEADER_SIZE_MAX);
	if (rv == 0)
		rv = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
	if (rv == 0)
		rv = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
	return rv;
}

static int node_dial(struct node *n)
{
	nng_dialer d;

	atomic_store(&n->tried_ns, clock_mono_ns());
	int rv = nng_dialer_create(&d, n->socket, n->url);
	if (rv != 0)
		return rv;
	n->dialer = d;
	if (strncmp(n->url, "tcp", 3) == 0)
		rv = nng_dialer_set_bool(d, NNG_OPT_TCP_NODELAY, true);
	return rv != 0 ? rv : nng_dialer_start(d, NNG_FLAG_NONBLOCK);
}

/*
 * nng_dialer_close waits for nng's own threads, and this is called on them: one thread of the process at a time, or
 * with a few clients in one process every one of them waits here for another.
 */
static atomic_bool redialing;

void node_redial(struct node *n)
{
	bool before = false;

	if (clock_mono_ns() < atomic_load(&n->tried_ns) + REDIAL_NS ||
	    !atomic_compare_exchange_strong(&redialing, &before, true))
		return;
	if (atomic_load(&n->pipes) <= 0 && clock_mono_ns() >= atomic_load(&n->tried_ns) + REDIAL_NS) {
		nng_dialer_close(n->dialer);
		node_dial(n); /* If it fails, the next time comes. */
	}
	atomic_store(&redialing, false);
}

int node_open(struct node *n, cs_client *c)
{
	n->client = c;
	pthread_mutex_init(&n->lock, NULL);
	int rv = nng_aio_alloc(&n->aio, handshake_callback, n);
	if (rv == 0)
		rv = nng_req0_open(&n->socket);
	n->has_socket = rv == 0;
	if (rv == 0)
		rv = socket_options(n->socket);
	if (rv == 0)
		rv = nng_pipe_notify(n->socket, NNG_PIPE_EV_ADD_POST, pipe_event, n);
	if (rv == 0)
		rv = nng_pipe_notify(n->socket, NNG_PIPE_EV_REM_POST, pipe_event, n);
	if (rv == 0)
		rv = nng_ctx_open(&n->ctx, n->socket);
	n->has_context = rv == 0;
	for (unsigned i = 0; rv == 0 && i < LANES; i++)
		rv = lane_open(&n->lanes[i], n);
	if (rv == 0)
		rv = node_dial(n);
	if (rv != 0)
		node_free(n);
	return err_from_nng(rv);
}

void node_stop(struct node *n)
{
	if (n->aio != NULL)
		nng_aio_stop(n->aio);
	for (unsigned i = 0; i < LANES; i++)
		lane_stop(&n->lanes[i]);
}

void node_free(struct node *n)
{
	if (n->has_socket)
		nng_close(n->socket); /* Takes its contexts with it. */
	n->has_socket = false;
	for (unsigned i = 0; i < LANES; i++)
		lane_close(&n->lanes[i]);
	nng_aio_free(n->aio);
	n->aio = NULL;
	session_release(n->session);
	n->session = NULL;
	pthread_mutex_destroy(&n->lock);
}
