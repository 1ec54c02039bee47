/* What decide is told: commands of the replicated log and the bodies of the clients' messages, byte for byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_COMMAND_H
#define NODE_DECIDE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/hash.h"

struct place;

#define COMMAND_VERSION 1

enum command_type {
	COMMAND_GENESIS = 1,
	COMMAND_DECIDE = 2,
	COMMAND_ANSWER = 3,
	COMMAND_POLICY_SET = 4,
	COMMAND_ENROLL = 5,
	COMMAND_REMOVE = 6,
	COMMAND_IMPORT = 7,
	COMMAND_TICK = 8,
	COMMAND_MEMBER = 9,
	COMMAND_FEATURE = 10,
	COMMAND_BUILD = 11,
	/* Where the feature `decisions` is on (command_verdicts.h, people_order.h). */
	COMMAND_APPROVAL = 12,
	COMMAND_GRANT_REVOKE = 13,
	COMMAND_OUTSIDE = 14,
	COMMAND_PEOPLE = 15,
	COMMAND_GOVERNANCE = 16,
	COMMAND_CREDENTIAL_ENROL = 17,
	COMMAND_CREDENTIAL_REVOKE = 18,
	/* Where the feature `records` is on (command_reads.h, command_erase.h). */
	COMMAND_HISTORY = 19,
	COMMAND_READ = 20,
	COMMAND_HOLD = 21,
	COMMAND_ERASE = 22,
	COMMAND_ERASURE_DONE = 23,
	COMMAND_KEY = 24, /* keys.h */
	COMMAND_STATE_DIGEST = 25,
	COMMAND_TYPE_MAX = COMMAND_STATE_DIGEST, /* Above it: a later build's. */
};

/* Roles of principals, a bit each; public in entries, for ever. */
#define ROLE_DECIDE     (UINT32_C(1) << 0) /* Ask for decisions, answer challenges, check. */
#define ROLE_IMPORT     (UINT32_C(1) << 1) /* Import past events. */
#define ROLE_AUDIT      (UINT32_C(1) << 2) /* Read entries with their private fields, prove, status. */
#define ROLE_ADMINISTER (UINT32_C(1) << 3) /* Enrol, remove, set the policy: with a signature. */
#define ROLE_DEVICE     (UINT32_C(1) << 4) /* A subject's device key: signs answers, opens no channel. */
#define ROLE_NODE       (UINT32_C(1) << 5) /* A node of the cluster. */
#define ROLE_APPROVE    (UINT32_C(1) << 6) /* Approve or reject what waits: a person's own, with a signing key. */
#define ROLE_SIGNAL     (UINT32_C(1) << 7) /* Send signals from outside. */
/* Read leaves, never private fields; cosign checkpoints with the signing key, under the principal's name. */
#define ROLE_WITNESS (UINT32_C(1) << 8)
const char *role_text(uint32_t bit); /* "decide", …; NULL if unknown. */

/*
 * A command: [version, type, principal id, seed bin32, request id bin16, payload array, facts array].
 * principal: the enrolled asker (0: the node itself, for genesis and ticks). seed: 32 fresh random bytes of the leader,
 * from which salts, blind and nonce come. payload: the client's body as it came. facts: what the leader found out
 * (per type; [] if nothing).
 */
struct command {
	unsigned type;
	uint64_t principal;
	const uint8_t *seed;
	const uint8_t *request_id;
	const uint8_t *payload, *facts;
	size_t payload_len, facts_len;
};
int command_encode(const struct command *c, void *buf, size_t cap, size_t *ret_len);
/* CS_ERR_VERSION: of another version than COMMAND_VERSION; CS_ERR_MALFORMED, CS_ERR_TOO_LARGE. */
int command_decode(struct command *ret, const void *bytes, size_t len);

