/* One case played under a policy, and where what is decided is not what the case expects. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYJUDGE_H
#define CLIENT_TOOL_POLICYJUDGE_H

#include "client/tool/policycases.h"
#include "client/tool/policyresult.h"

#define POLICYJUDGE_TEXT_SIZE 512

struct policyjudge {
	char trouble[256]; /* It could not be played: why; "" otherwise. */
	unsigned trouble_line;
	struct policyresult found; /* Until policyjudge_close. */
	unsigned n_wrong;
	struct {
		enum policycase_expect what;
		char expected[POLICYJUDGE_TEXT_SIZE], found[POLICYJUDGE_TEXT_SIZE];
	} wrong[EXPECT_N];
	/* What `found` points into. */
	struct policylab *lab;
	struct policy *policy;
	struct evaluation evaluation;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
};

/* Fills in *j whole. 0, or the exit code after printing why. */
int policyjudge_case(const char *command, const struct policycases *f, unsigned n, const struct policyfile *p,
                     struct policyjudge *j);
void policyjudge_close(struct policyjudge *j);

#endif
