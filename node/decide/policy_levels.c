/* Levels of evidence by the names that standards and issuers give them: YAML, compiled form, look-up. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/policy_levels.h"

#define LEVEL_ELEMENTS 4

const struct policy_level *policy_level_find(const struct policy *p, struct text name)
{
	for (unsigned i = 0; name.len > 0 && i < p->n_levels; i++)
		if (text_compare(p->levels[i].name, name) == 0)
			return &p->levels[i];
	return NULL;
}

/* --- compiled form: nil, or [[name, level, [method…], max age ms]…] --- */

void policy_levels_write(struct writer *w, const struct policy *p)
{
	if (p->n_levels == 0) {
		writer_nil(w);
		return;
	}
	writer_array(w, p->n_levels);
	for (unsigned i = 0; i < p->n_levels; i++) {
		const struct policy_level *l = &p->levels[i];
		writer_array(w, LEVEL_ELEMENTS);
		codec_write_text(w, l->name);
		writer_uint(w, l->level);
		methods_write(w, l->methods);
		writer_uint(w, l->max_age_ms);
	}
}

void policy_levels_read(struct reader *r, struct policy *p)
{
	uint32_t n = 0;

	if (reader_nil(r))
		return;
	reader_array(r, POLICY_LEVELS_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct policy_level *l = &p->levels[i];
		uint64_t level = 0;
		reader_array_exact(r, LEVEL_ELEMENTS);
		codec_text(r, 1, POLICY_NAME_SIZE_MAX, &l->name);
		reader_uint(r, LEVEL_ATTESTED, &level);
		methods_read(r, &l->methods);
		reader_uint(r, POLICY_MAX_AGE_MS_MAX, &l->max_age_ms);
		l->level = (unsigned)level;
		if (r->err == 0 && (level < LEVEL_POSSESSION || policy_level_find(p, l->name) != NULL))
			r->err = CS_ERR_MALFORMED;
		if (r->err == 0)
			p->n_levels++;
	}
	if (r->err == 0 && n == 0)
		r->err = CS_ERR_MALFORMED; /* None is nil. */
}

/* --- YAML --- */

static int level_level(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policy_level *l = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, 32, &t);

	if (err != 0)
		return err;
	l->level = level_parse(t);
	return l->level != 0 ? 0 : yaml_fail(c, value, "unknown level: possession, user_verified or attested");
}

static int level_methods(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_methods(c, key, value, &((struct policy_level *)target)->methods);
}

static int level_max_age(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_duration(c, key, value, 0, POLICY_MAX_AGE_MS_MAX, &((struct policy_level *)target)->max_age_ms);
}

static int add_level(struct compile *c, struct fy_node *key, struct fy_node *value)
{
	static const struct yaml_key keys[] = {{"level", level_level, YAML_REQUIRED},
	                                       {"methods", level_methods, 0},
	                                       {"max_age", level_max_age, 0},
	                                       {NULL, NULL, 0}};
	struct policy_level *l = &c->p->levels[c->p->n_levels];
	struct text name;
	int err = yaml_text(c, key, key, 1, POLICY_NAME_SIZE_MAX, &name);

	if (err != 0)
		return err;
	if (c->p->n_levels == POLICY_LEVELS_MAX)
		return yaml_fail(c, key, "too many levels: at most %u", POLICY_LEVELS_MAX);
	if (policy_level_find(c->p, name) != NULL)
		return yaml_fail(c, key, "this level is there twice");
	*l = (struct policy_level){.name = name, .methods = METHODS_ALL};
	err = yaml_mapping(c, key, value, keys, l);
	if (err == 0 && !methods_reach(l->methods, l->level))
		return yaml_fail(c, key, "no method named here reaches the level \"%s\": it could never be answered",
		                 level_text(l->level));
	if (err == 0)
		c->p->n_levels++;
	return err;
}

int policy_levels_first(struct compile *c, struct fy_node *root)
{
	struct fy_node *levels = root != NULL && fy_node_is_mapping(root)
	                                 ? fy_node_mapping_lookup_by_string(root, "levels", (size_t)-1)
	                                 : NULL;
	struct fy_node_pair *pair;
	void *i = NULL;
	int err = 0;

	if (levels == NULL)
		return 0;
	if (!fy_node_is_mapping(levels) || fy_node_mapping_item_count(levels) <= 0)
		return yaml_fail(c, levels, "a mapping (name: {level, methods, max_age}) is wanted here");
	while (err == 0 && (pair = fy_node_mapping_iterate(levels, &i)) != NULL)
		err = add_level(c, fy_node_pair_key(pair), fy_node_pair_value(pair));
	return err;
}

int yaml_acr(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct policy_challenge *ch = target;
	struct text t;
	int err = yaml_text(c, key, value, 1, POLICY_NAME_SIZE_MAX, &t);

	if (err != 0)
		return err;
	const struct policy_level *l = policy_level_find(c->p, t);
	if (l == NULL)
		return yaml_fail(c, value, "unknown acr: it must be one of this policy's levels");
	ch->level = l->level;
	ch->methods = l->methods;
	return 0;
}
