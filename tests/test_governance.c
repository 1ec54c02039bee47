/* Governance by k of n administrators: whose signatures count, what each order takes, and how that is changed. */
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
#include "node/decide/governance.h"
#include "node/decide/state.h"
#include "tests/order_kit.h"

static struct kit kit;
static uint8_t keys[3][64]; /* Of alice, bob and carol, who administer beside root. */
static const char *const names[] = {"alice", "bob", "carol"};

static struct signer by(const char *name)
{
	struct signer g = {.name = name, .sk = kit.admin_sk};

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			g.sk = keys[i];
	return g;
}

static void begin(void)
{
	uint8_t pub[32], channel[32];

	kit_new(&kit, NULL, NULL);
	for (unsigned i = 0; i < 3; i++) {
		kit_key(&kit, pub, keys[i]);
		memset(channel, 0x40 + (int)i, sizeof(channel));
		assert_int_equal(kit_enroll(&kit, names[i], ROLE_ADMINISTER, channel, pub, NULL), DECIDE_ENTRY);
	}
	if (!state_feature(kit.s, FEATURE_DECISIONS))
		assert_int_equal(order_feature(&kit, "decisions"), DECIDE_ENTRY);
}

/* Thresholds: all k, but one of a class. */
static enum decide_outcome set(unsigned k, unsigned class, unsigned k_class, const struct signer *g, unsigned n)
{
	struct governance_order o;
	uint8_t elements[64];
	size_t len;

	governance_all(&o.thresholds, k);
	if (class < GOVERNANCE_CLASSES_N)
		o.thresholds.k[class] = (uint8_t)k_class;
	assert_int_equal(governance_order_encode_signed(&o, elements, sizeof(elements), &len), 0);
	return order_apply(&kit, COMMAND_GOVERNANCE, KIT_ADMIN, elements, len, 1, g, n);
}

static enum decide_outcome set_all(unsigned k, const struct signer *g, unsigned n)
{
	return set(k, GOVERNANCE_NONE, 0, g, n);
}

static enum decide_outcome feature(const struct signer *g, unsigned n)
{
	return order_apply(&kit, COMMAND_FEATURE, KIT_ADMIN,
	                   "\xa6"
	                   "builds",
	                   7, 1, g, n);
}

static enum decide_outcome remove_by(const char *name, const struct signer *g, unsigned n)
{
	uint8_t elements[128];
	struct writer w;

	writer_init(&w, elements, sizeof(elements));
	writer_cstr(&w, name);
	writer_cstr(&w, "left");
	return order_apply(&kit, COMMAND_REMOVE, KIT_ADMIN, elements, w.len, 2, g, n);
}

static void refused(enum decide_outcome outcome, int err, const char *says)
{
	order_refused(&kit, outcome, err, says);
}

static void reload(void)
{
	struct state *copy = kit_reload(kit.s, NULL);

	assert_memory_equal(state_thresholds(copy), state_thresholds(kit.s), sizeof(struct governance));
	assert_int_equal(state_governance(copy), state_governance(kit.s));
	state_free(kit.s);
	kit.s = copy;
}

static void two_of_four(void **state)
{
	const struct signer root = by("root"), both[] = {by("alice"), by("root")};

	(void)state;
	begin();
	refused(set_all(2, &root, 1), CS_ERR_NOT_PERMITTED, "needs 2 of 4 administrators' signatures, has 1");
	assert_int_equal(set_all(2, both, 2), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_GOVERNANCE);
	assert_int_equal(state_governance(kit.s), 2);
	reload();
	refused(feature(&root, 1), CS_ERR_NOT_PERMITTED, "needs 2 of 4");
	assert_int_equal(feature(both, 2), DECIDE_ENTRY);
	assert_true(state_feature(kit.s, FEATURE_BUILDS));
	refused(set_all(2, both, 2), CS_ERR_EXISTS, "in force");
	kit_free(&kit);
}

