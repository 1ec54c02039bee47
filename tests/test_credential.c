/* Credentials in decide: enrolled, proven with, used up, revoked; by administrators and by people themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <liboath/oath.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/tool/verifyidentity.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/policy_form.h"
#include "node/decide/signals.h"
#include "node/decide/state.h"
#include "node/evidence/verify.h"
#include "tests/decide_kit.h"
#include "tests/replay_kit.h"
#include "tests/token.h"

static struct kit k;
static struct evidence e;
static uint8_t node_pub[32], node_secret[32], token_pub[32], token_sk[64], idp_pub[32], idp_sk[64];
static const struct evidence_node node = {.id = 1, .channel_pub = node_pub, .channel_secret = node_secret};
static const uint8_t secret[20] = "12345678901234567890";

static const char yaml[] = "version: 2\nthresholds: {step_up: 0, deny: 100000}\n"
                           "levels:\n  aal2: {level: user_verified, methods: [webauthn, oidc], max_age: 5m}\n"
                           "  phr: {level: attested, methods: [webauthn]}\n"
                           "rules:\n  - {id: all, verdict: allow}\n"
                           "  - {id: up, match: {action: up}, verdict: step_up}\n"
                           "  - {id: lease, match: {action: lease}, verdict: step_up,\n"
                           "     grant: {for: 15m, scope: {action: lease, resource: '*'}, bind: []}}\n"
                           "  - {id: strong, match: {action: strong}, verdict: step_up, challenge: {acr: aal2}}\n"
                           "  - {id: made, match: {action: made}, verdict: step_up, challenge: {acr: phr}}\n";

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void assert_refused(enum decide_outcome o, int err)
{
	if (o != DECIDE_REFUSED || k.out->err != err)
		fail_msg("outcome %d error %d: %s", o, k.out->err, k.out->text);
}

static void assert_entry(enum decide_outcome o, unsigned kind, unsigned verdict)
{
	if (o != DECIDE_ENTRY)
		fail_msg("refused: %s", k.out->text);
	assert_int_equal(k.out->kind, kind);
	assert_int_equal(k.out->verdict, verdict);
}

/* As the leader does it: looked up, verified, told. */
static enum decide_outcome lead(unsigned type, uint64_t principal, const void *payload, size_t len)
{
	uint8_t facts[EVIDENCE_FACTS_SIZE_MAX], id[16];
	size_t facts_len = 0;

	kit_next_id(&k, id);
	int err = decide_evidence(k.s, k.now_ms, type, principal, id, payload, len, &e, k.out->text);
	if (err == CS_ERR_EXISTS)
		return kit_apply(&k, type, principal, id, payload, len, NULL, 0);
	if (err != 0) {
		k.out->err = err;
		return k.out->outcome = DECIDE_REFUSED;
	}
	if (e.method != 0)
		evidence_verify(&e, &node);
	assert_int_equal(evidence_facts(&e, facts, sizeof(facts), &facts_len), 0);
	enum decide_outcome o = kit_apply(&k, type, principal, id, payload, len, facts, facts_len);
	/* And as followers look at it again. */
	if (o == DECIDE_ENTRY && k.out->has_evidence)
		assert_true(evidence_verify_again(&k.out->evidence, &node));
	return o;
}

static uint8_t payload[65536];

/* --- what is enrolled --- */

static size_t totp_data(uint8_t *buf, const char *name)
{
	const struct token_node nodes[] = {{1, node_pub}};

	return token_totp_data(buf, KIT_ORIGIN, name, secret, 30, nodes, 1);
}

static size_t issuer_data(uint8_t *buf)
{
	return token_issuer_data(buf, idp_pub);
}

static size_t oidc_data(uint8_t *buf, const char *issuer)
{
	return token_oidc_data(buf, issuer, "ada-sub");
}

static size_t webauthn_data(uint8_t *buf, const char *name)
{
	return token_webauthn_data(buf, KIT_ORIGIN, name, "ada", token_pub);
}

static enum decide_outcome enrol(const char *name, unsigned kind, const char *subject, const uint8_t *data, size_t len)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX], sig[64];
	struct credential_order o = {.name = text(name), .kind = kind, .data = data, .data_len = len};
	size_t n;

	if (subject != NULL) {
		o.subject_type = text("user");
		o.subject_id = text(subject);
	}
	o.authority.by_admin = true;
	o.authority.admin =
	        (struct admin_signature){.name = text("root"), .sequence = ++k.sequence, .expiry_ms = k.now_ms + 60000};
	assert_int_equal(credential_order_encode_signed(&o, elements, sizeof(elements), &n), 0);
	kit_sign(&k, COMMAND_CREDENTIAL_ENROL, &o.authority.admin, elements, n, sig);
	assert_int_equal(credential_order_encode(&o, payload, sizeof(payload), &n), 0);
	return lead(COMMAND_CREDENTIAL_ENROL, KIT_ADMIN, payload, n);
}

