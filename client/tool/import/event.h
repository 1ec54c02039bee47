/* A past event as a request: who, what, on which resource, in which context; every reader of logs makes one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_EVENT_H
#define CLIENT_TOOL_IMPORT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"

#define PAST_TEXT_SIZE      257 /* A request's strings have at most 256 bytes. */
#define PAST_TYPE_SIZE      65  /* Types and names of attributes. */
#define PAST_REASON_SIZE    256
#define PAST_ATTRIBUTES_MAX 24 /* As many as a request has. */

struct past_attribute {
	char name[PAST_TYPE_SIZE];
	enum cs_type type;
	char string[PAST_TEXT_SIZE];
	int64_t integer; /* Also of booleans. */
};

struct past_event {
	uint64_t time_ms; /* The event's own. */
	char subject_type[PAST_TYPE_SIZE], subject_id[PAST_TEXT_SIZE];
	char actor_type[PAST_TYPE_SIZE], actor_id[PAST_TEXT_SIZE]; /* Empty: nobody acts for the subject. */
	char action[PAST_TEXT_SIZE];
	char resource_type[PAST_TYPE_SIZE], resource_id[PAST_TEXT_SIZE];
	unsigned n_attributes;
	struct past_attribute attributes[PAST_ATTRIBUTES_MAX];
	unsigned times; /* Of what failed: how often, where a log says so. 0: once. */
};

/* What a record of a log is to an import. */
enum past_kind {
	PAST_EVENT,  /* Somebody did something. */
	PAST_FAILED, /* Somebody tried, and was not let: nothing to learn habits from. Counted by its reason. */
	PAST_OTHER,  /* About something else. */
	PAST_BAD,    /* Not to be understood; the reason says why. */
};

/*
 * Copies s into ret of cap bytes; a longer one is cut between characters and ends in '#' and 16 hex digits of its
 * SHA-256, so that what differed still differs. Bytes that are no UTF-8 become '?': a request has none.
 */
void past_keep(const char *s, char *ret, size_t cap);
/* The first len bytes of s, as past_keep. */
void past_keep_part(const char *s, size_t len, char *ret, size_t cap);

/* An attribute, unless there is one of this name, or 24 of others. s NULL or empty: nothing is added. */
void past_add_text(struct past_event *e, const char *name, const char *s);
void past_add_part(struct past_event *e, const char *name, const char *s, size_t len);
void past_add_integer(struct past_event *e, const char *name, int64_t v);
void past_add_boolean(struct past_event *e, const char *name, bool v);
/* The address as "ip"; what is no address as "via": a service's name, or a host's. */
void past_add_source(struct past_event *e, const char *source);

/* The address in its shortest form; false: it is none. */
bool past_address(const char *text, char ret[64]);

#endif
