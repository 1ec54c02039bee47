/* Checks: does an answer stand, what waits, which grants stand? Behind a round of ReadIndex, or from this view. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/decide/codec.h"

#define CHECK_RETRY_MS                                                                                                 \
	50 /* What a refused client is told to wait: a heartbeat brings news, or an election goes on.                  \
	    */

bool check_serves(unsigned wire_type)
{
	return wire_type == WIRE_CHECK || wire_type == WIRE_PENDING || wire_type == WIRE_GRANTS;
}

/* By request id; or whether a grant covers a request. */
static int look(const struct core *c, const struct waiting_check *k, struct check_result *ret, const char **ret_text)
{
	struct request q;
	int err;

	if (!k->request) {
		*ret_text = "no answer is recorded for this request id";
		return decide_check(c->state, clock_wall_ms(), k->job->principal, k->id, ret);
	}
	*ret_text = "no grant covers this request";
	err = request_decode(&q, k->request, k->request_len);
	return err ? err : decide_check_grant(c->state, clock_wall_ms(), &q, ret);
}

static void answer_check(struct core *c, const struct waiting_check *k, uint64_t stale_ms)
{
	struct check_result r;
	struct writer w;
	const char *text;
	int err = look(c, k, &r, &text);

	if (err) {
		job_error(k->job, err, err == CS_ERR_NOT_FOUND ? text : NULL, NULL, 0);
		return;
	}
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX);
	writer_array(&w, 6);
	writer_bool(&w, r.stands);
	writer_uint(&w, r.verdict);
	writer_uint(&w, r.index);
	writer_uint(&w, r.time_ms);
	writer_uint(&w, tree_size(c->tree));
	writer_uint(&w, stale_ms);
	job_reply(k->job, c->reply, w.len);
}

/* [size, stale ms, more, [what there is…]] */
static void answer_list(struct core *c, const struct waiting_check *k, uint64_t stale_ms)
{
	struct writer items, w;
	bool more;
	unsigned n;

	writer_init(&items, c->reply + WIRE_REPLY_SIZE_MAX / 2, WIRE_REPLY_SIZE_MAX / 2);
	if (k->job->request.type == WIRE_PENDING)
		n = state_write_pending(c->state, clock_wall_ms(), k->job->principal, k->after, &items, &more);
	else
		n = state_write_grants(c->state, clock_wall_ms(), k->subject_type, k->subject_id, k->after, &items,
		                       &more);
	writer_init(&w, c->reply, WIRE_REPLY_SIZE_MAX / 2);
	writer_array(&w, 4);
	writer_uint(&w, tree_size(c->tree));
	writer_uint(&w, stale_ms);
	writer_bool(&w, more);
	writer_array(&w, n);
	memmove(c->reply + w.len, items.base, items.len);
	job_reply(k->job, c->reply, w.len + items.len);
}

static void answer(struct core *c, const struct waiting_check *k, uint64_t stale_ms)
{
	if (k->job->request.type == WIRE_CHECK)
		answer_check(c, k, stale_ms);
	else
		answer_list(c, k, stale_ms);
}

/*
 * [request id] or [request id, how old the view may be at most in ms]; a request in place of its id; of lists [after
 * which index, (of grants) nil or [subject type, id], how old].
 */
static int parse(const struct job *j, struct waiting_check *ret)
{
	struct reader r;
	uint64_t stale_ms = 0;
	uint32_t n;

	reader_init(&r, j->request.body, j->request.body_len);
	reader_array(&r, 3, &n);
	if (j->request.type != WIRE_CHECK)
		reader_uint(&r, UINT64_MAX, &ret->after);
	else if (reader_peek(&r) == VALUE_ARRAY)
		reader_skip(&r, &ret->request, &ret->request_len);
	else
		reader_bin_exact(&r, ret->id, sizeof ret->id);
	if (j->request.type == WIRE_GRANTS && !reader_nil(&r))
		codec_pair(&r, &ret->subject_type, &ret->subject_id);
	if (r.err == 0 && (j->request.type == WIRE_GRANTS ? n != 3 : j->request.type == WIRE_PENDING ? n != 2 : n > 2))
		return CS_ERR_MALFORMED;
	if (n >= 2)
		reader_uint(&r, UINT32_MAX, &stale_ms);
	ret->stale_ms_max = (uint32_t)stale_ms;
	return reader_end(&r);
}

