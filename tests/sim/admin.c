/* The simulated administrator: enrols clients and keys, then orders members to come, vote, go and move. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>

#include "ledger/errors.h"
#include "node/decide/decide.h"
#include "node/decide/roster.h"
#include "tests/sim/client_internal.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"
#include "tests/sim/swarm.h"
#include "tests/sim/voters.h"

#define EXPIRY_MS    UINT64_C(3600000)
#define MEMBERS_MIN  3
#define MEMBERS_MOST 5
#define TRIES        16 /* To draw an order that may go. */

static unsigned enrolled, moves;
static uint64_t sequence;

static struct admin_signature signature_of(const uint8_t sig[64])
{
	sequence++;
	return (struct admin_signature){.name = client_text("root"),
	                                .sequence = sequence,
	                                .expiry_ms = client_wall_ms() + EXPIRY_MS,
	                                .signature = sig};
}

static void sign(unsigned type, const struct admin_signature *a, const uint8_t *payload, size_t len, uint8_t sig[64])
{
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX];

	len = admin_message(message, CLUSTER_ORIGIN, 1, type, a->sequence, a->expiry_ms, payload, len);
	crypto_sign_detached(sig, NULL, message, len, cluster.admin_secret);
}

/* --- enrolment --- */

/* Who is number k: clients first, then approvers and the desk, then the subjects' keys. */
static void describe(unsigned k, struct enrolment *e, char name[32], char subject[16])
{
	bool device = k > client_desk(), approver = !device && k > n_clients && k < client_desk();
	unsigned number = device ? k - client_desk() - 1 : k;

	snprintf(name, 32, device ? "key-%u" : approver ? "boss-%u" : "client-%u", number);
	snprintf(subject, 16, device ? "ada-%u" : "boss-%u", number);
	e->name = client_text(name);
	e->roles = device ? ROLE_DEVICE : approver ? ROLE_APPROVE : k == client_desk() ? ROLE_SIGNAL : ROLE_DECIDE;
	if (device || approver) {
		e->sign_pub = device ? client_device_pub : clients[k].sign_pub;
		e->subject_type = client_text("user");
		e->subject_id = client_text(subject);
	}
	if (!device)
		e->channel_pub = clients[k].channel_pub;
}

static void ask_enrolment(struct client *c)
{
	uint8_t payload[2048], sig[64];
	char name[32], subject[16];
	struct enrolment e = {.admin = signature_of(sig)};
	size_t len;

	client_begin(c, WIRE_ENROLL);
	describe(enrolled + 1, &e, name, subject);
	if (enrolment_encode_signed(&e, payload, sizeof payload, &len))
		os_fail(0, "the simulator made a bad enrolment");
	sign(COMMAND_ENROLL, &e.admin, payload, len, sig);
	if (enrolment_encode(&e, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad enrolment");
	client_ask(c);
}

/* --- members --- */

/* Three to five members and voters; and those whose disks get damaged stay a minority of the voters. */
static bool may(const struct roster *r, const struct member_order *m)
{
	struct roster after = *r;
	unsigned voters, weak = 0;

	if (m->action == MEMBER_ROLE && m->role == ROSTER_VOTER && swarm_weak((unsigned)m->id))
		return false;
	roster_change(&after, m, r->version + 1);
	voters = roster_voters(&after);
	for (unsigned i = 0; i < after.n; i++)
		weak += after.nodes[i].role == ROSTER_VOTER && swarm_weak((unsigned)after.nodes[i].id);
	return voters >= MEMBERS_MIN && after.n <= MEMBERS_MOST && weak <= (voters - 1) / 2;
}

/* False: nothing of the kind may go now. The texts of an order outlive it. */
static bool draw(const struct roster *r, struct member_order *m)
{
	static char url[32], link[32];
	const struct roster_node *n = &r->nodes[os_below(r->n)];

	*m = (struct member_order){.action = MEMBER_ADD + (unsigned)os_below(4), .id = n->id};
	if (m->action == MEMBER_ADD) {
		if (cluster.n == CLUSTER_NODES_MAX || r->n == MEMBERS_MOST)
			return false;
		m->id = cluster.n + 1;
		m->role = ROSTER_SPARE;
	}
	if (m->action == MEMBER_ADD || m->action == MEMBER_ADDRESS) {
		snprintf(url, sizeof url, "tcp://sim-%u:%u", ++moves, (unsigned)m->id);
		snprintf(link, sizeof link, "sim-%u:%u", moves, (unsigned)m->id);
		m->url = client_text(url);
		m->link = client_text(link);
	}
	if (m->action == MEMBER_ADDRESS)
		return true;
	if (m->action == MEMBER_ROLE)
		m->role = n->role == ROSTER_VOTER ? ROSTER_SPARE : ROSTER_VOTER;
	else if (m->action == MEMBER_REMOVE)
		m->lost = os_chance(500000);
	return m->action == MEMBER_ADD || may(r, m);
}

/* A new node is prepared and started first, and waits; one that is given up is dead. */
static void carry_out(struct member_order *m)
{
	static uint8_t log_pub[32], cosigner_pub[32];

	if (m->action == MEMBER_ADD) {
		struct node *n = cluster_prepare();
		cluster_keys(n, log_pub, cosigner_pub);
		m->log_pub = log_pub;
		m->cosigner_pub = cosigner_pub;
		m->channel_pub = n->channel.pub;
		cluster_start(n);
	} else if (m->action == MEMBER_REMOVE && m->lost) {
		faults_crash((unsigned)m->id, 8 * OS_S);
	}
	faults_count(FAULT_MEMBER);
}

static void ask_order(struct client *c)
{
	uint8_t payload[2048], sig[64];
	const struct roster *r = voters_roster();
	struct member_order m;
	unsigned tries = 0;
	size_t len;

	while (!draw(r, &m))
		if (++tries == TRIES)
			return;
	swarm.orders_left--;
	carry_out(&m);
	client_begin(c, WIRE_MEMBER);
	m.admin = signature_of(sig);
	os_note((unsigned)m.id, "--- order: action=%u role=%u lost=%d", m.action, m.role, m.lost);
	if (member_order_encode_signed(&m, payload, sizeof payload, &len))
		os_fail(0, "the simulator made a bad order");
	sign(COMMAND_MEMBER, &m.admin, payload, len, sig);
	if (member_order_encode(&m, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad order");
	client_ask(c);
}

/* --- what next --- */

static bool all_enrolled(void)
{
	return enrolled == client_desk() + CLUSTER_DEVICES;
}

void admin_next(struct client *c)
{
	if (!all_enrolled())
		ask_enrolment(c);
	else if (swarm.orders_left)
		ask_order(c);
	if (all_enrolled() && swarm.orders_left && !c->busy)
		client_think(c);
}

uint64_t admin_pause_ns(void)
{
	return all_enrolled() ? os_between(20 * OS_MS, swarm.order_ns_max) : os_below(swarm.think_ns_max);
}

void admin_acknowledged(const struct client *c)
{
	enrolled += c->now.type == WIRE_ENROLL;
}

/*
 * A leader whose clock is wrong refuses what is signed for now; the next try is signed anew. An order may come at a bad
 * moment, or meet what an earlier try of another has done.
 */
bool admin_refused(unsigned type, int err)
{
	if (err == CS_ERR_EXPIRED)
		return true;
	return type == WIRE_MEMBER && (err == CS_ERR_CONFLICT || err == CS_ERR_EXISTS || err == CS_ERR_NOT_FOUND);
}

bool admin_clients_enrolled(const struct client *c)
{
	return c->now.type == WIRE_ENROLL && enrolled == client_desk();
}
