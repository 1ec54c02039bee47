/* Replay's first level: each verdict again from the signals that its entry commits to, by the policy then in force. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/replayverdict.h"

#include <stdlib.h>
#include <string.h>

#include "client/tool/entryfacts.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/credential.h"

int replayverdict_open(struct replayverdict *v)
{
	memset(v, 0, sizeof *v);
	v->policy = calloc(1, sizeof *v->policy);
	return v->policy ? 0 : CS_ERR_NOMEM;
}

void replayverdict_close(struct replayverdict *v)
{
	free(v->policy);
	memset(v, 0, sizeof *v);
}

/* --- the policies in force --- */

static int follow_genesis(struct replayverdict *v, const struct entry *e)
{
	struct genesis g;
	int err = genesis_decode(&g, e->public_, e->public_len);

	if (!err)
		err = policy_load(v->policy, g.policy_compiled, g.policy_compiled_len);
	v->decisions = !err && v->policy->version != POLICY_VERSION_1;
	return err;
}

/* [hash, source, compiled, …] */
static int follow_policy(struct replayverdict *v, const struct entry *e)
{
	const uint8_t *skipped, *compiled;
	struct reader r;
	uint32_t n = 0;
	size_t len, compiled_len;

	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_skip(&r, &skipped, &len);
	reader_skip(&r, &skipped, &len);
	reader_bin(&r, POLICY_COMPILED_SIZE_MAX, &compiled, &compiled_len);
	return r.err ? r.err : policy_load(v->policy, compiled, compiled_len);
}

/* [number, …] */
static int follow_feature(struct replayverdict *v, const struct entry *e)
{
	uint64_t number = 0;
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_uint(&r, UINT8_MAX, &number);
	v->decisions |= number == FEATURE_DECISIONS;
	return r.err;
}

int replayverdict_follow(struct replayverdict *v, const struct replay_entry *e)
{
	switch (e->e.kind) {
	case ENTRY_GENESIS:
		return follow_genesis(v, &e->e);
	case ENTRY_POLICY_SET:
		return follow_policy(v, &e->e);
	case ENTRY_FEATURE:
		return follow_feature(v, &e->e);
	default:
		return 0;
	}
}

/* --- what stands behind the verdict's six elements --- */

struct said {
	uint64_t about; /* Of an answer, an approval, an end: the decision. */
	uint64_t say;   /* What was said; outcome; cause. */
	bool released;
};

static int said_of(const struct entry *e, struct said *ret)
{
	const uint8_t *skipped;
	struct reader r;
	uint32_t n = 0;
	size_t len;

	*ret = (struct said){0};
	if (e->kind != ENTRY_ANSWER && e->kind != ENTRY_APPROVAL && e->kind != ENTRY_DEFER_ENDED)
		return 0;
	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	for (unsigned i = 0; i < 6; i++)
		reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &ret->about);
	reader_uint(&r, UINT8_MAX, &ret->say);
	if (e->kind == ENTRY_APPROVAL)
		reader_bool(&r, &ret->released);
	return r.err;
}

/* --- the verdict --- */

/* The signals as the entry has them: ids that this build knows, ascending, values within their bounds. */
static int take_signals(struct replayverdict *v)
{
	struct signal_list *l = &v->evaluation.signals;

	l->n = 0;
	for (unsigned i = 0; i < v->theirs.n_signals; i++) {
		unsigned id = v->theirs.signals[i].id;
		int64_t value = v->theirs.signals[i].value;
		if (!signal_key(id) || (i && id <= v->theirs.signals[i - 1].id) || value < INT32_MIN ||
		    value > INT32_MAX)
			return CS_ERR_MALFORMED;
		l->s[l->n++] = (struct signal_value){id, (int32_t)value};
	}
	return 0;
}

static unsigned evaluate_with(struct replayverdict *v, const struct request *q, unsigned met, bool waited)
{
	evaluate_given(&v->evaluation, v->policy, q, met, waited);
	return v->evaluation.verdict;
}

/* Who changes credentials always proves it (apply_decision.c). */
static bool proves_always(const struct replayverdict *v, const struct replay_entry *e, const struct request *q)
{
	return v->decisions && e->e.kind == ENTRY_DECISION &&
	       (text_is(q->action, CREDENTIAL_ENROL_ACTION) || text_is(q->action, CREDENTIAL_REVOKE_ACTION));
}

static bool remembers_proofs(const struct policy *p)
{
	for (unsigned i = 0; i < p->n_levels; i++)
		if (p->levels[i].max_age_ms > 0)
			return true;
	return false;
}

/* What was said once for all overrules signals and policy. 0: nothing of the kind. */
static unsigned overruled(const struct replay_entry *e, const struct said *t, unsigned theirs)
{
	switch (e->e.kind) {
	case ENTRY_ANSWER:
		return t->say == ANSWER_MET ? 0 : VERDICT_DENY;
	case ENTRY_APPROVAL:
		if (t->say == SAY_REJECT)
			return VERDICT_DENY;
		if (t->say == SAY_BREAK_GLASS) /* Alone it changes nothing: the verdict stays as it was. */
			return t->released ? VERDICT_ALLOW : theirs;
		return 0;
	case ENTRY_DEFER_ENDED:
		return t->say == 1 ? 0 : VERDICT_DENY; /* 1: its time came. */
	default:
		return 0;
	}
}

