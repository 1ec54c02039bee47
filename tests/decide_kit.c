/* A small cluster's state for the tests of decide. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/decide_kit.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/policy.h"
#include "node/decide/state.h"

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void bytes_of(struct kit *k, uint8_t *ret, size_t len)
{
	uint8_t n[8];

	put_u64be(n, ++k->count);
	crypto_generichash(ret, len, n, sizeof(n), NULL, 0);
}

void kit_key(struct kit *k, uint8_t pub[32], uint8_t sk[64])
{
	uint8_t seed[32];

	bytes_of(k, seed, sizeof(seed));
	crypto_sign_seed_keypair(pub, sk, seed);
}

void kit_next_id(struct kit *k, uint8_t ret[16])
{
	uint8_t time[8];

	bytes_of(k, ret, 16);
	put_u64be(time, k->now_ms);
	memcpy(ret, time + 2, 6);
}

size_t kit_genesis(struct kit *k, const char *yaml, uint8_t *buf, size_t cap)
{
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	uint8_t pub[32], keys[5][32];
	struct policy_error where;
	struct genesis g = {.origin = text(KIT_ORIGIN), .governance = text("single"), .time_ms = k->now_ms};
	size_t len = 0;

	yaml = yaml != NULL ? yaml : policy_default_yaml();
	kit_key(k, pub, k->admin_sk);
	for (unsigned i = 0; i < 5; i++)
		bytes_of(k, keys[i], 32);
	g.n_admins = g.n_nodes = 1;
	g.admins[0].name = text("root");
	g.admins[0].sign_pub = pub;
	g.admins[0].channel_pub = keys[0];
	g.nodes[0].id = 1;
	g.nodes[0].url = text("tcp://127.0.0.1:7000");
	g.nodes[0].log_pub = keys[1];
	g.nodes[0].cosigner_pub = keys[2];
	g.nodes[0].channel_pub = keys[3];
	int err = policy_compile(yaml, strlen(yaml), compiled, sizeof(compiled), &g.policy_compiled_len, &where);
	if (err != 0)
		fail_msg("policy: line %u column %u: %s", where.line, where.column, where.text);
	g.policy_source = (const uint8_t *)yaml;
	g.policy_source_len = strlen(yaml);
	g.policy_compiled = compiled;
	assert_int_equal(genesis_encode(&g, buf, cap, &len), 0);
	return len;
}

void kit_new(struct kit *k, const struct state_limits *l, const char *yaml)
{
	static uint8_t payload[65536];
	uint8_t pub[32], channel[2][32];

	assert_true(sodium_init() >= 0);
	memset(k, 0, sizeof(*k));
	k->now_ms = KIT_START_MS;
	k->out = malloc(sizeof(*k->out));
	assert_non_null(k->out);
	assert_int_equal(state_new(l, &k->s), 0);
	size_t len = kit_genesis(k, yaml, payload, sizeof(payload));
	k->genesis = payload;
	k->genesis_len = len;
	assert_int_equal(kit_apply(k, COMMAND_GENESIS, 0, NULL, payload, len, NULL, 0), DECIDE_ENTRY);
	bytes_of(k, channel[0], 32);
	bytes_of(k, channel[1], 32);
	assert_int_equal(kit_enroll(k, "gateway", ROLE_DECIDE, channel[0], NULL, NULL), DECIDE_ENTRY);
	assert_int_equal(kit_enroll(k, "importer", ROLE_IMPORT, channel[1], NULL, NULL), DECIDE_ENTRY);
	kit_key(k, pub, k->device_sk);
	assert_int_equal(kit_enroll(k, "ada-key", ROLE_DEVICE, NULL, pub, "ada"), DECIDE_ENTRY);
}

void kit_free(struct kit *k)
{
	state_free(k->s);
	free(k->out);
}

static int prepare(const struct kit *k, const struct command *c)
{
	uint8_t facts[64];
	size_t len = 0;
	char why[160] = "";
	int err;

	/* The nodes' own: no leader prepares them. */
	if (c->principal == 0 || c->type == COMMAND_GENESIS || c->type == COMMAND_TICK || c->type == COMMAND_BUILD ||
	    c->type == COMMAND_STATE_DIGEST)
		return 0;
	err = decide_prepare(k->s, k->now_ms, c->type, c->principal, c->request_id, c->payload, c->payload_len, facts,
	                     sizeof(facts), &len, why);
	assert_true(err == 0 ? len > 0 : why[0] != 0);
	return err;
}

