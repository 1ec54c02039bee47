/* One command on its way through decide: what its parts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_APPLY_H
#define NODE_DECIDE_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/decide/command_erase.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/evaluate.h"
#include "node/decide/governance.h"
#include "node/decide/people_order.h"
#include "node/decide/state.h"

/* Why a command is refused; text names what and where. */
struct refusal {
	char *text;
	size_t cap;
};
/* Writes the text and returns err, so that a check can end with it. */
int refuse(const struct refusal *r, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One command that is being applied. */
struct apply {
	struct state *s;
	const struct command *c;
	struct decide_out *out;
	const struct recall *recall;  /* NULL: what comes of the seed is made of it. */
	struct principal_slot *asker; /* NULL: genesis and ticks. */
	uint64_t now_ms;              /* The entry's time. */
	struct hash request_hash;
	struct refusal why;
};

/*
 * Each apply_… either refuses (returns the error, having changed nothing) or makes one entry and changes the state (0).
 * First everything that can fail, the entry's bytes included, then the changes, which cannot.
 */
int apply_genesis(struct apply *a);
int apply_tick(struct apply *a);
int apply_decision(struct apply *a);
int apply_import(struct apply *a);
int apply_answer(struct apply *a);
int apply_enrolment(struct apply *a);
int apply_removal(struct apply *a);
int apply_policy_set(struct apply *a);
int apply_member(struct apply *a);
int apply_feature(struct apply *a);
int apply_build(struct apply *a);
int apply_state_digest(struct apply *a);
int apply_people(struct apply *a);
int apply_governance(struct apply *a);
int apply_approval(struct apply *a);
int apply_defer_end(struct apply *a, struct deferred_slot *d); /* A tick's, when time or end of what waits have come. */
int apply_grant_revoke(struct apply *a);
int apply_outside(struct apply *a);
int apply_credential_enrol(struct apply *a);
int apply_credential_revoke(struct apply *a);
int apply_history(struct apply *a);
int apply_read(struct apply *a);
int apply_hold(struct apply *a); /* apply_erase.c */
int apply_erase(struct apply *a);
int apply_retention(struct apply *a); /* The leader's own erasure. */
int apply_erasure_done(struct apply *a);
int apply_key(struct apply *a);

/* --- what was drawn and is known again (recall.c); false, or nothing: make it of the seed --- */

void recall_salts(const struct apply *a);
bool recall_blind(const struct apply *a, uint8_t ret[32]);
bool recall_nonce(const struct apply *a, uint8_t ret[32]);

/* --- the entry (apply_entry.c) --- */

/* Starts the next entry; then the public array through the builder, then fields in ascending order. */
struct entry_builder *entry_start(struct apply *a, enum entry_kind kind);
/* Fields that hold one encoded value each; w is over the state's scratch buffer. */
struct writer field_start(const struct apply *a);
void field_end(const struct apply *a, unsigned kind, const struct writer *w);
void field_client(const struct apply *a);
void field_pair(const struct apply *a, unsigned kind, struct text type, struct text id);
void field_chain(const struct apply *a, unsigned kind, const struct chain *c); /* NULL: no entry yet. */
void chain_move(struct chain *c, uint64_t index);
/* Leaf, body and hash into out. After it nothing may fail. */
int entry_finish(struct apply *a);
/* The entry is there: the head moves on, the request id is remembered. verdict 0: the kind has none. */
void entry_commit(struct apply *a, unsigned verdict, int32_t risk);

/* What a decision, an answer and an import say of their request, all in one place so that they say it alike. */
struct account {
	const struct request *request;
	const uint8_t *request_bytes;
	size_t request_len;
	const struct evaluation *evaluation;
	uint8_t subject_key[HASH_SIZE], actor_key[HASH_SIZE];
	const struct chain *subject_chain, *actor_chain; /* As before this entry; NULL: no entry yet. */
	uint8_t blind[32];
	struct hash digest;
	const struct answer *answer; /* Its evidence becomes a field. */
	uint64_t credential_version;
	const struct evidence_facts *facts; /* Of a further method; NULL: none. */
	uint64_t counter_before;
	bool facts_fell, facts_by_leader; /* The counter did not rise; only the leader could look. */
	const uint8_t *nonce;             /* NULL: no challenge is opened. */
	uint64_t challenge_expiry_ms;
	const struct import *import; /* Its source becomes a field. */
	/* Who asked first; NULL: the command's asker. */
	const struct principal_slot *client;
	struct deferred_slot *deferred; /* The request has waited; NULL: it has not. */
	bool keep;                      /* It waits from now on, or may be released. */
	bool final;                     /* A deny that nobody releases. */
	const struct approval *approval;
	const struct chain *approver_chain;
	bool released;       /* By break-glass. */
	unsigned met;        /* Level of the evidence in this command, and what bought it. */
	uint64_t credential; /* Its id; credential_version is above. */
	bool opens;          /* A grant. */
	struct standing grant;
	struct text grant_rule;
	unsigned n_revoked; /* Grants that end. */
	uint64_t revoked[STANDING_PER_SUBJECT_MAX];
};
/* Fills in keys and chains of the request's subject and actor. Returns the subject, NULL if unknown. */
const struct subject *account_init(struct account *ret, const struct state *s, const struct request *q,
                                   const uint8_t *bytes, size_t len);
/* verdict, risk, policy hash, [rule…], digest, [obligation…]: six elements of the public array. */
#define ACCOUNT_PUBLIC_ELEMENTS 6
void account_public(const struct apply *a, const struct account *k, unsigned verdict);
void account_fields(const struct apply *a, const struct account *k);
/* Moves the chains on and returns the subject, now the most recently used. */
struct subject *account_touch(struct apply *a, const struct account *k, uint64_t index);
/* 32 bytes for a purpose, from the command's seed. */
void derive(uint8_t ret[32], const uint8_t seed[SEED_SIZE], const char *purpose);
/* If the verdict is step_up: makes sure of room, and fills in nonce and expiry. */
int challenge_prepare(const struct apply *a, struct account *k, uint8_t nonce[32]);
/* After the commit: opens it under this entry's index, for the principal that asked first. */
void challenge_open(struct apply *a, const struct account *k, const uint8_t request_id[REQUEST_ID_SIZE]);

/* The sequences of all who signed have been used. */
void admin_used(struct apply *a, const struct admin_signature *sig);
/* The signature as a private field, where what it covers is private too: in clear it would confirm a guess. */
void field_signature(const struct apply *a, const struct admin_signature *sig);
/* --- what follows from a verdict (apply_verdict.c) --- */

/* As challenge_prepare; also a place among those that wait, and grants. */
int outcome_prepare(struct apply *a, struct account *k, uint8_t nonce[32]);
void field_approval(const struct apply *a, const struct account *k); /* And the approver's chain. */
void field_grant(const struct apply *a, const struct account *k);
/* After the commit. request_id: of the decision. */
void outcome_commit(struct apply *a, const struct account *k, const uint8_t request_id[REQUEST_ID_SIZE]);
/* Whoever asks again with the decision's id gets the newest entry. */
void outcome_record(struct apply *a, const struct deferred_slot *d, unsigned verdict);
uint64_t wait_expiry_ms(const struct awaited *w, uint64_t now_ms);
#define WAIT_GRACE_MS                                                                                                  \
	UINT64_C(3600000) /* What waits for a time alone and is not decided by then ends so much later.                \
	                   */
#define OUTSIDE_KEEP_MS (UINT64_C(30) * 86400000) /* A warning that nobody takes back. */

/* Why what waited ended, public in its entry: numbers are for ever. */
enum end_cause { END_TIME = 1, END_EXPIRED = 2, END_GONE = 3 };

void principal_set_keys(struct principal *p, const uint8_t *channel_pub, const uint8_t *sign_pub);

/* --- checks that the leader makes before and decide makes again (check.c) --- */

int check_asker(const struct state *s, uint64_t principal, unsigned command_type, const struct refusal *why);
/*
 * The principal is one that check_asker let pass. 0: a new request. CS_ERR_EXISTS: the same one was answered before,
 * *ret_recorded is that. CS_ERR_CONFLICT, CS_ERR_EXPIRED, CS_ERR_OVERLOADED: refused.
 */
int check_request_id(const struct state *s, uint64_t now_ms, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                     const struct hash *request_hash, struct recorded *ret_recorded, const struct refusal *why);
void request_hash(struct hash *ret, unsigned command_type, const void *payload, size_t len);
/*
 * The administrator who signed (of several, the first by name), if everything about each signature holds and there are
 * as many as governance asks of the order's class.
 */
int check_admin(const struct state *s, uint64_t now_ms, unsigned command_type, const struct admin_signature *sig,
                const uint8_t *signed_elements, size_t len, const struct principal **ret, const struct refusal *why);
/*
 * check_keeping.c: the order's signatures, and whether it may be carried out. Of an erasure of one entry only the
 * leader can tell whose it is (node/core/erase.c), and whether a hold keeps it: what is held no node erases.
 */
int check_hold(const struct state *s, uint64_t now_ms, const struct hold_order *o, const struct refusal *why);
int check_erase(const struct state *s, uint64_t now_ms, uint64_t asker, const struct erase_order *o,
                const struct refusal *why);
int check_sweep(const struct state *s, uint64_t now_ms, const struct retention_sweep *o, const struct refusal *why);
/* Is one of these persons whose data it is? The asker, and who signed. */
int check_persons(const struct state *s, uint64_t asker, const struct admin_signature *sig,
                  const uint8_t key[HASH_SIZE], struct text id, const struct refusal *why);
bool name_valid(struct text name); /* Of a person or client: node-N are the nodes'. */
int check_enrolment(const struct state *s, const struct enrolment *e, const struct refusal *why);
int check_removal(const struct state *s, const struct removal *r, const struct principal **ret,
                  const struct refusal *why);
int check_people(const struct state *s, const struct people_order *o, const struct refusal *why); /* check_people.c */
int check_governance(const struct state *s, const struct governance_order *o, const struct refusal *why);
/* So many administrators must have signed (check_admin has verified that each did). */
int check_signers(const struct state *s, const struct admin_signature *sig, unsigned needed, const struct refusal *why);
/* Who makes administrators and approvers, or ends them, holds all that the thresholds guard. */
int check_powers(const struct state *s, uint32_t roles, const struct admin_signature *sig, const struct refusal *why);
/* check_key.c. *ret: whose key it is; NULL: a node's. */
int check_key(const struct state *s, const struct key_order *o, const struct principal **ret,
              const struct refusal *why);
/* By the principal's signing key, or the one before it as long as both are good. It has one. */
bool key_signed(const struct state *s, const struct principal *p, const uint8_t *signature, const void *message,
                size_t len);
int check_request(const struct state *s, const struct request *q, const struct refusal *why);
int check_member(const struct state *s, const struct member_order *m, const struct refusal *why); /* check_member.c */
/* check_credential.c: what an order would enroll; nodes, issuers and roots that it names are there. */
int check_credential_data(const struct state *s, const struct credential_order *o, const struct refusal *why);
/* apply_feature.c: `what` needs the feature, for an older build could not follow. CS_ERR_INVALID: it is off. */
int check_feature_on(const struct state *s, unsigned number, const char *what, const struct refusal *why);
int check_policy_version(const struct state *s, unsigned version, const struct refusal *why);
/* apply_feature.c; CS_ERR_VERSION: it is none of this build. */
int check_feature(const struct state *s, const struct feature_order *o, const struct refusal *why);
int check_approval(const struct state *s, uint64_t now_ms, uint64_t principal, const struct approval *n,
                   const struct deferred_slot **ret, const struct refusal *why); /* apply_approval.c */
/* A rule that matches the request names this approver. */
bool approver_named(const struct state *s, const struct principal *p, const struct request *q);
/* One of those that hold by what is known now does. */
bool approver_named_now(const struct state *s, const struct principal *p, const struct evaluation *e);
int check_grant_revoke(const struct state *s, uint64_t now_ms, const struct grant_revoke *g,
                       const struct refusal *why); /* apply_standing.c */
/* Is the credential one of the subject's, and does the evidence hold? What the leader finds and decide looks at again.
 */
bool credential_fits(const struct principal *credential, const struct challenge_slot *c, const struct answer *a);
/* The same of a credential of another method, but for the evidence itself. */
bool credential_suits(const struct credential *k, const struct challenge_slot *c, const struct answer *a);
/* fill_evidence.c: what must be verified, as of now_ms. ret->method is 0 if nothing can be. */
void evidence_fill(struct evidence *ret, const struct state *s, const struct challenge_slot *c, const struct answer *a,
                   uint64_t now_ms);
bool evidence_fill_registration(struct evidence *ret, const struct state *s, const struct credential_order *o,
                                uint64_t now_ms);
/* apply_credential.c */
int check_credential_order(const struct state *s, uint64_t now_ms, uint64_t principal, const void *payload, size_t len,
                           struct credential_order *ret, const struct refusal *why);
int check_credential_revocation(const struct state *s, uint64_t now_ms, uint64_t principal, const void *payload,
                                size_t len, const struct refusal *why);
int check_history(const struct state *s, const void *payload, size_t len,
                  const struct refusal *why); /* apply_reads.c */
int check_read(const struct state *s, const void *payload, size_t len, const struct refusal *why);

#endif
