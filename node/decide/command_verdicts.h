/* Commands about verdicts that wait and proofs that last: approvals, grants' ends, signals from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_COMMAND_VERDICTS_H
#define NODE_DECIDE_COMMAND_VERDICTS_H

#include "node/decide/command.h"

#define APPROVAL_REASON_SIZE_MAX 1024 /* As a removal's. */

/* What an approver says. Numbers are in entries and signatures: for ever. */
enum approval_say { SAY_APPROVE = 1, SAY_REJECT = 2, SAY_BREAK_GLASS = 3 };
const char *say_text(unsigned say); /* "approve", "reject", "break-glass"; "unknown" for others. */

/*
 * An approval: [index of the decision that waits, what is said, request digest bin32, expiry ms, reason str, signature
 * bin64]. The signature is by the signing key of the approver whose channel brings it, over approval_message.
 */
struct approval {
	uint64_t index, expiry_ms;
	unsigned say;
	const uint8_t *digest, *signature;
	struct text reason;
};
int approval_encode(const struct approval *a, void *buf, size_t cap, size_t *ret_len);
int approval_decode(struct approval *ret, const void *bytes, size_t len);
#define APPROVAL_MESSAGE_SIZE_MAX 288
/*
 * "countersign/approval/v1\0" || origin || 0 || index u64be || what is said (1 byte) || request digest 32 || expiry ms
 * u64be || SHA-256(reason). Returns its length.
 */
size_t approval_message(uint8_t ret[APPROVAL_MESSAGE_SIZE_MAX], const char *origin, const struct approval *a);

/*
 * An administrator's order to end grants: [index of the grant's entry or nil, nil or [subject type, id], reason,
 * signature]: one grant, or all of a subject.
 */
struct grant_revoke {
	bool one;
	uint64_t index;
	struct text subject_type, subject_id; /* len 0 if one. */
	struct text reason;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int grant_revoke_encode_signed(const struct grant_revoke *g, void *buf, size_t cap, size_t *ret_len);
int grant_revoke_encode(const struct grant_revoke *g, void *buf, size_t cap, size_t *ret_len);
int grant_revoke_decode(struct grant_revoke *ret, const void *bytes, size_t len);

/*
 * Signals from outside are named as OpenID's CAEP names its events (Continuous Access Evaluation Profile 1.0, section
 * 3). Numbers are in entries: for ever. X(name, number, text)
 */
#define OUTSIDE_LIST(X)                                                                                                \
	X(OUTSIDE_SESSION_REVOKED, 1, "session-revoked")                                                               \
	X(OUTSIDE_RISK_LEVEL, 2, "risk-level-change")                                                                  \
	X(OUTSIDE_CREDENTIAL_CHANGE, 3, "credential-change")                                                           \
	X(OUTSIDE_ASSURANCE_LEVEL, 4, "assurance-level-change")
enum outside_event {
#define OUTSIDE_ENUM(name, number, text) name = number,
	OUTSIDE_LIST(OUTSIDE_ENUM)
#undef OUTSIDE_ENUM
};
const char *outside_text(unsigned event); /* NULL: unknown. */
unsigned outside_parse(struct text t);    /* 0: unknown. */

/* Whom it is about, and how much: CAEP 3.8, "principal" and "current_level". X(name, number, text) */
#define OUTSIDE_ABOUT_LIST(X)                                                                                          \
	X(ABOUT_USER, 1, "USER")                                                                                       \
	X(ABOUT_DEVICE, 2, "DEVICE")                                                                                   \
	X(ABOUT_SESSION, 3, "SESSION")
enum outside_about {
#define ABOUT_ENUM(name, number, text) name = number,
	OUTSIDE_ABOUT_LIST(ABOUT_ENUM)
#undef ABOUT_ENUM
};
const char *about_text(unsigned about);
unsigned about_parse(struct text t);
enum outside_level { OUTSIDE_NONE = 0, OUTSIDE_LOW = 1, OUTSIDE_MEDIUM = 2, OUTSIDE_HIGH = 3 };
const char *outside_level_text(unsigned level); /* "LOW", …; "" for OUTSIDE_NONE, NULL: unknown. */
unsigned outside_level_parse(struct text t);    /* OUTSIDE_NONE: unknown. */

/*
 * A signal from outside: [event, about, level, [subject type, id], session str or nil, device str or nil, credential
 * str or nil, event's time ms, reason str]. What an event does not need is 0 or nil.
 */
struct outside {
	unsigned event, about, level;
	struct text subject_type, subject_id;
	struct text session, device, credential; /* len 0: none. */
	uint64_t event_ms;
	struct text reason;
};
int outside_encode(const struct outside *o, void *buf, size_t cap, size_t *ret_len);
int outside_decode(struct outside *ret, const void *bytes, size_t len); /* Also the shape of its event. */

#endif
