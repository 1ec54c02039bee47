/* What version 2 of a policy says of verdicts that wait and of grants: written and taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_POLICY_VERDICTS_H
#define NODE_DECIDE_POLICY_VERDICTS_H

#include "ledger/bytes.h"
#include "node/decide/policy_form.h"

void policy_write_defer(struct writer *w, const struct policy *p, const struct rule *r); /* [9] of a rule. */
void policy_read_defer(struct reader *r, struct policy *p, struct rule *ret);
void policy_write_grant(struct writer *w, const struct policy *p, const struct rule *r); /* [10] of a rule. */
void policy_read_grant(struct reader *r, struct policy *p, struct rule *ret);
void policy_write_approvals(struct writer *w, const struct policy *p); /* [14] of a policy. */
void policy_read_approvals(struct reader *r, struct policy *p);
void policy_write_grants(struct writer *w, const struct policy *p); /* [15] of a policy. */
void policy_read_grants(struct reader *r, struct policy *p);
/* An obligation as policies and entries have it: [type, id], of version 2 [type, id, [[name, value]…]]. */
void policy_write_obligation(struct writer *w, const struct policy *p, const struct obligation *o);
/* Its properties, [[name, value]…] */
void policy_write_properties(struct writer *w, const struct policy *p, const struct obligation *o);
void policy_read_properties(struct reader *r, struct policy *p, struct obligation *ret);

#endif
