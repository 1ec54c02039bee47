/* Features: who may switch one on, what is in the ledger and stored of it, and that what is newer stops a replica. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/feature.h"
#include "node/decide/policy.h"
#include "tests/decide_kit.h"

static struct kit kit;

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static enum decide_outcome enable(const char *name, uint64_t principal, unsigned spoil)
{
	uint8_t signed_[256], payload[512], sig[64];
	struct feature_order o = {.name = text(name)};
	size_t len;

	o.admin = (struct admin_signature){
	        .name = text("root"), .sequence = ++kit.sequence, .expiry_ms = kit.now_ms + 1000};
	assert_int_equal(feature_order_encode_signed(&o, signed_, sizeof(signed_), &len), 0);
	kit_sign(&kit, COMMAND_FEATURE, &o.admin, signed_, len, sig);
	sig[0] ^= (uint8_t)spoil;
	assert_int_equal(feature_order_encode(&o, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_FEATURE, principal, NULL, payload, len, NULL, 0);
}

static enum decide_outcome led_by(uint64_t node, const char *version)
{
	const struct build b = {node, text(version)};
	uint8_t payload[64];
	size_t len;

	assert_int_equal(build_encode(&b, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_BUILD, 0, NULL, payload, len, NULL, 0);
}

static void assert_refused(enum decide_outcome outcome, int err)
{
	if (outcome != DECIDE_REFUSED || kit.out->err != err)
		fail_msg("outcome %d err %d (%s), not %d", outcome, kit.out->err, kit.out->text, err);
}

static void assert_newer(enum decide_outcome outcome, const char *says)
{
	if (outcome != DECIDE_NEWER || strstr(kit.out->text, says) == NULL)
		fail_msg("outcome %d: %s", outcome, kit.out->text);
}

static void reload(void)
{
	struct state *copy = kit_reload(kit.s, NULL);

	assert_memory_equal(state_features(copy), state_features(kit.s), sizeof(struct feature_state));
	state_free(kit.s);
	kit.s = copy;
}

static void is_switched_on_once(void **state)
{
	(void)state;
	kit_new(&kit, NULL, NULL);
	assert_refused(enable("builds", KIT_GATEWAY, 0), CS_ERR_NOT_PERMITTED);
	assert_refused(enable("builds", KIT_ADMIN, 1), CS_ERR_UNAUTHENTICATED);
	assert_false(state_feature(kit.s, FEATURE_BUILDS));
	assert_refused(led_by(1, "1.0"), CS_ERR_INVALID); /* Not before. */
	assert_int_equal(enable("builds", KIT_ADMIN, 0), DECIDE_ENTRY);
	kit_check_entry(&kit);
	assert_int_equal(kit.out->kind, ENTRY_FEATURE);
	assert_true(state_feature(kit.s, FEATURE_BUILDS));
	assert_int_equal(state_features(kit.s)->since[FEATURE_BUILDS], kit.out->index);
	reload();
	assert_refused(enable("builds", KIT_ADMIN, 0), CS_ERR_EXISTS);
	kit_free(&kit);
}

static void leaders_name_their_build(void **state)
{
	(void)state;
	kit_new(&kit, NULL, NULL);
	assert_int_equal(enable("builds", KIT_ADMIN, 0), DECIDE_ENTRY);
	assert_int_equal(led_by(2, "1.0"), DECIDE_ENTRY);
	kit_check_entry(&kit);
	assert_int_equal(kit.out->kind, ENTRY_BUILD);
	assert_string_equal(state_features(kit.s)->build, "1.0");
	assert_refused(led_by(3, "1.0"), CS_ERR_EXISTS); /* Another node, the same build: nothing has changed. */
	assert_int_equal(led_by(3, "1.1-longer"), DECIDE_ENTRY);
	assert_int_equal(led_by(2, "1.0"), DECIDE_ENTRY);
	assert_refused(kit_apply(&kit, COMMAND_BUILD, KIT_ADMIN, NULL, "\x92\x01\xa1x", 4, NULL, 0),
	               CS_ERR_NOT_PERMITTED);
	assert_refused(kit_apply(&kit, COMMAND_BUILD, 0, NULL, "\x92\x00\xa1x", 4, NULL, 0), CS_ERR_MALFORMED);
	assert_refused(kit_apply(&kit, COMMAND_BUILD, 0, NULL, "\x92\x01\xa1 ", 4, NULL, 0), CS_ERR_MALFORMED);
	reload();
	kit_free(&kit);
}

static const char old_policy[] = "version: 1\nthresholds: {step_up: 0, deny: 5}\nrules: [{id: all, verdict: risk}]\n";

/* Witnesses are enrolled from the feature `records` on; their key signs checkpoints, and nothing else. */
static void witnesses_need_records(void **state)
{
	static const uint8_t channel[32] = {9}, zero[32] = {0};
	uint8_t pub[32], sk[64];

	(void)state;
	crypto_sign_keypair(pub, sk);
	kit_new(&kit, NULL, old_policy);
	assert_refused(kit_enroll(&kit, "watch", ROLE_WITNESS, channel, pub, NULL), CS_ERR_NOT_READY);
	assert_non_null(strstr(kit.out->text, "needs the feature records"));
	assert_int_equal(enable("records", KIT_ADMIN, 0), DECIDE_ENTRY);
	assert_int_equal(kit_enroll(&kit, "watch", ROLE_WITNESS, channel, pub, NULL), DECIDE_ENTRY);
	kit_check_entry(&kit);
	reload();
	kit_free(&kit);
	kit_new(&kit, NULL, policy_default_yaml());
	assert_refused(kit_enroll(&kit, "watch", ROLE_WITNESS, channel, NULL, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "watch", ROLE_WITNESS | ROLE_ADMINISTER, channel, pub, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "watch", ROLE_WITNESS | ROLE_APPROVE, channel, pub, "zoe"), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "watch", ROLE_WITNESS, channel, zero, NULL), CS_ERR_INVALID);
	assert_refused(kit_enroll(&kit, "watch", ROLE_WITNESS << 1, channel, pub, NULL), CS_ERR_INVALID);
	assert_int_equal(kit_enroll(&kit, "watch", ROLE_WITNESS | ROLE_AUDIT, channel, pub, NULL), DECIDE_ENTRY);
	kit_free(&kit);
}