enum decide_outcome kit_apply(struct kit *k, unsigned type, uint64_t principal, const uint8_t *id, const void *payload,
                              size_t len, const void *facts, size_t facts_len)
{
	static const uint8_t none = 0x90;
	uint8_t seed[32];
	struct command c = {.type = type,
	                    .principal = principal,
	                    .seed = seed,
	                    .request_id = k->last_id,
	                    .payload = payload,
	                    .payload_len = len,
	                    .facts = facts != NULL ? facts : &none,
	                    .facts_len = facts != NULL ? facts_len : 1};

	bytes_of(k, seed, sizeof(seed));
	if (id != NULL)
		memmove(k->last_id, id, 16);
	else
		kit_next_id(k, k->last_id);
	assert_int_equal(command_encode(&c, k->command, sizeof(k->command), &k->command_len), 0);
	int early = prepare(k, &c);
	decide(k->s, k->now_ms, k->command, k->command_len, k->out);
	if (k->out->outcome == DECIDE_ENTRY)
		kit_check_entry(k);
	/* The leader refuses nothing that decide would take, and for the same reason; but it alone compiles policies.
	 */
	if (early != 0 && type != COMMAND_POLICY_SET && k->out->outcome != DECIDE_NEWER) {
		assert_int_equal(k->out->outcome, DECIDE_REFUSED);
		assert_int_equal(k->out->err, early);
	}
	return k->out->outcome;
}

void kit_check_entry(const struct kit *k)
{
	const struct decide_out *o = k->out;
	struct state_head head;
	struct entry e;
	struct field f[LIMIT_FIELD_COUNT_MAX];
	struct hash h;
	unsigned n;

	state_head(k->s, &head);
	assert_int_equal(entry_decode(&e, o->leaf, o->leaf_len), 0);
	assert_int_equal(body_decode(f, &n, o->body, o->body_len), 0);
	assert_int_equal(body_check(&e, f, n), 0);
	assert_int_equal(e.n_fields, n);
	assert_int_equal(e.index, o->index);
	assert_int_equal(e.kind, o->kind);
	assert_int_equal(head.size, o->index + 1);
	assert_int_equal(e.time_ms, head.time_ms);
	hash_leaf(&h, o->leaf, o->leaf_len);
	assert_true(hash_equal(&h, &o->leaf_hash));
	assert_true(hash_equal(&h, &head.last_leaf));
}

void kit_request(struct request *q, const char *subject, const char *action, const char *device, const char *ip)
{
	*q = (struct request){.subject_type = text("user"),
	                      .subject_id = text(subject),
	                      .action = text(action),
	                      .resource_type = text("model"),
	                      .resource_id = text("fraud-7")};
	if (device != NULL)
		q->context[q->n_context++] =
		        (struct named_value){.name = text("device"), .type = VALUE_STR, .str = text(device)};
	if (ip != NULL)
		q->context[q->n_context++] =
		        (struct named_value){.name = text("ip"), .type = VALUE_STR, .str = text(ip)};
}

enum decide_outcome kit_ask(struct kit *k, const struct request *q)
{
	uint8_t payload[REQUEST_SIZE_MAX];
	size_t len;

