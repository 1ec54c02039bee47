/* decide: the story, challenges, request ids, imports, administrators, and what a reload must not change. */
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
#include "node/decide/policy.h"
#include "node/decide/signals.h"
#include "tests/decide_kit.h"

#define LAPTOP "laptop-1"
#define OFFICE "192.0.2.10"

static struct kit kit;

static void assert_verdict(unsigned verdict)
{
	if (kit.out->verdict != verdict)
		fail_msg("verdict %s, risk %d, %s", verdict_text(kit.out->verdict), kit.out->risk, kit.out->text);
}

static void assert_refused(enum decide_outcome outcome, int err)
{
	if (outcome != DECIDE_REFUSED || kit.out->err != err)
		fail_msg("outcome %d err %d (%s), not %d", outcome, kit.out->err, kit.out->text, err);
	assert_true(kit.out->text[0] != 0);
}

static void at(unsigned day, unsigned hour, unsigned minute)
{
	kit.now_ms = KIT_START_MS + day * KIT_DAY_MS + hour * KIT_HOUR_MS + minute * UINT64_C(60000);
}

static uint64_t ask(const char *action, const char *device, const char *ip)
{
	assert_int_equal(kit_ask_for(&kit, "ada", action, device, ip), DECIDE_ENTRY);
	return kit.out->index;
}

/* A working week of ada's: she proves who she is once, and works from nine to five. */
static void working_week_of(const char *policy)
{
	kit_new(&kit, NULL, policy);
	at(0, 8, 50);
	ask("train", LAPTOP, OFFICE);
	assert_verdict(VERDICT_STEP_UP); /* A new subject is no free pass. */
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, kit.out->index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	for (unsigned day = 0; day < 5; day++)
		for (unsigned hour = 9; hour < 17; hour++) {
			at(day, hour, 5);
			ask(hour % 3 == 0 ? "deploy" : "train", LAPTOP, OFFICE);
			assert_verdict(VERDICT_ALLOW);
		}
}

static void working_week(void)
{
	working_week_of(NULL);
}

static void the_story(void **state)
{
	int64_t v;

	(void)state;
	working_week();
	/* 2:13 a.m., a device never seen, from somewhere else. */
	at(8, 2, 13);
	uint64_t challenge = ask("deploy", "kali", "203.0.113.66");
	assert_verdict(VERDICT_STEP_UP);
	assert_true(kit_signal(&kit, SIGNAL_NEW_DEVICE, &v));
	assert_true(kit_signal(&kit, SIGNAL_NEW_NETWORK, &v));
	assert_true(kit_signal(&kit, SIGNAL_SENSITIVE_ACTION, &v));
	assert_true(kit_signal(&kit, SIGNAL_ODD_HOUR, &v));
	assert_int_equal(v, 2);
	assert_int_equal(kit.out->risk, 2400 + 800 + 600 + 800 - 2000);
	/* The attacker signs with a key of their own. */
	uint8_t pub[32], sk[64];
	kit_key(&kit, pub, sk);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_ANSWER);
	assert_verdict(VERDICT_DENY);
	assert_false(kit.out->has_evidence);
	/* Tries again and again: each failure counts, in the end it is a deny at once. */
	for (int i = 1; i <= 3; i++) {
		challenge = ask("deploy", "kali", "203.0.113.66");
		assert_verdict(VERDICT_STEP_UP);
		assert_int_equal(kit.out->risk, 2600 + i * 700);
		assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", sk), DECIDE_ENTRY);
		assert_verdict(VERDICT_DENY);
	}
	ask("deploy", "kali", "203.0.113.66");
	assert_verdict(VERDICT_DENY);
	assert_int_equal(kit.out->risk, 5100);
	/* Next morning: same laptop as ever, no friction. */
	at(8, 9, 2);
	ask("deploy", LAPTOP, OFFICE);
	assert_verdict(VERDICT_ALLOW);
	assert_int_equal(kit.out->risk, -200); /* The numbers that node/POLICY.md tells. */
	/* From a new laptop: step_up, the key, allow, and the laptop is known from then on. */
	challenge = ask("deploy", "laptop-2", OFFICE);
	assert_verdict(VERDICT_STEP_UP);
	assert_int_equal(kit.out->risk, 2800);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	assert_true(kit.out->has_evidence);
	evidence_verify_ed25519(&kit.out->evidence);
	assert_true(kit.out->evidence.found.verified);
	ask("deploy", "laptop-2", OFFICE);
	assert_verdict(VERDICT_ALLOW);
	assert_int_equal(kit.out->risk, -2300);
	assert_false(kit_signal(&kit, SIGNAL_FAILED_CHALLENGES, &v)); /* She proved herself. */
	kit_free(&kit);
}

