/* Files and paths of the tool: read whole with a bound, written whole and never over another. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_FILES_H
#define CLIENT_TOOL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILES_PATH_SIZE 4096 /* Linux's PATH_MAX. */

/* dir/name; false: too long. */
bool files_join(char ret[FILES_PATH_SIZE], const char *dir, const char *name);
/* dir/node-ID/name. */
bool files_join_node(char ret[FILES_PATH_SIZE], const char *dir, uint64_t node_id, const char *name);

/*
 * Reads a whole file of at most size_max bytes into malloc'ed memory, with a NUL behind it that *ret_size does not
 * count. 0 or an errno value (EFBIG: larger).
 */
int files_read(const char *path, size_t size_max, char **ret, size_t *ret_size);
/* Creates path with these bytes and syncs it; never overwrites (EEXIST). 0 or an errno value; then no file is left. */
int files_write(const char *path, const void *bytes, size_t size, mode_t mode);
/* The same through a temporary file and a rename: replaces what is there, whole or not at all. */
int files_replace(const char *path, const void *bytes, size_t size, mode_t mode);
/* True if path is a folder with nothing in it, or does not exist; errno otherwise (ENOTEMPTY, ENOTDIR, …). */
bool files_empty_folder(const char *path);

#endif
