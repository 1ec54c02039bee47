/* What signals of policies of version 2 keep: bounded, forgotten alike everywhere, the same after a restart. */
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

#include "ledger/errors.h"
#include "node/decide/signals_further.h"
#include "tests/decide_kit.h"

static struct kit kit;

static const char all_allowed[] =
        "version: 2\nthresholds: {step_up: 90000, deny: 100000}\n"
        "signals: {outside: [{attribute: \"score:edr\", weight: 800}, {attribute: fraud, weight: -400}]}\n"
        "rules: [{id: all, verdict: allow}, {id: prove, match: {context: {prove: true}}, verdict: step_up}]\n";
static const struct place amsterdam = {.looked = true,
                                       .country = "NL",
                                       .network = 64496,
                                       .has_position = true,
                                       .latitude = 523740,
                                       .longitude = 48897};
static const struct place tokyo = {.looked = true,
                                   .country = "JP",
                                   .network = 64497,
                                   .has_position = true,
                                   .latitude = 356890,
                                   .longitude = 1396920};

static void add(struct request *q, const char *name, enum value_type type, int64_t integer, const char *str)
{
	q->context[q->n_context++] = (struct named_value){.name = {name, strlen(name)},
	                                                  .type = type,
	                                                  .integer = integer,
	                                                  .str = {str, str != NULL ? strlen(str) : 0}};
}

static size_t place_facts(uint8_t ret[128], const struct place *p)
{
	struct writer w;
	size_t len;

	writer_init(&w, ret, 128);
	place_facts_write(&w, p);
	assert_int_equal(writer_end(&w, &len), 0);
	return len;
}

static enum decide_outcome ask(const struct request *q, const struct place *p)
{
	uint8_t payload[REQUEST_SIZE_MAX], facts[128];
	size_t len, facts_len = place_facts(facts, p);

	assert_int_equal(request_encode(q, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, NULL, payload, len, facts, facts_len);
}

static enum decide_outcome import_at(const struct request *q, uint64_t ms, const struct place *p)
{
	static const uint8_t hash[HASH_SIZE] = {7};
	uint8_t payload[REQUEST_SIZE_MAX + 256], request[REQUEST_SIZE_MAX], facts[128];
	struct import i = {.event_time_ms = ms,
	                   .format = {"csv", 3},
	                   .file = {"f", 1},
	                   .file_hash = hash,
	                   .position = ms,
	                   .request = request};
	size_t len, facts_len = place_facts(facts, p);

