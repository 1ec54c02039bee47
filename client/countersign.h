/* libcountersign: ask a Countersign cluster for decisions, and check the proof in every answer. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COUNTERSIGN_H
#define COUNTERSIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * All functions return 0 or a negative code of this list; codes are the same on the wire (see node/PROTOCOL.md).
 * cs_strerror gives their texts. Whatever fails is to be read as deny: only a result with verdict CS_ALLOW permits.
 */
enum cs_code {
	CS_E_NOMEM = -1,
	CS_E_MALFORMED = -2,
	CS_E_TOO_LARGE = -3,
	CS_E_UNAUTHENTICATED = -4,
	CS_E_NOT_PERMITTED = -5,
	CS_E_NOT_LEADER = -6,
	CS_E_NO_QUORUM = -7,
	CS_E_OVERLOADED = -8,
	CS_E_TIMEOUT = -9, /* Outcome unknown: ask again with the same request id. */
	CS_E_DISK_FULL = -10,
	CS_E_DAMAGED = -11,
	CS_E_NOT_FOUND = -12,
	CS_E_ERASED = -13,
	CS_E_IO = -14,
	CS_E_INVALID = -15,
	CS_E_REFUTED = -16, /* The reply's proof does not hold: an alarm, not a fault. */
	CS_E_UNDECIDED = -17,
	CS_E_CONFLICT = -18,
	CS_E_EXPIRED = -19, /* Also: the outcome of so old a request id can no longer be told: look in the ledger. */
	CS_E_EXISTS = -20,
	CS_E_UNREACHABLE = -21,
	CS_E_DIVERGED = -22,
	CS_E_NOT_READY = -23,
	CS_E_VERSION = -24,
	CS_E_KEPT = -1000 /* Of this library alone: the order was handed to the keeper (cs_orders_keep), not sent. */
};
const char *cs_strerror(int code);

enum cs_verdict { CS_ALLOW = 1, CS_STEP_UP = 2, CS_DEFER = 3, CS_DENY = 4 };
const char *cs_verdict_text(int verdict);

/* A connection to a cluster. May be used by several threads at once. */
typedef struct cs_client cs_client;

struct cs_options {
	const char *cluster_file; /* Path of the cluster file that `countersign init` wrote. */
	const char *key_file;     /* Path of this principal's key file (mode 0600). */
	unsigned timeout_ms;      /* For a whole call, retries and a change of leader included; 0: 5,000. */
	unsigned in_flight_max;   /* Asynchronous calls at once; 0: 1,024. Above it: CS_E_OVERLOADED. */
	bool skip_proof; /* Do not check the proof in replies (saves a signature check for each new checkpoint). */
	/*
	 * Asynchronous calls become entries in the order in which one thread made them, once the first one has been
	 * answered: one message of many is under way at a time. Who has to be asked again, after a change of leader or
	 * under overload, may come later.
	 */
	bool ordered;
};

/*
 * Reads the files, finds the leader lazily. error (error_size bytes, may be NULL) gets a text that names file and
 * cause. No thread is started beyond nng's own.
 */
int cs_open(const struct cs_options *options, cs_client **ret, char *error, size_t error_size);
/*
 * Ends the calls that are out with CS_E_TIMEOUT and lets no new ones begin (CS_E_UNREACHABLE); returns when the
 * callbacks have run. For who has threads in calls: stop, join them, then cs_close. Never from a callback, never by two
 * threads at once.
 */
void cs_stop(cs_client *client);
/*
 * Ends the calls that are out with CS_E_TIMEOUT (their callbacks run before cs_close returns) and frees. NULL is fine.
 * Never from a callback: it would wait for itself. It takes ten seconds at most: what the messaging library has not
 * given back by then is left to it.
 */
void cs_close(cs_client *client);
/* Text of the last failed call of this thread, naming what and where; never NULL. */
const char *cs_last_error(void);

/* A context attribute of a request (AuthZEN properties). */
enum cs_type { CS_STRING = 1, CS_INTEGER = 2, CS_BOOLEAN = 3 };
struct cs_attribute {
	const char *name;
	enum cs_type type;
	const char *string;
	int64_t integer; /* Also booleans: 0 or 1. */
};

struct cs_typed {
	const char *type, *id;
};