/* Bounds of a request and of names. */
#define REQUEST_STR_SIZE_MAX    256 /* Type, id, action, name or string value. ARNs and user agents fit. */
#define REQUEST_CONTEXT_MAX     24  /* Context attributes of one request. */
#define REQUEST_SIZE_MAX        8192 /* A request's encoding: it is kept with its challenge, and its fields fit an entry. */
#define REQUEST_ACTORS_MAX      4   /* Who acts for whom for whom: beyond it nobody answers for the whole. */
#define REQUEST_ID_SIZE         16  /* As on the wire. */
#define PRINCIPAL_NAME_SIZE_MAX 64  /* Characters of [A-Za-z0-9._@:/-]. */
#define SUBJECT_TYPE_SIZE_MAX   64  /* Of a device key's subject. */
#define NODE_ID_MAX             999 /* Three digits: the key name origin/node-N stays short. */
#define NODE_URL_SIZE_MAX       127 /* As on the wire; of links too. */
#define IMPORT_FORMAT_SIZE_MAX  32  /* "cloudtrail", "sshd", … */
#define REMOVAL_REASON_SIZE_MAX 1024
#define EVIDENCE_SIZE_MAX       4096 /* An OIDC token or a WebAuthn assertion fits; Ed25519 takes 64. */
#define FEATURE_NAME_SIZE_MAX   24
#define FEATURE_BUILD_SIZE_MAX  31 /* As the version in a node's status. */

struct text {
	const char *s;
	size_t len;
};
struct typed {
	struct text type, id;
};
struct named_value {
	struct text name;
	enum value_type type; /* VALUE_STR, VALUE_INT, VALUE_BOOL. */
	struct text str;
	int64_t integer; /* Also the boolean. */
};

/*
 * A request: [[subject type, id], actor, action, [resource type, id], [[name, value]…]].
 * actor: nil; [type, id]; or, with the feature `decisions`, a chain [[type, id]…] of 2 to REQUEST_ACTORS_MAX: the first
 * acts, for the second, and so on; the last acts for the subject (the nesting of RFC 8693's `act`, from the outside).
 * Context names are unique and sorted by their bytes; values are str, int or bool (AuthZEN properties: others as
 * strings). Names that signals know: "device", "ip", "user_agent", "region", "country", "mfa" (bool), "amount" (int),
 * "session"; of imports "error": it failed when it happened, and teaches nothing (from the feature decisions on).
 */
struct request {
	struct text subject_type, subject_id;
	struct text actor_type, actor_id; /* len 0: no actor. The first of a chain. */
	unsigned n_via;                   /* Above 0: a chain. */
	struct typed via[REQUEST_ACTORS_MAX - 1];
	struct text action;
	struct text resource_type, resource_id;
	unsigned n_context;
	struct named_value context[REQUEST_CONTEXT_MAX];
	/* Of no encoding: what the leader found out about its address (place.h). NULL: nothing. Decoding clears it. */
	const struct place *place;
};
int request_encode(const struct request *r, void *buf, size_t cap, size_t *ret_len); /* Context must be sorted. */
int request_decode(struct request *ret, const void *bytes, size_t len);
const struct named_value *request_context(const struct request *r, const char *name); /* NULL: none. */

/* digest = SHA-256("countersign/request/v1\0" || blind32 || canonical request). */
void request_digest(struct hash *ret, const uint8_t blind[32], const void *request, size_t len);

/* An import: [event time ms, [format, file, file's SHA-256 bin32, position], request]. */
struct import {
	uint64_t event_time_ms;
	struct text format, file;
	const uint8_t *file_hash;
	uint64_t position;
	const uint8_t *request;
	size_t request_len;
};
int import_encode(const struct import *i, void *buf, size_t cap, size_t *ret_len);
int import_decode(struct import *ret, const void *bytes, size_t len);

/*
 * An answer: [index of the step_up decision, method str, credential's name, evidence bin].
 * Facts: [verified bool, credential's principal id, credential's version] (evidence.h).
 * Method "ed25519": evidence = signature by the device key over answer_message.
 */
struct answer {
	uint64_t challenge;
	struct text method, credential;
	const uint8_t *evidence;
	size_t evidence_len;
};
int answer_encode(const struct answer *a, void *buf, size_t cap, size_t *ret_len);
int answer_decode(struct answer *ret, const void *bytes, size_t len);
#define ANSWER_MESSAGE_SIZE_MAX 256
/*
 * "countersign/answer/v1\0" || origin || 0 || challenge index u64be || request digest 32 || nonce 32 || expiry ms
 * u64be. Returns its length.
 */
