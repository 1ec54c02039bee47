/* A log while it is read: what every reader gets, and where its records go. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_READING_H
#define CLIENT_TOOL_IMPORT_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/import/event.h"
#include "client/tool/import/input.h"
#include "client/tool/import/when.h"

struct events;
struct mapping;

struct reading {
	struct input *in;
	struct when when;
	const struct mapping *mapping; /* Never NULL; of readers that need none it has no items. */
	struct events *to;
	unsigned file;
	uint64_t position;       /* Of the next record, from 0. */
	uint64_t line;           /* That was read last, from 1; 0: the format has no lines. */
	struct past_event event; /* Room for one; the reader's. */
	char reason[PAST_REASON_SIZE];
};

/* Hands over r->event as a record of this kind, with r->reason. False: nothing more can be taken. */
bool reading_take(struct reading *r, enum past_kind kind);
/* The same, bad for this reason. */
bool reading_bad(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next line; one that is too long is a bad record, and the next one comes. False: no more, or none can be taken. */
bool reading_line(struct reading *r, char **ret, size_t *ret_len);
/* What is wrong with the file as a whole. */
void reading_fail(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True, after saying so, if got means that the input broke. */
bool reading_broken(struct reading *r, enum input_got got);

#endif
