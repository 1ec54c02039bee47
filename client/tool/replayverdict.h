/* Replay's first level: each verdict again from the signals that its entry commits to, by the policy then in force. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_REPLAYVERDICT_H
#define CLIENT_TOOL_REPLAYVERDICT_H

#include "client/tool/policyrequest.h"
#include "client/tool/policyresult.h"
#include "client/tool/replayledger.h"

struct replayverdict {
	struct policy *policy; /* In force; as the ledger itself has it. */
	bool decisions;        /* The feature of that name is on. */
	/* Of the entry looked at last. */
	struct policyrequest asked;
	struct evaluation evaluation;
	struct policyresult ours, theirs;
	const char *what; /* What differs first: "risk", "verdict", …. */
	/* Counted: what one entry cannot show was taken as it says. */
	uint64_t n_granted, n_proven_lately, n_waited;
};

enum replayverdict_outcome {
	REPLAYVERDICT_NONE, /* Its kind has no verdict. */
	REPLAYVERDICT_SAME,
	REPLAYVERDICT_DIFFERS,
	REPLAYVERDICT_ERASED, /* Fields that are needed are not there. */
};

int replayverdict_open(struct replayverdict *v);
void replayverdict_close(struct replayverdict *v);
/* Each entry from 0 on, in order: the policies in force are taken from it. CS_ERR_*. */
int replayverdict_follow(struct replayverdict *v, const struct replay_entry *e);
/* CS_ERR_MALFORMED: not of the form of its kind. */
int replayverdict_entry(struct replayverdict *v, const struct replay_entry *e, enum replayverdict_outcome *ret);

#endif
