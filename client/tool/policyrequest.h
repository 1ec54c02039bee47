/* A request out of a YAML file of cases, and out of an entry's opened fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYREQUEST_H
#define CLIENT_TOOL_POLICYREQUEST_H

#include "ledger/entry.h"
#include "node/decide/policy_yaml.h"

/* {subject, actor, action, resource, context}, checked as the wire would. c->p is used as scratch. */
int policyrequest_read(struct compile *c, struct fy_node *key, struct fy_node *value, struct request *ret);

/*
 * The request that was decided, put together again; texts point into the fields. CS_ERR_ERASED: not all of its fields
 * are there. CS_ERR_MALFORMED.
 */
int policyrequest_of_fields(struct request *ret, const struct field *fields, unsigned n);

#endif
