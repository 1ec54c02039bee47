/* What another policy would change of the past: counted by verdict, by rule and by person, the riskiest kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYTALLY_H
#define CLIENT_TOOL_POLICYTALLY_H

#include "client/tool/policyresult.h"

enum tally_kind { TALLY_DECISION, TALLY_ANSWER, TALLY_IMPORT, TALLY_KINDS };
#define TALLY_VERDICTS   5         /* enum verdict, and 0. */
#define TALLY_RULES_MAX  1024      /* Rules of then and of now, by id. */
#define TALLY_PEOPLE_MAX (1 << 20) /* Distinct ones that are told apart: 32 MiB at most. */
#define TALLY_TOP_MAX    1000
#define TALLY_TEXT_SIZE  96

/* A decision that would come out otherwise. */
struct tally_change {
	uint64_t index, time_ms;
	unsigned from, to;
	int32_t risk_from, risk_to;
	char subject[TALLY_TEXT_SIZE], actor[TALLY_TEXT_SIZE], action[TALLY_TEXT_SIZE], resource[TALLY_TEXT_SIZE];
};

struct tally_rule {
	char id[POLICY_NAME_SIZE_MAX + 1];
	uint64_t then, now;               /* Decisions that it matched. */
	uint64_t changed[TALLY_VERDICTS]; /* Of those that it matches now: changed to this verdict. */
	uint64_t gone;                    /* Of those that it matched then and does not now: changed. */
};

/* One that is known by the beginning of the hash of [type, id]. */
struct tally_person {
	uint8_t key[16];
	bool used;
	uint8_t gains, loses; /* A bit for each verdict. */
};

/* Those with the highest risk, as a heap with the least of them on top until policytally_sort. */
struct tally_top {
	unsigned n, max;
	struct tally_change *list;
};

struct policytally {
	uint64_t verdicts[TALLY_KINDS][TALLY_VERDICTS][TALLY_VERDICTS]; /* From, to. */
	unsigned n_rules;
	bool rules_full, people_full;
	struct tally_rule rules[TALLY_RULES_MAX];
	struct tally_person *people;
	size_t people_cap, n_people;
	uint64_t gain[TALLY_VERDICTS]; /* People who would see this verdict for something that did not get it. */
	uint64_t lose[TALLY_VERDICTS]; /* And who saw it for something that would not. */
	struct tally_top stricter, weaker;
};

/* top: how many of the riskiest are kept, each way. CS_ERR_NOMEM. */
int policytally_open(struct policytally *t, unsigned top);
void policytally_close(struct policytally *t);
/* then and now of one entry of this kind. CS_ERR_NOMEM. */
int policytally_add(struct policytally *t, enum tally_kind kind, const struct entry *e, const struct request *q,
                    const struct policyresult *then, const struct policyresult *now);
uint64_t policytally_total(const struct policytally *t, enum tally_kind kind);
uint64_t policytally_changed(const struct policytally *t, enum tally_kind kind);
/* Once at the end: the riskiest first. */
void policytally_sort(struct policytally *t);

#endif
