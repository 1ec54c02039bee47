/* --map: which column or path of a record is whose part of a request. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_MAPPING_H
#define CLIENT_TOOL_IMPORT_MAPPING_H

#include "client/tool/import/event.h"
#include "client/tool/import/when.h"

#define MAPPING_ITEMS_MAX   40   /* The nine parts of a request, 24 attributes, and a few of both twice. */
#define MAPPING_SOURCE_SIZE 513  /* Alternatives included. */
#define MAPPING_VALUE_SIZE  2048 /* Longer values are cut before they are kept. */

struct mapping {
	unsigned n;
	struct mapping_item {
		char key[PAST_TYPE_SIZE];
		char source[MAPPING_SOURCE_SIZE]; /* "a|b": the first that has a value. */
		bool constant;                    /* The source is the value. */
	} items[MAPPING_ITEMS_MAX];
};

/* What a record has under a source. */
struct mapping_value {
	enum { MAPPING_NONE, MAPPING_TEXT, MAPPING_INTEGER, MAPPING_BOOLEAN } type;
	const char *text; /* NUL-terminated; of all types; may point into buffer. */
	int64_t integer;
	char buffer[MAPPING_VALUE_SIZE];
};
typedef void (*mapping_get)(const void *record, const char *source, struct mapping_value *ret);

/*
 * Adds "KEY=SOURCE[|SOURCE…],KEY==CONSTANT,…"; a key that is there already is replaced. Keys: subject, actor, action,
 * resource, each of the first two and resource also with ".type"; time; allowed; the context's own names ip, device,
 * user_agent, session, region, country, amount, mfa; context.NAME for any other. False: reason says what is wrong.
 */
bool mapping_parse(struct mapping *m, const char *text, char reason[PAST_REASON_SIZE]);
/* NULL: the key has no source. */
const struct mapping_item *mapping_find(const struct mapping *m, const char *key);
/* False: what a request cannot do without has no source; reason names it. */
bool mapping_complete(const struct mapping *m, char reason[PAST_REASON_SIZE]);
/*
 * Fills *ret from a record. PAST_FAILED: "allowed" has a source and is not clearly true. Without it every record is of
 * something that was done.
 */
enum past_kind mapping_event(const struct mapping *m, const struct when *w, mapping_get get, const void *record,
                             struct past_event *ret, char reason[PAST_REASON_SIZE]);

#endif