/* A node's own view, if it is fresh enough: its age is rounded up, so that it is never younger than it says. */
static bool answer_local(struct core *c, const struct waiting_check *k, uint64_t now_ns)
{
	uint64_t age_ns = reads_age_ns(c, now_ns), age_ms = age_ns / NS_PER_MS + 1;

	if (age_ns == UINT64_MAX || age_ms > k->stale_ms_max)
		return false;
	answer(c, k, age_ms);
	return true;
}

static void refuse_stale(struct core *c, struct job *j, uint64_t now_ns)
{
	uint64_t age_ns = reads_age_ns(c, now_ns);
	char text[WIRE_TEXT_SIZE_MAX];

	if (age_ns == UINT64_MAX)
		snprintf(text, sizeof text, "this node has not heard from a leader since it started");
	else
		snprintf(text, sizeof text, "this node last knew its view to be the cluster's %" PRIu64 " ms ago",
		         age_ns / NS_PER_MS + 1);
	job_error(j, CS_ERR_NO_QUORUM, text, NULL, CHECK_RETRY_MS);
}

static void enqueue(struct core *c, const struct waiting_check *k)
{
	if (c->n_checks == CHECKS_WAITING_MAX) {
		job_error(k->job, CS_ERR_OVERLOADED, NULL, NULL, CHECK_RETRY_MS);
		return;
	}
	c->checks[c->n_checks++] = *k;
}

void check_receive(struct core *c, struct job *j)
{
	struct waiting_check k = {.job = j, .since_ns = clock_mono_ns()};
	int err = parse(j, &k);

	if (err) {
		job_error(j, err, NULL, NULL, 0);
		return;
	}
	if (k.stale_ms_max) {
		c->fresh.used_ns = k.since_ns;
		if (answer_local(c, &k, k.since_ns))
			return;
		enqueue(c, &k);
		reads_refresh(c, k.since_ns);
		return;
	}
	/* A leader whose term has nothing committed yet soon will have, or will not lead. */
	if (c->raft.state != RAFT_LEADER) {
		propose_refuse_not_leader(c, j);
		return;
	}
	k.ticket = read_index_ask(&c->read_index, k.since_ns);
	enqueue(c, &k);
}

/* True: done with; the job is gone. */
static bool end_one(struct core *c, const struct waiting_check *k, uint64_t now_ns)
{
	if (k->stale_ms_max)
		return answer_local(c, k, now_ns);
	/* A pass is for ever: all that it promises is that what had been committed before the question is applied. */
	if (k->ticket <= c->read_index.passed) {
		answer(c, k, 0);
		return true;
	}
	if (c->raft.state == RAFT_LEADER)
		return false;
	propose_refuse_not_leader(c, k->job);
	return true;
}

void check_step(struct core *c)
{
	uint64_t now_ns;
	unsigned left = 0;

	if (!c->n_checks)
		return;
	now_ns = clock_mono_ns();
	for (unsigned i = 0; i < c->n_checks; i++)
		if (!end_one(c, &c->checks[i], now_ns))
			c->checks[left++] = c->checks[i];
	c->n_checks = left;
}

void check_expire(struct core *c)
{
	uint64_t now_ns = clock_mono_ns(), patience_ns = FRESH_PATIENCE_MS * NS_PER_MS;
	unsigned left = 0;

	for (unsigned i = 0; i < c->n_checks; i++) {
		const struct waiting_check *k = &c->checks[i];
		if (k->stale_ms_max && now_ns - k->since_ns >= patience_ns)
			refuse_stale(c, k->job, now_ns);
		else if (k->job->deadline_ns <= now_ns)
			job_error(k->job, CS_ERR_NO_QUORUM, "no majority of voters answered in time", NULL,
			          CHECK_RETRY_MS);
		else
			c->checks[left++] = *k;
	}
	c->n_checks = left;
}

void check_refuse_all(struct core *c, int err)
{
	for (unsigned i = 0; i < c->n_checks; i++)
		job_error(c->checks[i].job, err, NULL, NULL, CHECK_RETRY_MS);
	c->n_checks = 0;
}
