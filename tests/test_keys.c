/* Keys change: which keys are good for which sizes, who may order it, and that none ever comes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state.h"
#include "tests/order_kit.h"

static struct kit kit;

static struct text text(const char *s)
{
	return (struct text){s, s == NULL ? 0 : strlen(s)};
}

static size_t elements_of(unsigned place, uint64_t node, const char *name, const uint8_t *pub, uint64_t overlap,
                          uint8_t *buf, size_t cap)
{
	const struct key_order o = {.place = place, .node = node, .name = text(name), .pub = pub, .overlap = overlap};
	size_t len;

	assert_int_equal(key_order_encode_signed(&o, buf, cap, &len), 0);
	return len;
}

static enum decide_outcome rotate_by(unsigned place, uint64_t node, const char *name, const uint8_t *pub,
                                     uint64_t overlap, const struct signer *g, unsigned n)
{
	uint8_t elements[256];
	size_t len = elements_of(place, node, name, pub, overlap, elements, sizeof(elements));

	return order_apply(&kit, COMMAND_KEY, KIT_ADMIN, elements, len, 5, g, n);
}

static enum decide_outcome rotate(unsigned place, uint64_t node, const char *name, const uint8_t *pub, uint64_t overlap)
{
	const struct signer root = {.name = "root", .sk = kit.admin_sk};

	return rotate_by(place, node, name, pub, overlap, &root, 1);
}

static const struct roster_node *node(void)
{
	return &state_roster(kit.s)->nodes[0];
}

/* The state from its records is the same in all that keys are about. Once a test: only what changed is taken. */
static void reload(void)
{
	struct state *copy = kit_reload(kit.s, NULL);

	assert_int_equal(state_roster_genesis(copy, kit.genesis, kit.genesis_len), 0);
	assert_int_equal(keys_replaced_count(copy), keys_replaced_count(kit.s));
	for (unsigned i = 0; i < keys_replaced_count(kit.s); i++)
		assert_memory_equal(keys_replaced(copy, i), keys_replaced(kit.s, i), sizeof(struct key_replaced));
	assert_memory_equal(state_roster(copy), state_roster(kit.s), sizeof(struct roster));
	state_free(kit.s);
	kit.s = copy;
}

static void node_keys(void **state)
{
	uint8_t old[32], log[32], cosigner[32], channel[32], sk[64];
	uint64_t id;

	(void)state;
	kit_new(&kit, NULL, NULL);
	id = node()->id;
	memcpy(old, node()->log_pub, 32);
	kit_key(&kit, log, sk);
	kit_key(&kit, cosigner, sk);
	kit_key(&kit, channel, sk);
	assert_int_equal(rotate(KEY_PLACE_LOG, id, NULL, log, 3), DECIDE_ENTRY);
	uint64_t index = kit.out->index;
	assert_int_equal(kit.out->kind, ENTRY_KEY);
	assert_true(kit.out->roster_changed && kit.out->principals_changed);
	kit_check_entry(&kit);
	assert_memory_equal(node()->log_pub, log, 32);
	assert_int_equal(state_roster(kit.s)->version, index + 1);
	assert_int_equal(node()->changed, index);
	const struct key_replaced *before = keys_before(kit.s, KEY_PLACE_LOG, id);
	assert_non_null(before);
	assert_memory_equal(before->pub, old, 32);
	assert_int_equal(before->since, 0);
	assert_int_equal(before->until, index + 3);
	assert_int_equal(before->index, index);
	assert_ptr_equal(keys_overlap(kit.s, KEY_PLACE_LOG, id), before);
	assert_null(keys_before(kit.s, KEY_PLACE_COSIGNER, id));
	reload();
	/* The overlap is over with the entry that brings the tree to that size, and that entry says so. */
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_false(kit.out->roster_changed);
	assert_int_equal(kit_tick(&kit), DECIDE_ENTRY);
	assert_true(kit.out->roster_changed);
	assert_null(keys_overlap(kit.s, KEY_PLACE_LOG, id));
	assert_non_null(keys_before(kit.s, KEY_PLACE_LOG, id));

	assert_int_equal(rotate(KEY_PLACE_COSIGNER, id, NULL, cosigner, 0), DECIDE_ENTRY);
	assert_memory_equal(node()->cosigner_pub, cosigner, 32);
	assert_null(keys_overlap(kit.s, KEY_PLACE_COSIGNER, id));
	assert_int_equal(rotate(KEY_PLACE_NODE, id, NULL, channel, 100), DECIDE_ENTRY);
	assert_memory_equal(state_principal_by_channel(kit.s, channel)->name, "node-", 5);
	kit_free(&kit);
}

