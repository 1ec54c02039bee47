/* Approvers: who may speak for which request, and how many have. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_APPROVER_H
#define NODE_DECIDE_APPROVER_H

#include "node/decide/deferred.h"
#include "node/decide/policy_form.h"
#include "node/decide/state.h"

/* Does one of the policy's names or patterns fit this approver? */
bool approver_listed(const struct state *s, const struct principal *p, struct span from);
/* One name of such a list: "group:NAME", or a pattern for the approver's own name. */
bool approver_in_group(const struct state *s, const struct principal *p, struct text group);
/* The request is this approver's own: as subject, as actor, or as who asks by the client. */
bool approver_is_own(const struct state *s, const struct principal *p, const struct request *q, uint64_t client);
bool approver_same_person(const struct principal *a, const struct principal *b);
/* Distinct persons of the list who said this, and are still who they were. */
unsigned approver_votes(const struct state *s, const struct deferred_slot *d, unsigned say, struct span from);

#endif
