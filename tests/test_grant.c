/* Grants: opened by evidence and approvals, bound, ended by risk, keys, administrators and signals from outside. */
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
#include "node/decide/signals.h"
#include "node/decide/state.h"
#include "tests/order_kit.h"
#include "tests/replay_kit.h"

static const char policy[] =
        "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 5000}\ngrants: {revoke_risk: 1000, revoke_outside: "
        "MEDIUM}\n"
        "rules:\n- {id: by-risk, verdict: risk}\n"
        "- {id: prove, match: {action: ['deploy*', secret]}, verdict: step_up,\n"
        "   grant: {for: 15m, scope: {action: 'deploy*', resource: 'fraud-*'}, bind: [session, device]}}\n"
        "- {id: loose, match: {action: tune}, verdict: step_up,\n"
        "   grant: {for: 15m, scope: {action: tune, resource: '*'}, bind: []}}\n"
        "- {id: boss, match: {action: merge}, verdict: defer, defer: {approvals: {needed: 1, from: [boss]}},\n"
        "   grant: {for: 1h, scope: {action: merge, resource: '*'}, bind: [session]}}\n"
        "- {id: danger, match: {context: {danger: true}}, weight: 12000}\n"
        "- {id: frozen, match: {context: {freeze: true}}, verdict: deny}\n";

static struct kit kit;
static uint8_t boss_sk[64];
static uint64_t soc;

static void setup_with(const struct state_limits *l)
{
	uint8_t pub[32], channel[32] = {201};

	kit_new(&kit, l, policy);
	kit_key(&kit, pub, boss_sk);
	assert_int_equal(kit_enroll(&kit, "boss", ROLE_APPROVE, channel, pub, "bea"), DECIDE_ENTRY);
	channel[0] = 202;
	assert_int_equal(kit_enroll(&kit, "soc", ROLE_SIGNAL, channel, NULL, NULL), DECIDE_ENTRY);
	soc = state_principal_by_name(kit.s, "soc", 3)->id;
}

static void request(struct request *q, const char *action, const char *device, const char *session)
{
	kit_request(q, "ada", action, device, NULL);
	if (session != NULL)
		q->context[q->n_context++] = (struct named_value){
		        .name = {"session", 7}, .type = VALUE_STR, .str = {session, strlen(session)}};
}

static void flag(struct request *q, const char *name)
{
	struct named_value v = {.name = {name, strlen(name)}, .type = VALUE_BOOL, .integer = 1};

	memmove(q->context + 1, q->context, q->n_context++ * sizeof(v)); /* Names are sorted: these are the first. */
	q->context[0] = v;
}

static unsigned ask(const char *action, const char *device, const char *session)
{
	struct request q;

	request(&q, action, device, session);
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	return kit.out->verdict;
}

/* Proves it: the grant's index. */
static uint64_t prove(const char *action, const char *device, const char *session)
{
	assert_int_equal(ask(action, device, session), VERDICT_STEP_UP);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, kit.out->index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	return kit.out->index;
}

static bool covered(const char *action, const char *device, const char *session)
{
	struct check_result r;
	struct request q;

	request(&q, action, device, session);
	return decide_check_grant(kit.s, kit.now_ms, &q, &r) == 0;
}

static void assert_refused(enum decide_outcome outcome, int err)
{
	if (outcome != DECIDE_REFUSED || kit.out->err != err)
		fail_msg("outcome %d err %d (%s), not %d", outcome, kit.out->err, kit.out->text, err);
}