/* A request; strings are UTF-8, NUL-terminated, at most 256 bytes; at most 24 attributes in any order, names unique. */
struct cs_request {
	uint8_t id[16];           /* Of cs_request_id; all zero: a fresh one is made (and stands in the result). */
	const char *subject_type; /* e.g. "user" */
	const char *subject_id;
	const char *actor_type; /* NULL: nobody acts for the subject. */
	const char *actor_id;
	/* A chain: the actor acts for via[0], that for via[1], and the last for the subject. At most 3. */
	size_t n_via;
	const struct cs_typed *via;
	const char *action;
	const char *resource_type;
	const char *resource_id;
	size_t n_attributes;
	const struct cs_attribute *attributes;
};
/* A fresh request id: 48 bits of milliseconds and 80 random bits. Keep it to ask again after CS_E_TIMEOUT. */
void cs_request_id(uint8_t ret[16]);

/* An answer with its proof. Everything that it points to is owned by it: cs_result_free. */
typedef struct cs_result {
	uint8_t request_id[16];
	uint64_t index;   /* Of its entry in the ledger. */
	const char *kind; /* "decision", "challenge answer", … */
	int verdict;      /* enum cs_verdict; 0 for entries without one (an enrolment). */
	int32_t risk;     /* Milli-logits. */
	uint64_t time_ms; /* POSIX milliseconds of the entry. */
	bool proven;      /* The leader's signature and the inclusion proof hold (false only with skip_proof). */
	size_t n_rules;
	const char *const *rules; /* Ids of the rules that decided. */
	size_t n_reasons;
	const char *const *reasons_user; /* For the person; reasons_admin for the log. Same length. */
	const char *const *reasons_admin;
	size_t n_signals;
	const struct cs_signal {
		const char *name;
		int64_t value;
		int32_t weight; /* Milli-logits. */
	} * signals;
	bool has_challenge; /* verdict is step_up: what must be proven. */
	struct {
		uint8_t nonce[32];
		uint64_t expiry_ms;
		const char *level;
		size_t n_methods;
		const char *const *methods;
	} challenge;
	uint8_t digest[32]; /* Of the request, blinded; what a device signs (with the challenge). */
	uint64_t tree_size; /* The checkpoint's. */
	size_t n_proof;
	const uint8_t (*proof)[32];
	const uint8_t *leaf, *body; /* Entry and opened fields, as in ledger/FORMAT.md. */
	size_t leaf_size, body_size;
	const char *checkpoint; /* The signed note. */
	size_t checkpoint_size;
	size_t proof_bytes; /* Bytes of leaf, hashes and checkpoint: what the proof in the reply costs. */
	/*
	 * What the client must do with its answer, as AuthZEN's obligations: `notification`, `session_termination`,
	 * `step-up`, `custom`. Of a type that it does not know: it must read the answer as deny.
	 */
	size_t n_obligations;
	const struct cs_obligation {
		const char *type, *id;
		size_t n_properties;
		const struct cs_attribute *properties;
	} * obligations;
	bool waits; /* verdict is defer: what is awaited. */
	struct {
		uint64_t not_before_ms; /* It is decided anew at this time; 0: not for a time. */
		uint64_t expiry_ms;     /* If that has not come by then: deny. */
		size_t n_needs;
		const struct cs_need {
			unsigned needed, have; /* Approvals. */
			size_t n_from;
			const char *const *from; /* Approvers' names, patterns, and group:NAME. */
		} * needs;
	} wait;
} cs_result;
void cs_result_free(cs_result *result); /* NULL is fine. */

/* Asks for a decision; returns when it is durable on a quorum and its proof has been checked. */
int cs_decide(cs_client *client, const struct cs_request *request, cs_result **ret);
/*
 * The same without waiting. callback runs once, on an nng thread, and owns result (NULL on error); it must not block,
 * and may start other calls. If this function itself fails, there is no callback.
 */
typedef void (*cs_callback)(void *context, int code, cs_result *result);
int cs_decide_async(cs_client *client, const struct cs_request *request, cs_callback callback, void *context);

/*
 * A past event to import; its own time counts for the signals. Needs the import role. The result's verdict is what the
 * event would have got: it permits nothing.
 */
struct cs_source {
	const char *format;    /* e.g. "cloudtrail" */
	const char *file;      /* Name of the file, without its folders. */
	uint8_t file_hash[32]; /* SHA-256 of the file, unpacked. */
	uint64_t position;     /* Of the event in the file, from 0. */
	uint64_t event_time_ms;
};
int cs_import_async(cs_client *client, const struct cs_request *request, const struct cs_source *source,
                    cs_callback callback, void *context);

/*
 * Answers the challenge of a step_up decision with an Ed25519 device key. device_key_file: key file whose name is the
 * enrolled credential's name. cs_answer_sign makes the signature alone (on the person's device); cs_answer sends one.
 */
