/* The simulated administrators' orders about members: to come, vote, go and move. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "node/decide/roster.h"
#include "tests/sim/admin_internal.h"
#include "tests/sim/faults.h"
#include "tests/sim/os.h"
#include "tests/sim/swarm.h"
#include "tests/sim/voters.h"

#define MEMBERS_MIN  3
#define MEMBERS_MOST 5
#define TRIES        16 /* To draw an order that may go. */

static unsigned moves;

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

bool admin_ask_member(struct client *c)
{
	uint8_t payload[2048];
	const struct roster *r = voters_roster();
	struct member_order m;
	unsigned tries = 0;
	size_t len = 0;

	while (!draw(r, &m))
		if (++tries == TRIES)
			return false;
	swarm.orders_left--;
	carry_out(&m);
	client_begin(c, WIRE_MEMBER);
	os_note((unsigned)m.id, "--- order: action=%u role=%u lost=%d", m.action, m.role, m.lost);
	admin_good(member_order_encode_signed(&m, payload, sizeof payload, &len));
	admin_sign(COMMAND_MEMBER, payload, len, &m.admin);
	admin_good(member_order_encode(&m, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}
