/* What the ledger keeps, as the commands about it see it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_KEEPING_H
#define CLIENT_TOOL_KEEPING_H

#include <jansson.h>

#include "client/countersign.h"

/* cs_keeping's answer, owned by the caller; 0, or the exit code after printing why not. */
int keeping_get(const char *command, cs_client *client, json_t **ret);
/* "erasure of entry 17 (a subject's): not yet on node 2, 3" for each that is under way. Prints nothing if none is. */
void keeping_print_erasures(const json_t *all);

#endif
