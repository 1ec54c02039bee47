/* The real decide in this process: requests of a test or of the past, played under a policy of one's choice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policylab.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/decide/people_order.h"
#include "node/decide/place.h"
#include "node/decide/policy_form.h"

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

static struct text text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

/* Keys, seeds and ids: distinct, and the same in each run. Nothing here is a secret. */
static void fresh(struct policylab *l, uint8_t *ret, size_t len)
{
	uint8_t n[8];

	put_u64be(n, ++l->count);
	crypto_generichash(ret, len, n, sizeof n, NULL, 0);
}

static void fresh_key(struct policylab *l, uint8_t pub[32], uint8_t sk[64])
{
	uint8_t seed[32];

	fresh(l, seed, sizeof seed);
	crypto_sign_seed_keypair(pub, sk, seed);
}

static int refused(struct policylab *l, int err, const char *text)
{
	snprintf(l->text, sizeof l->text, "%s", *text ? text : err_text(err));
	return err;
}

/* What the leader finds out before it proposes. */
static int facts_of(struct policylab *l, unsigned type, uint64_t principal, const uint8_t id[REQUEST_ID_SIZE],
                    size_t len, size_t *ret_len, char why[160])
{
	struct evidence e;
	struct writer w;
	int err;

	if (type != COMMAND_ANSWER) {
		err = decide_prepare(l->s, l->now_ms, type, principal, id, l->payload, len, l->facts, sizeof l->facts,
		                     ret_len, why);
		if (err || !l->place)
			return err;
		writer_init(&w, l->facts, sizeof l->facts);
		place_facts_write(&w, l->place);
		return writer_end(&w, ret_len);
	}
	err = decide_evidence(l->s, l->now_ms, type, principal, id, l->payload, len, &e, why);
	if (!err && e.method)
		evidence_verify_ed25519(&e);
	return err ? err : evidence_facts(&e, l->facts, sizeof l->facts, ret_len);
}

/* The payload is in l->payload. */
static int apply(struct policylab *l, unsigned type, uint64_t principal, size_t len)
{
	static const uint8_t none = 0x90; /* An empty array. */
	uint8_t seed[32], id[REQUEST_ID_SIZE], ms[8];
	struct command c = {.type = type,
	                    .principal = principal,
	                    .seed = seed,
	                    .request_id = id,
	                    .payload = l->payload,
	                    .payload_len = len,
	                    .facts = &none,
	                    .facts_len = 1};
	char why[160] = "";
	size_t command_len;
	int err = 0;

	fresh(l, seed, sizeof seed);
	fresh(l, id, sizeof id);
	put_u64be(ms, l->now_ms);
	memcpy(id, ms + 2, 6);
	if (type != COMMAND_GENESIS) {
		err = facts_of(l, type, principal, id, len, &c.facts_len, why);
		c.facts = l->facts;
	}
	if (!err)
		err = command_encode(&c, l->command, sizeof l->command, &command_len);
	if (err)
		return refused(l, err, why);
	decide(l->s, l->now_ms, l->command, command_len, l->out);
	if (l->out->outcome == DECIDE_ENTRY)
		return 0;
	return refused(l, l->out->outcome == DECIDE_REFUSED ? l->out->err : CS_ERR_INVALID, l->out->text);
}

static void time_moves(struct policylab *l, uint64_t now_ms)
{
	l->now_ms = now_ms > l->now_ms ? now_ms : l->now_ms;
}

/* --- who asks --- */

