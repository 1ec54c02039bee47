/* The compiled form of a policy: written, taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/decide.h"
#include "node/decide/policy_form.h"
#include "node/decide/policy_levels.h"
#include "node/decide/policy_verdicts.h"
#include "node/decide/policy_when.h"

#define RULE_ELEMENTS       9
#define RULE_ELEMENTS_2     11
#define POLICY_ELEMENTS     12
#define POLICY_ELEMENTS_2   16
#define OBLIGATION_SIZE_MAX 64

/* --- writing --- */

void policy_write_value(struct writer *w, const struct policy_value *v)
{
	if (v->type == VALUE_STR)
		codec_write_text(w, v->str);
	else if (v->type == VALUE_BOOL)
		writer_bool(w, v->integer != 0);
	else
		writer_int(w, v->integer);
}

void policy_write_values(struct writer *w, const struct policy *p, struct span s)
{
	writer_array(w, s.n);
	for (unsigned i = s.first; i < (unsigned)s.first + s.n; i++)
		policy_write_value(w, &p->values[i]);
}

static void write_challenge(struct writer *w, const struct policy_challenge *c)
{
	writer_array(w, 3);
	writer_uint(w, c->level);
	methods_write(w, c->methods);
	writer_uint(w, c->expiry_ms);
}

void policy_write_obligation(struct writer *w, const struct policy *p, const struct obligation *o)
{
	if (p->version == POLICY_VERSION_1) {
		codec_write_pair(w, o->type, o->id);
		return;
	}
	writer_array(w, 3);
	codec_write_text(w, o->type);
	codec_write_text(w, o->id);
	policy_write_properties(w, p, o);
}

static void write_rule(struct writer *w, const struct policy *p, const struct rule *r)
{
	writer_array(w, p->version == POLICY_VERSION_1 ? RULE_ELEMENTS : RULE_ELEMENTS_2);
	codec_write_text(w, r->id);
	writer_array(w, r->conditions.n);
	for (unsigned i = r->conditions.first; i < (unsigned)r->conditions.first + r->conditions.n; i++) {
		const struct condition *c = &p->conditions[i];
		writer_array(w, 3);
		writer_uint(w, c->target);
		if (c->target == MATCH_CONTEXT)
			codec_write_text(w, c->name);
		else
			writer_nil(w);
		policy_write_values(w, p, c->values);
	}
	policy_write_when(w, p, r);
	writer_int(w, r->weight);
	writer_uint(w, r->verdict);
	if (r->has_challenge)
		write_challenge(w, &r->challenge);
	else
		writer_nil(w);
	writer_array(w, r->obligations.n);
	for (unsigned i = r->obligations.first; i < (unsigned)r->obligations.first + r->obligations.n; i++)
		policy_write_obligation(w, p, &p->obligations[i]);
	codec_write_text(w, r->reason_user);
	codec_write_text(w, r->reason_admin);
	if (p->version == POLICY_VERSION_1)
		return;
	policy_write_defer(w, p, r);
	policy_write_grant(w, p, r);
}

/* Of version 2, after the rules: each nil where the policy says nothing of it. */
static void write_sections(struct writer *w, const struct policy *p)
{
	signal_policy_write(w, &p->signals, p->weights);
	policy_levels_write(w, p);
	policy_write_approvals(w, p);
	policy_write_grants(w, p);
}

int policy_encode(const struct policy *p, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap < POLICY_COMPILED_SIZE_MAX ? cap : POLICY_COMPILED_SIZE_MAX);
	writer_array(&w, p->version == POLICY_VERSION_1 ? POLICY_ELEMENTS : POLICY_ELEMENTS_2);
	writer_uint(&w, p->version);
	codec_write_text(&w, p->name);
	writer_int(&w, p->bias);
	writer_int(&w, p->step_up);
	writer_int(&w, p->deny);
	writer_uint(&w, p->valid_for_ms);
	writer_uint(&w, p->subject_rate);
	writer_uint(&w, p->client_rate);
	writer_array(&w, POLICY_SIGNALS_1);
	for (unsigned id = 1; id <= POLICY_SIGNALS_1; id++)
		writer_int(&w, p->weights[id]);
	policy_write_values(&w, p, p->sensitive);
	write_challenge(&w, &p->challenge);
	writer_array(&w, p->n_rules);
	for (unsigned i = 0; i < p->n_rules; i++)
		write_rule(&w, p, &p->rules[i]);
	if (p->version != POLICY_VERSION_1)
		write_sections(&w, p);
	return writer_end(&w, ret_len);
}

