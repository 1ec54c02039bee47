/* What the files of the simulated clients share: a client, its request and its next one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CLIENT_INTERNAL_H
#define TESTS_SIM_CLIENT_INTERNAL_H

#include <string.h>

#include "node/decide/command.h"
#include "tests/sim/client.h"
#include "tests/sim/cluster.h"

#define CLIENT_ADMIN       0 /* Client 0 is the administrator; the others ask for decisions. */
#define CLIENT_DEADLINE_MS 1000

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
/* Begins a request of this type, under an id of its own; its body is to be filled in; sends it. */
void client_begin(struct client *c, unsigned type);
void client_ask(struct client *c);
void client_think(struct client *c);                               /* And then its next one. */
const struct operation *client_some_acked(const struct client *c); /* A decision of its own; NULL: none. */

static inline unsigned client_desk(void) /* Who sends signals from outside: the last one. */
{
	return n_clients + CLUSTER_PERSONS;
}

/* persons.c: what approvers and the desk do next; what they hear of. */
void persons_next(struct client *c);
void persons_waits(uint64_t index, const struct hash *digest);
void persons_acknowledged(const struct client *c);
uint64_t persons_revoked(unsigned subject); /* Its grants ended at that entry; 0: never. */
void persons_check_grant(struct client *c);

/* asks.c: what a client asks next. */
void asks_next(struct client *c);

/* admin.c: what the administrator does next, after how long; its requests' ends. */
void admin_next(struct client *c);
uint64_t admin_pause_ns(void);
void admin_acknowledged(const struct client *c);
/* Whether this answer is one that an administrator may get. */
bool admin_refused(unsigned type, int err);
bool admin_clients_enrolled(const struct client *c); /* Its request was the last of these. */

static inline struct text client_text(const char *s)
{
	return (struct text){s, strlen(s)};
}

#endif