	assert_int_equal(request_encode(q, request, sizeof(request), &i.request_len), 0);
	assert_int_equal(import_encode(&i, payload, sizeof(payload), &len), 0);
	return kit_apply(&kit, COMMAND_IMPORT, KIT_IMPORTER, NULL, payload, len, facts, facts_len);
}

static int64_t signal_of(unsigned id)
{
	int64_t v = 0;

	return kit_signal(&kit, id, &v) ? v : 0;
}

static void simple(struct request *q, bool prove)
{
	kit_request(q, "ada", "use", "laptop", "198.51.100.7");
	if (prove)
		add(q, "prove", VALUE_BOOL, 1, NULL);
}

/* --- places --- */

static void places_are_kept_and_stay_with_challenges(void **state)
{
	struct request q;
	struct field f;

	(void)state;
	kit_new(&kit, NULL, all_allowed);
	simple(&q, false);
	assert_int_equal(ask(&q, &amsterdam), DECIDE_ENTRY);
	assert_true(kit_field(&kit, FIELD_PLACE, &f));
	kit.now_ms += 3600000;
	assert_int_equal(ask(&q, &tokyo), DECIDE_ENTRY); /* 9,289 km in an hour: ten times the speed. */
	assert_int_equal(signal_of(SIGNAL_IMPOSSIBLE_TRAVEL), 5);
	assert_int_equal(signal_of(SIGNAL_NEW_ASN), 1);
	/* A position of the request's own goes before the database's. */
	kit.now_ms += 3600000;
	struct request own = {0};
	kit_request(&own, "ada", "use", NULL, NULL);
	add(&own, "ip", VALUE_STR, 0, "198.51.100.7");
	add(&own, "latitude", VALUE_INT, 356895, NULL);
	add(&own, "longitude", VALUE_INT, 1396925, NULL);
	assert_int_equal(ask(&own, &amsterdam), DECIDE_ENTRY);
	assert_int_equal(signal_of(SIGNAL_IMPOSSIBLE_TRAVEL), 0);
	/* The answer decides anew with the decision's place, across a restart too. */
	kit.now_ms += 60000;
	simple(&q, true);
	assert_int_equal(ask(&q, &amsterdam), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_STEP_UP);
	uint64_t challenge = kit.out->index;
	struct state *again = kit_reload(kit.s, NULL);
	state_free(kit.s);
	kit.s = again;
	assert_int_equal(kit_answer(&kit, KIT_GATEWAY, challenge, "ada-key", kit.device_sk), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	assert_true(kit_field(&kit, FIELD_PLACE, &f));
	assert_int_equal(signal_of(SIGNAL_IMPOSSIBLE_TRAVEL), 5);
	simple(&q, false);
	assert_int_equal(ask(&q, &amsterdam), DECIDE_ENTRY);
	assert_int_equal(signal_of(SIGNAL_IMPOSSIBLE_TRAVEL), 0); /* She is there now. */
	assert_int_equal(signal_of(SIGNAL_STALE_PROOF), 0);
	assert_int_equal(signal_of(SIGNAL_RECENT_PROOF), 1);
	kit_free(&kit);
}

static void imports_move_nothing(void **state)
{
	struct request q;

	(void)state;
	kit_new(&kit, NULL, all_allowed);
	simple(&q, false);
	assert_int_equal(ask(&q, &amsterdam), DECIDE_ENTRY);
	kit.now_ms += 3600000;
	assert_int_equal(import_at(&q, kit.now_ms - 1000, &tokyo), DECIDE_ENTRY);
	assert_int_equal(ask(&q, &amsterdam), DECIDE_ENTRY);
	assert_int_equal(signal_of(SIGNAL_IMPOSSIBLE_TRAVEL), 0);
	assert_int_equal(signal_of(SIGNAL_STALE_PROOF), 6); /* Never. */
	kit_free(&kit);
}

static void facts_are_checked(void **state)
{
	static const char old[] = "version: 1\nthresholds: {step_up: 90000, deny: 100000}\n"
	                          "rules: [{id: all, verdict: allow}]\n";
	static const uint8_t wrong[][12] = {
	        {0x91, 0xc0}, {0x91, 0x90}, {0x91, 0x96, 0xa2, 'n', 'l', 0xc0, 0xc0, 0xc0, 0xc0, 0xc0}};
	static const size_t wrong_len[] = {2, 2, 10};
	uint8_t payload[REQUEST_SIZE_MAX], facts[128];
	size_t len, facts_len = place_facts(facts, &tokyo);
	struct request q;
	struct field f;

	(void)state;
	kit_new(&kit, NULL, all_allowed);
	simple(&q, false);
	assert_int_equal(request_encode(&q, payload, sizeof(payload), &len), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		        kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, NULL, payload, len, wrong[i], wrong_len[i]),
		        DECIDE_REFUSED);
		assert_int_equal(kit.out->err, CS_ERR_MALFORMED);
	}
	/* A policy of version 1 asks nothing of a place. */
	assert_int_equal(kit_policy(&kit, old), DECIDE_ENTRY);
	assert_int_equal(ask(&q, &tokyo), DECIDE_ENTRY);
	assert_false(kit_field(&kit, FIELD_PLACE, &f));
	for (unsigned id = SIGNAL_MAX_1 + 1; id <= SIGNAL_MAX; id++)
		assert_int_equal(signal_of(id), 0);
	kit_free(&kit);
	/* Where the feature is off, there are none. */
	kit_new(&kit, NULL, old);
	assert_int_equal(kit_apply(&kit, COMMAND_DECIDE, KIT_GATEWAY, NULL, payload, len, facts, facts_len),
	                 DECIDE_REFUSED);
	assert_int_equal(kit.out->err, CS_ERR_MALFORMED);
	assert_int_equal(ask(&q, NULL), DECIDE_ENTRY);
	kit_free(&kit);
}

