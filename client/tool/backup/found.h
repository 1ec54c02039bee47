/* A new cluster out of a backup: its folders, its genesis, and in each node's store entry 0 and the state. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_FOUND_H
#define CLIENT_TOOL_BACKUP_FOUND_H

#include "client/tool/backup/read.h"
#include "client/tool/newcluster.h"

/*
 * Completes s (its policy, administrators and predecessor are the backup's) and makes the folder. The backup has been
 * read whole; its state becomes the new ledger's. 0 or the exit code after a message.
 */
int found_cluster(struct backupread *r, struct newcluster_settings *s);

#endif
