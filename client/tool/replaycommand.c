/* The command that an entry came of, put together again out of leaf, body, and the state that it met. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/replaycommand_internal.h"

#include <stdio.h>
#include <string.h>

#include "client/tool/entryfacts.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

/* --- pieces --- */

bool making_public(struct making *m, unsigned i, struct piece *ret)
{
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, m->e->e.public_, m->e->e.public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (unsigned k = 0; k <= i && !r.err; k++)
		reader_skip(&r, &ret->bytes, &ret->len);
	return i < n && !r.err;
}

void making_add_public(struct making *m, unsigned i)
{
	struct piece p;

	if (making_public(m, i, &p))
		writer_raw(&m->w, p.bytes, p.len);
	else
		m->err = CS_ERR_MALFORMED;
}

uint64_t making_public_number(struct making *m, unsigned i)
{
	struct piece p;
	struct reader r;
	uint64_t v = 0;

	if (making_public(m, i, &p)) {
		reader_init(&r, p.bytes, p.len);
		reader_uint(&r, UINT64_MAX, &v);
		if (!reader_end(&r))
			return v;
	}
	m->err = CS_ERR_MALFORMED;
	return 0;
}

const struct field *making_field(struct making *m, unsigned kind)
{
	const struct field *f = body_find(m->e->fields, m->e->n_fields, kind);

	if (!f)
		m->err = CS_ERR_MALFORMED;
	return f;
}

void making_add_field(struct making *m, unsigned kind)
{
	const struct field *f = making_field(m, kind);

	if (f)
		writer_raw(&m->w, f->value, f->value_len);
}

void making_add_field_or_nil(struct making *m, unsigned kind)
{
	if (body_find(m->e->fields, m->e->n_fields, kind))
		making_add_field(m, kind);
	else
		writer_nil(&m->w);
}

/* At the first element of a field that is an array of exactly n. */
struct reader making_open(struct making *m, unsigned kind, uint32_t n)
{
	const struct field *f = making_field(m, kind);
	struct reader r;

	reader_init(&r, f ? f->value : NULL, f ? f->value_len : 0);
	reader_array_exact(&r, n);
	return r;
}

void making_copy(struct making *m, struct reader *r)
{
	struct piece p;

	reader_skip(r, &p.bytes, &p.len);
	if (!r->err)
		writer_raw(&m->w, p.bytes, p.len);
}

/* --- requests --- */

/* The request of these fields into c->request. */
static int request_of(struct replaycommand *c, const struct field *fields, unsigned n, size_t *ret_len)
{
	int err = policyrequest_of_fields(&c->asked, fields, n);

	return err ? err : request_encode(&c->asked.q, c->request, sizeof c->request, ret_len);
}

static void make_decision(struct making *m)
{
	struct replaycommand *c = m->c;
	struct writer facts;
	size_t len = 0;

	m->err = request_of(c, m->e->fields, m->e->n_fields, &len);
	if (m->err)
		return;
	writer_raw(&m->w, c->request, len);
	writer_init(&facts, c->facts, sizeof c->facts);
	place_facts_write(&facts, c->asked.place.looked ? &c->asked.place : NULL);
	m->facts_len = facts.len;
}

/* [event time, [format, file, its hash, position], request] */
static void make_import(struct making *m)
{
	struct reader r = making_open(m, FIELD_SOURCE, 5);
	struct piece parts[4];
	uint64_t event_ms = 0;

	for (unsigned i = 0; i < 4; i++)
		reader_skip(&r, &parts[i].bytes, &parts[i].len);
	reader_uint(&r, UINT64_MAX, &event_ms);
	if (reader_end(&r)) {
		m->err = CS_ERR_MALFORMED;
		return;
	}
	writer_array(&m->w, 3);
	writer_uint(&m->w, event_ms);
	writer_array(&m->w, 4);
	for (unsigned i = 0; i < 4; i++)
		writer_raw(&m->w, parts[i].bytes, parts[i].len);
	make_decision(m);
}

/* [index, what is said, digest, expiry, reason, signature] */
static void make_approval(struct making *m)
{
	struct reader r = making_open(m, FIELD_APPROVAL, 2);
	struct piece skipped, say, reason, expiry, signature;

	reader_skip(&r, &skipped.bytes, &skipped.len);
	reader_array_exact(&r, 5);
	reader_skip(&r, &skipped.bytes, &skipped.len);
	reader_skip(&r, &say.bytes, &say.len);
	reader_skip(&r, &reason.bytes, &reason.len);
	reader_skip(&r, &expiry.bytes, &expiry.len);
	reader_skip(&r, &signature.bytes, &signature.len);
	if (reader_end(&r)) {
		m->err = CS_ERR_MALFORMED;
		return;
	}
	writer_array(&m->w, 6);
	making_add_public(m, 6);
	writer_raw(&m->w, say.bytes, say.len);
	making_add_public(m, 4);
	writer_raw(&m->w, expiry.bytes, expiry.len);
	writer_raw(&m->w, reason.bytes, reason.len);
	writer_raw(&m->w, signature.bytes, signature.len);
}

