/* What one entry of the past becomes under another policy: from its signals as recorded, or played in the lab. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/entryfacts.h"
#include "client/tool/policyrequest.h"
#include "client/tool/policywhatif.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

/* --- decisions whose answers come later --- */

static void pending_add(struct whatif *w, uint64_t index, uint64_t lab, unsigned now)
{
	if (w->pending_end - w->pending_first == WHATIF_PENDING_MAX)
		w->pending_first++; /* The oldest is long past its time. */
	w->pending[w->pending_end++ % WHATIF_PENDING_MAX] = (struct whatif_pending){index, lab, now};
}

static const struct whatif_pending *pending_find(const struct whatif *w, uint64_t index)
{
	uint64_t low = w->pending_first, high = w->pending_end;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		const struct whatif_pending *p = &w->pending[middle % WHATIF_PENDING_MAX];
		if (p->index == index)
			return p;
		if (p->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- what an entry must have --- */

static int unreadable(const struct whatif *w, const struct entryview *v, int err)
{
	return tool_fail(err == CS_ERR_NOMEM ? EXIT_LOCAL : EXIT_REFUTED, w->command,
	                 "entry %" PRIu64 " cannot be read: %s", v->entry.index, err_text(err));
}

/* --- from the signals as recorded --- */

/* Those of then; whether the action is sensitive is the new policy's to say. Ascending, as they are recorded. */
static void take_signals(struct whatif *w)
{
	struct signal_list *l = &w->evaluation.signals;
	bool sensitive = policy_is_sensitive(w->policy, w->request.action);

	l->n = 0;
	for (unsigned i = 0; i < w->then.n_signals; i++) {
		unsigned id = w->then.signals[i].id;
		if (sensitive && id > SIGNAL_SENSITIVE_ACTION) {
			l->s[l->n++] = (struct signal_value){SIGNAL_SENSITIVE_ACTION, 1};
			sensitive = false;
		}
		if (id != SIGNAL_SENSITIVE_ACTION)
			l->s[l->n++] = (struct signal_value){id, (int32_t)w->then.signals[i].value};
	}
	if (sensitive)
		l->s[l->n++] = (struct signal_value){SIGNAL_SENSITIVE_ACTION, 1};
}

static int evaluate_recorded(struct whatif *w, const struct entryview *v)
{
	bool answer = v->entry.kind == ENTRY_ANSWER;
	int err = entryfacts_parties(&w->evaluation.parties, &w->request, v->fields, v->n_fields);

	if (err)
		return err;
	take_signals(w);
	w->evaluation.now_ms = v->entry.time_ms;
	w->evaluation.imported = v->entry.kind == ENTRY_IMPORTED;
	evaluate_given(&w->evaluation, w->policy, &w->request,
	               answer && w->then.outcome == ANSWER_MET ? entryfacts_met(w->policy, v->fields, v->n_fields) : 0,
	               false);
	policyresult_of_evaluation(&w->now, &w->evaluation, w->policy);
	if (answer && w->then.outcome != ANSWER_MET)
		w->now.verdict = VERDICT_DENY;
	if ((w->now.verdict == VERDICT_STEP_UP || w->now.verdict == VERDICT_DEFER) &&
	    entryfacts_granted(v->fields, v->n_fields)) {
		w->now.verdict = w->then.verdict;
		w->granted++;
	}
	return 0;
}

static int recorded(struct whatif *w, const struct entryview *v)
{
	static const enum tally_kind kinds[] = {
	        [ENTRY_DECISION] = TALLY_DECISION, [ENTRY_ANSWER] = TALLY_ANSWER, [ENTRY_IMPORTED] = TALLY_IMPORT};
	const struct whatif_pending *p = v->entry.kind == ENTRY_ANSWER ? pending_find(w, w->then.challenge) : NULL;

	if (p && p->now != VERDICT_STEP_UP) {
		w->unasked++;
		return 0;
	}
	int err = evaluate_recorded(w, v);
	if (err)
		return err;
	if (w->then.verdict == VERDICT_STEP_UP)
		pending_add(w, v->entry.index, 0, w->now.verdict);
	return policytally_add(&w->tally, kinds[v->entry.kind], &v->entry, &w->request, &w->then, &w->now);
}

/* --- played --- */

static int look_at_lab(struct whatif *w)
{
	const struct decide_out *o = policylab_out(w->lab);
	struct entry e;
	unsigned n = 0;
	int err = entry_decode(&e, o->leaf, o->leaf_len);

	if (!err)
		err = body_decode(w->lab_fields, &n, o->body, o->body_len);
	return err ? err : policyresult_of_entry(&w->now, &e, w->lab_fields, n);
}

/* Counted if it lies in the range; before it, it only makes history. */
static int count(struct whatif *w, enum tally_kind kind, const struct entryview *v)
{
	int err = look_at_lab(w);

	if (err || v->entry.index < w->from)
		return err;
	return policytally_add(&w->tally, kind, &v->entry, &w->request, &w->then, &w->now);
}

static int refused(struct whatif *w)
{
	if (!w->refused++)
		snprintf(w->refusal, sizeof w->refusal, "%s", policylab_text(w->lab));
	return 0;
}

static int play_decision(struct whatif *w, const struct entryview *v)
{
	struct text client = entryfacts_client(v->fields, v->n_fields, NULL);

	if (policylab_decide(w->lab, v->entry.time_ms, client, &w->request))
		return refused(w);
	int err = count(w, TALLY_DECISION, v);
	uint64_t lab = policylab_out(w->lab)->index;
	if (err || w->now.verdict != VERDICT_STEP_UP)
		return err;
	if (w->then.verdict == VERDICT_STEP_UP) {
		pending_add(w, v->entry.index, lab, w->now.verdict);
	} else if (w->then.verdict == VERDICT_ALLOW && !w->unanswered) {
		if (policylab_answer(w->lab, v->entry.time_ms, client, lab, &w->request, POLICYLAB_GOOD))
			return refused(w);
		w->assumed += v->entry.index >= w->from;
	}
	return 0;
}

static int play_answer(struct whatif *w, const struct entryview *v)
{
	static const enum policylab_proof proofs[] = {
	        [ANSWER_MET] = POLICYLAB_GOOD, [ANSWER_FAILED] = POLICYLAB_WRONG, [ANSWER_LATE] = POLICYLAB_LATE};
	const struct whatif_pending *p = pending_find(w, w->then.challenge);

	if (!p || w->then.outcome < ANSWER_MET || w->then.outcome > ANSWER_LATE) {
		w->unasked += !p && v->entry.index >= w->from;
		return 0;
	}
	if (policylab_answer(w->lab, v->entry.time_ms, entryfacts_client(v->fields, v->n_fields, NULL), p->lab,
	                     &w->request, proofs[w->then.outcome]))
		return refused(w);
	int err = count(w, TALLY_ANSWER, v);
	if (!err && w->now.verdict == VERDICT_STEP_UP)
		pending_add(w, v->entry.index, policylab_out(w->lab)->index, w->now.verdict);
	return err;
}

static int play_import(struct whatif *w, const struct entryview *v)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_SOURCE);
	const uint8_t *skipped;
	uint64_t event_ms = 0;
	struct reader r;
	size_t len;

	if (!f)
		return CS_ERR_MALFORMED;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 5);
	for (unsigned i = 0; i < 4; i++)
		reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &event_ms);
	if (reader_end(&r))
		return r.err;
	if (policylab_import(w->lab, v->entry.time_ms, entryfacts_client(v->fields, v->n_fields, NULL), &w->request,
	                     event_ms))
		return refused(w);
	return count(w, TALLY_IMPORT, v);
}