/* --- scores from outside --- */

static void scores_from_outside(void **state)
{
	static const int64_t given[] = {500, -5000, 0}, counted[] = {500, -1000, 0};
	struct request q;
	struct field f;

	(void)state;
	kit_new(&kit, NULL, all_allowed);
	for (unsigned i = 0; i < 3; i++) {
		kit_request(&q, "ada", "use", "laptop", NULL);
		add(&q, "fraud", VALUE_INT, given[i], NULL);
		add(&q, "score:edr", VALUE_INT, given[i], NULL);
		assert_int_equal(ask(&q, NULL), DECIDE_ENTRY);
		assert_int_equal(signal_of(SIGNAL_OUTSIDE_1), counted[i]);
		assert_int_equal(signal_of(SIGNAL_OUTSIDE_2), counted[i]);
		assert_int_equal(signal_of(SIGNAL_OUTSIDE_3), 0);
		assert_true(kit_field(&kit, FIELD_REASONS, &f));
		assert_int_equal(memmem(f.value, f.value_len, "score:edr", 9) != NULL, counted[i] != 0);
	}
	kit_request(&q, "ada", "use", "laptop", NULL);
	add(&q, "fraud", VALUE_STR, 0, "very"); /* No number: no score. */
	assert_int_equal(ask(&q, NULL), DECIDE_ENTRY);
	assert_int_equal(signal_of(SIGNAL_OUTSIDE_2), 0);
	kit_free(&kit);
}

/* --- bounds --- */

static void resources_are_gained_one_a_day(void **state)
{
	char name[16];
	struct request q;

	(void)state;
	kit_new(&kit, NULL, all_allowed);
	for (unsigned day = 0; day < 14; day++) {
		for (unsigned i = 0; i < 3; i++) {
			simple(&q, false);
			snprintf(name, sizeof(name), "r%u-%u", day, i);
			q.resource_id = (struct text){name, strlen(name)};
			assert_int_equal(ask(&q, NULL), DECIDE_ENTRY);
			assert_int_equal(ask(&q, NULL), DECIDE_ENTRY);
			/* Known the second time only if it was the day's first. */
			if (day > 2)
				assert_int_equal(signal_of(SIGNAL_RARE_RESOURCE), i > 0);
		}
		kit.now_ms += KIT_DAY_MS;
	}
	/* Of fourteen the twelve used last are known. */
	for (unsigned day = 0; day < 14; day++) {
		simple(&q, false);
		snprintf(name, sizeof(name), "r%u-0", day);
		q.resource_id = (struct text){name, strlen(name)};
		add(&q, "prove", VALUE_BOOL, 1, NULL); /* Not allowed: nothing is learnt. */
		assert_int_equal(ask(&q, NULL), DECIDE_ENTRY);
		assert_int_equal(signal_of(SIGNAL_RARE_RESOURCE), day < 2);
	}
	kit_free(&kit);
}

static void the_world_forgets_by_use(void **state)
{
	static struct world w;

	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(world_new(&w), 0);
	for (uint64_t v = 1; v <= 64; v++)
		world_count(&w, WORLD_SYSTEM, v, WORLD_DECISION);
	world_count(&w, WORLD_SYSTEM, 1, WORLD_IMPORT);
	world_count(&w, WORLD_SYSTEM, 65, WORLD_DECISION); /* In place of 2, the one used longest ago. */
	assert_int_equal(world_find(&w, WORLD_SYSTEM, 1)->count, 5);
	assert_null(world_find(&w, WORLD_SYSTEM, 2));
	assert_non_null(world_find(&w, WORLD_SYSTEM, 3));
	assert_null(world_find(&w, WORLD_PROGRAM, 1)); /* Kinds are apart. */
	assert_int_equal(w.totals[WORLD_SYSTEM], 65 * 4 + 1);
	world_free(&w);
}

