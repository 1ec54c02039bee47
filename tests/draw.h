/* What administrators order, drawn by chance: for random commands (decide_gen.h) and simulated clusters (sim/). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRAW_H
#define TESTS_DRAW_H

#include "node/decide/command_erase.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/governance.h"
#include "node/decide/people_order.h"

#define DRAW_PEOPLE_MAX 3

/* Where chance comes from, and whom it may concern. */
struct draw {
	uint64_t (*below)(void *ctx, uint64_t n); /* [0, n) */
	void *ctx;
	const char *const *subjects; /* Ids of users; they outlive what is drawn. */
	unsigned n_subjects;
};

/* One draw in an expression (decide_gen.h). */
uint64_t draw_below(const struct draw *d, uint64_t n);
#define DRAW_ONE_OF(d, array) ((array)[draw_below(d, sizeof(array) / sizeof *(array))])

/* Signatures are the caller's. What is drawn may well be refused: of people who are not there, of holds twice. */
unsigned draw_people(const struct draw *d, struct people_change ret[DRAW_PEOPLE_MAX]); /* 1 to 3 of them. */
/* hold: one that may be lifted; kinds: of entries that retention may be about. */
void draw_hold(const struct draw *d, uint64_t hold, const unsigned *kinds, unsigned n_kinds, struct hold_order *ret);
void draw_erase(const struct draw *d, uint64_t index, const uint8_t blind[32], struct erase_order *ret);
void draw_grant_revoke(const struct draw *d, uint64_t grant, struct grant_revoke *ret);
/* From one administrator to two and back, mostly; k: that is in force. */
void draw_governance(const struct draw *d, unsigned k, struct governance *ret);

#endif
