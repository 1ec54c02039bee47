/* What was decided and why, out of an entry with its opened fields, or out of an evaluation that made none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policyresult.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

/* --- out of an entry --- */

static bool tells_verdict(unsigned kind)
{
	return kind == ENTRY_DECISION || kind == ENTRY_IMPORTED || kind == ENTRY_ANSWER || kind == ENTRY_APPROVAL ||
	       kind == ENTRY_DEFER_ENDED;
}

static void read_rules(struct reader *r, struct policyresult *ret)
{
	uint32_t n = 0;

	reader_array(r, POLICY_RULES_MAX, &n);
	for (uint32_t i = 0; i < n && !r->err; i++)
		codec_text(r, 1, POLICY_NAME_SIZE_MAX, &ret->rules[i]);
	ret->n_rules = n;
}

static void read_obligations(struct reader *r, struct policyresult *ret)
{
	uint32_t n = 0;

	reader_array(r, POLICY_OBLIGATIONS_MAX, &n);
	for (uint32_t i = 0; i < n && !r->err; i++) {
		uint32_t parts = 0;
		const uint8_t *more;
		size_t len;
		reader_array(r, LIMIT_MSGPACK_NODES_MAX, &parts);
		if (parts < 2 && !r->err)
			r->err = CS_ERR_MALFORMED;
		codec_text(r, 0, REQUEST_STR_SIZE_MAX, &ret->obligations[i].type);
		codec_text(r, 0, REQUEST_STR_SIZE_MAX, &ret->obligations[i].id);
		for (uint32_t k = 2; k < parts && !r->err; k++)
			reader_skip(r, &more, &len);
	}
	ret->n_obligations = n;
}

/* [verdict, risk, policy hash, [rule…], digest, [obligation…]], of an answer [challenge's index, outcome] behind. */
static int read_public(struct policyresult *ret, const struct entry *e)
{
	const uint8_t *skipped;
	uint64_t verdict = 0, outcome = 0;
	int64_t risk = 0;
	uint32_t n = 0, told = 6;
	struct reader r;
	size_t len;

	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_uint(&r, VERDICT_DENY, &verdict);
	reader_int(&r, &risk);
	reader_bin_exact(&r, ret->policy.b, HASH_SIZE);
	read_rules(&r, ret);
	reader_skip(&r, &skipped, &len);
	read_obligations(&r, ret);
	if (e->kind == ENTRY_ANSWER) {
		reader_uint(&r, UINT64_MAX, &ret->challenge);
		reader_uint(&r, UINT8_MAX, &outcome);
		told += 2;
	}
	for (uint32_t i = told; i < n && !r.err; i++) /* A later build's. */
		reader_skip(&r, &skipped, &len);
	if (!r.err && (risk < INT32_MIN || risk > INT32_MAX))
		return CS_ERR_MALFORMED;
	ret->verdict = (unsigned)verdict;
	ret->risk = (int32_t)risk;
	ret->outcome = (unsigned)outcome;
	return reader_end(&r);
}

static int read_signals(struct policyresult *ret, const struct field *f)
{
	struct reader r;
	uint32_t n = 0;

	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, SIGNAL_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err; i++) {
		uint64_t id = 0;
		reader_array_exact(&r, 3);
		reader_uint(&r, SIGNAL_MAX, &id);
		reader_int(&r, &ret->signals[i].value);
		reader_int(&r, &ret->signals[i].weight);
		ret->signals[i].id = (unsigned)id;
	}
	ret->n_signals = n;
	ret->signals_opened = true;
	return reader_end(&r);
}

static int read_reasons(struct policyresult *ret, const struct field *f)
{
	struct reader r;
	uint32_t n = 0;

	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, POLICYRESULT_REASONS_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err; i++) {
		reader_array_exact(&r, 2);
		codec_text(&r, 0, LIMIT_BODY_SIZE_MAX, &ret->reasons[i].user);
		codec_text(&r, 0, LIMIT_BODY_SIZE_MAX, &ret->reasons[i].admin);
	}
	ret->n_reasons = n;
	return reader_end(&r);
}

/* [nonce, expiry ms, level, [method…]], and what later builds put behind. */
static int read_challenge(struct policyresult *ret, const struct field *f, uint64_t time_ms)
{
	const uint8_t *skipped;
	uint64_t expiry_ms = 0;
	uint32_t n = 0;
	struct reader r;
	size_t len;

	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &expiry_ms);
	codec_text(&r, 0, REQUEST_STR_SIZE_MAX, &ret->level);
	for (uint32_t i = 3; i < n && !r.err; i++)
		reader_skip(&r, &skipped, &len);
	ret->has_challenge = true;
	ret->expires_ms = expiry_ms > time_ms ? expiry_ms - time_ms : 0;
	return reader_end(&r);
}

int policyresult_of_entry(struct policyresult *ret, const struct entry *e, const struct field *fields, unsigned n)
{
	int err;

	if (!tells_verdict(e->kind))
		return CS_ERR_INVALID;
	memset(ret, 0, sizeof *ret);
	err = read_public(ret, e);
	if (!err)
		err = read_signals(ret, body_find(fields, n, FIELD_SIGNALS));
	if (!err)
		err = read_reasons(ret, body_find(fields, n, FIELD_REASONS));
	return err ? err : read_challenge(ret, body_find(fields, n, FIELD_CHALLENGE), e->time_ms);
}

/* --- out of an evaluation: the same in the same order as an entry would tell it --- */

static struct text text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void add_reason(struct policyresult *ret, struct text user, struct text admin)
{
	ret->reasons[ret->n_reasons].user = user;
	ret->reasons[ret->n_reasons++].admin = admin;
}

static void take_rules(struct policyresult *ret, const struct evaluation *e, const struct policy *p)
{
	for (unsigned i = 0; i < e->n_rules; i++) {
		const struct rule *r = &p->rules[e->rules[i]];
		ret->rules[i] = r->id;
		if (r->reason_user.len || r->reason_admin.len)
			add_reason(ret, r->reason_user, r->reason_admin);
		for (unsigned k = 0; k < r->obligations.n; k++)
			ret->obligations[ret->n_obligations++] = p->obligations[r->obligations.first + k];
	}
	ret->n_rules = e->n_rules;
}

void policyresult_of_evaluation(struct policyresult *ret, const struct evaluation *e, const struct policy *p)
{
	memset(ret, 0, sizeof *ret);
	ret->verdict = e->verdict;
	ret->risk = e->risk;
	ret->policy = p->hash;
	for (unsigned i = 0; i < e->n_notes; i++)
		add_reason(ret, text_of(e->notes[i].user), text_of(e->notes[i].admin));
	take_rules(ret, e, p);
	for (unsigned i = 0; i < e->signals.n; i++) {
		unsigned id = e->signals.s[i].id;
		ret->signals[i].id = id;
		ret->signals[i].value = e->signals.s[i].value;
		ret->signals[i].weight = e->weights[i];
		add_reason(ret, text_of(signal_reason_user(id)), text_of(signal_reason_admin(id)));
	}
	ret->n_signals = e->signals.n;
	ret->signals_opened = true;
	if (e->verdict == VERDICT_STEP_UP) {
		ret->has_challenge = true;
		ret->level = text_of(level_text(e->challenge.level));
		ret->expires_ms = e->challenge.expiry_ms;
	}
}
