/* A call: one question until its one answer; the pool of calls, beginning, end, and waiting for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"

#define OWN_BODY_SIZE PROVE_BODY_MAX /* The largest that the follower asks. */

/* --- the pool --- */

static struct call *call_make(void)
{
	struct call *call = calloc(1, sizeof(*call));

	if (call == NULL)
		return NULL;
	if (nng_aio_alloc(&call->aio, attempt_callback, call) != 0 ||
	    nng_aio_alloc(&call->nap, attempt_nap_callback, call) != 0) {
		call_free(call);
		return NULL;
	}
	return call;
}

/* Caller holds the lock. */
static void pool_put(cs_client *c, struct call *call)
{
	call->stage = CALL_FREE;
	if (call->own)
		return;
	call->next = c->free_calls;
	c->free_calls = call;
}

static int call_prepare(cs_client *c, struct call *call, unsigned type, size_t body_cap, struct call **ret)
{
	call->client = c;
	if (call->body_cap < body_cap) {
		uint8_t *body = realloc(call->body, body_cap);
		if (body == NULL) {
			call_drop(call);
			return CS_ERR_NOMEM;
		}
		call->body = body;
		call->body_cap = body_cap;
	}
	call->request = (struct wire_request){.type = type};
	wire_request_id(call->request.id, clock_wall_ns() / NS_PER_MS);
	call->pinned = -1;
	call->anywhere = false;
	call->wait_ms = 0;
	call->timeout_ms = c->timeout_ms;
	*ret = call;
	return CS_OK;
}

int call_new(cs_client *c, unsigned type, size_t body_cap, struct call **ret)
{
	pthread_mutex_lock(&c->lock);
	if (atomic_load(&c->closing)) {
		pthread_mutex_unlock(&c->lock);
		last_error_set("%s: the client is being closed", wire_type_text(type));
		return CS_ERR_UNREACHABLE;
	}
	struct call *call = c->free_calls;
	if (call != NULL)
		c->free_calls = call->next;
	else if (c->n_calls < c->in_flight_max && (call = call_make()) != NULL)
		c->calls[c->n_calls++] = call;
	bool full = call == NULL && c->n_calls == c->in_flight_max;
	if (call != NULL)
		c->n_out++;
	pthread_mutex_unlock(&c->lock);
	if (full) {
		last_error_set("%s: %u calls are out already", wire_type_text(type), c->in_flight_max);
		return CS_ERR_OVERLOADED;
	}
	if (call == NULL)
		return CS_ERR_NOMEM;
	return call_prepare(c, call, type, body_cap, ret);
}

int call_new_own(cs_client *c, unsigned type, struct call **ret)
{
	struct call *call;

	pthread_mutex_lock(&c->lock);
	if (c->follow.call == NULL && !atomic_load(&c->closing))
		c->follow.call = call_make();
	call = atomic_load(&c->closing) ? NULL : c->follow.call;
	if (call != NULL)
		c->n_out++;
	pthread_mutex_unlock(&c->lock);
	if (call == NULL)
		return CS_ERR_UNREACHABLE;
	call->own = true;
	return call_prepare(c, call, type, OWN_BODY_SIZE, ret);
}

void call_drop(struct call *call)
{
	cs_client *c = call->client;

	pthread_mutex_lock(&c->lock);
	pool_put(c, call);
	c->n_out--;
	if (atomic_load(&c->closing))
		pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void call_free(struct call *call)
{
	nng_aio_free(call->aio); /* Waits for a callback that is just ending. */
	nng_aio_free(call->nap);
	free(call->body);
	free(call);
}

/* --- the end --- */

void call_end(struct call *call, int code, const struct wire_reply *reply, nng_msg *msg)
{
	char text[TEXT_SIZE] = "";
	void *result = NULL;

	session_release(call->session);
	call->session = NULL;
	if (code < 0)
		snprintf(text, sizeof(text), "%s", call->text);
	else
		code = call->convert(call, reply, msg, &result, text);
	if (code < 0)
		last_error_set("%s: %s", wire_type_text(call->request.type), text[0] != '\0' ? text : err_text(code));
	/* The user's callback may ask again or take long: the call is done with before, but cs_close waits for both. */
	call_deliver deliver = call->deliver;
	call_user user = call->user;
	void *user_ctx = call->user_ctx;
	cs_client *c = call->client;
	pthread_mutex_lock(&c->lock);
	pool_put(c, call);
	pthread_mutex_unlock(&c->lock);
	deliver(user, user_ctx, code, result);
	pthread_mutex_lock(&c->lock);
	c->n_out--;
	if (atomic_load(&c->closing))
		pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* --- the beginning --- */

void call_start(struct call *call, size_t body_len, call_convert convert, call_deliver deliver, call_user user,
                void *ctx)
{
	cs_client *c = call->client;

	call->request.body = call->body;
	call->request.body_len = body_len;
	call->convert = convert;
	call->deliver = deliver;
	call->user = user;
	call->user_ctx = ctx;
	call->deadline_ns = clock_mono_ns() + ((uint64_t)call->timeout_ms + call->wait_ms) * NS_PER_MS;
	call->node = call->pinned >= 0 ? (unsigned)call->pinned : atomic_load(call->anywhere ? &c->nearby : &c->leader);
	call->tries = call->refused = call->strange = 0;
	call->silent_until_ns = 0;
	call->ask_leader = call->unknown = call->alone = false;
	call->lane = NULL;
	call->last_err = 0;
	call->text[0] = '\0';
	call->session = NULL;
	if (!call->own)
		follow_maybe(c);
	attempt_first(call);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	int code;
	void *result;
	char text[TEXT_SIZE];
};

static void wait_deliver(call_user user, void *user_ctx, int code, void *result)
{
	struct waiter *w = user_ctx;

	(void)user;
	pthread_mutex_lock(&w->lock);
	w->done = true;
	w->code = code;
	w->result = result;
	if (code < 0)
		snprintf(w->text, sizeof(w->text), "%s", cs_last_error());
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

int call_wait(struct call *call, size_t body_len, call_convert convert, void **ret_result)
{
	struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

	call_start(call, body_len, convert, wait_deliver, NULL, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.changed);
	pthread_mutex_destroy(&w.lock);
	if (w.code < 0)
		last_error_set("%s", w.text);
	else
		*ret_result = w.result;
	return w.code;
}