/* A policy of version 2 has the feature on from genesis; after one of version 1 it is an order's. */
static void policies_of_version_2(void **state)
{
	(void)state;
	kit_new(&kit, NULL, policy_default_yaml());
	assert_true(state_feature(kit.s, FEATURE_DECISIONS));
	assert_int_equal(state_features(kit.s)->since[FEATURE_DECISIONS], 0);
	reload();
	assert_true(state_feature(kit.s, FEATURE_DECISIONS));
	assert_refused(enable("decisions", KIT_ADMIN, 0), CS_ERR_EXISTS);
	assert_int_equal(kit_policy(&kit, old_policy), DECIDE_ENTRY); /* It stays on. */
	assert_true(state_feature(kit.s, FEATURE_DECISIONS));
	kit_free(&kit);
	kit_new(&kit, NULL, old_policy);
	assert_int_equal(state_features(kit.s)->on, 0);
	assert_refused(kit_policy(&kit, policy_default_yaml()), CS_ERR_INVALID);
	assert_non_null(strstr(kit.out->text, "needs the feature decisions"));
	assert_int_equal(kit_policy(&kit, old_policy), DECIDE_ENTRY);
	assert_int_equal(enable("decisions", KIT_ADMIN, 0), DECIDE_ENTRY);
	assert_int_equal(kit_policy(&kit, policy_default_yaml()), DECIDE_ENTRY);
	reload();
	kit_free(&kit);
}

/* In a log that a later build has led: this replica must stop before it goes another way than the others. */
static void newer_commands_stop(void **state)
{
	struct state_head before, after;

	(void)state;
	kit_new(&kit, NULL, NULL);
	state_head(kit.s, &before);
	assert_newer(enable("of-tomorrow", KIT_ADMIN, 0), "of-tomorrow");
	assert_refused(enable("of-tomorrow", KIT_ADMIN, 1), CS_ERR_UNAUTHENTICATED); /* Nobody's word: as everywhere. */
	assert_newer(kit_apply(&kit, COMMAND_TYPE_MAX + 1, KIT_ADMIN, NULL, "\x90", 1, NULL, 0), "command of type");
	assert_int_equal(kit_apply(&kit, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0), DECIDE_ENTRY);
	state_head(kit.s, &before);
	kit.command[1] = COMMAND_VERSION + 1;
	decide(kit.s, kit.now_ms, kit.command, kit.command_len, kit.out);
	assert_newer(kit.out->outcome, "another version");
	state_head(kit.s, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	kit_free(&kit);
}

/* The same of stored records, from this disk or from a peer: refused in words, whatever else is among them. */
static void newer_records_stop(void **state)
{
	static const uint8_t features[9] = {'F'}, head[9] = {'h'};
	uint8_t bytes[256];
	struct writer w;
	struct state *s;

	(void)state;
	assert_int_equal(state_new(NULL, &s), 0);
	writer_init(&w, bytes, sizeof(bytes));
	writer_array(&w, 2);
	writer_array(&w, 1);
	writer_array(&w, 3);
	writer_uint(&w, 2);
	writer_cstr(&w, "of-tomorrow");
	writer_uint(&w, 77);
	writer_cstr(&w, "");
	assert_int_equal(state_load(s, features, sizeof(features), bytes, w.len), CS_ERR_VERSION);
	assert_non_null(strstr(state_newer_text(s), "of-tomorrow"));
	assert_non_null(strstr(state_newer_text(s), "77"));
	writer_init(&w, bytes, sizeof(bytes));
	writer_array(&w, 3);
	writer_uint(&w, 99);
	writer_cstr(&w, "what nobody knows yet");
	writer_uint(&w, 1);
	assert_int_equal(state_load(s, head, sizeof(head), bytes, w.len), CS_ERR_VERSION);
	assert_non_null(strstr(state_newer_text(s), "version 99, this build knows version"));
	bytes[1] = 0xc0;
	assert_int_equal(state_load(s, head, sizeof(head), bytes, w.len), CS_ERR_DAMAGED);
	state_free(s);
}

static void names(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= FEATURE_NUMBER_MAX; i++) {
		assert_int_equal(feature_name(i) != NULL, (feature_all() & FEATURE_BIT(i)) != 0);
		if (feature_name(i) == NULL)
			continue;
		assert_true(feature_name_valid(text(feature_name(i))));
		assert_int_equal(feature_find(text(feature_name(i))), i);
		assert_true(feature_about(i) != NULL && strlen(feature_about(i)) < 128);
	}
	assert_false(feature_name_valid(text("")));
	assert_false(feature_name_valid(text("Upper")));
	assert_false(feature_name_valid(text("a-name-of-25-characters-x")));
	assert_false(feature_build_valid(text("")));
	assert_false(feature_build_valid(text("a\nb")));
	assert_false(feature_build_valid(text("12345678901234567890123456789012")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(is_switched_on_once),
	        cmocka_unit_test(leaders_name_their_build),
	        cmocka_unit_test(policies_of_version_2),
	        cmocka_unit_test(newer_commands_stop),
	        cmocka_unit_test(newer_records_stop),
	        cmocka_unit_test(witnesses_need_records),
	        cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
