/* How the tool writes for people: times, probabilities, colours, tables, strings that nobody vouches for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_TEXT_H
#define CLIENT_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Wall clock, POSIX milliseconds. */
uint64_t text_now_ms(void);
/* Clock that never steps, milliseconds. */
uint64_t text_clock_ms(void);

#define TEXT_TIME_SIZE 32
/* RFC 3339, UTC, with milliseconds: 2023-07-10T11:58:14.000Z. */
void text_time(uint64_t time_ms, char ret[TEXT_TIME_SIZE]);

/* Milli-logits as a probability from 0 to 1: 1 / (1 + e^-x). For showing only; nothing is decided by it. */
double text_probability(int32_t risk_millilogits);

enum text_tint { TINT_NONE, TINT_GREEN, TINT_YELLOW, TINT_BLUE, TINT_RED, TINT_DIM, TINT_BOLD, TINT_REVERSE };
/* Escape sequences, or "" when f is no terminal or NO_COLOR is set (no-color.org). */
const char *text_on(FILE *f, enum text_tint tint);
const char *text_off(FILE *f);
enum text_tint text_verdict_tint(int verdict);

/*
 * Writes len bytes of text with control characters (C0, DEL, C1) and invalid UTF-8 as \xNN: a user agent must not drive
 * the reader's terminal. Always NUL-terminated; cut at a character's border with "..." if cap is too small (cap >= 4).
 */
void text_safe(const char *s, size_t len, char *ret, size_t cap);

/* A table: cells are added row by row, then printed with columns aligned. */
#define TABLE_COLUMNS_MAX 12
struct table {
	unsigned n_columns;
	const char *const *heads;
	uint32_t right; /* Bit i: column i is aligned to the right. */
	unsigned n_cells, cap;
	struct table_cell {
		char *text;
		enum text_tint tint;
	} * cells;
	bool failed; /* Out of memory. */
};
void table_init(struct table *t, unsigned n_columns, const char *const *heads, uint32_t right);
void table_cell(struct table *t, enum text_tint tint, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(const struct table *t, FILE *f);
void table_close(struct table *t);

#endif
