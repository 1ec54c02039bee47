/* What the simulated clients ask: decisions, answers to challenges, checks of what was decided. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/note.h"
#include "node/decide/decide.h"
#include "tests/sim/client_internal.h"
#include "tests/sim/cluster.h"
#include "tests/sim/os.h"

#define GIVE_UP_MS UINT64_C(400000) /* Well before the node forgets an answer (ten minutes). */

/* Subjects are few, so that profiles, challenges and denials come about. */
static void ask_decision(struct client *c)
{
	static const char *const actions[] = {"read", "write", "deploy", "delete"};
	char subject[WHO_SIZE], device[16], region[8], ip[24], session[8];
	struct request q = {.subject_type = client_text("user"),
	                    .action = client_text(actions[os_below(4)]),
	                    .resource_type = client_text("model"),
	                    .resource_id = client_text("fraud-7")};

	client_begin(c, WIRE_DECIDE);
	c->now.who = admin_eve() && os_chance(250000) ? admin_eve() : WHO_ADA + (unsigned)os_below(CLUSTER_DEVICES + 3);
	client_who(c->now.who, subject);
	snprintf(device, sizeof device, "laptop-%u", (unsigned)os_below(4));
	snprintf(region, sizeof region, "eu-%u", (unsigned)os_below(3));
	q.subject_id = client_text(subject);
	snprintf(ip, sizeof ip, "198.51.%u.%u", (unsigned)os_below(4), (unsigned)os_below(8));
	snprintf(session, sizeof session, "s%u", (unsigned)os_below(3));
	q.context[q.n_context++] = (struct named_value){
	        .name = client_text("amount"), .type = VALUE_INT, .integer = (int64_t)os_below(2000)};
	q.context[q.n_context++] =
	        (struct named_value){.name = client_text("device"), .type = VALUE_STR, .str = client_text(device)};
	q.context[q.n_context++] =
	        (struct named_value){.name = client_text("ip"), .type = VALUE_STR, .str = client_text(ip)};
	q.context[q.n_context++] =
	        (struct named_value){.name = client_text("region"), .type = VALUE_STR, .str = client_text(region)};
	q.context[q.n_context++] =
	        (struct named_value){.name = client_text("session"), .type = VALUE_STR, .str = client_text(session)};
	if (request_encode(&q, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad request");
	client_ask(c);
}

static void ask_answer(struct client *c)
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], sig[64];
	char credential[16];
	struct answer a = {.challenge = c->challenge,
	                   .method = client_text("ed25519"),
	                   .evidence = sig,
	                   .evidence_len = sizeof sig};
	size_t len = answer_message(message, CLUSTER_ORIGIN, c->challenge, &c->digest, c->nonce, c->expiry_ms);

	client_begin(c, WIRE_ANSWER);
	c->challenged = false;
	c->now.who = c->challenged_who;
	snprintf(credential, sizeof credential, "key-%u", (unsigned)os_below(CLUSTER_DEVICES));
	a.credential = client_text(credential);
	crypto_sign_detached(sig, NULL, message, len, client_device_secret);
	if (os_chance(500000))
		credentials_answer(c, message, len, &a);
	if (answer_encode(&a, c->request.body, sizeof c->request.body, &c->request.body_len))
		os_fail(0, "the simulator made a bad answer");
	client_ask(c);
}

static void ask_check(struct client *c, const struct operation *o)
{
	struct writer w;

	client_begin(c, WIRE_CHECK);
	writer_init(&w, c->request.body, sizeof c->request.body);
	c->local = os_chance(300000); /* Any node may answer out of its own view, if that is fresh enough. */
	writer_array(&w, c->local ? 2 : 1);
	writer_bin(&w, o->id, sizeof o->id);
	if (c->local)
		writer_uint(&w, os_between(50, 1000)); /* Below a round trip to the leader none ever is. */
	c->request.body_len = w.len;
	c->repeat = o;
	client_ask(c);
}

void asks_next(struct client *c)
{
	const struct operation *o = os_chance(200000) ? client_some_acked(c) : NULL;

	if (c->challenged && os_chance(700000)) {
		ask_answer(c);
	} else if (o && client_wall_ms() < wire_request_id_time(o->id) + GIVE_UP_MS) {
		ask_check(c, o);
	} else if (os_chance(150000)) {
		persons_check_grant(c);
	} else {
		ask_decision(c);
	}
}
