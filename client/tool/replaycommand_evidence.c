/* Commands whose facts a leader had found by verifying: answers, and credentials; verified here again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/tool/replaycommand_internal.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/policy_form.h"
#include "node/evidence/verify.h"

/* --- answers --- */

/* What the entry says of the evidence: [level, counter, the newest before, fell, by the leader, acr]. */
struct told {
	bool further;
	uint64_t level, counter;
};

static struct told told_of(struct making *m)
{
	const struct field *f = body_find(m->e->fields, m->e->n_fields, FIELD_EVIDENCE_FACTS);
	struct told t = {.further = f != NULL};
	struct reader r;

	if (!f)
		return t;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 6);
	reader_uint(&r, UINT8_MAX, &t.level);
	reader_uint(&r, UINT64_MAX, &t.counter);
	if (r.err)
		m->err = CS_ERR_MALFORMED;
	return t;
}

/*
 * When a leader looked is not in the entry: at most so much earlier as a job may wait. A token that ends or begins in
 * between is looked at as of then.
 */
static const uint16_t earlier_s[] = {0, 1, 2, 5, 10, 20, 40, 60};

static void verify_as_of_then(struct evidence *e, bool held, uint64_t at_ms)
{
	for (unsigned i = 0; i < sizeof earlier_s / sizeof earlier_s[0]; i++) {
		e->now_ms = at_ms - earlier_s[i] * UINT64_C(1000);
		evidence_verify(e, NULL);
		if (e->method != METHOD_OIDC || e->found.verified == held)
			break;
	}
	e->now_ms = at_ms;
}

/* Why a proof was not good is a text of the leader's libraries: others may word it otherwise. */
static void why_as_told(struct making *m, struct evidence *e)
{
	const struct field *f = body_find(m->e->fields, m->e->n_fields, FIELD_REASONS);
	struct text user = {"", 0}, admin = {"", 0};
	uint32_t n = 0;
	struct reader r;

	if (!f)
		return;
	reader_init(&r, f->value, f->value_len); /* [[for the user, for the administrator]…] */
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_array_exact(&r, 2);
	codec_text(&r, 0, LIMIT_BODY_SIZE_MAX, &user);
	codec_text(&r, 0, LIMIT_BODY_SIZE_MAX, &admin);
	if (!r.err && admin.len < sizeof e->found.why)
		snprintf(e->found.why, sizeof e->found.why, "%.*s", (int)admin.len, admin.s);
}

/* A code nobody can look at again: that it was good is the leader's word. */
static void take_word(struct evidence *e, const struct told *t)
{
	memset(&e->found, 0, sizeof e->found);
	e->found.verified = t->level > 0;
	e->found.level = (unsigned)t->level;
	e->found.counter = t->counter;
}

static int facts_of_answer(struct making *m, const struct told *t, uint64_t version)
{
	struct replaycommand *c = m->c;
	struct evidence *e = &c->evidence;
	char text[160];
	int err = decide_evidence(m->s, m->e->e.time_ms, COMMAND_ANSWER, m->principal, m->request_id, c->payload,
	                          m->w.len, e, text);

	if (err) { /* decide will say so too: there is no such challenge in the state that was recomputed. */
		e->method = 0;
		e->registers = false;
		e->credential = e->version = 0;
		memset(&e->found, 0, sizeof e->found);
	}
	/* A proof that holds may fail all the same: its token was used, or is of a person who proved themselves long
	 * ago. */
	if (e->method == METHOD_TOTP)
		take_word(e, t);
	else if (e->method)
		verify_as_of_then(e, t->level > 0, m->e->e.time_ms);
	if (!e->found.verified) {
		e->version = version;
		why_as_told(m, e);
	}
	return evidence_facts(e, c->facts, sizeof c->facts, &m->facts_len);
}

/* [challenge's index, method, credential, evidence] out of [method, credential, version, evidence]. */
void making_answer(struct making *m)
{
	struct reader r = making_open(m, FIELD_EVIDENCE, 4);
	uint64_t version = 0;
	struct told t = told_of(m);

	writer_array(&m->w, 4);
	making_add_public(m, 6);
	making_copy(m, &r);
	making_copy(m, &r);
	reader_uint(&r, UINT64_MAX, &version);
	making_copy(m, &r);
	if (reader_end(&r))
		m->err = CS_ERR_MALFORMED;
	if (!m->err && !m->w.err)
		m->err = facts_of_answer(m, &t, version);
}

