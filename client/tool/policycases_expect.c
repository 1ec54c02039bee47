/* What a case of policies expects, out of YAML, with the line of each part. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policycases_read.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

const char *const policycase_expect_keys[EXPECT_N] = {
#define EXPECT_KEY(name, key) key,
        EXPECT_LIST(EXPECT_KEY)
#undef EXPECT_KEY
};

static int add_text(struct compile *c, struct fy_node *key, struct fy_node *value)
{
	struct policycases *f = reading_of(c)->cases;
	struct text *grown = cases_grow(c, f->texts, f->n_texts, sizeof *grown);

	if (!grown)
		return CS_ERR_NOMEM;
	f->texts = grown;
	return yaml_text(c, key, value, 1, 512, &f->texts[f->n_texts++]);
}

static int read_texts(struct compile *c, struct fy_node *key, struct fy_node *value, struct span *ret)
{
	struct policycases *f = reading_of(c)->cases;
	unsigned first = f->n_texts;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (value && fy_node_is_sequence(value)) {
		while (!err && (item = fy_node_sequence_iterate(value, &i)))
			err = add_text(c, key, item);
	} else {
		err = add_text(c, key, value);
	}
	if (!err && f->n_texts > UINT16_MAX)
		return yaml_fail(c, key, "too many texts in one file: at most %d", UINT16_MAX);
	*ret = (struct span){(uint16_t)first, (uint16_t)(f->n_texts - first)};
	return err;
}

static int expect_verdict(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 16, &t);

	if (err)
		return err;
	for (unsigned v = VERDICT_ALLOW; v <= VERDICT_DENY; v++)
		if (text_is(t, verdict_text(v)))
			k->verdict = v;
	cases_line(key, &k->lines[EXPECT_VERDICT]);
	return k->verdict ? 0 : yaml_fail(c, value, "unknown verdict: allow, step_up, defer or deny");
}

/* A number, or [from, to]. */
static int expect_risk(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	int64_t ends[2] = {0};
	struct fy_node *item;
	unsigned n = 0;
	void *i = NULL;
	int err = 0;

	cases_line(key, &k->lines[EXPECT_RISK]);
	if (!value || !fy_node_is_sequence(value)) {
		err = yaml_int(c, key, value, -POLICY_RISK_MAX, POLICY_RISK_MAX, &k->risk_min);
		k->risk_max = k->risk_min;
		return err;
	}
	while (!err && (item = fy_node_sequence_iterate(value, &i))) {
		if (n == 2)
			return yaml_fail(c, item, "a risk is one number, or [from, to]");
		err = yaml_int(c, key, item, -POLICY_RISK_MAX, POLICY_RISK_MAX, &ends[n++]);
	}
	if (!err && (n != 2 || ends[0] > ends[1]))
		return yaml_fail(c, key, "a risk is one number, or [from, to]");
	k->risk_min = ends[0];
	k->risk_max = ends[1];
	return err;
}

static int expect_texts(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	struct text name = {0};

	name.s = fy_node_get_scalar(key, &name.len);
	for (unsigned e = 0; e < EXPECT_N; e++)
		if (text_is(name, policycase_expect_keys[e])) {
			cases_line(key, &k->lines[e]);
			return read_texts(c, key, value, &k->texts[e]);
		}
	return yaml_fail(c, key, "unknown key");
}

static int expect_challenge(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;
	int err = yaml_text(c, key, value, 1, 64, &k->level);

	cases_line(key, &k->lines[EXPECT_CHALLENGE]);
	return err;
}

static int expect_expires(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;

	cases_line(key, &k->lines[EXPECT_EXPIRES]);
	return yaml_duration(c, key, value, POLICY_CHALLENGE_MS_MIN, POLICY_CHALLENGE_MS_MAX, &k->expires_ms);
}

static int expect_signals(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policycase *k = target;

	cases_line(key, &k->lines[EXPECT_SIGNALS]);
	return cases_signals(c, key, value, &k->expect_signals);
}

int cases_expect(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"verdict", expect_verdict, 0}, {"risk", expect_risk, 0},
	                                       {"rules", expect_texts, 0},     {"rules_include", expect_texts, 0},
	                                       {"reasons", expect_texts, 0},   {"challenge", expect_challenge, 0},
	                                       {"expires", expect_expires, 0}, {"obligations", expect_texts, 0},
	                                       {"signals", expect_signals, 0}, {NULL, NULL, 0}};
	const struct policycase *k = target;
	int err = yaml_mapping(c, key, value, keys, target);

	for (unsigned e = 0; !err && e < EXPECT_N; e++)
		if (k->lines[e])
			return 0;
	return err ? err : yaml_fail(c, key, "nothing is expected: give at least a verdict");
}
