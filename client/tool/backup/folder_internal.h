/* What the files of the backup's folder share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_FOLDER_INTERNAL_H
#define CLIENT_TOOL_BACKUP_FOLDER_INTERNAL_H

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/folder.h"
#include "client/tool/backup/list.h"
#include "client/tool/backup/manifest.h"
#include "client/tool/exportfolder.h"

#define WHY_SIZE 512

struct backupfolder {
	int fd;
	struct exportfolder *leaves;
	struct backupkeys *keys;
	bool has_old;
	struct manifest old, made;
	struct bodies *bodies;
	struct bodiesmap bundles; /* Of the backup that is there. */
	struct again {
		uint64_t n; /* A bundle of before that was written anew, under the new generation's name. */
		struct hash hash;
	} * again;
	size_t n_again;
	struct backupout list;
	char why[WHY_SIZE];
};

int backupfolder_bad(struct backupfolder *f, int err, const char *what, const char *text);
int backupfolder_keys_sync(struct backupfolder *f);
int backupfolder_check_body(struct backupfolder *f, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                            size_t body_len);

/* --- again.c: what was erased since the backup that is there --- */

void again_list(struct backupfolder *f);         /* Their lines. */
bool again_written(void *ctx, const char *path); /* Whether the list's line of this path is no more. */
void again_stale(const struct backupfolder *f);  /* Removes what they replace. */

#endif
