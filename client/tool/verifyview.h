/* What the verifier found, for people; and the trust policy that it goes by. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_VERIFYVIEW_H
#define CLIENT_TOOL_VERIFYVIEW_H

#include "ledger/verify.h"

/* Prints why not; 0, or VERIFY_UNDECIDED: without a policy nothing can be told. Free with verify_policy_free. */
int verifyview_policy(const char *command, const char *path, struct verify_policy **ret);
/* "verified", "refuted", "could not tell". */
const char *verifyview_outcome(const struct verify_result *r);
/* A line for each check, and the outcome. */
void verifyview_print(const struct verify_result *r);

#endif
