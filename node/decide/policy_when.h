/* Conditions of rules (`when`): from YAML, in the compiled form, and asked of a request. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_WHEN_H
#define NODE_DECIDE_POLICY_WHEN_H

#include "node/decide/evaluate.h"
#include "node/decide/policy_yaml.h"

/* The value of `when`, into the rule *target. Errors have their place within the expression. */
int yaml_rule_when(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
void policy_write_when(struct writer *w, const struct policy *p, const struct rule *r); /* A bin, or nil. */
void policy_read_when(struct reader *r, struct policy *p, struct rule *ret);

/*
 * Fills in e->rules: those whose match and condition hold, in the policy's order. A condition that fails is one that
 * does not hold; e->n_faults counts them, e->fault has the first. risk: of signals alone.
 */
void rules_that_hold(struct evaluation *e, const struct policy *p, const struct request *q, int32_t risk);

#endif
