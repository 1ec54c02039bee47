/* What was decided and why, out of an entry with its opened fields, or out of an evaluation that made none. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYRESULT_H
#define CLIENT_TOOL_POLICYRESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "node/decide/evaluate.h"

#define POLICYRESULT_REASONS_MAX (EVALUATION_NOTES_MAX + POLICY_RULES_MAX + SIGNAL_MAX)

/* Texts point into the bytes, or into the policy, that it was made of. */
struct policyresult {
	unsigned verdict; /* enum verdict. */
	int32_t risk;
	unsigned n_rules, n_signals, n_reasons, n_obligations;
	struct text rules[POLICY_RULES_MAX];
	struct {
		unsigned id;
		int64_t value, weight;
	} signals[SIGNAL_MAX];
	struct {
		struct text user, admin;
	} reasons[POLICYRESULT_REASONS_MAX];
	struct obligation obligations[POLICY_OBLIGATIONS_MAX];
	bool has_challenge; /* The verdict is step_up. */
	struct text level;
	uint64_t expires_ms; /* From the decision on. */
	/* Of an entry. */
	struct hash policy;  /* Its hash. */
	uint64_t challenge;  /* Of an answer: the index of the decision that asked for it. */
	unsigned outcome;    /* Of an answer: enum answer_outcome. */
	bool signals_opened; /* The signals are among the fields that came. */
};

/* fields: those that came, checked against the entry. CS_ERR_MALFORMED; CS_ERR_INVALID: a kind without a verdict. */
int policyresult_of_entry(struct policyresult *ret, const struct entry *e, const struct field *fields, unsigned n);
void policyresult_of_evaluation(struct policyresult *ret, const struct evaluation *e, const struct policy *p);

#endif
