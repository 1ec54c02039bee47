/* A call's attempts: one node after another is asked, under one request id, until one answers or no time is left. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/attempt_internal.h"
#include "ledger/errors.h"

#define TRY_MS_MAX     8000
#define HELD_TRY_MS    (WIRE_HELD_MS + 250)
#define BACKOFF_MS_MIN 2
#define BACKOFF_MS_MAX 100
#define BACKOFF_PART   16  /* A pause is this part of the time waited so far: so little longer does it take for all. */
#define SLEEP_SLICE_MS 100 /* cs_close waits no longer for a call that sleeps. */

/* Of what only reads no outcome can be unknown. */
bool call_changes(const struct call *call)
{
	unsigned type = call->request.type;

	return (type >= WIRE_DECIDE && type <= WIRE_POLICY_SET) || (type >= WIRE_APPROVAL && type <= WIRE_OUTSIDE);
}

/* An answer with private fields waits at the node until the ledger says who reads them. */
static bool call_held(const struct call *call)
{
	unsigned type = call->request.type;

	return type == WIRE_ENTRIES || type == WIRE_PROVE || type == WIRE_SEARCH || type == WIRE_HISTORY_PAGE;
}

/* No time is left, or the client closes. */
static void call_expire(struct call *call)
{
	char why[TEXT_SIZE];

	if (atomic_load(&call->client->closing)) {
		snprintf(call->text, sizeof(call->text), "the client was closed");
		call_end(call, CS_ERR_TIMEOUT, NULL, NULL);
		return;
	}
	bool unknown = call->unknown && call_changes(call);
	int err = unknown || call->last_err == 0 ? CS_ERR_TIMEOUT : call->last_err;
	snprintf(why, sizeof(why), "%s", call->text);
	if (unknown)
		snprintf(call->text, sizeof(call->text), "no answer in time, the outcome is unknown; last: %.400s",
		         why);
	else if (call->last_err == 0)
		snprintf(call->text, sizeof(call->text), "no answer in time");
	call_end(call, err, NULL, NULL);
}

/* --- between tries --- */

void call_text(struct call *call, const char *text)
{
	const struct node *n = &call->client->nodes[call->node];

	snprintf(call->text, sizeof(call->text), "node %llu at %s: %s", (unsigned long long)n->id, n->url, text);
}

