/* What an audit tells of the entries that it has read: counts, times, subjects, changes; in bounded memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITFACTS_H
#define CLIENT_TOOL_AUDITFACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/tool/auditstate.h"
#include "client/tool/entryview.h"

#define AUDITFACTS_BUCKETS     96    /* Of the chart over time; they are joined in pairs when there are more. */
#define AUDITFACTS_TOP         10    /* Rows of "the most". */
#define AUDITFACTS_SUBJECTS    16384 /* Told apart; who comes later is only counted. */
#define AUDITFACTS_CHALLENGES  65536 /* Remembered by their index's last 16 bits. */
#define AUDITFACTS_METHODS     8     /* There are four, and "not open". */
#define AUDITFACTS_CHANGES_MAX 200   /* Lines of one sort; the rest is counted. */
#define AUDITFACTS_FIELDS      32    /* Field kinds that this version knows. */

/* Sorts of changes: each a section of the report. X(name, key, title) */
#define AUDITFACTS_CHANGE_LIST(X)                                                                                      \
	X(AUDIT_GLASS, "break_glass", "Break-glass")                                                                   \
	X(AUDIT_POLICY, "policies", "Policies set")                                                                    \
	X(AUDIT_PRINCIPAL, "principals", "Principals and roles")                                                       \
	X(AUDIT_PEOPLE, "people", "People changed")                                                                    \
	X(AUDIT_GOVERNANCE, "governance", "Governance")                                                                \
	X(AUDIT_MEMBER, "members", "Members and builds")                                                               \
	X(AUDIT_CREDENTIAL, "credentials", "Credentials")                                                              \
	X(AUDIT_REVOKED, "grants_revoked", "Grants revoked")                                                           \
	X(AUDIT_OUTSIDE, "outside", "Signals from outside")                                                            \
	X(AUDIT_ERASED, "erasures", "Erasures, holds and retention")                                                   \
	X(AUDIT_UNKNOWN, "unknown", "Kinds that this build does not know")
enum audit_change {
#define AUDIT_CHANGE_ENUM(name, key, title) name,
	AUDITFACTS_CHANGE_LIST(AUDIT_CHANGE_ENUM)
#undef AUDIT_CHANGE_ENUM
	        AUDIT_CHANGES
};

struct auditfacts;

struct auditfacts *auditfacts_new(void); /* NULL: no memory. */
void auditfacts_free(struct auditfacts *f);
/* What a state keeps of an entry: counts and governance. */
void auditfacts_count(struct auditstate *state, const struct entryview *v);
/* Entries come in their order. state: its counts and governance are brought up to date. */
void auditfacts_add(struct auditfacts *f, struct auditstate *state, const struct entryview *v);
/* Everything, as the report's object: "entries", "timeline", "step_ups", "subjects", "slowest", "gaps", "changes", … */
json_t *auditfacts_json(const struct auditfacts *f);

#endif
