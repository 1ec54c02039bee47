/* The keys of a backup, one a subject, in a small file apart: a key that is gone takes what it sealed with it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_KEYS_H
#define CLIENT_TOOL_BACKUP_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKUPKEYS_ID_SIZE  16
#define BACKUPKEYS_WHY_SIZE 4352 /* A path, and what is wrong with it. */

/*
 * The file, mode 0600: "countersign/backup-keys/v1\n", its own random id (16), then records of 96 bytes:
 *   subject's key 32 (decide.h; zeros: of what is nobody's) | key's id 16, random | key 32 |
 *   first 16 bytes of BLAKE2b of the 80 before, keyed with the file's id
 * Records are only added, and a last one that a crash has cut off counts as never written. Ids say nothing of whom the
 * key is for. In memory: 128 bytes a subject.
 */
struct backupkeys;

struct backupkey {
	uint8_t id[BACKUPKEYS_ID_SIZE], key[32];
};

/*
 * create: make it if there is none. CS_ERR_NOT_FOUND, CS_ERR_NOT_PERMITTED (others may read it), CS_ERR_DAMAGED,
 * CS_ERR_IO, CS_ERR_NOMEM; ret_why says what and where. Locked against other writers as long as it is open.
 */
int backupkeys_open(const char *path, bool create, struct backupkeys **ret, char ret_why[BACKUPKEYS_WHY_SIZE]);
void backupkeys_close(struct backupkeys *k); /* Wipes. NULL is fine. */
const uint8_t *backupkeys_file_id(const struct backupkeys *k);
/* The subject's, made if there is none; NULL: out of memory. Borrowed until the next call. */
const struct backupkey *backupkeys_of(struct backupkeys *k, const uint8_t subject[32]);
/* By its id; NULL: it is gone. */
const struct backupkey *backupkeys_find(const struct backupkeys *k, const uint8_t id[BACKUPKEYS_ID_SIZE]);
/* Its place among backupkeys_count, until one is destroyed; SIZE_MAX: it is gone. */
size_t backupkeys_place(const struct backupkeys *k, const uint8_t id[BACKUPKEYS_ID_SIZE]);
void backupkeys_id(const struct backupkeys *k, size_t place, uint8_t ret_id[BACKUPKEYS_ID_SIZE],
                   uint8_t ret_subject[32]);
/* Makes the new ones durable: before what they have sealed gets its name. 0 or errno's number. */
int backupkeys_sync(struct backupkeys *k);
/*
 * Destroys the key of this id, if it is there: the file is written anew without it, and the old one's bytes are written
 * over (which a file system or disk that keeps copies undoes). 0 or errno's number.
 */
int backupkeys_destroy(struct backupkeys *k, const uint8_t id[BACKUPKEYS_ID_SIZE]);
size_t backupkeys_count(const struct backupkeys *k);

#endif
