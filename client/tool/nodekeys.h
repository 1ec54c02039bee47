/* The members' keys as the nodes tell them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_NODEKEYS_H
#define CLIENT_TOOL_NODEKEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"

/* The node itself has these keys in force, and signs with them. False also if it does not answer. */
bool nodekeys_in_force(cs_client *client, uint64_t node, unsigned kinds, const struct cs_key_prepared *made);
void nodekeys_print_text(const char *json); /* A table of the reply of cs_keys. */
/* What a node says of its own keys (cs_keys), in one cell; "": nothing to say. */
void nodekeys_words(const json_t *keys, uint64_t node, char *ret, size_t cap);

#endif
