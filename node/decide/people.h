/* The table of people: users, service accounts and agents that administrators described. Nobody is ever evicted. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_PEOPLE_H
#define NODE_DECIDE_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/people_order.h"

struct state;

/* One slot of the table. Slots are dense: who goes makes room for the last one, on every replica alike. */
struct person {
	uint8_t key[HASH_SIZE]; /* Of [type, id], as a subject's (state.h). */
	uint64_t version;       /* Index of the entry that set or changed it. */
	uint8_t *record;        /* Owned: its encoding (people_order.h). NULL: free. */
	uint32_t record_len;
	uint32_t owned; /* Derived: how many name it as their owner. */
	uint32_t mark;  /* As a subject's. */
};

uint32_t people_count(const struct state *s);
/* Slots in order: for listing. Borrowed until the state next changes. */
const struct person *people_at(const struct state *s, uint32_t slot);
const struct person *person_find(const struct state *s, const uint8_t key[HASH_SIZE]); /* NULL: not in the table. */
const struct person *person_find_typed(const struct state *s, struct text type, struct text id);
/* Takes the record apart; texts point into it. */
void person_record(const struct person *p, struct person_record *ret);
bool person_record_in_group(const struct person_record *p, struct text group);
/* Of somebody who is in the table and enabled; anybody else is in no group. For approvers, and for policies. */
bool person_in_group(const struct state *s, struct text type, struct text id, struct text group);
/* Its first group, that it shares habits with; len 0: none, or not in the table. */
struct text person_first_group(const struct state *s, struct text type, struct text id);

/* --- changes, for apply_people.c --- */

/* Replaces or adds: record is malloc'ed and becomes the table's. There must be room. */
void person_set(struct state *s, uint8_t *record, uint32_t len, uint64_t version);
void person_drop(struct state *s, const uint8_t key[HASH_SIZE]); /* It must be there, and own nobody. */

/* --- taking and loading --- */

void take_person(struct state *s, uint32_t slot); /* As take_subject. */
int person_load(struct state *s, struct reader *r, uint64_t slot);
int people_loaded(struct state *s); /* After a load: index and owners. */

#endif
