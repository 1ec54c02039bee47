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
#include "node/decide/keys.h"
#include "tests/order_kit.h"
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

static void look_at(json_t *doc)
{
	char *json = json_dumps(doc, 0);

	memset(&result, 0, sizeof(result));
	result.proven = proven;
	snprintf(result.origin, sizeof(result.origin), "%s", KIT_ORIGIN);
	verifyidentity(json, strlen(json), &result);
	free(json);
	json_decref(doc);
}

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
	look_at(doc);
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

/* --- keys that changed --- */

static uint64_t changed;
static uint8_t new_sk[64];

/* An order puts another key in the place of this one's. */
static void rotate(const char *name, uint64_t overlap, uint8_t sk[64])
{
	const struct signer root = {.name = "root", .sk = kit.admin_sk};
	struct key_order o = {.place = KEY_PLACE_SIGN, .name = {name, strlen(name)}, .overlap = overlap};
	uint8_t elements[256], pub[32];
	size_t len;

	kit_key(&kit, pub, sk);
	o.pub = pub;
	assert_int_equal(key_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	assert_int_equal(order_apply(&kit, COMMAND_KEY, KIT_ADMIN, elements, len, 5, &root, 1), DECIDE_ENTRY);
	changed = kit.out->index;
}

static void answer_by(const uint8_t sk[64])
{
	assert_int_equal(kit_ask_for(&kit, "ada", "up", "laptop", NULL), DECIDE_ENTRY);
	challenge = kit.out->index;
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", sk), DECIDE_ENTRY);
	answer_at = kit.out->index;
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
}

static int setup_changed(void **state)
{
	(void)state;
	replay_made_free(&made);
	replay_record(&made);
	kit_new(&kit, NULL, policy);
	enrolment = made.n - 1;
	return 0;
}

/* With the entry that changed the key, and those that supports says. */
static void look_changed(const struct replay_made *m, unsigned supports)
{
	json_t *doc = replay_entry_json(m, answer_at, 0), *list = json_array();

	json_array_append_new(list, replay_entry_json(m, challenge, 0));
	json_array_append_new(list, replay_entry_json(m, changed, 0));
	if (supports > 2)
		json_array_append_new(list, replay_entry_json(m, enrolment, 0));
	json_object_set_new(doc, "supports", list);
	look_at(doc);
}

static void holds_changed(void **state)
{
	uint8_t first_sk[64];

	(void)state;
	rotate("ada-key", 100, first_sk);
	rotate("ada-key", 6, new_sk);
	answer_by(first_sk); /* By the key before the last, while both are good. */
	uint64_t before_at = answer_at, before_challenge = challenge;
	answer_by(new_sk);
	replay_record(NULL);
	look_changed(&made, 3);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_HELD,
	            "verifies under ada-key, enrolled for that person at entry 3, by its key since entry 5");
	look_changed(&made, 2);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED, "its key was changed since the enrolment");
	look(&made, 2, 0); /* Without the change itself. */
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED, "entry 5, is not in the bundle");
	answer_at = before_at;
	challenge = before_challenge;
	look_changed(&made, 3);
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_HELD, ", by the key before that of entry 5, good up to size 11");
}

/* The change altered in one element, and the ledger made good around it. */
static void alter_changed(unsigned element, const void *bytes, size_t len)
{
	uint8_t public_[512];
	struct entry e;
	struct replay_alteration a = {.index = changed, .public_ = public_};

	assert_int_equal(entry_decode(&e, made.e[changed].leaf, made.e[changed].leaf_len), 0);
	a.public_len = replay_with_element(e.public_, e.public_len, element, bytes, len, public_, sizeof(public_));
	replay_made_free(&lying);
	replay_alter(&made, &a, &lying);
	look_changed(&lying, 3);
}

static void lies_changed(void **state)
{
	uint8_t key[34] = {0xc4, 0x20};

	(void)state;
	kit_key(&kit, key + 2, bob_sk);
	assert_int_equal(kit_enroll(&kit, "bob-key", ROLE_DEVICE, NULL, key + 2, "bob"), DECIDE_ENTRY);
	rotate("ada-key", 1, new_sk);
	answer_by(new_sk);
	replay_record(NULL);
	alter_changed(0, "\x05", 1); /* A channel key's. */
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "of another credential");
	alter_changed(1, "\x2a", 1); /* Of somebody else: whose enrolment is not there. */
	assert_says(VERIFY_VERIFIED, VERIFY_MARK_UNCHECKED, "its key was changed since the enrolment");
	alter_changed(2,
	              "\xa7"
	              "bob-key",
	              8);
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "of another credential");
	memcpy(key + 2, bob_sk + 32, 32);
	alter_changed(3, key, sizeof(key));
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "does not verify under ada-key as enrolled at entry 3");
	/* Signed by the key before, whose time was over before the challenge came. */
	memcpy(key + 2, new_sk + 32, 32);
	uint8_t swapped[34] = {0xc4, 0x20};
	memcpy(swapped + 2, bob_sk + 32, 32);
	uint8_t public_[512], twice[512];
	struct entry e;
	struct replay_alteration a = {.index = changed, .public_ = twice};
	assert_int_equal(entry_decode(&e, made.e[changed].leaf, made.e[changed].leaf_len), 0);
	size_t len =
	        replay_with_element(e.public_, e.public_len, 3, swapped, sizeof(swapped), public_, sizeof(public_));
	a.public_len = replay_with_element(public_, len, 4, key, sizeof(key), twice, sizeof(twice));
	replay_made_free(&lying);
	replay_alter(&made, &a, &lying);
	look_changed(&lying, 3);
	assert_says(VERIFY_REFUTED, VERIFY_MARK_BAD, "does not verify under ada-key as enrolled at entry 3");
	replay_made_free(&lying);
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
	                                   cmocka_unit_test_setup_teardown(lies, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(holds_changed, setup_changed, teardown),
	                                   cmocka_unit_test_setup_teardown(lies_changed, setup_changed, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
