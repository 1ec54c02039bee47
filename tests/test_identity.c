/* A person's own proof in a bundle: what holds, what is missing, and each way in which a ledger could lie about it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/tool/verifyidentity.h"
#include "ledger/bytes.h"
#include "tests/replay_kit.h"

static const char policy[] = "version: 2\nthresholds: {step_up: 0, deny: 100000}\nrules:\n"
                             "- {id: all, verdict: allow}\n- {id: up, match: {action: up}, verdict: step_up}\n";

static struct kit kit;
static struct replay_made made, lying;
static struct verify_result result;
static uint64_t enrolment, challenge, answer_at;
static uint8_t bob_sk[64];

static int setup(void **state)
{
	uint8_t pub[32];

	(void)state;
	replay_made_free(&made);
	replay_record(&made);
	kit_new(&kit, NULL, policy);
	enrolment = made.n - 1; /* "ada-key" comes last. */
	kit_key(&kit, pub, bob_sk);
	assert_int_equal(kit_enroll(&kit, "bob-key", ROLE_DEVICE, NULL, pub, "bob"), DECIDE_ENTRY);
	assert_int_equal(kit_ask_for(&kit, "ada", "up", "laptop", NULL), DECIDE_ENTRY);
	challenge = kit.out->index;
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	answer_at = kit.out->index;
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	replay_record(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_free(&kit);
	replay_made_free(&made);
	return 0;
}

static bool proven = true;

/*
 * supports: so many of the two, and what is hidden of the answer. That all of it is in the tree is verify_bundle's
 * matter.
 */
static void look(const struct replay_made *m, unsigned supports, unsigned hidden)
{
	json_t *doc = replay_entry_json(m, answer_at, hidden), *list = json_array();

	if (supports > 0)
		json_array_append_new(list, replay_entry_json(m, challenge, 0));
	if (supports > 1)
		json_array_append_new(list, replay_entry_json(m, enrolment, 0));
	json_object_set_new(doc, "supports", list);
	char *json = json_dumps(doc, 0);
	memset(&result, 0, sizeof(result));
	result.proven = proven;
	snprintf(result.origin, sizeof(result.origin), "%s", KIT_ORIGIN);
	verifyidentity(json, strlen(json), &result);
	free(json);
	json_decref(doc);
}

static void assert_says(enum verify_outcome outcome, enum verify_mark mark, const char *part)
{
	const char *text = result.n_lines > 0 ? result.lines[0].text : "nothing";

	if (result.outcome != outcome || result.n_lines != 1 || result.lines[0].mark != mark ||
	    strstr(text, part) == NULL)
		fail_msg("outcome %d, %u lines: %s, not: %s", result.outcome, result.n_lines, text, part);
}

static void holds(void **state)
{
	(void)state;
	look(&made, 2, 0);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_HELD,
	            "user ada answered the challenge of entry 5: the Ed25519 signature verifies under ada-key");
	look(&made, 1, 0);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED,
	            "the credential's enrolment, entry 3, is not in the bundle");
	look(&made, 0, 0);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED, "what opened the challenge, entry 5");
	look(&made, 2, FIELD_EVIDENCE);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED, "not disclosed");
	proven = false; /* Then nothing is said to hold: whoever made the bundle made the enrolment, for all that is
	                   known. */
	look(&made, 2, 0);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED, "not each of its entries is proven");
	proven = true;
	snprintf(result.origin, sizeof(result.origin), "another");
	uint64_t at = answer_at;
	answer_at = challenge; /* No answer: nothing is said. */
	look(&made, 2, 0);
	assert_int_equal(result.n_lines, 0);
	answer_at = at;
}

/* An entry altered, and the ledger made good around it: who holds all keys but the person's could do that. */
static void lie_in_field(uint64_t index, unsigned field, const uint8_t *value, size_t len)
{
	const struct replay_alteration a = {.index = index, .field = field, .value = value, .value_len = len};

	replay_made_free(&lying);
	replay_alter(&made, &a, &lying);
	look(&lying, 2, 0);
}

static void evidence_value(struct field *ret)
{
	static struct field f[LIMIT_FIELD_COUNT_MAX];
	unsigned n;

	assert_int_equal(body_decode(f, &n, made.e[answer_at].body, made.e[answer_at].body_len), 0);
	*ret = *body_find(f, n, FIELD_EVIDENCE);
}

static void lies(void **state)
{
	uint8_t value[256], public_[512];
	struct entry e;
	struct field f;

	(void)state;
	evidence_value(&f);
	assert_true(f.value_len <= sizeof(value));
	for (size_t i = f.value_len - 64; i < f.value_len; i++) { /* Each byte of the signature. */
		memcpy(value, f.value, f.value_len);
		value[i] ^= 1;
		lie_in_field(answer_at, FIELD_EVIDENCE, value, f.value_len);
		assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "does not verify under ada-key");
	}
	/* Another person's answer, or enrolment. */
	lie_in_field(answer_at, FIELD_SUBJECT,
	             (const uint8_t *)"\x92\xa4user\xa3"
	                              "bob",
	             10);
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "of another person");
	lie_in_field(enrolment, FIELD_SUBJECT,
	             (const uint8_t *)"\x92\xa4user\xa3"
	                              "bob",
	             10);
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "of another person");
	/* Another request than the one that was signed for. */
	assert_int_equal(entry_decode(&e, made.e[answer_at].leaf, made.e[answer_at].leaf_len), 0);
	struct replay_alteration a = {.index = answer_at, .public_ = public_};
	a.public_len = replay_with_element(e.public_, e.public_len, 4,
	                                   "\xc4\x20"
	                                   "01234567890123456789012345678901",
	                                   34, public_, sizeof(public_));
	replay_made_free(&lying);
	replay_alter(&made, &a, &lying);
	look(&lying, 2, 0);
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "of another request");
	/* Another key. */
	assert_int_equal(entry_decode(&e, made.e[enrolment].leaf, made.e[enrolment].leaf_len), 0);
	a.index = enrolment;
	uint8_t key[34] = {0xc4, 0x20};
	memcpy(key + 2, bob_sk + 32, 32);
	a.public_len = replay_with_element(e.public_, e.public_len, 4, key, 34, public_, sizeof(public_));
	replay_made_free(&lying);
	replay_alter(&made, &a, &lying);
	look(&lying, 2, 0);
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "does not verify under ada-key");
	replay_made_free(&lying);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(holds, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(lies, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