/* --- taking apart --- */

static void malformed(struct reader *r)
{
	if (r->err == 0)
		r->err = CS_ERR_MALFORMED;
}

static int32_t read_int(struct reader *r, int32_t max)
{
	int64_t v = 0;

	reader_int(r, &v);
	if (v < -max || v > max)
		malformed(r);
	return (int32_t)v;
}

/* Room for n more of what an array of cap has used so far; enlarges used. */
static struct span claim(struct reader *r, unsigned *used, unsigned cap, uint32_t n)
{
	struct span s = {(uint16_t)*used, (uint16_t)n};

	if (n > cap - *used) {
		if (r->err == 0)
			r->err = CS_ERR_TOO_LARGE;
		return (struct span){0};
	}
	*used += n;
	return s;
}

static void read_value(struct reader *r, struct policy_value *v)
{
	bool b = false;

	v->type = reader_peek(r);
	switch (v->type) {
	case VALUE_STR:
		codec_text(r, 0, REQUEST_STR_SIZE_MAX, &v->str);
		break;
	case VALUE_INT:
		reader_int(r, &v->integer);
		break;
	case VALUE_BOOL:
		reader_bool(r, &b);
		v->integer = b;
		break;
	default:
		malformed(r);
	}
}

struct span policy_read_values(struct reader *r, struct policy *p)
{
	uint32_t n = 0;

	reader_array(r, POLICY_VALUES_MAX, &n);
	struct span s = claim(r, &p->n_values, POLICY_VALUES_MAX, n);
	for (unsigned i = 0; i < s.n && r->err == 0; i++)
		read_value(r, &p->values[s.first + i]);
	return s;
}

static void read_challenge(struct reader *r, unsigned version, struct policy_challenge *ret)
{
	uint64_t level = 0;

	reader_array_exact(r, 3);
	reader_uint(r, UINT8_MAX, &level);
	if (level < LEVEL_POSSESSION || level > LEVEL_ATTESTED)
		malformed(r);
	ret->level = (unsigned)level;
	methods_read(r, &ret->methods);
	if (version == POLICY_VERSION_1 && ret->methods != METHOD_ED25519)
		malformed(r);
	reader_uint(r, POLICY_CHALLENGE_MS_MAX, &ret->expiry_ms);
	if (ret->expiry_ms < POLICY_CHALLENGE_MS_MIN)
		malformed(r);
}

static void read_condition(struct reader *r, struct policy *p, struct condition *ret)
{
	uint64_t target = 0;

	reader_array_exact(r, 3);
	reader_uint(r, p->version == POLICY_VERSION_1 ? MATCH_LAST_1 : MATCH_LAST_2, &target);
	ret->target = (unsigned)target;
	if (target == MATCH_CONTEXT)
		codec_text(r, 1, REQUEST_STR_SIZE_MAX, &ret->name);
	else if (target == 0 || !reader_nil(r))
		malformed(r);
	ret->values = policy_read_values(r, p);
}

static void read_rule(struct reader *r, struct policy *p, struct rule *ret)
{
	uint32_t n = 0;
	uint64_t verdict = 0;

	reader_array_exact(r, p->version == POLICY_VERSION_1 ? RULE_ELEMENTS : RULE_ELEMENTS_2);
	codec_text(r, 1, POLICY_NAME_SIZE_MAX, &ret->id);
	reader_array(r, POLICY_CONDITIONS_MAX, &n);
	ret->conditions = claim(r, &p->n_conditions, POLICY_CONDITIONS_MAX, n);
	for (unsigned i = 0; i < ret->conditions.n && r->err == 0; i++)
		read_condition(r, p, &p->conditions[ret->conditions.first + i]);
	policy_read_when(r, p, ret);
	ret->weight = read_int(r, POLICY_RISK_MAX);
	reader_uint(r, RULE_VERDICT_RISK, &verdict);
	if (verdict == VERDICT_DEFER && p->version == POLICY_VERSION_1)
		malformed(r);
	ret->verdict = (unsigned)verdict;
	ret->has_challenge = !reader_nil(r);
	if (ret->has_challenge)
		read_challenge(r, p->version, &ret->challenge);
	reader_array(r, POLICY_OBLIGATIONS_MAX, &n);
	ret->obligations = claim(r, &p->n_obligations, POLICY_OBLIGATIONS_MAX, n);
	for (unsigned i = 0; i < ret->obligations.n && r->err == 0; i++) {
		struct obligation *o = &p->obligations[ret->obligations.first + i];
		reader_array_exact(r, p->version == POLICY_VERSION_1 ? 2 : 3);
		codec_text(r, 1, OBLIGATION_SIZE_MAX, &o->type);
		codec_text(r, 0, OBLIGATION_SIZE_MAX, &o->id);
		if (p->version != POLICY_VERSION_1)
			policy_read_properties(r, p, o);
	}
	codec_text(r, 0, POLICY_TEXT_SIZE_MAX, &ret->reason_user);
	codec_text(r, 0, POLICY_TEXT_SIZE_MAX, &ret->reason_admin);
	if (p->version == POLICY_VERSION_1)
		return;
	policy_read_defer(r, p, ret);
	policy_read_grant(r, p, ret);
}

