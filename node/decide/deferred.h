/* Requests that wait: deferred ones with their approvals, and denied ones that two people may still release. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_DEFERRED_H
#define NODE_DECIDE_DEFERRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/command.h"
#include "node/decide/list.h"
#include "node/decide/place.h"

#define VOTES_MAX          16 /* Of one request; a rule asks for at most half, and several rules may ask. */
#define DEFERRED_BYTES_MAX (UINT64_C(32) << 20) /* Requests kept for it. */
/* After its end a request's outcome is known so long: the longest challenge and a minute, as STATE_CHALLENGE_MS. */
#define DEFERRED_KEEP_MS UINT64_C(660000)

struct state;
struct principal;
struct principal_slot;

/* What an approver said. */
struct vote {
	uint64_t principal, version; /* Of the approver; of another version it counts no more. */
	uint64_t index;              /* Of its entry. */
	unsigned say;                /* enum approval_say. */
};

enum deferred_stage {
	DEFERRED_OPEN = 1,   /* Waits. */
	DEFERRED_DENIED = 2, /* Denied, and may be released by break-glass. */
	DEFERRED_PASSED = 3, /* Decided anew, what it waited for being met: counts for a challenge that followed. */
	DEFERRED_ENDED = 4,  /* Refused, expired, or denied for good. */
};

struct deferred_slot {
	uint64_t index; /* Of the decision that it began with; 0: free. */
	enum deferred_stage stage;
	uint64_t principal;          /* Who asked. */
	uint64_t newest;             /* The newest entry for it, */
	uint64_t newest_ms;          /* its time, */
	unsigned verdict;            /* and what that says. */
	uint64_t made_ms, expiry_ms; /* expiry: of an open one its end; of others, how long it is kept. */
	uint64_t not_before_ms;      /* Open: then it is decided anew; 0: not by time alone. */
	struct hash digest;
	uint8_t blind[32];
	uint8_t request_id[REQUEST_ID_SIZE];
	struct place place; /* Of the decision, as a challenge's. */
	unsigned n_votes;
	struct vote votes[VOTES_MAX];
	uint8_t *request; /* Owned; NULL: free. */
	size_t request_len;
	/* Derived. */
	struct link all; /* By index. Free: links the free ones. */
	uint32_t mark;   /* As a subject's. */
};

struct deferred_slot *deferred_find(const struct state *s, uint64_t index);
/* By the request's own id, whoever asks by it. */
struct deferred_slot *deferred_by_request(const struct state *s, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE]);
/* NULL: there is room for one more of the principal's; makes room by forgetting what has outlived its time. */
const char *deferred_bound(struct state *s, const struct principal_slot *p, size_t request_len, uint64_t now_ms);
/* Memory for the next one's request, before anything has changed; false: none (as challenge_reserve). */
bool deferred_reserve(struct state *s);
struct deferred_slot *deferred_add(struct state *s, uint64_t index, uint64_t principal,
                                   const uint8_t id[REQUEST_ID_SIZE], const void *request, size_t len);
/* Before a slot is changed; and after its stage or times were. */
void deferred_change(struct state *s, struct deferred_slot *d);
void deferred_changed(struct state *s);
void deferred_drop(struct state *s, struct deferred_slot *d); /* Without an end of its own: its subject is erased. */
/* The open one whose time or end has come first; NULL: none. */
struct deferred_slot *deferred_due(struct state *s, uint64_t now_ms);
bool deferred_is_due(const struct deferred_slot *d, uint64_t now_ms);
int deferred_loaded(struct state *s); /* After a load: lists, indexes and sums. */

#endif
