/* An auditor's visit: what it has found so far, and the report that is made of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITVISIT_INTERNAL_H
#define CLIENT_TOOL_AUDITVISIT_INTERNAL_H

#include "client/tool/audit.h"
#include "client/tool/auditfacts.h"
#include "client/tool/auditwalk.h"

struct visit {
	struct auditcluster cluster;
	struct auditstate state; /* As the last visit left it, then as this one goes on. */
	struct auditstate last;
	struct auditfacts *facts;
	struct auditproof proof; /* Of the last entry that is to be checked. */
	struct verify_result *result;
	uint64_t target, begun_ms, shown_ms, n_unknown;
	uint64_t
	        n_beyond; /* Entries behind the target: the policy's quorum has cosigned no checkpoint over them yet. */
	int status;
	char reason[512], expected[80], found[80];
	bool has_bad;
	uint64_t bad;
};

/* The whole report, for auditreport_print and audithtml_make; the caller owns it. */
json_t *auditvisit_report(const struct visit *v);

#endif
