/* What a node's answer to an attempt means: done, another node, later, or the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "client/attempt_internal.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"

#define REFUSED_MAX 2 /* A session is made anew so often before another node is asked. */

/* The index of the node that a leader's address means, or -1. */
static int node_by_url(const cs_client *c, const char *url)
{
	for (unsigned i = 0; i < atomic_load(&c->n_nodes); i++)
		if (!atomic_load(&c->nodes[i].gone) && strcmp(c->nodes[i].url, url) == 0)
			return (int)i;
	return -1;
}

int node_by_id(const cs_client *c, uint64_t id)
{
	int found = -1;

	for (unsigned i = 0; i < atomic_load(&c->n_nodes); i++)
		if (c->nodes[i].id == id && (found < 0 || !atomic_load(&c->nodes[i].gone)))
			found = (int)i;
	return found;
}

int node_pin(const cs_client *c, uint64_t id, int *ret)
{
	*ret = id == 0 ? -1 : node_by_id(c, id);
	if (id == 0 || *ret >= 0)
		return CS_OK;
	last_error_set("node %llu is not known", (unsigned long long)id);
	return CS_ERR_NOT_FOUND;
}

static void call_follow(struct call *call, unsigned leader)
{
	bool same = leader == call->node;

	/* While a leader has just gone silent, the others point at it until they notice, too. */
	if (call_silent(call, leader)) {
		call_next(call);
		return;
	}
	call->node = leader;
	call->refused = 0;
	call->tries++;
	atomic_store(&call->client->leader, leader);
	/*
	 * Nodes that point at each other, or at one that is dead, must not be asked in a tight loop. But who was told
	 * of a new leader after a pause goes there at once.
	 */
	if (same || call->tries > atomic_load(&call->client->n_nodes))
		call_backoff(call);
	else
		call_try(call);
}

/* hello's answer: [node id, origin, leader id or 0, leader's url, version]. */
static void hello_reply(struct call *call, const struct wire_reply *reply)
{
	cs_client *c = call->client;
	struct reader r;
	uint64_t id, leader = 0;
	const char *s;
	size_t len;

	call->ask_leader = false;
	reader_init(&r, reply->body, reply->body_len);
	reader_array_exact(&r, 5);
	reader_uint(&r, UINT64_MAX, &id);
	reader_str(&r, LIMIT_ORIGIN_SIZE_MAX, &s, &len);
	reader_uint(&r, UINT64_MAX, &leader);
	int known = r.err == 0 && leader != 0 ? node_by_id(c, leader) : -1;
	if (known >= 0) {
		call_follow(call, (unsigned)known);
		return;
	}
	if (r.err == 0 && leader != 0 && !call->own)
		follow_hurry(c); /* A node that we do not know: it may be a member since. */
	call_fail(call, CS_ERR_NOT_LEADER, "the leader is unknown, or not in the cluster file");
}

static void not_leader(struct call *call, const struct wire_reply *reply)
{
	int leader = node_by_url(call->client, reply->leader_url);

	call->last_err = CS_ERR_NOT_LEADER;
	call_text(call, reply->text);
	if (call->pinned >= 0) {
		call_end(call, CS_ERR_NOT_LEADER, NULL, NULL);
	} else if (leader >= 0) {
		call_follow(call, (unsigned)leader);
	} else if (reply->leader_url[0] != '\0' && attempt_ms_left(call) > 0) {
		call->ask_leader = true;
		call_try(call);
	} else {
		call_next(call);
	}
}

/* Another node may have the right ledger; this one will not come to it by being asked again. */
static void diverged(struct call *call, const struct wire_reply *reply)
{
	if (call->pinned < 0) {
		call_fail(call, reply->err, reply->text);
		return;
	}
	call_text(call, reply->text);
	call_end(call, reply->err, NULL, NULL);
}

