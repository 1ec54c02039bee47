/* Tests of erasures in decide: who may order one, what holds keep, what is forgotten, when it is over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/erasure.h"
#include "node/decide/state.h"
#include "tests/order_kit.h"

static const char policy[] =
        "version: 2\nbias: -9000\nthresholds: {step_up: 0, deny: 5000}\n"
        "rules:\n- {id: by-risk, verdict: risk}\n"
        "- {id: prove, match: {action: deploy}, verdict: step_up,\n"
        "   grant: {for: 15m, scope: {action: deploy, resource: '*'}, bind: []}}\n"
        "- {id: boss, match: {action: merge}, verdict: defer, defer: {approvals: {needed: 1, from: [boss]}}}\n";

static struct kit kit;
static uint8_t boss_sk[64];

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static int setup(void **state)
{
	uint8_t pub[32], channel[32] = {201};

	(void)state;
	kit_new(&kit, NULL, policy);
	kit_key(&kit, pub, boss_sk);
	assert_int_equal(kit_enroll(&kit, "boss", ROLE_APPROVE, channel, pub, "bea"), DECIDE_ENTRY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_free(&kit);
	return 0;
}

/* By root, and the approver with it if `both`. */
static enum decide_outcome sign(unsigned type, const void *elements, size_t len, bool both)
{
	const struct signer signers[] = {{.name = "boss", .sk = boss_sk}, {.name = "root", .sk = kit.admin_sk}};

	return order_apply(&kit, type, KIT_ADMIN, elements, len, 6, both ? signers : signers + 1, both ? 2 : 1);
}

static enum decide_outcome erase(const char *user, const char *reason, bool both)
{
	static const uint8_t blind[32] = {7};
	struct erase_order o = {.target = ERASE_SUBJECT,
	                        .subject_type = text("user"),
	                        .subject_id = text(user),
	                        .fields = ERASE_FIELDS_ALL,
	                        .blind = blind,
	                        .reason = text(reason)};
	uint8_t elements[1024];
	size_t len;

	assert_int_equal(erase_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	return sign(COMMAND_ERASE, elements, len, both);
}

static enum decide_outcome erase_entry(uint64_t index, uint64_t fields)
{
	static const uint8_t blind[32] = {7};
	struct erase_order o = {
	        .target = ERASE_ENTRY, .index = index, .fields = fields, .blind = blind, .reason = text("by mistake")};
	uint8_t elements[1024];
	size_t len;