static enum decide_outcome revoke(const char *name)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX], sig[64];
	struct credential_revocation v = {.name = text(name), .reason = text("lost")};
	size_t n;

	v.authority.by_admin = true;
	v.authority.admin =
	        (struct admin_signature){.name = text("root"), .sequence = ++k.sequence, .expiry_ms = k.now_ms + 60000};
	assert_int_equal(credential_revocation_encode_signed(&v, elements, sizeof(elements), &n), 0);
	kit_sign(&k, COMMAND_CREDENTIAL_REVOKE, &v.authority.admin, elements, n, sig);
	assert_int_equal(credential_revocation_encode(&v, payload, sizeof(payload), &n), 0);
	return kit_apply(&k, COMMAND_CREDENTIAL_REVOKE, KIT_ADMIN, NULL, payload, n, NULL, 0);
}

static uint8_t data[CREDENTIAL_DATA_SIZE_MAX];

/* Ada has one of each. */
static void start(void)
{
	kit_new(&k, NULL, yaml);
	k.now_ms += 86400000;
	assert_entry(enrol("idp", CREDENTIAL_ISSUER, NULL, data, issuer_data(data)), ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_entry(enrol("ada-oidc", CREDENTIAL_OIDC, "ada", data, oidc_data(data, "idp")), ENTRY_CREDENTIAL_ENROLLED,
	             0);
	assert_entry(enrol("ada-totp", CREDENTIAL_TOTP, "ada", data, totp_data(data, "ada-totp")),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_entry(enrol("ada-fido", CREDENTIAL_WEBAUTHN, "ada", data, webauthn_data(data, "ada-fido")),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_true(k.out->has_evidence);
}

/* --- answers --- */

static uint64_t step_up_from(const char *action, const char *device)
{
	assert_entry(kit_ask_for(&k, "ada", action, device, NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	return k.out->index;
}

static uint64_t step_up(const char *action)
{
	return step_up_from(action, "laptop");
}

static enum decide_outcome answer(uint64_t index, const char *method, const char *credential, const void *bytes,
                                  size_t len)
{
	struct answer a = {.challenge = index,
	                   .method = text(method),
	                   .credential = text(credential),
	                   .evidence = bytes,
	                   .evidence_len = len};
	size_t n;

	assert_int_equal(answer_encode(&a, payload, sizeof(payload), &n), 0);
	return lead(COMMAND_ANSWER, KIT_GATEWAY, payload, n);
}

static const char *code_now(void)
{
	static char code[8];

	assert_int_equal(oath_totp_generate((const char *)secret, 20, (time_t)(k.now_ms / 1000), 30, 0, 6, code),
	                 OATH_OK);
	return code;
}

static enum decide_outcome by_code(uint64_t index, const char *code)
{
	return answer(index, "totp", "ada-totp", code, strlen(code));
}

static size_t message_of(uint64_t index, uint8_t *message)
{
	struct challenge c;

	assert_true(state_challenge(k.s, index, &c));
	return answer_message(message, KIT_ORIGIN, index, &c.digest, c.nonce, c.expiry_ms);
}

static enum decide_outcome by_key(uint64_t index, uint8_t flags, uint32_t counter)
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX], out[EVIDENCE_SIZE_MAX];
	size_t len = message_of(index, message);

	return answer(index, "webauthn", "ada-fido", out, token_assertion(out, flags, counter, message, len, token_sk));
}

static enum decide_outcome by_token(uint64_t index, const char *more)
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX];
	char token[EVIDENCE_SIZE_MAX];
	size_t len = message_of(index, message);

	return answer(index, "oidc", "ada-oidc", token,
	              token_id_token(token, "ada-sub", k.now_ms / 1000, more, message, len, idp_sk));
}

/* --- tests --- */

static void codes(void **state)
{
	struct field f;

	(void)state;
	start();
	uint64_t index = step_up("up");
	assert_entry(by_code(index, code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_false(k.out->has_evidence); /* Nobody else can look at it: the leader's word. */
	assert_true(kit_field(&k, FIELD_EVIDENCE_FACTS, &f));
	/* The same code again is no code. */
	index = step_up("up");
	assert_entry(by_code(index, code_now()), ENTRY_ANSWER, VERDICT_DENY);
	/* Two of one step that were on their way at once: the second is refused, its challenge stays open. */
	k.now_ms += 60000;
	uint64_t one = step_up("up"), two = step_up("up");
	struct answer a = {.challenge = two,
	                   .method = text("totp"),
	                   .credential = text("ada-totp"),
	                   .evidence = (const uint8_t *)code_now(),
	                   .evidence_len = 6};
	uint8_t id[16], facts[EVIDENCE_FACTS_SIZE_MAX], second[512];
	size_t n, facts_len;
	kit_next_id(&k, id);
	assert_int_equal(answer_encode(&a, second, sizeof(second), &n), 0);
	assert_int_equal(decide_evidence(k.s, k.now_ms, COMMAND_ANSWER, KIT_GATEWAY, id, second, n, &e, k.out->text),
	                 0);
	evidence_verify(&e, &node);
	assert_true(e.found.verified);
	assert_int_equal(evidence_facts(&e, facts, sizeof(facts), &facts_len), 0);
	assert_entry(by_code(one, code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_refused(kit_apply(&k, COMMAND_ANSWER, KIT_GATEWAY, id, second, n, facts, facts_len), CS_ERR_CONFLICT);
	k.now_ms += 30000;
	assert_entry(by_code(two, code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	/* A code is possession: a higher level is not met by it, and the challenge does not name it. */
	index = step_up("strong");
	k.now_ms += 30000;
	assert_entry(by_code(index, code_now()), ENTRY_ANSWER, VERDICT_DENY);
	kit_free(&k);
}

static void locked(void **state)
{
	(void)state;
	start();
	for (unsigned i = 0; i < TOTP_FAILURES_MAX; i++) {
		assert_entry(by_code(step_up("up"), "000000"), ENTRY_ANSWER, VERDICT_DENY);
		k.now_ms += 1000;
	}
	assert_int_equal(state_credential_by_name(k.s, "ada-totp", 8)->failures, TOTP_FAILURES_MAX);
	assert_entry(by_code(step_up("up"), code_now()), ENTRY_ANSWER, VERDICT_DENY);
	/* Enrolled anew by an administrator. */
	assert_refused(enrol("ada-totp", CREDENTIAL_TOTP, "ada", data, totp_data(data, "ada-totp")), CS_ERR_EXISTS);
	assert_entry(revoke("ada-totp"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_entry(enrol("ada-totp", CREDENTIAL_TOTP, "ada", data, totp_data(data, "ada-totp")),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_entry(by_code(step_up("up"), code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	kit_free(&k);
}

/* Whoever gets the newest answer in a bundle, with these entries, is told whose proof it is. Nothing if none is made.
 */
static void identified(uint64_t challenge, const char *credential, const char *issuer, enum verify_outcome outcome,
                       const char *says)
{
	static struct verify_result result;
	const struct replay_made *m = replay_passed();
	const char *const names[] = {credential, issuer};
	json_t *doc, *list = json_array();

	if (m->n == 0)
		return;
	doc = replay_entry_json(m, k.out->index, 0);
	json_array_append_new(list, replay_entry_json(m, challenge, 0));
	for (unsigned i = 0; i < 2 && names[i] != NULL; i++)
		json_array_append_new(
		        list,
		        replay_entry_json(m, state_credential_by_name(k.s, names[i], strlen(names[i]))->version, 0));
	json_object_set_new(doc, "supports", list);
	char *json = json_dumps(doc, 0);
	memset(&result, 0, sizeof(result));
	result.proven = true;
	snprintf(result.origin, sizeof(result.origin), "%s", KIT_ORIGIN);
	verifyidentity(json, strlen(json), &result);
	if (result.outcome != outcome || result.n_lines != 1 || strstr(result.lines[0].text, says) == NULL)
		fail_msg("outcome %d, %u lines: %s, not %s", result.outcome, result.n_lines, result.lines[0].text,
		         says);
	free(json);
	json_decref(doc);
}

static void keys(void **state)
{
	(void)state;
	start();
	uint64_t first = step_up("up");
	assert_entry(by_key(first, 1, 5), ENTRY_ANSWER, VERDICT_ALLOW);
	identified(first, "ada-fido", NULL, VERIFY_VERIFIED, "the WebAuthn assertion verifies under ada-fido");
	identified(first, "ada-totp", NULL, VERIFY_VERIFIED, "the credential's enrolment, entry");
	assert_true(k.out->has_evidence);
	assert_entry(by_key(step_up("strong"), 5, 6), ENTRY_ANSWER, VERDICT_ALLOW);
	k.now_ms += 400000;
	assert_entry(by_key(step_up("strong"), 1, 7), ENTRY_ANSWER, VERDICT_DENY);  /* The user was not verified. */
	assert_entry(by_key(step_up("made"), 5, 8), ENTRY_ANSWER, VERDICT_STEP_UP); /* No maker vouches. */
	k.now_ms += 400000;
	/* A counter that falls is told, and no refusal. */
	struct field f;
	assert_entry(by_key(step_up("up"), 1, 3), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_true(kit_field(&k, FIELD_EVIDENCE_FACTS, &f));
	assert_int_equal(f.value[4], 0xc3); /* [level, counter, before, fell…] */
	assert_int_equal(state_credential_by_name(k.s, "ada-fido", 8)->counter, 8);
	/* A challenge's own proof only: another's is none. */
	uint64_t one = step_up("up"), two = step_up("up");
	assert_entry(by_key(two, 1, 9), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_refused(answer(two, "webauthn", "ada-fido", "x", 1), CS_ERR_NOT_FOUND);
	assert_entry(answer(one, "webauthn", "ada-fido", "x", 1), ENTRY_ANSWER, VERDICT_DENY);
	/* Of nobody, of another kind, of another person. */
	assert_entry(answer(step_up("up"), "webauthn", "nobody", "x", 1), ENTRY_ANSWER, VERDICT_DENY);
	assert_entry(answer(step_up("up"), "totp", "ada-fido", "000000", 6), ENTRY_ANSWER, VERDICT_DENY);
	assert_entry(answer(step_up("up"), "oidc", "idp", "x", 1), ENTRY_ANSWER, VERDICT_DENY);
	assert_entry(kit_ask_for(&k, "bob", "up", NULL, NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	assert_entry(by_key(k.out->index, 5, 10), ENTRY_ANSWER, VERDICT_DENY);
	kit_free(&k);
}

static void tokens(void **state)
{
	(void)state;
	start();
	uint64_t first = step_up("up");
	assert_entry(by_token(first, ",\"jti\":\"1\""), ENTRY_ANSWER, VERDICT_ALLOW);
	identified(first, "ada-oidc", "idp", VERIFY_VERIFIED, "the ID token's signature by its issuer verifies");
	identified(first, "ada-oidc", NULL, VERIFY_VERIFIED, "the issuer's pinned keys are not in the bundle");
	assert_entry(by_token(step_up("up"), ",\"jti\":\"1\""), ENTRY_ANSWER, VERDICT_DENY);
	assert_entry(by_token(step_up("up"), ",\"jti\":\"2\""), ENTRY_ANSWER, VERDICT_ALLOW);
	k.now_ms += 100000; /* The token would have expired by now: so may its jti. */
	assert_entry(by_token(step_up("up"), ",\"jti\":\"1\""), ENTRY_ANSWER, VERDICT_ALLOW);
	/* acr: as the policy says; and how old the proof may be. */
	char more[128];
	snprintf(more, sizeof(more), ",\"acr\":\"aal2\",\"auth_time\":%llu", (unsigned long long)k.now_ms / 1000 - 290);
	assert_entry(by_token(step_up("strong"), more), ENTRY_ANSWER, VERDICT_ALLOW);
	k.now_ms += 400000;
	snprintf(more, sizeof(more), ",\"acr\":\"aal2\",\"auth_time\":%llu", (unsigned long long)k.now_ms / 1000 - 301);
	assert_entry(by_token(step_up("strong"), more), ENTRY_ANSWER, VERDICT_DENY);
	assert_entry(by_token(step_up("strong"), ",\"acr\":\"aal2\""), ENTRY_ANSWER, VERDICT_DENY);
	/* Not enough by itself: asked again. */
	assert_entry(by_token(step_up("strong"), ",\"acr\":\"unheard-of\""), ENTRY_ANSWER, VERDICT_STEP_UP);
	/* The issuer's keys are replaced: what was looked at by the old ones does not count. */
	crypto_sign_keypair(idp_pub, idp_sk);
	assert_entry(enrol("idp", CREDENTIAL_ISSUER, NULL, data, issuer_data(data)), ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_entry(by_token(step_up("up"), ""), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_entry(revoke("idp"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_entry(by_token(step_up("up"), ""), ENTRY_ANSWER, VERDICT_DENY);
	kit_free(&k);
}

/* A proof of lately counts again for its level, on the same device, and not longer than the policy says. */
static void lately(void **state)
{
	(void)state;
	start();
	assert_entry(by_key(step_up("strong"), 5, 5), ENTRY_ANSWER, VERDICT_ALLOW);
	k.now_ms += 299000;
	assert_entry(kit_ask_for(&k, "ada", "strong", "laptop", NULL), ENTRY_DECISION, VERDICT_ALLOW);
	assert_entry(kit_ask_for(&k, "ada", "strong", "other", NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	assert_entry(kit_ask_for(&k, "ada", "strong", NULL, NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	assert_entry(kit_ask_for(&k, "bob", "strong", "laptop", NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	assert_entry(kit_ask_for(&k, "ada", "made", "laptop", NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	k.now_ms += 1000;
	assert_entry(kit_ask_for(&k, "ada", "strong", "laptop", NULL), ENTRY_DECISION, VERDICT_STEP_UP);
	kit_free(&k);
}

/* What moved between the leader's look and the log. */
static void moved(void **state)
{
	uint8_t facts[EVIDENCE_FACTS_SIZE_MAX], id[16], answer_bytes[256];
	struct answer a = {.method = text("totp"), .credential = text("ada-totp"), .evidence_len = 6};
	size_t n, facts_len;

	(void)state;
	start();
	a.challenge = step_up("up");
	a.evidence = (const uint8_t *)code_now();
	assert_int_equal(answer_encode(&a, answer_bytes, sizeof(answer_bytes), &n), 0);
	kit_next_id(&k, id);
	assert_int_equal(
	        decide_evidence(k.s, k.now_ms, COMMAND_ANSWER, KIT_GATEWAY, id, answer_bytes, n, &e, k.out->text), 0);
	evidence_verify(&e, &node);
	assert_int_equal(evidence_facts(&e, facts, sizeof(facts), &facts_len), 0);
	assert_entry(revoke("ada-totp"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_refused(kit_apply(&k, COMMAND_ANSWER, KIT_GATEWAY, id, answer_bytes, n, facts, facts_len),
	               CS_ERR_CONFLICT);
	assert_entry(enrol("ada-totp", CREDENTIAL_TOTP, "ada", data, totp_data(data, "ada-totp")),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_refused(kit_apply(&k, COMMAND_ANSWER, KIT_GATEWAY, id, answer_bytes, n, facts, facts_len),
	               CS_ERR_CONFLICT);
	kit_free(&k);
}

/* A person's own order. ret: what became of it. */
static enum decide_outcome own(const char *name, const uint8_t id[16], const struct request *q, bool revokes)
{
	uint8_t request[REQUEST_SIZE_MAX];
	struct credential_order o = {.name = text(name),
	                             .kind = CREDENTIAL_TOTP,
	                             .subject_type = text("user"),
	                             .subject_id = text("ada"),
	                             .data = data,
	                             .data_len = totp_data(data, name)};
	struct credential_revocation v = {.name = text(name), .reason = text("")};
	struct authority a = {.request_id = id, .request = request};
	size_t n;

	assert_int_equal(request_encode(q, request, sizeof(request), &a.request_len), 0);
	o.authority = v.authority = a;
	assert_int_equal(revokes ? credential_revocation_encode(&v, payload, sizeof(payload), &n)
	                         : credential_order_encode(&o, payload, sizeof(payload), &n),
	                 0);
	return kit_apply(&k, revokes ? COMMAND_CREDENTIAL_REVOKE : COMMAND_CREDENTIAL_ENROL, KIT_GATEWAY, NULL, payload,
	                 n, NULL, 0);
}

static void request_for(struct request *q, const char *action, const char *name, const char *hex)
{
	kit_request(q, "ada", action, NULL, NULL);
	q->resource_type = text("credential");
	q->resource_id = text(name);
	q->context[0] = (struct named_value){.name = text("credential"), .type = VALUE_STR, .str = text(hex)};
	q->n_context = 1;
}

static void hex_of(const void *elements, size_t len, char ret[65])
{
	struct hash h;

	hash_bytes(&h, elements, len);
	sodium_bin2hex(ret, 65, h.b, 32);
}

static void own_revocation(void **state)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX], id[16];
	struct credential_revocation v = {.name = text("ada-totp"), .reason = text("")};
	struct request q, other;
	char hex[65];
	size_t n;

	(void)state;
	start();
	assert_int_equal(credential_revocation_encode_signed(&v, elements, sizeof(elements), &n), 0);
	hex_of(elements, n, hex);
	request_for(&q, CREDENTIAL_REVOKE_ACTION, "ada-totp", hex);
	assert_entry(kit_ask(&k, &q), ENTRY_DECISION, VERDICT_STEP_UP);
	uint64_t index = k.out->index;
	memcpy(id, k.last_id, 16);
	assert_refused(own("ada-totp", id, &q, true), CS_ERR_NOT_PERMITTED); /* Not answered yet. */
	assert_entry(by_key(index, 5, 9), ENTRY_ANSWER, VERDICT_ALLOW);
	request_for(&other, CREDENTIAL_REVOKE_ACTION, "ada-fido", hex);
	assert_refused(own("ada-fido", id, &other, true), CS_ERR_NOT_FOUND); /* Another request than that. */
	assert_refused(own("ada-fido", id, &q, true), CS_ERR_NOT_PERMITTED); /* It, for another credential. */
	assert_refused(own("new", id, &q, false), CS_ERR_NOT_PERMITTED);     /* It, for another order. */
	k.now_ms += 300001;
	assert_refused(own("ada-totp", id, &q, true), CS_ERR_NOT_PERMITTED); /* Too long ago. */
	k.now_ms -= 300001;
	kit_free(&k);
}

static void own_carried_out(void **state)
{
	uint8_t elements[CREDENTIAL_SIGNED_SIZE_MAX], id[16];
	struct credential_revocation v = {.name = text("ada-totp"), .reason = text("")};
	struct request q;
	char hex[65];
	size_t n;

	(void)state;
	start();
	assert_int_equal(credential_revocation_encode_signed(&v, elements, sizeof(elements), &n), 0);
	hex_of(elements, n, hex);
	request_for(&q, CREDENTIAL_REVOKE_ACTION, "ada-totp", hex);
	assert_entry(kit_ask(&k, &q), ENTRY_DECISION, VERDICT_STEP_UP);
	uint64_t index = k.out->index;
	memcpy(id, k.last_id, 16);
	assert_entry(by_key(index, 5, 9), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_entry(own("ada-totp", id, &q, true), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_null(state_credential_by_name(k.s, "ada-totp", 8));
	assert_refused(own("ada-totp", id, &q, true), CS_ERR_NOT_FOUND); /* Once. */
	/* And a new one, in the same way. */
	struct credential_order o = {.name = text("ada-totp"),
	                             .kind = CREDENTIAL_TOTP,
	                             .subject_type = text("user"),
	                             .subject_id = text("ada"),
	                             .data = data,
	                             .data_len = totp_data(data, "ada-totp")};
	uint8_t request[REQUEST_SIZE_MAX];
	assert_int_equal(credential_order_encode_signed(&o, elements, sizeof(elements), &n), 0);
	hex_of(elements, n, hex);
	request_for(&q, CREDENTIAL_ENROL_ACTION, "ada-totp", hex);
	assert_entry(kit_ask(&k, &q), ENTRY_DECISION, VERDICT_STEP_UP);
	index = k.out->index;
	memcpy(id, k.last_id, 16);
	assert_entry(by_key(index, 5, 10), ENTRY_ANSWER, VERDICT_ALLOW);
	o.authority = (struct authority){.request_id = id, .request = request};
	assert_int_equal(request_encode(&q, request, sizeof(request), &o.authority.request_len), 0);
	assert_int_equal(credential_order_encode(&o, payload, sizeof(payload), &n), 0);
	assert_entry(kit_apply(&k, COMMAND_CREDENTIAL_ENROL, KIT_GATEWAY, NULL, payload, n, NULL, 0),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_entry(by_code(step_up("up"), code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	/* Revoked by an administrator: what was allowed before does not bring it back. */
	assert_entry(revoke("ada-totp"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_int_equal(credential_order_encode(&o, payload, sizeof(payload), &n), 0);
	assert_refused(kit_apply(&k, COMMAND_CREDENTIAL_ENROL, KIT_GATEWAY, NULL, payload, n, NULL, 0),
	               CS_ERR_NOT_PERMITTED);
	kit_free(&k);
}

static size_t pss_issuer_data(uint8_t *ret)
{
	static const uint8_t key[4 + 256] = {[1] = 1, [3] = 1, [4] = 0x80};
	struct writer w;

	writer_init(&w, ret, CREDENTIAL_DATA_SIZE_MAX);
	writer_array(&w, 4);
	writer_cstr(&w, "https://idp.example");
	writer_cstr(&w, "countersign");
	writer_uint(&w, 0);
	writer_array(&w, 1);
	writer_array(&w, 3);
	writer_cstr(&w, "");
	writer_cstr(&w, "PS256");
	writer_bin(&w, key, sizeof(key));
	return w.len;
}

static void enrolments_wrong(void **state)
{
	uint8_t other[CREDENTIAL_DATA_SIZE_MAX];
	size_t n;

	(void)state;
	start();
	assert_refused(enrol("ada-fido", CREDENTIAL_WEBAUTHN, "ada", data, webauthn_data(data, "ada-fido")),
	               CS_ERR_EXISTS);
	assert_refused(enrol("ada-key", CREDENTIAL_TOTP, "ada", data, totp_data(data, "ada-key")), CS_ERR_EXISTS);
	assert_refused(enrol("two", CREDENTIAL_OIDC, "ada", data, oidc_data(data, "nobody")), CS_ERR_NOT_FOUND);
	assert_refused(enrol("two", CREDENTIAL_OIDC, NULL, data, oidc_data(data, "idp")), CS_ERR_INVALID);
	assert_refused(enrol("two", CREDENTIAL_ISSUER, "ada", data, issuer_data(data)), CS_ERR_INVALID);
	assert_refused(enrol("node-2", CREDENTIAL_ISSUER, NULL, data, issuer_data(data)), CS_ERR_INVALID);
	assert_refused(enrol("two", CREDENTIAL_ISSUER, NULL, data, totp_data(data, "two")), CS_ERR_MALFORMED);
	assert_refused(enrol("two", 9, "ada", data, totp_data(data, "two")), CS_ERR_MALFORMED);
	/* PS256 is of the feature records: builds without it would take no such order. */
	n = pss_issuer_data(other);
	k.s->features.on &= ~FEATURE_BIT(FEATURE_RECORDS);
	assert_refused(enrol("pss", CREDENTIAL_ISSUER, NULL, other, n), CS_ERR_INVALID);
	k.s->features.on |= FEATURE_BIT(FEATURE_RECORDS);
	assert_entry(enrol("pss", CREDENTIAL_ISSUER, NULL, other, n), ENTRY_CREDENTIAL_ENROLLED, 0);
	/* Registered for another name: the leader finds it, and proposes none; decide takes none either. */
	assert_refused(enrol("two", CREDENTIAL_WEBAUTHN, "ada", data, webauthn_data(data, "one")), CS_ERR_INVALID);
	assert_non_null(strstr(e.found.why, "another challenge"));
	/* Sealed to a node that is none. */
	n = totp_data(other, "two");
	other[6] = 2; /* [1, 6, 30, [[2, …]]] */
	assert_refused(enrol("two", CREDENTIAL_TOTP, "ada", other, n), CS_ERR_CONFLICT);
	kit_free(&k);
}

/* Off: nothing of it, as in builds before. */
static void feature_off(void **state)
{
	(void)state;
	kit_new(&k, NULL, kit_policy_1());
	k.now_ms += 86400000;
	assert_refused(enrol("idp", CREDENTIAL_ISSUER, NULL, data, issuer_data(data)), CS_ERR_INVALID);
	assert_non_null(strstr(k.out->text, "decisions"));
	assert_refused(revoke("idp"), CS_ERR_INVALID);
	kit_free(&k);
}

static void reload(void)
{
	struct state *copy = kit_reload(k.s, NULL);

	state_free(k.s);
	k.s = copy;
}

static void reloaded(void **state)
{
	struct field f;

	(void)state;
	start();
	assert_entry(by_code(step_up("up"), code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_entry(by_token(step_up("up"), ",\"jti\":\"1\""), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_entry(by_key(step_up("strong"), 5, 7), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_entry(revoke("idp"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_entry(enrol("idp", CREDENTIAL_ISSUER, NULL, data, issuer_data(data)), ENTRY_CREDENTIAL_ENROLLED, 0);
	reload();
	assert_int_equal(state_credential_by_name(k.s, "ada-fido", 8)->counter, 7);
	assert_entry(kit_ask_for(&k, "ada", "strong", "laptop", NULL), ENTRY_DECISION, VERDICT_ALLOW);
	assert_entry(by_code(step_up_from("up", "other"), code_now()), ENTRY_ANSWER, VERDICT_DENY);
	assert_entry(by_token(step_up_from("up", "other"), ",\"jti\":\"1\""), ENTRY_ANSWER, VERDICT_DENY);
	assert_true(kit_field(&k, FIELD_EVIDENCE, &f));
	assert_entry(revoke("ada-fido"), ENTRY_CREDENTIAL_REVOKED, 0);
	kit_free(&k);
}

/* --- a counter that fell --- */

static void asked(const char *subject, bool fell)
{
	int64_t value = 0;

	assert_entry(kit_ask_for(&k, subject, "see", "laptop", NULL), ENTRY_DECISION, VERDICT_ALLOW);
	assert_int_equal(kit_signal(&k, SIGNAL_COUNTER_FELL, &value), fell);
	assert_int_equal(value, fell);
}

/* It weighs in that very answer and from then on, until the key is revoked. */
static void counter_fell(void **state)
{
	static const char cautious[] = "version: 2\nthresholds: {step_up: 0, deny: 5000}\n"
	                               "rules:\n  - {id: up, match: {action: up}, verdict: step_up}\n"
	                               "  - {id: copied, when: 'signals.counter_fell > 0', verdict: deny}\n";
	int64_t value = 0;

	(void)state;
	start();
	assert_entry(by_key(step_up("up"), 1, 5), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_false(kit_signal(&k, SIGNAL_COUNTER_FELL, &value));
	asked("ada", false);
	uint64_t open = step_up("up");
	assert_entry(by_key(open, 1, 5), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_true(kit_signal(&k, SIGNAL_COUNTER_FELL, &value));
	assert_int_equal(value, 1);
	asked("ada", true);
	asked("bob", false);
	reload();
	asked("ada", true);
	assert_entry(by_key(step_up("up"), 1, 9), ENTRY_ANSWER, VERDICT_ALLOW); /* It rises again: one of two does. */
	asked("ada", true);
	assert_entry(revoke("ada-fido"), ENTRY_CREDENTIAL_REVOKED, 0);
	asked("ada", false);
	assert_entry(enrol("ada-fido", CREDENTIAL_WEBAUTHN, "ada", data, webauthn_data(data, "ada-fido")),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	asked("ada", false);
	/* A policy may go further than to weigh it. */
	assert_int_equal(kit_policy(&k, cautious), DECIDE_ENTRY);
	assert_entry(by_key(step_up("up"), 1, 5), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_entry(by_key(step_up("up"), 1, 5), ENTRY_ANSWER, VERDICT_DENY);
	/* Policies of version 1 know nothing of it. */
	assert_int_equal(kit_policy(&k, kit_policy_1()), DECIDE_ENTRY);
	assert_int_equal(kit_ask_for(&k, "ada", "see", "laptop", NULL), DECIDE_ENTRY);
	assert_false(kit_signal(&k, SIGNAL_COUNTER_FELL, &value));
	kit_free(&k);
}

/* --- grants that credentials bought --- */

static bool leased(void)
{
	struct check_result r;
	struct request q;

	kit_request(&q, "ada", "lease", "laptop", NULL);
	return decide_check_grant(k.s, k.now_ms, &q, &r) == 0;
}

static void changed_outside(const char *credential)
{
	struct outside o = {.event = OUTSIDE_CREDENTIAL_CHANGE,
	                    .about = ABOUT_USER,
	                    .subject_type = text("user"),
	                    .subject_id = text("ada"),
	                    .credential = text(credential),
	                    .event_ms = k.now_ms,
	                    .reason = text("stolen")};
	size_t n;

	assert_int_equal(outside_encode(&o, payload, sizeof(payload), &n), 0);
	assert_entry(
	        kit_apply(&k, COMMAND_OUTSIDE, state_principal_by_name(k.s, "soc", 3)->id, NULL, payload, n, NULL, 0),
	        ENTRY_OUTSIDE, 0);
}

/* Each survives a restart, and ends with what bought it and with nothing else. */
static void grants(void **state)
{
	static const uint8_t channel[32] = {202};

	(void)state;
	start();
	assert_int_equal(kit_enroll(&k, "soc", ROLE_SIGNAL, channel, NULL, NULL), DECIDE_ENTRY);
	assert_entry(by_code(step_up("lease"), code_now()), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_true(leased());
	reload();
	assert_true(leased());
	changed_outside("ada-fido");
	assert_true(leased());
	changed_outside("ada-totp");
	assert_false(leased());
	assert_entry(by_key(step_up("lease"), 1, 5), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_true(leased());
	assert_entry(revoke("ada-totp"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_true(leased());
	assert_entry(revoke("ada-fido"), ENTRY_CREDENTIAL_REVOKED, 0);
	assert_false(leased());
	/* The same name and key again is another credential: what the first one bought is not its. */
	assert_entry(enrol("ada-fido", CREDENTIAL_WEBAUTHN, "ada", data, webauthn_data(data, "ada-fido")),
	             ENTRY_CREDENTIAL_ENROLLED, 0);
	assert_false(leased());
	assert_entry(by_token(step_up("lease"), ",\"jti\":\"1\""), ENTRY_ANSWER, VERDICT_ALLOW);
	assert_true(leased());
	changed_outside("ada-oidc");
	assert_false(leased());
	kit_free(&k);
}

static int setup(void **state)
{
	(void)state;
	evidence_init();
	if (sodium_init() < 0)
		return -1;
	crypto_box_keypair(node_pub, node_secret);
	crypto_sign_keypair(token_pub, token_sk);
	crypto_sign_keypair(idp_pub, idp_sk);
	return 0;
}

/* What they make comes out again. */
#define REPLAYED(f) cmocka_unit_test_setup_teardown(f, replay_setup, replay_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	        REPLAYED(codes),          REPLAYED(locked),          REPLAYED(keys),
	        REPLAYED(tokens),         REPLAYED(lately),          REPLAYED(moved),
	        REPLAYED(own_revocation), REPLAYED(own_carried_out), REPLAYED(enrolments_wrong),
	        REPLAYED(feature_off),    REPLAYED(reloaded),        REPLAYED(grants),
	        REPLAYED(counter_fell),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
