/* Public test vectors of files: where they lie, and reading them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The path of a file or folder of the vectors: under $CS_VECTORS, or $srcdir/../shared/vectors. Skips the running
 * cmocka test, with a message, if it is not there.
 */
void vectors_path(char *buf, size_t cap, const char *name);
/* The whole file, with a NUL behind it; malloc'd. Fails the running test if it cannot be read. */
uint8_t *vectors_read(const char *path, size_t *ret_len);

#endif