static void read_rules(struct reader *r, struct policy *p)
{
	uint32_t n = 0;

	reader_array(r, POLICY_RULES_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++)
		read_rule(r, p, &p->rules[i]);
	p->n_rules = n;
}

static void read_sections(struct reader *r, struct policy *p)
{
	signal_policy_read(r, &p->signals, p->weights);
	policy_levels_read(r, p);
	policy_read_approvals(r, p);
	policy_read_grants(r, p);
}

static unsigned read_version(struct reader *r)
{
	uint32_t n = 0;
	uint64_t version = 0;

	reader_array(r, POLICY_ELEMENTS_2, &n);
	reader_uint(r, POLICY_VERSION_2, &version);
	if (version == 0 || n != (version == POLICY_VERSION_1 ? POLICY_ELEMENTS : POLICY_ELEMENTS_2))
		malformed(r);
	return (unsigned)version;
}

unsigned policy_version(const void *compiled, size_t len)
{
	struct reader r;

	reader_init(&r, compiled, len);
	unsigned version = read_version(&r);
	return r.err == 0 ? version : 0;
}

static void read_head(struct reader *r, struct policy *p)
{
	uint64_t subject_rate = 0, client_rate = 0;

	p->version = read_version(r);
	codec_text(r, 0, POLICY_NAME_SIZE_MAX, &p->name);
	p->bias = read_int(r, POLICY_RISK_MAX);
	p->step_up = read_int(r, POLICY_RISK_MAX);
	p->deny = read_int(r, POLICY_RISK_MAX);
	if (p->step_up >= p->deny)
		malformed(r);
	reader_uint(r, POLICY_VALID_FOR_MS_MAX, &p->valid_for_ms);
	reader_uint(r, POLICY_RATE_MAX, &subject_rate);
	reader_uint(r, POLICY_RATE_MAX, &client_rate);
	if (subject_rate == 0 || client_rate == 0)
		malformed(r);
	p->subject_rate = (uint32_t)subject_rate;
	p->client_rate = (uint32_t)client_rate;
	reader_array_exact(r, POLICY_SIGNALS_1);
	for (unsigned id = 1; id <= POLICY_SIGNALS_1; id++)
		p->weights[id] = read_int(r, SIGNAL_WEIGHT_MAX);
}

int policy_sizes(size_t source_len, const void *compiled, size_t compiled_len)
{
	size_t larger = source_len > compiled_len ? source_len : compiled_len;

	if (policy_version(compiled, compiled_len) != POLICY_VERSION_2)
		return larger > POLICY_SIZE_MAX_1 ? CS_ERR_TOO_LARGE : 0;
	return source_len > POLICY_SOURCE_SIZE_MAX || compiled_len > POLICY_COMPILED_SIZE_MAX ||
	                       source_len + compiled_len > POLICY_BOTH_SIZE_MAX
	               ? CS_ERR_TOO_LARGE
	               : 0;
}

int policy_load(struct policy *ret, const void *compiled, size_t len)
{
	struct reader r;

	if (policy_sizes(0, compiled, len) != 0)
		return CS_ERR_TOO_LARGE;
	memset(ret, 0, sizeof(*ret));
	ret->grants.revoke_risk = INT32_MAX; /* Version 1 grants nothing. */
	if (len > 0)
		memcpy(ret->bytes, compiled, len);
	ret->len = len;
	hash_bytes(&ret->hash, ret->bytes, len);
	reader_init(&r, ret->bytes, len);
	read_head(&r, ret);
	ret->sensitive = policy_read_values(&r, ret);
	read_challenge(&r, ret->version, &ret->challenge);
	read_rules(&r, ret);
	if (ret->version == POLICY_VERSION_2)
		read_sections(&r, ret);
	return reader_end(&r);
}
