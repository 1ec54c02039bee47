/* A small record that is kept in two files, so that neither a torn write nor one damaged copy loses it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_TWIN_H
#define NODE_DISK_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWIN_FORMAT   1           /* Of the files, and of the log that they are of: another one is another build's. */
#define TWIN_SIZE_MAX (64u << 10) /* A configuration of a few servers, a snapshot's payload. */

struct twin {
	int fds[2];
	uint64_t generation; /* Of the newest copy; 0: never written. */
	uint32_t format;     /* With CS_ERR_VERSION: what it was written in. */
	bool mended;         /* One copy was damaged or behind when it was opened, and has been written again. */
	size_t len;          /* Of the newest copy's bytes: */
	uint8_t bytes[TWIN_SIZE_MAX];
};

/*
 * Opens name-1 and name-2 in the folder dir_fd, made if they are not there, and reads the newest copy; a copy that is
 * damaged or behind is written again from the other. CS_ERR_DAMAGED: it has been written, and no copy is whole;
 * CS_ERR_VERSION: a whole copy is of another format, and nothing was changed; CS_ERR_IO. fits says whether bytes are
 * such a record at all (another twin's may have been written to the wrong place: whole, and newer than ours); NULL: all
 * are.
 */
int twin_open(struct twin *t, int dir_fd, const char *name, bool (*fits)(const uint8_t *bytes, size_t len));
/* Replaces the record, durably, one copy after the other: a crash leaves the old one or the new one. CS_ERR_IO. */
int twin_write(struct twin *t, const void *bytes, size_t len);
void twin_close(struct twin *t); /* A zeroed or closed one is fine. */

#endif