	assert_int_equal(erase_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	return sign(COMMAND_ERASE, elements, len, true);
}

static enum decide_outcome hold(unsigned action, const char *user, uint64_t index, unsigned kind, uint64_t keep_ms,
                                bool both)
{
	struct hold_order o = {
	        .action = action, .index = index, .kind = kind, .keep_ms = keep_ms, .reason = text("a lawsuit")};
	uint8_t elements[1024];
	size_t len;

	if (user != NULL) {
		o.subject_type = text("user");
		o.subject_id = text(user);
	}
	assert_int_equal(hold_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	return sign(COMMAND_HOLD, elements, len, both);
}

static enum decide_outcome done(uint64_t node, uint64_t index)
{
	struct erasure_done o = {node, index, 3, 1};
	uint8_t payload[64];
	size_t len;

	assert_int_equal(erasure_done_encode(&o, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_ERASURE_DONE, 0, NULL, payload, len, NULL, 0);
}

static enum decide_outcome sweep(unsigned kind, uint64_t end, uint64_t cutoff_ms)
{
	struct retention_sweep o = {kind, end, cutoff_ms};
	uint8_t payload[64];
	size_t len;

	assert_int_equal(retention_sweep_encode(&o, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_ERASE, 0, NULL, payload, len, NULL, 0);
}

static void refused(enum decide_outcome outcome, int err, const char *says)
{
	order_refused(&kit, outcome, err, says);
}

static const struct erasure *under_way(void)
{
	return keeping_due(state_keeping(kit.s), 1);
}

static uint64_t ask(const char *user, const char *action, const char *actor)
{
	struct request q;

	kit_request(&q, user, action, "laptop", "192.0.2.1");
	if (actor != NULL) {
		q.actor_type = text("user");
		q.actor_id = text(actor);
	}
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	return kit.out->index;
}

/* What the erasure under way takes of the entry just made. */
static uint64_t takes(const struct erasure *e, bool *held)
{
	return erasure_fields(state_keeping(kit.s), e, kit.out->leaf, kit.out->leaf_len, kit.out->body,
	                      kit.out->body_len, held);
}

enum { RECORD_NONE, RECORD_THERE, RECORD_GONE };

static int note(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	int *found = ctx;

	(void)key_len, (void)value_len;
	if (*(const uint8_t *)key == found[0])
		found[1] = value != NULL ? RECORD_THERE : RECORD_GONE;
	return 0;
}

/* What the next write-back makes of the records of this kind. */
static int record_of(uint8_t kind)
{
	int found[2] = {kind, RECORD_NONE};

	assert_int_equal(state_take_dirty(kit.s, note, found), 0);
	return found[1];
}

/* --- tests --- */

static void three_persons(void **state)
{
	(void)state;
	ask("cyd", "read", NULL);
	refused(erase("cyd", "asked for", false), CS_ERR_NOT_PERMITTED, "two persons");
	refused(erase("bea", "asked for", true), CS_ERR_NOT_PERMITTED, "boss signed, and it is boss's own data");
	refused(erase("root", "asked for", true), CS_ERR_NOT_PERMITTED, "root asks, and it is root's own data");
	refused(erase("cyd", "cyd asked for it", true), CS_ERR_INVALID, "the reason names the subject");
	refused(erase("ada", "asked for", true), CS_ERR_CONFLICT, "ada-key is enrolled for this subject");
	assert_int_equal(erase("cyd", "asked for", true), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_ERASED);
	/* Neither its leaf nor its body tells whom it is about. */
	assert_null(memmem(kit.out->leaf, kit.out->leaf_len, "cyd", 3));
	assert_null(memmem(kit.out->body, kit.out->body_len, "cyd", 3));
	assert_int_equal(kit_remove(&kit, "ada-key"), DECIDE_ENTRY);
	assert_int_equal(erase("ada", "asked for", true), DECIDE_ENTRY);
}

static void one_person_twice(void **state)
{
	uint8_t pub[32], sk[64], channel[32] = {202}, elements[1024], blind[32] = {1};
	struct erase_order o = {.target = ERASE_ENTRY, .index = 1, .fields = 4, .blind = blind, .reason = text("so")};
	size_t len;

	(void)state;
	kit_key(&kit, pub, sk);
	assert_int_equal(kit_enroll(&kit, "bea-admin", ROLE_ADMINISTER, channel, pub, "bea"), DECIDE_ENTRY);
	assert_int_equal(erase_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	const struct signer signers[] = {{.name = "bea-admin", .sk = sk}, {.name = "boss", .sk = boss_sk}};
	refused(order_apply(&kit, COMMAND_ERASE, KIT_ADMIN, elements, len, 6, signers, 2), CS_ERR_NOT_PERMITTED,
	        "are one person");
	/* An approver alone, or two of them, are no administrator. */
	refused(order_apply(&kit, COMMAND_ERASE, KIT_ADMIN, elements, len, 6, signers + 1, 1), CS_ERR_NOT_PERMITTED,
	        "needs 1 of 2 administrators");
	const struct signer gateway = {.name = "gateway", .sk = sk};
	refused(order_apply(&kit, COMMAND_ERASE, KIT_ADMIN, elements, len, 6, &gateway, 1), CS_ERR_NOT_PERMITTED,
	        "not by an administrator");
}

static int count_cyd(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	unsigned *n = ctx;

	(void)key, (void)key_len;
	*n += value != NULL && memmem(value, value_len, "cyd", 3) != NULL;
	return 0;
}

/* A state that is being taken bit by bit while the erasure is applied is the one of before. */
static void taken_meanwhile(void **state)
{
	unsigned waiting = 0;

	(void)state;
	ask("cyd", "deploy", NULL);
	ask("cyd", "merge", NULL);
	state_take_begin(kit.s, count_cyd, &waiting);
	assert_int_equal(erase("cyd", "asked for", true), DECIDE_ENTRY);
	while (state_take_some(kit.s, 1) == 0)
		;
	assert_int_equal(waiting, 2); /* The challenge, and what waits for an approval. */
}

static void forgotten(void **state)
{
	struct check_result r;
	struct challenge c;
	struct request q;
	struct field f;

	(void)state;
	ask("cyd", "read", NULL);
	ask("cyd", "read", NULL);
	uint8_t key[HASH_SIZE];
	subject_key(key, text("user"), text("cyd"));
	assert_true(subject_past(kit.s, subject_find(kit.s, key))->profile.trained > 0);
	uint64_t challenge = ask("cyd", "deploy", NULL), waits = ask("cyd", "merge", NULL),
	         other = ask("dan", "deploy", NULL);
	assert_true(state_challenge(kit.s, challenge, &c));
	assert_non_null(deferred_find(kit.s, waits));
	assert_int_equal(erase("cyd", "asked for", true), DECIDE_ENTRY);
	uint64_t erased = kit.out->index;
	assert_false(state_challenge(kit.s, challenge, &c));
	assert_true(state_challenge(kit.s, other, &c));
	assert_null(deferred_find(kit.s, waits));
	kit_request(&q, "cyd", "deploy", "laptop", NULL);
	assert_int_equal(decide_check_grant(kit.s, kit.now_ms, &q, &r), CS_ERR_NOT_FOUND);
	assert_int_equal(subject_past(kit.s, subject_find(kit.s, key))->profile.trained, 0);
	/* It begins anew, and the chain says behind what. */
	ask("cyd", "read", NULL);
	assert_true(kit_field(&kit, FIELD_SUBJECT_CHAIN, &f));
	uint8_t expected[16];
	struct writer w;
	writer_init(&w, expected, sizeof(expected));
	writer_array(&w, 2);
	writer_uint(&w, erased);
	writer_uint(&w, 0);
	assert_int_equal(f.value_len, w.len);
	assert_memory_equal(f.value, expected, w.len);
	uint64_t first = kit.out->index;
	ask("cyd", "read", NULL);
	assert_true(kit_field(&kit, FIELD_SUBJECT_CHAIN, &f));
	writer_init(&w, expected, sizeof(expected));
	writer_array(&w, 2);
	writer_uint(&w, first);
	writer_uint(&w, 1);
	assert_memory_equal(f.value, expected, w.len);
}

static void fields(void **state)
{
	bool held;

	(void)state;
	assert_int_equal(erase("cyd", "asked for", true), DECIDE_ENTRY);
	struct erasure e = *under_way();
	assert_int_equal(e.end, kit.out->index);
	e.end = UINT64_MAX; /* As if it came after what follows. */
	e.index = STATE_INDEX_MAX;
	ask("cyd", "read", NULL);
	assert_true(takes(&e, &held) == ERASE_FIELDS_ALL);
	ask("dan", "read", "cyd");
	uint64_t mask = takes(&e, &held);
	assert_true(mask & ERASE_FIELD(FIELD_ACTOR) && mask & ERASE_FIELD(FIELD_ACTOR_CHAIN));
	assert_true(mask & ERASE_FIELD(FIELD_BLIND)); /* With it the digest would confirm a guess. */
	assert_false(mask & ERASE_FIELD(FIELD_SUBJECT) || mask & ERASE_FIELD(FIELD_ACTION));
	ask("dan", "read", NULL);
	assert_int_equal(takes(&e, &held), 0);
	assert_false(held);
	/* In the table of people, as who is changed, or who is acted for. */
	struct people_change c[] = {person_of("user:zoe", 0, NULL, NULL, NULL),
	                            person_of("agent:bot", PERSON_AGENT, NULL, "user:zoe", "user:cyd")};
	assert_int_equal(order_people(&kit, c, 2), DECIDE_ENTRY);
	mask = takes(&e, &held);
	assert_true(mask & ERASE_FIELD(FIELD_GROUPS) && mask & ERASE_FIELD(FIELD_EVIDENCE));
	assert_false(mask & ERASE_FIELD(FIELD_CLIENT));
	/* By age. */
	struct erasure old = {.index = STATE_INDEX_MAX,
	                      .target = ERASE_RETENTION,
	                      .end = UINT64_MAX,
	                      .kind = ENTRY_DECISION,
	                      .cutoff_ms = kit.now_ms};
	ask("dan", "read", NULL);
	assert_true(takes(&old, &held) == ERASE_FIELDS_ALL);
	old.cutoff_ms--;
	assert_int_equal(takes(&old, &held), 0);
	old.cutoff_ms++;
	old.kind = ENTRY_IMPORTED;
	assert_int_equal(takes(&old, &held), 0);
	/* One entry's. */
	struct erasure one = {.index = STATE_INDEX_MAX,
	                      .target = ERASE_ENTRY,
	                      .first = kit.out->index,
	                      .end = kit.out->index + 1,
	                      .fields = ERASE_FIELD(FIELD_DEVICE)};
	assert_true(takes(&one, &held) == ERASE_FIELD(FIELD_DEVICE));
	one.first++;
	assert_int_equal(takes(&one, &held), 0);
}

static void held(void **state)
{
	bool kept;

	(void)state;
	ask("cyd", "read", NULL);
	assert_int_equal(hold(HOLD_SET, "cyd", 0, 0, 0, false), DECIDE_ENTRY);
	uint64_t first = kit.out->index;
	refused(hold(HOLD_SET, "cyd", 0, 0, 0, false), CS_ERR_EXISTS, "a hold is set on this subject");
	refused(erase("cyd", "asked for", true), CS_ERR_NOT_PERMITTED, "a hold is set on this subject");
	/* An erasure that was ordered before is not undone by it. */
	struct erasure before = {.index = first, .target = ERASE_RETENTION, .end = UINT64_MAX, .kind = ENTRY_DECISION};
	struct erasure after = before;
	before.cutoff_ms = after.cutoff_ms = UINT64_MAX;
	after.index = first + 1;
	ask("cyd", "read", NULL);
	assert_true(takes(&before, &kept) == ERASE_FIELDS_ALL && !kept);
	assert_true(takes(&after, &kept) == 0 && kept);
	ask("dan", "read", "cyd"); /* Whom it names besides does not matter. */
	assert_true(takes(&after, &kept) == 0 && kept);
	refused(hold(HOLD_LIFT, NULL, first, 0, 0, false), CS_ERR_NOT_PERMITTED, "two persons");
	refused(hold(HOLD_LIFT, NULL, first + 1, 0, 0, true), CS_ERR_NOT_FOUND, "no hold is in force");
	assert_int_equal(hold(HOLD_LIFT, NULL, first, 0, 0, true), DECIDE_ENTRY);
	assert_int_equal(erase("cyd", "asked for", true), DECIDE_ENTRY);
	/* The next hold is not in time for it. */
	assert_int_equal(hold(HOLD_SET, "cyd", 0, 0, 0, false), DECIDE_ENTRY);
	struct erasure e = *under_way();
	assert_null(keeping_held(state_keeping(kit.s), e.subject, e.index));
	/* One lifted while an erasure from before is under way keeps what it kept. */
	uint64_t second = kit.out->index;
	assert_int_equal(erase_entry(1, ERASE_FIELDS_ALL), DECIDE_ENTRY);
	uint64_t between = kit.out->index;
	assert_int_equal(hold(HOLD_LIFT, NULL, second, 0, 0, true), DECIDE_ENTRY);
	assert_non_null(keeping_held(state_keeping(kit.s), e.subject, between));
	assert_null(keeping_held(state_keeping(kit.s), e.subject, kit.out->index + 1));
	assert_int_equal(done(1, e.index), DECIDE_ENTRY);
	assert_int_equal(done(1, between), DECIDE_ENTRY);
	assert_null(keeping_held(state_keeping(kit.s), e.subject, between)); /* Its name is gone. */
}

static void over(void **state)
{
	(void)state;
	assert_int_equal(erase("cyd", "asked for", true), DECIDE_ENTRY);
	uint64_t index = kit.out->index;
	struct state *again = kit_reload(kit.s, NULL);
	assert_int_equal(keeping_due(state_keeping(again), 1)->index, index);
	assert_memory_equal(keeping_due(state_keeping(again), 1)->subject, under_way()->subject, HASH_SIZE);
	state_free(again);
	refused(done(2, index), CS_ERR_NOT_FOUND, "none of that index waits");
	refused(done(1, index + 1), CS_ERR_NOT_FOUND, "none of that index waits");
	assert_int_equal(done(1, index), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_ERASURE_DONE);
	assert_int_equal(keeping_under_way(state_keeping(kit.s)), 0);
	refused(done(1, index), CS_ERR_NOT_FOUND, "none of that index waits");
	assert_int_equal(record_of('e'), RECORD_GONE);
	for (unsigned i = 0; i < ERASURES_MAX; i++)
		assert_int_equal(erase_entry(1, ERASE_FIELD(FIELD_CLIENT)), DECIDE_ENTRY);
	refused(erase_entry(1, ERASE_FIELD(FIELD_CLIENT)), CS_ERR_OVERLOADED, "64 erasures are under way");
}

static void by_age(void **state)
{
	struct state_head head;

	(void)state;
	ask("cyd", "read", NULL);
	state_head(kit.s, &head);
	refused(sweep(ENTRY_DECISION, head.size, 0), CS_ERR_INVALID, "kept for ever");
	refused(hold(HOLD_RETENTION, NULL, 0, ENTRY_DECISION, KIT_DAY_MS, false), CS_ERR_NOT_PERMITTED, "two persons");
	assert_int_equal(hold(HOLD_RETENTION, NULL, 0, ENTRY_DECISION, KIT_DAY_MS, true), DECIDE_ENTRY);
	refused(sweep(ENTRY_DECISION, head.size, kit.now_ms), CS_ERR_INVALID, "younger than they are kept");
	kit.now_ms += 2 * KIT_DAY_MS;
	refused(sweep(ENTRY_DECISION, head.size + 9, 5), CS_ERR_INVALID, "goes on from entry 0");
	assert_int_equal(sweep(ENTRY_DECISION, head.size, kit.now_ms - KIT_DAY_MS), DECIDE_ENTRY);
	assert_int_equal(under_way()->target, ERASE_RETENTION);
	refused(sweep(ENTRY_DECISION, head.size, kit.now_ms - KIT_DAY_MS), CS_ERR_INVALID, "goes on from entry");
	/* Only the nodes themselves order that. */
	struct retention_sweep o = {ENTRY_DECISION, head.size + 1, 5};
	uint8_t payload[64];
	size_t len;
	assert_int_equal(retention_sweep_encode(&o, payload, sizeof(payload), &len), 0);
	assert_int_equal(kit_apply(&kit, COMMAND_ERASE, KIT_ADMIN, NULL, payload, len, NULL, 0), DECIDE_REFUSED);
	/* A hold that is lifted: what it kept is passed over again. */
	assert_int_equal(hold(HOLD_SET, "cyd", 0, 0, 0, false), DECIDE_ENTRY);
	assert_int_equal(hold(HOLD_LIFT, NULL, kit.out->index, 0, 0, true), DECIDE_ENTRY);
	assert_int_equal(state_keeping(kit.s)->retentions[ENTRY_DECISION].swept, 0);
	struct state *again = kit_reload(kit.s, NULL);
	assert_int_equal(state_keeping(again)->retentions[ENTRY_DECISION].keep_ms, KIT_DAY_MS);
	assert_int_equal(state_keeping(again)->retentions[ENTRY_DECISION].swept, 0);
	state_free(again);
	assert_int_equal(hold(HOLD_RETENTION, NULL, 0, ENTRY_DECISION, 0, true), DECIDE_ENTRY);
	assert_int_equal(record_of('o'), RECORD_GONE);
}

/* An older cluster, until it switches the feature on. */
static void without_the_feature(void **state)
{
	(void)state;
	kit_free(&kit);
	kit_new(&kit, NULL, kit_policy_1());
	refused(hold(HOLD_SET, "cyd", 0, 0, 0, false), CS_ERR_NOT_READY, "records");
	assert_int_equal(order_feature(&kit, "records"), DECIDE_ENTRY);
	assert_int_equal(hold(HOLD_SET, "cyd", 0, 0, 0, false), DECIDE_ENTRY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(three_persons), TEST(one_person_twice), TEST(taken_meanwhile),
	                                   TEST(forgotten),     TEST(fields),           TEST(held),
	                                   TEST(over),          TEST(by_age),           TEST(without_the_feature)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
