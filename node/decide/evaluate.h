/* From a request and the state to risk and verdict; nothing changes here. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_EVALUATE_H
#define NODE_DECIDE_EVALUATE_H

#include <stdint.h>

#include "node/decide/parties.h"
#include "node/decide/signals_further.h"
#include "node/decide/state.h"

#define EVALUATION_NOTES_MAX 11
#define AWAITED_MAX          8 /* Rules whose approvals one request can wait for at once. */

/* What a deferred request waits for. */
struct awaited {
	uint64_t not_before_ms; /* 0: no time. */
	uint64_t expires_ms;    /* How long approvals are waited for; 0: for none. */
	bool too_many;          /* More rules ask for approvals than can be kept: denied. */
	unsigned n;
	struct {
		uint8_t rule;
		unsigned needed, have;
	} rules[AWAITED_MAX]; /* Approvals that are lacking. */
};

struct evaluation {
	struct parties parties;
	struct observation observation;
	bool further; /* A policy of version 2: the next three are filled in. */
	struct sight sight;
	uint64_t groups[SIGNAL_GROUPS_MAX]; /* Keys of the subject's groups. */
	unsigned n_groups;
	struct signal_list signals;
	uint64_t now_ms;
	bool imported;
	int32_t weights[SIGNAL_MAX]; /* What each signal of the list added. */
	int32_t risk;
	unsigned verdict;
	unsigned n_rules;
	uint8_t rules[POLICY_RULES_MAX];   /* Those that matched, in the policy's order. */
	struct policy_challenge challenge; /* What a step_up demands. */
	unsigned n_faults;                 /* Conditions that could not be evaluated: denied. */
	char fault[160];                   /* The first of them. */
	unsigned n_notes;
	struct awaited awaited;
	bool approved;       /* Enough approvers of some rule have signed. */
	uint64_t grant_used; /* Index of the grant that was taken account of; 0: none. */
	struct {             /* Reasons that come from no signal and no rule. */
		const char *user, *admin;
	} notes[EVALUATION_NOTES_MAX];
};

/* What has been said or has passed since a request was deferred. */
struct deferral {
	const struct state *s;
	const struct deferred_slot *d; /* NULL: it is new. */
	const struct grant_query *g;   /* NULL: no grant may count. */
	uint64_t now_ms;
	bool met; /* It has come, however: nothing of the others is looked at. */
};
/* What this rule's defer waits for has come; else it is noted in e->awaited. f NULL: never. defer.c */
bool defer_met(const struct deferral *f, struct evaluation *e, unsigned rule, const struct rule *r);

/* The evidence that was verified for this very request: its level, 0: none; and whether its key counted backwards. */
struct proven {
	unsigned level;
	bool fell;
};
#define NOTHING_PROVEN ((struct proven){0})
/*
 * u: the subject, NULL if unknown. event_ms: when it happened; import: its velocity counts among imports. d: the
 * request has waited; NULL: it has not.
 */
void evaluate(struct evaluation *ret, const struct state *s, const struct request *q, const struct subject *u,
              const struct principal_slot *client, uint64_t event_ms, uint64_t now_ms, bool import, struct proven met,
              const struct deferred_slot *d);
/*
 * What policy p makes of a request whose signals are known already: ret->signals (each once, numbers within the
 * list's), ret->parties (all zero: nobody is in the table of people), ret->now_ms and ret->imported are given, all else
 * but the observation is filled in. waited: whatever rules defer for has come.
 * For whoever asks what another policy would say.
 */
void evaluate_given(struct evaluation *ret, const struct policy *p, const struct request *q, unsigned met, bool waited);
/* What subject and world learn of a policy of version 2 (learn.c): from any request; from what was allowed. */
void learn_asked(struct state *s, struct subject *u, const struct evaluation *e, uint64_t now_ms);
void learn_allowed(struct state *s, struct subject *u, const struct evaluation *e, uint64_t now_ms, bool strong);
/* Before the profile's own training: decided tells whether a decision has taught it. */
void learn_import(struct state *s, struct subject *u, const struct evaluation *e, uint64_t event_ms);
void evaluation_note(struct evaluation *e, const char *user, const char *admin);

#endif
