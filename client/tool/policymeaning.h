/* What a policy means, statement by statement: defaults stated, whatever order and form it was written in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYMEANING_H
#define CLIENT_TOOL_POLICYMEANING_H

#include <stdbool.h>

#include "node/decide/policy_form.h"

struct statement {
	char *path;  /* "thresholds.deny", "rules.by-risk.verdict"; malloc'ed, as the value. */
	char *value; /* As YAML in one line. NULL: only equal is compared, the text is the caller's to give (when). */
	char *equal; /* NULL: the value; else what two alike have in common. */
	bool listed; /* One of a list's items: of one path there may be many. */
	int rule;    /* Its number; -1: of no rule. */
};
struct meaning {
	unsigned n, cap;
	struct statement *all;
	int err; /* CS_ERR_NOMEM. */
};

/* Of a loaded policy. meaning_close whatever err says. */
void meaning_of(struct meaning *ret, const struct policy *p);
void meaning_close(struct meaning *m);
bool statement_same(const struct statement *a, const struct statement *b);

#endif