	assert_int_equal(request_encode(q, payload, sizeof(payload), &len), 0);
	return kit_apply(k, COMMAND_DECIDE, KIT_GATEWAY, NULL, payload, len, NULL, 0);
}

enum decide_outcome kit_ask_for(struct kit *k, const char *subject, const char *action, const char *device,
                                const char *ip)
{
	struct request q;

	kit_request(&q, subject, action, device, ip);
	return kit_ask(k, &q);
}

enum decide_outcome kit_import(struct kit *k, const struct request *q, uint64_t event_ms)
{
	uint8_t payload[2 * REQUEST_SIZE_MAX], request[REQUEST_SIZE_MAX], hash[32] = {7};
	struct import i = {.event_time_ms = event_ms,
	                   .format = text("cloudtrail"),
	                   .file = text("events.json"),
	                   .file_hash = hash,
	                   .position = 3,
	                   .request = request};
	size_t len;

	assert_int_equal(request_encode(q, request, sizeof(request), &i.request_len), 0);
	assert_int_equal(import_encode(&i, payload, sizeof(payload), &len), 0);
	return kit_apply(k, COMMAND_IMPORT, KIT_IMPORTER, NULL, payload, len, NULL, 0);
}

enum decide_outcome kit_answer(struct kit *k, uint64_t principal, uint64_t index, const char *credential,
                               const uint8_t sk[64])
{
	uint8_t payload[8192], facts[64], message[ANSWER_MESSAGE_SIZE_MAX], sig[64], id[16];
	struct answer a = {.challenge = index,
	                   .method = text("ed25519"),
	                   .credential = text(credential),
	                   .evidence = sig,
	                   .evidence_len = sizeof(sig)};
	struct challenge c = {0};
	struct evidence e;
	size_t len, facts_len;
	char why[160];

	state_challenge(k->s, index, &c);
	crypto_sign_detached(sig, NULL, message,
	                     answer_message(message, KIT_ORIGIN, index, &c.digest, c.nonce, c.expiry_ms), sk);
	assert_int_equal(answer_encode(&a, payload, sizeof(payload), &len), 0);
	kit_next_id(k, id);
	k->out->outcome = DECIDE_REFUSED;
	k->out->err = decide_evidence(k->s, k->now_ms, COMMAND_ANSWER, principal, id, payload, len, &e, why);
	if (k->out->err != 0) {
		strcpy(k->out->text, why);
		return DECIDE_REFUSED;
	}
	if (e.method != 0)
		evidence_verify_ed25519(&e);
	assert_int_equal(evidence_facts(&e, facts, sizeof(facts), &facts_len), 0);
	for (unsigned i = 0; i < k->between; i++)
		assert_int_equal(kit_tick(k), DECIDE_ENTRY);
	return kit_apply(k, COMMAND_ANSWER, principal, id, payload, len, facts, facts_len);
}

enum decide_outcome kit_say(struct kit *k, const char *approver, uint64_t index, unsigned say, const char *reason,
                            const uint8_t sk[64])
{
	uint8_t payload[2048], message[APPROVAL_MESSAGE_SIZE_MAX], sig[64];
	const struct principal *p = state_principal_by_name(k->s, approver, strlen(approver));
	const struct deferred_slot *d = deferred_find(k->s, index);
	static const struct hash none;
	struct approval a = {.index = index,
	                     .expiry_ms = k->now_ms + 60000,
	                     .say = say,
	                     .digest = d != NULL ? d->digest.b : none.b,
	                     .signature = sig,
	                     .reason = text(reason)};
	size_t len;

	crypto_sign_detached(sig, NULL, message, approval_message(message, KIT_ORIGIN, &a), sk);
	assert_int_equal(approval_encode(&a, payload, sizeof(payload), &len), 0);
	return kit_apply(k, COMMAND_APPROVAL, p != NULL ? p->id : 999, NULL, payload, len, NULL, 0);
}

enum decide_outcome kit_tick(struct kit *k)
{
	return kit_apply(k, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0);
}

