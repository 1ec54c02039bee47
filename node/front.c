/* The front: nng contexts that take requests, hand them on as jobs, and send the replies. It opens and closes here. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_internal.h"

#include <assert.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/transport/tcp/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/front_sendmsg.h"
#include "node/wire/limits.h"

#define CONTEXTS_DEFAULT   512
#define CONTEXTS_MAX       65536
#define SP_HEADER_SIZE_MAX 64 /* nng counts its own header (4 bytes a hop, at most 15 hops) into a message. */

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

void front_set_keys(struct front *f, const struct channel_keys *keys)
{
	sessions_set_keys(&f->sessions, keys);
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
