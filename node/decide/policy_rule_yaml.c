/* Rules of a policy, from YAML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/codec.h"
#include "node/decide/decide.h"
#include "node/decide/policy_check.h"
#include "node/decide/policy_levels.h"
#include "node/decide/policy_when.h"
#include "node/decide/policy_yaml.h"

/* --- challenges --- */

static int read_level(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policy_challenge *ch = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 32, &t);

	if (err != 0)
		return err;
	ch->level = level_parse(t);
	if (ch->level == 0)
		return yaml_fail(c, value, "unknown level: possession, user_verified or attested");
	return 0;
}

static int add_method(struct compile *c, struct fy_node *key, struct fy_node *value, unsigned *methods)
{
	struct text t;
	int err = yaml_text(c, key, value, 1, 32, &t);
	unsigned bit = err == 0 ? method_parse(t) : 0;

	if (err == 0 && c->p->version == POLICY_VERSION_1 && bit != METHOD_ED25519)
		return yaml_fail(c, value, "unknown method: version 1 of policies knows ed25519");
	if (err == 0 && bit == 0)
		return yaml_fail(c, value, "unknown method: ed25519, webauthn, totp or oidc");
	*methods |= bit;
	return err;
}

int yaml_methods(struct compile *c, struct fy_node *key, struct fy_node *value, unsigned *ret)
{
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	*ret = 0;
	if (value == NULL || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (err == 0 && (item = fy_node_sequence_iterate(value, &i)) != NULL)
		err = add_method(c, key, item, ret);
	if (err == 0 && *ret == 0)
		return yaml_fail(c, key, "at least one method is needed");
	return err;
}

unsigned yaml_methods_default(const struct compile *c)
{
	return c->p->version == POLICY_VERSION_1 ? METHOD_ED25519 : METHODS_ALL;
}

static int read_methods(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_methods(c, key, value, &((struct policy_challenge *)target)->methods);
}

static int read_expires(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policy_challenge *ch = target;

	return yaml_duration(c, key, value, POLICY_CHALLENGE_MS_MIN, POLICY_CHALLENGE_MS_MAX, &ch->expiry_ms);
}

int yaml_challenge(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"level", read_level, 0},
	                                       {"methods", read_methods, 0},
	                                       {"expires", read_expires, 0},
	                                       {"acr", yaml_acr, YAML_VERSION2},
	                                       {NULL, NULL, 0}};
	struct policy_challenge *ch = target;
	int err = yaml_mapping(c, key, value, keys, ch);

	if (err != 0)
		return err;
	if (methods_reach(ch->methods, ch->level))
		return 0;
	return yaml_fail(c, key, "no method named here reaches the level \"%s\": it could never be answered",
	                 level_text(ch->level));
}

/* --- rules --- */

static int add_condition(struct compile *c, struct fy_node *key, struct fy_node *value, unsigned target,
                         struct text name)
{
	struct condition *k = &c->p->conditions[c->p->n_conditions];

	if (c->p->n_conditions == POLICY_CONDITIONS_MAX)
		return yaml_fail(c, key, "too many conditions: at most %u in a policy", POLICY_CONDITIONS_MAX);
	*k = (struct condition){.target = target, .name = name};
	c->p->n_conditions++;
	return yaml_values(c, key, value, target == MATCH_CONTEXT, &k->values);
}

static int match_key(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct text name = {0};

	(void)target;
	name.s = fy_node_get_scalar(key, &name.len);
#define MATCH_TRY(m, number, key_text)                                                                                 \
	if (text_is(name, key_text))                                                                                   \
		return add_condition(c, key, value, m, (struct text){0});
	MATCH_LIST(MATCH_TRY)
#undef MATCH_TRY
	return yaml_fail(c, key, "unknown key");
}

