/* The state of a ledger that is restored under a new origin: what of the old one's is carried over, and how. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_CARRY_H
#define NODE_DECIDE_STATE_CARRY_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/decide/command.h"
#include "node/decide/decide.h"

/*
 * The state stays a fold over ledgers: fold the predecessor's first state_size entries, carry, compare the digest with
 * the genesis', found; from there on fold the new ledger's entries.
 *
 * Carried over are people, principals, credentials, the policy, thresholds, features, profiles, counts, warnings, and
 * what must not come again. Not carried, because it speaks of the old origin or of a moment that has passed: open
 * challenges, requests that wait, recorded answers, proofs of lately, and grants (one that was ended after the copy was
 * made would rise again). Who asked before the restore and asks again with the same request id is refused
 * (CS_ERR_EXPIRED) and never answered twice: each principal's watermark is the genesis' time.
 *
 * Numbers of entries in the state become those of the predecessor: STATE_EARLIER is added. So chains go on across the
 * restore, and a credential's version names the entry that enrolled it, in the ledger where it stands.
 */
struct carry;
struct state;

/*
 * Raft index and term that the new ledger's entry 0 and this state are stored under: the log begins behind them, so
 * nobody ever finds them in it.
 */
#define RESTORED_INDEX 1
#define RESTORED_TERM  1

int carry_new(const struct state_limits *limits, struct carry **ret);
void carry_free(struct carry *c); /* NULL is fine. */
/*
 * One record of the old state, as state_take gives them; those of RECORD_FEATURES first, those of RECORD_HISTORY behind
 * those of RECORD_SUBJECT. Others may be missing, if they were erased: those behind them move up. Errors of state_load.
 */
int carry_record(struct carry *c, const void *key, size_t key_len, const void *value, size_t value_len);
/*
 * That was all. CS_ERR_DAMAGED: they are no state. ret_digest: of what is carried (ledger/multiset.h; all its records
 * but the head), the same whenever and wherever the old state was written. The carry's state is then to be founded.
 */
int carry_end(struct carry *c, struct hash *ret_digest);
/* Borrowed, after carry_end: the old ledger's state as carried, its head and origin being the old ones. */
struct state *carry_state(struct carry *c);
/*
 * Makes it the state behind the new ledger's entry 0. leaf: the genesis' leaf hash. text: what is wrong, 160 bytes.
 * CS_ERR_INVALID: the genesis names another predecessor, policy or administrators than the state has; CS_ERR_TOO_LARGE.
 * On 0 *ret is the caller's.
 */
int carry_found(struct carry *c, const struct genesis *g, const struct hash *leaf, struct state **ret,
                char ret_text[160]);

#endif