uint64_t attempt_ms_left(const struct call *call)
{
	uint64_t now = clock_mono_ns();

	return now >= call->deadline_ns ? 0 : (call->deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
}

/* Sleeps in slices until sleep_until_ns, then tries. */
void call_sleep(struct call *call)
{
	uint64_t now = clock_mono_ns(), until = call->sleep_until_ns;

	if (until > call->deadline_ns)
		until = call->deadline_ns;
	if (until <= now || atomic_load(&call->client->closing)) {
		call_try(call);
		return;
	}
	uint64_t ms = (until - now + NS_PER_MS - 1) / NS_PER_MS;
	call->stage = CALL_SLEEP;
	nng_sleep_aio((nng_duration)(ms < SLEEP_SLICE_MS ? ms : SLEEP_SLICE_MS), call->nap);
}

void call_backoff(struct call *call)
{
	uint64_t now = clock_mono_ns(), ms = (now - call->began_ns) / NS_PER_MS / BACKOFF_PART;

	ms = ms < BACKOFF_MS_MIN ? BACKOFF_MS_MIN : ms > BACKOFF_MS_MAX ? BACKOFF_MS_MAX : ms;
	call->sleep_until_ns = now + ms * NS_PER_MS;
	call->tries = 0;
	call_sleep(call);
}

/* It did not answer this call a moment ago: nobody's word sends us back to it yet. */
bool call_silent(const struct call *call, unsigned node)
{
	return node == call->silent && clock_mono_ns() < call->silent_until_ns;
}

/* On to the next node; after all of them, a pause. */
void call_next(struct call *call)
{
	unsigned n = atomic_load(&call->client->n_nodes);

	if (call->pinned < 0) {
		call->node = (call->node + 1) % n;
		if (call_silent(call, call->node))
			call->node = (call->node + 1) % n;
		call->refused = 0;
	}
	call->tries++;
	if (call->pinned < 0 && call->tries < n)
		call_try(call);
	else
		call_backoff(call);
}

void call_fail(struct call *call, int err, const char *text)
{
	/* A reader whose time is over hears what a node said, not that the last one had no time left to say it. */
	bool said = call->last_err < 0 && call->last_err != CS_ERR_UNREACHABLE && call->last_err != CS_ERR_TIMEOUT;
	if (!said || call_changes(call) || attempt_ms_left(call) > 0) {
		call->last_err = err;
		call_text(call, text);
	}
	call_next(call);
}

/* --- one try --- */

static const uint8_t empty_array[] = {0x90};

struct wire_request attempt_request(const struct call *call)
{
	struct wire_request r = call->request;
	uint64_t left = attempt_ms_left(call);

	r.deadline_ms = (uint32_t)(left < WIRE_DEADLINE_MS_MAX ? left : WIRE_DEADLINE_MS_MAX);
	return r;
}

/* Sends the question (or the hello before it) under the session; the session is held in call. */
static int call_message(struct call *call, nng_msg **ret)
{
	struct wire_request r = attempt_request(call);
	size_t len;
	nng_msg *m;

	if (call->ask_leader) {
		r.type = WIRE_HELLO;
		wire_request_id(r.id, clock_wall_ns() / NS_PER_MS);
		r.body = empty_array;
		r.body_len = sizeof(empty_array);
	}
	memcpy(call->sent_id, r.id, sizeof(call->sent_id));
	if (nng_msg_alloc(&m, CHANNEL_OVERHEAD + CALL_ENVELOPE_SIZE + r.body_len) != 0)
		return CS_ERR_NOMEM;
	uint8_t *frame = nng_msg_body(m);
	int err = wire_request_encode(&r, frame + CHANNEL_DATA_HEADER_SIZE, CALL_ENVELOPE_SIZE + r.body_len, &len);
	if (err == CS_OK) {
		nng_msg_chop(m, CALL_ENVELOPE_SIZE + r.body_len - len);
		pthread_mutex_lock(&call->session->lock);
		err = channel_seal(&call->session->channel, NULL, frame + CHANNEL_DATA_HEADER_SIZE, len, frame);
		pthread_mutex_unlock(&call->session->lock);
	}
	if (err < 0) {
		nng_msg_free(m);
		return err;
	}
	memcpy(call->header, frame, sizeof(call->header));
	*ret = m;
	return CS_OK;
}

/* It was not sent: the next may go in its place. */
static void call_unsent(struct call *call)
{
	struct lane *l = call->lane;

	call->lane = NULL;
	if (l != NULL)
		lane_leave(l);
}

void attempt_send(struct call *call)
{
	struct node *n = &call->client->nodes[call->node];
	nng_msg *m = NULL;

	int err = CS_OK;
	if (!call->has_context[call->node]) {
		err = err_from_nng(nng_ctx_open(&call->ctx[call->node], n->socket));
		call->has_context[call->node] = err == CS_OK;
	}
	if (err == CS_OK)
		err = call_message(call, &m);
	if (err < 0)
		call_unsent(call);
	if (err == CS_ERR_EXPIRED) { /* The session's last number is used up. */
		node_session_drop(n, call->session);
		session_release(call->session);
		call->session = NULL;
		call_fail(call, err, "the session has ended");
		return;
	}
	if (err == CS_ERR_UNREACHABLE) {
		call_fail(call, err, "the connection is closed");
		return;
	}
	if (err < 0) {
		call_text(call, err_text(err));
		call_end(call, err, NULL, NULL);
		return;
	}
	uint64_t left = attempt_ms_left(call), try_ms = (uint64_t)call->try_ms + call->wait_ms;
	call->stage = CALL_SEND;
	nng_aio_set_msg(call->aio, m);
	nng_aio_set_timeout(call->aio, (nng_duration)(left < try_ms ? left : try_ms));
	if (!node_send(n, call->ctx[call->node], call->aio)) {
		nng_aio_set_msg(call->aio, NULL);
		nng_msg_free(m);
		call_unsent(call);
		call_fail(call, CS_ERR_UNREACHABLE, "the client is being closed");
	}
}

/* A node that is connected, from call->node on; false: none is. */
static bool node_pick(struct call *call)
{
	cs_client *c = call->client;

	unsigned n = atomic_load(&c->n_nodes);

	/* Those that are said to be gone come last: whoever said so may be wrong. */
	for (unsigned i = 0; i < (call->pinned < 0 ? 2 * n : 1); i++) {
		unsigned k = (call->node + i) % n;
		if (call->pinned < 0 && atomic_load(&c->nodes[k].gone) != (i >= n))
			continue;
		if (atomic_load(&c->nodes[k].pipes) > 0) {
			call->node = k;
			return true;
		}
		node_redial(&c->nodes[k]);
	}
	return false;
}

/* NULL: it goes by itself, whatever is under way. */
static struct lane *call_lane(struct call *call)
{
	if (!wire_many_takes(call->request.type) || call->ask_leader || call->alone || call->pinned >= 0)
		return NULL;
	unsigned lane = call->anywhere ? LANE_ANYWHERE : call->request.type == WIRE_CHECK ? LANE_CHECKS : LANE_ORDERED;
	return &call->client->nodes[call->node].lanes[lane];
}

void call_try(struct call *call)
{
	session_release(call->session);
	call->session = NULL;
	if (attempt_ms_left(call) == 0 || atomic_load(&call->client->closing)) {
		call_expire(call);
		return;
	}
	if (!node_pick(call)) {
		call->last_err = CS_ERR_UNREACHABLE;
		call_text(call, call->pinned < 0 ? "no connection, nor to any other node" : "no connection");
		call_backoff(call);
		return;
	}
	call->stage = CALL_SESSION;
	struct session *s = node_session(&call->client->nodes[call->node], call);
	if (s == NULL) /* The call is another thread's by now. */
		return;
	call->session = s;
	struct lane *l = call_lane(call);
	if (l == NULL || lane_enter(l, call))
		attempt_send(call);
}

void call_resume(struct call *call, int err)
{
	if (err == CS_OK) {
		call_try(call);
		return;
	}
	/* A node that may be behind says NOT_READY; but one that lost its leadership this moment knows it no better. */
	if (err == CS_ERR_UNAUTHENTICATED && ++call->strange > atomic_load(&call->client->n_nodes) &&
	    !(call->unknown && call_changes(call))) {
		call_text(call, "our key is not enrolled, or the node's key is another");
		call_end(call, err, NULL, NULL);
		return;
	}
	const char *text = err_text(err);
	if (err == CS_ERR_UNREACHABLE)
		text = "no handshake in time";
	else if (err == CS_ERR_EXPIRED)
		text = "another process with our key was quicker, or our clock was set back";
	call_fail(call, err, text);
}

void attempt_lost(struct call *call, bool sent, const char *text)
{
	if (sent) {
		call->unknown = true;
		call->silent = call->node;
		call->silent_until_ns = clock_mono_ns() + call->try_ms * NS_PER_MS;
		call->try_ms = call->try_ms * 2 < TRY_MS_MAX ? call->try_ms * 2 : TRY_MS_MAX;
		/* Perhaps it did not stay silent, but is busy: each node that is asked in vain logs a reading. */
		if (call_held(call) && call->try_ms < HELD_TRY_MS)
			call->try_ms = HELD_TRY_MS;
	}
	call_fail(call, sent ? CS_ERR_TIMEOUT : CS_ERR_UNREACHABLE, text);
}

void attempt_nap_callback(void *arg)
{
	call_sleep(arg);
}

void attempt_again(struct call *call)
{
	call_try(call);
}

void attempt_callback(void *arg)
{
	struct call *call = arg;
	struct lane *l = call->lane;
	int rv = nng_aio_result(call->aio);

	if (call->stage == CALL_SEND && rv == 0) {
		call->stage = CALL_RECV;
		if (node_recv(&call->client->nodes[call->node], call->ctx[call->node], call->aio))
			return;
		rv = NNG_ECLOSED;
	}
	assert(call->stage == CALL_SEND || call->stage == CALL_RECV);
	nng_msg *m = nng_aio_get_msg(call->aio);
	nng_aio_set_msg(call->aio, NULL);
	call->lane = NULL;
	if (rv != 0) {
		bool sent = call->stage == CALL_RECV; /* And no answer: it may have been carried out. */
		if (!sent)
			nng_msg_free(m);
		if (l != NULL)
			lane_fail(l);
		attempt_lost(call, sent,
		             !sent                 ? "could not send"
		             : rv == NNG_ETIMEDOUT ? "no answer"
		                                   : "the connection broke off");
		return;
	}
	bool passed = l != NULL && lane_pass(l);
	call_reply(call, m);
	if (l != NULL && !passed)
		lane_leave(l);
}

void attempt_first(struct call *call)
{
	call->try_ms = call->client->try_ms;
	call->began_ns = clock_mono_ns();
	call_try(call);
}