/* There are four words: what fits none of them is a slip. */
static int match_delegation(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	const struct condition *k = &c->p->conditions[c->p->n_conditions];
	int err = match_key(c, key, value, target);

	for (unsigned i = 0; err == 0 && i < k->values.n; i++) {
		const struct policy_value *v = &c->p->values[k->values.first + i];
		bool fits = false;
		for (unsigned d = DELEGATION_NONE; d <= DELEGATION_REFUSED; d++) {
			const char *word = delegation_text(d);
			fits |= v->type == VALUE_STR && glob_match(v->str, (struct text){word, strlen(word)});
		}
		if (!fits)
			return yaml_fail(c, value, "delegation is none, listed, unlisted or refused");
	}
	return err;
}

static int match_context(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct fy_node_pair *pair;
	unsigned first = c->p->n_conditions;
	void *i = NULL;

	(void)target;
	if (value == NULL || !fy_node_is_mapping(value))
		return yaml_fail(c, key, "a mapping (attribute: value) is wanted here");
	while ((pair = fy_node_mapping_iterate(value, &i)) != NULL) {
		struct text name;
		int err = yaml_text(c, key, fy_node_pair_key(pair), 1, REQUEST_STR_SIZE_MAX, &name);
		for (unsigned k = first; err == 0 && k < c->p->n_conditions; k++)
			if (text_compare(c->p->conditions[k].name, name) == 0)
				return yaml_fail(c, fy_node_pair_key(pair), "\"%.*s\" is there twice", (int)name.len,
				                 name.s);
		if (err == 0)
			err = add_condition(c, fy_node_pair_key(pair), fy_node_pair_value(pair), MATCH_CONTEXT, name);
		if (err != 0)
			return err;
	}
	return 0;
}

static int rule_match(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"subject", match_key, 0},
	                                       {"subject_type", match_key, 0},
	                                       {"actor", match_key, 0},
	                                       {"actor_type", match_key, 0},
	                                       {"action", match_key, 0},
	                                       {"resource", match_key, 0},
	                                       {"resource_type", match_key, 0},
	                                       {"context", match_context, 0},
	                                       {"group", match_key, YAML_VERSION2},
	                                       {"actor_group", match_key, YAML_VERSION2},
	                                       {"via", match_key, YAML_VERSION2},
	                                       {"delegation", match_delegation, YAML_VERSION2},
	                                       {NULL, NULL, 0}};

	return yaml_mapping(c, key, value, keys, target);
}

static int rule_id(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct rule *r = target;
	int err = yaml_text(c, key, value, 1, POLICY_NAME_SIZE_MAX, &r->id);

	for (unsigned i = 0; err == 0 && i < c->p->n_rules; i++)
		if (&c->p->rules[i] != r && text_compare(c->p->rules[i].id, r->id) == 0)
			return yaml_fail(c, value, "another rule has this id");
	return err;
}

static int rule_weight(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct rule *r = target;
	int64_t v = 0;
	int err = yaml_int(c, key, value, -POLICY_RISK_MAX, POLICY_RISK_MAX, &v);

	r->weight = (int32_t)v;
	return err;
}

static int rule_verdict(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct {
		const char *name;
		unsigned verdict;
	} names[] = {{"allow", VERDICT_ALLOW},
	             {"step_up", VERDICT_STEP_UP},
	             {"deny", VERDICT_DENY},
	             {"risk", RULE_VERDICT_RISK}};
	struct rule *r = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 16, &t);

	if (err != 0)
		return err;
	if (text_is(t, "defer") && c->p->version == POLICY_VERSION_1)
		return yaml_fail(c, value, "the verdict defer needs version 2");
	if (text_is(t, "defer"))
		r->verdict = VERDICT_DEFER;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_is(t, names[i].name))
			r->verdict = names[i].verdict;
	if (r->verdict == 0)
		return yaml_fail(c, value, "unknown verdict: allow, step_up, defer, deny or risk");
	return 0;
}

