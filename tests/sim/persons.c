/* Simulated approvers and the desk that sends signals from outside: what they say of the requests that wait. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/decide.h"
#include "tests/sim/client_internal.h"
#include "tests/sim/cluster.h"
#include "tests/sim/os.h"

#define WAITING_MAX 16 /* Requests that the approvers have heard of; the oldest is forgotten. */
#define EXPIRY_MS   UINT64_C(3600000)

static struct {
	uint64_t index;
	struct hash digest;
} waiting[WAITING_MAX];
static unsigned n_waiting;
static uint64_t revoked[CLUSTER_DEVICES]; /* Of subject ada-N: index of the newest acknowledged end of its grants. */

void persons_waits(uint64_t index, const struct hash *digest)
{
	waiting[n_waiting % WAITING_MAX].index = index;
	waiting[n_waiting++ % WAITING_MAX].digest = *digest;
}

static void say(struct client *c)
{
	unsigned k = (unsigned)os_below(n_waiting < WAITING_MAX ? n_waiting : WAITING_MAX);
	unsigned say = os_chance(800000) ? SAY_APPROVE : os_chance(500000) ? SAY_REJECT : SAY_BREAK_GLASS;
	uint8_t message[APPROVAL_MESSAGE_SIZE_MAX], sig[64];
	struct approval a = {.index = waiting[k].index,
	                     .expiry_ms = client_wall_ms() + EXPIRY_MS,
	                     .say = say,
	                     .digest = waiting[k].digest.b,
	                     .signature = sig,
	                     .reason = client_text("simulated")};

	client_begin(c, WIRE_APPROVAL);
	crypto_sign_detached(sig, NULL, message, approval_message(message, CLUSTER_ORIGIN, &a), c->sign_secret);
	if (approval_encode(&a, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad approval");
	client_ask(c);
}

/* Of a whole subject: all its grants end. */
static void signal_outside(struct client *c)
{
	char subject[16];
	struct outside o = {.event = OUTSIDE_SESSION_REVOKED,
	                    .about = ABOUT_SESSION,
	                    .subject_type = client_text("user"),
	                    .event_ms = client_wall_ms(),
	                    .reason = client_text("simulated")};

	c->about = (unsigned)os_below(CLUSTER_DEVICES);
	snprintf(subject, sizeof subject, "ada-%u", c->about);
	o.subject_id = client_text(subject);
	client_begin(c, WIRE_OUTSIDE);
	if (outside_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad signal from outside");
	client_ask(c);
}

void persons_next(struct client *c)
{
	if (c->id == client_desk() && os_chance(250000))
		signal_outside(c);
	else if (c->id != client_desk() && n_waiting)
		say(c);
	else
		client_think(c);
}

void persons_acknowledged(const struct client *c)
{
	if (c->now.type == WIRE_OUTSIDE)
		persons_grants_ended(c->about, c->now.index);
}

void persons_grants_ended(unsigned subject, uint64_t index)
{
	if (subject < CLUSTER_DEVICES && index > revoked[subject])
		revoked[subject] = index;
}

uint64_t persons_revoked(unsigned subject)
{
	return revoked[subject];
}

/* Does a grant cover it? Asked like any check; any node may answer within bounds, the leader beyond doubt. */
void persons_check_grant(struct client *c)
{
	struct request q = {.subject_type = client_text("user"),
	                    .action = client_text(os_chance(700000) ? "deploy" : "delete"),
	                    .resource_type = client_text("model"),
	                    .resource_id = client_text("fraud-7")};
	uint8_t request[512];
	char subject[16];
	struct writer w;
	size_t len;

	c->about = (unsigned)os_below(CLUSTER_DEVICES);
	snprintf(subject, sizeof subject, "ada-%u", c->about);
	q.subject_id = client_text(subject);
	client_begin(c, WIRE_CHECK);
	c->local = os_chance(200000);
	c->revoked = revoked[c->about];
	if (request_encode(&q, request, sizeof request, &len))
		os_fail(0, "the simulator made a bad request");
	writer_init(&w, c->request.body, sizeof c->request.body);
	writer_array(&w, c->local ? 2 : 1);
	writer_raw(&w, request, len);
	if (c->local)
		writer_uint(&w, os_between(50, 1000));
	c->request.body_len = w.len;
	client_ask(c);
}
