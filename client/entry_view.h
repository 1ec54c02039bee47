/* What an entry says in its public fields, and whether it answers a given request. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_ENTRY_VIEW_H
#define CLIENT_ENTRY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "node/wire/messages.h"

struct entry_view {
	unsigned verdict; /* 0: this kind has none. */
	int32_t risk;
	struct hash digest;        /* Of the request. */
	uint64_t challenge;        /* Of an answer: the decision's index. */
	bool has_waited;           /* An approval, or the end of what waited: */
	uint64_t waited;           /* the decision's index; */
	bool released;             /* and of an approval: two broke the glass. */
	struct reader obligations; /* With rules: stands before the array of them. */
	bool has_rules;
	struct reader rules; /* Stands before the array of their ids. */
};

int entry_view_read(struct entry_view *ret, const struct entry *e);
/*
 * Does the entry answer this request? Its kind, the request's digest (made again from the blind and the request's own
 * bytes) and the request id. number: of an answer, the index of the decision; of a decision, whether the caller gave
 * the id and so may have asked with it before. CS_ERR_REFUTED with a text of TEXT_SIZE.
 */
int entry_view_ours(const struct entry_view *v, const struct entry *e, const struct field *fields, unsigned n_fields,
                    const struct wire_request *request, uint64_t number, char *text);

#endif