static int rule_challenge(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct rule *r = target;

	r->has_challenge = true;
	r->challenge = (struct policy_challenge){
	        .level = LEVEL_POSSESSION, .methods = yaml_methods_default(c), .expiry_ms = 300000};
	return yaml_challenge(c, key, value, &r->challenge);
}

static int obligation_type(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct obligation *o = target;
	int err = yaml_text(c, key, value, 1, 64, &o->type);

	if (err == 0 && !text_is(o->type, "notification") && !text_is(o->type, "session_termination") &&
	    !text_is(o->type, "custom") && !(c->p->version != POLICY_VERSION_1 && text_is(o->type, "step-up")))
		return yaml_fail(c, value, "unknown obligation: notification, session_termination or custom%s",
		                 c->p->version != POLICY_VERSION_1 ? ", or step-up" : "");
	return err;
}

static int obligation_id(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, 64, &((struct obligation *)target)->id);
}

static int rule_obligations(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"type", obligation_type, YAML_REQUIRED},
	                                       {"id", obligation_id, 0},
	                                       {"properties", yaml_obligation_properties, YAML_VERSION2},
	                                       {NULL, NULL, 0}};
	struct rule *r = target;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (value == NULL || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	r->obligations.first = (uint16_t)c->p->n_obligations;
	while (err == 0 && (item = fy_node_sequence_iterate(value, &i)) != NULL) {
		if (c->p->n_obligations == POLICY_OBLIGATIONS_MAX)
			return yaml_fail(c, item, "too many obligations: at most %u in a policy",
			                 POLICY_OBLIGATIONS_MAX);
		struct obligation *o = &c->p->obligations[c->p->n_obligations++];
		err = yaml_mapping(c, item, item, keys, o);
		if (err == 0)
			err = yaml_obligation_check(c, item, o);
	}
	r->obligations.n = (uint16_t)(c->p->n_obligations - r->obligations.first);
	return err;
}

static int rule_reason_user(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, POLICY_TEXT_SIZE_MAX, &((struct rule *)target)->reason_user);
}

static int rule_reason_admin(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, POLICY_TEXT_SIZE_MAX, &((struct rule *)target)->reason_admin);
}

int yaml_rule(struct compile *c, struct fy_node *key, struct fy_node *item)
{
	static const struct yaml_key keys[] = {{"id", rule_id, YAML_REQUIRED},
	                                       {"match", rule_match, 0},
	                                       {"when", yaml_rule_when, YAML_VERSION2},
	                                       {"weight", rule_weight, 0},
	                                       {"verdict", rule_verdict, 0},
	                                       {"challenge", rule_challenge, 0},
	                                       {"obligations", rule_obligations, 0},
	                                       {"reason_user", rule_reason_user, 0},
	                                       {"reason_admin", rule_reason_admin, 0},
	                                       {"defer", yaml_rule_defer, YAML_VERSION2},
	                                       {"grant", yaml_rule_grant, YAML_VERSION2},
	                                       {NULL, NULL, 0}};
	struct rule *r = &c->p->rules[c->p->n_rules];

	if (c->p->n_rules == POLICY_RULES_MAX)
		return yaml_fail(c, item, "too many rules: at most %u", POLICY_RULES_MAX);
	c->p->n_rules++;
	r->conditions.first = (uint16_t)c->p->n_conditions;
	int err = yaml_mapping(c, fy_node_is_mapping(item) ? item : key, item, keys, r);
	if (err != 0)
		return err;
	r->conditions.n = (uint16_t)(c->p->n_conditions - r->conditions.first);
	if ((r->verdict == VERDICT_DEFER) != (r->defer.until_ms > 0 || r->defer.needed > 0))
		return yaml_fail(c, item, "verdict: defer and the key defer go together");
	char text[200];
	return policy_rule_check(c->p, c->p->n_rules - 1, text, sizeof(text)) ? 0 : yaml_fail(c, item, "%s", text);
}
