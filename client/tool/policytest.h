/* Cases of a file played under a policy, for `policy test` and before `policy set`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYTEST_H
#define CLIENT_TOOL_POLICYTEST_H

#include "client/tool/policycases.h"

struct policytest {
	const char *path; /* Borrowed. */
	char *yaml;       /* malloc'ed. */
	struct policycases cases;
};
struct policytest_count {
	unsigned passed, failed, troubled;
};
enum policytest_form { POLICYTEST_TEXT, POLICYTEST_TAP, POLICYTEST_JSON, POLICYTEST_QUIET };

/* Prints "path:line:column: why"; 0 or the exit code. */
int policytest_load(const char *command, const char *path, struct policytest *ret);
void policytest_close(struct policytest *t);
/* Reports on standard output. 0: all as expected; 1: some are not; 2: some could not be played; or the exit code. */
int policytest_play(const char *command, const struct policytest *t, const struct policyfile *p,
                    const char *policy_name, enum policytest_form form);
int policytest_run(int argc, char **argv);

#endif
