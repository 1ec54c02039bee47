/* Seeded random policies, of both versions: whatever their keys may say, in small numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node/decide/policy_signals.h"
#include "tests/decide_gen.h"

struct draft {
	struct gen *g;
	char *text;
	size_t len, cap;
};

static void add(struct draft *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct draft *d, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(d->text + d->len, d->cap - d->len, format, args);
	va_end(args);
	/* What does not fit makes a policy that the compiler refuses. */
	d->len = n < 0 || d->len + (size_t)n >= d->cap ? d->cap - 1 : d->len + (size_t)n;
}

static int between(struct gen *g, int least, int most)
{
	return least + (int)gen_below(g, (uint64_t)(most - least + 1));
}

static void add_weights(struct draft *d, unsigned version)
{
	unsigned last = version == 1 ? 23 : SIGNAL_OUTSIDE_1 - 1, n = (unsigned)gen_below(d->g, 8);

	if (n == 0)
		return;
	add(d, "weights:\n");
	for (unsigned id = 1 + (unsigned)gen_below(d->g, 5); id <= last && n > 0;
	     id += 1 + (unsigned)gen_below(d->g, 9), n--)
		add(d, "  %s: %d\n", signal_key(id), between(d->g, -2500, 2500));
}

static void add_signals(struct draft *d)
{
	static const char *const lines[] = {"travel_kmh: 100",     "travel_km: 0",         "rate_subject_hour: 3",
	                                    "rate_subject_day: 9", "rate_action: 5",       "rate_resource: 5",
	                                    "rarity_history: 1",   "group_history: 2",     "amount_history: 1",
	                                    "proof_recent: 1m",    "amount_deviations: 1", "session_window: 1m"};

	if (gen_below(d->g, 3) == 0)
		return;
	add(d, "signals:\n");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (gen_below(d->g, 2) == 0)
			add(d, "  %s\n", lines[i]);
	add(d, "  outside:\n    - {attribute: score, weight: %d}\n", between(d->g, -2500, 2500));
}

static void add_match(struct draft *d)
{
	static const char *const conditions[] = {
	        "subject: ada",           "subject: ['b*', '*y*']",
	        "subject_type: user",     "actor: '*'",
	        "actor_type: agent",      "action: ['deploy*', read]",
	        "action: '*e*'",          "resource: 'fraud-*'",
	        "resource_type: model",   "context: {environment: [production, staging]}",
	        "context: {amount: 100}", "context: {mfa: true, country: 'D*'}"};
	bool any = false;

	add(d, "  match: {");
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		if (gen_below(d->g, 6) != 0 || (i > 0 && !strncmp(conditions[i], conditions[i - 1], 7)))
			continue;
		add(d, "%s%s", any ? ", " : "", conditions[i]);
		any = true;
	}
	add(d, any ? "}\n" : "action: train}\n");
}

/* A wait, a grant, or neither. */
static void add_wait(struct draft *d)
{
	static const char *const scopes[] = {"*", "deploy*"}, *const binds[] = {"", "", "session", "session, device"};
	static const char *const from[] = {"a0", "'a*'", "['a1', 'a2']", "'group:desk'"};

	if (gen_below(d->g, 3) == 0)
		add(d, "  verdict: defer\n  defer: {until: %us}\n", 1 + (unsigned)gen_below(d->g, 600));
	else if (gen_below(d->g, 2) == 0) {
		add(d, "  verdict: defer\n  defer: {approvals: {needed: %d, ", between(d->g, 1, 3));
		add(d, "from: %s, ", GEN_ONE_OF(d->g, from));
		add(d, "expires: %us}}\n", 1 + (unsigned)gen_below(d->g, 3000));
	}
	if (gen_below(d->g, 3) == 0) {
		add(d, "  grant: {for: %us, ", 1 + (unsigned)gen_below(d->g, 900));
		add(d, "scope: {action: '%s', resource: '*'}, ", GEN_ONE_OF(d->g, scopes));
		add(d, "bind: [%s]}\n", GEN_ONE_OF(d->g, binds));
	}
}

