/* Tests of what imports teach: less than decisions, never the last place or time, and nothing where they failed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "node/decide/history.h"
#include "node/decide/profile.h"
#include "node/decide/signals.h"
#include "tests/decide_kit.h"

#define MANY 5000

static unsigned hours_total(const struct profile *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PROFILE_HOURS; i++)
		n += p->hours[i];
	return n;
}

/* A flood of imports beside one decision. */
static void test_profile(void **state)
{
	struct observation known = {.value = {[FEATURE_DEVICE] = 7, [FEATURE_ADDRESS] = 8}}, o;
	struct profile p = {0};

	(void)state;
	profile_train(&p, &known, KIT_START_MS, true);
	for (unsigned i = 0; i < MANY; i++) {
		o = known;
		if (i % 2)
			o.value[FEATURE_DEVICE] = 1000 + i % 50;
		profile_train_import(&p, &o, KIT_START_MS + i * UINT64_C(60000));
	}
	assert_int_equal(p.last_ms, KIT_START_MS);
	assert_int_equal(p.trained, 1);
	assert_int_equal(p.imported, MANY);
	const struct slot *s = profile_find(&p, FEATURE_DEVICE, 7);
	assert_non_null(s);
	assert_int_equal(s->uses, 1);
	assert_int_equal(s->imported, 0);
	assert_int_equal(s->last_min, KIT_START_MS / 60000);
	for (unsigned i = 0; i < PROFILE_SLOTS; i++)
		if (p.slots[i].imported)
			assert_in_range(p.slots[i].uses, 1, 3);
	/* Each hour of the week counts once, a quarter of what a decision counts. */
	unsigned from_decision = 16, hours = MANY / 60 + 1;
	assert_in_range(hours_total(&p), from_decision + 1, from_decision + 4 * hours);
	/* One real use makes the value real. */
	o = known;
	o.value[FEATURE_DEVICE] = 1000 + (MANY - 1) % 50;
	assert_true(profile_find(&p, FEATURE_DEVICE, o.value[FEATURE_DEVICE])->imported);
	profile_train(&p, &o, KIT_START_MS + KIT_DAY_MS, true);
	assert_false(profile_find(&p, FEATURE_DEVICE, o.value[FEATURE_DEVICE])->imported);
}

static void test_history(void **state)
{
	struct sight here = {.session = 5,
	                     .has_amount = true,
	                     .amount = 100,
	                     .has_position = true,
	                     .latitude = 523700,
	                     .longitude = 48950},
	             there = {.session = 6,
	                      .has_amount = true,
	                      .amount = 1000000,
	                      .has_position = true,
	                      .latitude = 356890,
	                      .longitude = 1396920};
	struct history h = {0}, before;

	(void)state;
	here.value[TRACE_RESOURCE] = UINT64_C(1) << 40;
	there.value[TRACE_RESOURCE] = UINT64_C(2) << 40;
	history_train(&h, &here, 3, KIT_START_MS, true);
	before = h;
	for (unsigned i = 0; i < MANY; i++)
		history_train_import(&h, &there, KIT_START_MS + i * UINT64_C(60000), true);
	assert_int_equal(h.place_ms, before.place_ms);
	assert_int_equal(h.latitude, before.latitude);
	assert_int_equal(h.longitude, before.longitude);
	assert_int_equal(h.proof_ms, before.proof_ms);
	assert_memory_equal(h.sessions, before.sessions, sizeof h.sessions);
	assert_memory_equal(&h.amounts, &before.amounts, sizeof h.amounts);
	const struct trace *t = history_find(&h, TRACE_RESOURCE, there.value[TRACE_RESOURCE]);
	assert_non_null(t);
	assert_int_equal(t->imported, 1);
	assert_in_range(t->uses, 1, 3);
	assert_int_equal(history_find(&h, TRACE_RESOURCE, here.value[TRACE_RESOURCE])->imported, 0);
}

static struct kit kit;

/* A request with the attributes device, error and ip. */
static void failed_request(struct request *q)
{
	kit_request(q, "eve", "train", "laptop", NULL);
	q->context[q->n_context++] =
	        (struct named_value){.name = {"error", 5}, .type = VALUE_STR, .str = {"AccessDenied", 12}};
}

/* Is the subject new to the next request? Imports of what failed leave it so, from the feature on. */
static bool is_new(const char *policy)
{
	struct request q;
	struct field f;
	int64_t v;

	kit_new(&kit, NULL, policy);
	kit.now_ms = KIT_START_MS + 10 * KIT_DAY_MS;
	failed_request(&q);
	for (unsigned day = 0; day < 7; day++) {
		assert_int_equal(kit_import(&kit, &q, KIT_START_MS + day * KIT_DAY_MS), DECIDE_ENTRY);
		assert_int_equal(kit.out->kind, ENTRY_IMPORTED);
		assert_true(kit_field(&kit, FIELD_SOURCE, &f));
	}
	kit_request(&q, "eve", "train", "laptop", NULL);
	assert_int_equal(kit_ask(&kit, &q), DECIDE_ENTRY);
	bool is = kit_signal(&kit, SIGNAL_NEW_SUBJECT, &v);
	assert_int_equal(kit_signal(&kit, SIGNAL_IMPORTED_HISTORY, &v), !is);
	kit_free(&kit);
	return is;
}

static void test_failed(void **state)
{
	(void)state;
	assert_true(is_new(NULL));
	assert_false(is_new(kit_policy_1()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_profile),
	        cmocka_unit_test(test_history),
	        cmocka_unit_test(test_failed),
	};

	return cmocka_run_group_tests_name("import_weight", tests, NULL, NULL);
}
