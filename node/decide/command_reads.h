/* Commands about reading: a person's history that is asked for, and what was read where. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_COMMAND_READS_H
#define NODE_DECIDE_COMMAND_READS_H

#include "node/decide/command.h"

#define HISTORY_REASON_SIZE_MAX 1024 /* As a removal's. */

/* Whose history, and so which chain. Numbers are in entries: for ever. */
enum history_whose { HISTORY_SUBJECT = 1, HISTORY_ACTOR = 2, HISTORY_APPROVER = 3 };
const char *history_whose_text(unsigned whose); /* "subject", "actor", "approver"; NULL: none. */

/* An auditor asks for a history: [whose, type str, id str, reason str]. An approver has a name, and no type: "". */
struct history_order {
	unsigned whose;
	struct text type, id;
	struct text reason; /* len 0: none. */
};
int history_order_encode(const struct history_order *o, void *buf, size_t cap, size_t *ret_len);
int history_order_decode(struct history_order *ret, const void *bytes, size_t len);

/* How private fields were read. Numbers are in entries: for ever. */
enum read_what { READ_ENTRIES = 1, READ_PROOF = 2, READ_SEARCH = 3, READ_HISTORY = 4 };
const char *read_what_text(unsigned what); /* "entries", "proof", "search", "history"; NULL: none. */

#define READ_ROWS_MAX      64 /* In one entry: readers at once on one node, each in each way. */
#define READ_LOOKUPS_MAX   8  /* Filters of one search. */
#define READ_TEXT_SIZE_MAX (2 * REQUEST_STR_SIZE_MAX + 1) /* TYPE:ID. */

/* [principal's id, what, first, last, reads, entries, fields] */
struct read_row {
	uint64_t principal;
	unsigned what;
	uint64_t first, last; /* Indexes between which it was read; of a search, looked through. */
	uint64_t reads;       /* Questions that were answered. */
	uint64_t entries;     /* Whose private fields were given. */
	uint64_t fields;      /* Bit n: field kind n was among them. */
};
/* [field kind, text]: the text as asked for, TYPE:ID of pairs; with a '*' at its end whatever begins so. */
struct read_lookup {
	unsigned kind;
	struct text text;
};
/*
 * What was read on one node: [[row…], [lookup…]]. With lookups, ascending by kind, there is exactly one row: theirs.
 */
struct read_log {
	unsigned n_rows, n_lookups;
	struct read_row rows[READ_ROWS_MAX];
	struct read_lookup lookups[READ_LOOKUPS_MAX];
};
#define READ_LOG_SIZE_MAX (READ_ROWS_MAX * 64 + READ_LOOKUPS_MAX * (READ_TEXT_SIZE_MAX + 8) + 16)
int read_log_encode(const struct read_log *l, void *buf, size_t cap, size_t *ret_len);
int read_log_decode(struct read_log *ret, const void *bytes, size_t len);
void read_lookups_write(struct writer *w, const struct read_lookup *l, unsigned n); /* [lookup…] */
void read_lookups_read(struct reader *r, struct read_lookup ret[READ_LOOKUPS_MAX], unsigned *ret_n);

#endif
