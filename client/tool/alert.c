/* Which entries somebody should look at. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/alert.h"

#include "client/countersign.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/decide.h"

#define ANSWER_OUTCOME 7 /* Its place among an answer's public fields (FORMAT.md). */
#define APPROVAL_SAID  7 /* And an approval's. */

/* Every day's entries: an alert only by what they say. Any other kind changes who may do what. */
#define ORDINARY_KIND_LIST(X)                                                                                          \
	X(ENTRY_GENESIS)                                                                                               \
	X(ENTRY_DECISION)                                                                                              \
	X(ENTRY_ANSWER)                                                                                                \
	X(ENTRY_IMPORTED)                                                                                              \
	X(ENTRY_APPROVAL)                                                                                              \
	X(ENTRY_DEFER_ENDED)                                                                                           \
	X(ENTRY_TICK)                                                                                                  \
	X(ENTRY_HISTORY)                                                                                               \
	X(ENTRY_READ)                                                                                                  \
	X(ENTRY_BUILD)                                                                                                 \
	X(ENTRY_STATE_DIGEST)

static bool ordinary(unsigned kind)
{
	switch (kind) {
#define ORDINARY_CASE(name) case name:
		ORDINARY_KIND_LIST(ORDINARY_CASE)
#undef ORDINARY_CASE
		return true;
	default:
		return false;
	}
}

static bool loud(struct alert *ret, const char *text)
{
	*ret = (struct alert){.text = text, .loud = true};
	return true;
}

bool alert_of(const struct entryview *v, int32_t deny_risk, struct alert *ret)
{
	uint64_t outcome = 0;

	if (!ordinary(v->entry.kind)) {
		*ret = (struct alert){.text = entryview_kind_known(v->entry.kind)
		                                      ? entry_kind_text(v->entry.kind)
		                                      : "a kind that this build does not know"};
		return true;
	}
	if (v->entry.kind == ENTRY_ANSWER && entryview_number(v, ANSWER_OUTCOME, &outcome)) {
		if (outcome == ANSWER_FAILED)
			return loud(ret, "failed answer");
		if (outcome == ANSWER_LATE)
			return loud(ret, "late answer");
	}
	if (v->released)
		return loud(ret, "BREAK-GLASS: released by two approvers");
	if (v->entry.kind == ENTRY_APPROVAL && entryview_number(v, APPROVAL_SAID, &outcome) &&
	    outcome == SAY_BREAK_GLASS)
		return loud(ret, "BREAK-GLASS: asked for by one approver");
	/* What was imported is past, and was not ours to deny. */
	if (v->verdict == CS_DENY && v->risk >= deny_risk && v->entry.kind != ENTRY_IMPORTED)
		return loud(ret, "deny at high risk");
	return false;
}
