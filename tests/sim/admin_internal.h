/* What the files of the simulated administrators share: signing, and what each may order next. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_ADMIN_INTERNAL_H
#define TESTS_SIM_ADMIN_INTERNAL_H

#include "node/decide/governance.h"
#include "tests/draw.h"
#include "tests/sim/client_internal.h"

/* admin_sign.c */
void admin_sign_begin(void);                     /* The second administrator's key. */
const uint8_t *admin_second(unsigned channel);   /* Its signing key; its channel key. */
const struct governance *admin_thresholds(void); /* In force, by the node that has applied most. */
/*
 * Signs these elements as an order of this command, by as many as it takes; at times by too few: then it must not be
 * taken (admin_lacks). What ret points to stays until the next call.
 */
void admin_sign(unsigned command, const uint8_t *elements, size_t len, struct admin_signature *ret);
/* The same of an order that itself changes how many it takes, or erases: by `needed` of the administrators, in all by
 * `persons`. */
void admin_sign_by(unsigned command, unsigned needed, unsigned persons, const uint8_t *elements, size_t len,
                   struct admin_signature *ret);
bool admin_lacks(void);   /* The last order had too few signatures. */
void admin_good(int err); /* An encoder's result. */
struct draw admin_draw(void);

/* admin_members.c */
bool admin_ask_member(struct client *c);

/* admin_orders.c: people, governance, grants; holds and what is kept; erasures. False: nothing of the kind may go now.
 */
bool admin_ask_people(struct client *c);
bool admin_ask_governance(struct client *c);
bool admin_ask_grants(struct client *c);
bool admin_ask_hold(struct client *c);
bool admin_ask_erasure(struct client *c);
void admin_order_done(const struct client *c, const struct entry *e);
void admin_hold_gone(void); /* The hold that was to be lifted is not there. */

/* admin_keys.c: of nodes; a key is made first, then ordered. */
bool admin_ask_key(struct client *c);

/* credentials.c */
bool admin_ask_credential(struct client *c);
void admin_credential_done(unsigned wire_type);
void admin_credential_refused(int err);

#endif
