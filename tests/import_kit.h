/* What tests of imports share: a log's text as a file, read into events that lie in an array. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_IMPORT_KIT_H
#define TESTS_IMPORT_KIT_H

#include <stddef.h>

#include "client/tool/import/events.h"

#define KIT_EVENTS_MAX 256

struct import_kit {
	char folder[256];
	struct events_how how;
	struct events events; /* Of the last reading. */
	unsigned n;           /* Events in order; the kit's. */
	struct event *list[KIT_EVENTS_MAX];
};

/* A folder of its own. */
void import_kit_open(struct import_kit *k);
void import_kit_close(struct import_kit *k); /* With all that is in it. */
void import_kit_put(struct import_kit *k, const char *name, const void *bytes, size_t size);
/* Reads what is in the folder: one file, or all if name is NULL. */
void import_kit_read(struct import_kit *k, const char *name);
/* Puts a text and reads it as this format, NULL: by its looks. What was read before is forgotten. */
void import_kit_text(struct import_kit *k, const char *format, const char *text);
/* The text of an attribute of event i, "(none)" if it has none. */
const char *import_kit_attribute(const struct import_kit *k, unsigned i, const char *name);
/* How often something failed for this reason. */
uint64_t import_kit_failed(const struct import_kit *k, const char *reason);
/* "type:id action type:id" of event i. */
const char *import_kit_words(const struct import_kit *k, unsigned i);

#endif
