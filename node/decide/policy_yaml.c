/* Compiles a policy's YAML: every key known, every type right, every error with its line and column. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/policy_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/policy_levels.h"

static int top_version(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v = POLICY_VERSION_1;
	int err = yaml_int(c, key, value, POLICY_VERSION_1, POLICY_VERSION_2, &v);

	((struct policy *)target)->version = (unsigned)v;
	return err;
}

/* Other keys depend on it, wherever it stands; whether it is there at all is seen with the others. */
static int version_first(struct compile *c, struct fy_node *root)
{
	struct fy_node_pair *pair;
	void *i = NULL;

	c->p->version = POLICY_VERSION_1;
	if (root == NULL || !fy_node_is_mapping(root))
		return 0;
	while ((pair = fy_node_mapping_iterate(root, &i)) != NULL) {
		struct fy_node *key = fy_node_pair_key(pair);
		struct text name = {0};
		if (key != NULL && fy_node_is_scalar(key))
			name.s = fy_node_get_scalar(key, &name.len);
		if (name.s != NULL && text_is(name, "version"))
			return top_version(c, key, fy_node_pair_value(pair), c->p);
	}
	return 0;
}

static int top_name(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, POLICY_NAME_SIZE_MAX, &((struct policy *)target)->name);
}

static int read_risk(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v = 0;
	int err = yaml_int(c, key, value, -POLICY_RISK_MAX, POLICY_RISK_MAX, &v);

	*(int32_t *)target = (int32_t)v;
	return err;
}

static int top_bias(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_risk(c, key, value, &((struct policy *)target)->bias);
}

static int threshold_step_up(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_risk(c, key, value, &((struct policy *)target)->step_up);
}

static int threshold_deny(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_risk(c, key, value, &((struct policy *)target)->deny);
}

static int top_thresholds(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"step_up", threshold_step_up, YAML_REQUIRED},
	                                       {"deny", threshold_deny, YAML_REQUIRED},
	                                       {NULL, NULL, 0}};
	struct policy *p = target;
	int err = yaml_mapping(c, key, value, keys, p);

	if (err == 0 && p->step_up >= p->deny)
		return yaml_fail(c, key, "the threshold of step_up must be below that of deny");
	return err;
}

static int top_valid_for(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_duration(c, key, value, 0, POLICY_VALID_FOR_MS_MAX, &((struct policy *)target)->valid_for_ms);
}

/* Read before all others (policy_levels_first). */
static int top_levels(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	(void)c;
	(void)key;
	(void)value;
	(void)target;
	return 0;
}

static int top_challenge(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_challenge(c, key, value, &((struct policy *)target)->challenge);
}

static int read_rate(struct compile *c, struct fy_node *key, struct fy_node *value, uint32_t *ret)
{
	int64_t v = 0;
	int err = yaml_int(c, key, value, 1, POLICY_RATE_MAX, &v);

	*ret = (uint32_t)v;
	return err;
}

static int rate_subject(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_rate(c, key, value, &((struct policy *)target)->subject_rate);
}

static int rate_client(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return read_rate(c, key, value, &((struct policy *)target)->client_rate);
}

static int top_rates(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
	        {"subject", rate_subject, 0}, {"client", rate_client, 0}, {NULL, NULL, 0}};

	return yaml_mapping(c, key, value, keys, target);
}

static int read_weight(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policy *p = target;
	struct text name = {0};
	int64_t v = 0;
	int err = yaml_int(c, key, value, -SIGNAL_WEIGHT_MAX, SIGNAL_WEIGHT_MAX, &v);

	name.s = fy_node_get_scalar(key, &name.len);
	unsigned id = 1;
	for (; id <= SIGNAL_MAX; id++)
		if (signal_key(id) != NULL && text_is(name, signal_key(id)))
			break;
	if (err == 0 && id >= SIGNAL_OUTSIDE_1 && id <= SIGNAL_OUTSIDE_8)
		return yaml_fail(c, key, "a score from outside has its weight where it is named: signals, outside");
	if (err == 0)
		p->weights[id] = (int32_t)v;
	return err;
}

static int top_weights(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
#define SIGNAL_KEY(name, number, text, weight, user, admin) {text, read_weight, 0},
	        SIGNAL_LIST(SIGNAL_KEY)
#undef SIGNAL_KEY
#define SIGNAL_KEY_2(name, number, text, weight, scale, unit, user, admin) {text, read_weight, YAML_VERSION2},
	                SIGNAL_LIST_2(SIGNAL_KEY_2)
#undef SIGNAL_KEY_2
	                        {NULL, NULL, 0}};
	_Static_assert(sizeof(keys) / sizeof(keys[0]) <= 65, "yaml_mapping has a bit for each");

	return yaml_mapping(c, key, value, keys, target);
}

