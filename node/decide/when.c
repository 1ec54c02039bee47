/* Which rules hold for a request: what they match, and their conditions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "node/decide/cel/cel_request.h"
#include "node/decide/policy_when.h"

static void note_fault(struct evaluation *e, const struct rule *r, const struct cel_value *v)
{
	const char *why = cel_fault_text(v->kind == CEL_ERROR ? (unsigned)v->as.u : CEL_FAULT_NOT_BOOL);

	if (e->n_faults++ == 0)
		snprintf(e->fault, sizeof(e->fault), "the condition of rule %.*s failed: %s", (int)r->id.len, r->id.s,
		         why);
}

/* In a function of its own: the room for values is on the stack, and most policies need none. */
static __attribute__((noinline)) void with_conditions(struct evaluation *e, const struct policy *p,
                                                      const struct request *q, int32_t risk)
{
	struct cel_request variables = {.request = q,
	                                .signals = &e->signals,
	                                .risk = risk,
	                                .now_ms = e->now_ms,
	                                .imported = e->imported,
	                                .groups = e->parties.subject.groups,
	                                .n_groups = e->parties.has_subject ? e->parties.subject.n_groups : 0};
	struct cel_run run;

	cel_run_init(&run, &p->cel, cel_request_variable, &variables);
	for (unsigned i = 0; i < p->n_rules; i++) {
		const struct rule *r = &p->rules[i];
		if (!policy_rule_matches(p, r, q, &e->parties))
			continue;
		struct cel_value v = r->has_when ? cel_evaluate(&run, r->when) : cel_bool(true);
		if (v.kind != CEL_BOOL)
			note_fault(e, r, &v);
		else if (v.as.b)
			e->rules[e->n_rules++] = (uint8_t)i;
	}
}

void rules_that_hold(struct evaluation *e, const struct policy *p, const struct request *q, int32_t risk)
{
	e->n_rules = e->n_faults = 0;
	if (p->cel.n > 0) {
		with_conditions(e, p, q, risk);
		return;
	}
	for (unsigned i = 0; i < p->n_rules; i++)
		if (policy_rule_matches(p, &p->rules[i], q, &e->parties))
			e->rules[e->n_rules++] = (uint8_t)i;
}