static void each_signature_holds(void **state)
{
	const struct signer good[] = {by("alice"), by("root")};
	struct signer g[3];

	(void)state;
	begin();
	assert_int_equal(set_all(2, good, 2), DECIDE_ENTRY);
#define FRESH() memcpy(g, good, sizeof(good))
	FRESH();
	g[1].spoil = 1;
	refused(feature(g, 2), CS_ERR_UNAUTHENTICATED, "does not verify");
	FRESH();
	g[0].spoil = 1;
	refused(feature(g, 2), CS_ERR_UNAUTHENTICATED, "does not verify");
	FRESH();
	g[0].sk = g[1].sk; /* Root signs as alice. */
	refused(feature(g, 2), CS_ERR_UNAUTHENTICATED, "does not verify");
	FRESH();
	g[1].expiry_ms = kit.now_ms - 1;
	refused(feature(g, 2), CS_ERR_EXPIRED, "expired");
	FRESH();
	g[1].governance = 1; /* Signed before the thresholds changed. */
	refused(feature(g, 2), CS_ERR_UNAUTHENTICATED, "does not verify");
	FRESH();
	g[1].sequence = 1;
	refused(feature(g, 2), CS_ERR_CONFLICT, "sequence");
	g[0] = g[1] = by("alice"); /* The same one twice. */
	refused(feature(g, 2), CS_ERR_MALFORMED, "");
	g[0] = by("root"); /* Not in the order of their names. */
	refused(feature(g, 2), CS_ERR_MALFORMED, "");
	g[0] = by("alice");
	g[1] = by("gateway"); /* No administrator. */
	g[1].sk = keys[1];
	refused(feature(g, 2), CS_ERR_NOT_PERMITTED, "not by an administrator");
	FRESH();
	g[2] = by("zoe"); /* Enough others do not help. */
	g[2].sk = keys[1];
	refused(feature(g, 3), CS_ERR_NOT_PERMITTED, "not by an administrator");
	FRESH();
	assert_int_equal(feature(g, 2), DECIDE_ENTRY);
#undef FRESH
	kit_free(&kit);
}

/* One key under two names is one administrator. */
static void a_key_counts_once(void **state)
{
	uint8_t channel[32] = {0x77}, pub[32];
	struct signer g[2] = {by("alice"), by("twin")};

	(void)state;
	begin();
	memcpy(pub, keys[0] + 32, 32); /* The public half of an Ed25519 secret key. */
	assert_int_equal(kit_enroll(&kit, "twin", ROLE_ADMINISTER, channel, pub, NULL), DECIDE_ENTRY);
	g[1].sk = keys[0];
	refused(set_all(2, g, 2), CS_ERR_INVALID, "two are by one key");
	kit_free(&kit);
}

static void sequences_of_all_are_used(void **state)
{
	const struct signer good[] = {by("alice"), by("root")};
	struct signer g[] = {by("alice"), by("root")};

	(void)state;
	begin();
	assert_int_equal(set_all(2, good, 2), DECIDE_ENTRY);
	g[0].sequence = 5000;
	g[1].sequence = 6000;
	assert_int_equal(feature(g, 2), DECIDE_ENTRY);
	assert_int_equal(state_principal_by_name(kit.s, "alice", 5)->sequence, 5000);
	assert_int_equal(state_principal_by_name(kit.s, "root", 4)->sequence, 6000);
	g[0].sequence = 5000;
	g[1].sequence = 6001;
	refused(remove_by("gateway", g, 2), CS_ERR_CONFLICT, "sequence 5000");
	reload();
	refused(remove_by("gateway", g, 2), CS_ERR_CONFLICT, "sequence 5000");
	g[0].sequence = 5001;
	assert_int_equal(remove_by("gateway", g, 2), DECIDE_ENTRY);
	kit_free(&kit);
}

