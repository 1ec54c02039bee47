/* A node's store as a restored ledger begins with it: entry 0, and the state behind it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_RESTORESTORE_H
#define CLIENT_TOOL_BACKUP_RESTORESTORE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/decide.h"

struct restorestore;

/* Takes the state's records, all of them new; leaf: of the genesis, borrowed. CS_ERR_NOMEM. */
int restorestore_new(struct state *s, const uint8_t *leaf, size_t leaf_len, const struct hash *leaf_hash,
                     struct restorestore **ret);
void restorestore_free(struct restorestore *r); /* NULL is fine. */
/* Makes the store in an empty folder, durably. Errors of the store. */
int restorestore_write(const struct restorestore *r, const char *folder);

#endif