/* [event, about, level, subject, session, device, credential, event's time, reason] */
static void make_outside(struct making *m)
{
	struct reader r = making_open(m, FIELD_OUTSIDE, 5);

	writer_array(&m->w, 9);
	for (unsigned i = 0; i < 3; i++)
		making_add_public(m, i);
	making_add_field(m, FIELD_SUBJECT);
	for (unsigned i = 0; i < 5; i++)
		making_copy(m, &r);
	if (reader_end(&r))
		m->err = CS_ERR_MALFORMED;
}

static void make_genesis(struct making *m)
{
	writer_raw(&m->w, m->e->e.public_, m->e->e.public_len);
}

static void make_tick(struct making *m)
{
	writer_array(&m->w, 0);
}

static void make_state_digest(struct making *m)
{
	writer_array(&m->w, 2);
	making_add_public(m, 0);
	making_add_public(m, 1);
}

static void make_policy(struct making *m)
{
	writer_array(&m->w, 3);
	making_add_public(m, 1);
	making_add_public(m, 2);
	making_add_public(m, 4);
}

static void make_enrolment(struct making *m)
{
	writer_array(&m->w, 6);
	for (unsigned i = 1; i < 5; i++)
		making_add_public(m, i);
	making_add_field_or_nil(m, FIELD_SUBJECT);
	if (body_find(m->e->fields, m->e->n_fields, FIELD_EVIDENCE))
		making_add_field(m, FIELD_EVIDENCE);
	else
		making_add_public(m, 6);
}

static void make_removal(struct making *m)
{
	writer_array(&m->w, 3);
	making_add_public(m, 1);
	making_add_field(m, FIELD_TEXT);
	making_add_field(m, FIELD_EVIDENCE);
}

static void make_member(struct making *m)
{
	writer_array(&m->w, 10);
	for (unsigned i = 0; i < 9; i++)
		making_add_public(m, i);
	making_add_public(m, 11);
}

static void make_feature(struct making *m)
{
	writer_array(&m->w, 2);
	making_add_public(m, 1);
	making_add_public(m, 3);
}

static void make_people(struct making *m)
{
	writer_array(&m->w, 2);
	making_add_field(m, FIELD_GROUPS);
	making_add_field(m, FIELD_EVIDENCE);
}

static void make_governance(struct making *m)
{
	writer_array(&m->w, 2);
	making_add_public(m, 1);
	making_add_public(m, 4);
}

/* [index of the one grant or nil, subject or nil, reason, signature] */
static void make_grant_revoke(struct making *m)
{
	bool all = body_find(m->e->fields, m->e->n_fields, FIELD_SUBJECT) != NULL;
	struct piece ended = {0};
	uint64_t index = 0;
	struct reader r;

	if (!making_public(m, 0, &ended))
		m->err = CS_ERR_MALFORMED;
	reader_init(&r, ended.bytes, ended.len);
	reader_array_exact(&r, 1);
	reader_uint(&r, UINT64_MAX, &index);
	if (!all && reader_end(&r))
		m->err = CS_ERR_MALFORMED;
	writer_array(&m->w, 4);
	if (all)
		writer_nil(&m->w);
	else
		writer_uint(&m->w, index);
	making_add_field_or_nil(m, FIELD_SUBJECT);
	making_add_field(m, FIELD_TEXT);
	making_add_field(m, FIELD_EVIDENCE);
}

