/* The clients' messages: envelopes and bodies, canonical msgpack arrays in a fixed order. See node/PROTOCOL.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_MESSAGES_H
#define NODE_WIRE_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "ledger/hash.h"
#include "ledger/limits.h"
#include "node/wire/limits.h"

#define WIRE_VERSION 1

/* Numbers are for ever. X(name, number, text) */
#define WIRE_TYPE_LIST(X)                                                                                               \
	X(WIRE_HELLO, 1, "hello")           /* [] -> [node id, origin, leader id or 0, leader's url, version] */        \
	X(WIRE_DECIDE, 2, "decide")         /* request (node/decide/command.h) -> proved reply */                       \
	X(WIRE_IMPORT, 3, "import")         /* import (command.h) -> proved reply */                                    \
	X(WIRE_ANSWER, 4, "answer")         /* answer (command.h) -> proved reply */                                    \
	X(WIRE_ENROLL, 5, "enroll")         /* enrolment (command.h), signed by an administrator -> proved reply */     \
	X(WIRE_REMOVE, 6, "remove")         /* removal (command.h), signed -> proved reply */                           \
	X(WIRE_POLICY_SET, 7, "policy set") /* policy (command.h), signed -> proved reply */                            \
	X(WIRE_CHECK, 8, "check") /* [request id, or request (, stale ms max)] -> [stands, verdict, index, time ms,     \
	                             size, stale ms] */                                                                 \
	X(WIRE_ENTRIES, 9, "entries") /* [first, count, wait ms] -> [size, [[leaf, body or nil (, erased)]…]] */      \
	X(WIRE_PROVE, 10, "prove")    /* [index, wait ms (, need, [witness's key id…])]                               \
	                                 -> [quorum, leaf, body or nil, [hash…], checkpoint] */                       \
	X(WIRE_CONSISTENCY, 11, "consistency") /* [old size, new size] -> [[hash…]] */                                \
	X(WIRE_CHECKPOINT, 12, "checkpoint")   /* [] -> [quorum, checkpoint] newest cosigned, else the leader's */      \
	X(WIRE_STATUS, 13, "status")           /* [] or [1] -> status (below), [1]: with details */                     \
	X(WIRE_MANY, 14, "many")               /* [request envelope bin…] -> [reply envelope bin…], same order */   \
	X(WIRE_PEOPLE, 18, "people") /* changes of the table of people (people_order.h), signed -> proved reply */      \
	X(WIRE_GOVERNANCE, 19, "governance") /* thresholds (governance.h), signed -> proved reply */                    \
	X(WIRE_MEMBER, 20, "member")         /* order about a member (command.h), signed -> proved reply */             \
	X(WIRE_MEMBERS, 21, "members")   /* [first version of interest] -> members (node/core/change.c), [] if none */  \
	X(WIRE_FEATURE, 22, "feature")   /* order to switch one on (command.h), signed -> proved reply */               \
	X(WIRE_FEATURES, 23, "features") /* [] -> features (node/core/features.c) */                                    \
	/* Of the feature `decisions` (node/decide/command_verdicts.h). */                                              \
	X(WIRE_APPROVAL, 15, "approval")         /* approval -> proved reply */                                         \
	X(WIRE_GRANT_REVOKE, 16, "grant revoke") /* order, signed -> proved reply */                                    \
	X(WIRE_OUTSIDE, 17, "outside signal")    /* signal from outside -> proved reply */                              \
	X(WIRE_PENDING, 26, "pending")           /* [after, stale ms max] -> [size, stale ms, more, [waiting…]] */    \
	X(WIRE_GRANTS, 27, "grants") /* [after, nil or [subject type, id], stale ms max] -> as pending, of grants */    \
	X(WIRE_PEOPLE_LIST, 28, "people list") /* [first slot] -> people, [] -> governance (node/core/people.c) */      \
	X(WIRE_CREDENTIAL_ENROL, 24, "credential enrol")   /* order (credential.h) -> proved reply */                   \
	X(WIRE_CREDENTIAL_REVOKE, 25, "credential revoke") /* order (credential.h) -> proved reply */                   \
	X(WIRE_SCRUB, 30, "scrub")                         /* [begin a pass] -> scrub (below) */                        \
	X(WIRE_CREDENTIALS, 29, "credentials") /* [after name, count] -> [[name, kind, subject or nil, …]…] */      \
	X(WIRE_WITNESS, 31, "witness") /* [after size, wait ms, note cosigned or nil] -> [checkpoint or nil, kept] */   \
	/* Of the feature `records` (node/decide/command_reads.h, search.h, command_erase.h). */                        \
	X(WIRE_HISTORY, 32, "history") /* whose -> proved reply */                                                      \
	X(WIRE_HISTORY_PAGE, 33,                                                                                        \
	  "history page")              /* [head, at, size or 0, wait ms] -> its entries (readers_history.c) */          \
	X(WIRE_SEARCH, 34, "search")   /* search -> [size, next or nil, [[leaf, body or nil]…]] */                    \
	X(WIRE_HOLD, 35, "hold")       /* order, signed -> proved reply */                                              \
	X(WIRE_ERASE, 36, "erase")     /* order, signed -> proved reply */                                              \
	X(WIRE_KEEPING, 37, "keeping") /* [] -> [[erasure…], [member…], [hold…], [retention…]] (PROTOCOL.md) */ \
	/* Keys change (node/decide/keys.h, node/core/keys.c). */                                                       \
	X(WIRE_KEY, 38, "key")                 /* order about a key (keys.h), signed -> proved reply */                 \
	X(WIRE_KEY_PREPARE, 39, "key prepare") /* [[place…]] -> [node id, [[place, public half]…]]: made there */   \
	X(WIRE_KEYS, 40, "keys")               /* [] -> the members' keys, and those before them */

