/* decide: the pure function (state, time, command) -> (entry, changed state), and the state that it changes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_DECIDE_H
#define NODE_DECIDE_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/entry.h"
#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/decide/command.h"
#include "node/decide/evidence.h"
#include "node/decide/feature.h"
#include "node/decide/governance.h"
#include "node/decide/keys.h"
#include "node/decide/roster.h"

enum verdict { VERDICT_ALLOW = 1, VERDICT_STEP_UP = 2, VERDICT_DEFER = 3, VERDICT_DENY = 4 };
const char *verdict_text(unsigned verdict); /* "allow", "step_up", "defer", "deny"; "unknown" otherwise. */

/* --- the state: a fold over the ledger, in memory, owned by one thread --- */

struct state;

struct state_limits {
	uint32_t subjects_max;    /* Profiles kept; the least recently used goes first. 0: 100,000. */
	uint32_t principals_max;  /* Enrolled keys. 0: 4,096. */
	uint32_t credentials_max; /* Of people, and what is pinned; when full, refuse. 0: 65,536. */
	uint32_t people_max;      /* Users, services and agents described; when full, refuse. 0: 100,000. */
	uint32_t challenges_max;  /* Open challenges; never evicted before they expire: when full, refuse. 0: 65,536. */
	uint32_t challenges_per_principal_max; /* Quota of who asks. 0: half of challenges_max. */
	uint32_t requests_max;                 /* Recorded answers; when full, the oldest is forgotten. 0: 524,288. */
	uint32_t requests_per_principal_max;   /* Quota; then its own oldest. 0: half of requests_max, plus 1. */
	uint32_t deferred_max;                 /* Requests that wait, and those that ended lately. 0: 8,192. */
	uint32_t deferred_per_principal_max;   /* Quota of who asks. 0: half of deferred_max. */
	uint32_t standing_max;                 /* Grants and warnings from outside. 0: 16,384. */
	uint32_t standing_per_principal_max;   /* Quota of who asks, or signals. 0: half of standing_max. */
	uint32_t requests_window_ms; /* How old a request id may be, by its own time. 0: 600,000; at most a day. */
};

/*
 * Limits take part in what decide gives: they must be the same on every node of a cluster.
 *
 * Request ids begin with 48 bits of POSIX milliseconds, the id's time. A retry, the same id again, gets the recorded
 * answer as long as that is remembered, and is refused from then on (CS_ERR_EXPIRED, with a text that says to look in
 * the ledger): it is never carried out twice. An answer is remembered until
 * the window has passed since the id's time, or it is the oldest and another one needs its place: the oldest of all in
 * a full table, the oldest of a principal that has used up its quota. Then that principal's watermark, which is part of
 * the state, rises to the forgotten id's time, and whatever id of the principal is not recorded and not above its
 * watermark is refused. So the retry window is the smaller of requests_window_ms and the time in which the table fills
 * anew: with the default limits 26 s for two clients at 20,000 new requests a second in all, 8.7 s for them at 60,000;
 * 13 s and 4.4 s for one client alone, whose quota is half; the whole ten minutes up to 873 a second in all and 436 of
 * one client.
 *
 * An id may be 5 s ahead of the cluster's time and not more (CS_ERR_EXPIRED): what is forgotten of ids ahead would
 * raise the watermark as far ahead. And no answer is forgotten before its id's time lies 2 s behind: a new request is
 * refused instead (CS_ERR_OVERLOADED). So a watermark always lies at least 2 s behind, and a new id that is younger is
 * never taken for a forgotten one, whatever else the client has in flight. That bounds one client to 131,000 new
 * requests a second with a right clock, to 37,000 with one that is 5 s ahead.
 */

int state_new(const struct state_limits *l, struct state **ret); /* l NULL: defaults. */
void state_free(struct state *s);

/* A subject's, actor's or person's key in the tables: SHA-256 of [type, id], as state_subject.c says. */
void subject_key(uint8_t ret[HASH_SIZE], struct text type, struct text id);

/* Where the ledger stands in this state. */
struct state_head {
	uint64_t size;         /* Entries made so far: the next index. */
	struct hash last_leaf; /* Zero bytes at size 0. */
	uint64_t time_ms;      /* Of the newest entry or command. */
};
void state_head(const struct state *s, struct state_head *ret);

/* Coalesced write-back: every record changed since the last take, as key and value (value NULL, 0: deleted). */
typedef int (*state_record_fn)(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len);
size_t state_dirty(const struct state *s); /* Number of records that a take would give. */
/*
 * Begins a take: f gets every record as it is now, the head among them, each once; some at once, the others from
 * state_take_some, or when a command is about to change them. One take at a time; f and ctx live as long as it.
 */
void state_take_begin(struct state *s, state_record_fn f, void *ctx);
/* Up to max more of them: 1: that was all; 0: there are more; or f's error, then the state cannot be taken any more. */
int state_take_some(struct state *s, unsigned max);
int state_take_dirty(struct state *s, state_record_fn f, void *ctx); /* A whole take. */
/* Start: load every record that was written back, then state_loaded checks the whole and rebuilds what is derived. */
int state_load(struct state *s, const void *key, size_t key_len, const void *value, size_t value_len);
int state_loaded(struct state *s); /* CS_ERR_DAMAGED. Also for an empty state (nothing loaded). */