int cs_answer_sign(const char *device_key_file, const char *origin, uint64_t challenge_index, const uint8_t digest[32],
                   const uint8_t nonce[32], uint64_t expiry_ms, char ret_credential[65], uint8_t ret_signature[64]);
int cs_answer(cs_client *client, uint64_t challenge_index, const char *credential, const uint8_t signature[64],
              cs_result **ret);

/*
 * By another method than a device key. What a WebAuthn client must be given as challenge, and an OIDC issuer as nonce:
 * the hash of what the challenge binds (ledger/FORMAT.md, Evidence), in base64url without padding, NUL-terminated.
 */
int cs_answer_challenge(const char *origin, uint64_t challenge_index, const uint8_t digest[32], const uint8_t nonce[32],
                        uint64_t expiry_ms, char ret[44]);
/* assertion_json: a browser's PublicKeyCredential.toJSON() of navigator.credentials.get(), as text. */
int cs_answer_webauthn(cs_client *client, uint64_t challenge_index, const char *credential, const char *assertion_json,
                       cs_result **ret);
/* code: 6 to 8 digits, good for one time step. */
int cs_answer_totp(cs_client *client, uint64_t challenge_index, const char *credential, const char *code,
                   cs_result **ret);
/* id_token: an ID token in JWS compact form. */
int cs_answer_oidc(cs_client *client, uint64_t challenge_index, const char *credential, const char *id_token,
                   cs_result **ret);
/* Any of them, with the evidence's bytes as node/PROTOCOL.md lays them down; at most 4,096. */
int cs_answer_evidence(cs_client *client, uint64_t challenge_index, const char *method, const char *credential,
                       const void *evidence, size_t size, cs_result **ret);

/* Is an earlier answer, by its request id, still good? */
struct cs_check_result {
	bool stands;
	int verdict;
	uint64_t index, time_ms;
	uint64_t size;     /* Entries that the view has. */
	uint64_t stale_ms; /* How old the view was, at most; 0: linearizable. */
};
/*
 * Linearizable: the answer takes account of every decision, answer and order that was acknowledged to anybody before
 * this call. The leader asks a majority of the nodes first whether it leads.
 */
int cs_check(cs_client *client, const uint8_t request_id[16], struct cs_check_result *ret);
typedef void (*cs_check_callback)(void *context, int code, const struct cs_check_result *result);
int cs_check_async(cs_client *client, const uint8_t request_id[16], cs_check_callback callback, void *context);
/*
 * Any node answers, from a view at most stale_ms_max milliseconds old (1 or more): what was acknowledged earlier than
 * that is taken account of. Nodes keep a view in use about 100 ms fresh. One that has not heard from a leader for so
 * long refuses, others are asked, and at last it fails with CS_E_NO_QUORUM.
 */
int cs_check_local(cs_client *client, const uint8_t request_id[16], unsigned stale_ms_max, struct cs_check_result *ret);
int cs_check_local_async(cs_client *client, const uint8_t request_id[16], unsigned stale_ms_max,
                         cs_check_callback callback, void *context);

/*
 * Does a grant cover this request: its subject, actor, action, resource, and of its attributes `session` and `device`?
 * stands, index and time are the grant's, verdict is 0; CS_E_NOT_FOUND: none does. It permits nothing yet: what it
 * covers is asked with cs_decide, where a deny or a higher level may stand. stale_ms_max 0: linearizable.
 */
int cs_check_grant(cs_client *client, const struct cs_request *request, unsigned stale_ms_max,
                   struct cs_check_result *ret);

/*
 * Waiting. A decision whose verdict is defer goes on by itself: approvers speak, its time comes, it expires; each of
 * that is an entry. Whoever asked waits for the end, then asks again with cs_decide and the same request id for the
 * proved answer (known until ten minutes after the end).
 *
 * cs_wait follows the ledger from the entry at index (a decision that waits, or an entry about it) to the end, or to
 * wait_ms: CS_E_TIMEOUT, it waits still. Blocks; wakes by new entries, not by the clock. Needs the role decide or
 * audit. Any end but the verdict CS_ALLOW permits nothing.
 */
struct cs_end {
	uint64_t index; /* Of the entry that ended it. */
	int verdict;    /* enum cs_verdict */
	const char *kind;
	uint64_t time_ms;
};
int cs_wait(cs_client *client, uint64_t index, unsigned wait_ms, struct cs_end *ret);
/*
 * What waits, and what is denied and may be released: of approvers (role approve) what they may decide about, of
 * auditors all, of others their own. JSON text, malloc'ed: an array of {index, newest, verdict, made_ms, expiry_ms,
 * not_before_ms, client, request, digest, needs, said}. digest (hex) is made here of the request as it is shown.
 */
