/* The lab's inside: its ledger, its keys, and how a command goes through decide. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYLAB_INTERNAL_H
#define CLIENT_TOOL_POLICYLAB_INTERNAL_H

#include "client/tool/policylab.h"

#define LAB_ORIGIN      "policy-lab"
#define LAB_ADMIN       "lab-administrator"
#define LAB_ADMIN_ID    1
#define LAB_ORDER_MS    60000
#define LAB_CLIENTS_MAX 1024  /* Beyond, clients share the last one's velocity. */
#define LAB_PAYLOAD_MAX 65536 /* Genesis with a policy of the largest size. */
#define LAB_COMMAND_MAX (LAB_PAYLOAD_MAX + 16384)
#define LAB_FACTS_MAX   8192

struct lab_client {
	char name[PRINCIPAL_NAME_SIZE_MAX + 1];
	uint64_t id;
};

struct policylab {
	struct state *s;
	struct decide_out *out, *spare;
	uint64_t now_ms, count, sequence;
	uint8_t admin_pub[32], admin_sk[64];
	unsigned n_clients;
	struct lab_client clients[LAB_CLIENTS_MAX];
	const struct place *place; /* Of the request that is asked or imported now, as a leader would have found it. */
	char text[160];
	uint8_t payload[LAB_PAYLOAD_MAX], facts[LAB_FACTS_MAX], command[LAB_COMMAND_MAX];
};

struct text lab_text(const char *s);
/* Keys, seeds and ids: distinct, and the same in each run. Nothing here is a secret. */
void lab_fresh(struct policylab *l, uint8_t *ret, size_t len);
void lab_time(struct policylab *l, uint64_t now_ms); /* Never back. */
/* Notes why; returns err. text "": the error's own. */
int lab_refused(struct policylab *l, int err, const char *text);
/* The payload is in l->payload. */
int lab_apply(struct policylab *l, unsigned type, uint64_t principal, size_t len);

/* policylab_orders.c: what the lab's administrator signs. */
int lab_enrol(struct policylab *l, struct enrolment *e);
int lab_remove(struct policylab *l, struct text name);
int lab_client(struct policylab *l, struct text name, uint64_t *ret); /* Enrolled when it is first named. */

#endif
