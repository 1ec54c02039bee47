/* Checks of a policy as a whole: rules that can never decide, rules that do nothing. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_CHECK_H
#define NODE_DECIDE_POLICY_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "node/decide/policy_form.h"

/*
 * Is rule n of use beside the rules before it? False, with a text, if it does nothing, or if it or an earlier rule can
 * never decide, because the other matches whatever it matches and is stronger.
 */
bool policy_rule_check(const struct policy *p, unsigned n, char *ret_text, size_t cap);

#endif
