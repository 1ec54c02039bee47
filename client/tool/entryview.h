/* An entry of the ledger with its opened fields, as JSON and in many lines for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_ENTRYVIEW_H
#define CLIENT_TOOL_ENTRYVIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "client/countersign.h"
#include "ledger/entry.h"
#include "node/decide/command.h"

struct entryview {
	struct entry entry;
	struct hash leaf_hash;
	bool opened; /* The private fields came with it, and each opens its commitment. */
	uint64_t erased_fields,
	        erased_by; /* What was erased of them, as the node says, a bit for each kind; by which entry. */
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	unsigned n_fields;
	int verdict;   /* 0: the kind has none. */
	bool released; /* An approval: two approvers broke the glass. */
	int32_t risk;
	const uint8_t *rules; /* Canonical array of rule ids; NULL: the kind has none. */
	size_t rules_len;
};

/* Takes leaf and body apart; *ret points into e's bytes. CS_E_MALFORMED; CS_E_REFUTED: a field does not open. */
int entryview_open(struct entryview *ret, const struct cs_entry *e);
/* The field is not there because it was erased. */
bool entryview_erased(const struct entryview *v, unsigned kind);
json_t *entryview_json(const struct entryview *v);
/* Index, time, kind, verdict and each field on lines of their own. */
void entryview_print_long(const struct entryview *v);

/* Of a genesis: the ledger that it carries on; false: none, or another kind. Points into the entry. */
bool entryview_predecessor(const struct entryview *v, struct predecessor *ret);
#define BASE64_HASH_SIZE 45 /* A root in text, with its NUL. */
/* Element i of the public fields, if it is a number not below 0. */
bool entryview_number(const struct entryview *v, unsigned i, uint64_t *ret);
bool entryview_kind_known(unsigned kind);
/* --kind: a kind's text, with '-' for spaces, or its number; 0: there is no such kind. */
unsigned entryview_kind(const char *text);
/* Prints the kinds for an error message. */
const char *entryview_kinds(void);

#endif
