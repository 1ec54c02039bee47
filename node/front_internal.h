/* The front's inside: its slots, each one request in flight. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRONT_INTERNAL_H
#define NODE_FRONT_INTERNAL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "node/front.h"
#include "node/front_session.h"
#include "node/pace.h"

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

/* Takes the next request, unless the front closes. was_out: the slot comes from SLOT_SEND; otherwise it is new. */
void slot_recv(struct slot *s, bool was_out);
/* Sends m, which is the slot's then. */
void slot_send(struct slot *s, nng_msg *m);
/* Sends REFUSE in m's place. */
void slot_refuse(struct slot *s, nng_msg *m, int err);
/* nng's callback of a slot's aio. */
void slot_callback(void *arg);

#endif