int cs_pending(cs_client *client, char **ret_json);
/*
 * Says something about what waits at index, signed with the key file's `sign` key over its digest (cs_pending), index,
 * origin, reason and an expiry in five minutes. Never about one's own request; once for each person. Break-glass (two
 * persons whom the policy names, each with a reason) releases at once what waits or is denied. The result's verdict is
 * that of the request decided anew: approvals alone grant nothing, a step_up or deny may stand.
 */
enum cs_say { CS_APPROVE = 1, CS_REJECT = 2, CS_BREAK_GLASS = 3 };
int cs_approve(cs_client *client, uint64_t index, enum cs_say say, const uint8_t digest[32], const char *reason,
               cs_result **ret);

/* Grants that stand, of one subject or (NULL) of all: JSON text, malloc'ed. Needs the role audit or administer. */
int cs_grants(cs_client *client, const char *subject_type, const char *subject_id, char **ret_json);
/* Ends one grant, by the index of its entry, or all of a subject (subject_id not NULL). An administrator's order. */
int cs_grant_revoke(cs_client *client, uint64_t index, const char *subject_type, const char *subject_id,
                    const char *reason, cs_result **ret);
/*
 * A signal from outside, named as OpenID's CAEP names its events: "session-revoked" (session, or NULL: all),
 * "risk-level-change" (about USER, DEVICE or SESSION, level LOW, MEDIUM or HIGH), "credential-change" (credential, or
 * NULL: any), "assurance-level-change" (level; session or NULL). It ends grants at once, and is a signal of risk from
 * then on. Needs the role signal. What an event does not take is NULL.
 */
struct cs_event {
	const char *name, *about, *level;
	const char *subject_type, *subject_id;
	const char *session, *device, *credential;
	const char *reason;
	uint64_t time_ms; /* Of the event; 0: now. */
};
int cs_event_send(cs_client *client, const struct cs_event *event, cs_result **ret);

/*
 * What the ledger keeps (feature `records`). Administrators' orders. Erasing, lifting a hold and setting a retention
 * take as many administrators as the strictest threshold of governance, and two persons at least: the second may be an
 * approver (cs_sign_with). Whose data it is neither asks nor signs. The reason stays: it must not name whom it is
 * about.
 *
 * cs_erase_subject: all that is private in the subject's own entries, and what names it in those of others.
 * cs_erase_entry: these fields of one entry (a bit for each kind of ledger/FORMAT.md); UINT64_MAX: all. The entry that
 * comes back is the order; each node says by an entry of its own when nothing of it is left there (cs_keeping).
 */
int cs_erase_subject(cs_client *client, const char *subject_type, const char *subject_id, const char *reason,
                     cs_result **ret);
int cs_erase_entry(cs_client *client, uint64_t index, uint64_t fields, const char *reason, cs_result **ret);
/* A legal hold: nothing in which this subject is named is erased until it is lifted, by the index of its entry. */
int cs_hold_set(cs_client *client, const char *subject_type, const char *subject_id, const char *reason,
                cs_result **ret);
int cs_hold_lift(cs_client *client, uint64_t index, const char *reason, cs_result **ret);
/* Private fields of entries of this kind (its number) are erased when they are so old; 0: kept for ever. */
int cs_retention_set(cs_client *client, unsigned kind, uint64_t keep_ms, const char *reason, cs_result **ret);
/*
 * JSON text, malloc'ed: {"erasures": [{"entry", "target", "done": [node…], "missing": [node…]}…], "holds": [{"entry",
 * "time_ms", "subject"}…], "retention": [{"kind", "keep_ms", "swept"}…]}: erasures that not every node has carried out
 * yet, holds in force. Needs the role audit or administer.
 */
int cs_keeping(cs_client *client, char **ret_json);

/* Administration: signed with the key file's `sign` key (the client's own key file). */
struct cs_principal {
	const char *name;
	const char *roles; /* Comma-separated: decide, import, audit, administer, device, approve, signal, witness. */
	const uint8_t *channel_pub;            /* 32 bytes or NULL. */
	const uint8_t *sign_pub;               /* 32 bytes or NULL. */
	const char *subject_type, *subject_id; /* Of a device or approver, of a client its owner; else NULL. */
};
int cs_enroll(cs_client *client, const struct cs_principal *principal, cs_result **ret);
int cs_remove(cs_client *client, const char *name, const char *reason, cs_result **ret);
/* Compiles and sets a policy; error gets "line:column: text". */
int cs_policy_set(cs_client *client, const char *yaml, size_t size, cs_result **ret, char *error, size_t error_size);

