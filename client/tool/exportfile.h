/* Files of an export folder: read whole, written whole under another name, synced, renamed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_EXPORTFILE_H
#define CLIENT_TOOL_EXPORTFILE_H

#include <stddef.h>
#include <stdint.h>

#define EXPORTFILE_CHECKPOINT "checkpoint"

/* Paths are relative to the folder. Results are errno's numbers, 0 for success, where nothing else is said. */
int exportfile_folder(const char *dir); /* Makes it if there is none; a descriptor, or -1 and errno. */
void exportfile_close(int fd);          /* -1 is fine. */
int exportfile_read(int fd, const char *path, uint8_t *ret, size_t cap, size_t *ret_len); /* EFBIG: above cap. */
/* Makes the folders above. A file that is there already, with these bytes, is left alone. */
int exportfile_write(int fd, const char *path, const void *bytes, size_t len);
int exportfile_sync(int fd); /* Everything of its file system, names included; -1 and errno. */
/*
 * Removes the partial files beside the one of this path (of any width), but for the one of the name keep (NULL: all,
 * and their folder). Best effort.
 */
void exportfile_remove_partials(int fd, const char *partial, const char *keep);

#endif