/* An enrolled principal. */
struct principal {
	uint64_t id; /* From 1, never used again. */
	char name[65];
	uint32_t roles;
	bool has_channel, has_sign, removed;
	uint8_t channel_pub[32], sign_pub[32];
	char subject_type[65], subject_id[REQUEST_STR_SIZE_MAX + 1]; /* Of a device key; else empty. */
	uint64_t version;  /* Index of the entry that enrolled or changed it. */
	uint64_t sequence; /* Administrator: last sequence used. */
};
/* Borrowed until the state next changes. NULL: none (removed ones are found by id only). */
const struct principal *state_principal(const struct state *s, uint64_t id);
const struct principal *state_principal_by_name(const struct state *s, const char *name, size_t len);
const struct principal *state_principal_by_channel(const struct state *s, const uint8_t pub[32]);
void state_each_principal(const struct state *s, void (*f)(void *ctx, const struct principal *p), void *ctx);

#define CREDENTIAL_ID_MIN (UINT64_C(1) << 32)
/* An enrolled credential of a further method (credential.h), or what is pinned for one. */
struct credential {
	uint64_t id; /* From CREDENTIAL_ID_MIN, above those of principals; never used again. */
	char name[65];
	unsigned kind; /* enum credential_kind. */
	bool revoked;
	char subject_type[65], subject_id[REQUEST_STR_SIZE_MAX + 1]; /* Empty: nobody's. */
	uint64_t version;    /* Index of the entry that enrolled or revoked it. */
	uint64_t counter;    /* WebAuthn: the authenticator's highest; TOTP: the newest time step used. */
	uint32_t failures;   /* In a row. */
	const uint8_t *data; /* By its kind. NULL: revoked. */
	size_t data_len;
};
/* Borrowed until the state next changes. NULL: none (revoked ones are not found). */
const struct credential *state_credential(const struct state *s, uint64_t id);
const struct credential *state_credential_by_name(const struct state *s, const char *name, size_t len);
/* The one of this name that was revoked last, as long as it is remembered. */
const struct credential *state_credential_revoked(const struct state *s, const char *name, size_t len);
void state_each_credential(const struct state *s, void (*f)(void *ctx, const struct credential *c), void *ctx);

/* Who the members are. n is 0 before genesis. Borrowed until the state next changes. */
const struct roster *state_roster(const struct state *s);
/*
 * After state_loaded: until the first change of members the state's records do not name them, the genesis does. This is
 * its payload. CS_ERR_MALFORMED.
 */
int state_roster_genesis(struct state *s, const void *payload, size_t len);

/* Which features are on (feature.h). */
bool state_feature(const struct state *s, unsigned number);
const struct feature_state *state_features(const struct state *s); /* Borrowed until the state next changes. */

/* An open challenge, by the index of the decision that made it. */
struct challenge {
	uint64_t index, expiry_ms;
	uint64_t principal; /* Who asked, and alone may bring the answer. */
	struct hash digest; /* Of the request. */
	uint8_t nonce[32];
	char level[33];
};
bool state_challenge(const struct state *s, uint64_t index, struct challenge *ret);

#define RECORDED_HASH_SIZE 12

/* The recorded answer to a request id. */
struct recorded {
	uint64_t index; /* The newest entry for this request: an answer's replaces its decision's. */
	uint64_t time_ms;
	unsigned verdict;
	/*
	 * The first bytes of SHA-256 of type and payload. 96 bits tell one's own requests apart: who finds a second
	 * request for its own id fools nobody else.
	 */
	uint8_t request_hash[RECORDED_HASH_SIZE];
};
bool state_recorded(const struct state *s, uint64_t principal, const uint8_t request_id[16], struct recorded *ret);

/* After a load that gave CS_ERR_VERSION: what the records have that this build does not. Borrowed. */
const char *state_newer_text(const struct state *s);

/* How many entries the newest state digest in the ledger is about; 0: there is none. */
uint64_t state_digested(const struct state *s);
const char *state_origin(const struct state *s); /* "" before genesis. */
void state_policy_hash(const struct state *s, struct hash *ret);
uint64_t state_governance(const struct state *s);                 /* Version, from 1 at genesis. */
const struct governance *state_thresholds(const struct state *s); /* Borrowed until the state next changes. */
unsigned state_administrators(const struct state *s);             /* How many are enrolled. */
/* Rises with each change of the table of people since this state was made. */
uint64_t state_people_changes(const struct state *s);

/* --- the function --- */

/* Outcome of an answer, public in its entry: numbers are for ever. */
enum answer_outcome { ANSWER_MET = 1, ANSWER_FAILED = 2, ANSWER_LATE = 3 };