enum wire_type {
#define WIRE_TYPE_ENUM(name, number, text) name = number,
	WIRE_TYPE_LIST(WIRE_TYPE_ENUM)
#undef WIRE_TYPE_ENUM
};
const char *wire_type_text(unsigned type);

/* Request envelope: [version, request id bin16, type, deadline ms from now, body array]. */
struct wire_request {
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	unsigned type;
	uint32_t deadline_ms;
	const uint8_t *body; /* One canonical msgpack array, checked whole for canonical form; borrowed. */
	size_t body_len;
};
/*
 * Request ids: 48 bits of POSIX milliseconds, big-endian, then 80 random bits (as UUID version 7 orders them), so that
 * "too old for the table of answers" can be told from the id alone.
 */
void wire_request_id(uint8_t ret[WIRE_REQUEST_ID_SIZE], uint64_t now_ms);
uint64_t wire_request_id_time(const uint8_t id[WIRE_REQUEST_ID_SIZE]);
int wire_request_encode(const struct wire_request *r, void *buf, size_t cap, size_t *ret_len);
int wire_request_decode(struct wire_request *ret, const void *bytes, size_t len);

/*
 * WIRE_MANY: WIRE_MANY_MIN to WIRE_MANY_MAX whole envelopes, each as bin, of types that wire_many_takes; never nested.
 * Their replies come in one body of as many reply envelopes, in the same order.
 */
struct wire_part {
	const uint8_t *bytes; /* One envelope, not looked into; borrowed. */
	size_t len;
};
bool wire_many_takes(unsigned type);
/* Begins a many's whole envelope, for n requests; then wire_many_add adds each. writer_end tells whether all fitted. */
void wire_many_begin(struct writer *w, const uint8_t id[WIRE_REQUEST_ID_SIZE], uint32_t deadline_ms, unsigned n);
void wire_many_add(struct writer *w, const struct wire_request *r);
/* Takes the body apart, of a request or of a reply: CS_ERR_TOO_LARGE above WIRE_MANY_MAX, else CS_ERR_MALFORMED. */
int wire_many_decode(struct wire_part ret[WIRE_MANY_MAX], unsigned *ret_n, const void *body, size_t len);

/* Reply envelope: [version, request id bin16, error (negated cs_err, 0: success), detail]. */
struct wire_reply {
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	int err;             /* 0 or a negative cs_err. */
	const uint8_t *body; /* err 0: one array; borrowed. */
	size_t body_len;
	/* err < 0: detail = [text, leader's url or nil, retry ms or 0]. */
	char text[WIRE_TEXT_SIZE_MAX];
	char leader_url[WIRE_URL_SIZE_MAX];
	uint32_t retry_ms;
};
/* body_len 0: the head alone, for a body that the caller writes behind it. */
int wire_reply_encode(const struct wire_reply *r, void *buf, size_t cap, size_t *ret_len);
int wire_reply_decode(struct wire_reply *ret, const void *bytes, size_t len);