static enum decide_outcome signal_outside(unsigned event, unsigned about, unsigned level, const char *session,
                                          const char *device, const char *credential)
{
	uint8_t payload[2048];
	struct outside o = {.event = event,
	                    .about = about,
	                    .level = level,
	                    .subject_type = {"user", 4},
	                    .subject_id = {"ada", 3},
	                    .session = {session, session != NULL ? strlen(session) : 0},
	                    .device = {device, device != NULL ? strlen(device) : 0},
	                    .credential = {credential, credential != NULL ? strlen(credential) : 0},
	                    .event_ms = kit.now_ms,
	                    .reason = {"stolen", 6}};
	size_t len;

	assert_int_equal(outside_encode(&o, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_OUTSIDE, soc, NULL, payload, len, NULL, 0);
}

static enum decide_outcome revoke(uint64_t index, const char *subject)
{
	uint8_t signed_[1024], payload[1024], sig[64];
	struct grant_revoke g = {.one = subject == NULL, .index = index, .reason = {"over", 4}};
	size_t len;

	if (subject != NULL) {
		g.subject_type = (struct text){"user", 4};
		g.subject_id = (struct text){subject, strlen(subject)};
	}
	g.admin = (struct admin_signature){
	        .name = {"root", 4}, .sequence = ++kit.sequence, .expiry_ms = kit.now_ms + 60000};
	assert_int_equal(grant_revoke_encode_signed(&g, signed_, sizeof(signed_), &len), 0);
	kit_sign(&kit, COMMAND_GRANT_REVOKE, &g.admin, signed_, len, sig);
	assert_int_equal(grant_revoke_encode(&g, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_GRANT_REVOKE, KIT_ADMIN, NULL, payload, len, NULL, 0);
}

static void bought_by_evidence(void **state)
{
	struct request q;
	struct field f;

	(void)state;
	setup_with(NULL);
	prove("deploy", "laptop", "s1");
	assert_true(kit_field(&kit, FIELD_GRANT, &f));
	assert_true(covered("deploy-model", "laptop", "s1"));
	assert_int_equal(ask("deploy-model", "laptop", "s1"), VERDICT_ALLOW);
	assert_true(kit_field(&kit, FIELD_GRANT, &f));
	/* Another session, device, action, resource or person: it does not count. */
	assert_int_equal(ask("deploy", "laptop", "s2"), VERDICT_STEP_UP);
	assert_int_equal(ask("deploy", "laptop", NULL), VERDICT_STEP_UP);
	assert_int_equal(ask("deploy", "tablet", "s1"), VERDICT_STEP_UP);
	assert_int_equal(ask("secret", "laptop", "s1"), VERDICT_STEP_UP);
	request(&q, "deploy", "laptop", "s1");
	q.resource_id = (struct text){"other", 5};
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	request(&q, "deploy", "laptop", "s1");
	q.actor_type = (struct text){"agent", 5};
	q.actor_id = (struct text){"bot", 3};
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	/* A deny stands. */
	request(&q, "deploy", "laptop", "s1");
	flag(&q, "freeze");
	q.context[0].name = (struct text){"freeze", 6};
	struct named_value first = q.context[0];
	q.context[0] = q.context[1];
	q.context[1] = first; /* device, freeze, session */
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_DENY);
	/* Its time is over. */
	kit.now_ms += 899999;
	assert_true(covered("deploy", "laptop", "s1"));
	kit.now_ms += 1;
	assert_false(covered("deploy", "laptop", "s1"));
	assert_int_equal(ask("deploy", "laptop", "s1"), VERDICT_STEP_UP);
	/* What it would be bound to is not named: none opens. */
	prove("deploy", "laptop", NULL);
	assert_false(kit_field(&kit, FIELD_GRANT, &f));
	kit_free(&kit);
}

static void bought_by_approvals(void **state)
{
	struct field f;

	(void)state;
	setup_with(NULL);
	assert_int_equal(ask("merge", "laptop", "s1"), VERDICT_DEFER);
	assert_int_equal(kit_say(&kit, "boss", kit.out->index, SAY_APPROVE, "", boss_sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	assert_true(kit_field(&kit, FIELD_GRANT, &f));
	assert_int_equal(ask("merge", "tablet", "s1"), VERDICT_ALLOW);
	assert_int_equal(ask("merge", "laptop", "s2"), VERDICT_DEFER);
	assert_int_equal(ask("deploy", "laptop", "s1"), VERDICT_STEP_UP); /* It has no level. */
	kit_free(&kit);
}

static void ended(void **state)
{
	struct request q;
	uint64_t index;

	(void)state;
	setup_with(NULL);
	/* By the administrator: one, all of a subject; there must be one. */
	index = prove("deploy", "laptop", "s1");
	assert_refused(revoke(index + 1, NULL), CS_ERR_NOT_FOUND);
	assert_int_equal(revoke(index, NULL), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_GRANT_REVOKED);
	assert_int_equal(ask("deploy", "laptop", "s1"), VERDICT_STEP_UP);
	assert_refused(revoke(0, "ada"), CS_ERR_NOT_FOUND);
	prove("deploy", "laptop", "s1");
	prove("tune", "laptop", "s1");
	assert_int_equal(revoke(0, "ada"), DECIDE_ENTRY);
	assert_false(covered("deploy", "laptop", "s1"));
	assert_false(covered("tune", "laptop", "s1"));
	/* By a rise of the risk: for good, not for the one request. */
	prove("deploy", "laptop", "s1");
	request(&q, "deploy", "laptop", "s1");
	flag(&q, "danger");
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	assert_false(covered("deploy", "laptop", "s1"));
	/* By a policy that has the rule no more. */
	prove("deploy", "laptop", "s1");
	assert_int_equal(kit_policy(&kit, "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 5000}\nrules:\n"
	                                  "- {id: prove, match: {action: 'deploy*'}, verdict: step_up}\n"),
	                 DECIDE_ENTRY);
	assert_int_equal(ask("deploy", "laptop", "s1"), VERDICT_STEP_UP);
	assert_int_equal(kit_policy(&kit, policy), DECIDE_ENTRY);
	assert_true(covered("deploy", "laptop", "s1"));
	/* By the end of the key that bought it. */
	assert_int_equal(kit_remove(&kit, "ada-key"), DECIDE_ENTRY);
	assert_int_equal(ask("deploy", "laptop", "s1"), VERDICT_STEP_UP);
	kit_free(&kit);
}

static void of_the_disabled(void **state)
{
	struct people_change c = person_of("user:ada", 0, NULL, NULL, NULL);

	(void)state;
	setup_with(NULL);
	prove("tune", NULL, NULL);
	assert_true(covered("tune", NULL, NULL));
	assert_int_equal(order_people(&kit, &c, 1), DECIDE_ENTRY);
	assert_true(covered("tune", NULL, NULL));
	c = change_of(PEOPLE_DISABLE, "user:ada");
	assert_int_equal(order_people(&kit, &c, 1), DECIDE_ENTRY);
	assert_false(covered("tune", NULL, NULL));
	assert_int_equal(ask("tune", NULL, NULL), VERDICT_DENY);
	kit_free(&kit);
}

static void from_outside(void **state)
{
	(void)state;
	setup_with(NULL);
	prove("deploy", "laptop", "s1");
	prove("deploy", "laptop", "s2");
	assert_int_equal(signal_outside(OUTSIDE_SESSION_REVOKED, ABOUT_SESSION, 0, "s1", NULL, NULL), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_OUTSIDE);
	assert_false(covered("deploy", "laptop", "s1"));
	assert_true(covered("deploy", "laptop", "s2"));
	/* Of a level that the policy names, about the device, the user. */
	assert_int_equal(signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_DEVICE, OUTSIDE_MEDIUM, NULL, "tablet", NULL),
	                 DECIDE_ENTRY);
	assert_true(covered("deploy", "laptop", "s2"));
	assert_int_equal(signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_USER, OUTSIDE_LOW, NULL, NULL, NULL), DECIDE_ENTRY);
	assert_true(covered("deploy", "laptop", "s2"));
	assert_int_equal(signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_DEVICE, OUTSIDE_MEDIUM, NULL, "laptop", NULL),
	                 DECIDE_ENTRY);
	assert_false(covered("deploy", "laptop", "s2"));
	/* Credentials and assurance. */
	prove("deploy", "laptop", "s2");
	assert_int_equal(signal_outside(OUTSIDE_CREDENTIAL_CHANGE, ABOUT_USER, 0, NULL, NULL, "other-key"),
	                 DECIDE_ENTRY);
	assert_true(covered("deploy", "laptop", "s2"));
	assert_int_equal(signal_outside(OUTSIDE_CREDENTIAL_CHANGE, ABOUT_USER, 0, NULL, NULL, "ada-key"), DECIDE_ENTRY);
	assert_false(covered("deploy", "laptop", "s2"));
	prove("deploy", "laptop", "s2");
	assert_int_equal(signal_outside(OUTSIDE_ASSURANCE_LEVEL, ABOUT_USER, OUTSIDE_LOW, NULL, NULL, NULL),
	                 DECIDE_ENTRY);
	assert_true(covered("deploy", "laptop", "s2")); /* It proved no more than possession. */
	/* Only for those with the role. */
	uint64_t was = soc;
	soc = KIT_GATEWAY;
	assert_refused(signal_outside(OUTSIDE_CREDENTIAL_CHANGE, ABOUT_USER, 0, NULL, NULL, NULL),
	               CS_ERR_NOT_PERMITTED);
	soc = was;
	/* Shapes that mean nothing. */
	uint8_t payload[512];
	struct outside o = {.event = OUTSIDE_RISK_LEVEL,
	                    .about = ABOUT_SESSION,
	                    .level = OUTSIDE_HIGH,
	                    .subject_type = {"user", 4},
	                    .subject_id = {"ada", 3}};
	size_t len;
	assert_int_equal(outside_encode(&o, payload, sizeof(payload), &len), CS_ERR_INVALID);
	kit_free(&kit);
}

