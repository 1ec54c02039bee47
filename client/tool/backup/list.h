/* The list of a backup's files, in the form of sha256sum: any such tool checks it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_LIST_H
#define CLIENT_TOOL_BACKUP_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/backup/out.h"
#include "ledger/tilepath.h"

/* "<hexadecimal>  <path>\n": full tiles and bundles in the order in which they came, then the partial ones. */
void backuplist_add(struct backupout *o, const char *path, const void *bytes, size_t len);
void backuplist_add_hash(struct backupout *o, const char *path, const struct hash *hash);
/*
 * The lines of full files out of the list of before, which must have this hash, but for those that drop wants gone. 0,
 * errno's number, or -1: it has not.
 */
int backuplist_copy(struct backupout *o, const char *name, const struct hash *hash,
                    bool (*drop)(void *ctx, const char *path), void *ctx);

enum backuplist_fault { LIST_GOOD, LIST_MALFORMED, LIST_UNREADABLE, LIST_DIFFERS };
/*
 * Holds each file of the list against its hash, and tells of each that is good. At the first that is not: ret_path is
 * its name, and ret_err errno's number if it could not be read.
 */
typedef void (*backuplist_good_fn)(void *ctx, const char *path);
enum backuplist_fault backuplist_check(int dir, const char *name, backuplist_good_fn good, void *ctx,
                                       char ret_path[TILEPATH_SIZE], int *ret_err);

#endif