static struct admin_signature order_of(struct policylab *l)
{
	return (struct admin_signature){
	        .name = text_of(LAB_ADMIN), .sequence = ++l->sequence, .expiry_ms = l->now_ms + LAB_ORDER_MS};
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

static int enrol(struct policylab *l, struct enrolment *e)
{
	uint8_t elements[2048], signature[64];
	size_t len;
	int err;

	e->admin = order_of(l);
	err = enrolment_encode_signed(e, elements, sizeof elements, &len);
	if (err)
		return refused(l, err, "");
	sign(l, COMMAND_ENROLL, &e->admin, elements, len, signature);
	err = enrolment_encode(e, l->payload, sizeof l->payload, &len);
	return err ? refused(l, err, "") : apply(l, COMMAND_ENROLL, LAB_ADMIN_ID, len);
}

static int remove_name(struct policylab *l, struct text name)
{
	struct removal r = {.name = name, .admin = order_of(l)};
	uint8_t elements[2048], signature[64];
	size_t len;
	int err = removal_encode_signed(&r, elements, sizeof elements, &len);

	if (err)
		return refused(l, err, "");
	sign(l, COMMAND_REMOVE, &r.admin, elements, len, signature);
	err = removal_encode(&r, l->payload, sizeof l->payload, &len);
	return err ? refused(l, err, "") : apply(l, COMMAND_REMOVE, LAB_ADMIN_ID, len);
}

static uint64_t newest_id(const struct policylab *l, struct text name)
{
	const struct principal *p = state_principal_by_name(l->s, name.s, name.len);

	return p ? p->id : 0;
}

static int client_of(struct policylab *l, struct text name, uint64_t *ret)
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
	fresh(l, channel, sizeof channel);
	err = enrol(l, &e);
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

	time_moves(l, now_ms);
	o.admin = order_of(l);
	sign(l, COMMAND_PEOPLE, &o.admin, changes, len, signature);
	err = people_order_encode(&o, l->payload, sizeof l->payload, &order_len);
	return err ? refused(l, err, "") : apply(l, COMMAND_PEOPLE, LAB_ADMIN_ID, order_len);
}

/* --- what is asked --- */

int policylab_decide(struct policylab *l, uint64_t now_ms, struct text client, const struct request *q)
{
	uint64_t id;
	size_t len;
	int err;

	time_moves(l, now_ms);
	err = client_of(l, client, &id);
	if (err)
		return err;
	err = request_encode(q, l->payload, sizeof l->payload, &len);
	l->place = q->place;
	err = err ? refused(l, err, "") : apply(l, COMMAND_DECIDE, id, len);
	l->place = NULL;
	return err;
}

int policylab_import(struct policylab *l, uint64_t now_ms, struct text client, const struct request *q,
                     uint64_t event_ms)
{
	static const uint8_t hash[HASH_SIZE];
	uint8_t request[REQUEST_SIZE_MAX];
	struct import i = {.event_time_ms = event_ms,
	                   .format = text_of("lab"),
	                   .file = text_of("lab"),
	                   .file_hash = hash,
	                   .request = request};
	uint64_t id;
	size_t len;
	int err;

	time_moves(l, now_ms);
	err = client_of(l, client, &id);
	if (err)
		return err;
	err = request_encode(q, request, sizeof request, &i.request_len);
	if (!err)
		err = import_encode(&i, l->payload, sizeof l->payload, &len);
	l->place = q->place;
	err = err ? refused(l, err, "") : apply(l, COMMAND_IMPORT, id, len);
	l->place = NULL;
	return err;
}

static int send_answer(struct policylab *l, uint64_t client, uint64_t index, struct text credential,
                       const uint8_t sk[64])
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], signature[64];
	struct answer a = {.challenge = index,
	                   .method = text_of("ed25519"),
	                   .credential = credential,
	                   .evidence = signature,
	                   .evidence_len = sizeof signature};
	struct challenge c = {0};
	size_t len;
	int err;

	state_challenge(l->s, index, &c);
	crypto_sign_detached(signature, NULL, message,
	                     answer_message(message, LAB_ORIGIN, index, &c.digest, c.nonce, c.expiry_ms), sk);
	err = answer_encode(&a, l->payload, sizeof l->payload, &len);
	return err ? refused(l, err, "") : apply(l, COMMAND_ANSWER, client, len);
}

