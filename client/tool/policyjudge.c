/* One case played under a policy, and where what is decided is not what the case expects. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policyjudge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

static const struct text client = {"test", 4}; /* Who asks, in every case. */

/* All that a file of cases may play fits: nothing is evicted, and a case begins at once. */
static const struct state_limits limits = {.subjects_max = 4096,
                                           .principals_max = 64,
                                           .challenges_max = 4096,
                                           .requests_max = 2 * POLICYCASES_EVENTS_MAX,
                                           .requests_per_principal_max = 2 * POLICYCASES_EVENTS_MAX};

/* --- playing --- */

static void troubled(struct policyjudge *j, unsigned line, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static void troubled(struct policyjudge *j, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(j->trouble, sizeof j->trouble, format, args);
	va_end(args);
	j->trouble_line = line;
}

static bool play_answer(struct policyjudge *j, unsigned line, uint64_t now_ms, const struct request *q,
                        enum policycase_answer answer)
{
	static const enum policylab_proof proofs[] = {
	        [CASE_GOOD] = POLICYLAB_GOOD, [CASE_WRONG] = POLICYLAB_WRONG, [CASE_LATE] = POLICYLAB_LATE};
	uint64_t index = policylab_out(j->lab)->index;

	if (policylab_out(j->lab)->verdict != VERDICT_STEP_UP || answer == CASE_UNANSWERED)
		return true;
	if (policylab_answer(j->lab, now_ms, client, index, q, proofs[answer]))
		troubled(j, line, "its answer is refused: %s", policylab_text(j->lab));
	return !*j->trouble;
}

static bool play_event(struct policyjudge *j, const struct policycase_event *e)
{
	const struct request q = policyrequest_placed(&e->request);

	for (unsigned i = 0; i < e->times; i++) {
		uint64_t at_ms = e->at_ms + i * e->every_ms;
		int err = e->import ? policylab_import(j->lab, at_ms, client, &q, at_ms)
		                    : policylab_decide(j->lab, at_ms, client, &q);

		if (err) {
			troubled(j, e->line, "it is refused: %s", policylab_text(j->lab));
			return false;
		}
		if (!e->import && !play_answer(j, e->line, at_ms, &q, e->answer))
			return false;
	}
	return true;
}

static void look_at_entry(struct policyjudge *j, unsigned line)
{
	const struct decide_out *o = policylab_out(j->lab);
	struct entry e;
	unsigned n = 0;
	int err = entry_decode(&e, o->leaf, o->leaf_len);

	if (!err)
		err = body_decode(j->fields, &n, o->body, o->body_len);
	if (!err)
		err = policyresult_of_entry(&j->found, &e, j->fields, n);
	if (err)
		troubled(j, line, "its entry cannot be read: %s", err_text(err));
}

/* A ledger of the case's own, with the table of people in it. */
static int begin(const char *command, const struct policycases *f, const struct policyfile *p, struct policyjudge *j)
{
	int code = policylab_open(command, p, f->start_ms, &limits, &j->lab);

	for (unsigned i = 0; i < f->n_people && !code && !*j->trouble; i++) {
		const struct people_change c = {.action = PEOPLE_SET, .person = f->people[i].record};
		uint8_t changes[PERSON_SIZE_MAX + 16];
		struct writer w;
		size_t len = 0;
		writer_init(&w, changes, sizeof changes);
		writer_array(&w, 1);
		people_change_write(&w, &c);
		if (writer_end(&w, &len))
			troubled(j, f->people[i].line, "more than the table of people holds of one");
		else if (policylab_people(j->lab, f->start_ms, changes, len))
			troubled(j, f->people[i].line, "it is refused: %s", policylab_text(j->lab));
	}
	return code;
}

static int play_history(const char *command, const struct policycases *f, const struct policycase *k,
                        const struct policyfile *p, struct policyjudge *j)
{
	const struct request q = policyrequest_placed(&k->request);
	int code = begin(command, f, p, j);

	if (code || *j->trouble)
		return code;
	for (unsigned i = 0; i < k->n_events; i++)
		if (!play_event(j, &f->events[k->first_event + i]))
			return 0;
	if (policylab_decide(j->lab, k->at_ms, client, &q))
		troubled(j, k->line, "the request is refused: %s", policylab_text(j->lab));
	else if (play_answer(j, k->line, k->at_ms, &q, k->answer))
		look_at_entry(j, k->line);
	return 0;
}

/* Nothing is derived: what the policy makes of these signals. */
static int play_given(const char *command, const struct policycases *f, const struct policycase *k,
                      const struct policyfile *p, struct policyjudge *j)
{
	const struct request q = policyrequest_placed(&k->request);
	struct evaluation *e = &j->evaluation;

	j->policy = malloc(sizeof *j->policy);
	if (!j->policy)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	int err = policy_load(j->policy, p->compiled, p->compiled_len);
	assert(err == 0); /* It was compiled here. */
	memset(e, 0, sizeof *e);
	if (f->n_people) {
		int code = begin(command, f, p, j);
		if (code || *j->trouble)
			return code;
		parties_look(&e->parties, policylab_state(j->lab), &q);
	}
	for (unsigned i = 0; i < k->signals.n; i++)
		if (k->signals.s[i].value)
			e->signals.s[e->signals.n++] = k->signals.s[i];
	e->now_ms = k->at_ms;
	evaluate_given(e, j->policy, &q, k->met, false);
	policyresult_of_evaluation(&j->found, e, j->policy);
	return 0;
}

/* --- judging --- */

static void wrong(struct policyjudge *j, enum policycase_expect what, const char *expected, const char *found)
{
	j->wrong[j->n_wrong].what = what;
	snprintf(j->wrong[j->n_wrong].expected, POLICYJUDGE_TEXT_SIZE, "%s", expected);
	snprintf(j->wrong[j->n_wrong++].found, POLICYJUDGE_TEXT_SIZE, "%s", found);
}

/* A list for eyes; "none" if it is empty. */
struct listing {
	char text[POLICYJUDGE_TEXT_SIZE];
	size_t n;
};

static void list(struct listing *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void list(struct listing *l, const char *format, ...)
{
	char item[POLICYJUDGE_TEXT_SIZE], safe[POLICYJUDGE_TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(item, sizeof item, format, args);
	va_end(args);
	text_safe(item, strlen(item), safe, sizeof safe);
	if (l->n < sizeof l->text)
		l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s%s", l->n ? ", " : "", safe);
}

static const char *listed(const struct listing *l)
{
	return l->n ? l->text : "none";
}

static struct listing list_texts(const struct text *t, unsigned n)
{
	struct listing l = {.n = 0};

	for (unsigned i = 0; i < n; i++)
		list(&l, "%.*s", (int)t[i].len, t[i].s);
	return l;
}

static bool among(const struct text *t, unsigned n, struct text wanted)
{
	for (unsigned i = 0; i < n; i++)
		if (text_compare(t[i], wanted) == 0)
			return true;
	return false;
}

static void judge_rules(const struct policycases *f, const struct policycase *k, struct policyjudge *j,
                        enum policycase_expect what)
{
	const struct text *wanted = f->texts + k->texts[what].first;
	unsigned n = k->texts[what].n;
	bool ok = what == EXPECT_RULES_INCLUDE || n == j->found.n_rules;

	for (unsigned i = 0; i < n && ok; i++)
		ok = among(j->found.rules, j->found.n_rules, wanted[i]);
	if (ok)
		return;
	struct listing e = list_texts(wanted, n), d = list_texts(j->found.rules, j->found.n_rules);
	wrong(j, what, listed(&e), listed(&d));
}

static void judge_reasons(const struct policycases *f, const struct policycase *k, struct policyjudge *j)
{
	const struct text *wanted = f->texts + k->texts[EXPECT_REASONS].first;
	struct listing missing = {.n = 0}, all = {.n = 0};

	for (unsigned i = 0; i < k->texts[EXPECT_REASONS].n; i++) {
		bool ok = false;
		for (unsigned r = 0; r < j->found.n_reasons && !ok; r++) {
			const struct text user = j->found.reasons[r].user, admin = j->found.reasons[r].admin;
			ok = memmem(user.s, user.len, wanted[i].s, wanted[i].len) ||
			     memmem(admin.s, admin.len, wanted[i].s, wanted[i].len);
		}
		if (!ok)
			list(&missing, "\"%.*s\"", (int)wanted[i].len, wanted[i].s);
	}
	if (!missing.n)
		return;
	for (unsigned r = 0; r < j->found.n_reasons; r++) {
		const struct text user = j->found.reasons[r].user, admin = j->found.reasons[r].admin;
		struct text t = admin.len ? admin : user;
		list(&all, "\"%.*s\"", (int)t.len, t.s);
	}
	wrong(j, EXPECT_REASONS, missing.text, listed(&all));
}

static bool obligation_is(const struct obligation *o, struct text wanted)
{
	return text_compare(o->id, wanted) == 0 ||
	       (wanted.len == o->type.len + 1 + o->id.len && !memcmp(wanted.s, o->type.s, o->type.len) &&
	        wanted.s[o->type.len] == ':' && !memcmp(wanted.s + o->type.len + 1, o->id.s, o->id.len));
}

static void judge_obligations(const struct policycases *f, const struct policycase *k, struct policyjudge *j)
{
	const struct text *wanted = f->texts + k->texts[EXPECT_OBLIGATIONS].first;
	unsigned n = k->texts[EXPECT_OBLIGATIONS].n;
	bool ok = n == j->found.n_obligations;
	struct listing d = {.n = 0};

	for (unsigned i = 0; i < n && ok; i++) {
		ok = false;
		for (unsigned o = 0; o < j->found.n_obligations && !ok; o++)
			ok = obligation_is(&j->found.obligations[o], wanted[i]);
	}
	if (ok)
		return;
	for (unsigned o = 0; o < j->found.n_obligations; o++)
		list(&d, "%.*s:%.*s", (int)j->found.obligations[o].type.len, j->found.obligations[o].type.s,
		     (int)j->found.obligations[o].id.len, j->found.obligations[o].id.s);
	struct listing e = list_texts(wanted, n);
	wrong(j, EXPECT_OBLIGATIONS, listed(&e), listed(&d));
}

static void judge_signals(const struct policycase *k, struct policyjudge *j)
{
	struct listing e = {.n = 0}, d = {.n = 0};

	for (unsigned i = 0; i < k->expect_signals.n; i++) {
		const struct signal_value *v = &k->expect_signals.s[i];
		int64_t found = 0;
		for (unsigned s = 0; s < j->found.n_signals; s++)
			if (j->found.signals[s].id == v->id)
				found = j->found.signals[s].value;
		if (found == v->value)
			continue;
		list(&e, "%s %" PRId32, signal_key(v->id), v->value);
		list(&d, "%s %" PRId64, signal_key(v->id), found);
	}
	if (e.n)
		wrong(j, EXPECT_SIGNALS, e.text, d.text);
}

static void judge_challenge(const struct policycase *k, struct policyjudge *j)
{
	char e[64], d[64];

	if (k->lines[EXPECT_CHALLENGE] && text_compare(k->level, j->found.level) != 0) {
		snprintf(e, sizeof e, "%.*s", (int)k->level.len, k->level.s);
		snprintf(d, sizeof d, "%.*s", (int)j->found.level.len, j->found.level.s);
		wrong(j, EXPECT_CHALLENGE, e, j->found.has_challenge ? d : "none");
	}
	if (k->lines[EXPECT_EXPIRES] && (!j->found.has_challenge || k->expires_ms != j->found.expires_ms)) {
		snprintf(e, sizeof e, "%" PRIu64 "ms", k->expires_ms);
		snprintf(d, sizeof d, "%" PRIu64 "ms", j->found.expires_ms);
		wrong(j, EXPECT_EXPIRES, e, j->found.has_challenge ? d : "no challenge");
	}
}

static void judge_verdict(const struct policycase *k, struct policyjudge *j)
{
	char e[48], d[48];

	if (k->lines[EXPECT_VERDICT] && k->verdict != j->found.verdict)
		wrong(j, EXPECT_VERDICT, verdict_text(k->verdict), verdict_text(j->found.verdict));
	if (!k->lines[EXPECT_RISK] || (j->found.risk >= k->risk_min && j->found.risk <= k->risk_max))
		return;
	if (k->risk_min == k->risk_max)
		snprintf(e, sizeof e, "%" PRId64, k->risk_min);
	else
		snprintf(e, sizeof e, "%" PRId64 " to %" PRId64, k->risk_min, k->risk_max);
	snprintf(d, sizeof d, "%" PRId32, j->found.risk);
	wrong(j, EXPECT_RISK, e, d);
}

static void judge(const struct policycases *f, const struct policycase *k, struct policyjudge *j)
{
	judge_verdict(k, j);
	if (k->lines[EXPECT_RULES])
		judge_rules(f, k, j, EXPECT_RULES);
	if (k->lines[EXPECT_RULES_INCLUDE])
		judge_rules(f, k, j, EXPECT_RULES_INCLUDE);
	if (k->lines[EXPECT_REASONS])
		judge_reasons(f, k, j);
	judge_challenge(k, j);
	if (k->lines[EXPECT_OBLIGATIONS])
		judge_obligations(f, k, j);
	if (k->lines[EXPECT_SIGNALS])
		judge_signals(k, j);
}

int policyjudge_case(const char *command, const struct policycases *f, unsigned n, const struct policyfile *p,
                     struct policyjudge *j)
{
	const struct policycase *k = &f->cases[n];
	int code;

	memset(j, 0, sizeof *j);
	code = k->given ? play_given(command, f, k, p, j) : play_history(command, f, k, p, j);
	if (code)
		policyjudge_close(j);
	else if (!*j->trouble)
		judge(f, k, j);
	return code;
}

void policyjudge_close(struct policyjudge *j)
{
	policylab_close(j->lab);
	free(j->policy);
	j->lab = NULL;
	j->policy = NULL;
}
