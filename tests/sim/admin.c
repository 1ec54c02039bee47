/* The simulated administrators: enrol clients, keys and each other; then one order after the other, of many kinds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "ledger/errors.h"
#include "node/decide/decide.h"
#include "tests/sim/admin_internal.h"
#include "tests/sim/cluster.h"
#include "tests/sim/os.h"
#include "tests/sim/swarm.h"

#define ENROL_NS_MAX   (20 * OS_MS)
#define FURTHER_NS_MAX (80 * OS_MS) /* Between two orders that are not about members. */

static unsigned enrolled;

/* --- enrolment --- */

/* Who is number k: clients first, then approvers, the desk and the auditor, then the subjects' keys. */
static void describe(unsigned k, struct enrolment *e, char name[32], char subject[16])
{
	bool device = k > client_last(), approver = !device && k > n_clients && k < client_desk();
	unsigned number = device ? k - client_last() - 1 : k;

	snprintf(name, 32, device ? "key-%u" : approver ? "boss-%u" : "client-%u", approver ? k - n_clients : number);
	snprintf(subject, 16, device ? "ada-%u" : "boss-%u", number);
	e->name = client_text(name);
	e->roles = device               ? ROLE_DEVICE
	           : approver           ? ROLE_APPROVE
	           : k == client_desk() ? ROLE_SIGNAL
	           : k == client_last() ? ROLE_AUDIT
	                                : ROLE_DECIDE;
	if (device || approver) {
		e->sign_pub = device ? client_device_pub : clients[k].sign_pub;
		e->subject_type = client_text("user");
		e->subject_id = client_text(subject);
	}
	if (!device)
		e->channel_pub = clients[k].channel_pub;
}

static unsigned all(void)
{
	return client_last() + CLUSTER_DEVICES + 1;
}

/* The last one is the second administrator. */
static void ask_enrolment(struct client *c)
{
	uint8_t payload[2048];
	char name[32] = "second", subject[16];
	struct enrolment e = {.roles = ROLE_ADMINISTER};
	size_t len = 0;

	client_begin(c, WIRE_ENROLL);
	if (enrolled + 1 < all()) {
		describe(enrolled + 1, &e, name, subject);
	} else {
		e.name = client_text(name);
		e.sign_pub = admin_second(false);
		e.channel_pub = admin_second(true);
	}
	admin_good(enrolment_encode_signed(&e, payload, sizeof payload, &len));
	admin_sign(COMMAND_ENROLL, payload, len, &e.admin);
	admin_good(enrolment_encode(&e, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
}

/* --- what next --- */

static bool all_enrolled(void)
{
	return enrolled == all();
}

/* Nothing of the kind that is drawn may go now: the next time another one. */
static void ask_further(struct client *c)
{
	static bool (*const asks[SWARM_ORDERS])(struct client * c) = {
	        [ORDER_PEOPLE] = admin_ask_people,   [ORDER_GOVERNANCE] = admin_ask_governance,
	        [ORDER_GRANTS] = admin_ask_grants,   [ORDER_CREDENTIALS] = admin_ask_credential,
	        [ORDER_KEYS] = admin_ask_key,        [ORDER_HOLDS] = admin_ask_hold,
	        [ORDER_ERASURES] = admin_ask_erasure};
	unsigned k = (unsigned)os_below(SWARM_ORDERS);

	while (!swarm.ordered[k])
		k = (k + 1) % SWARM_ORDERS;
	swarm.further_left -= asks[k](c);
}

void admin_next(struct client *c)
{
	if (!all_enrolled())
		ask_enrolment(c);
	else if (swarm.orders_left && (!swarm.further_left || os_chance(200000)))
		admin_ask_member(c);
	else if (swarm.further_left)
		ask_further(c);
	if (all_enrolled() && (swarm.orders_left || swarm.further_left) && !c->busy)
		client_think(c);
}

uint64_t admin_pause_ns(void)
{
	if (!all_enrolled())
		return os_below(swarm.think_ns_max < ENROL_NS_MAX ? swarm.think_ns_max : ENROL_NS_MAX);
	return os_between(10 * OS_MS, swarm.further_left ? FURTHER_NS_MAX : swarm.order_ns_max);
}

void admin_acknowledged(const struct client *c, const struct entry *e)
{
	if (admin_lacks())
		os_fail(0, "an order of type %u became entry %llu, and too few had signed it", c->now.type,
		        (unsigned long long)e->index);
	if (c->now.type == WIRE_ENROLL)
		enrolled++;
	else if (c->now.type == WIRE_CREDENTIAL_ENROL || c->now.type == WIRE_CREDENTIAL_REVOKE)
		admin_credential_done(c->now.type);
	else
		admin_order_done(c, e);
}

/*
 * A leader whose clock is wrong refuses what is signed for now; the next try is signed anew. An order may come at a bad
 * moment, or meet what an earlier try of another has done; what is drawn may be of nobody.
 */
bool admin_refused(unsigned type, int err)
{
	if (err == CS_ERR_EXPIRED || (err == CS_ERR_NOT_PERMITTED && admin_lacks()))
		return true;
	switch (type) {
	case WIRE_ENROLL:
		return false;
	case WIRE_CREDENTIAL_ENROL:
	case WIRE_CREDENTIAL_REVOKE:
		admin_credential_refused(err);
		break;
	case WIRE_KEY_PREPARE: /* Its disk, or its ring is full. */
		return err == CS_ERR_IO || err == CS_ERR_DISK_FULL || err == CS_ERR_TOO_LARGE ||
		       err == CS_ERR_NOT_FOUND;
	case WIRE_HOLD:
		if (err == CS_ERR_NOT_FOUND)
			admin_hold_gone();
		break;
	case WIRE_ERASE: /* A hold stands in the way. */
		if (err == CS_ERR_NOT_PERMITTED)
			return true;
		break;
	case WIRE_GOVERNANCE: /* Three of two. */
		if (err == CS_ERR_INVALID)
			return true;
		break;
	case WIRE_PEOPLE: /* An agent without an owner, somebody twice. */
		if (err == CS_ERR_INVALID || err == CS_ERR_MALFORMED)
			return true;
		break;
	default:
		break;
	}
	/* Governance has changed since it was signed. */
	return err == CS_ERR_UNAUTHENTICATED || err == CS_ERR_CONFLICT || err == CS_ERR_EXISTS ||
	       err == CS_ERR_NOT_FOUND;
}

bool admin_clients_enrolled(const struct client *c)
{
	return c->now.type == WIRE_ENROLL && enrolled == client_last();
}
