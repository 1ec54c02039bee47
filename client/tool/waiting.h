/* What waits for approvers or a time, as the commands show it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_WAITING_H
#define CLIENT_TOOL_WAITING_H

#include <jansson.h>
#include <stdint.h>

#include "client/countersign.h"

/* The list of cs_pending; 0 or the exit code after printing why. */
int waiting_list(const char *command, cs_client *client, json_t **ret);
/* The one of this index; NULL: none. Borrowed. */
const json_t *waiting_find(const json_t *list, uint64_t index);
/* One, in lines for people. */
void waiting_print(const json_t *o);

#endif
