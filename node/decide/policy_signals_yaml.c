/* A policy's key `signals`: what is said of signals beside their weights. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/codec.h"
#include "node/decide/policy_yaml.h"

static int read_parameter(struct compile *c, struct fy_node *key, struct fy_node *value, enum parameter_kind kind,
                          int64_t least, int64_t most, uint64_t *ret)
{
	int64_t v = 0;

	if (kind == PARAMETER_TIME)
		return yaml_duration(c, key, value, least, most, ret);
	int err = yaml_int(c, key, value, least, most, &v);
	if (err == 0)
		*ret = (uint64_t)v;
	return err;
}

#define PARAMETER_READ(name, text, kind, least, most, fallback)                                                        \
	static int read_##name(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)            \
	{                                                                                                              \
		return read_parameter(c, key, value, kind, least, most, &((struct policy *)target)->signals.name);     \
	}
SIGNAL_PARAMETER_LIST(PARAMETER_READ)
#undef PARAMETER_READ

/* One score: its place in the list is its signal. */
struct outside {
	struct text attribute;
	int32_t weight;
};

static int outside_attribute(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, REQUEST_STR_SIZE_MAX, &((struct outside *)target)->attribute);
}

static int outside_weight(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v = 0;
	int err = yaml_int(c, key, value, -SIGNAL_WEIGHT_MAX, SIGNAL_WEIGHT_MAX, &v);

	((struct outside *)target)->weight = (int32_t)v;
	return err;
}

static int read_outside(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"attribute", outside_attribute, YAML_REQUIRED},
	                                       {"weight", outside_weight, YAML_REQUIRED},
	                                       {NULL, NULL, 0}};
	struct policy *p = target;
	struct signal_policy *s = &p->signals;
	struct fy_node *item;
	void *i = NULL;

	if (value == NULL || !fy_node_is_sequence(value))
		return yaml_fail(c, key, "a list is wanted here");
	while ((item = fy_node_sequence_iterate(value, &i)) != NULL) {
		struct outside o = {0};
		if (s->n_outside == SIGNALS_OUTSIDE_MAX)
			return yaml_fail(c, key, "at most %d scores from outside", SIGNALS_OUTSIDE_MAX);
		int err = yaml_mapping(c, key, item, keys, &o);
		if (err != 0)
			return err;
		for (unsigned k = 0; k < s->n_outside; k++)
			if (text_compare(s->outside[k], o.attribute) == 0)
				return yaml_fail(c, key, "the attribute %.*s is there twice", (int)o.attribute.len,
				                 o.attribute.s);
		p->weights[SIGNAL_OUTSIDE_1 + s->n_outside] = o.weight;
		s->outside[s->n_outside++] = o.attribute;
	}
	return 0;
}

int yaml_signals(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {
#define PARAMETER_KEY(name, text, kind, least, most, fallback) {text, read_##name, 0},
	        SIGNAL_PARAMETER_LIST(PARAMETER_KEY)
#undef PARAMETER_KEY
	                {"outside", read_outside, 0},
	        {NULL, NULL, 0}};

	return yaml_mapping(c, key, value, keys, target);
}