/* A second change ends what was still good of the first: a stolen key can be put out at once. */
static void again(void **state)
{
	uint8_t a[32], b[32], sk[64];
	uint64_t id, first;

	(void)state;
	kit_new(&kit, NULL, NULL);
	id = node()->id;
	kit_key(&kit, a, sk);
	kit_key(&kit, b, sk);
	assert_int_equal(rotate(KEY_PLACE_LOG, id, NULL, a, 1000), DECIDE_ENTRY);
	first = kit.out->index;
	assert_int_equal(rotate(KEY_PLACE_LOG, id, NULL, b, 0), DECIDE_ENTRY);
	assert_int_equal(keys_replaced(kit.s, 0)->until, kit.out->index);
	assert_int_equal(keys_replaced(kit.s, 1)->since, first + 1);
	assert_int_equal(keys_replaced(kit.s, 1)->until, kit.out->index);
	assert_null(keys_overlap(kit.s, KEY_PLACE_LOG, id));
	reload();
	order_refused(&kit, rotate(KEY_PLACE_LOG, id, NULL, a, 0), CS_ERR_EXISTS, "somebody's key already");
	order_refused(&kit, rotate(KEY_PLACE_COSIGNER, id, NULL, b, 0), CS_ERR_EXISTS, "somebody's key already");
	order_refused(&kit, kit_enroll(&kit, "eve", ROLE_DECIDE, a, NULL, NULL), CS_ERR_EXISTS, "does not come back");
	kit_free(&kit);
}

static void administrator(void **state)
{
	uint8_t pub[32], pub2[32], sk[64], channel[32] = {7}, other[32] = {8};

	(void)state;
	kit_new(&kit, NULL, NULL);
	kit_key(&kit, pub, sk);
	assert_int_equal(rotate(KEY_PLACE_SIGN, 0, "root", pub, 2), DECIDE_ENTRY);
	assert_false(kit.out->roster_changed);
	/* Both sign within the overlap: here by the old one, then by the new one. */
	assert_int_equal(kit_enroll(&kit, "one", ROLE_DECIDE, channel, NULL, NULL), DECIDE_ENTRY);
	const struct signer new_root = {.name = "root", .sk = sk};
	kit_key(&kit, pub2, kit.device_sk);
	assert_int_equal(rotate_by(KEY_PLACE_CLIENT, 0, "one", other, 5, &new_root, 1), DECIDE_ENTRY);
	assert_int_equal(state_principal_by_channel(kit.s, other)->id, state_principal_by_name(kit.s, "one", 3)->id);
	assert_non_null(keys_overlap(kit.s, KEY_PLACE_CLIENT, state_principal_by_name(kit.s, "one", 3)->id));
	/* It is over. */
	channel[0] = 9;
	order_refused(&kit, kit_enroll(&kit, "two", ROLE_DECIDE, channel, NULL, NULL), CS_ERR_UNAUTHENTICATED,
	              "does not verify");
	reload();
	order_refused(&kit, rotate_by(KEY_PLACE_SIGN, 0, "nobody", pub2, 0, &new_root, 1), CS_ERR_NOT_FOUND, "nobody");
	order_refused(&kit, rotate_by(KEY_PLACE_SIGN, 0, "one", pub2, 0, &new_root, 1), CS_ERR_NOT_FOUND,
	              "no signing key");
	order_refused(&kit, rotate_by(KEY_PLACE_SIGN, 0, "node-1", pub2, 0, &new_root, 1), CS_ERR_INVALID, "number");
	order_refused(&kit, rotate_by(KEY_PLACE_LOG, 99, NULL, pub2, 0, &new_root, 1), CS_ERR_NOT_FOUND,
	              "not a member");
	memset(pub2, 0, sizeof(pub2));
	order_refused(&kit, rotate_by(KEY_PLACE_NODE, node()->id, NULL, pub2, 0, &new_root, 1), CS_ERR_INVALID, "none");
	kit_free(&kit);
}

