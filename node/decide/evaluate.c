/* Risk and verdict: signals weighed, rules matched, the strongest verdict wins. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/evaluate.h"

#include <assert.h>

#include "node/decide/policy_when.h"

_Static_assert(POLICY_RULES_MAX <= UINT8_MAX + 1, "rules are numbered by bytes");

void evaluation_note(struct evaluation *e, const char *user, const char *admin)
{
	assert(e->n_notes < EVALUATION_NOTES_MAX);
	e->notes[e->n_notes].user = user;
	e->notes[e->n_notes].admin = admin;
	e->n_notes++;
}

static int32_t clamp(int64_t v, int32_t max)
{
	return (int32_t)(v < -max ? -max : v > max ? max : v);
}

/* The sum of what signals add to the bias. */
static int64_t weigh_signals(struct evaluation *e, const struct policy *p)
{
	int64_t sum = p->bias;

	for (unsigned i = 0; i < e->signals.n; i++) {
		const struct signal_value *v = &e->signals.s[i];
		e->weights[i] = clamp((int64_t)p->weights[v->id] * v->value / signal_scale(v->id), SIGNAL_WEIGHT_MAX);
		sum += e->weights[i];
	}
	return sum;
}

/* And what the rules add that hold. */
static void weigh_rules(struct evaluation *e, const struct policy *p, int64_t sum)
{
	for (unsigned i = 0; i < e->n_rules; i++)
		sum += p->rules[e->rules[i]].weight;
	e->risk = clamp(sum, POLICY_RISK_MAX);
}

static unsigned by_risk(struct evaluation *e, const struct policy *p)
{
	if (e->risk >= p->deny) {
		evaluation_note(e, "The risk is too high.", "risk: at or above the threshold of deny");
		return VERDICT_DENY;
	}
	if (e->risk >= p->step_up) {
		evaluation_note(e, "Please prove that it is you.", "risk: at or above the threshold of step_up");
		return VERDICT_STEP_UP;
	}
	return VERDICT_ALLOW;
}

/* Order of strength: deny, defer, step_up, allow; the numbers of enum verdict say the same. */
static void conclude(struct evaluation *e, const struct policy *p, const struct deferral *f)
{
	bool risk = false, challenged = false;

	e->verdict = 0;
	e->challenge = p->challenge;
	for (unsigned i = 0; i < e->n_rules; i++) {
		const struct rule *r = &p->rules[e->rules[i]];
		unsigned verdict = r->verdict;
		if (verdict == VERDICT_DEFER && defer_met(f, e, e->rules[i], r))
			verdict = VERDICT_ALLOW; /* As a step_up that is met: what else is said still stands. */
		if (verdict == RULE_VERDICT_RISK)
			risk = true;
		else if (verdict > e->verdict)
			e->verdict = verdict;
		/* A rule's challenge stands in for the policy's; of several, the highest level. */
		if (r->has_challenge && (!challenged || e->challenge.level < r->challenge.level)) {
			e->challenge = r->challenge;
			challenged = true;
		}
	}
	if (risk) {
		unsigned v = by_risk(e, p);
		e->verdict = v > e->verdict ? v : e->verdict;
	}
	if (e->awaited.too_many) {
		e->verdict = VERDICT_DENY;
		evaluation_note(e, "This is not permitted.",
		                "more rules ask for approvals than one request can wait for");
	}
	if (e->verdict == 0) { /* Default deny. */
		e->verdict = VERDICT_DENY;
		evaluation_note(e, "This is not permitted.",
		                e->n_rules == 0 ? "no rule matches" : "no rule that matches gives a verdict");
	}
}

/* What a condition would have said nobody knows. */
static void heed_faults(struct evaluation *e)
{
	if (e->n_faults == 0)
		return;
	e->verdict = VERDICT_DENY;
	evaluation_note(e, "This is not permitted.", e->fault);
}

/* Whoever is disabled, or acts for whom it may not, is denied whatever rules and evidence say. */
static void heed_parties(struct evaluation *e, const struct policy *p)
{
	const char *user, *admin;

	e->parties.spoken_for = false;
	for (unsigned i = 0; i < e->n_rules; i++) {
		const struct rule *r = &p->rules[e->rules[i]];
		e->parties.spoken_for |=
		        r->verdict != 0 && r->verdict != VERDICT_DENY && policy_rule_names_delegation(p, r);
	}
	if (!parties_refuse(&e->parties, &user, &admin))
		return;
	e->verdict = VERDICT_DENY;
	evaluation_note(e, user, admin);
}

