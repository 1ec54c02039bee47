/* One compilation of a policy's YAML: what its parts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_YAML_H
#define NODE_DECIDE_POLICY_YAML_H

#include <libfyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/policy_form.h"

struct compile {
	struct policy *p; /* Its texts point into the document. */
	struct policy_error *error;
	struct text yaml;     /* For places within values; NULL: not known. */
	struct cel_work *cel; /* Of conditions; NULL: there is none yet. */
	uint32_t cel_cost;    /* Of all conditions so far. */
};

/*
 * Parses text whose bytes may be anything. 0: *ret is the caller's, fy_document_destroy; else *ret_error is filled in.
 * CS_ERR_INVALID, CS_ERR_NOMEM.
 */
int yaml_document(const char *yaml, size_t len, struct fy_document **ret, struct policy_error *ret_error);
/* Where a node stands in the text, from 1; 0: nowhere. */
void yaml_place(struct fy_node *at, unsigned *ret_line, unsigned *ret_column);
/* Fills in the error with the place of `at` (NULL: none) and returns CS_ERR_INVALID. */
int yaml_fail(struct compile *c, struct fy_node *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The value of a key. An error points at the value, or at the key if the value has no place of its own. */
int yaml_text(struct compile *c, struct fy_node *key, struct fy_node *value, size_t len_min, size_t len_max,
              struct text *ret);
int yaml_int(struct compile *c, struct fy_node *key, struct fy_node *value, int64_t min, int64_t max, int64_t *ret);
int yaml_duration(struct compile *c, struct fy_node *key, struct fy_node *value, int64_t min_ms, int64_t max_ms,
                  uint64_t *ret_ms);
/* One scalar or a list of them, into the policy's values. typed: numbers and booleans too, not patterns only. */
int yaml_values(struct compile *c, struct fy_node *key, struct fy_node *value, bool typed, struct span *ret);

struct yaml_key {
	const char *name; /* NULL: the list's end. At most 64 in a list. */
	int (*read)(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
	unsigned flags; /* YAML_…. */
};
#define YAML_REQUIRED 1u
#define YAML_VERSION2 2u /* A key of version 2: elsewhere an error that says so. */
/* Reads a mapping by a list of keys: unknown ones, ones given twice and missing ones are errors. */
int yaml_mapping(struct compile *c, struct fy_node *at, struct fy_node *map, const struct yaml_key *keys, void *target);

/* Of a name that is none of the keys (yaml_unknown.c). */
int yaml_unknown(struct compile *c, struct fy_node *at, const struct yaml_key *keys, struct text name);

/* The mapping of the key `signals`, into a struct policy (policy_signals_yaml.c). */
int yaml_signals(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
/* A list of methods; and those of a challenge that names none. */
int yaml_methods(struct compile *c, struct fy_node *key, struct fy_node *value, unsigned *ret);
unsigned yaml_methods_default(const struct compile *c);
/* {level, methods, expires}, over what *target holds already (struct policy_challenge). */
int yaml_challenge(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
/* Of version 2 (policy_verdicts_yaml.c): defer and grant of a rule; grants and break_glass of the policy; of an
 * obligation its properties, and then whether it has what its type needs. */
int yaml_rule_defer(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
int yaml_rule_grant(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
int yaml_top_grants(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
int yaml_top_break_glass(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
int yaml_obligation_properties(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
int yaml_obligation_check(struct compile *c, struct fy_node *at, const struct obligation *o);
/* One rule of the list at key. */
int yaml_rule(struct compile *c, struct fy_node *key, struct fy_node *item);

#endif
