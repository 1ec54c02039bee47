/* The table of people: who may stand in it, what it refuses, how it is stored; and what it does to decisions. */
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
#include "node/decide/people.h"
#include "node/decide/state.h"
#include "tests/order_kit.h"

static struct kit kit;

static void begin(const struct state_limits *l, const char *yaml)
{
	kit_new(&kit, l, yaml);
	if (!state_feature(kit.s, FEATURE_DECISIONS))
		assert_int_equal(order_feature(&kit, "decisions"), DECIDE_ENTRY);
}

static enum decide_outcome put(struct people_change c)
{
	return order_people(&kit, &c, 1);
}

static void refused(enum decide_outcome outcome, int err, const char *says)
{
	order_refused(&kit, outcome, err, says);
}

static const struct person *find(const char *who)
{
	struct typed t = typed_of(who);

	return person_find_typed(kit.s, t.type, t.id);
}

static bool in_group(const char *who, const char *group)
{
	struct typed t = typed_of(who);

	return person_in_group(kit.s, t.type, t.id, (struct text){group, strlen(group)});
}

/* A state loaded from all records of this one gives the same table. */
static void reload(void)
{
	struct state *copy = kit_reload(kit.s, &kit.s->limits);

	assert_int_equal(people_count(copy), people_count(kit.s));
	for (uint32_t i = 0; i < people_count(copy); i++) {
		const struct person *a = people_at(kit.s, i), *b = people_at(copy, i);
		assert_memory_equal(a->key, b->key, sizeof(a->key));
		assert_int_equal(a->version, b->version);
		assert_int_equal(a->owned, b->owned);
		assert_int_equal(a->record_len, b->record_len);
		assert_memory_equal(a->record, b->record, a->record_len);
	}
	state_free(kit.s);
	kit.s = copy;
}

static void needs_the_feature(void **state)
{
	struct request q;
	char yaml[] = "version: 1\nthresholds: {step_up: 0, deny: 5000}\nrules:\n- {id: all, verdict: allow}\n";

	(void)state;
	kit_new(&kit, NULL, yaml);
	refused(put(person_of("user:ada", 0, NULL, NULL, NULL)), CS_ERR_INVALID, "decisions");
	kit_request(&q, "ada", "deploy", NULL, NULL);
	q.actor_type = q.via[0].type = (struct text){"agent", 5};
	q.actor_id = (struct text){"a", 1};
	q.via[0].id = (struct text){"b", 1};
	q.n_via = 1;
	refused(kit_ask(&kit, &q), CS_ERR_INVALID, "chain");
	refused(kit_import(&kit, &q, kit.now_ms), CS_ERR_INVALID, "chain");
	assert_int_equal(people_count(kit.s), 0);
	kit_free(&kit);
}

