/* Evidence, verified on worker threads: of answers before they are proposed, of entries before they are cosigned. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/evidence/verify.h"
#include "node/log.h"

/* One evidence at a worker. */
struct proving {
	uv_work_t work;
	struct core *core;
	struct job *job; /* Leader: whose answer it is. NULL: it was told otherwise meanwhile, or this is an entry's. */
	uint64_t index;  /* The entry's. */
	bool again, good; /* The entry's: looked at once more, and it is as it was said. */
	unsigned n_keys;  /* Channel pairs, as they were when it began: the ring lends them. */
	struct evidence_key keys[EVIDENCE_KEYS_MAX];
	struct evidence e;
};

/* On a worker thread: what it reads was copied out of the state. */
static void verify(uv_work_t *work)
{
	struct proving *p = work->data;

	const struct core *c = p->core;
	const struct evidence_node node = {.id = c->id,
	                                   .channel_pub = c->o.channel_keys->pub,
	                                   .channel_secret = c->o.channel_keys->secret,
	                                   .others = p->keys,
	                                   .n_others = p->n_keys};

	if (!p->again)
		evidence_verify(&p->e, &node);
	else
		p->good = evidence_verify_again(&p->e, &node);
}

static struct proving *proving_new(struct core *c)
{
	struct proving *p = malloc(sizeof *p);

	if (!p)
		core_fatal(c, "out of memory");
	p->core = c;
	p->work.data = p;
	p->job = NULL;
	p->again = false;
	return p;
}

static void start(struct proving *p, uv_after_work_cb done)
{
	p->core->evidence_out++;
	p->n_keys = keys_channel(p->core, p->keys, EVIDENCE_KEYS_MAX);
	if (uv_queue_work(&p->core->loop, &p->work, verify, done))
		core_fatal(p->core, "cannot queue work");
}

/* --- leader: before an answer is proposed --- */

bool proving_wanted(const struct job *j)
{
	return j->request.type == WIRE_ANSWER || j->request.type == WIRE_CREDENTIAL_ENROL;
}

/* Its facts are known: it waits for a batch like any other. */
static void ready(struct core *c, struct job *j, const struct evidence *e)
{
	uint8_t facts[EVIDENCE_FACTS_SIZE_MAX];
	char text[160];
	int err;

	if (e->registers && !e->found.verified) { /* Nothing was proven or disproven: it is no entry. */
		snprintf(text, sizeof text, "the enrolment: %s", e->found.why);
		propose_refuse(j, CS_ERR_INVALID, text);
		return;
	}
	err = evidence_facts(e, facts, sizeof facts, &j->facts_len);
	assert(err == 0);
	j->facts = malloc(j->facts_len);
	if (!j->facts)
		core_fatal(c, "out of memory");
	memcpy(j->facts, facts, j->facts_len);
	propose_ready(c, j);
}

static void proven(uv_work_t *work, int status)
{
	struct proving *p = work->data;
	struct core *c = p->core;
	struct job *j = p->job;

	c->evidence_out--;
	for (unsigned i = 0; i < PROVING_MAX; i++)
		if (c->proving[i] == p)
			c->proving[i] = NULL;
	if (j && status)
		job_error(j, CS_ERR_NOT_READY, "the evidence could not be looked at", NULL, 0);
	else if (j)
		ready(c, j, &p->e);
	free(p);
	if (c->stopping)
		return;
	proving_pump(c);
	propose_pump(c);
}

/* What the evidence must say is looked up here, and copied; refused, if nothing could come of it. */
static void begin(struct core *c, struct job *j, struct proving **place)
{
	struct proving *p = proving_new(c);
	char text[160];
	unsigned type = j->request.type == WIRE_ANSWER ? COMMAND_ANSWER : COMMAND_CREDENTIAL_ENROL;
	int err = decide_evidence(c->state, clock_wall_ms(), type, j->principal, j->request.id, j->request.body,
	                          j->request.body_len, &p->e, text);

	if (!err && p->e.method) {
		p->job = j;
		*place = p;
		start(p, proven);
		return;
	}
	if (!err)
		ready(c, j, &p->e);
	else if (err == CS_ERR_EXISTS)
		propose_ready(c, j); /* A retry, or nothing to verify in it. */
	else
		propose_refuse(j, err, text);
	free(p);
}

static struct proving **free_place(struct core *c)
{
	for (unsigned i = 0; i < PROVING_MAX; i++)
		if (!c->proving[i])
			return &c->proving[i];
	return NULL;
}

void proving_pump(struct core *c)
{
	struct proving **place;
	struct job *j;

	while ((place = free_place(c)) && (j = turns_pop(c->unproven)))
		begin(c, j, place);
}

void proving_refuse(struct core *c, int err)
{
	for (unsigned i = 0; i < PROVING_MAX; i++) {
		struct proving *p = c->proving[i];
		if (!p || !p->job)
			continue;
		if (err == CS_ERR_NOT_LEADER)
			propose_refuse_not_leader(c, p->job);
		else
			job_error(p->job, err, NULL, NULL, c->o.settings->election_timeout_ms);
		p->job = NULL;
	}
}

/* --- follower: before it cosigns --- */

static void checked(uv_work_t *work, int status)
{
	struct proving *p = work->data;
	struct core *c = p->core;

	c->evidence_out--;
	c->entries_unproven--;
	if (status == 0 && !p->good) {
		c->evidence_bad = true;
		log_error(
		        "the leader took evidence that does not verify: this node cosigns nothing more index=%" PRIu64,
		        p->index);
	}
	free(p);
	if (c->entries_unproven == 0 && !c->stopping)
		checkpoint_applied(c);
}

void proving_entry(struct core *c, const struct decide_out *out)
{
	struct proving *p = proving_new(c);

	p->again = true;
	p->index = out->index;
	p->e = out->evidence;
	c->entries_unproven++;
	start(p, checked);
}
