/* Verdicts that wait: approvals by others, until a time, break-glass; every wrong way; and what a reload keeps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/state.h"
#include "tests/decide_kit.h"
#include "tests/replay_kit.h"

#define POLICY_HEAD                                                                                                    \
	"version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 5000}\n"                                              \
	"break_glass: {from: ['chief-*'], within: 10m}\nrules:\n- {id: by-risk, verdict: risk}\n"
static const char policy[] =
        POLICY_HEAD "- {id: two, match: {action: deploy}, verdict: defer,\n"
                    "   defer: {approvals: {needed: 2, from: ['boss-*'], expires: 30m}}}\n"
                    "- {id: later, match: {action: drop}, verdict: defer, defer: {until: 1h}}\n"
                    "- {id: prove, match: {action: deploy, context: {hot: true}}, verdict: step_up}\n"
                    "- {id: never, match: {action: wipe}, verdict: deny}\n";

static struct kit kit;
static uint8_t keys[6][64];
/* chief-1 and chief-2 are persons of their own; boss-3 is boss-1's person with another key. */
static const char *const approvers[] = {"boss-1", "boss-2", "boss-3", "chief-1", "chief-2", "boss-4"};
static const char *const persons[] = {"bea", "ben", "bea", "cat", "cid", "ada"};

static const uint8_t *key_of(const char *name)
{
	for (unsigned i = 0; i < 6; i++)
		if (strcmp(approvers[i], name) == 0)
			return keys[i];
	return NULL;
}

static void setup_with(const char *yaml, const struct state_limits *l)
{
	uint8_t pub[32], channel[32];

	kit_new(&kit, l, yaml);
	for (unsigned i = 0; i < 6; i++) {
		kit_key(&kit, pub, keys[i]);
		memset(channel, 100 + (int)i, sizeof(channel));
		assert_int_equal(kit_enroll(&kit, approvers[i], ROLE_APPROVE, channel, pub, persons[i]), DECIDE_ENTRY);
	}
}

static uint64_t ask(const char *action)
{
	assert_int_equal(kit_ask_for(&kit, "ada", action, "laptop", "192.0.2.10"), DECIDE_ENTRY);
	return kit.out->index;
}

static enum decide_outcome say(const char *who, uint64_t index, unsigned what)
{
	return kit_say(&kit, who, index, what, "because", key_of(who));
}

static void assert_verdict(unsigned verdict)
{
	if (kit.out->outcome != DECIDE_ENTRY || kit.out->verdict != verdict)
		fail_msg("outcome %d, verdict %s, %s", kit.out->outcome, verdict_text(kit.out->verdict), kit.out->text);
}

static void assert_refused(enum decide_outcome outcome, int err)
{
	if (outcome != DECIDE_REFUSED || kit.out->err != err)
		fail_msg("outcome %d err %d (%s), not %d", outcome, kit.out->err, kit.out->text, err);
	assert_true(kit.out->text[0] != 0);
}

static unsigned recorded(const uint8_t id[16], uint64_t *ret_index)
{
	struct check_result r;

	assert_int_equal(decide_check(kit.s, kit.now_ms, KIT_GATEWAY, id, &r), 0);
	*ret_index = r.index;
	return r.verdict;
}