static void evaluate_as(struct evaluation *ret, const struct policy *p, const struct request *q, unsigned met,
                        const struct deferral *f)
{
	ret->n_notes = 0;
	ret->awaited = (struct awaited){0};
	ret->approved = false;
	ret->grant_used = 0;
	int64_t signals = weigh_signals(ret, p);
	rules_that_hold(ret, p, q, clamp(signals, POLICY_RISK_MAX));
	weigh_rules(ret, p, signals);
	conclude(ret, p, f);
	if (ret->verdict == VERDICT_STEP_UP && met >= ret->challenge.level) {
		ret->verdict = VERDICT_ALLOW;
		evaluation_note(ret, "", "the evidence meets the challenge's level");
	}
	heed_faults(ret);
	heed_parties(ret, p);
}

/* Of more groups than count, those that come first in the table. */
static void take_groups(struct evaluation *e)
{
	const struct person_record *p = &e->parties.subject;

	for (e->n_groups = 0; e->parties.has_subject && e->n_groups < p->n_groups && e->n_groups < SIGNAL_GROUPS_MAX;
	     e->n_groups++)
		e->groups[e->n_groups] = group_value(p->groups[e->n_groups]);
}

void evaluate_given(struct evaluation *ret, const struct policy *p, const struct request *q, unsigned met, bool waited)
{
	const struct deferral come = {.met = true};

	evaluate_as(ret, p, q, met, waited ? &come : NULL);
}

/* A grant stands in for the evidence that bought it, up to its level. */
static void use_grant(struct evaluation *e, const struct state *s, const struct grant_query *g)
{
	bool counts = e->verdict == VERDICT_STEP_UP && e->risk < s->policy->grants.revoke_risk;
	const struct standing *t = counts ? grant_level(s, g) : NULL;

	if (t == NULL || t->level < e->challenge.level)
		return;
	e->verdict = VERDICT_ALLOW;
	e->grant_used = t->index;
	evaluation_note(e, "", "a grant meets the challenge's level");
}

/* Until the key is revoked: one that was enrolled anew has another id. */
static bool counter_fell(const struct state *s, const struct past *past)
{
	return past != NULL && past->history.fell != 0 &&
	       state_credential(s, CREDENTIAL_ID_MIN + past->history.fell) != NULL;
}

void evaluate(struct evaluation *ret, const struct state *s, const struct request *q, const struct subject *u,
              const struct principal_slot *client, uint64_t event_ms, uint64_t now_ms, bool import, struct proven met,
              const struct deferred_slot *d)
{
	const struct policy *p = s->policy;
	const struct past *past = u != NULL ? subject_past(s, u) : NULL;
	const struct profile *profile = past != NULL ? &past->profile : NULL;
	struct signal_input in = {.request = q,
	                          .observation = &ret->observation,
	                          .event_ms = event_ms,
	                          .now_ms = now_ms,
	                          .client_rate = &client->rate,
	                          .rate_max = p->subject_rate,
	                          .client_rate_max = p->client_rate,
	                          .sensitive = policy_is_sensitive(p, q->action)};
	struct grant_query g = {0};
	bool standing = s->n_standing_kept > 0 && !import;
	struct deferral f = {.s = s, .d = d, .g = standing ? &g : NULL, .now_ms = now_ms};

	if (profile != NULL)
		in.rate = import ? &profile->import_rate : &profile->rate;
	ret->now_ms = now_ms;
	ret->imported = import;
	parties_look(&ret->parties, s, q);
	if (standing)
		grant_query_init(&g, q, now_ms);
	observe(&ret->observation, q);
	ret->further = p->version >= POLICY_VERSION_2;
	if (ret->further) {
		sight_take(&ret->sight, &ret->observation, q);
		take_groups(ret);
	}
	signals_derive(&ret->signals, profile, &in);
	if (ret->further)
		signals_derive_further(&ret->signals, profile, past != NULL ? &past->history : NULL,
		                       &(struct further_input){.request = q,
		                                               .observation = &ret->observation,
		                                               .sight = &ret->sight,
		                                               .world = &s->world,
		                                               .policy = &p->signals,
		                                               .groups = ret->groups,
		                                               .n_groups = ret->n_groups,
		                                               .event_ms = event_ms,
		                                               .now_ms = now_ms,
		                                               .outside_level = standing ? outside_level(s, &g) : 0,
		                                               .counter_fell = met.fell || counter_fell(s, past),
		                                               .import = import});
	evaluate_as(ret, p, q, met.level, import ? NULL : &f);
	if (standing)
		use_grant(ret, s, &g);
	if (ret->further && q->place == NULL && ret->observation.value[FEATURE_ADDRESS] != 0)
		evaluation_note(ret, "", "place: the leader had no database of addresses");
}