size_t answer_message(uint8_t ret[ANSWER_MESSAGE_SIZE_MAX], const char *origin, uint64_t challenge,
                      const struct hash *digest, const uint8_t nonce[32], uint64_t expiry_ms);

/*
 * An administrator's signature, last element of what it signs: [name, sequence, expiry ms, signature bin64]. Of several
 * administrators, with the feature `decisions`: an array of 2 to ADMIN_SIGNATURES_MAX such arrays, ordered by name.
 */
#define ADMIN_SIGNATURES_MAX 16 /* More than any threshold (governance.h). */
struct admin_signature {
	struct text name;
	uint64_t sequence; /* Strictly above the administrator's last one. */
	uint64_t expiry_ms;
	const uint8_t *signature;
	unsigned n_more;
	struct admin_further {
		struct text name;
		uint64_t sequence, expiry_ms;
		const uint8_t *signature;
	} more[ADMIN_SIGNATURES_MAX - 1];
};
#define ADMIN_MESSAGE_SIZE_MAX 320
/*
 * "countersign/admin/v1\0" || origin || 0 || governance version u64be || command type u8 || sequence u64be ||
 * expiry ms u64be || SHA-256(the signed elements' canonical encoding, concatenated). Returns its length.
 */
size_t admin_message(uint8_t ret[ADMIN_MESSAGE_SIZE_MAX], const char *origin, uint64_t governance,
                     unsigned command_type, uint64_t sequence, uint64_t expiry_ms, const void *signed_elements,
                     size_t len);

/* An enrolment: [name, roles, channel key bin32 or nil, signing key bin32 or nil, nil or [subject type, id],
 * signature]. */
struct enrolment {
	struct text name;
	uint32_t roles;
	const uint8_t *channel_pub, *sign_pub; /* NULL: none. */
	struct text subject_type, subject_id;  /* Of a device key. */
	struct admin_signature admin;
	const uint8_t *signed_elements; /* Decode: the encoding of the elements before the signature. */
	size_t signed_len;
};
/* Encodes the elements before the signature (what is signed); then the whole, given the signature. */
int enrolment_encode_signed(const struct enrolment *e, void *buf, size_t cap, size_t *ret_len);
int enrolment_encode(const struct enrolment *e, void *buf, size_t cap, size_t *ret_len);
int enrolment_decode(struct enrolment *ret, const void *bytes, size_t len);