/*
 * Credentials of people, and what is pinned for them. Needs the feature `decisions`. data is made by one of the
 * functions below; they write at most CS_CREDENTIAL_SIZE_MAX bytes and set *ret_len.
 */
#define CS_CREDENTIAL_SIZE_MAX 4096
struct cs_credential {
	const char *name;                      /* Of its own, as a principal's. */
	const char *kind;                      /* "webauthn", "totp", "oidc"; "oidc-issuer", "attestation-root". */
	const char *subject_type, *subject_id; /* Whose; NULL of the last two kinds. */
	const uint8_t *data;
	size_t size;
};
/* The challenge to register a security key with, in base64url, NUL-terminated: it binds the name and the subject. */
int cs_register_challenge(const char *origin, const char *name, const char *subject_type, const char *subject_id,
                          char ret[44]);
/*
 * registration_json: a browser's PublicKeyCredential.toJSON() of navigator.credentials.create(). root: the name of an
 * enrolled attestation-root that must have signed the attestation's certificate; NULL: the attestation proves nothing.
 */
int cs_credential_webauthn(const char *registration_json, const char *rp_id, const char *const *origins,
                           size_t n_origins, const char *root, uint8_t *buf, size_t cap, size_t *ret_len);
struct cs_totp {
	unsigned algorithm, digits, period_s; /* 1, 256 or 512; 6 to 8; 15 to 120. What most apps know: 1, 6, 30. */
};
/* Seals a secret of 16 to 64 bytes to the key of each member, here: it leaves this process sealed only. */
int cs_credential_totp(cs_client *client, const char *name, const uint8_t *secret, size_t size,
                       const struct cs_totp *parameters, uint8_t *buf, size_t cap, size_t *ret_len);
/* issuer: the name of an enrolled oidc-issuer; sub: who the subject is there. */
int cs_credential_oidc(const char *issuer, const char *sub, uint8_t *buf, size_t cap, size_t *ret_len);
/* jwks_json: the issuer's JWK Set; keys that are not to verify RS256, PS256, ES256 or EdDSA are left
 * out, an RSA key that names no algorithm is for RS256. */
int cs_credential_issuer(const char *iss, const char *aud, unsigned skew_ms, const char *jwks_json, uint8_t *buf,
                         size_t cap, size_t *ret_len);
int cs_credential_root(const void *der, size_t size, uint8_t *buf, size_t cap, size_t *ret_len);
/*
 * allowed NULL: signed with the administrator's key. Else the person's own order: this client's request of lately, with
 * its id, that was allowed by an answer: its subject is the credential's, its action
 * "countersign:credential:enroll" (or "…:revoke"), its resource ["credential", name], and its attribute "credential"
 * what cs_credential_hash (cs_revocation_hash) gives.
 */
int cs_credential_hash(const struct cs_credential *credential, char ret[65]);
int cs_revocation_hash(const char *name, const char *reason, char ret[65]);
int cs_credential_enroll(cs_client *client, const struct cs_credential *credential, const struct cs_request *allowed,
                         cs_result **ret);
int cs_credential_revoke(cs_client *client, const char *name, const char *reason, const struct cs_request *allowed,
                         cs_result **ret);
/* All of them, without what is in them: a JSON array, malloc'ed. Needs the role audit or administer. */
int cs_credentials(cs_client *client, char **ret_json);

/*
 * Orders by several administrators. Where governance asks for more signatures than one, cs_enroll, cs_remove,
 * cs_policy_set, cs_member_…, cs_feature_enable, cs_people_change, cs_governance_set, and the administrator's
 * cs_credential_enroll and cs_credential_revoke, fail with CS_E_NOT_PERMITTED and say how many it takes of whom; unless
 * further keys were given, or the order is signed elsewhere:
 */
/* Signs all further orders of this client with this key file's sign key, too. */
int cs_sign_with(cs_client *client, const char *key_file);

struct cs_order {
	unsigned type;           /* Of the command (node/decide/command.h). */
	const uint8_t *elements; /* What is signed, encoded. */
	size_t size;
	const char *origin;
	uint64_t governance; /* Version under which it is signed: void once that has changed. */
};
struct cs_signature {
	char name[65]; /* The administrator's. */
	uint64_t sequence, expiry_ms;
	uint8_t signature[64];
};
/*
 * From now on orders are handed to the keeper (which copies them; NULL: sent again), and the calls that make them
 * return CS_E_KEPT; but cs_credential_enroll CS_E_INVALID, for its order names only the hash of what is enrolled.
 */
