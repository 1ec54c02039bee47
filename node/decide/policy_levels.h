/* Levels of evidence by name, in a policy of version 2. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_LEVELS_H
#define NODE_DECIDE_POLICY_LEVELS_H

#include "node/decide/policy_yaml.h"

void policy_levels_write(struct writer *w, const struct policy *p);
void policy_levels_read(struct reader *r, struct policy *p);
/* Before all else of the document: challenges name levels wherever they stand. */
int policy_levels_first(struct compile *c, struct fy_node *root);
/* A challenge's `acr`: level and methods of the level of that name. */
int yaml_acr(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);

#endif