/* Classes apart; and who administers is guarded by the largest of all. */
static void classes_are_apart(void **state)
{
	const struct signer three[] = {by("alice"), by("bob"), by("root")}, root = by("root");
	uint8_t channel[32] = {0x66}, pub[32], sk[64];

	(void)state;
	begin();
	refused(set(1, GOVERNANCE_POLICY, 3, three, 2), CS_ERR_NOT_PERMITTED, "needs 3 of 4");
	assert_int_equal(set(1, GOVERNANCE_POLICY, 3, three, 3), DECIDE_ENTRY);
	assert_int_equal(feature(&root, 1), DECIDE_ENTRY);
	assert_int_equal(kit_enroll(&kit, "reader", ROLE_AUDIT, channel, NULL, NULL), DECIDE_ENTRY);
	kit_key(&kit, pub, sk);
	channel[0]++;
	refused(kit_enroll(&kit, "dave", ROLE_ADMINISTER, channel, pub, NULL), CS_ERR_NOT_PERMITTED, "needs 3 of");
	refused(remove_by("carol", &root, 1), CS_ERR_NOT_PERMITTED, "needs 3 of 4");
	refused(remove_by("carol", three, 2), CS_ERR_NOT_PERMITTED, "needs 3 of 4");
	/* Lowering takes as many as what is lowered. */
	refused(set_all(1, three, 2), CS_ERR_NOT_PERMITTED, "needs 3 of 4");
	assert_int_equal(set_all(1, three, 3), DECIDE_ENTRY);
	assert_int_equal(state_governance(kit.s), 3);
	kit_free(&kit);
}

static void never_fewer_than_it_takes(void **state)
{
	const struct signer all[] = {by("alice"), by("bob"), by("carol"), by("root")};

	(void)state;
	begin();
	refused(set_all(5, all, 4), CS_ERR_INVALID, "can never come from 4");
	assert_int_equal(set_all(3, all, 4), DECIDE_ENTRY);
	assert_int_equal(remove_by("carol", all, 3), DECIDE_ENTRY);
	refused(remove_by("bob", (struct signer[]){by("alice"), by("bob"), by("root")}, 3), CS_ERR_INVALID,
	        "fewer would be left");
	assert_int_equal(set_all(1, (struct signer[]){by("alice"), by("bob"), by("root")}, 3), DECIDE_ENTRY);
	assert_int_equal(remove_by("alice", (struct signer[]){by("root")}, 1), DECIDE_ENTRY);
	assert_int_equal(remove_by("bob", (struct signer[]){by("root")}, 1), DECIDE_ENTRY);
	refused(remove_by("root", (struct signer[]){by("root")}, 1), CS_ERR_INVALID, "nobody could administer");
	kit_free(&kit);
}

static void needs_the_feature(void **state)
{
	static const char yaml[] =
	        "version: 1\nthresholds: {step_up: 0, deny: 5000}\nrules:\n- {id: all, verdict: allow}\n";
	uint8_t pub[32], channel[32] = {0x40};
	struct signer g[] = {by("alice"), by("root")};

	(void)state;
	kit_new(&kit, NULL, yaml);
	kit_key(&kit, pub, keys[0]);
	assert_int_equal(kit_enroll(&kit, "alice", ROLE_ADMINISTER, channel, pub, NULL), DECIDE_ENTRY);
	refused(set_all(2, g, 2), CS_ERR_INVALID, "decisions");
	refused(set_all(2, g, 1), CS_ERR_INVALID, "decisions");
	refused(feature(g, 2), CS_ERR_INVALID, "decisions");
	kit_free(&kit);
}

static void words_of_genesis(void **state)
{
	static const struct {
		const char *words;
		unsigned n, k; /* k 0: no words of governance. */
	} cases[] = {{"single", 1, 1},  {"single", 2, 0},   {"2 of 3", 3, 2},  {"1 of 2", 2, 1},
	             {"3 of 3", 3, 3},  {"4 of 3", 3, 0},   {"0 of 3", 3, 0},  {"2 of 3", 4, 0},
	             {"02 of 3", 3, 0}, {"2 of 3 ", 3, 0},  {"2  of 3", 3, 0}, {"2 of ", 3, 0},
	             {"", 1, 0},        {"two of 3", 3, 0}, {"2of3", 3, 0},    {"17 of 17", 17, 0}};
	struct governance g;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text words = {cases[i].words, strlen(cases[i].words)};
		int err = governance_parse(words, cases[i].n, &g);
		assert_int_equal(err, cases[i].k != 0 ? 0 : CS_ERR_INVALID);
		if (err == 0)
			assert_int_equal(governance_largest(&g), cases[i].k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(two_of_four),       cmocka_unit_test(each_signature_holds),
	        cmocka_unit_test(a_key_counts_once), cmocka_unit_test(sequences_of_all_are_used),
	        cmocka_unit_test(classes_are_apart), cmocka_unit_test(never_fewer_than_it_takes),
	        cmocka_unit_test(needs_the_feature), cmocka_unit_test(words_of_genesis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
