/* A monitor's folder: what it has checked, and the record of what it cosigns, synced before it signs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_MONITORFOLDER_H
#define CLIENT_TOOL_MONITORFOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/tool/auditstate.h"
#include "client/tool/files.h"
#include "ledger/note.h"

/*
 *   state         what was checked, as `countersign audit` keeps it: `audit compare` takes it
 *   signed        the largest checkpoint that the key was ever asked to cosign, written before it does
 *   checkpoint    the newest checkpoint with the monitor's own cosignature, whole, for anybody to take
 *   alarms        monitoralarm.h
 *   evidence/     notes that alarms are about
 *   status.json   how it stands now
 *   trust.policy  the policy as it was followed through changes of members
 *   lock          held as long as a monitor works in the folder
 */
#define MONITORFOLDER_STATE      "state"
#define MONITORFOLDER_SIGNED     "signed"
#define MONITORFOLDER_CHECKPOINT "checkpoint"
#define MONITORFOLDER_EVIDENCE   "evidence"
#define MONITORFOLDER_STATUS     "status.json"
#define MONITORFOLDER_TRUST      "trust.policy"
#define MONITORFOLDER_LOCK       "lock"
#define MONITORFOLDER_FORMAT     "countersign/monitor-signed/v1"

/* What the key has cosigned, or was about to: never another root for that size, never a smaller size. */
struct monitorrecord {
	uint64_t size; /* 0: nothing yet. */
	struct hash root;
};

struct monitorfolder {
	const char *dir;
	int fd, lock;        /* -1: not open. */
	struct note_key key; /* The monitor's own. */
	uint8_t secret[64];  /* Wiped by the close. */
	struct monitorrecord record;
	char note[LIMIT_NOTE_SIZE_MAX + 1]; /* With the own cosignature, of the record's size; "": not made yet. */
};

/*
 * Makes the folder if there is none, and locks it: fails if another monitor works in it. key_path: a key file with a
 * cosigner key. 0 or the exit code after a message; close in each case.
 */
int monitorfolder_open(const char *command, const char *dir, const char *key_path, struct monitorfolder *ret);
void monitorfolder_close(struct monitorfolder *f);
/* Whether a monitor works in it: 1, 0, or -1: there is no such folder. */
int monitorfolder_busy(const char *dir);

int monitorfolder_load(const char *command, const struct monitorfolder *f, struct auditstate *ret, int *ret_there);
int monitorfolder_save(const char *command, const struct monitorfolder *f, const struct auditstate *s);
/* Replaces a file, whole or not at all, synced with its name. 0 or the exit code after a message. */
int monitorfolder_put(const char *command, const struct monitorfolder *f, const char *name, const void *bytes,
                      size_t size);

/*
 * Cosigns the note's checkpoint, whose lines were checked, and keeps it as f->note and in the folder. Refused with
 * CS_ERR_DIVERGED: a smaller size than the record's, or another root for it. CS_ERR_IO: the record could not be
 * synced, nothing was signed. CS_ERR_TOO_LARGE: no room for one line more.
 */
int monitorfolder_cosign(const char *command, struct monitorfolder *f, const char *note, size_t len, uint64_t time_s);

#endif