typedef void (*cs_order_keeper)(void *context, const struct cs_order *order);
int cs_orders_keep(cs_client *client, cs_order_keeper keeper, void *context);
/* Offline: signs with a key file. valid_ms: so long from now on it may be carried out. */
int cs_order_sign(const char *key_file, const struct cs_order *order, uint64_t valid_ms, struct cs_signature *ret);
/* What the order would do, in words, for whoever is to sign it. malloc'ed. CS_E_MALFORMED: this library cannot tell. */
int cs_order_words(const struct cs_order *order, char **ret_text);
int cs_order_submit(cs_client *client, const struct cs_order *order, const struct cs_signature *signatures, size_t n,
                    cs_result **ret);

/* Governance: {"version", "thresholds": {class: k}, "administrators": n, "names": [...]}. JSON text, malloc'ed. */
int cs_governance(cs_client *client, char **ret_json);
/* Sets thresholds by the names of their classes; those not named stay. */
struct cs_threshold {
	const char *class_name; /* policy, enrolment, people, members, features or governance; "all". */
	unsigned k;
};
int cs_governance_set(cs_client *client, const struct cs_threshold *thresholds, size_t n, cs_result **ret);

/*
 * People: users, service accounts and agents. A set replaces the whole record; the other actions need type and id
 * alone. Groups and acts_for in any order. At most 64 changes an order: all are made, or none.
 */
enum cs_people_action { CS_PEOPLE_SET = 1, CS_PEOPLE_DISABLE = 2, CS_PEOPLE_ENABLE = 3, CS_PEOPLE_REMOVE = 4 };
struct cs_person {
	enum cs_people_action action;
	const char *type, *id;
	const char *kind; /* user, service or agent. */
	bool enabled;
	const char *name; /* To be shown; "": none. */
	size_t n_groups;
	const char *const *groups;
	struct cs_typed owner, manager; /* id NULL: none. */
	size_t n_acts_for;
	const struct cs_typed *acts_for; /* {"group", NAME}: whoever is in it; {"*", "*"}: anybody. */
};
#define CS_PEOPLE_MAX 64
int cs_people_change(cs_client *client, const struct cs_person *people, size_t n, cs_result **ret);
/* What is wrong with a record that is to be set; NULL: nothing. */
const char *cs_person_fault(const struct cs_person *person);
/* The whole table: {"people": [{"type", "id", "kind", "enabled", "name", "groups", …}…]}. JSON text, malloc'ed. */
int cs_people(cs_client *client, char **ret_json);

/*
 * Members: the nodes of the cluster. Each of these becomes an entry at once; the leader then carries it out, which
 * cs_members shows. One at a time: CS_E_CONFLICT while one is under way. lost: members that are not whole now are taken
 * for lost, and do not keep others from going.
 */
struct cs_member {
	uint64_t id;                                         /* 1 to 999, never used before in this cluster. */
	const char *url;                                     /* For clients. */
	const char *link;                                    /* For the other nodes: HOST:PORT. */
	const uint8_t *log_pub, *cosigner_pub, *channel_pub; /* 32 bytes each. */
};
int cs_member_add(cs_client *client, const struct cs_member *member, cs_result **ret); /* As a spare. */
/* Voter or spare. CS_E_CONFLICT: the node is not whole yet, or another voter is not. */
int cs_member_role(cs_client *client, uint64_t id, bool voter, bool lost, cs_result **ret);
int cs_member_remove(cs_client *client, uint64_t id, bool lost, cs_result **ret); /* For ever. */
int cs_member_address(cs_client *client, uint64_t id, const char *url, const char *link, cs_result **ret);
/* The members as one node knows them; 0: any. Only the leader knows who is whole. JSON text, malloc'ed. */
int cs_members(cs_client *client, uint64_t node_id, char **ret_json);

/*
 * Keys change: a new one takes an old one's place, from the entry of this order on. Keys are good for sizes of the
 * tree: the old one up to that of the entry's index plus the overlap, the new one from the size after the entry on.
 * place: "log", "cosigner" or "channel" of a node (by its id); "sign" or "client" (the channel key) of a principal (by
 * name). CS_E_EXISTS: it is, or was, somebody's key.
 */