/* What the node could not do, another may, or this one later. */
static void error_reply(struct call *call, const struct wire_reply *reply)
{
	switch (reply->err) {
	case CS_ERR_NOT_LEADER:
		not_leader(call, reply);
		break;
	case CS_ERR_TIMEOUT:
		call->unknown = true;
		call_fail(call, reply->err, reply->text);
		break;
	case CS_ERR_DIVERGED:
		diverged(call, reply);
		break;
	case CS_ERR_NOT_READY:
	case CS_ERR_NO_QUORUM:
	case CS_ERR_DAMAGED:
	case CS_ERR_IO:
		call_fail(call, reply->err, reply->text);
		break;
	case CS_ERR_OVERLOADED:
		call->last_err = reply->err;
		call_text(call, reply->text);
		call->sleep_until_ns = clock_mono_ns() + ((uint64_t)reply->retry_ms + 1) * NS_PER_MS;
		call_sleep(call);
		break;
	case CS_ERR_DISK_FULL:
		/* Said before the request is looked up: of an earlier try, which may have been logged, it says nothing.
		 */
		if (call->unknown && call_changes(call)) {
			call_fail(call, reply->err, reply->text);
			break;
		}
		call_text(call, reply->text);
		call_end(call, reply->err, NULL, NULL);
		break;
	default:
		call_text(call, reply->text);
		call_end(call, reply->err, NULL, NULL);
	}
}

void attempt_refused(struct call *call, int err)
{
	call->refused++;
	call->last_err = err;
	call_text(call, err_text(err));
	if (err != CS_ERR_NOT_READY && call->refused < REFUSED_MAX)
		call_try(call); /* With a new session. */
	else
		call_next(call);
}

/* A reply among many is copied out of their message. */
static void call_done(struct call *call, struct wire_reply *reply, nng_msg *msg)
{
	if (msg == NULL) {
		if (nng_msg_alloc(&msg, reply->body_len) != 0) {
			call_text(call, err_text(CS_ERR_NOMEM));
			call_end(call, CS_ERR_NOMEM, NULL, NULL);
			return;
		}
		reply->body = memcpy(nng_msg_body(msg), reply->body, reply->body_len);
	}
	if (call->pinned < 0)
		atomic_store(call->anywhere ? &call->client->nearby : &call->client->leader, call->node);
	call_end(call, CS_OK, reply, msg);
}

void attempt_answered(struct call *call, int err, struct wire_reply *reply, nng_msg *msg)
{
	if (err == CS_OK && reply->err == 0 && !call->ask_leader) {
		call_done(call, reply, msg);
		return;
	}
	if (err < 0) {
		call->unknown = true;
		call_fail(call, err, "the reply is not authentic, or not a reply to this");
	} else if (reply->err == CS_ERR_TOO_LARGE && msg == NULL) {
		call->alone = true;
		call_try(call);
	} else if (reply->err < 0) {
		error_reply(call, reply);
	} else {
		hello_reply(call, reply);
	}
	nng_msg_free(msg);
}

/* The answer to a call that was sent by itself. */
void call_reply(struct call *call, nng_msg *m)
{
	struct wire_reply reply;
	const uint8_t *frame = nng_msg_body(m);
	uint8_t *plain;
	size_t len;

	if (channel_frame_type(frame, nng_msg_len(m)) == CHANNEL_REFUSE && nng_msg_len(m) == 2) {
		int err = frame[1] == 0 ? CS_ERR_MALFORMED : -(int)frame[1];
		nng_msg_free(m);
		node_session_drop(&call->client->nodes[call->node], call->session);
		attempt_refused(call, err);
		return;
	}
	pthread_mutex_lock(&call->session->lock);
	int err = channel_open(&call->session->channel, call->header, nng_msg_body(m), nng_msg_len(m), &plain, &len);
	pthread_mutex_unlock(&call->session->lock);
	if (err == CS_OK)
		err = wire_reply_decode(&reply, plain, len);
	if (err == CS_OK && reply.err == 0 && memcmp(reply.id, call->sent_id, sizeof(reply.id)) != 0)
		err = CS_ERR_MALFORMED;
	attempt_answered(call, err, &reply, m);
}
