/* Jobs to batches, committed batches to replies: group commit with whatever has arrived meanwhile. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/core_internal.h"
#include "node/log.h"

#define QUOTA_RETRY_MS 1000 /* A table of the state is full; what is in it leaves with time, not with speed. */

static const uint8_t no_facts[1] = {0x90}; /* An empty msgpack array. */

static unsigned command_of(unsigned wire_type)
{
	switch (wire_type) {
	case WIRE_DECIDE:
		return COMMAND_DECIDE;
	case WIRE_IMPORT:
		return COMMAND_IMPORT;
	case WIRE_ANSWER:
		return COMMAND_ANSWER;
	case WIRE_ENROLL:
		return COMMAND_ENROLL;
	case WIRE_REMOVE:
		return COMMAND_REMOVE;
	case WIRE_POLICY_SET:
		return COMMAND_POLICY_SET;
	case WIRE_MEMBER:
		return COMMAND_MEMBER;
	case WIRE_FEATURE:
		return COMMAND_FEATURE;
	case WIRE_APPROVAL:
		return COMMAND_APPROVAL;
	case WIRE_GRANT_REVOKE:
		return COMMAND_GRANT_REVOKE;
	case WIRE_OUTSIDE:
		return COMMAND_OUTSIDE;
	case WIRE_PEOPLE:
		return COMMAND_PEOPLE;
	case WIRE_GOVERNANCE:
		return COMMAND_GOVERNANCE;
	case WIRE_CREDENTIAL_ENROL:
		return COMMAND_CREDENTIAL_ENROL;
	case WIRE_CREDENTIAL_REVOKE:
		return COMMAND_CREDENTIAL_REVOKE;
	case WIRE_HISTORY:
		return COMMAND_HISTORY;
	case WIRE_HOLD:
		return COMMAND_HOLD;
	case WIRE_ERASE:
		return COMMAND_ERASE;
	case WIRE_KEY:
		return COMMAND_KEY;
	default:
		return 0;
	}
}

/* An election is over after one or two timeouts. */
static uint32_t election_retry_ms(const struct core *c)
{
	return c->o.settings->election_timeout_ms;
}

/* By how much the batch in flight takes longer than it should. */
static uint64_t flight_late_ns(const struct core *c)
{
	uint64_t age = c->flight.busy ? clock_mono_ns() - c->flight.begun_ns : 0, usual = c->flight.n * c->pace.ns_each;

	return age > usual ? age - usual : 0;
}

static void refuse_overloaded(struct core *c, struct job *j, const char *why)
{
	uint32_t retry_ms =
	        pace_retry_ms(&c->pace, turns_ahead(c->pending, j->principal), flight_late_ns(c), randombytes_random());
	char text[160];

	snprintf(text, sizeof text, "overloaded: %s: nothing was logged by this try; come again in %" PRIu32 " ms", why,
	         retry_ms);
	job_error(j, CS_ERR_OVERLOADED, text, NULL, retry_ms);
}

static void refuse_full(struct core *c, const struct turns *t, struct job *j)
{
	char why[80];

	snprintf(why, sizeof why, "%u requests wait, %u of them this principal's", turns_count(t),
	         turns_count_of(t, j->principal));
	refuse_overloaded(c, j, why);
}

static void refuse_expired(struct core *c, struct job *j)
{
	refuse_overloaded(c, j, "the deadline passed before the request was ordered");
}

void propose_refuse_not_leader(struct core *c, struct job *j)
{
	const char *url = core_leader_url(c);

	if (*url)
		job_error(j, CS_ERR_NOT_LEADER, NULL, url, 0);
	else
		job_error(j, CS_ERR_NO_QUORUM, "no leader is known: the cluster may be electing one", NULL,
		          election_retry_ms(c));
}

static void receive(struct core *c, struct job *j, uint64_t now)
{
	if (check_serves(j->request.type)) {
		check_receive(c, j);
		return;
	}
	if (j->request.type == WIRE_CREDENTIALS) {
		credentials_read(c, j);
		return;
	}
	if (j->request.type == WIRE_KEYS) {
		keys_read(c, j);
		return;
	}
	if (j->request.type == WIRE_KEY_PREPARE) {
		keys_prepare(c, j);
		return;
	}
	if (c->raft.state != RAFT_LEADER) {
		propose_refuse_not_leader(c, j);
		return;
	}
	if (j->request.type == WIRE_PEOPLE_LIST) {
		people_receive(c, j);
		return;
	}
	if (j->request.type == WIRE_KEEPING) {
		keeping_receive(c, j);
		return;
	}
	if (room_refuses(c, j) || keys_refuse(c, j))
		return;
	struct turns *t = proving_wanted(j) ? c->unproven : c->pending;
	if (j->deadline_ns <= now)
		refuse_expired(c, j);
	else if (turns_push(t, j))
		refuse_full(c, t, j);
}