struct cs_key {
	const char *place;
	uint64_t node;
	const char *name;
	const uint8_t *pub; /* 32 bytes. */
	uint64_t overlap;   /* Entries; at most 2^40. */
};
int cs_key_rotate(cs_client *client, const struct cs_key *key, cs_result **ret);
/*
 * Has the node make new keys, which it keeps beside those it has until they are ordered; asked again, it names the
 * same. kinds: sum of these. Only the public halves of the kinds asked for are filled in.
 */
#define CS_KEY_LOG      1u
#define CS_KEY_COSIGNER 2u
#define CS_KEY_CHANNEL  4u
struct cs_key_prepared {
	uint8_t log_pub[32], cosigner_pub[32], channel_pub[32];
};
int cs_key_prepare(cs_client *client, uint64_t node_id, unsigned kinds, struct cs_key_prepared *ret);
/*
 * The members' keys as one node knows them (0: any): {"node", "size", "log_signs", "cosigner_signs", "keys": [{"node",
 * "place", "key", "entry", "before", "until"}…]}; whether that node itself signs with its current keys. JSON,
 * malloc'ed.
 */
int cs_keys(cs_client *client, uint64_t node_id, char **ret_json);

/*
 * Features: what all nodes begin to do from one entry on, once every member's build can. Switched on for ever, by an
 * administrator. CS_E_CONFLICT: a member's build lacks it, or a member is not heard; CS_E_EXISTS: it is on;
 * CS_E_VERSION: the leader's build has none of that name.
 */
int cs_feature_enable(cs_client *client, const char *name, cs_result **ret);
/* As one node knows it (0: any): features with the entry that switched each on, members with their builds. JSON. */
int cs_features(cs_client *client, uint64_t node_id, char **ret_json);
/*
 * Learns the members now (a client does so by itself every two seconds, as long as it is used): new nodes become
 * reachable, and the trust policy is carried over to their keys if the entries that added them are proven under the
 * policy so far. ret_policy (may be NULL): the policy that is trusted from now on, malloc'ed; nothing is written to a
 * file. CS_E_UNDECIDED: too much has changed for the old policy to prove it; the new one must come another way.
 */
int cs_follow(cs_client *client, char **ret_policy);

/* Reading (needs the audit role for private fields). One entry as stored. */
struct cs_entry {
	const uint8_t *leaf, *body; /* body NULL: not opened for this principal, or erased. */
	size_t leaf_size, body_size;
	/* Private fields that were erased, a bit for each kind; all: UINT64_MAX; and the newest entry that did it. */
	uint64_t erased_fields, erased_by;
};
/* A page of entries from `first`; waits up to wait_ms for the first one to exist. */
typedef struct cs_page {
	uint64_t size; /* Entries in the ledger. */
	size_t n;
	struct cs_entry entries[256];
	void *owned;
} cs_page;
int cs_entries(cs_client *client, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret);
/* The same of one node; node_id 0: any. */
int cs_entries_of(cs_client *client, uint64_t node_id, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret);
/*
 * The same without bodies, whatever this key may open. Where the feature `records` is on, the ledger gets an entry that
 * says who read private fields; of leaves alone it says nothing.
 */
int cs_leaves(cs_client *client, uint64_t first, unsigned count, unsigned wait_ms, cs_page **ret);
void cs_page_free(cs_page *page);

/*
 * Proves one entry under the newest checkpoint that a quorum has cosigned (waits up to wait_ms for one that covers it).
 * bundle: one JSON file for offline verification (ledger/FORMAT.md), malloc'ed. quorum: whether the cosignatures of the
 * client's own trust policy's quorum are in it (with skip_proof: the node's word). Where that asks for witnesses that
 * are not members, the newest checkpoint that enough of them have cosigned is waited for. A leader that is asked while
 * it waits has the cosignatures gathered at once, within milliseconds; else they may lag by a fifth of a second under
 * load.
 */
int cs_prove(cs_client *client, uint64_t index, unsigned wait_ms, char **ret_bundle, bool *ret_quorum);
/*
 * For a witness (role witness): one node's checkpoint that witnesses are to cosign, as a note, malloc'ed; nothing of it
 * is checked here. Waits up to wait_ms for one above the size after; then it gives the one that there is (NULL: none
 * yet). cosigned (may be NULL): a note of an earlier call with the witness's own cosignature added, for the node to
 * keep. ret_kept: the largest size of which the node has such a note, and hands it out with proofs; it may lose them
 * when its machine fails. CS_E_DIVERGED: the node's ledger has another root at the size of cosigned.
 */
int cs_witness(cs_client *client, uint64_t node_id, uint64_t after, unsigned wait_ms, const char *cosigned,
               char **ret_note, uint64_t *ret_kept);