enum decide_outcome {
	DECIDE_ENTRY = 1,  /* A new entry: leaf, body, leaf_hash, index, kind. */
	DECIDE_REPEAT = 2, /* This request id was answered before: index is that entry's. Nothing changed. */
	/*
	 * err and text; no entry, and nothing changed. CS_ERR_NOMEM: only here, and others may have taken it: this
	 * replica must not go on.
	 */
	DECIDE_REFUSED = 3,
	/*
	 * Of a later build: text says what this one does not know. Nothing changed, but others may have made an entry
	 * of it: this replica must not go on.
	 */
	DECIDE_NEWER = 4
};

struct decide_out {
	enum decide_outcome outcome;
	int err;        /* DECIDE_REFUSED. */
	char text[160]; /* DECIDE_REFUSED, DECIDE_NEWER: names what and where. */
	uint64_t index;
	unsigned kind;    /* enum entry_kind. */
	unsigned verdict; /* 0 where the kind has none. */
	int32_t risk;
	bool principals_changed, roster_changed;
	uint8_t leaf[LIMIT_ENTRY_SIZE_MAX];
	uint8_t body[LIMIT_BODY_SIZE_MAX];
	size_t leaf_len, body_len;
	struct hash leaf_hash;
	/* Evidence that stands on its own, verified by the leader as it says: followers verify again, then cosign. */
	bool has_evidence;
	struct evidence evidence;
};

/*
 * Applies one command of the log at time_ms (the batch's, never below the head's). Pure: the same state and bytes give
 * the same entry bytes and state on every build. Never fails: whatever is wrong with the command is DECIDE_REFUSED.
 * out is about 130 KiB: keep one, do not put it on a stack. No allocation beyond the state's own bounded tables and
 * the request of a challenge that is opened.
 */
void decide(struct state *s, uint64_t time_ms, const void *command, size_t len, struct decide_out *out);

/*
 * What a body has kept of its command's seed, for making the entry again once the seed is gone: salts of its fields,
 * the blind, a challenge's nonce. Borrowed.
 */
struct recall {
	const struct field *fields;
	unsigned n_fields;
	/* A TOTP credential's sealed data are not at hand, but their hash is; NULL: the command has all. */
	const struct hash *sealed;
};
/*
 * The same function, of a command put together again from its entry (replay): the same bytes must come out. Whatever a
 * field is missing for is made of the command's seed.
 */
void decide_again(struct state *s, uint64_t time_ms, const void *command, size_t len, const struct recall *r,
                  struct decide_out *out);

/*
 * The leader's part before it proposes: checks that need no log, so that what cannot succeed never enters it (roles of
 * the asker, form of the payload, signature of an administrator, a challenge that is open); and facts. facts has room
 * for facts_cap bytes; those of an answer come from its evidence instead (evidence_facts). Returns 0, or the error and
 * text for the asker.
 */
int decide_prepare(const struct state *s, uint64_t now_ms, unsigned command_type, uint64_t principal,
                   const uint8_t request_id[16], const void *payload, size_t len, uint8_t *facts, size_t facts_cap,
                   size_t *ret_facts_len, char ret_text[160]);

/*
 * What the evidence of an answer (COMMAND_ANSWER), or of a credential that is enrolled (COMMAND_CREDENTIAL_ENROL), must
 * be verified against, before it is prepared and proposed: any thread may do that. The same checks as decide_prepare's.
 * CS_ERR_EXISTS: nothing is to be verified; for one, this request id was answered before.
 * Evidence that cannot be good is no error (ret->method is 0): it goes through the log, so that it is seen and counts.
 */
int decide_evidence(const struct state *s, uint64_t now_ms, unsigned command_type, uint64_t principal,
                    const uint8_t request_id[16], const void *payload, size_t len, struct evidence *ret,
                    char ret_text[160]);

/*
 * Is an earlier answer still good? By the asker's own request id, as long as that is remembered, or what it waited for.
 * CS_ERR_NOT_FOUND. (asking.c)
 */
struct check_result {
	bool stands; /* verdict is allow, and it is younger than the policy's `valid_for`. */
	unsigned verdict;
	uint64_t index, time_ms;
};
int decide_check(const struct state *s, uint64_t now_ms, uint64_t principal, const uint8_t request_id[16],
                 struct check_result *ret);
/*
 * Does a grant cover this request (its subject, actor, action, resource, and of its context session and device)? index
 * and time: of the grant's entry; verdict 0. CS_ERR_NOT_FOUND. That a grant covers it permits nothing yet: a deny or a
 * higher level may stand.
 */
int decide_check_grant(const struct state *s, uint64_t now_ms, const struct request *q, struct check_result *ret);

/*
 * What waits, and the grants that stand, as msgpack for whoever may see it (roles of the asker). after: index to go on
 * behind. Written until w is half full; *ret_more: there is more behind the last.
 */
unsigned state_write_pending(const struct state *s, uint64_t now_ms, uint64_t principal, uint64_t after,
                             struct writer *w, bool *ret_more); /* How many. */
/* subject: of this one alone, subject_id.len 0: all. */
unsigned state_write_grants(const struct state *s, uint64_t now_ms, struct text subject_type, struct text subject_id,
                            uint64_t after, struct writer *w, bool *ret_more);
/* Leader: how many ticks are due for what waits; at most max. */
unsigned state_ticks_due(struct state *s, uint64_t now_ms, unsigned max);

#endif