void propose_ready(struct core *c, struct job *j)
{
	if (c->raft.state != RAFT_LEADER)
		propose_refuse_not_leader(c, j);
	else if (turns_push(c->pending, j))
		refuse_full(c, c->pending, j);
}

void propose_refuse(struct job *j, int err, const char *text)
{
	job_error(j, err, text, NULL, err == CS_ERR_OVERLOADED ? QUOTA_RETRY_MS : 0);
}

void propose_drain(struct core *c)
{
	/* The stack gives the newest first: turn it round, so that who came first goes first. */
	struct job *j = atomic_exchange(&c->inbox, NULL), *in_order = NULL, *next;
	uint64_t now = clock_mono_ns();

	for (; j; j = next) {
		next = j->next;
		j->next = in_order;
		in_order = j;
	}
	for (j = in_order; j; j = next) {
		next = j->next;
		receive(c, j, now);
	}
	proving_pump(c);
}

void propose_refuse_all(struct core *c, int err)
{
	struct job *j;

	proving_refuse(c, err);
	while ((j = turns_pop(c->pending)) || (j = turns_pop(c->unproven))) {
		if (err == CS_ERR_NOT_LEADER)
			propose_refuse_not_leader(c, j);
		else
			job_error(j, err, NULL, NULL, election_retry_ms(c));
	}
}

void propose_refuse_inbox(struct core *c)
{
	struct job *j = atomic_exchange(&c->inbox, NULL), *next;

	for (; j; j = next) {
		next = j->next;
		job_error(j, CS_ERR_NOT_READY, "the node is stopping", NULL, election_retry_ms(c));
	}
}

/* They are in the log, and may be committed yet. */
static void abandon(struct core *c, uint64_t deadline_ns_max, const char *text)
{
	struct flight *f = &c->flight;

	for (unsigned i = 0; i < f->n; i++) {
		struct job *j = f->jobs[i];
		if (!j || j->deadline_ns > deadline_ns_max)
			continue;
		f->jobs[i] = NULL;
		job_error(j, CS_ERR_TIMEOUT, text, NULL, election_retry_ms(c));
	}
}

void propose_abandon(struct core *c)
{
	abandon(c, UINT64_MAX, NULL);
}

static void expire(struct core *c, struct turns *t, uint64_t now)
{
	struct job *next;

	for (struct job *j = turns_expired(t, now); j; j = next) {
		next = j->next;
		refuse_expired(c, j);
	}
}

void propose_expire(struct core *c)
{
	uint64_t now = clock_mono_ns();

	expire(c, c->pending, now);
	expire(c, c->unproven, now);
	abandon(c, now, "the deadline passed on the way to a quorum: the outcome is unknown, retry with the same id");
}

/* --- replies --- */

static void reply_entry(struct core *c, struct job *j, const struct outcome *oc)
{
	const struct store_entry *e = &c->entries->entries[oc->entry];
	struct wire_proved p = {.leaf = e->leaf,
	                        .leaf_len = e->leaf_len,
	                        .body = e->body,
	                        .body_len = e->body_len,
	                        .checkpoint = c->note.text,
	                        .checkpoint_len = c->note.len};
	size_t len;
	int err = tree_inclusion(c->tree, oc->index, c->note.size, p.proof, &p.n_proof);

	if (!err)
		err = wire_proved_encode(&p, c->reply, WIRE_REPLY_SIZE_MAX, &len);
	if (err)
		job_error(j, err, "making the proof", NULL, 0);
	else
		job_reply(j, c->reply, len);
}

static void reply_outcome(struct core *c, struct job *j, const struct outcome *oc)
{
	switch (oc->outcome) {
	case DECIDE_ENTRY:
		reply_entry(c, j, oc);
		return;
	case DECIDE_REPEAT:
		reading_room_repeat(c->readers, j, oc->index);
		return;
	case DECIDE_NEWER: /* The node has ended (apply_command). */
	case DECIDE_REFUSED:
		job_error(j, oc->err, oc->text, NULL, oc->err == CS_ERR_OVERLOADED ? QUOTA_RETRY_MS : 0);
		return;
	}
}

