/* A ledger made by the real decide, put into a store: as it came, or altered and chained anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_REPLAY_KIT_H
#define TESTS_REPLAY_KIT_H

#include <jansson.h>

#include "tests/decide_kit.h"

#define REPLAY_ENTRIES_MAX 512

struct replay_made {
	unsigned n;
	struct made_entry {
		uint8_t *leaf, *body;
		size_t leaf_len, body_len;
	} e[REPLAY_ENTRIES_MAX];
};

/*
 * Every entry that decide makes goes to *into from now on (NULL: nowhere). The program is linked with --wrap=decide.
 */
void replay_record(struct replay_made *into);
void replay_made_free(struct replay_made *m);
/*
 * For tests of decide: setup and teardown of one that makes ledgers for other reasons. Each of them is replayed, and
 * must come out again. Nothing happens where the tool is not built.
 */
int replay_setup(void **state);
int replay_teardown(void **state);

/* An entry's parts as they are to be: public and fields replaced where not NULL. */
struct replay_alteration {
	uint64_t index;
	const uint8_t *public_;
	size_t public_len;
	unsigned field; /* The kind whose value is replaced; 0: none. */
	const uint8_t *value;
	size_t value_len;
};
/* The same ledger with that entry altered, and the chain behind it made good: what a cluster that lies would have. */
void replay_alter(const struct replay_made *m, const struct replay_alteration *a, struct replay_made *ret);
/* `other` as entry `index` of m, in place of what stands there and behind it. */
void replay_graft(const struct replay_made *m, uint64_t index, const struct made_entry *other, struct replay_made *ret);
/* Into a new store in that folder, which must exist. */
void replay_store(const struct replay_made *m, const char *folder);
void replay_erase(const char *folder, uint64_t index); /* The body goes. */

/* {"entry", "fields"} of a bundle, without the field of that kind (0: with all). */
json_t *replay_entry_json(const struct replay_made *m, uint64_t index, unsigned hidden);
const struct replay_made *replay_passed(void); /* Since replay_setup. */

/* A canonical array with element i replaced by these bytes; returns its length. */
size_t replay_with_element(const uint8_t *array, size_t len, unsigned i, const void *bytes, size_t bytes_len,
                           uint8_t *ret, size_t cap);
/* `countersign replay ARGUMENTS --json`: its exit code, and what it says; a message that is no JSON as {"said"}. */
int replay_tool(const char *arguments, json_t **ret);

#endif