int policylab_answer(struct policylab *l, uint64_t now_ms, struct text client, uint64_t challenge,
                     const struct request *q, enum policylab_proof proof)
{
	uint8_t pub[32], sk[64], other_pub[32], other_sk[64];
	char name[32];
	struct enrolment e = {.name = {name, 0},
	                      .roles = ROLE_DEVICE,
	                      .sign_pub = pub,
	                      .subject_type = q->subject_type,
	                      .subject_id = q->subject_id};
	struct challenge c = {0};
	uint64_t id;
	int err;

	time_moves(l, now_ms);
	state_challenge(l->s, challenge, &c);
	if (proof == POLICYLAB_GOOD && level_parse(text_of(c.level)) > method_level(METHOD_ED25519))
		return refused(l, CS_ERR_INVALID,
		               "its level is above what a plain key proves, and there is no other here");
	err = client_of(l, client, &id);
	if (err)
		return err;
	fresh_key(l, pub, sk);
	fresh_key(l, other_pub, other_sk);
	e.name.len = (size_t)snprintf(name, sizeof name, "lab-key-%llu", (unsigned long long)l->count);
	err = enrol(l, &e);
	if (!err && proof == POLICYLAB_LATE)
		time_moves(l, c.expiry_ms + 1);
	if (!err)
		err = send_answer(l, id, challenge, e.name, proof == POLICYLAB_WRONG ? other_sk : sk);
	if (err)
		return err;
	/* The key goes, so that there is always room; the answer's entry stays the one to look at. */
	struct decide_out *answered = l->out;
	l->out = l->spare;
	err = remove_name(l, e.name);
	l->spare = l->out;
	l->out = answered;
	if (!err && proof == POLICYLAB_GOOD && !l->out->has_evidence)
		return refused(l, CS_ERR_INVALID,
		               "its methods do not take a plain key (ed25519), and there is no other here");
	return err;
}

const struct state *policylab_state(const struct policylab *l)
{
	return l->s;
}

const char *policylab_text(const struct policylab *l)
{
	return l->text;
}

const struct decide_out *policylab_out(const struct policylab *l)
{
	return l->out;
}

/* --- begin and end --- */

static int begin(struct policylab *l, const struct policyfile *p, uint64_t start_ms)
{
	uint8_t keys[4][32];
	struct genesis g = {.origin = text_of(LAB_ORIGIN),
	                    .governance = text_of("single"),
	                    .time_ms = start_ms,
	                    .n_admins = 1,
	                    .n_nodes = 1,
	                    .policy_source = (const uint8_t *)p->source,
	                    .policy_source_len = p->source_len,
	                    .policy_compiled = p->compiled,
	                    .policy_compiled_len = p->compiled_len};
	size_t len;
	int err;

	for (unsigned i = 0; i < 4; i++)
		fresh(l, keys[i], sizeof keys[i]);
	fresh_key(l, l->admin_pub, l->admin_sk);
	g.admins[0].name = text_of(LAB_ADMIN);
	g.admins[0].channel_pub = keys[0];
	g.admins[0].sign_pub = l->admin_pub;
	g.nodes[0].id = 1;
	g.nodes[0].url = text_of("inproc://lab");
	g.nodes[0].log_pub = keys[1];
	g.nodes[0].cosigner_pub = keys[2];
	g.nodes[0].channel_pub = keys[3];
	l->now_ms = start_ms;
	err = genesis_encode(&g, l->payload, sizeof l->payload, &len);
	return err ? refused(l, err, "") : apply(l, COMMAND_GENESIS, 0, len);
}

int policylab_open(const char *command, const struct policyfile *p, uint64_t start_ms,
                   const struct state_limits *limits, struct policylab **ret)
{
	struct policylab *l = calloc(1, sizeof *l);
	int err = CS_ERR_NOMEM;

	if (l) {
		l->out = calloc(1, sizeof *l->out);
		l->spare = calloc(1, sizeof *l->spare);
		err = l->out && l->spare ? state_new(limits, &l->s) : CS_ERR_NOMEM;
		if (!err)
			err = begin(l, p, start_ms);
		else
			refused(l, err, "");
	}
	if (err) {
		err = tool_fail(EXIT_LOCAL, command, "playing requests here: %s", l ? l->text : err_text(err));
		policylab_close(l);
		return err;
	}
	*ret = l;
	return 0;
}

void policylab_close(struct policylab *l)
{
	if (!l)
		return;
	state_free(l->s);
	free(l->out);
	free(l->spare);
	sodium_memzero(l, sizeof *l);
	free(l);
}
