/* A backup read back: every file against its hash, every entry against the tree, every body against its entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_READ_H
#define CLIENT_TOOL_BACKUP_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/facts.h"
#include "client/tool/backup/keys.h"
#include "client/tool/backup/manifest.h"
#include "client/tool/backup/shown.h"
#include "ledger/note.h"
#include "ledger/verify.h"
#include "node/decide/state_carry.h"

/* Exit codes of a restore, besides those of all commands. */
enum { RESTORE_REFUTED = 1, RESTORE_UNDECIDED = 2 };

struct backupread {
	const char *command, *dir; /* Borrowed. */
	const struct verify_policy *trust;
	int fd;
	struct manifest manifest;
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t note_len;
	struct backupkeys *keys;
	struct bodiesmap bundles;
	struct facts facts;
	uint64_t bodies, erased, keys_gone; /* Bodies that are there; that were erased; whose keys are gone. */
	uint64_t records_gone;              /* Of the state. */
	const uint8_t (*left_out)[32];      /* Subjects whose records are left out: they were erased later. Borrowed. */
	unsigned n_left_out;
	uint64_t records_left_out;
	struct hash last_leaf; /* Of the state's last entry. */
	struct carry *carry;
	struct hash digest; /* Of the state as carried over. */
};

/* Print what is wrong with a file of the backup, and return the exit code. err: errno's number. */
int backupread_refuted(const struct backupread *r, const char *what, const char *text);
int backupread_unreadable(const struct backupread *r, const char *what, int err);

/* Manifest, its three files, the checkpoint under the trust policy, the keys. 0 or the exit code after a message. */
int backupread_open(struct backupread *r, const char *keys_path);
void backupread_close(struct backupread *r); /* A zeroed one with fd -1 is fine. */
/* Each file of the list. archive: a folder that gets a copy of what an export has; NULL: none. */
int backupread_files(struct backupread *r, const char *archive);
/* Whether the checkpoint shown has this root of the first size entries, if it can tell. 0 or the exit code. */
int backupread_compare(const struct backupread *r, const struct shown *s, uint64_t size, const struct hash *root);
/* Each entry with its body, from 0; shown: another checkpoint of this ledger, held against the entries. */
int backupread_entries(struct backupread *r, const struct shown *shown);
/* The state, carried over; held against the entries; and who signed the manifest. */
int backupread_state(struct backupread *r);

#endif