/* A removal: [name, reason str, signature]. */
struct removal {
	struct text name, reason;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int removal_encode_signed(const struct removal *r, void *buf, size_t cap, size_t *ret_len);
int removal_encode(const struct removal *r, void *buf, size_t cap, size_t *ret_len);
int removal_decode(struct removal *ret, const void *bytes, size_t len);

/* A policy: [YAML source bin, compiled form bin (policy.h), signature]. Replicas use the compiled form only. */
struct policy_set {
	const uint8_t *source, *compiled;
	size_t source_len, compiled_len;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int policy_set_encode_signed(const struct policy_set *p, void *buf, size_t cap, size_t *ret_len);
int policy_set_encode(const struct policy_set *p, void *buf, size_t cap, size_t *ret_len);
int policy_set_decode(struct policy_set *ret, const void *bytes, size_t len);

/*
 * An order about a node of the cluster: [action, node id, role, url str, link str, log key bin32 or nil, cosigner key
 * bin32 or nil, channel key bin32 or nil, lost bool, signature]. What an action does not need is 0, "" or nil.
 */
enum member_action {
	MEMBER_ADD = 1,     /* As a spare (role 2): url, link and keys. */
	MEMBER_ROLE = 2,    /* Role 1: voter; 2: spare (enum roster_role). */
	MEMBER_REMOVE = 3,  /* For ever: its id and keys never come back. */
	MEMBER_ADDRESS = 4, /* url and link. */
};
struct member_order {
	unsigned action, role;
	uint64_t id;
	struct text url, link;
	const uint8_t *log_pub, *cosigner_pub, *channel_pub; /* NULL: none. */
	bool lost; /* The administrator takes it that members which are not whole now are lost. */
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int member_order_encode_signed(const struct member_order *m, void *buf, size_t cap, size_t *ret_len);
int member_order_encode(const struct member_order *m, void *buf, size_t cap, size_t *ret_len);
int member_order_decode(struct member_order *ret, const void *bytes, size_t len); /* Also the shape of its action. */

/*
 * An order to switch a feature on (feature.h): [name, signature]. By its name, for that is what whoever signs it reads.
 */
struct feature_order {
	struct text name;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int feature_order_encode_signed(const struct feature_order *o, void *buf, size_t cap, size_t *ret_len);
int feature_order_encode(const struct feature_order *o, void *buf, size_t cap, size_t *ret_len);
int feature_order_decode(struct feature_order *ret, const void *bytes, size_t len);

/* What a leader says of itself where the feature `builds` is on: [node id, version str]. */
struct build {
	uint64_t node;
	struct text version;
};
int build_encode(const struct build *b, void *buf, size_t cap, size_t *ret_len);
int build_decode(struct build *ret, const void *bytes, size_t len);

/*
 * What a leader has found its state's digest to be (ledger/multiset.h), where the feature `records` is on: [entries of
 * the ledger that the state is made of, digest bin32]. Followers have computed their own at the same place.
 */
struct state_digest {
	uint64_t size;
	struct hash digest;
};
int state_digest_encode(const struct state_digest *d, void *buf, size_t cap, size_t *ret_len);
int state_digest_decode(struct state_digest *ret, const void *bytes, size_t len);

/*
 * Genesis, entry 0, the same on every node and known to `init`: [origin, time ms, governance str, [[name, channel key
 * bin32, signing key bin32]…] administrators, [[node id, url, log key bin32, cosigner key bin32, channel key bin32]…],
 * policy source bin, policy compiled bin, nil or predecessor].
 * The entry's time is this time, its prev is zero, it has no private fields.
 */
#define GENESIS_ADMINS_MAX 16
#define GENESIS_NODES_MAX  7

/*
 * Numbers of entries from here on are those of earlier ledgers: n * STATE_EARLIER + i is entry i of the n-th one before
 * this, as geneses name them (state_carry.h). 2^48 entries are 500 years of the highest rate, and still exact where
 * numbers are doubles (JSON).
 */
#define STATE_EARLIER FORMAT_EARLIER

/*
 * The ledger that a restored one carries on, under another origin: [origin, size, root bin32, state size, digest
 * bin32]. The state that was carried over is that of its first state_size entries, of which digest is what
 * state_carry.h says. state_size <= size: the entries between were saved, and are not in the state.
 */
struct predecessor {
	struct text origin;
	uint64_t size, state_size; /* Below STATE_EARLIER. */
	const uint8_t *root, *digest;
};
struct genesis {
	struct text origin, governance;
	uint64_t time_ms;
	unsigned n_admins, n_nodes;
	struct {
		struct text name;
		const uint8_t *channel_pub, *sign_pub;
	} admins[GENESIS_ADMINS_MAX];
	struct {
		uint64_t id;
		struct text url;
		const uint8_t *log_pub, *cosigner_pub, *channel_pub;
	} nodes[GENESIS_NODES_MAX];
	const uint8_t *policy_source, *policy_compiled;
	size_t policy_source_len, policy_compiled_len;
	bool restored; /* It has a predecessor. */
	struct predecessor predecessor;
};
int genesis_encode(const struct genesis *g, void *buf, size_t cap, size_t *ret_len);
int genesis_decode(struct genesis *ret, const void *bytes, size_t len);
/*
 * The leaf that this payload becomes, and its hash: it depends on the payload alone (no private fields, no seed), so
 * that `init` knows it beforehand. leaf: cap must be LIMIT_ENTRY_SIZE_MAX.
 */
int genesis_leaf(const void *payload, size_t len, uint8_t *leaf, size_t cap, size_t *ret_len, struct hash *ret_hash);

#endif