static void add_standing(struct draft *d)
{
	if (gen_below(d->g, 2) == 0)
		add(d, "break_glass: {from: ['a*'], within: %us}\n", 1 + (unsigned)gen_below(d->g, 600));
	if (gen_below(d->g, 2) == 0) {
		add(d, "grants: {revoke_risk: %d, ", between(d->g, -2000, 6000));
		add(d, "revoke_outside: %s}\n", gen_below(d->g, 2) == 0 ? "MEDIUM" : "HIGH");
	}
}

static void add_rule(struct draft *d, unsigned i, unsigned version)
{
	/* Errors and long ways among them: what is missing, what overflows, strings that repeat. */
	static const char *const conditions[] = {
	        "context.amount > 1000",
	        "has(context.session) && context.session.startsWith('s1')",
	        "context.amount * 9223372036854775807 > 0 || subject.id == 'ada'",
	        "subject.id in ['ada', 'bob'] && !(action == 'read')",
	        "context.device.matches('^l[1-3]$') ? context.mfa : 1 / size(resource.id) == 0",
	        "['a', 'b', 'c'].exists(x, subject.id.contains(x)) || [1, 2, 3].all(n, n * n < 10)",
	        "string(context.amount).size() > 3",
	        "context.score % 7 == 0 && context.latitude < 0"};
	static const char *const verdicts[] = {"deny", "step_up", "step_up", "risk"};

	add(d, "- id: rule-%u\n", i);
	add_match(d);
	if (version >= 2 && gen_below(d->g, 3) == 0)
		add(d, "  when: \"%s\"\n", GEN_ONE_OF(d->g, conditions));
	add(d, "  weight: %d\n", between(d->g, -3000, 3000));
	if (version >= 2 && gen_below(d->g, 3) == 0)
		add_wait(d);
	else if (gen_below(d->g, 2) == 0)
		add(d, "  verdict: %s\n", GEN_ONE_OF(d->g, verdicts));
	if (gen_below(d->g, 4) == 0)
		add(d, "  challenge: {expires: %us}\n", 1 + (unsigned)gen_below(d->g, 600));
	if (gen_below(d->g, 4) == 0)
		add(d, "  obligations:\n  - {type: notification, id: desk}\n  - {type: custom, id: mask-%u}\n", i);
	if (gen_below(d->g, 4) == 0)
		add(d, "  reason_user: Rule %u.\n  reason_admin: rule %u matched\n", i, i);
}

void gen_policy(struct gen *g, unsigned version, char *ret, size_t cap)
{
	struct draft d = {.g = g, .text = ret, .cap = cap};
	int step_up = between(g, -3000, 3000);
	unsigned n = (unsigned)gen_below(g, gen_below(g, 8) == 0 ? 60 : 8);
	/* Most policies deny most. Under these grants come about, and stand when their end is ordered. */
	bool generous = version >= 2 && gen_below(g, 2) == 0;

	if (generous)
		n = (unsigned)gen_below(g, 2);

	add(&d, "version: %u\nname: random\nbias: %d\n", version, between(g, -4000, 2000));
	add(&d, "thresholds: {step_up: %d, deny: %d}\n", step_up, generous ? 90000 : step_up + between(g, 1, 6000));
	add(&d, "valid_for: %us\n", (unsigned)gen_below(g, 601));
	add(&d, "rates: {subject: %d, ", between(g, 1, 20));
	add(&d, "client: %d}\n", between(g, 1, 200));
	add_weights(&d, version);
	if (gen_below(g, 2) == 0)
		add(&d, "sensitive: ['deploy*', delete]\n");
	if (version >= 2) {
		add_signals(&d);
		add_standing(&d);
	}
	add(&d, "rules:\n- {id: by-risk, verdict: risk}\n");
	if (generous)
		add(&d, "- id: leased\n  match: {action: ['*e*']}\n  verdict: step_up\n"
		        "  grant: {for: 900s, scope: {action: '*', resource: '*'}, bind: []}\n");
	for (unsigned i = 0; i < n; i++)
		add_rule(&d, i, version);
}
