/* Natural batches: while a few messages are under way to a node, calls wait, and then go as one message of many. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <string.h>

#include "client/lane_internal.h"
#include "ledger/errors.h"

#define TICK_MS_MAX 100 /* A call whose time ends earlier than the others' waits no longer. */

/* --- time --- */

/* How long the timer is to sleep until a deadline. */
nng_duration lane_tick_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_mono_ns();
	uint64_t ms = deadline_ns <= now ? 1 : (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;

	return (nng_duration)(ms < TICK_MS_MAX ? ms : TICK_MS_MAX);
}

static void call_push(struct call **list, struct call *call)
{
	call->next = *list;
	*list = call;
}

/* Takes the calls whose time is over out of the lane; returns the next deadline, 0 for none. Caller holds the lock. */
static uint64_t take_expired(struct lane *l, struct call **ret)
{
	uint64_t now = clock_mono_ns(), next = UINT64_MAX;

	for (struct call **at = &l->first, *call; (call = *at) != NULL;) {
		if (call->deadline_ns <= now) {
			*at = call->next;
			call_push(ret, call);
			continue;
		}
		next = call->deadline_ns < next ? call->deadline_ns : next;
		at = &call->next;
	}
	for (l->last = &l->first; *l->last != NULL;)
		l->last = &(*l->last)->next;
	for (unsigned i = 0; i < LANE_FRAMES; i++)
		for (unsigned k = 0; k < l->frames[i].n; k++) {
			struct call *call = l->frames[i].calls[k];
			if (call != NULL && call->deadline_ns <= now) {
				l->frames[i].calls[k] = NULL;
				call->unknown = true;
				call_push(ret, call);
			} else if (call != NULL) {
				next = call->deadline_ns < next ? call->deadline_ns : next;
			}
		}
	return next == UINT64_MAX ? 0 : next;
}

static void timer_callback(void *arg)
{
	struct lane *l = arg;
	struct call *expired = NULL;

	pthread_mutex_lock(&l->lock);
	uint64_t next = take_expired(l, &expired);
	bool ticking = l->ticking = next != 0 && !atomic_load(&l->node->client->closing);
	pthread_mutex_unlock(&l->lock);
	while (expired != NULL) {
		struct call *call = expired;
		expired = call->next;
		attempt_again(call); /* Which finds no time left. */
	}
	if (ticking)
		nng_sleep_aio(lane_tick_ms(next), l->timer);
}

/* True: the caller starts the timer, once it has let go of the lock. */
bool lane_timer_wanted(struct lane *l)
{
	bool start = !l->ticking && !atomic_load(&l->node->client->closing);

	l->ticking = l->ticking || start;
	return start;
}

/* --- those that wait --- */

/* Up to a message of those that wait, in order. Caller holds the lock. */
static unsigned lane_take(struct lane *l, struct call *ret[WIRE_MANY_MAX])
{
	size_t size = MANY_ENVELOPE_SIZE;
	unsigned n = 0;

	while (n < WIRE_MANY_MAX && l->first != NULL) {
		struct call *call = l->first;
		size += BIN_HEAD_MAX + CALL_ENVELOPE_SIZE + call->request.body_len;
		if (n > 0 && (size > WIRE_REQUEST_SIZE_MAX || call->try_ms != ret[0]->try_ms))
			break;
		l->first = call->next;
		ret[n++] = call;
	}
	if (l->first == NULL)
		l->last = &l->first;
	return n;
}

/* One of the lane's messages is not under way any more: those that wait go in its place. */
static bool lane_next(struct lane *l, bool leave)
{
	for (;;) {
		struct call *calls[WIRE_MANY_MAX];
		struct frame *f = NULL;
		pthread_mutex_lock(&l->lock);
		unsigned n = lane_take(l, calls);
		for (unsigned i = 0; n > 1 && f == NULL; i++) {
			assert(i < LANE_FRAMES);
			f = l->frames[i].n == 0 ? &l->frames[i] : NULL;
		}
		if (f != NULL) { /* Taken; it has no calls that the timer could see before they are sent. */
			f->n = 1;
			f->calls[0] = NULL;
		}
		if (n == 0 && leave)
			l->under_way--;
		pthread_mutex_unlock(&l->lock);
		if (n == 0)
			return false;
		if (lane_send(l, f, calls, n))
			return true;
	}
}

bool lane_pass(struct lane *l)
{
	return lane_next(l, false);
}

void lane_leave(struct lane *l)
{
	lane_next(l, true);
}

void lane_fail(struct lane *l)
{
	pthread_mutex_lock(&l->lock);
	struct call *waiting = l->first;
	l->first = NULL;
	l->last = &l->first;
	l->under_way--;
	pthread_mutex_unlock(&l->lock);
	while (waiting != NULL) {
		struct call *call = waiting;
		waiting = call->next;
		attempt_lost(call, false, "it does not answer others");
	}
}

bool lane_enter(struct lane *l, struct call *call)
{
	bool start = false;

	pthread_mutex_lock(&l->lock);
	bool go = l->under_way < l->most;
	if (go) {
		call->lane = l;
		l->under_way++;
	} else {
		session_release(call->session);
		call->session = NULL;
		call->stage = CALL_LANE;
		call->next = NULL;
		*l->last = call;
		l->last = &call->next;
		start = lane_timer_wanted(l);
	}
	uint64_t deadline_ns = call->deadline_ns;
	pthread_mutex_unlock(&l->lock);
	if (start)
		nng_sleep_aio(lane_tick_ms(deadline_ns), l->timer);
	return go;
}

/* --- open and close --- */

int lane_open(struct lane *l, struct node *n)
{
	l->node = n;
	l->last = &l->first;
	l->most = n->client->ordered ? 1 : LANE_FRAMES;
	pthread_mutex_init(&l->lock, NULL);
	int rv = nng_aio_alloc(&l->timer, timer_callback, l);
	for (unsigned i = 0; rv == 0 && i < LANE_FRAMES; i++) {
		struct frame *f = &l->frames[i];
		f->lane = l;
		rv = nng_aio_alloc(&f->aio, lane_frame_callback, f);
		if (rv == 0)
			rv = nng_ctx_open(&f->ctx, n->socket);
	}
	return rv;
}

void lane_stop(struct lane *l)
{
	for (unsigned i = 0; i < LANE_FRAMES; i++)
		if (l->frames[i].aio != NULL)
			nng_aio_stop(l->frames[i].aio);
	if (l->timer != NULL)
		nng_aio_stop(l->timer);
}

void lane_close(struct lane *l)
{
	if (l->node == NULL)
		return;
	for (unsigned i = 0; i < LANE_FRAMES; i++) {
		nng_aio_free(l->frames[i].aio);
		l->frames[i].aio = NULL;
	}
	nng_aio_free(l->timer);
	l->timer = NULL;
	pthread_mutex_destroy(&l->lock);
	l->node = NULL;
}
