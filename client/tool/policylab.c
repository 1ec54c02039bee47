/* The real decide in this process: requests of a test or of the past, played under a policy of one's choice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policylab_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/decide/people_order.h"
#include "node/decide/place.h"
#include "node/decide/policy_form.h"

struct text lab_text(const char *s)
{
	return (struct text){s, strlen(s)};
}

void lab_fresh(struct policylab *l, uint8_t *ret, size_t len)
{
	uint8_t n[8];

	put_u64be(n, ++l->count);
	crypto_generichash(ret, len, n, sizeof n, NULL, 0);
}

static void fresh_key(struct policylab *l, uint8_t pub[32], uint8_t sk[64])
{
	uint8_t seed[32];

	lab_fresh(l, seed, sizeof seed);
	crypto_sign_seed_keypair(pub, sk, seed);
}

int lab_refused(struct policylab *l, int err, const char *text)
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

int lab_apply(struct policylab *l, unsigned type, uint64_t principal, size_t len)
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

	lab_fresh(l, seed, sizeof seed);
	lab_fresh(l, id, sizeof id);
	put_u64be(ms, l->now_ms);
	memcpy(id, ms + 2, 6);
	if (type != COMMAND_GENESIS) {
		err = facts_of(l, type, principal, id, len, &c.facts_len, why);
		c.facts = l->facts;
	}
	if (!err)
		err = command_encode(&c, l->command, sizeof l->command, &command_len);
	if (err)
		return lab_refused(l, err, why);
	decide(l->s, l->now_ms, l->command, command_len, l->out);
	if (l->out->outcome == DECIDE_ENTRY)
		return 0;
	return lab_refused(l, l->out->outcome == DECIDE_REFUSED ? l->out->err : CS_ERR_INVALID, l->out->text);
}

void lab_time(struct policylab *l, uint64_t now_ms)
{
	l->now_ms = now_ms > l->now_ms ? now_ms : l->now_ms;
}

/* --- what is asked --- */

int policylab_decide(struct policylab *l, uint64_t now_ms, struct text client, const struct request *q)
{
	uint64_t id;
	size_t len;
	int err;

	lab_time(l, now_ms);
	err = lab_client(l, client, &id);
	if (err)
		return err;
	err = request_encode(q, l->payload, sizeof l->payload, &len);
	l->place = q->place;
	err = err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_DECIDE, id, len);
	l->place = NULL;
	return err;
}

int policylab_import(struct policylab *l, uint64_t now_ms, struct text client, const struct request *q,
                     uint64_t event_ms)
{
	static const uint8_t hash[HASH_SIZE];
	uint8_t request[REQUEST_SIZE_MAX];
	struct import i = {.event_time_ms = event_ms,
	                   .format = lab_text("lab"),
	                   .file = lab_text("lab"),
	                   .file_hash = hash,
	                   .request = request};
	uint64_t id;
	size_t len;
	int err;

	lab_time(l, now_ms);
	err = lab_client(l, client, &id);
	if (err)
		return err;
	err = request_encode(q, request, sizeof request, &i.request_len);
	if (!err)
		err = import_encode(&i, l->payload, sizeof l->payload, &len);
	l->place = q->place;
	err = err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_IMPORT, id, len);
	l->place = NULL;
	return err;
}

static int send_answer(struct policylab *l, uint64_t client, uint64_t index, struct text credential,
                       const uint8_t sk[64])
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], signature[64];
	struct answer a = {.challenge = index,
	                   .method = lab_text("ed25519"),
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
	return err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_ANSWER, client, len);
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

	lab_time(l, now_ms);
	state_challenge(l->s, challenge, &c);
	if (proof == POLICYLAB_GOOD && level_parse(lab_text(c.level)) > method_level(METHOD_ED25519))
		return lab_refused(l, CS_ERR_INVALID,
		                   "its level is above what a plain key proves, and there is no other here");
	err = lab_client(l, client, &id);
	if (err)
		return err;
	fresh_key(l, pub, sk);
	fresh_key(l, other_pub, other_sk);
	e.name.len = (size_t)snprintf(name, sizeof name, "lab-key-%llu", (unsigned long long)l->count);
	err = lab_enrol(l, &e);
	if (!err && proof == POLICYLAB_LATE)
		lab_time(l, c.expiry_ms + 1);
	if (!err)
		err = send_answer(l, id, challenge, e.name, proof == POLICYLAB_WRONG ? other_sk : sk);
	if (err)
		return err;
	/* The key goes, so that there is always room; the answer's entry stays the one to look at. */
	struct decide_out *answered = l->out;
	l->out = l->spare;
	err = lab_remove(l, e.name);
	l->spare = l->out;
	l->out = answered;
	if (!err && proof == POLICYLAB_GOOD && !l->out->has_evidence)
		return lab_refused(l, CS_ERR_INVALID,
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
	struct genesis g = {.origin = lab_text(LAB_ORIGIN),
	                    .governance = lab_text("single"),
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
		lab_fresh(l, keys[i], sizeof keys[i]);
	fresh_key(l, l->admin_pub, l->admin_sk);
	g.admins[0].name = lab_text(LAB_ADMIN);
	g.admins[0].channel_pub = keys[0];
	g.admins[0].sign_pub = l->admin_pub;
	g.nodes[0].id = 1;
	g.nodes[0].url = lab_text("inproc://lab");
	g.nodes[0].log_pub = keys[1];
	g.nodes[0].cosigner_pub = keys[2];
	g.nodes[0].channel_pub = keys[3];
	l->now_ms = start_ms;
	err = genesis_encode(&g, l->payload, sizeof l->payload, &len);
	return err ? lab_refused(l, err, "") : lab_apply(l, COMMAND_GENESIS, 0, len);
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
			lab_refused(l, err, "");
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