static int top_sensitive(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_values(c, key, value, false, &((struct policy *)target)->sensitive);
}

static int top_rules(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	(void)target;
	if (value == NULL || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while (err == 0 && (item = fy_node_sequence_iterate(value, &i)) != NULL)
		err = yaml_rule(c, key, item);
	if (err == 0 && c->p->n_rules == 0)
		return yaml_fail(c, key, "a policy without rules denies everything: say so with a rule");
	return err;
}

static int compile_document(struct compile *c, struct fy_document *doc)
{
	static const struct yaml_key keys[] = {{"version", top_version, YAML_REQUIRED},
	                                       {"name", top_name, 0},
	                                       {"bias", top_bias, 0},
	                                       {"thresholds", top_thresholds, YAML_REQUIRED},
	                                       {"valid_for", top_valid_for, 0},
	                                       {"levels", top_levels, YAML_VERSION2},
	                                       {"challenge", top_challenge, 0},
	                                       {"rates", top_rates, 0},
	                                       {"weights", top_weights, 0},
	                                       {"sensitive", top_sensitive, 0},
	                                       {"signals", yaml_signals, YAML_VERSION2},
	                                       {"rules", top_rules, YAML_REQUIRED},
	                                       {"grants", yaml_top_grants, YAML_VERSION2},
	                                       {"break_glass", yaml_top_break_glass, YAML_VERSION2},
	                                       {NULL, NULL, 0}};
	struct fy_node *root = fy_document_root(doc);

	*c->p = (struct policy){.valid_for_ms = 300000, .subject_rate = 120, .client_rate = 100000};
	c->p->challenge =
	        (struct policy_challenge){.level = LEVEL_POSSESSION, .methods = METHOD_ED25519, .expiry_ms = 300000};
	c->p->grants.revoke_outside = OUTSIDE_HIGH;
	for (unsigned id = 1; id <= SIGNAL_MAX; id++)
		c->p->weights[id] = signal_default_weight(id);
	signal_policy_defaults(&c->p->signals);
	int err = version_first(c, root);
	c->p->challenge.methods = yaml_methods_default(c);
	if (err == 0 && c->p->version != POLICY_VERSION_1)
		err = policy_levels_first(c, root);
	if (err == 0)
		err = yaml_mapping(c, root, root, keys, c->p);
	if (!c->p->grants.revoke_risk_given)
		c->p->grants.revoke_risk = c->p->deny;
	return err;
}

static int compile(struct compile *c, const char *yaml, size_t len, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct fy_document *doc = NULL;
	size_t compiled_len = 0;
	int err = yaml_document(yaml, len, &doc, c->error);

	if (err == 0)
		err = compile_document(c, doc);
	if (err == 0 && policy_encode(c->p, buf, cap, &compiled_len) != 0)
		err = CS_ERR_TOO_LARGE;
	fy_document_destroy(doc);
	/* What replicas will do with it, done once here: a policy that they would refuse is refused now. */
	if (err == 0)
		err = policy_load(c->p, buf, compiled_len);
	if (err == 0)
		*ret_len = compiled_len;
	return err;
}

int policy_compile(const char *yaml, size_t len, uint8_t *buf, size_t cap, size_t *ret_len,
                   struct policy_error *ret_error)
{
	struct policy_error error = {0};
	struct compile c = {.error = &error, .yaml = {yaml, len}};
	size_t compiled_len = 0;
	int err;

	if (len > POLICY_SOURCE_SIZE_MAX) {
		snprintf(error.text, sizeof(error.text), "larger than %d bytes", POLICY_SOURCE_SIZE_MAX);
		*ret_error = error;
		return CS_ERR_TOO_LARGE;
	}
	c.p = malloc(sizeof(*c.p));
	err = c.p != NULL ? compile(&c, yaml, len, buf, cap, &compiled_len) : CS_ERR_NOMEM;
	cel_work_free(c.cel);
	free(c.p);
	if (err == 0 && (err = policy_sizes(len, buf, compiled_len)) != 0)
		snprintf(error.text, sizeof(error.text),
		         "%zu bytes of text and %zu compiled: version 1 has room for %d of each, version 2 for %d in "
		         "all",
		         len, compiled_len, POLICY_SIZE_MAX_1, POLICY_BOTH_SIZE_MAX);
	if (err == 0) {
		*ret_len = compiled_len;
		return 0;
	}
	if (error.text[0] == 0)
		snprintf(error.text, sizeof(error.text), "%s", err_text(err));
	*ret_error = error;
	return err;
}
