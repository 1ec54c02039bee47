/* Small ledgers whose entries are chained person by person, and the files of their histories (FORMAT.md, History). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CHAIN_KIT_H
#define TESTS_CHAIN_KIT_H

#include <stdbool.h>

#include "ledger/entry.h"
#include "ledger/verify.h"

#define CHAIN_ENTRIES_MAX 16
#define NOBODY            0

enum whose { SUBJECT = 1, ACTOR = 2, APPROVER = 3 };

/* What an entry says of one person; previous -1: none. */
struct chain_link {
	enum whose whose; /* NOBODY: of none. */
	const char *id;
	int64_t previous;
	uint64_t count;
};

/* --- fixtures of cmocka: of a group, and of each of its tests, which begins with an empty ledger --- */

int chain_keys(void **state);
int chain_forget(void **state);
int chain_begin(void **state);
int chain_end(void **state);

/* --- a ledger as it is wanted --- */

void chain_add(unsigned kind, bool forgot_nobody, const struct chain_link *l);
/* With these fields, whatever they say; their salts are not looked at. Of "history requested": of whom it is. */
void chain_add_fields(unsigned kind, enum whose whose, const struct field *fields, unsigned n);
void chain_of_ada(bool forgot_nobody); /* user:ada at 1, 2, 4; asked for at 6. */

/* --- the file: its lines, freed by the caller --- */

char *chain_head(enum whose whose, uint64_t entries, bool cosigned); /* Under a checkpoint of what there is. */
char *chain_line(unsigned index, uint64_t kinds);                    /* Fields of these kinds alone, a bit each. */

extern struct verify_policy *chain_policy;
extern struct verify_result chain_result; /* Of the last one that was verified. */
enum verify_outcome chain_verify(char *const *lines, unsigned n);
/* Of these entries in this order. entries 0: as many as the list has. */
enum verify_outcome chain_verify_list(enum whose whose, uint64_t entries, bool cosigned, unsigned n,
                                      const unsigned *list);

#define LIST(...)                                                                                                      \
	(unsigned)(sizeof((unsigned[]){__VA_ARGS__}) / sizeof(unsigned)), (const unsigned[])                           \
	{                                                                                                              \
		__VA_ARGS__                                                                                            \
	}
#define ADA(...)   chain_verify_list(SUBJECT, 0, true, LIST(__VA_ARGS__))
#define ADA_4(...) chain_verify_list(SUBJECT, 4, true, LIST(__VA_ARGS__))

#endif
