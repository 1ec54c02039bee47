/* The folder of a backup as it grows: an export, sealed bodies, the state, and a manifest that makes it one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_FOLDER_H
#define CLIENT_TOOL_BACKUP_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/backup/keys.h"
#include "client/tool/backup/source.h"
#include "node/wire/keyfile.h"

/*
 * Until the new manifest has its name, everything that the one of before names is there as it was: full tiles and
 * bundles are only added, what changes has a new name each time (manifest.h), partial tiles of before go last. So a run
 * that is killed, or finds the disk full, leaves the backup of before.
 *
 * Errors are negative (ledger/errors.h); backupfolder_why then says what and where. CS_ERR_REFUTED, CS_ERR_DAMAGED: the
 * node's store is not what it should be.
 */
struct backupfolder;

int backupfolder_open(const char *dir, struct backupkeys *keys, struct backupfolder **ret, char *ret_why,
                      size_t why_size);
void backupfolder_close(struct backupfolder *f); /* NULL is fine. */
const char *backupfolder_why(const struct backupfolder *f);
uint64_t backupfolder_old_size(const struct backupfolder *f); /* Entries so far; 0: there is no backup yet. */
/* Whether the backup is of this very moment. */
bool backupfolder_current(const struct backupfolder *f, const struct backupsource *s);
/*
 * If an entry since the backup that is there says that something was erased: destroys the keys of subjects whose own
 * entries are gone, and writes anew each bundle that is not what the node has now. 1: it did, and the source's view is
 * at another moment: choose again; 0: there was nothing to do.
 */
int backupfolder_again(struct backupfolder *f, const struct backupsource *s);
/* Writes state and checkpoint, while the source's view stands at its moment. */
int backupfolder_start(struct backupfolder *f, const struct backupsource *s);
/* The first entry to append: from there on bodies make a bundle. */
uint64_t backupfolder_begin(const struct backupfolder *f);
/* Entry after entry, each checked: its place in the chain, its body against its commitments. body NULL: erased. */
int backupfolder_append(struct backupfolder *f, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                        size_t body_len);
/* The entries so far are those of the checkpoint: the rest, and the manifest. */
int backupfolder_finish(struct backupfolder *f, const struct backupsource *s, const struct keyfile *signer);

#endif
