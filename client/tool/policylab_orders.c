/* What the lab's administrator signs: who asks, whose key answers, who the people are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policylab_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/people_order.h"

static struct admin_signature order_of(struct policylab *l)
{
	return (struct admin_signature){
	        .name = lab_text(LAB_ADMIN), .sequence = ++l->sequence, .expiry_ms = l->now_ms + LAB_ORDER_MS};
}

static void sign(const struct policylab *l, unsigned type, struct admin_signature *a, const uint8_t *elements,
                 size_t len, uint8_t signature[64])
{
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX];
	size_t n = admin_message(message, LAB_ORIGIN, state_governance(l->s), type, a->sequence, a->expiry_ms, elements,
	                         len);

	crypto_sign_detached(signature, NULL, message, n, l->admin_sk);
	a->signature = signature;
}

int lab_enrol(struct policylab *l, struct enrolment *e)
{
	uint8_t elements[2048], signature[64];
	size_t len;
	int err;

	e->admin = order_of(l);
	err = enrolment_encode_signed(e, elements, sizeof elements, &len);
	if (err)
		return lab_refused(l, err, "");
	sign(l, COMMAND_ENROLL, &e->admin, elements, len, signature);
	err = enrolment_encode(e, l->payload, sizeof l->payload, &len);
	return err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_ENROLL, LAB_ADMIN_ID, len);
}

int lab_remove(struct policylab *l, struct text name)
{
	struct removal r = {.name = name, .admin = order_of(l)};
	uint8_t elements[2048], signature[64];
	size_t len;
	int err = removal_encode_signed(&r, elements, sizeof elements, &len);

	if (err)
		return lab_refused(l, err, "");
	sign(l, COMMAND_REMOVE, &r.admin, elements, len, signature);
	err = removal_encode(&r, l->payload, sizeof l->payload, &len);
	return err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_REMOVE, LAB_ADMIN_ID, len);
}

static uint64_t newest_id(const struct policylab *l, struct text name)
{
	const struct principal *p = state_principal_by_name(l->s, name.s, name.len);

	return p ? p->id : 0;
}

int lab_client(struct policylab *l, struct text name, uint64_t *ret)
{
	uint8_t channel[32];
	struct enrolment e = {.name = name, .roles = ROLE_DECIDE | ROLE_IMPORT, .channel_pub = channel};
	struct lab_client *c = l->clients;
	int err;

	for (unsigned i = 0; i < l->n_clients; i++, c++)
		if (strlen(c->name) == name.len && !memcmp(c->name, name.s, name.len)) {
			*ret = c->id;
			return 0;
		}
	if (l->n_clients == LAB_CLIENTS_MAX) {
		*ret = l->clients[LAB_CLIENTS_MAX - 1].id;
		return 0;
	}
	lab_fresh(l, channel, sizeof channel);
	err = lab_enrol(l, &e);
	if (err)
		return err;
	snprintf(c->name, sizeof c->name, "%.*s", (int)name.len, name.s);
	c->id = *ret = newest_id(l, name);
	l->n_clients++;
	return 0;
}

int policylab_people(struct policylab *l, uint64_t now_ms, const void *changes, size_t len)
{
	struct people_order o = {.changes = changes, .changes_len = len};
	uint8_t signature[64];
	size_t order_len;
	int err;

	lab_time(l, now_ms);
	o.admin = order_of(l);
	sign(l, COMMAND_PEOPLE, &o.admin, changes, len, signature);
	err = people_order_encode(&o, l->payload, sizeof l->payload, &order_len);
	return err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_PEOPLE, LAB_ADMIN_ID, order_len);
}