/*
 * The proved reply to whatever became an entry: [leaf bin, body bin, [hash bin32…], checkpoint str].
 * body: the fields opened for the asker. checkpoint: the leader's signed note for a size that covers the entry. The
 * proof is for that size.
 */
struct wire_proved {
	const uint8_t *leaf, *body;
	size_t leaf_len, body_len;
	struct hash proof[LIMIT_PROOF_HASHES_MAX];
	unsigned n_proof;
	const char *checkpoint;
	size_t checkpoint_len;
};
int wire_proved_encode(const struct wire_proved *p, void *buf, size_t cap, size_t *ret_len);
int wire_proved_decode(struct wire_proved *ret, const void *bytes, size_t len);

/* How far the scrubber is (node/scrubber.h): a part of the status, and the answer to WIRE_SCRUB. */
#define WIRE_SCRUB_TEXTS_MAX 8
#define WIRE_SCRUB_TEXT_SIZE 96
struct wire_scrub {
	uint64_t rate;            /* Bytes a second; 0: there is no scrubber, and the rest is 0. */
	uint64_t running;         /* 1: a pass is under way. */
	uint64_t passes;          /* Ended since the start. */
	uint64_t asked;           /* So many passes must have ended until all that was asked for is done. */
	uint64_t begun_ms;        /* The pass under way, or the last one; POSIX time. 0: none yet. */
	uint64_t ended_ms;        /* The last one that ended, perhaps of an earlier run; 0: none. */
	uint64_t took_ms;         /* That one. */
	uint64_t done, whole;     /* Bytes read in the pass under way, and about how many there are. */
	uint64_t found, repaired; /* Damaged records since the start, and those of them that are mended. */
	uint64_t refused;         /* Those that are not: refused to readers. */
	unsigned n_texts;         /* The first of them, in words. */
	char texts[WIRE_SCRUB_TEXTS_MAX][WIRE_SCRUB_TEXT_SIZE];
};
int wire_scrub_encode(const struct wire_scrub *s, void *buf, size_t cap, size_t *ret_len);
int wire_scrub_decode(struct wire_scrub *ret, const void *bytes, size_t len);
/* The same within something larger. */
void wire_scrub_write(struct writer *w, const struct wire_scrub *s);
void wire_scrub_read(struct reader *r, struct wire_scrub *ret);

/* WIRE_STATUS: one node's own view. */
struct wire_status {
	uint64_t node_id, leader_id, term;
	uint64_t raft_last, raft_commit, raft_applied;
	uint64_t size;          /* Entries applied. */
	uint64_t stored_size;   /* Entries committed to LMDB. */
	uint64_t cosigned_size; /* Newest quorum-cosigned checkpoint known here. */
	uint64_t pending;       /* Requests waiting for a batch. */
	uint64_t uptime_ms;
	uint64_t guards[14]; /* How often each guard acted; [0] unused. */
	struct hash root;    /* At size. */
	char role[16];       /* leader, follower, candidate, starting */
	char health[64];     /* "ok", or the worst that is wrong in words */
	char version[32];
	bool detailed; /* The rest is there: an asker has said that it knows of it. */
	struct wire_details {
		uint64_t disk_free, disk_size, disk_reserve; /* Bytes; of the data folder's file system. */
		uint64_t map_free, map_size;                 /* Bytes; of the store's map. */
		uint64_t ledger_bytes, log_bytes;            /* On the disk. */
		uint64_t room;                               /* enum space_level */
		uint64_t checkpoint_s; /* POSIX seconds of the newest cosignature of the newest cosigned checkpoint. */
		uint64_t now_ms;       /* The node's clock. */
		uint64_t voters;       /* Of the cluster, as it knows it. */
		unsigned n_cosigners;  /* Of that checkpoint. */
		uint64_t cosigners[WIRE_COSIGNERS_MAX]; /* Node ids. */
		/* Bits of node/decide/feature.h: of the node's build, and those switched on. An older node: 0. */
		uint64_t features_have, features_on;
		/* POSIX seconds when its databases of places and networks were built; 0: it has none, or is older. */
		uint64_t geo_city_s, geo_network_s;
		struct wire_scrub scrub; /* An older node: rate 0. */
	} details;
};
/* Details are an array of their own behind the rest; a later version adds to its end, and this one skips that. */
int wire_status_encode(const struct wire_status *s, void *buf, size_t cap, size_t *ret_len);
int wire_status_decode(struct wire_status *ret, const void *bytes, size_t len);

#endif