/* What is told of a device, a session and the user is held against requests, until it is taken back. */
static void warnings(void **state)
{
	struct grant_query g;
	struct request q;

	(void)state;
	setup_with(NULL);
	request(&q, "deploy", "laptop", "s1");
	grant_query_init(&g, &q, kit.now_ms);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_NONE);
	signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_DEVICE, OUTSIDE_MEDIUM, NULL, "laptop", NULL);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_MEDIUM);
	signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_SESSION, OUTSIDE_HIGH, "s2", NULL, NULL);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_MEDIUM);
	signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_USER, OUTSIDE_HIGH, NULL, NULL, NULL);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_HIGH);
	int64_t value = 0;
	ask("deploy", "laptop", "s1");
	assert_true(kit_signal(&kit, SIGNAL_OUTSIDE_RISK, &value));
	assert_int_equal(value, 2);
	signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_USER, OUTSIDE_MEDIUM, NULL, NULL, NULL);
	signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_USER, OUTSIDE_LOW, NULL, NULL, NULL);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_MEDIUM);
	signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_DEVICE, OUTSIDE_LOW, NULL, "laptop", NULL);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_NONE);
	struct state *copy = kit_reload(kit.s, NULL);
	state_free(kit.s);
	kit.s = copy;
	request(&q, "deploy", "laptop", "s2");
	grant_query_init(&g, &q, kit.now_ms);
	assert_int_equal(outside_level(kit.s, &g), OUTSIDE_HIGH);
	kit_free(&kit);
}