/*
 * The same with no private fields but those whose bit (1 << the number of the kind in ledger/FORMAT.md) is set: the
 * node gives no others, and the ledger says which were given.
 */
int cs_prove_fields(cs_client *client, uint64_t index, unsigned wait_ms, uint64_t fields, char **ret_bundle,
                    bool *ret_quorum);

/*
 * Entries that are as asked for, all of it at once; needs the role audit. A page may have few hits, or none, and yet
 * there is more: it ends after a while of looking. Pages neither skip nor repeat an entry while others are added.
 */
#define CS_FILTERS_MAX 8
struct cs_filter {
	const char *field; /* subject, actor, action, resource, device, address or client; each once. */
	const char *text;  /* TYPE:ID of the first two and of a resource. With '*' at its end: whatever begins so. */
};
struct cs_search {
	bool newest_first;
	bool has_cursor; /* Goes on where the page before ended. */
	uint64_t cursor;
	unsigned hits_max;           /* 1 to 256. */
	uint64_t since_ms, until_ms; /* Of the entries' times, both included; 0: no bound. */
	uint64_t kinds;              /* Bit 1 << kind; 0: any. */
	uint64_t verdicts;           /* Bit 1 << verdict; 0: any. */
	size_t n_filters;
	struct cs_filter filters[CS_FILTERS_MAX];
};
typedef struct cs_hits {
	uint64_t size; /* Entries that the node had when it looked. */
	bool more;
	uint64_t cursor; /* If more: for the next page. */
	size_t n;
	struct cs_entry entries[256];
	void *owned;
} cs_hits;
int cs_search(cs_client *client, const struct cs_search *search, cs_hits **ret);
void cs_hits_free(cs_hits *hits);

/*
 * One person's whole history; needs the role audit. First the ledger gets the entry "history requested", the head of
 * the person's own chain from now on; cs_result_index of it is the head that pages are asked for by. type NULL of an
 * approver, whose id is the name. reason: NULL, or why.
 */
enum cs_whose { CS_SUBJECT = 1, CS_ACTOR = 2, CS_APPROVER = 3 };
int cs_history_request(cs_client *client, enum cs_whose whose, const char *type, const char *id, const char *reason,
                       cs_result **ret);
/*
 * Entries of that chain, newest first from `at` on (of the first page the head), each with its proof under one
 * checkpoint: size 0 chooses one (waits up to wait_ms for one that a quorum cosigned), further pages give the first
 * one's size. Nothing is checked here: `countersign verify` checks what is
 * written down of it (ledger/FORMAT.md, History).
 */
struct cs_history_entry {
	struct cs_entry entry;
	const uint8_t *hashes; /* n_hashes times 32 bytes, the leaf's sibling first; at most 63. */
	size_t n_hashes;
};
typedef struct cs_history_page {
	bool quorum;            /* The node's word. */
	uint64_t size;          /* Of the checkpoint. */
	const char *checkpoint; /* Of the first page; not NUL-terminated. */
	size_t checkpoint_size;
	bool more;
	uint64_t next; /* If more. */
	size_t n;
	struct cs_history_entry entries[256];
	void *owned;
} cs_history_page;
int cs_history(cs_client *client, uint64_t head, uint64_t at, uint64_t size, unsigned wait_ms, cs_history_page **ret);
void cs_history_page_free(cs_history_page *page);
/* The newest checkpoint (malloc'ed note). */
int cs_checkpoint(cs_client *client, char **ret_note, bool *ret_quorum);

/* One node's own view; node_id 0: any that answers. JSON text, malloc'ed. */
int cs_status(cs_client *client, uint64_t node_id, char **ret_json);
/*
 * Asks any node who leads, and sends there from now on what any node may answer (entries, lists, …), as long as it
 * does: then that shows what was answered before to whomever, where a node that lags may not yet. It costs a question,
 * and the leader the work: bulk readers do without. wait_ms: for this question, if it is shorter than the client's
 * time. CS_E_NOT_READY: whoever answered knows of no leader, or the cluster file does not name it; all goes on as
 * before.
 */
int cs_find_leader(cs_client *client, unsigned wait_ms);
/*
 * How far the scrubber of a node is; begin: it reads its whole ledger once more, after the pass under way: that is over
 * when "passes" has come to the "asked" of this answer. JSON text, malloc'ed. For administrators; CS_E_INVALID: the
 * node's settings say that there is none.
 */
int cs_scrub(cs_client *client, uint64_t node_id, bool begin, char **ret_json);

#ifdef __cplusplus
}
#endif
#endif