/* Whoever gives an administrator another key could make one: it takes all that guards that. */
static void several(void **state)
{
	uint8_t pub[32], fresh[32], alice[64], sk[64], channel[32] = {0x41};
	struct governance_order o;
	uint8_t elements[64];
	size_t len;

	(void)state;
	kit_new(&kit, NULL, NULL);
	kit_key(&kit, pub, alice);
	assert_int_equal(kit_enroll(&kit, "alice", ROLE_ADMINISTER, channel, pub, NULL), DECIDE_ENTRY);
	const struct signer both[] = {{.name = "alice", .sk = alice}, {.name = "root", .sk = kit.admin_sk}};
	governance_all(&o.thresholds, 1);
	o.thresholds.k[GOVERNANCE_POLICY] = 2;
	assert_int_equal(governance_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	assert_int_equal(order_apply(&kit, COMMAND_GOVERNANCE, KIT_ADMIN, elements, len, 1, both, 2), DECIDE_ENTRY);
	kit_key(&kit, fresh, sk);
	order_refused(&kit, rotate(KEY_PLACE_SIGN, 0, "alice", fresh, 0), CS_ERR_NOT_PERMITTED, "signature");
	assert_int_equal(rotate_by(KEY_PLACE_SIGN, 0, "alice", fresh, 0, both, 2), DECIDE_ENTRY);
	/* Of a node it takes what an order about members takes. */
	kit_key(&kit, fresh, sk);
	assert_int_equal(rotate(KEY_PLACE_LOG, node()->id, NULL, fresh, 0), DECIDE_ENTRY);
	kit_free(&kit);
}

static void device(void **state)
{
	uint8_t pub[32], sk[64];
	uint64_t version;

	(void)state;
	kit_new(&kit, NULL, NULL);
	version = state_principal_by_name(kit.s, "ada-key", 7)->version;
	kit_key(&kit, pub, sk);
	assert_int_equal(rotate(KEY_PLACE_SIGN, 0, "ada-key", pub, 3), DECIDE_ENTRY);
	assert_true(state_principal_by_name(kit.s, "ada-key", 7)->version > version);
	/* By the old one while both are good; the entry says as of which entry the credential counts. */
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "laptop", "192.0.2.1"), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, kit.out->index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "phone", "198.51.100.1"), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	uint64_t index = kit.out->index;
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_not_equal(kit.out->verdict, VERDICT_ALLOW);
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "tablet", "203.0.113.1"), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, kit.out->index, "ada-key", sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	kit_free(&kit);
}

/* The old key was good when the leader looked, and no more when the answer became an entry: followers verify it all the
 * same. */
static void device_between(void **state)
{
	uint8_t pub[32], sk[64];

	(void)state;
	kit_new(&kit, NULL, NULL);
	kit_key(&kit, pub, sk);
	assert_int_equal(rotate(KEY_PLACE_SIGN, 0, "ada-key", pub, 3), DECIDE_ENTRY);
	uint64_t id = state_principal_by_name(kit.s, "ada-key", 7)->id, until = kit.out->index + 3;
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "laptop", "192.0.2.1"), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	assert_non_null(keys_overlap(kit.s, KEY_PLACE_SIGN, id));
	kit.between = 3;
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, kit.out->index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	assert_true(kit.out->index >= until);
	assert_null(keys_overlap(kit.s, KEY_PLACE_SIGN, id));
	assert_non_null(keys_good_at(kit.s, KEY_PLACE_SIGN, id, until));
	assert_null(keys_good_at(kit.s, KEY_PLACE_SIGN, id, until + 1));
	assert_true(kit.out->has_evidence);
	evidence_verify_ed25519(&kit.out->evidence);
	assert_true(kit.out->evidence.found.verified);
	/* A challenge from after its time it does not answer. */
	kit.between = 0;
	assert_int_equal(kit_ask_for(&kit, "ada", "deploy", "phone", "198.51.100.1"), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, kit.out->index, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_not_equal(kit.out->verdict, VERDICT_ALLOW);
	assert_false(kit.out->has_evidence);
	kit_free(&kit);
}

