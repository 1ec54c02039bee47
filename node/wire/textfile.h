/* Small files of text: read whole and bounded, created once and never overwritten. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_TEXTFILE_H
#define NODE_WIRE_TEXTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TEXTFILE_ERROR_SIZE 256 /* What the callers' ret_text holds. */

/* printf into a ret_text of TEXTFILE_ERROR_SIZE bytes; NULL is fine. */
void textfile_error(char *ret_text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Reads a regular file of at most cap bytes. secret: refuse it (CS_ERR_NOT_PERMITTED) if group or others have any right
 * to it. CS_ERR_NOT_FOUND, CS_ERR_TOO_LARGE, CS_ERR_IO, with a text that names the file.
 */
int textfile_read(const char *path, bool secret, char *buf, size_t cap, size_t *ret_len, char *ret_text);
/*
 * Creates a file, synced with its folder. CS_ERR_EXISTS leaves the old one as it is; after another error there is none.
 */
int textfile_create(const char *path, mode_t mode, const char *text, size_t len, char *ret_text);

#endif
