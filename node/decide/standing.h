/* What stands for a subject for a time: grants that evidence bought, and warnings from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STANDING_H
#define NODE_DECIDE_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/command.h"
#include "node/decide/list.h"
#include "node/decide/policy_form.h"

#define STANDING_PER_SUBJECT_MAX 32 /* What one request looks at; grants beyond it are not opened. */

struct state;
struct principal_slot;

enum standing_kind { STANDING_GRANT = 1, STANDING_WARNING = 2 };

struct standing {
	uint64_t index; /* Of the entry that made it; 0: free. */
	enum standing_kind kind;
	uint64_t principal; /* Whose quota it is: who asked, or who sent the signal. */
	uint64_t made_ms, expiry_ms;
	unsigned level;               /* Of a grant: what was proven (0: approvals only). Else enum outside_level. */
	uint8_t subject[HASH_SIZE];   /* subject_key */
	uint8_t actor[HASH_SIZE];     /* Of a grant: who acted for the subject; zero: nobody. */
	uint8_t session[HASH_SIZE];   /* value_key; zero: not bound to one. Of a warning: what it is about; */
	uint8_t device[HASH_SIZE];    /* both zero: the user. */
	uint8_t rule[HASH_SIZE];      /* Of a grant: value_key of the rule's id, whose scope it has. */
	bool approved;                /* It satisfies that rule's approvals. */
	uint64_t credential, version; /* Of a grant: what bought it; 0: approvals. */
	/* Derived. */
	struct link all; /* By index. Free: links the free ones. */
	uint32_t mark;   /* As a subject's. */
};

/* A text's key, the same everywhere; of an empty text zero. */
void value_key(uint8_t ret[HASH_SIZE], struct text t);
/* A request's own attribute of that name as a key; zero: it has none that is a text. */
void context_key(uint8_t ret[HASH_SIZE], const struct request *q, const char *name);

/* False: no room, of the subject, the principal or all. Forgets what has expired, if that makes room. */
bool standing_has_room(struct state *s, const struct principal_slot *p, const uint8_t subject[HASH_SIZE],
                       uint64_t now_ms);
/* A copy of *like under this index; there must be room. */
void standing_add(struct state *s, const struct standing *like);
/* The subject's that have not expired, ascending by index; returns how many. */
unsigned standing_of(const struct state *s, const uint8_t subject[HASH_SIZE], uint64_t now_ms,
                     const struct standing *ret[STANDING_PER_SUBJECT_MAX]);
void standing_drop_index(struct state *s, const uint8_t subject[HASH_SIZE], uint64_t index); /* It must be there. */
const struct standing *standing_by_index(const struct state *s, uint64_t index);             /* Looks through all. */
int standing_loaded(struct state *s);                                                        /* After a load. */

/* --- grants (grant.c) --- */

/* What a request is held against, for grants and warnings. */
struct grant_query {
	const struct request *q;
	uint64_t now_ms;
	uint8_t subject[HASH_SIZE], actor[HASH_SIZE], session[HASH_SIZE], device[HASH_SIZE];
};
void grant_query_init(struct grant_query *ret, const struct request *q, uint64_t now_ms);
/* The grant with the highest level among those in whose scope the request lies; NULL: none, or only approvals. */
const struct standing *grant_level(const struct state *s, const struct grant_query *g);
/* A grant by which this rule's approvals are given already. */
const struct standing *grant_approves(const struct state *s, const struct grant_query *g, const struct rule *r);
/* enum outside_level: the highest that stands for the user, the device or the session of the request. */
unsigned outside_level(const struct state *s, const struct grant_query *g);
/* The grant that this rule opens for the request, as the next entry's; level and what bought it are the caller's. */
bool grant_of_rule(const struct state *s, const struct grant_query *g, const struct rule *r, struct standing *ret);

#endif