static void shapes(void **state)
{
	static const struct {
		unsigned place;
		uint64_t node;
		const char *name;
	} bad[] = {{0, 1, NULL},
	           {KEY_PLACE_LOG, 0, NULL},
	           {KEY_PLACE_LOG, 1, "x"},
	           {KEY_PLACE_LOG, 0, "x"},
	           {KEY_PLACE_SIGN, 1, NULL},
	           {KEY_PLACE_SIGN, 0, NULL},
	           {KEY_PLACE_CLIENT, 1, "x"},
	           {6, 0, "x"}};
	uint8_t pub[32] = {1}, sig[64] = {2}, buf[512];
	struct key_order o, back;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = (struct key_order){
		        .place = bad[i].place, .node = bad[i].node, .name = text(bad[i].name), .pub = pub};
		o.admin = (struct admin_signature){.name = text("root"), .signature = sig};
		assert_int_equal(key_order_encode(&o, buf, sizeof(buf), &len), 0);
		if (key_order_decode(&back, buf, len) == 0)
			fail_msg("shape %zu is taken", i);
	}
	o = (struct key_order){.place = KEY_PLACE_NODE, .node = 7, .pub = pub, .overlap = KEY_OVERLAP_MAX};
	o.admin = (struct admin_signature){.name = text("root"), .signature = sig};
	assert_int_equal(key_order_encode(&o, buf, sizeof(buf), &len), 0);
	assert_int_equal(key_order_decode(&back, buf, len), 0);
	assert_int_equal(back.overlap, KEY_OVERLAP_MAX);
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(key_order_decode(&back, buf, i), 0);
	o.overlap = KEY_OVERLAP_MAX + 1;
	assert_int_equal(key_order_encode(&o, buf, sizeof(buf), &len), 0);
	assert_int_not_equal(key_order_decode(&back, buf, len), 0);
}

/* Where the feature is off nothing changes, and nothing of it is in the state. */
static void off(void **state)
{
	uint8_t pub[32], sk[64];

	(void)state;
	kit_new(&kit, NULL, kit_policy_1());
	kit_key(&kit, pub, sk);
	order_refused(&kit, rotate(KEY_PLACE_LOG, node()->id, NULL, pub, 0), CS_ERR_INVALID, "records");
	assert_int_equal(keys_replaced_count(kit.s), 0);
	kit_free(&kit);
}

/* The table has its bound, and forgets the oldest. */
static void bounded(void **state)
{
	uint8_t pub[32], first[32], sk[64];
	uint64_t id;

	(void)state;
	kit_new(&kit, NULL, NULL);
	id = node()->id;
	memcpy(first, node()->log_pub, 32);
	for (unsigned i = 0; i < KEYS_REPLACED_MAX + 3; i++) {
		kit_key(&kit, pub, sk);
		assert_int_equal(rotate(KEY_PLACE_LOG, id, NULL, pub, i % 2), DECIDE_ENTRY);
		kit.now_ms += 1000;
	}
	assert_int_equal(keys_replaced_count(kit.s), KEYS_REPLACED_MAX);
	assert_memory_not_equal(keys_replaced(kit.s, 0)->pub, first, 32);
	reload();
	kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(node_keys), cmocka_unit_test(again),   cmocka_unit_test(administrator),
	        cmocka_unit_test(several),   cmocka_unit_test(device),  cmocka_unit_test(shapes),
	        cmocka_unit_test(off),       cmocka_unit_test(bounded), cmocka_unit_test(device_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