static int played(struct whatif *w, const struct entryview *v)
{
	switch (v->entry.kind) {
	case ENTRY_DECISION:
		return play_decision(w, v);
	case ENTRY_ANSWER:
		return play_answer(w, v);
	default:
		return play_import(w, v);
	}
}

/* --- each --- */

/* Kinds that tell nothing about people's requests; what remains changes what is decided later, and is not played. */
static bool of_no_account(unsigned kind)
{
	return kind == ENTRY_GENESIS || kind == ENTRY_POLICY_SET || kind == ENTRY_ENROLLED || kind == ENTRY_REMOVED ||
	       kind == ENTRY_TICK || kind == ENTRY_MEMBER || kind == ENTRY_FEATURE || kind == ENTRY_BUILD ||
	       kind == ENTRY_GOVERNANCE || kind == ENTRY_HISTORY || kind == ENTRY_READ || kind == ENTRY_STATE_DIGEST ||
	       kind == ENTRY_KEY;
}

/* What an order says of people is said in the lab, too. False: it could not be. */
static bool play_people(struct whatif *w, const struct entryview *v)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_GROUPS);

	if (v->entry.kind != ENTRY_PEOPLE)
		return false;
	if (!w->history)
		return true; /* Entries tell what the table said of theirs. */
	return f && policylab_people(w->lab, v->entry.time_ms, f->value, f->value_len) == 0;
}

static int begin_lab(struct whatif *w, const struct entryview *v)
{
	return w->history && !w->lab ? policylab_open(w->command, w->file, v->entry.time_ms, NULL, &w->lab) : 0;
}

int whatif_entry(void *ctx, const struct entryview *v, const struct cs_entry *raw)
{
	struct whatif *w = ctx;
	unsigned kind = v->entry.kind;
	int code = begin_lab(w, v), err;

	(void)raw;
	if (code)
		return code;
	if (kind != ENTRY_DECISION && kind != ENTRY_ANSWER && kind != ENTRY_IMPORTED) {
		w->unplayed += !of_no_account(kind) && !play_people(w, v);
		return 0;
	}
	if (!v->opened || !v->n_fields) {
		w->closed++;
		return 0;
	}
	if (!entryfacts_all_there(&v->entry, v->fields, v->n_fields)) {
		w->erased++;
		return 0;
	}
	err = policyresult_of_entry(&w->then, &v->entry, v->fields, v->n_fields);
	if (!err)
		err = policyrequest_of_fields(&w->asked, v->fields, v->n_fields);
	if (err)
		return unreadable(w, v, err);
	w->request = policyrequest_placed(&w->asked);
	err = w->history ? played(w, v) : recorded(w, v);
	return err ? unreadable(w, v, err) : 0;
}
