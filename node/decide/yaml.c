/* Reading a policy's YAML by lists of keys: scalars, mappings, errors with their place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/policy_yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

/* --- errors --- */

/* The first scalar of a node: only scalars carry a mark. */
static struct fy_node *first_scalar(struct fy_node *n)
{
	void *i = NULL;

	while (n != NULL && !fy_node_is_scalar(n)) {
		i = NULL;
		if (fy_node_is_mapping(n)) {
			struct fy_node_pair *pair = fy_node_mapping_iterate(n, &i);
			n = pair != NULL ? fy_node_pair_key(pair) : NULL;
		} else {
			n = fy_node_sequence_iterate(n, &i);
		}
	}
	return n;
}

void yaml_place(struct fy_node *at, unsigned *ret_line, unsigned *ret_column)
{
	struct fy_node *scalar = first_scalar(at);
	struct fy_token *token = scalar != NULL ? fy_node_get_scalar_token(scalar) : NULL;
	const struct fy_mark *mark = token != NULL ? fy_token_start_mark(token) : NULL;

	*ret_line = mark != NULL ? (unsigned)mark->line + 1 : 0;
	*ret_column = mark != NULL ? (unsigned)mark->column + 1 : 0;
}

int yaml_fail(struct compile *c, struct fy_node *at, const char *format, ...)
{
	va_list args;

	yaml_place(at, &c->error->line, &c->error->column);
	va_start(args, format);
	vsnprintf(c->error->text, sizeof(c->error->text), format, args);
	va_end(args);
	return CS_ERR_INVALID;
}

/* --- scalars --- */

/* at: where to point if the value itself has no place in the text. */
int yaml_text(struct compile *c, struct fy_node *key, struct fy_node *value, size_t len_min, size_t len_max,
              struct text *ret)
{
	size_t len = 0;
	const char *s = NULL;

	if (value == NULL || !fy_node_is_scalar(value))
		return yaml_fail(c, key, "a text is wanted here");
	if (fy_node_is_alias(value) || fy_node_get_tag(value, &len) != NULL)
		return yaml_fail(c, value, "aliases and tags are not used in policies");
	s = fy_node_get_scalar(value, &len);
	if (s == NULL || len < len_min)
		return yaml_fail(c, key, "the value is missing");
	if (len > len_max)
		return yaml_fail(c, value, "too long: at most %zu bytes", len_max);
	if (memchr(s, 0, len) != NULL)
		return yaml_fail(c, value, "a NUL character has no place here");
	*ret = (struct text){s, len};
	return 0;
}

static bool is_plain(struct fy_node *n)
{
	return fy_node_get_style(n) == FYNS_PLAIN;
}

/* Decimal, no leading zero, no plus: one way to write a number. */
static bool parse_int(struct text t, int64_t *ret)
{
	bool negative = t.len > 0 && t.s[0] == '-';
	size_t first = negative ? 1 : 0;
	int64_t v = 0;

	if (t.len == first || t.len - first > 18 || (t.s[first] == '0' && t.len > first + 1))
		return false;
	for (size_t i = first; i < t.len; i++) {
		if (t.s[i] < '0' || t.s[i] > '9')
			return false;
		v = v * 10 + (t.s[i] - '0');
	}
	*ret = negative ? -v : v;
	return true;
}

int yaml_int(struct compile *c, struct fy_node *key, struct fy_node *value, int64_t min, int64_t max, int64_t *ret)
{
	struct text t;
	int64_t v = 0;
	int err = yaml_text(c, key, value, 1, 32, &t);

	if (err != 0)
		return err;
	if (!is_plain(value) || !parse_int(t, &v))
		return yaml_fail(c, value, "a whole number is wanted here");
	if (v < min || v > max)
		return yaml_fail(c, value, "must be from %lld to %lld", (long long)min, (long long)max);
	*ret = v;
	return 0;
}

