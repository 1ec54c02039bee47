/* One entry of a bundle with what it discloses, taken apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BUNDLEENTRY_H
#define CLIENT_TOOL_BUNDLEENTRY_H

#include <jansson.h>
#include <stdbool.h>

#include "ledger/entry.h"
#include "node/decide/command.h"

struct bundleentry {
	struct entry e;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields;
	void *owned[LIMIT_FIELD_COUNT_MAX + 1];
};

/* doc has the members "entry" and "fields". False: they are none, or memory is short. Close it either way. */
bool bundleentry_open(struct bundleentry *ret, const json_t *doc);
void bundleentry_close(struct bundleentry *b); /* All zero is fine. */
/* Element i of the public fields, if it is of that type. */
bool bundleentry_number(const struct bundleentry *b, unsigned i, uint64_t *ret);
bool bundleentry_text(const struct bundleentry *b, unsigned i, struct text *ret);
bool bundleentry_bin(const struct bundleentry *b, unsigned i, size_t len, const uint8_t **ret);

#endif
