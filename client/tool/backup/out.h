/* A long file of a backup: written in pieces under another name, hashed, synced, renamed; and read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_OUT_H
#define CLIENT_TOOL_BACKUP_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ledger/hash.h"

#define BACKUPOUT_NAME_SIZE 40

struct backupout {
	int dir; /* Borrowed. */
	FILE *file;
	char name[BACKUPOUT_NAME_SIZE];
	struct hasher hasher;
	uint64_t len;
	int err; /* errno's number of the first thing that failed; sticks. */
};

/* name: without folders. Results are errno's numbers. */
int backupout_open(struct backupout *o, int dir, const char *name);
void backupout_write(struct backupout *o, const void *bytes, size_t len);
/* Then the file is there whole, and its hash is in *ret; or it is not there at all. */
int backupout_close(struct backupout *o, struct hash *ret, uint64_t *ret_len);
void backupout_drop(struct backupout *o); /* Fine after close, and of a zeroed one. */

/* Makes the name of this file durable: else a crash loses the file, and what it is needed for. */
int backupout_sync_name(const char *path);

/* Hash and length of a file; reads it in pieces. */
int backupout_hash(int dir, const char *path, struct hash *ret, uint64_t *ret_len);
/* Opens it for reading; NULL and errno. */
FILE *backupout_read(int dir, const char *path);

#endif
