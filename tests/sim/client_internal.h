/* What the files of the simulated clients share: a client, its request and its next one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CLIENT_INTERNAL_H
#define TESTS_SIM_CLIENT_INTERNAL_H

#include <string.h>

#include "ledger/entry.h"
#include "node/decide/command.h"
#include "tests/sim/client.h"
#include "tests/sim/cluster.h"

#define CLIENT_ADMIN       0 /* Client 0 is the administrator; the others ask for decisions. */
#define CLIENT_DEADLINE_MS 1000
#define CLIENT_EVES        64

struct client {
	unsigned id, node; /* node: whom it asks next. */
	uint8_t channel_pub[32];
	bool busy;
	uint64_t call;
	struct operation now;
	struct client_request request;
	const struct operation *repeat; /* A check: what it asks for, acknowledged before. */
	bool local;                     /* A check that takes a node's own view. */
	bool challenged;
	uint64_t challenge;
	unsigned challenged_who;
	struct hash digest;
	uint8_t nonce[32];
	uint64_t expiry_ms;
	uint8_t sign_secret[64], sign_pub[32]; /* Of an approver. */
	unsigned about;                        /* Of a check of grants or a signal from outside: the subject ada-N. */
	uint64_t revoked;                      /* Of a check of grants: none from before this entry stands. */
};

extern struct client clients[];
extern unsigned n_clients; /* Who ask for decisions; CLUSTER_PERSONS come after them. */
extern uint8_t client_device_secret[64], client_device_pub[32];

uint64_t client_wall_ms(void); /* What a clock that is right shows. */
uint64_t client_highest(void); /* The highest index that was acknowledged to anybody. */
/* Begins a request of this type, under an id of its own; its body is to be filled in; sends it. */
void client_begin(struct client *c, unsigned type);
void client_ask(struct client *c);
void client_think(struct client *c);                               /* And then its next one. */
const struct operation *client_some_acked(const struct client *c); /* A decision of its own; NULL: none. */

static inline unsigned client_desk(void) /* Who sends signals from outside. */
{
	return n_clients + CLUSTER_APPROVERS + 1;
}

static inline unsigned client_last(void) /* The auditor. */
{
	return n_clients + CLUSTER_PERSONS;
}

/* persons.c: what approvers and the desk do next; what they hear of. */
void persons_next(struct client *c);
void persons_waits(uint64_t index, const struct hash *digest);
void persons_acknowledged(const struct client *c);
uint64_t persons_revoked(unsigned subject); /* Its grants ended at that entry; 0: never. */
void persons_grants_ended(unsigned subject, uint64_t index);
void persons_check_grant(struct client *c);

/* asks.c: what a client asks next. */
void asks_next(struct client *c);

/* admin.c: what the administrator does next, after how long; its requests' ends. */
void admin_next(struct client *c);
uint64_t admin_pause_ns(void);
void admin_acknowledged(const struct client *c, const struct entry *e);
/* A node has made a key: the answer to WIRE_KEY_PREPARE. */
void admin_key_prepared(unsigned node, const uint8_t *body, size_t len);
/* Whether this answer is one that an administrator may get. */
bool admin_refused(unsigned type, int err);
bool admin_clients_enrolled(const struct client *c); /* Its request was the last of these. */
unsigned admin_eve(void); /* Who is to be erased next: WHO_EVE and more; WHO_NOBODY: in this seed nobody is. */

/* auditor.c: what is read, and that all of it is in the log of readers. */
void auditor_next(struct client *c);
uint64_t auditor_pause_ns(void);
bool auditor_asks(unsigned wire_type); /* Answers to such are its own to read. */
void auditor_answered(const struct client *c, unsigned node, const uint8_t *body, size_t len);

/* credentials.c: of other methods than ed25519. */
void credentials_begin(void);
/* An answer to its challenge by one of those, which may be revoked; false: this person has none. Until the next call.
 */
bool credentials_answer(const struct client *c, const uint8_t *message, size_t len, struct answer *ret);

static inline struct text client_text(const char *s)
{
	return (struct text){s, strlen(s)};
}

#endif