void kit_sign(const struct kit *k, unsigned type, struct admin_signature *a, const uint8_t *signed_, size_t len,
              uint8_t sig[64])
{
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX];
	size_t n = admin_message(message, KIT_ORIGIN, state_governance(k->s), type, a->sequence, a->expiry_ms, signed_,
	                         len);

	crypto_sign_detached(sig, NULL, message, n, k->admin_sk);
	a->signature = sig;
}

static struct admin_signature admin(struct kit *k)
{
	return (struct admin_signature){
	        .name = text("root"), .sequence = ++k->sequence, .expiry_ms = k->now_ms + 60000};
}

enum decide_outcome kit_enroll(struct kit *k, const char *name, uint32_t roles, const uint8_t *channel,
                               const uint8_t *sign, const char *subject)
{
	uint8_t signed_[2048], payload[2048], sig[64];
	struct enrolment e = {
	        .name = text(name), .roles = roles, .channel_pub = channel, .sign_pub = sign, .admin = admin(k)};
	size_t len;

	if (subject != NULL) {
		e.subject_type = text("user");
		e.subject_id = text(subject);
	}
	assert_int_equal(enrolment_encode_signed(&e, signed_, sizeof(signed_), &len), 0);
	kit_sign(k, COMMAND_ENROLL, &e.admin, signed_, len, sig);
	assert_int_equal(enrolment_encode(&e, payload, sizeof(payload), &len), 0);
	return kit_apply(k, COMMAND_ENROLL, KIT_ADMIN, NULL, payload, len, NULL, 0);
}

enum decide_outcome kit_remove(struct kit *k, const char *name)
{
	uint8_t signed_[2048], payload[2048], sig[64];
	struct removal r = {.name = text(name), .reason = text("left"), .admin = admin(k)};
	size_t len;

	assert_int_equal(removal_encode_signed(&r, signed_, sizeof(signed_), &len), 0);
	kit_sign(k, COMMAND_REMOVE, &r.admin, signed_, len, sig);
	assert_int_equal(removal_encode(&r, payload, sizeof(payload), &len), 0);
	return kit_apply(k, COMMAND_REMOVE, KIT_ADMIN, NULL, payload, len, NULL, 0);
}

/* As builds before the feature `decisions` wrote it: never changes, histories with it are pinned. */
const char *kit_policy_1(void)
{
	return "# The policy of a new cluster. Every key is explained in node/POLICY.md.\n"
	       "# Risk is in milli-logits: -2000 is about 12 %, 0 is 50 %, 5000 is 99 %.\n"
	       "version: 1\n"
	       "name: default\n"
	       "\n"
	       "bias: -2000\n"
	       "thresholds:\n"
	       "  step_up: 0     # from here on: prove who you are\n"
	       "  deny: 5000     # from here on: no\n"
	       "\n"
	       "# How long an allow may be asked for again with `check`.\n"
	       "valid_for: 5m\n"
	       "\n"
	       "# What a step_up demands: a signature by an enrolled key of the subject.\n"
	       "challenge:\n"
	       "  level: possession\n"
	       "  methods: [ed25519]\n"
	       "  expires: 5m\n"
	       "\n"
	       "# Requests within about seven minutes above which velocity counts.\n"
	       "rates:\n"
	       "  subject: 120\n"
	       "  client: 100000\n"
	       "\n"
	       "# Weights of signals; those not named keep their defaults.\n"
	       "weights:\n"
	       "  new_device: 2400\n"
	       "  known_device: -600\n"
	       "\n"
	       "# Actions that weigh more.\n"
	       "sensitive: [\"deploy*\", \"delete*\", \"*:delete\", \"*:deploy\", \"admin*\", \"sudo*\", \"grant*\", "
	       "\"export*\"]\n"
	       "\n"
	       "rules:\n"
	       "  # Whatever no other rule forces is decided by risk. Without this rule everything would be denied.\n"
	       "  - id: by-risk\n"
	       "    verdict: risk\n"
	       "\n"
	       "  # An agent that acts for a person has the person prove themselves before it does something "
	       "irreversible.\n"
	       "  - id: agents-irreversible\n"
	       "    match:\n"
	       "      actor: \"*\"\n"
	       "      action: [\"delete*\", \"*:delete\", \"admin*\"]\n"
	       "    verdict: step_up\n"
	       "    reason_user: Your agent wants to do something that cannot be undone. Is that what you want?\n"
	       "    reason_admin: An agent asks for an irreversible action\n"
	       "\n"
	       "  - id: production-deploy\n"
	       "    match:\n"
	       "      action: [\"deploy*\", \"*:deploy\"]\n"
	       "      context:\n"
	       "        environment: production\n"
	       "    weight: 200\n"
	       "    obligations:\n"
	       "      - type: notification\n"
	       "        id: deployments\n"
	       "    reason_admin: Deployment to production\n";
}

