/* Whose signatures count for a backup: the trust policy that is named, or the cluster file's. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_TRUST_H
#define CLIENT_TOOL_BACKUP_TRUST_H

#include "client/tool/tool.h"
#include "ledger/verify.h"

/* path NULL: the cluster file's. 0 or the exit code after a message. Free with verify_policy_free. */
int trust_open(const char *command, const struct tool_access *access, const char *path, struct verify_policy **ret);

#endif
