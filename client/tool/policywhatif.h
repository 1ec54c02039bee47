/* The ledger's past under another policy: what is shared by its reading, its playing and its report. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYWHATIF_H
#define CLIENT_TOOL_POLICYWHATIF_H

#include "client/tool/policylab.h"
#include "client/tool/policyrequest.h"
#include "client/tool/policytally.h"
#include "client/tool/policywalk.h"

#define WHATIF_PENDING_MAX (1 << 17) /* Twice the challenges that a cluster keeps open. */

/* A decision that asked for a proof then, or does now: its answer comes later in the ledger. */
struct whatif_pending {
	uint64_t index; /* In the ledger; ascending. */
	uint64_t lab;   /* In the lab. */
	unsigned now;   /* Its verdict under the new policy. */
};

struct whatif {
	const char *command, *policy_name;
	const struct policyfile *file;
	struct policy *policy;
	uint64_t from, to; /* Of what is counted; to: one past the last. */
	bool history;      /* Signals are derived again; else they are as recorded. */
	bool unanswered;   /* What is newly asked stays unanswered. */
	struct policylab *lab;
	struct policytally tally;
	struct evaluation evaluation;
	struct policyresult then, now;
	struct policyrequest asked;
	struct request request; /* The same, with its place. */
	struct field lab_fields[LIMIT_FIELD_COUNT_MAX];
	struct whatif_pending *pending; /* A ring. */
	uint64_t pending_first, pending_end;
	/* Counted apart. */
	uint64_t closed;   /* No private field came: erased, or the key lacks the role audit. */
	uint64_t erased;   /* Some came; those that are needed did not. */
	uint64_t unasked;  /* Answers to what would not have been asked. */
	uint64_t assumed;  /* Proofs that nobody was asked for then, taken as good. */
	uint64_t granted;  /* A grant counted: as then. */
	uint64_t refused;  /* The lab took them not. */
	uint64_t unplayed; /* Entries of other kinds that change what is decided later. */
	char refusal[160]; /* The first one's text. */
	bool quorum;       /* The last entry read is proven under a quorum's cosignatures. */
};

/* policywhatif_now.c: what becomes of one entry. 0, or the exit code. */
int whatif_entry(void *ctx, const struct entryview *v, const struct cs_entry *raw);

/* policywhatif_report.c */
int whatif_report(const struct whatif *w, bool json);

#endif
