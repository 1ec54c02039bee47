/* Verdicts that wait, grants, break-glass and obligations' properties, from a policy's YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/codec.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/policy_yaml.h"

/* --- defer --- */

static int patterns(struct compile *c, struct fy_node *key, struct fy_node *value, unsigned max, struct span *ret)
{
	int err = yaml_values(c, key, value, false, ret);

	return err == 0 && ret->n > max ? yaml_fail(c, key, "too many names: at most %u", max) : err;
}

static int defer_until(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_duration(c, key, value, POLICY_WAIT_MS_MIN, POLICY_WAIT_MS_MAX,
	                     &((struct rule_defer *)target)->until_ms);
}

static int approvals_needed(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v = 0;
	int err = yaml_int(c, key, value, 1, POLICY_APPROVALS_MAX, &v);

	((struct rule_defer *)target)->needed = (unsigned)v;
	return err;
}

static int approvals_from(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return patterns(c, key, value, POLICY_APPROVERS_MAX, &((struct rule_defer *)target)->from);
}

static int approvals_expires(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_duration(c, key, value, POLICY_WAIT_MS_MIN, POLICY_WAIT_MS_MAX,
	                     &((struct rule_defer *)target)->expires_ms);
}

static int defer_approvals(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"needed", approvals_needed, YAML_REQUIRED},
	                                       {"from", approvals_from, YAML_REQUIRED},
	                                       {"expires", approvals_expires, 0},
	                                       {NULL, NULL, 0}};

	((struct rule_defer *)target)->expires_ms = POLICY_APPROVALS_EXPIRY_MS;
	return yaml_mapping(c, key, value, keys, target);
}

int yaml_rule_defer(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
	        {"until", defer_until, 0}, {"approvals", defer_approvals, 0}, {NULL, NULL, 0}};
	struct rule *r = target;
	int err = yaml_mapping(c, key, value, keys, &r->defer);

	if (err == 0 && (r->defer.until_ms > 0) == (r->defer.needed > 0))
		return yaml_fail(c, key, "either until or approvals is wanted here");
	return err;
}

/* --- grants --- */

static int grant_for(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_duration(c, key, value, POLICY_WAIT_MS_MIN, POLICY_GRANT_MS_MAX,
	                     &((struct rule_grant *)target)->for_ms);
}

static int scope_action(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_values(c, key, value, false, &((struct rule_grant *)target)->actions);
}

static int scope_resource(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_values(c, key, value, false, &((struct rule_grant *)target)->resources);
}

static int grant_scope(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
	        {"action", scope_action, YAML_REQUIRED}, {"resource", scope_resource, YAML_REQUIRED}, {NULL, NULL, 0}};

	return yaml_mapping(c, key, value, keys, target);
}

static int add_bind(struct compile *c, struct fy_node *key, struct fy_node *item, struct rule_grant *g)
{
	struct text t;
	int err = yaml_text(c, key, item, 1, 16, &t);

	if (err != 0)
		return err;
	if (text_is(t, "session"))
		g->session = true;
	else if (text_is(t, "device"))
		g->device = true;
	else
		return yaml_fail(c, item, "unknown: a grant is bound to session, device, or both");
	return 0;
}

static int grant_bind(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct rule_grant *g = target;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	g->session = g->device = false;
	if (value == NULL || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (err == 0 && (item = fy_node_sequence_iterate(value, &i)) != NULL)
		err = add_bind(c, key, item, g);
	return err;
}

int yaml_rule_grant(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"for", grant_for, YAML_REQUIRED},
	                                       {"scope", grant_scope, YAML_REQUIRED},
	                                       {"bind", grant_bind, 0},
	                                       {NULL, NULL, 0}};
	struct rule_grant *g = &((struct rule *)target)->grant;

	g->set = g->session = g->device = true; /* Bound to both unless the policy says otherwise. */
	return yaml_mapping(c, key, value, keys, g);
}

static int revoke_risk(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v = 0;
	int err = yaml_int(c, key, value, -POLICY_RISK_MAX, POLICY_RISK_MAX, &v);

	((struct policy *)target)->grants.revoke_risk = (int32_t)v;
	((struct policy *)target)->grants.revoke_risk_given = true;
	return err;
}

static int revoke_outside(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct text t;
	int err = yaml_text(c, key, value, 1, 16, &t);
	unsigned level = err == 0 ? outside_level_parse(t) : 0;

	if (err == 0 && level < OUTSIDE_MEDIUM)
		return yaml_fail(c, value, "unknown level: MEDIUM or HIGH");
	((struct policy *)target)->grants.revoke_outside = level;
	return err;
}

int yaml_top_grants(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
	        {"revoke_risk", revoke_risk, 0}, {"revoke_outside", revoke_outside, 0}, {NULL, NULL, 0}};

	return yaml_mapping(c, key, value, keys, target);
}

/* --- break-glass --- */

static int glass_from(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return patterns(c, key, value, POLICY_APPROVERS_MAX, &((struct policy *)target)->break_glass.from);
}

static int glass_within(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_duration(c, key, value, POLICY_WAIT_MS_MIN, POLICY_WAIT_MS_MAX,
	                     &((struct policy *)target)->break_glass.within_ms);
}

int yaml_top_break_glass(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
	        {"from", glass_from, YAML_REQUIRED}, {"within", glass_within, 0}, {NULL, NULL, 0}};

	((struct policy *)target)->break_glass.within_ms = POLICY_BREAK_GLASS_MS;
	return yaml_mapping(c, key, value, keys, target);
}

/* --- obligations --- */

static bool has_property(const struct policy *p, const struct obligation *o, struct text name)
{
	for (unsigned i = 0; i + 1 < o->properties.n; i += 2)
		if (text_compare(p->values[o->properties.first + i].str, name) == 0)
			return true;
	return false;
}

static int add_property(struct compile *c, struct fy_node *key, struct fy_node_pair *pair, struct obligation *o)
{
	struct span name = {0}, value = {0};
	int err = yaml_values(c, key, fy_node_pair_key(pair), false, &name);

	if (err != 0)
		return err;
	if (has_property(c->p, o, c->p->values[name.first].str))
		return yaml_fail(c, fy_node_pair_key(pair), "this property is there twice");
	if (o->properties.n == 2 * POLICY_PROPERTIES_MAX)
		return yaml_fail(c, key, "too many properties: at most %u", POLICY_PROPERTIES_MAX);
	err = yaml_values(c, fy_node_pair_key(pair), fy_node_pair_value(pair), true, &value);
	if (err == 0 && value.n != 1)
		return yaml_fail(c, fy_node_pair_key(pair), "one value is wanted here");
	o->properties.n = (uint16_t)(o->properties.n + 2);
	return err;
}

int yaml_obligation_properties(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct obligation *o = target;
	struct fy_node_pair *pair;
	void *i = NULL;
	int err = 0;

	if (value == NULL || !fy_node_is_mapping(value))
		return yaml_fail(c, key, "a mapping (name: value) is wanted here");
	o->properties.first = (uint16_t)c->p->n_values;
	while (err == 0 && (pair = fy_node_mapping_iterate(value, &i)) != NULL)
		err = add_property(c, key, pair, o);
	return err;
}

int yaml_obligation_check(struct compile *c, struct fy_node *at, const struct obligation *o)
{
	static const struct text acr = {"acr_value", 9};

	if (text_is(o->type, "step-up") && !has_property(c->p, o, acr))
		return yaml_fail(c, at, "the obligation step-up needs the property acr_value");
	return 0;
}
