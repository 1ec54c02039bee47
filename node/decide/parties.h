/* Who takes part in a request, as the table of people knows them: may they act, and for whom. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_PARTIES_H
#define NODE_DECIDE_PARTIES_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "node/decide/people_order.h"

struct state;

/* Numbers are in entries and policies, for ever. X(name, number, text) */
#define DELEGATION_LIST(X)                                                                                             \
	X(DELEGATION_NONE, 0, "none")         /* Nobody acts for the subject. */                                       \
	X(DELEGATION_LISTED, 1, "listed")     /* The table lets each actor act for the next one. */                    \
	X(DELEGATION_UNLISTED, 2, "unlisted") /* An actor is not in the table. */                                      \
	X(DELEGATION_REFUSED, 3, "refused")   /* One is, and may not act for the next. */

enum delegation {
#define DELEGATION_ENUM(name, number, text) name = number,
	DELEGATION_LIST(DELEGATION_ENUM)
#undef DELEGATION_ENUM
};
const char *delegation_text(unsigned delegation);

/* Texts point into the state's records: good until it changes. */
struct parties {
	bool known; /* The subject or an actor is in the table. */
	bool has_subject, has_actor;
	struct person_record subject, actor; /* The actor: who acts, the first of a chain. */
	unsigned n_actors;
	unsigned delegation; /* enum delegation. */
	/* 0: nobody is disabled. 1: the subject; 1 + i: the i-th actor, or who answers for it. */
	unsigned disabled;
	bool spoken_for; /* By a rule that matches: a chain may have actors that the table does not know. */
};
/* All zero where the feature `decisions` is off. */
void parties_look(struct parties *ret, const struct state *s, const struct request *q);
/* [delegation, disabled, [the subject's group…], [the actor's group…]] */
void parties_write(struct writer *w, const struct parties *p);
/* From such a field of an entry, for whoever decides anew. Texts point into the reader's bytes. */
void parties_read(struct reader *r, struct parties *ret, const struct request *q);
/* Why nothing else counts, for the user and the administrator; false: nothing of the kind. */
bool parties_refuse(const struct parties *p, const char **ret_user, const char **ret_admin);

#endif
