/* What the files of auditfacts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITFACTS_INTERNAL_H
#define CLIENT_TOOL_AUDITFACTS_INTERNAL_H

#include "client/tool/auditfacts.h"

#define SUBJECT_TEXT_SIZE 160

/* Decisions by verdict in one stretch of time. */
struct bucket {
	uint64_t n[5];
};
struct subject {
	char text[SUBJECT_TEXT_SIZE]; /* "" : a free place. */
	uint64_t n, n_verdicts[5];
	int32_t risk_max;
};
struct challenge {
	uint64_t index, time_ms; /* index 0: none; entry 0 is the genesis. */
	bool answered;
};
struct method {
	char name[40];
	uint64_t outcomes[4]; /* By ANSWER_…; [0]: of a later build. */
};
struct slow {
	uint64_t ms, challenge, answer, outcome;
};
struct gap {
	uint64_t ms, index, from_ms; /* Before the entry at index. */
};

struct auditfacts {
	uint64_t n, first, first_ms, last_ms;
	uint64_t n_kinds[AUDITSTATE_KINDS];
	uint64_t n_verdicts[5], n_imported[5];
	uint64_t n_closed; /* Entries with private fields of which none came. */
	uint64_t n_fields, n_opened, n_unread[AUDITFACTS_FIELDS];
	uint64_t width_ms, begin_ms; /* Of the buckets. */
	struct bucket buckets[AUDITFACTS_BUCKETS];
	struct subject *subjects; /* AUDITFACTS_SUBJECTS places, open addressing. */
	uint64_t n_subjects, n_crowded;
	struct challenge *challenges;
	uint64_t n_challenges, n_answered, n_untimed;
	struct method methods[AUDITFACTS_METHODS];
	struct slow slowest[AUDITFACTS_TOP];
	unsigned n_slowest;
	struct gap gaps[AUDITFACTS_TOP];
	unsigned n_gaps;
	json_t *changes[AUDIT_CHANGES]; /* Arrays of {index, time_ms, text}. */
	uint64_t n_changes[AUDIT_CHANGES];
};

/* What the entry changes, in words; false: it is one of every day's. */
bool auditchange_words(const struct entryview *v, enum audit_change *ret_sort, char *buf, size_t cap);
/* "single" or "K of N", where the entry sets it. */
bool auditchange_governance(const struct entryview *v, char ret[AUDITSTATE_GOVERNANCE_SIZE]);

#endif