/* More rules ask for approvals than one request can wait for: denied, if they all still do. */
static bool waits_for_too_many(const struct replayverdict *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < v->evaluation.n_rules; i++) {
		const struct rule *r = &v->policy->rules[v->evaluation.rules[i]];
		n += r->verdict == VERDICT_DEFER && r->defer.needed > 0;
	}
	return n > AWAITED_MAX;
}

/* A wait, a grant, a proof of lately: other entries bought them. One that says so is taken at its word, and counted. */
static unsigned with_what_was_bought(struct replayverdict *v, const struct replay_entry *e, const struct request *q,
                                     unsigned met)
{
	unsigned verdict = v->evaluation.verdict, theirs = v->theirs.verdict;
	bool granted = entryfacts_granted(e->fields, e->n_fields) && v->evaluation.risk < v->policy->grants.revoke_risk;

	if (verdict == VERDICT_DEFER && theirs == VERDICT_DENY && waits_for_too_many(v))
		return VERDICT_DENY;
	if (verdict == VERDICT_DEFER && theirs != VERDICT_DEFER && (e->e.kind != ENTRY_DECISION || granted)) {
		verdict = evaluate_with(v, q, met, true);
		v->n_waited++;
	}
	if (verdict == VERDICT_STEP_UP && theirs == VERDICT_ALLOW && granted) {
		v->n_granted++;
		return VERDICT_ALLOW;
	}
	if (verdict == VERDICT_STEP_UP && theirs == VERDICT_ALLOW && e->e.kind == ENTRY_DECISION && v->decisions &&
	    remembers_proofs(v->policy) && !proves_always(v, e, q)) {
		v->n_proven_lately++;
		return VERDICT_ALLOW;
	}
	/* An end that finds no room for its challenge. */
	if (verdict == VERDICT_STEP_UP && theirs == VERDICT_DENY && e->e.kind == ENTRY_DEFER_ENDED)
		return VERDICT_DENY;
	return verdict;
}

static int decide_again_by_signals(struct replayverdict *v, const struct replay_entry *e, const struct said *t)
{
	struct request q = policyrequest_placed(&v->asked);
	unsigned met = e->e.kind == ENTRY_ANSWER && t->say == ANSWER_MET
	                       ? entryfacts_met(v->policy, e->fields, e->n_fields)
	                       : 0;
	int err = entryfacts_parties(&v->evaluation.parties, &q, e->fields, e->n_fields);

	if (!err)
		err = take_signals(v);
	if (err)
		return err;
	v->evaluation.now_ms = e->e.time_ms;
	v->evaluation.imported = e->e.kind == ENTRY_IMPORTED;
	unsigned verdict = evaluate_with(v, &q, met, false), said = overruled(e, t, v->theirs.verdict);
	if (said)
		verdict = said;
	else if (verdict == VERDICT_ALLOW && proves_always(v, e, &q))
		verdict = VERDICT_STEP_UP;
	else
		verdict = with_what_was_bought(v, e, &q, met);
	policyresult_of_evaluation(&v->ours, &v->evaluation, v->policy);
	v->ours.verdict = verdict;
	return 0;
}

/* --- held against the entry --- */

static bool same_signals(const struct policyresult *a, const struct policyresult *b)
{
	for (unsigned i = 0; i < a->n_signals; i++)
		if (a->signals[i].weight != b->signals[i].weight)
			return false;
	return true;
}

static bool same_rules(const struct policyresult *a, const struct policyresult *b)
{
	for (unsigned i = 0; i < a->n_rules && a->n_rules == b->n_rules; i++)
		if (text_compare(a->rules[i], b->rules[i]) != 0)
			return false;
	return a->n_rules == b->n_rules;
}

static bool same_obligations(const struct policyresult *a, const struct policyresult *b)
{
	for (unsigned i = 0; i < a->n_obligations && a->n_obligations == b->n_obligations; i++)
		if (text_compare(a->obligations[i].type, b->obligations[i].type) != 0 ||
		    text_compare(a->obligations[i].id, b->obligations[i].id) != 0)
			return false;
	return a->n_obligations == b->n_obligations;
}

static const char *what_differs(const struct policyresult *ours, const struct policyresult *theirs)
{
	if (!hash_equal(&ours->policy, &theirs->policy))
		return "policy";
	if (!same_signals(ours, theirs))
		return "weight of a signal";
	if (ours->risk != theirs->risk)
		return "risk";
	if (!same_rules(ours, theirs))
		return "rules";
	if (ours->verdict != theirs->verdict)
		return "verdict";
	return same_obligations(ours, theirs) ? NULL : "obligations";
}

int replayverdict_entry(struct replayverdict *v, const struct replay_entry *e, enum replayverdict_outcome *ret)
{
	struct said t;
	int err = policyresult_of_entry(&v->theirs, &e->e, e->fields, e->n_fields);

	*ret = REPLAYVERDICT_NONE;
	v->what = NULL;
	if (err == CS_ERR_INVALID) /* A kind without a verdict. */
		return 0;
	if (!err && !entryfacts_all_there(&e->e, e->fields, e->n_fields)) {
		*ret = REPLAYVERDICT_ERASED;
		return 0;
	}
	if (!err)
		err = policyrequest_of_fields(&v->asked, e->fields, e->n_fields);
	if (!err)
		err = said_of(&e->e, &t);
	if (!err)
		err = decide_again_by_signals(v, e, &t);
	if (err)
		return err;
	v->what = what_differs(&v->ours, &v->theirs);
	*ret = v->what ? REPLAYVERDICT_DIFFERS : REPLAYVERDICT_SAME;
	return 0;
}