static void groups_know_what_they_do(void **state)
{
	static struct world w;
	static const uint64_t groups[] = {11, 12};
	struct observation o = {.value[FEATURE_ACTION] = 77};
	struct sight v = {.value[TRACE_RESOURCE] = 88};
	struct signal_policy p;
	struct request q = {0};
	struct further_input in = {.request = &q,
	                           .observation = &o,
	                           .sight = &v,
	                           .world = &w,
	                           .policy = &p,
	                           .groups = groups,
	                           .n_groups = 2};
	struct signal_list l = {0};

	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(world_new(&w), 0);
	signal_policy_defaults(&p);
	for (unsigned i = 0; i < 19; i++)
		world_learn(&w, &o, &v, groups, 1, WORLD_DECISION);
	o.value[FEATURE_ACTION] = 78;
	signals_derive_further(&l, NULL, NULL, &in);
	assert_int_equal(l.n, 0); /* Nineteen are no history yet. */
	o.value[FEATURE_ACTION] = 77;
	world_learn(&w, &o, &v, groups, 1, WORLD_DECISION);
	signals_derive_further(&l, NULL, NULL, &in);
	assert_int_equal(l.n, 0); /* Colleagues do it. */
	o.value[FEATURE_ACTION] = 78;
	signals_derive_further(&l, NULL, NULL, &in);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.s[0].id, SIGNAL_GROUP_RARE_ACTION);
	world_learn(&w, &o, &v, groups + 1, 1, WORLD_DECISION);
	l.n = 0;
	signals_derive_further(&l, NULL, NULL, &in);
	assert_int_equal(l.n, 1); /* The other group has no history: it excuses nothing. */
	world_free(&w);
}

/* --- the same everywhere --- */

static void same_bytes_and_after_a_restart(void **state)
{
	static struct decide_out other;
	struct state_limits limits = {.subjects_max = 5};
	uint64_t r = 42;

	(void)state;
	kit_new(&kit, &limits, all_allowed);
	struct state *twin = kit_reload(kit.s, &limits);
	for (unsigned i = 0; i < 1500; i++) {
		char user[8], ip[24], agent[16];
		struct request q;
		r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407); /* Knuth's MMIX. */
		snprintf(user, sizeof(user), "u%u", (unsigned)(r >> 60) % 8);
		snprintf(ip, sizeof(ip), "10.%u.%u.1", (unsigned)(r >> 50) % 16, (unsigned)(r >> 40) % 200);
		snprintf(agent, sizeof(agent), "tool-%u/1", (unsigned)(r >> 33) % 100);
		kit_request(&q, user, "use", NULL, NULL);
		add(&q, "amount", VALUE_INT, (int64_t)(r >> 30), NULL);
		add(&q, "ip", VALUE_STR, 0, ip);
		add(&q, "session", VALUE_STR, 0, agent + 4);
		add(&q, "user_agent", VALUE_STR, 0, agent);
		kit.now_ms += (r >> 20) % 900000;
		assert_int_equal(ask(&q, (r >> 19) % 3 == 0   ? NULL
		                         : (r >> 18) % 2 == 0 ? &tokyo
		                                              : &amsterdam),
		                 DECIDE_ENTRY);
		decide(twin, kit.now_ms, kit.command, kit.command_len, &other);
		assert_int_equal(other.outcome, DECIDE_ENTRY);
		assert_int_equal(other.body_len, kit.out->body_len);
		assert_memory_equal(other.body, kit.out->body, other.body_len);
		assert_true(hash_equal(&other.leaf_hash, &kit.out->leaf_hash));
	}
	state_free(twin);
	kit_free(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(places_are_kept_and_stay_with_challenges),
	                                   cmocka_unit_test(imports_move_nothing),
	                                   cmocka_unit_test(facts_are_checked),
	                                   cmocka_unit_test(scores_from_outside),
	                                   cmocka_unit_test(resources_are_gained_one_a_day),
	                                   cmocka_unit_test(the_world_forgets_by_use),
	                                   cmocka_unit_test(groups_know_what_they_do),
	                                   cmocka_unit_test(same_bytes_and_after_a_restart)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