/* --- credentials --- */

/* [signature], or the index of the entry that allowed it: then the request that led there. */
static void add_authority(struct making *m, const uint8_t *bytes, size_t len)
{
	const uint8_t *id = NULL;
	uint64_t index = 0;
	size_t request_len = 0;
	struct reader r;

	reader_init(&r, bytes, len);
	if (reader_peek(&r) == VALUE_ARRAY) {
		writer_raw(&m->w, bytes, len);
		return;
	}
	reader_uint(&r, UINT64_MAX, &index);
	int err = reader_end(&r) ? CS_ERR_MALFORMED : making_request(m, index, &id, &request_len);
	if (err) {
		m->err = err;
		snprintf(m->c->why, sizeof m->c->why, "entry %llu, which allowed it: %s", (unsigned long long)index,
		         err_text(err));
		return;
	}
	writer_array(&m->w, 2);
	writer_bin(&m->w, id, REQUEST_ID_SIZE);
	writer_raw(&m->w, m->c->request, request_len);
}

/* Of the form of a TOTP credential: [1, 6, 30, [[1, 80 bytes that are sealed to nobody]]]. */
static const uint8_t nobodys_totp[9 + 80] = {0x94, 0x01, 0x06, 0x1e, 0x91, 0x92, 0x01, 0xc4, 80};

/* The data, or in their place what hashes to them, or something of their form. */
static struct piece sealed_data(struct making *m, struct piece hash)
{
	struct replaycommand *c = m->c;
	struct piece found = {0}, name;
	struct text text = {"", 0};
	struct reader r;

	memcpy(c->sealed_hash.b, hash.bytes, HASH_SIZE);
	if (making_public(m, 1, &name)) {
		reader_init(&r, name.bytes, name.len);
		codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &text);
	}
	if (c->sealed && c->sealed(c->sealed_ctx, text, &c->sealed_hash, &found.bytes, &found.len))
		return found;
	c->recall.sealed = &c->sealed_hash;
	c->stands_in = true;
	return (struct piece){nobodys_totp, sizeof nobodys_totp};
}

static void facts_of_registration(struct making *m)
{
	struct replaycommand *c = m->c;
	char text[160];
	int err = decide_evidence(m->s, m->e->e.time_ms, COMMAND_CREDENTIAL_ENROL, m->principal, m->request_id,
	                          c->payload, m->w.len, &c->evidence, text);

	if (err) /* decide will say why. */
		return;
	evidence_verify(&c->evidence, NULL);
	m->err = evidence_facts(&c->evidence, c->facts, sizeof c->facts, &m->facts_len);
}

/* [name, kind, subject or nil, data, authority] out of [kind, name, data, authority]. */
void making_credential(struct making *m)
{
	struct reader r = making_open(m, FIELD_EVIDENCE, 4);
	struct piece skipped, data = {0}, authority;
	uint64_t kind = making_public_number(m, 2);

	reader_skip(&r, &skipped.bytes, &skipped.len);
	reader_skip(&r, &skipped.bytes, &skipped.len);
	reader_bin(&r, LIMIT_BODY_SIZE_MAX, &data.bytes, &data.len);
	reader_skip(&r, &authority.bytes, &authority.len);
	if (reader_end(&r) || (kind == CREDENTIAL_TOTP && data.len != HASH_SIZE)) {
		m->err = CS_ERR_MALFORMED;
		return;
	}
	if (kind == CREDENTIAL_TOTP)
		data = sealed_data(m, data);
	writer_array(&m->w, 5);
	making_add_public(m, 1);
	making_add_public(m, 2);
	making_add_field_or_nil(m, FIELD_SUBJECT);
	writer_bin(&m->w, data.bytes, data.len);
	add_authority(m, authority.bytes, authority.len);
	if (kind == CREDENTIAL_WEBAUTHN && !m->err && !m->w.err)
		facts_of_registration(m);
}

/* [name, reason, authority] */
void making_revocation(struct making *m)
{
	const struct field *f = making_field(m, FIELD_EVIDENCE);

	writer_array(&m->w, 3);
	making_add_public(m, 1);
	making_add_field(m, FIELD_TEXT);
	if (f)
		add_authority(m, f->value, f->value_len);
}
