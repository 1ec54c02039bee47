/* Orders within the library: what governance asks, who signs, and the body that is sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_ORDER_H
#define CLIENT_ORDER_H

#include "client/countersign.h"
#include "node/decide/governance.h"

#define ORDER_BODY_MAX 8192 /* A small order with every signature that it may have. */

struct call;
struct orders; /* Of a client: its further signers, and where orders are kept. */

/* The bytes behind an order's signatures, as long as it is being sent. */
struct order_signatures {
	struct cs_signature list[ADMIN_SIGNATURES_MAX];
};
/*
 * Signs an order's encoded elements with the client's key and those of cs_sign_with. CS_E_KEPT: it was handed to the
 * keeper. CS_ERR_NOT_PERMITTED: governance asks for more signatures.
 */
int order_sign(cs_client *c, unsigned command_type, const void *signed_elements, size_t len,
               struct admin_signature *ret, struct order_signatures *kept);
/* Sends an encoded order, or drops the call if err < 0. */
int order_send(struct call *call, int err, size_t len, cs_result **ret);
/* Sorted by name, none twice; *ret points into s. */
int order_signatures(const struct cs_signature *s, size_t n, struct admin_signature *ret);
int order_body(const struct cs_order *o, const struct admin_signature *sig, void *buf, size_t cap, size_t *ret_len);
void orders_close(cs_client *c);
bool orders_kept(const cs_client *c); /* By cs_orders_keep: none is sent. */

/* The reply to WIRE_PEOPLE_LIST without a slot. */
struct governance_view {
	uint64_t version;
	struct governance thresholds;
	unsigned administrators, n_named;
	struct {
		char name[PRINCIPAL_NAME_SIZE_MAX + 1];
		uint64_t sequence;
	} named[ADMIN_SIGNATURES_MAX]; /* The first of them. */
};
int governance_ask(cs_client *c, struct governance_view *ret);

#endif
