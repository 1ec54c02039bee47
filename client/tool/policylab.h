/* The real decide in this process: requests of a test or of the past, played under a policy of one's choice. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYLAB_H
#define CLIENT_TOOL_POLICYLAB_H

#include <stdint.h>

#include "client/tool/policyfile.h"
#include "node/decide/decide.h"

/*
 * A ledger of its own in memory, with keys made from a counter: the same calls give the same bytes on every machine.
 * Commands go through decide_prepare and decide, as a leader's do. Nobody else ever sees these entries.
 */
struct policylab;

/* The policy is in force from start_ms on. limits NULL: a node's. Prints why not; 0 or the exit code. */
int policylab_open(const char *command, const struct policyfile *p, uint64_t start_ms,
                   const struct state_limits *limits, struct policylab **ret);
void policylab_close(struct policylab *l); /* NULL is fine. */

enum policylab_proof { POLICYLAB_GOOD, POLICYLAB_WRONG, POLICYLAB_LATE };

/*
 * Each makes one entry and gives 0, or what decide refused it with (CS_ERR_*; policylab_text says why). A time before
 * the last entry's counts as that one's.
 */
/* client: who asks, by name (of its own velocity); enrolled when it is first named. q->place: as a leader found it. */
int policylab_decide(struct policylab *l, uint64_t now_ms, struct text client, const struct request *q);
int policylab_import(struct policylab *l, uint64_t now_ms, struct text client, const struct request *q,
                     uint64_t event_ms);
/*
 * The answer to the challenge of q's decision at `challenge`, by the client that asked: signed with a key of q's
 * subject, that is enrolled for this one answer; or with another's; or after its expiry. Proofs of higher levels or by
 * other methods than ed25519 are not made here: CS_ERR_INVALID.
 */
int policylab_answer(struct policylab *l, uint64_t now_ms, struct text client, uint64_t challenge,
                     const struct request *q, enum policylab_proof proof);
/* An order's array of changes of the table of people, signed anew by the lab's own administrator. */
int policylab_people(struct policylab *l, uint64_t now_ms, const void *changes, size_t len);
const struct state *policylab_state(const struct policylab *l);
const char *policylab_text(const struct policylab *l);
const struct decide_out *policylab_out(const struct policylab *l); /* Of the last call; its entry, if that gave 0. */

#endif