enum decide_outcome kit_policy(struct kit *k, const char *yaml)
{
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX], signed_[65536], payload[65536];
	uint8_t sig[64], facts[64], id[16];
	char why[160];
	struct policy_set p = {
	        .source = (const uint8_t *)yaml, .source_len = strlen(yaml), .compiled = compiled, .admin = admin(k)};
	struct policy_error where;
	size_t len, facts_len = 0;

	assert_int_equal(policy_compile(yaml, strlen(yaml), compiled, sizeof(compiled), &p.compiled_len, &where), 0);
	assert_int_equal(policy_set_encode_signed(&p, signed_, sizeof(signed_), &len), 0);
	kit_sign(k, COMMAND_POLICY_SET, &p.admin, signed_, len, sig);
	assert_int_equal(policy_set_encode(&p, payload, sizeof(payload), &len), 0);
	kit_next_id(k, id);
	int early = decide_prepare(k->s, k->now_ms, COMMAND_POLICY_SET, KIT_ADMIN, id, payload, len, facts,
	                           sizeof(facts), &facts_len, why);
	enum decide_outcome o =
	        kit_apply(k, COMMAND_POLICY_SET, KIT_ADMIN, id, payload, len, early == 0 ? facts : NULL, facts_len);
	assert_int_equal(early, o == DECIDE_REFUSED ? k->out->err : 0);
	return o;
}

bool kit_field(const struct kit *k, unsigned kind, struct field *ret)
{
	struct field f[LIMIT_FIELD_COUNT_MAX];
	unsigned n;

	assert_int_equal(body_decode(f, &n, k->out->body, k->out->body_len), 0);
	const struct field *found = body_find(f, n, kind);
	if (found == NULL)
		return false;
	*ret = *found;
	return true;
}

bool kit_signal(const struct kit *k, unsigned id, int64_t *ret_value)
{
	struct field f;
	struct reader r;
	uint32_t n;
	uint64_t found;
	int64_t value, weight;

	assert_true(kit_field(k, FIELD_SIGNALS, &f));
	reader_init(&r, f.value, f.value_len);
	reader_array(&r, 64, &n);
	for (uint32_t i = 0; i < n; i++) {
		reader_array_exact(&r, 3);
		reader_uint(&r, 255, &found);
		reader_int(&r, &value);
		reader_int(&r, &weight);
		assert_int_equal(r.err, 0);
		if (found == id) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static int load(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return value == NULL ? 0 : state_load(ctx, key, key_len, value, value_len);
}

struct state *kit_reload(struct state *s, const struct state_limits *l)
{
	struct state *copy;

	assert_int_equal(state_new(l, &copy), 0);
	assert_int_equal(state_take_dirty(s, load, copy), 0);
	assert_int_equal(state_dirty(s), 0);
	assert_int_equal(state_loaded(copy), 0);
	return copy;
}
