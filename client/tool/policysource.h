/* A policy by what the command line calls it: a file, or where in the ledger it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYSOURCE_H
#define CLIENT_TOOL_POLICYSOURCE_H

#include "client/tool/policyat.h"

/* Text for --help. */
#define POLICYSOURCE_TEXT                                                                                              \
	"A policy is a FILE, or @INDEX: the one in force at that entry of the ledger, or @current, or @default: the\n" \
	"built-in one.\n"

/* *client NULL: opened with the access when the ledger is needed; the caller closes it. 0 or the exit code. */
int policysource_load(const char *command, const char *word, const struct tool_access *access, cs_client **client,
                      struct policyfile *ret);

#endif
