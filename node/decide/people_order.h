/* People, services and agents as orders describe them: records of the table, and the order that changes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_PEOPLE_ORDER_H
#define NODE_DECIDE_PEOPLE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "node/decide/command.h"

#define PERSON_NAME_SIZE_MAX  128
#define PERSON_GROUPS_MAX     16
#define PERSON_GROUP_SIZE_MAX 64
#define PERSON_ACTS_FOR_MAX   8
#define PERSON_SIZE_MAX       1024  /* A record's encoding: 100,000 of them stay within 100 MiB. */
#define PEOPLE_BATCH_MAX      64    /* Records of one order: no command is slow. */
#define PEOPLE_BATCH_SIZE_MAX 32768 /* Their encoding: half of what an entry's private fields may take. */

/* Numbers are for ever. X(name, number, text) */
#define PERSON_KINDS(X)                                                                                                \
	X(PERSON_USER, 1, "user")       /* A human being. */                                                           \
	X(PERSON_SERVICE, 2, "service") /* A service account, for which its owner answers. */                          \
	X(PERSON_AGENT, 3, "agent")     /* An AI agent, likewise. */

enum person_kind {
#define PERSON_ENUM(name, number, text) name = number,
	PERSON_KINDS(PERSON_ENUM)
#undef PERSON_ENUM
};
const char *person_kind_text(unsigned kind); /* "unknown" for others. */
unsigned person_kind_parse(struct text t);   /* 0: unknown. */

/*
 * [[type, id], kind, enabled, display name, [group…], owner [type, id] or nil, manager or nil, [[type, id]…]].
 * Groups and whom it may act for are sorted by their bytes, none twice. A service or agent has an owner, a user has
 * none and acts for nobody. acts_for: a person, service or agent; ["group", NAME]: whoever is in that group;
 * ["*", "*"]: anybody. No subject's type is "group" or "*".
 */
struct person_record {
	struct text type, id;
	unsigned kind;
	bool enabled;
	struct text name;
	unsigned n_groups, n_acts_for;
	struct text groups[PERSON_GROUPS_MAX];
	struct typed owner, manager; /* id.len 0: none. */
	struct typed acts_for[PERSON_ACTS_FOR_MAX];
};
void person_write(struct writer *w, const struct person_record *p);
/* Whatever breaks a rule above is CS_ERR_MALFORMED. */
void person_read(struct reader *r, struct person_record *ret);
/* What is wrong with a record, for whoever makes one; NULL: nothing. */
const char *person_fault(const struct person_record *p);

enum people_action { PEOPLE_SET = 1, PEOPLE_DISABLE = 2, PEOPLE_ENABLE = 3, PEOPLE_REMOVE = 4 };

/* One change: [1, record] sets it whole; [2 disable, 3 enable or 4 remove, [type, id]]. */
struct people_change {
	unsigned action;
	struct person_record person; /* Of all but PEOPLE_SET: type and id only. */
	const uint8_t *record;       /* Decode, PEOPLE_SET: the record's encoding. */
	size_t record_len;
};
void people_change_write(struct writer *w, const struct people_change *c);

/* An order: [[change…], signature]: 1 to PEOPLE_BATCH_MAX changes, each of another person. */
struct people_order {
	unsigned n;
	const uint8_t *changes; /* The array's encoding; people_next reads them one by one. */
	size_t changes_len;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
/* The elements before the signature are the array of changes itself. */
int people_order_encode(const struct people_order *o, void *buf, size_t cap, size_t *ret_len);
int people_order_decode(struct people_order *ret, const void *bytes, size_t len); /* Each change, too. */
/* The changes of a decoded order, in its sequence. */
void people_first(struct reader *ret, const struct people_order *o);
void people_next(struct reader *r, struct people_change *ret);

#endif