/* libraft's callback for our batch: applied just now, or lost with the leadership (which may commit it yet). */
static void applied(struct raft_apply *req, int status, void *result)
{
	struct core *c = req->data;
	struct flight *f = &c->flight;

	(void)result;
	assert(f->busy);
	f->busy = false;
	if (status == 0 && f->genesis && c->outcomes[0].outcome != DECIDE_ENTRY)
		core_halt(c->o.settings->data_path, c->outcomes[0].text);
	if (status == 0 && f->n) {
		assert(c->n_outcomes == f->n && c->answering.n == 0);
		c->answering.n = f->n;
		memcpy(c->answering.jobs, f->jobs, f->n * sizeof *f->jobs);
	}
	if (status != 0)
		abandon(c, UINT64_MAX, NULL);
	else if (f->n)
		pace_served(&c->pace, clock_mono_ns() - f->begun_ns, f->n);
	f->n = 0;
}

void propose_answer(struct core *c)
{
	if (!c->answering.n)
		return;
	/* Who hears that a key is enrolled, or removed, finds it so. */
	if (c->principals_changed)
		publish_principals(c);
	checkpoint_sign(c);
	for (unsigned i = 0; i < c->answering.n; i++)
		if (c->answering.jobs[i])
			reply_outcome(c, c->answering.jobs[i], &c->outcomes[i]);
	c->answering.n = 0;
	/* By members of before a quorum is none; when they are followed, what was announced is forgotten anyway. */
	if (!c->roster_changed)
		checkpoint_pace(c);
}

/* --- batches --- */

/* A change of members, a feature: also by what only the leader knows. A retry gets its recorded answer. */
static int check_change(struct core *c, const struct command *cmd, char text[160])
{
	struct recorded r;

	if ((cmd->type != COMMAND_MEMBER && cmd->type != COMMAND_FEATURE && cmd->type != COMMAND_ERASE) ||
	    state_recorded(c->state, cmd->principal, cmd->request_id, &r))
		return 0;
	if (cmd->type == COMMAND_ERASE)
		return erase_allowed(c, cmd->principal, cmd->payload, cmd->payload_len, text);
	if (cmd->type == COMMAND_FEATURE)
		return features_allowed(c, cmd->payload, cmd->payload_len, text);
	if (c->flight.member) {
		snprintf(text, 160, "one change of members at a time");
		return CS_ERR_CONFLICT;
	}
	return change_allowed(c, cmd->payload, cmd->payload_len, text);
}

/* Where the request's address is, in place of the facts that it had none of. */
static void find_place(const struct core *c, const struct command *cmd, uint8_t *facts, size_t cap, size_t *facts_len)
{
	const struct place_source *s = &c->o.places;
	const char *address;
	struct place p;
	struct writer w;
	size_t len;

	if (!s->find || !place_wanted(c->state, cmd->type, cmd->payload, cmd->payload_len, &address, &len))
		return;
	s->find(s->ctx, address, len, &p);
	writer_init(&w, facts, cap);
	place_facts_write(&w, &p);
	int err = writer_end(&w, facts_len);
	assert(err == 0); /* A place is bounded. */
}

/*
 * An order to erase that has its entry is answered by that, and not by way of the log: it would write whom it is about
 * into the logs of all members anew, when they may have said that they have erased.
 */
static bool erased_before(struct core *c, const struct command *cmd, struct job *j)
{
	struct recorded r;

	if (cmd->type != COMMAND_ERASE || !state_recorded(c->state, cmd->principal, cmd->request_id, &r))
		return false;
	reading_room_repeat(c->readers, j, r.index);
	return true;
}

/* Encodes the job's command; true if it is in the batch, false if it was answered or refused (the job is gone). */
static bool add_job(struct core *c, struct batch_writer *w, uint8_t *at, size_t room, struct job *j, uint64_t now_ms)
{
	uint8_t seed[SEED_SIZE], facts[256];
	char text[160];
	struct command cmd = {.type = command_of(j->request.type),
	                      .principal = j->principal,
	                      .seed = seed,
	                      .request_id = j->request.id,
	                      .payload = j->request.body,
	                      .payload_len = j->request.body_len,
	                      .facts = no_facts,
	                      .facts_len = sizeof no_facts};
	size_t facts_len = 0, len;
	int err;

	err = decide_prepare(c->state, now_ms, cmd.type, j->principal, j->request.id, cmd.payload, cmd.payload_len,
	                     facts, sizeof facts, &facts_len, text);
	if (!err && erased_before(c, &cmd, j))
		return false;
	if (!err)
		err = check_change(c, &cmd, text);
	if (err) {
		propose_refuse(j, err, text);
		return false;
	}
	find_place(c, &cmd, facts, sizeof facts, &facts_len);
	if (j->facts_len) {
		cmd.facts = j->facts;
		cmd.facts_len = j->facts_len;
	} else if (facts_len) {
		cmd.facts = facts;
		cmd.facts_len = facts_len;
	}
	randombytes_buf(seed, sizeof seed);
	err = command_encode(&cmd, at, room, &len);
	sodium_memzero(seed, sizeof seed);
	if (err) {
		job_error(j, err, NULL, NULL, 0);
		return false;
	}
	batch_add(w, len);
	c->flight.member |= cmd.type == COMMAND_MEMBER;
	return true;
}