static void challenges(void **state)
{
	struct challenge c;
	uint8_t pub[32], sk[64], channel[32] = {9};

	(void)state;
	working_week();
	at(7, 10, 0);
	uint64_t index = ask("deploy", "new", OFFICE);
	assert_verdict(VERDICT_STEP_UP);
	assert_true(state_challenge(kit.s, index, &c));
	assert_int_equal(c.principal, KIT_GATEWAY);
	assert_string_equal(c.level, "possession");
	assert_int_equal(c.expiry_ms, kit.now_ms + 300000);
	/* Only who asked may answer. */
	assert_int_equal(kit_enroll(&kit, "gateway-2", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	assert_refused(kit_answer(&kit, kit.out->index, index, "ada-key", kit.device_sk), CS_ERR_UNAUTHENTICATED);
	assert_refused(
	        kit_answer(&kit, state_principal_by_name(kit.s, "gateway-2", 9)->id, index, "ada-key", kit.device_sk),
	        CS_ERR_NOT_PERMITTED);
	assert_refused(kit_answer(&kit, KIT_GATEWAY, index + 1, "ada-key", kit.device_sk), CS_ERR_NOT_FOUND);
	/* Somebody else's key is no proof, and the challenge is gone with it. */
	kit_key(&kit, pub, sk);
	assert_int_equal(kit_enroll(&kit, "bob-key", ROLE_DEVICE, NULL, pub, "bob"), DECIDE_ENTRY);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, index, "bob-key", sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_refused(kit_answer(&kit, KIT_GATEWAY, index, "ada-key", kit.device_sk), CS_ERR_NOT_FOUND);
	/* Late. */
	index = ask("deploy", "new", OFFICE);
	kit.now_ms += 300001;
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_false(kit.out->has_evidence);
	/* So late that nobody remembers. */
	index = ask("deploy", "new", OFFICE);
	kit.now_ms += 1200000;
	ask("train", LAPTOP, OFFICE);
	assert_refused(kit_answer(&kit, KIT_GATEWAY, index, "ada-key", kit.device_sk), CS_ERR_NOT_FOUND);
	kit_free(&kit);
}

/* The leader found the evidence good, but the key is removed before the command is applied. */
static void credential_moved(void **state)
{
	uint8_t payload[512], facts[16], evidence[64] = {0};
	struct writer w;
	size_t len, facts_len;

	(void)state;
	working_week();
	at(7, 10, 0);
	uint64_t index = ask("deploy", "new", OFFICE);
	uint64_t version = state_principal(kit.s, KIT_DEVICE)->version;
	struct answer a = {.challenge = index,
	                   .method = {"ed25519", 7},
	                   .credential = {"ada-key", 7},
	                   .evidence = evidence,
	                   .evidence_len = 64};
	assert_int_equal(answer_encode(&a, payload, sizeof(payload), &len), 0);
	writer_init(&w, facts, sizeof(facts));
	writer_array(&w, 3);
	writer_bool(&w, true);
	writer_uint(&w, KIT_DEVICE);
	writer_uint(&w, version + 1);
	assert_int_equal(writer_end(&w, &facts_len), 0);
	assert_refused(kit_apply(&kit, COMMAND_ANSWER, KIT_GATEWAY, NULL, payload, len, facts, facts_len),
	               CS_ERR_CONFLICT);
	assert_int_equal(kit_remove(&kit, "ada-key"), DECIDE_ENTRY);
	facts[facts_len - 1] = (uint8_t)version;
	assert_refused(kit_apply(&kit, COMMAND_ANSWER, KIT_GATEWAY, NULL, payload, len, facts, facts_len),
	               CS_ERR_CONFLICT);
	/* Another person's credential, though the leader swears it verified: failed. */
	uint8_t pub[32], sk[64];
	kit_key(&kit, pub, sk);
	assert_int_equal(kit_enroll(&kit, "bob-key", ROLE_DEVICE, NULL, pub, "bob"), DECIDE_ENTRY);
	const struct principal *bob = state_principal_by_name(kit.s, "bob-key", 7);
	a.credential = (struct text){"bob-key", 7};
	assert_int_equal(answer_encode(&a, payload, sizeof(payload), &len), 0);
	writer_init(&w, facts, sizeof(facts));
	writer_array(&w, 3);
	writer_bool(&w, true);
	writer_uint(&w, bob->id);
	writer_uint(&w, bob->version);
	assert_int_equal(writer_end(&w, &facts_len), 0);
	assert_int_equal(kit_apply(&kit, COMMAND_ANSWER, KIT_GATEWAY, NULL, payload, len, facts, facts_len),
	                 DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_false(kit.out->has_evidence);
	kit_free(&kit);
}

static enum decide_outcome again(const uint8_t id[16], const char *action)
{
	uint8_t payload[REQUEST_SIZE_MAX];
	struct request q;
	size_t len;

	kit_request(&q, "ada", action, LAPTOP, OFFICE);
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, id, payload, len, NULL, 0);
}

/* A fresh id whose time is so far from now. */
static void id_at(uint8_t ret[16], int64_t ms)
{
	kit.now_ms += (uint64_t)ms;
	kit_next_id(&kit, ret);
	kit.now_ms -= (uint64_t)ms;
}

static enum decide_outcome ask_as(uint64_t principal, const struct request *q)
{
	uint8_t payload[REQUEST_SIZE_MAX];
	size_t len;

	assert_int_equal(request_encode(q, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_DECIDE, principal, NULL, payload, len, NULL, 0);
}

static void request_ids(void **state)
{
	struct state_head before, after;
	struct recorded r;
	struct check_result check;
	uint8_t id[16], other[16];

	(void)state;
	working_week();
	at(7, 10, 0);
	kit_next_id(&kit, id);
	assert_int_equal(again(id, "train"), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	uint64_t index = kit.out->index;
	state_head(kit.s, &before);
	assert_int_equal(again(id, "train"), DECIDE_REPEAT);
	assert_int_equal(kit.out->index, index);
	assert_verdict(VERDICT_ALLOW);
	assert_refused(again(id, "deploy"), CS_ERR_CONFLICT);
	state_head(kit.s, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(state_recorded(kit.s, KIT_GATEWAY, id, &r));
	assert_int_equal(r.index, index);
	/* Asked again later: it stands as long as the policy says. */
	assert_int_equal(decide_check(kit.s, kit.now_ms + 299999, KIT_GATEWAY, id, &check), 0);
	assert_true(check.stands);
	assert_int_equal(decide_check(kit.s, kit.now_ms + 300000, KIT_GATEWAY, id, &check), 0);
	assert_false(check.stands);
	assert_int_equal(decide_check(kit.s, kit.now_ms, KIT_IMPORTER, id, &check), CS_ERR_NOT_FOUND);
	/* The answer's entry takes the place of its decision's. */
	uint64_t challenge = ask("deploy", "new", OFFICE);
	memcpy(other, kit.last_id, 16);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_true(state_recorded(kit.s, KIT_GATEWAY, other, &r));
	assert_int_equal(r.index, kit.out->index);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	/* Too far ahead, at the edge, too old. */
	id_at(other, 5001);
	assert_refused(again(other, "train"), CS_ERR_EXPIRED);
	id_at(other, 5000);
	assert_int_equal(again(other, "train"), DECIDE_ENTRY);
	assert_true(state_recorded(kit.s, KIT_GATEWAY, other, &r));
	assert_int_equal(r.time_ms, kit.now_ms);
	kit.now_ms += 605000; /* Its own time is 600 s past: still remembered. */
	assert_int_equal(again(other, "train"), DECIDE_REPEAT);
	kit.now_ms += 1;
	assert_refused(again(other, "train"), CS_ERR_EXPIRED);
	assert_refused(again(id, "train"), CS_ERR_EXPIRED);
	/* That was refused, so it changed nothing: a leader whose clock lags gets the recorded answer still. */
	kit.now_ms -= 10000;
	assert_int_equal(again(other, "train"), DECIDE_REPEAT);
	id_at(other, -600000);
	assert_int_equal(again(other, "train"), DECIDE_ENTRY); /* The oldest that may be new. */
	assert_true(state_recorded(kit.s, KIT_GATEWAY, other, &r));
	assert_int_equal(r.time_ms, kit.now_ms);
	kit_free(&kit);
}

#define OPEN_POLICY "version: 1\nthresholds: {step_up: 90000, deny: 100000}\nrules: [{id: all, verdict: allow}]\n"

/* A client's quota of 20: the oldest is forgotten, and what is as old is refused from then on. */
static void answers_are_forgotten(void **state)
{
	static const struct state_limits l = {.requests_max = 40, .requests_per_principal_max = 20};
	uint8_t ids[30][16], id[16];
	struct request q;

	(void)state;
	kit_new(&kit, &l, OPEN_POLICY);
	kit_request(&q, "s5", "train", LAPTOP, OFFICE);
	for (unsigned i = 0; i < 30; i++, kit.now_ms += 200) {
		kit_next_id(&kit, ids[i]);
		assert_int_equal(again(ids[i], "train"), DECIDE_ENTRY);
	}
	for (unsigned i = 10; i < 30; i++)
		assert_int_equal(again(ids[i], "train"), DECIDE_REPEAT);
	for (unsigned i = 0; i < 10; i++) {
		assert_refused(again(ids[i], "train"), CS_ERR_EXPIRED);
		assert_non_null(strstr(kit.out->text, "ledger"));
	}
	/* A fresh id as old as the newest forgotten one could be a retry for all that is known; one above it is new. */
	id_at(id, -4200);
	assert_memory_equal(id, ids[9], 6);
	assert_refused(again(id, "train"), CS_ERR_EXPIRED);
	id_at(id, -4199);
	assert_int_equal(again(id, "train"), DECIDE_ENTRY);
	/* It took the place of the oldest. */
	assert_refused(again(ids[10], "train"), CS_ERR_EXPIRED);
	/* Another client was touched by none of this: neither its quota nor its watermark. */
	for (unsigned i = 0; i < 17; i++)
		assert_int_equal(kit_import(&kit, &q, kit.now_ms - 5), DECIDE_ENTRY);
	/* The table is full (3 of root's, 20, 17): now the oldest of all goes, which is root's. */
	assert_int_equal(kit_import(&kit, &q, kit.now_ms - 5), DECIDE_ENTRY);
	assert_int_equal(again(ids[11], "train"), DECIDE_REPEAT);
	kit_free(&kit);
}

/* Nothing younger than 2 s is forgotten: rather is a new request refused, and may come again. */
static void the_youngest_are_kept(void **state)
{
	static const struct state_limits l = {.requests_max = 40, .requests_per_principal_max = 20};
	uint8_t first[16], id[16];

	(void)state;
	kit_new(&kit, &l, OPEN_POLICY);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(kit_ask_for(&kit, "ada", "train", LAPTOP, OFFICE), DECIDE_ENTRY);
		if (i == 0)
			memcpy(first, kit.last_id, 16);
	}
	kit_next_id(&kit, id);
	kit.now_ms += 1999;
	assert_refused(again(id, "train"), CS_ERR_OVERLOADED);
	kit.now_ms += 1;
	assert_int_equal(again(id, "train"), DECIDE_ENTRY);
	assert_int_equal(again(id, "train"), DECIDE_REPEAT);
	assert_refused(again(first, "train"), CS_ERR_EXPIRED);
	/* 5 s ahead of time: when its turn comes it holds its client up for as long, and no other. */
	kit.now_ms += 10000;
	id_at(id, 5000);
	assert_int_equal(again(id, "train"), DECIDE_ENTRY);
	for (unsigned i = 0; i < 19; i++)
		assert_int_equal(kit_ask_for(&kit, "ada", "train", LAPTOP, OFFICE), DECIDE_ENTRY);
	kit.now_ms += 6999;
	assert_refused(kit_ask_for(&kit, "ada", "train", LAPTOP, OFFICE), CS_ERR_OVERLOADED);
	assert_int_equal(again(id, "train"), DECIDE_REPEAT);
	kit.now_ms += 1;
	assert_int_equal(kit_ask_for(&kit, "ada", "train", LAPTOP, OFFICE), DECIDE_ENTRY);
	assert_refused(again(id, "train"), CS_ERR_EXPIRED);
	kit_free(&kit);
}

/*
 * For long at the highest rate that the table bears, with ids up to 500 ms apart from the cluster's clock in any order:
 * no new request is refused, and a retry is never carried out again.
 */
static void in_flight_ids_pass(void **state)
{
	static const struct state_limits l = {
	        .subjects_max = 4, .requests_max = 1500, .requests_per_principal_max = 1050};
	static uint8_t ids[20000][16];
	unsigned repeats = 0, refused = 0;

	(void)state;
	kit_new(&kit, &l, OPEN_POLICY);
	for (unsigned i = 0; i < 20000; i++) { /* 400 a second: 1,050 in 2.6 s. */
		kit.now_ms += i % 2 == 0 ? 5 : 0;
		id_at(ids[i], (int64_t)(i * UINT64_C(2654435761) % 1001) - 500);
		assert_int_equal(again(ids[i], "train"), DECIDE_ENTRY);
		if (i % 16 != 0)
			continue;
		if (again(ids[i * UINT64_C(40503) % (i + 1)], "train") == DECIDE_REPEAT)
			repeats++;
		else
			refused += kit.out->outcome == DECIDE_REFUSED && kit.out->err == CS_ERR_EXPIRED;
	}
	assert_int_equal(repeats + refused, 20000 / 16);
	assert_true(repeats > 50 && refused > 50);
	kit_free(&kit);
}

/* One client leaves room for the others, by number and by bytes. */
static void challenge_quotas(void **state)
{
	static const struct state_limits l = {.challenges_max = 4, .challenges_per_principal_max = 3};
	uint8_t channel[32] = {9};
	struct request q;
	uint64_t first = 0;

	(void)state;
	kit_new(&kit, &l, NULL);
	assert_int_equal(kit_enroll(&kit, "gateway-2", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	uint64_t other = state_principal_by_name(kit.s, "gateway-2", 9)->id;
	kit_request(&q, "ada", "train", LAPTOP, OFFICE);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
		assert_verdict(VERDICT_STEP_UP);
		first = i == 0 ? kit.out->index : first;
	}
	assert_refused(kit_ask(&kit, &q), CS_ERR_OVERLOADED);
	assert_non_null(strstr(kit.out->text, "of this client"));
	assert_int_equal(ask_as(other, &q), DECIDE_ENTRY);
	assert_refused(ask_as(other, &q), CS_ERR_OVERLOADED);
	assert_non_null(strstr(kit.out->text, "of all clients"));
	/* Answered, rightly or not, it makes room at once, though older ones are still open. */
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, first + 1, "ada-key", kit.admin_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_int_equal(ask_as(other, &q), DECIDE_ENTRY);
	struct state *copy = kit_reload(kit.s, &l);
	state_free(kit.s);
	kit.s = copy;
	assert_refused(ask_as(other, &q), CS_ERR_OVERLOADED);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, first, "ada-key", kit.admin_sk), DECIDE_ENTRY);
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	kit.now_ms += 660000; /* In time they are forgotten. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_int_equal(ask_as(other, &q), DECIDE_ENTRY);
	kit_free(&kit);
}

/* A client whose quota is used up by what has outlived its time need not wait until older ones are cleared away. */
static void outlived_quota(void **state)
{
	static const struct state_limits l = {.challenges_max = 400, .challenges_per_principal_max = 100};
	uint8_t channel[32] = {9};
	struct request q;

	(void)state;
	kit_new(&kit, &l, NULL);
	assert_int_equal(kit_enroll(&kit, "gateway-2", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	uint64_t other = state_principal_by_name(kit.s, "gateway-2", 9)->id;
	kit_request(&q, "ada", "train", LAPTOP, OFFICE);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(ask_as(i < 100 ? other : KIT_GATEWAY, &q), DECIDE_ENTRY);
	assert_refused(kit_ask(&kit, &q), CS_ERR_OVERLOADED);
	kit.now_ms += 660000;
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	kit_free(&kit);
}

static void challenge_bytes(void **state)
{
	static char value[REQUEST_STR_SIZE_MAX], names[REQUEST_CONTEXT_MAX][2];
	uint8_t channel[32] = {9}, payload[REQUEST_SIZE_MAX];
	struct request q;
	size_t len, n = 0;

	(void)state;
	kit_new(&kit, NULL, NULL);
	assert_int_equal(kit_enroll(&kit, "gateway-2", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	uint64_t other = state_principal_by_name(kit.s, "gateway-2", 9)->id;
	memset(value, 'x', sizeof(value));
	kit_request(&q, "ada", "train", NULL, NULL);
	for (; q.n_context < REQUEST_CONTEXT_MAX; q.n_context++) {
		names[q.n_context][0] = (char)('a' + q.n_context);
		q.context[q.n_context] = (struct named_value){
		        .name = {names[q.n_context], 1}, .type = VALUE_STR, .str = {value, sizeof(value)}};
	}
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	while (kit_ask(&kit, &q) == DECIDE_ENTRY)
		n++;
	assert_refused(kit.out->outcome, CS_ERR_OVERLOADED);
	assert_non_null(strstr(kit.out->text, "bytes in the open challenges of this client"));
	assert_int_equal(n, (32 << 20) / len);
	assert_int_equal(ask_as(other, &q), DECIDE_ENTRY);
	kit_free(&kit);
}

/* What a removed client leaves behind outlives even its place in the table of principals. */
static void removed_clients(void **state)
{
	static const struct state_limits l = {
	        .principals_max = 6, .requests_max = 12, .requests_per_principal_max = 12};
	uint8_t channel[32] = {9};
	struct challenge c;
	struct request q;

	(void)state;
	kit_new(&kit, &l, NULL);
	assert_int_equal(kit_enroll(&kit, "gateway-2", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	uint64_t other = state_principal_by_name(kit.s, "gateway-2", 9)->id;
	kit_request(&q, "ada", "train", LAPTOP, OFFICE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask_as(other, &q), DECIDE_ENTRY);
	uint64_t open = kit.out->index;
	assert_int_equal(kit_remove(&kit, "gateway-2"), DECIDE_ENTRY);
	assert_int_equal(kit_enroll(&kit, "gateway-3", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	assert_null(state_principal(kit.s, other));
	uint64_t third = state_principal_by_name(kit.s, "gateway-3", 9)->id;
	for (unsigned i = 0; i < 30; i++, kit.now_ms += 30000) {
		assert_int_equal(state_challenge(kit.s, open, &c), i <= 22);
		assert_int_equal(ask_as(third, &q), DECIDE_ENTRY);
		if (i != 1)
			continue;
		struct state *copy = kit_reload(kit.s, &l);
		state_free(kit.s);
		kit.s = copy;
	}
	kit_free(&kit);
}

/* Each reason is a text for the user, empty where there is nothing to tell, and one for the administrator. */
static void reasons(void **state)
{
	struct field f;
	struct reader r;
	uint32_t n;
	unsigned empty = 0;

	(void)state;
	for (unsigned id = 1; id <= SIGNAL_MAX; id++) {
		if (signal_key(id) == NULL)
			continue; /* No signal has this number. */
		assert_non_null(signal_reason_user(id));
		assert_memory_equal(signal_reason_admin(id), signal_key(id), strlen(signal_key(id)));
	}
	working_week();
	at(7, 10, 0);
	ask("deploy", "new", OFFICE); /* New device; known address; sensitive. */
	assert_true(kit_field(&kit, FIELD_REASONS, &f));
	reader_init(&r, f.value, f.value_len);
	reader_array(&r, 64, &n);
	assert_int_equal(n, 5); /* Of the risk, of the place, of each signal; the rule has none. */
	for (uint32_t i = 0; i < n; i++) {
		const char *user, *admin;
		size_t user_len, admin_len;
		reader_array_exact(&r, 2);
		reader_str(&r, 256, &user, &user_len);
		reader_str(&r, 256, &admin, &admin_len);
		assert_int_equal(r.err, 0);
		assert_true(admin_len > 0);
		empty += user_len == 0;
	}
	assert_int_equal(reader_end(&r), 0);
	assert_int_equal(empty, 2); /* Of the place there is nothing to tell the user. */
	kit_free(&kit);
}

static void tables_are_bounded(void **state)
{
	struct state_limits l = {
	        .subjects_max = 4, .principals_max = 8, .challenges_max = 3, .challenges_per_principal_max = 3};
	char name[16];

	(void)state;
	kit_new(&kit, &l, NULL);
	/* New subjects: step_up each, until no more challenges may be open. */
	for (unsigned i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		assert_int_equal(kit_ask_for(&kit, name, "train", LAPTOP, OFFICE), DECIDE_ENTRY);
	}
	assert_refused(kit_ask_for(&kit, "s3", "train", LAPTOP, OFFICE), CS_ERR_OVERLOADED);
	kit.now_ms += 1200000; /* They are forgotten in time, not before. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(kit_ask_for(&kit, "s3", "train", LAPTOP, OFFICE), DECIDE_ENTRY);
	assert_refused(kit_ask_for(&kit, "s3", "train", LAPTOP, OFFICE), CS_ERR_OVERLOADED);
	/* Principals: eight, then a removed one makes room. */
	uint8_t key[32] = {1};
	for (unsigned i = 0; i < 3; i++, key[0]++) {
		snprintf(name, sizeof(name), "p%u", i);
		assert_int_equal(kit_enroll(&kit, name, ROLE_AUDIT, key, NULL, NULL), DECIDE_ENTRY);
	}
	assert_refused(kit_enroll(&kit, "p3", ROLE_AUDIT, key, NULL, NULL), CS_ERR_OVERLOADED);
	assert_int_equal(kit_remove(&kit, "p0"), DECIDE_ENTRY);
	assert_non_null(state_principal(kit.s, 6));
	assert_int_equal(kit_enroll(&kit, "p3", ROLE_AUDIT, key, NULL, NULL), DECIDE_ENTRY);
	assert_null(state_principal(kit.s, 6));
	assert_int_equal(state_principal_by_name(kit.s, "p3", 2)->id, 9);
	kit_free(&kit);
}

static void eviction_is_by_use(void **state)
{
	struct state_limits l = {.subjects_max = 3};
	static const char open_policy[] =
	        "version: 1\nthresholds: {step_up: 90000, deny: 100000}\nrules: [{id: all, verdict: allow}]\n";
	int64_t v;

	(void)state;
	kit_new(&kit, &l, open_policy);
	kit_ask_for(&kit, "a", "x", LAPTOP, OFFICE);
	kit_ask_for(&kit, "b", "x", LAPTOP, OFFICE);
	kit_ask_for(&kit, "c", "x", LAPTOP, OFFICE);
	kit_ask_for(&kit, "a", "x", LAPTOP, OFFICE);
	assert_false(kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v));
	kit_ask_for(&kit, "d", "x", LAPTOP, OFFICE); /* b goes. */
	struct state *copy = kit_reload(kit.s, &l);
	state_free(kit.s);
	kit.s = copy;
	kit_ask_for(&kit, "c", "x", LAPTOP, OFFICE);
	assert_false(kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v));
	kit_ask_for(&kit, "b", "x", LAPTOP, OFFICE); /* a goes: after the reload too it is the least recently used. */
	assert_true(kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v));
	kit_ask_for(&kit, "c", "x", LAPTOP, OFFICE);
	assert_false(kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v));
	kit_ask_for(&kit, "d", "x", LAPTOP, OFFICE);
	assert_false(kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v));
	kit_ask_for(&kit, "a", "x", LAPTOP, OFFICE);
	assert_true(kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v));
	kit_free(&kit);
}

static bool seen(const char *device, const char *ip, unsigned signal)
{
	int64_t v;

	ask("train", device, ip);
	return kit_signal(&kit, signal, &v);
}

static void only_allowed_trains(void **state)
{
	(void)state;
	working_week();
	at(7, 10, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_true(seen("other", OFFICE, SIGNAL_NEW_DEVICE)); /* step_up each time: nothing is learnt. */
	/* Addresses: allowed, so learnt, but one new one a day without proof. */
	assert_true(seen(LAPTOP, "192.0.2.11", SIGNAL_NEW_ADDRESS));
	assert_false(seen(LAPTOP, "192.0.2.11", SIGNAL_NEW_ADDRESS));
	assert_true(seen(LAPTOP, "192.0.2.12", SIGNAL_NEW_ADDRESS));
	assert_true(seen(LAPTOP, "192.0.2.12", SIGNAL_NEW_ADDRESS));
	at(8, 10, 0);
	assert_true(seen(LAPTOP, "192.0.2.12", SIGNAL_NEW_ADDRESS));
	assert_false(seen(LAPTOP, "192.0.2.12", SIGNAL_NEW_ADDRESS));
	kit_free(&kit);
}

static void addresses(void **state)
{
	static const struct {
		const char *ip;
		unsigned signal;
	} cases[] = {
	        {OFFICE, SIGNAL_KNOWN_ADDRESS},
	        {"192.0.2.77", SIGNAL_NEW_ADDRESS},
	        {"::ffff:192.0.2.10", SIGNAL_KNOWN_ADDRESS},
	        {"192.0.3.10", SIGNAL_NEW_NETWORK},
	        {"2001:db8:1::1", SIGNAL_NEW_NETWORK},
	        {"not an address", SIGNAL_NEW_NETWORK},
	        {NULL, SIGNAL_NO_ADDRESS},
	};
	int64_t v;

	(void)state;
	working_week();
	at(7, 10, 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask("deploy", "unknown device", cases[i].ip); /* step_up: teaches nothing. */
		if (!kit_signal(&kit, cases[i].signal, &v))
			fail_msg("case %u", i);
	}
	/* IPv6: learnt with proof; the same /48 is the same network, however it is written. */
	uint64_t challenge = ask("deploy", "unknown device", "2001:db8:1::1");
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	ask("deploy", "another", "2001:DB8:1:0:0:0:0:1");
	assert_true(kit_signal(&kit, SIGNAL_KNOWN_ADDRESS, &v));
	ask("deploy", "another", "2001:db8:1:ffff::9");
	assert_true(kit_signal(&kit, SIGNAL_NEW_ADDRESS, &v));
	ask("deploy", "another", "2001:db8:2::1");
	assert_true(kit_signal(&kit, SIGNAL_NEW_NETWORK, &v));
	ask("deploy", NULL, OFFICE);
	assert_true(kit_signal(&kit, SIGNAL_NO_DEVICE, &v));
	assert_verdict(VERDICT_STEP_UP);
	kit_free(&kit);
}

static void velocity_and_mfa(void **state)
{
	struct request q;
	int64_t v = 0;

	(void)state;
	working_week();
	at(7, 10, 0);
	for (unsigned i = 0; i < 120; i++)
		assert_false(seen(LAPTOP, OFFICE, SIGNAL_VELOCITY));
	assert_true(seen(LAPTOP, OFFICE, SIGNAL_VELOCITY));
	for (unsigned i = 0; i < 120; i++)
		seen(LAPTOP, OFFICE, SIGNAL_VELOCITY);
	assert_true(kit_signal(&kit, SIGNAL_VELOCITY, &v));
	assert_int_equal(v, 2);
	kit.now_ms += 600000; /* Two half-lives. */
	assert_false(seen(LAPTOP, OFFICE, SIGNAL_VELOCITY));
	kit_request(&q, "ada", "train", LAPTOP, OFFICE);
	q.context[q.n_context++] = (struct named_value){.name = {"mfa", 3}, .type = VALUE_BOOL, .integer = 1};
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_true(kit_signal(&kit, SIGNAL_MFA, &v));
	q.context[q.n_context - 1].integer = 0;
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_true(kit_signal(&kit, SIGNAL_NO_MFA, &v));
	at(7 + 40, 10, 0);
	assert_true(seen(LAPTOP, OFFICE, SIGNAL_DORMANT));
	assert_false(seen(LAPTOP, OFFICE, SIGNAL_DORMANT));
	kit_free(&kit);
}

static void imports(void **state)
{
	struct request q;
	struct field f;
	int64_t v;

	(void)state;
	kit_new(&kit, NULL, NULL);
	at(10, 12, 0);
	kit_request(&q, "eve", "train", LAPTOP, OFFICE);
	for (unsigned day = 0; day < 7; day++) {
		assert_int_equal(kit_import(&kit, &q, KIT_START_MS + day * KIT_DAY_MS + 11 * KIT_HOUR_MS),
		                 DECIDE_ENTRY);
		assert_int_equal(kit.out->kind, ENTRY_IMPORTED);
		assert_verdict(0);
		assert_false(kit_field(&kit, FIELD_CHALLENGE, &f));
		assert_true(kit_field(&kit, FIELD_SOURCE, &f));
	}
	assert_refused(kit_import(&kit, &q, kit.now_ms + 1), CS_ERR_INVALID);
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_verdict(VERDICT_ALLOW);
	assert_true(kit_signal(&kit, SIGNAL_IMPORTED_HISTORY, &v));
	assert_true(kit_signal(&kit, SIGNAL_IMPORTED_DEVICE, &v));
	assert_false(kit_signal(&kit, SIGNAL_DORMANT, &v));
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_true(kit_signal(&kit, SIGNAL_KNOWN_DEVICE, &v)); /* Now from a decision. */
	/* Their velocity is their own, at their own time. */
	for (unsigned i = 0; i < 200; i++)
		kit_import(&kit, &q, KIT_START_MS + 8 * KIT_DAY_MS);
	assert_true(kit_signal(&kit, SIGNAL_VELOCITY, &v));
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_false(kit_signal(&kit, SIGNAL_VELOCITY, &v));
	/* Only who may import does. */
	uint8_t payload[1024];
	size_t len;
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	assert_refused(kit_apply(&kit, COMMAND_IMPORT, KIT_GATEWAY, NULL, payload, len, NULL, 0), CS_ERR_NOT_PERMITTED);
	assert_refused(kit_apply(&kit, COMMAND_DECIDE, KIT_IMPORTER, NULL, payload, len, NULL, 0),
	               CS_ERR_NOT_PERMITTED);
	/* Many imports never push out what decisions taught. */
	for (unsigned i = 0; i < 30; i++) {
		char device[16];
		snprintf(device, sizeof(device), "d%u", i);
		q.context[0].str = (struct text){device, strlen(device)};
		assert_int_equal(kit_import(&kit, &q, kit.now_ms), DECIDE_ENTRY);
	}
	q.context[0].str = (struct text){LAPTOP, strlen(LAPTOP)};
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	assert_true(kit_signal(&kit, SIGNAL_KNOWN_DEVICE, &v));
	kit_free(&kit);
}

static void read_chain(unsigned kind, bool *ret_first, uint64_t *ret_last, uint64_t *ret_count)
{
	struct field f;
	struct reader r;

	assert_true(kit_field(&kit, kind, &f));
	reader_init(&r, f.value, f.value_len);
	reader_array_exact(&r, 2);
	*ret_first = reader_nil(&r);
	if (!*ret_first)
		reader_uint(&r, UINT64_MAX, ret_last);
	reader_uint(&r, UINT64_MAX, ret_count);
	assert_int_equal(reader_end(&r), 0);
}

static void chains(void **state)
{
	struct request q;
	uint64_t last = 0, count = 9, before;
	bool first;

	(void)state;
	kit_new(&kit, NULL, NULL);
	kit_request(&q, "ada", "train", LAPTOP, OFFICE);
	q.actor_type = (struct text){"agent", 5};
	q.actor_id = (struct text){"helper", 6};
	kit_ask(&kit, &q);
	read_chain(FIELD_SUBJECT_CHAIN, &first, &last, &count);
	assert_true(first);
	assert_int_equal(count, 0);
	before = kit.out->index;
	kit_ask_for(&kit, "bob", "train", LAPTOP, OFFICE);
	q.subject_id = (struct text){"bob", 3};
	kit_ask(&kit, &q);
	read_chain(FIELD_ACTOR_CHAIN, &first, &last, &count);
	assert_false(first);
	assert_int_equal(last, before);
	assert_int_equal(count, 1);
	read_chain(FIELD_SUBJECT_CHAIN, &first, &last, &count);
	assert_int_equal(last, before + 1);
	assert_int_equal(count, 1);
	kit_free(&kit);
}

static void decided_by(const char *rules, const char *action, unsigned verdict)
{
	char yaml[2048];

	snprintf(yaml, sizeof(yaml), "version: 1\nbias: 0\nthresholds: {step_up: 20000, deny: 30000}\nrules:\n%s",
	         rules);
	assert_int_equal(kit_policy(&kit, yaml), DECIDE_ENTRY);
	ask(action, LAPTOP, OFFICE);
	assert_verdict(verdict);
}

static void rules_decide(void **state)
{
	struct field f;

	(void)state;
	working_week();
	decided_by("- {id: a, match: {action: other}, verdict: allow}\n", "train", VERDICT_DENY); /* None matches. */
	decided_by("- {id: a, weight: 5}\n", "train", VERDICT_DENY); /* None says anything. */
	decided_by("- {id: a, verdict: allow}\n", "train", VERDICT_ALLOW);
	decided_by("- {id: a, verdict: risk}\n", "train", VERDICT_ALLOW);
	decided_by("- {id: a, verdict: risk}\n- {id: b, weight: 25000}\n", "train", VERDICT_STEP_UP);
	decided_by("- {id: a, verdict: risk}\n- {id: b, weight: 35000}\n", "train", VERDICT_DENY);
	decided_by("- {id: a, verdict: allow}\n- {id: b, weight: 35000}\n", "train",
	           VERDICT_ALLOW); /* Risk has no say. */
	decided_by("- {id: a, verdict: risk}\n- {id: b, verdict: step_up, match: {action: 'tr*'}}\n", "train",
	           VERDICT_STEP_UP);
	decided_by("- {id: a, verdict: step_up, match: {action: 'tr*'}}\n- {id: b, verdict: deny, match: {context: "
	           "{device: 'lap*'}}}\n",
	           "train", VERDICT_DENY);
	/* deny stands, whatever is proven. */
	decided_by("- {id: a, verdict: risk}\n- {id: b, weight: 25000}\n", "train", VERDICT_STEP_UP);
	uint64_t challenge = kit.out->index;
	decided_by("- {id: a, verdict: deny}\n", "train", VERDICT_DENY);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_DENY);
	assert_true(kit.out->has_evidence);
	/* Obligations and rule ids are public. */
	decided_by("- {id: the-rule, verdict: allow, obligations: [{type: notification, id: oncall}], reason_user: "
	           "hello}\n",
	           "train", VERDICT_ALLOW);
	assert_non_null(memmem(kit.out->leaf, kit.out->leaf_len, "oncall", 6));
	assert_non_null(memmem(kit.out->leaf, kit.out->leaf_len, "the-rule", 8));
	assert_null(memmem(kit.out->leaf, kit.out->leaf_len, "hello", 5));
	assert_null(memmem(kit.out->leaf, kit.out->leaf_len, "ada", 3)); /* Nothing private is. */
	assert_true(kit_field(&kit, FIELD_REASONS, &f));
	assert_non_null(memmem(f.value, f.value_len, "hello", 5));
	kit_free(&kit);
}

/* A policy that demands more than the key proves: step_up still stands, with a new challenge. */
static void higher_level_stands(void **state)
{
	static const char yaml[] = "version: 1\nthresholds: {step_up: 0, deny: 30000}\n"
	                           "rules: [{id: a, verdict: step_up, challenge: {expires: 77s}}]\n";
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	uint8_t signed_[8192], payload[8192], sig[64];
	struct policy_error where;
	struct policy_set p = {.source = (const uint8_t *)yaml, .source_len = sizeof(yaml) - 1, .compiled = compiled};
	size_t len;

	(void)state;
	working_week();
	uint64_t challenge = ask("deploy", "new", OFFICE);
	assert_verdict(VERDICT_STEP_UP);
	/* No YAML says so in this version, for it could never be answered: level 1 becomes 2 in the compiled form. */
	assert_int_equal(policy_compile(yaml, strlen(yaml), compiled, sizeof(compiled), &p.compiled_len, &where), 0);
	uint8_t *at_level = memmem(compiled, p.compiled_len,
	                           "\x93\x01\x91\xa7"
	                           "ed25519\xce\x00\x01\x2c\xc8",
	                           16);
	assert_non_null(at_level);
	at_level[1] = 2;
	p.admin = (struct admin_signature){.name = {"root", 4}, .sequence = ++kit.sequence, .expiry_ms = kit.now_ms};
	assert_int_equal(policy_set_encode_signed(&p, signed_, sizeof(signed_), &len), 0);
	kit_sign(&kit, COMMAND_POLICY_SET, &p.admin, signed_, len, sig);
	assert_int_equal(policy_set_encode(&p, payload, sizeof(payload), &len), 0);
	assert_int_equal(kit_apply(&kit, COMMAND_POLICY_SET, KIT_ADMIN, NULL, payload, len, NULL, 0), DECIDE_ENTRY);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_verdict(VERDICT_STEP_UP);
	struct challenge c;
	assert_true(state_challenge(kit.s, kit.out->index, &c));
	assert_string_equal(c.level, "user_verified");
	assert_false(state_challenge(kit.s, challenge, &c));
	kit_free(&kit);
}

static void administrators(void **state)
{
	uint8_t key[32] = {1}, other[32] = {2}, pub[32], sk[64], signed_[2048], payload[2048], sig[64];
	size_t len;

	(void)state;
	kit_new(&kit, NULL, NULL);
	kit_key(&kit, pub, sk);
	assert_int_equal(kit_enroll(&kit, "x", ROLE_DECIDE | ROLE_AUDIT, key, NULL, NULL), DECIDE_ENTRY);
	assert_true(kit.out->principals_changed);
	assert_refused(kit_enroll(&kit, "x", ROLE_DECIDE, other, NULL, NULL), CS_ERR_EXISTS);
	assert_refused(kit_enroll(&kit, "y", ROLE_DECIDE, key, NULL, NULL), CS_ERR_EXISTS);
	assert_refused(kit_enroll(&kit, "sp ace", ROLE_DECIDE, other, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "node-7", ROLE_DECIDE, other, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", 0, other, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", ROLE_NODE, other, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", 1u << 20, other, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", ROLE_DECIDE, NULL, pub, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", ROLE_ADMINISTER, other, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", ROLE_DEVICE, NULL, pub, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "y", ROLE_DEVICE | ROLE_DECIDE, other, pub, "u"), CS_ERR_INVALID);
	assert_refused(kit_remove(&kit, "nobody"), CS_ERR_NOT_FOUND);
	assert_refused(kit_remove(&kit, "node-1"), CS_ERR_INVALID);
	assert_refused(kit_remove(&kit, "root"), CS_ERR_INVALID); /* The last one. */
	assert_int_equal(kit_enroll(&kit, "second", ROLE_ADMINISTER, other, pub, NULL), DECIDE_ENTRY);
	assert_int_equal(kit_remove(&kit, "x"), DECIDE_ENTRY);
	assert_true(kit.out->principals_changed);
	assert_null(state_principal_by_name(kit.s, "x", 1));
	assert_null(state_principal_by_channel(kit.s, key));
	assert_true(state_principal(kit.s, 6)->removed);
	/* Signatures: the sequence rises, the expiry holds, every byte counts. */
	struct removal r = {.name = {"second", 6},
	                    .admin = {.name = {"root", 4}, .sequence = kit.sequence, .expiry_ms = kit.now_ms}};
	assert_int_equal(removal_encode_signed(&r, signed_, sizeof(signed_), &len), 0);
	for (unsigned i = 0; i < 5; i++) {
		size_t n;
		r.admin.sequence = kit.sequence + (i > 0);
		r.admin.expiry_ms = kit.now_ms - (i == 1);
		r.admin.name = i == 3 ? (struct text){"second", 6} : (struct text){"root", 4};
		kit_sign(&kit, COMMAND_REMOVE, &r.admin, signed_, len, sig);
		sig[0] ^= i == 2;
		assert_int_equal(removal_encode(&r, payload, sizeof(payload), &n), 0);
		static const int expected[] = {CS_ERR_CONFLICT, CS_ERR_EXPIRED, CS_ERR_UNAUTHENTICATED,
		                               CS_ERR_UNAUTHENTICATED};
		enum decide_outcome o = kit_apply(&kit, COMMAND_REMOVE, KIT_ADMIN, NULL, payload, n, NULL, 0);
		if (i < 4)
			assert_refused(o, expected[i]);
		else
			assert_int_equal(o, DECIDE_ENTRY);
	}
	/* Who is no administrator brings nothing. */
	assert_refused(kit_apply(&kit, COMMAND_REMOVE, KIT_GATEWAY, NULL, "\x90", 1, NULL, 0), CS_ERR_NOT_PERMITTED);
	kit_free(&kit);
}

static void genesis(void **state)
{
	static uint8_t payload[65536], leaf[LIMIT_ENTRY_SIZE_MAX];
	struct hash h;
	size_t len, leaf_len;
	struct state_head head;

	(void)state;
	memset(&kit, 0, sizeof(kit));
	kit.now_ms = KIT_START_MS;
	kit.out = malloc(sizeof(*kit.out));
	assert_int_equal(state_new(NULL, &kit.s), 0);
	assert_int_equal(state_loaded(kit.s), 0); /* Nothing loaded is fine. */
	assert_refused(kit_apply(&kit, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0), CS_ERR_NOT_READY);
	len = kit_genesis(&kit, NULL, payload, sizeof(payload));
	assert_int_equal(genesis_leaf(payload, len, leaf, sizeof(leaf), &leaf_len, &h), 0);
	kit.now_ms += 12345; /* Its own time counts. */
	assert_refused(kit_apply(&kit, COMMAND_GENESIS, 7, NULL, payload, len, NULL, 0), CS_ERR_NOT_PERMITTED);
	assert_int_equal(kit_apply(&kit, COMMAND_GENESIS, 0, NULL, payload, len, NULL, 0), DECIDE_ENTRY);
	assert_int_equal(leaf_len, kit.out->leaf_len);
	assert_memory_equal(leaf, kit.out->leaf, leaf_len);
	assert_true(hash_equal(&h, &kit.out->leaf_hash));
	state_head(kit.s, &head);
	assert_int_equal(head.time_ms, KIT_START_MS);
	assert_string_equal(state_origin(kit.s), KIT_ORIGIN);
	assert_int_equal(state_governance(kit.s), 1);
	assert_int_equal(state_principal_by_name(kit.s, "node-1", 6)->roles, ROLE_NODE);
	assert_refused(kit_apply(&kit, COMMAND_GENESIS, 0, NULL, payload, len, NULL, 0), CS_ERR_EXISTS);
	assert_int_equal(kit_apply(&kit, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0), DECIDE_ENTRY);
	kit_free(&kit);
}

/* The bytes of a whole history of before the feature `decisions`, pinned: all builds and compilers must give these. */
static void golden(void **state)
{
	struct state_head head;
	char hex[2 * HASH_SIZE + 1];

	(void)state;
	working_week_of(kit_policy_1());
	at(8, 2, 13);
	uint64_t challenge = ask("deploy", "kali", "203.0.113.66");
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	state_head(kit.s, &head);
	sodium_bin2hex(hex, sizeof(hex), head.last_leaf.b, HASH_SIZE);
	assert_int_equal(head.size, 48);
	assert_string_equal(hex, "5141ae63b7972ef3360299963d44272f9ed73d45874cd6b5e6bec7f19d208cd1");
	kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_story),
	        cmocka_unit_test(challenges),
	        cmocka_unit_test(credential_moved),
	        cmocka_unit_test(request_ids),
	        cmocka_unit_test(answers_are_forgotten),
	        cmocka_unit_test(the_youngest_are_kept),
	        cmocka_unit_test(in_flight_ids_pass),
	        cmocka_unit_test(challenge_quotas),
	        cmocka_unit_test(outlived_quota),
	        cmocka_unit_test(challenge_bytes),
	        cmocka_unit_test(removed_clients),
	        cmocka_unit_test(reasons),
	        cmocka_unit_test(tables_are_bounded),
	        cmocka_unit_test(eviction_is_by_use),
	        cmocka_unit_test(only_allowed_trains),
	        cmocka_unit_test(addresses),
	        cmocka_unit_test(velocity_and_mfa),
	        cmocka_unit_test(imports),
	        cmocka_unit_test(chains),
	        cmocka_unit_test(rules_decide),
	        cmocka_unit_test(higher_level_stands),
	        cmocka_unit_test(administrators),
	        cmocka_unit_test(genesis),
	        cmocka_unit_test(golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
