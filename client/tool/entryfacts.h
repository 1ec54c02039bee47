/* Single facts out of an entry's opened fields, for whoever decides its request anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_ENTRYFACTS_H
#define CLIENT_TOOL_ENTRYFACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "node/decide/parties.h"
#include "node/decide/policy_form.h"

/* What the request and its signals are made of is there: a field that is missing was erased, it is not empty. */
bool entryfacts_all_there(const struct entry *e, const struct field *fields, unsigned n);
/*
 * The client that asked, and the id of its request (NULL: not wanted). len 0: the field is not there, or of a form that
 * is not known here.
 */
struct text entryfacts_client(const struct field *fields, unsigned n, const uint8_t **ret_id);
/* Level that the evidence of an answer reached: an acr is worth what the policy says. 0: none, or not told. */
unsigned entryfacts_met(const struct policy *p, const struct field *fields, unsigned n);
/* What the table of people said then of those who take part in q. Texts point into the fields. CS_ERR_MALFORMED. */
int entryfacts_parties(struct parties *ret, const struct request *q, const struct field *fields, unsigned n);
/* A grant stood in for evidence or approvals. */
bool entryfacts_granted(const struct field *fields, unsigned n);

#endif