static void is_set_changed_and_removed(void **state)
{
	struct field f;

	(void)state;
	begin(NULL, NULL);
	assert_int_equal(put(person_of("user:ada", 0, "eng ops", NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(kit.out->kind, ENTRY_PEOPLE);
	assert_true(kit_field(&kit, FIELD_GROUPS, &f));
	assert_true(kit_field(&kit, FIELD_EVIDENCE, &f)); /* The signature is private, as what it covers. */
	assert_true(in_group("user:ada", "eng"));
	assert_false(in_group("user:ada", "en"));
	assert_false(in_group("user:bob", "eng"));
	assert_int_equal(put(change_of(PEOPLE_DISABLE, "user:ada")), DECIDE_ENTRY);
	assert_false(in_group("user:ada", "eng"));
	assert_int_equal(put(change_of(PEOPLE_ENABLE, "user:ada")), DECIDE_ENTRY);
	assert_true(in_group("user:ada", "ops"));
	assert_int_equal(put(person_of("user:ada", 0, "legal", NULL, NULL)), DECIDE_ENTRY);
	assert_false(in_group("user:ada", "ops"));
	assert_int_equal(people_count(kit.s), 1);
	assert_int_equal(find("user:ada")->version, kit.out->index);
	assert_int_equal(put(change_of(PEOPLE_REMOVE, "user:ada")), DECIDE_ENTRY);
	assert_null(find("user:ada"));
	refused(put(change_of(PEOPLE_REMOVE, "user:ada")), CS_ERR_NOT_FOUND, "change 1");
	refused(put(change_of(PEOPLE_DISABLE, "user:ada")), CS_ERR_NOT_FOUND, "change 1");
	kit_free(&kit);
}

static void owners_answer(void **state)
{
	struct people_change c[3];

	(void)state;
	begin(NULL, NULL);
	refused(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:ada", NULL)), CS_ERR_NOT_FOUND, "owner");
	c[0] = person_of("user:ada", 0, NULL, NULL, NULL);
	c[1] = person_of("agent:bot", PERSON_AGENT, NULL, "user:ada", "user:ada");
	c[2] = person_of("agent:imp", PERSON_AGENT, NULL, "agent:bot", NULL);
	refused(order_people(&kit, c, 3), CS_ERR_INVALID, "change 3");
	assert_int_equal(people_count(kit.s), 0); /* All or nothing. */
	assert_int_equal(order_people(&kit, c, 2), DECIDE_ENTRY);
	assert_int_equal(find("user:ada")->owned, 1);
	refused(put(change_of(PEOPLE_REMOVE, "user:ada")), CS_ERR_CONFLICT, "owns");
	refused(put(person_of("user:ada", PERSON_SERVICE, NULL, "user:ada", NULL)), CS_ERR_CONFLICT, "owns");
	reload();
	/* Another owner, then she may go: in two orders. */
	assert_int_equal(put(person_of("user:bob", 0, NULL, NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:bob", NULL)), DECIDE_ENTRY);
	assert_int_equal(find("user:bob")->owned, 1);
	c[0] = change_of(PEOPLE_REMOVE, "user:ada");
	c[1] = person_of("agent:new", PERSON_AGENT, NULL, "user:ada", NULL);
	refused(order_people(&kit, c, 2), CS_ERR_NOT_FOUND, "change 2");
	c[0] = person_of("agent:new", PERSON_AGENT, NULL, "user:ada", NULL);
	c[1] = change_of(PEOPLE_REMOVE, "user:ada");
	refused(order_people(&kit, c, 2), CS_ERR_CONFLICT, "change 2");
	assert_int_equal(put(change_of(PEOPLE_REMOVE, "user:ada")), DECIDE_ENTRY);
	c[0] = c[1];
	refused(order_people(&kit, c, 2), CS_ERR_NOT_FOUND, "change 1");
	c[0] = change_of(PEOPLE_DISABLE, "user:bob");
	c[1] = change_of(PEOPLE_ENABLE, "user:bob");
	refused(order_people(&kit, c, 2), CS_ERR_INVALID, "change 2 is of somebody");
	kit_free(&kit);
}

static void malformed(struct people_change c)
{
	refused(put(c), CS_ERR_MALFORMED, "people");
	if (c.action == PEOPLE_SET)
		assert_non_null(person_fault(&c.person));
}

static void records_have_one_form(void **state)
{
	struct people_change c;

	(void)state;
	begin(NULL, NULL);
	assert_int_equal(put(person_of("user:ada", 0, NULL, NULL, NULL)), DECIDE_ENTRY);
	malformed(person_of("group:ada", 0, NULL, NULL, NULL));
	malformed(person_of("*:ada", 0, NULL, NULL, NULL));
	malformed(person_of("user:a\nb", 0, NULL, NULL, NULL));
	malformed(person_of("user:bob", 9, NULL, NULL, NULL));
	malformed(person_of("user:bob", 0, "b a", NULL, NULL));
	malformed(person_of("user:bob", 0, "a a", NULL, NULL));
	malformed(person_of("user:bob", 0, "a*", NULL, NULL));
	malformed(person_of("user:bob", 0, NULL, "user:ada", NULL));
	malformed(person_of("user:bob", 0, NULL, NULL, "user:ada"));
	malformed(person_of("agent:bot", PERSON_AGENT, NULL, NULL, "user:ada"));
	malformed(person_of("agent:bot", PERSON_AGENT, NULL, "group:ada", "user:ada"));
	malformed(person_of("agent:bot", PERSON_AGENT, NULL, "user:ada", "*:ada"));
	malformed(person_of("agent:bot", PERSON_AGENT, NULL, "user:ada", "user:*"));
	c = person_of("agent:bot", PERSON_AGENT, NULL, "user:ada", "user:b");
	c.person.acts_for[c.person.n_acts_for++] = typed_of("user:a");
	malformed(c);
	c = change_of(0, "user:ada");
	malformed(c);
	kit_free(&kit);
}

static void is_full_and_refuses(void **state)
{
	static const struct state_limits limits = {.people_max = 3};
	struct people_change c[2];

	(void)state;
	begin(&limits, NULL);
	assert_int_equal(put(person_of("user:a", 0, NULL, NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(put(person_of("user:b", 0, NULL, NULL, NULL)), DECIDE_ENTRY);
	c[0] = person_of("user:c", 0, NULL, NULL, NULL);
	c[1] = person_of("user:d", 0, NULL, NULL, NULL);
	refused(order_people(&kit, c, 2), CS_ERR_OVERLOADED, "full");
	assert_int_equal(people_count(kit.s), 2);
	assert_int_equal(put(c[0]), DECIDE_ENTRY);
	refused(put(c[1]), CS_ERR_OVERLOADED, "full");
	assert_int_equal(put(person_of("user:c", 0, "x", NULL, NULL)), DECIDE_ENTRY); /* Nobody new. */
	refused(order_people(&kit, (struct people_change[]){c[1], change_of(PEOPLE_REMOVE, "user:a")}, 2),
	        CS_ERR_OVERLOADED, "full");
	assert_int_equal(order_people(&kit, (struct people_change[]){change_of(PEOPLE_REMOVE, "user:a"), c[1]}, 2),
	                 DECIDE_ENTRY);
	reload();
	assert_non_null(find("user:d"));
	assert_null(find("user:a"));
	kit_free(&kit);
}

/* The same slots on a replica that was loaded on the way as on one that was not. */
static void slots_are_the_same_everywhere(void **state)
{
	struct state *other;
	char who[32];

	(void)state;
	begin(NULL, NULL);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(who, sizeof(who), "user:p%u", i);
		assert_int_equal(put(person_of(who, 0, "eng", NULL, NULL)), DECIDE_ENTRY);
	}
	other = kit_reload(kit.s, NULL);
	for (unsigned i = 0; i < 40; i += 3) {
		snprintf(who, sizeof(who), "user:p%u", i);
		assert_int_equal(put(change_of(PEOPLE_REMOVE, who)), DECIDE_ENTRY);
		decide(other, kit.now_ms, kit.command, kit.command_len, kit.out);
		assert_int_equal(kit.out->outcome, DECIDE_ENTRY);
	}
	assert_int_equal(people_count(kit.s), people_count(other));
	for (uint32_t i = 0; i < people_count(other); i++)
		assert_memory_equal(people_at(kit.s, i)->key, people_at(other, i)->key, 32);
	state_free(other);
	kit_free(&kit);
}

/* --- decisions --- */

static const char allow_all[] =
        "version: 1\nbias: -4000\nthresholds: {step_up: 9000, deny: 9500}\nrules:\n- {id: all, verdict: allow}\n";

static void act(struct request *q, const char *actor, const char *via)
{
	struct typed t = typed_of(actor);

	kit_request(q, "ada", "deploy", NULL, NULL);
	q->actor_type = t.type;
	q->actor_id = t.id;
	if (via != NULL)
		q->via[q->n_via++] = typed_of(via);
}

static void verdict(const struct request *q, unsigned verdict)
{
	assert_int_equal(kit_ask(&kit, q), DECIDE_ENTRY);
	assert_int_equal(kit.out->verdict, verdict);
}

static bool says(const char *reason)
{
	struct field f;

	assert_true(kit_field(&kit, FIELD_REASONS, &f));
	return memmem(f.value, f.value_len, reason, strlen(reason)) != NULL;
}

static void the_disabled_are_denied(void **state)
{
	struct request q;
	struct field f;

	(void)state;
	begin(NULL, allow_all);
	kit_request(&q, "ada", "deploy", NULL, NULL);
	verdict(&q, VERDICT_ALLOW);
	assert_false(kit_field(&kit, FIELD_GROUPS, &f)); /* She is not in the table. */
	assert_int_equal(put(person_of("user:ada", 0, "eng", NULL, NULL)), DECIDE_ENTRY);
	verdict(&q, VERDICT_ALLOW);
	assert_true(kit_field(&kit, FIELD_GROUPS, &f));
	assert_int_equal(put(change_of(PEOPLE_DISABLE, "user:ada")), DECIDE_ENTRY);
	verdict(&q, VERDICT_DENY);
	assert_true(says("the subject is disabled"));
	reload();
	verdict(&q, VERDICT_DENY);
	kit_request(&q, "bob", "deploy", NULL, NULL);
	verdict(&q, VERDICT_ALLOW);
	kit_free(&kit);
}

static void agents_act_for_whom_they_may(void **state)
{
	struct request q;

	(void)state;
	begin(NULL, allow_all);
	act(&q, "agent:bot", NULL);
	verdict(&q, VERDICT_ALLOW); /* Unlisted: the policy decides. */
	assert_int_equal(put(person_of("user:ada", 0, "eng", NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(put(person_of("user:own", 0, NULL, NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:own", NULL)), DECIDE_ENTRY);
	verdict(&q, VERDICT_DENY);
	assert_true(says("may not act"));
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:own", "user:ada")), DECIDE_ENTRY);
	verdict(&q, VERDICT_ALLOW);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:own", "group:eng")), DECIDE_ENTRY);
	verdict(&q, VERDICT_ALLOW);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:own", "group:ops")), DECIDE_ENTRY);
	verdict(&q, VERDICT_DENY);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, NULL, "user:own", "*:*")), DECIDE_ENTRY);
	verdict(&q, VERDICT_ALLOW);
	assert_int_equal(put(change_of(PEOPLE_DISABLE, "user:own")), DECIDE_ENTRY); /* Nobody answers for it. */
	verdict(&q, VERDICT_DENY);
	assert_true(says("an actor is disabled"));
	kit_free(&kit);
}

static void every_link_of_a_chain_counts(void **state)
{
	static const uint8_t wanted[] = "\x92\x92\xa5"
	                                "agent\xa3"
	                                "top\x92\xa5"
	                                "agent\xa3"
	                                "mid";
	struct request q;
	struct field f;

	(void)state;
	begin(NULL, allow_all);
	assert_int_equal(put(person_of("user:ada", 0, "eng", NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(put(person_of("agent:mid", PERSON_AGENT, NULL, "user:ada", "user:ada")), DECIDE_ENTRY);
	act(&q, "agent:top", "agent:mid");
	verdict(&q, VERDICT_DENY); /* top is not listed, and no rule speaks for such a chain. */
	assert_true(kit_field(&kit, FIELD_DELEGATION, &f));
	assert_int_equal(f.value_len, sizeof(wanted) - 1);
	assert_memory_equal(f.value, wanted, f.value_len);
	assert_int_equal(put(person_of("agent:top", PERSON_AGENT, NULL, "user:ada", "user:ada")), DECIDE_ENTRY);
	verdict(&q, VERDICT_DENY); /* For ada, not for mid. */
	assert_int_equal(put(person_of("agent:top", PERSON_AGENT, NULL, "user:ada", "agent:mid")), DECIDE_ENTRY);
	verdict(&q, VERDICT_ALLOW);
	act(&q, "agent:mid", "agent:top");
	verdict(&q, VERDICT_DENY);
	act(&q, "agent:top", "agent:mid");
	assert_int_equal(put(change_of(PEOPLE_DISABLE, "agent:mid")), DECIDE_ENTRY);
	verdict(&q, VERDICT_DENY);
	kit_free(&kit);
}

/* --- policies --- */

static void policies_match_groups(void **state)
{
	static const char yaml[] = "version: 2\nbias: -9000\nthresholds: {step_up: 9000, deny: 9500}\nrules:\n"
	                           "- {id: eng, match: {group: 'eng*'}, verdict: allow}\n"
	                           "- {id: bots, match: {actor_group: bots, delegation: listed}, verdict: allow}\n"
	                           "- {id: through, match: {via: mid}, verdict: deny}\n";
	struct request q;

	(void)state;
	begin(NULL, yaml);
	kit_request(&q, "ada", "deploy", NULL, NULL);
	verdict(&q, VERDICT_DENY);
	assert_int_equal(put(person_of("user:ada", 0, "engineers", NULL, NULL)), DECIDE_ENTRY);
	verdict(&q, VERDICT_ALLOW);
	assert_int_equal(put(person_of("user:ada", 0, "legal", NULL, NULL)), DECIDE_ENTRY);
	verdict(&q, VERDICT_DENY);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, "bots", "user:ada", "user:ada")), DECIDE_ENTRY);
	act(&q, "agent:bot", NULL);
	verdict(&q, VERDICT_ALLOW);
	assert_int_equal(put(person_of("agent:mid", PERSON_AGENT, NULL, "user:ada", "user:ada")), DECIDE_ENTRY);
	assert_int_equal(put(person_of("agent:bot", PERSON_AGENT, "bots", "user:ada", "agent:mid")), DECIDE_ENTRY);
	act(&q, "agent:bot", "agent:mid");
	verdict(&q, VERDICT_DENY);
	kit_free(&kit);
}

static void a_policy_may_speak_for_the_unlisted(void **state)
{
	static const char yaml[] =
	        "version: 2\nbias: -9000\nthresholds: {step_up: 9000, deny: 9500}\nrules:\n"
	        "- {id: all, verdict: allow}\n"
	        "- {id: known-chain, match: {delegation: [listed, unlisted], via: mid}, verdict: allow}\n";
	struct request q;

	(void)state;
	begin(NULL, yaml);
	act(&q, "agent:top", "agent:mid");
	verdict(&q, VERDICT_ALLOW);
	act(&q, "agent:top", "agent:other");
	verdict(&q, VERDICT_DENY);
	assert_int_equal(put(person_of("user:ada", 0, NULL, NULL, NULL)), DECIDE_ENTRY);
	assert_int_equal(put(person_of("agent:mid", PERSON_AGENT, NULL, "user:ada", "user:bob")), DECIDE_ENTRY);
	act(&q, "agent:top", "agent:mid");
	verdict(&q, VERDICT_DENY); /* No policy speaks against the table. */
	kit_free(&kit);
}

static void not_compiled(const char *match, const char *says)
{
	static uint8_t buf[POLICY_COMPILED_SIZE_MAX];
	struct policy_error where;
	char yaml[256];
	size_t len;

	snprintf(yaml, sizeof(yaml),
	         "version: %c\nthresholds: {step_up: 1, deny: 2}\nrules:\n- {id: a, match: {%s}, "
	         "verdict: allow}\n",
	         match[0], match + 1);
	assert_int_equal(policy_compile(yaml, strlen(yaml), buf, sizeof(buf), &len, &where), CS_ERR_INVALID);
	if (strstr(where.text, says) == NULL)
		fail_msg("%s", where.text);
}

static void policies_of_version_1_know_no_people(void **state)
{
	(void)state;
	not_compiled("1group: eng", "needs version: 2");
	not_compiled("1actor_group: eng", "needs version: 2");
	not_compiled("1via: eng", "needs version: 2");
	not_compiled("1delegation: listed", "needs version: 2");
	not_compiled("2delegation: lsited", "unlisted");
	not_compiled("2delegation: 1", "unlisted");
}

static void chains_have_one_form(void **state)
{
	static const uint8_t one_as_chain[] = "\x95\x92\xa4user\xa3"
	                                      "ada\x91\x92\xa5"
	                                      "agent\xa1"
	                                      "a\xa4read\x92\xa1m\xa1x\x90";
	struct request q = {0}, back;
	uint8_t a[REQUEST_SIZE_MAX], b[REQUEST_SIZE_MAX];
	size_t len, again;

	(void)state;
	kit_request(&q, "ada", "read", NULL, NULL);
	for (unsigned i = 0; i < REQUEST_ACTORS_MAX; i++) {
		static const char *const names[] = {"agent:a", "agent:b", "service:c", "agent:d"};
		struct typed t = typed_of(names[i]);
		if (i == 0) {
			q.actor_type = t.type;
			q.actor_id = t.id;
		} else {
			q.via[q.n_via++] = t;
		}
		assert_int_equal(request_encode(&q, a, sizeof(a), &len), 0);
		assert_int_equal(request_decode(&back, a, len), 0);
		assert_int_equal(back.n_via, i);
		assert_int_equal(request_encode(&back, b, sizeof(b), &again), 0);
		assert_int_equal(len, again);
		assert_memory_equal(a, b, len);
	}
	q.n_via++;
	assert_int_equal(request_encode(&q, a, sizeof(a), &len), CS_ERR_TOO_LARGE);
	assert_int_equal(request_decode(&back, one_as_chain, sizeof(one_as_chain) - 1), CS_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(needs_the_feature),
	        cmocka_unit_test(is_set_changed_and_removed),
	        cmocka_unit_test(owners_answer),
	        cmocka_unit_test(records_have_one_form),
	        cmocka_unit_test(is_full_and_refuses),
	        cmocka_unit_test(slots_are_the_same_everywhere),
	        cmocka_unit_test(the_disabled_are_denied),
	        cmocka_unit_test(agents_act_for_whom_they_may),
	        cmocka_unit_test(every_link_of_a_chain_counts),
	        cmocka_unit_test(policies_match_groups),
	        cmocka_unit_test(a_policy_may_speak_for_the_unlisted),
	        cmocka_unit_test(policies_of_version_1_know_no_people),
	        cmocka_unit_test(chains_have_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