static void two_approve(void **state)
{
	uint8_t id[16];
	uint64_t index, newest;
	struct field f;

	(void)state;
	setup_with(policy, NULL);
	index = ask("deploy");
	memcpy(id, kit.last_id, sizeof(id));
	assert_verdict(VERDICT_DEFER);
	assert_true(kit_field(&kit, FIELD_APPROVAL, &f));
	assert_int_equal(say("boss-1", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_APPROVAL);
	assert_verdict(VERDICT_DEFER);
	assert_true(kit_field(&kit, FIELD_APPROVER_CHAIN, &f));
	assert_int_equal(recorded(id, &newest), VERDICT_DEFER);
	assert_int_equal(say("boss-2", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	/* Whoever asked finds it by the request's id. */
	assert_int_equal(recorded(id, &newest), VERDICT_ALLOW);
	assert_int_equal(newest, kit.out->index);
	/* It has ended: nobody speaks of it any more. */
	assert_refused(say("chief-1", index, SAY_BREAK_GLASS), CS_ERR_CONFLICT);
	/* Beyond the window of retries its outcome is still known for a while. */
	kit.now_ms += 605000;
	assert_int_equal(recorded(id, &newest), VERDICT_ALLOW);
	kit.now_ms += 100000;
	struct check_result r;
	assert_int_equal(decide_check(kit.s, kit.now_ms, KIT_GATEWAY, id, &r), CS_ERR_NOT_FOUND);
	kit_free(&kit);
}

static void wrong_ways(void **state)
{
	uint64_t index, other;
	uint8_t channel[32] = {77};

	(void)state;
	setup_with(policy, NULL);
	index = ask("deploy");
	other = ask("deploy");
	/* Their own, a person twice, somebody who is not named, nobody at all. */
	assert_refused(say("boss-4", index, SAY_APPROVE), CS_ERR_NOT_PERMITTED);
	assert_int_equal(say("boss-1", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_refused(say("boss-1", index, SAY_APPROVE), CS_ERR_EXISTS);
	assert_refused(say("boss-3", index, SAY_APPROVE), CS_ERR_EXISTS);
	assert_refused(say("boss-3", index, SAY_REJECT), CS_ERR_EXISTS);
	assert_refused(say("chief-1", index, SAY_APPROVE), CS_ERR_NOT_PERMITTED);
	assert_refused(say("boss-2", index, SAY_BREAK_GLASS), CS_ERR_NOT_PERMITTED);
	assert_refused(kit_say(&kit, "chief-1", index, SAY_BREAK_GLASS, "", key_of("chief-1")), CS_ERR_INVALID);
	assert_refused(kit_say(&kit, "nobody", index, SAY_APPROVE, "", key_of("boss-2")), CS_ERR_UNAUTHENTICATED);
	assert_refused(kit_say(&kit, "gateway", index, SAY_APPROVE, "", key_of("boss-2")), CS_ERR_NOT_PERMITTED);
	/* A wrong key, a wrong index, another request's approval carried over. */
	assert_refused(kit_say(&kit, "boss-2", index, SAY_APPROVE, "", key_of("boss-1")), CS_ERR_UNAUTHENTICATED);
	assert_refused(say("boss-2", 3, SAY_APPROVE), CS_ERR_NOT_FOUND);
	struct deferred_slot *a = deferred_find(kit.s, index);
	struct hash digest = a->digest;
	a->digest = deferred_find(kit.s, other)->digest; /* Signed for the other's digest; */
	a->digest.b[0] ^= 1;
	uint8_t payload[2048], message[APPROVAL_MESSAGE_SIZE_MAX], sig[64];
	struct approval n = {.index = index,
	                     .expiry_ms = kit.now_ms + 60000,
	                     .say = SAY_APPROVE,
	                     .digest = deferred_find(kit.s, other)->digest.b,
	                     .signature = sig};
	size_t len;
	a->digest = digest;
	crypto_sign_detached(sig, NULL, message, approval_message(message, KIT_ORIGIN, &n), key_of("boss-2"));
	assert_int_equal(approval_encode(&n, payload, sizeof(payload), &len), 0);
	uint64_t boss2 = state_principal_by_name(kit.s, "boss-2", 6)->id;
	assert_refused(kit_apply(&kit, COMMAND_APPROVAL, boss2, NULL, payload, len, NULL, 0), CS_ERR_CONFLICT);
	/* A signature that is too old; and one replayed after it counted. */
	n.digest = deferred_find(kit.s, index)->digest.b;
	n.expiry_ms = kit.now_ms - 1;
	crypto_sign_detached(sig, NULL, message, approval_message(message, KIT_ORIGIN, &n), key_of("boss-2"));
	assert_int_equal(approval_encode(&n, payload, sizeof(payload), &len), 0);
	assert_refused(kit_apply(&kit, COMMAND_APPROVAL, boss2, NULL, payload, len, NULL, 0), CS_ERR_EXPIRED);
	assert_int_equal(say("boss-2", other, SAY_APPROVE), DECIDE_ENTRY);
	size_t command_len = kit.command_len;
	decide(kit.s, kit.now_ms, kit.command, command_len, kit.out);
	assert_int_equal(kit.out->outcome, DECIDE_REPEAT);
	/* A key that was removed counts no more: the other one alone is not enough. */
	assert_int_equal(kit_remove(&kit, "boss-1"), DECIDE_ENTRY);
	assert_int_equal(say("boss-2", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_verdict(VERDICT_DEFER);
	/* Roles and subjects of enrolments. */
	assert_refused(kit_enroll(&kit, "boss-9", ROLE_APPROVE, channel, NULL, "zoe"), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "boss-9", ROLE_APPROVE, channel, keys[0] + 32, NULL), CS_ERR_INVALID);
	/* After its expiry nothing can be said, and a tick ends it. */
	kit.now_ms += 1800000;
	assert_refused(say("boss-3", index, SAY_APPROVE), CS_ERR_EXPIRED);
	assert_int_equal(state_ticks_due(kit.s, kit.now_ms, 10), 2);
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_DEFER_ENDED);
	assert_verdict(VERDICT_DENY);
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_DEFER_ENDED);
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_TICK);
	assert_refused(say("chief-1", index, SAY_BREAK_GLASS), CS_ERR_CONFLICT);
	kit_free(&kit);
}

static void one_rejects(void **state)
{
	uint64_t index, newest;
	uint8_t id[16];

	(void)state;
	setup_with(policy, NULL);
	index = ask("deploy");
	memcpy(id, kit.last_id, sizeof(id));
	assert_int_equal(say("boss-1", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_int_equal(say("boss-2", index, SAY_REJECT), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_int_equal(recorded(id, &newest), VERDICT_DENY);
	assert_refused(say("chief-1", index, SAY_BREAK_GLASS), CS_ERR_CONFLICT);
	kit_free(&kit);
}

/* Approval alone never grants: a step_up still stands, and is met by the person afterwards; a deny stands, too. */
static void decided_anew(void **state)
{
	struct request q;
	uint64_t index, challenge, newest;
	uint8_t id[16];

	(void)state;
	setup_with(policy, NULL);
	kit_request(&q, "ada", "deploy", "laptop", NULL);
	q.context[q.n_context++] = (struct named_value){.name = {"hot", 3}, .type = VALUE_BOOL, .integer = 1};
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	memcpy(id, kit.last_id, sizeof(id));
	assert_verdict(VERDICT_DEFER);
	index = kit.out->index;
	assert_int_equal(say("boss-1", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_int_equal(say("boss-2", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_verdict(VERDICT_STEP_UP);
	challenge = kit.out->index;
	struct challenge c;
	assert_true(state_challenge(kit.s, challenge, &c));
	assert_int_equal(c.principal, KIT_GATEWAY);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	assert_int_equal(recorded(id, &newest), VERDICT_ALLOW);
	assert_int_equal(newest, kit.out->index);
	/* The policy becomes stricter while one waits. */
	index = ask("deploy");
	assert_int_equal(say("boss-1", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_int_equal(kit_policy(&kit, "version: 2\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
	                                  "- {id: two, match: {subject: ada}, verdict: defer,\n"
	                                  "   defer: {approvals: {needed: 2, from: ['boss-*']}}}\n"
	                                  "- {id: never, match: {action: deploy}, verdict: deny}\n"),
	                 DECIDE_ENTRY);
	assert_int_equal(say("boss-2", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	kit_free(&kit);
}

static void until_a_time(void **state)
{
	uint8_t id[16], payload[REQUEST_SIZE_MAX];
	uint64_t index, newest;
	struct request q;
	size_t len;

	(void)state;
	setup_with(policy, NULL);
	index = ask("drop");
	memcpy(id, kit.last_id, sizeof(id));
	assert_verdict(VERDICT_DEFER);
	assert_refused(say("boss-1", index, SAY_APPROVE), CS_ERR_NOT_PERMITTED);
	assert_int_equal(state_ticks_due(kit.s, kit.now_ms + 3599999, 10), 0);
	kit.now_ms += 3600000;
	assert_int_equal(state_ticks_due(kit.s, kit.now_ms, 10), 1);
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_DEFER_ENDED);
	assert_verdict(VERDICT_ALLOW);
	assert_int_equal(recorded(id, &newest), VERDICT_ALLOW);
	assert_int_equal(newest, kit.out->index);
	/* The same request with the same id, an hour late, gets this. */
	kit_request(&q, "ada", "drop", "laptop", "192.0.2.10");
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	assert_int_equal(kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, id, payload, len, NULL, 0), DECIDE_REPEAT);
	assert_int_equal(kit.out->index, newest);
	assert_refused(kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, id, "\x90", 1, NULL, 0), CS_ERR_CONFLICT);
	/* A cluster that was away for long: it has ended, it is not let in late. */
	ask("drop");
	kit.now_ms += 3 * 3600000;
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	/* The client is gone. */
	ask("drop");
	assert_int_equal(kit_remove(&kit, "gateway"), DECIDE_ENTRY);
	kit.now_ms += 3600000;
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	kit_free(&kit);
}

static bool released(void)
{
	struct entry e;
	struct reader r;
	const uint8_t *skipped;
	size_t len;
	bool b = false;
	uint64_t v;

	assert_int_equal(entry_decode(&e, kit.out->leaf, kit.out->leaf_len), 0);
	reader_init(&r, e.public_, e.public_len);
	reader_array_exact(&r, 9);
	for (unsigned i = 0; i < 6; i++)
		reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT64_MAX, &v);
	reader_uint(&r, UINT64_MAX, &v);
	reader_bool(&r, &b);
	assert_int_equal(reader_end(&r), 0);
	return b;
}

static void break_glass(void **state)
{
	uint64_t index;

	(void)state;
	setup_with(policy, NULL);
	/* What is denied. One alone releases nothing. */
	index = ask("wipe");
	assert_verdict(VERDICT_DENY);
	assert_refused(say("boss-1", index, SAY_APPROVE), CS_ERR_CONFLICT);
	assert_int_equal(say("chief-1", index, SAY_BREAK_GLASS), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_false(released());
	assert_refused(say("chief-1", index, SAY_BREAK_GLASS), CS_ERR_EXISTS);
	assert_int_equal(say("chief-2", index, SAY_BREAK_GLASS), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	assert_true(released());
	/* What waits. */
	index = ask("deploy");
	assert_int_equal(say("chief-2", index, SAY_BREAK_GLASS), DECIDE_ENTRY);
	assert_verdict(VERDICT_DEFER);
	assert_int_equal(say("chief-1", index, SAY_BREAK_GLASS), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	assert_true(released());
	/* A denied request is kept for ten minutes. */
	index = ask("wipe");
	kit.now_ms += 600000;
	assert_refused(say("chief-1", index, SAY_BREAK_GLASS), CS_ERR_EXPIRED);
	/* Nobody for whom the policy names nobody. */
	assert_int_equal(kit_policy(&kit, "version: 2\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
	                                  "- {id: never, match: {action: wipe}, verdict: deny}\n"),
	                 DECIDE_ENTRY);
	index = ask("wipe");
	assert_refused(say("chief-1", index, SAY_BREAK_GLASS), CS_ERR_NOT_FOUND);
	kit_free(&kit);
}

static void tables_full(void **state)
{
	static const struct state_limits small = {.deferred_max = 6, .deferred_per_principal_max = 4};
	uint64_t first;

	(void)state;
	setup_with(policy, &small);
	/* Denied ones that find no place are denied all the same; those that wait are refused. */
	for (unsigned i = 0; i < 3; i++)
		ask("deploy");
	first = ask("wipe");
	assert_verdict(VERDICT_DENY);
	ask("wipe");
	assert_verdict(VERDICT_DENY);
	assert_refused(say("chief-1", kit.out->index, SAY_BREAK_GLASS), CS_ERR_NOT_FOUND);
	assert_refused(kit_ask_for(&kit, "ada", "deploy", "laptop", NULL), CS_ERR_OVERLOADED);
	/* A denied one has had its time: its place is another's. */
	kit.now_ms += 600000;
	ask("deploy");
	assert_verdict(VERDICT_DEFER);
	assert_refused(say("chief-1", first, SAY_BREAK_GLASS), CS_ERR_NOT_FOUND);
	/* Ended ones are kept for those who ask again, then their places are others', too. */
	assert_refused(kit_ask_for(&kit, "ada", "deploy", "laptop", NULL), CS_ERR_OVERLOADED);
	kit.now_ms += 1800000;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_refused(kit_ask_for(&kit, "ada", "deploy", "laptop", NULL), CS_ERR_OVERLOADED);
	kit.now_ms += 660000;
	ask("deploy");
	assert_verdict(VERDICT_DEFER);
	kit_free(&kit);
}

static void reloaded(void **state)
{
	uint64_t index;

	(void)state;
	setup_with(policy, NULL);
	index = ask("deploy");
	ask("wipe");
	ask("drop");
	assert_int_equal(say("boss-1", index, SAY_APPROVE), DECIDE_ENTRY);
	struct state *copy = kit_reload(kit.s, NULL);
	state_free(kit.s);
	kit.s = copy;
	assert_refused(say("boss-1", index, SAY_APPROVE), CS_ERR_EXISTS);
	assert_int_equal(say("boss-2", index, SAY_APPROVE), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	assert_int_equal(say("chief-1", index + 1, SAY_BREAK_GLASS), DECIDE_ENTRY);
	assert_int_equal(say("chief-2", index + 1, SAY_BREAK_GLASS), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	kit.now_ms += 3600000;
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_DEFER_ENDED);
	assert_verdict(VERDICT_ALLOW);
	kit_free(&kit);
}

/* How many wait for this approver, and whether a name of the policy is among what is needed. */
static unsigned pending(const char *who, const char *named, bool *ret_named)
{
	static uint8_t buf[65536];
	const struct principal *p = state_principal_by_name(kit.s, who, strlen(who));
	struct writer w;
	bool more;

	writer_init(&w, buf, sizeof(buf));
	unsigned n = state_write_pending(kit.s, kit.now_ms, p->id, 0, &w, &more);
	assert_int_equal(w.err, 0);
	*ret_named = memmem(buf, w.len, named, strlen(named)) != NULL;
	return n;
}

/* Only rules whose conditions hold ask for anybody, as the approval itself finds. */
static void pending_by_conditions(void **state)
{
	static const char by_device[] =
	        "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 5000}\nrules:\n- {id: by-risk, verdict: "
	        "risk}\n"
	        "- {id: always, match: {action: deploy}, verdict: defer, defer: {approvals: {needed: 1, from: "
	        "[boss-1]}}}\n"
	        "- {id: odd, match: {action: deploy}, when: 'context.device == \"tablet\"', verdict: defer,\n"
	        "   defer: {approvals: {needed: 1, from: [boss-2]}}}\n";
	bool named;

	(void)state;
	setup_with(by_device, NULL);
	uint64_t index = ask("deploy");
	assert_int_equal(pending("boss-1", "boss-2", &named), 1);
	assert_false(named);
	assert_int_equal(pending("boss-2", "boss-2", &named), 0);
	assert_refused(say("boss-2", index, SAY_APPROVE), CS_ERR_NOT_PERMITTED);
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "tablet", "192.0.2.10"), DECIDE_ENTRY);
	assert_int_equal(pending("boss-1", "boss-2", &named), 2);
	assert_true(named);
	assert_int_equal(pending("boss-2", "boss-2", &named), 1);
	assert_int_equal(say("boss-2", kit.out->index, SAY_APPROVE), DECIDE_ENTRY);
	kit_free(&kit);
}

/* Where the feature is off nothing of it is there. */
static void feature_off(void **state)
{
	uint8_t channel[32] = {50}, pub[32], sk[64];

	(void)state;
	kit_new(&kit, NULL, kit_policy_1());
	kit_key(&kit, pub, sk);
	assert_refused(kit_enroll(&kit, "boss-1", ROLE_APPROVE, channel, pub, "bea"), CS_ERR_NOT_READY);
	assert_refused(kit_enroll(&kit, "boss-1", ROLE_DECIDE, channel, pub, "bea"), CS_ERR_INVALID);
	assert_refused(kit_say(&kit, "gateway", 3, SAY_APPROVE, "", sk), CS_ERR_NOT_READY);
	kit_free(&kit);
}

/* What they make comes out again. */
#define REPLAYED(f) cmocka_unit_test_setup_teardown(f, replay_setup, replay_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {REPLAYED(two_approve),         REPLAYED(wrong_ways),
	                                   REPLAYED(one_rejects),         REPLAYED(decided_anew),
	                                   REPLAYED(until_a_time),        REPLAYED(break_glass),
	                                   cmocka_unit_test(tables_full), REPLAYED(reloaded),
	                                   REPLAYED(feature_off),         REPLAYED(pending_by_conditions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
