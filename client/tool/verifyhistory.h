/* countersign verify, of a person's history. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_VERIFYHISTORY_H
#define CLIENT_TOOL_VERIFYHISTORY_H

#include "ledger/verify.h"

/* By the file's first bytes. */
bool verifyhistory_is(const char *path);
/* Fills *ret; 0, or an errno value: the file could not be read. */
int verifyhistory_run(const char *path, const struct verify_policy *policy, struct verify_result *ret);

#endif
