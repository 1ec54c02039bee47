/* A request out of a YAML file of cases, and out of an entry's opened fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYREQUEST_H
#define CLIENT_TOOL_POLICYREQUEST_H

#include "ledger/entry.h"
#include "node/decide/place.h"
#include "node/decide/policy_yaml.h"

/* place.looked: a place is known. */
struct policyrequest {
	struct request q; /* Without its place: this struct may move. */
	struct place place;
};
/* With the place that it holds, as long as p stays where it is. */
struct request policyrequest_placed(const struct policyrequest *p);

/* TYPE:ID, as user:ada. */
int policyrequest_typed(struct compile *c, struct fy_node *key, struct fy_node *value, struct text *type,
                        struct text *id);
/* {subject, actor, action, resource, context, place}, checked as the wire would. c->p is used as scratch. */
int policyrequest_read(struct compile *c, struct fy_node *key, struct fy_node *value, struct policyrequest *ret);

/*
 * The request that was decided, put together again; texts point into the fields. CS_ERR_ERASED: not all of its fields
 * are there. CS_ERR_MALFORMED.
 */
int policyrequest_of_fields(struct policyrequest *ret, const struct field *fields, unsigned n);

#endif
