/* Policies: YAML to a compact, canonical, checked form (compile), and that form in memory (load, evaluate). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_H
#define NODE_DECIDE_POLICY_H

#include <stddef.h>
#include <stdint.h>

#define POLICY_SOURCE_SIZE_MAX   40960
#define POLICY_COMPILED_SIZE_MAX 40960
#define POLICY_BOTH_SIZE_MAX     57344 /* One entry holds source and compiled form, and signatures or genesis' keys. */
#define POLICY_SIZE_MAX_1        24576 /* Each of the two, of version 1: builds that know no other take no more. */
/* CS_ERR_TOO_LARGE: no entry may hold these two. */
int policy_sizes(size_t source_len, const void *compiled, size_t compiled_len);

/* Where and why a policy was refused. */
struct policy_error {
	unsigned line, column; /* From 1; 0: the whole. */
	char text[256];
};

/*
 * Compiles YAML to the canonical form that replicas use (its SHA-256 is the policy's hash). Everything is checked:
 * types, unknown names, unreachable rules, missing thresholds. CS_ERR_INVALID with *ret_error filled in;
 * CS_ERR_TOO_LARGE.
 */
int policy_compile(const char *yaml, size_t len, uint8_t *buf, size_t cap, size_t *ret_len,
                   struct policy_error *ret_error);

/* The policy that `countersign init` writes for a start: the text of a YAML file with comments. */
const char *policy_default_yaml(void);

#endif
