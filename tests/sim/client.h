/* Simulated clients: what they ask, how they retry, and what they saw. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "node/wire/messages.h"

struct client_request {
	unsigned client;
	uint64_t call; /* Tells a late reply from the one that is waited for. */
	unsigned type;
	uint32_t deadline_ms;
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	uint8_t channel_pub[32];
	size_t body_len;
	uint8_t body[4096];
};

/* Subjects that the checks know: users ada-N, and eve-N, who are erased one day and not named again. */
#define WHO_NOBODY 0
#define WHO_ADA    1
#define WHO_EVE    1000
#define WHO_SIZE   16
void client_who(unsigned who, char ret[WHO_SIZE]);

/* What became of one request of a client. */
struct operation {
	unsigned client, type;
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	uint64_t invoked_ns, acked_ns; /* acked 0: nobody knows. */
	uint64_t floor;                /* Highest index acknowledged to anybody when it was asked first. */
	uint64_t index;
	struct hash leaf;
	unsigned sent;
	unsigned who; /* Of a decision: whom it is about. */
};

/* n clients begin as soon as the first administrator has enrolled them. */
void clients_begin(unsigned n, uint64_t think_ns_max, uint32_t lost_ppm);
/* From the last part of a run on nothing that is sent is lost. */
void clients_calm(void);
void clients_stop(void);
bool clients_idle(void);

uint64_t clients_acked(void); /* How many have been acknowledged. */
const struct operation *clients_history(size_t *ret_n);
uint64_t clients_named_ns(unsigned who); /* When a request about them was last under way; UINT64_MAX: one is. */

/* front.c: a request reaches a node. client.c: its reply goes back; err: 0 or negative. */
void client_request_arrives(unsigned node, const struct client_request *q);
void client_reply(unsigned client, uint64_t call, unsigned node, int err, const char *leader_url, const void *body,
                  size_t len);

#endif