static void tables_full(void **state)
{
	static const struct state_limits small = {.standing_max = 4, .standing_per_principal_max = 2};
	char session[8];
	struct field f;

	(void)state;
	setup_with(&small);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(session, sizeof(session), "s%u", i);
		prove("deploy", "laptop", session);
		assert_int_equal(kit_field(&kit, FIELD_GRANT, &f), i < 2);
	}
	/* Signals have a quota of their own; one that finds no place ends grants all the same. */
	for (unsigned i = 0; i < 3; i++) {
		snprintf(session, sizeof(session), "t%u", i);
		assert_int_equal(signal_outside(OUTSIDE_SESSION_REVOKED, ABOUT_SESSION, 0, session, NULL, NULL),
		                 DECIDE_ENTRY);
	}
	assert_true(covered("deploy", "laptop", "s0"));
	assert_int_equal(signal_outside(OUTSIDE_RISK_LEVEL, ABOUT_USER, OUTSIDE_HIGH, NULL, NULL, NULL), DECIDE_ENTRY);
	assert_false(covered("deploy", "laptop", "s0"));
	/* Expired ones make room. */
	prove("deploy", "laptop", "s7");
	kit.now_ms += 900000;
	prove("deploy", "laptop", "s8");
	prove("deploy", "laptop", "s9");
	assert_true(covered("deploy", "laptop", "s9"));
	kit_free(&kit);
}

/* What they make comes out again. */
#define REPLAYED(f) cmocka_unit_test_setup_teardown(f, replay_setup, replay_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
	        REPLAYED(bought_by_evidence), REPLAYED(bought_by_approvals), REPLAYED(ended),
	        REPLAYED(of_the_disabled),    REPLAYED(from_outside),        REPLAYED(warnings),
	        cmocka_unit_test(tables_full)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
