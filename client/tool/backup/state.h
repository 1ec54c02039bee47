/* The state's records in a backup, each sealed under the key of whom it tells of. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_STATE_H
#define CLIENT_TOOL_BACKUP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/backup/keys.h"
#include "client/tool/backup/out.h"
#include "client/tool/backup/source.h"

/*
 * The file: "countersign/backup-state/v1\n", then sealed pieces (seal.h), each the record's key (9 bytes) and its
 * value; histories behind the subjects they are of. Their context's number is the state's Raft index. What ends with
 * its origin (state_carry.h: challenges, requests that wait, recorded answers) is not in it.
 */
#define BACKUPSTATE_MAGIC      "countersign/backup-state/v1\n"
#define BACKUPSTATE_PURPOSE    "countersign/backup-state/v1"
#define BACKUPSTATE_RECORD_MAX (64u << 10) /* The largest is 32 KiB (state.h). */

/*
 * Writes the records of the source's view to out, holding them all against the digest that the node keeps of them. 0;
 * CS_ERR_DAMAGED: they are not those of the digest; CS_ERR_NOMEM, CS_ERR_IO (out->err).
 */
int backupstate_write(const struct backupsource *s, struct backupkeys *keys, struct backupout *out);

/*
 * Reads them back. record: CS_ERR_* ends it. Returns 0, what record returned, CS_ERR_MALFORMED, CS_ERR_IO. ret_gone:
 * records whose key is gone.
 */
typedef int (*backupstate_record_fn)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len);
int backupstate_read(FILE *f, const char *origin, uint64_t state_index, const struct backupkeys *keys,
                     backupstate_record_fn record, void *ctx, uint64_t *ret_gone);

#endif
