/* The entries that a person's proof rests on, put into its bundle. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_PROVEEVIDENCE_H
#define CLIENT_TOOL_PROVEEVIDENCE_H

#include "client/countersign.h"

/*
 * *bundle: of an answer, as cs_prove gave it; replaced by one of the second format, with the entry that opened the
 * challenge and those that enrolled the credential, changed its key and pinned its issuer, each proven, under one
 * checkpoint where the ledger stands still long enough. *quorum: of all of them. Prints why not; 0 or the exit code,
 * and *bundle stays.
 */
int proveevidence(const char *command, cs_client *client, unsigned wait_ms, char **bundle, bool *quorum);

#endif