/* What each kind of entry came of. */
static const struct kind {
	unsigned entry, command;
	bool client; /* Somebody asked; else the node itself did. */
	void (*make)(struct making *m);
} kinds[] = {
        {ENTRY_GENESIS, COMMAND_GENESIS, false, make_genesis},
        {ENTRY_DECISION, COMMAND_DECIDE, true, make_decision},
        {ENTRY_ANSWER, COMMAND_ANSWER, true, making_answer},
        {ENTRY_POLICY_SET, COMMAND_POLICY_SET, true, make_policy},
        {ENTRY_ENROLLED, COMMAND_ENROLL, true, make_enrolment},
        {ENTRY_REMOVED, COMMAND_REMOVE, true, make_removal},
        {ENTRY_IMPORTED, COMMAND_IMPORT, true, make_import},
        {ENTRY_TICK, COMMAND_TICK, false, make_tick},
        {ENTRY_MEMBER, COMMAND_MEMBER, true, make_member},
        {ENTRY_FEATURE, COMMAND_FEATURE, true, make_feature},
        {ENTRY_BUILD, COMMAND_BUILD, false, make_genesis /* Its public fields are the command's. */},
        {ENTRY_PEOPLE, COMMAND_PEOPLE, true, make_people},
        {ENTRY_GOVERNANCE, COMMAND_GOVERNANCE, true, make_governance},
        {ENTRY_APPROVAL, COMMAND_APPROVAL, true, make_approval},
        {ENTRY_DEFER_ENDED, COMMAND_TICK, false, make_tick},
        {ENTRY_GRANT_REVOKED, COMMAND_GRANT_REVOKE, true, make_grant_revoke},
        {ENTRY_OUTSIDE, COMMAND_OUTSIDE, true, make_outside},
        {ENTRY_CREDENTIAL_ENROLLED, COMMAND_CREDENTIAL_ENROL, true, making_credential},
        {ENTRY_CREDENTIAL_REVOKED, COMMAND_CREDENTIAL_REVOKE, true, making_revocation},
        {ENTRY_HISTORY, COMMAND_HISTORY, true, making_history},
        {ENTRY_READ, COMMAND_READ, true, making_read},
        {ENTRY_HOLD, COMMAND_HOLD, true, making_hold},
        {ENTRY_ERASED, COMMAND_ERASE, true, making_erasure},
        {ENTRY_ERASURE_DONE, COMMAND_ERASURE_DONE, false, making_erasure_done},
        {ENTRY_KEY, COMMAND_KEY, true, making_key},
        {ENTRY_STATE_DIGEST, COMMAND_STATE_DIGEST, false, make_state_digest},
};

static int unknown_kind(struct replaycommand *c, unsigned kind)
{
	snprintf(c->why, sizeof c->why, "entries of kind %u are of a later build: it can replay them", kind);
	return CS_ERR_VERSION;
}

/* By the name that it had when it asked; 0: nobody of that name is enrolled in the state that was recomputed. */
static uint64_t asker(const struct making *m, const uint8_t **ret_id)
{
	struct text name = entryfacts_client(m->e->fields, m->e->n_fields, ret_id);
	const struct principal *p = state_principal_by_name(m->s, name.s, name.len);

	return p ? p->id : 0;
}

int replaycommand_make(struct replaycommand *c, const struct state *s, const struct replay_entry *e)
{
	static const uint8_t no_seed[SEED_SIZE], no_id[REQUEST_ID_SIZE];
	struct making m = {.c = c, .s = s, .e = e, .facts_len = 1, .request_id = no_id};
	const struct kind *k = NULL;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !k; i++)
		if (kinds[i].entry == e->e.kind)
			k = &kinds[i];
	if (!k)
		return unknown_kind(c, e->e.kind);
	c->recall = (struct recall){.fields = e->fields, .n_fields = e->n_fields};
	c->stands_in = false;
	*c->why = 0;
	c->facts[0] = 0x90; /* An empty msgpack array. */
	writer_init(&m.w, c->payload, sizeof c->payload);
	if (k->client)
		m.principal = asker(&m, &m.request_id);
	k->make(&m);
	struct command command = {.type = k->command,
	                          .principal = m.principal,
	                          .seed = no_seed,
	                          .request_id = m.request_id,
	                          .payload = c->payload,
	                          .facts = c->facts,
	                          .payload_len = m.w.len,
	                          .facts_len = m.facts_len};
	int err = m.err ? m.err : m.w.err;
	if (!err)
		err = command_encode(&command, c->bytes, sizeof c->bytes, &c->len);
	if (err && !*c->why)
		snprintf(c->why, sizeof c->why, "its fields are not those of a %s: %s", entry_kind_text(e->e.kind),
		         err_text(err));
	return err;
}

/*
 * The request that led to this entry, and the id that it was first asked with: answers, approvals and ends name what
 * they are about.
 */
int making_request(struct making *m, uint64_t index, const uint8_t **ret_id, size_t *ret_len)
{
	struct replaycommand *c = m->c;

	for (unsigned steps = 0; steps < MAKING_STEPS_MAX; steps++) {
		struct making earlier = {.c = c, .s = m->s, .e = &c->earlier};
		int err = replayledger_entry(m->c->ledger, index, &c->earlier);
		if (!err && c->earlier.erased)
			err = CS_ERR_ERASED;
		if (err)
			return err;
		if (c->earlier.e.kind == ENTRY_DECISION) {
			*ret_id = NULL;
			entryfacts_client(c->earlier.fields, c->earlier.n_fields, ret_id);
			return *ret_id ? request_of(c, c->earlier.fields, c->earlier.n_fields, ret_len)
			               : CS_ERR_MALFORMED;
		}
		if (c->earlier.e.kind != ENTRY_ANSWER && c->earlier.e.kind != ENTRY_APPROVAL &&
		    c->earlier.e.kind != ENTRY_DEFER_ENDED)
			return CS_ERR_MALFORMED;
		index = making_public_number(&earlier, 6);
		if (earlier.err)
			return earlier.err;
	}
	return CS_ERR_TOO_LARGE;
}