int yaml_duration(struct compile *c, struct fy_node *key, struct fy_node *value, int64_t min_ms, int64_t max_ms,
                  uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	struct text t;
	int64_t v = -1;
	int err = yaml_text(c, key, value, 1, 16, &t);

	if (err != 0)
		return err;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && v < 0; i++) {
		size_t unit_len = strlen(units[i].unit);
		int64_t n = -1;
		if (t.len > unit_len && memcmp(t.s + t.len - unit_len, units[i].unit, unit_len) == 0 &&
		    parse_int((struct text){t.s, t.len - unit_len}, &n) && n >= 0 && n <= max_ms)
			v = n * units[i].ms;
	}
	if (v < min_ms || v > max_ms)
		return yaml_fail(c, value,
		                 "a time with its unit is wanted here (500ms, 30s, 5m), from %lldms to %lldms",
		                 (long long)min_ms, (long long)max_ms);
	*ret_ms = (uint64_t)v;
	return 0;
}

/* --- mappings --- */

static const struct yaml_key *key_find(const struct yaml_key *keys, struct text name)
{
	for (; keys->name != NULL; keys++)
		if (text_is(name, keys->name))
			return keys;
	return NULL;
}

/* Reads a mapping by a list of keys that ends with a NULL name. */
int yaml_mapping(struct compile *c, struct fy_node *at, struct fy_node *map, const struct yaml_key *keys, void *target)
{
	struct fy_node_pair *pair;
	void *i = NULL;
	uint64_t seen = 0;
	int err;

	if (map == NULL || !fy_node_is_mapping(map))
		return yaml_fail(c, at, "a mapping (key: value) is wanted here");
	while ((pair = fy_node_mapping_iterate(map, &i)) != NULL) {
		struct fy_node *key = fy_node_pair_key(pair);
		struct text name;
		if (key == NULL || (err = yaml_text(c, map, key, 1, 64, &name)) != 0)
			return yaml_fail(c, map, "a key must be a name");
		const struct yaml_key *k = key_find(keys, name);
		if (k == NULL)
			return yaml_unknown(c, key, keys, name);
		if ((k->flags & YAML_VERSION2) && c->p->version < POLICY_VERSION_2)
			return yaml_fail(c, key, "the key \"%s\" needs version: 2", k->name);
		if (seen >> (k - keys) & 1)
			return yaml_fail(c, key, "\"%s\" is there twice", k->name);
		seen |= UINT64_C(1) << (k - keys);
		err = k->read(c, key, fy_node_pair_value(pair), target);
		if (err != 0)
			return err;
	}
	for (const struct yaml_key *k = keys; k->name != NULL; k++)
		if ((k->flags & YAML_REQUIRED) && !(seen >> (k - keys) & 1))
			return yaml_fail(c, at, "\"%s\" is missing", k->name);
	return 0;
}

/* --- values and patterns --- */

static int add_value(struct compile *c, struct fy_node *key, struct fy_node *value, bool typed)
{
	struct policy_value v = {.type = VALUE_STR};
	int err = yaml_text(c, key, value, typed ? 0 : 1, REQUEST_STR_SIZE_MAX, &v.str);

	if (err != 0)
		return err;
	if (c->p->n_values == POLICY_VALUES_MAX)
		return yaml_fail(c, value, "too many values: at most %u in a policy", POLICY_VALUES_MAX);
	if (typed && is_plain(value)) {
		if (parse_int(v.str, &v.integer))
			v.type = VALUE_INT;
		else if (text_is(v.str, "true") || text_is(v.str, "false"))
			v = (struct policy_value){.type = VALUE_BOOL, .integer = text_is(v.str, "true")};
	}
	if (v.type != VALUE_STR)
		v.str = (struct text){0};
	c->p->values[c->p->n_values++] = v;
	return 0;
}

/* One scalar or a list of them. typed: numbers and booleans too, not patterns only. */
int yaml_values(struct compile *c, struct fy_node *key, struct fy_node *value, bool typed, struct span *ret)
{
	unsigned first = c->p->n_values;
	struct fy_node *item;
	void *i = NULL;
	int err = 0;

	if (value != NULL && fy_node_is_sequence(value)) {
		while (err == 0 && (item = fy_node_sequence_iterate(value, &i)) != NULL)
			err = add_value(c, key, item, typed);
	} else {
		err = add_value(c, key, value, typed);
	}
	if (err == 0 && c->p->n_values == first)
		return yaml_fail(c, key, "an empty list matches nothing");
	*ret = (struct span){(uint16_t)first, (uint16_t)(c->p->n_values - first)};
	return err;
}