static void propose(struct core *c, struct batch_writer *w, uint64_t time_ms)
{
	struct flight *f = &c->flight;
	struct raft_buffer buf;
	struct hash root;
	int err;

	tree_root(c->tree, &root);
	buf.len = batch_end(w, (uint32_t)c->id, time_ms, tree_size(c->tree), &root);
	buf.base = raft_malloc(buf.len);
	if (!buf.base)
		core_fatal(c, "out of memory");
	memcpy(buf.base, w->base, buf.len);
	f->req.data = c;
	f->busy = true;
	f->begun_ns = clock_mono_ns();
	err = guard_propose(c->guard, &f->req, &buf, applied);
	if (!err)
		return;
	raft_free(buf.base);
	f->busy = false;
	for (unsigned i = 0; i < f->n; i++)
		if (!f->jobs[i])
			continue; /* The leader's own command. */
		else if (err == CS_ERR_NOT_LEADER)
			propose_refuse_not_leader(c, f->jobs[i]);
		else
			refuse_overloaded(c, f->jobs[i], "a snapshot is behind");
	f->n = 0;
}

static void propose_genesis(struct core *c)
{
	static const uint8_t zero_seed[SEED_SIZE], zero_id[WIRE_REQUEST_ID_SIZE];
	struct command cmd = {.type = COMMAND_GENESIS,
	                      .seed = zero_seed,
	                      .request_id = zero_id,
	                      .payload = c->o.genesis,
	                      .payload_len = c->o.genesis_len,
	                      .facts = no_facts,
	                      .facts_len = sizeof no_facts};
	struct batch_writer w;
	uint8_t *at;
	size_t room, len;

	batch_begin(&w, c->scratch, BATCH_SIZE_MAX);
	room = batch_room(&w, &at);
	if (command_encode(&cmd, at, room, &len))
		core_halt(c->o.settings->data_path, "the genesis does not fit a command");
	batch_add(&w, len);
	c->flight.genesis = true;
	c->flight.n = 0;
	propose(c, &w, clock_wall_ms());
}

void propose_pump(struct core *c)
{
	struct flight *f = &c->flight;
	struct batch_writer w;
	struct state_head head;
	uint64_t time_ms = clock_wall_ms(), now = clock_mono_ns();
	struct job *j;
	uint8_t *at;
	size_t room;

	if (f->busy || !core_leads(c) || c->stopping)
		return;
	state_head(c->state, &head);
	if (head.size == 0) {
		propose_genesis(c);
		return;
	}
	if (time_ms < head.time_ms)
		time_ms = head.time_ms; /* Never backwards, whoever led before. */
	if ((!turns_count(c->pending) && !features_build_due(c) && !digest_due(c) && !ticks_due(c, time_ms) &&
	     !readings_due(c) && !erase_due(c)) ||
	    clocks_hold(c))
		return;
	batch_begin(&w, c->scratch, BATCH_SIZE_MAX);
	f->genesis = f->member = false;
	f->n = 0;
	if (features_build_due(c)) {
		features_add_build(c, &w); /* First: what follows is decided by this build. */
		f->jobs[f->n++] = NULL;
	}
	if (digest_due(c)) {
		digest_add(c, &w);
		f->jobs[f->n++] = NULL;
	}
	ticks_add(c, &w, time_ms);
	readings_add(c, &w, time_ms);
	erase_add(c, &w);
	while (f->n < c->o.settings->batch_commands_max && (room = batch_room(&w, &at)) &&
	       (j = turns_pop(c->pending))) {
		if (room_refuses(c, j))
			continue;
		if (j->deadline_ns <= now)
			refuse_expired(c, j);
		else if (add_job(c, &w, at, room, j, time_ms))
			f->jobs[f->n++] = j;
	}
	if (f->n)
		propose(c, &w, time_ms);
}
