/* A log's bytes: unpacked if they are gzip's, hashed, given out by lines, pieces, or whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_INPUT_H
#define CLIENT_TOOL_IMPORT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_LINE_SIZE_MAX (1u << 20) /* An OPA decision's input may be large; a line of sshd's is not. */
#define INPUT_WHY_SIZE      120

struct input;

/* Opens a file, or standard input for "-". 0 or an errno value. */
int input_open(const char *path, struct input **ret);
/* The same over bytes in memory, for tests and fuzzing; they are the caller's, and stay. */
int input_open_bytes(const void *bytes, size_t size, struct input **ret);
/*
 * Reads what is left, so that the hash is the whole file's: SHA-256 of its bytes, of gzip's files of what they hold: a
 * log stays the same when it is packed. Frees.
 */
void input_close(struct input *in, uint8_t ret_hash[32]);
/* When the file was last written, now for others; POSIX milliseconds. */
uint64_t input_written_ms(const struct input *in);

enum input_got {
	INPUT_GOT,
	INPUT_END,    /* Nothing is left. */
	INPUT_LONG,   /* A line of more than INPUT_LINE_SIZE_MAX bytes was passed over. */
	INPUT_BROKEN, /* Reading or unpacking failed: input_why. */
};
/* The next line without its end, which is "\n", "\r\n", or the file's; a NUL is put behind it. Good until the next
 * call. */
enum input_got input_line(struct input *in, char **ret, size_t *ret_len);
/* The next n bytes, n at most INPUT_LINE_SIZE_MAX; good until the next call. INPUT_END: fewer are left. */
enum input_got input_bytes(struct input *in, size_t n, const uint8_t **ret);
/* Passes over n bytes. */
enum input_got input_skip(struct input *in, uint64_t n);
/* All that is left, malloc'ed, with a NUL behind it. INPUT_LONG: more than size_max. */
enum input_got input_all(struct input *in, size_t size_max, char **ret, size_t *ret_size);
/* Looks at up to n of the next bytes without taking them, n at most INPUT_LINE_SIZE_MAX. */
enum input_got input_peek(struct input *in, size_t n, const char **ret, size_t *ret_len);
const char *input_why(const struct input *in);

#endif
