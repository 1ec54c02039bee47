/* Which events of these files the ledger has already: an import that is tried again does nothing twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_BEFORE_H
#define CLIENT_TOOL_IMPORT_BEFORE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/tool/import/events.h"

struct before;

/*
 * Looks through the whole ledger for imported entries whose source has the hash of one of these files. progress may be
 * NULL. 0 and *ret, or the exit code after printing: CS_E_NOT_PERMITTED and closed fields mean that the key lacks the
 * role audit.
 */
int before_search(const char *command, cs_client *client, const struct events *e,
                  void (*progress)(uint64_t index, uint64_t size), struct before **ret);
bool before_has(const struct before *b, unsigned file, uint64_t position);
void before_close(struct before *b); /* NULL is fine. */

#endif
